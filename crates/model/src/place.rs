//! Where in a text something stands, counted as people and editors count.

use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};

/// A piece of one line of a text. All counts are in characters, none in bytes.
///
/// ```
/// use provost_model::Place;
///
/// let place = Place::of("Café = Foo(\n[x])", &(8..11));
/// assert_eq!((place.line, place.column, place.length), (1, 8, 3));
/// assert_eq!(place.to_string(), "column 8");
/// assert_eq!(Place::of("a\n  bc", &(4..6)).to_string(), "line 2, column 3");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Place {
    /// From one.
    pub line: usize,
    /// From one.
    pub column: usize,
    /// At least one, so that there is something to underline.
    pub length: usize,
}

impl Default for Place {
    /// The first character.
    fn default() -> Self {
        Self { line: 1, column: 1, length: 1 }
    }
}

impl Place {
    /// The place of some bytes. What goes beyond the first line is cut off, and so is blank space at the end; offsets inside
    /// a character or beyond the text are moved back to where one begins.
    pub fn of(text: &str, bytes: &Range<usize>) -> Self {
        let start = text.floor_char_boundary(bytes.start);
        let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let end = text.floor_char_boundary(bytes.end.max(start));
        let meant = text[start..end].lines().next().unwrap_or_default();
        Self {
            line: text[..line_start].matches('\n').count() + 1,
            column: text[line_start..start].chars().count() + 1,
            length: meant.trim_end().chars().count().max(1),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            1 => write!(f, "column {}", self.column),
            line => write!(f, "line {line}, column {}", self.column),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_are_counted_and_nothing_beyond_the_line() {
        for (text, bytes, line, column, length) in [
            ("é[x]", 2..5, 1, 2, 3),
            ("é[x]", 1..5, 1, 1, 4),
            ("ab\ncd ef", 4..80, 2, 2, 4),
            ("ab  \ncd", 1..7, 1, 2, 1),
            ("ab\r\ncd", 0..6, 1, 1, 2),
            ("", 0..0, 1, 1, 1),
            ("a\n", 2..2, 2, 1, 1),
        ] {
            let place = Place::of(text, &bytes);
            assert_eq!((place.line, place.column, place.length), (line, column, length), "{text:?} {bytes:?}");
        }
    }
}

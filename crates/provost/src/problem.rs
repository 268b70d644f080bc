//! One problem as people read it: a code, what is wrong, where it stands in which text, and a hint.
//!
//! Everything that can go wrong ends as one of these; [`crate::output`] prints them, `--json` gives them as data.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use provost_model::{Code, Explain};
use serde::Serialize;

/// What is shown after `error[…]:`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Problem {
    pub code: Code,
    pub message: String,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// A place in a text that the user wrote.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Place {
    /// A file, or what else the text is (`--where`).
    pub file: String,
    /// From one.
    pub line: usize,
    /// From one, in characters.
    pub column: usize,
    /// The line as it stands there.
    #[serde(skip)]
    pub excerpt: String,
    /// What is underlined, in characters of the excerpt, from zero.
    #[serde(skip)]
    pub underline: Range<usize>,
}

impl Problem {
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code: Code::new(code), message: message.into(), place: None, hint: None }
    }

    pub fn of(error: &dyn Explain) -> Self {
        let hint = error.hint().map(|hint| hint.into_owned());
        Self { code: error.code(), message: error.to_string(), place: None, hint }
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }
}

impl fmt::Display for Problem {
    /// One line, for logs and NDJSON.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// A text with a name, in which places are found.
#[derive(Debug, Clone, Default)]
pub struct Source {
    pub name: String,
    pub text: String,
}

impl Source {
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { name: name.into(), text: text.into() }
    }

    /// A file named as the user knows it: relative to the working folder where that is shorter.
    pub fn of_file(path: &Path, text: String) -> Self {
        Self { name: shown(path), text }
    }

    /// The place of some bytes. What goes beyond the first line is cut off; an empty range underlines one character.
    pub fn place(&self, bytes: Range<usize>) -> Place {
        let mut start = bytes.start.min(self.text.len());
        while !self.text.is_char_boundary(start) {
            start -= 1;
        }
        let line_start = self.text[..start].rfind('\n').map_or(0, |at| at + 1);
        let excerpt = self.text[line_start..].lines().next().unwrap_or_default();
        let before = self.text[line_start..start].chars().count();
        let end = bytes.end.clamp(start, line_start + excerpt.len().max(start - line_start));
        let length = self.text.get(start..end).map_or(0, |text| text.trim_end().chars().count()).max(1);
        Place {
            file: self.name.clone(),
            line: self.text[..line_start].matches('\n').count() + 1,
            column: before + 1,
            excerpt: excerpt.to_owned(),
            underline: before..before + length,
        }
    }
}

/// A path as the user knows it.
pub fn shown(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
    let path = path.strip_prefix(&here).or_else(|_| path.strip_prefix("./")).unwrap_or(path);
    if path.as_os_str().is_empty() { ".".to_owned() } else { path.display().to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_characters_and_stay_on_their_line() {
        let source = Source::new("a.yaml", "ä: 1\nzoë: [x,\n y]\n");
        let start = source.text.find("[x").unwrap();
        let place = source.place(start..start + 7);
        assert_eq!((place.line, place.column, place.excerpt.as_str()), (2, 6, "zoë: [x,"));
        assert_eq!(place.underline, 5..8);
        let end = source.place(source.text.len()..source.text.len());
        assert_eq!((end.line, end.column, end.underline), (4, 1, 0..1));
    }
}

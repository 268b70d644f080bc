//! One problem as people read it: a code, what is wrong, where it stands in which text, and a hint.
//!
//! Everything that can go wrong ends as one of these; [`crate::output`] prints them, `--json` gives them as data.

use std::fmt;
use std::ops::{Deref, Range};
use std::path::{Path, PathBuf};

use provost_lang::LangError;
use provost_model::{Code, Explain, Severity};
use serde::Serialize;

/// What is shown after `error[…]:`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Problem {
    pub code: Code,
    pub severity: Severity,
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
    #[serde(flatten)]
    pub at: provost_model::Place,
    /// The line as it stands there.
    #[serde(skip)]
    pub excerpt: String,
}

impl Deref for Place {
    type Target = provost_model::Place;
    fn deref(&self) -> &provost_model::Place {
        &self.at
    }
}

impl Place {
    /// What is underlined, in characters of the excerpt, from zero.
    pub fn underline(&self) -> Range<usize> {
        self.at.column - 1..self.at.column - 1 + self.at.length
    }
}

impl Problem {
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        let (code, message) = (Code::new(code), message.into());
        Self { code, severity: Severity::Error, message, place: None, hint: None }
    }

    pub fn of(error: &dyn Explain) -> Self {
        let hint = error.hint().map(|hint| hint.into_owned());
        Self { code: error.code(), severity: Severity::Error, message: error.to_string(), place: None, hint }
    }

    /// A mistake in a text of the language, with its place in that text.
    pub fn of_language(error: &LangError, source: &Source) -> Self {
        Self {
            code: error.code.clone(),
            severity: error.severity,
            message: error.message.clone(),
            place: Some(source.place(error.span.clone())),
            hint: error.hint.clone(),
        }
    }

    /// Whether it keeps things from working.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
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
        let at = provost_model::Place::of(&self.text, &bytes);
        let excerpt = self.text.split('\n').nth(at.line - 1).unwrap_or_default().trim_end_matches('\r').to_owned();
        Place { file: self.name.clone(), at, excerpt }
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
        assert_eq!(place.underline(), 5..8);
        let end = source.place(source.text.len()..source.text.len());
        assert_eq!((end.line, end.column, end.underline()), (4, 1, 0..1));
    }
}

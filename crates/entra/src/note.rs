//! What an import or export has to say beside its result.

use std::fmt;

use provost_model::Code;
use serde::Serialize;

/// Something of the one form that the other does not have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Note {
    pub kind: NoteKind,
    /// Where it stands: `synchronizationRules[0].objectMappings[1].scope`, or a path of the configuration.
    pub path: String,
    /// The line of an imported document, from one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    pub message: String,
}

/// How much a note matters, most first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum NoteKind {
    /// Not carried over, and accounts may come out differently.
    Lost,
    /// Carried over in another form.
    Changed,
    /// A name, id or description that decides nothing.
    Label,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{} (line {line}): {}", self.path, self.message),
            None => write!(f, "{}: {}", self.path, self.message),
        }
    }
}

/// Why a document cannot be imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub code: Code,
    /// The JSON path; empty for the document as a whole.
    pub path: String,
    /// The byte where it stands in the text.
    pub offset: usize,
    pub message: String,
    pub hint: Option<String>,
}

/// The text is no JSON, or too large.
pub(crate) const UNREADABLE: Code = Code::new("PRV-0901");
/// It is JSON, but no synchronization schema.
pub(crate) const WRONG_FORM: Code = Code::new("PRV-0902");

impl Fault {
    pub(crate) fn new(code: &Code, path: &str, offset: usize, message: impl Into<String>) -> Self {
        Self { code: code.clone(), path: path.to_owned(), offset, message: message.into(), hint: None }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.as_str() {
            "" => f.write_str(&self.message),
            path => write!(f, "`{path}`: {}", self.message),
        }
    }
}

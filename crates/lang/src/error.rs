//! What can be wrong with an expression or filter, before and during evaluation.
//!
//! A [`LangError`] is the author's mistake and has a place in the text; an [`EvalError`] concerns one object. The value
//! that an evaluation stumbled over is kept apart from the message, because messages are logged and values never are.

use std::borrow::Cow;
use std::ops::Range;

use provost_model::{Code, Explain, Place, Severity, Text};
use serde::Serialize;

/// The codes of this crate; each has a page in `docs/errors/`.
pub mod code {
    /// The text cannot be read: an unexpected character or word, a missing bracket.
    pub const SYNTAX: &str = "PRV-0201";
    /// A text or an attribute reference lacks its end.
    pub const UNCLOSED: &str = "PRV-0202";
    /// No function has this name.
    pub const UNKNOWN_FUNCTION: &str = "PRV-0203";
    /// Too few or too many arguments, or a needed one left empty.
    pub const ARGUMENTS: &str = "PRV-0204";
    /// An argument that can never be what the function takes.
    pub const KIND: &str = "PRV-0205";
    /// A bare word that is neither a function call nor a keyword.
    pub const BARE_WORD: &str = "PRV-0206";
    /// A regular expression that does not compile.
    pub const REGEX: &str = "PRV-0207";
    /// The text is too long or nested too deep.
    pub const SIZE: &str = "PRV-0208";
    /// A function in a place where it has no meaning.
    pub const PLACE: &str = "PRV-0209";
    /// A filter operator with an operand it cannot use.
    pub const OPERAND: &str = "PRV-0210";
    /// A date pattern that cannot be read.
    pub const DATE_PATTERN: &str = "PRV-0211";
    /// A multi-valued attribute where one value is needed.
    pub const MANY_VALUES: &str = "PRV-0212";
    /// A table that the configuration does not name.
    pub const UNKNOWN_TABLE: &str = "PRV-0216";
    /// During evaluation: a value of the wrong kind.
    pub const VALUE_KIND: &str = "PRV-0220";
    /// During evaluation: a text that is no date, number, Base64 or regular expression.
    pub const VALUE_TEXT: &str = "PRV-0221";
    /// During evaluation: a number or date out of range.
    pub const VALUE_RANGE: &str = "PRV-0222";
    /// During evaluation: the expression called `Error`.
    pub const RAISED: &str = "PRV-0223";
    /// During evaluation: every value that `SelectUniqueValue` offers is taken.
    pub const ALL_TAKEN: &str = "PRV-0224";
    /// During evaluation: the surroundings lack what a function asks for, such as the default domain.
    pub const NOT_CONFIGURED: &str = "PRV-0225";
    /// During evaluation: a result beyond [`MAX_TEXT`](crate::MAX_TEXT).
    pub const RESULT_SIZE: &str = "PRV-0226";
}

/// A mistake in an expression or filter.
///
/// ```
/// use provost_lang::Expression;
///
/// let errors = Expression::compile("ToLowr([mail])").unwrap_err();
/// assert_eq!(errors[0].code.as_str(), "PRV-0203");
/// assert_eq!(errors[0].span, 0..6);
/// assert_eq!(errors[0].to_string(), "unknown function `ToLowr` at column 1");
/// assert_eq!(errors[0].hint.as_deref(), Some("did you mean `ToLower`?"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{message} at {place}")]
pub struct LangError {
    /// One of [`code`].
    pub code: Code,
    /// Whether it can never work, or fails for some objects only.
    pub severity: Severity,
    /// Byte offsets into the source. An error of a filter that was made without text has `0..0`.
    #[serde(skip)]
    pub span: Range<usize>,
    /// The same in lines and characters.
    #[serde(flatten)]
    pub place: Place,
    /// What is wrong, in lower case and without a full stop.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl LangError {
    pub(crate) fn new(code: &'static str, span: Range<usize>, message: impl Into<String>) -> Self {
        let (place, message) = (Place::default(), message.into());
        Self { code: Code::new(code), severity: Severity::Error, span, place, message, hint: None }
    }

    /// Counts its place in the text that it is about.
    pub(crate) fn locate(mut self, source: &str) -> Self {
        self.place = Place::of(source, &self.span);
        self
    }

    pub(crate) fn warning(self) -> Self {
        Self { severity: Severity::Warning, ..self }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl Explain for LangError {
    fn code(&self) -> Code {
        self.code.clone()
    }
    fn hint(&self) -> Option<Cow<'_, str>> {
        self.hint.as_deref().map(Cow::Borrowed)
    }
}

/// Why an expression has no result for one object.
///
/// ```
/// use provost_lang::{Context, Expression};
/// use provost_model::{Attributes, Timestamp};
///
/// let source: Attributes = [("hired", "soon")].into_iter().collect();
/// let expression = Expression::compile("CDate([hired])")?;
/// let error = expression.eval(&Context::new(&source, Timestamp::UNIX_EPOCH)).unwrap_err();
/// assert_eq!(error.to_string(), "CDate: `dateString` is no date");
/// assert_eq!(error.found.as_deref(), Some("soon"));
/// # Ok::<(), Vec<provost_lang::LangError>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{message}")]
pub struct EvalError {
    /// One of [`code`], `PRV-0220` and above.
    pub code: Code,
    /// The part of the source that failed, in byte offsets.
    pub span: Range<usize>,
    /// Never holds an attribute value, so that it can be logged. What `Error("…")` says is its author's own text.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// The value that did not fit, for `explain` and the console; not for logs. Absent where the expression redacts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<Text>,
}

impl EvalError {
    /// The error without what `Redact` hides: no value at all, and not what the author's own message says about one.
    pub(crate) fn redacted(mut self, hidden: &[Range<usize>]) -> Self {
        if !hidden.is_empty() {
            self.found = None;
        }
        let touches = |hidden: &Range<usize>| hidden.start < self.span.end && self.span.start < hidden.end;
        if self.code.as_str() == code::RAISED && hidden.iter().any(touches) {
            self.message = crate::REDACTED.to_owned();
        }
        self
    }
}

impl Explain for EvalError {
    fn code(&self) -> Code {
        self.code.clone()
    }
    fn hint(&self) -> Option<Cow<'_, str>> {
        self.hint.as_deref().map(Cow::Borrowed)
    }
}

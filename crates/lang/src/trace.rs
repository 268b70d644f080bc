//! What each part of an expression gave for one object: the answer to "why is it this value?".

use std::ops::Range;

use provost_model::Value;
use serde::Serialize;

use crate::EvalError;

/// One evaluated part and the parts it asked for, in the order of evaluation. Branches that were not taken are missing.
///
/// ```
/// use provost_lang::{Context, Expression};
/// use provost_model::{Attributes, Timestamp};
///
/// let source: Attributes = [("login", "ADA")].into_iter().collect();
/// let expression = Expression::compile("ToLower([login] & Redact([pin]))")?;
/// let trace = expression.trace(&Context::new(&source, Timestamp::UNIX_EPOCH));
/// assert_eq!(trace.to_string(), "\
/// ToLower([login] & Redact([pin])) = [Redact]
///   [login] & Redact([pin]) = [Redact]
///     [login] = \"ADA\"
///     Redact([pin]) = [Redact]
///       [pin] = [Redact]
/// ");
/// # Ok::<(), Vec<provost_lang::LangError>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Trace {
    /// The part as it is written.
    pub expression: String,
    /// Its place in the source, in byte offsets.
    pub span: Range<usize>,
    /// What it gave.
    pub result: Traced,
    /// What it asked for; constants are left out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<Trace>,
}

/// What a part gave.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Traced {
    /// A value; null for none.
    Value(Value),
    /// A value that `Redact` hides.
    Redacted,
    /// The attribute is left out of the change.
    IgnoreAttribute,
    /// The whole object is left alone.
    IgnoreObject,
    /// It failed, or a part of it did.
    Error(EvalError),
}

impl std::fmt::Display for Trace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.print(f, 0)
    }
}

impl Trace {
    fn print(&self, f: &mut std::fmt::Formatter<'_>, depth: usize) -> std::fmt::Result {
        write!(f, "{:indent$}{} = ", "", self.expression, indent = depth * 2)?;
        match &self.result {
            Traced::Value(value) => writeln!(f, "{}", value.to_json())?,
            Traced::Redacted => writeln!(f, "{}", crate::REDACTED)?,
            Traced::IgnoreAttribute => writeln!(f, "IgnoreAttributeFlow")?,
            Traced::IgnoreObject => writeln!(f, "IgnoreObjectFlow")?,
            Traced::Error(error) => writeln!(f, "error: {error}")?,
        }
        self.children.iter().try_for_each(|child| child.print(f, depth + 1))
    }
}

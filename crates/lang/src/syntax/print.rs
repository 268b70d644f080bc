//! The canonical text of a tree: function names as documented, one blank after a comma. Reads back to an equal tree.

use std::fmt::{self, Write as _};

use provost_model::Value;

use super::{Tree, TreeKind};
use crate::functions;

/// A text as the language writes it, quotes included.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
    out
}

impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            TreeKind::Constant(value) => print_constant(f, value),
            TreeKind::Attribute(name) => write!(f, "[{name}]"),
            TreeKind::Word(word) => f.write_str(word),
            TreeKind::Invalid => f.write_str("?"),
            TreeKind::Call { name, arguments, .. } => {
                f.write_str(functions::find(name).map_or(name, |function| function.name))?;
                f.write_char('(')?;
                for (at, argument) in arguments.iter().enumerate() {
                    if at > 0 {
                        f.write_str(", ")?;
                    }
                    if let Some(argument) = argument {
                        write!(f, "{argument}")?;
                    }
                }
                f.write_char(')')
            }
            TreeKind::Compare { operator, left, right } => {
                print_operand(f, left)?;
                write!(f, " {} ", operator.as_str())?;
                print_operand(f, right)
            }
            TreeKind::Concatenation(parts) => {
                for (at, part) in parts.iter().enumerate() {
                    if at > 0 {
                        f.write_str(" & ")?;
                    }
                    match part.kind {
                        TreeKind::Concatenation(_) => write!(f, "({part})")?,
                        _ => print_operand(f, part)?,
                    }
                }
                Ok(())
            }
        }
    }
}

/// Only a comparison needs brackets inside another operator.
fn print_operand(f: &mut fmt::Formatter<'_>, tree: &Tree) -> fmt::Result {
    match tree.kind {
        TreeKind::Compare { .. } => write!(f, "({tree})"),
        _ => write!(f, "{tree}"),
    }
}

fn print_constant(f: &mut fmt::Formatter<'_>, value: &Value) -> fmt::Result {
    match value {
        Value::Text(text) => f.write_str(&quoted(text)),
        Value::Null => f.write_str("Null"),
        Value::Boolean(true) => f.write_str("True"),
        Value::Boolean(false) => f.write_str("False"),
        // The `.0` makes it a decimal again.
        Value::Decimal(number) if number.fract() == 0.0 => write!(f, "{number:.1}"),
        Value::Decimal(number) => write!(f, "{number}"),
        other => write!(f, "{other}"),
    }
}

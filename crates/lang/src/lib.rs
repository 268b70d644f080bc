//! The mapping-expression language, compatible with Microsoft Entra's, and the evaluation of scoping filters.
//!
//! [`Expression`] is the one, [`ScopeFilter`] the other. Both are compiled once and then run on every object of a cycle;
//! neither does I/O, reads the clock or knows where attributes come from. The functions are one table, [`functions`];
//! where Entra's documentation is silent or contradicts itself, `gaps.md` beside this crate says what was decided.

#![warn(missing_docs)]

mod context;
mod dates;
mod datum;
mod environment;
mod error;
mod expression;
mod functions;
mod nearest;
mod number;
mod program;
mod scope;
mod syntax;
mod trace;

pub use context::{Context, Fill, Source};
pub use environment::{Environment, Table};
pub use error::{EvalError, LangError, code};
pub use expression::{Expression, Flow, Outcome};
pub use functions::{Example, Form, Function, Kind, Nature, Origin, Parameter, find as function, functions, reference};
pub use nearest::nearest;
pub use program::Shape;
pub use scope::{ClauseVerdict, ScopeFilter};
pub use syntax::{Comparison, MAX_CHARACTERS, MAX_DEPTH, Parsed, Tree, TreeKind};
pub use trace::{Trace, Traced};

/// No text that an expression makes may be longer than this many bytes, so that nested Replace calls cannot fill memory.
pub const MAX_TEXT: usize = 1 << 20;

/// What is shown in the place of a value that `Redact` hides.
pub const REDACTED: &str = "[Redact]";

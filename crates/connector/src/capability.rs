//! What a session can do, after configuration and per class. What is declared works; what is not declared is refused.

use provost_model::{AttributePath, ClassName, Text, Value};
use serde::{Deserialize, Serialize};

/// Limits of the connection and abilities per class.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Capabilities {
    pub classes: Vec<ClassCapabilities>,
    /// Calls that may be under way at once.
    pub max_in_flight: usize,
    /// Operations one [`Session::apply`](crate::Session::apply) call takes.
    pub max_batch: usize,
    /// Values one [`Session::lookup`](crate::Session::lookup) call takes.
    pub max_lookup: usize,
    /// Requests a second, when the target or the administrator limits them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests_per_second: Option<f64>,
}

impl Default for Capabilities {
    fn default() -> Self {
        Self { classes: Vec::new(), max_in_flight: 1, max_batch: 1, max_lookup: 1, requests_per_second: None }
    }
}

impl Capabilities {
    /// The class of this name, in any letter case.
    pub fn class(&self, name: &str) -> Option<&ClassCapabilities> {
        self.classes.iter().find(|class| class.name.eq_ignore_ascii_case(name))
    }
}

/// What can be done with the objects of one class.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ClassCapabilities {
    pub name: ClassName,
    /// Full scans that can prove their completeness.
    pub scan: bool,
    /// Scans of what changed since a cursor.
    pub changes: bool,
    pub create: bool,
    pub update: bool,
    pub delete: bool,
    /// How an account is switched off without deleting it; none when the target cannot.
    pub enablement: Option<Enablement>,
    /// Attributes that [`Session::lookup`](crate::Session::lookup) answers exactly. Empty: the engine reads the class as a
    /// whole to match. `["*"]` means any readable attribute.
    pub lookup: Vec<Text>,
    /// [`Session::count`](crate::Session::count) answers exactly and cheaply.
    pub count: bool,
    /// Values of one multi-valued attribute that one operation may add or remove.
    pub max_values_per_change: Option<usize>,
    /// References may be part of a create; otherwise they follow in the second pass.
    pub references_in_create: bool,
    /// Compares [`Operation::if_match`](provost_model::Operation) before it writes.
    pub preconditions: bool,
}

impl ClassCapabilities {
    /// Whether lookups by this attribute are answered.
    pub fn can_look_up(&self, path: &AttributePath) -> bool {
        let text = path.to_string();
        self.lookup.iter().any(|name| name == "*" || name.eq_ignore_ascii_case(&text))
    }
}

/// The attribute that switches an account on and off, and its two values (`active`: true, false).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Enablement {
    pub path: AttributePath,
    pub on: Value,
    pub off: Value,
}

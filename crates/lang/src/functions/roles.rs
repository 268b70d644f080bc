//! The roles that a person has in an application: `[appRoleAssignments]`, a list of complex values with `value`,
//! `displayName`, `type` and `id`, or of plain texts.
//!
//! Entra leaves open which of several roles a single-valued attribute gets; here roles come in the order of their values,
//! each once, so that the same assignments give the same result in whatever order the source lists them.

use std::collections::BTreeMap;

use provost_model::{Attributes, Text, Value};

use super::Kind::{self, List};
use super::{Form, Function, entry, example, form, needed};
use crate::datum::{Datum, NULL};
use crate::error::code;
use crate::program::{Arguments, Eval};

/// The function whose roles are added to those at the target.
pub(crate) const ADDING: &str = "AppRoleAssignmentsComplex";

const ASSIGNMENT: &str =
    "An assignment is a text or a complex value; one without `value` goes by its name, else by its id.";

const ROLES: &[Form] = &[form(&[needed("appRoleAssignments", List)])];

pub(super) const FUNCTIONS: &[Function] = &[
    entry(
        "SingleAppRoleAssignment",
        ROLES,
        Kind::Text,
        |call| Ok(roles(call)?.into_keys().next().map_or(NULL, Datum::text)),
        "The value of the one role. Of several the first in the order of their values; null without any.",
        &[
            example(
                "SingleAppRoleAssignment([roles])",
                r#"{"roles":[{"value":"User"},{"value":"Admin"}]}"#,
                r#""Admin""#,
            ),
            example("SingleAppRoleAssignment([roles])", r#"{"roles":"User"}"#, r#""User""#),
            example("SingleAppRoleAssignment([roles])", "{}", "null"),
        ],
    )
    .edges(&["Entra leaves open which of several roles it takes; better assign one, or map all of them.", ASSIGNMENT]),
    entry(
        "AppRoleAssignments",
        ROLES,
        List,
        |call| Ok(list(roles(call)?.into_keys().map(Value::Text).collect())),
        "The values of all roles, each once, in the order of their values.",
        &[
            example(
                "AppRoleAssignments([roles])",
                r#"{"roles":[{"id":"7","value":"User","displayName":"User"},"Admin","User"]}"#,
                r#"["Admin","User"]"#,
            ),
            example(r#"Join(",", AppRoleAssignments([roles]))"#, r#"{"roles":["User","Admin"]}"#, r#""Admin,User""#),
            example("AppRoleAssignments([roles])", "{}", "null"),
        ],
    )
    .edges(&["No assignment gives null.", ASSIGNMENT]),
    entry(
        ADDING,
        ROLES,
        List,
        complex,
        "All roles as complex values with `value`, `display`, `type` and `primary`. What the target has beside them stays: \
         roles are added and never taken away.",
        &[
            example(
                "AppRoleAssignmentsComplex([roles])",
                r#"{"roles":[{"id":"7","value":"Admin","displayName":"Administrator"}]}"#,
                r#"[{"display":"Administrator","primary":false,"value":"Admin"}]"#,
            ),
            example("Count(AppRoleAssignmentsComplex([roles]))", r#"{"roles":["User","Admin","User"]}"#, "2"),
            example("AppRoleAssignmentsComplex([roles])", "{}", "null"),
        ],
    )
    .edges(&["In the order of their values, each once.", "No assignment gives null.", ASSIGNMENT]),
    entry(
        "AssertiveAppRoleAssignmentsComplex",
        ROLES,
        List,
        complex,
        "All roles as complex values with `value`, `display`, `type` and `primary`. The target has exactly these \
         afterwards: a role that is taken away at the source is taken away there.",
        &[
            example(
                "AssertiveAppRoleAssignmentsComplex([roles])",
                r#"{"roles":["User",{"value":"Admin","type":"app"}]}"#,
                r#"[{"primary":false,"type":"app","value":"Admin"},{"primary":false,"value":"User"}]"#,
            ),
            example("Count(AssertiveAppRoleAssignmentsComplex([roles]))", r#"{"roles":["User","Admin","User"]}"#, "2"),
            example("AssertiveAppRoleAssignmentsComplex([roles])", "{}", "null"),
        ],
    )
    .edges(&[
        "In the order of their values, each once.",
        "No assignment gives null, which leaves the target alone; with `when_null: clear` all roles go.",
        ASSIGNMENT,
    ]),
];

fn list(values: Vec<Value>) -> Datum<'static> {
    if values.is_empty() { NULL } else { Datum::Own(Value::List(values)) }
}

/// The roles by their value. A role without value goes by its name, else by its id.
fn roles(call: &Arguments<'_, '_>) -> Result<BTreeMap<Text, Attributes>, crate::program::Stop> {
    let mut roles = BTreeMap::new();
    call.for_each(0, |datum| {
        let role = match datum.into_value() {
            Value::Complex(role) => role,
            value => match value.to_text() {
                Some(text) => [("value", text.as_ref())].into_iter().collect(),
                None if value.is_unassigned() => return Ok(()),
                None => return Err(call.wrong(0, code::VALUE_KIND, "takes roles, not lists of lists", None)),
            },
        };
        let part = |name| role.find(name).and_then(Value::to_text).filter(|text| !text.is_empty());
        let name =
            part("value").or_else(|| part("displayName")).or_else(|| part("id")).map(|name| Text::from(name.as_ref()));
        if let Some(name) = name {
            roles.entry(name).or_insert(role);
        }
        Ok(())
    })?;
    Ok(roles)
}

fn complex<'a>(call: &Arguments<'_, 'a>) -> Eval<'a> {
    let complex = |(value, role): (Text, Attributes)| {
        let mut out = Attributes::new();
        out.push("primary", false);
        out.push("value", value);
        for (from, to) in [("displayName", "display"), ("type", "type")] {
            if let Some(part) = role.find(from).filter(|part| !part.is_unassigned()) {
                out.push(to, part.clone());
            }
        }
        Value::Complex(out)
    };
    Ok(list(roles(call)?.into_iter().map(complex).collect()))
}

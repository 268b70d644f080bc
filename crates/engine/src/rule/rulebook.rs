//! All that a job is compiled from, as it was in a cycle: with it the log of years tells why something was done.

use provost_connector::Capabilities;
use provost_lang::Environment;
use provost_model::{JobName, Schema};
use serde::{Deserialize, Serialize};

use super::{Job, Rule, compile};
use crate::error::RuleProblem;
use crate::spec::JobSpec;

/// What [`compile`] needs. There is no secret in it: connections have those, and what a sensitive mapping is made of is left out.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Rulebook {
    spec: JobSpec,
    /// Tables and domain, which a job's specification does not carry itself.
    shared: Environment,
    source: Schema,
    target: Schema,
    capabilities: Capabilities,
}

impl Rulebook {
    /// With the classes alone that the job's rules name. `rules` are those of the specification, in its order.
    pub fn new(spec: &JobSpec, rules: &[Rule], source: &Schema, target: &Schema, capabilities: &Capabilities) -> Self {
        let part = |schema: &Schema, is_used: &dyn Fn(&str) -> bool| {
            let classes = schema.classes.iter().filter(|class| is_used(&class.name)).cloned().collect();
            Schema { classes }
        };
        let is_from = |name: &str| spec.objects.iter().any(|rule| rule.from.eq_ignore_ascii_case(name));
        let is_to = |name: &str| spec.objects.iter().any(|rule| rule.to.eq_ignore_ascii_case(name));
        let classes = capabilities.classes.iter().filter(|class| is_to(&class.name)).cloned().collect();
        Self {
            spec: shown(spec, rules),
            shared: spec.shared.clone(),
            source: part(source, &is_from),
            target: part(target, &is_to),
            capabilities: Capabilities { classes, ..capabilities.clone() },
        }
    }

    pub fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The job as it was. An error when this version of Provost reads it otherwise.
    pub fn job(text: &str, name: &JobName) -> Result<Job, String> {
        let mut book: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        book.spec.shared = book.shared;
        compile(name, &book.spec, &book.source, &book.target, &book.capabilities).map_err(
            |problems: Vec<RuleProblem>| problems.first().map_or_else(String::new, |problem| problem.message.clone()),
        )
    }
}

/// The job without what nobody may see: a password may stand in the very text of a mapping.
fn shown(spec: &JobSpec, rules: &[Rule]) -> JobSpec {
    let mut shown = spec.clone();
    // Examples decide nothing.
    shown.tests.clear();
    for (rule, compiled) in shown.objects.iter_mut().zip(rules) {
        let written = rule.attributes.iter_mut().filter(|(attribute, _)| *attribute != "objectFilter");
        for ((_, mapping), compiled) in written.zip(&compiled.mappings) {
            if compiled.sensitive {
                // That it reads these is no secret.
                let read: String = compiled.expression.attributes().iter().map(|name| format!(", [{name}]")).collect();
                mapping.value = format!("Redact(Join(\"\", \"\"{read}))");
                mapping.default = None;
            }
        }
    }
    shown
}

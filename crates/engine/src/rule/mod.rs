//! A job's rules, compiled once: expressions parsed, paths shared, types known. What the decision function reads.
//!
//! [`compile`] checks everything that can be checked before a single object is read, and reports all problems at once.

mod compile;
mod reads;
pub(crate) mod rulebook;
mod source;
pub(crate) mod veil;

use std::sync::Arc;

use provost_connector::Enablement;
use provost_lang::{Expression, Flow, ScopeFilter};
use provost_model::{
    APP_ROLE_ASSIGNMENTS, AttributePath, AttributeType, Attributes, ClassName, ConnectionName, JobName, ObjectId,
    Reference, Text, Value,
};
use provost_store::{ExceptionRow, Layout};

use veil::Veil;

use crate::error::RuleProblem;
use crate::situation::Reactions;
use crate::spec::{ApplySpec, ApprovalSpec, EscrowSpec, FlowsSpec, GuardsSpec, LookupSpec, NullSpec, QuarantineSpec};

pub use compile::compile;
pub use provost_lang::nearest;
pub use reads::Reads;
pub use source::{read_expression, read_filter};

/// A job that can run.
#[derive(Debug)]
pub struct Job {
    pub name: JobName,
    pub source: ConnectionName,
    pub target: ConnectionName,
    /// In the order of the configuration: users before groups.
    pub rules: Vec<Rule>,
    pub guards: GuardsSpec,
    /// What somebody released "always": how far a guard may be exceeded.
    pub exceptions: Vec<ExceptionRow>,
    pub approval: ApprovalSpec,
    pub escrow: EscrowSpec,
    pub quarantine: QuarantineSpec,
    /// What will fail for some objects, as far as the schemas tell.
    pub warnings: Vec<RuleProblem>,
    /// Changes with every change of scope, matching or mapping; a new one makes the next cycle an initial one.
    pub digest: String,
    /// All that [`compile`] made the job of, as text, for whoever asks later.
    pub rulebook: String,
}

/// What becomes of one class of the source.
#[derive(Debug)]
pub struct Rule {
    pub from: ClassName,
    pub to: ClassName,
    pub scope: Option<ScopeFilter>,
    /// Only those are provisioned who are assigned to the job's application.
    pub assigned_only: bool,
    pub matching: Vec<Matching>,
    pub mappings: Vec<Mapping>,
    /// The mappings' keys, in their order.
    pub layout: Layout,
    /// What scope, matching and mappings read of a source object, but for references, which are told by what is sent of them.
    pub reads: Reads,
    /// The mapping onto the pseudo attribute `objectFilter`, whose only use is `IgnoreObjectFlow`.
    pub object_filter: Option<Expression>,
    pub lookup: LookupSpec,
    pub flows: FlowsSpec,
    /// What is done in which situation.
    pub reactions: Reactions,
    /// How an account is switched off at this target.
    pub enablement: Option<Enablement>,
    /// The mapping that gives the enablement attribute, if any.
    pub enablement_mapping: Option<usize>,
    /// The mapping whose value people know the object by.
    pub name_mapping: Option<usize>,
    /// Results depend on more than the source object (`Now()`): unchanged objects are evaluated all the same.
    pub volatile: bool,
    /// Some mapping chooses among several values.
    pub has_choices: bool,
    /// Source attributes that are read only on request, and some expression or the scope reads.
    pub requested: Vec<Text>,
    /// Source attributes that are not shown: some expression redacts them, or they only go into what nobody may read.
    pub redacted: Vec<Text>,
    /// Whether some mapping yields references.
    pub has_references: bool,
    /// References may be part of a create.
    pub references_in_create: bool,
    /// Values of one multi-valued attribute per operation.
    pub max_values: usize,
    /// Keeps sensitive values out of the link's record of what was sent.
    pub veil: Veil,
}

/// One matching attribute.
#[derive(Debug)]
pub struct Matching {
    pub path: AttributePath,
    pub source: Expression,
}

/// One attribute mapping.
#[derive(Debug)]
pub struct Mapping {
    pub path: Arc<AttributePath>,
    /// The path as text: the key of the link's record of what was sent.
    pub key: Text,
    pub expression: Expression,
    /// The target attribute's type, where the target tells.
    pub kind: Option<AttributeType>,
    pub multi: bool,
    /// Whether a difference in letter case is a difference at the target.
    pub case_exact: bool,
    pub apply: ApplySpec,
    pub default: Option<Value>,
    pub when_null: NullSpec,
    /// The source attribute is a reference: sent by the second pass as the target's id.
    pub reference: bool,
    /// The classes that it may point at, where the source says so.
    pub points_at: Vec<ClassName>,
    /// Masked in plans, events and logs: the target says so, or the expression uses `Redact`.
    pub sensitive: bool,
    /// What a read of the target gives can be compared; not so for passwords.
    pub readable: bool,
    /// `SelectUniqueValue`: what the target has decides about the value.
    pub choice: bool,
    /// Another value with every evaluation: two plans of one object differ in it.
    pub random: bool,
    /// Whether the values replace those at the target or join them.
    pub flow: Flow,
}

/// What stands in plans, events and explanations where the value of a sensitive target attribute was.
const MASK: &str = "[masked]";

impl Mapping {
    /// What a value of the source points at. Connectors give references as such; a SCIM source gives an object with `value`
    /// and perhaps `type` (RFC 7643 section 2.4), or the id alone, which some count. None when the value is no reference
    /// after all, as a URI of another system.
    pub fn points_to(&self, value: &Value) -> Option<Reference> {
        let id = |value: &Value| match value {
            Value::Text(text) => Some(ObjectId::from(text.clone())),
            Value::Integer(number) => Some(ObjectId::from(number.to_string())),
            _ => None,
        };
        match value {
            Value::Reference(reference) => Some((**reference).clone()),
            Value::Complex(parts) => {
                let kind = parts.find("type").and_then(Value::as_text);
                let named =
                    self.points_at.iter().find(|class| kind.is_some_and(|kind| class.eq_ignore_ascii_case(kind)));
                let class = named.or(self.points_at.first())?.clone();
                Some(Reference { class, id: id(parts.find("value")?)? })
            }
            single => Some(Reference { class: self.points_at.first()?.clone(), id: id(single)? }),
        }
    }

    /// What is shown instead of the value of a sensitive mapping.
    pub fn mask(&self) -> &'static str {
        if self.expression.is_redacted() { provost_lang::REDACTED } else { MASK }
    }
}

impl Job {
    /// Whether some mapping's values must not stand in the store.
    pub fn is_sensitive(&self) -> bool {
        self.rules.iter().flat_map(|rule| &rule.mappings).any(|mapping| mapping.sensitive)
    }
}

impl Rule {
    /// Why a source object is not provisioned; none when it is.
    pub fn leaves_out(&self, attributes: &Attributes) -> Option<&'static str> {
        let assigned = || attributes.find(APP_ROLE_ASSIGNMENTS).is_some_and(|value| !value.is_unassigned());
        if self.assigned_only && !assigned() {
            return Some("not assigned to the application");
        }
        self.scope.as_ref().is_some_and(|scope| !scope.matches(attributes)).then_some("out of scope")
    }

    /// Class and path of a matching attribute as people read it.
    pub fn mapping(&self, key: &str) -> Option<&Mapping> {
        self.mappings.iter().find(|mapping| mapping.key.eq_ignore_ascii_case(key))
    }
}

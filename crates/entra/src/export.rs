//! From a job to a synchronization schema. What Entra has no word for is left out or put otherwise, and noted.

use std::collections::BTreeSet;

use provost_connector::{Capabilities, Enablement};
use provost_engine::situation::{Reactions, Situation};
use provost_engine::spec::{ApplySpec, GuardsSpec, JobSpec, LookupSpec, NullSpec, Reaction, RuleSpec};
use provost_lang::Expression;
use provost_model::{AttributePath, Digest, JobName, Schema, Value};
use serde_json::{Value as Json, json};

use crate::import::{Leaves, entra_target, is_group};
use crate::note::{Note, NoteKind};
use crate::write::Directory;
use crate::{scope, source};

/// What is known of the two systems; the directories have it, and how accounts are switched off.
#[derive(Debug, Clone, Copy, Default)]
pub struct Known<'a> {
    pub source: Option<&'a Schema>,
    pub target: Option<&'a Schema>,
    /// Of the target.
    pub capabilities: Option<&'a Capabilities>,
}

/// A schema and what it does not say.
#[derive(Debug, Clone, PartialEq)]
pub struct Exported {
    pub schema: Json,
    pub notes: Vec<Note>,
}

/// The job as a synchronization schema. The same job gives the same text, ids included.
pub fn export(name: &JobName, job: &JobSpec, known: &Known<'_>) -> Exported {
    let mut export = Export {
        job: name,
        known,
        source: Directory::new(&job.source, known.source),
        target: Directory::new(&job.target, known.target),
        path: format!("jobs.{name}"),
        notes: Vec::new(),
    };
    export.settings(job);
    let mappings: Vec<Json> = job.objects.iter().enumerate().map(|(at, rule)| export.object(at, rule)).collect();
    let rule = json!({
        "id": id(&format!("{name}/rule")),
        "name": name,
        "editable": true,
        "priority": 1,
        "sourceDirectoryName": job.source,
        "targetDirectoryName": job.target,
        "objectMappings": mappings,
        "metadata": [],
    });
    let directories =
        [&export.source, &export.target].map(|side| side.to_json(id(&format!("directory/{}", side.name))));
    let schema = json!({
        "id": id(&format!("{name}/schema")),
        "version": "v1",
        "directories": directories,
        "synchronizationRules": [rule],
    });
    let mut notes = export.notes;
    notes.sort_by_key(|note| note.kind);
    Exported { schema, notes }
}

/// The same name always gives the same id, so that two exports can be compared.
fn id(name: &str) -> String {
    let digits = Digest::of_bytes(name.as_bytes()).to_string();
    [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-")
}

struct Export<'a> {
    job: &'a JobName,
    known: &'a Known<'a>,
    source: Directory<'a>,
    target: Directory<'a>,
    path: String,
    notes: Vec<Note>,
}

/// An attribute mapping before it is written.
struct Flow {
    target: String,
    value: String,
    apply: ApplySpec,
    default: Option<Value>,
    when_null: NullSpec,
    priority: usize,
}

impl Export<'_> {
    fn note(&mut self, kind: NoteKind, at: &str, message: impl Into<String>) {
        let path = if at.is_empty() { self.path.clone() } else { format!("{}.{at}", self.path) };
        self.notes.push(Note { kind, path, line: None, message: message.into() });
    }

    /// What is a setting of Entra's job rather than of its schema.
    fn settings(&mut self, job: &JobSpec) {
        if job.schedule != Default::default() {
            self.note(NoteKind::Lost, "schedule", "Entra runs its jobs at its own interval");
        }
        if !job.approval.is_none() {
            self.note(NoteKind::Lost, "approval", "Entra ID sends what it finds to do");
        }
        if job.guards != GuardsSpec::default() {
            self.note(NoteKind::Lost, "guards", "set `Prevent accidental deletion` in the job's settings");
        }
        if !job.tests.is_empty() {
            self.note(NoteKind::Lost, "tests", "a schema has no tests");
        }
    }

    fn object(&mut self, at: usize, rule: &RuleSpec) -> Json {
        self.path = format!("jobs.{}.objects[{at}]", self.job);
        self.source.class(&rule.from);
        self.target.class(&rule.to);
        if rule.lookup != LookupSpec::Auto {
            self.note(NoteKind::Lost, "lookup", "Entra asks for each object");
        }
        let (scope, is_enabled) = self.scope(rule);
        let mut flows = self.flows(rule);
        let soft_delete = self.leavers(rule, &mut flows);
        let table = table(rule);
        let deletes = matches!(table[Situation::Deleted], Reaction::Delete | Reaction::DisableThenDelete(_));
        let mut said = rule.flows;
        said.delete &= deletes;
        let words = [("Add", said.create), ("Update", said.update), ("Delete", said.delete)];
        let words: Vec<&str> = words.iter().filter(|(_, on)| *on).map(|(word, _)| *word).collect();
        let comes_back = Leaves { is_group: is_group(&rule.from, &rule.to), soft_delete, keeps: false }.reactions(said);
        let comes_back = Reactions::with(&comes_back).unwrap_or_default();
        for situation in Situation::ALL {
            let (wanted, has) = (&table[situation], &comes_back[situation]);
            if wanted != has {
                let message = format!("Entra will {} instead of {}", word(has), word(wanted));
                self.note(NoteKind::Lost, &format!("situations.{situation}"), message);
            }
        }
        let mappings: Vec<Json> = flows.into_iter().filter_map(|flow| self.mapping(rule, flow, soft_delete)).collect();
        json!({
            "name": format!("Provision {} to {}", rule.from, rule.to),
            "enabled": is_enabled,
            "flowTypes": words.join(", "),
            "scope": scope,
            "sourceObjectName": rule.from,
            "targetObjectName": rule.to,
            "attributeMappings": mappings,
            "metadata": [],
        })
    }

    /// A scope that cannot be said switches the mapping off: without it everybody would be provisioned.
    fn scope(&mut self, rule: &RuleSpec) -> (Json, bool) {
        let Some(text) = &rule.scope else { return (Json::Null, true) };
        let written = text.parse().map_err(|error: provost_model::filter::FilterError| error.to_string());
        match written.and_then(|filter| scope::write(&filter)) {
            Ok((scope, remarks)) => {
                remarks.into_iter().for_each(|remark| self.note(NoteKind::Changed, "scope", remark));
                (scope, true)
            }
            Err(reason) => {
                let message =
                    format!("{reason}; the object mapping is disabled, so that nobody is provisioned by mistake");
                self.note(NoteKind::Lost, "scope", message);
                (Json::Null, false)
            }
        }
    }

    /// All mappings, those that only match included.
    fn flows(&mut self, rule: &RuleSpec) -> Vec<Flow> {
        let mut flows: Vec<Flow> = rule
            .attributes
            .iter()
            .map(|(target, mapping)| Flow {
                target: target.clone(),
                value: mapping.value.clone(),
                apply: mapping.apply,
                default: mapping.default.clone(),
                when_null: mapping.when_null,
                priority: 0,
            })
            .collect();
        for (at, entry) in rule.matching.iter().enumerate() {
            let priority = at + 1;
            match flows.iter_mut().find(|flow| flow.target.eq_ignore_ascii_case(&entry.target)) {
                Some(flow) => {
                    if flow.priority != 0 {
                        let message = format!("Entra matches by `{}` once; its first place is taken", entry.target);
                        self.note(NoteKind::Lost, &format!("match[{at}]"), message);
                        continue;
                    }
                    flow.priority = priority;
                    if canonical(&flow.value) != canonical(&entry.source) {
                        let message =
                            format!("Entra matches by what it sends, here {}, not by {}", flow.value, entry.source);
                        self.note(NoteKind::Lost, &format!("match[{at}]"), message);
                    }
                }
                None => {
                    let message = format!(
                        "Entra also sends what it matches by: `{}` is set when an account is created",
                        entry.target
                    );
                    self.note(NoteKind::Changed, &format!("match[{at}]"), message);
                    flows.push(Flow {
                        target: entry.target.clone(),
                        value: entry.source.clone(),
                        apply: ApplySpec::Create,
                        default: None,
                        when_null: NullSpec::Keep,
                        priority,
                    });
                }
            }
        }
        flows
    }

    /// Who leaves is switched off by a mapping that reads `IsSoftDeleted`; whether there is one now.
    fn leavers(&mut self, rule: &RuleSpec, flows: &mut Vec<Flow>) -> bool {
        let disables = matches!(table(rule)[Situation::OutOfScope], Reaction::Disable | Reaction::DisableThenDelete(_));
        if !disables || is_group(&rule.from, &rule.to) {
            return false;
        }
        let switch = self.switch(rule);
        let (attribute, off) = (switch.path.to_string(), text_of(&switch.off));
        let position = flows.iter().position(|flow| flow.target.eq_ignore_ascii_case(&attribute));
        let active = match position.map(|at| source::to_entra(&flows[at].value)) {
            Some(Ok(active)) => active,
            // It is left out with its reason when it is written.
            Some(Err(_)) => return false,
            None => source::text_constant(&text_of(&switch.on)),
        };
        let value = source::with_leavers(active, &off).to_string();
        match position {
            Some(at) => flows[at].value = value,
            None => {
                self.note(
                    NoteKind::Changed,
                    "leavers",
                    format!("a mapping onto `{attribute}` is added, which switches leavers off"),
                );
                let (apply, when_null) = (ApplySpec::Always, NullSpec::Keep);
                flows.push(Flow { target: attribute, value, apply, default: None, when_null, priority: 0 });
            }
        }
        true
    }

    fn switch(&self, rule: &RuleSpec) -> Enablement {
        let known =
            self.known.capabilities.and_then(|all| all.class(&rule.to)).and_then(|class| class.enablement.clone());
        let usual =
            || Enablement { path: AttributePath::name("active"), on: Value::Boolean(true), off: Value::Boolean(false) };
        known.unwrap_or_else(usual)
    }

    fn mapping(&mut self, rule: &RuleSpec, flow: Flow, soft_delete: bool) -> Option<Json> {
        let at = format!("attributes.\"{}\"", flow.target);
        let tree = match source::to_entra(&flow.value) {
            Ok(tree) => tree,
            Err(reason) => {
                let kind = NoteKind::Lost;
                self.note(kind, &at, format!("left out: {reason}; the expression is {}", flow.value));
                return None;
            }
        };
        if !soft_delete && source::asks_for_leavers(&flow.value) {
            self.note(NoteKind::Lost, &at, "Entra reads `IsSoftDeleted` as its own, and will switch leavers off");
        }
        // What Entra knows anyway stays as it was written.
        let text = match Expression::parse(&flow.value).tree == tree {
            true => flow.value.clone(),
            false => tree.to_string(),
        };
        let target = entra_target(&flow.target).to_owned();
        let clears = flow.when_null == NullSpec::Clear;
        self.target.attribute(&rule.to, &target, clears);
        let names: BTreeSet<String> = Expression::compile(&text)
            .map(|found| found.attributes().iter().map(ToString::to_string).collect())
            .unwrap_or_default();
        names.iter().for_each(|name| self.source.attribute(&rule.from, name, clears));
        let default = match &flow.default {
            Some(value @ (Value::List(_) | Value::Complex(_))) => {
                self.note(NoteKind::Lost, &at, format!("Entra has no default that is {}", value.kind()));
                Json::Null
            }
            Some(value) => json!(text_of(value)),
            None => Json::Null,
        };
        Some(json!({
            "source": source::write(&tree, &text),
            "targetAttributeName": target,
            "defaultValue": default,
            "flowType": if flow.apply == ApplySpec::Create { "ObjectAddOnly" } else { "Always" },
            "flowBehavior": "FlowWhenChanged",
            "matchingPriority": flow.priority,
            "exportMissingReferences": false,
        }))
    }
}

fn canonical(text: &str) -> String {
    Expression::parse(text).tree.to_string()
}

fn text_of(value: &Value) -> String {
    value.to_text().unwrap_or_default().into_owned()
}

/// The rule's table of situations; one that cannot be is told when the job is checked.
fn table(rule: &RuleSpec) -> Reactions {
    Reactions::with(&rule.differing()).unwrap_or_default()
}

fn word(reaction: &Reaction) -> String {
    match reaction {
        Reaction::Create => "create an account".to_owned(),
        Reaction::Adopt => "take the account over".to_owned(),
        Reaction::Update => "update the account".to_owned(),
        Reaction::Disable => "switch the account off".to_owned(),
        Reaction::Delete => "delete the account".to_owned(),
        Reaction::Unlink => "let go of the account".to_owned(),
        Reaction::Report => "keep the account as it is".to_owned(),
        Reaction::Ask => "ask somebody".to_owned(),
        Reaction::DisableThenDelete(period) => format!("switch the account off and delete it after {period}"),
    }
}

//! From a synchronization schema to jobs: one for each pair of directories, an object rule for each object mapping.

use std::collections::BTreeMap;

use provost_engine::situation::{Situation, SituationsSpec};
use provost_engine::spec::{
    ApplySpec, FlowsSpec, GuardsSpec, JobSpec, LeaversSpec, LookupSpec, MappingSpec, MatchSpec, NullSpec, Reaction,
    RuleSpec, ScheduleSpec,
};
use provost_lang::Expression;
use provost_model::{ConnectionName, JobName, Value};

use crate::definition::Definitions;
use crate::fields::{Fields, Reading};
use crate::json::parse;
use crate::note::{Fault, Note, NoteKind};
use crate::{scope, source};

/// How the jobs and connections are to be called.
#[derive(Debug, Clone, Default)]
pub struct Names {
    /// The job of the first rule; those of other pairs of directories are named after it.
    pub job: JobName,
    /// The connection that stands for the first rule's source directory; else a name made from the directory's.
    pub source: Option<ConnectionName>,
    /// The same of its target.
    pub target: Option<ConnectionName>,
}

/// What a schema becomes.
#[derive(Debug, Clone, PartialEq)]
pub struct Imported {
    pub jobs: Vec<(JobName, JobSpec)>,
    /// Everything that is not, or not literally, in the jobs.
    pub notes: Vec<Note>,
}

#[derive(Debug, Clone, Copy)]
enum FlowType {
    Always,
    ObjectAddOnly,
    /// Adds values and never takes one away.
    AddOnly,
}

const FLOW_TYPES: &[(&str, FlowType)] = &[
    ("Always", FlowType::Always),
    ("ObjectAddOnly", FlowType::ObjectAddOnly),
    ("MultiValueAddOnly", FlowType::AddOnly),
    ("ValueAddOnly", FlowType::AddOnly),
    ("AttributeAddOnly", FlowType::AddOnly),
];
/// Whether values flow that did not change.
const FLOW_BEHAVIORS: &[(&str, bool)] = &[("FlowWhenChanged", false), ("FlowAlways", true)];

/// Reads the text of a synchronization schema. All faults come back together, as far as the text can be read.
pub fn import(text: &str, names: &Names) -> Result<Imported, Vec<Fault>> {
    let (node, faults) = parse(text).map_err(|fault| vec![fault])?;
    let mut reading = Reading { text, faults, notes: Vec::new() };
    let jobs = Fields::of(&mut reading, String::new(), &node).map(|schema| read_schema(&mut reading, schema, names));
    let Reading { mut faults, mut notes, .. } = reading;
    match jobs {
        Some(jobs) if faults.is_empty() => {
            notes.sort_by_key(|note| note.kind);
            Ok(Imported { jobs, notes })
        }
        _ => {
            faults.sort_by_key(|fault| fault.offset);
            Err(faults)
        }
    }
}

fn read_schema(reading: &mut Reading<'_>, mut schema: Fields<'_>, names: &Names) -> Vec<(JobName, JobSpec)> {
    if !schema.has("synchronizationRules") && schema.has("schema") {
        reading.fault("", schema.offset, "this is a template or a job; import the content of its `schema` alone");
        return Vec::new();
    }
    let definitions = Definitions::read(reading, &mut schema);
    let faults = reading.faults.len();
    let mut rules: Vec<(i64, Fields<'_>)> = Vec::new();
    for mut rule in schema.objects(reading, "synchronizationRules") {
        rules.push((rule.integer(reading, "priority").unwrap_or(0), rule));
    }
    if rules.is_empty() && reading.faults.len() == faults {
        let fault = "the schema has no `synchronizationRules`";
        reading.fault("", schema.offset, fault);
    }
    schema.end(reading, &["id", "version", "provisioningTaskIdentifier"]);
    rules.sort_by_key(|(priority, _)| *priority);
    let mut jobs = Jobs { names, connections: BTreeMap::new(), found: Vec::new() };
    for (_, rule) in rules {
        jobs.read_rule(reading, rule, &definitions);
    }
    jobs.found
}

struct Jobs<'n> {
    names: &'n Names,
    /// Directory -> connection.
    connections: BTreeMap<String, ConnectionName>,
    found: Vec<(JobName, JobSpec)>,
}

impl Jobs<'_> {
    fn read_rule(&mut self, reading: &mut Reading<'_>, mut rule: Fields<'_>, definitions: &Definitions) {
        let source = rule.required(reading, "sourceDirectoryName");
        let target = rule.required(reading, "targetDirectoryName");
        let mappings = rule.objects(reading, "objectMappings");
        let (path, offset) = (rule.path.clone(), rule.offset);
        rule.end(reading, &["id", "name", "editable", "metadata", "groupId", "containerFilter", "groupFilter"]);
        let (Some(source), Some(target)) = (source, target) else { return };
        let objects: Vec<RuleSpec> = mappings
            .into_iter()
            .filter_map(|mapping| read_object(reading, mapping, &Side { definitions, source, target }))
            .collect();
        if objects.is_empty() {
            reading.note(
                NoteKind::Lost,
                &path,
                offset,
                "the rule has no object mapping that is enabled, so it makes no job",
            );
            return;
        }
        let from = self.connection(source, self.names.source.as_ref());
        let to = self.connection(target, self.names.target.as_ref());
        if from == to {
            reading.fault(&path, offset, format!("`{source}` and `{target}` would both be the connection `{from}`"));
            return;
        }
        if let Some((_, job)) = self.found.iter_mut().find(|(_, job)| job.source == from && job.target == to) {
            job.objects.extend(objects);
            return;
        }
        let name = match self.found.len() {
            0 => self.names.job.clone(),
            _ => JobName::from(format!("{}-{from}-to-{to}", self.names.job)),
        };
        let job = JobSpec {
            source: from,
            target: to,
            schedule: ScheduleSpec::default(),
            objects,
            guards: GuardsSpec::default(),
            approval: Default::default(),
            escrow: Default::default(),
            quarantine: Default::default(),
            default_domain: None,
            assigned: None,
            tests: Vec::new(),
            shared: provost_lang::Environment::default(),
        };
        self.found.push((name, job));
    }

    /// The first two directories get the names that were asked for.
    fn connection(&mut self, directory: &str, wanted: Option<&ConnectionName>) -> ConnectionName {
        let is_first = self.found.is_empty() && self.connections.len() < 2;
        let made = || ConnectionName::from(connection_name(directory));
        let name = || wanted.filter(|_| is_first).cloned().unwrap_or_else(made);
        self.connections.entry(directory.to_owned()).or_insert_with(name).clone()
    }
}

fn connection_name(directory: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_');
    if directory.chars().all(plain) {
        return directory.to_owned();
    }
    let lower = directory.to_lowercase();
    let words: Vec<&str> = lower.split(|c: char| !plain(c)).filter(|word| !word.is_empty()).collect();
    if words.is_empty() { "connection".to_owned() } else { words.join("-") }
}

struct Side<'d> {
    definitions: &'d Definitions,
    source: &'d str,
    target: &'d str,
}

fn read_object(reading: &mut Reading<'_>, mut object: Fields<'_>, side: &Side<'_>) -> Option<RuleSpec> {
    let (path, offset) = (object.path.clone(), object.offset);
    let from = object.required(reading, "sourceObjectName");
    let to = object.required(reading, "targetObjectName");
    let is_enabled = object.boolean(reading, "enabled").unwrap_or(true);
    let flows = read_flows(reading, &mut object);
    let scope = object.object(reading, "scope").map(|filter| scope::read(reading, filter)).unwrap_or_default();
    let mappings = object.objects(reading, "attributeMappings");
    object.end(reading, &["name", "id", "metadata"]);
    let (from, to) = (from?, to?);
    let mut rule = Rule { side, from, to, matching: Vec::new(), attributes: BTreeMap::new(), soft_delete: false };
    for mapping in mappings {
        rule.read_mapping(reading, mapping);
    }
    if !is_enabled {
        let message = format!("the mapping of `{from}` to `{to}` is disabled, so it makes no object rule");
        reading.note(NoteKind::Lost, &path, offset, message);
        return None;
    }
    if rule.matching.is_empty() {
        let message = "no attribute mapping has a `matchingPriority`; the rule needs one under `match`";
        reading.note(NoteKind::Lost, &path, offset, message);
    }
    rule.matching.sort_by_key(|(priority, _)| *priority);
    let leaves = Leaves { is_group: is_group(from, to), soft_delete: rule.soft_delete, keeps: scope.keeps_dropouts };
    Some(RuleSpec {
        from: from.into(),
        to: to.into(),
        scope: scope.filter.map(|filter| filter.to_string()),
        matching: rule.matching.into_iter().map(|(_, entry)| entry).collect(),
        lookup: LookupSpec::Auto,
        attributes: rule.attributes,
        flows,
        leavers: LeaversSpec::default(),
        situations: leaves.reactions(flows),
    })
}

pub(crate) fn is_group(from: &str, to: &str) -> bool {
    from.eq_ignore_ascii_case("group") || to.eq_ignore_ascii_case("group")
}

/// What Entra does with accounts whose source object left.
pub(crate) struct Leaves {
    pub is_group: bool,
    /// A mapping reads `IsSoftDeleted`.
    pub soft_delete: bool,
    /// Who drops out of an input filter is kept.
    pub keeps: bool,
}

impl Leaves {
    /// Entra deletes groups that leave the scope, since they cannot be switched off; so does `disable` where a target cannot.
    pub(crate) fn reactions(&self, flows: FlowsSpec) -> SituationsSpec {
        let disables = self.soft_delete || self.is_group;
        let out_of_scope = if disables && !self.keeps { Reaction::Disable } else { Reaction::Report };
        let deleted = match (flows.delete, disables) {
            (true, _) => Reaction::Delete,
            (false, true) => Reaction::Disable,
            (false, false) => Reaction::Report,
        };
        let rows = [(Situation::OutOfScope, out_of_scope), (Situation::Deleted, deleted)];
        rows.into_iter().filter(|(situation, reaction)| *reaction != situation.usual()).collect()
    }
}

fn read_flows(reading: &mut Reading<'_>, object: &mut Fields<'_>) -> FlowsSpec {
    let path = format!("{}.flowTypes", object.path);
    let offset = object.offset;
    let Some(text) = object.text(reading, "flowTypes") else { return FlowsSpec::default() };
    let mut flows = FlowsSpec { create: false, update: false, delete: false };
    for word in text.split(',').map(str::trim).filter(|word| !word.is_empty()) {
        match word.to_ascii_lowercase().as_str() {
            "add" => flows.create = true,
            "update" => flows.update = true,
            "delete" => flows.delete = true,
            "none" => {}
            _ => {
                let known = [("Add", ()), ("Update", ()), ("Delete", ()), ("None", ())];
                crate::fields::find_word(reading, &path, offset, word, &known);
            }
        }
    }
    flows
}

/// An object rule on the way.
struct Rule<'d> {
    side: &'d Side<'d>,
    from: &'d str,
    to: &'d str,
    matching: Vec<(i64, MatchSpec)>,
    attributes: BTreeMap<String, MappingSpec>,
    soft_delete: bool,
}

impl Rule<'_> {
    fn read_mapping(&mut self, reading: &mut Reading<'_>, mut mapping: Fields<'_>) {
        let (path, offset) = (mapping.path.clone(), mapping.offset);
        let target = mapping.required(reading, "targetAttributeName");
        let default = mapping.text(reading, "defaultValue").filter(|text| !text.is_empty());
        let flow = mapping.word(reading, "flowType", FLOW_TYPES).unwrap_or(FlowType::Always);
        let always = mapping.word(reading, "flowBehavior", FLOW_BEHAVIORS).unwrap_or(false);
        let priority = mapping.integer(reading, "matchingPriority").unwrap_or(0);
        let sends_missing = mapping.boolean(reading, "exportMissingReferences").unwrap_or(false);
        let flows_null = mapping.boolean(reading, "flowNullValues").unwrap_or(false);
        let origin = mapping.object(reading, "source");
        let has_source = origin.is_some();
        let text = origin.and_then(|origin| source::read(reading, origin));
        mapping.end(reading, &["id"]);
        let Some(target) = target else { return };
        let mut note = |kind, message: String| reading.note(kind, &path, offset, format!("`{target}`: {message}"));
        let Some(text) = text else {
            if !has_source {
                note(NoteKind::Lost, "there is no `source`: the target keeps what it has".to_owned());
            }
            return;
        };
        if let Err(errors) = Expression::compile(&text) {
            let reason = errors.first().map(ToString::to_string).unwrap_or_default();
            note(NoteKind::Lost, format!("left out, since its expression cannot be used: {reason}; it is: {text}"));
            return;
        }
        let apply = match flow {
            FlowType::Always => ApplySpec::Always,
            FlowType::ObjectAddOnly => ApplySpec::Create,
            FlowType::AddOnly => {
                let message =
                    "flows with `apply: create`; always, it would also take values away, which this flow type does not";
                note(NoteKind::Lost, message.to_owned());
                ApplySpec::Create
            }
        };
        if always {
            note(
                NoteKind::Changed,
                "`FlowAlways`: Provost sends what differs; `provost run --reconcile` looks at all".to_owned(),
            );
        }
        if sends_missing {
            note(
                NoteKind::Lost,
                "`exportMissingReferences`: a reference waits until its object has an account".to_owned(),
            );
        }
        let value = if source::asks_for_leavers(&text) {
            self.soft_delete = true;
            let has_enabled = self.side.definitions.has(self.side.source, self.from, source::ACCOUNT_ENABLED);
            let value = source::without_leavers(&text, has_enabled);
            note(
                NoteKind::Changed,
                format!("`IsSoftDeleted` is `leavers: {{ out_of_scope: disable }}`; for who is there: {value}"),
            );
            value
        } else {
            text
        };
        let attribute = provost_target(target);
        if self.attributes.keys().any(|known| known.eq_ignore_ascii_case(&attribute)) {
            reading.fault(&path, offset, format!("a second mapping onto `{target}`"));
            return;
        }
        if priority > 0 {
            self.matching.push((priority, MatchSpec { target: attribute.clone(), source: value.clone() }));
        }
        let when_null = if self.flows_null(target, &value, flows_null) { NullSpec::Clear } else { NullSpec::Keep };
        let default = default.map(Value::text);
        self.attributes.insert(attribute, MappingSpec { value, apply, default, when_null });
    }

    /// Both sides have to let nulls flow.
    fn flows_null(&self, target: &str, value: &str, is_marked: bool) -> bool {
        let Side { definitions, source, target: directory } = self.side;
        let of_target = is_marked || definitions.flows_null(directory, self.to, target);
        let of_source = |name: &str| definitions.flows_null(source, self.from, name);
        of_target && Expression::compile(value).is_ok_and(|found| found.attributes().iter().all(|name| of_source(name)))
    }
}

const ENTERPRISE_MANAGER: &str = ":User:manager";

/// Entra names the manager; SCIM keeps the reference in its `value`.
fn provost_target(name: &str) -> String {
    if name.to_ascii_lowercase().ends_with(&ENTERPRISE_MANAGER.to_ascii_lowercase()) {
        format!("{name}.value")
    } else {
        name.to_owned()
    }
}

pub(crate) fn entra_target(name: &str) -> &str {
    let without = name.get(..name.len().saturating_sub(".value".len())).unwrap_or(name);
    if provost_target(without) == name && without != name { without } else { name }
}

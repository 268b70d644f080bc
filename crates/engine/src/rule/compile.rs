//! From documents to rules, with every problem that can be found without reading an object.

use std::sync::Arc;

use provost_connector::{Capabilities, ClassCapabilities};
use provost_lang::{Environment, Expression, LangError, ScopeFilter, code, nearest};
use provost_model::{
    APP_ROLE_ASSIGNMENTS, AttributePath, AttributeType, ClassSchema, Code, Digest, Filter, JobName, Mutability, Schema,
    Severity, Text, Value,
};
use provost_store::Layout;

use super::rulebook::Rulebook;
use super::source::{UNKNOWN_ATTRIBUTE, known, read_expression, read_filter, shape};
use super::{Job, Mapping, Matching, Reads, Rule};
use crate::error::RuleProblem;
use crate::situation::{Reactions, Situation, SituationsSpec};
use crate::spec::{ApplySpec, AssignedScope, AssignedSpec, JobSpec, MappingSpec, Reaction, RuleSpec};
use crate::timetable::Timetable;

const UNKNOWN_CLASS: Code = Code::new("PRV-0520");
const BAD_PATH: Code = Code::new("PRV-0522");
const READ_ONLY: Code = Code::new("PRV-0523");
const NO_MATCHING: Code = Code::new("PRV-0524");
const MANY_VALUES: Code = Code::new(provost_lang::code::MANY_VALUES);
const NOT_SUPPORTED: Code = Code::new("PRV-0525");
const NO_LOOKUP: Code = Code::new("PRV-0529");
const NEVER_AT_REST: Code = Code::new("PRV-0528");
const MISPLACED: Code = Code::new(code::PLACE);
const NOT_CONFIGURED: Code = Code::new(code::NOT_CONFIGURED);

/// Compiles a job against what its two connections have and can do. All problems come back together; warnings alone do not
/// keep a job from running and stand in [`Job::warnings`].
pub fn compile(
    name: &JobName,
    spec: &JobSpec,
    source: &Schema,
    target: &Schema,
    capabilities: &Capabilities,
) -> Result<Job, Vec<RuleProblem>> {
    let (mut problems, mut warnings) = (Vec::new(), Vec::new());
    let environment = spec.environment();
    let rules: Vec<Rule> = spec
        .objects
        .iter()
        .enumerate()
        .filter_map(|(at, rule)| {
            let at = format!("jobs.{name}.objects[{at}]");
            let assigned = spec.assigned.as_ref();
            let (problems, warnings) = (&mut problems, &mut warnings);
            let mut check = Check { at, environment: &environment, assigned, problems, warnings };
            check.rule(rule, source, target, capabilities)
        })
        .collect();
    if spec.objects.is_empty() {
        problems.push(RuleProblem {
            hint: Some("add one with `from`, `to`, `match` and `attributes`".into()),
            ..RuleProblem::new(NO_MATCHING, format!("jobs.{name}.objects"), "the job has no object rules".into())
        });
    }
    for class in spec.guards.classes.keys().filter(|class| !spec.objects.iter().any(|rule| rule.from == **class)) {
        let message = format!("no rule of the job reads the class `{class}`");
        let names: Vec<&str> = spec.objects.iter().map(|rule| rule.from.as_str()).collect();
        problems.push(RuleProblem {
            hint: Some(format!("the classes are: {}", names.join(", "))),
            of_key: true,
            ..RuleProblem::new(UNKNOWN_CLASS, format!("jobs.{name}.guards.classes.{class}"), message)
        });
    }
    if let Err(wrong) = Timetable::compile(&spec.schedule, &format!("jobs.{name}.schedule")) {
        problems.extend(wrong);
    }
    if !problems.is_empty() {
        problems.append(&mut warnings);
        return Err(problems);
    }
    let mut text = serde_json::to_vec(&spec.objects).unwrap_or_default();
    if let Some(assigned) = &spec.assigned {
        text.extend(serde_json::to_vec(assigned).unwrap_or_default());
    }
    if environment != Environment::default() {
        // A value of a table is as much a part of the rules as one that stands in a mapping.
        text.extend(serde_json::to_vec(&environment).unwrap_or_default());
    }
    if rules.iter().flat_map(|rule| &rule.mappings).any(|mapping| mapping.sensitive) {
        // Links from before sensitive values were veiled are looked at, and written, once more.
        text.extend(b"veiled");
    }
    let rulebook = Rulebook::new(spec, &rules, source, target, capabilities).text();
    Ok(Job {
        name: name.clone(),
        source: spec.source.clone(),
        target: spec.target.clone(),
        rules,
        guards: spec.guards.clone(),
        exceptions: Vec::new(),
        approval: spec.approval.clone(),
        escrow: spec.escrow.clone(),
        quarantine: spec.quarantine.clone(),
        warnings,
        digest: Digest::of_bytes(&text).to_string(),
        rulebook,
    })
}

struct Check<'p> {
    at: String,
    environment: &'p Environment,
    assigned: Option<&'p AssignedSpec>,
    problems: &'p mut Vec<RuleProblem>,
    warnings: &'p mut Vec<RuleProblem>,
}

impl Check<'_> {
    fn problem(&mut self, code: Code, path: &str, message: String, hint: Option<String>) {
        let path = self.path(path);
        self.problems.push(RuleProblem { hint, ..RuleProblem::new(code, path, message) });
    }

    /// A problem with the key that a path ends with, whatever its value.
    fn problem_of_key(&mut self, code: Code, path: &str, message: String, hint: Option<String>) {
        let path = self.path(path);
        self.problems.push(RuleProblem { hint, of_key: true, ..RuleProblem::new(code, path, message) });
    }

    fn path(&self, path: &str) -> String {
        if path.is_empty() { self.at.clone() } else { format!("{}.{path}", self.at) }
    }

    fn language(&mut self, path: &str, text: &str, findings: Vec<LangError>) {
        for finding in findings {
            let problem = RuleProblem {
                severity: finding.severity,
                hint: finding.hint,
                source: Some((text.to_owned(), finding.span)),
                ..RuleProblem::new(finding.code, self.path(path), finding.message)
            };
            match problem.severity {
                Severity::Error => self.problems.push(problem),
                Severity::Warning => self.warnings.push(problem),
            }
        }
    }

    fn rule(&mut self, spec: &RuleSpec, source: &Schema, target: &Schema, capabilities: &Capabilities) -> Option<Rule> {
        let from = self.class("from", &spec.from, source, "source");
        let to = self.class("to", &spec.to, target, "target");
        let (from, to) = (from?, to?);
        let can = capabilities.class(&to.name);
        let before = self.problems.len();

        self.assignments(spec, from);
        let scope = spec.scope.as_ref().and_then(|text| self.scope(text, from));
        let matching = self.matching(spec, from, to);
        let mut object_filter = None;
        let mut mappings = Vec::with_capacity(spec.attributes.len());
        for (attribute, mapping) in &spec.attributes {
            let place = format!("attributes.\"{attribute}\"");
            let Some(expression) = self.expression(&place, &mapping.value, from) else { continue };
            if attribute == "objectFilter" {
                self.refuse_choice(&place, &expression);
                object_filter = Some(expression);
            } else if let Some(mapping) = self.mapping(&place, attribute, mapping, expression, from, to) {
                self.choice(&place, &mapping, &matching, can);
                mappings.push(mapping);
            }
        }
        let reactions = self.reactions(spec);
        if self.problems.len() > before {
            return None;
        }
        let redacted = redacted(&mappings, &matching);
        let requested = requested(from, spec, self.assigned, &mappings, &matching, object_filter.as_ref());
        let assigned_only = self.assigned.is_some_and(|assigned| assigned.scope == AssignedScope::Only);
        let enablement = can.and_then(|can| can.enablement.clone());
        let find = |wanted: &str| mappings.iter().position(|m| m.key.eq_ignore_ascii_case(wanted));
        let tell = |wanted: &&str| mappings.iter().position(|m| m.key.eq_ignore_ascii_case(wanted) && !m.sensitive);
        let enablement_mapping = enablement.as_ref().and_then(|e| find(&e.path.to_string()));
        let name_mapping = ["displayName", "userName", "name", "cn", "login"].iter().find_map(tell);
        let volatile = mappings.iter().any(|m| m.expression.is_volatile() && m.apply == ApplySpec::Always)
            || object_filter.as_ref().is_some_and(Expression::is_volatile);
        Some(Rule {
            from: from.name.clone(),
            to: to.name.clone(),
            scope,
            assigned_only,
            reads: reads(spec, &mappings, &matching, object_filter.as_ref(), &redacted),
            redacted,
            requested,
            matching,
            has_choices: mappings.iter().any(|mapping| mapping.choice),
            has_references: mappings.iter().any(|mapping| mapping.reference),
            layout: Layout::new(mappings.iter().map(|mapping| &mapping.key)),
            mappings,
            object_filter,
            lookup: spec.lookup,
            flows: spec.flows,
            reactions,
            enablement,
            enablement_mapping,
            name_mapping,
            volatile,
            references_in_create: can.is_some_and(|can| can.references_in_create),
            max_values: can.and_then(|can| can.max_values_per_change).unwrap_or(usize::MAX),
            veil: Default::default(),
        })
    }

    /// The table of situations, of the rows that are given in one way or the other.
    fn reactions(&mut self, spec: &RuleSpec) -> Reactions {
        for situation in spec.leavers.rows().keys().filter(|situation| spec.situations.contains_key(situation)) {
            let message = format!("`situations.{situation}` is given as `leavers.{situation}` as well");
            let hint = Some("write it once; `leavers` is the short form of these two rows".to_owned());
            self.problem_of_key(Code::new("PRV-0117"), &format!("situations.{situation}"), message, hint);
        }
        let differing = spec.differing();
        self.orphans(&differing);
        Reactions::with(&differing).unwrap_or_else(|wrong| {
            for situation in wrong {
                let of = if spec.situations.contains_key(&situation) { "situations" } else { "leavers" };
                let message = format!("`{}` is no reaction to `{situation}`", differing[&situation].word());
                let hint = Some(format!("choose one of: {}", situation.choices().join(", ")));
                self.problem(Code::new("PRV-0117"), &format!("{of}.{situation}"), message, hint);
            }
            Reactions::default()
        })
    }

    /// An account that the rule lets go of, or does not take over, must not be somebody's by one row and nobody's by another.
    fn orphans(&mut self, rows: &SituationsSpec) {
        let takes = |orphan: &&Reaction| matches!(orphan, Reaction::Disable | Reaction::Delete);
        let Some(orphan) = rows.get(&Situation::Orphan).filter(takes) else { return };
        let loose = [
            (Situation::OutOfScope, Reaction::Unlink),
            (Situation::Deleted, Reaction::Unlink),
            (Situation::Matched, Reaction::Report),
            (Situation::Ambiguous, Reaction::Report),
        ];
        let conflicts = loose.into_iter().filter(|(situation, reaction)| rows.get(situation) == Some(reaction));
        for (situation, reaction) in conflicts {
            let (orphan, reaction) = (orphan.word(), reaction.word());
            let message = format!(
                "`situations.orphan` is `{orphan}`, and `{situation}` is `{reaction}`: whoever keeps an account by the one \
                 would lose it by the other"
            );
            let hint = format!("leave `orphan` at `report`, or choose another reaction to `{situation}`");
            self.problem_of_key(Code::new("PRV-0117"), "situations.orphan", message, Some(hint));
        }
    }

    fn class<'s>(&mut self, key: &str, name: &str, schema: &'s Schema, role: &str) -> Option<&'s ClassSchema> {
        let found = schema.class(name);
        if found.is_none() {
            let known: Vec<&str> = schema.classes.iter().map(|class| class.name.as_str()).collect();
            let hint = match nearest(name, known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("it has: {}", known.join(", ")),
            };
            self.problem(UNKNOWN_CLASS, key, format!("the {role} has no class `{name}`"), Some(hint));
        }
        found
    }

    /// A job for an application needs a source that knows who is assigned.
    fn assignments(&mut self, spec: &RuleSpec, from: &ClassSchema) {
        let knows = from.open || from.attribute(APP_ROLE_ASSIGNMENTS).is_some();
        if self.assigned.is_some_and(|assigned| assigned.scope == AssignedScope::Only) && !knows {
            let message = format!("`assigned`: the source does not know who of class `{}` is assigned", spec.from);
            let hint = "only the directory knows, of users and groups; leave `assigned` out and use a scoping filter";
            self.problem(UNKNOWN_ATTRIBUTE, "from", message, Some(hint.to_owned()));
        }
    }

    fn scope(&mut self, text: &str, from: &ClassSchema) -> Option<ScopeFilter> {
        let (scope, findings) = read_filter(text, from);
        self.language("scope", text, findings);
        scope
    }

    fn expression(&mut self, place: &str, text: &str, from: &ClassSchema) -> Option<Expression> {
        let (expression, findings) = read_expression(text, from, self.environment);
        self.language(place, text, findings);
        if expression.as_ref().is_some_and(Expression::lacks_default_domain) {
            let hint = "set `default_domain: example.org` at the top of the configuration, or in the job";
            let message = "`DefaultDomain` is used, and no default domain is configured".to_owned();
            self.problem(NOT_CONFIGURED, place, message, Some(hint.into()));
        }
        expression
    }

    /// A path into the target. A mapping's is its key, a matching attribute's is a value.
    fn target_path(&mut self, place: &str, text: &str, to: &ClassSchema, of_key: bool) -> Option<AttributePath> {
        let report = if of_key { Self::problem_of_key } else { Self::problem };
        let path: AttributePath = match text.parse() {
            Ok(path) => path,
            // File headers may hold anything; an open class takes the name as it stands.
            Err(_) if to.open || to.attribute(text).is_some() => AttributePath::name(text),
            Err(error) => {
                report(self, BAD_PATH, place, format!("`{text}` is no attribute path: {error}"), None);
                return None;
            }
        };
        if let Some(operator) = path.unselectable() {
            let message = format!("`{text}`: `{}` cannot select elements of a list", operator.as_str());
            report(self, BAD_PATH, place, message, Some("select with eq, as in emails[type eq \"work\"]".into()));
            return None;
        }
        if to.open || to.resolve(&path).is_some() || to.attribute(text).is_some() {
            return Some(path);
        }
        let hint = known(&path.name, &to.attributes, &format!("`{}`", to.name), str::to_owned);
        let message = format!("the target class `{}` has no attribute `{text}`", to.name);
        report(self, UNKNOWN_ATTRIBUTE, place, message, Some(hint));
        None
    }

    fn matching(&mut self, spec: &RuleSpec, from: &ClassSchema, to: &ClassSchema) -> Vec<Matching> {
        if spec.matching.is_empty() {
            let hint = "name at least one, as in `match: [{target: externalId, source: \"[employee_id]\"}]`".to_owned();
            self.problem(NO_MATCHING, "match", "the rule has no matching attribute".into(), Some(hint));
        }
        let mut matching = Vec::new();
        for (at, entry) in spec.matching.iter().enumerate() {
            let place = format!("match[{at}]");
            let path = self.target_path(&format!("{place}.target"), &entry.target, to, false);
            let source = self.expression(&format!("{place}.source"), &entry.source, from);
            if let Some(source) = &source {
                self.refuse_choice(&format!("{place}.source"), source);
            }
            if let (Some(path), Some(source)) = (path, source) {
                matching.push(Matching { path, source });
            }
        }
        matching
    }

    /// What a value that is unique at the target needs: an account that is to be made, and a target that can be asked.
    fn choice(&mut self, place: &str, mapping: &Mapping, matching: &[Matching], can: Option<&ClassCapabilities>) {
        if !mapping.choice {
            return;
        }
        let key = &mapping.key;
        if mapping.apply != ApplySpec::Create {
            let message = format!("`SelectUniqueValue` gives `{key}` a value only when the account is created");
            self.problem(MISPLACED, place, message, Some("add `apply: create` to the mapping".into()));
        }
        if mapping.sensitive {
            let message = format!("`SelectUniqueValue` cannot choose `{key}`, whose values must not be shown");
            self.problem(MISPLACED, place, message, None);
        }
        if matching.iter().any(|matching| matching.path == *mapping.path) {
            let message = format!("`{key}` is a matching attribute and cannot be chosen by `SelectUniqueValue`");
            let hint = "match by an attribute that is the same in every cycle, such as `externalId`";
            self.problem(MISPLACED, place, message, Some(hint.into()));
        }
        if can.is_some_and(|can| !can.can_look_up(&mapping.path)) {
            let message =
                format!("the target cannot look up by `{key}`, so `SelectUniqueValue` cannot tell what is taken");
            let hint = "choose for an attribute that the target can look up by; for example `userName`";
            self.problem(NO_LOOKUP, place, message, Some(hint.into()));
        }
    }

    fn refuse_choice(&mut self, place: &str, expression: &Expression) {
        if expression.is_choice() {
            let message = "`SelectUniqueValue` works only in an attribute mapping with `apply: create`".to_owned();
            self.problem(MISPLACED, place, message, None);
        }
    }

    fn mapping(
        &mut self,
        place: &str,
        attribute: &str,
        spec: &MappingSpec,
        expression: Expression,
        from: &ClassSchema,
        to: &ClassSchema,
    ) -> Option<Mapping> {
        let path = self.target_path(place, attribute, to, true)?;
        let schema = to.resolve(&path);
        if let Some(schema) = schema {
            if schema.mutability == Mutability::ReadOnly {
                let hint = "remove the mapping: the target gives this value itself".to_owned();
                let message = format!("the target attribute `{attribute}` is read-only");
                self.problem_of_key(READ_ONLY, place, message, Some(hint));
                return None;
            }
            if schema.kind == AttributeType::Complex && path.sub.is_none() && !schema.multi_valued {
                let subs: Vec<&str> = schema.sub_attributes.iter().map(|sub| sub.name.as_str()).collect();
                let hint = format!("map its parts: {attribute}.{}", subs.join(&format!(", {attribute}.")));
                let message = format!("`{attribute}` is complex and takes no single value");
                self.problem_of_key(NOT_SUPPORTED, place, message, Some(hint));
                return None;
            }
        }
        let multi = schema.is_some_and(|schema| schema.multi_valued) && path.sub.is_none() && path.filter.is_none();
        if schema.is_some() && !multi && expression.gives_many(&|name| shape(from, name)) {
            let message = format!("the target attribute `{attribute}` takes one value, and this may be several");
            let problem = RuleProblem::new(MANY_VALUES, self.path(place), message);
            self.warnings.push(RuleProblem {
                severity: Severity::Warning,
                hint: Some("pick one with Item(list, 1), or make one text with Join(\",\", list)".to_owned()),
                source: Some((spec.value.clone(), 0..spec.value.len())),
                ..problem
            });
        }
        let pointer = expression
            .direct_attribute()
            .and_then(|name| from.attribute(name).or_else(|| from.resolve(&name.parse().ok()?)))
            .filter(|source| source.kind == AttributeType::Reference || !source.reference_classes.is_empty());
        let readable = !schema.is_some_and(|schema| schema.sensitive || schema.mutability == Mutability::WriteOnly);
        if expression.is_random() && spec.apply == ApplySpec::Always {
            let message = format!("`{attribute}` gets another random value with every cycle");
            self.problem(NEVER_AT_REST, place, message, Some("add `apply: create` to the mapping".into()));
        }
        Some(Mapping {
            key: Text::from(path.to_string()),
            kind: schema.map(|schema| schema.kind),
            multi,
            case_exact: schema.is_some_and(|schema| schema.case_exact),
            sensitive: !readable || expression.is_redacted(),
            readable,
            choice: expression.is_choice(),
            random: expression.is_random(),
            flow: expression.flow(),
            path: Arc::new(path),
            expression,
            // What cannot change is not sent again: the target would refuse it.
            apply: match schema.map(|schema| schema.mutability) {
                Some(Mutability::Immutable) => ApplySpec::Create,
                _ => spec.apply,
            },
            default: spec.default.clone(),
            when_null: spec.when_null,
            reference: pointer.is_some(),
            points_at: pointer.map(|source| source.reference_classes.clone()).unwrap_or_default(),
        })
    }
}

/// The source attributes that are read only on request, and that the rule reads.
fn requested(
    from: &ClassSchema,
    spec: &RuleSpec,
    assigned: Option<&AssignedSpec>,
    mappings: &[Mapping],
    matching: &[Matching],
    object_filter: Option<&Expression>,
) -> Vec<Text> {
    let expressions = mappings.iter().map(|mapping| &mapping.expression).chain(matching.iter().map(|m| &m.source));
    let names = expressions.chain(object_filter).flat_map(Expression::attributes);
    let paths = names.filter_map(|name| name.parse::<AttributePath>().ok());
    let scope = spec.scope.iter().flat_map(|text| ScopeFilter::attribute_places(text)).map(|(path, _)| path);
    let read: Vec<AttributePath> = paths.chain(scope).collect();
    let is_read = |name: &str| read.iter().any(|path| path.name.eq_ignore_ascii_case(name));
    let on_request = from.attributes.iter().filter(|attribute| attribute.on_request);
    let only = assigned.is_some_and(|assigned| assigned.scope == AssignedScope::Only);
    let of_application = |name: Text| match assigned {
        // Assignments to other applications are nobody's business in this job.
        Some(assigned) if name == APP_ROLE_ASSIGNMENTS => {
            let application =
                Filter::eq(AttributePath::name("application"), Value::text(assigned.application.as_str()));
            let path = AttributePath { filter: Some(Box::new(application)), ..AttributePath::name(name) };
            path.to_string().into()
        }
        _ => name,
    };
    let names = on_request.map(|attribute| attribute.name.clone());
    names.filter(|name| is_read(name) || (only && name == APP_ROLE_ASSIGNMENTS)).map(of_application).collect()
}

/// What a decision depends on of the source, references excepted.
fn reads(
    spec: &RuleSpec,
    mappings: &[Mapping],
    matching: &[Matching],
    object_filter: Option<&Expression>,
    redacted: &[Text],
) -> Reads {
    let mapped = mappings.iter().filter(|mapping| !mapping.reference).map(|mapping| &mapping.expression);
    let expressions = mapped.chain(matching.iter().map(|m| &m.source)).chain(object_filter);
    let mut names: Vec<String> = expressions.flat_map(Expression::attributes).map(ToString::to_string).collect();
    let scope = spec.scope.iter().flat_map(|text| ScopeFilter::attribute_places(text));
    names.extend(scope.map(|(path, _)| path.to_string()));
    names.push(APP_ROLE_ASSIGNMENTS.to_owned());
    Reads::new(names.iter().map(String::as_str), redacted, mappings)
}

/// The source attributes that must not be shown: some expression of the rule redacts them, or they only go where the target's
/// schema says that nobody reads.
fn redacted(mappings: &[Mapping], matching: &[Matching]) -> Vec<Text> {
    let expressions = || mappings.iter().map(|mapping| &mapping.expression).chain(matching.iter().map(|m| &m.source));
    let shown = mappings.iter().filter(|mapping| !mapping.sensitive).map(|mapping| &mapping.expression);
    let shown: Vec<&Text> = shown.chain(matching.iter().map(|m| &m.source)).flat_map(Expression::attributes).collect();
    let hidden =
        mappings.iter().filter(|mapping| !mapping.readable).flat_map(|mapping| mapping.expression.attributes());
    let hidden = hidden.filter(|name| !shown.contains(name));
    let mut names: Vec<Text> = expressions().flat_map(Expression::redacted_attributes).chain(hidden).cloned().collect();
    names.sort();
    names.dedup();
    names
}

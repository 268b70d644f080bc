//! From documents to rules, with every problem that can be found without reading an object.

use std::sync::Arc;

use provost_connector::{Capabilities, ClassCapabilities};
use provost_lang::{Environment, Expression, LangError, ScopeFilter, code};
use provost_model::{
    AttributePath, AttributeType, ClassSchema, Code, Digest, Filter, JobName, Mutability, Schema, Text,
};
use provost_store::Layout;

use super::{Job, Mapping, Matching, Rule};
use crate::error::RuleProblem;
use crate::spec::{ApplySpec, JobSpec, MappingSpec, RuleSpec};

const UNKNOWN_CLASS: Code = Code::new("PRV-0520");
const UNKNOWN_ATTRIBUTE: Code = Code::new("PRV-0521");
const BAD_PATH: Code = Code::new("PRV-0522");
const READ_ONLY: Code = Code::new("PRV-0523");
const NO_MATCHING: Code = Code::new("PRV-0524");
const NOT_SUPPORTED: Code = Code::new("PRV-0525");
const NO_LOOKUP: Code = Code::new("PRV-0529");
const NEVER_AT_REST: Code = Code::new("PRV-0528");
const MISPLACED: Code = Code::new(code::PLACE);
const NOT_CONFIGURED: Code = Code::new(code::NOT_CONFIGURED);

/// Compiles a job against what its two connections have and can do. All problems come back together.
pub fn compile(
    name: &JobName,
    spec: &JobSpec,
    source: &Schema,
    target: &Schema,
    capabilities: &Capabilities,
) -> Result<Job, Vec<RuleProblem>> {
    let mut problems = Vec::new();
    let environment = spec.environment();
    let rules: Vec<Rule> = spec
        .objects
        .iter()
        .enumerate()
        .filter_map(|(at, rule)| {
            let mut check =
                Check { at: format!("jobs.{name}.objects[{at}]"), environment: &environment, problems: &mut problems };
            check.rule(rule, source, target, capabilities)
        })
        .collect();
    if spec.objects.is_empty() {
        problems.push(RuleProblem {
            code: NO_MATCHING,
            path: format!("jobs.{name}.objects"),
            message: "the job has no object rules".into(),
            hint: Some("add one with `from`, `to`, `match` and `attributes`".into()),
            source: None,
        });
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let mut text = serde_json::to_vec(&spec.objects).unwrap_or_default();
    if environment != Environment::default() {
        // A value of a table is as much a part of the rules as one that stands in a mapping.
        text.extend(serde_json::to_vec(&environment).unwrap_or_default());
    }
    Ok(Job {
        name: name.clone(),
        source: spec.source.clone(),
        target: spec.target.clone(),
        rules,
        guards: spec.guards.clone(),
        digest: Digest::of_bytes(&text).to_string(),
    })
}

struct Check<'p> {
    at: String,
    environment: &'p Environment,
    problems: &'p mut Vec<RuleProblem>,
}

impl Check<'_> {
    fn problem(&mut self, code: Code, path: &str, message: String, hint: Option<String>) {
        let path = if path.is_empty() { self.at.clone() } else { format!("{}.{path}", self.at) };
        self.problems.push(RuleProblem { code, path, message, hint, source: None });
    }

    fn language(&mut self, path: &str, text: &str, errors: Vec<LangError>) {
        for error in errors {
            self.problems.push(RuleProblem {
                code: error.code.clone(),
                path: format!("{}.{path}", self.at),
                message: error.message,
                hint: error.hint,
                source: Some((text.to_owned(), error.span)),
            });
        }
    }

    fn rule(&mut self, spec: &RuleSpec, source: &Schema, target: &Schema, capabilities: &Capabilities) -> Option<Rule> {
        let from = self.class("from", &spec.from, source, "source");
        let to = self.class("to", &spec.to, target, "target");
        let (from, to) = (from?, to?);
        let can = capabilities.class(&to.name);
        let before = self.problems.len();

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
        if self.problems.len() > before {
            return None;
        }
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
            redacted: redacted(&mappings, &matching),
            matching,
            has_choices: mappings.iter().any(|mapping| mapping.choice),
            has_references: mappings.iter().any(|mapping| mapping.reference),
            layout: Layout::new(mappings.iter().map(|mapping| &mapping.key)),
            mappings,
            object_filter,
            lookup: spec.lookup,
            flows: spec.flows,
            out_of_scope: spec.leavers.out_of_scope.clone(),
            deleted: spec.leavers.deleted.clone(),
            enablement,
            enablement_mapping,
            name_mapping,
            volatile,
            references_in_create: can.is_some_and(|can| can.references_in_create),
            max_values: can.and_then(|can| can.max_values_per_change).unwrap_or(usize::MAX),
        })
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

    fn scope(&mut self, text: &str, from: &ClassSchema) -> Option<ScopeFilter> {
        let filter: Filter = match text.parse() {
            Ok(filter) => filter,
            Err(error) => {
                let error: provost_model::filter::FilterError = error;
                self.problems.push(RuleProblem {
                    code: Code::new("PRV-0201"),
                    path: format!("{}.scope", self.at),
                    message: error.message,
                    hint: error.hint,
                    source: Some((text.to_owned(), error.span)),
                });
                return None;
            }
        };
        let mut paths = Vec::new();
        filter.for_each_path(&mut |path| paths.push(path.clone()));
        for path in paths {
            self.source_attribute("scope", &path, from);
        }
        match ScopeFilter::compile(&filter) {
            Ok(scope) => Some(scope),
            Err(errors) => {
                self.language("scope", text, errors);
                None
            }
        }
    }

    fn expression(&mut self, place: &str, text: &str, from: &ClassSchema) -> Option<Expression> {
        match Expression::compile_with(text, self.environment) {
            Ok(expression) => {
                if expression.lacks_default_domain() {
                    let hint = "set `default_domain: example.org` at the top of the configuration, or in the job";
                    let message = "`DefaultDomain` is used, and no default domain is configured".to_owned();
                    self.problem(NOT_CONFIGURED, place, message, Some(hint.into()));
                }
                for name in expression.attributes() {
                    let path = name.parse().unwrap_or_else(|_| AttributePath::name(name.as_str()));
                    if from.attribute(name).is_none() {
                        self.source_attribute(place, &path, from);
                    }
                }
                Some(expression)
            }
            Err(errors) => {
                self.language(place, text, errors);
                None
            }
        }
    }

    /// A closed class names all its attributes; anything else would be null for everybody, silently.
    fn source_attribute(&mut self, place: &str, path: &AttributePath, from: &ClassSchema) {
        if from.open || path.name.eq_ignore_ascii_case("id") || from.resolve(path).is_some() {
            return;
        }
        if from.attribute(&path.to_string()).is_some() {
            return;
        }
        let names = from.attributes.iter().map(|attribute| attribute.name.as_str());
        let hint = match nearest(&path.name, names.clone()) {
            Some(near) => format!("did you mean `[{near}]`?"),
            None => format!("`{}` has: {}", from.name, names.collect::<Vec<_>>().join(", ")),
        };
        let message = format!("the source class `{}` has no attribute `{path}`", from.name);
        self.problem(UNKNOWN_ATTRIBUTE, place, message, Some(hint));
    }

    fn target_path(&mut self, place: &str, text: &str, to: &ClassSchema) -> Option<AttributePath> {
        let path: AttributePath = match text.parse() {
            Ok(path) => path,
            // File headers may hold anything; an open class takes the name as it stands.
            Err(_) if to.open || to.attribute(text).is_some() => AttributePath::name(text),
            Err(error) => {
                self.problem(BAD_PATH, place, format!("`{text}` is no attribute path: {error}"), None);
                return None;
            }
        };
        if to.open || to.resolve(&path).is_some() || to.attribute(text).is_some() {
            return Some(path);
        }
        let names = to.attributes.iter().map(|attribute| attribute.name.as_str());
        let hint = nearest(&path.name, names).map(|near| format!("did you mean `{near}`?"));
        self.problem(
            UNKNOWN_ATTRIBUTE,
            place,
            format!("the target class `{}` has no attribute `{text}`", to.name),
            hint,
        );
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
            let path = self.target_path(&format!("{place}.target"), &entry.target, to);
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
        let path = self.target_path(place, attribute, to)?;
        let schema = to.resolve(&path);
        if let Some(schema) = schema {
            if schema.mutability == Mutability::ReadOnly {
                self.problem(READ_ONLY, place, format!("the target attribute `{attribute}` is read-only"), None);
                return None;
            }
            if schema.kind == AttributeType::Complex && path.sub.is_none() && !schema.multi_valued {
                let subs: Vec<&str> = schema.sub_attributes.iter().map(|sub| sub.name.as_str()).collect();
                let hint = format!("map its parts: {attribute}.{}", subs.join(&format!(", {attribute}.")));
                self.problem(
                    NOT_SUPPORTED,
                    place,
                    format!("`{attribute}` is complex and takes no single value"),
                    Some(hint),
                );
                return None;
            }
        }
        let reference = expression
            .direct_attribute()
            .and_then(|name| from.attribute(name).or_else(|| from.resolve(&name.parse().ok()?)))
            .is_some_and(|source| source.kind == AttributeType::Reference || !source.reference_classes.is_empty());
        let readable = !schema.is_some_and(|schema| schema.sensitive || schema.mutability == Mutability::WriteOnly);
        if expression.is_random() && spec.apply == ApplySpec::Always {
            let message = format!("`{attribute}` gets another random value with every cycle");
            self.problem(NEVER_AT_REST, place, message, Some("add `apply: create` to the mapping".into()));
        }
        Some(Mapping {
            key: Text::from(path.to_string()),
            kind: schema.map(|schema| schema.kind),
            multi: schema.is_some_and(|schema| schema.multi_valued) && path.sub.is_none() && path.filter.is_none(),
            case_exact: schema.is_some_and(|schema| schema.case_exact),
            sensitive: !readable || expression.is_redacted(),
            readable,
            choice: expression.is_choice(),
            random: expression.is_random(),
            flow: expression.flow(),
            path: Arc::new(path),
            expression,
            apply: spec.apply,
            default: spec.default.clone(),
            when_null: spec.when_null,
            reference,
        })
    }
}

/// The source attributes that must not be shown, because some expression of the rule redacts them.
fn redacted(mappings: &[Mapping], matching: &[Matching]) -> Vec<Text> {
    let expressions = mappings.iter().map(|mapping| &mapping.expression).chain(matching.iter().map(|m| &m.source));
    let mut names: Vec<Text> = expressions.flat_map(Expression::redacted_attributes).cloned().collect();
    names.sort();
    names.dedup();
    names
}

/// The known name that is nearest to what was written, if one is near enough to be meant.
pub fn nearest<'n>(written: &str, known: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let lower = written.to_lowercase();
    known
        .map(|name| (strsim::jaro_winkler(&lower, &name.to_lowercase()), name))
        .filter(|(score, _)| *score > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

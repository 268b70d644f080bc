//! Scoping filters in Entra's clause form, both ways: groups are joined by OR, the clauses of a group by AND.

use provost_model::filter::Spans;
use provost_model::{AttributePath, Filter, Operator, Term, Value};
use serde_json::{Value as Json, json};

use crate::fields::{Fields, Reading, find_word};
use crate::json::Kind;
use crate::note::NoteKind;

/// A filter that needs more groups than this is not exported: nobody could read it in Entra's dialog.
pub const MAX_GROUPS: usize = 100;

/// Entra's spelling of each operator that clauses have.
const OPERATORS: &[(&str, Operator)] = &[
    ("EQUALS", Operator::Equals),
    ("NOT EQUALS", Operator::NotEquals),
    ("IS TRUE", Operator::IsTrue),
    ("IS FALSE", Operator::IsFalse),
    ("IS NULL", Operator::IsNull),
    ("IS NOT NULL", Operator::IsNotNull),
    ("REGEX MATCH", Operator::RegexMatch),
    ("NOT REGEX MATCH", Operator::NotRegexMatch),
    ("Greater_Than", Operator::GreaterThan),
    ("Greater_Than_OR_EQUALS", Operator::GreaterThanOrEquals),
    ("Includes", Operator::Includes),
    ("ENDS_WITH", Operator::EndsWith),
    ("&", Operator::Within),
    ("!&", Operator::NotWithin),
];

/// The one place where a term is made.
fn term(path: AttributePath, op: Operator, value: Value) -> Term {
    Term { path, op, value, spans: Spans::default() }
}

/// What an object mapping's `scope` says.
#[derive(Debug, Default)]
pub(crate) struct Scope {
    pub filter: Option<Filter>,
    /// There are input filters: who drops out of them keeps the account.
    pub keeps_dropouts: bool,
}

pub(crate) fn read(reading: &mut Reading<'_>, mut scope: Fields<'_>) -> Scope {
    let groups = read_groups(reading, &mut scope, "groups");
    let input_path = format!("{}.inputFilterGroups", scope.path);
    let input = read_groups(reading, &mut scope, "inputFilterGroups");
    let message = "an experimental filter that Provost does not have; more objects may be in scope";
    scope.pass(reading, "categoryFilterGroups", NoteKind::Lost, message);
    let offset = scope.offset;
    scope.end(reading, &["id", "name"]);
    let keeps_dropouts = !input.is_empty();
    if keeps_dropouts {
        let message = "part of `scope`; so that nobody is switched off who is not in Entra, `leavers` keeps accounts that drop \
                       out of either";
        reading.note(NoteKind::Lost, &input_path, offset, message);
    }
    let both = match (groups.is_empty(), input.is_empty()) {
        (true, _) => input,
        (_, true) => groups,
        _ => product(&groups, &input).unwrap_or_else(|| {
            reading.fault(
                &input_path,
                offset,
                format!("together with `groups` there are more than {MAX_GROUPS} groups"),
            );
            Vec::new()
        }),
    };
    let mut parts: Vec<Filter> = both.into_iter().map(conjunction).collect();
    let filter = if parts.len() > 1 { Some(Filter::Or(parts)) } else { parts.pop() };
    Scope { filter, keeps_dropouts }
}

fn conjunction(mut terms: Vec<Filter>) -> Filter {
    match terms.pop() {
        Some(only) if terms.is_empty() => only,
        last => {
            terms.extend(last);
            Filter::And(terms)
        }
    }
}

fn read_groups(reading: &mut Reading<'_>, scope: &mut Fields<'_>, key: &str) -> Vec<Vec<Filter>> {
    let mut groups = Vec::new();
    for mut group in scope.objects(reading, key) {
        let mut terms = Vec::new();
        for clause in group.objects(reading, "clauses") {
            terms.extend(read_clause(reading, clause));
        }
        match terms.is_empty() {
            true => reading.note(NoteKind::Label, &group.path, group.offset, "a group without clauses filters nothing"),
            false => groups.push(terms),
        }
        group.end(reading, &["name", "id"]);
    }
    if groups.len() > MAX_GROUPS {
        reading.fault(&format!("{}.{key}", scope.path), scope.offset, format!("more than {MAX_GROUPS} filter groups"));
        groups.truncate(MAX_GROUPS);
    }
    groups
}

fn read_clause(reading: &mut Reading<'_>, mut clause: Fields<'_>) -> Option<Filter> {
    let (path, offset) = (clause.path.clone(), clause.offset);
    let name = clause.required(reading, "sourceOperandName");
    let word = clause.required(reading, "operatorName");
    let op = word.and_then(|word| find_word(reading, &format!("{path}.operatorName"), offset, word.trim(), OPERATORS));
    let values = read_values(reading, &mut clause);
    clause.end(reading, &["id", "name"]);
    let (name, op) = (name?, op?);
    let attribute = name.parse().unwrap_or_else(|_| AttributePath::name(name));
    let term = |value| Filter::Term(term(attribute.clone(), op, value));
    if !op.takes_value() {
        if values.iter().any(|value| !value.is_empty()) {
            reading.note(
                NoteKind::Label,
                &path,
                offset,
                format!("`{}` takes no value; the one given is left out", op.as_str()),
            );
        }
        return Some(term(Value::Null));
    }
    let mut terms: Vec<Filter> = values.into_iter().map(|value| term(operand(op, value))).collect();
    match terms.len() {
        0 => {
            reading.fault(&path, offset, format!("`{}` needs a value in `targetOperand.values`", op.as_str()));
            None
        }
        1 => terms.pop(),
        // One of several, or none of them.
        _ if is_negative(op) => Some(Filter::And(terms)),
        _ => Some(Filter::Or(terms)),
    }
}

fn read_values<'n>(reading: &mut Reading<'_>, clause: &mut Fields<'n>) -> Vec<&'n str> {
    let Some(mut operand) = clause.object(reading, "targetOperand") else { return Vec::new() };
    let mut values = Vec::new();
    for (path, node) in operand.list(reading, "values") {
        match &node.kind {
            Kind::Text(text) => values.push(text.as_str()),
            _ => reading.fault(&path, node.offset, format!("expected a text, found {}", node.describe())),
        }
    }
    operand.end(reading, &[]);
    values
}

fn operand(op: Operator, text: &str) -> Value {
    match (op, text.trim().parse()) {
        (Operator::GreaterThan | Operator::GreaterThanOrEquals, Ok(number)) => Value::Integer(number),
        _ => Value::text(text),
    }
}

fn is_negative(op: Operator) -> bool {
    matches!(op, Operator::NotEquals | Operator::NotRegexMatch | Operator::NotWithin)
}

/// Every member of one list with every member of the other; `None` when there are too many.
fn product<T: Clone>(left: &[Vec<T>], right: &[Vec<T>]) -> Option<Vec<Vec<T>>> {
    if left.len() * right.len() > MAX_GROUPS {
        return None;
    }
    Some(left.iter().flat_map(|l| right.iter().map(move |r| [l.as_slice(), r.as_slice()].concat())).collect())
}

/// The clauses of a filter as a `scope`, and what of it means a little else in Entra; or why there are none.
pub(crate) fn write(filter: &Filter) -> Result<(Json, Vec<String>), String> {
    let mut writer = Writer::default();
    let groups = writer.groups(filter, false)?;
    let groups: Vec<Json> = groups
        .into_iter()
        .enumerate()
        .map(|(at, clauses)| json!({"name": format!("Scoping filter {}", at + 1), "clauses": clauses}))
        .collect();
    Ok((json!({"groups": groups, "inputFilterGroups": [], "categoryFilterGroups": []}), writer.remarks))
}

#[derive(Default)]
struct Writer {
    remarks: Vec<String>,
}

type Groups = Vec<Vec<Json>>;

impl Writer {
    /// The disjunctive form of a filter or of its negation.
    fn groups(&mut self, filter: &Filter, negated: bool) -> Result<Groups, String> {
        match filter {
            Filter::Not(inner) => self.groups(inner, !negated),
            Filter::And(parts) if !negated => self.all(parts, negated),
            Filter::Or(parts) if negated => self.all(parts, negated),
            Filter::And(parts) | Filter::Or(parts) => self.any(parts, negated),
            Filter::Term(term) => self.term(term, negated),
            Filter::Each { path, .. } => Err(format!("clauses cannot look into the elements of `{path}`")),
        }
    }

    fn all(&mut self, parts: &[Filter], negated: bool) -> Result<Groups, String> {
        let mut groups = vec![Vec::new()];
        for part in parts {
            groups = product(&groups, &self.groups(part, negated)?).ok_or_else(too_many)?;
        }
        Ok(groups)
    }

    fn any(&mut self, parts: &[Filter], negated: bool) -> Result<Groups, String> {
        let mut groups = Groups::new();
        for part in parts {
            groups.extend(self.groups(part, negated)?);
            if groups.len() > MAX_GROUPS {
                return Err(too_many());
            }
        }
        Ok(groups)
    }

    fn term(&mut self, term: &Term, negated: bool) -> Result<Groups, String> {
        use Operator::{
            Co, EndsWith, Eq, Equals, Ew, Ge, GreaterThan, GreaterThanOrEquals, Gt, In, Includes, IsFalse, IsNotNull,
            IsNull, IsTrue, Le, Lt, Ne, NotEquals, NotRegexMatch, NotWithin, Pr, RegexMatch, Sw, Within,
        };
        if term.path.filter.is_some() {
            return Err(format!("clauses cannot look into the elements of `{}`", term.path));
        }
        let text = || term.value.to_text().map(|text| text.into_owned()).unwrap_or_default();
        let is_whole = matches!(operand(GreaterThan, &text()), Value::Integer(_));
        let none = || format!("clauses have no `{}{}`", if negated { "not " } else { "" }, term.op.as_str());
        let contains = |prefix: &str, suffix: &str| format!("(?s){prefix}{}{suffix}", escape(&text()));
        // SCIM's operators compare texts in any letter case; Entra's do not.
        if matches!(term.op, Eq | Ne | Co | Sw | Ew | In) && folds(&term.value) {
            let remark =
                format!("`{} {}` compares in any letter case, its clause in exact case", term.path, term.op.as_str());
            self.remarks.push(remark);
        }
        let (op, operand, negated) = match term.op {
            Eq if term.value.is_null() => (IsNull, None, negated),
            Ne if term.value.is_null() => (IsNull, None, !negated),
            Eq | Ne if term.value.as_bool().is_some() => {
                let op = if term.value.as_bool() == Some(true) { IsTrue } else { IsFalse };
                (op, None, negated != (term.op == Ne))
            }
            Eq => (Equals, Some(text()), negated),
            Ne => (Equals, Some(text()), !negated),
            Pr | IsNotNull => (IsNull, None, !negated),
            Co => (Includes, Some(text()), negated),
            Sw => (RegexMatch, Some(contains("", ".*")), negated),
            Ew => (EndsWith, Some(text()), negated),
            Gt if is_whole => (GreaterThan, Some(text()), negated),
            Ge if is_whole => (GreaterThanOrEquals, Some(text()), negated),
            Gt | Ge | Lt | Le => return Err(format!("clauses have no `{}` for such a value", term.op.as_str())),
            In => {
                let values = term.value.as_list().unwrap_or_default();
                let parts: Vec<Filter> = values
                    .iter()
                    .map(|value| Filter::Term(self::term(term.path.clone(), Equals, value.clone())))
                    .collect();
                return if negated { self.all(&parts, true) } else { self.any(&parts, false) };
            }
            other => (other, term.op.takes_value().then(text), negated),
        };
        if operand.as_deref() == Some("") {
            return Err(format!("clauses take no empty value, as in `{} {}`", term.path, term.op.as_str()));
        }
        let name = term.path.to_string();
        let name = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(&name);
        let clause = |op: Operator, operand: Option<String>| {
            let word = OPERATORS.iter().find(|(_, known)| *known == op).map_or(op.as_str(), |(word, _)| *word);
            json!({"sourceOperandName": name, "operatorName": word, "targetOperand": {"values": operand.into_iter().collect::<Vec<_>>()}})
        };
        if !negated {
            return Ok(vec![vec![clause(op, operand)]]);
        }
        // Entra's clauses fail on a null, so the negation is another clause, or none of a value.
        let opposite = match op {
            IsNull => return Ok(vec![vec![clause(IsNotNull, None)]]),
            Equals => clause(NotEquals, operand),
            NotEquals => clause(Equals, operand),
            IsTrue => clause(IsFalse, None),
            IsFalse => clause(IsTrue, None),
            RegexMatch => clause(NotRegexMatch, operand),
            NotRegexMatch => clause(RegexMatch, operand),
            Within => clause(NotWithin, operand),
            NotWithin => clause(Within, operand),
            Includes => clause(NotRegexMatch, Some(contains(".*", ".*"))),
            EndsWith => clause(NotRegexMatch, Some(contains(".*", ""))),
            _ => return Err(none()),
        };
        Ok(vec![vec![opposite], vec![clause(IsNull, None)]])
    }
}

fn too_many() -> String {
    format!("as groups of clauses it has more than {MAX_GROUPS} groups")
}

fn folds(value: &Value) -> bool {
    match value {
        Value::Text(text) => text.chars().any(char::is_alphabetic),
        Value::List(values) => values.iter().any(folds),
        _ => false,
    }
}

/// The text as a pattern that matches it.
fn escape(text: &str) -> String {
    text.chars().flat_map(|c| r"\.+*?()|[]{}^$#&-~".contains(c).then_some('\\').into_iter().chain([c])).collect()
}

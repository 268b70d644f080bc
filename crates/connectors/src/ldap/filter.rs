//! Filters: what the server is asked, and what is true.
//!
//! A server compares by its own rules (spaces that say nothing, `é` and `e`), so its answer may hold more than SCIM's
//! operators mean. It is asked for no less than what is wanted, and each answer is compared here once more.

use ldap3::ldap_escape;
use provost_connector::{ConnectorError, ErrorCode};
use provost_model::{AttributePath, Filter, Operator, Record, Term, Value};

use super::catalogue::{Attribute, Kind};
use super::shape::ClassShape;
use super::switch::{self, How, Switch};
use super::{template, value};

/// Any entry.
const ALL: &str = "(objectClass=*)";

/// A filter of the server's that every entry satisfies for which the given one holds. Refused is what cannot be decided
/// by the attributes of one entry.
pub fn ask(filter: &Filter, shape: &ClassShape) -> Result<String, ConnectorError> {
    Ok(match filter {
        Filter::And(parts) => format!("(&{})", all(parts, shape)?),
        Filter::Or(parts) => format!("(|{})", all(parts, shape)?),
        // What a server says no to may still be no match here: only absence is the same on both sides.
        Filter::Not(inner) => match &**inner {
            Filter::Term(term) if term.op == Operator::Pr && !is_id(&term.path) => match of_term(term, shape)? {
                all if all == ALL => all,
                present => format!("(!{present})"),
            },
            other => {
                ask(other, shape)?;
                ALL.to_owned()
            }
        },
        Filter::Term(term) => of_term(term, shape)?,
        Filter::Each { path, .. } => return Err(refuse(&path.to_string(), "has no parts")),
    })
}

fn all(parts: &[Filter], shape: &ClassShape) -> Result<String, ConnectorError> {
    parts.iter().map(|part| ask(part, shape)).collect()
}

fn of_term(term: &Term, shape: &ClassShape) -> Result<String, ConnectorError> {
    if is_id(&term.path) {
        let text = term.value.as_text().filter(|_| term.op == Operator::Eq);
        let text = text.ok_or_else(|| refuse("id", "is compared by `eq` alone"))?;
        // A text that cannot be an id is nobody's.
        let nobody = || "(!(objectClass=*))".to_owned();
        return Ok(value::id_filter(shape.id, text).unwrap_or_else(nobody));
    }
    if let Some(asked) = of_switch(term, shape)? {
        return Ok(asked);
    }
    let about = attribute(&term.path, shape)?;
    let name = &about.name;
    // An account without the mark is read as one that is on, which the server does not know.
    let is_switch = shape.switch.as_ref().is_some_and(|switch| switch.attribute.eq_ignore_ascii_case(name));
    if is_switch {
        return Ok(ALL.to_owned());
    }
    if term.op == Operator::Pr {
        return Ok(format!("({name}=*)"));
    }
    if term.op == Operator::Ne {
        text(term)?;
        return Ok(ALL.to_owned());
    }
    if !matches!(about.kind, Kind::Text | Kind::Integer | Kind::Boolean) {
        return Err(refuse(name, "is not compared by the server as it is here"));
    }
    let text = text(term)?;
    let text = ldap_escape(if about.kind == Kind::Boolean { text.to_uppercase() } else { text });
    Ok(match term.op {
        Operator::Eq => format!("({name}={text})"),
        // Parts of a text are compared after white space was made one; only its words are sure to be there.
        Operator::Co | Operator::Sw | Operator::Ew if about.kind == Kind::Text => {
            let words = text.split_whitespace().map(|word| format!("({name}=*{word}*)")).collect::<String>();
            if words.is_empty() { format!("({name}=*)") } else { format!("(&{words})") }
        }
        other => return Err(refuse(name, &format!("cannot be compared by `{}`", other.as_str()))),
    })
}

/// Whether the account is on, where no attribute of the server's own tells.
fn of_switch(term: &Term, shape: &ClassShape) -> Result<Option<String>, ConnectorError> {
    let Some(switch) = shape.switch.as_ref().filter(|switch| term.path.is_plain() && switch.is_named(&term.path.name))
    else {
        return Ok(None);
    };
    let on = match term.op {
        Operator::Pr => return Ok(Some(ALL.to_owned())),
        Operator::Eq => Switch::wanted(&term.value)?,
        Operator::Ne => !Switch::wanted(&term.value)?,
        other => return Err(refuse(switch::ENABLED, &format!("cannot be compared by `{}`", other.as_str()))),
    };
    let off = match &switch.how {
        How::Mark { off } => format!("({}={})", switch.attribute, ldap_escape(off.as_str())),
        How::Bit(bit) => format!("({}:1.2.840.113556.1.4.803:={bit})", switch.attribute),
        How::Values { .. } => return Ok(None),
    };
    Ok(Some(if on { format!("(!{off})") } else { off }))
}

/// Whether the record satisfies the filter. Only for filters that [`ask`] takes.
pub fn holds(filter: &Filter, record: &Record, shape: &ClassShape) -> bool {
    match filter {
        Filter::And(parts) => parts.iter().all(|part| holds(part, record, shape)),
        Filter::Or(parts) => parts.iter().any(|part| holds(part, record, shape)),
        Filter::Not(inner) => !holds(inner, record, shape),
        Filter::Each { .. } => false,
        Filter::Term(term) => {
            let Some(wanted) = term.value.to_text() else { return term.op == Operator::Pr && is_there(term, record) };
            if is_id(&term.path) {
                return *record.id == *wanted;
            }
            let has = |test: &dyn Fn(&str, &str) -> bool| has(record, &term.path, &wanted, shape, test);
            match term.op {
                Operator::Eq => has(&|have, wanted| have == wanted),
                Operator::Ne => !has(&|have, wanted| have == wanted),
                Operator::Co => has(&|have, wanted| have.contains(wanted)),
                Operator::Sw => has(&|have, wanted| have.starts_with(wanted)),
                Operator::Ew => has(&|have, wanted| have.ends_with(wanted)),
                Operator::Pr => is_there(term, record),
                _ => false,
            }
        }
    }
}

fn is_there(term: &Term, record: &Record) -> bool {
    term.path.get(&record.attributes).is_some_and(|value| !value.is_unassigned())
}

fn has(
    record: &Record,
    path: &AttributePath,
    wanted: &str,
    shape: &ClassShape,
    test: &dyn Fn(&str, &str) -> bool,
) -> bool {
    if path.name.eq_ignore_ascii_case(value::NAME) {
        let have = record.attributes.find(value::NAME).and_then(Value::as_text).unwrap_or_default();
        return test(&template::normal(have), &template::normal(wanted));
    }
    let exact = shape.attribute(&path.name).is_some_and(|about| about.case_exact);
    let fold = |text: &str| if exact { text.to_owned() } else { text.to_lowercase() };
    let wanted = fold(wanted);
    path.values(&record.attributes).iter().filter_map(|value| value.to_text()).any(|have| test(&fold(&have), &wanted))
}

/// Whether the entry's id is meant.
pub fn is_id(path: &AttributePath) -> bool {
    path.is_plain() && path.name.eq_ignore_ascii_case("id")
}

fn attribute<'s>(path: &AttributePath, shape: &'s ClassShape) -> Result<&'s Attribute, ConnectorError> {
    let found = shape.attribute(&path.name).filter(|_| path.is_plain());
    let found = found.filter(|about| !about.secret);
    found.map(|about| &**about).ok_or_else(|| refuse(&path.to_string(), "is no attribute that can be searched for"))
}

fn text(term: &Term) -> Result<String, ConnectorError> {
    let text = term.value.to_text().map(|text| text.into_owned());
    text.ok_or_else(|| refuse(&term.path.to_string(), "is compared with a single value"))
}

fn refuse(what: &str, why: &str) -> ConnectorError {
    ConnectorError::new(ErrorCode::NotSupported, format!("an LDAP server cannot be searched: `{what}` {why}"))
        .hint("use `eq`, `co`, `sw`, `ew` and `pr` on attributes of the class, joined by `and`, `or` and `not`")
}

/// The filter of a class, and of some of its entries.
pub fn within(shape: &ClassShape, inner: &str) -> String {
    if inner == ALL { shape.class.filter.to_string() } else { format!("(&{}{inner})", shape.class.filter) }
}

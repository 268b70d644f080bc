//! What an operation asks for, in the server's terms: names, values and pieces of a modify request.

use std::collections::BTreeMap;

use ldap3::Mod;
use provost_connector::{ConnectorError, ErrorCode};
use provost_model::{Change, ChangeOp, ObjectId, Text, Value};

use super::catalogue::{Attribute, Kind};
use super::shape::ClassShape;
use super::switch::{How, Switch};
use super::write::Values;
use super::{template, value};

/// All changes of an operation.
#[derive(Debug, Default)]
pub struct Plan {
    /// The name that the entry is to have.
    pub name: Option<String>,
    pub changes: Vec<Piece>,
    /// Whether the account is to be on, where that is one bit of what is there.
    pub on: Option<bool>,
    /// Each single value has to be there, or not, as the changes have it.
    pub exact: bool,
}

/// One attribute of a modify request.
#[derive(Debug, Clone)]
pub struct Piece {
    pub attribute: Text,
    pub op: ChangeOp,
    pub values: Values,
    /// The first value as a text, for the name.
    pub text: Option<String>,
}

impl Piece {
    pub fn is_windows_password(&self) -> bool {
        self.attribute.eq_ignore_ascii_case("unicodePwd")
    }

    pub fn to_mod(&self) -> Mod<Vec<u8>> {
        let (name, values) = (self.attribute.as_bytes().to_vec(), self.values.clone());
        match self.op {
            ChangeOp::Set | ChangeOp::Unset => Mod::Replace(name, values),
            ChangeOp::Add => Mod::Add(name, values),
            ChangeOp::Remove => Mod::Delete(name, values),
        }
    }
}

impl Plan {
    /// Whether an attribute is set that a name may be made of.
    pub fn touches_name(&self) -> bool {
        let naming = ["uid", "cn", "ou", "sAMAccountName", "mail", "o", "dc"];
        self.changes.iter().any(|piece| naming.iter().any(|name| name.eq_ignore_ascii_case(&piece.attribute)))
    }
}

/// The ids that a change points at.
pub fn pointed(change: &Change, shape: &ClassShape) -> Vec<ObjectId> {
    let is_pointer = shape.attribute(&change.path.name).is_some_and(|about| about.kind == Kind::Name);
    if !is_pointer {
        return Vec::new();
    }
    change.value.elements().iter().filter_map(id_of).collect()
}

/// The ids in a change.
pub fn ids_in(change: &Change) -> impl Iterator<Item = ObjectId> {
    change.value.elements().iter().filter_map(id_of)
}

fn id_of(value: &Value) -> Option<ObjectId> {
    match value {
        Value::Reference(reference) => Some(reference.id.clone()),
        Value::Text(text) => Some(text.as_str().into()),
        _ => None,
    }
}

/// Whom the changes point at.
pub struct Pointed<'p> {
    pub names: &'p BTreeMap<ObjectId, String>,
    /// By attribute in lower case, for those that point by a value.
    pub keys: &'p BTreeMap<(Text, ObjectId), String>,
    /// The name of who is gone, as far as it is known.
    pub gone: &'p (dyn Fn(&ObjectId) -> Option<String> + Sync),
}

fn nobody(path: &str, id: &ObjectId) -> ConnectorError {
    ConnectorError::new(ErrorCode::Dependency, format!("`{path}`: there is no entry `{id}`")).at(Text::from(path))
}

/// The changes in the server's terms. What the class has not, or nobody may write, is refused before anything is sent.
pub fn plan(changes: &[Change], shape: &ClassShape, who: &Pointed<'_>) -> Result<Plan, ConnectorError> {
    let mut plan = Plan::default();
    for change in changes {
        let path = change.path.to_string();
        let refuse = |code: ErrorCode, why: &str| {
            ConnectorError::new(code, format!("`{path}` {why}")).at(Text::from(path.as_str()))
        };
        if !change.path.is_plain() {
            return Err(refuse(ErrorCode::NotSupported, "is a part of a value, and LDAP values have no parts"));
        }
        if path.eq_ignore_ascii_case(value::NAME) {
            let name = change.value.as_text().filter(|name| template::rdn(name).is_some());
            let name = name.ok_or_else(|| refuse(ErrorCode::InvalidValue, "is no distinguished name"))?;
            plan.name = Some(name.to_owned());
            continue;
        }
        if let Some(switch) = shape.switch.as_ref().filter(|switch| switch.is_named(&path)) {
            if change.op != ChangeOp::Set {
                return Err(refuse(ErrorCode::NotSupported, "is set to true or false, and nothing else"));
            }
            let on = Switch::wanted(&change.value)?;
            match &switch.how {
                How::Mark { off } => plan.changes.push(mark(switch, off, on)),
                How::Bit(_) | How::Values { .. } => plan.on = Some(on),
            }
            continue;
        }
        let Some(about) = shape.attribute(&change.path.name) else {
            let hint = format!("entries of class `{}` have none; add an object class that allows it", shape.class.name);
            return Err(refuse(ErrorCode::NotSupported, "is no attribute of the class").hint(hint));
        };
        if about.read_only {
            return Err(refuse(ErrorCode::NotSupported, "is given by the server and cannot be written"));
        }
        let piece = piece(change, about, who, &path)?;
        // To remove nothing would be to remove everything.
        if !piece.values.is_empty() || piece.op == ChangeOp::Unset {
            plan.changes.push(piece);
        }
    }
    Ok(plan)
}

/// The whole number, from the one that was given.
pub fn number(switch: &Switch, given: Option<&str>, on: bool) -> Piece {
    let bit = if let How::Bit(bit) = switch.how { bit } else { 0 };
    let number = Switch::turned(bit, given.and_then(|given| given.parse().ok()), on).to_string();
    let values = Values::from([number.into_bytes()]);
    Piece { attribute: switch.attribute.clone(), op: ChangeOp::Set, values, text: None }
}

fn mark(switch: &Switch, off: &str, on: bool) -> Piece {
    let values = if on { Values::new() } else { Values::from([off.as_bytes().to_vec()]) };
    let op = if on { ChangeOp::Unset } else { ChangeOp::Set };
    Piece { attribute: switch.attribute.clone(), op, values, text: None }
}

/// What turns one bit of the number that is there: it has to be there still, so that no other bit is lost.
pub fn turn(switch: &Switch, have: Option<&str>, on: bool) -> Vec<Piece> {
    let How::Bit(bit) = switch.how else { return Vec::new() };
    let wanted = Switch::turned(bit, have.and_then(|have| have.parse().ok()), on).to_string();
    let piece = |op, text: &str| Piece {
        attribute: switch.attribute.clone(),
        op,
        values: Values::from([text.as_bytes().to_vec()]),
        text: None,
    };
    match have {
        Some(have) if have == wanted => Vec::new(),
        Some(have) => vec![piece(ChangeOp::Remove, have), piece(ChangeOp::Add, &wanted)],
        None => vec![piece(ChangeOp::Add, &wanted)],
    }
}

fn piece(change: &Change, about: &Attribute, who: &Pointed<'_>, path: &str) -> Result<Piece, ConnectorError> {
    let secret = about.secret;
    let mut values = Values::new();
    let mut text = None;
    for one in change.value.elements().iter().filter(|one| !one.is_null()) {
        let bytes = match (about.kind, id_of(one)) {
            (Kind::Key, Some(id)) => match who.keys.get(&(about.name.to_lowercase(), id.clone())) {
                Some(key) => key.clone().into_bytes(),
                // Whose value it was, nobody can say any more.
                None if change.op == ChangeOp::Remove => continue,
                None => return Err(nobody(path, &id)),
            },
            (Kind::Name, Some(id)) => match who.names.get(&id) {
                Some(name) => name.clone().into_bytes(),
                None if template::rdn(&id).is_some() => id.to_string().into_bytes(),
                // Who is gone is nobody's member any more.
                None if change.op == ChangeOp::Remove => match (who.gone)(&id) {
                    Some(name) => name.into_bytes(),
                    None => continue,
                },
                None => return Err(nobody(path, &id)),
            },
            _ if about.name.eq_ignore_ascii_case("unicodePwd") => value::quoted(one, path)?,
            _ => value::write(about.kind, secret, one, path)?,
        };
        text = text.or_else(|| one.to_text().map(|text| text.into_owned()));
        values.insert(bytes);
    }
    let mut op = if change.op == ChangeOp::Set && values.is_empty() { ChangeOp::Unset } else { change.op };
    // Never, and not locked, have a number.
    let has_zero = ["accountExpires", "lockoutTime"].iter().any(|name| name.eq_ignore_ascii_case(&about.name));
    if op == ChangeOp::Unset && about.kind == Kind::FileTime && has_zero {
        op = ChangeOp::Set;
        values.insert(b"0".to_vec());
    }
    Ok(Piece { attribute: about.name.clone(), op, values, text })
}

/// Name and attributes of a new entry.
pub fn entry(mut plan: Plan, shape: &ClassShape) -> Result<(String, Vec<(String, Values)>), ConnectorError> {
    let text_of = |name: &str| {
        let set = |piece: &&Piece| piece.attribute.eq_ignore_ascii_case(name) && piece.op != ChangeOp::Unset;
        plan.changes.iter().find(set).and_then(|piece| piece.text.clone())
    };
    let name = match &plan.name {
        Some(name) => name.clone(),
        None => shape.class.dn.fill(text_of).map_err(|missing| {
            let message = format!("`{missing}` has no value, and the name of the entry is made of it");
            ConnectorError::new(ErrorCode::MissingRequired, message)
                .at(missing)
                .hint("map it, or write another `dn:` for the class")
        })?,
    };
    let mut attributes: BTreeMap<String, Values> = BTreeMap::new();
    // Active Directory makes accounts that are off. One that has its password is meant to be used; without one it cannot be.
    if let Some(Switch { attribute, how: How::Bit(_) }) = &shape.switch
        && plan.on.is_none()
        && text_of(attribute).is_none()
        && plan
            .changes
            .iter()
            .any(|piece| piece.attribute.eq_ignore_ascii_case("unicodePwd") && !piece.values.is_empty())
    {
        plan.on = Some(true);
    }
    if let (Some(on), Some(Switch { attribute, how: How::Bit(bit) })) = (plan.on, &shape.switch) {
        let given = text_of(attribute).and_then(|text| text.parse().ok());
        let number = Switch::turned(*bit, given, on).to_string();
        plan.changes.retain(|piece| piece.attribute != *attribute);
        attributes.insert(attribute.to_string(), Values::from([number.into_bytes()]));
    }
    for piece in plan.changes.into_iter().filter(|piece| matches!(piece.op, ChangeOp::Set | ChangeOp::Add)) {
        if !piece.values.is_empty() {
            attributes.entry(piece.attribute.to_string()).or_default().extend(piece.values);
        }
    }
    if !attributes.keys().any(|name| name.eq_ignore_ascii_case("objectClass")) {
        let classes = shape.class.object_classes.iter().map(|class| class.as_bytes().to_vec()).collect();
        attributes.insert("objectClass".to_owned(), classes);
    }
    if let Some(about) = shape.needs_placeholder()
        && !attributes.contains_key(about.name.as_str())
    {
        let nobody = Values::from([shape.class.placeholder.as_bytes().to_vec()]);
        attributes.insert(about.name.to_string(), nobody);
    }
    Ok((name, attributes.into_iter().collect()))
}

/// What the first part of the name and its parent become, when they do; the attribute in the name is taken out of the changes.
pub fn rename(plan: &mut Plan, name: &str) -> Result<Option<(String, String)>, ConnectorError> {
    let Some((first, attribute, parent)) = template::rdn(name) else { return Ok(None) };
    let (first, attribute, parent) = (first.to_owned(), attribute.to_owned(), parent.to_owned());
    if let Some(wanted) = plan.name.take() {
        let is_same = template::normal(&wanted) == template::normal(name);
        let (to, _, above) = template::rdn(&wanted).unwrap_or_default();
        return Ok((!is_same).then(|| (to.to_owned(), above.to_owned())));
    }
    let at = plan.changes.iter().position(|piece| piece.attribute.eq_ignore_ascii_case(&attribute));
    let Some(at) = at else { return Ok(None) };
    let piece = &plan.changes[at];
    let (ChangeOp::Set, 1, Some(text)) = (piece.op, piece.values.len(), &piece.text) else {
        // Other values beside the one in the name come and go as any.
        return Ok(None);
    };
    let to = format!("{attribute}={}", template::escape(text));
    plan.changes.remove(at);
    Ok((template::normal(&to) != template::normal(&first) || to != first).then_some((to, parent)))
}

/// What is left to do where these values are there now: what is there is not added, what is not is not removed.
pub fn left(changes: Vec<Piece>, now: &BTreeMap<String, Values>) -> Vec<Piece> {
    let none = Values::new();
    let mut left = Vec::new();
    for mut piece in changes {
        let have = now.get(&piece.attribute.as_str().to_lowercase()).unwrap_or(&none);
        let has = |value: &Vec<u8>| have.iter().any(|have| same(have, value));
        match piece.op {
            ChangeOp::Add => piece.values.retain(|value| !has(value)),
            ChangeOp::Remove => piece.values.retain(has),
            ChangeOp::Set | ChangeOp::Unset => {
                left.push(piece);
                continue;
            }
        }
        if !piece.values.is_empty() {
            left.push(piece);
        }
    }
    left
}

/// Nearly every attribute whose single values come and go ignores case; a server that does not says so by the next answer.
fn same(one: &[u8], other: &[u8]) -> bool {
    match (std::str::from_utf8(one), std::str::from_utf8(other)) {
        (Ok(one), Ok(other)) if one.contains('=') => template::normal(one) == template::normal(other),
        (Ok(one), Ok(other)) => one.to_lowercase() == other.to_lowercase(),
        _ => one == other,
    }
}

/// Puts the placeholder beside a removal that leaves a group without members; false when that is not what is asked for.
pub fn add_placeholder(changes: &mut Vec<Piece>, shape: &ClassShape) -> bool {
    let Some(about) = shape.needs_placeholder() else { return false };
    let nobody = shape.class.placeholder.as_bytes().to_vec();
    let touches = changes.iter().any(|piece| piece.attribute == about.name && piece.op != ChangeOp::Add);
    let is_there = changes.iter().any(|piece| piece.op == ChangeOp::Add && piece.values.contains(&nobody));
    if !touches || is_there {
        return false;
    }
    let values = Values::from([nobody]);
    changes.push(Piece { attribute: about.name.clone(), op: ChangeOp::Add, values, text: None });
    true
}

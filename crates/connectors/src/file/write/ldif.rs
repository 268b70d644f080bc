//! LDIF, written: content records as objects, and changes for an administrator to apply.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use encoding_rs::{Encoding, UTF_8};
use provost_connector::{ConnectorError, Done, ErrorCode};
use provost_model::{Action, AttributePath, Attributes, Change, ChangeOp, ObjectId, Operation, Text, Value};

use super::super::cell;
use super::super::config::Config;
use super::super::fault::RowFault;
use super::super::ldif::fold::{same_name, split};
use super::super::ldif::record::{self, Kind, is_binary, is_name, listed};
use super::super::ldif::{Block, Blocks, LdifContent, is_a, print};
use super::draft::Draft;
use super::merge::{Met, Writer, refuse};
use super::tree::Notation;

fn invalid(name: &str, message: String, hint: &str) -> ConnectorError {
    ConnectorError::new(ErrorCode::InvalidValue, message).hint(hint).at(name)
}

/// A value as LDIF holds it: texts, of which several are a list.
fn normal(path: &AttributePath, value: Value, config: &Config) -> Result<Value, ConnectorError> {
    let name = path.name.as_str();
    if !is_name(name) {
        let message = format!("`{}` is no name of an LDAP attribute", name.escape_debug());
        return Err(invalid(name, message, "name it in letters, digits and hyphens, with options after `;`"));
    }
    if value.is_unassigned() {
        return Ok(Value::Null);
    }
    let is_reference = config.references.iter().any(|(have, _)| have.eq_ignore_ascii_case(name));
    let mut values = Vec::with_capacity(value.elements().len());
    for one in value.elements() {
        let text = match one {
            // LDAP's own words (RFC 4517 section 3.3.3).
            Value::Boolean(flag) => Text::from(if *flag { "TRUE" } else { "FALSE" }),
            other => cell::plain(other).map(Text::from).ok_or_else(|| {
                let message = format!("`{name}` cannot hold a {} value", other.kind());
                invalid(name, message, "map its sub-attributes to attributes of their own")
            })?,
        };
        if text.len() > config.max_field_bytes {
            let message =
                format!("the value of `{name}` has {} bytes, more than {}", text.len(), config.max_field_bytes);
            return Err(invalid(name, message, "raise `max_field_bytes`, or shorten the value in the mapping"));
        }
        if is_binary(name, config) && STANDARD.decode(text.as_bytes()).is_err() {
            let message = format!("the value of `{name}` is no base64");
            return Err(invalid(name, message, "attributes under `binary` are sent as base64"));
        }
        if name.eq_ignore_ascii_case("dn") && !is_dn(&text) {
            let message = "`dn` is no distinguished name".to_owned();
            return Err(invalid(name, message, "write it as in RFC 4514: cn=Ada\\, Lovelace,ou=people,dc=example"));
        }
        values.push(if is_reference && one.as_reference().is_some() { one.clone() } else { Value::Text(text) });
    }
    if name.eq_ignore_ascii_case("dn") && values.len() != 1 {
        return Err(invalid(name, "an entry has one `dn`".to_owned(), "map one value"));
    }
    Ok(listed(name, values, config))
}

/// Whether a text is a distinguished name, as far as its structure goes (RFC 4514 section 3).
fn is_dn(dn: &str) -> bool {
    let mut rest = dn;
    loop {
        let (rdn, more) = split(rest);
        let Some((name, value)) = rdn.split_once('=') else { return false };
        let bytes = value.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            match bytes[at] {
                0 | b'"' | b'<' | b'>' | b'\n' | b'\r' => return false,
                b'\\' => match bytes.get(at + 1) {
                    Some(b' ' | b'"' | b'#' | b'+' | b',' | b';' | b'<' | b'=' | b'>' | b'\\') => at += 1,
                    Some(one) if one.is_ascii_hexdigit() && bytes.get(at + 2).is_some_and(u8::is_ascii_hexdigit) => {
                        at += 2
                    }
                    _ => return false,
                },
                _ => {}
            }
            at += 1;
        }
        if !is_name(name.trim()) || value.trim().is_empty() {
            return false;
        }
        if more.is_empty() {
            return rdn.len() == rest.len();
        }
        rest = more;
    }
}

fn bytes(name: &str, value: &Value, config: &Config) -> Result<Vec<u8>, ConnectorError> {
    let text = cell::plain(value).unwrap_or_default();
    if is_binary(name, config) {
        return STANDARD.decode(text.as_bytes()).map_err(|_| {
            invalid(name, format!("the value of `{name}` is no base64"), "attributes under `binary` are sent as base64")
        });
    }
    Ok(text.into_owned().into_bytes())
}

fn lines(out: &mut Vec<u8>, name: &str, value: &Value, config: &Config, end: &[u8]) -> Result<(), ConnectorError> {
    let one = std::slice::from_ref(value);
    let values = match value {
        Value::List(values) => values.as_slice(),
        Value::Null => &[],
        _ => one,
    };
    for value in values {
        print::line(out, name, &bytes(name, value, config)?, end);
    }
    Ok(())
}

/// The line end of the file, told by a block of it.
fn line_end(block: &[u8]) -> &'static [u8] {
    if block.windows(2).any(|two| two == b"\r\n") { b"\r\n" } else { b"\n" }
}

impl Notation for LdifContent {
    fn open(config: &Arc<Config>) -> Result<Self, ConnectorError> {
        let mut content = LdifContent::open(config)?;
        content.holds_names = true;
        Ok(content)
    }

    fn encoding(_: Option<&Self>, _: &Config) -> &'static Encoding {
        UTF_8
    }

    fn begin(old: Option<&Self>, _: &Config, draft: &mut Draft) -> Result<(), ConnectorError> {
        match old {
            Some(old) if old.blocks().input().bom > 0 => draft.byte_order_mark(),
            // No version: `ldapmodify` does without it, and `slapadd` takes it for an attribute.
            _ => Ok(()),
        }
    }

    fn normal(path: &AttributePath, value: Value, config: &Config) -> Result<Value, ConnectorError> {
        normal(path, value, config)
    }

    fn settle(record: &mut Attributes, config: &Config) {
        let names: Vec<String> = record.iter().map(|(name, _)| name.to_owned()).collect();
        for name in names {
            match record.remove(&name) {
                Some(Value::List(values)) if !values.is_empty() => {
                    record.push(name.as_str(), listed(&name, values, config))
                }
                Some(value) if !value.is_null() && value != Value::List(Vec::new()) => {
                    record.push(name.as_str(), value)
                }
                _ => {}
            }
        }
        if let Some(class) = &config.shape.object_class
            && record.find("objectClass").is_none()
        {
            record.push("objectClass", listed("objectClass", vec![Value::Text(class.clone())], config));
        }
    }

    fn print(old: Option<&Self>, record: &Attributes, config: &Config) -> Result<Vec<u8>, ConnectorError> {
        if let Some(class) = config.shape.object_class.as_ref().filter(|class| !is_a(record, class)) {
            let message = format!("the entry is none of object class `{class}`, and would not be read again");
            return Err(invalid("objectClass", message, "map `objectClass` with that class in it, or leave it out"));
        }
        let block = old.map(|old| old.blocks().text.as_slice()).unwrap_or_default();
        let end = line_end(block);
        let mut out = comments(block).to_vec();
        lines(&mut out, "dn", record.find("dn").unwrap_or(&Value::Null), config, end)?;
        for (name, value) in record.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("dn")) {
            lines(&mut out, name, value, config, end)?;
        }
        out.extend_from_slice(end);
        Ok(out)
    }

    fn parse(text: &[u8], config: &Config) -> Option<Attributes> {
        let entry = record::read(text, config).ok()?;
        let Kind::Content(attributes) = entry.kind else { return None };
        let mut all: Attributes = [("dn", entry.dn)].into_iter().collect();
        attributes.into_iter().for_each(|(name, value)| all.push(name, value));
        Some(all)
    }

    fn copy(&self, draft: &mut Draft) -> Result<(), ConnectorError> {
        let blocks = self.blocks();
        draft.write(&blocks.text)?;
        if blocks.closed || blocks.text.is_empty() || blocks.body().starts_with(b"version:") {
            return Ok(());
        }
        // What follows has to be a record of its own.
        let end = line_end(&blocks.text);
        if !blocks.text.ends_with(b"\n") {
            draft.write(end)?;
        }
        draft.write(end)
    }

    fn finish(_: Option<&Self>, draft: &mut Draft, empty: bool) -> Result<(), ConnectorError> {
        // What tells a file without entries from one that was cut.
        if empty { draft.write(b"\n") } else { Ok(()) }
    }

    fn refuse(&self, fault: &RowFault) -> Option<&'static str> {
        match fault.error.code {
            _ if self.is_passed_over() => Some("begins a record that is longer than one may be"),
            ErrorCode::Unreadable => {
                Some("begins a record without its end, so another program may be writing the file")
            }
            _ => None,
        }
    }
}

/// The comment lines in front of a block's record.
fn comments(block: &[u8]) -> &[u8] {
    let mut end = 0;
    let mut inside = false;
    for line in block.split_inclusive(|byte| *byte == b'\n') {
        inside = line.starts_with(b"#") || (inside && line.starts_with(b" "));
        if !inside {
            break;
        }
        end += line.len();
    }
    &block[..end]
}

/// Changes being appended to a file of changes.
pub(super) struct Changes {
    config: Arc<Config>,
    old: Option<Blocks>,
    /// By the entry's name: whether the last change of the file leaves it there.
    last: HashMap<String, bool>,
    bare_end: bool,
}

/// What is appended about one entry.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Appended {
    text: Vec<u8>,
    exists: Option<bool>,
}

pub(super) struct Edit {
    action: Action,
    id: ObjectId,
    text: Vec<u8>,
    changed: Attributes,
}

impl Changes {
    pub fn open(config: &Arc<Config>, exists: bool) -> Result<Self, ConnectorError> {
        let old = if exists { Some(Blocks::open(config)?) } else { None };
        Ok(Self { config: config.clone(), old, last: HashMap::new(), bare_end: false })
    }

    fn change_text(&self, id: &str, changes: &[Change]) -> Result<Vec<u8>, ConnectorError> {
        let mut out = Vec::new();
        for change in changes {
            let name = change.path.name.as_str();
            if name.eq_ignore_ascii_case("dn") {
                if change.op == ChangeOp::Set && cell::plain(&change.value).as_deref() == Some(id) {
                    continue;
                }
                let message = "`dn` is the key of the entry and does not change";
                return Err(ConnectorError::new(ErrorCode::NotSupported, message)
                    .hint("let the mapping write it on create only"));
            }
            let verb = match change.op {
                ChangeOp::Set | ChangeOp::Unset => "replace",
                ChangeOp::Add => "add",
                ChangeOp::Remove => "delete",
            };
            let value = if change.op == ChangeOp::Unset { &Value::Null } else { &change.value };
            if value.is_null() && verb != "replace" {
                continue;
            }
            print::line(&mut out, verb, name.as_bytes(), b"\n");
            lines(&mut out, name, value, &self.config, b"\n")?;
            out.extend_from_slice(b"-\n");
        }
        Ok(out)
    }

    fn text(&self, action: Action, id: &str, changes: &[Change]) -> Result<Vec<u8>, ConnectorError> {
        let mut out = Vec::new();
        print::line(&mut out, "dn", id.as_bytes(), b"\n");
        match action {
            Action::Create => {
                out.extend_from_slice(b"changetype: add\n");
                let mut record = Attributes::new();
                for change in changes.iter().filter(|change| !change.path.name.eq_ignore_ascii_case("dn")) {
                    record.set(change.path.name.clone(), change.value.clone());
                }
                if record.find("objectClass").is_none()
                    && let Some(class) = &self.config.shape.object_class
                {
                    record.push("objectClass", Value::Text(class.clone()));
                }
                if record.find("objectClass").is_none_or(Value::is_unassigned) {
                    let message = "a new entry needs its object classes, `objectClass`".to_owned();
                    return Err(ConnectorError::new(ErrorCode::MissingRequired, message)
                        .hint("map a value to `objectClass`, or set object_class")
                        .at("objectClass"));
                }
                for (name, value) in record.iter() {
                    lines(&mut out, name, value, &self.config, b"\n")?;
                }
            }
            Action::Delete => out.extend_from_slice(b"changetype: delete\n"),
            _ => {
                let changes = self.change_text(id, changes)?;
                if changes.is_empty() {
                    return Ok(Vec::new());
                }
                out.extend_from_slice(b"changetype: modify\n");
                out.extend_from_slice(&changes);
            }
        }
        out.push(b'\n');
        Ok(out)
    }
}

impl Writer for Changes {
    type Edit = Edit;
    type State = Appended;

    fn encoding(&self) -> &'static Encoding {
        UTF_8
    }

    fn edit(&mut self, operation: &Operation) -> Result<Edit, ConnectorError> {
        super::tree::refuse_operation(operation, &self.config)?;
        let mut changed = Attributes::new();
        let mut changes = Vec::with_capacity(operation.changes.len() + 1);
        for change in &operation.changes {
            let path = AttributePath::name(super::super::column_name(&change.path).into_owned());
            let value = normal(&path, change.value.clone(), &self.config)?;
            if value != change.value && !value.is_unassigned() && change.op == ChangeOp::Set {
                changed.set(path.name.clone(), value.clone());
            }
            changes.push(Change { path: Arc::new(path), value, ..change.clone() });
        }
        super::tree::switch(&self.config, operation.action, &mut changes)?;
        let named = changes.iter().rev().find(|change| change.path.name.eq_ignore_ascii_case("dn"));
        let id = match (operation.action, &operation.target_id) {
            (Action::Create, _) => named.and_then(|change| cell::plain(&change.value)).map(|dn| ObjectId::from(&*dn)),
            (_, id) => id.clone().filter(|id| !id.is_empty()),
        };
        let Some(id) = id else {
            let message = format!("the {} names no entry", operation.action);
            return Err(ConnectorError::new(ErrorCode::MissingRequired, message).hint("map a value to `dn`").at("dn"));
        };
        let text = self.text(operation.action, &id, &changes)?;
        Ok(Edit { action: operation.action, id, text, changed })
    }

    fn whose(edit: &Edit) -> &ObjectId {
        &edit.id
    }

    fn apply(&self, edit: &Edit, record: &mut Option<Appended>) -> Result<Done, ConnectorError> {
        let file = &self.config.file;
        let known = self.last.get(&same_name(&edit.id)).copied();
        let mut now = record.clone().unwrap_or(Appended { text: Vec::new(), exists: known });
        let done = Done { target_id: edit.id.clone(), changed: edit.changed.clone(), ..Done::default() };
        match (edit.action, now.exists) {
            (Action::Create, Some(true)) => {
                let mut error = ConnectorError::new(ErrorCode::AlreadyExists, format!("{file} adds `{}`", edit.id));
                error.existing_id = Some(edit.id.clone());
                return Err(error.hint("match it instead of creating it"));
            }
            // It is to be gone already.
            (Action::Delete, Some(false)) => return Ok(done),
            (Action::Create | Action::Delete, _) => now.exists = Some(edit.action == Action::Create),
            (_, Some(false)) => {
                let message = format!("{file} deletes the entry `{}`", edit.id);
                return Err(ConnectorError::new(ErrorCode::NotFound, message));
            }
            _ => {}
        }
        if !edit.text.is_empty() {
            now.text.extend_from_slice(&edit.text);
            *record = Some(now);
        }
        Ok(done)
    }

    fn begin(&mut self, draft: &mut Draft) -> Result<bool, ConnectorError> {
        match &self.old {
            Some(old) if old.input().bom > 0 => draft.byte_order_mark()?,
            _ => {}
        }
        Ok(false)
    }

    fn next(&mut self) -> Result<Met, ConnectorError> {
        let Some(old) = &mut self.old else { return Ok(Met::End) };
        let end = match old.next()? {
            Block::End => return Ok(Met::End),
            Block::Aside => None,
            Block::TooLong => Some("begins a record that is longer than one may be"),
            Block::Lines if !old.closed => {
                Some("begins a record without its end, so another program may be writing the file")
            }
            Block::Lines => match record::read(old.body(), &self.config) {
                Ok(entry) => {
                    let exists = !matches!(entry.kind, Kind::Delete | Kind::Rename { .. });
                    self.last.insert(same_name(&entry.dn), exists);
                    None
                }
                Err(_) => Some("begins a record that cannot be read"),
            },
        };
        // A comment at the end must not run into the first new record.
        self.bare_end = !old.closed && !old.text.starts_with(b"version:");
        match end {
            Some(what) => Err(refuse(&self.config, old.line, what)),
            None => Ok(Met::Nobody),
        }
    }

    fn state(&self) -> Result<Appended, Box<RowFault>> {
        Ok(Appended { text: Vec::new(), exists: None })
    }

    fn copy(&self, draft: &mut Draft) -> Result<(), ConnectorError> {
        let Some(old) = &self.old else { return Ok(()) };
        draft.write(&old.text)?;
        if !self.bare_end {
            return Ok(());
        }
        draft.write(if old.text.ends_with(b"\n") { b"\n" } else { b"\n\n" })
    }

    fn put(&self, record: &Appended, draft: &mut Draft) -> Result<(), ConnectorError> {
        draft.write(&record.text)
    }

    fn finish(&mut self, _: &mut Draft, _: bool) -> Result<(), ConnectorError> {
        Ok(())
    }

    fn disturbance(&self, path: &Path) -> Option<String> {
        self.old.as_ref()?.input().disturbance(path)
    }
}

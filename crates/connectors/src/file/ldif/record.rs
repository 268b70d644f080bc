//! One block of LDIF as a record (RFC 2849). Folded lines are joined, base64 is decoded, values by URL are refused: a file
//! must not make the reader fetch another one.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use provost_connector::ErrorCode;
use provost_model::{Attributes, Text, Value};

use super::super::config::Config;

/// Values of one record.
const MAX_VALUES: usize = 1_000_000;

/// What a block says.
#[derive(Debug, PartialEq)]
pub(in crate::file) struct Entry {
    pub dn: Text,
    pub kind: Kind,
}

#[derive(Debug, PartialEq)]
pub(in crate::file) enum Kind {
    /// An object as it is.
    Content(Attributes),
    Add(Attributes),
    Delete,
    Modify(Vec<Modification>),
    Rename {
        rdn: Text,
        delete_old: bool,
        superior: Option<Text>,
    },
}

#[derive(Debug, PartialEq)]
pub(in crate::file) struct Modification {
    pub verb: Verb,
    pub name: Text,
    pub values: Vec<Value>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::file) enum Verb {
    Add,
    Delete,
    Replace,
}

/// Why a block is no record. Messages hold no values.
#[derive(Debug)]
pub(in crate::file) struct Fault {
    /// From the block's first line.
    pub line: u64,
    /// The name, where that much could be read.
    pub dn: Option<Text>,
    pub code: ErrorCode,
    pub message: String,
    pub hint: &'static str,
}

impl Fault {
    fn new(line: u64, message: impl Into<String>, hint: &'static str) -> Self {
        Self { line, dn: None, code: ErrorCode::InvalidValue, message: message.into(), hint }
    }

    pub fn too_long() -> Self {
        Self::new(0, "the record is longer than a record may be and was passed over", "raise `max_field_bytes`")
    }

    pub fn other_class(class: &str) -> Self {
        let message = format!("the entry is none of object class `{class}`");
        Self::new(0, message, "name the entry otherwise, or change `object_class`")
    }

    pub fn cut() -> Self {
        let message = "no empty line follows the last record, so it may be cut short";
        Self { code: ErrorCode::Unreadable, ..Self::new(0, message, "see why the scan is incomplete") }
    }
}

/// The result that `ldapsearch` writes after the entries, without `-LLL`.
pub(super) fn search_result(block: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(block).ok()?;
    let mut lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.next().filter(|line| line.starts_with("search: "))?;
    let result = lines.find_map(|line| line.strip_prefix("result: "))?;
    Some(result.chars().take(80).collect())
}

/// A joined line: its number in the block, its name and its value.
struct Part {
    line: u64,
    name: Text,
    value: Vec<u8>,
}

/// Reads a block.
pub(in crate::file) fn read(block: &[u8], config: &Config) -> Result<Entry, Fault> {
    let mut lines = unfold(block)?.into_iter().peekable();
    let first = lines.next().ok_or_else(|| Fault::new(0, "the record is empty", "remove it"))?;
    let first = part(first)?;
    if !first.name.eq_ignore_ascii_case("dn") {
        let message = format!("the record begins with `{}`, not with `dn`", first.name);
        return Err(Fault::new(first.line, message, "an LDIF record begins with the entry's name"));
    }
    let dn = text(&first, "dn", config)?;
    if dn.is_empty() {
        return Err(Fault::new(first.line, "the record has an empty `dn`", "name the entry"));
    }
    let kind = rest(lines, config).map_err(|fault| Fault { dn: Some(dn.clone()), ..fault })?;
    Ok(Entry { dn, kind })
}

type Joined = (u64, Vec<u8>);
type Rest = std::iter::Peekable<std::vec::IntoIter<Joined>>;

fn rest(mut lines: Rest, config: &Config) -> Result<Kind, Fault> {
    let is = |line: Option<&Joined>, word: &[u8]| {
        line.and_then(|(_, line)| line.get(..word.len())).is_some_and(|start| start.eq_ignore_ascii_case(word))
    };
    while is(lines.peek(), b"control:") {
        let (line, text) = lines.next().unwrap_or_default();
        if String::from_utf8_lossy(&text).contains(" true") {
            let hint = "read such changes by the directory itself";
            return Err(Fault::new(line, "the change needs a control that a file cannot honour", hint));
        }
    }
    if !is(lines.peek(), b"changetype:") {
        return Ok(Kind::Content(attributes(lines, config)?));
    }
    let change = part(lines.next().unwrap_or_default())?;
    match text(&change, "changetype", config)?.to_ascii_lowercase().as_str() {
        "add" => Ok(Kind::Add(attributes(lines, config)?)),
        "delete" => match lines.next() {
            None => Ok(Kind::Delete),
            Some((line, _)) => {
                Err(Fault::new(line, "a delete has nothing after it", "put an empty line between records"))
            }
        },
        "modify" => Ok(Kind::Modify(modifications(lines, config)?)),
        "modrdn" | "moddn" => rename(lines, config),
        other => {
            let message = format!("there is no change `{}`", other.escape_debug());
            Err(Fault::new(change.line, message, "changes are add, delete, modify, modrdn and moddn"))
        }
    }
}

fn attributes(lines: Rest, config: &Config) -> Result<Attributes, Fault> {
    let mut attributes = Attributes::new();
    let mut places: std::collections::HashMap<Text, usize> = std::collections::HashMap::new();
    let mut names: Vec<(Text, Vec<Value>)> = Vec::new();
    for (count, line) in lines.enumerate() {
        let part = part(line)?;
        if part.name.eq_ignore_ascii_case("dn") || count >= MAX_VALUES {
            let hint = "put an empty line between records";
            return Err(Fault::new(part.line, format!("`{}` stands inside a record", part.name), hint));
        }
        let value = Value::Text(value(&part, config)?);
        let at = *places.entry(part.name.to_ascii_lowercase()).or_insert_with(|| {
            names.push((part.name.clone(), Vec::new()));
            names.len() - 1
        });
        names[at].1.push(value);
    }
    for (name, values) in names {
        let value = listed(&name, values, config);
        attributes.push(name, value);
    }
    Ok(attributes)
}

/// Several values are a list; one is itself, but where the settings ask for lists.
pub(in crate::file) fn listed(name: &str, mut values: Vec<Value>, config: &Config) -> Value {
    let always = config.lists.iter().any(|list| list.eq_ignore_ascii_case(name));
    match values.len() {
        1 if !always => values.pop().unwrap_or_default(),
        _ => Value::List(values),
    }
}

fn modifications(mut lines: Rest, config: &Config) -> Result<Vec<Modification>, Fault> {
    let mut all = Vec::new();
    while let Some(line) = lines.next() {
        let head = part(line)?;
        let verb = match head.name.to_ascii_lowercase().as_str() {
            "add" => Verb::Add,
            "delete" => Verb::Delete,
            "replace" => Verb::Replace,
            other => {
                let hint = "modifications are add, delete and replace, each ended by a line with `-` alone";
                return Err(Fault::new(head.line, format!("there is no modification `{other}`"), hint));
            }
        };
        let name = text(&head, "modification", config)?;
        check_name(&name, head.line)?;
        let mut values = Vec::new();
        loop {
            match lines.next() {
                Some((_, line)) if line == b"-" => break,
                // The last one is often left without its end.
                None => break,
                Some(line) => {
                    let part = part(line)?;
                    if !part.name.eq_ignore_ascii_case(&name) {
                        let message = format!("`{}` stands in a modification of `{name}`", part.name);
                        return Err(Fault::new(part.line, message, "end a modification by a line with `-` alone"));
                    }
                    values.push(Value::Text(value(&part, config)?));
                }
            }
        }
        if values.is_empty() && verb == Verb::Add {
            return Err(Fault::new(head.line, "a modification adds nothing", "give the values to add"));
        }
        all.push(Modification { verb, name, values });
    }
    Ok(all)
}

fn rename(mut lines: Rest, config: &Config) -> Result<Kind, Fault> {
    let (mut rdn, mut delete_old, mut superior) = (None, None, None);
    for line in lines.by_ref() {
        let part = part(line)?;
        let text = text(&part, "name", config)?;
        match part.name.to_ascii_lowercase().as_str() {
            "newrdn" if rdn.is_none() => rdn = Some(text),
            "deleteoldrdn" if delete_old.is_none() && matches!(text.as_str(), "0" | "1") => {
                delete_old = Some(text == "1")
            }
            "newsuperior" if superior.is_none() => superior = Some(text),
            other => {
                let hint = "a rename has `newrdn`, `deleteoldrdn` (0 or 1) and `newsuperior`";
                return Err(Fault::new(part.line, format!("`{other}` has no place in a rename"), hint));
            }
        }
    }
    match (rdn, delete_old) {
        (Some(rdn), Some(delete_old)) if !rdn.is_empty() => Ok(Kind::Rename { rdn, delete_old, superior }),
        _ => Err(Fault::new(0, "a rename needs `newrdn` and `deleteoldrdn`", "write both")),
    }
}

/// Joins folded lines and leaves comments out.
fn unfold(block: &[u8]) -> Result<Vec<Joined>, Fault> {
    let mut joined: Vec<Joined> = Vec::new();
    let mut in_comment = false;
    for (number, line) in block.split(|byte| *byte == b'\n').enumerate() {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            continue;
        }
        if let Some(more) = line.strip_prefix(b" ") {
            match joined.last_mut() {
                _ if in_comment => {}
                Some((_, text)) => text.extend_from_slice(more),
                None => {
                    let hint = "a line that begins with a blank goes on with the one before";
                    return Err(Fault::new(number as u64, "the record begins with a blank", hint));
                }
            }
            continue;
        }
        in_comment = line.starts_with(b"#");
        if !in_comment {
            joined.push((number as u64, line.to_vec()));
        }
    }
    Ok(joined)
}

fn part((line, text): Joined) -> Result<Part, Fault> {
    let Some(colon) = text.iter().position(|byte| *byte == b':') else {
        return Err(Fault::new(line, "the line has no colon", "each line is a name, a colon and a value"));
    };
    let name = String::from_utf8_lossy(&text[..colon]).into_owned();
    check_name(&name, line)?;
    let blanks = |text: &[u8]| text.iter().take_while(|byte| **byte == b' ').count();
    let rest = &text[colon + 1..];
    let value = match rest.first() {
        Some(b':') => {
            let coded = &rest[1..];
            let coded = coded[blanks(coded)..].trim_ascii_end();
            STANDARD.decode(coded).map_err(|_| {
                Fault::new(line, format!("the value of `{name}` is no base64"), "a value after `::` is base64")
            })?
        }
        Some(b'<') => {
            let message = format!("the value of `{name}` is to be read from elsewhere (`:<`)");
            return Err(Fault::new(line, message, "write the value itself, in base64 after `::`"));
        }
        _ => rest[blanks(rest)..].to_vec(),
    };
    Ok(Part { line, name: name.into(), value })
}

/// An attribute description (RFC 4512 section 2.5), underscores allowed as some directories do.
pub(in crate::file) fn is_name(name: &str) -> bool {
    let mut options = name.split(';');
    let first = options.next().unwrap_or_default();
    let is_word = |word: &str| {
        !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'))
    };
    first.starts_with(|first: char| first.is_ascii_alphanumeric()) && is_word(first) && options.all(is_word)
}

fn check_name(name: &str, line: u64) -> Result<(), Fault> {
    if is_name(name) {
        return Ok(());
    }
    let shown: String = name.chars().take(40).collect();
    let message = format!("`{}` is no name of an attribute", shown.escape_debug());
    Err(Fault::new(line, message, "names are letters, digits and hyphens, with options after `;`"))
}

fn text(part: &Part, what: &str, config: &Config) -> Result<Text, Fault> {
    if part.value.len() > config.max_field_bytes {
        return Err(too_large(part, config));
    }
    std::str::from_utf8(&part.value).map(Text::from).map_err(|_| {
        Fault::new(part.line, format!("the {what} holds bytes that are no UTF-8"), "LDIF is written in UTF-8")
    })
}

/// Whether values of an attribute are bytes, which are held as base64.
pub(in crate::file) fn is_binary(name: &str, config: &Config) -> bool {
    let base = name.split(';').next().unwrap_or_default();
    name.split(';').skip(1).any(|option| option.eq_ignore_ascii_case("binary"))
        || config.shape.binary.iter().any(|have| have.eq_ignore_ascii_case(name) || have.eq_ignore_ascii_case(base))
}

fn value(part: &Part, config: &Config) -> Result<Text, Fault> {
    if is_binary(&part.name, config) {
        if part.value.len() > config.max_field_bytes {
            return Err(too_large(part, config));
        }
        return Ok(STANDARD.encode(&part.value).into());
    }
    text(part, &format!("value of `{}`", part.name), config).map_err(|fault| {
        if part.value.len() > config.max_field_bytes {
            return fault;
        }
        Fault { hint: "name the attribute under `binary` when its values are bytes", ..fault }
    })
}

fn too_large(part: &Part, config: &Config) -> Fault {
    let message =
        format!("the value of `{}` has {} bytes, more than {}", part.name, part.value.len(), config.max_field_bytes);
    Fault::new(part.line, message, "raise `max_field_bytes`")
}

//! The settings of a connection, checked as far as that goes offline. Nothing here asks the database.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use provost_connector::{ConnectorError, ErrorCode, SettingProblem, Settings};
use provost_model::{ClassName, Text, Value};
use serde::{Deserialize, Deserializer};

use super::address::Address;
use super::own::Statements;
use super::statement::{TableName, Verbatim};
pub(super) use crate::setting::problem;
use crate::setting::{self, SecretHandle, span};

/// As written under the connection's name.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    url: Text,
    #[serde(default)]
    user: Option<Text>,
    #[serde(default, deserialize_with = "setting::secret")]
    password: Option<SecretHandle>,
    #[serde(default)]
    tls: Option<Tls>,
    #[serde(default)]
    ca: Option<PathBuf>,
    #[serde(default)]
    timeout: serde_json::Value,
    #[serde(default)]
    max_in_flight: Option<usize>,
    classes: BTreeMap<Text, RawClass>,
    #[serde(default, rename = "connector")]
    _connector: Option<Text>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Tls {
    Off,
    Prefer,
    Require,
    Verify,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawClass {
    #[serde(default)]
    table: Option<Text>,
    #[serde(default)]
    query: Option<String>,
    key: OneOrMany,
    /// Column to attribute; null hides it.
    #[serde(default)]
    columns: BTreeMap<Text, Option<Text>>,
    #[serde(default)]
    references: BTreeMap<Text, ClassName>,
    #[serde(default)]
    children: BTreeMap<Text, RawChild>,
    #[serde(default)]
    soft_delete: Option<RawSoftDelete>,
    #[serde(default)]
    enabled: Option<RawEnabled>,
    #[serde(default)]
    changes: Option<RawChanges>,
    #[serde(default)]
    statements: BTreeMap<Text, String>,
    #[serde(default)]
    write: Option<bool>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(Text),
    Many(Vec<Text>),
}

impl OneOrMany {
    fn into_vec(self) -> Vec<Text> {
        match self {
            OneOrMany::One(name) => vec![name],
            OneOrMany::Many(names) => names,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawChild {
    table: Text,
    key: OneOrMany,
    value: Text,
    #[serde(default)]
    references: Option<ClassName>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSoftDelete {
    column: Text,
    value: serde_json::Value,
    /// Given as null is another thing than not given.
    #[serde(default, deserialize_with = "given")]
    live: Option<serde_json::Value>,
}

fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<serde_json::Value>, D::Error> {
    serde_json::Value::deserialize(deserializer).map(Some)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEnabled {
    column: Text,
    #[serde(default = "yes")]
    on: serde_json::Value,
    #[serde(default = "no")]
    off: serde_json::Value,
}

fn yes() -> serde_json::Value {
    true.into()
}

fn no() -> serde_json::Value {
    false.into()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawChanges {
    #[serde(default)]
    watermark: Option<Text>,
    #[serde(default)]
    table: Option<Text>,
    #[serde(default)]
    key: Option<OneOrMany>,
    #[serde(default)]
    order: Option<Text>,
    #[serde(default, rename = "type")]
    kind: Option<Text>,
    #[serde(default)]
    deleted: Option<OneOrMany>,
    /// Whole numbers, or seconds where the order is a time.
    #[serde(default)]
    overlap: Option<u32>,
}

/// The settings, checked.
#[derive(Debug)]
pub(super) struct Config {
    pub address: Address,
    pub user: Option<Text>,
    pub password: Option<SecretHandle>,
    pub tls: Tls,
    pub ca: Option<PathBuf>,
    pub timeout: Duration,
    pub max_in_flight: usize,
    pub classes: Vec<ClassConfig>,
}

#[derive(Debug)]
pub(super) struct ClassConfig {
    pub name: ClassName,
    pub from: Source,
    pub key: Vec<Text>,
    pub columns: BTreeMap<Text, Option<Text>>,
    pub references: BTreeMap<Text, ClassName>,
    pub children: Vec<ChildConfig>,
    pub soft_delete: Option<SoftDeleteConfig>,
    pub enabled: Option<(Text, Value, Value)>,
    pub changes: Option<ChangesConfig>,
    pub statements: Statements,
    pub write: bool,
}

#[derive(Debug)]
pub(super) enum Source {
    Table(TableName),
    Query(Verbatim),
}

#[derive(Debug)]
pub(super) struct ChildConfig {
    pub attribute: Text,
    pub table: TableName,
    pub key: Vec<Text>,
    pub value: Text,
    pub references: Option<ClassName>,
}

#[derive(Debug)]
pub(super) struct SoftDeleteConfig {
    pub column: Text,
    /// None: the time of the deletion.
    pub value: Option<Value>,
    pub live: Option<Value>,
}

#[derive(Debug, Clone)]
pub(super) enum ChangesConfig {
    Watermark { column: Text, overlap: u32 },
    History(HistoryConfig),
}

#[derive(Debug, Clone)]
pub(super) struct HistoryConfig {
    pub table: TableName,
    pub key: Vec<Text>,
    pub order: Text,
    pub kind: Option<Text>,
    pub deleted: Vec<Text>,
    pub overlap: u32,
}

/// Reads the settings; every problem, or the checked form.
pub(super) fn read(settings: &Settings) -> Result<Config, Vec<SettingProblem>> {
    let raw: Raw = settings.read().map_err(|mut problem| {
        problem.hint.get_or_insert_with(|| "the connector's documentation lists every setting".to_owned());
        vec![problem]
    })?;
    let mut problems = Vec::new();
    let address = Address::parse(&raw.url, settings);
    if let Err((message, hint)) = &address {
        problems.push(problem("url", message.clone(), *hint));
    }
    let timeout = span(&raw.timeout).unwrap_or_else(|found| {
        problems.push(found);
        None
    });
    let timeout = timeout.unwrap_or(Duration::from_secs(30));
    if raw.max_in_flight == Some(0) {
        problems.push(problem("max_in_flight", "`max_in_flight` has to be at least 1", "leave it out for 8"));
    }
    let ca = raw.ca.map(|path| settings.path(path));
    if let Some(path) = ca.as_ref().filter(|path| !path.is_file()) {
        let message = format!("there is no file {}", path.display());
        problems.push(problem("ca", message, "give the path of a PEM file"));
    }
    if raw.classes.is_empty() {
        let hint = "name a table: classes: { person: { table: people, key: id } }";
        problems.push(problem("classes", "`classes` is empty", hint));
    }
    let mut classes = Vec::new();
    for (name, class) in raw.classes {
        match read_class(name, class) {
            Ok(class) => classes.push(class),
            Err(found) => problems.extend(found),
        }
    }
    match address {
        Ok(address) if problems.is_empty() => Ok(Config {
            tls: raw.tls.unwrap_or(if address.is_loopback() { Tls::Prefer } else { Tls::Verify }),
            address,
            user: raw.user,
            password: raw.password,
            ca,
            timeout,
            max_in_flight: raw.max_in_flight.unwrap_or(8),
            classes,
        }),
        _ => Err(problems),
    }
}

/// The same as one error, for `configure`.
pub(super) fn require(settings: &Settings) -> Result<Config, ConnectorError> {
    read(settings).map_err(|problems| match problems.into_iter().next() {
        Some(problem) => problem.into(),
        None => ConnectorError::new(ErrorCode::InvalidConfig, "the settings cannot be read"),
    })
}

fn read_class(name: Text, raw: RawClass) -> Result<ClassConfig, Vec<SettingProblem>> {
    let mut problems = Vec::new();
    let at = |setting: &str| format!("classes.{name}.{setting}");
    let mut table = |setting: &str, text: &str| {
        let found = TableName::parse(text);
        if found.is_none() {
            let hint = "write `table` or `schema.table`; a name with a dot goes in double quotes";
            problems.push(problem(at(setting), format!("`{text}` is no table name"), hint));
        }
        found
    };
    let source = match (&raw.table, &raw.query) {
        (Some(text), None) => table("table", text).map(Source::Table),
        (None, Some(query)) => Some(Source::Query(Verbatim(query.trim().trim_end_matches(';').trim_end().to_owned()))),
        _ => None,
    };
    let mut children = Vec::new();
    for (attribute, child) in raw.children {
        let Some(found) = table(&format!("children.{attribute}.table"), &child.table) else { continue };
        let key = child.key.into_vec();
        children.push(ChildConfig { attribute, table: found, key, value: child.value, references: child.references });
    }
    let changes = match raw.changes {
        None => None,
        Some(RawChanges {
            watermark: Some(column),
            table: None,
            key: None,
            order: None,
            kind: None,
            deleted: None,
            overlap,
        }) => Some(ChangesConfig::Watermark { column, overlap: overlap.unwrap_or(0) }),
        Some(RawChanges {
            watermark: None,
            table: Some(text),
            key: Some(key),
            order: Some(order),
            kind,
            deleted,
            overlap,
        }) if kind.is_some() == deleted.is_some() => table("changes.table", &text).map(|table| {
            ChangesConfig::History(HistoryConfig {
                table,
                key: key.into_vec(),
                order,
                kind,
                deleted: deleted.map(OneOrMany::into_vec).unwrap_or_default(),
                overlap: overlap.unwrap_or(0),
            })
        }),
        Some(_) => {
            let hint = "write { watermark: COLUMN }, or { table: HISTORY, key: COLUMN, order: COLUMN, type: COLUMN, deleted: [D] }";
            problems.push(problem(at("changes"), "`changes` is neither a watermark nor a history table", hint));
            None
        }
    };
    if raw.table.is_some() == raw.query.is_some() {
        problems.push(problem(at("table"), "a class has either `table` or `query`", "give one of the two"));
    }
    let key = raw.key.into_vec();
    if key.is_empty() || key.iter().any(|name| name.is_empty()) {
        problems.push(problem(at("key"), "`key` names no column", "name the column that identifies a row: key: id"));
    }
    for child in children.iter().filter(|child| child.key.len() != key.len()) {
        let message = format!("`{}` has {} key columns, the class {}", child.attribute, child.key.len(), key.len());
        problems.push(problem(at("children"), message, "name the columns that hold the class's key, in its order"));
    }
    if let Some(ChangesConfig::History(history)) = &changes
        && history.key.len() != key.len()
    {
        let message = format!("the history has {} key columns, the class {}", history.key.len(), key.len());
        problems.push(problem(at("changes.key"), message, "name the columns that hold the class's key, in its order"));
    }
    let statements = Statements::read(&raw.statements).unwrap_or_else(|(statement, message, hint)| {
        problems.push(problem(at(&format!("statements.{statement}")), message, hint));
        Statements::default()
    });
    let enabled =
        raw.enabled.map(|enabled| (enabled.column, Value::from_json(&enabled.on), Value::from_json(&enabled.off)));
    if enabled.as_ref().is_some_and(|(_, on, off)| on == off) {
        problems.push(problem(at("enabled"), "`on` and `off` are the same", "give each state its own value"));
    }
    let soft_delete = raw.soft_delete.map(|soft| SoftDeleteConfig {
        column: soft.column,
        value: (soft.value.as_str() != Some("now()")).then(|| Value::from_json(&soft.value)),
        live: soft.live.as_ref().map(Value::from_json),
    });
    if soft_delete.as_ref().is_some_and(|soft| soft.value.is_none() && soft.live.is_none()) {
        let hint = "add `live: null` where rows that are there have no time of deletion";
        problems.push(problem(at("soft_delete"), "`value: now()` needs `live`", hint));
    }
    if soft_delete.as_ref().is_some_and(|soft| soft.value.is_some() && soft.value == soft.live) {
        problems.push(problem(at("soft_delete"), "`value` and `live` are the same", "give each state its own value"));
    }
    match source {
        Some(from) if problems.is_empty() => Ok(ClassConfig {
            name: ClassName(name),
            write: raw.write.unwrap_or(matches!(from, Source::Table(_)) || !statements.is_empty()),
            from,
            key,
            columns: raw.columns,
            references: raw.references,
            children,
            soft_delete,
            enabled,
            changes,
            statements,
        }),
        _ => Err(problems),
    }
}

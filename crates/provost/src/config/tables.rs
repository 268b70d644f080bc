//! `default_domain:` and `tables:` of the configuration: what the mappings of all jobs can use.
//!
//! A table stands in the configuration itself, or in a CSV file beside it, of which one column is the key and one the value.

use std::path::Path;

use provost_engine::rule::nearest;
use provost_lang::{Environment, Table};
use provost_model::{Text, Value};

use super::Reading;
use super::document::{Entry, Kind, Mark, Node};

/// The keys of a table in a file.
const FILE_KEYS: [&str; 3] = ["file", "key", "value"];

impl Reading<'_> {
    pub(super) fn environment(&mut self, tree: &Node, base: &Path) -> Environment {
        let mut environment = Environment::new();
        if let Some(entry) = tree.entry("default_domain") {
            match &entry.value.kind {
                Kind::Text(domain) if !domain.trim().is_empty() => {
                    environment = environment.with_default_domain(domain.trim());
                }
                _ => {
                    let message = format!("`default_domain` is a domain name, not {}", entry.value.describe());
                    let hint = "for example `default_domain: example.org`".to_owned();
                    self.problem("PRV-0105", message, &entry.value.mark, Some(hint));
                }
            }
        }
        for entry in self.named(tree, "tables") {
            let is_file = entry.value.entry("file").is_some()
                && entry.value.entries().iter().all(|entry| FILE_KEYS.contains(&entry.key.as_str()));
            let table = if is_file { self.table_file(entry, base) } else { self.table(entry) };
            // A table that cannot be read has its problem; rules that use it should not have a second one.
            environment = environment.with_table(entry.key.as_str(), table.unwrap_or_default());
        }
        environment
    }

    /// `{DE: Germany, FR: France}`.
    fn table(&mut self, entry: &Entry) -> Option<Table> {
        if !matches!(entry.value.kind, Kind::Map(_)) {
            let message =
                format!("table `{}` is a mapping of keys to values, not {}", entry.key, entry.value.describe());
            let hint = "for example `{DE: Germany}` or `{file: countries.csv, key: code, value: name}`".to_owned();
            self.problem("PRV-0105", message, &entry.mark, Some(hint));
            return None;
        }
        let mut table = Table::new();
        for row in entry.value.entries() {
            let value = match &row.value.kind {
                Kind::Text(text) => Value::text(text.as_str()),
                Kind::Integer(number) => Value::Integer(*number),
                Kind::Decimal(number) => Value::Decimal(*number),
                Kind::Boolean(flag) => Value::Boolean(*flag),
                Kind::Null | Kind::List(_) | Kind::Map(_) => {
                    let found = row.value.describe();
                    let message = format!("`{}` of table `{}` is one value, not {found}", row.key, entry.key);
                    self.problem("PRV-0105", message, &row.mark, None);
                    continue;
                }
            };
            table.insert(row.key.as_str().into(), value);
        }
        Some(table)
    }

    /// `{file: countries.csv, key: code, value: name}`.
    fn table_file(&mut self, entry: &Entry, base: &Path) -> Option<Table> {
        let mut words = Vec::with_capacity(FILE_KEYS.len());
        for key in FILE_KEYS {
            match entry.value.entry(key).map(|entry| (&entry.value.kind, &entry.value)) {
                Some((Kind::Text(text), node)) => words.push((text.as_str(), &node.mark)),
                Some((_, node)) => {
                    let message = format!("`{key}` of table `{}` is a text, not {}", entry.key, node.describe());
                    self.problem("PRV-0105", message, &node.mark, None);
                }
                None => {
                    let message = format!("table `{}` has a `file`, but no `{key}`", entry.key);
                    let hint = format!("name the column with `{key}: …`");
                    self.problem("PRV-0106", message, &entry.mark, Some(hint));
                }
            }
        }
        let [(file, mark), key, value] = words[..] else { return None };
        match read(&base.join(file), [key, value]) {
            Ok(table) => Some(table),
            Err(wrong) => {
                let message = format!("table `{}` cannot be read from `{file}`: {}", entry.key, wrong.message);
                self.problem("PRV-0115", message, wrong.mark.unwrap_or(mark), Some(wrong.hint));
                None
            }
        }
    }
}

struct Wrong<'m> {
    message: String,
    hint: String,
    /// What is to blame, when that is not the file.
    mark: Option<&'m Mark>,
}

fn read<'m>(path: &Path, columns: [(&str, &'m Mark); 2]) -> Result<Table, Wrong<'m>> {
    let unreadable = |error: csv::Error| Wrong {
        message: error.to_string(),
        hint: "the path starts at the folder of the configuration; the file is CSV with a header, in UTF-8".to_owned(),
        mark: None,
    };
    let mut reader = csv::Reader::from_path(path).map_err(unreadable)?;
    let header = reader.headers().map_err(unreadable)?.clone();
    let mut places = [0; 2];
    for (place, (column, mark)) in places.iter_mut().zip(columns) {
        *place = header.iter().position(|name| name == column).ok_or_else(|| Wrong {
            message: format!("it has no column `{column}`"),
            hint: match nearest(column, header.iter()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("it has: {}", header.iter().collect::<Vec<_>>().join(", ")),
            },
            mark: Some(mark),
        })?;
    }
    let mut table = Table::new();
    for row in reader.records() {
        let row = row.map_err(unreadable)?;
        let [Some(key), Some(value)] = places.map(|place| row.get(place)) else { continue };
        if table.insert(Text::from(key), Value::text(value)).is_some() {
            return Err(Wrong {
                message: format!("the key `{key}` stands there twice"),
                hint: "a key has one value; remove one of the rows".to_owned(),
                mark: None,
            });
        }
    }
    Ok(table)
}

/// The table of a file that somebody names on the command line: a JSON object of tables.
pub fn of_json(text: &str) -> serde_json::Result<Environment> {
    let tables: std::collections::BTreeMap<Text, Table> = serde_json::from_str(text)?;
    Ok(Environment::new().with_tables(tables))
}

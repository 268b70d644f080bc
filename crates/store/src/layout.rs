//! Lists of attribute paths, each kept once. Accounts of one rule have the same attributes, and their paths are longer than
//! most values; so what a link and an event hold of them is `["ID", value, null, …]`: values in the order of the layout of
//! that id, `null` where there is none. Readers never see this form: reading links and events spells it out.
//!
//! Ids are digests of the paths, so that every node gives a layout the same one without asking. Layouts are never deleted;
//! there is one for each version of a rule.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use serde::Serialize;
use serde_json::value::RawValue;
use xxhash_rust::xxh3::xxh3_64;

use crate::db::{Each, Param, Record, Row};
use crate::{Result, Store, StoreError, Transaction};

/// What a text in a layout begins with; no other text in these columns does.
const MARK: &str = "[\"";

/// The attributes of a rule, in an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    id: String,
    /// As JSON, quotes included.
    paths: Vec<String>,
}

/// How a column tells its values.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Shape {
    /// `{path: value, …}`
    Object,
    /// `[{"path": …, "after": …}, …]`
    Changes,
}

impl Layout {
    /// Of these paths.
    pub fn new<P: AsRef<str>>(paths: impl IntoIterator<Item = P>) -> Self {
        let quoted = |path: P| serde_json::Value::from(path.as_ref()).to_string();
        let paths: Vec<String> = paths.into_iter().map(quoted).collect();
        Self { id: format!("{:016x}", xxh3_64(list(&paths).as_bytes())), paths }
    }

    /// Values in this layout's order as text, `None` where there is none. A value must not be null itself.
    pub fn write<'v, V: Serialize + 'v>(&self, values: impl IntoIterator<Item = Option<&'v V>>) -> String {
        let mut text = format!("[\"{}\"", self.id).into_bytes();
        let mut holes = 0;
        for value in values {
            let Some(value) = value else {
                holes += 1;
                continue;
            };
            (0..std::mem::take(&mut holes)).for_each(|_| text.extend_from_slice(b",null"));
            text.push(b',');
            // Writing to memory fails for nothing that has text keys.
            let _ = serde_json::to_writer(&mut text, value);
        }
        text.push(b']');
        String::from_utf8(text).unwrap_or_default()
    }

    fn spell_out(&self, values: &[Option<&RawValue>], shape: Shape) -> String {
        let (open, path, value, end, close) = match shape {
            Shape::Object => ("{", "", ":", "", "}"),
            Shape::Changes => ("[", "{\"path\":", ",\"after\":", "}", "]"),
        };
        let mut text = String::from(open);
        for (name, raw) in self.paths.iter().zip(values).filter_map(|(name, raw)| Some((name, (*raw)?))) {
            let comma = if text.len() > 1 { "," } else { "" };
            [comma, path, name, value, raw.get(), end].into_iter().for_each(|part| text.push_str(part));
        }
        text.push_str(close);
        text
    }
}

fn list(quoted: &[String]) -> String {
    format!("[{}]", quoted.join(","))
}

/// The id and the values of a text in a layout.
fn parse<'t>(text: &'t str, table: &'static str) -> Result<(&'t str, Vec<Option<&'t RawValue>>)> {
    let wrong = || StoreError::corrupt(table, "values are not in the form of a layout");
    let parts: Vec<Option<&RawValue>> = serde_json::from_str(text).map_err(|_| wrong())?;
    let id = parts.first().copied().flatten().ok_or_else(wrong)?.get();
    Ok((id.trim_matches('"'), parts))
}

/// Layouts that were read from the table.
#[derive(Debug, Default)]
pub(crate) struct Layouts(RwLock<HashMap<String, Arc<Layout>>>);

impl Layouts {
    fn get(&self, id: &str) -> Option<Arc<Layout>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }
}

impl Record for Layout {
    const TABLE: &'static str = "layout";
    const COLUMNS: &'static [&'static str] = &["id", "paths"];
    const KEY: &'static [&'static str] = &["id"];
    type Key<'a> = &'a str;

    fn key(&self) -> &str {
        &self.id
    }

    fn values<'a>(&'a self, put: &mut dyn FnMut(Param<'a>)) {
        put((&self.id).into());
        put(list(&self.paths).into());
    }

    fn read(row: &mut Row) -> Result<Self> {
        row.text()?;
        let paths: Vec<String> =
            serde_json::from_str(&row.text()?).map_err(|error| StoreError::corrupt("layout", error))?;
        Ok(Self::new(paths))
    }
}

impl Transaction {
    /// Keeps layouts; those that are there stay. Before the first row that uses one, in the same transaction.
    pub async fn save_layouts(&mut self, layouts: &[&Layout]) -> Result<()> {
        let mut statement = Each::insert::<Layout>();
        statement.push(" on conflict (id) do nothing");
        self.each(&statement, layouts, |layout, put| layout.values(put)).await.map(drop)
    }
}

impl Store {
    /// Spells out the texts that are in a layout.
    pub(crate) async fn spell_out<'t>(
        &self,
        texts: impl Iterator<Item = &'t mut String>,
        shape: Shape,
        table: &'static str,
    ) -> Result<()> {
        for text in texts.filter(|text| text.starts_with(MARK)) {
            let (id, parts) = parse(text, table)?;
            let layout = match self.layouts().get(id) {
                Some(layout) => layout,
                None => self.load_layout(id, table).await?,
            };
            *text = layout.spell_out(&parts[1..], shape);
        }
        Ok(())
    }

    async fn load_layout(&self, id: &str, table: &'static str) -> Result<Arc<Layout>> {
        let mut sql = Layout::select(self.db().sql());
        sql.push(" where id = ").bind(id);
        let Some(mut row) = self.db().row(sql).await? else {
            return Err(StoreError::corrupt(table, format!("the layout {id} is missing")));
        };
        let layout = Arc::new(Layout::read(&mut row)?);
        self.layouts().0.write().unwrap_or_else(PoisonError::into_inner).insert(id.to_owned(), layout.clone());
        Ok(layout)
    }
}

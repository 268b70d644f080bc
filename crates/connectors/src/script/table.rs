//! Rows of CSV (RFC 4180) to objects.
//!
//! Lines are put together until their quotes are closed, so that the line that ends the output is never taken for a part of a
//! cell, nor a part of a cell for that line.

use provost_connector::{ConnectorError, ErrorCode};
use provost_model::{Attributes, ObjectId, Value};

use super::config::Csv;

/// Rows whose lines have not all come yet, and the header.
#[derive(Debug)]
pub(super) struct Table {
    csv: Csv,
    open: String,
    header: Option<Vec<String>>,
    key: usize,
    max: usize,
}

/// Why a row is no object; whose it is, where that is beyond doubt.
#[derive(Debug)]
pub(super) struct Bad {
    pub id: Option<ObjectId>,
    pub why: String,
}

impl Table {
    pub fn new(csv: Csv, max: usize) -> Self {
        Self { csv, open: String::new(), header: None, key: 0, max }
    }

    /// Takes a line; gives the row that it ends.
    pub fn take(&mut self, line: &str) -> Result<Option<String>, ConnectorError> {
        if !self.open.is_empty() {
            self.open.push('\n');
        }
        self.open.push_str(line);
        if self.open.len() > self.max {
            let message = format!("a row has more than {} bytes (`max_line`); a quote may be open", self.max);
            return Err(ConnectorError::new(ErrorCode::Protocol, message));
        }
        let closed = self.open.bytes().filter(|byte| *byte == b'"').count() % 2 == 0;
        Ok(closed.then(|| std::mem::take(&mut self.open)))
    }

    /// Whether a quote is open.
    pub fn is_open(&self) -> bool {
        !self.open.is_empty()
    }

    pub fn has_header(&self) -> bool {
        self.header.is_some()
    }

    fn cells(&self, row: &str) -> Result<Vec<String>, String> {
        let mut reader = csv::ReaderBuilder::new();
        let mut reader =
            reader.has_headers(false).flexible(true).delimiter(self.csv.delimiter as u8).from_reader(row.as_bytes());
        let mut record = csv::StringRecord::new();
        match reader.read_record(&mut record) {
            Ok(true) => Ok(record.iter().map(str::to_owned).collect()),
            Ok(false) => Ok(Vec::new()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// The first row.
    pub fn set_header(&mut self, row: &str) -> Result<(), ConnectorError> {
        let refuse = |message: String| Err(ConnectorError::new(ErrorCode::SchemaChanged, message));
        let header = match self.cells(row) {
            Ok(header) => header,
            Err(why) => return refuse(format!("the header cannot be read: {why}")),
        };
        for (at, name) in header.iter().enumerate() {
            if name.is_empty() || header[..at].iter().any(|other| other.eq_ignore_ascii_case(name)) {
                return refuse(format!("column {} of the header has no name of its own", at + 1));
            }
        }
        let known = |name: &str| header.iter().position(|have| have.eq_ignore_ascii_case(name));
        let Some(key) = known(&self.csv.key) else {
            return refuse(format!("the header has no column `{}` (`csv.key`)", self.csv.key));
        };
        for name in self.csv.multi.keys().chain(self.csv.references.keys()) {
            if known(name).is_none() {
                return refuse(format!("the header has no column `{name}`, which the settings name"));
            }
        }
        self.key = key;
        self.header = Some(header);
        Ok(())
    }

    /// A row as an object. An empty cell is known to be empty.
    pub fn object(&self, row: &str) -> Result<(ObjectId, Attributes), Bad> {
        let header = self.header.as_deref().unwrap_or_default();
        let cells = self.cells(row).map_err(|why| Bad { id: None, why })?;
        if cells.len() != header.len() {
            // With the key in front, cells that are missing or too many behind it leave no doubt.
            let id = cells.first().filter(|id| self.key == 0 && !id.is_empty()).map(|id| id.as_str().into());
            return Err(Bad { id, why: format!("the row has {} cells, the header {}", cells.len(), header.len()) });
        }
        let id = &cells[self.key];
        if id.is_empty() {
            return Err(Bad { id: None, why: format!("the row has no `{}`", self.csv.key) });
        }
        let mut attributes = Attributes::with_capacity(header.len());
        for (name, cell) in header.iter().zip(&cells) {
            attributes.push(name.as_str(), self.value(name, cell));
        }
        Ok((id.as_str().into(), attributes))
    }

    fn value(&self, name: &str, cell: &str) -> Value {
        if cell.is_empty() {
            return Value::Null;
        }
        let class =
            self.csv.references.iter().find(|(column, _)| column.eq_ignore_ascii_case(name)).map(|(_, class)| class);
        let one = |text: &str| match class {
            Some(class) => Value::reference(class.clone(), text),
            None => Value::text(text),
        };
        match self.csv.multi.iter().find(|(column, _)| column.eq_ignore_ascii_case(name)) {
            Some((_, by)) if !by.is_empty() => {
                Value::List(cell.split(by.as_str()).filter(|part| !part.is_empty()).map(one).collect())
            }
            _ => one(cell),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str) -> Vec<String> {
        let csv = Csv {
            key: "id".into(),
            delimiter: ';',
            multi: [("tags".into(), "|".into())].into(),
            references: [("boss".into(), "person".into())].into(),
        };
        let mut table = Table::new(csv, 200);
        let mut told = Vec::new();
        for line in text.lines() {
            match table.take(line) {
                Ok(None) => {}
                Ok(Some(row)) if !table.has_header() => {
                    if let Err(error) = table.set_header(&row) {
                        told.push(error.message);
                        return told;
                    }
                }
                Ok(Some(row)) => told.push(match table.object(&row) {
                    Ok((id, attributes)) => format!("{id} {}", serde_json::to_string(&attributes).unwrap()),
                    Err(bad) => format!("{:?} {}", bad.id.map(|id| id.to_string()), bad.why),
                }),
                Err(error) => told.push(error.message),
            }
        }
        told.extend(table.is_open().then(|| "open".to_owned()));
        told
    }

    #[test]
    fn rows_become_objects_or_say_why_not() {
        let text = "id;name;boss;tags\n1;\"a;\"\"b\"\"\nc\";;x|y|\n2;b\n;b;;\n3;c;1;\n4;\"d\n";
        assert_eq!(
            rows(text),
            [
                r#"1 {"id":"1","name":"a;\"b\"\nc","boss":null,"tags":["x","y"]}"#,
                "Some(\"2\") the row has 2 cells, the header 4",
                "None the row has no `id`",
                r#"3 {"id":"3","name":"c","boss":{"ref":{"class":"person","id":"1"}},"tags":null}"#,
                "open",
            ]
        );
        assert_eq!(rows("ID;name;BOSS;tags\n9;x;;\n").len(), 1);
        assert_eq!(rows("nr;name\n"), ["the header has no column `id` (`csv.key`)"]);
        assert_eq!(rows("id;name\n"), ["the header has no column `tags`, which the settings name"]);
        assert_eq!(rows("id;a;A\n"), ["column 3 of the header has no name of its own"]);
        assert_eq!(
            rows(&format!("id;boss;tags\n\"{}\n", "x".repeat(300))),
            ["a row has more than 200 bytes (`max_line`); a quote may be open", "open"]
        );
    }
}

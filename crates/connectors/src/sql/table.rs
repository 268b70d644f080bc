//! What the catalogue says about one class: its columns, what is unique, and which way it is addressed.

use provost_model::{AttributePath, ClassName, Text, Value};

use super::statement::{Dialect, Sql, TableName, Verbatim};

/// What a column holds, as far as it matters for reading and writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Integer,
    /// Exact decimals.
    Number,
    Float {
        single: bool,
    },
    Boolean,
    /// Those without a time zone are taken for UTC.
    Timestamp,
    Date,
    Binary,
    Uuid,
    Json,
    /// Whatever has a text form that the database itself checks: times, addresses, enumerations.
    Other,
}

/// How the column's collation compares texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compares {
    /// Byte by byte, or so that equal texts have equal bytes.
    Exactly,
    /// As above, but for blanks at the end (MySQL's `PAD SPACE`).
    PadsBlanks,
    /// A and a are equal; other letters only to themselves.
    FoldsAscii,
    /// Letter case is ignored, and perhaps accents.
    Folds,
    /// In a way that cannot be told from the catalogue.
    Unknown,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Column {
    pub name: String,
    /// The attribute that it is shown as.
    pub attribute: Text,
    pub kind: Kind,
    /// A PostgreSQL array: a multi-valued attribute.
    pub array: bool,
    /// The type for casts of bound texts, where the database needs one.
    pub cast: Option<Verbatim>,
    pub nullable: bool,
    pub has_default: bool,
    /// Identity, serial, auto increment, or computed.
    pub generated: bool,
    /// Characters.
    pub max_chars: Option<usize>,
    /// Digits behind the point, of numbers and of seconds.
    pub scale: Option<usize>,
    /// Blanks at the end are lost (`char(n)`).
    pub trims: bool,
    pub compares: Compares,
    pub unique: bool,
    /// The class whose id the column holds.
    pub references: Option<ClassName>,
}

impl Column {
    /// A column of which nothing is known but its name.
    pub(super) fn plain(name: &str, kind: Kind) -> Self {
        Self {
            name: name.to_owned(),
            attribute: name.into(),
            kind,
            array: false,
            cast: None,
            nullable: true,
            has_default: false,
            generated: false,
            max_chars: None,
            scale: None,
            trims: false,
            compares: Compares::Exactly,
            unique: false,
            references: None,
        }
    }

    /// Whether two texts that differ in letter case are two values.
    pub(super) fn case_exact(&self) -> bool {
        match self.kind {
            Kind::Text | Kind::Other => matches!(self.compares, Compares::Exactly | Compares::PadsBlanks),
            _ => false,
        }
    }
}

/// A unique index or constraint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unique {
    pub name: String,
    /// Positions in [`Table::columns`].
    pub columns: Vec<usize>,
}

/// Where the rows of a class come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum From {
    Table(TableName),
    Query(Verbatim),
}

impl From {
    /// As it stands behind `from`, under the alias `t`. The line break ends a comment at the end of a query.
    pub(super) fn write<'s>(&self, sql: &'s mut Sql) -> &'s mut Sql {
        match self {
            From::Table(table) => sql.table(table),
            From::Query(query) => sql.push("(").verbatim(query).push("\n)"),
        }
        .push(" as t")
    }
}

/// The other values of an object, one a row.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Child {
    pub attribute: Text,
    pub table: TableName,
    /// In the order of the class's key.
    pub key: Vec<Column>,
    pub value: Column,
    pub references: Option<ClassName>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct SoftDelete {
    /// Position in [`Table::columns`].
    pub column: usize,
    pub gone: SoftValue,
    /// Where it was set: only rows with this value are objects. Otherwise all rows but those with `gone`.
    pub live: Option<Value>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum SoftValue {
    Value(Value),
    /// The time of the deletion.
    Now,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Enabled {
    pub column: usize,
    pub on: Value,
    pub off: Value,
}

/// How changes are told.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Changes {
    Watermark {
        column: usize,
        /// Whole numbers or seconds that are read again.
        overlap: u32,
    },
    History(History),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct History {
    pub table: TableName,
    /// In the order of the class's key.
    pub key: Vec<Column>,
    pub order: Column,
    /// The kind of change, and the words that mean that the row is gone.
    pub kind: Option<Column>,
    pub deleted: Vec<Text>,
    pub overlap: u32,
}

/// A class, as the configuration and the catalogue make it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Table {
    pub class: ClassName,
    pub dialect: Dialect,
    pub from: From,
    pub columns: Vec<Column>,
    /// Positions in `columns`.
    pub key: Vec<usize>,
    pub uniques: Vec<Unique>,
    pub children: Vec<Child>,
    pub soft_delete: Option<SoftDelete>,
    pub enabled: Option<Enabled>,
    /// Whether a transaction that is not committed leaves nothing behind (not so for MyISAM and its like).
    pub transactional: bool,
    /// Rows can be written (or at least the database is asked).
    pub writable: bool,
    pub changes: Option<Changes>,
}

impl Table {
    /// The column behind an attribute path, which flat records name by the whole text.
    pub(super) fn position(&self, path: &AttributePath) -> Option<usize> {
        let flat = path.flat_name();
        self.columns.iter().position(|column| column.attribute.eq_ignore_ascii_case(&flat))
    }

    pub(super) fn child(&self, path: &AttributePath) -> Option<usize> {
        let flat = path.flat_name();
        self.children.iter().position(|child| child.attribute.eq_ignore_ascii_case(&flat))
    }

    pub(super) fn key_columns(&self) -> impl Iterator<Item = &Column> {
        self.key.iter().filter_map(|at| self.columns.get(*at))
    }

    pub(super) fn table(&self) -> Option<&TableName> {
        match &self.from {
            From::Table(table) => Some(table),
            From::Query(_) => None,
        }
    }

    /// Whether the catalogue promises that no two rows share a key.
    pub(super) fn has_unique_key(&self) -> bool {
        self.uniques.iter().any(|unique| unique.columns.iter().all(|column| self.key.contains(column)))
    }

    /// What the rows are called in messages.
    pub(super) fn label(&self) -> String {
        match &self.from {
            From::Table(table) => format!("table `{table}`"),
            From::Query(_) => format!("the query of class `{}`", self.class),
        }
    }
}

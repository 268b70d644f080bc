//! The one place where SQL text is put together and handed to a driver.
//!
//! Text comes in as `&'static str`, as a name through [`quote`], or as a [`Verbatim`] of the administrator's own; every
//! value is bound. Nothing else in this connector writes SQL, and `AssertSqlSafe` is here and nowhere else.

use std::borrow::Cow;
use std::fmt::Write as _;

use sqlx::AssertSqlSafe;
use sqlx::error::BoxDynError;
use sqlx::mysql::MySqlArguments;
use sqlx::postgres::PgArguments;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Arguments as _, Error};

/// Which database a statement is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Postgres,
    MySql,
    Sqlite,
}

/// A value to bind.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Param {
    Null,
    Text(String),
    Int(i64),
    Real(f64),
    Bytes(Vec<u8>),
    /// PostgreSQL alone: a column of a set, for `unnest` and `any`.
    Texts(Vec<Option<String>>),
}

/// SQL that the administrator wrote into the configuration, or that the catalogue gave as the name of a type
/// (`format_type`, which quotes). Never made of values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verbatim(pub(super) String);

/// A table or view, with its schema where one was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TableName {
    pub schema: Option<String>,
    pub name: String,
}

impl TableName {
    /// `people` or `hr.people`. A name with a dot of its own is put in double quotes: `"a.b"`, `hr."a.b"`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (mut parts, mut current, mut quoted) = (Vec::new(), String::new(), false);
        let mut letters = text.chars().peekable();
        while let Some(letter) = letters.next() {
            match letter {
                '"' if quoted && letters.peek() == Some(&'"') => {
                    letters.next();
                    current.push('"');
                }
                '"' => quoted = !quoted,
                '.' if !quoted => parts.push(std::mem::take(&mut current)),
                other => current.push(other),
            }
        }
        parts.push(current);
        let sound = !quoted && parts.iter().all(|part| !part.is_empty() && !part.contains('\0'));
        match (sound, parts.as_slice()) {
            (true, [name]) => Some(Self { schema: None, name: name.clone() }),
            (true, [schema, name]) => Some(Self { schema: Some(schema.clone()), name: name.clone() }),
            _ => None,
        }
    }
}

impl std::fmt::Display for TableName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.schema {
            Some(schema) => write!(f, "{schema}.{}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// A name as an identifier: in the dialect's quotes, which are doubled inside. Names come from the configuration and the
/// catalogue; a NUL, which would end the text early in a driver written in C, is dropped, so that such a name is unknown.
pub(super) fn quote(dialect: Dialect, name: &str) -> String {
    let mark = if dialect == Dialect::MySql { '`' } else { '"' };
    let mut quoted = String::with_capacity(name.len() + 2);
    quoted.push(mark);
    for letter in name.chars().filter(|letter| *letter != '\0') {
        if letter == mark {
            quoted.push(mark);
        }
        quoted.push(letter);
    }
    quoted.push(mark);
    quoted
}

/// A statement under construction.
#[derive(Debug, Clone)]
pub(super) struct Sql {
    pub(super) dialect: Dialect,
    text: String,
    params: Vec<Param>,
    cached: bool,
}

/// The statement for a driver: each has arguments of a type of its own. `$sets` takes a set of values.
macro_rules! bound {
    ($sql:ident, $arguments:ident, $sets:path) => {{
        for param in $sql.params {
            match param {
                Param::Null => $arguments.add(None::<String>),
                Param::Text(text) => $arguments.add(text),
                Param::Int(number) => $arguments.add(number),
                Param::Real(number) => $arguments.add(number),
                Param::Bytes(bytes) => $arguments.add(bytes),
                Param::Texts(texts) => $sets(&mut $arguments, texts),
            }
            .map_err(Error::Encode)?;
        }
        Ok((AssertSqlSafe($sql.text), $arguments, $sql.cached))
    }};
}

impl Sql {
    pub(super) fn new(dialect: Dialect, text: &'static str) -> Self {
        Self { dialect, text: text.to_owned(), params: Vec::new(), cached: true }
    }

    /// Prepares the statement for this once: for shapes that hardly come again.
    pub(super) fn uncached(mut self) -> Self {
        self.cached = false;
        self
    }

    pub(super) fn push(&mut self, text: &'static str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// The next part of a list: a comma from the second on.
    pub(super) fn next(&mut self, at: usize) -> &mut Self {
        if at > 0 { self.push(", ") } else { self }
    }

    pub(super) fn name(&mut self, name: &str) -> &mut Self {
        let quoted = quote(self.dialect, name);
        self.text.push_str(&quoted);
        self
    }

    pub(super) fn table(&mut self, table: &TableName) -> &mut Self {
        if let Some(schema) = &table.schema {
            self.name(schema).push(".");
        }
        self.name(&table.name)
    }

    pub(super) fn verbatim(&mut self, text: &Verbatim) -> &mut Self {
        self.text.push_str(&text.0);
        self
    }

    /// A whole number that this connector itself counted.
    pub(super) fn number(&mut self, number: usize) -> &mut Self {
        let _ = write!(self.text, "{number}");
        self
    }

    /// Binds a value and writes its placeholder.
    pub(super) fn bind(&mut self, value: Param) -> &mut Self {
        self.params.push(value);
        match self.dialect {
            Dialect::Postgres => {
                let _ = write!(self.text, "${}", self.params.len());
            }
            Dialect::MySql | Dialect::Sqlite => self.text.push('?'),
        }
        self
    }

    pub(super) fn text_value(&mut self, value: &str) -> &mut Self {
        self.bind(Param::Text(value.to_owned()))
    }

    /// A column of the set `v`, `v.c0` for the first, as the type that it stands for: sets travel as texts.
    pub(super) fn of_set(&mut self, letter: &'static str, place: usize, cast: Option<&Verbatim>) -> &mut Self {
        match cast {
            Some(cast) => self.push("cast(v.").push(letter).number(place).push(" as ").verbatim(cast).push(")"),
            None => self.push("v.").push(letter).number(place),
        }
    }

    /// Appends another statement of the same dialect, its placeholders numbered on.
    pub(super) fn append(&mut self, other: Sql) -> &mut Self {
        if self.dialect == Dialect::Postgres && !other.params.is_empty() {
            let first = self.params.len();
            self.text.push_str(&renumber(&other.text, first));
        } else {
            self.text.push_str(&other.text);
        }
        self.params.extend(other.params);
        self
    }

    /// The text for the driver.
    pub(super) fn safe_text(&self) -> AssertSqlSafe<String> {
        AssertSqlSafe(self.text.clone())
    }

    pub(super) fn postgres(self) -> Result<(AssertSqlSafe<String>, PgArguments, bool), Error> {
        let mut arguments = PgArguments::default();
        arguments.reserve(self.params.len(), 0);
        bound!(self, arguments, PgArguments::add)
    }

    pub(super) fn mysql(self) -> Result<(AssertSqlSafe<String>, MySqlArguments, bool), Error> {
        let mut arguments = MySqlArguments::default();
        bound!(self, arguments, no_sets)
    }

    pub(super) fn sqlite(self) -> Result<(AssertSqlSafe<String>, SqliteArguments, bool), Error> {
        let mut arguments = SqliteArguments::default();
        bound!(self, arguments, no_sets)
    }
}

fn no_sets<A>(_: &mut A, _: Vec<Option<String>>) -> Result<(), BoxDynError> {
    Err("sets of values are PostgreSQL's".into())
}

/// `$n` of a text that was built by [`Sql::bind`], moved up by `first`; what stands in quotes is left alone.
fn renumber(text: &str, first: usize) -> Cow<'_, str> {
    if first == 0 {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    let mut quoted = None;
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        out.push(letter);
        match (letter, quoted) {
            ('\'' | '"', None) => quoted = Some(letter),
            (mark, Some(open)) if mark == open => quoted = None,
            ('$', None) => {
                let mut digits = String::new();
                while let Some(digit) = letters.next_if(char::is_ascii_digit) {
                    digits.push(digit);
                }
                match digits.parse::<usize>() {
                    Ok(number) => {
                        let _ = write!(out, "{}", number + first);
                    }
                    Err(_) => out.push_str(&digits),
                }
            }
            _ => {}
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_their_quotes() {
        for (name, standard, mysql) in [
            ("login", "\"login\"", "`login`"),
            ("a\"b", "\"a\"\"b\"", "`a\"b`"),
            ("a`; drop table x; --", "\"a`; drop table x; --\"", "`a``; drop table x; --`"),
            ("a\0b", "\"ab\"", "`ab`"),
            ("\"\"", "\"\"\"\"\"\"", "`\"\"`"),
        ] {
            assert_eq!(quote(Dialect::Postgres, name), standard);
            assert_eq!(quote(Dialect::Sqlite, name), standard);
            assert_eq!(quote(Dialect::MySql, name), mysql);
        }
    }

    #[test]
    fn tables_may_be_qualified() {
        let table = |schema: Option<&str>, name: &str| {
            Some(TableName { schema: schema.map(str::to_owned), name: name.to_owned() })
        };
        for (text, expected) in [
            ("people", table(None, "people")),
            ("hr.people", table(Some("hr"), "people")),
            ("hr.\"a.b\"", table(Some("hr"), "a.b")),
            ("\"a\"\"b\"", table(None, "a\"b")),
            ("a.b.c", None),
            ("", None),
            ("\"open", None),
            ("hr.", None),
        ] {
            assert_eq!(TableName::parse(text), expected, "{text}");
        }
    }

    #[test]
    fn placeholders_are_numbered_on() {
        let mut inner = Sql::new(Dialect::Postgres, "");
        inner.name("a$1").push(" = ").bind(Param::Int(7));
        let mut outer = Sql::new(Dialect::Postgres, "x = ");
        outer.bind(Param::Int(1)).push(" and ").append(inner);
        assert_eq!(outer.text, "x = $1 and \"a$1\" = $2");
        assert_eq!(outer.params, [Param::Int(1), Param::Int(7)]);
    }
}

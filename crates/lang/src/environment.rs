//! What expressions take from the configuration: the default domain and named tables. Given when an expression is
//! compiled, so that a table that is not there is found before any object is read.

use std::collections::BTreeMap;
use std::sync::Arc;

use provost_model::{Text, Value};
use serde::{Deserialize, Serialize};

/// A named table: key to value. Keys compare exactly.
pub type Table = BTreeMap<Text, Value>;

/// The surroundings that are the same for all objects.
///
/// ```
/// use provost_lang::{Context, Environment, Expression, Outcome, Table};
/// use provost_model::{Attributes, Timestamp, Value};
///
/// let countries: Table = [("DE".into(), "Germany".into())].into();
/// let environment = Environment::new().with_table("countries", countries).with_default_domain("example.org");
///
/// let country = Expression::compile_with(r#"Lookup("countries", [country])"#, &environment)?;
/// let source: Attributes = [("country", "DE")].into_iter().collect();
/// assert_eq!(country.eval(&Context::new(&source, Timestamp::UNIX_EPOCH)), Ok(Outcome::Value(Value::text("Germany"))));
///
/// let errors = Expression::compile_with(r#"Lookup("country", [country])"#, &environment).unwrap_err();
/// assert_eq!(errors[0].to_string(), "there is no table `country` at column 8");
/// assert_eq!(errors[0].hint.as_deref(), Some("did you mean `countries`?"));
/// # Ok::<(), Vec<provost_lang::LangError>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Environment {
    default_domain: Option<Text>,
    tables: BTreeMap<Text, Arc<Table>>,
}

impl Environment {
    /// No tables and no domain.
    pub fn new() -> Self {
        Self::default()
    }

    /// What `DefaultDomain()` gives, unless the [`Context`](crate::Context) of an evaluation names another.
    pub fn with_default_domain(mut self, domain: impl Into<Text>) -> Self {
        self.default_domain = Some(domain.into());
        self
    }

    /// Adds a table, or puts it in the place of one of the same name. Tables are shared, not copied, when the environment
    /// is cloned.
    pub fn with_table(mut self, name: impl Into<Text>, table: impl Into<Arc<Table>>) -> Self {
        self.tables.insert(name.into(), table.into());
        self
    }

    /// Adds tables.
    pub fn with_tables(self, tables: impl IntoIterator<Item = (Text, Table)>) -> Self {
        tables.into_iter().fold(self, |environment, (name, table)| environment.with_table(name, table))
    }

    /// What `DefaultDomain()` gives.
    pub fn default_domain(&self) -> Option<&Text> {
        self.default_domain.as_ref()
    }

    /// The table of exactly this name.
    pub fn table(&self, name: &str) -> Option<&Arc<Table>> {
        self.tables.get(name)
    }

    /// The names of all tables, in the order of the alphabet.
    pub fn tables(&self) -> impl Iterator<Item = &str> {
        self.tables.keys().map(Text::as_str)
    }
}

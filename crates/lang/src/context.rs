//! What an evaluation may see: the source object, the time, and what the target already holds. Nothing else, so that the
//! same context gives the same result (`Guid` and `RandomString` excepted, unless the caller gives the random bytes).

use std::borrow::Cow;

use provost_model::{AttributePath, Attributes, Timestamp, Value};

/// Where attribute values come from. A record's [`Attributes`] are one; anything else that has names can be one.
///
/// ```
/// use provost_lang::{Context, Expression, Outcome, Source};
/// use provost_model::{Timestamp, Value};
///
/// struct Row<'a>(&'a [(&'a str, Value)]);
/// impl Source for Row<'_> {
///     fn get(&self, name: &str) -> Option<&Value> {
///         self.0.iter().find(|(have, _)| *have == name).map(|(_, value)| value)
///     }
/// }
///
/// let cells = [("login", Value::text("ada"))];
/// let outcome = Expression::compile("ToUpper([login])")?.eval(&Context::new(&Row(&cells), Timestamp::UNIX_EPOCH));
/// assert_eq!(outcome, Ok(Outcome::Value(Value::text("ADA"))));
/// # Ok::<(), Vec<provost_lang::LangError>>(())
/// ```
pub trait Source {
    /// The value under exactly this name.
    fn get(&self, name: &str) -> Option<&Value>;

    /// The name and value at a position, for sources that keep an order. Expressions remember where they found a name,
    /// so that records of one shape need no search. A source has positions from 0 on for all its names, or none at all.
    fn at(&self, position: usize) -> Option<(&str, &Value)> {
        let _ = position;
        None
    }

    /// The position of exactly this name, where [`at`](Source::at) has it.
    fn position(&self, name: &str) -> Option<usize> {
        let _ = name;
        None
    }

    /// The value at a path with sub-attributes, filter or URN, for names that [`get`](Source::get) does not have. All of them
    /// where the path leads through a list.
    fn resolve(&self, path: &AttributePath) -> Option<Cow<'_, Value>> {
        let _ = path;
        None
    }
}

impl Source for Attributes {
    fn get(&self, name: &str) -> Option<&Value> {
        Attributes::get(self, name)
    }
    fn at(&self, position: usize) -> Option<(&str, &Value)> {
        self.iter().nth(position)
    }
    fn position(&self, name: &str) -> Option<usize> {
        self.iter().position(|(have, _)| have == name)
    }
    fn resolve(&self, path: &AttributePath) -> Option<Cow<'_, Value>> {
        path.read(self)
    }
}

/// Fills a buffer with random bytes.
pub type Fill<'a> = &'a dyn Fn(&mut [u8]);

/// The surroundings of one evaluation.
///
/// ```
/// use provost_lang::{Context, Expression, Outcome};
/// use provost_model::{Attributes, Timestamp, Value};
///
/// let source: Attributes = [("login", "ada")].into_iter().collect();
/// let is_taken = |name: &str| name == "ada";
/// let context = Context::new(&source, Timestamp::UNIX_EPOCH).with_taken(&is_taken);
/// let unique = Expression::compile(r#"SelectUniqueValue([login], [login] & "1")"#)?;
/// assert_eq!(unique.eval(&context), Ok(Outcome::Value(Value::text("ada1"))));
/// # Ok::<(), Vec<provost_lang::LangError>>(())
/// ```
#[derive(Clone, Copy)]
pub struct Context<'a> {
    pub(crate) source: &'a dyn Source,
    pub(crate) now: Timestamp,
    pub(crate) taken: Option<&'a dyn Fn(&str) -> bool>,
    pub(crate) default_domain: Option<&'a str>,
    pub(crate) random: Option<Fill<'a>>,
}

impl<'a> Context<'a> {
    /// A context of a source object and the time that `Now()` gives, which is the cycle's and not the machine's.
    pub fn new(source: &'a dyn Source, now: Timestamp) -> Self {
        Self { source, now, taken: None, default_domain: None, random: None }
    }

    /// Which values other objects of the target already have, for `SelectUniqueValue`. Without it every value is free.
    /// The caller compares as the target attribute asks for, in exact case or not.
    pub fn with_taken(self, taken: &'a dyn Fn(&str) -> bool) -> Self {
        Self { taken: Some(taken), ..self }
    }

    /// What `DefaultDomain()` gives. Without it the function fails with `PRV-0225`.
    pub fn with_default_domain(self, domain: &'a str) -> Self {
        Self { default_domain: Some(domain), ..self }
    }

    /// Where `Guid` and `RandomString` take their bytes from, so that a plan can be replayed. Without it they come from
    /// the operating system.
    pub fn with_random(self, fill: Fill<'a>) -> Self {
        Self { random: Some(fill), ..self }
    }
}

//! A source attribute in a program: its name, its path where it has one, and where it was found last.
//!
//! Records of one source have one shape, so that the last position is nearly always right; it is checked against the name
//! and is no more than a hint.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU32, Ordering};

use provost_model::{AttributePath, Attributes, Operator, Text, Value};

use crate::Source;

/// A position that worked last time. Shared between threads; losing an update costs a search and nothing else.
#[derive(Debug, Default)]
pub(crate) struct Hint(AtomicU32);

impl Hint {
    pub(crate) fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed) as usize
    }

    pub(crate) fn set(&self, position: usize) {
        self.0.store(position as u32, Ordering::Relaxed);
    }

    /// The attribute under this name in any letter case; an exact match elsewhere loses against the hint, which SCIM's
    /// rule allows, since names that differ in case alone do not occur (RFC 7643 section 2.1).
    pub(crate) fn find<'s>(&self, attributes: &'s Attributes, name: &str) -> Option<&'s Value> {
        if let Some((have, value)) = attributes.iter().nth(self.get())
            && have.eq_ignore_ascii_case(name)
        {
            return Some(value);
        }
        let same = |have: &str| have.eq_ignore_ascii_case(name);
        let (position, (_, value)) = attributes.iter().enumerate().find(|(_, (have, _))| same(have))?;
        self.set(position);
        Some(value)
    }
}

/// `[name]` in an expression.
#[derive(Debug)]
pub(crate) struct Attribute {
    pub(crate) name: Text,
    /// The name read as a path; `None` for a plain name, which is found exactly or not at all.
    path: Option<Box<AttributePath>>,
    hint: Hint,
}

impl Attribute {
    pub(crate) fn new(name: Text) -> Self {
        let path = name.parse::<AttributePath>().ok().filter(|path| !path.is_plain()).map(Box::new);
        Self { name, path, hint: Hint::default() }
    }

    /// An operator in its brackets that selects nothing.
    pub(crate) fn unselectable(&self) -> Option<Operator> {
        self.path.as_deref()?.unselectable()
    }

    pub(crate) fn read<'s>(&self, source: &'s dyn Source) -> Option<Cow<'s, Value>> {
        if let Some((name, value)) = source.at(self.hint.get())
            && name == self.name
        {
            return Some(Cow::Borrowed(value));
        }
        let found = match source.position(&self.name) {
            Some(position) => {
                self.hint.set(position);
                source.at(position).map(|(_, value)| value)
            }
            // A source with positions has them for all names, which spares a second search.
            None if source.at(0).is_some() => None,
            None => source.get(&self.name),
        };
        match found {
            Some(value) => Some(Cow::Borrowed(value)),
            None => source.resolve(self.path.as_deref()?),
        }
    }
}

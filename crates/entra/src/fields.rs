//! The members of JSON objects, taken one by one with their types checked. What nobody took is noted at the end, so that
//! nothing of a document goes unseen.

use std::collections::HashMap;

use provost_lang::nearest;

use crate::json::{Kind, MAX_FAULTS, Node};
use crate::note::{Fault, Note, NoteKind, WRONG_FORM};

/// What was found while reading.
pub(crate) struct Reading<'t> {
    pub text: &'t str,
    pub faults: Vec<Fault>,
    pub notes: Vec<Note>,
}

impl Reading<'_> {
    pub(crate) fn fault(&mut self, path: &str, offset: usize, message: impl Into<String>) {
        self.fault_with(Fault::new(&WRONG_FORM, path, offset, message));
    }

    pub(crate) fn fault_with(&mut self, fault: Fault) {
        if self.faults.len() < MAX_FAULTS {
            self.faults.push(fault);
        }
    }

    pub(crate) fn note(&mut self, kind: NoteKind, path: &str, offset: usize, message: impl Into<String>) {
        let line =
            self.text.as_bytes()[..offset.min(self.text.len())].iter().filter(|byte| **byte == b'\n').count() + 1;
        self.notes.push(Note { kind, path: path.to_owned(), line: Some(line), message: message.into() });
    }
}

/// The members of one object that nobody took yet.
pub(crate) struct Fields<'n> {
    pub path: String,
    pub offset: usize,
    members: HashMap<&'n str, &'n Node>,
}

impl<'n> Fields<'n> {
    /// `None` and a fault when it is no object.
    pub(crate) fn of(reading: &mut Reading<'_>, path: String, node: &'n Node) -> Option<Self> {
        match &node.kind {
            Kind::Object(entries) => {
                let members = entries.iter().map(|(key, node)| (key.as_str(), node)).collect();
                Some(Self { path, offset: node.offset, members })
            }
            _ => {
                reading.fault(&path, node.offset, format!("expected an object, found {}", node.describe()));
                None
            }
        }
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// The member, unless it is missing or null.
    fn take(&mut self, key: &str) -> Option<&'n Node> {
        self.members.remove(key).filter(|node| !matches!(node.kind, Kind::Null))
    }

    fn typed<T>(
        &mut self,
        reading: &mut Reading<'_>,
        key: &str,
        expected: &str,
        read: impl FnOnce(&'n Kind) -> Option<T>,
    ) -> Option<T> {
        let node = self.take(key)?;
        let value = read(&node.kind);
        if value.is_none() {
            let message = format!("expected {expected}, found {}", node.describe());
            reading.fault(&self.path_of(key), node.offset, message);
        }
        value
    }

    pub(crate) fn text(&mut self, reading: &mut Reading<'_>, key: &str) -> Option<&'n str> {
        self.typed(reading, key, "a text", |kind| if let Kind::Text(text) = kind { Some(text.as_str()) } else { None })
    }

    pub(crate) fn boolean(&mut self, reading: &mut Reading<'_>, key: &str) -> Option<bool> {
        self.typed(
            reading,
            key,
            "true or false",
            |kind| if let Kind::Boolean(value) = kind { Some(*value) } else { None },
        )
    }

    pub(crate) fn integer(&mut self, reading: &mut Reading<'_>, key: &str) -> Option<i64> {
        self.typed(
            reading,
            key,
            "a whole number",
            |kind| if let Kind::Number(number) = kind { number.as_i64() } else { None },
        )
    }

    /// A text that has to be there and to say something.
    pub(crate) fn required(&mut self, reading: &mut Reading<'_>, key: &str) -> Option<&'n str> {
        let before = reading.faults.len();
        let text = self.text(reading, key).filter(|text| !text.trim().is_empty());
        if text.is_none() && reading.faults.len() == before {
            reading.fault(&self.path_of(key), self.offset, format!("`{key}` is missing or empty"));
        }
        text
    }

    /// One word of a list of words, in any letter case.
    pub(crate) fn word<T: Copy>(&mut self, reading: &mut Reading<'_>, key: &str, words: &[(&str, T)]) -> Option<T> {
        let offset = self.members.get(key).map_or(self.offset, |node| node.offset);
        let text = self.text(reading, key)?.trim();
        find_word(reading, &self.path_of(key), offset, text, words)
    }

    pub(crate) fn object(&mut self, reading: &mut Reading<'_>, key: &str) -> Option<Fields<'n>> {
        let path = self.path_of(key);
        let node = self.take(key)?;
        Fields::of(reading, path, node)
    }

    /// The elements of a list with their paths; none where it is missing or null.
    pub(crate) fn list(&mut self, reading: &mut Reading<'_>, key: &str) -> Vec<(String, &'n Node)> {
        let items =
            self.typed(reading, key, "a list", |kind| if let Kind::List(items) = kind { Some(items) } else { None });
        let path = self.path_of(key);
        let items = items.map_or(&[][..], Vec::as_slice).iter().enumerate();
        items
            .filter(|(_, node)| !matches!(node.kind, Kind::Null))
            .map(|(at, node)| (format!("{path}[{at}]"), node))
            .collect()
    }

    pub(crate) fn objects(&mut self, reading: &mut Reading<'_>, key: &str) -> Vec<Fields<'n>> {
        let items = self.list(reading, key);
        items.into_iter().filter_map(|(path, node)| Fields::of(reading, path, node)).collect()
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.members.contains_key(key)
    }

    /// Passes over a member that says something else than nothing, with a note.
    pub(crate) fn pass(&mut self, reading: &mut Reading<'_>, key: &str, kind: NoteKind, message: &str) {
        if let Some(node) = self.take(key)
            && !is_empty(node)
        {
            reading.note(kind, &self.path_of(key), node.offset, message);
        }
    }

    /// Notes what nobody took. `labels` are members that decide nothing.
    pub(crate) fn end(mut self, reading: &mut Reading<'_>, labels: &[&str]) {
        let mut left: Vec<&str> = self.members.keys().copied().collect();
        left.sort_unstable();
        for key in left {
            if labels.contains(&key) || key.contains("@odata.") {
                self.pass(reading, key, NoteKind::Label, "a label, which Provost does not keep");
            } else {
                self.pass(reading, key, NoteKind::Lost, "a property that Provost does not know");
            }
        }
    }
}

fn is_empty(node: &Node) -> bool {
    match &node.kind {
        Kind::Null => true,
        Kind::Text(text) => text.is_empty(),
        Kind::List(items) => items.is_empty(),
        Kind::Object(members) => members.is_empty(),
        Kind::Boolean(_) | Kind::Number(_) => false,
    }
}

/// A word in any letter case; another one is a fault that lists the known ones.
pub(crate) fn find_word<T: Copy>(
    reading: &mut Reading<'_>,
    path: &str,
    offset: usize,
    text: &str,
    words: &[(&str, T)],
) -> Option<T> {
    let plain = |word: &str| word.replace('_', " ").to_ascii_lowercase();
    let found = words.iter().find(|(word, _)| plain(word) == plain(text)).map(|(_, value)| *value);
    if found.is_none() {
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let hint = match nearest(text, known.iter().copied()) {
            Some(word) => format!("did you mean `{word}`?"),
            None => format!("one of: {}", known.join(", ")),
        };
        reading.fault_with(Fault::new(&WRONG_FORM, path, offset, format!("unknown word `{text}`")).hint(hint));
    }
    found
}

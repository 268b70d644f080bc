//! JSON as a tree in which every value knows its place. serde_json tells no places of values that were read, and keeps the
//! last of two equal keys in silence; both matter where an administrator has edited a document of 10,000 lines by hand.
//!
//! Size and depth are bounded before anything is built. Texts and numbers are read by serde_json.

use std::collections::HashSet;

use serde_json::Number;

use crate::note::{Fault, UNREADABLE, WRONG_FORM};

/// Larger documents are refused. The largest default schemas have about 2 MiB.
pub const MAX_BYTES: usize = 16 << 20;
/// Lists and objects nested deeper than this are refused; parameters of expressions nest two levels a call.
pub const MAX_DEPTH: usize = 200;
/// So many mistakes are told at once.
pub(crate) const MAX_FAULTS: usize = 50;

#[derive(Debug)]
pub(crate) struct Node {
    pub offset: usize,
    pub kind: Kind,
}

#[derive(Debug)]
pub(crate) enum Kind {
    Null,
    Boolean(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    Object(Vec<(String, Node)>),
}

impl Node {
    pub(crate) fn describe(&self) -> &'static str {
        match self.kind {
            Kind::Null => "null",
            Kind::Boolean(_) => "a Boolean",
            Kind::Number(_) => "a number",
            Kind::Text(_) => "a text",
            Kind::List(_) => "a list",
            Kind::Object(_) => "an object",
        }
    }
}

/// The text of a file: UTF-8, or UTF-16 with its byte order mark, which PowerShell writes.
pub fn decode(bytes: &[u8]) -> Result<String, Fault> {
    // Half a character at the end is no UTF-16: the file was cut off.
    let text_of = |units: &[u8], read: fn([u8; 2]) -> u16| {
        let (pairs, rest) = units.as_chunks::<2>();
        let units: Vec<u16> = pairs.iter().map(|pair| read(*pair)).collect();
        String::from_utf16(&units).ok().filter(|_| rest.is_empty())
    };
    let text = match bytes {
        [0xff, 0xfe, units @ ..] => text_of(units, u16::from_le_bytes),
        [0xfe, 0xff, units @ ..] => text_of(units, u16::from_be_bytes),
        _ => std::str::from_utf8(bytes).ok().map(|text| text.trim_start_matches('\u{feff}').to_owned()),
    };
    text.ok_or_else(|| Fault::new(&UNREADABLE, "", 0, "the file is neither UTF-8 nor UTF-16").hint("save it as UTF-8"))
}

/// Reads a text; a byte order mark in front of it is passed over. Equal keys are faults beside the tree.
pub(crate) fn parse(text: &str) -> Result<(Node, Vec<Fault>), Fault> {
    if text.len() > MAX_BYTES {
        let message = format!("the document has {} MiB, and at most {} are read", text.len() >> 20, MAX_BYTES >> 20);
        return Err(Fault::new(&UNREADABLE, "", 0, message));
    }
    let at = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let mut parser = Parser { text, at, depth: 0, path: String::new(), faults: Vec::new() };
    let node = parser.value()?;
    parser.blank();
    match parser.peek() {
        None => Ok((node, parser.faults)),
        Some(_) => Err(parser.fault("something stands behind the end of the document")),
    }
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
    path: String,
    faults: Vec<Fault>,
}

impl Parser<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn blank(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn fault(&self, message: impl Into<String>) -> Fault {
        Fault::new(&UNREADABLE, &self.path, self.at, message)
    }

    fn value(&mut self) -> Result<Node, Fault> {
        self.blank();
        let offset = self.at;
        let kind = match self.peek() {
            None => {
                return Err(self
                    .fault("the document ends where a value should stand")
                    .hint("was the download cut short?"));
            }
            Some(b'{') => self.nested(Self::object)?,
            Some(b'[') => self.nested(Self::list)?,
            Some(b'"') => Kind::Text(self.string()?),
            Some(_) => self.word()?,
        };
        Ok(Node { offset, kind })
    }

    fn nested(&mut self, read: fn(&mut Self) -> Result<Kind, Fault>) -> Result<Kind, Fault> {
        if self.depth == MAX_DEPTH {
            return Err(self.fault(format!("lists and objects are nested deeper than {MAX_DEPTH}")));
        }
        self.depth += 1;
        self.at += 1;
        let kind = read(self)?;
        self.depth -= 1;
        Ok(kind)
    }

    fn object(&mut self) -> Result<Kind, Fault> {
        let mut entries: Vec<(String, Node)> = Vec::new();
        let mut seen = HashSet::new();
        let parent = self.path.len();
        self.blank();
        if self.take(b'}') {
            return Ok(Kind::Object(entries));
        }
        loop {
            self.blank();
            if self.peek() != Some(b'"') {
                return Err(self.fault("a key in double quotes is expected here"));
            }
            let key_at = self.at;
            let key = self.string()?;
            self.path.push_str(if parent == 0 { "" } else { "." });
            self.path.push_str(&key);
            if !seen.insert(key.clone()) && self.faults.len() < MAX_FAULTS {
                let fault =
                    Fault::new(&WRONG_FORM, &self.path, key_at, format!("the key `{key}` stands here a second time"));
                self.faults.push(fault.hint("keep one of them"));
            }
            self.blank();
            if !self.take(b':') {
                return Err(self.fault("`:` is expected behind the key"));
            }
            let value = self.value()?;
            self.path.truncate(parent);
            entries.push((key, value));
            if self.ends(b'}')? {
                return Ok(Kind::Object(entries));
            }
        }
    }

    fn list(&mut self) -> Result<Kind, Fault> {
        let mut items = Vec::new();
        let parent = self.path.len();
        self.blank();
        if self.take(b']') {
            return Ok(Kind::List(items));
        }
        loop {
            self.path.push_str(&format!("[{}]", items.len()));
            items.push(self.value()?);
            self.path.truncate(parent);
            if self.ends(b']')? {
                return Ok(Kind::List(items));
            }
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        let hit = self.peek() == Some(byte);
        self.at += usize::from(hit);
        hit
    }

    /// After a member: `true` at the closing bracket, `false` at a comma.
    fn ends(&mut self, close: u8) -> Result<bool, Fault> {
        self.blank();
        if self.take(b',') {
            return Ok(false);
        }
        if self.take(close) {
            return Ok(true);
        }
        Err(self.fault(format!("`,` or `{}` is expected here", char::from(close))))
    }

    fn string(&mut self) -> Result<String, Fault> {
        let bytes = &self.text.as_bytes()[self.at..];
        let mut escaped = false;
        let end = bytes.iter().skip(1).position(|byte| {
            let ends = *byte == b'"' && !escaped;
            escaped = *byte == b'\\' && !escaped;
            ends
        });
        let Some(end) = end else { return Err(self.fault("the closing quote of this text is missing")) };
        let literal = &self.text[self.at..self.at + end + 2];
        let text = serde_json::from_str(literal)
            .map_err(|_| self.fault("this text has a line break or an escape that JSON does not have"))?;
        self.at += literal.len();
        Ok(text)
    }

    fn word(&mut self) -> Result<Kind, Fault> {
        let rest = &self.text[self.at..];
        let end = rest.find(|c: char| c.is_whitespace() || ",:[]{}\"".contains(c)).unwrap_or(rest.len());
        let kind = match &rest[..end] {
            "null" => Kind::Null,
            "true" => Kind::Boolean(true),
            "false" => Kind::Boolean(false),
            word => match serde_json::from_str(word) {
                Ok(number) => Kind::Number(number),
                Err(_) => return Err(self.fault("this is no JSON value").hint("texts stand in double quotes")),
            },
        };
        self.at += end;
        Ok(kind)
    }
}

//! LDIF (RFC 2849): content records as objects. A record is a block of lines up to an empty one; `record` reads a block,
//! `print` writes one, `fold` makes objects of a file of changes.

pub(super) mod fold;
pub(super) mod print;
pub(super) mod record;

use std::sync::Arc;

use provost_connector::{CheckResult, ConnectorError, ErrorCode};
use provost_model::{Attributes, ObjectId};

use super::config::Config;
use super::fault::RowFault;
use super::format::item_error;
use super::input::{Input, Stamp};
use super::lines::{Line, Lines, most};
use super::tree::{Item, Items};
use record::{Entry, Kind};

/// What the file holds one after the other.
pub(super) enum Block {
    /// Lines up to an empty one, or to the end of the file.
    Lines,
    /// An empty line, a comment by itself, or the line that tells the version.
    Aside,
    /// More lines than memory allows; passed over.
    TooLong,
    End,
}

/// A file as blocks.
pub(super) struct Blocks {
    pub config: Arc<Config>,
    lines: Lines,
    /// The block with its line ends, and the empty line after it.
    pub text: Vec<u8>,
    /// Where the empty line begins in `text`; its end where there is none.
    pub body: usize,
    /// The first line of the block, from 1.
    pub line: u64,
    /// Whether an empty line ends the block.
    pub closed: bool,
    /// Bytes of the file up to here, byte order mark apart.
    pub offset: u64,
}

impl Blocks {
    pub fn open(config: &Arc<Config>) -> Result<Self, ConnectorError> {
        let lines = Lines::new(Input::open(config)?, config);
        let config = config.clone();
        Ok(Self { config, lines, text: Vec::new(), body: 0, line: 0, closed: false, offset: 0 })
    }

    pub fn input(&self) -> &Input {
        &self.lines.input
    }

    pub fn next(&mut self) -> Result<Block, ConnectorError> {
        self.text.clear();
        (self.body, self.closed) = (0, false);
        let (mut has_data, mut too_long) = (false, false);
        loop {
            let line = self.lines.next(&self.config)?;
            if line == Line::End {
                break;
            }
            if self.text.is_empty() {
                self.line = self.lines.number;
            }
            too_long |= line == Line::TooLong || self.text.len() > most(&self.config);
            if too_long {
                self.text.clear();
            }
            let (text, end) = (self.lines.text(), self.lines.line_end());
            self.text.extend_from_slice(text);
            self.text.extend_from_slice(end);
            self.offset += (text.len() + end.len()) as u64;
            if text.is_empty() {
                self.closed = true;
                break;
            }
            self.body = self.text.len();
            has_data |= !text.starts_with(b"#");
            // The version may stand right before the first record.
            if self.lines.number == 1 && text.get(..8).is_some_and(|word| word.eq_ignore_ascii_case(b"version:")) {
                return Ok(Block::Aside);
            }
        }
        Ok(match (too_long, has_data) {
            (true, _) => Block::TooLong,
            (false, true) => Block::Lines,
            (false, false) if self.text.is_empty() => Block::End,
            (false, false) => Block::Aside,
        })
    }

    /// The block without the empty line after it.
    pub fn body(&self) -> &[u8] {
        &self.text[..self.body]
    }

    /// Why nothing but the version, without an empty line after it, may be the beginning of a longer file.
    pub fn ends_early(&self) -> Option<String> {
        let is_version = self.line == 1 && !self.closed && !self.text.starts_with(b"#");
        let hint = "a file without entries has an empty line after it";
        (is_version && self.config.final_newline)
            .then(|| format!("nothing follows its version, so it may be cut short (hint: {hint})"))
    }

    /// A fault of the block; `line` counts from its first one.
    pub fn fault(&self, fault: record::Fault) -> RowFault {
        let is_dn = self.config.key.len() == 1 && self.config.key[0].eq_ignore_ascii_case("dn");
        let id = fault.dn.filter(|_| is_dn && self.closed).map(ObjectId::from);
        let error = item_error(fault.code, fault.message, fault.hint);
        RowFault { line: self.line + fault.line, column: None, id, error }
    }

    /// Why a block that no empty line ends may not be all of its record.
    pub fn cut(&self) -> String {
        format!(
            "no empty line follows the last record, line {}, so it may be cut short (hint: export it again; if this export \
             never ends its last record so, set final_newline: optional)",
            self.line
        )
    }
}

/// Content records.
pub(super) struct LdifContent {
    blocks: Blocks,
    now: Option<Attributes>,
    cut: Option<String>,
    /// The search that wrote the file did not find all.
    bad_search: Option<String>,
    too_long: bool,
    /// Entries of other classes are told as faults with their names: the names are taken.
    pub holds_names: bool,
}

impl LdifContent {
    pub fn open(config: &Arc<Config>) -> Result<Self, ConnectorError> {
        Ok(Self {
            blocks: Blocks::open(config)?,
            now: None,
            cut: None,
            bad_search: None,
            too_long: false,
            holds_names: false,
        })
    }

    pub fn blocks(&self) -> &Blocks {
        &self.blocks
    }

    /// Whether the block at hand was too long to be kept.
    pub fn is_passed_over(&self) -> bool {
        self.too_long
    }

    fn refuse_changes(&self) -> ConnectorError {
        let message = format!(
            "{} has a change record, line {}, and is read as content",
            self.blocks.config.file, self.blocks.line
        );
        ConnectorError::new(ErrorCode::Unreadable, message)
            .hint("set records: changes to read a file of changes; a file of objects has no `changetype`")
    }
}

impl Items for LdifContent {
    fn next(&mut self) -> Result<Item, ConnectorError> {
        self.now = None;
        let block = self.blocks.next()?;
        if !matches!(block, Block::End) {
            self.cut = None;
        }
        self.too_long = matches!(block, Block::TooLong);
        match block {
            Block::End => return Ok(Item::End(self.bad_search.take().or(self.cut.take()))),
            Block::Aside => {
                self.cut = self.blocks.ends_early();
                return Ok(Item::Other);
            }
            Block::TooLong => return Ok(Item::Fault(self.blocks.fault(record::Fault::too_long()))),
            Block::Lines => {}
        }
        let config = &self.blocks.config;
        if let Some(result) = record::search_result(self.blocks.body()) {
            if result != "0" && !result.starts_with("0 ") {
                self.bad_search = Some(format!("the search that wrote it ended with result {result}"));
            }
            return Ok(Item::Other);
        }
        if !self.blocks.closed && config.final_newline {
            self.cut = Some(self.blocks.cut());
            return Ok(Item::Fault(self.blocks.fault(record::Fault::cut())));
        }
        match record::read(self.blocks.body(), config) {
            Err(fault) => {
                if !self.blocks.closed {
                    self.cut = Some(self.blocks.cut());
                }
                Ok(Item::Fault(self.blocks.fault(fault)))
            }
            Ok(Entry { kind: Kind::Content(attributes), dn }) => {
                if let Some(class) = config.shape.object_class.as_ref().filter(|class| !is_a(&attributes, class)) {
                    if !self.holds_names {
                        return Ok(Item::Other);
                    }
                    let mut fault = record::Fault::other_class(class);
                    fault.dn = Some(dn);
                    return Ok(Item::Fault(self.blocks.fault(fault)));
                }
                let mut all: Attributes = [("dn", dn)].into_iter().collect();
                attributes.into_iter().for_each(|(name, value)| all.push(name, value));
                self.now = Some(all);
                Ok(Item::Record)
            }
            Ok(_) => Err(self.refuse_changes()),
        }
    }

    fn line(&self) -> u64 {
        self.blocks.line
    }

    fn raw(&self) -> &[u8] {
        self.blocks.body()
    }

    fn attributes(&self) -> Result<Attributes, Box<RowFault>> {
        Ok(self.now.clone().unwrap_or_default())
    }

    fn describe(&self) -> Vec<CheckResult> {
        vec![self.blocks.input().describe()]
    }

    fn stamp(&self) -> &Stamp {
        self.blocks.input().stamp()
    }

    fn disturbance(&self) -> Option<String> {
        self.blocks.input().disturbance(&self.blocks.config.path)
    }
}

/// Whether an entry is of this object class.
pub(super) fn is_a(attributes: &Attributes, class: &str) -> bool {
    let classes = attributes.find("objectClass").map(provost_model::Value::elements).unwrap_or_default();
    classes.iter().filter_map(provost_model::Value::as_text).any(|have| have.eq_ignore_ascii_case(class))
}

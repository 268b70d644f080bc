//! Splits decoded bytes into rows and cells (RFC 4180, any ASCII delimiter, doubled quotes, LF, CRLF or CR).
//!
//! A splitter of its own instead of the `csv` crate, which the tests use as the oracle, for four things a proof of
//! completeness needs: an opening quote that never closes is noticed (and does not pull the rest of the file into
//! memory), text after a closing quote is a fault instead of a guess, lines are counted right with CRLF and quoted line
//! breaks, and the bytes of a row are at hand as one slice to hash and to copy. Meaning is `table`'s.

use std::ops::Range;

use provost_connector::ConnectorError;

use super::config::{Config, Delimiter};
use super::input::{Input, io_error};

/// More columns than this are refused.
pub(super) const MAX_COLUMNS: usize = 20_000;
const CHUNK: usize = 256 << 10;
/// A row may be this long, or twice the longest cell.
const MAX_ROW_BYTES: usize = 16 << 20;

/// The cell was in quotes.
pub(super) const QUOTED: u8 = 1;
/// It holds doubled quotes.
pub(super) const DOUBLED: u8 = 2;
/// It holds a NUL byte.
pub(super) const ZERO: u8 = 4;
/// Text follows its closing quote.
pub(super) const TAIL: u8 = 8;
/// Its quote never closes.
pub(super) const OPEN: u8 = 16;

/// A cell of the current row; `start..end` from the row's first byte, inside the quotes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cell {
    start: u32,
    end: u32,
    /// Line breaks in the row before this cell.
    pub lines: u32,
    pub flags: u8,
}

impl Cell {
    pub fn len(self) -> usize {
        (self.end - self.start) as usize
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    Row,
    /// A row longer than memory allows was passed over; [`Rows::cells`] holds its beginning.
    TooLong,
    End,
}

pub(super) struct Rows {
    pub input: Input,
    pub delimiter: u8,
    pub quote: Option<u8>,
    trim: bool,
    /// 1 where an unquoted cell may end, 2 for NUL.
    plain: [u8; 256],
    /// The same inside quotes.
    quoted: [u8; 256],
    max_row: usize,
    buf: Vec<u8>,
    start: usize,
    end: usize,
    over: bool,
    /// The line that `start` is on.
    at_line: u64,
    cells: Vec<Cell>,
    /// Cells the row has, also beyond [`MAX_COLUMNS`].
    pub count: usize,
    /// All flags of the row's cells.
    pub flags: u8,
    /// Bytes of the longest cell.
    pub longest: usize,
    /// The line the row begins on, from 1.
    pub line: u64,
    /// Line breaks inside the row.
    pub lines: u32,
    row: Range<usize>,
    /// Where the line end of the row ends.
    next: usize,
    /// The last row had no line end.
    cut: bool,
}

enum Parsed {
    Row,
    NeedMore,
}

impl Rows {
    pub fn new(input: Input, config: &Config) -> Result<Self, ConnectorError> {
        let mut rows = Self {
            input,
            delimiter: b',',
            quote: config.quote,
            trim: config.trim,
            plain: [0; 256],
            quoted: [0; 256],
            max_row: MAX_ROW_BYTES.max(config.max_field_bytes * 2),
            buf: vec![0; CHUNK],
            start: 0,
            end: 0,
            over: false,
            at_line: 1,
            cells: Vec::new(),
            count: 0,
            flags: 0,
            longest: 0,
            line: 1,
            lines: 0,
            row: 0..0,
            next: 0,
            cut: false,
        };
        rows.fill(config)?;
        rows.delimiter = match config.delimiter {
            Delimiter::Byte(byte) => byte,
            Delimiter::Auto => guess_delimiter(&rows.buf[..rows.end], rows.quote),
        };
        for byte in [rows.delimiter, b'\n', b'\r', 0] {
            rows.plain[usize::from(byte)] = 1;
        }
        for byte in rows.quote.into_iter().chain([b'\n', b'\r', 0]) {
            rows.quoted[usize::from(byte)] = 1;
        }
        Ok(rows)
    }

    /// Goes to the next row, past blank lines.
    pub fn next(&mut self, config: &Config) -> Result<Next, ConnectorError> {
        let last = self.line;
        self.start = self.next;
        self.cut = self.row.end > self.row.start && self.row.end == self.next;
        self.at_line += u64::from(self.lines) + u64::from(self.row.end < self.next);
        self.row = self.start..self.start;
        self.lines = 0;
        loop {
            while self.start < self.end && matches!(self.buf[self.start], b'\n' | b'\r') {
                let pair = self.buf[self.start] == b'\r' && self.buf.get(self.start + 1) == Some(&b'\n');
                if self.buf[self.start] == b'\r' && self.start + 1 == self.end && !self.over {
                    break;
                }
                self.start += 1 + usize::from(pair && self.start + 1 < self.end);
                self.at_line += 1;
            }
            self.next = self.start;
            self.row = self.start..self.start;
            self.line = self.at_line;
            if self.start == self.end && self.over {
                self.cells.clear();
                (self.count, self.flags, self.line) = (0, 0, last);
                return Ok(Next::End);
            }
            if self.start < self.end
                && let Parsed::Row = self.parse()
            {
                return Ok(Next::Row);
            }
            if self.end - self.start > self.max_row {
                self.skip(config)?;
                return Ok(Next::TooLong);
            }
            self.fill(config)?;
        }
    }

    pub fn cells(&self) -> &[Cell] {
        &self.cells
    }

    /// A cell's bytes, doubled quotes still doubled.
    pub fn bytes(&self, cell: Cell) -> &[u8] {
        &self.buf[self.row.start + cell.start as usize..self.row.start + cell.end as usize]
    }

    /// The row's bytes without its line end.
    pub fn raw(&self) -> &[u8] {
        &self.buf[self.row.clone()]
    }

    /// The row's line end; empty when the file ends without one.
    pub fn line_end(&self) -> &[u8] {
        &self.buf[self.row.end..self.next]
    }

    /// Whether the last row, once it was read, had no line end.
    pub fn is_cut(&self) -> bool {
        self.cut
    }

    /// Whether a quote is open where the file ends.
    pub fn is_open(&self) -> bool {
        self.flags & OPEN != 0
    }

    fn parse(&mut self) -> Parsed {
        let bytes = &self.buf[self.start..self.end];
        let len = bytes.len();
        let (mut at, mut lines, mut all, mut longest, mut count) = (0usize, 0u32, 0u8, 0usize, 0usize);
        self.cells.clear();
        loop {
            let mut cell = Cell { start: at as u32, end: 0, lines, flags: 0 };
            let mut quote_at = at;
            if self.trim {
                while quote_at < len && matches!(bytes[quote_at], b' ' | b'\t') && bytes[quote_at] != self.delimiter {
                    quote_at += 1;
                }
            }
            if quote_at < len && Some(bytes[quote_at]) == self.quote {
                cell.flags |= QUOTED;
                at = quote_at + 1;
                cell.start = at as u32;
                loop {
                    while at < len && self.quoted[usize::from(bytes[at])] == 0 {
                        at += 1;
                    }
                    if at == len {
                        if !self.over {
                            return Parsed::NeedMore;
                        }
                        cell.flags |= OPEN;
                        cell.end = at as u32;
                        break;
                    }
                    match bytes[at] {
                        0 => cell.flags |= ZERO,
                        b'\n' => lines += 1,
                        b'\r' => match bytes.get(at + 1) {
                            Some(b'\n') => {}
                            None if !self.over => return Parsed::NeedMore,
                            _ => lines += 1,
                        },
                        _ => match bytes.get(at + 1) {
                            None if !self.over => return Parsed::NeedMore,
                            next if next.copied() == self.quote => {
                                cell.flags |= DOUBLED;
                                at += 1;
                            }
                            _ => {
                                cell.end = at as u32;
                                at += 1;
                                break;
                            }
                        },
                    }
                    at += 1;
                }
                let tail = at;
                while at < len && self.plain[usize::from(bytes[at])] == 0 {
                    at += 1;
                }
                let blank = self.trim && bytes[tail..at].iter().all(|byte| matches!(byte, b' ' | b'\t'));
                if at > tail && !blank {
                    cell.flags |= TAIL;
                }
                while at < len && bytes[at] == 0 {
                    cell.flags |= TAIL | ZERO;
                    at += 1;
                    while at < len && self.plain[usize::from(bytes[at])] == 0 {
                        at += 1;
                    }
                }
            } else {
                loop {
                    while at < len && self.plain[usize::from(bytes[at])] == 0 {
                        at += 1;
                    }
                    if at == len || bytes[at] != 0 {
                        break;
                    }
                    cell.flags |= ZERO;
                    at += 1;
                }
                cell.end = at as u32;
            }
            if at == len && !self.over {
                return Parsed::NeedMore;
            }
            all |= cell.flags;
            longest = longest.max(cell.len());
            count += 1;
            if count <= MAX_COLUMNS {
                self.cells.push(cell);
            }
            let row_end = at;
            if at < len {
                match bytes[at] {
                    b'\n' => at += 1,
                    b'\r' => match bytes.get(at + 1) {
                        Some(b'\n') => at += 2,
                        None if !self.over => return Parsed::NeedMore,
                        _ => at += 1,
                    },
                    _ => {
                        at += 1;
                        continue;
                    }
                }
            }
            (self.count, self.flags, self.longest, self.lines) = (count, all, longest, lines);
            self.row = self.start..self.start + row_end;
            self.next = self.start + at;
            return Parsed::Row;
        }
    }

    /// Makes room and reads on. The row under way moves to the front.
    fn fill(&mut self, config: &Config) -> Result<(), ConnectorError> {
        if self.start > 0 {
            self.buf.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
            self.next = 0;
            self.row = 0..0;
        }
        let most = self.max_row + CHUNK;
        if self.buf.len() - self.end < self.buf.len() / 2 && self.buf.len() < most {
            self.buf.resize(most.min(self.buf.len() * 2), 0);
        }
        let read =
            self.input.fill(&mut self.buf[self.end..]).map_err(|error| io_error(&error, "read", &config.path))?;
        self.end += read;
        self.over = read == 0;
        Ok(())
    }

    /// Passes over a row without keeping it.
    fn skip(&mut self, config: &Config) -> Result<(), ConnectorError> {
        #[derive(Clone, Copy, PartialEq)]
        enum At {
            CellStart,
            Plain,
            Quoted,
            AfterQuote,
            AfterReturn,
        }
        self.count = self.cells.len();
        let (mut state, mut lines, mut at) = (At::CellStart, 0u32, self.start);
        loop {
            while at < self.end {
                let byte = self.buf[at];
                if state == At::AfterReturn {
                    self.finish_skip(at + usize::from(byte == b'\n'), lines, 0);
                    return Ok(());
                }
                at += 1;
                state = match (state, byte) {
                    (At::CellStart, byte) if Some(byte) == self.quote => At::Quoted,
                    (At::CellStart, b' ' | b'\t') if self.trim && byte != self.delimiter => At::CellStart,
                    (At::Quoted, byte) if Some(byte) == self.quote => At::AfterQuote,
                    (At::AfterQuote, byte) if Some(byte) == self.quote => At::Quoted,
                    (At::Quoted, b'\n') => {
                        lines = lines.saturating_add(1);
                        At::Quoted
                    }
                    (At::Quoted, _) => At::Quoted,
                    (_, byte) if byte == self.delimiter => At::CellStart,
                    (_, b'\n') => {
                        self.finish_skip(at, lines, 0);
                        return Ok(());
                    }
                    (_, b'\r') => At::AfterReturn,
                    _ => At::Plain,
                };
            }
            if self.over {
                self.finish_skip(at, lines, if state == At::Quoted { OPEN } else { 0 });
                if state != At::AfterReturn {
                    // No line end was seen.
                    self.row.end = self.next;
                }
                return Ok(());
            }
            (self.start, self.end, at) = (0, 0, 0);
            let read = self.input.fill(&mut self.buf).map_err(|error| io_error(&error, "read", &config.path))?;
            self.end = read;
            self.over = read == 0;
        }
    }

    fn finish_skip(&mut self, next: usize, lines: u32, flags: u8) {
        self.flags = flags;
        self.lines = lines;
        self.next = next;
        self.row = next.saturating_sub(1)..next.saturating_sub(1);
    }
}

/// The candidate that the first line has most of outside quotes; a comma when it has none.
fn guess_delimiter(start: &[u8], quote: Option<u8>) -> u8 {
    const CANDIDATES: [u8; 4] = [b',', b';', b'\t', b'|'];
    let mut counts = [0usize; 4];
    let mut quoted = false;
    for &byte in start.iter().skip_while(|byte| matches!(byte, b'\n' | b'\r')) {
        if Some(byte) == quote {
            quoted = !quoted;
        } else if quoted {
            continue;
        } else if matches!(byte, b'\n' | b'\r') {
            break;
        } else if let Some(at) = CANDIDATES.iter().position(|candidate| *candidate == byte) {
            counts[at] += 1;
        }
    }
    // The first one wins a tie.
    let best = (0..4).rev().max_by_key(|at| counts[*at]).unwrap_or(0);
    CANDIDATES[best]
}

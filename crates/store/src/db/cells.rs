//! Values one behind the other in one piece of memory: how they go to SQLite's threads, and how its rows come back.
//!
//! A value is a tag and its bytes, a text also its length. Nothing is allocated for a value on either side.

use rusqlite::ToSql;
use rusqlite::types::{ToSqlOutput, ValueRef};

use super::Param;
use super::sql::checked;
use crate::Result;

const NULL: u8 = 0;
const INT: u8 = 1;
const REAL: u8 = 2;
const TEXT: u8 = 3;
const BLOB: u8 = 4;

const KEPT: usize = 4 << 20;

/// Values that are written once and read in the same order.
#[derive(Debug, Default)]
pub(super) struct Cells(Vec<u8>);

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Cell<'a>(pub ValueRef<'a>);

impl Cell<'_> {
    pub const NULL: Self = Self(ValueRef::Null);
}

impl Cells {
    /// Refuses a NUL in a text, as the other engine does.
    pub fn push_param(&mut self, param: &Param<'_>) -> Result<()> {
        self.push(match param {
            Param::Text(Some(text)) => ValueRef::Text(checked(text)?.as_bytes()),
            Param::Int(Some(number)) => ValueRef::Integer(*number),
            Param::Real(Some(number)) => ValueRef::Real(*number),
            Param::Blob(Some(bytes)) => ValueRef::Blob(bytes),
            Param::Text(None) | Param::Int(None) | Param::Real(None) | Param::Blob(None) => ValueRef::Null,
        });
        Ok(())
    }

    pub fn push(&mut self, value: ValueRef<'_>) {
        match value {
            ValueRef::Null => self.0.push(NULL),
            ValueRef::Integer(number) => self.put(INT, &number.to_le_bytes()),
            ValueRef::Real(number) => self.put(REAL, &number.to_le_bytes()),
            ValueRef::Text(bytes) => self.put_long(TEXT, bytes),
            ValueRef::Blob(bytes) => self.put_long(BLOB, bytes),
        }
    }

    fn put(&mut self, tag: u8, bytes: &[u8]) {
        self.0.push(tag);
        self.0.extend_from_slice(bytes);
    }

    fn put_long(&mut self, tag: u8, bytes: &[u8]) {
        self.put(tag, &(bytes.len() as u64).to_le_bytes());
        self.0.extend_from_slice(bytes);
    }

    /// Nothing, in the memory that this had. A page of links takes half a megabyte, which is dear to get anew each time; what
    /// is larger than a few of those goes back.
    pub fn cleared(mut self) -> Self {
        self.0.clear();
        self.0.shrink_to(KEPT);
        self
    }

    /// Where the next value will be.
    pub fn end(&self) -> usize {
        self.0.len()
    }

    /// The value at a place, which is moved behind it; none at the end.
    pub fn next(&self, at: &mut usize) -> Option<Cell<'_>> {
        let tag = *self.0.get(*at)?;
        *at += 1;
        Some(Cell(match tag {
            INT => ValueRef::Integer(i64::from_le_bytes(self.fixed(at)?)),
            REAL => ValueRef::Real(f64::from_le_bytes(self.fixed(at)?)),
            TEXT => ValueRef::Text(self.long(at)?),
            BLOB => ValueRef::Blob(self.long(at)?),
            _ => ValueRef::Null,
        }))
    }

    fn fixed(&self, at: &mut usize) -> Option<[u8; 8]> {
        let bytes = self.0.get(*at..)?.first_chunk()?;
        *at += 8;
        Some(*bytes)
    }

    fn long(&self, at: &mut usize) -> Option<&[u8]> {
        let length = u64::from_le_bytes(self.fixed(at)?) as usize;
        let bytes = self.0.get(*at..*at + length)?;
        *at += length;
        Some(bytes)
    }
}

impl ToSql for Cell<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_in_order() {
        let values = [
            ValueRef::Text(b""),
            ValueRef::Integer(i64::MIN),
            ValueRef::Null,
            ValueRef::Text("\u{2603} text".as_bytes()),
            ValueRef::Real(-0.5),
            ValueRef::Blob(&[0, 255, 3]),
        ];
        let mut cells = Cells::default();
        values.iter().for_each(|value| cells.push(*value));
        let mut at = 0;
        let read: Vec<_> = std::iter::from_fn(|| cells.next(&mut at).map(|cell| cell.0)).collect();
        assert_eq!((read.as_slice(), at), (values.as_slice(), cells.end()));
    }
}

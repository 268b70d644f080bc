//! Queries and their answers (RFC 7644 section 3.4.2, RFC 9865): parameters, ListResponse, sort keys.
//!
//! Filters and projections are parsed here, not bound: which resource type they meet is known later. Making and checking
//! cursors is the service's own affair.

mod query;
mod sort;

use provost_model::Text;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

pub use query::{Page, Query};
pub use sort::{Sort, SortKey, SortOrder};

use crate::urn;

/// One page of a query's answer. Serialises as a ListResponse; `R` is whatever serialises as a resource.
#[derive(Debug, Clone, PartialEq)]
pub struct ListResponse<R> {
    /// All matches; may be unknown with cursor paging alone.
    pub total_results: Option<u64>,
    /// Counted from 1; none with cursor paging.
    pub start_index: Option<u64>,
    /// Those of this page.
    pub resources: Vec<R>,
    /// Present on every page but the last (RFC 9865 section 2).
    pub next_cursor: Option<Text>,
    /// Never on the first page.
    pub previous_cursor: Option<Text>,
}

impl<R> ListResponse<R> {
    /// A page of index paging.
    pub fn indexed(total_results: u64, start_index: u64, resources: Vec<R>) -> Self {
        let start_index = Some(start_index);
        Self { total_results: Some(total_results), start_index, resources, next_cursor: None, previous_cursor: None }
    }

    /// A page of cursor paging; no `next_cursor` means that it is the last one.
    pub fn at_cursor(total_results: Option<u64>, resources: Vec<R>, next_cursor: Option<Text>) -> Self {
        Self { total_results, start_index: None, resources, next_cursor, previous_cursor: None }
    }
}

impl<R: Serialize> Serialize for ListResponse<R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("schemas", &[urn::LIST_RESPONSE])?;
        if let Some(total) = self.total_results {
            map.serialize_entry("totalResults", &total)?;
        }
        if let Some(start) = self.start_index {
            map.serialize_entry("startIndex", &start)?;
        }
        map.serialize_entry("itemsPerPage", &self.resources.len())?;
        if let Some(cursor) = &self.next_cursor {
            map.serialize_entry("nextCursor", cursor)?;
        }
        if let Some(cursor) = &self.previous_cursor {
            map.serialize_entry("previousCursor", cursor)?;
        }
        // Members may be left out when there are none, but clients of the field look for them.
        map.serialize_entry("Resources", &self.resources)?;
        map.end()
    }
}

#[cfg(test)]
mod tests;

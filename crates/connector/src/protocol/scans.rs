//! The scans that a served connector has open, and pages that fit into a line.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use provost_model::Text;

use super::{Id, message};
use crate::{ConnectorError, ErrorCode, Scan, ScanFault, ScanItem, ScanPage};

/// Scans that may be open at once; more are a host that forgets to close them.
const MOST: usize = 64;

/// One scan, with pages that were too long for a line and wait in parts.
pub(super) struct Open {
    pub scan: Box<dyn Scan>,
    pub held: VecDeque<ScanPage>,
}

#[derive(Default)]
pub(super) struct Scans {
    open: Mutex<HashMap<Text, Arc<tokio::sync::Mutex<Open>>>>,
    last: AtomicU64,
}

impl Scans {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Text, Arc<tokio::sync::Mutex<Open>>>> {
        // A map is whole between any two statements.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn add(&self, scan: Box<dyn Scan>) -> Result<Text, ConnectorError> {
        let mut open = self.lock();
        if open.len() >= MOST {
            let message = format!("{MOST} scans are open, and no more can be");
            return Err(ConnectorError::new(ErrorCode::Throttled, message).hint("close scans that are done with"));
        }
        let name = Text::from(format!("s{}", self.last.fetch_add(1, Ordering::Relaxed) + 1));
        open.insert(name.clone(), Arc::new(tokio::sync::Mutex::new(Open { scan, held: VecDeque::new() })));
        Ok(name)
    }

    pub fn get(&self, name: &str) -> Result<Arc<tokio::sync::Mutex<Open>>, ConnectorError> {
        self.lock().get(name).cloned().ok_or_else(|| {
            let message = format!("there is no open scan `{}`", name.escape_debug());
            ConnectorError::new(ErrorCode::Protocol, message).hint("it ended, failed or was closed; open it anew")
        })
    }

    pub fn remove(&self, name: &str) {
        self.lock().remove(name);
    }
}

/// The line of a page, at most `max` bytes without its end. What does not fit goes to the front of `held`; an object that does
/// not fit by itself becomes a fault of that object.
pub(super) fn fit(
    id: &Id,
    mut page: ScanPage,
    max: usize,
    held: &mut VecDeque<ScanPage>,
) -> Result<Vec<u8>, ConnectorError> {
    loop {
        let line = message::result(id, &page)?;
        let bytes = line.len() - 1;
        if bytes <= max {
            return Ok(line);
        }
        match (page.items.len(), page.faults.len()) {
            (0, 0) => {
                let message = format!("the end of a scan takes {bytes} bytes, more than a line may have ({max})");
                return Err(ConnectorError::new(ErrorCode::Internal, message));
            }
            (1, 0) if page.end.is_none() => {
                page = ScanPage { faults: vec![too_long(&page.items[0], max)], ..ScanPage::default() }
            }
            (0, 1) if page.end.is_none() => {
                let fault = &mut page.faults[0];
                let message = "the object could not be read, and why takes more than a line may have";
                fault.error = ConnectorError::new(fault.error.code, message);
                fault.place = fault.place.chars().take(100).collect();
                if message::result(id, &page)?.len() - 1 > max {
                    return Err(ConnectorError::new(
                        ErrorCode::Internal,
                        format!("a line of {max} bytes holds no page"),
                    ));
                }
            }
            (items, faults) => {
                // The end has to come last, and items before faults is as good an order as any.
                let rest = ScanPage {
                    items: page.items.split_off(items.div_ceil(2)),
                    faults: if items > 1 {
                        std::mem::take(&mut page.faults)
                    } else {
                        page.faults.split_off(faults.div_ceil(2) * usize::from(items == 0))
                    },
                    end: page.end.take(),
                };
                held.push_front(rest);
            }
        }
    }
}

fn too_long(item: &ScanItem, max: usize) -> ScanFault {
    let error =
        ConnectorError::new(ErrorCode::InvalidValue, format!("the object takes more than a line of {max} bytes"))
            .hint("set `max_line` higher, or leave out what is not needed");
    ScanFault { place: item.id().0.chars().take(100).collect(), id: Some(item.id().clone()), error }
}

#[cfg(test)]
mod tests {
    use provost_model::Record;

    use super::*;
    use crate::End;

    /// Every page that comes of one, each within the limit.
    fn parts(page: ScanPage, max: usize) -> Vec<ScanPage> {
        let (mut held, mut parts) = (VecDeque::from([page]), Vec::new());
        while let Some(page) = held.pop_front() {
            let line = fit(&Id::Number(1), page, max, &mut held).unwrap();
            assert!(line.len() <= max + 1, "{}", line.len());
            #[derive(serde::Deserialize)]
            struct Answer {
                result: ScanPage,
            }
            parts.push(serde_json::from_slice::<Answer>(&line).unwrap().result);
        }
        parts
    }

    fn item(id: usize, bytes: usize) -> ScanItem {
        ScanItem::Upsert(Record::new("card", id.to_string()).with("text", "x".repeat(bytes)))
    }

    #[test]
    fn a_page_that_is_too_long_comes_in_parts_and_ends_once() {
        let fault = |id: usize| ScanFault {
            place: "row".into(),
            id: Some(id.to_string().into()),
            error: ConnectorError::new(ErrorCode::Unreadable, "y".repeat(300)),
        };
        for items in 0..9 {
            for faults in 0..4 {
                let page = ScanPage {
                    items: (0..items).map(|id| item(id, 300)).collect(),
                    faults: (0..faults).map(|id| fault(100 + id)).collect(),
                    end: Some(End::complete((items + faults) as u64)),
                };
                let parts = parts(page, 900);
                let ids: Vec<String> =
                    parts.iter().flat_map(|part| &part.items).map(|item| item.id().to_string()).collect();
                assert_eq!(ids, (0..items).map(|id| id.to_string()).collect::<Vec<_>>());
                assert_eq!(parts.iter().map(ScanPage::received).sum::<u64>(), (items + faults) as u64);
                assert!(parts.iter().rev().skip(1).all(|part| part.end.is_none()));
                assert!(parts.last().unwrap().end.is_some());
            }
        }
    }

    #[test]
    fn an_object_beyond_a_line_is_a_fault_of_its_own() {
        let page = ScanPage {
            items: vec![item(1, 10), item(2, 2_000), item(3, 10)],
            faults: vec![ScanFault {
                place: "p".repeat(3_000).into(),
                id: Some("4".into()),
                error: ConnectorError::new(ErrorCode::Unreadable, "z".repeat(3_000)),
            }],
            end: Some(End::complete(4)),
        };
        let parts = parts(page, 900);
        let faults: Vec<_> =
            parts.iter().flat_map(|part| &part.faults).map(|f| f.id.clone().unwrap().to_string()).collect();
        assert_eq!(faults, ["2", "4"]);
        assert_eq!(parts.iter().map(ScanPage::received).sum::<u64>(), 4);
    }
}

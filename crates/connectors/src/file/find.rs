//! One object by id, and objects by the exact values of their columns: a pass over the file.
//!
//! A row that cannot be read may be the one that is asked for, so an answer that depends on it is an error.

use std::collections::HashMap;
use std::sync::Arc;

use provost_connector::{ConnectorError, Context, Cursor, ErrorCode, FindRequest, LookupRequest, Page, ScanRequest};
use provost_model::{AttributePath, ClassName, Filter, ObjectId, Operator, Record, Value};

use super::cell;
use super::config::Config;
use super::fault::RowFault;
use super::format::{self, Reader};
use super::input::Stamp;
use super::read::{Found, Scanner};

pub(super) async fn get(cx: &Context, config: Arc<Config>, id: ObjectId) -> Result<Option<Record>, ConnectorError> {
    super::blocking(cx, move || {
        if super::is_yet_to_come(&config)? {
            return Ok(None);
        }
        let mut scanner = open(&config)?;
        let mut doubt = None;
        loop {
            match scanner.next()? {
                Found::Object(have) | Found::Known(have) if have == id => {
                    return scanner.reader.record(have).map(Some).map_err(|fault| in_doubt(&fault, &config));
                }
                Found::Object(_) | Found::Known(_) => {}
                Found::Fault(fault) if fault.id.as_ref().is_none_or(|have| *have == id) => {
                    doubt = doubt.or(Some(fault))
                }
                Found::Fault(_) => {}
                Found::End(end) => {
                    return match (doubt, end.reason) {
                        (Some(fault), _) => Err(in_doubt(&fault, &config)),
                        (None, Some(reason)) => Err(ConnectorError::new(ErrorCode::Unreadable, reason)),
                        (None, None) => Ok(None),
                    };
                }
            }
        }
    })
    .await
}

pub(super) async fn find(cx: &Context, config: Arc<Config>, request: FindRequest) -> Result<Page, ConnectorError> {
    super::blocking(cx, move || {
        if super::is_yet_to_come(&config)? {
            return Ok(Page::default());
        }
        let mut scanner = open(&config)?;
        let terms = terms(&request.filter, &*scanner.reader)?;
        let stamp = print(scanner.reader.stamp());
        let skip = match &request.cursor {
            None => 0,
            Some(cursor) => resume(cursor, &stamp)?,
        };
        let page_size = request.page_size.clamp(1, 10_000);
        let (mut page, mut matched, mut doubt) = (Page::default(), 0, None);
        loop {
            match scanner.next()? {
                Found::Object(id) | Found::Known(id) => {
                    let record = scanner.reader.record(id).map_err(|fault| in_doubt(&fault, &config))?;
                    if !terms.iter().all(|term| term.holds(&record)) {
                        continue;
                    }
                    matched += 1;
                    if matched > skip && page.records.len() == page_size {
                        page.next = Some(Cursor(format!("{stamp}:{}", matched - 1).into()));
                        return Ok(page);
                    }
                    if matched > skip {
                        page.records.push(record);
                    }
                }
                Found::Fault(fault) => doubt = doubt.or(Some(fault)),
                Found::End(end) => {
                    // A bad row elsewhere keeps nobody from being found; that nobody is there it does not prove.
                    return match (doubt, end.reason) {
                        _ if !page.records.is_empty() => Ok(page),
                        (Some(fault), _) => Err(in_doubt(&fault, &config)),
                        (None, Some(reason)) => Err(ConnectorError::new(ErrorCode::Unreadable, reason)),
                        (None, None) => Ok(page),
                    };
                }
            }
        }
    })
    .await
}

/// Rows by the values of one column, all in one pass.
pub(super) async fn lookup(
    cx: &Context,
    config: Arc<Config>,
    request: LookupRequest,
) -> Result<Vec<Vec<Record>>, ConnectorError> {
    super::blocking(cx, move || {
        let mut found = vec![Vec::new(); request.values.len()];
        if super::is_yet_to_come(&config)? {
            return Ok(found);
        }
        let mut scanner = open(&config)?;
        let Some((path, exact)) = scanner.reader.resolve(&request.path) else {
            let message = format!("{} has no column `{}`", config.file, request.path);
            return Err(ConnectorError::new(ErrorCode::NotSupported, message));
        };
        let key = |text: &str| if exact { text.to_owned() } else { text.to_lowercase() };
        let mut asked: HashMap<String, Vec<usize>> = HashMap::new();
        for (place, value) in request.values.iter().enumerate() {
            if let Some(text) = cell::plain(value).filter(|text| !text.is_empty()) {
                asked.entry(key(&text)).or_default().push(place);
            }
        }
        loop {
            match scanner.next()? {
                Found::Object(id) | Found::Known(id) => {
                    let record = scanner.reader.record(id).map_err(|fault| in_doubt(&fault, &config))?;
                    let has = path.values(&record.attributes);
                    let has: Vec<String> = has.into_iter().filter_map(cell::plain).map(|value| key(&value)).collect();
                    for place in has.iter().filter_map(|text| asked.get(text)).flatten() {
                        found[*place].push(record.clone());
                    }
                }
                Found::Fault(fault) => return Err(in_doubt(&fault, &config)),
                Found::End(end) => {
                    return match end.reason {
                        Some(reason) => Err(ConnectorError::new(ErrorCode::Unreadable, reason)),
                        None => Ok(found),
                    };
                }
            }
        }
    })
    .await
}

fn open(config: &Arc<Config>) -> Result<Scanner, ConnectorError> {
    let class: ClassName = config.class.clone();
    let request = ScanRequest { page_size: 0, ..ScanRequest::full(class) };
    Ok(Scanner::new(config.clone(), format::open(config)?, request))
}

fn in_doubt(fault: &RowFault, config: &Config) -> ConnectorError {
    let message = format!("{} cannot be searched: {}: {}", config.file, fault.place(&config.file), fault.error);
    ConnectorError::new(ErrorCode::Unreadable, message).hint("correct that row; it may be the one that is asked for")
}

/// `column eq value`, all of which have to hold.
struct EqualTo {
    path: AttributePath,
    value: String,
    /// Ids are compared exactly, other columns without regard to letter case (RFC 7643 section 2.2, caseExact).
    exact: bool,
}

impl EqualTo {
    fn holds(&self, record: &Record) -> bool {
        let same = |value: &Value| {
            cell::plain(value).is_some_and(|text| {
                *text == self.value || (!self.exact && text.to_lowercase() == self.value.to_lowercase())
            })
        };
        self.path.values(&record.attributes).into_iter().any(same)
    }
}

fn terms(filter: &Filter, reader: &dyn Reader) -> Result<Vec<EqualTo>, ConnectorError> {
    let refuse = || {
        ConnectorError::new(ErrorCode::NotSupported, format!("a file cannot be searched by `{filter}`"))
            .hint("use `column eq value`, joined by `and`")
    };
    let terms = filter.conjunction().ok_or_else(refuse)?;
    let mut equal = Vec::with_capacity(terms.len());
    for term in terms {
        let (path, exact) = reader.resolve(&term.path).ok_or_else(refuse)?;
        let value = cell::plain(&term.value).filter(|text| !text.is_empty()).ok_or_else(refuse)?;
        if term.op != Operator::Eq {
            return Err(refuse());
        }
        equal.push(EqualTo { path, value: value.into_owned(), exact });
    }
    Ok(equal)
}

/// A state of the file in a cursor.
pub(super) fn print(stamp: &Stamp) -> String {
    let since = stamp.modified.and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    format!("{}-{}", stamp.len, since.map_or(0, |since| since.as_nanos()))
}

fn resume(cursor: &Cursor, stamp: &str) -> Result<usize, ConnectorError> {
    let skip = cursor.0.strip_prefix(stamp).and_then(|rest| rest.strip_prefix(':')).and_then(|skip| skip.parse().ok());
    skip.ok_or_else(|| {
        ConnectorError::new(ErrorCode::CursorExpired, "the file has changed since the first page").hint("search again")
    })
}

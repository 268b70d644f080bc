//! Reading: a class as a whole by the page, one entry, and what a filter finds.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use ldap3::{Ldap, SearchEntry};
use provost_connector::{
    ConnectorError, Context, End, ErrorCode, FindRequest, LookupRequest, Page, Scan, ScanFault, ScanItem, ScanPage,
    ScanRequest,
};
use provost_model::{Filter, ObjectId, Record, Term, Text, Value};
use tokio::task::JoinSet;

use super::fault::{self, Effect};
use super::names::Owners;
use super::session::Inner;
use super::shape::ClassShape;
use super::wire::Said;
use super::{entry, filter, page, value};

/// Entries that one search by a filter may find; more is a mistake.
const MOST_FOUND: usize = 10_000;
/// Names that are looked up one by one; for more, everybody's are read.
const FEW: usize = 20;

/// A full read under way, on a connection of its own.
pub struct FullRead {
    inner: Arc<Inner>,
    class: usize,
    ldap: Ldap,
    wanted: Vec<String>,
    size: i32,
    /// The page that the server is at work on.
    asked: JoinSet<Said<page::Entries>>,
    owners: Option<Owners>,
    count: u64,
    referrals: usize,
    done: bool,
}

impl FullRead {
    pub async fn open(
        cx: &Context,
        inner: Arc<Inner>,
        class: usize,
        request: &ScanRequest,
    ) -> Result<Self, ConnectorError> {
        cx.check()?;
        let shape = &inner.shape.classes[class];
        let wanted = entry::wanted(shape, request.attributes.as_deref());
        let size = i32::try_from(request.page_size).unwrap_or(i32::MAX).clamp(1, inner.config.page_size);
        let ldap = inner.wire.open(cx).await?;
        Ok(Self {
            inner,
            class,
            ldap,
            wanted,
            size,
            asked: JoinSet::new(),
            owners: None,
            count: 0,
            referrals: 0,
            done: false,
        })
    }

    /// Asks for a page, in a task of its own: what the server answers may break the library's parsers. While one page is made
    /// into records, the server is at work on the next.
    fn ask(&mut self, cookie: Vec<u8>) {
        let controls = self.inner.wire.controls();
        let shape = &self.inner.shape.classes[self.class];
        let (mut ldap, base, scope) = (self.ldap.clone(), shape.class.base.to_string(), shape.class.scope.into());
        let (filter, wanted, at) = (shape.class.filter.to_string(), self.wanted.clone(), (self.size, cookie));
        self.asked.spawn(async move { page::with(&mut ldap, &base, scope, &filter, &wanted, at, controls).await });
    }

    async fn answer(&mut self, cx: &Context) -> Result<page::Entries, ConnectorError> {
        let what = format!("read the entries below `{}`", self.inner.shape.classes[self.class].class.base);
        let server = &self.inner.config.server;
        let end = self.inner.wire.end(cx);
        Err(tokio::select! {
            page = self.asked.join_next() => match page {
                Some(Ok(Ok(page))) => return Ok(page),
                Some(Ok(Err(error))) => fault::of_error(&error, &what, server, Effect::Reads),
                _ => ConnectorError::new(ErrorCode::Protocol, format!("{what}: {server} answered what cannot be read")),
            },
            () = cx.cancel.cancelled() => ConnectorError::new(ErrorCode::Cancelled, "cancelled"),
            () = tokio::time::sleep_until(end.into()) => {
                ConnectorError::new(ErrorCode::Timeout, format!("{what}: {server} did not answer in time"))
            }
        })
    }
}

#[async_trait]
impl Scan for FullRead {
    async fn next(&mut self, cx: &Context) -> Result<ScanPage, ConnectorError> {
        if self.done {
            return Ok(ScanPage {
                end: Some(End::incomplete(self.count, "it was read to its end before")),
                ..ScanPage::default()
            });
        }
        cx.check()?;
        if self.asked.is_empty() {
            self.ask(Vec::new());
        }
        let found = match self.answer(cx).await {
            Ok(found) => found,
            Err(error) => {
                self.done = true;
                self.asked.abort_all();
                return Err(error);
            }
        };
        let is_last = found.cookie.is_empty();
        if !is_last {
            self.ask(found.cookie);
        }
        self.referrals += found.referrals;
        let shape = &self.inner.shape.classes[self.class];
        if self.owners.is_none() && found.entries.iter().any(|found| entry::points(found, shape)) {
            let mut owners = self.inner.names.everybody(cx, &self.inner.wire, &self.inner.shape).await?;
            self.inner.add_keyed(cx, shape, &[], true, &mut owners).await?;
            self.owners = Some(owners);
        }
        let none = Owners::new();
        let owners = self.owners.as_ref().unwrap_or(&none);
        let mut page = ScanPage::default();
        for found in found.entries {
            let name = found.dn.clone();
            match entry::record(found, shape, owners) {
                Some(record) => page.items.push(ScanItem::Upsert(record)),
                None => page.faults.push(ScanFault { place: name.into(), id: None, error: without_id(shape) }),
            }
        }
        self.inner.names.note_all(page.items.iter().filter_map(named));
        self.count += page.received();
        if is_last {
            self.done = true;
            page.end = Some(match self.referrals {
                _ if !found.paged => End::incomplete(self.count, page::UNPAGED),
                0 => End::complete(self.count),
                referrals => End::incomplete(self.count, format!("{referrals} parts are on other servers (referrals)")),
            });
        }
        Ok(page)
    }
}

/// The id and the name of what was read.
fn named(item: &ScanItem) -> Option<(&ObjectId, &str)> {
    let ScanItem::Upsert(record) = item else { return None };
    Some((&record.id, record.attributes.find(value::NAME)?.as_text()?))
}

pub fn without_id(shape: &ClassShape) -> ConnectorError {
    let name = shape.id.attribute().unwrap_or("its name");
    ConnectorError::new(ErrorCode::PermissionDenied, format!("the entry does not show `{name}`"))
        .hint("let the user that signs in read that attribute")
}

impl Inner {
    /// Who stands behind what these entries point at.
    pub async fn owners_of(
        &self,
        cx: &Context,
        shape: &ClassShape,
        entries: &[SearchEntry],
    ) -> Result<Owners, ConnectorError> {
        let mut names = BTreeSet::new();
        entries.iter().for_each(|found| entry::pointers(found, shape, &mut names));
        let mut owners = if names.len() > FEW {
            self.names.everybody(cx, &self.wire, &self.shape).await?
        } else {
            self.names.owners(cx, &self.wire, &self.shape, names).await?
        };
        self.add_keyed(cx, shape, entries, false, &mut owners).await?;
        Ok(owners)
    }

    /// Entries as records, with what they point at.
    pub async fn records(
        &self,
        cx: &Context,
        shape: &ClassShape,
        entries: Vec<SearchEntry>,
    ) -> Result<Vec<Record>, ConnectorError> {
        let owners = self.owners_of(cx, shape, &entries).await?;
        let mut records = Vec::with_capacity(entries.len());
        for found in entries {
            let name = found.dn.clone();
            let record = entry::record(found, shape, &owners).ok_or_else(|| without_id(shape))?;
            self.names.note(&record.id, &name);
            records.push(record);
        }
        Ok(records)
    }

    pub async fn get(&self, cx: &Context, class: &str, id: &ObjectId) -> Result<Option<Record>, ConnectorError> {
        let filter = Filter::eq(provost_model::AttributePath::name("id"), Value::Text(id.0.clone()));
        let mut found = self.search(cx, class, &filter).await?;
        found.retain(|record| record.id == *id);
        Ok(found.pop())
    }

    pub async fn find(&self, cx: &Context, request: FindRequest) -> Result<Page, ConnectorError> {
        Ok(Page { records: self.search(cx, &request.class, &request.filter).await?, next: None })
    }

    /// All entries of a class that satisfy a filter exactly.
    pub async fn search(&self, cx: &Context, class: &str, wanted: &Filter) -> Result<Vec<Record>, ConnectorError> {
        cx.check()?;
        let shape = self.class(class)?;
        let mut records = if let Some(name) = by_name(wanted, shape) {
            let (base, inner) = (name.to_string(), shape.class.filter.to_string());
            let asked = entry::wanted(shape, None);
            let talk = move |mut ldap: Ldap| async move {
                super::shape::one(&mut ldap, &base, &inner, asked.iter().map(String::as_str).collect()).await
            };
            let found = match self.wire.converse(cx, "look up a name", Effect::Reads, talk).await {
                // What is no name is nobody's.
                Err(error) if error.code == ErrorCode::InvalidValue => None,
                found => found?,
            };
            self.records(cx, shape, found.into_iter().collect()).await?
        } else {
            let inner = filter::within(shape, &filter::ask(wanted, shape)?);
            let asked = entry::wanted(shape, None);
            let found = page::all(cx, &self.wire, &shape.class.base, shape.class.scope.into(), inner, asked).await?;
            if found.len() > MOST_FOUND {
                let message = format!("`{wanted}` finds more than {MOST_FOUND} entries");
                return Err(ConnectorError::new(ErrorCode::NotSupported, message)
                    .hint("ask for less, or read the class as a whole"));
            }
            self.records(cx, shape, found).await?
        };
        records.retain(|record| filter::holds(wanted, record, shape));
        Ok(records)
    }

    /// Entries by the values of one attribute, all in one question.
    pub async fn lookup(&self, cx: &Context, request: LookupRequest) -> Result<Vec<Vec<Record>>, ConnectorError> {
        let shape = self.class(&request.class)?;
        let single = |value: &Value| Filter::eq(request.path.clone(), value.clone());
        let is_name = request.path.name.eq_ignore_ascii_case(value::NAME);
        if is_name || request.values.len() == 1 {
            let mut found = Vec::with_capacity(request.values.len());
            for value in &request.values {
                found.push(self.search(cx, &request.class, &single(value)).await?);
            }
            return Ok(found);
        }
        let any = Filter::Or(request.values.iter().map(single).collect());
        let records = self.search(cx, &request.class, &any).await?;
        let of = |value: &Value| {
            let wanted = single(value);
            records.iter().filter(|record| filter::holds(&wanted, record, shape)).cloned().collect()
        };
        Ok(request.values.iter().map(of).collect())
    }

    pub fn class(&self, name: &str) -> Result<&ClassShape, ConnectorError> {
        self.shape.class(name).ok_or_else(|| {
            let have: Vec<&str> = self.shape.classes.iter().map(|shape| shape.class.name.as_str()).collect();
            ConnectorError::new(ErrorCode::NotSupported, format!("the connection has no class `{name}`"))
                .hint(format!("it has: {}", have.join(", ")))
        })
    }
}

/// The name, when that alone is asked for: names are no attributes that every server can search by.
fn by_name<'f>(wanted: &'f Filter, shape: &ClassShape) -> Option<&'f Text> {
    let Filter::Term(Term { path, op: provost_model::Operator::Eq, value: Value::Text(text), .. }) = wanted else {
        return None;
    };
    let is_name = path.is_plain() && path.name.eq_ignore_ascii_case(value::NAME);
    let is_id = filter::is_id(path) && shape.id.attribute().is_none();
    (is_name || is_id).then_some(text)
}

//! One operation on one object: create, update, switch on or off, delete.
//!
//! Every outcome is known or said to be unknown. Several requests are needed only for long lists of members (the first
//! chunk goes with a create) and for PUT, which reads first; when a later one fails the outcome is `partial`. Nothing is
//! tried twice here.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use percent_encoding::percent_decode_str;
use provost_connector::{ConnectorError, Context, Done, ErrorCode};
use provost_model::{Action, AttributePath, Attributes, Change, ChangeOp, ObjectId, Operation, Text, Value};
use provost_scim::client::{Breach, Deprovision, UpdateMethod, parse_resource, skim_resource};

use super::lookup::lookup;
use super::members::Care;
use super::read::{fetch, get};
use super::refusal::{Asked, refused};
use super::session::{Class, Target};
use super::wire::object;
use crate::http::header::{ETAG, HeaderMap, HeaderValue, IF_MATCH, LOCATION};
use crate::http::{Answer, Call, Method};

/// How often an object is read and written when others write it at the same time (checklist C10).
const TRIES: u32 = 4;

/// Does one operation.
pub async fn apply(cx: &Context, target: &Target, operation: &Operation) -> Result<Done, ConnectorError> {
    let class = target.class(&operation.class)?;
    if let Err(breach) = class.rules.check(operation.action, &operation.changes) {
        return Err(unfit(breach));
    }
    if operation.action == Action::Create {
        return create(cx, target, class, &operation.changes).await;
    }
    // Apart, so that a create, of which there are most, does not carry the state of all this.
    Box::pin(change(cx, target, class, operation)).await
}

/// A value that the dialect says the target would refuse. Nothing was sent.
pub fn unfit(breach: Breach) -> ConnectorError {
    let code = if breach.missing { ErrorCode::MissingRequired } else { ErrorCode::InvalidValue };
    ConnectorError::new(code, breach.message)
        .at(breach.path)
        .hint("correct the value at the source or the mapping; the rule stands in `attributes` of `dialect`")
}

/// Everything but a create.
async fn change(cx: &Context, target: &Target, class: &Class, operation: &Operation) -> Result<Done, ConnectorError> {
    let Some(id) = &operation.target_id else {
        let message = format!("a {} of class `{}` came without the object's id", operation.action, class.name);
        return Err(ConnectorError::new(ErrorCode::Internal, message));
    };
    let changes = match operation.action {
        Action::Delete => return delete(cx, target, class, id).await,
        Action::Disable if target.dialect.deprovision == Deprovision::DeleteDeactivates => {
            return switch_off_by_delete(cx, target, class, operation, id).await;
        }
        _ => switching(class, operation)?,
    };
    let update = Update { cx, target, class, id, changes: &changes, if_match: operation.if_match.as_ref() };
    let mut done = update.send_all().await?;
    if target.dialect.read_after_write && done.requests > 0 {
        read_back(cx, target, class, &changes, &mut done).await;
    }
    Ok(done)
}

/// What else changes first: afterwards some targets do not show the object any more.
async fn switch_off_by_delete(
    cx: &Context,
    target: &Target,
    class: &Class,
    operation: &Operation,
    id: &ObjectId,
) -> Result<Done, ConnectorError> {
    let is_flag = |change: &Change| class.enablement.as_ref().is_some_and(|path| *change.path == **path);
    let changes: Vec<Change> = operation.changes.iter().filter(|change| !is_flag(change)).cloned().collect();
    let mut requests = 0;
    if !changes.is_empty() {
        let update = Update { cx, target, class, id, changes: &changes, if_match: operation.if_match.as_ref() };
        requests = update.send_all().await?.requests;
    }
    let done = delete(cx, target, class, id).await?;
    Ok(Done { requests: requests + done.requests, ..done })
}

/// The changes, with the flag that switches the account where the operation does that.
pub(super) fn switching<'o>(class: &Class, operation: &'o Operation) -> Result<Cow<'o, [Change]>, ConnectorError> {
    Ok(match operation.action {
        Action::Enable => Cow::Owned(switched(class, operation, true)?),
        Action::Disable => Cow::Owned(switched(class, operation, false)?),
        _ => Cow::Borrowed(operation.changes.as_slice()),
    })
}

/// The changes with the flag that switches the account.
fn switched(class: &Class, operation: &Operation, on: bool) -> Result<Vec<Change>, ConnectorError> {
    let Some(path) = &class.enablement else {
        let message = format!("class `{}` of the target has nothing to {} an object by", class.name, operation.action);
        return Err(ConnectorError::new(ErrorCode::NotSupported, message)
            .hint("let leavers be deleted, or correct `deprovision` in `dialect`"));
    };
    let mut changes: Vec<Change> = operation.changes.iter().filter(|change| *change.path != **path).cloned().collect();
    changes.push(Change::set(Arc::clone(path), Value::Boolean(on)));
    Ok(changes)
}

async fn create(cx: &Context, target: &Target, class: &Class, changes: &[Change]) -> Result<Done, ConnectorError> {
    let (first, later) = chunk_members(changes, class.members_at_once(&target.dialect));
    let body = class.writer.create(&first);
    let call = Call::new(Method::POST, &class.endpoint).prepared(&target.writing, Some(body.into()));
    let answer = target.client.send(cx, &call).await?;
    if !answer.is_success() {
        return Err(refused(&target.client, &call, Asked::Class, answer));
    }
    let exchange = Some(Box::new(target.client.told(&call, Some(&answer))));
    let mut done = Done { requests: 1, exchange, ..Done::default() };
    match written(&answer.body, class).or_else(|| located(&answer, class).map(|id| (id, None))) {
        Some((id, version)) => {
            done.target_id = id;
            done.etag = version.or_else(|| etag(target, &answer));
        }
        None => {
            done.requests += 1;
            let made = Box::pin(created_without_id(cx, target, class, &first)).await;
            done.target_id = made.map_err(|error| error.status(answer.status.as_u16()))?;
        }
    }
    if !later.is_empty() {
        let update = Update { cx, target, class, id: &done.target_id, changes: &later, if_match: None };
        let added = Box::pin(update.send_all()).await.map_err(|error| {
            let mut partial = partial(error, "the object was created, and not all of its members were added");
            partial.existing_id = Some(done.target_id.clone());
            partial
        })?;
        done.requests += added.requests;
        done.etag = added.etag.or(done.etag);
    }
    if target.dialect.read_after_write {
        Box::pin(read_back(cx, target, class, &first, &mut done)).await;
    }
    Ok(done)
}

/// The target made an object and did not say which: it is looked for by the values that nobody else has.
async fn created_without_id(
    cx: &Context,
    target: &Target,
    class: &Class,
    changes: &[Change],
) -> Result<ObjectId, ConnectorError> {
    for key in &class.schema.keys {
        let Some(change) =
            changes.iter().find(|change| change.path.is_plain() && change.path.name.eq_ignore_ascii_case(key))
        else {
            continue;
        };
        if let Ok(found) = lookup(cx, target, class, &change.path, &change.value).await
            && let [only] = found.as_slice()
        {
            return Ok(only.id.clone());
        }
    }
    Err(ConnectorError::new(
        ErrorCode::UnknownOutcome,
        format!("the target created an object of class `{}` and did not say which", class.name),
    )
    .hint("it is looked for by its matching attributes, and not created again before a later cycle looked, too"))
}

async fn delete(cx: &Context, target: &Target, class: &Class, id: &ObjectId) -> Result<Done, ConnectorError> {
    let path = object(&class.endpoint, id);
    let call = Call::new(Method::DELETE, &path);
    let answer = target.client.send(cx, &call).await?;
    let exchange = Some(Box::new(target.client.told(&call, Some(&answer))));
    let done = Done { target_id: id.clone(), requests: 1, exchange, ..Done::default() };
    if answer.is_success() {
        return Ok(done);
    }
    let error = refused(&target.client, &call, Asked::Object, answer);
    // Gone is what was wanted (checklist C6).
    if error.code == ErrorCode::NotFound { Ok(done) } else { Err(error) }
}

struct Update<'a> {
    cx: &'a Context,
    target: &'a Target,
    class: &'a Class,
    id: &'a ObjectId,
    changes: &'a [Change],
    if_match: Option<&'a Text>,
}

impl Update<'_> {
    /// In the way of the class. Whoever was overtaken by another writer, after a read of his own, reads again.
    async fn send_all(&self) -> Result<Done, ConnectorError> {
        let mut tries = 1;
        loop {
            match self.send_once().await {
                Err(error)
                    if error.code == ErrorCode::PreconditionFailed && self.if_match.is_none() && tries < TRIES =>
                {
                    tries += 1;
                    self.cx.check()?;
                }
                result => return result,
            }
        }
    }

    async fn send_once(&self) -> Result<Done, ConnectorError> {
        let has_no_patch = &self.class.has_no_patch;
        match self.class.update {
            UpdateMethod::Patch => self.patch().await,
            UpdateMethod::Put => self.put().await,
            UpdateMethod::PatchThenPut if has_no_patch.load(Ordering::Relaxed) => self.put().await,
            UpdateMethod::PatchThenPut => match self.patch().await {
                Err(error) if matches!(error.target_status, Some(405 | 501)) => {
                    has_no_patch.store(true, Ordering::Relaxed);
                    self.put().await
                }
                result => result,
            },
        }
    }

    async fn patch(&self) -> Result<Done, ConnectorError> {
        let mut done = Done { target_id: self.id.clone(), ..Done::default() };
        let mut version = self.if_match.cloned();
        let mut current = None;
        if self.class.writer.needs_current(self.changes) {
            let record = self.read().await?;
            done.requests += 1;
            version = version.or(record.etag);
            current = Some(record.attributes);
        }
        let changes = self.possible(current.as_ref());
        let bodies = self.class.writer.patch(&changes, current.as_ref());
        let count = bodies.len();
        for (at, body) in bodies.into_iter().enumerate() {
            // Only the first request can know the version.
            let version = if at == 0 { version.as_ref() } else { None };
            let sent = self.send(Method::PATCH, body.json, version, &mut done).await;
            let answer = sent.map_err(|error| {
                if at == 0 { error } else { partial(error, &format!("{at} of {count} requests were done")) }
            })?;
            done.requests += 1;
            self.note(&answer, &mut done);
        }
        Ok(done)
    }

    async fn put(&self) -> Result<Done, ConnectorError> {
        let mut done = Done { target_id: self.id.clone(), ..Done::default() };
        if self.changes.is_empty() {
            return Ok(done);
        }
        let current = self.read().await?;
        let changes = self.possible(Some(&current.attributes));
        if changes.is_empty() {
            done.requests = 1;
            return Ok(done);
        }
        let version = self.if_match.or(current.etag.as_ref()).cloned();
        let body = self.class.writer.replace(current.attributes, &changes);
        let answer = self.send(Method::PUT, body, version.as_ref(), &mut done).await?;
        done.requests = 2;
        self.note(&answer, &mut done);
        Ok(done)
    }

    /// The changes without removals from a list of members that the object, as it was read, does not show: there is nobody
    /// to remove, and what would be written instead is an empty list.
    fn possible(&self, current: Option<&Attributes>) -> Cow<'_, [Change]> {
        let removes = |change: &Change| change.op == ChangeOp::Remove && is_members(&change.path);
        let unseen = current.is_some_and(|current| current.find("members").is_none());
        if !unseen || !self.changes.iter().any(removes) {
            return Cow::Borrowed(self.changes);
        }
        Cow::Owned(self.changes.iter().filter(|change| !removes(change)).cloned().collect())
    }

    /// The object as it is, for what can only be written as a whole.
    async fn read(&self) -> Result<provost_model::Record, ConnectorError> {
        if self.class.has_members && !self.target.dialect.members_readable {
            let message = "the target takes members only as a whole, and does not say which it has";
            return Err(ConnectorError::new(ErrorCode::NotSupported, message)
                .at("members")
                .hint("set `update_by_class: {Group: patch}` and `member_remove: filter` in `dialect` if the target can do that"));
        }
        let record = fetch(self.cx, self.target, self.class, self.id, Care::Full).await?.ok_or_else(|| {
            ConnectorError::new(
                ErrorCode::NotFound,
                format!("object `{}` of class `{}` is not there", self.id, self.class.name),
            )
        })?;
        match record.incomplete.first() {
            // Written back as a whole, the list would throw out whoever is not shown.
            Some(cut) => {
                let message = format!(
                    "`{}` can only be written as a whole, and is not shown whole: {}",
                    cut.attribute, cut.reason
                );
                Err(ConnectorError::new(ErrorCode::NotSupported, message)
                    .at(cut.attribute.clone())
                    .hint("set `update_by_class: {Group: patch}` and `member_remove: filter` in `dialect` if the target can do that"))
            }
            None => Ok(record),
        }
    }

    async fn send(
        &self,
        method: Method,
        body: Vec<u8>,
        version: Option<&Text>,
        done: &mut Done,
    ) -> Result<Answer, ConnectorError> {
        let path = object(&self.class.endpoint, self.id);
        let version =
            version.filter(|_| self.target.dialect.etag).and_then(|text| HeaderValue::from_bytes(text.as_bytes()).ok());
        let conditional: HeaderMap;
        let headers = match version {
            Some(version) => {
                let mut headers = self.target.writing.clone();
                headers.insert(IF_MATCH, version);
                conditional = headers;
                &conditional
            }
            None => &self.target.writing,
        };
        let call = Call::new(method, &path).prepared(headers, Some(body.into()));
        let answer = self.target.client.send(self.cx, &call).await?;
        if !answer.is_success() {
            return Err(refused(&self.target.client, &call, Asked::Object, answer));
        }
        done.exchange = Some(Box::new(self.target.client.told(&call, Some(&answer))));
        Ok(answer)
    }

    /// Takes from the answer what it tells. That of a group may hold all members, and is only skimmed.
    fn note(&self, answer: &Answer, done: &mut Done) {
        let version = if self.class.has_members {
            written(&answer.body, self.class).and_then(|(_, version)| version)
        } else {
            match parse_resource(&answer.body, &self.class.name) {
                Ok(Some(record)) => {
                    note_changed(self.changes, &record.attributes, &mut done.changed);
                    record.etag
                }
                // The status says that it was done.
                Ok(None) | Err(_) => None,
            }
        };
        done.etag = version.or_else(|| etag(self.target, answer));
    }
}

/// Reads the object after a write, at targets whose answers do not tell enough. The write is done, whatever comes of this.
async fn read_back(cx: &Context, target: &Target, class: &Class, changes: &[Change], done: &mut Done) {
    done.requests += 1;
    match get(cx, target, class, &done.target_id).await {
        Ok(Some(record)) => {
            note_changed(changes, &record.attributes, &mut done.changed);
            done.etag = record.etag;
        }
        Ok(None) => {
            tracing::warn!(class = %class.name, target.id = %done.target_id, "object is not there after a write")
        }
        Err(error) => {
            tracing::debug!(class = %class.name, error = %error.code.number(), "object cannot be read after a write")
        }
    }
}

/// Single values that the target stored otherwise than they were sent.
fn note_changed(changes: &[Change], stored: &Attributes, changed: &mut Attributes) {
    for change in changes.iter().filter(|change| change.op == ChangeOp::Set) {
        let (Some(sent), Some(have)) = (change.value.to_text(), change.path.get(stored)) else { continue };
        let Some(text) = have.to_text() else { continue };
        let is_flag = matches!(have, Value::Boolean(_));
        if text != sent && !(is_flag && text.eq_ignore_ascii_case(&sent)) {
            change.path.put(changed, have.clone());
        }
    }
}

fn partial(error: ConnectorError, done: &str) -> ConnectorError {
    let mut partial = ConnectorError::new(ErrorCode::Partial, format!("{done}; then: {}", error.message));
    partial.hint = error.hint;
    partial.after_ms = error.after_ms;
    partial.target_status = error.target_status;
    partial.target_code = error.target_code;
    partial
}

/// The changes of a create with the first chunk of members, and the other members as changes of their own.
pub(super) fn chunk_members(changes: &[Change], limit: usize) -> (Cow<'_, [Change]>, Vec<Change>) {
    let is_long = |change: &Change| {
        limit > 0 && change.value.as_list().is_some_and(|members| members.len() > limit) && is_members(&change.path)
    };
    if !changes.iter().any(is_long) {
        return (Cow::Borrowed(changes), Vec::new());
    }
    let mut first = changes.to_vec();
    let mut later = Vec::new();
    for change in first.iter_mut().filter(|change| is_long(change)) {
        if let Value::List(members) = &mut change.value {
            let rest = members.split_off(limit);
            later.push(Change::new(Arc::clone(&change.path), ChangeOp::Add, Value::List(rest)));
        }
    }
    (Cow::Owned(first), later)
}

fn is_members(path: &AttributePath) -> bool {
    path.is_plain() && path.name.eq_ignore_ascii_case("members")
}

/// Id and version out of a resource, without building the rest of it.
pub(super) fn written(body: &[u8], class: &Class) -> Option<(ObjectId, Option<Text>)> {
    if let Some((id, version)) = skim_resource(body) {
        return Some((ObjectId::from(id), version.map(Text::from)));
    }
    // A number as id, names in odd letter case and the like.
    let record = parse_resource(body, &class.name).ok()??;
    Some((record.id, record.etag))
}

/// The id at the end of `Location`, wherever the target thinks that it lives.
pub(super) fn located(answer: &Answer, class: &Class) -> Option<ObjectId> {
    let location = answer.header(LOCATION)?;
    let (_, id) = location.rsplit_once(&format!("{}/", class.endpoint))?;
    let id = id.split(['?', '#', '/']).next().filter(|id| !id.is_empty())?;
    Some(ObjectId::from(&*percent_decode_str(id).decode_utf8().ok()?))
}

/// The `ETag` header, where versions are used at all: some targets compute it over the text of one answer.
pub(super) fn etag(target: &Target, answer: &Answer) -> Option<Text> {
    answer.header(ETAG).filter(|_| target.dialect.etag).map(Text::from)
}

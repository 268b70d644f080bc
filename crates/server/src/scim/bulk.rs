//! Bulk requests (RFC 7644 section 3.7). What they mean is `provost_scim::bulk`'s; here the steps become writes of the
//! directory, as many at once as do not need one another's results.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use provost_directory::{Write, Written};
use provost_model::{Attributes, Text, Value};
use provost_scim::bulk::{
    BulkAction, BulkMethod, BulkRequest, BulkResult, Made, Order, PREFIX, Step, resolve, response, split_off,
};
use provost_scim::{ScimError, TypeSchema, urn};

use super::answer::Answer;
use super::operation;
use super::request::Request;
use super::resource::{check_members, if_version, members_to_check, not_written};
use super::shown::etag;
use crate::writer::Submitted;

/// Operations of one request.
pub(super) const MAX_OPERATIONS: usize = 1000;
/// Bytes of one request.
pub(super) const MAX_PAYLOAD: usize = 4 << 20;
/// Operations that are under way at once.
const AT_ONCE: usize = 256;

pub(super) async fn answer(request: &Request<'_>) -> Result<Answer, ScimError> {
    let body = request.json()?;
    if body.len() > MAX_PAYLOAD {
        let detail = format!("the request has {} bytes; maxPayloadSize is {MAX_PAYLOAD}", body.len());
        return Err(ScimError::status(413, detail));
    }
    let mut bulk = BulkRequest::from_json(body, MAX_OPERATIONS, request.registry())?;
    let results = Run::new(request, &mut bulk).all().await;
    Ok(Answer::json(200, response(&results)))
}

/// A bulk request under way.
struct Run<'a> {
    request: &'a Request<'a>,
    bulk: &'a mut BulkRequest,
    /// What was made, by bulkId.
    made: BTreeMap<Text, Made>,
    /// What POSTs were made without.
    rest: BTreeMap<usize, Attributes>,
    results: Vec<Option<BulkResult>>,
    errors: u64,
}

/// A write that was handed in.
struct Pending {
    at: usize,
    types: Arc<TypeSchema>,
    submitted: Submitted,
    is_link: bool,
}

impl<'a> Run<'a> {
    fn new(request: &'a Request<'a>, bulk: &'a mut BulkRequest) -> Self {
        let results = bulk.operations.iter().map(|_| None).collect();
        Self { request, bulk, made: BTreeMap::new(), rest: BTreeMap::new(), results, errors: 0 }
    }

    /// The results of what was done, in the order of the request.
    async fn all(mut self) -> Vec<BulkResult> {
        let mut order = Order::of(self.bulk);
        let limit = self.bulk.fail_on_errors;
        // Whoever wants to stop at an error has to see each outcome before the next is begun.
        let at_once = if limit.is_some() { 1 } else { AT_ONCE };
        let mut pending: Vec<Pending> = Vec::new();
        while let Some(step) = order.take() {
            if pending.len() >= at_once || self.needs(step, &pending) {
                self.finish(&mut pending).await;
            }
            // What was made without its references still gets them, or is told that it does not.
            if limit.is_some_and(|limit| self.errors >= limit) && !matches!(step, Step::Link(_)) {
                continue;
            }
            if let Step::DoWithout(at) = step {
                let circle = order.begin_circle(at);
                self.check_circle(&circle, &mut pending).await;
            }
            match self.begin(step) {
                Ok(Some((types, write))) => {
                    if let Err(error) = check_members(self.request, members_to_check(self.request, &write)).await {
                        self.fail(step.at(), error);
                        continue;
                    }
                    let (at, is_link) = (step.at(), matches!(step, Step::Link(_)));
                    let submitted = self.request.state.writer.submit(write).await;
                    pending.push(Pending { at, types, submitted, is_link });
                }
                Ok(None) => {}
                Err((at, error)) => self.fail(at, error),
            }
        }
        self.finish(&mut pending).await;
        self.results.into_iter().flatten().collect()
    }

    /// Refuses POSTs that need one another where one of them names what is neither made nor about to be: without it none of
    /// them can be what it was sent as, so that none should be made.
    async fn check_circle(&mut self, circle: &[usize], pending: &mut Vec<Pending>) {
        if circle.is_empty() {
            return;
        }
        self.finish(pending).await;
        let operations = &self.bulk.operations;
        let own: BTreeSet<&Text> = circle.iter().filter_map(|at| operations[*at].bulk_id.as_ref()).collect();
        let mut named = circle.iter().flat_map(|at| &operations[*at].references);
        let Some(lost) = named.find(|id| !own.contains(id) && !self.made.contains_key(*id)).cloned() else { return };
        for at in circle {
            self.bulk.operations[*at].what = Err(unresolved(&lost));
        }
    }

    /// Whether a step needs to know what became of something that is under way.
    fn needs(&self, step: Step, pending: &[Pending]) -> bool {
        let at = match step {
            Step::Link(_) => return !pending.is_empty(),
            Step::Do(at) | Step::DoWithout(at) => at,
        };
        let named = &self.bulk.operations[at].references;
        pending.iter().any(|one| self.bulk.operations[one.at].bulk_id.as_ref().is_some_and(|id| named.contains(id)))
    }

    /// The write for a step; none when there is nothing left to do.
    #[expect(clippy::type_complexity, reason = "said once")]
    fn begin(&mut self, step: Step) -> Result<Option<(Arc<TypeSchema>, Write)>, (usize, ScimError)> {
        let (at, without) = match step {
            Step::Do(at) => (at, false),
            Step::DoWithout(at) => (at, true),
            Step::Link(at) => return self.link(at).map_err(|error| (at, error)),
        };
        let refuse = |error| (at, error);
        let operation = &mut self.bulk.operations[at];
        let mut action = match &mut operation.what {
            Ok(action) => BulkAction { data: std::mem::take(&mut action.data), ..action.clone() },
            Err(error) => return Err(refuse(error.clone())),
        };
        let types = self.types(&action).map_err(refuse)?;
        if !without {
            self.check_references(at).map_err(refuse)?;
        }
        resolve(&types, &mut action, &self.made);
        if without {
            self.rest.insert(at, split_off(&types, &mut action.data));
        }
        let write = self.write(&types, action).map_err(refuse)?;
        Ok(Some((types, write)))
    }

    /// The type that an operation is about, which the client has to have a right to.
    fn types(&self, action: &BulkAction) -> Result<Arc<TypeSchema>, ScimError> {
        let types = self.request.registry().by_endpoint(&action.endpoint);
        let types = types.ok_or_else(|| ScimError::not_found(format_args!("/{}", action.endpoint)))?;
        self.request.authorize(types.name(), true)?;
        Ok(types.clone())
    }

    /// 409 unless all that an operation refers to was made.
    fn check_references(&self, at: usize) -> Result<(), ScimError> {
        let mut named = self.bulk.operations[at].references.iter();
        match named.find(|id| !self.made.contains_key(*id)) {
            Some(id) => Err(unresolved(id)),
            None => Ok(()),
        }
    }

    fn write(&self, types: &Arc<TypeSchema>, mut action: BulkAction) -> Result<Write, ScimError> {
        if let Some(id) = action.id.strip_prefix(PREFIX) {
            action.id = self.made.get(id).ok_or_else(|| unresolved(id))?.id.clone();
        }
        let settings = &self.request.client.settings;
        let if_version = if_version(action.version.as_deref());
        Ok(match action.method {
            BulkMethod::Post => operation::create(settings, types, action.data)?,
            BulkMethod::Put => operation::replace(settings, types, &action.id, if_version, action.data)?,
            BulkMethod::Patch => operation::patch(settings, types, &action.id, if_version, &to_json(action.data))?,
            BulkMethod::Delete => operation::delete(types, &action.id, if_version),
        })
    }

    /// Adds what a POST was made without.
    fn link(&mut self, at: usize) -> Result<Option<(Arc<TypeSchema>, Write)>, ScimError> {
        let Some(rest) = self.rest.remove(&at).filter(|rest| !rest.is_empty()) else { return Ok(None) };
        let operation = &self.bulk.operations[at];
        let made = operation.bulk_id.as_ref().and_then(|id| self.made.get(id));
        // It was not made: that is its result.
        let (Some(made), Ok(what)) = (made, &operation.what) else { return Ok(None) };
        self.check_references(at)?;
        let add = [("op", Value::text("add")), ("value", Value::Complex(rest))].into_iter().collect();
        let mut data = Attributes::new();
        data.push("schemas", Value::List(vec![Value::text(urn::PATCH_OP)]));
        data.push("Operations", Value::List(vec![Value::Complex(add)]));
        let (id, endpoint) = (made.id.clone(), what.endpoint.clone());
        let mut action = BulkAction { method: BulkMethod::Patch, id, version: None, data, endpoint };
        let types = self.types(&action)?;
        resolve(&types, &mut action, &self.made);
        let write = self.write(&types, action)?;
        Ok(Some((types, write)))
    }

    async fn finish(&mut self, pending: &mut Vec<Pending>) {
        for one in pending.drain(..) {
            match one.submitted.done().await {
                Ok(written) => self.succeed(one.at, &one.types, written, one.is_link),
                Err(error) => self.fail(one.at, not_written(error)),
            }
        }
    }

    fn succeed(&mut self, at: usize, types: &TypeSchema, written: Written, is_link: bool) {
        let operation = &self.bulk.operations[at];
        let method = operation.what.as_ref().map(|what| what.method);
        let location = self.location(&types.resource_type.endpoint, &written.resource.id);
        if let (Ok(BulkMethod::Post), Some(id), false) = (method, &operation.bulk_id, is_link) {
            let made = Made { id: written.resource.id.0.clone(), location: location.as_str().into() };
            self.made.insert(id.clone(), made);
        }
        let status = match method {
            Ok(BulkMethod::Post) => 201,
            Ok(BulkMethod::Delete) => 204,
            _ => 200,
        };
        let version = (status != 204).then(|| etag(written.resource.version));
        self.results[at] = Some(BulkResult {
            method: operation.method.clone(),
            bulk_id: operation.bulk_id.clone(),
            location: Some(location),
            version,
            outcome: Ok(status),
        });
    }

    fn fail(&mut self, at: usize, error: ScimError) {
        self.errors += 1;
        let operation = &self.bulk.operations[at];
        // What was made stays, also when what it refers to could not be: its address has been given out.
        let before = self.results[at].take().and_then(|result| result.location);
        let location = before.or_else(|| match &operation.what {
            Ok(what) if what.method != BulkMethod::Post => {
                let id = match what.id.strip_prefix(PREFIX) {
                    Some(id) => &self.made.get(id)?.id,
                    None => &what.id,
                };
                Some(self.location(&what.endpoint, id))
            }
            _ => None,
        });
        self.results[at] = Some(BulkResult {
            method: operation.method.clone(),
            bulk_id: operation.bulk_id.clone(),
            location,
            version: None,
            outcome: Err(error),
        });
    }

    fn location(&self, endpoint: &str, id: &str) -> String {
        format!("{}/{}/{id}", self.request.base, endpoint.trim_matches('/'))
    }
}

fn to_json(data: Attributes) -> Vec<u8> {
    serde_json::to_vec(&data).expect("attributes are JSON with text keys, written to memory")
}

/// The status that RFC 7644 section 3.7.1 has for references that cannot be resolved.
fn unresolved(id: &str) -> ScimError {
    ScimError::status(409, format!("no operation of this request made what bulkId:{id} stands for"))
}

//! The contract's methods, each a process; searches are reads of the whole class.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use provost_connector::{
    Applied, Capabilities, CheckResult, ClassCapabilities, ConnectorError, Context, Enablement, ErrorCode, FindRequest,
    Host, LookupRequest, Page, Scan, ScanItem, ScanMode, ScanRequest, Secret, Session, SettingProblem,
};
use provost_model::{AttributePath, ClassSchema, ObjectId, Operation, Operator, Record, Schema, Value};
use serde::Serialize;

use super::config::Writes;
use super::line::read_all;
use super::read::ScriptScan;
use super::scripts::{Job, Scripts};
use super::step::{Request, Step, filled};
use super::table::Table;
use super::write;
use crate::program::secrets::Secrets;

/// Values that one read of the class looks for.
const MAX_LOOKUP: usize = 10_000;

pub(super) struct ScriptSession {
    scripts: Scripts,
    secrets: Arc<Secrets>,
    capabilities: Capabilities,
}

#[derive(Debug, Serialize)]
struct Nothing {}

/// Checks the parameters by the script for that. Offline, so it gets no secrets but their handles.
pub(super) async fn validate(scripts: &Scripts) -> Result<Vec<SettingProblem>, ConnectorError> {
    let secrets = Arc::new(Secrets::new(Arc::new(NoSecrets), []));
    let request = Request { script: Job::Validate.as_str(), parameters: &scripts.config.parameters, more: Nothing {} };
    let mut step = Step::start(scripts, Job::Validate, write::line(&request)?, secrets)?;
    let problems: Vec<SettingProblem> = read_all(&Context::new("validate"), &mut step).await?;
    let under = |problem: SettingProblem| {
        let path =
            if problem.path.is_empty() { "parameters".into() } else { format!("parameters.{}", problem.path).into() };
        SettingProblem { path, ..problem }
    };
    Ok(problems.into_iter().map(under).collect())
}

struct NoSecrets;

#[async_trait]
impl Host for NoSecrets {
    async fn secret(&self, handle: &str) -> Result<Secret, ConnectorError> {
        let message = format!("the secret `{handle}` is not given out while settings are checked");
        Err(ConnectorError::new(ErrorCode::NotSupported, message))
    }
}

impl ScriptSession {
    /// Asks for the classes, on which all else depends.
    pub async fn open(cx: &Context, scripts: Scripts, host: Arc<dyn Host>) -> Result<Self, ConnectorError> {
        let secrets = Arc::new(Secrets::new(host, scripts.config.parameters.values()));
        let mut session = Self { scripts, secrets, capabilities: Capabilities::default() };
        let schema = session.schema(cx).await?;
        session.capabilities = session.capabilities_of(&schema);
        Ok(session)
    }

    fn capabilities_of(&self, schema: &Schema) -> Capabilities {
        let config = &self.scripts.config;
        let (reads, writes) = (self.scripts.has(Job::Import), self.scripts.has(Job::Export));
        let can = |what| writes && config.operations.contains(&what);
        let enablement = config.enabled.as_ref().filter(|_| writes).map(|enabled| Enablement {
            path: AttributePath::name(enabled.attribute.clone()),
            on: enabled.on.clone(),
            off: enabled.off.clone(),
        });
        // No attribute is named under `lookup`: each question is a read of the class, so reading it once is better.
        let class = |class: &ClassSchema| ClassCapabilities {
            name: class.name.clone(),
            scan: reads,
            changes: reads && config.changes,
            create: can(Writes::Create),
            update: can(Writes::Update),
            delete: can(Writes::Delete),
            enablement: enablement.clone(),
            ..ClassCapabilities::default()
        };
        Capabilities {
            classes: schema.classes.iter().map(class).collect(),
            max_in_flight: config.max_in_flight,
            max_batch: config.max_batch,
            max_lookup: MAX_LOOKUP,
            requests_per_second: None,
        }
    }

    async fn start(&self, job: Job, more: impl Serialize) -> Result<Step, ConnectorError> {
        // Before its secrets are fetched for nothing.
        self.scripts.argv(job)?;
        let parameters = filled(&self.scripts.config.parameters, &self.secrets).await?;
        let request = Request { script: job.as_str(), parameters: &parameters, more };
        Step::start(&self.scripts, job, write::line(&request)?, self.secrets.clone())
    }

    async fn open_scan(&self, cx: &Context, request: ScanRequest) -> Result<ScriptScan, ConnectorError> {
        cx.check()?;
        if matches!(request.mode, ScanMode::Changes { .. }) && !self.scripts.config.changes {
            return Err(ConnectorError::new(ErrorCode::NotSupported, "the import script has no change feed")
                .hint("read it in full, or set `changes: true` where it knows cursors"));
        }
        let step = self.start(Job::Import, &request).await?;
        let table = self.scripts.config.csv.clone().map(|csv| Table::new(csv, self.scripts.config.max_line));
        Ok(ScriptScan::new(step, table, request))
    }

    /// Reads the class and hands over each object until `take` has enough. One that could not be read, or a read that is not
    /// proven whole, may hide what is looked for.
    async fn look(
        &self,
        cx: &Context,
        class: &str,
        mut take: impl FnMut(Record) -> bool,
    ) -> Result<(), ConnectorError> {
        let mut scan = self.open_scan(cx, ScanRequest::full(class)).await?;
        let doubt = |why: String| {
            let message = format!("class `{class}` was not read as a whole: {why}");
            Err(ConnectorError::new(ErrorCode::Unreadable, message).hint("correct what the import writes"))
        };
        let (mut received, mut fault) = (0, None);
        loop {
            let page = scan.next(cx).await?;
            received += page.received();
            fault = fault.or_else(|| page.faults.first().map(|fault| format!("{}: {}", fault.place, fault.error)));
            for item in page.items {
                if let ScanItem::Upsert(record) = item
                    && take(record)
                {
                    return Ok(());
                }
            }
            if let Some(end) = page.end {
                return match (end.gap(received), fault) {
                    (None, None) => Ok(()),
                    (Some(gap), _) => doubt(gap),
                    (None, Some(fault)) => doubt(fault),
                };
            }
        }
    }

    /// Whether a difference in letter case makes another value of this attribute.
    async fn is_case_exact(&self, cx: &Context, class: &str, path: &AttributePath) -> Result<bool, ConnectorError> {
        let schema = self.schema(cx).await?;
        Ok(schema.class(class).and_then(|class| class.resolve(path)).is_none_or(|attribute| attribute.case_exact))
    }
}

/// A text that values have in common which [`is_same`] may call the same.
fn key(value: &Value) -> String {
    match value {
        Value::Text(text) => text.as_str().to_lowercase(),
        Value::Reference(reference) => reference.id.as_str().to_lowercase(),
        other => other.to_string(),
    }
}

fn is_same(have: &Value, wanted: &Value, case_exact: bool) -> bool {
    match (have, wanted) {
        (Value::Text(have), Value::Text(wanted)) if !case_exact => have.to_lowercase() == wanted.to_lowercase(),
        (Value::Reference(have), Value::Text(wanted)) => have.id == wanted.as_str(),
        (have, wanted) => have == wanted,
    }
}

#[async_trait]
impl Session for ScriptSession {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn schema(&self, cx: &Context) -> Result<Schema, ConnectorError> {
        let mut step = self.start(Job::Schema, Nothing {}).await?;
        Ok(Schema { classes: read_all(cx, &mut step).await? })
    }

    async fn test(&self, cx: &Context) -> Vec<CheckResult> {
        let mut checks = match self.schema(cx).await {
            Ok(schema) => vec![CheckResult::ok("schema", format!("{} classes", schema.classes.len()))],
            Err(error) => return vec![CheckResult::fail("schema", &error)],
        };
        if self.scripts.has(Job::Test) {
            let told = async {
                let mut step = self.start(Job::Test, Nothing {}).await?;
                read_all::<CheckResult>(cx, &mut step).await
            };
            match told.await {
                Ok(told) => checks.extend(told.into_iter().map(|check| self.secrets.mask_check(check))),
                Err(error) => checks.push(CheckResult::fail("test", &error)),
            }
        }
        checks
    }

    async fn get(&self, cx: &Context, class: &str, id: &ObjectId) -> Result<Option<Record>, ConnectorError> {
        let mut found = None;
        self.look(cx, class, |record| {
            if record.id == *id {
                found = Some(record);
            }
            found.is_some()
        })
        .await?;
        Ok(found)
    }

    /// One comparison with a value; scripts have no query of their own.
    async fn find(&self, cx: &Context, request: FindRequest) -> Result<Page, ConnectorError> {
        let refuse = || {
            let message = format!("scripts cannot be asked for `{}`", request.filter);
            Err(ConnectorError::new(ErrorCode::NotSupported, message).hint("use `attribute eq value`"))
        };
        let terms = request.filter.conjunction().unwrap_or_default();
        let [term] = terms.as_slice() else { return refuse() };
        if term.op != Operator::Eq || term.value.is_null() || request.cursor.is_some() {
            return refuse();
        }
        let asked =
            LookupRequest { class: request.class.clone(), path: term.path.clone(), values: vec![term.value.clone()] };
        let records = self.lookup(cx, asked).await?.pop().unwrap_or_default();
        Ok(Page { records, next: None })
    }

    async fn lookup(&self, cx: &Context, request: LookupRequest) -> Result<Vec<Vec<Record>>, ConnectorError> {
        let case_exact = self.is_case_exact(cx, &request.class, &request.path).await?;
        let mut found = vec![Vec::new(); request.values.len()];
        let mut places: HashMap<String, Vec<usize>> = HashMap::new();
        for (at, value) in request.values.iter().enumerate() {
            places.entry(key(value)).or_default().push(at);
        }
        self.look(cx, &request.class, |record| {
            for have in request.path.values(&record.attributes) {
                for &at in places.get(&key(have)).into_iter().flatten() {
                    let found: &mut Vec<Record> = &mut found[at];
                    // A record that has the value twice has it.
                    let is_new = found.last().is_none_or(|last| last.id != record.id);
                    if is_new && is_same(have, &request.values[at], case_exact) {
                        found.push(record.clone());
                    }
                }
            }
            false
        })
        .await?;
        Ok(found)
    }

    async fn scan(&self, cx: &Context, request: ScanRequest) -> Result<Box<dyn Scan>, ConnectorError> {
        Ok(Box::new(self.open_scan(cx, request).await?))
    }

    async fn apply(&self, cx: &Context, operations: &[Operation]) -> Vec<Applied> {
        write::apply(cx, &self.scripts, &self.secrets, operations).await
    }
}

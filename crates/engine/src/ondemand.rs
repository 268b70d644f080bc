//! Provision on demand: named objects through the same way as a cycle, with the trace of each.

use std::sync::Arc;

use provost_connector::{ConnectorError, Context, ErrorCode, FindRequest, Session};
use provost_model::{ClassName, CycleId, Filter, JobName, ObjectId, Record, Text};
use provost_store::{EventQuery, EventStatus, JobRow};

use crate::cycle::{self, Cycle};
use crate::engine::{Engine, Opened};
use crate::error::EngineError;
use crate::report::{CycleKind, Explanation, ProvisionReport};
use crate::spec::JobSpec;

/// Objects that one call may name: on demand is for people somebody looks at.
const LIMIT: usize = 50;

/// Pages of an answer that are read for one call.
const MOST_PAGES: usize = 100;

impl Engine {
    /// Provisions the source objects that satisfy the filter now. With `dry_run` only explains what would be done.
    pub async fn provision(
        &self,
        name: &JobName,
        spec: &JobSpec,
        filter: &Filter,
        dry_run: bool,
        cx: &Context,
    ) -> Result<Vec<ProvisionReport>, EngineError> {
        let opened = self.open(name, spec).await?;
        let found = self.find(&opened, filter, cx).await?;
        let mut explanations = Vec::with_capacity(found.len());
        for (rule, record) in &found {
            explanations.push(self.explain_record(&opened, *rule, record, cx).await?);
        }
        if dry_run {
            let dry = |explanation| ProvisionReport {
                explanation,
                result: "dry run".into(),
                error: None,
                code: None,
                hint: None,
            };
            return Ok(explanations.into_iter().map(dry).collect());
        }
        let held = self.hold(name).await?;
        let result = self.provide(&opened, &held.lease, found, cx).await;
        held.release(self).await;
        let cycle = result?;
        let mut reports = Vec::with_capacity(explanations.len());
        for explanation in explanations {
            reports.push(self.outcome(&cycle, explanation).await?);
        }
        Ok(reports)
    }

    async fn provide(
        &self,
        opened: &Opened,
        lease: &provost_store::Lease,
        found: Vec<(usize, Record)>,
        cx: &Context,
    ) -> Result<CycleId, EngineError> {
        let job = &opened.job;
        let row = self.store.job(&job.name).await?.unwrap_or_else(|| JobRow::new(job.name.clone()));
        let cycle = Arc::new(Cycle { kind: CycleKind::OnDemand, ..self.new_cycle(opened, lease, cx).await? });
        let id = cycle.id.clone();
        let _renewal = self.keep(lease.clone(), cycle.cx.clone());
        cycle::run_records(cycle, row, found).await?;
        Ok(id)
    }

    async fn outcome(&self, cycle: &CycleId, explanation: Explanation) -> Result<ProvisionReport, EngineError> {
        let query = EventQuery {
            cycle: Some(cycle.clone()),
            source_id: Some(explanation.source_id.clone()),
            ..EventQuery::default()
        };
        let events = self.store.events(&query).await?;
        let failed = events.iter().find(|event| matches!(event.status, EventStatus::Failed | EventStatus::Unknown));
        let (result, event) = match (failed, events.first()) {
            (Some(event), _) => ("failed", Some(event)),
            (None, Some(event)) if event.status == EventStatus::Skipped => ("skipped", Some(event)),
            (None, Some(event)) if matches!(event.status, EventStatus::Planned | EventStatus::Held) => {
                ("held", Some(event))
            }
            (None, Some(event)) => ("done", Some(event)),
            (None, None) => ("in step", None),
        };
        let hint = event.and_then(|event| {
            let detail: serde_json::Value = serde_json::from_str(event.detail.as_deref()?).ok()?;
            Some(detail.get("hint")?.as_str()?.to_owned())
        });
        Ok(ProvisionReport {
            explanation,
            result: Text::from(result),
            error: failed.map(|event| event.reason.clone()),
            code: failed.and_then(|event| event.code.as_ref()).map(ToString::to_string),
            hint,
        })
    }

    /// Source objects of any rule's class that satisfy the filter.
    pub(crate) async fn find(
        &self,
        opened: &Opened,
        filter: &Filter,
        cx: &Context,
    ) -> Result<Vec<(usize, Record)>, EngineError> {
        let mut found = Vec::new();
        let mut refused = None;
        for (at, rule) in opened.job.rules.iter().enumerate() {
            let request = FindRequest {
                requested: rule.requested.clone(),
                page_size: LIMIT + 1,
                ..FindRequest::new(rule.from.clone(), filter.clone())
            };
            match matches(&*opened.source, request, cx).await {
                Ok(records) => found.extend(records.into_iter().map(|record| (at, record))),
                // A class that lacks the attribute has nothing to say; another one may.
                Err(error) => refused = Some(error),
            }
        }
        if found.is_empty()
            && let Some(error) = refused
        {
            return Err(EngineError::Connection { role: "source", connection: opened.job.source.clone(), error });
        }
        if found.len() > LIMIT {
            return Err(EngineError::Filter {
                message: format!("it names more than {LIMIT} objects"),
                hint: Some("make the filter narrower, or run the whole job with `provost run`".into()),
            });
        }
        Ok(found)
    }
}

impl Engine {
    /// Class and id of the objects that a filter names, by the source alone and without the job's rules. What it cannot answer
    /// names nobody.
    pub(crate) async fn named_by_source(
        &self,
        spec: &JobSpec,
        filter: &Filter,
        cx: &Context,
    ) -> Vec<(ClassName, ObjectId)> {
        let Ok(source) = self.connections.session(&spec.source).await else { return Vec::new() };
        let mut named = Vec::new();
        for rule in &spec.objects {
            let request = FindRequest { page_size: LIMIT + 1, ..FindRequest::new(rule.from.clone(), filter.clone()) };
            let found = matches(&*source, request, cx).await.unwrap_or_default();
            named.extend(found.into_iter().map(|record| (rule.from.clone(), record.id)));
        }
        named.truncate(LIMIT);
        named
    }
}

/// All objects that satisfy the filter, or a few more than one call may name: a page may be short, or empty, and not the last.
async fn matches(source: &dyn Session, mut request: FindRequest, cx: &Context) -> Result<Vec<Record>, ConnectorError> {
    let mut found = Vec::new();
    for _ in 0..MOST_PAGES {
        let page = source.find(cx, request.clone()).await?;
        found.extend(page.records);
        if page.next.is_none() || found.len() > LIMIT {
            return Ok(found);
        }
        request.cursor = page.next;
    }
    let message = format!("the source did not come to an end of class `{}` within {MOST_PAGES} pages", request.class);
    Err(ConnectorError::new(ErrorCode::NotSupported, message)
        .hint("name the objects by another attribute: the source may ignore filters on this one"))
}

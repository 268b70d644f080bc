//! `provost log`: the provisioning log, filtered, and followed as it grows.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use provost_engine::report::ChangeTrace;
use provost_engine::spec::Period;
use provost_lang::ScopeFilter;
use provost_model::{Attributes, Clock, CycleId, Filter, SystemClock, Text, Timestamp, Value};
use provost_store::{CycleStatus, EventQuery, EventRow, EventStatus, Store};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::{parse_filter, trace};
use crate::cli::{Global, LogArgs};
use crate::error::{Error, Exit, Result};
use crate::output::{Data, Output, Style, time};
use crate::problem::Problem;
use crate::setup::{context, open_store};

const PAGE: i64 = 500;
const POLL: Duration = Duration::from_millis(500);

/// One event as data: times as RFC 3339, changes as JSON.
#[derive(Debug, Serialize)]
pub struct Event {
    seq: i64,
    created: String,
    finished: Option<String>,
    duration_ms: i64,
    job: String,
    cycle: String,
    class: String,
    source_id: String,
    target_id: Option<String>,
    name: String,
    action: String,
    status: String,
    code: Option<String>,
    reason: String,
    changes: Json,
    detail: Option<Json>,
}

impl From<EventRow> for Event {
    fn from(row: EventRow) -> Self {
        let json = |text: &str| serde_json::from_str(text).unwrap_or_else(|_| Json::String(text.to_owned()));
        Self {
            seq: row.seq,
            created: time(row.created),
            finished: row.finished.map(time),
            duration_ms: row.duration_ms,
            job: row.job.to_string(),
            cycle: row.cycle.to_string(),
            class: row.class.to_string(),
            source_id: row.source_id.to_string(),
            target_id: row.target_id.map(|id| id.to_string()),
            name: row.name,
            action: row.action.to_string(),
            status: row.status.to_string(),
            code: row.code.map(|code| code.to_string()),
            reason: row.reason,
            changes: if row.changes.is_empty() { Json::Array(Vec::new()) } else { json(&row.changes) },
            detail: row.detail.as_deref().map(json),
        }
    }
}

/// A change as events keep it; `op` is there where values are added or removed rather than set.
#[derive(Deserialize)]
struct KeptChange {
    path: String,
    #[serde(default)]
    op: Text,
    #[serde(default)]
    before: Option<Value>,
    #[serde(default)]
    after: Option<Value>,
}

impl Event {
    pub fn changes_of(row: &EventRow) -> Vec<ChangeTrace> {
        let kept: Vec<KeptChange> = serde_json::from_str(&row.changes).unwrap_or_default();
        let change =
            |kept: KeptChange| ChangeTrace { path: kept.path, op: kept.op, before: kept.before, after: kept.after };
        kept.into_iter().map(change).collect()
    }
}

pub async fn run(global: &Global, args: LogArgs, output: Output) -> Result<Exit> {
    let filter = match &args.filter {
        Some(text) => Some(compile(text)?),
        None => None,
    };
    let since = args.since.as_deref().map(|text| since(text, SystemClock.now())).transpose()?;
    let base = EventQuery {
        job: args.job.as_deref().map(Into::into),
        cycle: args.cycle.as_deref().map(Into::into),
        since,
        limit: PAGE,
        ..EventQuery::default()
    };
    let store = open_store(global).await?;
    let shows_plans = args.cycle.is_some() || args.filter.as_deref().is_some_and(asks_for_status);
    let matches = |row: &EventRow| {
        (shows_plans || row.status != EventStatus::Planned)
            && filter.as_ref().is_none_or(|filter| filter.matches(&record(row)))
    };
    let mut data = output.data();
    let newest = newest(&store, &base, args.limit, &matches).await?;
    if args.follow {
        return follow(&store, &base, newest, &matches, data, output).await;
    }
    let is_empty = newest.is_empty();
    for row in newest {
        print(&mut data, row, output)?;
    }
    data.end()?;
    if is_empty && !output.json {
        output.note("no event matches");
        if let Some(job) = &args.job {
            output.hint(format_args!("`provost status` shows whether there is a job `{job}`, and when it ran"));
        }
    }
    Ok(Exit::Done)
}

/// What a plan intends is shown with `--cycle`, or where the filter looks at the status itself.
fn asks_for_status(text: &str) -> bool {
    let mut asks = false;
    if let Ok(filter) = text.parse::<Filter>() {
        filter.for_each_path(&mut |path| asks |= path.name.eq_ignore_ascii_case("status"));
    }
    asks
}

/// Prints what is there, oldest first, then what comes, until it is interrupted.
async fn follow(
    store: &Store,
    base: &EventQuery,
    newest: Vec<EventRow>,
    matches: &dyn Fn(&EventRow) -> bool,
    mut data: Data,
    output: Output,
) -> Result<Exit> {
    let last = store.events(&EventQuery { limit: 1, ..EventQuery::default() }).await?;
    let mut after = last.first().map_or(0, |row| row.seq);
    for row in newest.into_iter().rev() {
        print(&mut data, row, output)?;
    }
    data.flush()?;
    let cx = context(output, "log");
    let mut intended = Intended::default();
    while cx.sleep(POLL).await.is_ok() {
        loop {
            let query = EventQuery { after_seq: Some(after), newest_first: false, ..base.clone() };
            let page = store.events(&query).await?;
            let is_last = (page.len() as i64) < PAGE;
            for row in page {
                after = row.seq;
                if matches(&row) {
                    print(&mut data, row, output)?;
                } else if row.status == EventStatus::Planned {
                    intended.note(&row);
                }
            }
            if is_last {
                break;
            }
        }
        for row in intended.settled(store).await? {
            if matches(&row) {
                print(&mut data, row, output)?;
            }
        }
        data.flush()?;
    }
    Ok(Exit::Done)
}

/// Events that were seen as intended only: the same rows tell the outcome later, under their old numbers.
#[derive(Default)]
struct Intended(BTreeMap<CycleId, BTreeSet<i64>>);

impl Intended {
    fn note(&mut self, row: &EventRow) {
        self.0.entry(row.cycle.clone()).or_default().insert(row.seq);
    }

    /// Those whose cycle has come to its end.
    async fn settled(&mut self, store: &Store) -> Result<Vec<EventRow>> {
        let mut settled = Vec::new();
        let cycles: Vec<CycleId> = self.0.keys().cloned().collect();
        for cycle in cycles {
            let status = store.cycle(&cycle).await?.map(|row| row.status);
            if matches!(status, Some(CycleStatus::Running | CycleStatus::Planned | CycleStatus::Held)) {
                continue;
            }
            let Some(numbers) = self.0.remove(&cycle) else { continue };
            let mut after = numbers.first().map_or(0, |first| first - 1);
            while numbers.last().is_some_and(|last| after < *last) {
                let query = EventQuery {
                    cycle: Some(cycle.clone()),
                    after_seq: Some(after),
                    newest_first: false,
                    limit: PAGE,
                    ..EventQuery::default()
                };
                let page = store.events(&query).await?;
                let Some(last) = page.last() else { break };
                after = last.seq;
                settled.extend(page.into_iter().filter(|row| numbers.contains(&row.seq)));
            }
        }
        Ok(settled)
    }
}

/// The newest events that match, newest first.
async fn newest(
    store: &Store,
    base: &EventQuery,
    limit: u64,
    matches: &dyn Fn(&EventRow) -> bool,
) -> Result<Vec<EventRow>> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut found = Vec::new();
    let mut query = base.clone();
    while found.len() < limit {
        let page = store.events(&query).await?;
        let is_last = (page.len() as i64) < PAGE;
        query.before_seq = page.last().map(|row| row.seq);
        found.extend(page.into_iter().filter(|row| matches(row)).take(limit - found.len()));
        if is_last {
            break;
        }
    }
    Ok(found)
}

fn print(data: &mut Data, row: EventRow, output: Output) -> Result<()> {
    if output.json {
        return data.json_line(&Event::from(row));
    }
    let style = match row.status.as_str() {
        "done" => Style::Green,
        "failed" | "unknown" => Style::Red,
        _ => Style::Yellow,
    };
    let status = data.paint(style, format_args!("{:9}", row.status.as_str()));
    let code = row.code.as_ref().map_or(String::new(), |code| format!(" [{code}]"));
    let name = if row.name.is_empty() { row.source_id.as_str() } else { row.name.as_str() };
    data.line(format_args!(
        "{}  {status} {:8} {} {name} ({}){code}: {}",
        time(row.created),
        row.action.as_str(),
        row.job,
        row.source_id,
        row.reason
    ))?;
    if let Some(message) = failure(&row) {
        data.line(format_args!("    {message}"))?;
    }
    trace::changes(data, &Event::changes_of(&row))
}

/// The target's words, which the engine keeps with an event that failed.
fn failure(row: &EventRow) -> Option<String> {
    let detail: Json = serde_json::from_str(row.detail.as_deref()?).ok()?;
    let text = detail.get("message").or_else(|| detail.get("error"))?;
    Some(text.as_str().map_or_else(|| text.to_string(), str::to_owned))
}

/// What `--where` sees: the event's own fields, and every changed attribute under its name.
pub fn record(row: &EventRow) -> Attributes {
    let text = |text: &str| Value::text(text);
    let mut record: Attributes = [
        ("job", text(&row.job)),
        ("cycle", text(&row.cycle)),
        ("class", text(&row.class)),
        ("source_id", text(&row.source_id)),
        ("action", text(&row.action)),
        ("status", text(row.status.as_str())),
        ("name", text(&row.name)),
        ("reason", text(&row.reason)),
    ]
    .into_iter()
    .collect();
    if let Some(id) = &row.target_id {
        record.push("target_id", text(id));
    }
    if let Some(code) = &row.code {
        record.push("code", text(code));
    }
    for change in Event::changes_of(row) {
        record.push(change.path, change.after.or(change.before).unwrap_or_default());
    }
    record
}

pub fn compile(text: &str) -> Result<ScopeFilter> {
    let filter = parse_filter(text, "--where")?;
    ScopeFilter::compile(&filter).map_err(|errors| {
        let problem = |error: &provost_lang::LangError| Problem::of(error);
        Error::Usage(errors.first().map_or_else(|| Problem::new("PRV-0201", "no filter"), problem))
    })
}

/// A time, a day (UTC) or an age, in milliseconds since 1970.
fn since(text: &str, now: Timestamp) -> Result<i64> {
    if let Ok(period) = text.parse::<Period>() {
        return Ok(now.as_millisecond().saturating_sub(period.ms));
    }
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time.as_millisecond());
    }
    let day = text.parse::<DateTime>().ok().and_then(|day| day.to_zoned(TimeZone::UTC).ok());
    day.map(|day| day.timestamp().as_millisecond()).ok_or_else(|| {
        Error::Usage(
            Problem::new("PRV-0707", format!("--since: `{text}` is no time"))
                .hint("write an age (90m, 12h, 7d), a day (2026-11-30) or a time (2026-11-30T08:00:00Z)"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn since_takes_ages_days_and_times() {
        let now: Timestamp = "2026-11-30T12:00:00Z".parse().unwrap();
        for (text, expected) in [
            ("90m", "2026-11-30T10:30:00Z"),
            ("7d", "2026-11-23T12:00:00Z"),
            ("2026-11-29", "2026-11-29T00:00:00Z"),
            ("2026-11-29T08:00:00+01:00", "2026-11-29T07:00:00Z"),
        ] {
            assert_eq!(time(since(text, now).unwrap()), expected, "{text}");
        }
        assert!(since("yesterday", now).is_err());
    }
}

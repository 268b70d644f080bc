//! Attribute changes and explanations as text.

use provost_engine::report::{ChangeTrace, Explanation, HistoryEntry, StepTrace};
use provost_model::Value;

use crate::error::Result;
use crate::output::{Data, Style};

/// Longer values are cut; `--json` has them whole.
const LONGEST: usize = 80;

/// `attribute: before → after`, one line each.
pub fn changes(data: &mut Data, changes: &[ChangeTrace]) -> Result<()> {
    let width = changes.iter().map(|change| change.path.chars().count()).max().unwrap_or(0).min(40);
    for change in changes {
        let before = shown(change.before.as_ref());
        let after = data.paint(Style::Green, shown(change.after.as_ref()));
        let sign = match change.op.as_str() {
            "add" => "+ ",
            "remove" => "- ",
            _ => "",
        };
        match (&change.before, sign) {
            (None, "") => data.line(format_args!("    {:width$}  {after}", change.path))?,
            (_, "") => data.line(format_args!("    {:width$}  {before} → {after}", change.path))?,
            _ => data.line(format_args!("    {:width$}  {sign}{after}", change.path))?,
        }
    }
    Ok(())
}

/// A value on one line, whole; nothing for none.
pub fn whole(value: Option<&Value>) -> String {
    let text = match value {
        None => return String::new(),
        Some(Value::Reference(reference)) => format!("{} {}", reference.class, reference.id),
        Some(value) => value.to_string(),
    };
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

/// A value on one line of a terminal.
pub fn shown(value: Option<&Value>) -> String {
    let text = match value {
        None => return "∅".to_owned(),
        Some(Value::Text(text)) if text.is_empty() => "\"\"".to_owned(),
        value => whole(value),
    };
    if text.chars().count() <= LONGEST {
        return text;
    }
    let head: String = text.chars().take(LONGEST).collect();
    format!("{head}…")
}

/// The whole trace of an object.
pub fn explanation(data: &mut Data, trace: &Explanation) -> Result<()> {
    let name = data.paint(Style::Bold, if trace.name.is_empty() { trace.source_id.as_str() } else { &trace.name });
    data.line(format_args!("{} {name} ({}) in job {}", trace.class, trace.source_id, trace.job))?;

    if let Some(why) = &trace.recorded_only {
        section(data, &format!("only the record is told: {why}"))?;
    }
    if let Some(as_of) = &trace.as_of {
        section(data, &format!("as of {}, cycle {}", as_of.at, as_of.cycle))?;
        if let Some(note) = &as_of.note {
            section(data, note)?;
        }
    }
    let is_evaluated = trace.recorded_only.is_none() || trace.as_of.is_some();
    if is_evaluated {
        live(data, trace)?;
    }

    match &trace.link {
        Some(link) => {
            let id = link.target_id.as_deref().unwrap_or("no account");
            section(data, &format!("link: {} {id}, since {}", link.state, link.changed))?;
        }
        None => section(data, "link: none yet")?,
    }
    for matching in &trace.matching {
        let found = match matching.found.len() {
            0 => "nothing".to_owned(),
            _ => matching.found.iter().map(|id| id.as_str()).collect::<Vec<_>>().join(", "),
        };
        let note = matching.note.as_ref().map_or(String::new(), |note| format!(" ({note})"));
        data.line(format_args!("    {} eq {} → {found}{note}", matching.target, shown(matching.value.as_ref())))?;
    }

    if is_evaluated {
        mappings(data, trace)?;
    }
    if trace.decision != "unknown" {
        section(data, &format!("decision: {} — {}", trace.decision, trace.reason))?;
        changes(data, &trace.changes)?;
    }
    if !trace.upcoming.is_empty() {
        section(data, "next")?;
        for next in &trace.upcoming {
            data.line(format_args!("    {}", whole(Some(&Value::text(next.text.as_str())))))?;
        }
    }
    if !trace.history.is_empty() {
        section(data, "history, newest first")?;
        trace.history.iter().try_for_each(|entry| event(data, entry))?;
    }
    Ok(())
}

/// One event of the log, with what was sent and answered.
fn event(data: &mut Data, entry: &HistoryEntry) -> Result<()> {
    let code = entry.code.as_ref().map_or(String::new(), |code| format!(" [{code}]"));
    let tries = entry.tries.filter(|tries| *tries > 1).map_or(String::new(), |tries| format!(", try {tries}"));
    let took = if entry.duration_ms > 0 { format!(", {} ms", entry.duration_ms) } else { String::new() };
    data.line(format_args!("    {} {} {}{code}{tries}{took}: {}", entry.at, entry.action, entry.status, entry.reason))?;
    changes(data, &entry.changes)?;
    if let Some(exchange) = &entry.exchange {
        let status = exchange.status.map_or_else(|| "no answer".to_owned(), |status| status.to_string());
        let id = exchange.request_id.as_ref().map_or(String::new(), |id| format!(", request id {id}"));
        data.line(format_args!("        {} → {status}{id}", exchange.request))?;
    }
    let cycle = data.paint(Style::Dim, format!("cycle {}", entry.cycle));
    data.line(format_args!("        {cycle}"))
}

/// What the source says, or said.
fn live(data: &mut Data, trace: &Explanation) -> Result<()> {
    section(data, "source")?;
    for (attribute, value) in &trace.source {
        data.line(format_args!("    {attribute} = {}", shown(Some(value))))?;
    }

    let verdict = if trace.in_scope { "in scope" } else { "out of scope" };
    section(data, &format!("scope: {verdict}"))?;
    for clause in &trace.scope {
        let mark = mark(data, clause.matched);
        data.line(format_args!("    {mark} {}   [{}]", clause.clause, shown(clause.value.as_ref())))?;
    }
    Ok(())
}

fn mappings(data: &mut Data, trace: &Explanation) -> Result<()> {
    section(data, "mappings")?;
    for mapping in &trace.mappings {
        let value = shown(mapping.value.as_ref());
        let note = mapping.note.as_ref().map_or(String::new(), |note| format!("   ({note})"));
        data.line(format_args!("    {} = {value}{note}", mapping.target))?;
        let expression = data.paint(Style::Dim, &mapping.expression);
        data.line(format_args!("        {expression}"))?;
        mapping.steps.iter().try_for_each(|part| step(data, part, 3))?;
    }
    Ok(())
}

/// A part of an expression with the parts it asked for.
fn step(data: &mut Data, part: &StepTrace, depth: usize) -> Result<()> {
    let result = match (&part.value, &part.note) {
        (None, Some(note)) => format!("({note})"),
        (value, _) => shown(value.as_ref()),
    };
    let expression = shown(Some(&Value::text(part.expression.as_str())));
    let line = data.paint(Style::Dim, format!("{expression} = {result}"));
    data.line(format_args!("{:indent$}{line}", "", indent = depth * 4))?;
    part.steps.iter().try_for_each(|part| step(data, part, depth + 1))
}

fn section(data: &mut Data, title: &str) -> Result<()> {
    let title = data.paint(Style::Blue, title);
    data.line(format_args!("  {title}"))
}

fn mark(data: &Data, holds: bool) -> String {
    if holds { data.paint(Style::Green, "✓") } else { data.paint(Style::Red, "✗") }
}

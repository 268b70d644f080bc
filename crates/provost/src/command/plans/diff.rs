//! How two plans differ, object by object.

use std::collections::BTreeMap;

use provost_engine::report::ChangeTrace;
use provost_store::{EventRow, Store};
use serde::Serialize;

use super::{Operations, find, log};
use crate::cli::PlansDiffArgs;
use crate::command::trace;
use crate::error::{Exit, Result};
use crate::output::{Data, Output, Style};

/// What one plan intends with an object.
#[derive(Debug, PartialEq, Serialize)]
struct Intended {
    action: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    target_id: Option<String>,
    changes: Vec<ChangeTrace>,
}

/// One difference.
#[derive(Debug, Serialize)]
struct Difference {
    class: String,
    source_id: String,
    name: String,
    /// What the first plan intends; none when it does not touch the object.
    old: Option<Intended>,
    new: Option<Intended>,
}

type Objects = BTreeMap<(String, String), (String, Intended)>;

pub async fn run(store: &Store, args: &PlansDiffArgs, output: Output) -> Result<Exit> {
    for plan in [&args.old, &args.new] {
        find(store, plan).await?;
    }
    let differences = compare(objects(store, &args.old).await?, objects(store, &args.new).await?);
    if output.json {
        output.json(&differences)?;
    } else {
        let mut data = output.data();
        for difference in &differences {
            print(&mut data, difference)?;
        }
        data.end()?;
        if differences.is_empty() {
            output.note("both plans intend the same");
        }
    }
    Ok(if differences.is_empty() || !args.exit_code { Exit::Done } else { Exit::Changes })
}

async fn objects(store: &Store, plan: &str) -> Result<Objects> {
    let mut objects = Objects::new();
    let mut operations = Operations::of(store, plan);
    while let Some(event) = operations.next().await? {
        let EventRow { class, source_id, name, .. } = &event;
        let key = (class.to_string(), source_id.to_string());
        let intended = Intended {
            action: event.action.to_string(),
            target_id: event.target_id.as_ref().map(ToString::to_string),
            changes: log::Event::changes_of(&event),
        };
        objects.insert(key, (name.clone(), intended));
    }
    Ok(objects)
}

fn compare(mut old: Objects, new: Objects) -> Vec<Difference> {
    let mut differences = Vec::new();
    for (key, (name, intended)) in new {
        let before = old.remove(&key).map(|(_, intended)| intended);
        if before.as_ref() != Some(&intended) {
            let (class, source_id) = key;
            differences.push(Difference { class, source_id, name, old: before, new: Some(intended) });
        }
    }
    let gone = old.into_iter().map(|((class, source_id), (name, intended))| Difference {
        class,
        source_id,
        name,
        old: Some(intended),
        new: None,
    });
    differences.extend(gone);
    differences.sort_by(|one, other| (&one.class, &one.source_id).cmp(&(&other.class, &other.source_id)));
    differences
}

fn print(data: &mut Data, difference: &Difference) -> Result<()> {
    let Difference { class, source_id, name, old, new } = difference;
    let name = data.paint(Style::Bold, if name.is_empty() { source_id } else { name });
    data.line(format_args!("{class} {name} ({source_id})"))?;
    for (sign, style, intended) in [("-", Style::Red, old), ("+", Style::Green, new)] {
        let Some(intended) = intended else { continue };
        let action = data.paint(style, format_args!("{sign} {}", intended.action));
        data.line(format_args!("  {action}"))?;
        trace::changes(data, &intended.changes)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn objects(of: &[(&str, &str)]) -> Objects {
        let intended = |action: &str| Intended { action: action.into(), target_id: None, changes: Vec::new() };
        of.iter().map(|(id, action)| (("person".into(), (*id).into()), ((*id).into(), intended(action)))).collect()
    }

    #[test]
    fn plans_are_compared_by_object() {
        let old = objects(&[("a", "create"), ("b", "update"), ("c", "delete")]);
        let new = objects(&[("a", "create"), ("b", "disable"), ("d", "create")]);
        let told: Vec<String> = compare(old, new)
            .iter()
            .map(|one| {
                let word = |intended: &Option<Intended>| intended.as_ref().map_or("-".to_owned(), |i| i.action.clone());
                format!("{} {} {}", one.source_id, word(&one.old), word(&one.new))
            })
            .collect();
        assert_eq!(told, ["b update disable", "c delete -", "d - create"]);
    }
}

//! Two result files side by side: the committed baseline and what was just measured. CPU a user of either side that moved
//! by more than a tenth is flagged; wall times are not compared, since the machines were not equally quiet.

use std::{fs, path::Path};

use serde_json::Value;

use crate::error::{Error, Result};

const TOLERANCE: f64 = 0.10;

/// One CPU figure in both files.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    pub scenario: String,
    pub users: u64,
    /// "a" or "b".
    pub side: &'static str,
    pub before: f64,
    pub after: f64,
    pub flagged: bool,
}

/// Scenarios that both files have at the same size.
pub fn compare(before: &Path, after: &Path) -> Result<Vec<Change>> {
    let (before, after) = (read(before)?, read(after)?);
    let mut changes = Vec::new();
    for new in &after {
        let Some(old) = before.iter().find(|o| o["scenario"] == new["scenario"] && o["users"] == new["users"]) else {
            continue;
        };
        for (side, pointer) in [("a", "/a_figures/cpu_us/median"), ("b", "/b_figures/cpu_us/median")] {
            if old[side] != new[side] {
                // Another program ran on that side (a stand-in, say): no change of the engine's.
                continue;
            }
            let number = |v: &Value| v.pointer(pointer).and_then(Value::as_f64).filter(|n| *n > 0.0);
            if let Some((before, after)) = number(old).zip(number(new)) {
                let scenario = new["scenario"].as_str().unwrap_or_default().to_owned();
                let flagged = (after / before - 1.0).abs() > TOLERANCE;
                changes.push(Change {
                    scenario,
                    users: new["users"].as_u64().unwrap_or(0),
                    side,
                    before,
                    after,
                    flagged,
                });
            }
        }
    }
    Ok(changes)
}

fn read(path: &Path) -> Result<Vec<Value>> {
    let text = fs::read_to_string(path).map_err(Error::file("read", path))?;
    text.lines().map(|line| serde_json::from_str(line).map_err(Error::json("read a result"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_a_change_above_a_tenth() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, a: f64, b: f64| {
            let line = |cpu: f64| format!(r#"{{"cpu_us":{{"median":{cpu}}}}}"#);
            let path = folder.path().join(name);
            let text =
                format!("{{\"scenario\":\"s\",\"users\":5,\"a_figures\":{},\"b_figures\":{}}}\n", line(a), line(b));
            fs::write(&path, text).unwrap();
            path
        };
        let changes = compare(&file("old", 14.0, 20.0), &file("new", 14.5, 23.0)).unwrap();
        assert_eq!(changes.iter().map(|c| (c.side, c.flagged)).collect::<Vec<_>>(), [("a", false), ("b", true)]);
    }
}

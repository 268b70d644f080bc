//! Limits as settings say them: sizes, spans of time, and what is the matter with those that are none.

use std::time::Duration;

use provost_connector::SettingProblem;
use serde_json::Value as Json;

/// What to write for a limit of this name.
pub(crate) fn hint_of(name: &str) -> &'static str {
    match name {
        "max_line" => "write bytes or a text such as `16 MiB`, from 1000 bytes to 1 GiB",
        "memory" => "write bytes or a text such as `512 MiB`, from 1 MiB on",
        _ => "write seconds, or a text such as `30s` or `2m`",
    }
}

/// A size in bytes, as a number or with a unit.
pub(crate) fn bytes(setting: &Json, least: u64, most: u64) -> Result<Option<u64>, String> {
    let found = match setting {
        Json::Null => return Ok(None),
        Json::Number(number) => number.as_u64(),
        Json::String(text) => {
            let digits = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
            let (number, unit) = text.split_at(digits);
            let factor = match unit.trim() {
                "" | "B" => Some(1),
                "KiB" => Some(1 << 10),
                "MiB" => Some(1 << 20),
                "GiB" => Some(1 << 30),
                _ => None,
            };
            number.parse::<u64>().ok().zip(factor).and_then(|(number, factor)| number.checked_mul(factor))
        }
        _ => None,
    };
    let size = found.ok_or("is no size")?;
    if (least..=most).contains(&size) { Ok(Some(size)) } else { Err("is too small or too large".to_owned()) }
}

/// A time span in milliseconds: seconds as a number, or a text with units.
pub(crate) fn millis(setting: &Json) -> Result<Option<u64>, String> {
    let span = match setting {
        Json::Null => return Ok(None),
        Json::Number(seconds) => seconds.as_f64().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
        Json::String(text) => text.parse::<jiff::SignedDuration>().ok().and_then(|span| Duration::try_from(span).ok()),
        _ => None,
    };
    // Two weeks are surely a mistake, and longer spans overflow clocks.
    let sane = span.filter(|span| span.as_millis() > 0 && span.as_secs() <= 14 * 86_400);
    sane.map(|span| Some(span.as_millis() as u64)).ok_or_else(|| "is no time span".to_owned())
}

pub(crate) fn problem(path: &str, message: impl Into<String>, hint: &str) -> SettingProblem {
    SettingProblem { path: path.into(), message: message.into(), hint: Some(hint.to_owned()) }
}

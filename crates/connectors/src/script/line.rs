//! What scripts write: one JSON text a line, and at the end a line that says that this is all.

use provost_connector::{ConnectorError, Context, End, ErrorCode, ScanFault};
use provost_model::{Attributes, ClassName, Incomplete, ObjectId, Text};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::step::Step;

/// Lines of a script that is no import.
const MOST_LINES: u64 = 10_000;

/// One object of an import.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Object {
    #[serde(default)]
    pub id: Option<ObjectId>,
    #[serde(default)]
    pub class: Option<ClassName>,
    #[serde(default)]
    pub attributes: Option<Attributes>,
    #[serde(default)]
    pub etag: Option<Text>,
    #[serde(default)]
    pub incomplete: Vec<Incomplete>,
    /// In place of all of these: who is gone, or who could not be read.
    #[serde(default)]
    pub tombstone: Option<ObjectId>,
    #[serde(default)]
    pub fault: Option<ScanFault>,
}

/// Reads all lines, each as what it should be. The last one has to say that it is the last and how many were before it.
pub(super) async fn read_all<T: DeserializeOwned>(cx: &Context, step: &mut Step) -> Result<Vec<T>, ConnectorError> {
    let (mut found, mut held) = (Vec::new(), None::<String>);
    while let Some(line) = step.line(cx).await? {
        if let Some(line) = held.replace(line) {
            let at = step.at - 1;
            found.push(serde_json::from_str(&line).map_err(|error| refuse(step, &format!("line {at}: {error}")))?);
        }
        if step.at > MOST_LINES {
            return Err(refuse(step, &format!("it has more than {MOST_LINES} lines")));
        }
    }
    if let Err(error) = step.end().await {
        return Err(ConnectorError { message: format!("{}{}", error.message, step.last_words()), ..error });
    }
    match held.as_deref().map(serde_json::from_str::<End>) {
        Some(Ok(end)) => match end.gap(found.len() as u64) {
            None => Ok(found),
            Some(gap) => Err(refuse(step, &gap)),
        },
        Some(Err(error)) => Err(refuse(step, &format!("its last line says no `complete` and `count`: {error}"))),
        None => Err(refuse(step, "it wrote nothing")),
    }
}

fn refuse(step: &Step, why: &str) -> ConnectorError {
    let message = format!("what `{}` wrote is not understood: {}", step.name, step.secrets.mask(why));
    ConnectorError::new(ErrorCode::Protocol, message)
        .hint("it writes one JSON text a line, and {\"complete\": true, \"count\": …} as the last")
}

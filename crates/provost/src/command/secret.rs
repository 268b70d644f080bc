//! `provost secret set`: a value from stdin into the store, sealed. It is never printed.

use std::io::{self, IsTerminal, Read};

use provost_model::{Clock, SystemClock};
use serde::Serialize;

use crate::cli::{Global, SecretArgs};
use crate::error::{Error, Exit, Result};
use crate::output::Output;
use crate::problem::Problem;
use crate::setup::open_existing;

/// Longer than any password, token or key; more is a file piped in by mistake.
const LONGEST: u64 = 64 << 10;

#[derive(Serialize)]
struct Kept<'s> {
    secret: &'s str,
}

pub async fn set(global: &Global, args: SecretArgs, output: Output) -> Result<Exit> {
    if args.name.is_empty() || args.name.chars().any(|letter| letter.is_control()) {
        return Err(Error::Usage(Problem::new("PRV-0707", "a secret needs a name without control characters")));
    }
    if io::stdin().is_terminal() {
        output.note("type the value and end it with Ctrl-D; it is shown as you type");
    }
    // The library's own buffers are wiped when dropped; what stdin keeps ends with this process.
    let mut value = Vec::new();
    io::stdin().lock().take(LONGEST + 1).read_to_end(&mut value).map_err(|error| {
        Problem::new("PRV-0706", format!("cannot read the value of `{}` from stdin: {error}", args.name))
    })?;
    let end = value.strip_suffix(b"\n").map_or(value.len(), |rest| rest.strip_suffix(b"\r").unwrap_or(rest).len());
    value.truncate(end);
    if value.is_empty() || value.len() as u64 > LONGEST {
        let what = if value.is_empty() { "is empty" } else { "is longer than 64 KiB" };
        return Err(Error::Usage(
            Problem::new("PRV-0707", format!("the value of `{}` {what}", args.name))
                .hint(format!("pipe it in: provost secret set {} < FILE", args.name)),
        ));
    }
    let store = open_existing(global).await?;
    let kept = store.put_secret(&args.name, &value, SystemClock.now_ms()).await;
    value.fill(0);
    kept?;
    store.close().await;
    if output.json {
        output.json(&Kept { secret: &args.name })?;
    } else {
        output.note(format_args!("the secret `{}` is kept", args.name));
    }
    Ok(Exit::Done)
}

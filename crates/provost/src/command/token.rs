//! `provost token create`: a token for the API and SCIM clients, shown this once.

use provost_model::{Clock, SystemClock};
use provost_store::token::{NewToken, TokenRow};
use serde::Serialize;
use uuid::Uuid;

use crate::cli::{Global, TokenArgs};
use crate::error::{Exit, Result};
use crate::output::{Output, time};
use crate::setup::open_store;

const DAY_MS: i64 = 86_400_000;

/// What a token may do until there are finer rights.
const RIGHTS: &str = "all";

#[derive(Serialize)]
struct Made<'t> {
    id: &'t str,
    name: &'t str,
    token: &'t str,
    expires: Option<String>,
}

pub async fn create(global: &Global, args: TokenArgs, output: Output) -> Result<Exit> {
    let store = open_store(global).await?;
    let new = NewToken::generate()?;
    let now = SystemClock.now_ms();
    let row = TokenRow {
        id: Uuid::now_v7().to_string().into(),
        name: args.name,
        hash: new.hash,
        rights: RIGHTS.to_owned(),
        created: now,
        expires: args.days.map(|days| now + i64::from(days) * DAY_MS),
        last_used: None,
        revoked: None,
    };
    store.save_token(&row).await?;
    store.close().await;
    let expires = row.expires.map(time);
    if output.json {
        output.json(&Made { id: &row.id, name: &row.name, token: &new.text, expires })?;
        return Ok(Exit::Done);
    }
    let mut data = output.data();
    data.line(&*new.text)?;
    data.end()?;
    match expires {
        Some(time) => output.note(format_args!("token `{}` expires {time}; it is not shown again", row.name)),
        None => output.note(format_args!("token `{}` does not expire; it is not shown again", row.name)),
    }
    Ok(Exit::Done)
}

//! `provost token`: who may call the API and the SCIM service. A token belongs to a client; its text is shown once, when it is
//! made. What is done to tokens is written down.

use provost_model::{Clock, SystemClock, Text};
use provost_server::client::ClientSettings;
use provost_store::token::{NewToken, TokenRow};
use provost_store::{AuditRow, Lookup, Store};
use serde::Serialize;
use uuid::Uuid;

use crate::cli::{AuditArgs, Global, RevokeArgs, RotateArgs, TokenArgs};
use crate::error::{Error, Exit, Result};
use crate::output::{Output, Table, time};
use crate::problem::Problem;
use crate::setup::open_existing;

const DAY_MS: i64 = 86_400_000;

/// The words that rights begin with.
const RIGHTS: [&str; 3] = ["all", "read", "write"];
/// The same after `jobs:`.
const JOB_RIGHTS: [&str; 2] = ["read", "write"];

#[derive(Serialize)]
struct Made<'t> {
    id: &'t str,
    name: &'t str,
    token: &'t str,
    expires: Option<String>,
}

/// What may be shown of a token.
#[derive(Serialize)]
struct Shown {
    id: Text,
    name: String,
    rights: String,
    client: ClientSettings,
    created: String,
    expires: Option<String>,
    last_used: Option<String>,
    revoked: Option<String>,
    /// `active`, `expired`, `revoked`
    state: &'static str,
}

pub async fn create(global: &Global, args: TokenArgs, output: Output) -> Result<Exit> {
    check_rights(&args.rights)?;
    if args.rate.is_some_and(|rate| !(rate > 0.0 && rate.is_finite())) {
        return Err(usage("--rate has to be more than 0", "leave it out for no limit"));
    }
    let store = open_existing(global).await?;
    let me = match &args.me {
        Some(name) => Some(user(&store, name).await?),
        None => None,
    };
    let client = ClientSettings {
        types: args.types,
        rate: args.rate,
        burst: args.burst,
        preset: serde_json::from_value(args.preset.into()).unwrap_or_default(),
        empty_group_patch: None,
        refuse_unknown_members: args.refuse_unknown_members,
        me,
    };
    let expires = args.days.map(|days| SystemClock.now_ms() + i64::from(days) * DAY_MS);
    let row = TokenRow { name: args.name, rights: args.rights, client: to_json(&client), expires, ..blank() };
    make(&store, row, "token.create", String::new(), output).await
}

pub async fn list(global: &Global, output: Output) -> Result<Exit> {
    let store = open_existing(global).await?;
    let now = SystemClock.now_ms();
    let tokens: Vec<Shown> = store.tokens().await?.into_iter().map(|row| shown(row, now)).collect();
    store.close().await;
    if output.json {
        output.json(&tokens)?;
        return Ok(Exit::Done);
    }
    if tokens.is_empty() {
        output.note("there are no tokens yet");
        output.hint("`provost token create --name CLIENT` makes one");
        return Ok(Exit::Done);
    }
    let mut data = output.data();
    let mut table = Table::new(["name", "state", "rights", "client", "expires", "last used", "id"]);
    for token in tokens {
        let or = |text: Option<String>, none: &str| text.unwrap_or_else(|| none.to_owned());
        table.row([
            token.name,
            token.state.to_owned(),
            token.rights,
            to_json(&token.client),
            or(token.expires, "never"),
            or(token.last_used, "never"),
            token.id.to_string(),
        ]);
    }
    data.table(table)?;
    data.end()?;
    Ok(Exit::Done)
}

pub async fn rotate(global: &Global, args: RotateArgs, output: Output) -> Result<Exit> {
    let store = open_existing(global).await?;
    let now = SystemClock.now_ms();
    let valid: Vec<TokenRow> =
        store.tokens_named(&args.name).await?.into_iter().filter(|token| token.is_valid(now)).collect();
    let Some(newest) = valid.last().cloned() else { return Err(unknown(&store, &args.name).await?) };
    let until = now + args.overlap.ms;
    for token in &valid {
        let expires = token.expires.map_or(until, |expires| expires.min(until));
        store.save_token(&TokenRow { expires: Some(expires), ..token.clone() }).await?;
    }
    let lifetime = newest.expires.map(|expires| expires - newest.created);
    let lifetime = args.days.map(|days| i64::from(days) * DAY_MS).or(lifetime);
    let row = TokenRow {
        name: newest.name,
        rights: newest.rights,
        client: newest.client,
        expires: lifetime.map(|lifetime| now + lifetime),
        ..blank()
    };
    let old = format!("{} before it end at {}", valid.len(), time(until));
    output.note(format_args!("the old token of `{}` works until {}", row.name, time(until)));
    make(&store, row, "token.rotate", old, output).await
}

pub async fn revoke(global: &Global, args: RevokeArgs, output: Output) -> Result<Exit> {
    let store = open_existing(global).await?;
    let now = SystemClock.now_ms();
    let mut tokens = store.tokens_named(&args.name).await?;
    tokens.extend(store.token(&args.name).await?);
    let mut count = 0;
    for token in &tokens {
        if store.revoke_token(&token.id, now).await? {
            count += 1;
            audit_of(&store, "token.revoke", &token.name, format!("token {}", token.id)).await?;
        }
    }
    if tokens.is_empty() {
        return Err(unknown(&store, &args.name).await?);
    }
    store.close().await;
    if output.json {
        output.json(&serde_json::json!({ "revoked": count }))?;
    } else {
        output.note(format_args!("{count} tokens revoked; a running service knows within 5 seconds"));
    }
    Ok(Exit::Done)
}

pub async fn audit(global: &Global, args: AuditArgs, output: Output) -> Result<Exit> {
    #[derive(Serialize)]
    struct Entry {
        time: String,
        #[serde(flatten)]
        row: AuditRow,
    }
    let store = open_existing(global).await?;
    let entries = store.audits(i64::from(args.limit)).await?.into_iter();
    let entries: Vec<Entry> = entries.map(|row| Entry { time: time(row.at), row }).collect();
    store.close().await;
    if output.json {
        output.json(&entries)?;
        return Ok(Exit::Done);
    }
    let mut data = output.data();
    let mut table = Table::new(["time", "actor", "action", "of", "detail"]);
    for entry in entries {
        table.row([entry.time, entry.row.actor, entry.row.action, entry.row.subject, entry.row.detail]);
    }
    data.table(table)?;
    data.end()?;
    Ok(Exit::Done)
}

/// Keeps a new token and shows it.
async fn make(store: &Store, row: TokenRow, action: &str, detail: String, output: Output) -> Result<Exit> {
    let new = NewToken::generate()?;
    let row = TokenRow { hash: new.hash, ..row };
    store.save_token(&row).await?;
    let detail = [format!("token {}, rights {}", row.id, row.rights), detail];
    let detail: Vec<String> = detail.into_iter().filter(|text| !text.is_empty()).collect();
    audit_of(store, action, &row.name, detail.join("; ")).await?;
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

fn blank() -> TokenRow {
    TokenRow {
        id: Uuid::now_v7().to_string().into(),
        name: String::new(),
        hash: String::new(),
        rights: String::new(),
        created: SystemClock.now_ms(),
        expires: None,
        last_used: None,
        revoked: None,
        client: String::new(),
    }
}

fn shown(row: TokenRow, now: i64) -> Shown {
    let state = match (row.revoked.is_some(), row.is_valid(now)) {
        (true, _) => "revoked",
        (false, true) => "active",
        (false, false) => "expired",
    };
    Shown {
        client: serde_json::from_str(&row.client).unwrap_or_default(),
        id: row.id,
        name: row.name,
        rights: row.rights,
        created: time(row.created),
        expires: row.expires.map(time),
        last_used: row.last_used.map(time),
        revoked: row.revoked.map(time),
        state,
    }
}

async fn audit_of(store: &Store, action: &str, subject: &str, detail: String) -> Result<()> {
    let actor = std::env::var("SUDO_USER").or_else(|_| std::env::var("USER")).unwrap_or_else(|_| "unknown".to_owned());
    let (action, subject) = (action.to_owned(), subject.to_owned());
    Ok(store.audit(AuditRow { seq: 0, at: SystemClock.now_ms(), actor, action, subject, detail }).await?)
}

fn check_rights(rights: &str) -> Result<()> {
    let is_known = |right: &str| {
        let word = |right: &'_ str| right.split_once(':').map_or(right.to_owned(), |(word, _)| word.to_owned());
        match right.strip_prefix("jobs:") {
            Some(right) => JOB_RIGHTS.contains(&word(right).as_str()),
            None => RIGHTS.contains(&word(right.strip_prefix("scim:").unwrap_or(right)).as_str()),
        }
    };
    let mut words = rights.split([' ', ',']).filter(|word| !word.is_empty()).peekable();
    let unknown = if words.peek().is_none() { Some("") } else { words.find(|word| !is_known(word)) };
    match unknown {
        None => Ok(()),
        Some(word) => {
            let hint = "use all, read, write, scim:read, scim:write, jobs:read, jobs:write, or one of these for a type or a job: \
                        scim:write:User, jobs:write:hr-to-directory";
            Err(usage(&format!("--rights: `{word}` is no right"), hint))
        }
    }
}

/// The id of a user of the directory.
async fn user(store: &Store, name: &str) -> Result<String> {
    let key = provost_scim::collate::username_key(name);
    match store.resources_by("User", Lookup::NameKey, &[key.as_str()]).await?.pop() {
        Some(row) => Ok(row.id.to_string()),
        None => Err(usage(&format!("--me: there is no user `{name}` in the directory"), "create the user first")),
    }
}

async fn unknown(store: &Store, name: &str) -> Result<Error> {
    let mut names: Vec<String> = store.tokens().await?.into_iter().map(|token| token.name).collect();
    names.sort_unstable();
    names.dedup();
    let hint = match provost_engine::rule::nearest(name, names.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "`provost token list` shows all".to_owned(),
    };
    let problem = Problem::new("PRV-0705", format!("there is no valid token of `{name}`"));
    Ok(problem.hint(hint).into())
}

fn usage(message: &str, hint: &str) -> Error {
    Error::Usage(Problem::new("PRV-0707", message).hint(hint.to_owned()))
}

fn to_json(client: &ClientSettings) -> String {
    serde_json::to_string(client).unwrap_or_default()
}

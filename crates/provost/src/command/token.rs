//! `provost token`: who may call the API and the SCIM service. A token belongs to a client; its text is shown once, when it is
//! made. What is done to tokens is written down.

use provost_directory::Types;
use provost_model::{Clock, SystemClock, Text};
use provost_server::client::{ClientSettings, Habit};
use provost_store::token::{NewToken, TokenRow};
use provost_store::{AuditRow, Lookup, Store};
use serde::Serialize;
use uuid::Uuid;

use crate::cli::{AuditArgs, Global, RevokeArgs, RotateArgs, TokenArgs};
use crate::config::Configuration;
use crate::error::{Error, Exit, Result};
use crate::output::{Output, Table, time};
use crate::problem::{Problem, shown as shown_path};
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
    check_jobs(global, &args.rights)?;
    if args.rate.is_some_and(|rate| !(rate > 0.0 && rate.is_finite())) {
        return Err(usage("--rate has to be more than 0", "leave it out for no limit"));
    }
    if let Some(both) = args.with.iter().find(|habit| args.without.contains(habit)) {
        return Err(usage(&format!("--with and --without both name `{both}`"), "leave it out of one of them"));
    }
    let types = known_types(global, &args.types, &args.rights, output)?;
    let store = open_existing(global).await?;
    let me = match &args.me {
        Some(name) => Some(user(&store, name).await?),
        None => None,
    };
    let client = ClientSettings {
        types,
        rate: args.rate,
        burst: args.burst,
        preset: serde_json::from_value(args.preset.into()).unwrap_or_default(),
        with: habits(&args.with),
        without: habits(&args.without),
        refuse_unknown_members: args.refuse_unknown_members,
        me,
    };
    let expires = args.days.map(|days| SystemClock.now_ms() + i64::from(days) * DAY_MS);
    let new = NewToken::generate()?;
    let (hash, client) = (new.hash.clone(), to_json(&client));
    let row = TokenRow { name: args.name, rights: args.rights, hash, client, expires, ..blank() };
    store.save_token(&row).await?;
    made(&store, &row, &new, "token.create", String::new(), output).await
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
    let lifetime = newest.expires.map(|expires| expires - newest.created);
    let lifetime = args.days.map(|days| i64::from(days) * DAY_MS).or(lifetime);
    let row = TokenRow {
        name: newest.name,
        rights: newest.rights,
        client: newest.client,
        expires: lifetime.map(|lifetime| now + lifetime),
        ..blank()
    };
    let new = NewToken::generate()?;
    let row = TokenRow { hash: new.hash.clone(), ..row };
    let ended = store.rotate_token(&row, now, until).await?;
    if ended == 0 {
        // Somebody revoked them since they were read.
        return Err(unknown(&store, &args.name).await?);
    }
    output.note(format_args!("the old token of `{}` works until {}", row.name, time(until)));
    made(&store, &row, &new, "token.rotate", format!("{ended} before it end at {}", time(until)), output).await
}

pub async fn revoke(global: &Global, args: RevokeArgs, output: Output) -> Result<Exit> {
    let store = open_existing(global).await?;
    let now = SystemClock.now_ms();
    let mut count = 0;
    loop {
        let mut tokens = store.tokens_named(&args.name).await?;
        tokens.extend(store.token(&args.name).await?);
        if tokens.is_empty() {
            return Err(unknown(&store, &args.name).await?);
        }
        let before = count;
        for token in &tokens {
            if store.revoke_token(&token.id, now).await? {
                count += 1;
                audit_of(&store, "token.revoke", &token.name, format!("token {}", token.id)).await?;
            }
        }
        // Until nobody is left: meanwhile a rotation may have made another one.
        if count == before {
            break;
        }
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

/// Writes down that a token was made, and shows it.
async fn made(
    store: &Store,
    row: &TokenRow,
    new: &NewToken,
    action: &str,
    detail: String,
    output: Output,
) -> Result<Exit> {
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

fn habits(words: &[String]) -> Vec<Habit> {
    words.iter().filter_map(|word| Habit::of(word)).collect()
}

/// The types of `--types` as the configuration spells them; those that `--rights` names have to be there too. A name with a
/// slip would shut the client out without a word.
fn known_types(global: &Global, types: &[String], rights: &str, output: Output) -> Result<Vec<String>> {
    let of_rights = rights.split([' ', ',']).filter(|right| !right.starts_with("jobs:")).filter_map(|right| {
        let right = right.strip_prefix("scim:").unwrap_or(right);
        right.split_once(':').map(|(_, kind)| ("--rights", kind))
    });
    let named: Vec<(&str, &str)> = types.iter().map(|kind| ("--types", kind.as_str())).chain(of_rights).collect();
    if named.is_empty() {
        return Ok(Vec::new());
    }
    let configuration = Configuration::load(&global.config);
    let core = Types::core();
    let registry = configuration.as_ref().map_or(core.registry(), |read| read.types.registry());
    let known: Vec<&str> = registry.types().iter().map(|types| types.name()).collect();
    for (option, kind) in named {
        if registry.by_name(kind).is_some() {
            continue;
        }
        if configuration.is_ok() {
            let hint = format!("the directory has {}; `directory.resource_types` adds others", known.join(", "));
            return Err(usage(&format!("{option}: there is no resource type `{kind}`"), &hint));
        }
        let config = shown_path(&global.config);
        output.note(format_args!("warning: {option}: whether there is a resource type `{kind}` cannot be told"));
        output.hint(format_args!("the configuration `{config}` cannot be read: `provost config check` says why"));
    }
    let spelled = |kind: &String| registry.by_name(kind).map_or_else(|| kind.clone(), |types| types.name().to_owned());
    Ok(types.iter().map(spelled).collect())
}

/// The jobs that `--rights` names have to be there, for the same reason.
fn check_jobs(global: &Global, rights: &str) -> Result<()> {
    let named = rights.split([' ', ',']).filter_map(|right| Some(right.strip_prefix("jobs:")?.split_once(':')?.1));
    for job in named {
        Configuration::load(&global.config)?.job(job)?;
    }
    Ok(())
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

//! Who calls: bearer tokens, looked up by hash. The answer to a wrong token never says why.
//!
//! A token that was found stays known for some seconds, so that a client's hundred requests a second ask the store once.
//! Wrong ones are not kept: nobody should fill the memory with them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use provost_model::Text;
use provost_store::token::token_hash;
use provost_store::{AuditRow, Store, TokenRow};

use crate::client::{Bucket, ClientSettings};
use crate::state::{Inner, Token};

/// How long a token is taken for what it was when last read, milliseconds; a revoked one works that long at most.
const KNOWN_MS: i64 = 5_000;
/// How exactly `last_used` is kept, milliseconds.
const USED_MS: i64 = 60_000;

/// Who calls, with the rights that count for this request.
#[derive(Debug)]
pub(crate) struct Client {
    pub name: Text,
    rights: String,
    pub settings: ClientSettings,
    bucket: Option<Bucket>,
}

/// What a request is sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// `/scim`
    Scim,
    /// `/api`, everything below it
    Api,
}

/// Why a request is not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// No token, or not a right one.
    Stranger,
    /// The store could not be asked.
    Unknown,
    /// So many milliseconds too early.
    TooMany(i64),
}

/// The tokens of the last seconds, by hash.
#[derive(Default)]
pub(crate) struct Tokens(Mutex<HashMap<String, Known>>);

struct Known {
    row: TokenRow,
    client: Arc<Client>,
    read: i64,
    /// When a refusal was last written down.
    refused: Option<i64>,
}

/// Whose token a request has.
pub(crate) async fn authenticate(state: &Inner, headers: &HeaderMap) -> Result<Arc<Client>, Refused> {
    let token = bearer(headers).ok_or(Refused::Stranger)?;
    match &state.token {
        Token::Fixed(fixed) => {
            let same = aws_lc_rs::constant_time::verify_slices_are_equal(fixed.expose().as_bytes(), token.as_bytes());
            if same.is_ok() { Ok(state.fixed.clone()) } else { Err(Refused::Stranger) }
        }
        Token::Stored => {
            let (hash, now) = (token_hash(token), state.clock.now_ms());
            if let Some(known) = state.tokens.recall(&state.store, &hash, now) {
                return known;
            }
            match state.store.token_by_text(token).await {
                Ok(Some(row)) => {
                    state.tokens.keep(hash.clone(), row, now);
                    state.tokens.recall(&state.store, &hash, now).unwrap_or(Err(Refused::Unknown))
                }
                Ok(None) => Err(Refused::Stranger),
                Err(error) => {
                    tracing::error!(error = %error, "a token could not be checked");
                    Err(Refused::Unknown)
                }
            }
        }
    }
}

impl Client {
    /// Whoever has the one token of a service on loopback.
    pub fn fixed() -> Self {
        Self { name: "fixed".into(), rights: "all".into(), settings: ClientSettings::default(), bucket: None }
    }

    fn of(row: &TokenRow, now: i64) -> Self {
        let settings: ClientSettings = serde_json::from_str(&row.client).unwrap_or_else(|error| {
            tracing::error!(token.name = %row.name, error = %error, "the settings of a client cannot be read");
            // Nobody should get more by a defect.
            ClientSettings { types: vec![String::new()], ..ClientSettings::default() }
        });
        let bucket = settings.rate.map(|rate| Bucket::new(rate.max(0.001), settings.burst, now));
        Self { name: row.name.as_str().into(), rights: row.rights.clone(), settings, bucket }
    }

    /// Whether it may read, or also write, anything at all there.
    pub fn may(&self, side: Side, writes: bool) -> bool {
        self.rights.split([' ', ',']).any(|right| allows(right, side, writes, None))
    }

    /// Whether it may read, or also write, resources of this type there.
    pub fn may_at(&self, side: Side, kind: &str, writes: bool) -> bool {
        let is_allowed = |right| allows(right, side, writes, Some(kind));
        self.settings.may_see(kind) && self.rights.split([' ', ',']).any(is_allowed)
    }
}

impl Client {
    /// Whether it may read, or also write, at this job.
    pub fn may_at_job(&self, job: &str, writes: bool) -> bool {
        self.rights.split([' ', ',']).any(|right| allows_job(right, writes, job))
    }
}

impl Tokens {
    /// Whose token it is, if it was read lately.
    fn recall(&self, store: &Store, hash: &str, now: i64) -> Option<Result<Arc<Client>, Refused>> {
        let mut all = self.all();
        let known = all.get_mut(hash).filter(|known| (0..KNOWN_MS).contains(&(now - known.read)))?;
        if !known.row.is_valid(now) {
            if known.refused.is_none_or(|at| now - at >= USED_MS) {
                known.refused = Some(now);
                note_refusal(store.clone(), &known.row, now);
            }
            return Some(Err(Refused::Stranger));
        }
        if known.row.last_used.is_none_or(|used| now - used >= USED_MS) {
            known.row.last_used = Some(now);
            note_use(store.clone(), known.row.id.to_string(), now);
        }
        if let Some(Err(wait)) = known.client.bucket.as_ref().map(|bucket| bucket.take(now)) {
            return Some(Err(Refused::TooMany(wait)));
        }
        Some(Ok(known.client.clone()))
    }

    /// Keeps a token that was just read, and drops those that nobody used for a while.
    fn keep(&self, hash: String, mut row: TokenRow, now: i64) {
        let mut all = self.all();
        all.retain(|_, known| now - known.read < USED_MS);
        let before = all.remove(&hash);
        // The note of the last use may still be on its way to the store.
        row.last_used = row.last_used.max(before.as_ref().and_then(|known| known.row.last_used));
        let refused = before.as_ref().and_then(|known| known.refused);
        // A client keeps its bucket as long as it is the same.
        let same = before.filter(|known| known.row.client == row.client && known.row.rights == row.rights);
        let client = same.map_or_else(|| Arc::new(Client::of(&row, now)), |known| known.client);
        all.insert(hash, Known { row, client, read: now, refused });
    }

    fn all(&self) -> MutexGuard<'_, HashMap<String, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Beside the request, which need not wait for the store's writer.
fn note_use(store: Store, id: String, now: i64) {
    tokio::spawn(async move {
        if let Err(error) = store.touch_token(&id, now).await {
            tracing::warn!(token.id = %id, error = %error, "the use of a token could not be noted");
        }
    });
}

/// A token that is no longer good was used: somebody should know.
fn note_refusal(store: Store, row: &TokenRow, now: i64) {
    let why = if row.revoked.is_some() { "it is revoked" } else { "it has expired" };
    let entry = AuditRow {
        seq: 0,
        at: now,
        actor: row.name.clone(),
        action: "token.refused".to_owned(),
        subject: row.name.clone(),
        detail: format!("token {}: {why}", row.id),
    };
    tokio::spawn(async move {
        if let Err(error) = store.audit(entry).await {
            tracing::warn!(error = %error, "a refused token could not be noted");
        }
    });
}

/// One word of a token's rights: `all`, `write` or `read`, the last two also as `scim:read` for the SCIM side alone and as
/// `scim:write:User` for one type.
fn allows(right: &str, side: Side, writes: bool, kind: Option<&str>) -> bool {
    let right = match right.strip_prefix("scim:") {
        Some(_) if side != Side::Scim => return false,
        Some(right) => right,
        None => right,
    };
    let (word, of) = right.split_once(':').map_or((right, None), |(word, of)| (word, Some(of)));
    let is_of_kind = match (of, kind) {
        (Some(of), Some(kind)) => of.eq_ignore_ascii_case(kind),
        _ => true,
    };
    is_of_kind
        && match word {
            "all" | "write" => true,
            "read" => !writes,
            _ => false,
        }
}

/// The same words about jobs: `all`, `write` or `read`, the last two also as `jobs:write` for jobs alone and as
/// `jobs:write:NAME` for one of them. What begins with `scim:` or names a type says nothing about jobs.
fn allows_job(right: &str, writes: bool, job: &str) -> bool {
    let word = match right.strip_prefix("jobs:") {
        Some(right) => match right.split_once(':') {
            Some((word, of)) if of == job => word,
            Some(_) => return false,
            None => right,
        },
        None => right,
    };
    match word {
        "write" => true,
        "all" => word == right,
        "read" => !writes,
        _ => false,
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim()).filter(|token| !token.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_are_words() {
        for (rights, reads, writes, reads_groups, writes_users) in [
            ("all", true, true, true, true),
            ("read", true, false, true, false),
            ("scim:read", true, false, true, false),
            ("scim:read,scim:write", true, true, true, true),
            ("read scim:write:user", true, true, true, true),
            ("scim:write:User", true, true, false, true),
            ("scim:read:Group", true, false, true, false),
            ("read console", true, false, true, false),
            ("console", false, false, false, false),
            ("jobs:write jobs:read:User", false, false, false, false),
            ("", false, false, false, false),
        ] {
            let client = Client { rights: rights.into(), ..Client::fixed() };
            let scim = Side::Scim;
            let may = (
                client.may(scim, false),
                client.may(scim, true),
                client.may_at(scim, "Group", false),
                client.may_at(scim, "User", true),
            );
            assert_eq!(may, (reads, writes, reads_groups, writes_users), "{rights}");
        }
        for (rights, reads, writes) in [
            ("all", true, true),
            ("write", true, true),
            ("read", true, false),
            ("scim:write", false, false),
            ("write:User", false, false),
            ("jobs:write", true, true),
            ("jobs:read", true, false),
            ("jobs:all", false, false),
            ("jobs:write:hr", true, true),
            ("read jobs:write:other", true, false),
            ("jobs:write:hr2", false, false),
        ] {
            let client = Client { rights: rights.into(), ..Client::fixed() };
            assert_eq!((client.may_at_job("hr", false), client.may_at_job("hr", true)), (reads, writes), "{rights}");
        }
        for (rights, reads, writes) in [
            ("all", true, true),
            ("read", true, false),
            ("scim:write", false, false),
            ("scim:all,scim:write:User", false, false),
            ("scim:write read", true, false),
        ] {
            let client = Client { rights: rights.into(), ..Client::fixed() };
            let api = Side::Api;
            let may = [client.may(api, false), client.may_at(api, "User", false)];
            assert_eq!((may, client.may_at(api, "User", true)), ([reads; 2], writes), "{rights}");
        }
        let settings = ClientSettings { types: vec!["User".into()], ..ClientSettings::default() };
        let client = Client { settings, ..Client::fixed() };
        assert!(client.may_at(Side::Scim, "User", true) && !client.may_at(Side::Scim, "Group", false));
    }
}

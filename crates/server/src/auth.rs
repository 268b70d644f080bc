//! Who calls: bearer tokens, looked up by hash. The answer to a wrong token never says why.
//!
//! A token that was found stays known for some seconds, so that a client's hundred requests a second ask the store once.
//! Wrong ones are not kept: nobody should fill the memory with them.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use provost_store::token::token_hash;
use provost_store::{Store, TokenRow};

use crate::state::{Inner, Token};

/// How long a token is taken for what it was when last read, milliseconds; a revoked one works that long at most.
const KNOWN_MS: i64 = 5_000;
/// How exactly `last_used` is kept, milliseconds.
const USED_MS: i64 = 60_000;

/// What the caller may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Caller {
    /// What was asked for.
    Granted,
    Refused,
    /// The token is right, the rights are not enough.
    Forbidden,
    /// The store could not be asked.
    Unknown,
}

/// The tokens of the last seconds, by hash.
#[derive(Default)]
pub(crate) struct Tokens(Mutex<HashMap<String, Known>>);

struct Known {
    row: TokenRow,
    read: i64,
}

/// Checks the token of a request that reads or also writes.
pub(crate) async fn authenticate(state: &Inner, headers: &HeaderMap, writes: bool) -> Caller {
    let Some(token) = bearer(headers) else { return Caller::Refused };
    match &state.token {
        Token::Fixed(fixed) => {
            let same = aws_lc_rs::constant_time::verify_slices_are_equal(fixed.expose().as_bytes(), token.as_bytes());
            if same.is_ok() { Caller::Granted } else { Caller::Refused }
        }
        Token::Stored => {
            let (hash, now) = (token_hash(token), state.clock.now_ms());
            if let Some(caller) = state.tokens.recall(&state.store, &hash, now, writes) {
                return caller;
            }
            match state.store.token_by_text(token).await {
                Ok(Some(row)) if row.is_valid(now) => {
                    state.tokens.keep(hash.clone(), row, now);
                    state.tokens.recall(&state.store, &hash, now, writes).unwrap_or(Caller::Unknown)
                }
                Ok(_) => Caller::Refused,
                Err(error) => {
                    tracing::error!(error = %error, "a token could not be checked");
                    Caller::Unknown
                }
            }
        }
    }
}

impl Tokens {
    /// What a token allows, if it was read lately.
    fn recall(&self, store: &Store, hash: &str, now: i64, writes: bool) -> Option<Caller> {
        let mut all = self.all();
        let known = all.get_mut(hash).filter(|known| (0..KNOWN_MS).contains(&(now - known.read)))?;
        if !known.row.is_valid(now) {
            return Some(Caller::Refused);
        }
        if known.row.last_used.is_none_or(|used| now - used >= USED_MS) {
            known.row.last_used = Some(now);
            note_use(store.clone(), known.row.id.to_string(), now);
        }
        Some(if allows(&known.row.rights, writes) { Caller::Granted } else { Caller::Forbidden })
    }

    /// Keeps a token that was just read, and drops those that nobody used for a while.
    fn keep(&self, hash: String, mut row: TokenRow, now: i64) {
        let mut all = self.all();
        all.retain(|_, known| now - known.read < USED_MS);
        // The note of the last use may still be on its way to the store.
        row.last_used = row.last_used.max(all.get(&hash).and_then(|known| known.row.last_used));
        all.insert(hash, Known { row, read: now });
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

/// Words divided by blanks or commas: `all`, `write` and `read`, the last two also of `scim:` alone.
fn allows(rights: &str, writes: bool) -> bool {
    let allows = |right: &str| match right.strip_prefix("scim:").unwrap_or(right) {
        "all" | "write" => true,
        "read" => !writes,
        _ => false,
    };
    rights.split([' ', ',']).any(allows)
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
        for (rights, reads, writes) in [
            ("all", true, true),
            ("read", true, false),
            ("scim:read", true, false),
            ("scim:read,scim:write", true, true),
            ("read console", true, false),
            ("console", false, false),
            ("", false, false),
        ] {
            assert_eq!((allows(rights, false), allows(rights, true)), (reads, writes), "{rights}");
        }
    }
}

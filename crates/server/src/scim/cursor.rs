//! Cursors (RFC 9865): the place a walk has come to, signed, so that the service keeps nothing and nobody can make one up.
//!
//! A cursor says the resource type, the last resource and what it was sorted by, the count, the total if it is known, and
//! when it expires. The signature also covers the rest of the query: a cursor of another query is as wrong as a forged one. It
//! grants nothing; each page is authorised by itself. All nodes share the key, which the store keeps.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use provost_directory::Position;
use provost_model::{ObjectId, Text};
use provost_scim::list::SortKey;
use provost_scim::{Query, ScimError};
use serde::{Deserialize, Serialize};
use tokio::sync::OnceCell;

use super::resource::unavailable;
use crate::state::Inner;

/// How long a cursor works, seconds.
pub(super) const TIMEOUT_S: u64 = 3600;

/// Bytes of a signature that are kept: 128 bits.
const SIGNATURE: usize = 16;

/// Where the store keeps the key.
const MEMO: &str = "scim.cursor_key";

/// The key that cursors are signed with, once it is known.
#[derive(Default)]
pub(crate) struct CursorKey(OnceCell<hmac::Key>);

/// Where a walk goes on.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Place {
    /// The resource type; at the root one follows the other.
    pub kind: Text,
    pub after: Position,
    /// All matches, where the first page knew.
    pub total: Option<u64>,
}

/// What a cursor says.
#[derive(Serialize, Deserialize)]
struct Said<'s>(u8, i64, u64, &'s str, &'s str, Option<SortKey>, Option<u64>);

const VERSION: u8 = 1;

/// The cursor behind a place.
pub(super) async fn write(state: &Inner, query: &Query, count: u64, place: Place) -> Result<Text, ScimError> {
    let expires = state.clock.now_ms() + TIMEOUT_S as i64 * 1000;
    let Position { id, key } = place.after;
    let said = Said(VERSION, expires, count, &place.kind, &id, key, place.total);
    let mut bytes = serde_json::to_vec(&said).expect("numbers and texts are JSON, written to memory");
    let signature = sign(state.cursors.get(state).await?, &bytes, query);
    bytes.extend_from_slice(&signature.as_ref()[..SIGNATURE]);
    Ok(URL_SAFE_NO_PAD.encode(bytes).into())
}

/// The place that a cursor names, if it is one of ours for this query.
pub(super) async fn read(state: &Inner, query: &Query, count: u64, cursor: &str) -> Result<Place, ScimError> {
    let wrong = || ScimError::invalid_cursor("the cursor is not one that this query was given");
    let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| wrong())?;
    let at = bytes.len().checked_sub(SIGNATURE).ok_or_else(wrong)?;
    let (said, signature) = bytes.split_at(at);
    let expected = sign(state.cursors.get(state).await?, said, query);
    aws_lc_rs::constant_time::verify_slices_are_equal(&expected.as_ref()[..SIGNATURE], signature)
        .map_err(|_| wrong())?;
    let Said(version, expires, counted, kind, id, key, total) = serde_json::from_slice(said).map_err(|_| wrong())?;
    if version != VERSION {
        return Err(wrong());
    }
    if state.clock.now_ms() >= expires {
        return Err(ScimError::expired_cursor(format!("the cursor is older than {TIMEOUT_S} s; start again")));
    }
    if counted != count {
        let detail = format!("the first page had a count of {counted}; it stays the same for all pages");
        return Err(ScimError::invalid_count(detail));
    }
    Ok(Place { kind: kind.into(), after: Position { id: ObjectId::from(id), key }, total })
}

fn sign(key: &hmac::Key, said: &[u8], query: &Query) -> hmac::Tag {
    let mut context = hmac::Context::with_key(key);
    context.update(&(said.len() as u64).to_be_bytes());
    context.update(said);
    context.update(query.identity.as_bytes());
    context.sign()
}

impl CursorKey {
    async fn get(&self, state: &Inner) -> Result<&hmac::Key, ScimError> {
        self.0
            .get_or_try_init(async || {
                let mut fresh = [0; 32];
                aws_lc_rs::rand::fill(&mut fresh)
                    .map_err(|_| ScimError::status(503, "there is no randomness to sign a cursor with"))?;
                let text = state.store.memo_or(MEMO, URL_SAFE_NO_PAD.encode(fresh)).await.map_err(unavailable)?;
                let bytes = URL_SAFE_NO_PAD.decode(&text).unwrap_or_else(|_| text.into_bytes());
                Ok(hmac::Key::new(hmac::HMAC_SHA256, &bytes))
            })
            .await
    }
}

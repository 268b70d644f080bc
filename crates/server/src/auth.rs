//! Who calls: bearer tokens, compared by hash in constant time. The answer to a wrong token never says why.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;

use crate::state::{Inner, Token};

/// What the caller may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Caller {
    /// Everything under `/scim/v2`.
    Granted,
    Refused,
    /// The token is right, the rights are not enough.
    Forbidden,
    /// The store could not be asked.
    Unknown,
}

pub(crate) async fn authenticate(state: &Inner, headers: &HeaderMap, writes: bool) -> Caller {
    let Some(token) = bearer(headers) else { return Caller::Refused };
    match &state.token {
        Token::Fixed(fixed) => {
            let same = aws_lc_rs::constant_time::verify_slices_are_equal(fixed.expose().as_bytes(), token.as_bytes());
            if same.is_ok() { Caller::Granted } else { Caller::Refused }
        }
        Token::Stored => match state.store.token_by_text(token).await {
            Ok(Some(row)) if row.is_valid(state.clock.now_ms()) => {
                let reads_only = row.rights.split([' ', ',']).all(|right| right == "read");
                if writes && reads_only { Caller::Forbidden } else { Caller::Granted }
            }
            Ok(_) => Caller::Refused,
            Err(error) => {
                tracing::error!(error = %error, "a token could not be checked");
                Caller::Unknown
            }
        },
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

//! Request bodies, read to their end or to a limit.

use axum::body::Body;
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};

/// So many times the limit are read and thrown away, so that a client that is still sending reads the answer.
const REFUSED: usize = 4;

/// Why there is no body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyError {
    TooLarge,
    Broken,
}

/// The whole body, of at most `limit` bytes.
pub(crate) async fn read(mut body: Body, limit: usize) -> Result<Bytes, BodyError> {
    match Limited::new(&mut body, limit).collect().await {
        Ok(whole) => Ok(whole.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            let mut refused = 0;
            while let Some(Ok(frame)) = body.frame().await {
                refused += frame.data_ref().map_or(0, Bytes::len);
                if refused > REFUSED * limit {
                    break;
                }
            }
            Err(BodyError::TooLarge)
        }
        Err(_) => Err(BodyError::Broken),
    }
}

//! The requests of the comparison. The n-th of an operation is the same for every server, but for the ids that a server gave.

use hyper::Method;
use serde::Deserialize;

use super::caller::Caller;
use crate::error::{Error, Result};
use crate::people::{Person, user};
use crate::random::nth;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// A user of about 1,000 bytes.
    Create,
    /// A user who is there, by userName.
    LookUp,
    /// Two attributes of a user who is there get values that they never had.
    Patch,
}

impl Operation {
    pub const ALL: [Self; 3] = [Self::Create, Self::LookUp, Self::Patch];

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::LookUp => "look up",
            Self::Patch => "patch",
        }
    }
}

#[derive(Deserialize)]
struct Identified {
    id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct List {
    total_results: u64,
}

/// Creates person `number`; the id that the server gave.
pub async fn create(caller: &mut Caller, seed: u64, number: u64) -> Result<String> {
    let body = user::json_of(&Person::new(seed, number));
    id_of(&caller.send(Method::POST, "/Users", body, &[201]).await?)
}

pub fn id_of(answer: &[u8]) -> Result<String> {
    Ok(serde_json::from_slice::<Identified>(answer).map_err(Error::json("read a resource"))?.id)
}

/// Looks up somebody of the first `population`; exactly one has to be found.
pub async fn look_up(caller: &mut Caller, seed: u64, n: u64, population: u64) -> Result<()> {
    let person = Person::new(seed, nth(!seed, n) % population.max(1));
    let path = format!("/Users?filter=userName%20eq%20%22{}%40example.org%22", person.login());
    let answer = caller.send(Method::GET, &path, String::new(), &[200]).await?;
    match serde_json::from_slice::<List>(&answer).map_err(Error::json("read a list"))?.total_results {
        1 => Ok(()),
        found => Err(Error::Other(format!("{found} users at {path} instead of one"))),
    }
}

/// Changes two attributes of one of `ids`. Servers answer 200 with the resource or 204.
pub async fn patch(caller: &mut Caller, seed: u64, n: u64, ids: &[String]) -> Result<()> {
    let id = &ids[(nth(!seed, n) % ids.len() as u64) as usize];
    caller.send(Method::PATCH, &format!("/Users/{id}"), patch_body(n), &[200, 204]).await.map(drop)
}

/// The number is in the values: a PATCH that changes nothing costs some servers less.
fn patch_body(n: u64) -> String {
    format!(
        "{{\"schemas\":[\"urn:ietf:params:scim:api:messages:2.0:PatchOp\"],\"Operations\":[{{\"op\":\"replace\",\
         \"path\":\"title\",\"value\":\"T {n}\"}},{{\"op\":\"replace\",\"path\":\"{}:department\",\"value\":\"D {n}\"}}]}}",
        user::ENTERPRISE
    )
}

//! A SCIM server made of `scimmy` 1.3 and `scimmy-routers` 1.3 (Node, express 4) over a store in memory, the looser of the
//! two peers: much of what real applications get wrong, it gets wrong too. It is served below `/scim/v2`. The store, the
//! uniqueness of userName and the check of members are ours (`peers/scimmy/server.mjs`); the rest is theirs.
//! It counts requests itself: [`counts`], [`reset_counts`].
//!
//! What was found by asking it, for whoever writes a client:
//! - **Auth**: 401 without `WWW-Authenticate`; every path wants the token, also `ServiceProviderConfig`.
//! - **Create**: 201 **without `Location`**; ids are UUIDs. Unknown attributes are dropped in silence. `"True"` for true is
//!   400 invalidValue. No body member `schemas` is fine. Empty arrays are kept and come back as `[]`.
//! - **Duplicates**: 409 uniqueness on userName, compared without case, by POST, PUT and PATCH. Groups may share names.
//! - **Filters compare with case**, userName too: `userName eq "ada@x"` does not find `Ada@x`, yet creating `ada@x` is 409.
//!   So a look-up that finds nothing does not mean that a create will succeed. Attribute names and operators are in any
//!   case. A path into a complex or multi-valued attribute (`name.familyName`, `emails[type eq "work"].value`,
//!   `members[value eq "id"]`, `members.value`, also a plain `emails eq`) is **400 invalidValue** as soon as one
//!   resource that it looks at lacks the attribute or has a differently shaped one; `id eq "g" and members.value eq "u"`
//!   works when the id comes first. Extension paths and `urn:…:User:userName` never match (200, nothing found).
//!   Unknown attributes and `userName eq` find nothing (200). A string with an escaped quote is 400 invalidFilter. A
//!   filter that is one bare word is 500.
//! - **Paging**: without `count` a page has 20; a larger `count` is obeyed beyond the `filter.maxResults` of 200 that it
//!   announces. `itemsPerPage` echoes the count asked for, not the number returned: only the
//!   length of `Resources` is true. **A `startIndex` past the end answers the first page again** (with the startIndex
//!   asked for): a walk that goes on until a page is empty never ends, so stop at `totalResults`. Order is the order of
//!   creation. `count=0` gives the total alone. `count=abc` is ignored. [`start_with`] caps the page below what is asked.
//! - **Projection**: `attributes=userName` leaves out `schemas` and gives id; an unknown name in it is 400.
//! - **PATCH**: 200 with the whole resource when something changed, **204 when nothing did**. `Replace` in capitals, values
//!   without a path, `name.givenName` as a key, whole extensions and extension paths work; `"False"` for false is 400
//!   invalidValue. Atomic. `attributes` in the query of a PATCH is 500. 400 noTarget: `add` or `replace` on
//!   `emails[type eq "home"].value` without such a value, and `replace` on `manager.value` without a manager (so send
//!   `manager` as an object). A body without `schemas` is 400. **Adding a value or member twice keeps it twice**. `remove`
//!   of members works with `members[value eq "id"]` and with a value; of one that is not there: 204.
//! - **PUT**: replaces; an `id` in the body is ignored. **DELETE**: 204, the second time 404.
//! - **Versions**: none; `ETag` is a digest of that one answer's text, `If-Match` is ignored, `meta.version` absent.
//! - **References**: a group with a member that does not exist is 400 invalidValue (ours); deleting a user takes it out of
//!   its groups (ours); users show `groups`.
//! - **Also**: `/Users/.search`, `/Bulk` with bulkId references, `sortBy`, the enterprise extension. No search at the root
//!   (404), `/Me` is 501, and a wrong method is 404 rather than 405.

use std::{collections::BTreeMap, ffi::OsString, path::Path, time::Duration};

use serde::Deserialize;

use crate::{
    Error, Http, Peer, Workdir,
    process::{Process, Spec, work_folder},
};

const NAME: &str = "scimmy";
const TOKEN: &str = "scimmy-token";

/// Requests below `/scim/v2` since the start or the last reset, those refused included.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
pub struct Counts {
    /// Requests that may change something: all but GET, HEAD, OPTIONS and POST to `.search`.
    pub writes: u64,
    /// By method: `GET`, `POST`…
    #[serde(flatten)]
    pub methods: BTreeMap<String, u64>,
}

/// Starts one, empty.
pub async fn start() -> Result<Peer, Error> {
    start_with(None).await
}

/// Starts one that puts at most `max_page` resources on a page, however many are asked for.
pub async fn start_with(max_page: Option<u32>) -> Result<Peer, Error> {
    let modules = work_folder().join("node");
    if !modules.join("node_modules/scimmy-routers").exists() {
        return Err(Error::Missing {
            what: NAME,
            looked: modules.join("node_modules/scimmy-routers").display().to_string(),
        });
    }
    let modules = modules.canonicalize().map_err(Error::system(NAME, "find the modules"))?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/scimmy/server.mjs");
    let mut env = vec![("SCIM_TOKEN", OsString::from(TOKEN)), ("SCIM_MODULES", modules.into())];
    if let Some(max_page) = max_page {
        env.push(("SCIM_MAX_PAGE", max_page.to_string().into()));
    }
    let spec = Spec { name: NAME.to_owned(), command: vec!["node".into(), script.into()], env, stop: "TERM" };
    let process = Process::start(spec, Workdir::new(NAME)?)?;
    let port = process.ready(Duration::from_secs(60), async |log| announced_port(log)).await?;
    Ok(Peer { process, port, path: "/scim/v2", token: TOKEN })
}

/// The script prints `{"port":N}` on a line of its own once it listens.
fn announced_port(log: &str) -> Option<u16> {
    #[derive(Deserialize)]
    struct Announcement {
        port: u16,
    }
    log.lines().find_map(|line| serde_json::from_str::<Announcement>(line).ok()).map(|line| line.port)
}

/// What it has been asked so far.
pub async fn counts(peer: &Peer) -> Result<Counts, Error> {
    let answer = Http::new(peer.origin(), None).get("/__writes").await?;
    serde_json::from_value(answer.body).map_err(|error| Error::NoAnswer {
        method: "GET".to_owned(),
        url: format!("{}/__writes", peer.origin()),
        reason: error.to_string(),
    })
}

/// Counts from nought again.
pub async fn reset_counts(peer: &Peer) -> Result<(), Error> {
    Http::new(peer.origin(), None).send("DELETE", "/__writes", None).await.map(|_| ())
}

//! The SCIM server `scim2-server` (Python, 0.8, in memory), the stricter of the two: close to the RFCs, and quick to refuse.
//! It is served below `/v2`. Requests are counted by putting a [`CountingProxy`](crate::CountingProxy) before it.
//!
//! What was found by asking it, for whoever writes a client:
//! - **Auth**: 401 with `WWW-Authenticate: Bearer realm="SCIM"` when the token is missing or wrong. `ServiceProviderConfig`
//!   is open, `Schemas` and `ResourceTypes` are not.
//! - **Connection**: HTTP/1.0, closed after each answer; one thread per request.
//! - **Create**: 201 with `Location`, `Content-Location` and `ETag`; ids are 32 hex digits. Takes `application/json` and a
//!   charset parameter, a body without `schemas`, attribute names in any case, and `"True"` for true. An unknown attribute
//!   is 400 invalidSyntax for the whole resource. Null and empty arrays are dropped.
//! - **Duplicates**: 409 uniqueness on userName, compared without case, by POST, PUT and PATCH. Two groups may share a
//!   displayName; externalId is not unique.
//! - **Filters**: all of RFC 7644 that was tried, among them `emails[type eq "work"].value eq "x"`, extension paths, `not`,
//!   `pr`, `members[value eq "id"]` and `id eq "g" and members.value eq "u"`. userName and displayName compare without case,
//!   externalId and id with it. Wrong syntax or an unknown attribute is 400 invalidFilter.
//! - **Paging**: at most 1000 on a page (the `filter.maxResults` it announces), without `count` as with a larger one. Order is
//!   by id (random), stable but not the order of creation, so an object created during a walk may land on a page already
//!   read. Past the end: an empty page with the `startIndex` asked for. `itemsPerPage` is the true number. Cursors are 501
//!   unless switched on. `count=abc` is 400.
//! - **PATCH**: 204 without a body, whether something changed or not; 200 with a body only when `attributes` or
//!   `excludedAttributes` is in the query. `Replace` in capitals, `"False"` for false, values without a path,
//!   `name.givenName` as a key, whole extensions and extension paths all work. Atomic. 400 noTarget: `add` or `replace` on
//!   `emails[type eq "home"].value` when there is no such value. 400 invalidValue: a plain string for `manager`. `remove` of
//!   members with a value (as Entra sends by default) is 400: it wants `members[value eq "id"]`. Adding a member or a value
//!   twice keeps one; removing one that is not there is 204. A PATCH that changes nothing keeps version and lastModified.
//! - **PUT**: replaces: what is not sent is gone; an `id` in the body is ignored. **DELETE**: 204, the second time 404.
//! - **Versions**: `meta.version` and `ETag` are `W/"n"`; `If-Match` is honoured, 412 when stale.
//! - **References** are not checked: a group takes members that do not exist, keeps deleted ones, and users never show
//!   `groups`.
//! - **Also**: `/.search` at the root and per type, `/Bulk` with bulkId references (1000 operations, 1 MiB), `sortBy`, the
//!   enterprise extension. `/Me` is 501, a wrong method 405.

use std::{ffi::OsString, time::Duration};

use crate::{
    Error, Http, Peer, Workdir, free_port,
    process::{Process, Spec, work_folder},
};

const NAME: &str = "scim2-server";
const TOKEN: &str = "scim2-server-token";

/// Starts one, empty.
pub async fn start() -> Result<Peer, Error> {
    start_with(&[]).await
}

/// Starts one with further arguments, such as `--service-provider-config FILE`; see `scim2-server --help`.
pub async fn start_with(arguments: &[&str]) -> Result<Peer, Error> {
    let program = work_folder().join("venv/bin/scim2-server");
    if !program.exists() {
        return Err(Error::Missing { what: NAME, looked: program.display().to_string() });
    }
    let mut tries = 0;
    loop {
        tries += 1;
        let port = free_port().map_err(Error::system(NAME, "find a free port"))?;
        let mut command: Vec<OsString> = vec![program.clone().into()];
        let port_text = port.to_string();
        command.extend(["--hostname", "127.0.0.1", "--port", &port_text, "--bearer-token", TOKEN].map(OsString::from));
        command.extend(arguments.iter().map(OsString::from));
        let env = vec![("PYTHONUNBUFFERED", OsString::from("1")), ("PYTHONDONTWRITEBYTECODE", OsString::from("1"))];
        let spec = Spec { name: NAME.to_owned(), command, env, stop: "TERM" };
        let process = Process::start(spec, Workdir::new(NAME)?)?;
        let peer = Peer { process, port, path: "/v2", token: TOKEN };
        let http: Http = peer.http();
        // Only a process that has said it serves is asked: a stranger may have taken the port meanwhile.
        let probe = async |log: &str| {
            let said = log.contains("Serving SCIM on");
            let answer = if said { http.get("/ServiceProviderConfig").await.ok() } else { None };
            answer.filter(|answer| answer.status == 200).map(|_| ())
        };
        match peer.process.ready(Duration::from_secs(60), probe).await {
            Err(Error::Died { log, .. }) if tries < 3 && log.contains("Address already in use") => {}
            Err(error) => return Err(error),
            Ok(()) => return Ok(peer),
        }
    }
}

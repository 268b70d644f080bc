//! Lists and their pages, bulk, and how a user leaves.

use provost_connector::ConnectorError;
use serde_json::{Value as Json, json};

use super::asker::id_of;
use super::users::Made;
use super::{State, Trial};
use crate::http::Method;
use crate::scim::wire::{Query, object};

/// A page that no target is asked for by a job; what comes is the most that it gives.
const LARGE: u64 = 1_000;

impl Trial<'_> {
    pub(super) async fn lists(&mut self) -> Result<(), ConnectorError> {
        let page =
            |start: u64, count: u64| Query::new(&self.users).with("startIndex", start).with("count", count).into_path();
        // Until everybody who was made is listed.
        self.asker.pause(self.lag * 2).await?;
        let first = self.asker.get(&page(1, 1)).await?;
        let second = self.asker.get(&page(2, 1)).await?;
        let ids = [first.resources().first().and_then(id_of), second.resources().first().and_then(id_of)];
        let index = first.resources().len() == 1 && ids[0].is_some() && ids[1].is_some() && ids[0] != ids[1];
        let by_cursor =
            self.asker.get(&Query::new(&self.users).with("cursor", "").with("count", 1).into_path()).await?;
        let next = by_cursor.body.get("nextCursor").and_then(Json::as_str).filter(|cursor| !cursor.is_empty());
        let cursor = match next {
            Some(next) => {
                let query = Query::new(&self.users).with("cursor", next).with("count", 1).into_path();
                let other = self.asker.get(&query).await?;
                let other = other.resources().first().and_then(id_of);
                other.is_some() && other != by_cursor.resources().first().and_then(id_of)
            }
            None => false,
        };
        let (word, state) = match (index, cursor) {
            (true, true) => ("index, and cursor", State::Fine),
            (true, false) => ("index", State::Fine),
            (false, true) => ("cursor", State::Other),
            (false, false) => ("none: one answer has everything", State::Other),
        };
        let pagination = self.notes.advertised.get("pagination").cloned();
        let says = pagination.as_ref().map(|says| {
            let has = |name: &str| says.get(name).and_then(Json::as_bool) == Some(true);
            json!(if has("cursor") && !has("index") { "cursor" } else { "index" })
        });
        let advertised = pagination.map(|says| format!("index {}, cursor {}", says["index"], says["cursor"]));
        self.notes.note("paging", "lists come in pages", advertised, word, state);
        // A walk by cursors neither repeats nor loses anybody; one by numbers is what every target has tried.
        let way = if index {
            "index"
        } else if cursor {
            "cursor"
        } else {
            "none"
        };
        self.notes.set("paging", json!(way), says);
        let total = first.total();
        let found = total.map_or("no".to_owned(), |total| format!("yes: {total}"));
        let state = if total.is_some() { State::Fine } else { State::Other };
        self.notes.note("total", "a list says how many there are", None, found, state);
        let large = self.asker.get(&page(1, LARGE)).await?;
        let got = large.resources().len() as u64;
        let cut = total.is_some_and(|total| got > 0 && got < total.min(LARGE));
        if cut {
            let says = self.notes.advertised["filter"]["maxResults"].as_u64();
            let state = if says.is_some_and(|says| says > got) { State::Differs } else { State::Other };
            let advertised = says.map(|says| says.to_string());
            self.notes.note("page size", "the most that a page has", advertised, got.to_string(), state);
            self.notes.set("page_size", json!(got), says.map(|says| json!(says.min(LARGE))));
        }
        self.completeness(large.resources()).await?;
        self.bulk().await
    }

    /// Whether a list has what reading by id has.
    async fn completeness(&mut self, listed: &[Json]) -> Result<(), ConnectorError> {
        let ours = self.made.first().map(|(_, id)| id.clone()).unwrap_or_default();
        let Some(in_list) = listed.iter().find(|one| id_of(one).as_deref() == Some(&ours)) else { return Ok(()) };
        let whole = self.asker.get(&object(&self.users, &ours)).await?.body;
        let missing: Vec<&str> = whole
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(name, value)| !value.is_null() && in_list.get(name.as_str()).is_none())
            .map(|(name, _)| name.as_str())
            .collect();
        let (found, state) = match missing.as_slice() {
            [] => ("yes".to_owned(), State::Fine),
            some => (format!("all but {}", some.join(", ")), State::Other),
        };
        self.notes.note("whole lists", "a list has all attributes", None, found, state);
        self.notes.set("lists_whole", json!(missing.is_empty()), None);
        Ok(())
    }

    async fn bulk(&mut self) -> Result<(), ConnectorError> {
        let Some((_, user)) = self.made.first().cloned() else { return Ok(()) };
        let path = object(&self.users, &user);
        let patch = |value: &str| {
            json!({
                "method": "PATCH", "path": path,
                "data": {
                    "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
                    "Operations": [{ "op": self.op.word("replace"), "path": "title", "value": value }],
                },
            })
        };
        let body = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
            "Operations": [patch("probe bulk 1"), patch("probe bulk 2")],
        });
        let reply = self.asker.send(Method::POST, "/Bulk", Some(&body)).await?;
        let works = reply.is_success() && self.asker.get(&path).await?.body["title"] == "probe bulk 2";
        self.notes.feature("bulk", "several changes go in one request", works, if works { "yes" } else { "no" });
        self.notes.set("bulk", json!(works), None);
        Ok(())
    }

    /// What a DELETE does. The last thing that is tried: the user may be gone.
    pub(super) async fn leave(&mut self, user: &Made) -> Result<(), ConnectorError> {
        let path = object(&self.users, &user.id);
        let deleted = self.asker.send(Method::DELETE, &path, None).await?;
        let read = self.asker.get(&path).await?;
        let is_off = match &read.body["active"] {
            Json::Bool(on) => !on,
            Json::String(word) => word.eq_ignore_ascii_case("false"),
            _ => false,
        };
        let (found, state) = match (deleted.is_success(), read.is_success()) {
            (true, false) => ("the user is gone".to_owned(), State::Fine),
            (true, true) if is_off => ("the user is only switched off".to_owned(), State::Other),
            (true, true) => ("yes, and nothing happened".to_owned(), State::Missing),
            (false, _) => (deleted.words(), State::Missing),
        };
        self.notes.note("delete", "a user can be deleted", None, found, state);
        if !read.is_success() {
            self.made.retain(|(endpoint, id)| (endpoint.as_str(), id.as_str()) != (&*self.users, &*user.id));
        }
        if is_off && self.notes.is_set("deprovision") {
            self.notes.set("deprovision", json!("delete_deactivates"), None);
        }
        Ok(())
    }
}

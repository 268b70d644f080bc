//! Users: nobody is found by a name that nobody has; one is made, read, and found again.

use std::time::Duration;

use provost_connector::ConnectorError;
use provost_model::AttributePath;
use serde_json::{Value as Json, json};

use super::asker::{Reply, id_of};
use super::{State, Trial};
use crate::http::Method;
use crate::scim::wire::{Query, object};

/// How long queries may lag behind, in steps of a quarter of a second.
const MOST_LAG: u32 = 40;

/// A user that was made.
pub(super) struct Made {
    pub id: String,
    pub name: String,
    /// As it was sent.
    pub sent: Json,
    /// Whether the target gives versions.
    pub etag: Option<String>,
}

impl Trial<'_> {
    pub(super) fn name(&self, at: usize) -> String {
        format!("provost-{}-{at}@{}", self.mark, self.options.domain)
    }

    fn user(&self, at: usize) -> Json {
        let name = self.name(at);
        let mut user = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
            "userName": name,
            "externalId": format!("provost-{}-{at}", self.mark),
            "active": true,
            "displayName": format!("Provost Probe {at}"),
            "name": { "givenName": "Provost", "familyName": format!("Probe{at}") },
            "title": "probe",
            "emails": [{ "type": "work", "value": name, "primary": true }],
        });
        if let Some(parts) = user.as_object_mut() {
            parts.extend(self.options.user.clone());
        }
        user
    }

    pub(super) async fn filtered(&self, filter: &str) -> Result<Reply, ConnectorError> {
        let query = Query::new(&self.users).with("filter", filter).with("count", 10);
        self.asker.get(&query.into_path()).await
    }

    /// A name that nobody has.
    pub(super) async fn nobody(&mut self) -> Result<(), ConnectorError> {
        let reply = self.filtered(&format!("userName eq \"nobody-{}\"", self.mark)).await?;
        let says = self.notes.says("filter").map(Json::from);
        let (works, found) = match reply.resources().len() {
            _ if !reply.is_success() => (false, reply.words()),
            0 => (true, "a filter counts".to_owned()),
            _ => (false, "a filter is ignored: everybody is listed".to_owned()),
        };
        self.notes.feature("filter", "users can be looked for", works, found);
        self.notes.set("filter", json!(works), says);
        Ok(())
    }

    /// Makes a user; the answer of a refusal when none of the ways is taken.
    pub(super) async fn make_user(&mut self, at: usize) -> Result<Result<Made, Reply>, ConnectorError> {
        let user = self.user(at);
        let mut reply = self.asker.send(Method::POST, &self.users.clone(), Some(&user)).await?;
        let mut sent = user;
        if reply.status == 400 {
            // A name may be too long: without its domain, if anything is to be had.
            let mut short = sent.clone();
            short["userName"] = json!(format!("pp-{}-{at}", self.mark));
            let second = self.asker.send(Method::POST, &self.users.clone(), Some(&short)).await?;
            if second.is_success() && at > 0 {
                (reply, sent) = (second, short);
            } else if second.is_success() {
                let found = format!("{} characters are too long, {} are not", self.name(at).len(), 4 + self.mark.len());
                self.notes.note("long names", "long user names are taken", None, found, State::Other);
                (reply, sent) = (second, short);
            }
        }
        if !reply.is_success() {
            return Ok(Err(reply));
        }
        let id = match reply.id().or_else(|| reply.location.as_deref().and_then(last_segment)) {
            Some(id) => id,
            None => match self.look_up(&sent).await? {
                Some(id) => id,
                None => return Ok(Err(reply)),
            },
        };
        self.made.push((self.users.clone(), id.clone()));
        let name = sent["userName"].as_str().unwrap_or_default().to_owned();
        Ok(Ok(Made { id, name, etag: reply.etag.clone().or_else(|| version(&reply.body)), sent }))
    }

    async fn look_up(&self, sent: &Json) -> Result<Option<String>, ConnectorError> {
        let filter = format!("userName eq {}", sent["userName"]);
        let reply = self.filtered(&filter).await?;
        Ok(reply.resources().iter().find(|user| user["userName"] == sent["userName"]).and_then(id_of))
    }

    /// The first user, and what the target made of it.
    pub(super) async fn first_user(&mut self) -> Result<Option<Made>, ConnectorError> {
        let made = match self.make_user(0).await? {
            Ok(made) => made,
            Err(reply) => {
                let found = format!("{}; nothing else could be tried", reply.words());
                self.notes.note("create", "a user can be made", None, found, State::Missing);
                return Ok(None);
            }
        };
        self.notes.note("create", "a user can be made", None, "yes", State::Fine);
        let read = self.asker.get(&object(&self.users, &made.id)).await?;
        let changed: Vec<&str> = ["userName", "externalId", "displayName", "title", "emails", "active"]
            .into_iter()
            .filter(|name| !holds(&read.body, &made.sent, name))
            .collect();
        let (found, state) = match changed.as_slice() {
            [] => ("every value".to_owned(), State::Fine),
            some => (format!("all but {}", some.join(", ")), State::Other),
        };
        self.notes.note("values", "a user is read back as it was sent", None, found, state);
        let media_type = read.media_type.clone().unwrap_or_default();
        let state = if media_type.starts_with("application/scim+json") { State::Fine } else { State::Other };
        self.notes.note("media type", "answers are application/scim+json", None, media_type, state);
        let unknown = self.asker.get(&object(&self.users, &format!("no-such-{}", self.mark))).await?;
        let state = if unknown.status == 404 { State::Fine } else { State::Other };
        self.notes.note("unknown id", "an unknown id is 404", None, unknown.status.to_string(), state);
        Ok(Some(made))
    }

    /// Finds the user by what matching may use, and learns how far queries lag behind.
    pub(super) async fn found_again(&mut self, user: &Made) -> Result<(), ConnectorError> {
        let by_name = format!("userName eq {}", json!(user.name));
        if !self.finds(&by_name, user).await? {
            let mut lag = 0;
            while lag < MOST_LAG && !self.finds(&by_name, user).await? {
                self.asker.pause(Duration::from_millis(250)).await?;
                lag += 1;
            }
            let (found, state) = match lag {
                MOST_LAG => ("a user that was made is not found".to_owned(), State::Missing),
                lag => (format!("found after {} ms", lag * 250), State::Other),
            };
            self.lag = Duration::from_millis(250) * lag;
            self.notes.note("lag", "a user is found as soon as it is made", None, found, state);
            if lag == MOST_LAG {
                let says = self.notes.says("filter").map(Json::from);
                self.notes.set("filter", json!(false), says);
                return Ok(());
            }
        }
        let mail = user.sent["emails"][0]["value"].clone();
        let (by_id, by_mail) = (&user.sent["externalId"], format!("emails[type eq \"work\" and value eq {mail}]"));
        let ways = [
            ("userName", by_name.clone()),
            ("externalId", format!("externalId eq {by_id}")),
            ("displayName", format!("displayName eq {}", user.sent["displayName"])),
            ("emails.value", format!("emails.value eq {mail}")),
        ];
        let mut works = Vec::new();
        for (name, filter) in &ways {
            if self.finds(filter, user).await? {
                works.push(*name);
            }
        }
        let all = works.len() == ways.len();
        let state = if all { State::Fine } else { State::Other };
        self.notes.note("filter by", "what users can be looked for by", None, works.join(", "), state);
        if !all {
            self.notes.set("filter_attributes", json!(works), None);
        }
        let and = self.finds(&format!("{by_name} and active eq true"), user).await?;
        self.notes.note("and", "filters may join terms", None, if and { "yes" } else { "no" }, fine(and));
        self.notes.set("filter_and", json!(and), None);
        let brackets = and && self.finds(&by_mail, user).await?;
        let found = if brackets { "yes" } else { "no" };
        self.notes.note("brackets", "filters may have brackets for one value of a list", None, found, fine(brackets));
        let upper = format!("userName eq {}", json!(user.name.to_uppercase()));
        let exact = !self.finds(&upper, user).await?;
        let found = if exact { "counts" } else { "does not count" };
        self.notes.note("letter case", "letter case of a user name in filters", None, found, fine(!exact));
        if exact {
            self.notes.set("attributes", json!({ "User": { "userName": { "case_exact": true } } }), None);
        }
        self.search(user).await
    }

    async fn search(&mut self, user: &Made) -> Result<(), ConnectorError> {
        let query = Query::new(&self.users).with("filter", format_args!("userName eq {}", json!(user.name)));
        let (path, body) = query.into_search();
        let body: Json = serde_json::from_slice(&body).unwrap_or_default();
        let reply = self.asker.send(Method::POST, &path, Some(&body)).await?;
        let works = reply.is_success() && only(&reply, user);
        let found = if works { "yes" } else { "no: people's names stand in addresses" };
        self.notes.note("search", "queries can go to .search", None, found, fine(works));
        self.notes.set("search", json!(works), None);
        Ok(())
    }

    async fn finds(&self, filter: &str, user: &Made) -> Result<bool, ConnectorError> {
        let reply = self.filtered(filter).await?;
        Ok(reply.is_success() && only(&reply, user))
    }
}

/// Exactly this user.
fn only(reply: &Reply, user: &Made) -> bool {
    matches!(reply.resources(), [one] if id_of(one).as_deref() == Some(&user.id))
}

fn fine(works: bool) -> State {
    if works { State::Fine } else { State::Missing }
}

pub(super) fn version(body: &Json) -> Option<String> {
    body.get("meta")?.get("version")?.as_str().filter(|version| !version.is_empty()).map(str::to_owned)
}

fn last_segment(location: &str) -> Option<String> {
    let (_, id) = location.trim_end_matches('/').rsplit_once('/')?;
    percent_encoding::percent_decode_str(id).decode_utf8().ok().map(|id| id.into_owned())
}

/// Whether what was sent is there, in the form in which a job would compare it.
fn holds(have: &Json, sent: &Json, name: &str) -> bool {
    let value = |from: &Json| {
        let path = AttributePath::name(if name == "emails" { "value" } else { name });
        let from = if name == "emails" { from["emails"][0].clone() } else { from.clone() };
        let attributes: provost_model::Attributes = serde_json::from_value(from).unwrap_or_default();
        path.get(&attributes).and_then(|value| value.to_text().map(|text| text.into_owned()))
    };
    match (value(have), value(sent)) {
        (Some(have), Some(sent)) if name == "active" => have.eq_ignore_ascii_case(&sent),
        (have, sent) => have == sent,
    }
}

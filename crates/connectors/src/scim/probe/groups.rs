//! Groups: made, filled, emptied, and whether they show who is in them.

use provost_connector::ConnectorError;
use serde_json::{Value as Json, json};

use super::users::Made;
use super::{State, Trial};
use crate::http::Method;
use crate::scim::wire::{Query, object};

/// Whether a user is in the group: what can be found out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sight {
    /// The group shows its members.
    Group,
    /// A filter on members finds the group.
    Filter,
    Blind,
}

impl Trial<'_> {
    pub(super) async fn group(&mut self, user: &Made) -> Result<(), ConnectorError> {
        let Some(endpoint) = self.groups.clone() else { return Ok(()) };
        let body = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
            "displayName": format!("Provost Probe {}", self.mark),
            "externalId": format!("provost-{}-g", self.mark),
            "members": [{ "value": user.id }],
        });
        let reply = self.asker.send(Method::POST, &endpoint, Some(&body)).await?;
        let (true, Some(id)) = (reply.is_success(), reply.id()) else {
            let found = format!("no groups: {}", reply.words());
            self.notes.note("groups", "a group can be made", None, found, State::Missing);
            self.groups = None;
            return Ok(());
        };
        self.made.push((endpoint.clone(), id.clone()));
        self.notes.note("groups", "a group can be made", None, "yes", State::Fine);
        let path = object(&endpoint, &id);
        self.asker.pause(self.lag * 2).await?;
        let sight = self.sight(&endpoint, &id, user).await?;
        let (found, state) = match sight {
            Sight::Group => ("yes", State::Fine),
            Sight::Filter => ("no: a filter on members tells", State::Other),
            Sight::Blind => ("no", State::Other),
        };
        self.notes.note("members", "a group shows its members", None, found, state);
        self.notes.set("members_readable", json!(sight == Sight::Group), None);
        let mut others = Vec::new();
        for at in 1..=3 {
            if let Ok(made) = self.make_user(at).await? {
                others.push(made.id);
            }
        }
        if !self.patches {
            self.notes.note("membership", "members can be added one by one", None, "no PATCH", State::Missing);
            self.notes.set("member_remove", json!("replace"), None);
            return Ok(());
        }
        self.add(&endpoint, &id, &path, &others, sight).await?;
        self.shown(&endpoint, &id, &others, sight).await?;
        self.remove(&endpoint, &id, &path, &others, sight).await
    }

    async fn sight(&self, endpoint: &str, id: &str, user: &Made) -> Result<Sight, ConnectorError> {
        for sight in [Sight::Group, Sight::Filter] {
            if self.is_member(endpoint, id, &user.id, sight).await? == Some(true) {
                return Ok(sight);
            }
        }
        Ok(Sight::Blind)
    }

    /// None when it cannot be seen.
    async fn is_member(
        &self,
        endpoint: &str,
        id: &str,
        user: &str,
        sight: Sight,
    ) -> Result<Option<bool>, ConnectorError> {
        Ok(match sight {
            Sight::Group => {
                let group = self.asker.get(&object(endpoint, id)).await?.body;
                Some(group["members"].as_array().into_iter().flatten().any(|one| is_named(one, user)))
            }
            Sight::Filter => {
                let mut seen = false;
                for filter in [
                    format!("id eq {} and members eq {}", json!(id), json!(user)),
                    format!("members.value eq {}", json!(user)),
                ] {
                    let reply = self.asker.get(&Query::new(endpoint).with("filter", filter).into_path()).await?;
                    let listed =
                        reply.resources().iter().any(|group| super::asker::id_of(group).as_deref() == Some(id));
                    seen |= reply.is_success() && reply.resources().len() < 5 && listed;
                }
                Some(seen)
            }
            Sight::Blind => None,
        })
    }

    /// The first form in which a member is added.
    async fn add(
        &mut self,
        endpoint: &str,
        id: &str,
        path: &str,
        others: &[String],
        sight: Sight,
    ) -> Result<(), ConnectorError> {
        let Some(first) = others.first() else { return Ok(()) };
        let list = json!([{ "value": first }]);
        let ways = [
            ("list", json!([["add", "members", list]])),
            ("pathless", json!([["add", null, { "members": list }]])),
            ("nested", json!([["add", "members", { "members": list }]])),
        ];
        let mut found = None;
        for (form, operations) in ways {
            if self.patch(path, operations).await? && self.is_member(endpoint, id, first, sight).await? != Some(false) {
                found = Some(form);
                break;
            }
        }
        let state = match found {
            Some("list") => State::Fine,
            Some(_) => State::Other,
            None => State::Missing,
        };
        self.notes.note("add member", "members can be added one by one", None, found.unwrap_or("no"), state);
        self.notes.set("member_add", json!(found.unwrap_or("list")), None);
        Ok(())
    }

    /// Whether four members are shown as four: what is cut at less is cut everywhere.
    async fn shown(&mut self, endpoint: &str, id: &str, others: &[String], sight: Sight) -> Result<(), ConnectorError> {
        if sight != Sight::Group || others.len() < 3 {
            return Ok(());
        }
        // The first is in already, and some would list it twice.
        let members: Vec<Json> = others[1..].iter().map(|id| json!({ "value": id })).collect();
        if !self.patch(&object(endpoint, id), json!([["add", "members", members]])).await? {
            return Ok(());
        }
        let group = self.asker.get(&object(endpoint, id)).await?.body;
        let shown = group["members"].as_array().map_or(0, Vec::len);
        let (found, state) = match shown {
            4 => ("4 of 4".to_owned(), State::Fine),
            some => (format!("{some} of 4: lists of members are cut"), State::Other),
        };
        self.notes.note("all members", "a group shows all of its members", None, found, state);
        if shown < 4 {
            self.notes.set("members_shown", json!(shown), None);
        }
        Ok(())
    }

    /// The first form in which one member is removed, and the others stay.
    async fn remove(
        &mut self,
        endpoint: &str,
        id: &str,
        path: &str,
        others: &[String],
        sight: Sight,
    ) -> Result<(), ConnectorError> {
        let Some(first) = others.first() else { return Ok(()) };
        let stays = &self.made.first().map(|(_, id)| id.clone()).unwrap_or_default();
        let ways = [
            ("filter", json!([["remove", format!("members[value eq {}]", json!(first)), null]])),
            ("value_list", json!([["remove", "members", [{ "value": first }]]])),
        ];
        let mut found = None;
        for (form, operations) in ways {
            let sent = self.patch(path, operations).await?;
            let gone = self.is_member(endpoint, id, first, sight).await? != Some(true);
            let kept = self.is_member(endpoint, id, stays, sight).await? != Some(false);
            if sent && gone && kept {
                found = Some(form);
                break;
            }
            if gone && sight != Sight::Blind {
                // All of them went. Back in for the next form.
                let back: Vec<Json> = [first, stays].iter().map(|id| json!({ "value": id })).collect();
                self.patch(path, json!([["add", "members", back]])).await?;
            }
        }
        let (told, state) = match found {
            Some("filter") => ("by a filter in the path", State::Fine),
            Some(_) => ("by a list of values", State::Other),
            None => ("no: the list is replaced as a whole", State::Missing),
        };
        self.notes.note("remove member", "one member can be removed", None, told, state);
        self.notes.set("member_remove", json!(found.unwrap_or("replace")), None);
        Ok(())
    }
}

/// Whether an element of `members` is about the user. Some count, and give the number.
fn is_named(element: &Json, user: &str) -> bool {
    match &element["value"] {
        Json::String(id) => id == user,
        Json::Number(id) => id.to_string() == user,
        _ => false,
    }
}

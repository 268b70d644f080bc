//! Updates: in which form the target understands a change, and whether it made it.

use provost_connector::ConnectorError;
use serde_json::{Value as Json, json};

use super::users::{Made, version};
use super::{OpCase, State, Trial};
use crate::http::Method;
use crate::http::header::{HeaderValue, IF_MATCH};
use crate::scim::wire::object;

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

impl Trial<'_> {
    /// Sends operations `[op, path, value]`; a null path or value is left out.
    pub(super) async fn patch(&self, path: &str, operations: Json) -> Result<bool, ConnectorError> {
        let operations: Vec<Json> = operations
            .as_array()
            .into_iter()
            .flatten()
            .map(|one| {
                let mut operation = json!({ "op": self.op.word(one[0].as_str().unwrap_or_default()) });
                for (name, value) in [("path", &one[1]), ("value", &one[2])] {
                    if !value.is_null() {
                        operation[name] = value.clone();
                    }
                }
                operation
            })
            .collect();
        let body = json!({ "schemas": [PATCH], "Operations": operations });
        Ok(self.asker.send(Method::PATCH, path, Some(&body)).await?.is_success())
    }

    async fn title(&self, path: &str) -> Result<Json, ConnectorError> {
        Ok(self.asker.get(path).await?.body["title"].clone())
    }

    pub(super) async fn update(&mut self, user: &Made) -> Result<(), ConnectorError> {
        let path = object(&self.users, &user.id);
        self.form(&path).await?;
        if self.patches {
            self.details(&path).await?;
            self.manager(&path, user).await?;
        } else {
            self.put(&path, user).await?;
        }
        self.switch(&path).await?;
        self.versions(&path, user).await
    }

    /// The first form of PATCH that changes something.
    async fn form(&mut self, path: &str) -> Result<(), ConnectorError> {
        let ways = [
            (OpCase::Lower, "path", json!([["replace", "title", "probe lower path"]])),
            (OpCase::Capital, "path", json!([["replace", "title", "probe capital path"]])),
            (OpCase::Lower, "pathless", json!([["replace", null, { "title": "probe lower pathless" }]])),
            (OpCase::Capital, "pathless", json!([["replace", null, { "title": "probe capital pathless" }]])),
        ];
        let says = self.notes.says("patch");
        let mut found = None;
        for (case, style, operations) in ways {
            self.op = case;
            let want = operations[0][2].get("title").unwrap_or(&operations[0][2]).clone();
            if self.patch(path, operations).await? && self.title(path).await? == want {
                found = Some((case, style));
                break;
            }
        }
        self.patches = found.is_some();
        let told = match found {
            None => "no PATCH is understood".to_owned(),
            Some((OpCase::Lower, style)) => format!("{style}, lower-case op"),
            Some((OpCase::Capital, style)) => format!("{style}, capital op"),
        };
        let about = "a value can be replaced by PATCH";
        match found {
            Some((OpCase::Lower, "path")) | None => self.notes.feature("patch", about, found.is_some(), told),
            Some(_) => self.notes.note("patch", about, None, told, State::Other),
        }
        let Some((case, style)) = found else {
            self.op = OpCase::Lower;
            let says = says.map(|says| json!(if says { "patch" } else { "put" }));
            self.notes.set("update", json!("put"), says);
            return Ok(());
        };
        self.notes.set("update", json!("patch"), says.map(|says| json!(if says { "patch" } else { "put" })));
        self.notes.set("op_case", json!(if case == OpCase::Capital { "capital" } else { "lower" }), None);
        self.notes.set("patch_style", json!(style), None);
        Ok(())
    }

    /// Value filters, several operations, and removal.
    async fn details(&mut self, path: &str) -> Result<(), ConnectorError> {
        let work = json!("phoneNumbers[type eq \"work\"].value");
        let mut way = None;
        for op in ["add", "replace"] {
            let number = format!("+1 555 010{}", op.len());
            let sent = self.patch(path, json!([[op, work, number]])).await?;
            let read = self.asker.get(path).await?;
            let has =
                read.body["phoneNumbers"].as_array().into_iter().flatten().any(|one| one["value"] == json!(number));
            if sent && has {
                way = Some(op);
                break;
            }
        }
        if way.is_none() {
            // Where nothing makes an element, one that is there can perhaps be named all the same.
            let made = self
                .patch(path, json!([["add", "phoneNumbers", [{ "type": "work", "value": "+1 555 0107" }]]]))
                .await?;
            let sent = made && self.patch(path, json!([["replace", work, "+1 555 0108"]])).await?;
            let numbers = self.asker.get(path).await?.body["phoneNumbers"].clone();
            let is_one = matches!(numbers.as_array().map(Vec::as_slice), Some([one]) if one["value"] == "+1 555 0108");
            way = (sent && is_one).then_some("element");
        }
        let (found, state) = match way {
            Some("add") => ("add makes the element".to_owned(), State::Fine),
            Some("element") => ("yes, if the value is there".to_owned(), State::Other),
            Some(op) => (format!("{op} makes the element"), State::Other),
            None => ("no: lists are replaced as a whole".to_owned(), State::Other),
        };
        self.notes.note("value filters", "a path may name one value of a list", None, found, state);
        self.notes.set("path_filters", json!(way.is_some()), None);
        self.notes.set("selector_op", json!(way.unwrap_or("add")), None);
        let two = json!([["replace", "title", "probe two"], ["replace", "displayName", "Provost Probe Two"]]);
        let sent = self.patch(path, two).await?;
        let read = self.asker.get(path).await?.body;
        let both = sent && read["title"] == "probe two" && read["displayName"] == "Provost Probe Two";
        let found = if both { "yes" } else { "no: one at a time" };
        let state = if both { State::Fine } else { State::Other };
        self.notes.note("several", "a PATCH may have several operations", None, found, state);
        self.notes.set("operations_per_request", json!(if both { 0 } else { 1 }), None);
        let removed = self.patch(path, json!([["remove", "title", null]])).await?;
        let gone = removed && matches!(self.title(path).await?, Json::Null);
        let found = if gone { "yes" } else { "no: a value that is gone at the source stays" };
        self.notes.note(
            "clear",
            "a value can be taken away",
            None,
            found,
            if gone { State::Fine } else { State::Missing },
        );
        Ok(())
    }

    /// A part of a complex value that is not there yet.
    async fn manager(&mut self, path: &str, user: &Made) -> Result<(), ConnectorError> {
        let by_path = json!([["replace", format!("{ENTERPRISE}:manager.value"), user.id]]);
        let as_object = json!([["replace", null, { ENTERPRISE: { "manager": { "value": user.id } } }]]);
        let mut found = None;
        for (style, operations) in [("path", by_path), ("pathless", as_object)] {
            let sent = self.patch(path, operations).await?;
            let manager = self.asker.get(path).await?.body[ENTERPRISE]["manager"].clone();
            if sent && (manager["value"] == json!(user.id) || manager == json!(user.id)) {
                found = Some(style);
                break;
            }
        }
        let (told, state) = match found {
            Some("path") => ("yes", State::Fine),
            Some(_) => ("as an object without path", State::Other),
            None => ("no", State::Missing),
        };
        self.notes.note("manager", "a manager can be set", None, told, state);
        if found == Some("pathless") {
            self.notes.set("patch_style", json!("pathless"), None);
        }
        Ok(())
    }

    async fn put(&mut self, path: &str, user: &Made) -> Result<(), ConnectorError> {
        let mut whole = user.sent.clone();
        whole["id"] = json!(user.id);
        whole["title"] = json!("probe put");
        let sent = self.asker.send(Method::PUT, path, Some(&whole)).await?;
        let works = sent.is_success() && self.title(path).await? == "probe put";
        let found = if works { "yes".to_owned() } else { format!("no: {}", sent.words()) };
        let state = if works { State::Other } else { State::Missing };
        self.notes.note("put", "a user can be replaced by PUT", None, found, state);
        Ok(())
    }

    /// Switches the user off and on again.
    async fn switch(&mut self, path: &str) -> Result<(), ConnectorError> {
        let mut forms = Vec::new();
        for (name, off, on) in [("json", json!(false), json!(true)), ("text", json!("False"), json!("True"))] {
            if self.switched(path, &off, "false").await? && self.switched(path, &on, "true").await? {
                forms.push(name);
                break;
            }
        }
        let (found, state) = match forms.first() {
            Some(&"json") => ("yes", State::Fine),
            Some(_) => ("yes, with \"False\" and \"True\" as texts", State::Other),
            None => ("no: `active` does not change", State::Missing),
        };
        self.notes.note("active", "a user can be switched off and on", None, found, state);
        match forms.first() {
            Some(form) => self.notes.set("booleans", json!(form), None),
            None => self.notes.set("deprovision", json!("delete"), None),
        }
        Ok(())
    }

    async fn switched(&self, path: &str, value: &Json, want: &str) -> Result<bool, ConnectorError> {
        let sent = if self.patches {
            self.patch(path, json!([["replace", "active", value]])).await?
                || self.patch(path, json!([["replace", null, { "active": value }]])).await?
        } else {
            let mut whole = self.asker.get(path).await?.body;
            whole["active"] = value.clone();
            self.asker.send(Method::PUT, path, Some(&whole)).await?.is_success()
        };
        let read = self.asker.get(path).await?.body["active"].clone();
        let read = read.as_str().map(str::to_lowercase).unwrap_or_else(|| read.to_string());
        Ok(sent && read == want)
    }

    /// Whether a version that is not the current one stops a write.
    async fn versions(&mut self, path: &str, user: &Made) -> Result<(), ConnectorError> {
        let read = self.asker.get(path).await?;
        let has = user.etag.is_some() || read.etag.is_some() || version(&read.body).is_some();
        let mut works = false;
        if has {
            let wrong = HeaderValue::from_static("W/\"no-such-version\"");
            let (method, body) = if self.patches {
                let operation = json!({ "op": self.op.word("replace"), "path": "title", "value": "probe version" });
                (Method::PATCH, json!({ "schemas": [PATCH], "Operations": [operation] }))
            } else {
                (Method::PUT, read.body)
            };
            let reply = self.asker.with(method, path, Some(&body), Some((IF_MATCH, wrong))).await?;
            works = reply.status == 412;
        }
        let found = match (has, works) {
            (false, _) => "no versions",
            (true, false) => "versions are given, and not compared",
            (true, true) => "a write with an old version is refused",
        };
        let says = self.notes.says("etag").map(Json::from);
        self.notes.feature("etag", "versions keep two writers apart", works, found);
        self.notes.set("etag", json!(works), Some(says.unwrap_or(json!(false))));
        Ok(())
    }
}

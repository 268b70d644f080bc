//! The connection that jobs read, over what requests brought: reads of everything, reads of the feed, and their ends.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::sync::Arc;

use provost_connector::{Context, Cursor, ErrorCode, FindRequest, ScanItem, ScanMode, ScanRequest, Session};
use provost_model::{Filter, JobName, SystemClock, Value};
use provost_push::{Inbox, Sender, Settings};
use provost_scim::{Registry, urn};
use provost_store::Store;
use serde_json::json;

struct Hr {
    inbox: Inbox,
    session: Arc<dyn Session>,
    cx: Context,
}

impl Hr {
    async fn new() -> Self {
        let store = Store::open("sqlite::memory:").await.unwrap();
        let inbox = Inbox::new(store.clone(), Arc::new(SystemClock), Registry::core());
        let session = provost_push::session(store, "hr".into(), &Settings::default(), Registry::core());
        Self { inbox, session, cx: Context::default() }
    }

    async fn push(&self, operations: serde_json::Value) {
        let (job, connection) = (JobName::from("hr-to-directory"), "hr".into());
        let sender = Sender { job: &job, connection: &connection, client: "test", may_see: &|_| true };
        let body = json!({ "schemas": [urn::BULK_REQUEST], "Operations": operations });
        self.inbox.accept(sender, body.to_string().as_bytes()).await.unwrap();
    }

    /// What a scan gives: `+id title` for what is there, `-id` for what is gone; the cursor, and whether there is more.
    async fn scan(&self, mode: ScanMode, page_size: usize) -> (Vec<String>, Option<String>, bool) {
        let request = ScanRequest { mode, page_size, ..ScanRequest::full("User") };
        let mut scan = self.session.scan(&self.cx, request).await.unwrap();
        let mut found = Vec::new();
        loop {
            let page = scan.next(&self.cx).await.unwrap();
            assert!(page.items.len() <= page_size && page.faults.is_empty());
            found.extend(page.items.into_iter().map(|item| match item {
                ScanItem::Upsert(record) => {
                    let title = record.attributes.find("title").and_then(Value::as_text).unwrap_or("-");
                    format!("+{} {title}", record.id)
                }
                ScanItem::Unchanged(id) => format!("={id}"),
                ScanItem::Tombstone(id) => format!("-{id}"),
            }));
            if let Some(end) = page.end {
                assert!(end.complete);
                assert_eq!(end.count, found.len() as u64);
                return (found, end.cursor.map(|cursor| cursor.0.to_string()), end.more);
            }
        }
    }

    async fn since(&self, cursor: &str) -> (Vec<String>, Option<String>, bool) {
        self.scan(ScanMode::Changes { cursor: Some(Cursor(cursor.into())) }, 2).await
    }
}

fn post(bulk_id: &str, id: &str, title: &str) -> serde_json::Value {
    json!({ "method": "POST", "bulkId": bulk_id, "path": "/Users", "data": { "externalId": id, "title": title } })
}

fn delete(bulk_id: &str, id: &str) -> serde_json::Value {
    json!({ "method": "DELETE", "bulkId": bulk_id, "path": format!("/Users/{id}") })
}

#[tokio::test]
async fn a_read_of_the_feed_ends_before_the_second_operation_on_one_object() {
    let hr = Hr::new().await;
    assert_eq!(hr.scan(ScanMode::Full, 2).await, (vec![], None, false));
    assert_eq!(hr.scan(ScanMode::Changes { cursor: None }, 2).await, (vec![], Some("0".into()), false));
    hr.push(json!([
        post("1", "a", "A"),
        post("2", "b", "B"),
        post("3", "c", "C"),
        delete("4", "a"),
        post("5", "d", "D")
    ]))
    .await;
    hr.push(json!([post("6", "a", "AA"), post("7", "b", "BB"), post("8", "a", "AAA")])).await;
    let (full, cursor, _) = hr.scan(ScanMode::Full, 2).await;
    assert_eq!((full.join(" "), cursor), ("+a AAA +b BB +c C +d D".into(), None));
    let mut cursor = "0".to_owned();
    let mut told = Vec::new();
    loop {
        let (found, next, more) = hr.since(&cursor).await;
        told.push(format!("{} {}", found.join(" "), if more { "more" } else { "end" }));
        cursor = next.unwrap();
        if !more {
            break;
        }
    }
    assert_eq!(told, ["+a A +b B +c C more", "-a +d D more", "+a AA +b BB more", "+a AAA end"]);
    assert_eq!((cursor.as_str(), hr.since("8").await), ("8", (vec![], Some("8".into()), false)));
    assert_eq!(hr.session.revision(&hr.cx, "User").await.unwrap().unwrap(), "8");
    assert_eq!(hr.session.count(&hr.cx, "User").await.unwrap(), 4);

    for wrong in ["9", "-1", "x"] {
        let mode = ScanMode::Changes { cursor: Some(Cursor(wrong.into())) };
        let refused = hr.session.scan(&hr.cx, ScanRequest { mode, ..ScanRequest::full("User") }).await;
        assert_eq!(refused.err().unwrap().code, ErrorCode::CursorExpired, "{wrong}");
    }
    let unknown = hr.session.scan(&hr.cx, ScanRequest::full("Usr")).await.err().unwrap();
    assert!(unknown.hint.unwrap().contains("User, Group"));
}

#[tokio::test]
async fn objects_are_found_and_refer_to_each_other_by_their_keys() {
    let hr = Hr::new().await;
    let many: Vec<_> = (0..25)
        .map(|at| post(&at.to_string(), &format!("p{at:02}"), if at % 2 == 0 { "even" } else { "odd" }))
        .collect();
    hr.push(json!(many)).await;
    let ada = json!({ "externalId": "ada", urn::ENTERPRISE_USER: { "manager": { "value": "p01" } } });
    let team = json!({ "externalId": "t", "displayName": "Team", "members": [{ "value": "ada" }, { "value": "u", "type": "Group" }] });
    hr.push(json!([
        { "method": "POST", "bulkId": "ada", "path": "/Users", "data": ada },
        { "method": "POST", "bulkId": "t", "path": "/Groups", "data": team },
    ]))
    .await;
    let find = |filter: &str| filter.parse::<Filter>().unwrap();
    let mut request = FindRequest::new("User", find("title eq \"odd\""));
    let mut found = Vec::new();
    loop {
        let page = hr.session.find(&hr.cx, request.clone()).await.unwrap();
        assert!(page.records.len() <= request.page_size);
        found.extend(page.records.into_iter().map(|record| record.id.to_string()));
        match page.next {
            Some(next) => request.cursor = Some(next),
            None => break,
        }
    }
    assert_eq!((found.len(), found[0].as_str(), found[11].as_str()), (12, "p01", "p23"));
    let by_id = hr.session.find(&hr.cx, FindRequest::new("User", find("id eq \"ada\""))).await.unwrap();
    assert_eq!(by_id.records[0].attributes.find("manager"), Some(&Value::reference("User", "p01")));
    let unknown = hr.session.find(&hr.cx, FindRequest::new("User", find("nobody eq \"x\""))).await;
    assert_eq!(unknown.unwrap_err().code, ErrorCode::NotSupported);
    let team = hr.session.get(&hr.cx, "Group", &"t".into()).await.unwrap().unwrap();
    let members = vec![Value::reference("User", "ada"), Value::reference("Group", "u")];
    assert_eq!(team.attributes.find("members"), Some(&Value::List(members)));
    assert_eq!(hr.session.get(&hr.cx, "User", &"nobody".into()).await.unwrap(), None);
    let schema = hr.session.schema(&hr.cx).await.unwrap();
    let user = schema.class("User").unwrap();
    assert!(user.attribute("password").is_none() && !user.attribute("manager").unwrap().reference_classes.is_empty());
}

#[tokio::test]
async fn passwords_are_not_kept() {
    let hr = Hr::new().await;
    let set = json!({ "schemas": [urn::PATCH_OP], "Operations": [{ "op": "replace", "path": "password", "value": "s3cret" }] });
    hr.push(json!([
        { "method": "POST", "bulkId": "1", "path": "/Users", "data": { "externalId": "a", "password": "s3cret" } },
        { "method": "PUT", "bulkId": "2", "path": "/Users/b", "data": { "externalId": "b", "Password": "s3cret" } },
        post("3", "c", "C"),
        { "method": "PATCH", "bulkId": "4", "path": "/Users/c", "data": set },
    ]))
    .await;
    for id in ["a", "b", "c"] {
        let kept = hr.session.get(&hr.cx, "User", &id.into()).await.unwrap().unwrap().attributes;
        assert!(kept.find("password").is_none(), "{id}: {kept:?}");
    }
}

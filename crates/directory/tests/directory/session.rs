//! The engine's door: schema, capabilities, operations, lookups, scans and the change feed.

use std::sync::Arc;

use provost_connector::{
    CheckStatus, Cursor, ErrorCode, FindRequest, KnownDigests, LookupRequest, ScanItem, ScanMode, ScanPage,
    ScanRequest, Scope,
};
use provost_model::{Action, AttributeType, Change, ChangeOp, Digest, ObjectId, Operation, Record, Value};

use crate::{ENTERPRISE, Place, change, cx, json, operation, set, texts};

crate::on_both!(
    abilities,
    creates_by_paths,
    refused_changes,
    changes_of_lists,
    switching_on_and_off,
    updates_and_preconditions,
    managers,
    group_members,
    lookups,
    finding,
    full_scan,
    feed,
    feed_forgets,
    groups_of_a_user,
    known_digests,
    a_batch,
);

async fn abilities(place: Place) {
    let can = place.session.capabilities();
    let user = can.class("user").unwrap();
    assert!(user.scan && user.changes && user.create && user.update && user.delete && user.references_in_create);
    assert!(user.can_look_up(&"userName".parse().unwrap()) && !user.can_look_up(&"emails.value".parse().unwrap()));
    assert_eq!(user.enablement.as_ref().unwrap().off, Value::Boolean(false));
    let group = can.class("Group").unwrap();
    assert!(group.enablement.is_none() && group.can_look_up(&"displayName".parse().unwrap()));
    let schema = place.session.schema(&cx()).await.unwrap();
    let user = schema.class("User").unwrap();
    assert_eq!(user.keys, ["userName", "externalId"]);
    let manager = user.attribute("manager").unwrap();
    assert_eq!((manager.kind, manager.reference_classes.as_slice()), (AttributeType::Reference, &["User".into()][..]));
    assert!(user.attribute("password").is_none() && user.attribute("id").is_some());
    let long = format!("{ENTERPRISE}:manager.value").parse().unwrap();
    assert_eq!(user.resolve(&long).unwrap().reference_classes, ["User"]);
    let members = schema.class("Group").unwrap().attribute("members").unwrap();
    assert_eq!((members.kind, members.multi_valued), (AttributeType::Reference, true));
    assert_eq!(place.session.test(&cx()).await[0].status, CheckStatus::Ok);
    assert_eq!(place.session.count(&cx(), "User").await.unwrap(), 0);
    place.create("User", crate::user("ada")).await;
    assert_eq!(place.session.count(&cx(), "User").await.unwrap(), 1);
    assert_eq!(place.session.count(&cx(), "Thing").await.unwrap_err().scope, Scope::Class);
}

async fn apply(place: &Place, operation: Operation) -> Result<ObjectId, provost_connector::ConnectorError> {
    place.apply(&[operation]).await.pop().unwrap().map(|done| done.target_id)
}

async fn record(place: &Place, class: &str, id: &ObjectId) -> Record {
    place.session.get(&cx(), class, id).await.unwrap().unwrap()
}

/// The attributes that are stored, as JSON text.
async fn body(place: &Place, class: &str, id: &ObjectId) -> String {
    serde_json::to_string(&place.get(class, id).await.unwrap().attributes).unwrap()
}

async fn creates_by_paths(place: Place) {
    let changes = vec![
        set("USERNAME", "ada"),
        set("externalId", "e1"),
        set("name.familyname", "Lovelace"),
        set("emails[type eq \"work\"].value", "ada@x.org"),
        set("emails[type eq \"work\"].primary", true),
        set("phoneNumbers.value", "1"),
        set(&format!("{ENTERPRISE}:department"), "Engines"),
        set("employeeNumber", "7"),
        set("urn:ietf:params:scim:schemas:core:2.0:User:title", "Countess"),
        set("active", "True"),
        set("roles", Value::List(vec!["admin".into()])),
        set("nickName", Value::Null),
        change("locale", ChangeOp::Unset, Value::Null),
    ];
    let id = apply(&place, operation(Action::Create, "user", None, changes)).await.unwrap();
    let want = format!(
        r#"{{"userName":"ada","externalId":"e1","name":{{"familyName":"Lovelace"}},"emails":[{{"type":"work","value":"ada@x.org","primary":true}}],"phoneNumbers":[{{"value":"1"}}],"{ENTERPRISE}":{{"department":"Engines","employeeNumber":"7"}},"title":"Countess","active":true,"roles":[{{"value":"admin"}}]}}"#
    );
    assert_eq!(body(&place, "User", &id).await, want);
    let record = record(&place, "User", &id).await;
    assert_eq!(record.etag.as_deref(), Some("W/\"1\""));
    assert_eq!(record.attributes.find("id"), Some(&Value::Text(id.0.clone())));
    assert!(record.raw_digest.is_some());
}

async fn refused_changes(place: Place) {
    let id = apply(&place, operation(Action::Create, "User", None, vec![set("userName", "ada")])).await.unwrap();
    let cases = [
        (set("nothing", "x"), ErrorCode::InvalidValue, "nothing"),
        (set("name.nothing", "x"), ErrorCode::InvalidValue, "name.nothing"),
        (set("id", "x"), ErrorCode::InvalidValue, "id"),
        (set("groups", "x"), ErrorCode::InvalidValue, "groups"),
        (set("password", "x"), ErrorCode::InvalidValue, "password"),
        (set("active", "perhaps"), ErrorCode::InvalidValue, "active"),
        (set("title", 7), ErrorCode::InvalidValue, "title"),
        (set("title", Value::List(vec!["a".into(), "b".into()])), ErrorCode::InvalidValue, "title"),
        (set("name", json(r#"{"nothing":1}"#)), ErrorCode::InvalidValue, "name"),
        (set("title[type eq \"a\"]", "x"), ErrorCode::InvalidValue, "title[type eq \"a\"]"),
        (set("emails[type ne \"a\"].value", "x"), ErrorCode::InvalidValue, "emails[type ne \"a\"].value"),
        (set("manager", 7), ErrorCode::InvalidValue, "manager"),
        (set("members", "x"), ErrorCode::InvalidValue, "members"),
        (change("userName", ChangeOp::Unset, Value::Null), ErrorCode::MissingRequired, "userName"),
    ];
    for (change, code, path) in cases {
        let error = apply(&place, operation(Action::Update, "User", Some(&id), vec![change])).await.unwrap_err();
        assert_eq!((error.code, error.scope, error.path.as_deref()), (code, Scope::Item, Some(path)), "{error}");
    }
    assert_eq!(place.get("User", &id).await.unwrap().version, 1);
    let error = apply(&place, operation(Action::Create, "Thing", None, vec![])).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::InvalidConfig);
    let error = apply(&place, operation(Action::Update, "User", Some(&"none".into()), vec![])).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::NotFound);
    let error = apply(&place, operation(Action::Create, "User", None, vec![set("userName", "ADA")])).await.unwrap_err();
    assert_eq!(
        (error.code, error.existing_id, error.path.as_deref()),
        (ErrorCode::AlreadyExists, Some(id), Some("userName"))
    );
}

async fn changes_of_lists(place: Place) {
    let start = r#"{"userName":"a","emails":[{"type":"work","value":"w","primary":true},{"type":"home","value":"h"}]}"#;
    let email = |kind: &str, value: &str| json(&format!(r#"{{"type":"{kind}","value":"{value}"}}"#));
    let list = |values: Vec<provost_model::Attributes>| Value::List(values.into_iter().map(Value::Complex).collect());
    let unset = |path: &str| change(path, ChangeOp::Unset, Value::Null);
    for (at, (changes, want)) in [
        (
            vec![set("emails[type eq \"WORK\"].value", "x")],
            r#"[{"type":"work","value":"x","primary":true},{"type":"home","value":"h"}]"#,
        ),
        (vec![unset("emails[type eq \"work\"].value")], r#"[{"type":"home","value":"h"}]"#),
        (vec![set("emails[type eq \"work\"]", Value::Null)], r#"[{"type":"home","value":"h"}]"#),
        (
            vec![set("emails[type eq \"home\"].primary", true)],
            r#"[{"type":"work","value":"w","primary":false},{"type":"home","value":"h","primary":true}]"#,
        ),
        (
            vec![set("emails[type eq \"other\"].value", "o")],
            r#"[{"type":"work","value":"w","primary":true},{"type":"home","value":"h"},{"type":"other","value":"o"}]"#,
        ),
        (vec![set("emails", list(vec![email("a", "b")]))], r#"[{"type":"a","value":"b"}]"#),
        (
            vec![change("emails", ChangeOp::Add, list(vec![email("home", "H"), email("x", "y")]))],
            r#"[{"type":"work","value":"w","primary":true},{"type":"home","value":"h"},{"type":"x","value":"y"}]"#,
        ),
        (
            vec![change("emails", ChangeOp::Remove, list(vec![email("home", "h"), email("x", "y")]))],
            r#"[{"type":"work","value":"w","primary":true}]"#,
        ),
        (vec![unset("emails")], "null"),
        (vec![unset("emails.value")], "null"),
    ]
    .into_iter()
    .enumerate()
    {
        let mut attributes = json(start);
        attributes.set("userName", format!("a{at}"));
        let id = place.create("User", attributes).await;
        let text = format!("{:?}", changes[0].path.to_string());
        apply(&place, operation(Action::Update, "User", Some(&id), changes)).await.unwrap();
        let found = place.get("User", &id).await.unwrap().attributes;
        let emails = found.find("emails").unwrap_or(&Value::Null);
        let want: Value = serde_json::from_str(want).unwrap();
        assert_eq!(*emails, want, "{text}");
    }
}

async fn switching_on_and_off(place: Place) {
    let id = place.create("User", crate::user("ada")).await;
    let switch = async |action, changes| {
        let id = apply(&place, operation(action, "User", Some(&id), changes)).await.unwrap();
        let found = place.get("User", &id).await.unwrap();
        (found.version, found.is_active())
    };
    assert_eq!(switch(Action::Enable, vec![]).await, (1, true));
    assert_eq!(switch(Action::Disable, vec![set("title", "gone")]).await, (2, false));
    assert_eq!(switch(Action::Disable, vec![]).await, (2, false));
    assert_eq!(switch(Action::Enable, vec![]).await, (3, true));
    let group = place.create("Group", crate::group("g")).await;
    let error = apply(&place, operation(Action::Disable, "Group", Some(&group), vec![])).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::NotSupported);
}

async fn updates_and_preconditions(place: Place) {
    let id = place.create("User", crate::user("ada")).await;
    let update = |title: &str, tag: Option<&str>| Operation {
        if_match: tag.map(Into::into),
        ..operation(Action::Update, "User", Some(&id), vec![set("title", title)])
    };
    let mut done = place.apply(&[update("a", Some("W/\"1\"")), update("a", None), update("b", Some("\"2\""))]).await;
    assert_eq!(done.pop().unwrap().unwrap().etag.as_deref(), Some("W/\"3\""));
    assert_eq!(done.pop().unwrap().unwrap().etag.as_deref(), Some("W/\"2\""));
    for tag in ["W/\"1\"", "strange"] {
        let error = apply(&place, update("c", Some(tag))).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::PreconditionFailed, "{tag}");
    }
    apply(&place, operation(Action::Delete, "User", Some(&id), vec![])).await.unwrap();
    assert_eq!(place.session.get(&cx(), "User", &id).await.unwrap(), None);
    let error = apply(&place, operation(Action::Delete, "User", Some(&id), vec![])).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::NotFound);
}

async fn managers(place: Place) {
    let boss = place.create("User", crate::user("boss")).await;
    let mut version = 1;
    let id = place.create("User", crate::user("ada")).await;
    let long = format!("{ENTERPRISE}:manager.value");
    let short = format!("{ENTERPRISE}:manager");
    let by = Value::Text(boss.0.clone());
    for (change, is_set) in [
        (set("manager", by.clone()), true),
        (change("manager", ChangeOp::Unset, Value::Null), false),
        (set(&long, by.clone()), true),
        (set(&short, Value::Null), false),
        (set("[manager]", Value::reference("User", boss.clone())), true),
        (change("manager", ChangeOp::Remove, by.clone()), false),
        (set("manager.value", by.clone()), true),
    ] {
        let done = apply(&place, operation(Action::Update, "User", Some(&id), vec![change])).await;
        assert_eq!(done.unwrap(), id);
        version += 1;
        let record = record(&place, "User", &id).await;
        assert_eq!(record.etag.unwrap(), format!("W/\"{version}\""));
        let reference = is_set.then(|| Value::reference("User", boss.clone()));
        assert_eq!(record.attributes.find("manager"), reference.as_ref());
        let path: provost_model::AttributePath = long.parse().unwrap();
        assert_eq!(path.get(&record.attributes), is_set.then_some(&by));
    }
    let other = change("manager", ChangeOp::Remove, "other");
    apply(&place, operation(Action::Update, "User", Some(&id), vec![other])).await.unwrap();
    assert_eq!(place.get("User", &id).await.unwrap().version, version);
}

async fn group_members(place: Place) {
    let (a, b) = (place.create("User", crate::user("a")).await, place.create("User", crate::user("b")).await);
    let changes = vec![set("displayName", "g"), set("members", texts([&a]))];
    let id = apply(&place, operation(Action::Create, "Group", None, changes)).await.unwrap();
    let members = async || {
        let record = record(&place, "Group", &id).await;
        let list = record.attributes.find("members").and_then(Value::as_list).unwrap().to_vec();
        list.iter().map(|member| member.as_reference().unwrap().id.clone()).collect::<Vec<_>>()
    };
    assert_eq!(members().await, std::slice::from_ref(&a));
    let both = || {
        let mut both = vec![a.clone(), b.clone()];
        both.sort_unstable();
        both
    };
    for (change, want) in [
        (change("members", ChangeOp::Add, texts([&b])), both()),
        (change("members", ChangeOp::Add, texts([&b, &a])), both()),
        (change("members", ChangeOp::Remove, texts([&a])), vec![b.clone()]),
        (set("members.value", texts([&a])), vec![a.clone()]),
        (change("members", ChangeOp::Unset, Value::Null), vec![]),
    ] {
        apply(&place, operation(Action::Update, "Group", Some(&id), vec![change])).await.unwrap();
        assert_eq!(members().await, want);
    }
    let add = change("members", ChangeOp::Add, Value::List(vec!["nobody".into()]));
    let error = apply(&place, operation(Action::Update, "Group", Some(&id), vec![add])).await.unwrap_err();
    assert_eq!((error.code, error.path.as_deref()), (ErrorCode::Dependency, Some("members")));
}

async fn lookups(place: Place) {
    // The last two share an externalId.
    let person = |number: usize| {
        let external = number.min(1_198);
        json(&format!(
            r#"{{"userName":"User{number}","externalId":"e{external}","emails":[{{"value":"M{number}@x"}}]}}"#
        ))
    };
    place.write((0..1_200).map(|number| provost_directory::Write::create("User", person(number))).collect()).await;
    let ask = async |path: &str, values: Vec<Value>| {
        let request = LookupRequest { class: "User".into(), path: path.parse().unwrap(), values };
        let found = place.session.lookup(&cx(), request).await.unwrap();
        let name = |record: &Record| record.attributes.find("userName").unwrap().as_text().unwrap().to_owned();
        found.iter().map(|records| records.iter().map(name).collect::<Vec<_>>()).collect::<Vec<_>>()
    };
    let values: Vec<Value> = (0..1_000).map(|number| format!("uSER{number}").into()).collect();
    let found = ask("userName", values).await;
    assert!(found.iter().enumerate().all(|(at, names)| *names == [format!("User{at}")]));
    let odd = vec!["user7".into(), "none".into(), Value::Null, "USER7".into(), "a\0".into(), Value::Boolean(true)];
    assert_eq!(ask("userName", odd).await, [vec!["User7"], vec![], vec![], vec!["User7"], vec![], vec![]]);
    let mut found = ask("externalId", vec!["e1198".into(), "E1".into()]).await;
    found[0].sort_unstable();
    assert_eq!(found, [vec!["User1198", "User1199"], vec![]]);
    assert_eq!(
        ask("emails.value", vec!["m3@X".into(), "m1100@x".into(), "m".into()]).await,
        [vec!["User3"], vec!["User1100"], vec![]]
    );
    let id = place.create("User", crate::user("last")).await;
    assert_eq!(
        ask("id", vec![Value::Text(id.0.clone()), Value::reference("User", id.clone())]).await,
        [["last"], ["last"]]
    );
}

async fn finding(place: Place) {
    for name in ["ada", "bob", "cy"] {
        place.create("User", crate::user(name)).await;
    }
    let ask = |text: &str, cursor: Option<Cursor>| FindRequest {
        page_size: 1,
        cursor,
        ..FindRequest::new("User", text.parse().unwrap())
    };
    let (mut count, mut cursor) = (0, None);
    loop {
        let page = place.session.find(&cx(), ask("userName sw \"a\" or userName ew \"y\"", cursor)).await.unwrap();
        count += page.records.len();
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(count, 2);
    let error = place.session.find(&cx(), ask("userName REGEX MATCH \"a\"", None)).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::NotSupported);
}

async fn scan(place: &Place, class: &str, mode: ScanMode, known: Option<Arc<dyn KnownDigests>>) -> ScanPage {
    let request = ScanRequest { mode, page_size: 100, known, ..ScanRequest::full(class) };
    let mut scan = place.session.scan(&cx(), request).await.unwrap();
    let mut all = ScanPage::default();
    loop {
        let page = scan.next(&cx()).await.unwrap();
        all.items.extend(page.items);
        all.faults.extend(page.faults);
        if page.end.is_some() {
            all.end = page.end;
            return all;
        }
    }
}

fn since(cursor: &str) -> ScanMode {
    ScanMode::Changes { cursor: Some(Cursor(cursor.into())) }
}

fn ids(page: &ScanPage) -> Vec<(char, ObjectId)> {
    let id = |item: &ScanItem| match item {
        ScanItem::Upsert(record) => ('u', record.id.clone()),
        ScanItem::Unchanged(id) => ('=', id.clone()),
        ScanItem::Tombstone(id) => ('x', id.clone()),
    };
    page.items.iter().map(id).collect()
}

async fn full_scan(place: Place) {
    let empty = scan(&place, "User", ScanMode::Full, None).await;
    assert!(empty.items.is_empty() && empty.end.unwrap().complete);
    // Exactly some pages, and one more.
    for more in [200, 1] {
        let writes =
            (0..more).map(|number| provost_directory::Write::create("User", crate::user(&format!("{more}-{number}"))));
        place.write(writes.collect()).await;
        let all = scan(&place, "User", ScanMode::Full, None).await;
        let end = all.end.as_ref().unwrap();
        assert_eq!(
            (all.items.len(), end.count, end.complete),
            (end.count as usize, place.session.count(&cx(), "User").await.unwrap(), true)
        );
        let mut ids: Vec<_> = ids(&all);
        ids.dedup();
        assert_eq!(ids.len() as u64, end.count);
    }
}

async fn feed(place: Place) {
    let cursor = |page: &ScanPage| page.end.as_ref().unwrap().cursor.as_ref().unwrap().0.clone();
    let none = ScanMode::Changes { cursor: None };
    let start = scan(&place, "User", none, None).await;
    assert_eq!((start.items.len(), cursor(&start).as_str()), (0, "0"));
    let (a, b) = (place.create("User", crate::user("a")).await, place.create("User", crate::user("b")).await);
    let group = place.create("Group", crate::group("g")).await;
    let first = scan(&place, "User", since("0"), None).await;
    assert_eq!(ids(&first), [('u', a.clone()), ('u', b.clone())]);
    let groups = scan(&place, "Group", since("0"), None).await;
    assert_eq!(ids(&groups), [('u', group.clone())]);

    let add = change("members", ChangeOp::Add, texts([&a]));
    apply(&place, operation(Action::Update, "Group", Some(&group), vec![add])).await.unwrap();
    apply(&place, operation(Action::Update, "User", Some(&a), vec![set("title", "x")])).await.unwrap();
    apply(&place, operation(Action::Update, "User", Some(&b), vec![])).await.unwrap();
    let second = scan(&place, "User", since(&cursor(&first)), None).await;
    assert_eq!(ids(&second), [('u', a.clone())]);
    let moved = scan(&place, "Group", since(&cursor(&groups)), None).await;
    assert_eq!(ids(&moved), [('u', group.clone())]);

    apply(&place, operation(Action::Delete, "User", Some(&a), vec![])).await.unwrap();
    let third = scan(&place, "User", since(&cursor(&second)), None).await;
    assert_eq!(ids(&third), [('x', a.clone())]);
    // The group lost its member by that.
    let moved = scan(&place, "Group", since(&cursor(&moved)), None).await;
    assert_eq!(ids(&moved), [('u', group)]);
    let ScanItem::Upsert(record) = &moved.items[0] else { panic!("{moved:?}") };
    assert_eq!(record.attributes.find("members"), Some(&Value::List(Vec::new())));
    assert!(scan(&place, "User", since(&cursor(&third)), None).await.items.is_empty());
    assert_eq!(ids(&scan(&place, "User", since("0"), None).await), [('u', b), ('x', a)]);

    for wrong in ["1000000", "x", "-1"] {
        let request = ScanRequest { mode: since(wrong), page_size: 1, ..ScanRequest::full("User") };
        assert_eq!(place.session.scan(&cx(), request).await.err().unwrap().code, ErrorCode::CursorExpired);
    }
}

/// A reader whose place is from before what the feed has forgotten reads everything; one who has read past it goes on.
async fn feed_forgets(place: Place) {
    let cursor = |page: &ScanPage| page.end.as_ref().unwrap().cursor.as_ref().unwrap().0.clone();
    let (a, b) = (place.create("User", crate::user("a")).await, place.create("User", crate::user("b")).await);
    let before = cursor(&scan(&place, "User", since("0"), None).await);
    apply(&place, operation(Action::Delete, "User", Some(&a), vec![])).await.unwrap();
    let after = cursor(&scan(&place, "User", since(&before), None).await);
    // Somebody else is in the middle of it.
    let request = |cursor: &str| ScanRequest { mode: since(cursor), page_size: 1, ..ScanRequest::full("User") };
    let mut slow = place.session.scan(&cx(), request("0")).await.unwrap();
    assert_eq!(slow.next(&cx()).await.unwrap().items.len(), 1);

    let through = after.parse().unwrap();
    place.store.note_feed_begin("User", through).await.unwrap();
    assert_eq!(place.store.prune_tombstones("User", through, i64::MAX, 100, false).await.unwrap(), 1);

    for late in ["0", before.as_str()] {
        let error = place.session.scan(&cx(), request(late)).await.err().unwrap();
        assert_eq!(error.code, ErrorCode::CursorExpired, "{late}");
    }
    let error = slow.next(&cx()).await.err().unwrap();
    assert_eq!((error.code, error.retry), (ErrorCode::Unreadable, provost_connector::Retry::NextCycle), "{error}");
    assert!(scan(&place, "User", since(&after), None).await.items.is_empty());
    assert_eq!(ids(&scan(&place, "User", ScanMode::Full, None).await), [('u', b)]);
    // Groups have a feed of their own.
    scan(&place, "Group", since("0"), None).await;
}

/// The groups of a user are read on request, by scan and search, and move her in the feed when they change.
async fn groups_of_a_user(place: Place) {
    let requested = vec!["groups".into()];
    let (a, b) = (place.create("User", crate::user("a")).await, place.create("User", crate::user("b")).await);
    let group = place.create("Group", crate::group("g")).await;
    let edit = |path: &str, op: ChangeOp, value: Value| {
        operation(Action::Update, "Group", Some(&group), vec![change(path, op, value)])
    };
    let names = |record: &provost_model::Record| -> Option<Vec<String>> {
        let display =
            |group: &Value| group.as_complex().unwrap().find("display").unwrap().to_text().unwrap().into_owned();
        Some(record.attributes.find("groups")?.elements().iter().map(display).collect())
    };
    let read = async |cursor: &str| {
        let request = ScanRequest { mode: since(cursor), requested: requested.clone(), ..ScanRequest::full("User") };
        let page = place.session.scan(&cx(), request).await.unwrap().next(&cx()).await.unwrap();
        let shown = |item: &ScanItem| match item {
            ScanItem::Upsert(record) => (record.id.clone(), names(record), record.raw_digest, record.etag.clone()),
            other => panic!("{other:?}"),
        };
        let shown: Vec<_> = page.items.iter().map(shown).collect();
        (shown, page.end.unwrap().cursor.unwrap().0)
    };
    let (first, cursor) = read("0").await;
    assert_eq!(first.iter().map(|row| row.1.clone()).collect::<Vec<_>>(), [Some(vec![]), Some(vec![])]);

    apply(&place, edit("members", ChangeOp::Add, texts([&a]))).await.unwrap();
    let (joined, cursor) = read(&cursor).await;
    assert_eq!(joined.len(), 1);
    assert_eq!((&joined[0].0, &joined[0].1), (&a, &Some(vec!["g".to_owned()])));
    assert_ne!(joined[0].2, first[0].2, "another digest");
    assert_eq!(joined[0].3, first[0].3, "the user's version is as it was");

    apply(&place, edit("displayName", ChangeOp::Set, "G".into())).await.unwrap();
    let (renamed, cursor) = read(&cursor).await;
    assert_eq!((renamed.len(), &renamed[0].1), (1, &Some(vec!["G".to_owned()])));
    apply(&place, edit("externalId", ChangeOp::Set, "x".into())).await.unwrap();
    assert_eq!(read(&cursor).await.0.len(), 0, "the name is what members show");

    let found =
        FindRequest { requested: requested.clone(), ..FindRequest::new("User", "userName eq \"a\"".parse().unwrap()) };
    let found = place.session.find(&cx(), found).await.unwrap().records;
    assert_eq!(names(&found[0]), Some(vec!["G".to_owned()]));
    let unasked = FindRequest::new("User", "userName eq \"a\"".parse().unwrap());
    assert_eq!(names(&place.session.find(&cx(), unasked).await.unwrap().records[0]), None);

    apply(&place, edit("members", ChangeOp::Set, texts([&b]))).await.unwrap();
    let (mut swapped, cursor) = read(&cursor).await;
    swapped.sort_by_key(|row| row.0 != a);
    assert_eq!(swapped.iter().map(|row| row.1.clone().unwrap().len()).collect::<Vec<_>>(), [0, 1]);
    apply(&place, operation(Action::Delete, "Group", Some(&group), vec![])).await.unwrap();
    let (left, _) = read(&cursor).await;
    assert_eq!((left.len(), &left[0].0, &left[0].1), (1, &b, &Some(vec![])));
}

struct Known(Vec<(ObjectId, Digest)>);

impl KnownDigests for Known {
    fn is_unchanged(&self, id: &str, digest: Digest) -> bool {
        self.0.iter().any(|known| known.0 == *id && known.1 == digest)
    }
}

async fn known_digests(place: Place) {
    let user = place.create("User", crate::user("a")).await;
    let group = place.create("Group", crate::group("g")).await;
    for class in ["User", "Group"] {
        let first = scan(&place, class, ScanMode::Full, None).await;
        let digest = |item: &ScanItem| match item {
            ScanItem::Upsert(record) => (record.id.clone(), record.raw_digest.unwrap()),
            other => panic!("{other:?}"),
        };
        let known = Arc::new(Known(first.items.iter().map(digest).collect()));
        let again = scan(&place, class, ScanMode::Full, Some(known.clone())).await;
        assert!(matches!(again.items[..], [ScanItem::Unchanged(_)]));
        assert_eq!(again.end.unwrap().count, 1);
        let id = if class == "User" { &user } else { &group };
        let change = if class == "User" { set("title", "x") } else { change("members", ChangeOp::Add, texts([&user])) };
        apply(&place, operation(Action::Update, class, Some(id), vec![change])).await.unwrap();
        let changed = scan(&place, class, ScanMode::Full, Some(known)).await;
        assert!(matches!(changed.items[..], [ScanItem::Upsert(_)]));
    }
}

async fn a_batch(place: Place) {
    let create = |number: usize| {
        // Every tenth has no name, every eleventh has one that is taken.
        let name = if number.is_multiple_of(11) { "same".to_owned() } else { format!("u{number}") };
        let changes: Vec<Change> = if number % 10 == 5 { vec![] } else { vec![set("userName", name)] };
        Operation { id: number.to_string().into(), ..operation(Action::Create, "User", None, changes) }
    };
    let operations: Vec<Operation> = (0..1_000).map(create).collect();
    let applied = place.session.apply(&cx(), &operations).await;
    assert!(applied.iter().enumerate().all(|(at, applied)| applied.operation == *at.to_string()));
    let outcomes = place.apply(&[create(5), create(11), create(1_002)]).await;
    assert_eq!(outcomes[0].as_ref().unwrap_err().code, ErrorCode::MissingRequired);
    assert_eq!(outcomes[1].as_ref().unwrap_err().code, ErrorCode::AlreadyExists);
    assert!(outcomes[2].is_ok());
    let same = 1_000usize.div_ceil(11) - (0..1_000).filter(|n| n % 11 == 0 && n % 10 == 5).count();
    assert_eq!(place.session.count(&cx(), "User").await.unwrap() as usize, 900 - same + 1 + 1);
    assert!(place.apply(&[]).await.is_empty());
    let cancelled = cx();
    cancelled.cancel.cancel();
    let outcome = &place.session.apply(&cancelled, &operations[..1]).await[0].outcome;
    assert!(matches!(outcome, provost_connector::Outcome::Failed(error) if error.code == ErrorCode::Cancelled));
}

use std::sync::Arc;

use provost_model::Timestamp;
use provost_model::clock::{Clock as _, ManualClock};
use provost_server::Token;
use provost_server::client::{Habit, Preset};
use provost_store::{NewToken, Store, TokenRow};

use serde_json::{Value, json};

use crate::{GROUP, PATCH, Service, USER, header, ids, refused};

const NOW: i64 = 1_800_000_000_000;

async fn last_used(store: &Store, id: &str, want: Option<i64>) {
    // It is noted beside the request.
    for _ in 0..200 {
        if store.token(id).await.unwrap().unwrap().last_used == want {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(store.token(id).await.unwrap().unwrap().last_used, want);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_of_the_store() {
    let clock = ManualClock::at(Timestamp::from_millisecond(NOW).unwrap());
    let store = Store::open("sqlite::memory:").await.unwrap();
    let service = Service::start(store.clone(), Arc::new(clock.clone()), Token::Stored).await;
    let make = async |id: &str, rights: &str, expires: Option<i64>| {
        let new = NewToken::generate().unwrap();
        let row = TokenRow {
            id: id.into(),
            name: id.into(),
            hash: new.hash,
            rights: rights.into(),
            created: NOW,
            expires,
            last_used: None,
            revoked: None,
            client: "{}".into(),
        };
        store.save_token(&row).await.unwrap();
        format!("Bearer {}", *new.text)
    };
    let all = make("all", "all", Some(NOW + 100_000)).await;
    let reader = make("reader", "read", None).await;
    let other = make("other", "console", None).await;
    let body = format!("{{\"schemas\":[\"{USER}\"],\"userName\":\"ada\"}}");
    let send = async |method: &str, token: &str| {
        let body = if method == "POST" { body.clone() } else { String::new() };
        service.raw(method, "/scim/v2/Users", &[("authorization", token)], body).await
    };

    assert_eq!(send("POST", &all).await.status, 201);
    last_used(&store, "all", Some(NOW)).await;
    assert_eq!(send("GET", &reader).await.status, 200);
    refused(&send("POST", &reader).await, 403, "");
    refused(&send("GET", &other).await, 403, "");
    refused(&send("GET", "Bearer prv_unknown").await, 401, "");

    clock.advance_ms(59_000);
    assert_eq!(send("GET", &all).await.status, 200);
    last_used(&store, "all", Some(NOW)).await;
    clock.advance_ms(1_000);
    assert_eq!(send("GET", &all).await.status, 200);
    last_used(&store, "all", Some(NOW + 60_000)).await;

    store.revoke_token("reader", clock.now_ms()).await.unwrap();
    clock.advance_ms(5_000);
    refused(&send("GET", &reader).await, 401, "");
    clock.advance_ms(34_999);
    assert_eq!(send("GET", &all).await.status, 200);
    clock.advance_ms(1);
    refused(&send("GET", &all).await, 401, "");
}

/// A service with stored tokens, and how to ask it as a client with these rights and settings.
pub struct Clients {
    pub service: Service,
    store: Store,
    clock: ManualClock,
}

impl Clients {
    pub async fn start() -> Self {
        let clock = ManualClock::at(Timestamp::from_millisecond(NOW).unwrap());
        let store = Store::open("sqlite::memory:").await.unwrap();
        let service = Service::start(store.clone(), Arc::new(clock.clone()), Token::Stored).await;
        Self { service, store, clock }
    }

    pub async fn client(&self, rights: &str, settings: Value) -> String {
        let new = NewToken::generate().unwrap();
        let row = TokenRow {
            id: new.hash.as_str().into(),
            name: rights.into(),
            hash: new.hash,
            rights: rights.into(),
            created: NOW,
            expires: None,
            last_used: None,
            revoked: None,
            client: settings.to_string(),
        };
        self.store.save_token(&row).await.unwrap();
        format!("Bearer {}", *new.text)
    }

    async fn ask(&self, token: &str, method: &str, path: &str, body: Value) -> provost_testkit::Answer {
        let text = if body.is_null() { String::new() } else { body.to_string() };
        let headers = [("authorization", token), ("content-type", "application/scim+json")];
        self.service.raw(method, &format!("/scim/v2{path}"), &headers, text).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rights_by_type() {
    let all = Clients::start().await;
    let admin = all.client("all", json!({})).await;
    let user = json!({ "schemas": [USER], "userName": "ada" });
    let group = json!({ "schemas": [GROUP], "displayName": "Staff" });
    let made = all.ask(&admin, "POST", "/Users", user.clone()).await;
    assert_eq!(all.ask(&admin, "POST", "/Groups", group.clone()).await.status, 201);
    let users = all.client("read scim:write:User", json!({ "types": ["User"] })).await;
    let bob = json!({ "schemas": [USER], "userName": "bob" });
    assert_eq!(all.ask(&users, "POST", "/Users", bob).await.status, 201);
    for (method, path, body) in [
        ("GET", "/Groups", Value::Null),
        ("POST", "/Groups", group.clone()),
        ("DELETE", "/Groups/x", Value::Null),
        ("POST", "/Groups/.search", json!({ "schemas": [crate::SEARCH] })),
    ] {
        refused(&all.ask(&users, method, path, body).await, 403, "");
    }
    // At the root it sees what it may; in a bulk request each operation is asked about.
    assert_eq!(all.ask(&users, "GET", "/", Value::Null).await.body["totalResults"], 2);
    let operation = |path: &str, data: &Value| json!({ "method": "POST", "path": path, "bulkId": path, "data": data });
    let cy = json!({ "schemas": [USER], "userName": "cy" });
    let bulk = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
        "Operations": [operation("/Groups", &group), operation("/Users", &cy)] });
    let done = all.ask(&users, "POST", "/Bulk", bulk).await;
    assert_eq!((done.text("/Operations/0/status"), done.text("/Operations/1/status")), ("403", "201"));
    let reader = all.client("scim:read:User", json!({})).await;
    assert_eq!(ids(&all.ask(&reader, "GET", "/Users", Value::Null).await).len(), 3);
    refused(&all.ask(&reader, "DELETE", &format!("/Users/{}", made.text("/id")), Value::Null).await, 403, "");
    // Settings that cannot be read give nothing away.
    let broken = all.client("all", json!({ "type": ["User"] })).await;
    refused(&all.ask(&broken, "GET", "/Users", Value::Null).await, 403, "");
}

/// `scim:` is for `/scim` alone; beside it, `/api/v1` has applications, assignments and the language.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rights_for_scim_alone() {
    let all = Clients::start().await;
    let scim = all.client("scim:read scim:write scim:write:Application", json!({})).await;
    let (admin, reader) = (all.client("all", json!({})).await, all.client("read scim:write", json!({})).await);
    let ask = async |token: &str, method: &str, path: &str, body: Value| {
        let headers = [("authorization", token), ("content-type", "application/json")];
        all.service.raw(method, &format!("/api/v1{path}"), &headers, body.to_string()).await
    };
    let application = || json!({ "schemas": ["urn:provost:scim:schemas:2.0:Application"], "displayName": "Slack" });
    assert_eq!(all.ask(&scim, "POST", "/Users", json!({ "schemas": [USER], "userName": "ada" })).await.status, 201);
    for (method, path) in [
        ("GET", "/scim/Applications"),
        ("GET", "/scim/Assignments"),
        ("GET", "/scim/Users"),
        ("GET", "/scim"),
        ("GET", "/scim/Schemas"),
        ("POST", "/scim/Applications"),
        ("POST", "/scim/Bulk"),
        ("POST", "/scim/.search"),
    ] {
        refused(&ask(&scim, method, path, application()).await, 403, "");
    }
    let check = json!({ "expression": "[userName]" });
    let language = ask(&scim, "POST", "/expressions/check", check.clone()).await;
    assert_eq!((language.status, language.text("/code")), (403, "PRV-0802"));

    assert_eq!(ask(&admin, "POST", "/scim/Applications", application()).await.status, 201);
    assert_eq!(ask(&reader, "GET", "/scim/Applications", Value::Null).await.body["totalResults"], 1);
    refused(&ask(&reader, "POST", "/scim/Applications", application()).await, 403, "");
    assert_ne!(ask(&reader, "POST", "/expressions/check", check).await.status, 403);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_many_requests() {
    let all = Clients::start().await;
    let slow = all.client("all", json!({ "rate": 0.5, "burst": 2 })).await;
    let other = all.client("all", json!({})).await;
    for _ in 0..2 {
        assert_eq!(all.ask(&slow, "GET", "/Users", Value::Null).await.status, 200);
    }
    let refusal = all.ask(&slow, "GET", "/Users", Value::Null).await;
    refused(&refusal, 429, "");
    assert_eq!(header(&refusal, "retry-after"), "2");
    assert_eq!(all.ask(&other, "GET", "/Users", Value::Null).await.status, 200);
    all.clock.advance_ms(1_999);
    assert_eq!(header(&all.ask(&slow, "GET", "/Users", Value::Null).await, "retry-after"), "1");
    all.clock.advance_ms(1);
    assert_eq!(all.ask(&slow, "GET", "/Users", Value::Null).await.status, 200);
    // The bucket is the client's, also when the token is read anew.
    all.clock.advance_ms(1_900);
    assert_eq!(all.ask(&slow, "GET", "/Users", Value::Null).await.status, 429);
    all.clock.advance_ms(200);
    assert_eq!(all.ask(&slow, "GET", "/Users", Value::Null).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ways_of_clients() {
    let all = Clients::start().await;
    let (any, strict) = (all.client("all", json!({})).await, all.client("all", json!({ "preset": "rfc" })).await);
    let user = json!({ "schemas": [USER], "userName": "ada" });
    let made = all.ask(&any, "POST", "/Users", user).await;
    let id = made.text("/id").to_owned();
    let members = json!([{ "value": id }]);
    let staff = json!({ "schemas": [GROUP], "displayName": "Staff", "members": members });
    let staff = all.ask(&any, "POST", "/Groups", staff).await;
    let (ada, staff) = (format!("/Users/{id}"), format!("/Groups/{}", staff.text("/id")));
    let patch = |operation: Value| json!({ "schemas": [PATCH], "Operations": [operation] });
    for (path, operation, keyword) in [
        (&ada, json!({ "op": "Replace", "path": "title", "value": "x" }), "invalidSyntax"),
        (&ada, json!({ "op": "replace", "path": "active", "value": "False" }), "invalidValue"),
        (&ada, json!({ "op": "add", "value": { "name.givenName": "Ada" } }), "invalidPath"),
        (&staff, json!({ "op": "remove", "path": "members", "value": members }), "invalidValue"),
    ] {
        refused(&all.ask(&strict, "PATCH", path, patch(operation.clone())).await, 400, keyword);
        assert_eq!(all.ask(&any, "PATCH", path, patch(operation)).await.status, 200);
    }
    let text = json!({ "schemas": [USER], "userName": "bob", "active": "True" });
    refused(&all.ask(&strict, "POST", "/Users", text.clone()).await, 400, "invalidValue");
    assert_eq!(all.ask(&any, "POST", "/Users", text).await.status, 201);

    // Entra reads no body after a change of a group, unless it asks for one.
    let entra = all.client("all", json!({ "preset": "entra" })).await;
    let add = patch(json!({ "op": "Add", "path": "members", "value": members }));
    let done = all.ask(&entra, "PATCH", &staff, add.clone()).await;
    assert_eq!((done.status, done.body.is_null(), header(&done, "etag").is_empty()), (204, true, false));
    let asked = all.ask(&entra, "PATCH", &format!("{staff}?attributes=displayName"), add.clone()).await;
    assert_eq!((asked.status, asked.text("/displayName")), (200, "Staff"));
    let title = patch(json!({ "op": "Add", "path": "title", "value": "x" }));
    assert_eq!(all.ask(&entra, "PATCH", &ada, title).await.status, 200);
    let full = all.client("all", json!({ "preset": "entra", "without": ["empty-group-patch"] })).await;
    assert_eq!(all.ask(&full, "PATCH", &staff, add).await.status, 200);
}

/// Each habit by itself: refused to those who do not have it, understood from those who do, whatever else they have.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn habits_are_switches() {
    let all = Clients::start().await;
    let admin = all.client("all", json!({})).await;
    let made = all.ask(&admin, "POST", "/Users", json!({ "schemas": [USER], "userName": "ada" })).await;
    let id = made.text("/id").to_owned();
    let members = json!([{ "value": id }]);
    let staff = json!({ "schemas": [GROUP], "displayName": "Staff", "members": members });
    let staff = all.ask(&admin, "POST", "/Groups", staff).await;
    let (ada, staff) = (format!("/Users/{id}"), format!("/Groups/{}", staff.text("/id")));
    let patch = |operation: Value| json!({ "schemas": [PATCH], "Operations": [operation] });
    let one_login = json!({ "schemas": ["urn:scim:schemas:core:2.0"], "userName": "ada" });
    let enterprise = crate::ENTERPRISE;
    let sent = [
        ("op-case", "PATCH", ada.clone(), patch(json!({ "op": "Replace", "path": "title", "value": "x" }))),
        ("op-case", "PATCH", staff.clone(), patch(json!({ "op": "REMOVE", "path": "members[value eq \"7\"]" }))),
        ("string-booleans", "PATCH", ada.clone(), patch(json!({ "op": "replace", "path": "active", "value": "True" }))),
        ("string-booleans", "PUT", ada.clone(), json!({ "schemas": [USER], "userName": "ada", "active": "False" })),
        (
            "member-value-list",
            "PATCH",
            staff.clone(),
            patch(json!({ "op": "remove", "path": "members", "value": members })),
        ),
        ("dotted-keys", "PATCH", ada.clone(), patch(json!({ "op": "add", "value": { "name.givenName": "Ada" } }))),
        (
            "dotted-keys",
            "PATCH",
            ada.clone(),
            patch(json!({ "op": "replace", "value": { format!("{enterprise}:department"): "x" } })),
        ),
        (
            "bare-values",
            "PATCH",
            ada.clone(),
            patch(json!({ "op": "add", "path": format!("{enterprise}:manager"), "value": id })),
        ),
        ("old-urns", "PUT", ada.clone(), one_login),
        ("loose-query", "GET", "/Users?filter=userName+eq+%22ada%22".to_owned(), Value::Null),
        ("loose-query", "GET", "/Users?filter=userName%20eq%20%22ada%22&".to_owned(), Value::Null),
    ];
    for word in Habit::WORDS {
        let alone = all.client("all", json!({ "preset": "rfc", "with": [word] })).await;
        let others = all.client("all", json!({ "without": [word] })).await;
        for (habit, method, path, body) in &sent {
            let done = all.ask(&alone, method, path, body.clone()).await.status;
            let want = if *habit == word { [200, 204].contains(&done) } else { done == 400 };
            assert!(want, "{word} alone: {habit}: {method} {path}: {done}");
            let done = all.ask(&others, method, path, body.clone()).await;
            assert_eq!(done.status, if *habit == word { 400 } else { 200 }, "all but {word}: {habit}: {path}");
        }
    }
    for preset in Preset::WORDS {
        let client = all.client("all", json!({ "preset": preset })).await;
        let has: Vec<String> =
            serde_json::from_value::<Preset>(preset.into()).unwrap().habits().iter().map(word).collect();
        for (habit, method, path, body) in &sent {
            let done = all.ask(&client, method, path, body.clone()).await.status;
            assert_eq!(
                done == 400,
                !has.iter().any(|have| have == habit),
                "{preset}: {habit}: {method} {path}: {done}"
            );
        }
    }
}

fn word(habit: &Habit) -> String {
    serde_json::to_value(habit).unwrap().as_str().unwrap().to_owned()
}

/// What is not encoded in an address, which the HTTP library would not even hand on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn raw_quotes_are_a_habit() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let all = Clients::start().await;
    for (settings, want) in [(json!({}), "200"), (json!({ "preset": "okta" }), "400")] {
        let client = all.client("all", settings).await;
        let mut stream = tokio::net::TcpStream::connect(&all.service.address).await.unwrap();
        let query = "filter=userName%20eq%20\"ada\"";
        let head = format!(
            "GET /scim/v2/Users?{query} HTTP/1.1\r\nhost: x\r\nauthorization: {client}\r\nconnection: close\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {want}")), "{answer}");
        assert_eq!(answer.contains("%22"), want == "400", "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_to_a_patch() {
    let all = Clients::start().await;
    let any = all.client("all", json!({})).await;
    let made = all.ask(&any, "POST", "/Users", json!({ "schemas": [USER], "userName": "ada" })).await;
    let members = json!([{ "value": made.text("/id") }]);
    let staff = json!({ "schemas": [GROUP], "displayName": "Staff", "members": members });
    let staff = all.ask(&any, "POST", "/Groups", staff).await;
    let (ada, staff) = (format!("/Users/{}", made.text("/id")), format!("/Groups/{}", staff.text("/id")));
    let body = json!({ "schemas": [PATCH], "Operations": [{ "op": "replace", "path": "externalId", "value": "7" }] });
    for (habits, user, group, shows_members) in [
        (json!([]), 200, 200, true),
        (json!(["empty-patch"]), 204, 204, false),
        (json!(["empty-group-patch"]), 200, 204, false),
        (json!(["no-members-in-patch"]), 200, 200, false),
    ] {
        let client = all.client("all", json!({ "preset": "rfc", "with": habits })).await;
        assert_eq!(all.ask(&client, "PATCH", &ada, body.clone()).await.status, user, "{habits}");
        let done = all.ask(&client, "PATCH", &staff, body.clone()).await;
        assert_eq!((done.status, done.body.get("members").is_some()), (group, shows_members), "{habits}");
        // Whoever asks for something gets it.
        let asked = all.ask(&client, "PATCH", &format!("{staff}?attributes=members"), body.clone()).await;
        assert_eq!((asked.status, asked.body.get("members").is_some()), (200, true), "{habits}");
        let read = all.ask(&client, "GET", &staff, Value::Null).await;
        assert!(read.body.get("members").is_some(), "{habits}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_that_are_refused_and_users_of_their_own() {
    let all = Clients::start().await;
    let any = all.client("all", json!({})).await;
    let made = all.ask(&any, "POST", "/Users", json!({ "schemas": [USER], "userName": "ada" })).await;
    let id = made.text("/id").to_owned();
    refused(&all.ask(&any, "GET", "/Me", Value::Null).await, 404, "");
    refused(&all.ask(&any, "POST", "/Me", json!({})).await, 405, "");
    let ada = all.client("read", json!({ "me": id })).await;
    let me = all.ask(&ada, "GET", "/Me", Value::Null).await;
    assert_eq!((me.status, header(&me, "location")), (308, made.text("/meta/location")));
    let some = all.ask(&ada, "GET", "/Me?attributes=userName&x=%22", Value::Null).await;
    let want = format!("{}?attributes=userName&x=%22", made.text("/meta/location"));
    assert_eq!((some.status, header(&some, "location")), (308, want.as_str()));

    let exact = all.client("all", json!({ "refuse_unknown_members": true })).await;
    let group = |members: Value| json!({ "schemas": [GROUP], "displayName": "Staff", "members": members });
    let known = all.ask(&exact, "POST", "/Groups", group(json!([{ "value": id }]))).await;
    assert_eq!(known.status, 201);
    let stranger = json!([{ "value": id }, { "value": "nobody" }]);
    refused(&all.ask(&exact, "POST", "/Groups", group(stranger.clone())).await, 400, "invalidValue");
    assert_eq!(all.ask(&any, "POST", "/Groups", group(stranger.clone())).await.status, 201);
    let path = format!("/Groups/{}", known.text("/id"));
    refused(&all.ask(&exact, "PUT", &path, group(stranger.clone())).await, 400, "invalidValue");
    let add = json!({ "schemas": [PATCH], "Operations": [{ "op": "add", "path": "members", "value": stranger }] });
    refused(&all.ask(&exact, "PATCH", &path, add).await, 400, "invalidValue");
    assert_eq!(all.ask(&any, "GET", &path, Value::Null).await.body["members"].as_array().unwrap().len(), 1);
}

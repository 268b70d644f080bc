use std::sync::Arc;

use provost_model::{AttributePath, Attributes, Change, ChangeOp, ClassSchema, Value};

use super::*;
use crate::{ScimType, TypeSchema, schema, urn};

fn writer(dialect: Dialect, types: &TypeSchema) -> BodyWriter {
    BodyWriter::new(Arc::new(dialect), Arc::new(schema::class_schema(types)), None)
}

fn change(path: &str, op: ChangeOp, json: &str) -> Change {
    let path: AttributePath = path.parse().unwrap();
    Change::new(Arc::new(path), op, serde_json::from_str(json).unwrap())
}

fn set(path: &str, json: &str) -> Change {
    change(path, ChangeOp::Set, json)
}

fn text(body: &[u8]) -> String {
    String::from_utf8(body.to_vec()).unwrap()
}

/// The operations alone, without brackets.
fn operations(bodies: &[UpdateBody]) -> Vec<String> {
    bodies
        .iter()
        .map(|body| {
            let head = "{\"schemas\":[\"urn:ietf:params:scim:api:messages:2.0:PatchOp\"],\"Operations\":[";
            let json = text(&body.json);
            // What is sent is a PATCH that this crate reads.
            crate::Patch::from_json(json.as_bytes(), &crate::Policy::patch()).unwrap();
            json.strip_prefix(head).unwrap().strip_suffix("]}").unwrap().to_owned()
        })
        .collect()
}

fn enterprise(name: &str) -> String {
    format!("{}:{name}", urn::ENTERPRISE_USER)
}

#[test]
fn a_create_folds_its_changes_into_one_resource() {
    let changes = [
        set("userName", r#""ada""#),
        set("active", r#""True""#),
        set("name.givenName", r#""Ada""#),
        set("name.familyName", r#""L""#),
        set("emails[type eq \"work\"].value", r#""a@x""#),
        set(&enterprise("department"), r#""Engines""#),
        set(&enterprise("manager"), r#"{"ref":{"class":"User","id":"7"}}"#),
        set("externalId", "42"),
        set("title", "null"),
        set("roles[value ne \"x\"].display", r#""no""#),
    ];
    let want = format!(
        "{{\"schemas\":[\"{}\",\"{e}\"],\"userName\":\"ada\",\"active\":true,\"name\":{{\"givenName\":\"Ada\",\"familyName\":\"L\"}},\
         \"emails\":[{{\"type\":\"work\",\"value\":\"a@x\",\"primary\":true}}],\
         \"{e}\":{{\"department\":\"Engines\",\"manager\":{{\"value\":\"7\"}}}},\"externalId\":\"42\"}}",
        urn::USER,
        e = urn::ENTERPRISE_USER
    );
    assert_eq!(text(&writer(Dialect::default(), &TypeSchema::user()).create(&changes)), want);

    // Two e-mails: none is made the primary one. A class without attributes: only what every SCIM target shares is known.
    let bare = ClassSchema { name: "User".into(), ..ClassSchema::default() };
    let dialect = Dialect { send_resource_type: true, ..Dialect::default() };
    let body = BodyWriter::new(Arc::new(dialect), Arc::new(bare), None).create(&[
        set("active", r#""False""#),
        set("emails[type eq \"work\"].value", r#""w""#),
        set("emails[type eq \"home\"].value", r#""h""#),
        set("manager", r#""7""#),
    ]);
    let want = format!(
        "{{\"schemas\":[\"{}\"],\"active\":false,\"emails\":[{{\"type\":\"work\",\"value\":\"w\"}},{{\"type\":\"home\",\"value\":\"h\"}}],\
         \"manager\":{{\"value\":\"7\"}},\"meta\":{{\"resourceType\":\"User\"}}}}",
        urn::USER
    );
    assert_eq!(text(&body), want);
}

/// A number below `limit`, from a seed that is printed when a test fails.
fn dice(seed: &mut u64, limit: usize) -> usize {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    ((*seed >> 33) as usize) % limit
}

/// The same body with its schemas sorted.
fn sorted(json: &serde_json::Value) -> serde_json::Value {
    let mut json = json.clone();
    if let Some(schemas) = json["schemas"].as_array_mut() {
        schemas.sort_by_key(ToString::to_string);
    }
    json
}

#[test]
fn the_quick_way_of_a_create_equals_the_general_one() {
    let usual = [
        "userName",
        "displayName",
        "active",
        "title",
        "externalId",
        "name.givenName",
        "name.familyName",
        "manager",
        "groups",
        "emails[type eq \"work\"].value",
        "emails[type eq \"home\"].value",
        "x509Certificates",
        "emails[type eq \"work\"].display",
        "emails[type eq \"home\"].primary",
        "phoneNumbers[type eq \"work\"].value",
        "phoneNumbers[type eq \"mobile\"].value",
        "addresses[type eq \"work\"].locality",
        "roles[primary eq \"x\"].value",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department",
        "urn:x:y:other",
        "urn:x:y:deep.er",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager",
        "urn:x:y:list[type eq \"a\"].value",
    ];
    let unusual = [
        "urn:ietf:params:scim:schemas:core:2.0:User:userName",
        "USERNAME",
        "name",
        "emails",
        "emails.value",
        "EMAILS[type eq \"work\"].value",
        "emails[type eq \"WORK\"].value",
        "emails[type eq \"work\"].type",
        "emails[primary eq true].value",
        "emails[type eq \"work\" and primary eq true].value",
        "schemas",
        "meta.version",
        "emails[type eq \"work\"]",
        "emails[type ne \"work\"].value",
        "urn:X:y:other",
        "manager.value",
        "members",
        "urn:x:y:emails[type eq \"work\"].value",
        "roles[value eq \"x\"].value",
        "urn:x:y:list",
        "roles",
    ];
    let values = [
        r#""text""#,
        r#""Zo\u00eb \"q\" \\ \n\t""#,
        r#""""#,
        r#""True""#,
        r#""false""#,
        r#""17""#,
        r#""-1.5""#,
        "true",
        "12",
        "1.5",
        "null",
        "[]",
        r#"["a","b"]"#,
        r#"[{"value":"a","type":"work"}]"#,
        "{}",
        r#"{"value":"v","primary":"true"}"#,
        r#"{"ref":{"class":"User","id":"7"}}"#,
        r#"[{"ref":{"class":"User","id":"7"}},{"ref":{"class":"User","id":"8"}}]"#,
        r#""work""#,
        r#""sales@example.org""#,
    ];
    let bare = ClassSchema { name: "User".into(), ..ClassSchema::default() };
    let entra = Dialect { extra_schemas: [("user".into(), vec!["urn:more".into()])].into(), ..Dialect::entra() };
    let make = |which: usize| match which {
        0 => writer(Dialect::default(), &TypeSchema::user()),
        1 => writer(entra.clone(), &TypeSchema::user()),
        _ => BodyWriter::new(Arc::new(Dialect::default()), Arc::new(bare.clone()), None),
    };
    let lasting = [make(0), make(1), make(2)];
    let json = |body: Vec<u8>| serde_json::from_slice::<serde_json::Value>(&body).unwrap();
    let (mut seed, mut quick) = (7, 0);
    for round in 0..6_000 {
        let before = seed;
        let strange = round % 3 == 0;
        let mut changes: Vec<Change> = Vec::new();
        for _ in 0..dice(&mut seed, 12) {
            let pool: &[&str] = if strange && dice(&mut seed, 4) == 0 { &unusual } else { &usual };
            let path = pool[dice(&mut seed, pool.len())];
            let op = match dice(&mut seed, if strange { 12 } else { 1 }) {
                9 => ChangeOp::Unset,
                10 => ChangeOp::Add,
                11 => ChangeOp::Remove,
                _ => ChangeOp::Set,
            };
            let odd = dice(&mut seed, 3) == 0;
            let value = if odd { values[dice(&mut seed, values.len())] } else { values[dice(&mut seed, 2)] };
            changes.push(change(path, op, value));
        }
        let which = dice(&mut seed, 3);
        let want = json(make(which).folded(&changes));
        let shown = || format!("seed {before}: {changes:?}");
        if let Some(body) = make(which).outlined(&changes) {
            assert_eq!(json(body), want, "{}", shown());
        }
        // A skeleton that has seen others before may name the schemas in another order.
        if let Some(body) = lasting[which].outlined(&changes) {
            quick += 1;
            assert_eq!(sorted(&json(body)), sorted(&want), "{}", shown());
        }
    }
    assert!(quick > 2_000, "{quick} took the quick way");
}

#[test]
fn a_skeleton_does_not_grow_for_ever() {
    let user = writer(Dialect::default(), &TypeSchema::user());
    for at in 0..2_000 {
        let changes = [set("userName", r#""ada""#), set(&format!("x{at}"), "1")];
        assert_eq!(user.outlined(&changes), Some(user.folded(&changes)));
    }
    let many: Vec<Change> = (0..1_000).map(|at| set(&format!("x{at}"), "1")).collect();
    assert_eq!(user.outlined(&many), None);
}

#[test]
fn a_put_keeps_what_is_not_managed() {
    let current: Attributes = serde_json::from_str(
        r#"{"schemas":["x"],"id":"1","meta":{"version":"2"},"nickName":"n","title":"t","roles":[{"value":"a"},{"value":"b"}],
            "emails":[{"type":"work","value":"w"},{"type":"home","value":"h"}]}"#,
    )
    .unwrap();
    let changes = [
        change("title", ChangeOp::Unset, "null"),
        change("emails[type eq \"home\"].value", ChangeOp::Unset, "null"),
        change("roles", ChangeOp::Remove, r#"["a"]"#),
        change("roles", ChangeOp::Add, r#"["b","c"]"#),
    ];
    let want = format!(
        "{{\"schemas\":[\"{}\"],\"id\":\"1\",\"nickName\":\"n\",\"roles\":[{{\"value\":\"b\"}},{{\"value\":\"c\"}}],\
         \"emails\":[{{\"type\":\"work\",\"value\":\"w\",\"primary\":true}}]}}",
        urn::USER
    );
    assert_eq!(text(&writer(Dialect::default(), &TypeSchema::user()).replace(current, &changes)), want);
}

#[test]
fn a_patch_speaks_the_dialect() {
    let changes = [
        set("active", "false"),
        set("name.givenName", r#""A""#),
        set(&enterprise("department"), r#""D""#),
        set("emails[type eq \"work\"].value", r#""w""#),
        change("title", ChangeOp::Unset, "null"),
        change("phoneNumbers[type eq \"fax\"].value", ChangeOp::Unset, "null"),
    ];
    let e = urn::ENTERPRISE_USER;
    let email = r#"{"op":"add","path":"emails[type eq \"work\"].value","value":"w"}"#;
    let removals = r#"{"op":"remove","path":"title"},{"op":"remove","path":"phoneNumbers[type eq \"fax\"]"}"#;
    let dialect = Dialect::default;
    let cases = [
        (
            dialect(),
            vec![format!(
                r#"{{"op":"replace","path":"active","value":false}},{{"op":"replace","path":"name.givenName","value":"A"}},{{"op":"replace","path":"{e}:department","value":"D"}},{email},{removals}"#
            )],
        ),
        (
            Dialect { patch_style: PatchStyle::Pathless, ..dialect() },
            vec![format!(
                r#"{{"op":"replace","value":{{"active":false,"name":{{"givenName":"A"}},"{e}":{{"department":"D"}}}}}},{email},{removals}"#
            )],
        ),
        (
            Dialect { patch_style: PatchStyle::Dotted, ..dialect() },
            vec![format!(
                r#"{{"op":"replace","value":{{"active":false,"name.givenName":"A","{e}:department":"D"}}}},{email},{removals}"#
            )],
        ),
        (
            Dialect { operations_per_request: 4, selector_op: SelectorOp::Replace, ..Dialect::entra() },
            vec![
                format!(
                    r#"{{"op":"Replace","path":"active","value":"False"}},{{"op":"Replace","path":"name.givenName","value":"A"}},{{"op":"Replace","path":"{e}:department","value":"D"}},{{"op":"Replace","path":"emails[type eq \"work\"].value","value":"w"}}"#
                ),
                removals.replace("remove", "Remove"),
            ],
        ),
    ];
    for (dialect, want) in cases {
        let bodies = writer(dialect, &TypeSchema::user()).patch(&changes, None);
        assert_eq!(operations(&bodies), want);
    }
    assert!(writer(dialect(), &TypeSchema::user()).patch(&[], None).is_empty());
}

#[test]
fn members_are_sent_in_chunks() {
    let types = TypeSchema::group();
    let changes =
        [change("members", ChangeOp::Add, r#"["1","2","3"]"#), change("members", ChangeOp::Remove, r#"["8","9"]"#)];
    let add = |ids: &[&str]| {
        let values: Vec<_> = ids.iter().map(|id| format!(r#"{{"value":"{id}"}}"#)).collect();
        format!(r#"{{"op":"add","path":"members","value":[{}]}}"#, values.join(","))
    };
    let by_filter = |id: &str| format!(r#"{{"op":"remove","path":"members[value eq \"{id}\"]"}}"#);
    let dialect = |member_remove| Dialect { members_per_request: 2, member_remove, ..Dialect::default() };
    let bodies = writer(dialect(MemberRemove::Filter), &types).patch(&changes, None);
    assert_eq!(operations(&bodies), [add(&["1", "2"]), format!("{},{}", add(&["3"]), by_filter("8")), by_filter("9")]);
    assert_eq!(bodies.iter().map(|body| body.members).collect::<Vec<_>>(), [2, 2, 1]);

    let listed = add(&["8", "9"]).replace("add", "remove");
    let one = Dialect { members_per_request: 0, ..dialect(MemberRemove::ValueList) };
    let bodies = writer(one, &types).patch(&changes, None);
    assert_eq!(operations(&bodies), [format!("{},{listed}", add(&["1", "2", "3"]))]);

    let replacing = writer(dialect(MemberRemove::Replace), &types);
    assert!(replacing.needs_current(&changes));
    let current: Attributes =
        serde_json::from_str(r#"{"members":[{"value":"8"},{"value":"1"},{"value":"5"}]}"#).unwrap();
    let bodies = replacing.patch(&changes, Some(&current));
    let whole =
        r#"{"op":"replace","path":"members","value":[{"value":"5"},{"value":"1"},{"value":"2"},{"value":"3"}]}"#;
    assert_eq!(operations(&bodies), [whole]);

    let many: Vec<Value> = (0..1_000).map(|id: i32| Value::text(id.to_string())).collect();
    let path = Arc::new(AttributePath::name("members"));
    let all = [Change::new(path, ChangeOp::Add, Value::List(many))];
    let bodies = writer(Dialect { members_per_request: 300, ..Dialect::default() }, &types).patch(&all, None);
    assert_eq!(bodies.iter().map(|body| body.members).collect::<Vec<_>>(), [300, 300, 300, 100]);
}

#[test]
fn without_path_filters_lists_are_replaced() {
    let dialect = Dialect { path_filters: false, ..Dialect::default() };
    let user = writer(dialect, &TypeSchema::user());
    let changes = [set("emails[type eq \"work\"].value", r#""w""#), set("emails[type eq \"home\"].value", r#""h""#)];
    let current: Attributes =
        serde_json::from_str(r#"{"emails":[{"type":"work","value":"x","primary":true}]}"#).unwrap();
    let want = r#"{"op":"replace","path":"emails","value":[{"type":"work","value":"w","primary":true},{"type":"home","value":"h"}]}"#;
    assert_eq!(operations(&user.patch(&changes, Some(&current))), [want]);
}

#[test]
fn dialects_are_data() {
    let dialect: Dialect =
        serde_json::from_str(r#"{"update_by_class":{"group":"put"},"op_case":"capital","requests_per_second":null}"#)
            .unwrap();
    assert_eq!((dialect.update_of("Group"), dialect.update_of("User")), (UpdateMethod::Put, UpdateMethod::Patch));
    assert_eq!((dialect.requests_per_second, dialect.page_size), (None, 100));
    assert!(serde_json::from_str::<Dialect>(r#"{"opcase":"lower"}"#).is_err());
    let all = serde_json::to_string(&Dialect::default()).unwrap();
    assert_eq!(serde_json::from_str::<Dialect>(&all).unwrap(), Dialect::default());
}

#[test]
fn answers_are_skimmed_as_they_would_be_read() {
    for (body, want) in [
        (r#"{"id":"7"}"#, Some(("7", None))),
        (
            r#" { "schemas" : [ "a]" , "b" ] , "id" : "7" , "meta" : { "version" : "W/1" , "x" : { } } } "#,
            Some(("7", Some("W/1"))),
        ),
        (
            r#"{"a":{"id":"6"},"b":[{"id":"5"},"}",{"x":"\\\""}],"n":-1.5e3,"t":true,"id":"Zoë","meta":null}"#,
            Some(("Zoë", None)),
        ),
        (r#"{"meta":{"version":""},"id":"7"}"#, Some(("7", None))),
        (r#"{"id":"7","id":"8"}"#, None),
        (r#"{"id":"7","Id":"8"}"#, None),
        (r#"{"ID":"7"}"#, None),
        (r#"{"id":7}"#, None),
        (r#"{"id":""}"#, None),
        (r#"{"id":"a\"b"}"#, None),
        (r#"{"i\u0064":"7"}"#, None),
        (r#"{"id":"7","meta":{"version":1}}"#, None),
        (r#"{"id":"7","meta":{"Version":"1"}}"#, None),
        (r#"{"id":"7","meta":"x"}"#, None),
        (r#"{"id":"7""#, None),
        (r#"{"id":"7"} x"#, None),
        (r#"{"id":"7" "a":1}"#, None),
        (r#"{"id":"7","a":}"#, None),
        (r#"{"id":"7","a":[1}"#, None),
        (r#"{"id":"7","a":"\"}"#, None),
        (r#"{"id":"7",}"#, None),
        ("{}", None),
        ("[]", None),
        ("", None),
        ("<html>", None),
    ] {
        assert_eq!(skim_resource(body.as_bytes()), want, "{body}");
        if let Some((id, version)) = want {
            let record = parse_resource(body.as_bytes(), &"User".into()).unwrap().unwrap();
            assert_eq!((record.id.as_str(), record.etag.as_deref()), (id, version), "{body}");
        }
    }
}

#[test]
fn odd_answers_are_read() {
    let class = "User".into();
    assert_eq!(parse_resource(b"  ", &class), Ok(None));
    let body = b"\xef\xbb\xbf{\"id\":7,\"Active\":\"True\",\"emails\":[{\"primary\":\"False\"}],\"meta\":{\"version\":\"W/\\\"1\\\"\"},\"x\":1}";
    let record = parse_resource(body, &class).unwrap().unwrap();
    assert_eq!((record.id.as_str(), record.etag.as_deref()), ("7", Some("W/\"1\"")));
    assert_eq!(record.attributes.find("active"), Some(&Value::Boolean(true)));
    assert_eq!(serde_json::to_string(&record.attributes.find("emails")).unwrap(), "[{\"primary\":false}]");
    for body in ["<html>", "[]", "{\"userName\":\"a\"}"] {
        assert!(parse_resource(body.as_bytes(), &class).is_err(), "{body}");
    }
    for (body, records, total, cursor) in [
        (r#"{"totalResults":2,"Resources":[{"id":"1"}]}"#, 1, Some(2), None),
        (r#"{"totalresults":"2","resources":[{"id":"1"}]}"#, 1, Some(2), None),
        (r#"{"Resources":[{"id":"1"}],"nextCursor":"c"}"#, 1, None, Some("c")),
        (r#"{"totalResults":0}"#, 0, Some(0), None),
        (r#"{"schemas":["x"],"totalResults":0,"startIndex":1,"itemsPerPage":0,"Resources":[]}"#, 0, Some(0), None),
        (r#"{"totalResults":0,"Resources":[{"id":"1"}]}"#, 1, Some(0), None),
        (r#"{"totalResults":0,"resources":[{"id":"1"}]}"#, 1, Some(0), None),
        (r#"{"totalResults":0,"Resources":[],"nextCursor":"c"}"#, 0, Some(0), Some("c")),
        (r#"{"totalResults":0.0,"Resources":null,"nextCursor":""}"#, 0, Some(0), None),
        (r#"[{"id":"1"},{"id":2}]"#, 2, None, None),
    ] {
        let page = parse_list(body.as_bytes(), &class).unwrap();
        assert_eq!(
            (page.records.len(), page.total_results, page.next_cursor.as_deref()),
            (records, total, cursor),
            "{body}"
        );
    }
    for body in
        ["", "{}", "7", "<html>", r#"{"Resources":{}}"#, r#"{"Resources":[1]}"#, r#"{"status":"404","detail":"x"}"#]
    {
        assert!(parse_list(body.as_bytes(), &class).is_err(), "{body}");
    }
    for (body, status, scim_type, detail) in [
        (r#"{"status":"409","scimType":"uniqueness","detail":"taken"}"#, 409, Some("uniqueness"), Some("taken")),
        (r#"{"status":409,"scimtype":"Uniqueness"}"#, 409, Some("Uniqueness"), None),
        (r#"{"Errors":[{"description":"no","code":"404"}]}"#, 404, None, Some("no")),
        (r#"{"error":"invalid_token","error_description":"expired"}"#, 400, None, Some("expired")),
        (r#"{"error":{"message":"no","code":7}}"#, 400, None, Some("no")),
        (r#"{"status":"OK"}"#, 400, None, None),
        ("<html>", 400, None, None),
        ("", 400, None, None),
    ] {
        let error = parse_error(400, body.as_bytes());
        assert_eq!(
            (error.status, error.scim_type.as_deref(), error.detail.as_deref()),
            (status, scim_type, detail),
            "{body}"
        );
    }
    assert!(parse_error(409, br#"{"scimType":"UNIQUENESS"}"#).is(ScimType::Uniqueness));
}

#[test]
fn a_missing_element_is_added_whole_where_the_target_makes_none() {
    let writer = writer(Dialect { selector_op: SelectorOp::Element, ..Dialect::default() }, &TypeSchema::user());
    let changes = [
        set("emails[type eq \"work\"].value", r#""new@x""#),
        set("addresses[type eq \"work\"].locality", r#""Berlin""#),
        set("addresses[type eq \"work\"].country", r#""DE""#),
        set("title", r#""Dr""#),
    ];
    assert!(writer.needs_current(&changes), "nobody knows whether the elements are there");
    let known: Vec<Change> = changes.iter().cloned().map(|one| one.was(Some(Value::text("old")))).collect();
    assert!(!writer.needs_current(&known), "they are there");
    let current: Attributes = serde_json::from_str(r#"{"emails":[{"type":"work","value":"old@x"}]}"#).unwrap();
    assert_eq!(
        operations(&writer.patch(&changes, Some(&current))),
        [concat!(
            r#"{"op":"replace","path":"emails[type eq \"work\"].value","value":"new@x"},"#,
            r#"{"op":"replace","path":"title","value":"Dr"},"#,
            r#"{"op":"add","path":"addresses","value":[{"type":"work","locality":"Berlin","country":"DE"}]}"#,
        )]
    );
}

#[test]
fn a_rule_on_an_attribute_is_one_on_its_parts() {
    use provost_model::Mutability::{Immutable, ReadOnly, ReadWrite};

    let user = |rules: &str| {
        let dialect: Dialect = serde_json::from_str(&format!(r#"{{"attributes":{{"User":{rules}}}}}"#)).unwrap();
        let mut class = schema::class_schema(&TypeSchema::user());
        Rules::of(&dialect, "User").lay_over(&mut class);
        class
    };
    let manager = enterprise("manager");
    for (rules, path, want) in [
        (r#"{"emails":{"write":"create"}}"#, "emails", Immutable),
        (r#"{"emails":{"write":"create"}}"#, "emails[type eq \"work\"].value", Immutable),
        (r#"{"name":{"write":"never"}}"#, "name.givenName", ReadOnly),
        (r#"{"name.formatted":{"write":"never"}}"#, "name.givenName", ReadWrite),
        (r#"{"name.formatted":{"write":"never"}}"#, "name.formatted", ReadOnly),
        // What the schema binds more narrowly than the attribute stays bound.
        (&format!(r#"{{"{manager}":{{"write":"create"}}}}"#), &format!("{manager}.value"), Immutable),
        (&format!(r#"{{"{manager}":{{"write":"create"}}}}"#), &format!("{manager}.displayName"), ReadOnly),
        (r#"{"groups":{"write":"always"}}"#, "groups.value", ReadWrite),
    ] {
        let path: AttributePath = path.parse().unwrap();
        assert_eq!(user(rules).resolve(&path).unwrap().mutability, want, "{rules} {path}");
    }
    let phone = "phoneNumbers[type eq \"work\"].value".parse().unwrap();
    assert!(user(r#"{"phoneNumbers":{"case_exact":true}}"#).resolve(&phone).unwrap().case_exact);
    // A secret stays one, whatever a rule says of when it can be set.
    let password = AttributePath::name("password");
    for write in ["always", "create"] {
        let class = user(&format!(r#"{{"password":{{"write":"{write}"}}}}"#));
        assert!(class.resolve(&password).unwrap().sensitive, "{write}");
    }
}

#[test]
fn ids_may_be_numbers() {
    let types = TypeSchema::group();
    let current = serde_json::from_str(r#"{"displayName":"a","members":[{"value":1001},{"value":1002}]}"#).unwrap();
    let changes =
        [change("members", ChangeOp::Remove, r#"["1001"]"#), change("members", ChangeOp::Add, r#"["1002","1003"]"#)];
    let body: serde_json::Value =
        serde_json::from_slice(&writer(Dialect::default(), &types).replace(current, &changes)).unwrap();
    assert_eq!(body["members"], serde_json::json!([{"value": "1002"}, {"value": "1003"}]));
}

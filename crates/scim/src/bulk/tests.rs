use std::collections::BTreeMap;

use provost_model::Attributes;

use super::*;

fn read(operations: &str) -> BulkRequest {
    let body = format!(r#"{{"schemas":["{}"],"Operations":[{operations}]}}"#, urn::BULK_REQUEST);
    BulkRequest::from_json(body.as_bytes(), 10, &Registry::core()).unwrap()
}

fn post(id: &str, members: &str) -> String {
    let members: Vec<String> = members.split_whitespace().map(|id| format!(r#"{{"value":"bulkId:{id}"}}"#)).collect();
    let members = members.join(",");
    format!(r#"{{"method":"POST","path":"/Groups","bulkId":"{id}","data":{{"members":[{members}]}}}}"#)
}

fn order(request: &BulkRequest) -> String {
    let mut order = Order::of(request);
    let mut words = Vec::new();
    while let Some(step) = order.take() {
        words.push(match step {
            Step::Do(at) => format!("{at}"),
            Step::DoWithout(at) => format!("{at}-"),
            Step::Link(at) => format!("{at}+"),
        });
    }
    words.join(" ")
}

#[test]
fn operations_wait_for_what_they_need() {
    let patch = r#"{"method":"PATCH","path":"/Groups/bulkId:b","data":{"Operations":[
        {"op":"add","path":"members","value":[{"value":"bulkId:a"}]},
        {"op":"remove","path":"members[value eq \"bulkId:c\"]"}]}}"#;
    let delete = r#"{"method":"DELETE","path":"/Groups/7"}"#;
    let again = r#"{"method":"PATCH","path":"/Groups/7","data":{"Operations":[{"op":"add","path":"members","value":[{"value":"bulkId:a"}]}]}}"#;
    for (operations, want) in [
        ([post("a", ""), post("b", "a")].join(","), "0 1"),
        ([post("a", "b"), post("b", ""), post("c", "")].join(","), "1 0 2"),
        ([post("a", "b"), post("b", "a")].join(","), "0- 1 0+"),
        ([post("a", "a")].join(","), "0- 0+"),
        // Two circles and one who waits for both.
        (
            [post("w", "a c"), post("a", "b"), post("b", "a"), post("c", "d"), post("d", "c")].join(","),
            "1- 2 1+ 3- 0 4 3+",
        ),
        // A circle that names another, which has to be there first.
        ([post("a", "b c"), post("b", "a"), post("c", "d"), post("d", "c")].join(","), "2- 3 2+ 0- 1 0+"),
        ([patch.to_owned(), post("a", ""), post("b", ""), post("c", "")].join(","), "1 2 3 0"),
        // The same resource twice: in order, also when the first has to wait.
        ([again.to_owned(), delete.to_owned(), post("a", "")].join(","), "2 0 1"),
        ([post("a", "nobody")].join(","), "0"),
    ] {
        assert_eq!(order(&read(&operations)), want, "{operations}");
    }
}

/// Every waiter names all later ones and a circle of two: with a search for each operation this did not come to an end.
#[test]
fn many_circles_and_many_who_wait_for_them() {
    let waiters: Vec<String> = (0..300).map(|at| format!("w{at}")).collect();
    let mut operations: Vec<String> =
        (0..300).map(|at| post(&waiters[at], &format!("a{} {}", at % 150, waiters[at + 1..].join(" ")))).collect();
    for pair in 0..150 {
        operations.push(post(&format!("a{pair}"), &format!("b{pair}")));
        operations.push(post(&format!("b{pair}"), &format!("a{pair}")));
    }
    let body = format!(r#"{{"schemas":["{}"],"Operations":[{}]}}"#, urn::BULK_REQUEST, operations.join(","));
    let steps = order(&BulkRequest::from_json(body.as_bytes(), 1_000, &Registry::core()).unwrap());
    let steps: Vec<&str> = steps.split(' ').collect();
    let done = |kind: char| steps.iter().filter(|step| step.ends_with(kind)).count();
    assert_eq!((steps.len(), done('-'), done('+')), (750, 150, 150));
    let place = |wanted: &str| steps.iter().position(|step| *step == wanted);
    assert!(place("299") < place("150") && place("150") < place("0"), "who is named comes first");
}

/// The data of one operation with references resolved, and what it refers to.
fn resolved(operation: &str) -> (String, String) {
    let mut types = Registry::core();
    let schema = r#"{"id":"urn:x:Badge","name":"Badge","attributes":[{"name":"holder","type":"reference","referenceTypes":["User"]},
        {"name":"site","type":"reference","referenceTypes":["uri"]},{"name":"spares","type":"complex","multiValued":true,
        "subAttributes":[{"name":"value","type":"string"},{"name":"owner","type":"reference"}]}]}"#;
    types.add_schema(serde_json::from_str(schema).unwrap());
    let badge = r#"{"name":"Badge","endpoint":"/Badges","schema":"urn:x:Badge"}"#;
    types.add_type(serde_json::from_str(badge).unwrap()).unwrap();
    let body = format!(r#"{{"schemas":["{}"],"Operations":[{operation}]}}"#, urn::BULK_REQUEST);
    let mut request = BulkRequest::from_json(body.as_bytes(), 1, &types).unwrap();
    let named: Vec<&str> = request.operations[0].references.iter().map(Text::as_str).collect();
    let named = named.join(" ");
    let action = request.operations[0].what.as_mut().unwrap();
    let made = |id: &str, to: &str| (id.into(), Made { id: to.into(), location: format!("/at/{to}").into() });
    let made = BTreeMap::from([made("a", "1"), made("b", "2"), made("c", "\"3\"")]);
    resolve(types.by_endpoint(&action.endpoint).unwrap(), action, &made);
    (serde_json::to_string(&action.data).unwrap(), named)
}

/// Where the schema says that an id may stand, and nowhere else.
#[test]
fn references_are_found_and_resolved() {
    let enterprise = crate::urn::ENTERPRISE_USER;
    let post = |path: &str, data: &str| format!(r#"{{"method":"POST","path":"{path}","bulkId":"z","data":{data}}}"#);
    for (path, data, named, want) in [
        (
            "/Groups",
            r#"{"members":[{"value":"bulkId:a"},{"value":"x"},{"VALUE":"bulkId:d"}]}"#,
            "a d",
            r#"{"members":[{"value":"1"},{"value":"x"},{"VALUE":"bulkId:d"}]}"#,
        ),
        (
            "/Groups",
            r#"{"members":[{"value":"bulkId:a","$ref":"bulkId:b","type":"bulkId:c","display":"bulkId:c"}]}"#,
            "a b",
            r#"{"members":[{"value":"1","$ref":"/at/2","type":"bulkId:c","display":"bulkId:c"}]}"#,
        ),
        ("/Groups", r#"{"displayName":"bulkId:a","externalId":"bulkId:a","note":"bulkId:a"}"#, "", ""),
        (
            "/Users",
            r#"{"userName":"bulkId:a","emails":[{"value":"bulkId:a"}],"roles":[{"value":"bulkId:a"}],"name":{"givenName":"bulkId:a"},"profileUrl":"bulkId:a","photos":[{"value":"bulkId:a"}],"groups":[{"value":"bulkId:a"}]}"#,
            "",
            "",
        ),
        (
            "/Users",
            &format!(r#"{{"{enterprise}":{{"manager":{{"value":"bulkId:b"}},"department":"bulkId:a"}}}}"#),
            "b",
            &format!(r#"{{"{enterprise}":{{"manager":{{"value":"2"}},"department":"bulkId:a"}}}}"#),
        ),
        (
            "/Badges",
            r#"{"holder":"bulkId:a","site":"bulkId:b","spares":[{"value":"bulkId:b","owner":"bulkId:b"}]}"#,
            "a b",
            r#"{"holder":"/at/1","site":"bulkId:b","spares":[{"value":"bulkId:b","owner":"/at/2"}]}"#,
        ),
    ] {
        let (text, found) = resolved(&post(path, data));
        assert_eq!((text.as_str(), found.as_str()), (if want.is_empty() { data } else { want }, named), "{data}");
    }
    let patch = |path: &str, operation: &str| {
        format!(r#"{{"method":"PATCH","path":"{path}/7","data":{{"Operations":[{operation}]}}}}"#)
    };
    let manager = format!("{enterprise}:manager");
    for (path, operation, named, want) in [
        (
            "/Groups",
            r#"{"op":"add","path":"members","value":[{"value":"bulkId:a"}]}"#,
            "a",
            r#"{"op":"add","path":"members","value":[{"value":"1"}]}"#,
        ),
        (
            "/Groups",
            r#"{"op":"add","path":"Members","value":{"value":"bulkId:a"}}"#,
            "a",
            r#"{"op":"add","path":"Members","value":{"value":"1"}}"#,
        ),
        (
            "/Groups",
            r#"{"path":"members[value eq \"bulkId:a\" or not (value eq \"bulkId:c\")]"}"#,
            "a c",
            r#"{"path":"members[value eq \"1\" or not (value eq \"\\\"3\\\"\")]"}"#,
        ),
        ("/Groups", r#"{"path":"members[type eq \"bulkId:a\"]"}"#, "", ""),
        ("/Groups", r#"{"path":"displayName","value":"bulkId:a"}"#, "", ""),
        (
            "/Groups",
            r#"{"value":{"displayName":"say \"bulkId:b\"","members":[{"value":"bulkId:b"}]}}"#,
            "b",
            r#"{"value":{"displayName":"say \"bulkId:b\"","members":[{"value":"2"}]}}"#,
        ),
        ("/Users", r#"{"path":"emails[value eq \"bulkId:a\"].display","value":"bulkId:a"}"#, "", ""),
        ("/Users", r#"{"path":"manager","value":"bulkId:a"}"#, "a", r#"{"path":"manager","value":"1"}"#),
        (
            "/Users",
            &format!(r#"{{"path":"{manager}.value","value":"bulkId:a"}}"#),
            "a",
            &format!(r#"{{"path":"{manager}.value","value":"1"}}"#),
        ),
        (
            "/Users",
            &format!(r#"{{"value":{{"{manager}":{{"value":"bulkId:a"}}}}}}"#),
            "a",
            &format!(r#"{{"value":{{"{manager}":{{"value":"1"}}}}}}"#),
        ),
        (
            "/Users",
            &format!(r#"{{"path":"{enterprise}","value":{{"manager.value":"bulkId:a"}}}}"#),
            "a",
            &format!(r#"{{"path":"{enterprise}","value":{{"manager.value":"1"}}}}"#),
        ),
        ("/Users", r#"{"path":"members[","value":"bulkId:a"}"#, "", ""),
    ] {
        let (text, found) = resolved(&patch(path, operation));
        let want = format!(r#"{{"Operations":[{}]}}"#, if want.is_empty() { operation } else { want });
        assert_eq!((text, found.as_str()), (want, named), "{operation}");
    }
    let (_, found) = resolved(r#"{"method":"PUT","path":"/Users/bulkId:x","data":{"title":"bulkId:y"}}"#);
    assert_eq!(found, "x");
}

#[test]
fn what_refers_can_be_taken_out() {
    let text = format!(
        r#"{{"displayName":"bulkId:a","emails":[{{"value":"bulkId:b"}}],"{urn}":{{"manager":{{"value":"bulkId:b"}},"department":"x"}}}}"#,
        urn = crate::urn::ENTERPRISE_USER
    );
    let mut data: Attributes = serde_json::from_str(&text).unwrap();
    let rest = split_off(&crate::TypeSchema::user(), &mut data);
    let urn = crate::urn::ENTERPRISE_USER;
    assert_eq!(serde_json::to_string(&rest).unwrap(), format!(r#"{{"{urn}":{{"manager":{{"value":"bulkId:b"}}}}}}"#));
    assert_eq!(serde_json::to_string(&data).unwrap(), text.replace(r#""manager":{"value":"bulkId:b"},"#, ""));
    let mut group: Attributes = serde_json::from_str(r#"{"members":[{"value":"bulkId:a"},{"value":"1"}]}"#).unwrap();
    let rest = split_off(&crate::TypeSchema::group(), &mut group);
    assert_eq!(serde_json::to_string(&rest).unwrap(), r#"{"members":[{"value":"bulkId:a"}]}"#);
    assert_eq!(serde_json::to_string(&group).unwrap(), r#"{"members":[{"value":"1"}]}"#);
}

#[test]
fn paths_are_decoded_part_by_part() {
    for (path, want) in [
        ("/Users/a%20b", ("Users", "a b")),
        ("/%55sers/a%2Fb%25", ("Users", "a/b%")),
        ("Groups/bulkId%3Ax%22", ("Groups", "bulkId:x\"")),
    ] {
        let request = read(&format!(r#"{{"method":"DELETE","path":"{path}"}}"#));
        let what = request.operations[0].what.as_ref().unwrap();
        assert_eq!((what.endpoint.as_str(), what.id.as_str()), want, "{path}");
    }
}

#[test]
fn what_is_wrong_with_one_operation_is_its_own() {
    for (operation, want) in [
        (r#""x""#, "invalidSyntax"),
        (r#"{"method":"GET","path":"/Users"}"#, "invalidSyntax"),
        (r#"{"method":"POST","path":"/Users","data":{}}"#, "invalidValue"),
        (r#"{"method":"POST","path":"/Users/1","bulkId":"a","data":{}}"#, "invalidPath"),
        (r#"{"method":"PUT","path":"/Users","data":{}}"#, "invalidPath"),
        (r#"{"method":"PUT","path":"/Users/1/x","data":{}}"#, "invalidPath"),
        (r#"{"method":"PATCH","path":"/Users/1"}"#, "invalidSyntax"),
        (r#"{"method":"DELETE","path":""}"#, "invalidPath"),
        (r#"{"method":"DELETE","path":"/Users/1","version":99}"#, "invalidValue"),
        (r#"{"method":"PATCH","path":"/Users/1","version":["*"],"data":{}}"#, "invalidValue"),
    ] {
        let request = read(&[operation.to_owned(), post("a", "")].join(","));
        let error = request.operations[0].what.as_ref().unwrap_err();
        assert_eq!(error.scim_type.map(|word| word.as_str()), Some(want), "{operation}");
        assert!(request.operations[1].what.is_ok());
    }
    assert_eq!(read(r#"{"method":"delete","path":"Users/1"}"#).operations[0].method, "delete");
}

#[test]
fn what_is_wrong_with_the_request_is_an_error() {
    for (body, status) in [
        ("[]".to_owned(), 400),
        ("{}".to_owned(), 400),
        (format!(r#"{{"schemas":["{}"]}}"#, urn::BULK_REQUEST), 400),
        (format!(r#"{{"schemas":["{}"],"failOnErrors":0,"Operations":[]}}"#, urn::BULK_REQUEST), 400),
        (format!(r#"{{"schemas":["{}"],"Operations":[1,2,3]}}"#, urn::BULK_REQUEST), 413),
    ] {
        let error = BulkRequest::from_json(body.as_bytes(), 2, &Registry::core()).unwrap_err();
        assert_eq!(error.status, status, "{body}");
        assert!(status != 413 || error.detail.contains("maxOperations is 2"));
    }
}

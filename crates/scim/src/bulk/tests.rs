use std::collections::BTreeMap;

use provost_model::Attributes;

use super::*;

fn read(operations: &str) -> BulkRequest {
    let body = format!(r#"{{"schemas":["{}"],"Operations":[{operations}]}}"#, urn::BULK_REQUEST);
    BulkRequest::from_json(body.as_bytes(), 10).unwrap()
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
    let again = r#"{"method":"PATCH","path":"/Groups/7","data":{"x":"bulkId:a"}}"#;
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
    let steps = order(&BulkRequest::from_json(body.as_bytes(), 1_000).unwrap());
    let steps: Vec<&str> = steps.split(' ').collect();
    let done = |kind: char| steps.iter().filter(|step| step.ends_with(kind)).count();
    assert_eq!((steps.len(), done('-'), done('+')), (750, 150, 150));
    let place = |wanted: &str| steps.iter().position(|step| *step == wanted);
    assert!(place("299") < place("150") && place("150") < place("0"), "who is named comes first");
}

#[test]
fn references_are_found_and_resolved() {
    let text = r#"{"members":[{"value":"bulkId:a"},{"value":"x"}],"urn:x":{"manager":{"value":"bulkId:b"}},
        "Operations":[{"path":"members[value eq \"bulkId:a\" or value eq \"bulkId:c\"]","value":["bulkId:d"]}],
        "note":"say \"bulkId:\" and bulkId:e"}"#;
    let mut data: Attributes = serde_json::from_str(text).unwrap();
    assert_eq!(references(&data), ["a", "b", "c", "d", ""]);
    let ids: BTreeMap<Text, Text> = [("a", "1"), ("b", "2"), ("c", "3")].map(|(id, to)| (id.into(), to.into())).into();
    let rest = serde_json::to_string(&stripped(&data)).unwrap();
    assert!(
        rest.starts_with(r#"{"members":[{"value":"bulkId:a"}],"urn:x":{"manager":{"value":"bulkId:b"}}"#),
        "{rest}"
    );
    let mut stripped = data.clone();
    strip(&mut stripped);
    resolve(&mut data, &ids);
    let text = serde_json::to_string(&data).unwrap();
    assert_eq!(
        text,
        r#"{"members":[{"value":"1"},{"value":"x"}],"urn:x":{"manager":{"value":"2"}},"Operations":[{"path":"members[value eq \"1\" or value eq \"3\"]","value":["bulkId:d"]}],"note":"say \"bulkId:\" and bulkId:e"}"#
    );
    let text = serde_json::to_string(&stripped).unwrap();
    assert!(text.starts_with(r#"{"members":[{"value":"x"}],"urn:x":{},"#), "{text}");
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
        let error = BulkRequest::from_json(body.as_bytes(), 2).unwrap_err();
        assert_eq!(error.status, status, "{body}");
        assert!(status != 413 || error.detail.contains("maxOperations is 2"));
    }
}

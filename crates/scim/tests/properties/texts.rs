//! Texts that look like what clients send, and like what they get wrong.

use provost_scim::urn;

use super::choices::Choices;

const NAMES: &[&str] = &[
    "userName",
    "USERNAME",
    "displayName",
    "title",
    "active",
    "name",
    "name.givenName",
    "emails",
    "emails.value",
    "phoneNumbers",
    "addresses",
    "roles",
    "members",
    "members.value",
    "members.display",
    "manager",
    "groups",
    "id",
    "meta",
    "schemas",
    "password",
    "externalId",
    "nothing",
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager",
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value",
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department",
    "urn:ietf:params:scim:schemas:core:2.0:User",
    "urn:ietf:params:scim:schemas:core:2.0:User:title",
    "",
];

const PARTS: &[&str] =
    &["value", "type", "primary", "display", "$ref", "givenName", "familyName", "country", "VALUE", "nothing", ""];

const VALUES: &[&str] = &[
    "\"a\"",
    "\"A\"",
    "\"b\"",
    "\"work\"",
    "\"home\"",
    "\"\"",
    "\" \"",
    "\"a@x.org\"",
    "\"True\"",
    "\"false\"",
    "\"bulkId:a\"",
    "\"bulkId:b\"",
    "\"bulkId:nobody\"",
    "\"é\\\"\\\\🦀\"",
    "true",
    "false",
    "null",
    "0",
    "-1",
    "1.5",
    "9223372036854775807",
    "[]",
    "{}",
];

/// A path, or pieces of some.
pub fn path(random: &mut Choices<'_>) -> String {
    let mut text = random.pick(NAMES).to_owned();
    if random.below(3) == 0 {
        text.push_str(&format!("[{}]", filter(random, 2)));
    }
    if random.below(4) == 0 {
        text.push_str(&format!(".{}", random.pick(PARTS)));
    }
    if random.below(12) == 0 {
        text.push_str(random.pick(&["[", "]", ".", ":", " ", "\"", "[]", "..", "é"]));
    }
    text
}

fn filter(random: &mut Choices<'_>, depth: usize) -> String {
    let part = random.pick(PARTS).to_owned();
    match random.below(if depth == 0 { 4 } else { 7 }) {
        0 => format!("{part} pr"),
        1..4 => {
            let operator = random.pick(&["eq", "ne", "co", "sw", "gt", "EQ", "is"]);
            format!("{part} {operator} {}", random.pick(&VALUES[..21]))
        }
        4 => format!("{} and {}", filter(random, depth - 1), filter(random, depth - 1)),
        5 => format!("{} or {}", filter(random, depth - 1), filter(random, depth - 1)),
        _ => format!("not ({})", filter(random, depth - 1)),
    }
}

fn json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn value(random: &mut Choices<'_>, depth: usize) -> String {
    match random.below(if depth == 0 { 3 } else { 6 }) {
        3 => {
            let values: Vec<String> = (0..random.below(4)).map(|_| value(random, depth - 1)).collect();
            format!("[{}]", values.join(","))
        }
        4 | 5 => object(random, depth - 1, PARTS),
        _ => random.pick(VALUES).to_owned(),
    }
}

fn object(random: &mut Choices<'_>, depth: usize, names: &[&str]) -> String {
    let parts: Vec<String> =
        (0..random.below(4)).map(|_| format!("{}:{}", json(random.pick(names)), value(random, depth))).collect();
    format!("{{{}}}", parts.join(","))
}

/// A resource; most have what is required.
pub fn resource(random: &mut Choices<'_>) -> String {
    let urns = [urn::USER, urn::GROUP, urn::ENTERPRISE_USER];
    let mut parts = vec![format!("\"schemas\":{}", serde_json::json!(urns))];
    if random.below(12) > 0 {
        parts.push("\"userName\":\"ada\",\"displayName\":\"Ada\"".to_owned());
    }
    if random.below(3) == 0 {
        for _ in 0..random.below(6) {
            parts.push(format!("{}:{}", json(random.pick(NAMES)), value(random, 3)));
        }
    }
    if random.below(2) == 0 {
        let kinds: Vec<String> = (0..random.below(4)).map(|_| element(random)).collect();
        parts.push(format!("\"emails\":[{0}],\"members\":[{0}]", kinds.join(",")));
    }
    format!("{{{}}}", parts.join(","))
}

/// An element of a list as most are.
fn element(random: &mut Choices<'_>) -> String {
    let value = random.pick(&VALUES[..8]);
    let primary = random.pick(&["", "", "", ",\"primary\":true"]);
    let kind = if random.below(2) == 0 { String::new() } else { format!(",\"type\":{}", random.pick(&VALUES[..6])) };
    format!("{{\"value\":{value}{kind}{primary}}}")
}

/// A PATCH request.
pub fn patch(random: &mut Choices<'_>) -> String {
    let operations: Vec<String> = (0..1 + random.below(3)).map(|_| operation(random)).collect();
    format!("{{\"schemas\":[\"{}\"],\"Operations\":[{}]}}", urn::PATCH_OP, operations.join(","))
}

fn operation(random: &mut Choices<'_>) -> String {
    let mut parts =
        vec![format!("\"op\":\"{}\"", random.pick(&["add", "remove", "replace", "Add", "Remove", "Replace"]))];
    if random.below(4) > 0 {
        parts.push(format!("\"path\":{}", json(&path(random))));
    }
    match random.below(5) {
        0 => {}
        1 => parts.push(format!("\"value\":{}", object(random, 2, NAMES))),
        2 => parts.push(format!("\"value\":[{},{}]", element(random), element(random))),
        _ => parts.push(format!("\"value\":{}", value(random, 2))),
    }
    format!("{{{}}}", parts.join(","))
}

/// A bulk request.
pub fn bulk(random: &mut Choices<'_>) -> String {
    let operations: Vec<String> = (0..random.below(9)).map(|_| bulk_operation(random)).collect();
    format!("{{\"schemas\":[\"{}\"],\"Operations\":[{}]}}", urn::BULK_REQUEST, operations.join(","))
}

fn bulk_operation(random: &mut Choices<'_>) -> String {
    let names = ["a", "b", "c", "d", "e"];
    if random.below(3) > 0 {
        let members: Vec<String> = (0..random.below(3))
            .map(|_| format!("{{\"value\":\"bulkId:{}\"}}", random.pick(&["a", "b", "c", "d", "nobody"])))
            .collect();
        return format!(
            "{{\"method\":\"POST\",\"path\":\"/Groups\",\"bulkId\":\"{}\",\"data\":{{\"members\":[{}]}}}}",
            random.pick(&names),
            members.join(",")
        );
    }
    let method = random.pick(&["POST", "PUT", "PATCH", "DELETE", "delete", "GET"]);
    let path = random.pick(&["/Users", "/Groups/1", "/Users/bulkId:a", "/Groups/bulkId%3Ab", "/Robots/1", "Users/1/2"]);
    let data = if method == "PATCH" { patch(random) } else { resource(random) };
    let version = random.pick(&["", "", ",\"version\":\"W/\\\"1\\\"\"", ",\"version\":9"]);
    let bulk_id = random.pick(&names);
    format!("{{\"method\":\"{method}\",\"path\":\"{path}\",\"bulkId\":\"{bulk_id}\",\"data\":{data}{version}}}")
}

use provost_model::Attributes;

use super::*;
use crate::ScimType;

const USER: &str = r#"{"userName":"ada","displayName":"Ada","active":true,"name":{"givenName":"Ada","familyName":"L"},
    "emails":[{"value":"a@work","type":"work","primary":true},{"value":"a@home","type":"home"}],
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"Engines","manager":{"value":"1"}}}"#;

const EMAILS: &str = r#""emails":[{"value":"a@work","type":"work","primary":true},{"value":"a@home","type":"home"}]"#;

fn patch(operations: &str) -> Result<Patch, ScimError> {
    let schemas = "\"schemas\":[\"urn:ietf:params:scim:api:messages:2.0:PatchOp\"]";
    Patch::from_json(format!("{{{schemas},\"Operations\":[{operations}]}}").as_bytes(), &Policy::patch())
}

/// `changed names | resource afterwards`, or the error.
fn apply(types: &TypeSchema, resource: &str, operations: &str) -> Result<(String, Attributes), ScimType> {
    let mut resource: Attributes = serde_json::from_str(resource).unwrap();
    let before = resource.clone();
    let outcome = patch(operations).and_then(|patch| patch.apply(types, &Policy::patch(), &mut resource));
    match outcome {
        Ok(outcome) => {
            assert_eq!(outcome.is_noop(), before == resource);
            Ok((outcome.changed.join(","), resource))
        }
        Err(error) => {
            assert_eq!(before, resource, "an error changes nothing");
            Err(error.scim_type.unwrap_or_else(|| panic!("{error}")))
        }
    }
}

#[test]
fn operations_change_what_they_name() {
    let enterprise = crate::urn::ENTERPRISE_USER;
    let department = format!("{enterprise}:department");
    let manager = format!("{enterprise}:manager");
    for (operations, changed, part) in [
        // single values
        (r#"{"op":"add","path":"title","value":"Dr"}"#, "title", r#""title":"Dr""#),
        (r#"{"op":"Replace","path":"displayname","value":"A"}"#, "displayName", r#""displayName":"A""#),
        (r#"{"op":"replace","path":"displayName","value":"Ada"}"#, "", ""),
        (r#"{"op":"add","path":"displayName","value":"Ada"}"#, "", ""),
        (r#"{"op":"REMOVE","path":"displayName"}"#, "displayName", r#"{"userName":"ada","active""#),
        (r#"{"op":"replace","path":"displayName","value":null}"#, "displayName", r#"{"userName":"ada","active""#),
        (r#"{"op":"remove","path":"title"}"#, "", ""),
        (r#"{"op":"Replace","path":"active","value":"False"}"#, "active", r#""active":false"#),
        (r#"{"op":"replace","path":"title","value":[{"value":"Dr"}]}"#, "title", r#""title":"Dr""#),
        (
            r#"{"op":"replace","path":"urn:ietf:params:scim:schemas:core:2.0:User:title","value":"Dr"}"#,
            "title",
            r#""title":"Dr""#,
        ),
        // complex
        (
            r#"{"op":"replace","path":"name.familyName","value":"King"}"#,
            "name",
            r#""name":{"givenName":"Ada","familyName":"King"}"#,
        ),
        (
            r#"{"op":"replace","path":"name","value":{"familyName":"King"}}"#,
            "name",
            r#""name":{"givenName":"Ada","familyName":"King"}"#,
        ),
        (r#"{"op":"add","path":"name","value":{"givenName":"Ada"}}"#, "", ""),
        (r#"{"op":"replace","path":"name","value":{"givenName":null}}"#, "name", r#""name":{"familyName":"L"}"#),
        (
            r#"{"op":"remove","path":"name.givenName"},{"op":"remove","path":"name.familyName"}"#,
            "name",
            r#""active":true,"emails""#,
        ),
        // lists
        (
            r#"{"op":"add","path":"emails","value":[{"value":"x"}]}"#,
            "emails",
            r#"{"value":"a@home","type":"home"},{"value":"x"}]"#,
        ),
        (
            r#"{"op":"add","path":"emails","value":{"value":"x"}}"#,
            "emails",
            r#"{"value":"a@home","type":"home"},{"value":"x"}]"#,
        ),
        (
            r#"{"op":"add","path":"emails","value":[{"value":"A@work","type":"WORK"}]}"#,
            "emails",
            r#"{"value":"A@work","type":"WORK","primary":true}"#,
        ),
        (r#"{"op":"add","path":"emails","value":[{"value":"a@work","type":"work"}]}"#, "", ""),
        (
            r#"{"op":"add","path":"emails","value":[{"value":"x","primary":true}]}"#,
            "emails",
            r#"[{"value":"a@work","type":"work","primary":false},{"value":"a@home","type":"home"},{"value":"x","primary":true}]"#,
        ),
        (r#"{"op":"replace","path":"emails","value":[{"value":"x"}]}"#, "emails", r#""emails":[{"value":"x"}]"#),
        (r#"{"op":"replace","path":"emails","value":[]}"#, "emails", r#""familyName":"L"},"urn"#),
        (r#"{"op":"remove","path":"emails"}"#, "emails", r#""familyName":"L"},"urn"#),
        (
            r#"{"op":"Remove","path":"emails","value":[{"value":"a@home"}]}"#,
            "emails",
            r#""emails":[{"value":"a@work","type":"work","primary":true}]"#,
        ),
        (r#"{"op":"Remove","path":"emails","value":[]}"#, "", ""),
        (r#"{"op":"Remove","path":"emails","value":[{"value":"nope"}]}"#, "", ""),
        // value filters
        (
            r#"{"op":"replace","path":"emails[type eq \"work\"].value","value":"x"}"#,
            "emails",
            r#"{"value":"x","type":"work","primary":true}"#,
        ),
        (
            r#"{"op":"replace","path":"emails[type eq \"WORK\" and value ew \"work\"]","value":{"value":"x"}}"#,
            "emails",
            r#"{"value":"x","type":"work","primary":true}"#,
        ),
        (
            r#"{"op":"replace","path":"emails[value pr].display","value":"d"}"#,
            "emails",
            r#""display":"d"},{"value":"a@home","type":"home","display":"d"}"#,
        ),
        (
            r#"{"op":"add","path":"emails[type eq \"other\"].value","value":"x"}"#,
            "emails",
            r#",{"type":"other","value":"x"}]"#,
        ),
        (
            r#"{"op":"Add","path":"phoneNumbers[type eq \"mobile\"].value","value":"1"}"#,
            "phoneNumbers",
            r#""phoneNumbers":[{"type":"mobile","value":"1"}]"#,
        ),
        (
            r#"{"op":"Add","path":"roles[primary eq \"True\"].value","value":"r"}"#,
            "roles",
            r#""roles":[{"primary":true,"value":"r"}]"#,
        ),
        (
            r#"{"op":"replace","path":"emails[type eq \"home\"].primary","value":"True"}"#,
            "emails",
            r#"[{"value":"a@work","type":"work","primary":false},{"value":"a@home","type":"home","primary":true}]"#,
        ),
        (
            r#"{"op":"remove","path":"emails[type eq \"work\"]"}"#,
            "emails",
            r#""emails":[{"value":"a@home","type":"home"}]"#,
        ),
        (r#"{"op":"remove","path":"emails[type eq \"nope\"]"}"#, "", ""),
        (
            r#"{"op":"remove","path":"emails[type eq \"work\"].primary"}"#,
            "emails",
            r#"[{"value":"a@work","type":"work"},"#,
        ),
        (
            r#"{"op":"remove","path":"emails[not (type eq \"work\")]"},{"op":"remove","path":"emails[type pr]"}"#,
            "emails",
            r#""familyName":"L"},"urn"#,
        ),
        // extensions
        (
            &format!(r#"{{"op":"replace","path":"{enterprise}:department","value":"X"}}"#),
            &department,
            r#""department":"X""#,
        ),
        (
            &format!(r#"{{"op":"add","path":"{enterprise}","value":{{"department":"X","nope":1}}}}"#),
            &department,
            r#""department":"X""#,
        ),
        (&format!(r#"{{"op":"remove","path":"{enterprise}"}}"#), &format!("{department},{manager}"), r#""home"}]}"#),
        (
            &format!(r#"{{"op":"remove","path":"{enterprise}:department"}},{{"op":"remove","path":"manager"}}"#),
            &format!("{department},{manager}"),
            r#""home"}]}"#,
        ),
        (
            r#"{"op":"Add","path":"manager","value":[{"$ref":"../Users/2","value":"2"}]}"#,
            &manager,
            r#""manager":{"value":"2","$ref":"../Users/2"}"#,
        ),
        (
            &format!(r#"{{"op":"Add","path":"{enterprise}:manager","value":"2"}}"#),
            &manager,
            r#""manager":{"value":"2"}"#,
        ),
        (
            &format!(r#"{{"op":"replace","path":"{enterprise}:manager.value","value":"2"}}"#),
            &manager,
            r#""manager":{"value":"2"}"#,
        ),
        // without path
        (r#"{"op":"replace","value":{"active":false,"id":"9","schemas":[],"nope":1}}"#, "active", r#""active":false"#),
        (
            &format!(
                r#"{{"op":"replace","value":{{"name.givenName":"B","{enterprise}:department":"X","emails[type eq \"home\"].value":"h"}}}}"#
            ),
            &format!("name,emails,{department}"),
            r#""givenName":"B""#,
        ),
        (
            &format!(
                r#"{{"op":"add","value":{{"name":{{"middleName":"M"}},"{enterprise}":{{"division":"D"}},"title":null}}}}"#
            ),
            &format!("name,{enterprise}:division"),
            r#""division":"D""#,
        ),
        (r#"{"op":"replace","value":{"displayName":null}}"#, "displayName", r#"{"userName":"ada","active""#),
        (
            r#"{"op":"add","path":"urn:ietf:params:scim:schemas:core:2.0:User","value":{"title":"Dr"}}"#,
            "title",
            r#""title":"Dr""#,
        ),
        // operations see what the ones before did
        (r#"{"op":"add","path":"title","value":"Dr"},{"op":"remove","path":"title"}"#, "", ""),
    ] {
        let (names, resource) =
            apply(&TypeSchema::user(), USER, operations).unwrap_or_else(|error| panic!("{operations}: {error:?}"));
        assert_eq!(names, changed, "{operations}");
        let text = serde_json::to_string(&resource).unwrap();
        assert!(text.contains(part), "{operations}: {text}");
        if !changed.contains("emails") {
            assert!(text.contains(EMAILS), "{operations}: {text}");
        }
    }
}

#[test]
fn operations_that_cannot_be_are_refused() {
    use ScimType::*;
    for (operations, want) in [
        (r#"{"op":"move","path":"title"}"#, InvalidSyntax),
        (r#"{"path":"title"}"#, InvalidSyntax),
        (r#""add""#, InvalidSyntax),
        ("", InvalidSyntax),
        (r#"{"op":"remove"}"#, NoTarget),
        (r#"{"op":"remove","value":{"title":"x"}}"#, NoTarget),
        (r#"{"op":"add","path":"title"}"#, InvalidValue),
        (r#"{"op":"add","path":"title","value":null}"#, InvalidValue),
        (r#"{"op":"replace","path":"title"}"#, InvalidValue),
        (r#"{"op":"add","value":"x"}"#, InvalidValue),
        (r#"{"op":"add","path":"nope","value":"x"}"#, InvalidPath),
        (r#"{"op":"add","path":"name.nope","value":"x"}"#, InvalidPath),
        (r#"{"op":"add","path":"urn:x:y:z","value":"x"}"#, InvalidPath),
        (r#"{"op":"add","path":"a..b","value":"x"}"#, InvalidPath),
        (r#"{"op":"add","path":"emails[type eq \"work\"]x","value":"x"}"#, InvalidPath),
        (r#"{"op":"add","path":7,"value":"x"}"#, InvalidPath),
        (r#"{"op":"add","path":"name[givenName eq \"x\"]","value":{}}"#, InvalidPath),
        (r#"{"op":"add","path":"emails[type xx \"work\"].value","value":"x"}"#, InvalidFilter),
        (r#"{"op":"add","path":"emails[type eq \"work\"","value":"x"}"#, InvalidFilter),
        (r#"{"op":"add","path":"emails[nope eq \"work\"]","value":{}}"#, InvalidFilter),
        (r#"{"op":"replace","path":"emails[type eq \"other\"].value","value":"x"}"#, NoTarget),
        (r#"{"op":"replace","path":"emails[type eq \"other\"]","value":{"value":"x"}}"#, NoTarget),
        (r#"{"op":"add","path":"emails[type ne \"work\" and type ne \"home\"].value","value":"x"}"#, NoTarget),
        (r#"{"op":"remove","path":"userName"}"#, Mutability),
        (r#"{"op":"replace","path":"userName","value":null}"#, Mutability),
        (r#"{"op":"replace","path":"userName","value":""}"#, InvalidValue),
        (r#"{"op":"replace","path":"id","value":"x"}"#, Mutability),
        (r#"{"op":"replace","path":"meta.created","value":"x"}"#, Mutability),
        (r#"{"op":"add","path":"groups","value":[{"value":"x"}]}"#, Mutability),
        (r#"{"op":"add","value":{"groups":[{"value":"x"}]}}"#, Mutability),
        (r#"{"op":"replace","path":"manager.displayName","value":"x"}"#, Mutability),
        (r#"{"op":"replace","path":"active","value":"perhaps"}"#, InvalidValue),
        (r#"{"op":"replace","path":"title","value":7}"#, InvalidValue),
        (r#"{"op":"replace","path":"emails[type pr].primary","value":true}"#, InvalidValue),
        (
            r#"{"op":"add","path":"emails","value":[{"value":"x","primary":true},{"value":"y","primary":true}]}"#,
            InvalidValue,
        ),
        (r#"{"op":"add","path":"title","value":"Dr"},{"op":"add","path":"nope","value":"x"}"#, InvalidPath),
    ] {
        assert_eq!(apply(&TypeSchema::user(), USER, operations).expect_err(operations), want, "{operations}");
    }
    for body in ["[]", "{", "\"x\"", "{\"Operations\":[{\"op\":\"remove\",\"path\":\"title\"}]}", &"[".repeat(5_000)] {
        assert_eq!(
            Patch::from_json(body.as_bytes(), &Policy::patch()).unwrap_err().scim_type,
            Some(InvalidSyntax),
            "{body:.40}"
        );
    }
}

#[test]
fn immutable_and_required_parts_hold() {
    let group = r#"{"displayName":"Tour","members":[{"value":"1","type":"User"}]}"#;
    let types = TypeSchema::group();
    for (operations, want) in [
        (r#"{"op":"replace","path":"members[value eq \"1\"].value","value":"2"}"#, Err(ScimType::Mutability)),
        (r#"{"op":"replace","path":"members[value eq \"1\"]","value":{"value":"2"}}"#, Err(ScimType::Mutability)),
        (r#"{"op":"replace","path":"members[value eq \"1\"].value","value":"1"}"#, Ok("")),
        (r#"{"op":"add","path":"members","value":[{"value":"1","type":"Group"}]}"#, Ok("members")),
        (r#"{"op":"Add","path":"members","value":[{"$ref":null,"value":"1"}]}"#, Ok("")),
        (r#"{"op":"remove","path":"displayName"}"#, Err(ScimType::Mutability)),
    ] {
        assert_eq!(apply(&types, group, operations).map(|(names, _)| names), want.map(str::to_owned), "{operations}");
    }
    let schema = r#"{"id":"urn:x","attributes":[{"name":"once","mutability":"immutable"},{"name":"a","required":true},
        {"name":"list","multiValued":true,"required":true,"mutability":"immutable"}]}"#;
    let schema: crate::schema::Schema = serde_json::from_str(schema).unwrap();
    let resource_type = crate::ResourceType { name: "X".into(), schema: "urn:x".into(), ..Default::default() };
    let types = TypeSchema::new(resource_type, &[schema.into()]).unwrap();
    for (operations, want) in [
        (r#"{"op":"add","path":"once","value":"b"}"#, Err(ScimType::Mutability)),
        (r#"{"op":"add","path":"once","value":"a"}"#, Ok("")),
        (r#"{"op":"remove","path":"once"}"#, Err(ScimType::Mutability)),
        (r#"{"op":"add","path":"list","value":["y"]}"#, Err(ScimType::Mutability)),
        (r#"{"op":"add","path":"list","value":["X"]}"#, Ok("")),
        (r#"{"op":"remove","path":"list[value eq \"x\"]"}"#, Err(ScimType::Mutability)),
        (r#"{"op":"replace","path":"a","value":"b"}"#, Ok("a")),
    ] {
        let resource = r#"{"once":"a","a":"a","list":["x"]}"#;
        assert_eq!(
            apply(&types, resource, operations).map(|(names, _)| names),
            want.map(str::to_owned),
            "{operations}"
        );
    }
}

/// `replace | add | remove | other operations`, or `whole`.
fn split(operations: &str) -> String {
    let ids = |members: &[Attributes]| {
        members.iter().map(|m| m.get("value").unwrap().to_string()).collect::<Vec<_>>().join(",")
    };
    match patch(operations).unwrap().split_members(&TypeSchema::group(), &Policy::patch()) {
        Ok(Some(plan)) => {
            let changes = plan.member_changes;
            let replaced = changes.replace_all.map_or("-".into(), |members| ids(&members));
            format!(
                "{replaced}|{}|{}|{}",
                ids(&changes.add),
                changes.remove.join(","),
                plan.attribute_ops.operations.len()
            )
        }
        Ok(None) => "whole".into(),
        Err(error) => error.scim_type.unwrap().as_str().into(),
    }
}

#[test]
fn members_become_a_delta() {
    for (operations, want) in [
        (
            r#"{"op":"Add","path":"members","value":[{"$ref":null,"value":"1"},{"value":"2"},{"value":"1"}]}"#,
            "-|1,2||0",
        ),
        (r#"{"op":"add","path":"members","value":{"value":"1"}}"#, "-|1||0"),
        (r#"{"op":"add","path":"members","value":["1"]}"#, "-|1||0"),
        (r#"{"op":"Remove","path":"members","value":[{"$ref":null,"value":"1"}]}"#, "-||1|0"),
        (r#"{"op":"remove","path":"members[value eq \"1\"]"}"#, "-||1|0"),
        (r#"{"op":"remove","path":"members[value eq \"1\" or value eq \"2\"]"}"#, "-||1,2|0"),
        (r#"{"op":"remove","path":"members"}"#, "|||0"),
        (r#"{"op":"remove","path":"members","value":[]}"#, "-|||0"),
        (r#"{"op":"replace","path":"members","value":[{"value":"1"},{"value":"2"}]}"#, "1,2|||0"),
        (r#"{"op":"replace","path":"members","value":[]}"#, "|||0"),
        (r#"{"op":"replace","value":{"displayName":"x","members":[{"value":"1"}]}}"#, "1|||1"),
        (r#"{"op":"add","value":{"urn:ietf:params:scim:schemas:core:2.0:Group:members":[{"value":"1"}]}}"#, "-|1||0"),
        (r#"{"op":"replace","path":"displayName","value":"x"}"#, "-|||1"),
        (
            r#"{"op":"add","path":"members","value":[{"value":"1"}]},{"op":"remove","path":"members[value eq \"1\"]"}"#,
            "-||1|0",
        ),
        (
            r#"{"op":"remove","path":"members[value eq \"1\"]"},{"op":"add","path":"members","value":[{"value":"1"}]}"#,
            "-|1||0",
        ),
        (r#"{"op":"remove","path":"members"},{"op":"add","path":"members","value":[{"value":"1"}]}"#, "1|||0"),
        (
            r#"{"op":"replace","path":"members","value":[{"value":"1"},{"value":"2"}]},{"op":"remove","path":"members[value eq \"1\"]"}"#,
            "2|||0",
        ),
        (r#"{"op":"remove","path":"members[type eq \"User\"]"}"#, "whole"),
        (r#"{"op":"replace","path":"members[value eq \"1\"].display","value":"x"}"#, "whole"),
        (r#"{"op":"add","path":"members","value":[{"display":"x"}]}"#, "invalidValue"),
        (r#"{"op":"add","path":"members"}"#, "invalidValue"),
    ] {
        assert_eq!(split(operations), want, "{operations}");
    }
    let users = patch(r#"{"op":"add","path":"title","value":"x"}"#).unwrap();
    assert_eq!(users.split_members(&TypeSchema::user(), &Policy::patch()), Ok(None));
}

/// What the random tests found.
#[test]
fn what_is_written_into_all_elements_leaves_none_alike() {
    let user = r#"{"userName":"a","emails":[{"value":"a","type":"work"},{"value":"b","type":"work"},{"value":"c"}]}"#;
    let (changed, after) =
        apply(&TypeSchema::user(), user, r#"{"op":"replace","path":"emails.value","value":"x"}"#).unwrap();
    assert_eq!(changed, "emails");
    let want: Attributes =
        serde_json::from_str(r#"{"userName":"a","emails":[{"value":"x","type":"work"},{"value":"x"}]}"#).unwrap();
    assert_eq!(after, want);
}

#[test]
fn a_member_without_an_id_is_nobody() {
    for operation in [
        r#"{"op":"add","path":"members.type","value":"User"}"#,
        r#"{"op":"add","path":"members[type eq \"User\"].type","value":"User"}"#,
        r#"{"op":"replace","path":"members","value":""}"#,
        r#"{"op":"add","path":"members","value":{"value":"a","value":""}}"#,
        r#"{"op":"add","path":"members","value":[{"display":"Ada"}]}"#,
    ] {
        let refused = apply(&TypeSchema::group(), r#"{"displayName":"g"}"#, operation);
        assert_eq!(refused, Err(ScimType::InvalidValue), "{operation}");
    }
}

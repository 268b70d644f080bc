use provost_model::Attributes;

use super::*;
use crate::urn;

fn parse(json: &str) -> Attributes {
    serde_json::from_str(json).unwrap()
}

fn text(attributes: &Attributes) -> String {
    serde_json::to_string(attributes).unwrap()
}

/// A type with every characteristic, as data.
fn custom() -> TypeSchema {
    let schema: Schema = serde_json::from_str(
        r#"{"id":"urn:example:Thing","attributes":[
            {"name":"label","required":true},
            {"name":"serial","mutability":"immutable"},
            {"name":"count","type":"integer"},{"name":"weight","type":"decimal"},
            {"name":"when","type":"dateTime"},{"name":"blob","type":"binary"},{"name":"link","type":"reference"},
            {"name":"hint","returned":"request"},{"name":"tag","returned":"always"},
            {"name":"secret","mutability":"writeOnly","returned":"never"},
            {"name":"tags","multiValued":true},
            {"name":"computed","mutability":"readOnly"}]}"#,
    )
    .unwrap();
    let more = r#"{"id":"urn:example:More","attributes":[{"name":"owner","required":true},{"name":"note"}]}"#;
    let more: Schema = serde_json::from_str(more).unwrap();
    let resource_type = crate::ResourceType {
        name: "Thing".into(),
        schema: schema.id.clone(),
        schema_extensions: vec![crate::schema::SchemaExtension { schema: more.id.clone(), required: false }],
        ..Default::default()
    };
    TypeSchema::new(resource_type, &[schema.into(), more.into()]).unwrap()
}

fn create(types: &TypeSchema, json: &str) -> Result<String, String> {
    let json = format!("{{\"schemas\":[\"{}\"],{json}}}", types.core.id);
    normalize(types, parse(&json), Write::Create, &Policy::default())
        .map(|resource| text(&resource))
        .map_err(|error| format!("{} {}", error.scim_type.unwrap().as_str(), error.detail))
}

#[test]
fn input_is_spelled_by_the_schema() {
    let user = TypeSchema::user();
    for (input, want) in [
        (r#""USERNAME":"Ada","id":"x","meta":{},"groups":[{"value":"1"}]"#, r#"{"userName":"Ada"}"#),
        (
            r#""userName":" a ","nope":1,"Name":{"FAMILYNAME":"L","x":1}"#,
            r#"{"userName":" a ","name":{"familyName":"L"}}"#,
        ),
        (r#""userName":"a","title":null,"emails":[],"name":{},"roles":[null,{}]"#, r#"{"userName":"a"}"#),
        (r#""userName":"a","active":"False""#, r#"{"userName":"a","active":false}"#),
        (r#""userName":"a","userName":"b""#, r#"{"userName":"b"}"#),
        (
            r#""userName":"a","emails":[{"value":"x","type":"work"},{"value":"x","type":"WORK"},{"value":"x"}]"#,
            r#"{"userName":"a","emails":[{"value":"x","type":"work"},{"value":"x"}]}"#,
        ),
        (
            r#""userName":"a","URN:ietf:params:scim:schemas:extension:enterprise:2.0:user":{"MANAGER":{"value":"7","displayName":"x"}}"#,
            r#"{"userName":"a","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"manager":{"value":"7"}}}"#,
        ),
    ] {
        assert_eq!(create(&user, input).as_deref(), Ok(want), "{input}");
    }
}

#[test]
fn wrong_input_is_refused() {
    let (user, thing) = (TypeSchema::user(), custom());
    for (types, input, want) in [
        (&user, r#""displayName":"a""#, "invalidValue userName is required"),
        (&user, r#""userName":"""#, "invalidValue userName is required"),
        (&user, r#""userName":7"#, "invalidValue userName has to be a string, found integer"),
        (&user, r#""userName":["a"]"#, "invalidValue userName has to be a string, found list"),
        (&user, r#""userName":"a","active":"maybe""#, "invalidValue active has to be a boolean, found text"),
        (&user, r#""userName":"a","emails":{"value":"x"}"#, "invalidValue emails has to be a list, found complex"),
        (&user, r#""userName":"a","emails":["x"]"#, "invalidValue emails has to be a complex value, found text"),
        (&user, r#""userName":"a","name":"x""#, "invalidValue name has to be a complex value, found text"),
        (
            &user,
            r#""userName":"a","emails":[{"value":"x","primary":true},{"value":"y","primary":true}]"#,
            "invalidValue emails: more than one value is primary",
        ),
        (
            &user,
            r#""userName":"a","emails":[{"value":1}]"#,
            "invalidValue emails: value has to be a string, found integer",
        ),
        (&thing, r#""label":"a","count":1.0"#, "invalidValue count has to be an integer, found decimal"),
        (&thing, r#""label":"a","count":"1""#, "invalidValue count has to be an integer, found text"),
        (
            &thing,
            r#""label":"a","when":"2026-01-01""#,
            "invalidValue when has to be a date and time such as 2026-01-31T09:30:00Z, found text",
        ),
        (&thing, r#""label":"a","blob":"a""#, "invalidValue blob has to be base64, found text"),
        (&thing, r#""label":"a","link":"a b""#, "invalidValue link has to be a URI, found text"),
        (&thing, r#""label":"a","urn:example:More":{"note":"x"}"#, "invalidValue urn:example:More:owner is required"),
    ] {
        assert_eq!(create(types, input).unwrap_err(), want, "{input}");
    }
    let good = r#""label":"a","count":1,"weight":2,"when":"2026-01-01T00:00:00+05:45","blob":"YQ","link":"../x","tags":["a","b","a"]"#;
    let want = r#"{"label":"a","count":1,"weight":2,"when":"2026-01-01T00:00:00+05:45","blob":"YQ","link":"../x","tags":["a","b"]}"#;
    assert_eq!(create(&thing, good).unwrap(), want);
    let strict = Policy { unknown: Unknown::Refuse, ..Policy::default() };
    let unknown = parse(&format!("{{\"schemas\":[\"{}\"],\"userName\":\"a\",\"nope\":1}}", urn::USER));
    assert_eq!(
        normalize(&user, unknown, Write::Create, &strict).unwrap_err().scim_type,
        Some(crate::ScimType::InvalidSyntax)
    );
}

#[test]
fn schemas_must_name_the_core_schema() {
    let user = TypeSchema::user();
    for (schemas, good) in [
        (r#""schemas":["urn:ietf:params:scim:schemas:core:2.0:user"],"#, true),
        (r#""schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:microsoft:x"],"#, true),
        (r#""schemas":["urn:scim:schemas:core:2.0"],"#, true),
        (r#""schemas":[],"#, false),
        (r#""schemas":"urn:ietf:params:scim:schemas:core:2.0:User","#, false),
        (r#""schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"#, false),
        ("", false),
    ] {
        let input = parse(&format!("{{{schemas}\"userName\":\"a\"}}"));
        assert_eq!(normalize(&user, input, Write::Create, &Policy::default()).is_ok(), good, "{schemas}");
    }
}

#[test]
fn a_replace_keeps_what_the_client_cannot_set() {
    let thing = custom();
    let current =
        parse(r#"{"id":"1","label":"a","serial":"S1","secret":"s","computed":"c","count":1,"meta":{"version":"1"}}"#);
    let replace = |json: &str| {
        let input = parse(&format!("{{\"schemas\":[\"urn:example:Thing\"],{json}}}"));
        normalize(&thing, input, Write::Replace(&current), &Policy::default())
    };
    let want = r#"{"label":"b","serial":"S1","id":"1","meta":{"version":"1"},"secret":"s","computed":"c"}"#;
    assert_eq!(text(&replace(r#""label":"b","serial":"S1","computed":"x","id":"9""#).unwrap()), want);
    for json in [r#""label":"b","serial":"S2""#, r#""label":"b""#] {
        assert_eq!(replace(json).unwrap_err().scim_type, Some(crate::ScimType::Mutability), "{json}");
    }
    assert_eq!(replace(r#""label":"b","serial":"S1","secret":"t""#).unwrap().get("secret"), Some(&Value::text("t")));
}

#[test]
fn projection_shows_what_was_asked_for() {
    let user = TypeSchema::user();
    let resource = parse(&format!(
        r#"{{"userName":"ada","id":"7","password":"x","title":"","roles":[],"name":{{"givenName":"Ada","familyName":"L"}},
            "meta":{{"resourceType":"User","version":"W/\"1\""}},"emails":[{{"value":"a@x","type":"work"}}],
            "{}":{{"department":"Engines","manager":{{"value":"1"}}}}}}"#,
        urn::ENTERPRISE_USER
    ));
    let all = "schemas,userName,id,title,name,emails,urn:ietf:params:scim:schemas:extension:enterprise:2.0:User,meta";
    let cases = [
        ((None, None), all, None),
        ((Some("userName"), None), "schemas,userName,id", None),
        ((Some("NAME.givenname , emails"), None), "schemas,id,name,emails", Some(r#""name":{"givenName":"Ada"}"#)),
        ((Some("password,nope"), None), "schemas,id", None),
        (
            (None, Some("id,emails,meta,userName,title")),
            "schemas,id,name,urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
            None,
        ),
        (
            (None, Some("name.givenName,urn:ietf:params:scim:schemas:extension:enterprise:2.0:User")),
            "schemas,userName,id,title,name,emails,meta",
            Some(r#""name":{"familyName":"L"}"#),
        ),
        ((Some("emails.type"), None), "schemas,id,emails", Some(r#""emails":[{"type":"work"}]"#)),
        (
            (Some("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department"), None),
            "schemas,id,urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
            Some(r#"{"department":"Engines"}"#),
        ),
        (
            (Some("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"), None),
            "schemas,id,urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
            Some(r#""manager":{"value":"1"}"#),
        ),
        ((Some("urn:ietf:params:scim:schemas:core:2.0:User:userName"), None), "schemas,userName,id", None),
    ];
    for ((attributes, excluded), names, part) in cases {
        let shown = Projection::parse(attributes, excluded).unwrap().view(&user).present(resource.clone());
        assert_eq!(
            shown.iter().map(|(name, _)| name).collect::<Vec<_>>().join(","),
            names,
            "{attributes:?} {excluded:?}"
        );
        if let Some(part) = part {
            assert!(text(&shown).contains(part), "{}", text(&shown));
        }
        let with_extension = shown.find(urn::ENTERPRISE_USER).is_some();
        assert_eq!(shown.get("schemas").unwrap().as_list().unwrap().len(), 1 + usize::from(with_extension));
    }
    assert_eq!(Projection::parse(Some("a"), Some("b")).unwrap_err().status, 400);
    let group = TypeSchema::group();
    assert!(!Projection::parse(None, Some("members")).unwrap().view(&group).shows("members"));
    assert!(!Projection::parse(Some("displayName"), None).unwrap().view(&group).shows("members"));
    assert!(Projection::default().view(&group).shows("members"));
}

#[test]
fn returned_decides_what_a_projection_leaves_open() {
    let thing = custom();
    let resource = parse(r#"{"id":"1","label":"a","hint":"h","tag":"t","secret":"s"}"#);
    let names = |view: View<'_>| view.present(resource.clone()).iter().map(|(n, _)| n.to_owned()).collect::<Vec<_>>();
    assert_eq!(names(Projection::default().view(&thing)), ["schemas", "id", "label", "tag"]);
    assert_eq!(
        names(Projection::parse(Some("hint,secret"), None).unwrap().view(&thing)),
        ["schemas", "id", "hint", "tag"]
    );
    assert_eq!(names(Projection::parse(None, Some("tag,label")).unwrap().view(&thing)), ["schemas", "id", "tag"]);
    assert_eq!(
        names(Projection::default().view(&thing).written(["hint".into()])),
        ["schemas", "id", "label", "hint", "tag"]
    );
}

use provost_model::AttributePath;
use serde_json::json;

use super::*;
use crate::urn;

fn path(text: &str) -> AttributePath {
    text.parse().unwrap()
}

#[test]
fn embedded_schemas_have_every_attribute_of_rfc_7643() {
    let counts = [(&BUILT_IN.user, 21), (&BUILT_IN.group, 2), (&BUILT_IN.enterprise_user, 6), (&BUILT_IN.common, 4)];
    for (schema, count) in counts {
        assert_eq!(schema.attributes.len(), count, "{}", schema.id);
        assert!(
            schema
                .attributes
                .iter()
                .all(|a| !a.description.is_empty() && a.is_complex() != a.sub_attributes.is_empty())
        );
    }
    let user_name = BUILT_IN.user.attribute("username").unwrap();
    assert!(user_name.required && !user_name.case_exact && user_name.uniqueness == Uniqueness::Server);
    assert!(BUILT_IN.user.attribute("password").unwrap().is_secret());
    assert_eq!(BUILT_IN.user.attribute("groups").unwrap().mutability, Mutability::ReadOnly);
    let value = BUILT_IN.group.attribute("members").unwrap().sub_attribute("value").unwrap();
    assert_eq!(value.mutability, Mutability::Immutable);
}

#[test]
fn paths_resolve_to_places() {
    let types = TypeSchema::user();
    let enterprise = urn::ENTERPRISE_USER;
    for (text, want) in [
        ("USERNAME", Some("userName".to_owned())),
        ("name.familyname", Some("name.familyName".to_owned())),
        ("emails[type eq \"work\"].value", Some("emails.value".to_owned())),
        ("urn:ietf:params:scim:schemas:core:2.0:user:userName", Some("userName".to_owned())),
        (&format!("{enterprise}:manager.value"), Some(format!("{enterprise}:manager.value"))),
        ("manager", Some(format!("{enterprise}:manager"))),
        (&format!("{enterprise}.department"), Some(format!("{enterprise}:department"))),
        ("meta.created", Some("meta.created".to_owned())),
        ("urn:example:other:name", None),
        ("nope", None),
        ("name.nope", None),
        ("title.sub", None),
    ] {
        let found = match types.resolve(&path(text)) {
            Some(Target::Attribute(place)) => Some(place.full_name()),
            Some(Target::Container(_)) => Some("container".into()),
            None => None,
        };
        assert_eq!(found, want, "{text}");
    }
    assert!(matches!(types.resolve(&path(enterprise)), Some(Target::Container(Some(_)))));
    assert!(matches!(types.resolve(&path(urn::USER)), Some(Target::Container(None))));
}

#[test]
fn discovery_answers_are_complete_and_without_nulls() {
    let registry = Registry::core();
    let all = registry.schemas_json("https://example.org/scim/v2");
    assert_eq!(all["totalResults"], 3);
    assert!(!all.to_string().contains("null"));
    let user = registry.schema_json("https://example.org/scim/v2", urn::USER).unwrap();
    assert_eq!(user["meta"]["location"], format!("https://example.org/scim/v2/Schemas/{}", urn::USER));
    assert_eq!(user["attributes"][0]["mutability"], "readWrite");
    assert_eq!(user["attributes"][0]["uniqueness"], "server");
    assert_eq!(registry.schema_json("", "urn:x").unwrap_err().status, 404);
    let types = registry.resource_types_json("https://example.org/scim/v2");
    assert_eq!(types["Resources"][0]["schemaExtensions"][0]["schema"], urn::ENTERPRISE_USER);
    let config = ServiceProviderConfig {
        patch: Supported { supported: true },
        authentication_schemes: vec![AuthenticationScheme::bearer()],
        ..Default::default()
    };
    let config = config.to_json("https://example.org");
    assert_eq!(config["patch"]["supported"], true);
    assert_eq!(config["bulk"]["maxOperations"], 0);
    assert_eq!(config["schemas"], json!([urn::SERVICE_PROVIDER_CONFIG]));
}

#[test]
fn a_custom_type_is_data() {
    let mut registry = Registry::core();
    let device = ResourceType {
        name: "Device".into(),
        endpoint: "/Devices".into(),
        schema: "urn:ietf:params:scim:schemas:core:2.0:Device".into(),
        ..Default::default()
    };
    assert_eq!(registry.add_type(device.clone()).unwrap_err().status, 404);
    let schema =
        json!({"id": device.schema, "name": "Device", "attributes": [{"name": "displayName", "type": "STRING"}]});
    registry.add_schema(serde_json::from_value(schema).unwrap());
    registry.add_type(device).unwrap();
    assert_eq!(registry.by_endpoint("Devices").unwrap().name(), "Device");
}

#[test]
fn classes_know_keys_references_and_extensions() {
    let class = class_schema(&TypeSchema::user());
    assert_eq!(class.keys, ["userName", "externalId"]);
    let department = class.resolve(&path(&format!("{}:department", urn::ENTERPRISE_USER))).unwrap();
    assert_eq!(department.kind, AttributeType::String);
    let manager = class.resolve(&path(&format!("{}:manager.value", urn::ENTERPRISE_USER))).unwrap();
    assert_eq!(manager.reference_classes, ["User"]);
    assert!(class.resolve(&path("password")).unwrap().sensitive);
    let group = class_schema(&TypeSchema::group());
    assert_eq!(group.keys, ["displayName", "externalId"]);
    assert_eq!(group.attribute("members").unwrap().reference_classes, ["User", "Group"]);

    let (resource_type, schemas) = from_class(&class, urn::USER, "/Users");
    assert_eq!(resource_type.schema_extensions.len(), 1);
    assert_eq!(schemas[0].attributes.len(), 21);
    assert_eq!(schemas[1].attribute("manager").unwrap().sub_attributes.len(), 3);
}

#[test]
fn odd_schemas_of_targets_are_read() {
    let answer = json!({"resources": [
        {"id": "urn:ietf:params:scim:schemas:core:2.0:User", "name": null, "attributes": [
            {"name": "userName", "type": "String", "multiValued": "false", "required": true, "mutability": "READWRITE",
             "uniqueness": null, "returned": "Default", "subAttributes": null, "caseExact": "TRUE"}]},
        {"id": "urn:x:extension:acme:2.0:User", "attributes": [{"name": "badge", "type": "integer"}]},
        {"name": "no id"}, 7]});
    let schemas = parse_schemas(&answer);
    assert_eq!(schemas.len(), 2);
    assert!(schemas[0].attributes[0].case_exact);
    let types = parse_resource_types(&serde_json::Value::Null, &schemas).unwrap();
    assert_eq!(types.len(), 1);
    let class = model_schema(&types).classes.remove(0);
    assert_eq!(class.resolve(&path("urn:x:extension:acme:2.0:User:badge")).unwrap().kind, AttributeType::Integer);

    let declared = json!([{"name": "Group", "endpoint": "/Groups", "schema": urn::GROUP,
        "schemaExtensions": [{"schema": "urn:unknown", "required": true}]}]);
    let types = parse_resource_types(&declared, &[]).unwrap();
    assert_eq!((types[0].name(), types[0].extensions.len()), ("Group", 0));
}

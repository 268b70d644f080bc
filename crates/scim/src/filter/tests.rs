use provost_model::Attributes;

use super::*;
use crate::{ScimType, urn};

fn user() -> Attributes {
    serde_json::from_str(&format!(
        r#"{{"id":"7","externalId":"Ext","userName":"bjensen","active":true,"title":"100%_sure*","nickName":"",
            "name":{{"familyName":"O'Malley","givenName":"Zoë"}},
            "emails":[{{"value":"B@example.com","type":"work","primary":true}},{{"value":"b@home.org","type":"home"}}],
            "meta":{{"lastModified":"2011-05-13T04:42:34Z"}},
            "{}":{{"employeeNumber":"701","manager":{{"value":"26"}}}}}}"#,
        urn::ENTERPRISE_USER
    ))
    .unwrap()
}

fn matches(text: &str) -> Result<bool, ScimError> {
    Ok(ResourceFilter::compile(&parse(text)?, &TypeSchema::user(), Missing::Refuse)?.matches(&user()))
}

#[test]
fn filters_of_rfc_7644_and_of_the_field() {
    for (text, want) in [
        (r#"userName eq "BJENSEN""#, true),
        (r#"USERNAME Eq "bjensen""#, true),
        (r#"externalId eq "ext""#, false),
        (r#"externalId eq "Ext""#, true),
        (r#"name.familyName co "o'malley""#, true),
        (r#"name.givenName eq "ZOË""#, true),
        (r#"userName sw "J""#, false),
        (r#"urn:ietf:params:scim:schemas:core:2.0:User:userName sw "B""#, true),
        (r#"displayName pr"#, false),
        (r#"nickName pr"#, false),
        (r#"name pr"#, true),
        (r#"emails pr"#, true),
        (r#"meta.lastModified gt "2011-05-13T06:42:33+02:00""#, true),
        (r#"meta.lastModified eq "2011-05-13T06:42:34+02:00""#, true),
        (r#"meta.lastModified sw "2011-05""#, true),
        (r#"active eq true"#, true),
        (r#"active eq "True""#, true),
        (r#"not (active eq true)"#, false),
        (r#"not(active eq false)"#, true),
        (r#"emails co "example.com""#, true),
        (r#"emails eq "b@HOME.org""#, true),
        (r#"emails.type eq "home""#, true),
        (r#"emails[type eq "work" and value co "@example.com"]"#, true),
        (r#"emails[type eq "work" and value co "@home.org"]"#, false),
        (r#"emails[type eq "work"].value eq "b@example.com""#, true),
        (r#"emails[type eq "home"].value eq "b@example.com""#, false),
        (r#"emails[primary eq "True"]"#, true),
        (r#"emails[not (type eq "work")]"#, true),
        (r#"emails.value ne "B@example.com""#, true),
        (r#"displayName ne "x""#, true),
        (r#"displayName eq null"#, true),
        (r#"userName ne null"#, true),
        (r#"title co "%_""#, true),
        (r#"title sw "%""#, false),
        (r#"title ew "*""#, true),
        (r#"userName gt "bjensem" and userName lt "bjensenz""#, true),
        (r#"userName eq "x" or userName eq "bjensen" and active eq true"#, true),
        (r#"(userName eq "bjensen" or userName eq "x") and active eq false"#, false),
        (r#"id eq "7" and manager eq "26""#, true),
        (r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value eq "26""#, true),
        (r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber eq "702""#, false),
        (r#"schemas eq "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User""#, true),
        (r#"schemas eq "urn:ietf:params:scim:schemas:core:2.0:Group""#, false),
        (r#"meta.resourceType eq "User""#, true),
    ] {
        assert_eq!(matches(text).unwrap_or_else(|error| panic!("{text}: {error}")), want, "{text}");
    }
}

#[test]
fn filters_that_say_nothing_are_refused() {
    for text in [
        "",
        "userName",
        r#"userName eq bjensen"#,
        r#"userName xx "a""#,
        r#"nope eq "a""#,
        r#"name.nope eq "a""#,
        r#"password eq "a""#,
        r#"password pr"#,
        r#"name eq "a""#,
        r#"active gt true"#,
        r#"active co "t""#,
        r#"active eq "perhaps""#,
        r#"x509Certificates gt "a""#,
        r#"userName eq 7"#,
        r#"userName gt null"#,
        r#"meta.created gt "yesterday""#,
        r#"emails[nope eq "a"]"#,
        r#"emails[emails[type eq "a"]]"#,
        r#"emails[urn:x:y eq "a"]"#,
        r#"userName EQUALS "a""#,
        r#"userName in ("a", "b")"#,
        r#"userName REGEX MATCH "a""#,
        r#"userName eq "a" and"#,
        r#"(userName eq "a""#,
    ] {
        let error = matches(text).expect_err(text);
        assert_eq!((error.status, error.scim_type), (400, Some(ScimType::InvalidFilter)), "{text}");
    }
    assert!(matches(&"(".repeat(50_000)).is_err());
    let many = vec![r#"userName eq "x""#; 300].join(" or ");
    assert_eq!(matches(&many), Ok(false));
}

#[test]
fn over_all_types_a_missing_attribute_never_matches() {
    let filter = parse(r#"displayName eq "Tour" or userName eq "bjensen""#).unwrap();
    let group = ResourceFilter::compile(&filter, &TypeSchema::group(), Missing::NoMatch).unwrap();
    let tour: Attributes =
        serde_json::from_str(r#"{"displayName":"tour","members":[{"value":"1","type":"User"}]}"#).unwrap();
    assert!(group.matches(&tour));
    for (text, want) in
        [(r#"members[value eq "1"]"#, true), (r#"members.value eq "2""#, false), (r#"members eq "1""#, true)]
    {
        let filter = ResourceFilter::compile(&parse(text).unwrap(), &TypeSchema::group(), Missing::Refuse).unwrap();
        assert_eq!(filter.matches(&tour), want, "{text}");
    }
}

#[test]
fn simple_lists_have_an_implied_value() {
    let tags: Attribute = serde_json::from_str(r#"{"name":"tags","multiValued":true}"#).unwrap();
    let filter = ElementFilter::compile(&parse(r#"value eq "A""#).unwrap(), &tags).unwrap();
    assert!(filter.matches(&"a".into()) && !filter.matches(&"b".into()));
    assert!(ElementFilter::compile(&parse(r#"type eq "A""#).unwrap(), &tags).is_err());
}

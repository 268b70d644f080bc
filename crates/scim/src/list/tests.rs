use provost_model::Attributes;

use super::*;
use crate::{ScimType, TypeSchema};

#[test]
fn parameters_are_read_as_clients_send_them() {
    for (url, filter, page, count) in [
        ("", "", Page::Index(1), None),
        ("startIndex=1&count=2", "", Page::Index(1), Some(2)),
        ("startIndex=0&count=-3", "", Page::Index(1), Some(-3)),
        ("StartIndex=-7&COUNT=0&unknown=x", "", Page::Index(1), Some(0)),
        ("startIndex=99999999999999999999", "", Page::Index(i64::MAX as u64), None),
        ("filter=userName%20eq%20%22ada%22&", "userName eq \"ada\"", Page::Index(1), None),
        ("&&filter=userName+eq+\"ada%2Bx\"&", "userName eq \"ada+x\"", Page::Index(1), None),
        ("filter=", "", Page::Index(1), None),
        ("cursor=&count=5", "", Page::Cursor("".into()), Some(5)),
        ("cursor=abc-._~", "", Page::Cursor("abc-._~".into()), None),
    ] {
        let query = Query::from_url(url).unwrap();
        assert_eq!(query.filter.map(|f| f.to_string()).unwrap_or_default(), filter, "{url}");
        assert_eq!((query.page, query.count), (page, count), "{url}");
    }
    for (url, want) in [
        ("count=x", ScimType::InvalidValue),
        ("startIndex=1.5", ScimType::InvalidValue),
        ("filter=userName", ScimType::InvalidFilter),
        ("attributes=a&excludedAttributes=b", ScimType::InvalidValue),
        ("sortBy=a..b", ScimType::InvalidPath),
    ] {
        assert_eq!(Query::from_url(url).unwrap_err().scim_type, Some(want), "{url}");
    }
}

#[test]
fn a_search_request_is_the_same_query() {
    let body = r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],"attributes":["userName","name.givenName"],
        "filter":"userName sw \"a\"","startIndex":"3","count":10,"sortBy":"userName","sortOrder":"Descending"}"#;
    let url = "attributes=userName,name.givenName&filter=userName+sw+%22a%22&startIndex=3&count=10&sortBy=userName&sortOrder=descending";
    let query = Query::from_json(body.as_bytes()).unwrap();
    assert_eq!(query, Query::from_url(url).unwrap());
    assert_eq!(query.sort.unwrap().order, SortOrder::Descending);
    for body in ["[]", "{}", r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],"filter":1}"#] {
        assert_eq!(Query::from_json(body.as_bytes()).unwrap_err().status, 400, "{body}");
    }
}

#[test]
fn counts_are_capped() {
    for (count, want) in [(None, 100), (Some(-1), 0), (Some(0), 0), (Some(7), 7), (Some(5_000), 1_000)] {
        assert_eq!(Query { count, ..Query::default() }.limit(100, 1_000), want, "{count:?}");
    }
}

#[test]
fn list_responses_have_numbers() {
    let page = ListResponse::indexed(3, 2, vec![Attributes::new()]);
    assert_eq!(
        serde_json::to_string(&page).unwrap(),
        "{\"schemas\":[\"urn:ietf:params:scim:api:messages:2.0:ListResponse\"],\"totalResults\":3,\"startIndex\":2,\
         \"itemsPerPage\":1,\"Resources\":[{}]}"
    );
    let page = ListResponse::<Attributes>::at_cursor(None, Vec::new(), Some("x".into()));
    assert!(serde_json::to_string(&page).unwrap().contains("\"nextCursor\":\"x\",\"Resources\":[]"));
}

#[test]
fn resources_sort_by_the_type_of_the_attribute() {
    let types = TypeSchema::user();
    let resources: Vec<Attributes> = serde_json::from_str(
        r#"[{"id":"1","userName":"bob","meta":{"created":"2026-01-01T00:00:00+02:00"},"emails":[{"value":"z"},{"value":"b","primary":true}]},
            {"id":"2","userName":"Alice","meta":{"created":"2025-12-31T23:00:00Z"},"emails":[{"value":"a"},{"value":"c"}]},
            {"id":"3","userName":"carol"}]"#,
    )
    .unwrap();
    for (by, order, want) in [
        ("userName", SortOrder::Ascending, "213"),
        ("USERNAME", SortOrder::Descending, "312"),
        ("meta.created", SortOrder::Ascending, "123"),
        ("meta.created", SortOrder::Descending, "321"),
        ("emails", SortOrder::Ascending, "213"),
        ("emails.value", SortOrder::Ascending, "213"),
        ("name", SortOrder::Ascending, "123"),
    ] {
        let sort = Sort { by: by.parse().unwrap(), order };
        let key = sort.key(&types).unwrap();
        let mut sorted = resources.clone();
        sorted.sort_by(|one, other| order.compare(&key(one), &key(other)));
        let ids: String = sorted.iter().map(|r| r.get("id").unwrap().as_text().unwrap()).collect();
        assert_eq!(ids, want, "{by} {order:?}");
    }
    for by in ["password", "nope"] {
        let sort = Sort { by: by.parse().unwrap(), order: SortOrder::Ascending };
        assert!(sort.key(&types).is_err(), "{by}");
    }
}

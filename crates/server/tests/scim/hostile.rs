//! Input that nobody sends by accident: each gets the right refusal, and the service goes on as before.

use provost_testkit::http::encode;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::{PATCH, SEARCH, Service, TOKEN, USER, on_both, refused};

on_both!(deep_and_long_bodies, filters_of_all_kinds, odd_paths, odd_numbers, bytes_that_are_no_text, doubled_keys);

/// Still there, and nothing was made.
async fn unharmed(service: &Service) {
    let list = service.get("/Users").await;
    assert_eq!((list.status, &list.body["totalResults"]), (200, &json!(0)));
}

async fn post(service: &Service, path: &str, body: impl Into<bytes::Bytes>) -> provost_testkit::Answer {
    service.raw("POST", &format!("/scim/v2{path}"), &[("content-type", "application/scim+json")], body).await
}

async fn deep_and_long_bodies(service: Service) {
    let user = |extra: &str| format!("{{\"schemas\":[\"{USER}\"],\"userName\":\"a\",\"title\":{extra}}}");
    for depth in [130, 10_000, 1_000_000] {
        let deep = user(&format!("{}{}", "[".repeat(depth), "]".repeat(depth)));
        refused(&post(&service, "/Users", deep).await, 400, "invalidSyntax");
        let deep = user(&format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth)));
        refused(&post(&service, "/Users", deep).await, 400, "invalidSyntax");
        refused(&post(&service, "/Bulk", "[".repeat(depth)).await, 400, "invalidSyntax");
        refused(&post(&service, "/.search", "[".repeat(depth)).await, 400, "invalidSyntax");
    }
    refused(&post(&service, "/Users", user(&format!("[\"{}\"]", "x".repeat(10 << 20)))).await, 400, "invalidValue");
    refused(&post(&service, "/Users", "x".repeat(17 << 20)).await, 413, "");
    let long = post(&service, "/Users", user("1").replace("\"a\"", &format!("\"{}\"", "x".repeat(2_000)))).await;
    refused(&long, 400, "invalidValue");
    for body in ["", " ", "null", "7", "\"x\"", "[]", "{", "{\"schemas\":}", "{}"] {
        let answer = post(&service, "/Users", body).await;
        assert_eq!(answer.status, 400, "{body}: {:?}", answer.body);
    }
    unharmed(&service).await;
}

async fn filters_of_all_kinds(service: Service) {
    let search = async |filter: &str| {
        let body = json!({ "schemas": [SEARCH], "filter": filter });
        post(&service, "/Users/.search", body.to_string()).await
    };
    let terms = vec!["userName eq \"x\""; 300];
    assert_eq!(search(&terms.join(" or ")).await.body["totalResults"], 0);
    assert_eq!(search(&terms.join(" and ")).await.status, 200);
    for filter in [
        "(".repeat(50_000),
        format!("{}userName pr{}", "(".repeat(50_000), ")".repeat(50_000)),
        format!("{}userName pr", "not ".repeat(50_000)),
        "emails[".repeat(50_000),
        format!("{} userName pr", "userName pr and ".repeat(20_000)),
        "userName eq \"".to_owned(),
        "userName xx 1".to_owned(),
        "password eq \"x\"".to_owned(),
        "password pr".to_owned(),
        "not (password pr)".to_owned(),
        "userName pr and password sw \"a\"".to_owned(),
        "urn:ietf:params:scim:schemas:core:2.0:User:password pr".to_owned(),
        "userName eq 1".to_owned(),
        "nothing eq \"x\"".to_owned(),
        "emails[type eq \"work\"][value pr]".to_owned(),
        "meta.created gt \"yesterday\"".to_owned(),
        "userName regex \"(a+)+$\"".to_owned(),
    ] {
        let answer = search(&filter).await;
        assert_eq!(answer.status, 400, "{filter:.60}");
        refused(&answer, 400, "invalidFilter");
        assert!(answer.text("/detail").len() < 1_000, "a refusal is short: {}", answer.text("/detail").len());
    }
    for sort in ["password", "nothing", "a[b", "emails[type eq \"x\"]"] {
        let answer = service.get(&format!("/Users?sortBy={}", encode(sort))).await;
        assert_eq!(answer.status, 400, "{sort}: {:?}", answer.body);
    }
    unharmed(&service).await;
}

async fn odd_paths(service: Service) {
    for path in [
        "/Users/..%2f..%2fetc%2fpasswd",
        "/Users/%2e%2e%2f%2e%2e%2f",
        "/Users/%00",
        "/Users/a%00b",
        "/Users/%ff%fe",
        "/Users/%27%20or%201=1",
        "/Users/%F0%9F%92%A9",
        "/Users/x/y/z",
        "/Schemas/%00",
        "/ResourceTypes/..%2f",
        "/%00",
        "/v2",
    ] {
        let answer = service.get(path).await;
        refused(&answer, 404, "");
        for method in ["PUT", "PATCH", "DELETE"] {
            let body = match method {
                "PATCH" => {
                    json!({ "schemas": [PATCH], "Operations": [{ "op": "add", "path": "title", "value": "x" }] })
                }
                _ => json!({ "schemas": [USER], "userName": "x" }),
            };
            let answer = service.send(method, path, body).await;
            assert!(matches!(answer.status, 404 | 405), "{method} {path}: {:?}", answer.body);
        }
    }
    let long = service.get(&format!("/Users/{}", "x".repeat(8_000))).await;
    refused(&long, 404, "");
    for version in ["v1", "v3", "v2.1"] {
        let other = service.raw("GET", &format!("/scim/{version}/Users"), &[], "").await;
        assert!(matches!(other.status, 400 | 404), "{version}");
    }
    unharmed(&service).await;
}

async fn odd_numbers(service: Service) {
    for query in [
        "count=99999999999999999999",
        "startIndex=99999999999999999999",
        "count=-5",
        "startIndex=-99999999999999999999",
        "startIndex=0",
    ] {
        let answer = service.get(&format!("/Users?{query}")).await;
        assert_eq!((answer.status, &answer.body["totalResults"]), (200, &json!(0)), "{query}");
    }
    for query in ["count=1e3", "count=", "count=0x10", "startIndex=1.0", "count=NaN"] {
        refused(&service.get(&format!("/Users?{query}")).await, 400, "invalidValue");
    }
    let body = |count: Value| json!({ "schemas": [SEARCH], "count": count });
    for count in [json!(1e300), json!([1]), json!({}), json!(true)] {
        refused(&service.send("POST", "/Users/.search", body(count)).await, 400, "invalidValue");
    }
    refused(&service.get("/Users?sortBy=userName&startIndex=999999999&count=10").await, 400, "tooMany");
    for version in ["W/\"99999999999999999999\"", "\"'; drop table resource\"", "*, *", ",", "W/"] {
        let headers = [("if-match", version), ("content-type", "application/json")];
        let answer = service.raw("DELETE", "/scim/v2/Users/x", &headers, "").await;
        refused(&answer, 404, "");
    }
    unharmed(&service).await;
}

async fn bytes_that_are_no_text(service: Service) {
    let mut body = format!("{{\"schemas\":[\"{USER}\"],\"userName\":\"").into_bytes();
    body.extend_from_slice(&[0xff, 0xfe]);
    body.extend_from_slice(b"\"}");
    refused(&post(&service, "/Users", body).await, 400, "invalidSyntax");
    for (name, value) in [("userName", "a\\u0000b"), ("externalId", "\\u0000"), ("title", "\\ud800")] {
        let mut user = json!({ "schemas": [USER], "userName": "a" }).to_string();
        user = user.replace("\"userName\":\"a\"", &format!("\"userName\":\"a\",\"{name}\":\"{value}\""));
        let answer = post(&service, "/Users", user).await;
        assert_eq!(answer.status, 400, "{name} {value}: {:?}", answer.body);
    }
    for query in ["filter=%ff%fe", "filter=userName%20eq%20%22%00%22", "attributes=%00", "sortBy=%ff", "cursor=%00"] {
        let answer = service.get(&format!("/Users?{query}")).await;
        assert!(answer.status == 200 || answer.status == 400, "{query}: {:?}", answer.body);
    }
    // Heads that are none, straight onto the wire.
    let bomb = format!("GET /scim/v2/Users HTTP/1.1\r\nhost: x\r\n{}\r\n", "x-a: b\r\n".repeat(20_000));
    let long = format!("GET /scim/v2/Users?{} HTTP/1.1\r\nhost: x\r\n\r\n", "a".repeat(1 << 20));
    let both = format!(
        "POST /scim/v2/Users HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKEN}\r\ncontent-length: 5\r\n\
         transfer-encoding: chunked\r\n\r\n0\r\n\r\n"
    );
    for head in [bomb, long, both, "\0\0\0\r\n\r\n".to_owned(), "GET\r\n\r\n".to_owned()] {
        let mut stream = tokio::net::TcpStream::connect(&service.address).await.unwrap();
        // The other side may close while we still write.
        let _ = stream.write_all(head.as_bytes()).await;
        let _ = stream.shutdown().await;
        let mut answer = Vec::new();
        let _ = tokio::time::timeout(std::time::Duration::from_secs(10), stream.read_to_end(&mut answer)).await;
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{:.60} -> {answer:.200}", head);
    }
    unharmed(&service).await;
}

/// Of a name that stands there twice, in whatever letter case, the later value counts, everywhere.
async fn doubled_keys(service: Service) {
    let user = format!("{{\"schemas\":[\"{USER}\"],\"userName\":\"one\",\"USERNAME\":\"two\",\"userName\":\"three\"}}");
    let made = post(&service, "/Users", user).await;
    assert_eq!((made.status, made.text("/userName")), (201, "three"), "{:?}", made.body);
    let path = format!("/Users/{}", made.text("/id"));
    assert_eq!(service.http.send("DELETE", &path, None).await.unwrap().status, 204);
    unharmed(&service).await;
}

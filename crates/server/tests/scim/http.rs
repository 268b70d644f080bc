use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::{Service, TOKEN, USER, header, on_both, refused};

on_both!(
    strangers_are_refused,
    what_does_not_exist_is_refused,
    bodies_are_checked,
    heads_and_media_types,
    raw_quotes_are_understood,
    health_and_metrics,
);

async fn strangers_are_refused(service: Service) {
    for authorization in ["", "Bearer", "Bearer x", "Basic YTpi", "bearer a-token-for-test"] {
        for path in ["/scim/v2/Users", "/scim/v2/Users/1", "/scim/v2/ServiceProviderConfig", "/scim/v2/nothing"] {
            let answer = service.raw("GET", path, &[("authorization", authorization)], "").await;
            refused(&answer, 401, "");
            assert_eq!(header(&answer, "www-authenticate"), "Bearer realm=\"provost\"");
        }
    }
    let lower = service.raw("GET", "/scim/v2/Users", &[("authorization", &format!("bearer {TOKEN}"))], "").await;
    assert_eq!(lower.status, 200);
}

async fn what_does_not_exist_is_refused(service: Service) {
    for path in ["/nothing", "/Users/1", "/Users/1/2", "/users", "/Groups/%00", "/Users/a%2Fb"] {
        refused(&service.get(path).await, 404, "");
    }
    refused(&service.raw("GET", "/scim/v1/Users", &[], "").await, 400, "invalidVers");
    refused(&service.raw("GET", "/scim/v3", &[], "").await, 400, "invalidVers");
    for path in ["/scim/Users", "/scim/v2/Users/", "/scim/v2/Users?nothing=1&&", "/scim/v2//Users"] {
        assert_eq!(service.raw("GET", path, &[], "").await.status, 200, "{path}");
    }
    let user = format!("/Users/{}", service.user("ada").await);
    for (method, path, allowed) in [
        ("PUT", "/Users", "GET, HEAD, POST"),
        ("PATCH", "/Groups", "GET, HEAD, POST"),
        ("DELETE", "/Users", "GET, HEAD, POST"),
        ("POST", &user, "GET, HEAD, PUT, PATCH, DELETE"),
        ("GET", "/Users/.search", "POST"),
        ("PUT", "/.search", "POST"),
        ("DELETE", "/", "GET, HEAD"),
    ] {
        let answer = service.send(method, path, json!({})).await;
        refused(&answer, 405, "");
        assert_eq!(header(&answer, "allow"), allowed);
    }
    refused(&service.get("/Me").await, 404, "");
}

async fn bodies_are_checked(service: Service) {
    let user = |name: &str| json!({ "schemas": [USER], "userName": name }).to_string();
    for (media, status) in [
        ("application/scim+json", 201),
        ("application/json", 201),
        ("Application/JSON; charset=utf-8", 201),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
    ] {
        let body = user(&format!("user of {media}"));
        let answer = service.raw("POST", "/scim/v2/Users", &[("content-type", media)], body).await;
        assert_eq!(answer.status, status, "{media}: {:?}", answer.body);
    }
    assert_eq!(service.raw("POST", "/scim/v2/Users", &[], user("no type")).await.status, 201);

    let deep = format!("{}{}", "[".repeat(50_000), "]".repeat(50_000));
    let deeper = format!("{{\"schemas\":[\"{USER}\"],\"userName\":\"x\",\"name\":{deep}}}");
    for body in ["", "{", "[]", "1", "\"x\"", "{\"schemas\":[]}", "{}", &deep, &deeper, "{\"userName\":\"x\"}"] {
        let answer = service.raw("POST", "/scim/v2/Users", &[], body.to_owned()).await;
        refused(&answer, 400, "invalidSyntax");
    }
    refused(&service.raw("POST", "/scim/v2/Users", &[], &b"{\"userName\":\"\xff\"}"[..]).await, 400, "invalidSyntax");
    let large = format!("{{\"x\":\"{}\"}}", "x".repeat(17 << 20));
    let answer = service.raw("POST", "/scim/v2/Users", &[], large).await;
    refused(&answer, 413, "");
    assert!(answer.text("/detail").contains("16 MiB"), "{:?}", answer.body);
}

async fn heads_and_media_types(service: Service) {
    let path = format!("/scim/v2/Users/{}", service.user("ada").await);
    let head = service.raw("HEAD", &path, &[], "").await;
    assert_eq!((head.status, header(&head, "etag"), &head.body), (200, "W/\"1\"", &json!(null)));
    assert_eq!(service.raw("HEAD", "/scim/v2/Users/none", &[], "").await.status, 404);
    for (accept, media) in [
        ("*/*", "application/scim+json"),
        ("application/scim+json", "application/scim+json"),
        ("application/json", "application/json"),
        ("application/json, */*", "application/scim+json"),
        ("text/html", "application/scim+json"),
    ] {
        let answer = service.raw("GET", &path, &[("accept", accept)], "").await;
        assert_eq!((answer.status, header(&answer, "content-type")), (200, media), "{accept}");
    }
    let gone = service.raw("DELETE", &path, &[], "").await;
    assert_eq!((gone.status, gone.body, gone.headers.get("content-type")), (204, json!(null), None));
}

/// Two requests on one connection, with a body between their query strings, as no library would send them.
async fn raw_quotes_are_understood(service: Service) {
    service.user("ada").await;
    let mut stream = TcpStream::connect(&service.address).await.unwrap();
    let get = |close: &str| {
        format!(
            "GET /scim/v2/Users?filter=userName+eq+\"ADA\"& HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {TOKEN}\r\n{close}\r\n",
            service.address
        )
    };
    let body = json!({ "schemas": [USER], "userName": "GET /?\"x\" HTTP/1.1" }).to_string();
    let post = format!(
        "POST /scim/v2/Users HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: {}\r\n\r\n{body}",
        service.address,
        body.len()
    );
    let all = [get(""), post, get("Connection: close\r\n")].concat();
    stream.write_all(all.as_bytes()).await.unwrap();
    let mut answers = String::new();
    stream.read_to_string(&mut answers).await.unwrap();
    assert_eq!(answers.matches("\"totalResults\":1").count(), 2, "{answers}");
    assert_eq!(answers.matches("HTTP/1.1 201 Created").count(), 1, "{answers}");
}

async fn health_and_metrics(service: Service) {
    service.user("ada").await;
    service.get("/Users/none").await;
    for path in ["/healthz", "/readyz"] {
        let answer = service.raw("GET", path, &[("authorization", "")], "").await;
        assert_eq!((answer.status, answer.body), (200, json!("ok\n")), "{path}");
    }
    let metrics = service.raw("GET", "/metrics", &[("authorization", "")], "").await;
    let text = metrics.body.as_str().unwrap();
    for line in [
        "provost_scim_requests_total{method=\"POST\",status=\"2xx\"} 1\n",
        "provost_scim_requests_total{method=\"GET\",status=\"4xx\"} 1\n",
        "provost_directory_writes_total 1\n",
    ] {
        assert!(text.contains(line), "{text}");
    }
}

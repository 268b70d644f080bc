use std::collections::HashSet;

use serde_json::json;
use tokio::task::JoinSet;

use crate::{Service, USER, ids, on_both};

on_both!(posts_at_once, one_name_for_many, one_version_for_many);

async fn posts_at_once(service: Service) {
    let mut posts = JoinSet::new();
    for number in 0..200 {
        let http = service.http.clone();
        posts.spawn(async move {
            let body = json!({ "schemas": [USER], "userName": format!("user{number}") });
            http.send("POST", "/Users", Some(&body)).await.unwrap()
        });
    }
    let mut made = HashSet::new();
    while let Some(answer) = posts.join_next().await {
        let answer = answer.unwrap();
        assert_eq!(answer.status, 201, "{:?}", answer.body);
        assert!(made.insert(answer.text("/id").to_owned()));
    }
    let all = service.get("/Users?count=1000").await;
    assert_eq!(all.body["totalResults"], 200);
    assert_eq!(ids(&all).into_iter().map(str::to_owned).collect::<HashSet<_>>(), made);
    for number in 0..200 {
        let found = service.get(&format!("/Users?filter=userName+eq+%22user{number}%22")).await;
        assert_eq!(found.body["totalResults"], 1);
    }
}

/// The statuses of the same request sent by many clients at once, sorted.
async fn statuses(service: &Service, method: &'static str, path: &str, tag: Option<&'static str>) -> Vec<u16> {
    let mut requests = JoinSet::new();
    for number in 0..20 {
        let body = json!({ "schemas": [USER], "userName": "ada", "title": format!("title {number}") }).to_string();
        let (path, address) = (path.to_owned(), service.address.clone());
        let service = Service { http: service.http.clone(), store: service.store.clone(), address };
        requests.spawn(async move {
            let headers: Vec<_> = tag.map(|tag| ("if-match", tag)).into_iter().collect();
            service.raw(method, &path, &headers, body).await.status
        });
    }
    let mut statuses = requests.join_all().await;
    statuses.sort_unstable();
    statuses
}

async fn one_name_for_many(service: Service) {
    let mut want = vec![409; 20];
    want[0] = 201;
    assert_eq!(statuses(&service, "POST", "/scim/v2/Users", None).await, want);
}

async fn one_version_for_many(service: Service) {
    let path = format!("/scim/v2/Users/{}", service.user("ada").await);
    let mut want = vec![412; 20];
    want[0] = 200;
    assert_eq!(statuses(&service, "PUT", &path, Some("W/\"1\"")).await, want);
    assert_eq!(service.raw("GET", &path, &[], "").await.text("/meta/version"), "W/\"2\"");
}

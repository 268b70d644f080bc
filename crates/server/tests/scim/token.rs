use std::sync::Arc;

use provost_model::Timestamp;
use provost_model::clock::{Clock as _, ManualClock};
use provost_server::Token;
use provost_store::{NewToken, Store, TokenRow};

use crate::{Service, USER, refused};

const NOW: i64 = 1_800_000_000_000;

async fn last_used(store: &Store, id: &str, want: Option<i64>) {
    // It is noted beside the request.
    for _ in 0..200 {
        if store.token(id).await.unwrap().unwrap().last_used == want {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(store.token(id).await.unwrap().unwrap().last_used, want);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_of_the_store() {
    let clock = ManualClock::at(Timestamp::from_millisecond(NOW).unwrap());
    let store = Store::open("sqlite::memory:").await.unwrap();
    let service = Service::start(store.clone(), Arc::new(clock.clone()), Token::Stored).await;
    let make = async |id: &str, rights: &str, expires: Option<i64>| {
        let new = NewToken::generate().unwrap();
        let row = TokenRow {
            id: id.into(),
            name: id.into(),
            hash: new.hash,
            rights: rights.into(),
            created: NOW,
            expires,
            last_used: None,
            revoked: None,
        };
        store.save_token(&row).await.unwrap();
        format!("Bearer {}", *new.text)
    };
    let all = make("all", "all", Some(NOW + 100_000)).await;
    let reader = make("reader", "read", None).await;
    let other = make("other", "console", None).await;
    let body = format!("{{\"schemas\":[\"{USER}\"],\"userName\":\"ada\"}}");
    let send = async |method: &str, token: &str| {
        let body = if method == "POST" { body.clone() } else { String::new() };
        service.raw(method, "/scim/v2/Users", &[("authorization", token)], body).await
    };

    assert_eq!(send("POST", &all).await.status, 201);
    last_used(&store, "all", Some(NOW)).await;
    assert_eq!(send("GET", &reader).await.status, 200);
    refused(&send("POST", &reader).await, 403, "");
    refused(&send("GET", &other).await, 403, "");
    refused(&send("GET", "Bearer prv_unknown").await, 401, "");

    clock.advance_ms(59_000);
    assert_eq!(send("GET", &all).await.status, 200);
    last_used(&store, "all", Some(NOW)).await;
    clock.advance_ms(1_000);
    assert_eq!(send("GET", &all).await.status, 200);
    last_used(&store, "all", Some(NOW + 60_000)).await;

    store.revoke_token("reader", clock.now_ms()).await.unwrap();
    clock.advance_ms(5_000);
    refused(&send("GET", &reader).await, 401, "");
    clock.advance_ms(34_999);
    assert_eq!(send("GET", &all).await.status, 200);
    clock.advance_ms(1);
    refused(&send("GET", &all).await, 401, "");
}

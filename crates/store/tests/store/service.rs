//! Tokens, secrets, configuration.

use provost_model::Explain as _;
use provost_store::token::token_hash;
use provost_store::{Db, MasterKey, NewToken, Store, StoreError, StoreOptions, TokenRow};

use crate::Place;

crate::on_both!(
    tokens,
    rotations,
    rotations_and_revocations,
    secrets,
    a_changed_secret_does_not_open,
    resealing,
    configurations
);

/// The place again, with the master key in its folder: a store on PostgreSQL has none by itself.
async fn with_key(place: &Place) -> Store {
    let options = StoreOptions { master_key: Some(place.folder.path().join("master.key")), ..StoreOptions::default() };
    Store::open_with(&place.url, options).await.unwrap()
}

async fn tokens(place: Place) {
    let store = &place.store;
    let new = NewToken::generate().unwrap();
    assert!(new.text.starts_with("prv_") && new.text.len() == 47, "{}", &*new.text);
    assert_ne!(new.text, NewToken::generate().unwrap().text);
    let row = TokenRow {
        id: "t1".into(),
        name: "CI".to_owned(),
        hash: new.hash.clone(),
        rights: "scim:write".to_owned(),
        created: 1,
        expires: Some(100),
        last_used: None,
        revoked: None,
        client: "{}".into(),
    };
    store.save_token(&row).await.unwrap();
    let found = store.token_by_text(&new.text).await.unwrap().unwrap();
    assert_eq!(found, row);
    assert!(found.is_valid(99) && !found.is_valid(100));
    assert_eq!(store.token_by_text("prv_wrong").await.unwrap(), None);

    store.touch_token("t1", 50).await.unwrap();
    store.touch_token("t1", 40).await.unwrap();
    assert!(store.revoke_token("t1", 60).await.unwrap());
    assert!(!store.revoke_token("t1", 70).await.unwrap());
    let found = store.token("t1").await.unwrap().unwrap();
    assert_eq!((found.last_used, found.revoked, found.is_valid(1)), (Some(50), Some(60), false));

    let same = TokenRow { id: "t2".into(), ..row };
    assert!(store.save_token(&same).await.is_err(), "two tokens with one hash");
    assert!(store.delete_token("t1").await.unwrap());
    assert_eq!(store.tokens().await.unwrap(), []);
    assert_eq!(token_hash("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

fn token(id: &str, name: &str, expires: Option<i64>) -> TokenRow {
    TokenRow {
        id: id.into(),
        name: name.to_owned(),
        hash: token_hash(id),
        rights: "all".to_owned(),
        created: 1,
        expires,
        last_used: None,
        revoked: None,
        client: "{}".into(),
    }
}

async fn rotations(place: Place) {
    let store = &place.store;
    for row in [
        token("endless", "CI", None),
        token("soon", "CI", Some(120)),
        token("over", "CI", Some(50)),
        token("gone", "CI", None),
        token("other", "HR", None),
    ] {
        store.save_token(&row).await.unwrap();
    }
    // Between whoever looks at the tokens and rotates them, and the rotation.
    assert!(store.revoke_token("gone", 90).await.unwrap());
    store.touch_token("endless", 95).await.unwrap();
    assert_eq!(store.rotate_token(&token("new", "CI", None), 100, 200).await.unwrap(), 2);
    let all = store.tokens().await.unwrap();
    let of = |id: &str| all.iter().find(|row| row.id == id).map(|row| (row.expires, row.revoked, row.last_used));
    for (id, expires, revoked, used) in [
        ("endless", Some(200), None, Some(95)),
        ("soon", Some(120), None, None),
        ("over", Some(50), None, None),
        ("gone", None, Some(90), None),
        ("other", None, None, None),
        ("new", None, None, None),
    ] {
        assert_eq!(of(id), Some((expires, revoked, used)), "{id}");
    }
    // Nobody is left to take the place of.
    assert!(store.revoke_token("other", 100).await.unwrap());
    assert_eq!(store.rotate_token(&token("again", "HR", None), 101, 200).await.unwrap(), 0);
    assert_eq!(store.token("again").await.unwrap(), None);
}

/// Whichever comes first: a token that was revoked stays revoked.
async fn rotations_and_revocations(place: Place) {
    for round in 0..20 {
        let (name, old, new) = (format!("n{round}"), format!("old{round}"), format!("new{round}"));
        place.store.save_token(&token(&old, &name, None)).await.unwrap();
        let row = token(&new, &name, None);
        let (rotated, revoked) =
            tokio::join!(place.store.rotate_token(&row, 100, 200), place.store.revoke_token(&old, 100));
        assert!(revoked.unwrap());
        let is_there = place.store.token(&new).await.unwrap().is_some();
        assert_eq!(rotated.unwrap() == 1, is_there);
        assert_eq!(place.store.token(&old).await.unwrap().unwrap().revoked, Some(100), "round {round}");
    }
}

async fn secrets(place: Place) {
    let store = with_key(&place).await;
    store.put_secret("hr", b"s3cret\0\xff", 1).await.unwrap();
    store.put_secret("crm", b"", 2).await.unwrap();
    store.put_secret("hr", b"changed", 3).await.unwrap();
    assert_eq!(&**store.secret("hr").await.unwrap().unwrap(), b"changed");
    assert_eq!(&**store.secret("crm").await.unwrap().unwrap(), b"");
    assert!(store.secret("none").await.unwrap().is_none());
    let infos = store.secrets().await.unwrap();
    let infos: Vec<_> = infos.iter().map(|info| (info.name.as_str(), info.created, info.updated)).collect();
    assert_eq!(infos, [("crm", 2, 2), ("hr", 1, 3)]);

    // Another process with the same key file.
    assert_eq!(&**with_key(&place).await.secret("hr").await.unwrap().unwrap(), b"changed");
    assert_eq!(store.sealed_shut().await.unwrap(), Vec::<String>::new());

    // The key is lost: no new one is made in its place.
    std::fs::remove_file(place.folder.path().join("master.key")).unwrap();
    let error = with_key(&place).await.put_secret("new", b"x", 4).await.unwrap_err();
    assert_eq!(error.code().as_str(), "PRV-0411");
    assert!(store.delete_secret("crm").await.unwrap());
    assert!(!store.delete_secret("crm").await.unwrap());

    if matches!(place.store.db(), Db::Postgres(_)) {
        let error = place.store.put_secret("new", b"x", 5).await.unwrap_err();
        assert!(error.to_string().contains("PROVOST_MASTER_KEY"), "{error}");
    }
}

async fn a_changed_secret_does_not_open(place: Place) {
    let store = with_key(&place).await;
    store.put_secret("a", b"one", 1).await.unwrap();
    store.put_secret("b", b"two", 1).await.unwrap();
    // One secret's blob in another's place.
    let swap = "update secret set blob = (select blob from secret where name = 'b') where name = 'a'";
    store.db().write(store.db().fixed(swap)).await.unwrap();
    let error = store.secret("a").await.unwrap_err();
    assert!(matches!(&error, StoreError::Sealed { name, .. } if name == "a"), "{error}");
    assert_eq!(store.sealed_shut().await.unwrap(), ["a"]);
    assert_eq!(&**store.secret("b").await.unwrap().unwrap(), b"two");
}

async fn resealing(place: Place) {
    let store = with_key(&place).await;
    store.put_secret("a", b"one", 1).await.unwrap();
    let path = place.folder.path().join("new.key");
    let key = MasterKey::from_file(&path, true).unwrap();
    assert_eq!(store.reseal_secrets(&key).await.unwrap(), 1);
    assert!(store.secret("a").await.unwrap_err().to_string().contains(key.id()));
    let options = StoreOptions { master_key: Some(path), ..StoreOptions::default() };
    let again = Store::open_with(&place.url, options).await.unwrap();
    assert_eq!(&**again.secret("a").await.unwrap().unwrap(), b"one");
}

async fn configurations(place: Place) {
    let store = &place.store;
    assert_eq!(store.config("jobs").await.unwrap(), None);
    assert_eq!(store.add_config("jobs", "a: 1", "ann", 1).await.unwrap(), 1);
    assert_eq!(store.add_config("jobs", "a: 2", "ben", 2).await.unwrap(), 2);
    assert_eq!(store.add_config("alarms", "x", "ann", 3).await.unwrap(), 1);
    let newest = store.config("jobs").await.unwrap().unwrap();
    assert_eq!((newest.version, newest.body.as_str(), newest.author.as_str()), (2, "a: 2", "ben"));
    assert_eq!(store.config_version("jobs", 1).await.unwrap().unwrap().body, "a: 1");
    assert_eq!(store.config_version("jobs", 3).await.unwrap(), None);
    assert_eq!(store.config_history("jobs").await.unwrap().len(), 2);
    let all = store.configs().await.unwrap();
    let all: Vec<_> = all.iter().map(|row| (row.name.as_str(), row.version)).collect();
    assert_eq!(all, [("alarms", 1), ("jobs", 2)]);
    assert_eq!(store.delete_config("jobs").await.unwrap(), 2);
}

//! The service's door: creates, edits, deletions, and what a batch means.

use provost_directory::{DirectoryError, MemberEdit, What, Write};
use provost_model::{Attributes, Explain as _, ObjectId, Value};

use crate::{ENTERPRISE, Place, json, user};

crate::on_both!(
    create_and_get,
    what_is_not_kept,
    refusals,
    edits,
    versions,
    deletion,
    names_in_a_batch,
    names_that_trade_places,
    one_resource_many_times,
    managers_go,
);

async fn create_and_get(place: Place) {
    let attributes = json(r#"{"userName":"Ada","name":{"familyName":"Lovelace"},"emails":[{"value":"a@b"}],"x":null}"#);
    let written = place.one(Write::create("user", attributes)).await.unwrap();
    assert!(written.created && written.changed);
    let id = written.resource.id.clone();
    let found = place.get("User", &id).await.unwrap();
    assert_eq!(found, written.resource);
    assert_eq!(
        (found.kind.as_str(), found.version, found.created, found.members.as_deref()),
        ("User", 1, found.modified, None)
    );
    assert_eq!(found.etag(), "W/\"1\"");
    assert_eq!(
        serde_json::to_string(&found.attributes).unwrap(),
        r#"{"userName":"Ada","name":{"familyName":"Lovelace"},"emails":[{"value":"a@b"}]}"#
    );
    assert_eq!(place.get("Group", &id).await, None);
    assert_eq!(place.get("Nothing", &id).await, None);
    assert_eq!(place.get("User", "a\0b").await, None);
}

async fn what_is_not_kept(place: Place) {
    let text = r#"{"schemas":["x"],"id":"7","meta":{"a":1},"userName":"ada","PassWord":"secret","groups":[{"value":"1"}],"emails":[]}"#;
    let id = place.create("User", json(text)).await;
    assert_ne!(id, "7");
    assert_eq!(place.get("User", &id).await.unwrap().attributes, user("ada"));
}

async fn refusals(place: Place) {
    place.create("User", user("Ada@Example.org")).await;
    let long = "x".repeat(2_000);
    let writes = vec![
        Write::create("Thing", user("a")),
        Write::create("User", Attributes::new()),
        Write::create("User", user("")),
        Write::create("User", user("ada@example.ORG")),
        Write::create("User", user("a\0b")),
        Write::create("User", user(&long)),
        Write::create("Group", Attributes::new()),
        Write::delete("User", "none"),
        Write::delete("User", "a\0b"),
        Write::members("User", "none", MemberEdit::Keep),
        Write::create("User", user("grace")),
    ];
    let codes: Vec<String> = place
        .write(writes)
        .await
        .into_iter()
        .map(|outcome| outcome.map_or_else(|error| error.code().as_str().to_owned(), |_| "done".to_owned()))
        .collect();
    let want = ["0650", "0654", "0654", "0652", "0656", "0656", "0654", "0651", "0651", "0651"];
    let want: Vec<String> = want.iter().map(|code| format!("PRV-{code}")).chain(["done".to_owned()]).collect();
    assert_eq!(codes, want);
}

async fn edits(place: Place) {
    let id = place.create("User", json(r#"{"userName":"ada","title":"Countess","active":true}"#)).await;
    place.clock.advance_ms(1_000);
    let seq = seq(&place).await;
    let noop = place.one(Write::edit("User", id.clone(), |attributes| {
        let active = attributes.remove("active").unwrap();
        attributes.set("active", active);
        attributes.set("nickName", Value::Null);
        Ok(())
    }));
    let noop = noop.await.unwrap();
    assert!(!noop.changed && !noop.created);
    assert_eq!((noop.resource.version, noop.resource.modified), (1, noop.resource.created));
    assert_eq!(self::seq(&place).await, seq);

    let failed = place.one(Write::edit("User", id.clone(), |attributes| {
        attributes.set("title", "x");
        Err(DirectoryError::Invalid { path: "title".into(), reason: "no".into() })
    }));
    assert_eq!(failed.await.unwrap_err().to_string(), "title: no");

    let done = place.one(Write::edit("User", id.clone(), |attributes| {
        attributes.set("title", "Analyst");
        Ok(())
    }));
    let done = done.await.unwrap();
    assert!(done.changed);
    assert_eq!((done.resource.version, done.resource.modified - done.resource.created), (2, 1_000));
    assert_eq!(place.get("User", &id).await.unwrap(), done.resource);

    let renamed = Write::edit("User", id.clone(), |attributes| {
        attributes.set("userName", "Countess");
        Ok(())
    });
    assert_eq!(place.one(renamed).await.unwrap().resource.version, 3);
    let other = place.create("User", user("ada")).await;
    let back = Write::edit("User", id.clone(), |attributes| {
        attributes.set("userName", "ADA");
        Ok(())
    });
    match place.one(back).await.unwrap_err() {
        DirectoryError::AlreadyExists { existing_id, .. } => assert_eq!(existing_id, other),
        error => panic!("{error}"),
    }
    assert_eq!(place.get("User", &id).await.unwrap().version, 3);
}

async fn seq(place: &Place) -> String {
    let mode = provost_connector::ScanMode::Changes { cursor: None };
    let request = provost_connector::ScanRequest { mode, ..provost_connector::ScanRequest::full("User") };
    let mut scan = place.session.scan(&crate::cx(), request).await.unwrap();
    scan.next(&crate::cx()).await.unwrap().end.unwrap().cursor.unwrap().0.to_string()
}

async fn versions(place: Place) {
    let id = place.create("User", user("ada")).await;
    let edit = |versions: Option<Vec<i64>>, title: &'static str| Write {
        kind: "User".into(),
        what: What::Edit {
            id: id.clone(),
            if_version: versions,
            edit: Box::new(move |attributes| {
                attributes.set("title", title);
                Ok(())
            }),
            members: MemberEdit::Keep,
        },
    };
    // Of two who saw version 1 one wins, in one batch too.
    let mut outcomes =
        place.write(vec![edit(Some(vec![1]), "a"), edit(Some(vec![1]), "b"), edit(Some(vec![1, 2]), "c")]).await;
    assert_eq!(outcomes.pop().unwrap().unwrap().resource.version, 3);
    assert!(matches!(outcomes.pop().unwrap(), Err(DirectoryError::VersionMismatch { current: 2, .. })));
    assert!(outcomes.pop().unwrap().is_ok());
    let delete =
        |versions| Write { kind: "User".into(), what: What::Delete { id: id.clone(), if_version: Some(versions) } };
    assert!(matches!(place.one(delete(vec![1, 2])).await, Err(DirectoryError::VersionMismatch { current: 3, .. })));
    assert!(place.one(delete(vec![3])).await.is_ok());
}

async fn deletion(place: Place) {
    let id = place.create("User", json(r#"{"userName":"ada","externalId":"e1"}"#)).await;
    let deleted = place.one(Write::delete("User", id.clone())).await.unwrap();
    assert_eq!(deleted.resource.attributes.find("externalId"), Some(&Value::text("e1")));
    assert_eq!(place.get("User", &id).await, None);
    assert!(matches!(place.one(Write::delete("User", id.clone())).await, Err(DirectoryError::NotFound { .. })));
    // The name is free, and another id takes it.
    assert_ne!(place.create("User", user("ada")).await, id);
}

async fn names_in_a_batch(place: Place) {
    let ada = place.create("User", user("ada")).await;
    let outcomes = place
        .write(vec![
            Write::create("User", user("grace")),
            Write::create("User", user("Grace")),
            Write::create("User", user("ada")),
            Write::delete("User", ada.clone()),
            Write::create("User", user("ada")),
            Write::create("Group", crate::group("grace")),
            Write::create("Group", crate::group("grace")),
        ])
        .await;
    let grace = outcomes[0].as_ref().unwrap().resource.id.clone();
    let taken_by = |at: usize| match &outcomes[at] {
        Err(DirectoryError::AlreadyExists { existing_id, .. }) => existing_id.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(taken_by(1), grace);
    assert_eq!(taken_by(2), ada);
    assert!(outcomes[3..].iter().all(Result::is_ok), "{outcomes:?}");
}

async fn names_that_trade_places(place: Place) {
    let (one, two) = (place.create("User", user("one")).await, place.create("User", user("two")).await);
    let rename = |id: &ObjectId, name: &'static str| {
        Write::edit("User", id.clone(), move |attributes| {
            attributes.set("userName", name);
            Ok(())
        })
    };
    let outcomes = place
        .write(vec![
            rename(&one, "three"),
            rename(&two, "one"),
            rename(&one, "two"),
            Write::create("User", user("three")),
        ])
        .await;
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    assert_eq!(place.get("User", &one).await.unwrap().attributes, user("two"));
    assert_eq!(place.get("User", &two).await.unwrap().attributes, user("one"));
}

async fn one_resource_many_times(place: Place) {
    let id = place.create("User", user("ada")).await;
    let add = |number: usize| {
        Write::edit("User", id.clone(), move |attributes| {
            attributes.set(format!("title{number}"), "x");
            Ok(())
        })
    };
    let outcomes = place.write((0..20).map(add).collect()).await;
    let versions: Vec<i64> = outcomes.into_iter().map(|outcome| outcome.unwrap().resource.version).collect();
    assert_eq!(versions, (2..22).collect::<Vec<_>>());
    assert_eq!(place.get("User", &id).await.unwrap().attributes.len(), 21);
}

async fn managers_go(place: Place) {
    let boss = place.create("User", user("boss")).await;
    let report = |number: usize| {
        json(&format!(r#"{{"userName":"u{number}","{ENTERPRISE}":{{"manager":{{"value":"{boss}"}}}}}}"#))
    };
    // More than one page of them.
    let writes = (0..1_100).map(|number| Write::create("User", report(number))).collect();
    let reports: Vec<ObjectId> = place.write(writes).await.into_iter().map(|done| done.unwrap().resource.id).collect();
    let keeps =
        json(&format!(r#"{{"userName":"k","{ENTERPRISE}":{{"department":"x","manager":{{"value":"{boss}"}}}}}}"#));
    let keeps = place.create("User", keeps).await;
    place.one(Write::delete("User", boss)).await.unwrap();
    for id in [&reports[0], &reports[1_099]] {
        let found = place.get("User", id).await.unwrap();
        assert_eq!((found.version, found.attributes.len()), (2, 1));
    }
    let found = place.get("User", &keeps).await.unwrap();
    assert_eq!(found.attributes, json(&format!(r#"{{"userName":"k","{ENTERPRISE}":{{"department":"x"}}}}"#)));
}

//! Applications and who is assigned to them: what can be said, what goes with what, and what users and groups show.

use provost_connector::{ScanItem, ScanMode, ScanRequest};
use provost_directory::{Member, MemberEdit, Write};
use provost_model::{Attributes, ObjectId, Value};

use crate::{Place, cx, group, json, user};

crate::on_both!(assignments_name_what_is_there, roles_by_groups, they_go_with_what_they_name);

async fn application(place: &Place, name: &str) -> ObjectId {
    let text = format!(
        r#"{{"displayName":"{name}","roles":[{{"value":"admin","display":"Administrator"}},{{"value":"user"}}]}}"#
    );
    place.create("Application", json(&text)).await
}

fn assign(application: &str, principal: &str, role: &str) -> Write {
    let text = format!(
        r#"{{"application":{{"value":"{application}"}},"principal":{{"value":"{principal}"}},"role":"{role}"}}"#
    );
    Write::create("Assignment", json(&text))
}

/// In one write, so that their ids are in order.
async fn users<const N: usize>(place: &Place, names: [&str; N]) -> [ObjectId; N] {
    let writes = names.iter().map(|name| Write::create("User", user(name))).collect();
    let ids: Vec<ObjectId> = place.write(writes).await.into_iter().map(|done| done.unwrap().resource.id).collect();
    ids.try_into().unwrap()
}

async fn join(place: &Place, group: &ObjectId, members: &[&ObjectId]) {
    let add = members.iter().map(|id| Member::new((*id).clone())).collect();
    place.one(Write::members("Group", group.clone(), MemberEdit::Change { add, remove: Vec::new() })).await.unwrap();
}

async fn assignments_name_what_is_there(place: Place) {
    let ada = place.create("User", user("ada")).await;
    let (slack, zoom) = (application(&place, "Slack").await, application(&place, "Zoom").await);
    let outcomes = place
        .write(vec![
            assign(&slack, &ada, "admin"),
            assign(&slack, &ada, "admin"),
            assign(&slack, &ada, "user"),
            assign(&zoom, &ada, "admin"),
            assign(&ada, &ada, ""),
            assign(&slack, &slack, ""),
            assign(&slack, "nobody", ""),
            Write::create("Assignment", json(&format!(r#"{{"application":{{"value":"{slack}"}}}}"#))),
            Write::create("Application", json(r#"{"displayName":"SLACK"}"#)),
        ])
        .await;
    let codes: Vec<String> = outcomes
        .iter()
        .map(|outcome| match outcome {
            Ok(_) => "ok".to_owned(),
            Err(error) => format!("{} {error}", provost_model::Explain::code(error).as_str()),
        })
        .collect();
    let first = &outcomes[0].as_ref().unwrap().resource.id;
    assert_eq!(
        codes,
        [
            "ok".to_owned(),
            format!("PRV-0652 application, principal, role is taken by Assignment {first}"),
            "ok".to_owned(),
            "ok".to_owned(),
            format!("PRV-0657 application.value: there is no Application {ada}"),
            format!("PRV-0657 principal.value: there is no User or Group {slack}"),
            "PRV-0657 principal.value: there is no User or Group nobody".to_owned(),
            "PRV-0654 principal.value is required".to_owned(),
            format!("PRV-0652 displayName is taken by Application {slack}"),
        ]
    );
}

/// What the job of one application sees of the users, in the order of their ids, and where it goes on.
async fn seen(place: &Place, class: &str, cursor: Option<&str>) -> (Vec<(ObjectId, Vec<String>)>, String) {
    let mode = match cursor {
        None => ScanMode::Full,
        Some(cursor) => ScanMode::Changes { cursor: Some(provost_connector::Cursor(cursor.into())) },
    };
    let requested = vec![r#"appRoleAssignments[application eq "Slack"]"#.into()];
    let request = ScanRequest { mode, requested, ..ScanRequest::full(class) };
    let page = place.session.scan(&cx(), request).await.unwrap().next(&cx()).await.unwrap();
    let role = |value: &Value| {
        let part = |name: &str| value.as_complex().unwrap().find(name).and_then(Value::to_text).unwrap_or_default();
        format!("{}/{}/{}", part("value"), part("displayName"), part("direct"))
    };
    let shown = |item: ScanItem| match item {
        ScanItem::Upsert(record) => {
            let list = record.attributes.find("appRoleAssignments").unwrap().elements().iter().map(role).collect();
            (record.id, list)
        }
        other => panic!("{other:?}"),
    };
    let mut shown: Vec<_> = page.items.into_iter().map(shown).collect();
    shown.sort();
    (shown, page.end.unwrap().cursor.unwrap().0.to_string())
}

async fn roles_by_groups(place: Place) {
    let [ada, bob] = users(&place, ["ada", "bob"]).await;
    let (team, division) = (place.create("Group", group("Team")).await, place.create("Group", group("Division")).await);
    let (slack, zoom) = (application(&place, "Slack").await, application(&place, "Zoom").await);
    join(&place, &team, &[&ada]).await;
    join(&place, &division, &[&team]).await;
    let (first, cursor) = seen(&place, "User", None).await;
    assert_eq!(first, [(ada.clone(), vec![]), (bob.clone(), vec![])]);

    // Of another application: Ada moves in the feed, and nothing shows.
    place.one(assign(&zoom, &division, "admin")).await.unwrap();
    let (moved, cursor) = seen(&place, "User", Some(&cursor)).await;
    assert_eq!(moved, [(ada.clone(), vec![])]);

    place.one(assign(&slack, &division, "admin")).await.unwrap();
    place.one(assign(&slack, &ada, "user")).await.unwrap();
    let plain = place.one(assign(&slack, &bob, "")).await.unwrap().resource.id;
    let (moved, cursor) = seen(&place, "User", Some(&cursor)).await;
    let both = vec!["admin/Administrator/False".to_owned(), "user//True".to_owned()];
    assert_eq!(moved, [(ada.clone(), both.clone()), (bob.clone(), vec!["//True".to_owned()])]);
    // A group shows its own assignments alone.
    let groups = seen(&place, "Group", None).await.0;
    let mut want = [(team.clone(), vec![]), (division.clone(), vec!["admin/Administrator/True".to_owned()])];
    want.sort();
    assert_eq!(groups, want);

    // In another group, a role of her own, another name of the role, and leaving again.
    join(&place, &team, &[&bob]).await;
    place.one(assign(&slack, &ada, "admin")).await.unwrap();
    place.one(Write::delete("Assignment", plain)).await.unwrap();
    let (moved, cursor) = seen(&place, "User", Some(&cursor)).await;
    let direct = vec!["admin/Administrator/True".to_owned(), "user//True".to_owned()];
    assert_eq!(moved, [(ada.clone(), direct), (bob.clone(), vec!["admin/Administrator/False".to_owned()])]);
    let edit = |attributes: &mut Attributes| {
        attributes.set("roles", json(r#"{"x":[{"value":"admin","display":"Boss"}]}"#).remove("x").unwrap());
        Ok(())
    };
    place.one(Write::edit("Application", slack.clone(), edit)).await.unwrap();
    let (moved, cursor) = seen(&place, "User", Some(&cursor)).await;
    assert_eq!((moved.len(), moved[1].1.as_slice()), (2, &["admin/Boss/False".to_owned()][..]));
    let remove = vec![team.clone()];
    place.one(Write::members("Group", division, MemberEdit::Change { add: Vec::new(), remove })).await.unwrap();
    let (moved, _) = seen(&place, "User", Some(&cursor)).await;
    assert_eq!((moved.len(), moved[1].1.len()), (2, 0));
}

async fn they_go_with_what_they_name(place: Place) {
    let (ada, bob) = (place.create("User", user("ada")).await, place.create("User", user("bob")).await);
    let (slack, zoom) = (application(&place, "Slack").await, application(&place, "Zoom").await);
    for (application, principal) in [(&slack, &ada), (&slack, &bob), (&zoom, &ada)] {
        place.one(assign(application, principal, "user")).await.unwrap();
    }
    let count = async || {
        let page = provost_directory::QueryPage::default();
        place.directory.query("Assignment", None, page).await.unwrap().total
    };
    let (_, cursor) = seen(&place, "User", None).await;
    place.one(Write::delete("User", ada.clone())).await.unwrap();
    assert_eq!(count().await, 1);
    place.one(Write::delete("Application", slack.clone())).await.unwrap();
    assert_eq!(count().await, 0);
    let request = ScanRequest {
        mode: ScanMode::Changes { cursor: Some(provost_connector::Cursor(cursor.as_str().into())) },
        ..ScanRequest::full("User")
    };
    let page = place.session.scan(&cx(), request).await.unwrap().next(&cx()).await.unwrap();
    let tags: Vec<_> = page.items.iter().map(|item| matches!(item, ScanItem::Tombstone(_))).collect();
    assert_eq!(tags, [true, false], "Ada is gone, and Bob lost what he had");
    // Nothing is left in the indexes: others can be in the same places.
    let slack = application(&place, "Slack").await;
    place.one(assign(&slack, &bob, "user")).await.unwrap();
    assert_eq!(count().await, 1);
}

//! Filters, paging and sorting.

use provost_directory::{DirectoryError, MemberEdit, QueryPage, Walk, Write};
use provost_model::{Explain as _, Filter, ObjectId, Value};
use provost_scim::list::{Sort, SortOrder};

use crate::{ENTERPRISE, Place, group, json};

crate::on_both!(filters, group_filters, paging, sorting, keyset, wrong_filters);

fn filter(text: &str) -> Filter {
    text.parse().unwrap()
}

/// The names of what was found, in its order.
fn names(resources: &[provost_directory::Resource]) -> Vec<String> {
    let name = |resource: &provost_directory::Resource| {
        let attributes = &resource.attributes;
        let name = attributes.find("userName").or_else(|| attributes.find("displayName")).unwrap();
        name.as_text().unwrap().to_owned()
    };
    resources.iter().map(name).collect()
}

async fn found(place: &Place, kind: &str, text: &str) -> Vec<String> {
    let found = place.directory.query(kind, Some(&filter(text)), QueryPage::default()).await.unwrap();
    assert_eq!(found.total as usize, found.resources.len(), "{text}");
    let mut names = names(&found.resources);
    names.sort_unstable();
    names
}

async fn people(place: &Place) -> Vec<ObjectId> {
    let people = [
        r#"{"userName":"Ada","externalId":"E1","active":true,"emails":[{"type":"work","value":"ada@x.org"}]}"#,
        r#"{"userName":"Bob","externalId":"e1","active":false,"emails":[{"type":"home","value":"bob@x.org"}]}"#,
        r#"{"userName":"Zoë","title":"Dr","displayName":"Ada"}"#,
    ];
    let writes = people.iter().map(|text| Write::create("User", json(text))).collect();
    place.write(writes).await.into_iter().map(|done| done.unwrap().resource.id).collect()
}

async fn filters(place: Place) {
    let ids = people(&place).await;
    let boss = json(&format!(r#"{{"userName":"Cy","{ENTERPRISE}":{{"manager":{{"value":"{}"}}}}}}"#, ids[0]));
    place.create("User", boss).await;
    for (text, want) in [
        ("userName eq \"ADA\"", vec!["Ada"]),
        ("userName eq \"zoe\u{308}\"", vec!["Zoë"]),
        ("externalId eq \"e1\"", vec!["Bob"]),
        ("externalId eq \"E1\" or externalId eq \"e1\"", vec!["Ada", "Bob"]),
        ("userName eq \"ada\" or userName eq \"bob\" or userName eq \"none\"", vec!["Ada", "Bob"]),
        ("userName eq \"ada\" and active eq true", vec!["Ada"]),
        ("userName eq \"ada\" and active eq false", vec![]),
        (&format!("id eq \"{}\"", ids[1]), vec!["Bob"]),
        (&format!("userName eq \"ada\" and id eq \"{}\"", ids[1]), vec![]),
        (&format!("id ne \"{}\" and externalId pr", ids[1]), vec!["Ada"]),
        ("displayName eq \"ada\"", vec!["Zoë"]),
        ("emails[type eq \"work\" and value ew \"x.org\"]", vec!["Ada"]),
        ("emails.value co \"@x\" and not (userName sw \"a\")", vec!["Bob"]),
        (&format!("manager eq \"{}\"", ids[0]), vec!["Cy"]),
        ("meta.created ge \"2020-01-01T00:00:00Z\" and meta.version eq \"W/\\\"1\\\"\" and title pr", vec!["Zoë"]),
        ("meta.lastModified gt \"2030-01-01T00:00:00Z\"", vec![]),
        ("userName eq \"a\\u0000b\"", vec![]),
    ] {
        assert_eq!(found(&place, "User", text).await, want, "{text}");
    }
}

async fn group_filters(place: Place) {
    let ids = people(&place).await;
    let (g, h) = (place.create("Group", group("Sales")).await, place.create("Group", group("Sales Europe")).await);
    place.create("Group", group("SALES")).await;
    let put = |group: &ObjectId, at: usize| {
        let add = vec![provost_directory::Member::new(ids[at].clone())];
        Write::members("Group", group.clone(), MemberEdit::Change { add, remove: Vec::new() })
    };
    place.write(vec![put(&g, 0), put(&g, 1), put(&h, 0)]).await;
    for (kind, text, want) in [
        ("Group", "displayName eq \"sales\"".to_owned(), vec!["SALES", "Sales"]),
        ("Group", format!("members eq \"{}\"", ids[0]), vec!["Sales", "Sales Europe"]),
        ("Group", format!("members.value eq \"{}\" and displayName ew \"e\"", ids[0]), vec!["Sales Europe"]),
        ("Group", format!("id eq \"{g}\" and members[value eq \"{}\"]", ids[1]), vec!["Sales"]),
        ("Group", format!("id eq \"{h}\" and members[value eq \"{}\"]", ids[1]), vec![]),
        ("Group", format!("members.value ne \"{}\" and members pr", ids[1]), vec!["Sales", "Sales Europe"]),
        ("User", format!("groups.value eq \"{g}\""), vec!["Ada", "Bob"]),
        ("User", format!("groups eq \"{g}\" and active eq false"), vec!["Bob"]),
        ("User", "groups.display co \"Europe\" or title pr".to_owned(), vec!["Ada", "Zoë"]),
    ] {
        assert_eq!(found(&place, kind, &text).await, want, "{text}");
    }
    let page = QueryPage { members: false, ..QueryPage::default() };
    let found = place.directory.query("Group", None, page).await.unwrap();
    assert!(found.total == 3 && found.resources.iter().all(|group| group.members.is_none()));
}

async fn many(place: &Place, count: usize) -> Vec<ObjectId> {
    let user = |number: usize| {
        let title = if number.is_multiple_of(3) { "x" } else { "y" };
        json(&format!(r#"{{"userName":"u{:05}","title":"{title}"}}"#, number * 7919 % count))
    };
    let writes = (0..count).map(|number| Write::create("User", user(number))).collect();
    place.write(writes).await.into_iter().map(|done| done.unwrap().resource.id).collect()
}

async fn paging(place: Place) {
    let ids = many(&place, 2_500).await;
    let page = |start_index, count| QueryPage { start_index, count, ..QueryPage::default() };
    for (text, all) in [(None, ids.clone()), (Some("title eq \"x\""), ids.iter().step_by(3).cloned().collect())] {
        let filter = text.map(filter);
        for (start, count, from, to) in [
            (0, 10, 0, 10),
            (1, 10, 0, 10),
            (800, 50, 799, all.len().min(849)),
            (all.len() as u64, 5, all.len() - 1, all.len()),
            (10_000, 5, 0, 0),
            (1, 0, 0, 0),
        ] {
            let found = place.directory.query("User", filter.as_ref(), page(start, count)).await.unwrap();
            assert_eq!(found.total as usize, all.len());
            let got: Vec<_> = found.resources.into_iter().map(|resource| resource.id).collect();
            assert_eq!(got, all[from..to], "{text:?} {start} {count}");
        }
    }
}

async fn sorting(place: Place) {
    many(&place, 2_500).await;
    let mut attributes = json(r#"{"userName":"last"}"#);
    attributes.set("title", Value::Null);
    place.create("User", attributes).await;
    let page = |by: &str, order, start_index| QueryPage {
        start_index,
        count: 3,
        sort: Some(Sort { by: by.parse().unwrap(), order }),
        members: true,
    };
    for (by, order, start, want) in [
        ("userName", SortOrder::Ascending, 1, ["last", "u00000", "u00001"]),
        ("userName", SortOrder::Ascending, 1_202, ["u01200", "u01201", "u01202"]),
        ("userName", SortOrder::Descending, 1, ["u02499", "u02498", "u02497"]),
    ] {
        let found = place.directory.query("User", None, page(by, order, start)).await.unwrap();
        assert_eq!((found.total, names(&found.resources)), (2_501, want.map(String::from).to_vec()));
    }
    // Missing ones come last.
    let found = place.directory.query("User", None, page("title", SortOrder::Ascending, 2_501)).await.unwrap();
    assert_eq!(names(&found.resources), ["last"]);
    let deep = place.directory.query("User", None, page("title", SortOrder::Ascending, 200_000)).await;
    assert_eq!(deep.unwrap_err().code().as_str(), "PRV-0602");
    let unknown = place.directory.query("User", None, page("nothing", SortOrder::Ascending, 1)).await;
    assert_eq!(unknown.unwrap_err().code().as_str(), "PRV-0606");
}

async fn keyset(place: Place) {
    let ids = many(&place, 2_100).await;
    for (text, all) in [(None, ids.clone()), (Some("title eq \"x\""), ids.iter().step_by(3).cloned().collect())] {
        let filter = text.map(filter);
        let got = walked(&place, filter.as_ref(), Walk::by_id(None, 333, false)).await;
        assert_eq!(got, all);
    }
    // Sorted by what many share, by what nobody has, both ways round.
    for (by, order) in
        [("title", SortOrder::Ascending), ("title", SortOrder::Descending), ("nickName", SortOrder::Descending)]
    {
        let sort = Some(Sort { by: by.parse().unwrap(), order });
        let got = walked(&place, None, Walk { sort: sort.clone(), ..Walk::by_id(None, 333, false) }).await;
        let page = QueryPage { count: 10_000, sort, ..QueryPage::default() };
        let all = place.directory.query("User", None, page).await.unwrap();
        assert_eq!(got, all.resources.into_iter().map(|resource| resource.id).collect::<Vec<_>>(), "{by} {order:?}");
    }
}

/// The ids that a walk passes, to its end.
async fn walked(place: &Place, filter: Option<&Filter>, mut walk: Walk) -> Vec<ObjectId> {
    let mut got = Vec::new();
    loop {
        let page = place.directory.walk("User", filter, walk.clone()).await.unwrap();
        assert!(page.resources.len() <= walk.count);
        got.extend(page.resources.into_iter().map(|resource| resource.id));
        walk.after = page.next;
        if walk.after.is_none() {
            return got;
        }
    }
}

async fn wrong_filters(place: Place) {
    for (kind, text, code) in [
        ("User", "nothing eq 1", "PRV-0601"),
        ("User", "password eq \"x\"", "PRV-0601"),
        ("User", "userName gt true", "PRV-0601"),
        ("Group", "userName eq \"x\"", "PRV-0601"),
        ("Thing", "id pr", "PRV-0650"),
    ] {
        let error = place.directory.query(kind, Some(&filter(text)), QueryPage::default()).await.unwrap_err();
        assert_eq!(error.code().as_str(), code, "{text}");
        assert!(matches!(error, DirectoryError::Scim(_) | DirectoryError::UnknownKind { .. }));
    }
}

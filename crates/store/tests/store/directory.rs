//! Resources and members: numbers of the feed, lookups, tombstones, pairs; and that SQLite uses the indexes.

use provost_model::ObjectId;
use provost_store::{Lookup, MemberRow, ResourceRow, Store};

use crate::Place;

crate::on_both!(numbers_and_lookups, names_of_users_are_unique, members_by_pairs);

fn resource(kind: &str, number: usize) -> ResourceRow {
    ResourceRow {
        kind: kind.into(),
        id: format!("{kind}-{number:05}").into(),
        seq: 0,
        version: 1,
        name_key: format!("name{number}"),
        external_id: (number % 2 == 1).then(|| format!("e{number}")),
        manager: (number > 0 && kind == "User").then(|| "User-00000".into()),
        created: 1_000,
        modified: 1_000,
        deleted: None,
        body: format!(r#"{{"number":{number}}}"#),
    }
}

async fn numbers_and_lookups(place: Place) {
    let store = &place.store;
    let (mut users, mut groups): (Vec<_>, Vec<_>) =
        (0..1_100).map(|number| (resource("User", number), resource("Group", number))).unzip();
    let mut tx = store.begin().await.unwrap();
    tx.lock_directory().await.unwrap();
    tx.insert_resources(&mut users).await.unwrap();
    tx.insert_resources(&mut groups).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!((users[0].seq, groups[1_099].seq, store.directory_seq().await.unwrap()), (1, 2_200, 2_200));

    for (by, of) in [
        (Lookup::Id, (|row: &ResourceRow| Some(row.id.to_string())) as fn(&ResourceRow) -> Option<String>),
        (Lookup::NameKey, |row| Some(row.name_key.clone())),
        (Lookup::ExternalId, |row| row.external_id.clone()),
    ] {
        let values: Vec<String> = groups[..700].iter().filter_map(of).collect();
        let mut found = store.resources_by("Group", by, &values).await.unwrap();
        found.sort_by_key(|row| row.seq);
        let want: Vec<_> = groups[..700].iter().filter(|row| of(row).is_some()).cloned().collect();
        assert_eq!(found, want, "{by:?}");
    }
    assert_eq!(store.resource_page("User", Some(&users[9].id), 2).await.unwrap(), users[10..12]);
    assert_eq!(store.resource_slice("User", 1_099, 5).await.unwrap(), users[1_099..]);
    assert_eq!(store.resource_changes("Group", 1_100, 3).await.unwrap(), groups[..3]);
    assert_eq!(
        store.resources_among("User", &["User-00003", "Group-00003"]).await.unwrap(),
        ["User-00003".into()] as [ObjectId; 1]
    );

    let mut tx = store.begin().await.unwrap();
    assert_eq!(tx.reports_of(&[&*users[0].id], 10).await.unwrap().len(), 10);
    let taken = tx.user_names_taken(&["name7", "nobody"]).await.unwrap();
    assert_eq!(taken, [("name7".to_owned(), users[7].id.clone())]);
    // A tombstone, and a body with the columns as they were.
    let mut gone = vec![ResourceRow {
        name_key: String::new(),
        external_id: None,
        manager: None,
        deleted: Some(2_000),
        body: String::new(),
        version: 2,
        ..users[1].clone()
    }];
    tx.update_resources(&mut gone).await.unwrap();
    let mut changed = vec![ResourceRow { body: "{}".to_owned(), version: 2, modified: 2_000, ..users[3].clone() }];
    tx.update_bodies(&mut changed).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(store.resource_changes("User", 2_200, 9).await.unwrap(), [gone[0].clone(), changed[0].clone()]);
    assert_eq!(store.resources_by("User", Lookup::Id, &["User-00001"]).await.unwrap(), []);
    assert_eq!(
        (store.count_resources("User").await.unwrap(), store.count_resources("Group").await.unwrap()),
        (1_099, 1_100)
    );
    assert!(store.has_resources("Group").await.unwrap() && !store.has_resources("Thing").await.unwrap());
}

async fn names_of_users_are_unique(place: Place) {
    let insert = async |kind: &str, ids: [usize; 2]| {
        let mut rows = ids.map(|number| ResourceRow { name_key: "same".to_owned(), ..resource(kind, number) });
        let mut tx = place.store.begin().await.unwrap();
        tx.insert_resources(&mut rows).await?;
        tx.commit().await
    };
    insert("Group", [1, 2]).await.unwrap();
    assert!(insert("User", [1, 2]).await.is_err());
}

async fn members_by_pairs(place: Place) {
    let row = |group: usize, member: usize| MemberRow {
        group_id: format!("g{group}").into(),
        member_id: format!("u{member:04}").into(),
        member_kind: "User".to_owned(),
    };
    let rows: Vec<MemberRow> = (0..3).flat_map(|group| (0..700).map(move |member| row(group, member))).collect();
    let mut tx = place.store.begin().await.unwrap();
    tx.add_members(&rows).await.unwrap();
    tx.add_members(&rows[..10]).await.unwrap();
    let pairs: Vec<(&str, &str)> = rows[100..1_500].iter().map(|row| (&*row.group_id, &*row.member_id)).collect();
    let mut asked = pairs.clone();
    asked.push(("g0", "nobody"));
    assert_eq!(tx.members_among(&asked).await.unwrap().len(), 1_400);
    assert_eq!(tx.remove_members(&asked).await.unwrap(), 1_400);
    assert_eq!(tx.members_among(&pairs).await.unwrap(), []);
    assert_eq!(tx.groups_with(&["u0000", "u0699"]).await.unwrap().len(), 2);
    tx.forget_members(&["g2", "u0001"]).await.unwrap();
    tx.commit().await.unwrap();
    let left = place.store.members_of(&["g0", "g1", "g2"]).await.unwrap();
    assert_eq!(left.len(), 99);
    assert_eq!(place.store.memberships_of(&["u0001", "u0002"]).await.unwrap(), [row(0, 2)]);
}

/// A statement with `LIST` for a long list, and the plan's words that must be in it.
const STATEMENTS: &[(&str, &str)] = &[
    ("select * from resource where user_name is not null and user_name in LIST", "resource_user (user_name=?)"),
    ("select * from resource where name_key is not null and name_key in LIST", "resource_name (name_key=?)"),
    (
        "select * from resource where external_id is not null and external_id in LIST",
        "resource_external (external_id=?)",
    ),
    ("select * from resource where deleted is null and kind = ? and id in LIST", "(kind=? AND id=?)"),
    ("select * from resource where deleted is null and kind = ? and id > ? order by id limit ?", "(kind=? AND id>?)"),
    ("select * from resource where kind = ? and seq > ? order by seq limit ?", "resource_seq (kind=? AND seq>?)"),
    (
        "select * from resource where manager is not null and deleted is null and manager in LIST limit ?",
        "resource_manager (manager=?)",
    ),
    ("select count(*) from resource where user_name is not null", "resource_user (user_name>?)"),
    ("select count(*) from resource where name_key is not null and kind || '' = ?", "resource_name (name_key>?)"),
    (
        "delete from resource where kind = ? and seq in (select seq from resource where kind = ? and deleted is not null
         and seq <= ? and deleted < ? order by seq limit ?)",
        "resource_deleted (kind=? AND seq<?)",
    ),
    (
        "delete from member where (group_id, member_id) in (select column1, column2 from (values (?, ?), (?, ?)) as pair)",
        "SEARCH member USING",
    ),
];

#[tokio::test]
async fn indexes_are_used() {
    let store = Store::open("sqlite::memory:").await.unwrap();
    for (statement, expected) in STATEMENTS {
        let list = format!("({})", vec!["?"; 512].join(", "));
        let text: &'static str = format!("explain query plan {}", statement.replace("LIST", &list)).leak();
        let mut plan = String::new();
        for mut row in store.db().rows(store.db().fixed(text)).await.unwrap() {
            for _ in 0..3 {
                row.int().unwrap();
            }
            plan.push_str(&row.text().unwrap());
            plan.push('\n');
        }
        assert!(
            plan.contains(expected) && !plan.contains("SCAN resource") && !plan.contains("SCAN member"),
            "{statement}\n{plan}"
        );
    }
}

//! Groups and who is in them.

use provost_directory::{DirectoryError, Member, MemberEdit, Resource, What, Write};
use provost_model::{ObjectId, Value};

use crate::{Place, group, user};

crate::on_both!(deltas, replacing, inline, unknown_members, deleted_members, memberships);

async fn users<const N: usize>(place: &Place) -> [ObjectId; N] {
    let writes = (0..N).map(|number| Write::create("User", user(&format!("u{number}")))).collect();
    let ids: Vec<ObjectId> = place.write(writes).await.into_iter().map(|done| done.unwrap().resource.id).collect();
    ids.try_into().unwrap()
}

fn members(ids: &[&ObjectId]) -> Vec<Member> {
    ids.iter().map(|id| Member::new((*id).clone())).collect()
}

fn change(id: &ObjectId, add: &[&ObjectId], remove: &[&ObjectId]) -> Write {
    let remove = remove.iter().map(|id| (*id).clone()).collect();
    Write::members("Group", id.clone(), MemberEdit::Change { add: members(add), remove })
}

fn ids(resource: &Resource) -> Vec<&ObjectId> {
    resource.members.as_ref().unwrap().iter().map(|member| &member.id).collect()
}

async fn deltas(place: Place) {
    let [a, b, c] = users(&place).await;
    let create = What::Create { attributes: group("g"), members: members(&[&a, &a, &b]) };
    let created = place.one(Write { kind: "Group".into(), what: create }).await.unwrap().resource;
    assert_eq!(ids(&created), [&a, &b]);
    let id = created.id;
    assert_eq!(
        place.get("Group", &id).await.unwrap().members.unwrap()[0],
        Member { id: a.clone(), kind: "User".into() }
    );

    let steps = [
        // What is there already, or is not there anyway, changes nothing.
        (change(&id, &[&a], &[&c]), 1, vec![&a, &b]),
        (change(&id, &[&a, &c], &[]), 2, vec![&a, &b, &c]),
        (change(&id, &[&a], &[&a, &b]), 3, vec![&c]),
        (change(&id, &[], &[&a, &b]), 3, vec![&c]),
    ];
    for (write, version, want) in steps {
        let before = place.get("Group", &id).await.unwrap().version;
        let written = place.one(write).await.unwrap();
        assert_eq!((written.resource.version, written.changed), (version, version > before));
        let found = place.get("Group", &id).await.unwrap();
        assert_eq!((found.version, ids(&found)), (version, want));
    }
    // A group in a group.
    let outer = place.create("Group", group("outer")).await;
    place.one(change(&outer, &[&id, &a], &[])).await.unwrap();
    let found = place.get("Group", &outer).await.unwrap().members.unwrap();
    let mut want = [Member { id: a, kind: "User".into() }, Member { id, kind: "Group".into() }];
    want.sort_unstable();
    assert_eq!(found, want);
}

async fn replacing(place: Place) {
    let [a, b, c] = users(&place).await;
    let id = place.create("Group", group("g")).await;
    for (wanted, version) in [(vec![&a, &b], 2), (vec![&b, &a], 2), (vec![&c, &b], 3), (vec![], 4)] {
        let written =
            place.one(Write::members("Group", id.clone(), MemberEdit::Replace(members(&wanted)))).await.unwrap();
        assert_eq!(written.resource.version, version, "{wanted:?}");
        let mut wanted = wanted;
        wanted.sort_unstable();
        assert_eq!(ids(&place.get("Group", &id).await.unwrap()), wanted);
    }
}

async fn inline(place: Place) {
    let [a, b, c] = users(&place).await;
    let id = place.create("Group", group("g")).await;
    place.one(change(&id, &[&a, &b], &[])).await.unwrap();
    let (gone, new) = (a.0.clone(), c.0.clone());
    let edit = What::Edit {
        id: id.clone(),
        if_version: None,
        edit: Box::new(move |attributes| {
            let Some(Value::List(list)) = attributes.find_mut("members") else { panic!("no members") };
            assert_eq!(list.len(), 2);
            list.retain(|member| member.as_complex().unwrap().find("value") != Some(&Value::Text(gone.clone())));
            list.push(Value::Complex([("value", new)].into_iter().collect()));
            Ok(())
        }),
        members: MemberEdit::Inline,
    };
    let written = place.one(Write { kind: "Group".into(), what: edit }).await.unwrap();
    assert_eq!(written.resource.attributes, group("g"));
    assert_eq!(ids(&place.get("Group", &id).await.unwrap()), [&b, &c]);
}

async fn unknown_members(place: Place) {
    let [a] = users(&place).await;
    let (id, nobody) = (place.create("Group", group("g")).await, ObjectId::from("nobody"));
    for write in [
        change(&id, &[&a, &nobody], &[]),
        change(&id, &["a\0b".into()].iter().collect::<Vec<_>>(), &[]),
        Write::members("Group", id.clone(), MemberEdit::Replace(members(&[&nobody]))),
        Write { kind: "Group".into(), what: What::Create { attributes: group("h"), members: members(&[&nobody]) } },
    ] {
        assert!(matches!(place.one(write).await, Err(DirectoryError::UnknownMember { .. })));
    }
    assert_eq!(ids(&place.get("Group", &id).await.unwrap()), [] as [&ObjectId; 0]);
    // To remove an unknown one is no error.
    assert!(!place.one(change(&id, &[], &[&nobody])).await.unwrap().changed);
    let wrong = Write::members("User", a.clone(), MemberEdit::Replace(members(&[&a])));
    assert!(matches!(place.one(wrong).await, Err(DirectoryError::Invalid { .. })));
}

async fn deleted_members(place: Place) {
    let [a, b] = users(&place).await;
    let mut groups = Vec::new();
    for name in ["g", "h"] {
        let id = place.create("Group", group(name)).await;
        place.one(change(&id, &[&a, &b], &[])).await.unwrap();
        groups.push(id);
    }
    let outcomes = place
        .write(vec![change(&groups[0], &[], &[&b]), Write::delete("User", a.clone()), change(&groups[1], &[&a], &[])])
        .await;
    assert!(outcomes[0].is_ok() && outcomes[1].is_ok());
    assert!(matches!(outcomes[2], Err(DirectoryError::UnknownMember { .. })));
    let found = [place.get("Group", &groups[0]).await.unwrap(), place.get("Group", &groups[1]).await.unwrap()];
    assert_eq!((found[0].version, ids(&found[0])), (4, vec![]));
    assert_eq!((found[1].version, ids(&found[1])), (3, vec![&b]));
    // A group that goes leaves nothing behind.
    place.one(Write::delete("Group", groups[1].clone())).await.unwrap();
    assert_eq!(place.directory.memberships(&[b]).await.unwrap(), []);
}

async fn memberships(place: Place) {
    let [a, b] = users(&place).await;
    let (g, h) = (place.create("Group", group("G")).await, place.create("Group", group("H")).await);
    place.write(vec![change(&g, &[&a], &[]), change(&h, &[&a, &g], &[])]).await;
    let found = place.directory.memberships(&[b, a.clone(), g.clone()]).await.unwrap();
    let found: Vec<_> = found.iter().map(|one| (&one.member, &one.group, one.display.as_str())).collect();
    let mut want = [(&a, &g, "G"), (&a, &h, "H"), (&g, &h, "H")];
    want.sort_unstable();
    assert_eq!(found, want);
}

//! Links in bulk, their pages and marks.

use provost_model::{ClassName, ObjectId};
use provost_store::{GONE, LinkRow, LinkState};

use crate::{Place, link};

crate::on_both!(bulk_and_pages, upsert_overwrites, marks_in_pages, by_target_and_leaving, clearing_marks, ids_by_bytes);

const JOB: &str = "hr-to-crm";

async fn save(place: &Place, links: &[LinkRow]) {
    let mut tx = place.store.begin().await.unwrap();
    tx.save_links(links).await.unwrap();
    tx.commit().await.unwrap();
}

async fn bulk_and_pages(place: Place) {
    let links: Vec<_> = (0..2_500).map(link).collect();
    save(&place, &links).await;
    let ids: Vec<ObjectId> = links.iter().map(|link| link.source_id.clone()).collect();

    let mut found = place.store.links(JOB, "User", &ids).await.unwrap();
    found.sort_by(|a, b| a.source_id.cmp(&b.source_id));
    assert_eq!(found, links);
    assert_eq!(place.store.links(JOB, "Group", &ids).await.unwrap(), []);
    assert_eq!(place.store.links::<&str>(JOB, "User", &[]).await.unwrap(), []);

    let (mut paged, mut paged_ids, mut after) = (Vec::new(), Vec::new(), None::<ObjectId>);
    loop {
        let page = place.store.link_page(JOB, "User", after.as_deref(), 999).await.unwrap();
        paged_ids.extend(place.store.link_ids_page(JOB, "User", after.as_deref(), 999).await.unwrap());
        let Some(last) = page.last() else { break };
        after = Some(last.source_id.clone());
        paged.extend(page);
    }
    assert_eq!(paged, links);
    assert_eq!(paged_ids, ids);

    let counts = place.store.count_links(JOB).await.unwrap();
    assert_eq!(counts.into_iter().collect::<Vec<_>>(), [(ClassName::from("User"), 2_500)]);
    let gone: Vec<_> = (0..700).map(|at| LinkRow { mark: GONE.into(), ..link(at) }).collect();
    save(&place, &gone).await;
    let present = place.store.count_present(JOB).await.unwrap();
    assert_eq!(present.into_iter().collect::<Vec<_>>(), [(ClassName::from("User"), 1_800)]);
    let mut tx = place.store.begin().await.unwrap();
    assert_eq!(tx.delete_links(JOB, "User", &ids[..1_300]).await.unwrap(), 1_300);
    tx.commit().await.unwrap();
    assert_eq!(place.store.links(JOB, "User", &ids).await.unwrap().len(), 1_200);
}

async fn upsert_overwrites(place: Place) {
    save(&place, &[link(1), link(2)]).await;
    let mut changed = link(2);
    changed.state = LinkState::Disabled;
    changed.target_id = None;
    changed.sent = None;
    changed.mark = String::new();
    changed.leaves = Some(7);
    // The same key twice in one call: the later one counts.
    save(&place, &[link(2), link(3), changed.clone()]).await;
    let found = place.store.link_page(JOB, "User", None, 10).await.unwrap();
    assert_eq!(found, [link(1), changed, link(3)]);
}

async fn marks_in_pages(place: Place) {
    let mut links: Vec<_> = (0..2_500).map(link).collect();
    links[17].mark = String::new();
    save(&place, &links).await;
    let (mut marks, mut after, mut pages) = (String::new(), None::<String>, 0);
    while let Some(page) = place.store.marks_page(JOB, "User", after.as_deref(), 1_000).await.unwrap() {
        marks.push_str(&page.marks);
        after = Some(page.ids_last);
        pages += 1;
    }
    assert_eq!(pages, 3);
    assert_eq!(after.as_deref(), Some("u002499"));
    assert_eq!(marks, links.iter().map(|link| link.mark.as_str()).collect::<String>());

    // A page without any mark is not the end.
    let page = place.store.marks_page(JOB, "User", Some("u000016"), 1).await.unwrap().unwrap();
    assert_eq!((page.marks.as_str(), page.ids_last.as_str()), ("", "u000017"));
    assert_eq!(place.store.marks_page(JOB, "Group", None, 10).await.unwrap(), None);
}

async fn by_target_and_leaving(place: Place) {
    let mut links: Vec<_> = (0..600).map(link).collect();
    links[5].target_id = None;
    links[6].leaves = Some(50);
    links[7].leaves = Some(40);
    links[8].leaves = Some(60);
    save(&place, &links).await;
    let targets: Vec<_> = links.iter().filter_map(|link| link.target_id.clone()).collect();
    let found = place.store.links_by_target(JOB, "User", &targets).await.unwrap();
    assert_eq!(found.len(), 599);
    let one = place.store.links_by_target(JOB, "User", &targets[..1]).await.unwrap();
    assert_eq!(one, links[..1]);
    let leaving = place.store.links_leaving(JOB, 50, 10).await.unwrap();
    assert_eq!(leaving, [links[7].clone(), links[6].clone()]);
}

async fn clearing_marks(place: Place) {
    save(&place, &[link(1), link(2), link(3)]).await;
    let mut tx = place.store.begin().await.unwrap();
    assert_eq!(tx.clear_marks_of(JOB, "User", &["u000002"]).await.unwrap(), 1);
    assert_eq!(tx.clear_marks(JOB, Some("Group")).await.unwrap(), 0);
    assert_eq!(tx.clear_marks(JOB, None).await.unwrap(), 2);
    tx.commit().await.unwrap();
    assert_eq!(place.store.marks_page(JOB, "User", None, 10).await.unwrap().unwrap().marks, "");
}

/// In the order of bytes on both engines, whatever the database's language.
async fn ids_by_bytes(place: Place) {
    let mut ids = ["a", "B", "_", "ä", "Z", "a-b", "ab", "a b", "z", "1", "10", "9"];
    let links: Vec<_> = ids.iter().map(|id| LinkRow { source_id: (*id).into(), ..link(1) }).collect();
    save(&place, &links).await;
    ids.sort();
    assert_eq!(place.store.link_ids_page(JOB, "User", None, 100).await.unwrap(), ids.map(ObjectId::from));
}

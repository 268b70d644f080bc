//! References: round trip, what can be sent, reopening.

use provost_store::{LinkRow, ReferenceKey, ReferenceRow, ReferenceState};

use crate::{Place, job, link};

crate::on_both!(round_trip, pending_needs_both_ends, pending_in_pages, reopening);

const JOB: &str = "hr-to-crm";

fn reference(owner: usize, to: usize, state: ReferenceState) -> ReferenceRow {
    ReferenceRow {
        job: job(),
        key: ReferenceKey {
            class: "User".into(),
            source_id: format!("u{owner:06}").into(),
            path: "manager".into(),
            ref_class: "User".into(),
            ref_id: format!("u{to:06}").into(),
        },
        state,
        ref_target: None,
    }
}

async fn save(place: &Place, links: &[LinkRow], references: &[ReferenceRow]) {
    let mut tx = place.store.begin().await.unwrap();
    tx.save_links(links).await.unwrap();
    tx.save_references(references).await.unwrap();
    tx.commit().await.unwrap();
}

async fn round_trip(place: Place) {
    let rows: Vec<_> = (0..2_500).map(|number| reference(number, number / 10, ReferenceState::Wanted)).collect();
    save(&place, &[], &rows).await;
    let ids: Vec<_> = rows.iter().map(|row| row.key.source_id.clone()).collect();
    let mut found = place.store.references(JOB, "User", &ids).await.unwrap();
    found.sort_by(|a, b| a.key.cmp(&b.key));
    assert_eq!(found, rows);

    let sent: Vec<_> = rows
        .iter()
        .map(|row| ReferenceRow { state: ReferenceState::Sent, ref_target: Some("t1".into()), ..row.clone() })
        .collect();
    save(&place, &[], &sent).await;
    assert_eq!(place.store.references(JOB, "User", &ids[7..8]).await.unwrap(), sent[7..8]);

    let keys: Vec<_> = rows[..1_000].iter().map(|row| row.key.clone()).collect();
    let mut tx = place.store.begin().await.unwrap();
    assert_eq!(tx.delete_references(JOB, &keys).await.unwrap(), 1_000);
    assert_eq!(tx.delete_references("other", &keys).await.unwrap(), 0);
    assert_eq!(tx.delete_references_of(JOB, "User", &ids[1_000..1_700]).await.unwrap(), 700);
    tx.commit().await.unwrap();
    assert_eq!(place.store.references(JOB, "User", &ids).await.unwrap().len(), 800);
}

async fn pending_needs_both_ends(place: Place) {
    let without_target = |number| LinkRow { target_id: None, ..link(number) };
    let links = [link(1), link(2), without_target(3), link(4)];
    let unwanted = ReferenceRow { ref_target: Some("old".into()), ..reference(4, 99, ReferenceState::Unwanted) };
    let references = [
        reference(1, 2, ReferenceState::Wanted),
        // Sent, referring object without target id, without link; referenced without target id, without link.
        reference(2, 1, ReferenceState::Sent),
        reference(3, 1, ReferenceState::Wanted),
        reference(8, 1, ReferenceState::Wanted),
        reference(1, 3, ReferenceState::Wanted),
        reference(1, 9, ReferenceState::Wanted),
        unwanted.clone(),
        ReferenceRow { ref_target: Some("gone".into()), ..reference(3, 98, ReferenceState::Unwanted) },
    ];
    save(&place, &links, &references).await;
    let pending = place.store.pending_references(JOB, None, 100).await.unwrap();
    assert_eq!(pending.len(), 2, "{pending:?}");
    assert_eq!(pending[0].key, references[0].key);
    assert_eq!(pending[0].state, ReferenceState::Wanted);
    assert_eq!(Some(&pending[0].owner_target), link(1).target_id.as_ref());
    assert_eq!(pending[0].ref_target, link(2).target_id);
    assert_eq!(pending[0].sent_target, None);
    assert_eq!(pending[1].key, unwanted.key);
    assert_eq!(pending[1].state, ReferenceState::Unwanted);
    assert_eq!(pending[1].ref_target.as_deref(), Some("old"));
    assert_eq!(place.store.pending_references("other", None, 100).await.unwrap(), []);
}

async fn pending_in_pages(place: Place) {
    let links: Vec<_> = (0..50).map(link).collect();
    let references: Vec<_> =
        (0..50).flat_map(|owner| (0..5).map(move |to| reference(owner, to, ReferenceState::Wanted))).collect();
    save(&place, &links, &references).await;
    let (mut keys, mut after) = (Vec::new(), None::<ReferenceKey>);
    loop {
        let page = place.store.pending_references(JOB, after.as_ref(), 33).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.key.clone());
        keys.extend(page.into_iter().map(|pending| pending.key));
    }
    assert_eq!(keys, references.into_iter().map(|reference| reference.key).collect::<Vec<_>>());
}

async fn reopening(place: Place) {
    let sent = ReferenceRow { ref_target: Some("old".into()), ..reference(1, 2, ReferenceState::Sent) };
    let other = ReferenceRow { ref_target: Some("t".into()), ..reference(1, 3, ReferenceState::Sent) };
    save(&place, &[link(1), link(2), link(3)], &[sent, other, reference(3, 2, ReferenceState::Unwanted)]).await;
    let mut tx = place.store.begin().await.unwrap();
    assert_eq!(tx.reopen_references_to(JOB, "User", &["u000002", "u000004"]).await.unwrap(), 1);
    tx.commit().await.unwrap();
    let pending = place.store.pending_references(JOB, None, 100).await.unwrap();
    assert_eq!(pending.len(), 2);
    assert_eq!(pending[0].ref_target, link(2).target_id);
    assert_eq!(pending[0].sent_target.as_deref(), Some("old"));
}

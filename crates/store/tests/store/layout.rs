//! Values in a layout are spelled out by whoever reads them.

use provost_store::{EventQuery, EventRow, EventStatus, Layout, LinkRow, Store, StoreError};
use serde_json::{Value, json};

use crate::{Place, event, job, link};

crate::on_both!(values_are_spelled_out, a_missing_layout_is_an_error);

fn rows(layout: &Layout) -> (LinkRow, EventRow) {
    let (name, list) = (json!("Ada \"A\" Løve"), json!([{"value": null}]));
    let text = layout.write([None, Some(&name), None, Some(&list), None]);
    (LinkRow { sent: Some(text.clone()), ..link(1) }, EventRow { changes: text, ..event(1, EventStatus::Done) })
}

async fn save(store: &Store, layouts: &[&Layout], (link, event): (LinkRow, EventRow)) {
    let mut tx = store.begin().await.unwrap();
    tx.save_layouts(layouts).await.unwrap();
    tx.append_events(&mut [event]).await.unwrap();
    tx.save_links(&[link]).await.unwrap();
    tx.commit().await.unwrap();
}

async fn values_are_spelled_out(place: Place) {
    let paths = ["active", "displayName", "title", r#"emails[type eq "work"].value"#, "nickName"];
    let layout = Layout::new(paths);
    save(&place.store, &[&layout], rows(&layout)).await;
    // Saved again, as the next cycle does.
    save(&place.store, &[&layout, &Layout::new(["other"])], rows(&layout)).await;

    let fresh = Store::open(&place.url).await.unwrap();
    for store in [&place.store, &fresh, &fresh] {
        let links = store.links("hr-to-crm", "User", &[link(1).source_id]).await.unwrap();
        let sent: Value = serde_json::from_str(links[0].sent.as_deref().unwrap()).unwrap();
        assert_eq!(
            sent,
            json!({"displayName": "Ada \"A\" Løve", r#"emails[type eq "work"].value"#: [{"value": null}]})
        );
        let events = store.events(&EventQuery { job: Some(job()), ..EventQuery::default() }).await.unwrap();
        assert_eq!(events.len(), 2);
        for event in events {
            let changes: Value = serde_json::from_str(&event.changes).unwrap();
            assert_eq!(
                changes,
                json!([
                    {"path": "displayName", "after": "Ada \"A\" Løve"},
                    {"path": r#"emails[type eq "work"].value"#, "after": [{"value": null}]},
                ])
            );
        }
    }
}

async fn a_missing_layout_is_an_error(place: Place) {
    let layout = Layout::new(["a", "b", "c", "d", "e"]);
    save(&place.store, &[], rows(&layout)).await;
    let error = place.store.link_page("hr-to-crm", "User", None, 9).await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { table: "link", .. }), "{error}");
    assert!(error.to_string().contains("layout"), "{error}");
}

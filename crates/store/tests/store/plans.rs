//! That SQLite finds rows by an index and does not read whole tables. Its planner is given statistics for full tables, since
//! it would otherwise decide by the empty ones that it meets first.

use provost_store::Store;

/// A statement with `LIST` for a long list, and the plan's words that must be in it.
const STATEMENTS: &[(&str, &str)] = &[
    (
        "select * from link where job = ? and class = ? and source_id in LIST",
        "sqlite_autoindex_link_1 (job=? AND class=? AND source_id=?)",
    ),
    (
        "select * from link where job = ? and class = ? and target_hash is not null and target_hash in LIST",
        "link_target (target_hash=?)",
    ),
    ("select * from link where job = ? and leaves is not null and leaves <= ? order by leaves limit ?", "link_leaves"),
    (
        "update reference set state = 'wanted' where state = 'sent' and job = ? and ref_class = ? and ref_id in LIST",
        "reference_to",
    ),
    (
        "delete from reference where job = ? and class = ? and source_id in LIST",
        "PRIMARY KEY (job=? AND class=? AND source_id=?)",
    ),
    (include_str!("../../sql/pending_references.sql"), "reference_open"),
    (
        "select * from event where cycle = ? and status in ('planned', 'held')
        and seq > (select case when first_seq > ? then first_seq - 1 else ? end from event_span where cycle = ?)
        and seq < (select case when last_seq < ? then last_seq + 1 else ? end from event_span where cycle = ?)
        order by seq limit ?",
        "SEARCH event USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)",
    ),
    ("select * from event where 1 = 1 and job = ? and status = 'failed' order by seq desc limit ?", "event_failed"),
    ("select * from event where 1 = 1 and job = ? and source_id = ? order by seq desc limit ?", "event_object"),
    ("select * from escrow where job = ? and next_try <= ? order by next_try limit ?", "escrow_due"),
];

#[tokio::test]
async fn indexes_are_used() {
    let store = Store::open("sqlite::memory:").await.unwrap();
    for (statement, expected) in STATEMENTS {
        for length in [1, 16, 128, 512] {
            let list = format!("({})", vec!["?"; length].join(", "));
            let text: &'static str = format!("explain query plan {}", statement.replace("LIST", &list)).leak();
            let mut plan = String::new();
            for mut row in store.db().rows(store.db().fixed(text)).await.unwrap() {
                for _ in 0..3 {
                    row.int().unwrap();
                }
                plan.push_str(&row.text().unwrap());
                plan.push('\n');
            }
            assert!(plan.contains(expected), "{statement}\n{plan}");
            assert!(!plan.contains("SCAN"), "{statement}\n{plan}");
        }
    }
}

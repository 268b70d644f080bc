//! Jobs, cycles and escrow.

use provost_model::{Code, Text};
use provost_store::escrow::NEVER;
use provost_store::{
    AnswerRow, ControlRow, CycleKind, CycleRow, CycleStatus, EscrowRow, JobRow, JobState, QuarantineRow, StoreError,
};

use crate::{Place, job, link};

crate::on_both!(jobs, a_corrupt_row_says_which, cycles, escrow, forgetting_a_job, answers, pauses, quarantine);

async fn jobs(place: Place) {
    let mut row = JobRow::new(job());
    let mut tx = place.store.begin().await.unwrap();
    tx.save_job(&row).await.unwrap();
    tx.save_job(&JobRow::new("a".into())).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(place.store.job("hr-to-crm").await.unwrap().as_ref(), Some(&row));

    row.rules_digest = "d".to_owned();
    row.cursors = [("person".into(), Text::from("'c\u{0}'"))].into();
    row.counts = [("person".into(), 100_000)].into();
    row.linked = [("person".into(), 99_000), ("group".into(), 3)].into();
    row.state = JobState::Held;
    row.held_plan = Some("plan-1".into());
    row.note = Some("over the limit".to_owned());
    row.last_cycle = Some("c1".into());
    row.last_success = Some(5);
    row.failures = 2;
    row.updated = 6;
    let mut tx = place.store.begin().await.unwrap();
    tx.save_job(&row).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(place.store.jobs().await.unwrap(), [JobRow::new("a".into()), row]);
    assert_eq!(place.store.job("nobody").await.unwrap(), None);
}

async fn a_corrupt_row_says_which(place: Place) {
    let mut tx = place.store.begin().await.unwrap();
    tx.save_job(&JobRow::new(job())).await.unwrap();
    tx.commit().await.unwrap();
    for (change, word) in
        [("update job set state = 'dancing'", "dancing"), ("update job set cursors = '[', state = 'held'", "cursors")]
    {
        place.store.db().write(place.store.db().fixed(change)).await.unwrap();
        let error = place.store.job("hr-to-crm").await.unwrap_err();
        assert!(matches!(error, StoreError::Corrupt { table: "job", .. }), "{error}");
        assert!(error.to_string().contains(word), "{error}");
    }
}

async fn cycles(place: Place) {
    let cycle = |number: i64| CycleRow {
        id: format!("c{number}").into(),
        job: job(),
        kind: CycleKind::OnDemand,
        status: CycleStatus::Running,
        started: number,
        finished: None,
        rulebook: None,
        summary: "{}".to_owned(),
        note: None,
        cursors: Default::default(),
    };
    let mut tx = place.store.begin().await.unwrap();
    for number in 0..5 {
        tx.save_cycle(&cycle(number)).await.unwrap();
    }
    let done = CycleRow {
        status: CycleStatus::Done,
        finished: Some(9),
        summary: r#"{"created":1}"#.to_owned(),
        note: Some("fine".to_owned()),
        cursors: [("User".into(), "7".into())].into(),
        ..cycle(3)
    };
    tx.save_cycle(&done).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(place.store.cycle("c3").await.unwrap().as_ref(), Some(&done));
    assert_eq!(place.store.cycle("c9").await.unwrap(), None);
    assert_eq!(place.store.cycles("hr-to-crm", 2).await.unwrap(), [cycle(4), done]);
}

fn waiting(number: i64) -> EscrowRow {
    EscrowRow {
        gone: number % 2 == 1,
        situation: (number % 3 == 1).then(|| "new".into()),
        job: job(),
        class: "User".into(),
        source_id: format!("u{number:03}").into(),
        tries: 1,
        first_failed: 10,
        next_try: 1_000 - number,
        code: Code::new("PRV-0312"),
        message: "the target said no".to_owned(),
    }
}

async fn escrow(place: Place) {
    let rows: Vec<_> = (0..500).map(waiting).collect();
    let mut tx = place.store.begin().await.unwrap();
    tx.save_escrows(&rows).await.unwrap();
    let again = EscrowRow { tries: 2, next_try: 5_000, ..waiting(7) };
    tx.save_escrows(std::slice::from_ref(&again)).await.unwrap();
    assert_eq!(tx.delete_escrows("hr-to-crm", "User", &["u001", "u002", "none"]).await.unwrap(), 2);
    tx.commit().await.unwrap();
    assert_eq!(place.store.count_escrows("hr-to-crm").await.unwrap(), 498);
    let all = place.store.escrows("hr-to-crm").await.unwrap();
    assert_eq!(all.len(), 498);
    assert_eq!(all[5], again);
    let due = place.store.escrows_due("hr-to-crm", 502, 2).await.unwrap();
    assert_eq!(due, [waiting(499), waiting(498)]);
    let mut tx = place.store.begin().await.unwrap();
    tx.save_escrows(&[EscrowRow { next_try: NEVER, ..waiting(7) }]).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(place.store.count_ignored("hr-to-crm").await.unwrap(), 1);
    assert_eq!(place.store.escrows_due("hr-to-crm", i64::MAX - 1, 1_000).await.unwrap().len(), 497);
    let mut tx = place.store.begin().await.unwrap();
    assert_eq!(tx.ignore_escrows("hr-to-crm", "User", &["u008", "u009", "none"]).await.unwrap(), 2);
    assert_eq!(tx.retry_escrows("hr-to-crm", "User", &["u007", "u009"]).await.unwrap(), 2);
    tx.commit().await.unwrap();
    let all = place.store.escrows("hr-to-crm").await.unwrap();
    assert_eq!(all[5..8].iter().map(|row| row.next_try).collect::<Vec<_>>(), [0, NEVER, 0]);
    let mut tx = place.store.begin().await.unwrap();
    assert_eq!(tx.forget_escrows("hr-to-crm").await.unwrap(), 498);
    tx.commit().await.unwrap();
}

async fn forgetting_a_job(place: Place) {
    let mut tx = place.store.begin().await.unwrap();
    tx.save_job(&JobRow::new(job())).await.unwrap();
    tx.save_job(&JobRow::new("other".into())).await.unwrap();
    tx.save_links(&[link(1)]).await.unwrap();
    tx.save_escrows(&[waiting(1)]).await.unwrap();
    tx.forget_job("hr-to-crm").await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(place.store.jobs().await.unwrap().len(), 1);
    assert_eq!(place.store.count_escrows("hr-to-crm").await.unwrap(), 0);
    assert!(place.store.count_links("hr-to-crm").await.unwrap().is_empty());
}

async fn answers(place: Place) {
    let store = &place.store;
    let answer = |id: &str, target: Option<&str>| AnswerRow {
        question: format!("about {id}"),
        job: job(),
        class: "person".into(),
        source_id: id.into(),
        reaction: if target.is_some() { "adopt".into() } else { "create".into() },
        target_id: target.map(Into::into),
        who: "ada \u{e9}".into(),
        created: 7,
    };
    let mut tx = store.begin().await.unwrap();
    for row in [answer("2", None), answer("1", Some("u\u{e4}1")), answer("2", Some("u2"))] {
        tx.save_answer(&row).await.unwrap();
    }
    tx.commit().await.unwrap();
    assert_eq!(store.answers("hr-to-crm").await.unwrap(), [answer("1", Some("u\u{e4}1")), answer("2", Some("u2"))]);
    assert!(store.answers("other").await.unwrap().is_empty());
    let mut tx = store.begin().await.unwrap();
    assert_eq!(tx.delete_answers("hr-to-crm", "person", &["1", "3"]).await.unwrap(), 1);
    assert_eq!(tx.delete_answers("hr-to-crm", "group", &["2"]).await.unwrap(), 0);
    tx.commit().await.unwrap();
    assert_eq!(store.answers("hr-to-crm").await.unwrap(), [answer("2", Some("u2"))]);
}

/// A pause stands beside the job's row: a cycle that writes the row as it knew it takes nothing back.
async fn pauses(place: Place) {
    let store = &place.store;
    assert_eq!(store.control("hr-to-crm").await.unwrap(), None);
    assert!(!store.resume("hr-to-crm").await.unwrap());
    store.wake_job("hr-to-crm").await.unwrap();
    store.pause("hr-to-crm", Some("audit \0 week"), 5).await.unwrap();
    let row = |paused, pause_reason: Option<&str>, wakes| ControlRow {
        job: job(),
        paused,
        pause_reason: pause_reason.map(Into::into),
        wakes,
    };
    assert_eq!(store.control("hr-to-crm").await.unwrap(), Some(row(Some(5), Some("audit \u{fffd} week"), 1)));
    store.pause("hr-to-crm", None, 7).await.unwrap();
    store.wake_job("hr-to-crm").await.unwrap();
    let mut tx = store.begin().await.unwrap();
    tx.save_job(&JobRow::new(job())).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(store.controls().await.unwrap(), [row(Some(7), None, 2)]);
    assert!(store.resume("hr-to-crm").await.unwrap());
    assert!(!store.resume("hr-to-crm").await.unwrap());
    assert_eq!(store.controls().await.unwrap(), [row(None, None, 2)]);
}

async fn quarantine(place: Place) {
    let row = QuarantineRow {
        job: job(),
        since: 5,
        code: Code::new("PRV-0302"),
        reason: "the target refused the token".to_owned(),
        tries: 1,
        next_try: 9,
    };
    let later = QuarantineRow { tries: 2, next_try: i64::MAX, ..row.clone() };
    for row in [&row, &later] {
        let mut tx = place.store.begin().await.unwrap();
        tx.save_quarantine(row).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(place.store.quarantine("hr-to-crm").await.unwrap().as_ref(), Some(row));
    }
    assert_eq!(place.store.quarantines().await.unwrap(), [later]);
    let mut tx = place.store.begin().await.unwrap();
    assert!(tx.end_quarantine("hr-to-crm").await.unwrap());
    assert!(!tx.end_quarantine("hr-to-crm").await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(place.store.quarantine("hr-to-crm").await.unwrap(), None);
}

//! What a program can do wrong, and what is said of it.

use std::time::{Duration, Instant};

use provost_connector::{Context, ErrorCode, Scope, Session};
use serde_json::json;

use crate::support::*;

fn three() -> serde_json::Value {
    json!({"1": {"number": "1"}, "2": {"number": "2"}, "3": {"number": "3"}})
}

#[tokio::test]
async fn versions_that_do_not_fit_are_refused() {
    let place = Place::new();
    let wrapper = "import os, runpy; os.environ['CARDS_PCP'] = '2.0'; runpy.run_path(os.environ['CARDS'])";
    std::fs::write(
        place.path("two.py"),
        wrapper.replace("os.environ['CARDS']", &format!("{:?}", place.path("cards.py"))),
    )
    .unwrap();
    let error = place.open(json!({"command": ["python3", "two.py"]})).await.err().unwrap();
    assert_eq!(error.code, ErrorCode::Protocol);
    assert_eq!(error.message, "the program `two.py` speaks version 2.0 of the protocol, this host 1.0");
}

#[tokio::test]
async fn a_program_that_does_not_start_says_why() {
    let place = Place::new();
    std::fs::write(place.path("bad.py"), "import no_such_module_7").unwrap();
    let error = place.open(json!({"command": ["python3", "bad.py"]})).await.err().unwrap();
    assert_eq!(error.code, ErrorCode::Unavailable);
    assert!(error.message.contains("it ended with status 1"), "{error}");
    assert!(error.message.contains("No module named 'no_such_module_7'"), "{error}");
    // It is tried again, three times in all.
    let begin = Instant::now();
    for _ in 0..2 {
        let error = place.open(json!({"command": ["python3", "bad.py"]})).await.err().unwrap();
        assert_eq!(error.code, ErrorCode::Unavailable);
    }
    assert!(begin.elapsed() >= Duration::from_millis(1_000), "not at once");
    let error = place.open(json!({"command": ["python3", "bad.py"]})).await.err().unwrap();
    assert_eq!((error.code, error.scope), (ErrorCode::Internal, Scope::Job));
    assert!(error.message.contains("ended 3 times within 10 minutes and is not started again before"), "{error}");
    assert!(error.message.ends_with("the last time it ended with status 1"), "{error}");
    // Another program is not parked with it.
    place.open(json!({})).await.unwrap();
}

#[tokio::test]
async fn what_is_no_message_ends_the_program_and_names_it() {
    for (what, want) in [
        ("garbage", "it wrote `Traceback: \\u{1b}[1m it printed something` to its standard output: it is not JSON"),
        ("unknown_id", "it answered a request 999999 that is not open"),
        ("long", "it wrote a line of more than 100000 bytes (`max_line`)"),
    ] {
        let place = Place::new();
        place.put(three());
        let fault = json!({"settings": {"fault": {"on": "scan.next", "do": what}}, "max_line": 100_000});
        let session = place.open(fault).await.unwrap();
        let error = read(&*session, "card", 2).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::Protocol, "{what}: {error}");
        assert!(error.message.contains(want), "{what}: {error}");
        // It is started again, and works but for that.
        assert_eq!(session.count(&cx(), "card").await.unwrap(), 3);
    }
}

#[tokio::test]
async fn an_answer_of_the_wrong_shape_fails_its_request_alone() {
    let place = Place::new();
    place.put(three());
    for (what, want) in [
        ("wrong_type", "answered `scan.next` with something else than it should: invalid type: string \"none\""),
        (
            "wrong_error",
            "answered `scan.next` with an error that cannot be read: `error.data`: unknown variant `tired`",
        ),
    ] {
        let session = place.faulty("scan.next", what).await;
        let error = read(&*session, "card", 2).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::Protocol);
        assert!(error.message.contains(want), "{error}");
        assert_eq!(session.count(&cx(), "card").await.unwrap(), 3);
    }
    let session = place.faulty("apply", "wrong_type").await;
    let error = apply_one(&*session, create("4")).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::UnknownOutcome);
    assert!(error.message.contains("missing field `results`"), "{error}");
}

#[tokio::test]
async fn a_crash_in_a_read_is_unavailable_and_never_an_end() {
    for (what, want) in
        [("exit", "it ended with status 3"), ("kill", "it was ended by signal 9"), ("half", "it ended with status 0")]
    {
        let place = Place::new();
        place.put(three());
        let session = place.faulty("scan.next", what).await;
        let mut scan = session.scan(&cx(), provost_connector::ScanRequest::full("card")).await.unwrap();
        let error = scan.next(&cx()).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::Unavailable, "{error}");
        assert!(error.message.contains(want), "{error}");
        let error = scan.next(&cx()).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::Unreadable, "the same scan gives nothing more");
        assert_eq!(session.count(&cx(), "card").await.unwrap(), 3);
    }
}

#[tokio::test]
async fn a_crash_after_a_write_leaves_its_outcome_unknown() {
    let place = Place::new();
    let session = place.faulty("applied", "kill").await;
    let results = apply(&*session, &[create("1"), create("2")]).await;
    for result in results {
        let error = result.unwrap_err();
        assert_eq!(error.code, ErrorCode::UnknownOutcome);
        assert!(error.message.ends_with("it was ended by signal 9; it may have been done"), "{error}");
    }
    // It was: the first, and the second not.
    assert_eq!(place.stored().as_object().unwrap().keys().collect::<Vec<_>>(), ["1"]);
    assert_eq!(session.count(&cx(), "card").await.unwrap(), 1);
}

#[tokio::test]
async fn an_error_for_all_of_a_write_says_whether_nothing_was_done() {
    let place = Place::new();
    for (code, want) in [
        ("throttled", ErrorCode::Throttled),
        ("auth_failed", ErrorCode::AuthFailed),
        ("internal", ErrorCode::UnknownOutcome),
        ("cancelled", ErrorCode::UnknownOutcome),
    ] {
        let fault = json!({"settings": {"fault": {"on": "apply", "do": "refuse", "code": code}}});
        let session = place.open(fault).await.unwrap();
        assert_eq!(apply_one(&*session, create("1")).await.unwrap_err().code, want);
    }
}

#[tokio::test]
async fn three_crashes_park_the_connection() {
    let place = Place::new();
    let session = place.faulty("count", "exit").await;
    for _ in 0..3 {
        assert_eq!(session.count(&cx(), "card").await.unwrap_err().code, ErrorCode::Unavailable);
    }
    let begin = Instant::now();
    let parked = session.count(&cx(), "card").await.unwrap_err();
    assert_eq!((parked.code, parked.scope), (ErrorCode::Internal, Scope::Job));
    let write = apply_one(&*session, create("1")).await.unwrap_err();
    assert_eq!(write.message, parked.message, "a write that was not sent is not unknown");
    assert!(session.test(&cx()).await[0].message.contains("ended 3 times"));
    assert!(begin.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn a_program_that_hangs_is_ended_and_started_again() {
    let place = Place::new();
    place.put(three());
    let session = place.faulty("scan.next", "hang").await;
    let mut scan = session.scan(&cx(), provost_connector::ScanRequest::full("card")).await.unwrap();
    let short = Context::new("short").within(Duration::from_millis(300));
    assert_eq!(scan.next(&short).await.unwrap_err().code, ErrorCode::Timeout);
    // It answers nobody, until it is ended; then it is there again.
    let waiting = session.count(&cx(), "card").await.unwrap_err();
    assert_eq!(waiting.code, ErrorCode::Unavailable);
    assert!(waiting.message.contains("it did not answer within 2 s after it was asked to give up"), "{waiting}");
    assert_eq!(session.count(&cx(), "card").await.unwrap(), 3);
}

#[tokio::test]
async fn a_write_that_is_cancelled_is_waited_for() {
    let place = Place::new();
    // It hangs after the write; nothing of it is heard any more.
    let session = place.faulty("applied", "hang").await;
    let context = Context::new("cancelled");
    let operations = [create("1")];
    let write = session.apply(&context, &operations);
    let cancel = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        context.cancel.cancel();
    };
    let (results, ()) = tokio::join!(write, cancel);
    let provost_connector::Outcome::Failed(error) = &results[0].outcome else { panic!("{results:?}") };
    assert_eq!(error.code, ErrorCode::UnknownOutcome, "{error}");
    assert!(place.stored()["1"].is_object());

    // One that only takes its time is done, whoever cancels.
    let place = Place::new();
    let session = place.open(json!({})).await.unwrap();
    let context = Context::new("cancelled");
    let operations: Vec<_> = (0..100).map(|n| create(&n.to_string())).collect();
    let write = session.apply(&context, &operations);
    let cancel = async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        context.cancel.cancel();
    };
    let (results, ()) = tokio::join!(write, cancel);
    let done = |result: &provost_connector::Applied| matches!(result.outcome, provost_connector::Outcome::Done(_));
    assert!(results.iter().all(done), "{results:?}");
    assert_eq!(place.stored().as_object().unwrap().len(), 100);
}

#[tokio::test]
async fn nothing_is_left_of_a_connection_that_is_let_go() {
    for stubborn in [false, true] {
        let place = Place::new();
        let session: std::sync::Arc<dyn Session> =
            place.open(json!({"settings": {"stubborn": stubborn}, "stop_timeout": 1})).await.unwrap();
        let folder = session.test(&cx()).await.into_iter().find(|check| check.name == "folder").unwrap().message;
        assert!(std::path::Path::new(&folder).is_dir());
        drop(session);
        let end = Instant::now() + Duration::from_secs(20);
        // Its folder goes when it has ended.
        while std::path::Path::new(&folder).exists() {
            assert!(Instant::now() < end, "{folder} is still there");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

#[tokio::test]
async fn what_a_program_started_ends_with_it() {
    for on in ["count", "shutdown"] {
        let place = Place::new();
        let start = "import subprocess; open(sys.argv[0] + '.pid', 'w').write(str(subprocess.Popen(['sleep', '300'], stdout=2).pid))";
        let program =
            include_str!("cards.py").replace("out, settings, scans", &format!("{start}\nout, settings, scans"));
        std::fs::write(place.path("parent.py"), program).unwrap();
        let fault = json!({"command": ["python3", "parent.py"], "settings": {"fault": {"on": on, "do": "exit"}}});
        let session = place.open(fault).await.unwrap();
        let pid = std::fs::read_to_string(place.path("parent.py.pid")).unwrap();
        let running = || {
            let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            status.contains("Name:\tsleep") && !status.contains("State:\tZ")
        };
        assert!(running());
        if on == "count" {
            assert_eq!(session.count(&cx(), "card").await.unwrap_err().code, ErrorCode::Unavailable);
        }
        drop(session);
        let end = Instant::now() + Duration::from_secs(20);
        while running() {
            assert!(Instant::now() < end, "{on}: {pid} is still there");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

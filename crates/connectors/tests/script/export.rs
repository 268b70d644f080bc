//! What an export does, and what is known of it.

use std::time::Duration;

use provost_connector::{Context, ErrorCode, Outcome};
use provost_model::{Action, ChangeOp, Value};
use serde_json::json;

use crate::support::*;

#[tokio::test]
async fn a_card_is_made_changed_switched_off_and_taken_away() {
    let place = Place::new();
    let session = place.open(json!({"enabled": {"attribute": "active"}})).await;
    let results = apply(&*session, &[create("7"), create("8")]).await;
    assert_eq!(results.into_iter().map(Result::unwrap).collect::<Vec<_>>(), ["7", "8"]);
    let again = apply(&*session, &[create("7")]).await.remove(0).unwrap_err();
    assert_eq!((again.code, again.existing_id), (ErrorCode::AlreadyExists, Some("7".into())));
    let zones = |op, values: &[&str]| change("zones", op, values.iter().map(|v| Value::text(*v)).collect::<Vec<_>>());
    let changes = vec![
        zones(ChangeOp::Add, &["lab", "roof"]),
        zones(ChangeOp::Remove, &["lab"]),
        change("name", ChangeOp::Unset, Value::Null),
    ];
    let disable = operation("d", Action::Disable, Some("7"), Vec::new());
    let update = operation("u", Action::Update, Some("7"), changes);
    for result in apply(&*session, &[update, disable]).await {
        result.unwrap();
    }
    assert_eq!(place.stored()["7"], json!({"number": "7", "zones": ["roof"], "active": false}));
    apply(&*session, &[operation("e", Action::Enable, Some("7"), Vec::new())]).await.remove(0).unwrap();
    assert_eq!(place.stored()["7"]["active"], true);
    let delete = operation("x", Action::Delete, Some("7"), Vec::new());
    apply(&*session, std::slice::from_ref(&delete)).await.remove(0).unwrap();
    assert_eq!(apply(&*session, &[delete]).await.remove(0).unwrap_err().code, ErrorCode::NotFound);
}

#[tokio::test]
async fn values_of_every_kind_come_back_equal() {
    let place = Place::new();
    let session = place.open(json!({})).await;
    let long = "ä\u{1f600}".repeat(50_000);
    let hostile = [
        "",
        " leading",
        "trailing ",
        "a\"b",
        "a\\b",
        "a,b;c",
        "line\nbreak\r\n",
        "\u{0}\u{1}\u{7f}",
        "\u{2028}\u{85}",
        "Zoë \u{1f469}\u{200d}\u{1f680}",
        "مرحبا",
        "'; DROP TABLE cards; --",
        "$(touch /tmp/provost-was-here) `id`",
        "%PATH% $PATH",
        "-e",
        &long,
    ];
    let card = |(at, text): (usize, &&str)| {
        let mut card = create(&format!("n{at}"));
        card.changes.push(change("zones", ChangeOp::Set, vec![Value::text(*text), Value::Boolean(true)]));
        card
    };
    let operations: Vec<_> = hostile.iter().enumerate().map(card).collect();
    for result in apply(&*session, &operations).await {
        result.unwrap();
    }
    for (at, text) in hostile.iter().enumerate() {
        let record = session.get(&cx(), "card", &format!("n{at}").into()).await.unwrap().unwrap();
        assert_eq!(record.attributes.get("zones"), Some(&Value::List(vec![Value::text(*text), Value::Boolean(true)])));
    }
    assert!(!std::path::Path::new("/tmp/provost-was-here").exists());
    let odd = operation("odd", Action::Update, Some("n1"), vec![change("a[b\"]c", ChangeOp::Set, "x")]);
    assert_eq!(apply(&*session, &[odd]).await.remove(0).unwrap_err().code, ErrorCode::NotSupported);
}

/// What is known of three creates when the export does this after the first.
async fn known(script: &str) -> Vec<(ErrorCode, String)> {
    let place = Place::new();
    let head = "lines = [json.loads(line) for line in sys.stdin]\ndone = lambda n: say({'operation': lines[n]['id'], 'outcome': {'done': {'target_id': 'x'}}})\ndone(0)\n";
    place.python("export.py", &format!("{head}{script}"));
    let session = place.open(json!({"timeout": 5})).await;
    let mut results = apply(&*session, &[create("1"), create("2"), create("3")]).await;
    assert_eq!(results.remove(0).unwrap(), "x", "{script}");
    results
        .into_iter()
        .map(|result| result.map_or_else(|error| (error.code, error.message), |id| panic!("{id}")))
        .collect()
}

#[tokio::test]
async fn what_has_no_result_may_have_been_done() {
    for (script, want) in [
        ("", "`export.py` gave no single result for it; it may have been done"),
        ("sys.exit(4)", "`export.py` did not do its work: it ended with status 4; it may have been done"),
        ("os.kill(os.getpid(), 9)", "it was ended by signal 9; it may have been done"),
        (
            "print('all done')",
            "of what `export.py` wrote line 2 is no result: expected value at line 1 column 1; it may",
        ),
        (
            "say({'operation': 'other', 'outcome': {'done': {'target_id': 'x'}}})",
            "line 2 is about an operation that was not asked for",
        ),
        ("done(1); done(1); done(2); done(2)", "gave no single result for it"),
        ("say({'operation': lines[1]['id']})", "line 2 is no result: missing field `outcome`"),
        ("time.sleep(300)", "`export.py` did not come to its end in time; it may have been done"),
    ] {
        for (code, message) in known(script).await {
            assert_eq!(code, ErrorCode::UnknownOutcome, "{script}: {message}");
            assert!(message.contains(want), "{script}: {message}");
        }
    }
}

#[tokio::test]
async fn a_script_that_cannot_start_has_done_nothing() {
    let place = Place::new();
    let session = place.open(json!({})).await;
    let context = Context::new("over");
    context.cancel.cancel();
    let results = session.apply(&context, &[create("1")]).await;
    let Outcome::Failed(error) = &results[0].outcome else { panic!("{results:?}") };
    assert_eq!(error.code, ErrorCode::Cancelled);
    let reads = place.open(json!({"export": null})).await;
    assert!(!reads.capabilities().class("card").unwrap().create);
    assert_eq!(apply(&*reads, &[create("1")]).await.remove(0).unwrap_err().code, ErrorCode::NotSupported);
    let creates = place.open(json!({"operations": ["create"]})).await;
    let delete = operation("d", Action::Delete, Some("1"), Vec::new());
    let results = apply(&*creates, &[delete, create("1")]).await;
    assert_eq!(results[0].as_ref().unwrap_err().code, ErrorCode::NotSupported);
    assert_eq!(results[1].as_ref().unwrap(), "1");
}

#[tokio::test]
async fn a_cancelled_export_is_waited_for() {
    let place = Place::new();
    place.python(
        "export.py",
        "lines = [json.loads(line) for line in sys.stdin]\ntime.sleep(1)\nfor line in lines: say({'operation': line['id'], 'outcome': {'done': {'target_id': 'x'}}})",
    );
    let session = place.open(json!({})).await;
    let context = Context::new("cancelled");
    let operations = [create("1"), create("2")];
    let cancel = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        context.cancel.cancel();
    };
    let (results, ()) = tokio::join!(session.apply(&context, &operations), cancel);
    assert!(results.iter().all(|result| matches!(result.outcome, Outcome::Done(_))), "{results:?}");
}

#[tokio::test]
async fn the_shell_takes_operations_too() {
    let place = Place::new();
    // Ids are ours and plain, so sed may pick them; values it does not touch.
    place.write(
        "export.sh",
        r#"read -r request
while IFS= read -r line; do
    id=$(printf '%s\n' "$line" | sed 's/^{"id":"\([a-z0-9-]*\)".*/\1/')
    printf '%s\n' "$line" >>"$HOME/taken"
    printf '{"operation":"%s","outcome":{"done":{"target_id":"t-%s"}}}\n' "$id" "$id"
done
"#,
    );
    place.write(
        "schema.sh",
        "echo '{\"name\": \"card\", \"attributes\": []}'\necho '{\"complete\": true, \"count\": 1}'\n",
    );
    let settings =
        json!({"interpreter": ["sh"], "schema": "schema.sh", "import": null, "export": "export.sh", "folder": "work"});
    let session = place.open(settings).await;
    let results = apply(&*session, &[create("1"), create("2")]).await;
    assert_eq!(results.into_iter().map(Result::unwrap).collect::<Vec<_>>(), ["t-create-1", "t-create-2"]);
    assert_eq!(std::fs::read_to_string(place.path("work/taken")).unwrap().lines().count(), 2);
}

#[tokio::test]
async fn passwords_have_a_script_of_their_own() {
    let place = Place::new();
    place.python(
        "password.py",
        r#"
for line in sys.stdin:
    told = json.loads(line)
    open(parameters["store"] + ".passwords", "a").write(told["target_id"] + "=" + told["password"] + "\n")
    bad = {"failed": {"code": "constraint", "message": "too short: " + parameters["token"]}}
    outcome = bad if len(told["password"]) < 4 else {"done": {"target_id": told["target_id"]}}
    say({"operation": told["operation"], "outcome": outcome})
"#,
    );
    let session = place.open(json!({"password": "password.py"})).await;
    let with = |mut operation: provost_model::Operation, password: &str| {
        operation.changes.push(change("password", ChangeOp::Set, password));
        operation
    };
    let alone = with(operation("p", Action::Update, Some("9"), Vec::new()), "new one");
    let results =
        apply(&*session, &[with(create("1"), "long enough"), with(create("2"), "abc"), create("3"), alone]).await;
    assert_eq!(results[0].as_ref().unwrap(), "1");
    let partial = results[1].as_ref().unwrap_err();
    assert_eq!(partial.code, ErrorCode::Partial);
    assert_eq!(partial.message, "the object was written, its password was not set: too short: ***");
    assert_eq!((results[2].as_ref().unwrap().as_str(), results[3].as_ref().unwrap().as_str()), ("3", "9"));
    assert!(!place.stored().to_string().contains("long enough"));
    let mut set: Vec<String> =
        std::fs::read_to_string(place.path("cards.json.passwords")).unwrap().lines().map(str::to_owned).collect();
    set.sort();
    assert_eq!(set, ["1=long enough", "2=abc", "9=new one"]);
    let unset = operation("q", Action::Update, Some("1"), vec![change("password", ChangeOp::Unset, Value::Null)]);
    assert_eq!(apply(&*session, &[unset]).await.remove(0).unwrap_err().code, ErrorCode::NotSupported);
}

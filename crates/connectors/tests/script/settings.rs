//! What is approved, checked and handed on.

use provost_connector::{Connector, ErrorCode};
use provost_connectors::script::{ScriptConnector, digest_of};
use serde_json::json;

use crate::support::*;

#[tokio::test]
async fn scripts_are_approved_by_their_digest() {
    let place = Place::new();
    let connector = ScriptConnector::default();
    let raw = place.raw(json!({}));
    let problems = connector.validate(&raw);
    assert_eq!((&*problems[0].path, &*problems[0].message), ("approved", "the scripts are not approved"));
    let digest = digest_of(&raw).unwrap();
    assert_eq!(problems[0].hint.as_deref(), Some(&*format!("look at what they do, then set `approved: {digest}`")));
    let approved = place.settings(json!({}));
    assert_eq!(connector.validate(&approved), []);
    place.python("export.py", "# another one");
    let problems = connector.validate(&approved);
    assert!(problems[0].message.contains("are not those that were approved"), "{problems:?}");
    // The same files for other work are something else.
    let swapped = place.raw(json!({"import": "export.py", "export": "import.py"}));
    assert_ne!(digest_of(&swapped).unwrap(), digest_of(&raw).unwrap());
}

#[tokio::test]
async fn settings_are_checked_without_running_anything() {
    let place = Place::new();
    for (more, path) in [
        (json!({"schema": null}), "schema"),
        (json!({"schema": "missing.py"}), "schema"),
        (json!({"import": null, "export": null}), "import"),
        (json!({"interpreter": ["no-such-interpreter-7"]}), "command"),
        (json!({"csv": {"key": "id", "delimiter": "\""}}), "csv.delimiter"),
        (json!({"enabled": {"attribute": "a", "on": 1, "off": 1}}), "enabled"),
        (json!({"environment": ["PROVOST_MASTER_KEY"]}), "environment"),
        (json!({"timeout": "soon"}), "timeout"),
        (json!({"max_batch": 0}), "max_batch"),
        (json!({"approved": "yes"}), "approved"),
    ] {
        let problems = ScriptConnector::default().validate(&place.raw(more.clone()));
        assert_eq!(problems.iter().map(|problem| &*problem.path).collect::<Vec<_>>(), [path], "{more}");
    }
    place.python(
        "validate.py",
        "assert parameters['token'] == {'secret': 'card-token'}\nsay({'path': 'store', 'message': '`store` is on no disk', 'hint': None})\nend(1)",
    );
    let problems = ScriptConnector::default().validate(&place.settings(json!({"validate": "validate.py"})));
    assert_eq!(
        (problems.len(), &*problems[0].path, &*problems[0].message),
        (1, "parameters.store", "`store` is on no disk")
    );
}

#[tokio::test]
async fn secrets_and_values_are_on_standard_input_alone() {
    let place = Place::new();
    place.python(
        "test.py",
        r#"
names = sorted(os.environ)
say({"name": "environment", "status": "ok", "message": " ".join(names)})
say({"name": "arguments", "status": "ok", "message": str(len(sys.argv))})
say({"name": "token", "status": "warn", "message": "it is " + parameters["token"], "hint": parameters["token"]})
assert not any(parameters["token"] in value for value in os.environ.values())
end(3)
"#,
    );
    let session = place.open(json!({"test": "test.py"})).await;
    let checks = session.test(&cx()).await;
    let message =
        |name: &str| &checks.iter().find(|check| check.name == name).unwrap_or_else(|| panic!("{checks:?}")).message;
    assert!(
        message("environment").contains("PROVOST_SCRIPT") && !message("environment").contains("CARGO"),
        "{checks:?}"
    );
    assert_eq!(message("arguments"), "1");
    assert_eq!(message("token"), "it is ***");
    assert!(!format!("{checks:?}").contains("battery"));
}

#[tokio::test]
async fn a_schema_that_is_not_whole_opens_nothing() {
    let place = Place::new();
    for (script, code, want) in [
        (
            "say({'name': 'card', 'attributes': []})",
            ErrorCode::Protocol,
            "its last line says no `complete` and `count`",
        ),
        ("end(1)", ErrorCode::Protocol, "1 objects were counted and 0 received"),
        ("pass", ErrorCode::Protocol, "it wrote nothing"),
        ("say({'nam': 'card'}); end(1)", ErrorCode::Protocol, "line 1: missing field `name`"),
        (
            "sys.exit('who are ' + parameters['token'])",
            ErrorCode::Unreadable,
            "it ended with status 1; it wrote: who are ***",
        ),
    ] {
        place.python("schema.py", script);
        let error = place.try_open(json!({})).await.err().unwrap();
        assert_eq!(error.code, code, "{script}: {error}");
        assert!(error.message.contains(want), "{script}: {error}");
    }
    let error = place.try_open(json!({"parameters": {"token": {"secret": "other"}}})).await.err().unwrap();
    assert_eq!(error.message, "there is no secret `other`");
}

#[tokio::test]
async fn memory_has_an_end() {
    let place = Place::new();
    place.python("import.py", "try: bytearray(1 << 30)\nexcept MemoryError: sys.exit(7)\nend(0)");
    let session = place.open(json!({"memory": "600 MiB"})).await;
    let error = full(&*session).await.err().unwrap();
    assert!(error.message.contains("it ended with status 7"), "{error}");
    assert_eq!(full(&*place.open(json!({})).await).await.unwrap().gap(), None);
}

//! Secrets go to the program on its standard input, and are seen nowhere else.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use provost_connector::{Connector, ErrorCode};
use serde_json::json;
use tracing_subscriber::fmt::MakeWriter;

use crate::support::*;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;
    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn a_secret_shows_in_no_log_and_no_error() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_ansi(false);
    // For the whole process: the other tests use the same password, and their lines have to be free of it, too.
    tracing::subscriber::set_global_default(subscriber.with_writer(log.clone()).finish()).unwrap();
    let place = Place::new();
    let fault = json!({"settings": {"fault": {"on": "count", "do": "refuse", "code": "auth_failed"}}});
    let session = place.open(fault).await.unwrap();
    let checks = session.test(&cx()).await;
    let token = checks.iter().find(|check| check.name == "token").unwrap();
    assert_eq!(token.message, "signed in with ***");
    let error = session.count(&cx(), "card").await.unwrap_err();
    assert_eq!((error.code, &*error.message), (ErrorCode::AuthFailed, "refused with ***"));
    drop(session);

    let text = format!("it prints {PASSWORD}");
    let fault = json!({"settings": {"fault": {"on": "count", "do": "garbage", "text": text}}});
    let session = place.open(fault).await.unwrap();
    let error = session.count(&cx(), "card").await.unwrap_err();
    assert!(error.message.contains("it prints"), "{error}");
    assert!(!format!("{error:?}").contains("battery"), "{error:?}");
    drop(session);

    let end = Instant::now() + Duration::from_secs(20);
    loop {
        let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        assert!(!log.contains("battery"), "{log}");
        if log.contains("the password is ***") {
            break;
        }
        assert!(Instant::now() < end, "{log}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_program_gets_the_secrets_of_its_settings_and_no_others() {
    let place = Place::new();
    let program = include_str!("cards.py").replace("secret(settings[\"token\"][\"secret\"])", "secret(\"other\")");
    std::fs::write(place.path("thief.py"), program).unwrap();
    let error = place.open(json!({"command": ["python3", "thief.py"]})).await.err().unwrap();
    assert_eq!(error.code, ErrorCode::PermissionDenied);
    assert_eq!(error.message, "the settings of this connection do not name a secret `other`");
    let session =
        place.open(json!({"settings": {"more": [{"secret": "other"}]}, "command": ["python3", "thief.py"]})).await;
    assert!(session.is_ok());
    // A secret that is not there is the host's own error.
    let settings = place.settings(json!({}));
    let error = place.connector.configure(settings, Arc::new(Keyring(Default::default()))).await.err().unwrap();
    assert_eq!(error.message, "there is no secret `card-token`");
}

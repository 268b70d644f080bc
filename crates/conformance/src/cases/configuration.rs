//! Settings are checked without going online, and a wrong password or address is told as such.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use provost_connector::{CheckStatus, ConnectorError, ErrorCode, Host, Secret, Settings};
use serde_json::json;
use tokio::sync::Mutex;

use super::schema::other;
use super::{Case, Played, Subject, Verdict, case, demand};
use crate::ground::Ground;
use crate::proxy::{Conduct, Proxy};

const GROUP: &str = "configuration";
/// What nobody's password is.
const WRONG: &str = "certainly-not-the-right-one";
/// How long a peer that is not there may keep anybody waiting.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) const CASES: &[Case] = &[
    case!(11, Basic, Connection, "a setting that is missing is reported without going online", missing),
    case!(12, Basic, Connection, "a setting of the wrong type, or an unknown one, is reported", wrong_type),
    case!(13, Basic, Connection, "a good configuration is in order", good),
    case!(14, Basic, Connection, "a wrong password is told as `auth_failed`", wrong_password),
    case!(15, Standard, Connection, "a peer that is not there is told as `unavailable`, soon", unreachable),
    case!(17, Basic, Connection, "a second session works beside the first", twice),
];

/// The settings without each of their entries in turn: reported now, or not needed when the session is opened.
async fn missing(ground: &Ground<'_>, _: Subject<'_>) -> Played {
    let kit = ground.kit;
    for name in kit.settings.values.keys() {
        let mut settings = kit.settings.clone();
        settings.values.remove(name);
        if !kit.connector.validate(&settings).is_empty() {
            continue;
        }
        if let Err(error) = kit.connector.configure(settings, kit.host.clone()).await {
            let message = format!("without `{name}` the settings pass as good, and the session says: {error}");
            demand!(error.code != ErrorCode::InvalidConfig, "{message}");
        }
    }
    Ok(())
}

async fn wrong_type(ground: &Ground<'_>, _: Subject<'_>) -> Played {
    let kit = ground.kit;
    let with = |name: &str, value| {
        let mut settings = kit.settings.clone();
        settings.values.insert(name.to_owned(), value);
        kit.connector.validate(&settings)
    };
    for name in kit.settings.values.keys() {
        let problems = with(name, json!({ "no_such_key": [[]] }));
        demand!(!problems.is_empty(), "`{name}: {{no_such_key: [[]]}}` passes as good");
    }
    let problems = with("no_such_setting", json!(1));
    demand!(!problems.is_empty(), "`no_such_setting: 1` passes as good");
    demand!(
        problems.iter().any(|problem| format!("{} {}", problem.path, problem.message).contains("no_such_setting")),
        "no message names `no_such_setting`: {problems:?}"
    );
    Ok(())
}

async fn good(ground: &Ground<'_>, _: Subject<'_>) -> Played {
    let problems = ground.kit.connector.validate(&ground.kit.settings);
    demand!(problems.is_empty(), "{problems:?}");
    let checks = ground.session.test(&ground.cx()).await;
    demand!(!checks.is_empty(), "the session checks nothing");
    if let Some(bad) = checks.iter().find(|check| check.status == CheckStatus::Fail) {
        return Err(Verdict::Failed(format!("{}: {}", bad.name, bad.message)));
    }
    Ok(())
}

/// Gives another secret than the one that is asked for, and notes that one was.
struct Liar {
    asked: Mutex<bool>,
}

#[async_trait]
impl Host for Liar {
    async fn secret(&self, _: &str) -> Result<Secret, ConnectorError> {
        *self.asked.lock().await = true;
        Ok(Secret::new(WRONG))
    }
}

async fn wrong_password(ground: &Ground<'_>, _: Subject<'_>) -> Played {
    let liar = Arc::new(Liar { asked: Mutex::new(false) });
    let failure = first_failure(ground, ground.kit.settings.clone(), liar.clone()).await;
    if !*liar.asked.lock().await {
        return Err(Verdict::skipped("the connection has no secret"));
    }
    let Some(error) = failure else { return Err(Verdict::failed("the peer is read with a wrong password")) };
    demand!(error.code == ErrorCode::AuthFailed, "{:?}: {error}", error.code);
    demand!(!format!("{error:?}").contains(WRONG), "the error shows the secret");
    Ok(())
}

async fn unreachable(ground: &Ground<'_>, _: Subject<'_>) -> Played {
    let (proxy, settings) = proxied(ground).await?;
    proxy.behave(Conduct::Refuse);
    let start = Instant::now();
    let failure = first_failure(ground, settings, ground.kit.host.clone()).await;
    let Some(error) = failure else { return Err(Verdict::failed("a peer that is not there is read")) };
    demand!(error.code == ErrorCode::Unavailable, "{:?}: {error}", error.code);
    demand!(start.elapsed() < PATIENCE, "that took {:?}", start.elapsed());
    Ok(())
}

async fn twice(ground: &Ground<'_>, _: Subject<'_>) -> Played {
    let kit = ground.kit;
    let again = kit.connector.configure(kit.settings.clone(), kit.host.clone()).await?;
    let schema = again.schema(&ground.cx()).await?;
    demand!(schema == ground.schema, "the second session has another schema: {}", other(&schema, &ground.schema));
    ground.session.schema(&ground.cx()).await?;
    Ok(())
}

/// The error of the first step that needs the peer: to open a session, its schema, a first page.
async fn first_failure(ground: &Ground<'_>, settings: Settings, host: Arc<dyn Host>) -> Option<ConnectorError> {
    let session = match ground.kit.connector.configure(settings, host).await {
        Ok(session) => session,
        Err(error) => return Some(error),
    };
    if let Err(error) = session.schema(&ground.cx()).await {
        return Some(error);
    }
    let class = session.capabilities().classes.iter().find(|class| class.scan)?.name.clone();
    ground.scan(&*session, provost_connector::ScanRequest::full(class)).await.err()
}

/// A proxy before the peer, and the settings that lead through it.
pub(super) async fn proxied(ground: &Ground<'_>) -> Result<(Proxy, Settings), Verdict> {
    let none = || Verdict::skipped("the connection has no network peer of its own");
    let kit = ground.kit;
    let nowhere = std::net::SocketAddr::from(([127, 0, 0, 1], 9));
    let peer = kit.connector.rerouted(&kit.settings, nowhere).ok_or_else(none)?.peer;
    let proxy = Proxy::start(peer).await.map_err(Verdict::failed)?;
    let rerouted = kit.connector.rerouted(&kit.settings, proxy.address()).ok_or_else(none)?;
    Ok((proxy, rerouted.settings))
}

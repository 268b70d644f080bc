//! The checks of `provost doctor`: sign in, read, and whether what is sent is encrypted.

use provost_connector::{CheckResult, CheckStatus, Context};

use super::config::Identity;
use super::names::id_alone;
use super::page;
use super::session::Inner;

pub async fn run(cx: &Context, inner: &Inner) -> Vec<CheckResult> {
    let server = &inner.config.server;
    let mut checks = Vec::new();
    match inner.wire.open(cx).await {
        Ok(_) => checks.push(CheckResult::ok("sign-in", format!("{server} lets the connection in"))),
        Err(error) => return vec![CheckResult::fail("sign-in", &error)],
    }
    for shape in &inner.shape.classes {
        let (base, filter) = (&shape.class.base, shape.class.filter.to_string());
        let name = format!("read {}", shape.class.name);
        checks.push(match page::all(cx, &inner.wire, base, shape.class.scope.into(), filter, id_alone(shape)).await {
            Ok(found) => CheckResult::ok(&name, format!("{} entries below `{base}`", found.len())),
            Err(error) => CheckResult::fail(&name, &error),
        });
    }
    let is_plain = !inner.config.is_encrypted();
    if is_plain && !matches!(inner.config.identity, Identity::Anonymous) {
        checks.push(CheckResult {
            name: "encryption".into(),
            status: CheckStatus::Warn,
            message: "the connection is not encrypted".into(),
            hint: Some("use `ldaps://` or `start_tls: true`".into()),
        });
    }
    checks
}

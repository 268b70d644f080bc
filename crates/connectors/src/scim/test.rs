//! The checks of `test`: from the address over the credentials to what matching relies on. They never write.

use std::sync::atomic::Ordering;

use provost_connector::{CheckResult, CheckStatus, Context, ErrorCode};
use provost_model::{AttributePath, Value};

use super::lookup::lookup;
use super::read::{list, without_members};
use super::session::{Class, Target};
use super::wire::Query;

/// In this order; after a failure that makes the others pointless they are left out.
pub async fn checks(cx: &Context, target: &Target) -> Vec<CheckResult> {
    let mut checks = Vec::new();
    for class in &target.classes {
        let name = format!("read {}", class.name);
        let query = without_members(class, Query::new(&class.endpoint)).with("startIndex", "1").with("count", "1");
        match list(cx, target, class, query).await {
            Ok(page) => {
                let total = page.total_results.map_or("an unknown number of".to_owned(), |total| total.to_string());
                checks.push(CheckResult::ok(&name, format!("{total} objects at {}", class.endpoint)));
            }
            Err(error) => {
                let fatal = matches!(
                    error.code,
                    ErrorCode::Unavailable | ErrorCode::Timeout | ErrorCode::AuthFailed | ErrorCode::InvalidConfig
                );
                let check = if error.code == ErrorCode::Unavailable { "reach the target" } else { name.as_str() };
                checks.push(CheckResult::fail(check, &error));
                if fatal {
                    return checks;
                }
                continue;
            }
        }
        if target.dialect.filter && class.schema.attribute("userName").is_some() {
            checks.push(matching(cx, target, class).await);
        }
    }
    checks
}

/// A name that nobody has must not be found (Entra ID tests a connection in the same way).
async fn matching(cx: &Context, target: &Target, class: &Class) -> CheckResult {
    let name = format!("match {}", class.name);
    let nobody = Value::text(format!("provost-test-{}", provost_model::Digest::of_bytes(cx.trace.as_bytes())));
    match lookup(cx, target, class, &AttributePath::name("userName"), &nobody).await {
        Ok(_) if class.ignores_filters.load(Ordering::Relaxed) => CheckResult {
            name: name.into(),
            status: CheckStatus::Warn,
            message: "the target ignores filters".to_owned(),
            hint: Some("set `filter: false` in `dialect` to match by reading everything".to_owned()),
        },
        Ok(found) if found.is_empty() => CheckResult::ok(&name, "filters on `userName` work"),
        Ok(_) => CheckResult {
            name: name.into(),
            status: CheckStatus::Warn,
            message: "the target finds a user by a name that was made up".to_owned(),
            hint: Some("check whether another test user has this name".to_owned()),
        },
        Err(error) => CheckResult::fail(&name, &error),
    }
}

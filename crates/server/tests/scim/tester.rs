//! The public conformance testers, as `make deps` installs them.

use std::process::Stdio;

use provost_testkit::process::work_folder;
use tokio::process::Command;

use crate::{Service, TOKEN, on_both};

on_both!(scim2_tester_finds_nothing, scim_sanity_finds_nothing, scim2_client_is_content, schemathesis_finds_nothing);

async fn run(program: &str, arguments: &[&str]) -> (bool, String) {
    let program = work_folder().join("venv/bin").join(program);
    assert!(program.exists(), "{} is missing\nhint: make deps", program.display());
    let output = Command::new(&program)
        .args(arguments)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("SCIM_CLI_HEADERS", format!("Authorization: Bearer {TOKEN}"))
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    (output.status.success(), text)
}

fn base(service: &Service) -> String {
    format!("http://{}/scim/v2", service.address)
}

async fn scim2_tester_finds_nothing(service: Service) {
    let (passed, report) = run("scim2", &["--url", &base(&service), "test"]).await;
    assert!(passed, "{report}");
    for word in ["ERROR", "CRITICAL", "FAILURE", "DEVIATION"] {
        assert!(!report.contains(&format!("\n{word} ")), "{word}: {report}");
    }
    assert!(report.matches("\nSUCCESS ").count() > 100, "{report}");
}

async fn scim2_client_is_content(service: Service) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scim/clients/conversation.py");
    let (passed, report) = run("python", &[script, &base(&service), TOKEN]).await;
    assert!(passed && report.ends_with("done\n"), "{report}");
}

/// Requests made up from the OpenAPI document, right ones and wrong ones: none is answered by 5xx, nor by anything that the
/// document does not have. Another seed each time, which the report names.
async fn schemathesis_finds_nothing(service: Service) {
    let token = format!("Authorization: Bearer {TOKEN}");
    let examples = if std::env::var_os("PROVOST_SOAK").is_some() { "500" } else { "10" };
    let checks = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance";
    let document = format!("{}/openapi.json", base(&service));
    let arguments =
        ["run", &document, "-H", &token, "-n", examples, "--checks", checks, "--continue-on-failure", "--no-color"];
    let (passed, report) = run("schemathesis", &arguments).await;
    let tail = report.find("= FAILURES =").map_or(report.len().saturating_sub(2_000), |at| at);
    assert!(passed, "{}", report.get(tail..).unwrap_or(&report));
    assert!(report.contains("Operations") && report.contains("Tested: 23"), "{report}");
}

async fn scim_sanity_finds_nothing(service: Service) {
    let arguments = ["probe", &base(&service), "--token", TOKEN, "--i-accept-side-effects"];
    let (passed, report) = run("scim-sanity", &arguments).await;
    assert!(passed, "{report}");
    for word in ["[FAIL]", "[WARN]", "[ERROR]"] {
        assert!(!report.contains(word), "{word}: {report}");
    }
    assert!(report.matches("[PASS]").count() > 25, "{report}");
}

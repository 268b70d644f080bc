//! The public conformance testers, as `make deps` installs them.

use std::process::Stdio;

use provost_testkit::process::work_folder;
use tokio::process::Command;

use crate::{Service, TOKEN, on_both};

on_both!(scim2_tester_finds_nothing, scim_sanity_finds_nothing, scim2_client_is_content);

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

async fn scim_sanity_finds_nothing(service: Service) {
    let arguments = ["probe", &base(&service), "--token", TOKEN, "--i-accept-side-effects"];
    let (passed, report) = run("scim-sanity", &arguments).await;
    assert!(passed, "{report}");
    for word in ["[FAIL]", "[WARN]", "[ERROR]"] {
        assert!(!report.contains(word), "{word}: {report}");
    }
    assert!(report.matches("[PASS]").count() > 25, "{report}");
}

//! The public conformance testers, as `make deps` installs them.

use std::process::Stdio;

use provost_testkit::process::work_folder;
use tokio::process::Command;

use crate::{Service, TOKEN, sqlite};

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scim2_tester_finds_nothing() {
    let service = sqlite().await;
    let (success, report) = run("scim2", &["--url", &base(&service), "test"]).await;
    assert!(success && !report.contains("ERROR"), "{report}");
    assert!(report.contains("SUCCESS"), "{report}");
}

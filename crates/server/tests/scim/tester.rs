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

/// The directory keeps no `display` of a member, which the tester sends and looks for as long as the schema says that a
/// client can set it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scim2_tester_finds_nothing_else() {
    let service = sqlite().await;
    let (_, report) = run("scim2", &["--url", &base(&service), "test"]).await;
    let findings = report.split("\nERROR ").skip(1);
    let findings: Vec<_> = findings.filter(|finding| !finding.contains("unexpected value for 'members'")).collect();
    assert!(findings.is_empty(), "{findings:#?}");
    assert!(report.matches("\nSUCCESS ").count() > 100, "{report}");
}

/// The directory knows who its members are (PRV-0655), which scim-sanity holds against it; it adds one that does not exist.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scim_sanity_finds_nothing_else() {
    let service = sqlite().await;
    let arguments = ["probe", &base(&service), "--token", TOKEN, "--i-accept-side-effects"];
    let (_, report) = run("scim-sanity", &arguments).await;
    let findings: Vec<_> = report.lines().filter(|line| line.contains("[FAIL]") || line.contains("[WARN]")).collect();
    assert_eq!(findings, ["  [FAIL] PATCH /Groups/{id} add member"], "{report}");
    assert!(report.matches("[PASS]").count() > 25, "{report}");
}

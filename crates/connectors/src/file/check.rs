//! What `test` tells an administrator: file, header, key, the first rows, and for a target the folder.

use std::path::Path;

use super::config::Config;
use super::format;
use super::input::io_error;
use super::read::{Found, Scanner};
use provost_connector::{CheckResult, CheckStatus, ConnectorError, ErrorCode, ScanRequest};

/// Rows that are looked at.
const ROWS: usize = 1_000;

pub(super) fn run(config: &std::sync::Arc<Config>) -> Vec<CheckResult> {
    let mut checks = Vec::new();
    match super::is_yet_to_come(config) {
        Err(error) => checks.push(CheckResult::fail("file", &error)),
        Ok(true) => {
            let message = format!("{} does not exist yet; the first write creates it", config.file);
            checks.push(CheckResult::ok("file", message));
        }
        Ok(false) => existing(config, &mut checks),
    }
    if config.write {
        checks.push(folder(&config.path));
    }
    checks
}

fn existing(config: &std::sync::Arc<Config>, checks: &mut Vec<CheckResult>) {
    let reader = match format::open(config) {
        Ok(reader) => reader,
        Err(error) => {
            // The file itself is fine when only its header is not what it should be.
            let name = if error.code == ErrorCode::SchemaChanged { "header" } else { "file" };
            checks.push(CheckResult::fail(name, &error));
            return;
        }
    };
    checks.extend(reader.describe());
    let request = ScanRequest { page_size: 0, ..ScanRequest::full(config.class.clone()) };
    checks.push(rows_check(Scanner::new(config.clone(), reader, request)));
}

fn rows_check(mut scanner: Scanner) -> CheckResult {
    let (mut good, mut bad, mut first) = (0, 0, None);
    while good + bad < ROWS {
        let found = match scanner.next() {
            Ok(found) => found,
            Err(error) => return CheckResult::fail("rows", &error),
        };
        let fault = match found {
            Found::Object(id) | Found::Known(id) => scanner.reader.record(id).err(),
            Found::Fault(fault) => Some(Box::new(fault)),
            Found::End(end) => match end.reason {
                Some(reason) => {
                    let error = ConnectorError::new(ErrorCode::Unreadable, reason.to_string())
                        .hint("nothing is deleted on the word of such a file; export it again");
                    return CheckResult::fail("rows", &error);
                }
                None => break,
            },
        };
        match fault {
            None => good += 1,
            Some(fault) => {
                bad += 1;
                first.get_or_insert(fault);
            }
        }
    }
    let Some(first) = first else {
        return CheckResult::ok("rows", format!("the first {good} can be read"));
    };
    CheckResult {
        name: "rows".into(),
        status: CheckStatus::Warn,
        message: format!(
            "{bad} of the first {} cannot be read; {}: {}",
            good + bad,
            first.place(&scanner.config.file),
            first.error
        ),
        hint: first.error.hint.clone(),
    }
}

/// Whether the folder takes a file, asked with one that has no name where the system can do that.
fn folder(path: &Path) -> CheckResult {
    let folder = super::write::folder(path);
    match tempfile::tempfile_in(&folder) {
        Ok(_) => CheckResult::ok("folder", "files can be written"),
        Err(error) => CheckResult::fail("folder", &io_error(&error, "write to", &folder)),
    }
}

//! How many objects a second come through a program of one's own: this one, started as its own child, reads objects that
//! need no work. `cargo run --release -p provost-connectors --example process_speed [OBJECTS]`; what is printed is for
//! comparison by eye.
#![allow(clippy::print_stdout, reason = "the result")]

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use provost_connector::protocol::{VARIABLE, serve};
use provost_connector::*;
use provost_connectors::process::{ProcessConnector, digest_of};
use provost_model::{ObjectId, Operation, Record, Schema, Value};
use serde_json::json;

/// As many people as the settings say.
struct People(Manifest);

struct PeopleSession(u64, Capabilities);

struct PeopleScan {
    at: u64,
    count: u64,
    page: u64,
}

#[async_trait]
impl Connector for People {
    fn manifest(&self) -> &Manifest {
        &self.0
    }
    fn validate(&self, _: &Settings) -> Vec<SettingProblem> {
        Vec::new()
    }
    async fn configure(&self, settings: Settings, _: Arc<dyn Host>) -> Result<Arc<dyn Session>, ConnectorError> {
        let count = settings.values.get("count").and_then(serde_json::Value::as_u64).unwrap_or_default();
        Ok(Arc::new(PeopleSession(count, Capabilities::default())))
    }
}

fn refused<T>() -> Result<T, ConnectorError> {
    Err(ConnectorError::new(ErrorCode::NotSupported, "these people are read and no more"))
}

#[async_trait]
impl Session for PeopleSession {
    fn capabilities(&self) -> &Capabilities {
        &self.1
    }
    async fn schema(&self, _: &Context) -> Result<Schema, ConnectorError> {
        Ok(Schema::default())
    }
    async fn test(&self, _: &Context) -> Vec<CheckResult> {
        Vec::new()
    }
    async fn get(&self, _: &Context, _: &str, _: &ObjectId) -> Result<Option<Record>, ConnectorError> {
        refused()
    }
    async fn find(&self, _: &Context, _: FindRequest) -> Result<Page, ConnectorError> {
        refused()
    }
    async fn scan(&self, _: &Context, request: ScanRequest) -> Result<Box<dyn Scan>, ConnectorError> {
        Ok(Box::new(PeopleScan { at: 0, count: self.0, page: request.page_size as u64 }))
    }
    async fn apply(&self, _: &Context, _: &[Operation]) -> Vec<Applied> {
        Vec::new()
    }
}

#[async_trait]
impl Scan for PeopleScan {
    async fn next(&mut self, _: &Context) -> Result<ScanPage, ConnectorError> {
        let until = (self.at + self.page).min(self.count);
        let items = (self.at..until).map(person).map(ScanItem::Upsert).collect();
        self.at = until;
        let end = (until == self.count).then(|| End::complete(self.count));
        Ok(ScanPage { items, end, ..ScanPage::default() })
    }
}

/// Some 700 bytes of JSON in fifteen attributes.
fn person(number: u64) -> Record {
    let mut record = Record::new("person", number.to_string());
    for name in ["login", "given_name", "last_name", "department", "title", "phone", "street", "town", "country"] {
        record.attributes.push(name, Value::text(format!("{name} of person number {number}")));
    }
    record.attributes.push("email", Value::text(format!("person.{number}@example.org")));
    record.attributes.push("active", true);
    record.attributes.push("level", number as i64 % 9);
    record.attributes.push("groups", vec![Value::text("staff"), Value::text("badge"), Value::text("vpn")]);
    record.attributes.push("manager", Value::reference("person", (number / 7).to_string()));
    record.attributes.push("note", Value::text("a \"note\", with \\ what is escaped, and ü"));
    record
}

struct NoSecrets;

#[async_trait]
impl Host for NoSecrets {
    async fn secret(&self, _: &str) -> Result<Secret, ConnectorError> {
        refused()
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    if std::env::var_os(VARIABLE).is_some() {
        let manifest = Manifest {
            name: "people".into(),
            title: "People".into(),
            description: "People that were made up".into(),
            source: true,
            target: false,
        };
        // Files rather than pipes of the runtime, which would need a further feature of it.
        let input = tokio::fs::File::from_std(std::fs::File::open("/dev/fd/0")?);
        let output = tokio::fs::File::from_std(std::fs::OpenOptions::new().write(true).open("/dev/fd/1")?);
        serve(Arc::new(People(manifest)), input, output).await?;
        return Ok(());
    }
    let count: u64 = std::env::args().nth(1).map_or(Ok(200_000), |text| text.parse())?;
    let values = json!({"command": [std::env::current_exe()?], "settings": {"count": count}});
    let mut settings = Settings::new(values.as_object().cloned().unwrap_or_default(), "/");
    settings.values.insert("approved".into(), digest_of(&settings)?.into());
    let session = ProcessConnector::default().configure(settings, Arc::new(NoSecrets)).await?;
    let cx = Context::new("speed");
    for page_size in [100, 1_000] {
        let begin = Instant::now();
        let mut scan = session.scan(&cx, ScanRequest { page_size, ..ScanRequest::full("person") }).await?;
        let mut received = 0;
        let end = loop {
            let page = scan.next(&cx).await?;
            received += page.received();
            if let Some(end) = page.end {
                break end;
            }
        };
        let gap = end.gap(received).unwrap_or_default();
        let rate = received as f64 / begin.elapsed().as_secs_f64();
        println!("{received} objects in pages of {page_size}: {rate:.0} a second {gap}");
    }
    Ok(())
}

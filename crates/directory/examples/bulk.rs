//! How many rows a second the directory takes: `cargo run --release -p provost-directory --example bulk -- [URL] [ROWS] [PAGE]`.
//!
//! Creates ROWS users of ten attributes through the session in batches of PAGE, as a job does; then the same as edits that
//! change nothing and edits that change something, lookups, a scan, deletions. Prints rates; asserts nothing.

use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use provost_connector::{Context, LookupRequest, Outcome, ScanMode, ScanRequest, Session};
use provost_directory::Directory;
use provost_model::{Action, AttributePath, Change, ObjectId, Operation, SystemClock, Value};
use provost_store::Store;

/// As in the binary; it serves SQLite as well.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Failed = Box<dyn std::error::Error>;

const PATHS: [&str; 10] = [
    "userName",
    "externalId",
    "displayName",
    "name.givenName",
    "name.familyName",
    "emails[type eq \"work\"].value",
    "title",
    "active",
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department",
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber",
];

/// Not in order, as login names are.
fn scattered(number: usize) -> u64 {
    (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

fn values(number: usize) -> [Value; 10] {
    let login = format!("person{:x}@example.org", scattered(number));
    [
        Value::from(login.as_str()),
        format!("employee-{number:08}").into(),
        format!("Person Number {number}").into(),
        "Person".into(),
        format!("Number {number}").into(),
        login.into(),
        "Engineer".into(),
        true.into(),
        "Research and Development".into(),
        number.to_string().into(),
    ]
}

fn create(number: usize, paths: &[Arc<AttributePath>]) -> Operation {
    let changes = paths.iter().zip(values(number)).map(|(path, value)| Change::set(path.clone(), value)).collect();
    Operation {
        id: number.to_string().into(),
        action: Action::Create,
        class: "User".into(),
        target_id: None,
        changes,
        if_match: None,
    }
}

struct Report(Instant, Duration);

fn processor() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

impl Report {
    fn start() -> Self {
        Self(Instant::now(), processor())
    }

    fn line(&mut self, what: &str, rows: usize) {
        let seconds = self.0.elapsed().as_secs_f64();
        let cost = (processor() - self.1).as_secs_f64() * 1e6 / rows.max(1) as f64;
        let rate = rows as f64 / seconds;
        let _ = writeln!(
            std::io::stdout(),
            "{what:<28}{rows:>9} rows {seconds:>8.3} s {rate:>10.0} rows/s {cost:>8.2} us of CPU each"
        );
        *self = Self::start();
    }
}

/// Applies all, two batches at a time as the session allows; the ids in their order.
async fn apply(session: &dyn Session, operations: &[Operation], page: usize) -> Result<Vec<ObjectId>, Failed> {
    let mut ids = Vec::with_capacity(operations.len());
    for two in operations.chunks(2 * page) {
        let (one, other) = two.split_at(page.min(two.len()));
        let cx = Context::default();
        let (one, other) = tokio::join!(session.apply(&cx, one), session.apply(&cx, other));
        for applied in one.into_iter().chain(other) {
            match applied.outcome {
                Outcome::Done(done) => ids.push(done.target_id),
                Outcome::Failed(error) => return Err(error.into()),
            }
        }
    }
    Ok(ids)
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Failed> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, default: usize| arguments.get(at).and_then(|text| text.parse().ok()).unwrap_or(default);
    let url = arguments.first().map_or("sqlite::memory:", String::as_str);
    let (rows, page) = (number(1, 50_000), number(2, 1_000));
    let store = Store::open(url).await?;
    let session = Directory::new(store, Arc::new(SystemClock)).session();
    let paths = PATHS.iter().map(|text| text.parse().map(Arc::new)).collect::<Result<Vec<_>, _>>()?;

    let operations: Vec<Operation> = (0..rows).map(|number| create(number, &paths)).collect();
    let mut report = Report::start();
    let ids = apply(&*session, &operations, page).await?;
    report.line("create", rows);

    let edits = |change: &dyn Fn(usize, Operation) -> Operation| -> Vec<Operation> {
        let edit = |(number, id): (usize, &ObjectId)| {
            let operation = Operation { action: Action::Update, target_id: Some(id.clone()), ..create(number, &paths) };
            change(number, operation)
        };
        ids.iter().enumerate().map(edit).collect()
    };
    let operations = edits(&|_, operation| operation);
    report = Report::start();
    apply(&*session, &operations, page).await?;
    report.line("update, nothing differs", rows);

    let operations = edits(&|number, operation| {
        let title = Change::set(paths[6].clone(), format!("Engineer {number}").into());
        Operation { changes: vec![title], ..operation }
    });
    report = Report::start();
    apply(&*session, &operations, page).await?;
    report.line("update of one attribute", rows);

    let logins: Vec<Value> = (0..rows).map(|number| values(number)[0].clone()).collect();
    report = Report::start();
    for values in logins.chunks(page) {
        let request = LookupRequest { class: "User".into(), path: (*paths[0]).clone(), values: values.to_vec() };
        session.lookup(&Context::default(), request).await?;
    }
    report.line("lookup by userName", rows);

    for (what, mode) in [
        ("full scan", ScanMode::Full),
        ("changes from the start", ScanMode::Changes { cursor: Some(provost_connector::Cursor("0".into())) }),
    ] {
        let request = ScanRequest { mode, page_size: page, ..ScanRequest::full("User") };
        let mut scan = session.scan(&Context::default(), request).await?;
        let mut seen = 0;
        loop {
            let page = scan.next(&Context::default()).await?;
            seen += page.items.len();
            if page.end.is_some() {
                break;
            }
        }
        report.line(what, seen);
    }

    let operations = edits(&|_, operation| Operation { action: Action::Delete, changes: Vec::new(), ..operation });
    report = Report::start();
    apply(&*session, &operations, page).await?;
    report.line("delete", rows);
    Ok(())
}

//! How many rows a second the bulk paths move: `cargo run --release -p provost-store --example throughput -- [URL] [ROWS] [PAGE]`.
//!
//! Writes ROWS links and events in pages of PAGE, one transaction each, as an initial cycle does; then what a second cycle
//! does: all marks, the links of one page, outcomes of planned events, overwriting. Prints rates; asserts nothing.

use std::io::Write as _;
use std::time::{Duration, Instant};

use provost_store::{EventOutcome, EventRow, EventStatus, LinkRow, LinkState, Result, Store};

/// As in the binary; it serves SQLite as well.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const JOB: &str = "hr-to-crm";

/// Not in order, as UUIDs at a target are.
fn scattered(number: usize) -> u64 {
    (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

fn link(number: usize) -> LinkRow {
    LinkRow {
        job: JOB.into(),
        class: "User".into(),
        source_id: format!("employee-{number:08}").into(),
        target_id: Some(format!("{:016x}{number:016x}", scattered(number)).into()),
        state: LinkState::Linked,
        mark: format!("{:016x}{:016x}", scattered(number), scattered(number + 1)),
        leaves: None,
        event: Some(number as i64),
        changed: 1_700_000_000_000,
        name: format!("Person Number {number}"),
        sent: Some(format!(
            r#"{{"userName":"person{number}@example.org","active":true,"displayName":"Person Number {number}","name.givenName":"Person","name.familyName":"Number {number}","title":"Engineer","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department":"Research and Development","emails[type eq \"work\"].value":"person{number}@example.org"}}"#
        )),
    }
}

fn event(number: usize) -> EventRow {
    EventRow {
        seq: 0,
        job: JOB.into(),
        cycle: "01890a5d-ac96-774b-bcce-b302099a8057".into(),
        class: "User".into(),
        source_id: format!("employee-{number:08}").into(),
        target_id: Some(format!("{:016x}{number:016x}", scattered(number)).into()),
        action: "create".into(),
        status: EventStatus::Planned,
        code: None,
        created: 1_700_000_000_000 + number as i64,
        finished: None,
        duration_ms: 12,
        name: format!("Person Number {number}"),
        reason: "in scope, and nobody matches".to_owned(),
        changes: format!(
            r#"[{{"path":"userName","op":"set","after":"person{number}@example.org"}},{{"path":"displayName","op":"set","after":"Person Number {number}"}},{{"path":"active","op":"set","after":true}},{{"path":"title","op":"set","after":"Engineer"}}]"#
        ),
        seen: None,
        detail: None,
    }
}

/// When a step began, by the wall, by the processor and by what was written until then.
struct Report(Instant, Duration, u64);

/// Bytes that this process has had written to disk, as Linux counts them.
fn written() -> u64 {
    let text = std::fs::read_to_string("/proc/self/io").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("write_bytes: "));
    line.and_then(|number| number.parse().ok()).unwrap_or_default()
}

fn processor() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

impl Report {
    fn line(&mut self, what: &str, rows: usize) {
        let seconds = self.0.elapsed().as_secs_f64();
        let rate = rows as f64 / seconds;
        let cost = (processor() - self.1).as_secs_f64() * 1e6 / rows.max(1) as f64;
        let bytes = (written() - self.2) / rows.max(1) as u64;
        let _ = writeln!(
            std::io::stdout(),
            "{what:<32}{rows:>9} rows {seconds:>8.3} s {rate:>10.0} rows/s {cost:>8.2} us of CPU each, {bytes:>6} bytes written"
        );
        self.begin();
    }

    fn begin(&mut self) {
        *self = Self::new();
    }

    fn new() -> Self {
        Self(Instant::now(), processor(), written())
    }
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, default: usize| arguments.get(at).and_then(|text| text.parse().ok()).unwrap_or(default);
    let url = arguments.first().map_or("sqlite::memory:", String::as_str);
    let (rows, page) = (number(1, 200_000), number(2, 1_000));
    let store = Store::open(url).await?;
    let lease = store.claim(JOB, "example", i64::MAX / 2, 0).await?;
    let lease = lease.unwrap_or_else(|| unreachable!("a new store, or one whose leases all expired"));

    let mut report = Report::new();
    let mut made = Duration::ZERO;
    for start in (0..rows).step_by(page) {
        let range = start..(start + page).min(rows);
        let began = Instant::now();
        let links: Vec<_> = range.clone().map(link).collect();
        let mut events: Vec<_> = range.map(event).collect();
        made += began.elapsed();
        let mut tx = store.fenced(&lease).await?;
        tx.save_links(&links).await?;
        tx.append_events(&mut events).await?;
        tx.commit().await?;
    }
    report.line("links and events, new (pairs)", rows);
    let _ = writeln!(std::io::stdout(), "    of which making the rows {:.3} s", made.as_secs_f64());
    report.begin();

    let outcomes: Vec<_> = (1..=rows as i64).map(outcome).collect();
    report.begin();
    for chunk in outcomes.chunks(page) {
        let mut tx = store.fenced(&lease).await?;
        tx.finish_events(chunk).await?;
        tx.commit().await?;
    }
    report.line("outcomes of events", rows);

    let links: Vec<_> = (0..rows).map(link).collect();
    report.begin();
    for chunk in links.chunks(page) {
        let mut tx = store.fenced(&lease).await?;
        tx.save_links(chunk).await?;
        tx.commit().await?;
    }
    report.line("links, overwritten", rows);

    for round in ["marks, all", "marks, all, again"] {
        let (mut after, mut length) = (None::<String>, 0);
        while let Some(page) = store.marks_page(JOB, "User", after.as_deref(), 50_000).await? {
            length += page.marks.len() / 32;
            after = Some(page.ids_last);
        }
        report.line(round, length);
    }

    for size in [1, 500, 10_000] {
        let ids: Vec<_> = links.iter().step_by((rows / size).max(1)).take(size).map(|link| &*link.source_id).collect();
        store.links(JOB, "User", &ids).await?;
        report.begin();
        let found = store.links(JOB, "User", &ids).await?.len();
        report.line("links by source id, scattered", found);
    }
    report.begin();
    let found = store.link_page(JOB, "User", None, 50_000).await?.len();
    report.line("links, one page", found);
    store.close().await;
    Ok(())
}

fn outcome(seq: i64) -> EventOutcome {
    EventOutcome {
        seq,
        status: EventStatus::Done,
        code: None,
        target_id: None,
        detail: None,
        finished: 1_700_000_000_000,
        duration_ms: 12,
    }
}

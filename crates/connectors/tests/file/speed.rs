//! A million rows: memory stays bounded and the cost of a row is printed, never asserted. Run with
//! `cargo test --release -p provost-connectors --no-default-features --features file -- --ignored --nocapture speed`.

use std::io::Write;
use std::sync::Arc;
use std::time::Instant;

use provost_connector::{Context, KnownDigests, ScanItem, Session};
use provost_model::Digest;
use serde_json::json;

use crate::support::{Place, request};

const ROWS: usize = 1_000_000;

fn people(place: &Place) -> u64 {
    let file = std::fs::File::create(place.path()).unwrap();
    let mut out = std::io::BufWriter::with_capacity(1 << 18, file);
    writeln!(
        out,
        "id,login,first_name,last_name,display_name,mail,phone,mobile,title,department,division,company,cost_center,city,\
         country,hire_date,manager_id,status"
    )
    .unwrap();
    for n in 0..ROWS {
        writeln!(
            out,
            "E{n:07},login{n},Wilhelmina,Sørensen,\"Sørensen, Wilhelmina\",login{n}@example.org,+45 33 12 {n:04},+45 20 44 {n:04},\
             Senior Engineer,Research,Products,Example Group,CC-{:04},København,DK,2019-03-{:02},E{:07},active",
            n % 977,
            n % 28 + 1,
            n / 9
        )
        .unwrap();
    }
    out.flush().unwrap();
    std::fs::metadata(place.path()).unwrap().len()
}

/// Digests by the number in the id, as cheap as a look-up can be.
struct ByNumber(Vec<Digest>);

impl KnownDigests for ByNumber {
    fn is_unchanged(&self, id: &str, digest: Digest) -> bool {
        id[1..].parse::<usize>().is_ok_and(|n| self.0[n] == digest)
    }
}

async fn pass(session: &dyn Session, known: Option<Arc<dyn KnownDigests>>, digests: &mut Vec<Digest>) -> f64 {
    let cx = Context::new("speed");
    let start = Instant::now();
    let mut request = request();
    (request.page_size, request.known) = (1000, known);
    let mut scan = session.scan(&cx, request).await.unwrap();
    let mut unchanged = 0;
    loop {
        let page = scan.next(&cx).await.unwrap();
        assert!(page.faults.is_empty());
        for item in page.items {
            match item {
                ScanItem::Upsert(record) => digests.push(record.digest()),
                _ => unchanged += 1,
            }
        }
        if let Some(end) = page.end {
            assert!(end.complete && end.count == ROWS as u64);
            assert!(digests.len() == ROWS && (unchanged == 0 || unchanged == ROWS));
            return start.elapsed().as_secs_f64() * 1e6 / ROWS as f64;
        }
    }
}

#[cfg(target_os = "linux")]
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

/// Processor time of all threads, in ticks of 10 ms.
#[cfg(target_os = "linux")]
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}

#[cfg(target_os = "linux")]
#[ignore = "a measurement"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_million_rows() {
    let place = Place::empty("people.csv");
    let bytes = people(&place);
    println!("{ROWS} rows, 18 columns, {} MiB", bytes >> 20);
    let show = |what: &str, cpu: f64, wall: f64| {
        let cpu = (cpu_seconds() - cpu) * 1e6 / ROWS as f64;
        println!("{what:36} {wall:5.2} µs a row, {cpu:5.2} of processor time, peak {} MiB", peak_mib());
    };
    let session = place.session(json!({"references": {"manager_id": "person"}})).await;
    let mut digests = Vec::with_capacity(ROWS);
    for _ in 0..3 {
        let (cpu, start) = (cpu_seconds(), Instant::now());
        let mut reader = csv::Reader::from_path(place.path()).unwrap();
        let (mut row, mut sum) = (csv::ByteRecord::new(), 0u128);
        while reader.read_byte_record(&mut row).unwrap() {
            sum = sum.wrapping_add(Digest::of_bytes(row.as_slice()).0);
        }
        assert_ne!(sum, 0);
        show("csv crate, byte record, xxh3", cpu, start.elapsed().as_secs_f64() * 1e6 / ROWS as f64);
        digests.clear();
        let cpu = cpu_seconds();
        let wall = pass(&*session, None, &mut digests).await;
        show("scan, records built", cpu, wall);
        let known = Arc::new(ByNumber(digests.clone()));
        let cpu = cpu_seconds();
        let wall = pass(&*session, Some(known), &mut digests).await;
        show("scan, all unchanged", cpu, wall);
    }
}

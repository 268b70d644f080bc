//! CSV to directory, against the same number of rows put into SQLite in batches of 10,000 (goal 6). The batch of 1,000
//! is measured once beside it.

use super::{
    Context, Outcome, child,
    engine::{IMPORT, Instead},
    pairs::{self, Sample, Side},
    verdict::{Gate, Goal},
    yaml,
};
use crate::{
    baseline::Report,
    error::{Error, Result},
};

/// An address nobody listens at: the outbound job is not run.
const NOWHERE: &str = "http://127.0.0.1:9";

pub fn run(context: &Context) -> Result<Outcome> {
    let folder = context.scratch("import")?;
    let people = context.people(&folder, context.users)?;
    let database = folder.join("baseline.db");
    let baseline = |batch: u64| -> Vec<String> {
        let (rows, batch, path) = (context.users.to_string(), batch.to_string(), database.display().to_string());
        ["baseline", "insert", "--rows", &rows, "--batch", &batch, "--database", &path].map(str::to_owned).to_vec()
    };
    let clear = || {
        for suffix in ["", "-wal", "-shm"] {
            std::fs::remove_file(format!("{}{suffix}", database.display())).ok();
        }
    };
    let mut runs = 0_u32;
    let pairs = pairs::run(context.pairing, &folder, |side, ready| match side {
        Side::A => {
            clear();
            ready()?;
            let (report, measured) = child::own::<Report>(&baseline(10_000), &folder)?;
            Ok(Some(Sample::of_baseline(&report, &measured)))
        }
        Side::B => {
            clear();
            runs += 1;
            let path = folder.join(format!("run-{runs}"));
            let fresh = context.prepare(&path, yaml::IMPORT, NOWHERE, &people)?;
            ready()?;
            let run = context.job(fresh.as_ref(), IMPORT, &Instead::Own(baseline(10_000)))?;
            if path.exists() {
                std::fs::remove_dir_all(&path).map_err(Error::file("remove", &path))?;
            }
            Ok(run.map(|run| Sample::of_run(&run, context.users)))
        }
    })?;
    let mut outcome = Outcome::new("import", context.users, "SQLite insert, 10,000 a transaction", context);
    let goal = Goal::at_least(6, "rows/s / batched insert", Gate::Wall, 0.5, 0.7);
    outcome.checks = vec![goal.judge(pairs.ratio(|s| s.users_per_second))];
    clear();
    let (small, _) = child::own::<Report>(&baseline(1_000), &folder)?;
    outcome.figure("insert_1000_a_transaction_rows_per_second", small.rows_per_second.round());
    outcome.pairs = pairs;
    Ok(outcome)
}

impl Sample {
    /// A baseline as a sample.
    pub fn of_baseline(report: &Report, measured: &child::Measured) -> Self {
        Self {
            seconds: report.seconds,
            users_per_second: report.rows_per_second,
            cpu_us: report.cpu_us,
            peak_memory_kib: report.peak_memory_kib.max(measured.peak_memory_kib),
            written_bytes: measured.written_bytes,
            ..Self::default()
        }
    }
}

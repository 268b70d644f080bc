//! `provost-bench`: the scenarios, and the parts of which they are made, each of which can be run alone.
//! Results go to standard output, progress to standard error. Exit status 1: a count or digest was wrong, or, with
//! `--strict`, a ratio missed its "must"; 64: bad usage.

use std::{fs::File, io::Write, path::PathBuf, process::ExitCode, time::Duration};

use clap::{Args, Parser, Subcommand, ValueEnum};
use provost_bench::{
    baseline,
    error::{Error, Result},
    machine::facts,
    output, people,
    raw::{self, Work},
    scenario::{
        Context, Scenario, compare,
        engine::{Engine, Provost, StandIn},
        pairs::Pairing,
        report,
        verdict::Verdict,
    },
    sink::{self, Weather},
};

// The C library's allocator costs a multi-threaded client a quarter to a half of its rate; the divisor must not be weak.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Parser)]
#[command(
    name = "provost-bench",
    version,
    about = "Ratios of Provost to what the machine can do",
    args_conflicts_with_subcommands = true
)]
struct Cli {
    #[command(subcommand)]
    part: Option<Part>,
    #[command(flatten)]
    run: RunArgs,
}

#[derive(Args)]
struct RunArgs {
    /// Scenarios to run, or `all` (the default)
    #[arg(value_name = "SCENARIO")]
    scenarios: Vec<String>,
    /// People: 10000 for CI, 100000, or 1000000
    #[arg(long, default_value_t = 100_000)]
    users: u64,
    /// The smaller population of `incremental` [default: 10000, or a tenth of --users if that is less]
    #[arg(long)]
    small: Option<u64>,
    /// People that change in `incremental`
    #[arg(long, default_value_t = 100)]
    changes: u64,
    /// Recorded pairs a scenario
    #[arg(long, default_value_t = 5)]
    pairs: u32,
    /// Leave the unrecorded first pair out
    #[arg(long)]
    no_warm_up: bool,
    /// Seconds to wait for a quiet machine before each run
    #[arg(long, default_value_t = 30)]
    patience: u64,
    /// Requests in flight, of both sides
    #[arg(long, default_value_t = 32)]
    in_flight: usize,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Page caches that the engine is configured with, left out of the memory goal
    #[arg(long, value_name = "MIB", default_value_t = 64)]
    page_cache: u64,
    /// Write one JSON object a scenario and line
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// What runs as B
    #[arg(long, value_enum, default_value_t = Which::Provost)]
    engine: Which,
    /// The binary under test [default: `provost` beside this program]
    #[arg(long, value_name = "PATH")]
    provost: Option<PathBuf>,
    /// Fail on ratios too
    #[arg(long)]
    strict: bool,
    /// Folder for everything that is written; it should be on the disk that is meant [default: a temporary folder]
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Which {
    /// The binary
    Provost,
    /// The raw client in its place: shows how far a ratio of equals strays from 1
    StandIn,
    /// Nothing: the divisors alone
    None,
}

#[derive(Subcommand)]
enum Part {
    /// In-memory SCIM target; ends when standard input does
    Sink {
        #[arg(long, default_value_t = 0)]
        port: u16,
        #[arg(long, default_value_t = 0)]
        latency_ms: u64,
        /// Requests a second, 0 for no limit
        #[arg(long, default_value_t = 0)]
        rate_limit: u32,
        /// Share of requests that go wrong, 0 to 1
        #[arg(long, default_value_t = 0.0)]
        fault_rate: f64,
        #[arg(long, default_value_t = 1)]
        fault_seed: u64,
    },
    /// Raw client; prints one JSON line
    Raw {
        work: Work,
        #[arg(long)]
        url: String,
        #[arg(long, default_value_t = 10_000)]
        users: u64,
        /// patch: how many users the target holds
        #[arg(long, default_value_t = 0)]
        population: u64,
        #[arg(long, default_value_t = 32)]
        in_flight: usize,
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// patch: another choice of users and other values
        #[arg(long, default_value_t = 1)]
        round: u64,
    },
    /// Write people as CSV
    People {
        file: PathBuf,
        #[arg(long, default_value_t = 10_000)]
        users: u64,
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Copy people with exactly so many rows changed
    Mutate {
        from: PathBuf,
        to: PathBuf,
        #[arg(long)]
        users: u64,
        #[arg(long)]
        changes: u64,
        #[arg(long, default_value_t = 1)]
        round: u64,
    },
    /// What plain code does without Provost; prints one JSON line
    #[command(subcommand)]
    Baseline(Baseline),
    /// Compare two files written with --json; exit status 1 when CPU moved by more than a tenth
    Compare { before: PathBuf, after: PathBuf },
}

#[derive(Subcommand)]
enum Baseline {
    /// Batched inserts into a new SQLite database
    Insert {
        #[arg(long, default_value_t = 10_000)]
        rows: u64,
        #[arg(long, default_value_t = 10_000)]
        batch: u64,
        #[arg(long)]
        database: PathBuf,
        /// Take the rows from a CSV
        #[arg(long)]
        people: Option<PathBuf>,
    },
    /// Parse, hash and compare with hashes in memory
    Compare {
        #[arg(long)]
        before: PathBuf,
        #[arg(long)]
        after: PathBuf,
    },
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            error.print().ok();
            return if error.use_stderr() { ExitCode::from(64) } else { ExitCode::SUCCESS };
        }
    };
    let done = match cli.part {
        Some(part) => run_part(part),
        None => run_scenarios(cli.run),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            output::note(&format!("error: {error}"));
            if matches!(error, Error::Usage(_)) { ExitCode::from(64) } else { ExitCode::FAILURE }
        }
    }
}

fn run_part(part: Part) -> Result<bool> {
    match part {
        Part::Sink { port, latency_ms, rate_limit, fault_rate, fault_seed } => {
            sink::serve(port, Weather { latency_ms, rate_limit, fault_rate, fault_seed })?;
        }
        Part::Raw { work, url, users, population, in_flight, seed, round } => {
            print_json(&raw::run(raw::Plan { work, url, users, population, in_flight, seed, round })?)?;
        }
        Part::People { file, users, seed } => people::write_people(&file, seed, users)?,
        Part::Mutate { from, to, users, changes, round } => {
            let changed = people::mutate(&from, &to, users, changes, round)?;
            output::line(&format!("{changed} rows changed"))?;
        }
        Part::Baseline(Baseline::Insert { rows, batch, database, people }) => {
            print_json(&baseline::insert(&database, rows, batch, people.as_deref())?)?;
        }
        Part::Baseline(Baseline::Compare { before, after }) => print_json(&baseline::compare(&before, &after)?)?,
        Part::Compare { before, after } => {
            let changes = compare::compare(&before, &after)?;
            for c in &changes {
                let mark = if c.flagged { "  CHANGED" } else { "" };
                let percent = (c.after / c.before - 1.0) * 100.0;
                output::line(&format!(
                    "{} {} {}: {:.2} -> {:.2} us ({percent:+.0} %){mark}",
                    c.scenario, c.users, c.side, c.before, c.after
                ))?;
            }
            return Ok(!changes.iter().any(|c| c.flagged));
        }
    }
    Ok(true)
}

fn print_json(value: &impl serde::Serialize) -> Result<()> {
    output::line(&serde_json::to_string(value).map_err(Error::json("write result"))?)
}

fn run_scenarios(arguments: RunArgs) -> Result<bool> {
    let scenarios = chosen(&arguments.scenarios)?;
    let temporary = tempfile::tempdir().map_err(Error::io("create a temporary folder"))?;
    let folder = arguments.folder.clone().unwrap_or_else(|| temporary.path().to_owned());
    let context = Context {
        engine: engine(&arguments)?,
        users: arguments.users,
        small: arguments.small.unwrap_or(10_000.min(arguments.users / 10)).max(1),
        changes: arguments.changes,
        in_flight: arguments.in_flight,
        seed: arguments.seed,
        page_cache_mib: arguments.page_cache,
        pairing: Pairing {
            pairs: arguments.pairs,
            warm_up: !arguments.no_warm_up,
            patience: Duration::from_secs(arguments.patience),
        },
        folder,
    };
    let mut json = match &arguments.json {
        Some(path) => Some(File::create(path).map_err(Error::file("create", path))?),
        None => None,
    };
    let facts = facts::read();
    output::line(&report::head(&facts))?;
    let mut right = true;
    for scenario in scenarios {
        output::note(&format!("{scenario:?}: running"));
        let outcome = scenario.run(&context)?;
        output::line(&report::text(&outcome))?;
        if let Some(file) = &mut json {
            writeln!(file, "{}", report::json(&outcome, &facts)).map_err(Error::io("write results"))?;
        }
        right &= !outcome
            .checks
            .iter()
            .any(|c| c.verdict == Verdict::Fail || (arguments.strict && c.verdict == Verdict::Miss));
    }
    Ok(right)
}

fn chosen(names: &[String]) -> Result<Vec<Scenario>> {
    if names.is_empty() || names.iter().any(|n| n == "all") {
        return Ok(Scenario::ALL.to_vec());
    }
    let known = || {
        Scenario::ALL
            .iter()
            .filter_map(ValueEnum::to_possible_value)
            .map(|v| v.get_name().to_owned())
            .collect::<Vec<_>>()
    };
    let parse = |name: &String| {
        let hint = || format!("no scenario is called {name:?}\nhint: there are all, {}", known().join(", "));
        Scenario::from_str(name, true).map_err(|_| Error::Usage(hint()))
    };
    names.iter().map(parse).collect()
}

fn engine(arguments: &RunArgs) -> Result<Option<Box<dyn Engine>>> {
    match arguments.engine {
        Which::None => Ok(None),
        Which::StandIn => Ok(Some(Box::new(StandIn))),
        Which::Provost => {
            let beside = std::env::current_exe().map_err(Error::io("find this program"))?.with_file_name("provost");
            let binary = arguments.provost.clone().unwrap_or(beside);
            let binary = binary.canonicalize().map_err(|source| {
                let hint = "hint: build it (make dist), name it with --provost, or use --engine none";
                Error::Other(format!("no binary to measure at {}: {source}\n{hint}", binary.display()))
            })?;
            Ok(Some(Box::new(Provost { binary })))
        }
    }
}

//! What is measured: each scenario sets two sides against one another and judges the figures by the goals. A scenario
//! takes a [`Context`] and gives an [`Outcome`]; printing is `report`'s business, judging `verdict`'s, pairing `pairs`'.
//! Without an engine, only the divisors run and everything that needs the engine is skipped.

pub mod child;
pub mod compare;
mod counts;
pub mod engine;
mod import;
mod incremental;
mod initial;
mod language;
mod leavers;
mod memory;
pub mod numbers;
pub mod pairs;
mod repeat;
pub mod report;
pub mod service;
pub mod verdict;
mod yaml;

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::{Map, Value};

use crate::{error::Result, people, raw};
use engine::{Engine, Folder, Instead, Run};
use pairs::{Pairing, Pairs, Sample};
use verdict::Check;

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Scenario {
    InitialCreate,
    InitialLookup,
    InitialLatency,
    Import,
    Repeat,
    Incremental,
    Memory,
    Counts,
    Language,
    Service,
    Leavers,
}

impl Scenario {
    pub const ALL: [Self; 11] = [
        Self::Counts,
        Self::Language,
        Self::InitialCreate,
        Self::InitialLookup,
        Self::InitialLatency,
        Self::Import,
        Self::Repeat,
        Self::Incremental,
        Self::Memory,
        Self::Service,
        Self::Leavers,
    ];

    /// Runs it.
    pub fn run(self, context: &Context) -> Result<Outcome> {
        match self {
            Self::InitialCreate => initial::run(context, initial::Variant::Create),
            Self::InitialLookup => initial::run(context, initial::Variant::Lookup),
            Self::InitialLatency => initial::run(context, initial::Variant::Latency),
            Self::Import => import::run(context),
            Self::Repeat => repeat::run(context),
            Self::Incremental => incremental::run(context),
            Self::Memory => memory::run(context),
            Self::Counts => counts::run(context),
            Self::Language => language::run(context),
            Self::Service => service::run(context),
            Self::Leavers => leavers::run(context),
        }
    }
}

/// What all scenarios share.
pub struct Context {
    /// None: only the divisors run.
    pub engine: Option<Box<dyn Engine>>,
    pub users: u64,
    /// The smaller population where two are compared.
    pub small: u64,
    /// How many people change in the incremental scenario.
    pub changes: u64,
    pub in_flight: usize,
    pub seed: u64,
    /// MiB of page caches that the engine is configured with, which goal 13 leaves out.
    pub page_cache_mib: u64,
    pub pairing: Pairing,
    /// Where everything is written; a folder of its own for each scenario.
    pub folder: PathBuf,
}

/// What a scenario found.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Outcome {
    pub scenario: String,
    pub users: u64,
    /// What A and B are, for people.
    pub a: String,
    pub b: String,
    pub pairs: Pairs,
    pub checks: Vec<Check>,
    /// Further figures, by name.
    pub figures: Map<String, Value>,
}

impl Outcome {
    fn new(scenario: &str, users: u64, a: &str, context: &Context) -> Self {
        let b = context.engine.as_ref().map_or_else(|| "(no engine)".to_owned(), |e| e.name());
        Self { scenario: scenario.to_owned(), users, a: a.to_owned(), b, ..Self::default() }
    }

    fn figure(&mut self, name: &str, value: impl Into<Value>) {
        self.figures.insert(name.to_owned(), value.into());
    }
}

impl Context {
    /// A fresh folder for a scenario.
    fn scratch(&self, name: &str) -> Result<PathBuf> {
        let folder = self.folder.join(name);
        std::fs::create_dir_all(&folder).map_err(crate::error::Error::file("create", &folder))?;
        Ok(folder)
    }

    /// The people of this context as CSV.
    fn people(&self, folder: &Path, users: u64) -> Result<PathBuf> {
        let path = folder.join(format!("people-{users}.csv"));
        people::write_people(&path, self.seed, users)?;
        Ok(path)
    }

    fn prepare(&self, folder: &Path, template: &str, sink: &str, people: &Path) -> Result<Option<Folder>> {
        let Some(engine) = &self.engine else { return Ok(None) };
        engine.prepare(folder, &yaml::fill(template, sink, self.in_flight), people).map(Some)
    }

    fn job(&self, folder: Option<&Folder>, job: &str, instead: &Instead) -> Result<Option<Run>> {
        match (&self.engine, folder) {
            (Some(engine), Some(folder)) => engine.run(folder, job, instead),
            _ => Ok(None),
        }
    }

    /// Arguments of a raw run, to be started as a process of its own.
    fn raw(&self, work: &str, url: &str, users: u64, more: &[(&str, u64)]) -> Vec<String> {
        let mut arguments: Vec<String> = ["raw", work, "--url", url].map(str::to_owned).to_vec();
        let fixed = [("--users", users), ("--in-flight", self.in_flight as u64), ("--seed", self.seed)];
        for (name, value) in fixed.iter().chain(more) {
            arguments.extend([(*name).to_owned(), value.to_string()]);
        }
        arguments
    }
}

impl Sample {
    /// A raw run as a sample.
    fn of_raw(report: &raw::Report, measured: &child::Measured) -> Self {
        Self {
            seconds: report.seconds,
            users_per_second: report.users_per_second,
            cpu_us: report.cpu_us,
            p50_us: report.p50_us,
            p95_us: report.p95_us,
            p99_us: report.p99_us,
            peak_memory_kib: report.peak_memory_kib.max(measured.peak_memory_kib),
            written_bytes: measured.written_bytes,
            ..Self::default()
        }
    }

    /// A job of the engine as a sample, over `users` users.
    fn of_run(run: &Run, users: u64) -> Self {
        let n = users.max(1) as f64;
        Self {
            seconds: run.seconds,
            users_per_second: n / run.seconds,
            cpu_us: run.cpu_seconds * 1e6 / n,
            peak_memory_kib: run.process.peak_memory_kib,
            written_bytes: run.process.written_bytes,
            ..Self::default()
        }
    }

    /// Adds what the sink saw.
    fn with_sink(mut self, sink: &child::SinkProcess, users: u64, digest: bool) -> Result<Self> {
        self.sink = sink.stats()?;
        self.sink_cpu_us = self.sink["cpu_us"].as_f64().unwrap_or(0.0) / users.max(1) as f64;
        self.digest = if digest { Some(sink.digest()?) } else { None };
        Ok(self)
    }

    /// Requests to a route with any status, or with one.
    #[must_use]
    pub fn requests(&self, route: &str, status: Option<&str>) -> u64 {
        let row = &self.sink["routes"][route];
        match status {
            Some(status) => row[status].as_u64().unwrap_or(0),
            None => row.as_object().map_or(0, |r| r.values().filter_map(Value::as_u64).sum()),
        }
    }

    /// Requests about people and groups. What a client asks about the service itself when it connects is apart from that:
    /// it costs the same for one person and for a million.
    #[must_use]
    pub fn work_requests(&self) -> u64 {
        self.counter("requests").saturating_sub(self.requests("discovery", None))
    }

    #[must_use]
    pub fn counter(&self, name: &str) -> u64 {
        self.sink[name].as_u64().unwrap_or(0)
    }
}

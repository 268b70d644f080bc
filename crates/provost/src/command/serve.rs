//! `provost serve`: the scheduler and the HTTP side, until somebody stops it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use provost_connector::Context;
use provost_directory::Directory;
use provost_engine::report::CycleStatus;
use provost_engine::retention;
use provost_engine::scheduler::{self, Listener};
use provost_engine::spec::{JobSpec, RuleSpec};
use provost_model::{Explain, JobName, SystemClock};
use provost_push::CONNECTOR;
use provost_server::{JobEntry, ServerState, Token, serve};
use tokio::net::TcpListener;

use crate::cli::{Global, ServeArgs};
use crate::config::DIRECTORY;
use crate::error::{Exit, Result};
use crate::output::Output;
use crate::problem::Problem;
use crate::setup::{Setup, context};

/// Loopback: whoever serves others says so.
const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8085);

pub async fn run(global: &Global, args: ServeArgs, output: Output) -> Result<Exit> {
    let setup = Setup::open(global).await?;
    let cx = context(output, "serve");
    let wanted = args.listen.or(setup.configuration.server.listen).unwrap_or(DEFAULT_LISTEN);
    let listener = listen(wanted).await?;
    let address = listener.local_addr().unwrap_or(wanted);
    output.note(format_args!("SCIM 2.0 at http://{address}/scim/v2, health at http://{address}/healthz"));
    output.hint("`provost token create --name CLIENT` makes a token for a SCIM client; Ctrl-C stops");
    conduct(&setup, listener, &cx, output).await
}

/// Serves the directory on `listener` and runs the scheduled jobs until `cx` is cancelled.
pub async fn conduct(setup: &Setup, listener: TcpListener, cx: &Context, output: Output) -> Result<Exit> {
    let clock = Arc::new(SystemClock);
    let directory = Directory::with_types(setup.store.clone(), clock.clone(), setup.configuration.types.clone());
    directory.prepare().await?;
    let entries = setup.configuration.jobs.iter().map(|(name, job)| (name.clone(), entry(setup, job))).collect();
    let state = ServerState::new(directory, setup.store.clone(), clock, Token::Stored).jobs(entries);
    let stop = cx.cancel.clone();
    let server = tokio::spawn(serve(listener, state, async move { stop.cancelled().await }));
    let keep = retention::keep(setup.engine.clone(), setup.configuration.records(), cx.clone());
    let keep = tokio::spawn(keep);
    let jobs: Vec<_> = setup.configuration.jobs.iter().map(|(name, spec)| (name.clone(), spec.clone())).collect();
    let scheduled = jobs.iter().filter(|(_, job)| job.schedule.is_some()).count();
    output.note(format_args!("{scheduled} of {} jobs run by themselves", jobs.len()));
    scheduler::run(setup.engine.clone(), jobs, listener_for(output), cx.clone()).await;
    if !cx.cancel.is_cancelled() {
        // No job is scheduled: the HTTP side is all there is to do.
        cx.cancel.cancelled().await;
    }
    if keep.await.is_err() {
        output.note("the task that throws away old records has failed");
    }
    match server.await {
        Ok(Ok(())) => Ok(Exit::Done),
        Ok(Err(error)) => Err(Problem::new("PRV-0708", format!("the HTTP server failed: {error}")).into()),
        Err(_) => Ok(Exit::Failed),
    }
}

/// What the service has to know of a job.
fn entry(setup: &Setup, job: &JobSpec) -> JobEntry {
    let configuration = &setup.configuration;
    let is_pushed = configuration.connections.get(&job.source).is_some_and(|spec| spec.connector == CONNECTOR);
    let another = || configuration.directory_file(configuration.connections.get(&job.target)?);
    let is_served = job.target == DIRECTORY && another().is_none();
    let endpoint = |rule: &RuleSpec| {
        let types = |name: &str| configuration.types.public_registry().by_name(name);
        Some((types(&rule.from)?.name().into(), types(&rule.to)?.resource_type.endpoint.clone()))
    };
    JobEntry {
        pushed: is_pushed.then(|| job.source.clone()),
        is_scheduled: job.schedule.is_some(),
        endpoints: job.objects.iter().filter(|_| is_served).filter_map(endpoint).collect(),
    }
}

pub async fn listen(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        Problem::new("PRV-0708", format!("cannot listen on {address}: {error}"))
            .hint("name another address with --listen, or stop what uses this one")
            .into()
    })
}

/// One line per cycle that did something or failed.
fn listener_for(output: Output) -> Listener {
    Arc::new(move |job: &JobName, result: &std::result::Result<_, provost_engine::EngineError>| match result {
        Ok(report) => {
            let report: &provost_engine::CycleReport = report;
            let counts = &report.counts;
            if report.status != CycleStatus::Done || counts.writes() + counts.unlinked > 0 || counts.failed > 0 {
                output.note(format_args!(
                    "{job}: {} created, {} updated, {} enabled, {} disabled, {} deleted, {} unlinked, {} failed",
                    counts.created,
                    counts.updated,
                    counts.enabled,
                    counts.disabled,
                    counts.deleted,
                    counts.unlinked,
                    counts.failed
                ));
                super::cycle::explain(report, output);
            }
        }
        Err(error) => {
            let mut problem = Problem::new("", format!("{job}: {error}"));
            problem.code = error.code();
            problem.hint = error.hint().map(|hint| hint.into_owned());
            output.problem(&problem);
        }
    })
}

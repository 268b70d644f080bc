//! `provost quickstart`: the whole thing on sample data, by the same code as everything else.
//!
//! A folder with a configuration and an HR file, an application (a second directory in its own database file, behind real
//! HTTP on loopback), three jobs; then the next day of the company and what it changes.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use provost_connector::{Context, Secret};
use provost_directory::Directory;
use provost_engine::RunOptions;
use provost_engine::progress::Progress;
use provost_engine::report::{CycleReport, CycleStatus};
use provost_model::{AttributePath, Filter, JobName, SystemClock};
use provost_server::{ServerState, Token, serve};
use provost_store::Store;
use provost_store::token::NewToken;

use super::cycle::{counts, explain};
use super::{plan, serve as serve_command, trace};
use crate::cli::{Global, QuickstartArgs};
use crate::error::{Error, Exit, Result};
use crate::output::{Output, Style, Table, Watch, duration, number};
use crate::problem::Problem;
use crate::quickstart::config::{APP_TOKEN, Places, render};
use crate::quickstart::day::{Day, next_day};
use crate::quickstart::people::{Column, write_people};
use crate::setup::{Setup, context};

/// Beyond this many people the first job runs at once: nobody reads a plan of 100,000 lines, and making it takes as long.
const PLANNED_UP_TO: u64 = 20_000;
const SEED: u64 = 2026;
const JOBS: [&str; 3] = ["hr-to-directory", "directory-to-app", "directory-to-accounts"];

pub async fn run(global: &Global, args: QuickstartArgs, output: Output) -> Result<Exit> {
    let folder = args.dir.clone();
    let config = folder.join("provost.yaml");
    let is_old = config.is_file();
    if is_old && !args.serve && !args.yes {
        return Err(Error::from(
            Problem::new("PRV-0709", format!("`{}` holds a quickstart already", folder.display())).hint(
                "go on with --serve, name another folder with --dir, or begin anew with --yes, which deletes its state",
            ),
        ));
    }
    if !is_old
        && !args.yes
        && let Some(name) = in_the_way(&folder)
    {
        let message = format!("`{}` holds `{name}`, which a quickstart would replace", folder.display());
        let hint = "name an empty folder with --dir, or replace it with --yes";
        return Err(Problem::new("PRV-0709", message).hint(hint).into());
    }
    let fresh = !is_old || args.yes;
    if fresh {
        clear(&folder).map_err(|error| failed(&folder, &error))?;
    }
    let port = app_port(&config);
    let listener = serve_command::listen(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await.map_err(|_| {
        let message = format!("the application's address 127.0.0.1:{port} is in use");
        let hint = "another `provost quickstart --serve` may be running on this folder: stop it, or use that one";
        Problem::new("PRV-0708", message).hint(hint)
    })?;
    let port = listener.local_addr().map_err(|error| failed(&folder, &error))?.port();
    if fresh {
        write(&folder, &config, args.people, port).map_err(|error| failed(&folder, &error))?;
    }
    let global = Global { config: config.clone(), data: Some(folder.join("data")), database: None, ..global.clone() };
    let setup = Setup::open(&global).await?;
    let cx = context(output, "quickstart");
    let token = app_token(&setup.store).await?;
    start_app(&folder, listener, token, &cx).await?;
    let show = Show { output, setup: &setup, cx: &cx, folder: &folder };
    if fresh {
        show.first_day(args.people, port).await?;
        let day = next_day(&folder.join("people.csv"), SEED).map_err(|error| failed(&folder, &error))?;
        show.next_day(&day).await?;
    }
    if !args.serve {
        show.what_next()?;
        return Ok(Exit::Done);
    }
    let listener = serve_command::listen(args.listen).await?;
    output.note(format_args!("\nserving the directory at http://{}/scim/v2 and the application at http://127.0.0.1:{port}/scim/v2; Ctrl-C stops", args.listen));
    output.note(format_args!("edit {} and watch the jobs follow", folder.join("people.csv").display()));
    serve_command::conduct(&setup, listener, &cx, output).await
}

fn failed(folder: &Path, error: &std::io::Error) -> Error {
    Problem::new("PRV-0709", format!("cannot prepare `{}`: {error}", folder.display()))
        .hint("name a folder that can be written with --dir")
        .into()
}

/// Removes what an earlier quickstart made, and nothing else.
fn clear(folder: &Path) -> std::io::Result<()> {
    fs::create_dir_all(folder)?;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if is_ours(name) && path.is_dir() {
            fs::remove_dir_all(path)?;
        } else if is_ours(name) {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// What a quickstart makes in its folder.
fn is_ours(name: &str) -> bool {
    matches!(name, "provost.yaml" | "people.csv" | "data" | "master.key")
        || ["accounts.csv", ".accounts.csv", "app.db"].iter().any(|start| name.starts_with(start))
}

/// A file or folder of that name that no quickstart has made: somebody else's.
fn in_the_way(folder: &Path) -> Option<String> {
    let names = fs::read_dir(folder).ok()?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names.filter(|name| is_ours(name)).min()
}

fn write(folder: &Path, config: &Path, people: u64, port: u16) -> std::io::Result<()> {
    let today = jiff::Zoned::now().date();
    write_people(&folder.join("people.csv"), people, SEED, today)?;
    let app_url = format!("http://127.0.0.1:{port}/scim/v2");
    let places = Places { people: "people.csv", app_url: &app_url, accounts: "accounts.csv" };
    fs::write(config, render(&places))
}

/// The port that an earlier quickstart gave the application; 0 takes a free one.
fn app_port(config: &Path) -> u16 {
    let text = fs::read_to_string(config).unwrap_or_default();
    let after = text.split_once("http://127.0.0.1:").map(|(_, rest)| rest);
    after.and_then(|rest| rest.split_once('/')).and_then(|(port, _)| port.parse().ok()).unwrap_or(0)
}

/// The token that the application asks for; made on the first day, kept like any secret.
async fn app_token(store: &Store) -> Result<Secret> {
    if let Some(bytes) = store.secret(APP_TOKEN).await? {
        return Ok(Secret::new(String::from_utf8_lossy(&bytes).into_owned()));
    }
    let token = NewToken::generate()?;
    store.put_secret(APP_TOKEN, token.text.as_bytes(), provost_model::Clock::now_ms(&SystemClock)).await?;
    Ok(Secret::new(token.text.as_str()))
}

/// The application: a directory of its own, which knows nothing of the one it is fed from.
async fn start_app(folder: &Path, listener: tokio::net::TcpListener, token: Secret, cx: &Context) -> Result<()> {
    let store = Store::open(&format!("sqlite:{}", folder.join("app.db").display())).await?;
    let clock = Arc::new(SystemClock);
    let state = ServerState::new(Directory::new(store.clone(), clock.clone()), store, clock, Token::Fixed(token));
    let stop = cx.cancel.clone();
    tokio::spawn(async move {
        if let Err(error) = serve(listener, state, async move { stop.cancelled().await }).await {
            tracing::error!(error = %error, "the application stopped");
        }
    });
    Ok(())
}

/// Lets the shell find the program where it was not installed: `cargo run` does not put it on the path.
fn export_path() -> String {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_there = std::env::split_paths(&path).any(|folder| folder.join("provost").is_file());
    let program = std::env::current_exe().ok();
    match program.as_deref().and_then(Path::parent) {
        Some(folder) if !is_there => format!(" && export PATH=\"{}:$PATH\"", folder.display()),
        _ => String::new(),
    }
}

/// Tells the story and does what it tells.
struct Show<'a> {
    output: Output,
    setup: &'a Setup,
    cx: &'a Context,
    folder: &'a PathBuf,
}

impl Show<'_> {
    fn title(&self, text: impl std::fmt::Display) -> Result<()> {
        let mut data = self.output.data();
        let title = data.paint(Style::Bold, text);
        data.line(format_args!("\n{title}"))?;
        data.end()
    }

    fn line(&self, text: impl std::fmt::Display) -> Result<()> {
        let mut data = self.output.data();
        data.line(text)?;
        data.end()
    }

    async fn first_day(&self, people: u64, port: u16) -> Result<()> {
        let folder = self.folder.display();
        self.title("A company on your machine")?;
        self.line(format_args!("  {folder}/people.csv     {} people, as an HR system exports them", number(people)))?;
        self.line(format_args!(
            "  {folder}/provost.yaml   three jobs: HR file -> directory -> SCIM application and CSV export"
        ))?;
        self.line(format_args!("  http://127.0.0.1:{port}  the application, a SCIM 2.0 server of its own"))?;
        if people <= PLANNED_UP_TO {
            self.title("1. The plan comes first: nothing has been sent yet")?;
            let planned = self.plan(JOBS[0]).await?;
            plan::summary(&self.setup.store, &planned, 3, self.output).await?;
            self.title("2. Applied as shown")?;
            self.apply(&planned).await?;
        } else {
            self.title("1. HR file to directory")?;
            self.cycle(JOBS[0]).await?;
        }
        self.title("3. From the directory to the application, over HTTP")?;
        self.cycle(JOBS[1]).await?;
        self.title("4. And to a CSV file")?;
        self.cycle(JOBS[2]).await
    }

    async fn next_day(&self, day: &Day) -> Result<()> {
        self.title(format_args!(
            "5. The next day, {}: {} join, {} move, {} leave",
            day.date,
            number(day.joiners.count),
            number(day.movers.count),
            number(day.leavers.count)
        ))?;
        let mut table = Table::new(["who", "what happened in HR"]);
        for joiner in day.joiners.first.iter().take(2) {
            table.row([joiner.name(), format!("joins as {}", joiner.get(Column::Title))]);
        }
        for mover in day.movers.first.iter().take(3) {
            let edits: Vec<String> = mover
                .changes
                .iter()
                .filter(|edit| edit.field != "changed_on")
                .map(|edit| format!("{}: {} → {}", edit.field, edit.before, edit.after))
                .collect();
            table.row([mover.employee_id.clone(), edits.join(", ")]);
        }
        for leaver in day.leavers.first.iter().take(3) {
            let what = if leaver.removed { "leaves; the row is gone" } else { "leaves; the row says terminated" };
            table.row([leaver.employee_id.clone(), what.to_owned()]);
        }
        let mut data = self.output.data();
        data.table(table)?;
        data.end()?;
        for job in JOBS {
            self.cycle(job).await?;
        }
        // Somebody who is still in the file has the fuller story.
        let leavers = &day.leavers.first;
        let Some(leaver) = leavers.iter().find(|leaver| !leaver.removed).or(leavers.first()) else { return Ok(()) };
        self.title(format_args!("6. Why? One person, {}, in the job {}", leaver.employee_id, JOBS[0]))?;
        let (name, spec) = self.setup.job(JOBS[0])?;
        let filter = Filter::eq(AttributePath::name("employee_id"), leaver.employee_id.as_str());
        let told = self.setup.engine.explain(name, spec, &filter, self.cx).await;
        let told = told.map_err(|error| self.setup.configuration.explain(error))?;
        let mut data = self.output.data();
        for explanation in &told {
            trace::explanation(&mut data, explanation)?;
        }
        data.end()
    }

    async fn plan(&self, job: &str) -> Result<CycleReport> {
        let (name, spec) = self.setup.job(job)?;
        let progress = Arc::new(Progress::default());
        let watch = Watch::start(self.output, format!("plan {name}"), progress.clone());
        let result = self.setup.engine.plan(name, spec, RunOptions::default(), progress, self.cx).await;
        drop(watch);
        result.map_err(|error| self.setup.configuration.explain(error))
    }

    async fn apply(&self, planned: &CycleReport) -> Result<()> {
        let progress = Arc::new(Progress::default());
        let watch = Watch::start(self.output, format!("apply {}", planned.job), progress.clone());
        let jobs = &self.setup.configuration.jobs;
        let spec_of = |name: &JobName| jobs.get(name).cloned();
        let result = self.setup.engine.apply(&planned.cycle, &spec_of, false, progress, self.cx).await;
        drop(watch);
        self.result(result.map_err(|error| self.setup.configuration.explain(error))?)
    }

    async fn cycle(&self, job: &str) -> Result<()> {
        let (name, spec) = self.setup.job(job)?;
        let progress = Arc::new(Progress::default());
        let watch = Watch::start(self.output, name.to_string(), progress.clone());
        let result = self.setup.engine.run(name, spec, RunOptions::default(), progress, self.cx).await;
        drop(watch);
        self.result(result.map_err(|error| self.setup.configuration.explain(error))?)
    }

    fn result(&self, report: CycleReport) -> Result<()> {
        let mut data = self.output.data();
        let took = duration(report.duration_ms);
        let rate = match report.counts.read.saturating_mul(1000) / report.duration_ms.max(1) {
            0 => String::new(),
            rate => format!(", {} objects a second", number(rate)),
        };
        let status = if report.status == CycleStatus::Done { "done" } else { "stopped" };
        data.line(format_args!("{}: {status} in {took}{rate}", report.job))?;
        data.table(counts(&report.counts))?;
        data.end()?;
        explain(&report, self.output);
        Ok(())
    }

    fn what_next(&self) -> Result<()> {
        let folder = self.folder.display();
        self.title("Next")?;
        for (command, what) in [
            (format!("cd {folder}{}", export_path()), "everything below works in there"),
            ("provost status".into(), "the jobs and their last cycle"),
            ("provost log --limit 20".into(), "who was changed, when and why"),
            ("provost explain hr-to-directory --where 'employee_id eq \"E000007\"'".into(), "one person's whole trace"),
            ("$EDITOR people.csv && provost plan hr-to-directory".into(), "your own joiner, mover or leaver"),
            (
                "provost quickstart --dir . --serve".into(),
                "jobs run by themselves; the application is up while this runs",
            ),
            ("provost doctor".into(), "is everything in order?"),
        ] {
            self.line(format_args!("  {command:<70}  {what}"))?;
        }
        Ok(())
    }
}

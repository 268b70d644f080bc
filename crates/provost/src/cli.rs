//! The command line as clap reads it. Texts here are the manual: administrators read `provost help COMMAND`.
//!
//! What a command does is in [`crate::command`], one file each.
//!
//! Long because it is the whole manual, one command after the other, and nothing else.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand};

use crate::logging::LogFormat;
use crate::output::Color;

/// Keeps people's accounts, groups and roles right in every application they use
#[derive(Debug, Parser)]
#[command(name = "provost", version, max_term_width = 110, after_help = EXIT_STATUS)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_STATUS: &str = "\
Exit status: 0 done; 1 failed, paused, or the source could not be read to its end; 2 the plan has changes
(plan --exit-code); 3 held by a guard; 64 bad usage. Data goes to stdout, everything else to stderr.";

/// What every command takes.
#[derive(Debug, Clone, Args)]
pub struct Global {
    /// The configuration
    #[arg(long, global = true, value_name = "FILE", env = "PROVOST_CONFIG", default_value = "provost.yaml")]
    pub config: PathBuf,
    /// Where the state is kept; `data` beside the configuration unless given
    #[arg(long, global = true, value_name = "DIR", env = "PROVOST_DATA")]
    pub data: Option<PathBuf>,
    /// Keep the state in this database instead: postgres://… or sqlite:PATH
    #[arg(long, global = true, value_name = "URL", env = "PROVOST_DATABASE", hide_env_values = true)]
    pub database: Option<String>,
    /// Print data as JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// Colour the output
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", hide_possible_values = false)]
    pub color: Color,
    /// Log what happens to stderr; -vv for every request
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// The whole thing on sample data, on this machine: an HR file, a directory, an application, a day of changes
    #[command(after_help = "\
Examples:
  provost quickstart
  provost quickstart --people 100000
  provost quickstart --serve        goes on: edit people.csv and watch the jobs follow")]
    Quickstart(QuickstartArgs),
    /// Run the scheduled jobs and serve the directory over SCIM 2.0, until stopped
    #[command(after_help = "Examples:\n  provost serve\n  provost serve --listen 0.0.0.0:8085")]
    Serve(ServeArgs),
    /// Look at the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Run the examples under `tests:` through the rules, without going online
    #[command(after_help = "Examples:\n  provost test\n  provost test --config other/provost.yaml --json")]
    Test(FileArgs),
    /// Compute what a job would do, store it and show it; nothing is sent
    #[command(after_help = "\
Examples:
  provost plan hr-to-directory
  provost plan hr-to-directory --full --limit 1000 > plan.txt
  provost plan hr-to-directory --exit-code || echo 'there is something to do, or it failed'

`provost apply PLAN` then does exactly that, and refuses when the world has moved on.")]
    Plan(PlanArgs),
    /// The plans that wait: list them, look into one, compare two, write one to a file
    #[command(after_help = "\
Examples:
  provost plans
  provost plans show PLAN --where 'action eq \"delete\"'
  provost plans diff OLD NEW
  provost plans export PLAN --format html --to plan.html")]
    Plans(PlansArgs),
    /// What waits for a person: accounts that cannot be told apart, and what `situations:` says `ask` about
    #[command(after_help = "\
Examples:
  provost cases                                        all jobs
  provost cases show hr-to-slack E000007               the accounts in question, the likeliest first
  provost cases resolve hr-to-slack E000007 --adopt U024BE7LH
  provost cases resolve hr-to-slack E000007 --create

The answer is kept until the next cycle acts on it, within the guards. `provost ignore` leaves an object alone.")]
    Cases(CasesArgs),
    /// Do exactly what a stored plan says
    #[command(after_help = "\
Example:
  provost plan hr-to-directory          look at it; its last line is the plan's id
  provost apply 01a20559-b5e5-744c-826a-4ef90b0540e4

The plan is made once more and compared: when anything differs from what was shown, nothing is sent. A plan that is
over a guard is refused as well, unless --over-guard says that it is meant.")]
    Apply(ApplyArgs),
    /// Run one cycle of a job
    #[command(after_help = "\
Examples:
  provost run hr-to-directory
  provost run directory-to-slack --reconcile

Without --full or --reconcile a job reads what changed since its last cycle, and everything the first time.
Disables and deletes wait until the source was read to its end and the guards have passed; over a guard the
job holds (exit status 3) until `provost release` or `provost discard`.")]
    Run(RunArgs),
    /// Provision named objects now, without waiting for a cycle
    #[command(after_help = "Example:\n  provost provision hr-to-directory --where 'login eq \"ada\"' --dry-run")]
    Provision(ProvisionArgs),
    /// Tell why an object is, or is not, as it is: scope, matching, every mapping, what was done before
    #[command(after_help = "Example:\n  provost explain hr-to-directory --where 'login eq \"ada\"'")]
    Explain(ExplainArgs),
    /// Show the provisioning log, newest first
    #[command(after_help = "\
Examples:
  provost log --job hr-to-directory --where 'status eq \"failed\"'
  provost log --where 'userName co \"ada\"' --since 7d
  provost log --follow --json

FILTER sees job, cycle, class, source_id, target_id, action, status, code, name, reason, and each attribute
that was changed under its own name. What a plan only intends is shown with --cycle PLAN.")]
    Log(LogArgs),
    /// Let what a guard held, or what waits for approval, go out
    #[command(after_help = "\
Examples:
  provost plans                                   what waits
  provost plans export PLAN --to plan.html        for somebody else to look at
  provost release hr-to-directory --plan PLAN     refuses when the job holds another plan by now
  provost release hr-to-directory --always        the same number and share passes from now on

--always is an exception from the guards that hold this plan, as far as this plan goes and no further. It ends with
`provost guard reset JOB`, and when the guard is configured otherwise.")]
    Release(ReleaseArgs),
    /// Throw away what a guard held; the next cycle computes it anew
    Discard(JobArgs),
    /// Exceptions from guards
    #[command(subcommand)]
    Guard(GuardCommand),
    /// Keep a job from running, and end a cycle that runs
    #[command(after_help = "\
Examples:
  provost pause hr-to-directory
  provost pause hr-to-directory --reason 'audit until Friday'

A cycle that runs, also in another process, ends within about a second after what is under way at the target. It disables
and deletes nobody from then on, and the next cycle does the rest. `provost run` refuses the job then, unless
--even-paused; plans, `provision`, `apply`, `release` and `revert` still do what they are told.")]
    Pause(PauseArgs),
    /// Let a paused job run again
    Resume(JobArgs),
    /// Try failed objects in the next cycle, all of a job or those that match
    #[command(after_help = "\
Examples:
  provost retry hr-to-directory
  provost retry hr-to-directory --code PRV-0314
  provost retry hr-to-directory --where 'name co \"ada\"' --dry-run

FILTER sees class, source_id, name, code, message and tries.")]
    Retry(RetryArgs),
    /// Leave failed objects alone until they change at the source
    #[command(after_help = "\
Examples:
  provost ignore hr-to-directory --where 'message co \"too long\"' --dry-run
  provost ignore hr-to-directory --where 'source_id eq \"p7\"'

FILTER sees class, source_id, name, code, message and tries. They are looked at again when they change at the source, when
the rules change, with `provost run --full` and --reconcile, and after `provost retry`.")]
    Ignore(IgnoreArgs),
    /// Begin a job anew: forget where it was, what failed, and its quarantine
    #[command(after_help = "\
Examples:
  provost restart hr-to-directory                     the watermark, failed objects and the quarantine
  provost restart hr-to-directory --quarantine        only lets it run by its schedule again
  provost restart hr-to-directory --full              the links as well

Links stay unless --links or --full is given: then accounts are found again by the matching attributes, and accounts of
people who are gone from the source are nobody's from then on. A job that runs is refused.")]
    Restart(RestartArgs),
    /// Undo what a cycle did, by the log's record of it
    #[command(after_help = "\
Examples:
  provost revert 01a20559-b5e5-744c-826a-4ef90b0540e4 --dry-run      shows it, and stores it as a plan
  provost revert 01a20559-b5e5-744c-826a-4ef90b0540e4

Attributes and memberships go back to what they were, accounts that were created are switched off (deleted where the
target cannot do that), accounts that were deleted are made again. What was changed again since stays, and so does what
the log does not keep, as passwords. Guards count: over one the job holds until `provost release`.")]
    Revert(RevertArgs),
    /// Jobs, their state and their last cycle
    #[command(visible_alias = "jobs")]
    Status,
    /// Try a mapping expression
    #[command(
        disable_help_flag = true,
        after_help = "\
Examples:
  provost expr 'ToLower([login])' --attributes '{\"login\": \"ADA\"}' --trace
  provost expr --help Join
  provost expr --help-function
  provost expr --batch < expressions.ndjson

--batch reads a JSON object a line, {\"expression\": …, \"attributes\": {…}, \"now\"?: RFC 3339, \"taken\"?: […],
\"domain\"?: …, \"tables\"?: {…}}, and answers each with {\"value\": …}, {\"ignored\": \"attribute\"|\"object\"} or {\"error\": …}."
    )]
    Expr(ExprArgs),
    /// Try a scoping filter
    #[command(after_help = "\
Examples:
  provost filter 'status eq \"active\" and level ge 5' --record '{\"status\": \"active\", \"level\": 7}'
  provost filter --batch < filters.ndjson

--batch reads a JSON object a line, {\"filter\": …, \"record\": {…}}, and answers each with {\"matches\": …} or
{\"error\": …}.")]
    Filter(FilterArgs),
    /// Microsoft Entra's synchronization schema: to a job and back
    #[command(subcommand)]
    Schema(SchemaCommand),
    /// Tokens for the API and for SCIM clients
    #[command(subcommand)]
    Token(TokenCommand),
    /// Passwords and tokens of connections
    #[command(subcommand)]
    Secret(SecretCommand),
    /// The systems Provost can connect to
    #[command(subcommand)]
    Connector(ConnectorCommand),
    /// Applications that are known by name: their settings, and a job to start from
    #[command(subcommand)]
    Gallery(GalleryCommand),
    /// Throw away what is older than `retention:` keeps it; `provost serve` does that by itself
    #[command(after_help = "\
Examples:
  provost prune --dry-run
  provost prune --json

The last event of each account, and all of plans that wait, stay whatever their age.")]
    Prune(PruneArgs),
    /// Check everything: configuration, store, connections, jobs, disk
    #[command(after_help = "Example:\n  provost doctor --json | jq '.checks[] | select(.status != \"ok\")'")]
    Doctor,
}

#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Check a configuration without going online
    #[command(after_help = "Examples:\n  provost config check\n  provost config check staging.yaml --json")]
    Check(FileArgs),
}

#[derive(Debug, Args)]
pub struct QuickstartArgs {
    /// How many people the HR file has
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub people: u64,
    /// The folder that everything is written to
    #[arg(long, value_name = "DIR", default_value = "provost-quickstart")]
    pub dir: PathBuf,
    /// Go on at the end until stopped: the directory, the application and the jobs that run by themselves
    #[arg(long)]
    pub serve: bool,
    /// Where the directory is served with --serve
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8085")]
    pub listen: SocketAddr,
    /// Begin anew where the folder holds an earlier quickstart
    #[arg(long)]
    pub yes: bool,
}

#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Where to listen; else `server: {listen: …}` of the configuration, else 127.0.0.1:8085. Put a TLS-terminating proxy
    /// in front of anything but loopback
    #[arg(long, value_name = "ADDR", env = "PROVOST_LISTEN")]
    pub listen: Option<SocketAddr>,
    /// How log lines look
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub log_format: LogFormat,
}

#[derive(Debug, Args)]
pub struct FileArgs {
    /// The configuration; that of --config unless given
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
}

/// How much a cycle reads.
#[derive(Debug, Clone, Copy, Args)]
#[group(multiple = false)]
pub struct Depth {
    /// Read the whole source, also when it can tell what changed
    #[arg(long)]
    pub full: bool,
    /// Read the whole source and the whole target, and repair every difference
    #[arg(long)]
    pub reconcile: bool,
}

#[derive(Debug, Args)]
pub struct JobArgs {
    /// A job of the configuration
    #[arg(value_name = "JOB")]
    pub job: String,
}

#[derive(Debug, Args)]
pub struct PlanArgs {
    #[command(flatten)]
    pub job: JobArgs,
    #[command(flatten)]
    pub depth: Depth,
    /// End with status 2 when the plan has changes
    #[arg(long)]
    pub exit_code: bool,
    /// Show at most so many objects; 0 shows the summary only
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub limit: u64,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct PlansArgs {
    #[command(subcommand)]
    pub command: Option<PlansCommand>,
    /// Of this job
    #[arg(long, value_name = "JOB")]
    pub job: Option<String>,
    /// Show at most so many, the newest ones
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub limit: u64,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct CasesArgs {
    #[command(subcommand)]
    pub command: Option<CasesCommand>,
    /// Of this job; of all jobs unless given
    #[arg(value_name = "JOB")]
    pub job: Option<String>,
}

#[derive(Debug, Subcommand)]
pub enum CasesCommand {
    /// Show one case with the accounts in question
    Show(CasesShowArgs),
    /// Answer a case
    Resolve(CasesResolveArgs),
}

#[derive(Debug, Args)]
pub struct CasesShowArgs {
    #[arg(value_name = "JOB")]
    pub job: String,
    /// The object's id at the source, as `provost cases` shows it
    #[arg(value_name = "OBJECT")]
    pub id: String,
    /// The object's class, where objects of several have this id
    #[arg(long, value_name = "CLASS")]
    pub class: Option<String>,
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("answer").required(true))]
pub struct CasesResolveArgs {
    #[arg(value_name = "JOB")]
    pub job: String,
    /// The object's id at the source, as `provost cases` shows it
    #[arg(value_name = "OBJECT")]
    pub id: String,
    /// The object's class, where objects of several have this id
    #[arg(long, value_name = "CLASS")]
    pub class: Option<String>,
    /// This account at the target is the object's
    #[arg(long, value_name = "ACCOUNT", group = "answer")]
    pub adopt: Option<String>,
    /// It gets an account of its own, whatever matches
    #[arg(long, group = "answer")]
    pub create: bool,
    /// Do what would be done without `ask`
    #[arg(long, group = "answer")]
    pub update: bool,
}

#[derive(Debug, Subcommand)]
pub enum PlansCommand {
    /// Show a plan's operations
    Show(PlansShowArgs),
    /// Show what two plans intend differently
    Diff(PlansDiffArgs),
    /// Write a plan as a spreadsheet, a JSON document or a page for reading
    Export(PlansExportArgs),
}

#[derive(Debug, Args)]
pub struct PlansShowArgs {
    /// The id that `provost plan` printed
    #[arg(value_name = "PLAN")]
    pub plan: String,
    /// Only operations that this filter matches, as in `provost log`
    #[arg(long = "where", value_name = "FILTER")]
    pub filter: Option<String>,
    /// Show at most so many
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub limit: u64,
}

#[derive(Debug, Args)]
pub struct PlansDiffArgs {
    #[arg(value_name = "OLD")]
    pub old: String,
    #[arg(value_name = "NEW")]
    pub new: String,
    /// End with status 2 when they differ
    #[arg(long)]
    pub exit_code: bool,
}

#[derive(Debug, Args)]
pub struct PlansExportArgs {
    /// The id that `provost plan` printed
    #[arg(value_name = "PLAN")]
    pub plan: String,
    /// In which form
    #[arg(long, value_name = "FORM", default_value = "html")]
    pub format: PlanFormat,
    /// Only operations that this filter matches, as in `provost log`
    #[arg(long = "where", value_name = "FILTER")]
    pub filter: Option<String>,
    /// Into this file; else to stdout
    #[arg(long, value_name = "FILE")]
    pub to: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub enum PlanFormat {
    Csv,
    Json,
    Html,
}

#[derive(Debug, Args)]
pub struct ApplyArgs {
    /// The id that `provost plan` printed
    #[arg(value_name = "PLAN")]
    pub plan: String,
    /// Apply it even where a cycle would hold
    #[arg(long)]
    pub over_guard: bool,
}

#[derive(Debug, Args)]
pub struct ReleaseArgs {
    #[command(flatten)]
    pub job: JobArgs,
    /// Only if the job still holds this plan
    #[arg(long, value_name = "PLAN")]
    pub plan: Option<String>,
    /// Let as much pass from now on
    #[arg(long)]
    pub always: bool,
}

#[derive(Debug, Subcommand)]
pub enum GuardCommand {
    /// End what was released with --always
    Reset(JobArgs),
}

#[derive(Debug, Args)]
pub struct PruneArgs {
    /// Only count
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Debug, Args)]
pub struct RevertArgs {
    /// The cycle's id, as `provost run` and `provost log` print it
    #[arg(value_name = "CYCLE")]
    pub cycle: String,
    /// Show what would be done; `provost apply` does it then
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Debug, Args)]
pub struct RunArgs {
    #[command(flatten)]
    pub job: JobArgs,
    #[command(flatten)]
    pub depth: Depth,
    /// Also when the job is paused
    #[arg(long)]
    pub even_paused: bool,
}

#[derive(Debug, Args)]
pub struct PauseArgs {
    #[command(flatten)]
    pub job: JobArgs,
    /// Why, for those who wonder
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
}

#[derive(Debug, Args)]
pub struct EscrowArgs {
    #[command(flatten)]
    pub job: JobArgs,
    /// Show which objects are meant, and change nothing
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Debug, Args)]
pub struct RetryArgs {
    #[command(flatten)]
    pub escrow: EscrowArgs,
    /// Only failed objects that this filter matches
    #[arg(long = "where", value_name = "FILTER", conflicts_with = "code")]
    pub filter: Option<String>,
    /// Only objects whose last failure has this code
    #[arg(long, value_name = "PRV-NNNN")]
    pub code: Option<String>,
}

#[derive(Debug, Args)]
pub struct IgnoreArgs {
    #[command(flatten)]
    pub escrow: EscrowArgs,
    /// Which failed objects
    #[arg(long = "where", value_name = "FILTER")]
    pub filter: String,
}

#[derive(Debug, Args)]
pub struct RestartArgs {
    #[command(flatten)]
    pub job: JobArgs,
    /// The next cycle looks at every object again
    #[arg(long)]
    pub watermark: bool,
    /// Failed objects are forgotten, and not tried again unless they are looked at anyway
    #[arg(long)]
    pub escrows: bool,
    /// The job leaves its quarantine
    #[arg(long)]
    pub quarantine: bool,
    /// Forget which account belongs to whom
    #[arg(long)]
    pub links: bool,
    /// All of these
    #[arg(long, conflicts_with_all = ["watermark", "escrows", "quarantine", "links"])]
    pub full: bool,
}

#[derive(Debug, Args)]
pub struct ProvisionArgs {
    #[command(flatten)]
    pub job: JobArgs,
    /// Which objects of the source, as a filter on its attributes
    #[arg(long = "where", value_name = "FILTER")]
    pub filter: String,
    /// Show what would be done
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Debug, Args)]
pub struct ExplainArgs {
    #[command(flatten)]
    pub job: JobArgs,
    /// Which objects of the source, as a filter on its attributes
    #[arg(long = "where", value_name = "FILTER")]
    pub filter: String,
    /// As it was in this cycle, or in the `last` one that decided something about the object
    #[arg(long, value_name = "CYCLE")]
    pub at: Option<String>,
}

#[derive(Debug, Args)]
pub struct LogArgs {
    /// Of this job
    #[arg(long, value_name = "JOB")]
    pub job: Option<String>,
    /// Of this cycle or plan
    #[arg(long, value_name = "CYCLE")]
    pub cycle: Option<String>,
    /// Only events that this filter matches
    #[arg(long = "where", value_name = "FILTER")]
    pub filter: Option<String>,
    /// Not older than this: a time (2026-11-30, 2026-11-30T08:00:00Z) or an age (90m, 7d)
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Show at most so many, the newest ones
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub limit: u64,
    /// Go on and show new events as they come, oldest first
    #[arg(long, short)]
    pub follow: bool,
}

#[derive(Debug, Args)]
pub struct ExprArgs {
    /// The mapping expression
    #[arg(value_name = "EXPR", required_unless_present_any = ["batch", "help", "help_function"])]
    pub expression: Option<String>,
    /// The source object's attributes as a JSON object; `-` reads them from stdin
    #[arg(long, value_name = "JSON", conflicts_with = "batch")]
    pub attributes: Option<String>,
    /// Show the value of every part
    #[arg(long, conflicts_with = "batch")]
    pub trace: bool,
    /// What `Now()` gives, for example 2025-01-31T08:00:00Z
    #[arg(long, value_name = "TIME", conflicts_with = "batch")]
    pub now: Option<provost_model::Timestamp>,
    /// A value that somebody else has at the target, for SelectUniqueValue; may be given again
    #[arg(long, value_name = "VALUE", conflicts_with = "batch")]
    pub taken: Vec<String>,
    /// What `DefaultDomain()` gives
    #[arg(long, value_name = "DOMAIN")]
    pub domain: Option<String>,
    /// Tables for Lookup: a JSON file such as {"countries": {"DE": "Germany"}}
    #[arg(long, value_name = "FILE")]
    pub tables: Option<std::path::PathBuf>,
    /// Evaluate one JSON object a line from stdin
    #[arg(long, conflicts_with = "expression")]
    pub batch: bool,
    /// Show this help, or tell about one function
    #[arg(long, short, value_name = "NAME", num_args = 0..=1)]
    pub help: Option<Option<String>>,
    /// List the functions, or tell about one
    #[arg(long, value_name = "NAME", num_args = 0..=1, conflicts_with_all = ["expression", "batch"])]
    pub help_function: Option<Option<String>>,
}

#[derive(Debug, Args)]
pub struct FilterArgs {
    /// The filter
    #[arg(value_name = "FILTER", required_unless_present = "batch")]
    pub filter: Option<String>,
    /// The object as JSON; `-` reads it from stdin
    #[arg(long, value_name = "JSON", conflicts_with = "batch", required_unless_present = "batch")]
    pub record: Option<String>,
    /// Judge one JSON object a line from stdin
    #[arg(long, conflicts_with = "filter")]
    pub batch: bool,
}

#[derive(Debug, Subcommand)]
pub enum SchemaCommand {
    /// Turn an exported schema into a job
    #[command(subcommand)]
    Import(SchemaImportCommand),
    /// Write a job as a schema
    #[command(subcommand)]
    Export(SchemaExportCommand),
}

#[derive(Debug, Subcommand)]
pub enum SchemaImportCommand {
    /// The JSON that Entra's admin centre (`Review your schema here`) or Graph gives
    #[command(after_help = "\
Examples:
  provost schema import entra schema.json --job to-app > job.yaml
  provost schema import entra schema.json --job to-app --source directory --target app --into provost.yaml

Jobs go to stdout. What is not carried over is listed on stderr, with its place and the reason.")]
    Entra(SchemaImportArgs),
}

#[derive(Debug, Subcommand)]
pub enum SchemaExportCommand {
    /// A schema that Entra's admin centre and Graph take
    #[command(after_help = "\
Examples:
  provost schema export entra schema.json --job to-app
  provost schema export entra - --job to-app --offline")]
    Entra(SchemaExportArgs),
}

#[derive(Debug, Args)]
pub struct SchemaImportArgs {
    /// The schema; `-` reads it from stdin
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// What the job is to be called
    #[arg(long, value_name = "JOB")]
    pub job: String,
    /// The connection that stands for the source directory; else a name made from the directory's
    #[arg(long, value_name = "NAME")]
    pub source: Option<String>,
    /// The connection that stands for the target directory
    #[arg(long, value_name = "NAME")]
    pub target: Option<String>,
    /// Add the job to this configuration instead of printing it
    #[arg(long, value_name = "FILE")]
    pub into: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct SchemaExportArgs {
    /// Where the schema goes; `-` prints it
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// A job of the configuration
    #[arg(long, value_name = "JOB")]
    pub job: String,
    /// Do not ask the job's two systems for their attributes
    #[arg(long)]
    pub offline: bool,
}

#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Make a token; it is shown this once
    #[command(after_help = "\
Examples:
  provost token create --name entra --preset entra --days 365
  provost token create --name report --rights read --types User,Group --rate 20
  provost token create --name hr-feed --rights jobs:write:hr-to-directory
  provost token create --name own --preset rfc --with string-booleans

RIGHTS are words: all, read, write; scim:read and scim:write for /scim alone; scim:write:User for one
type; jobs:write to push into jobs and nothing else; jobs:write:NAME for one job. A preset is the habits of a kind of client: any (all that can be sent are understood), rfc
(none), entra, okta, onelogin, authentik. --with and --without change single ones:
  op-case              `op` in any letter case: Replace
  string-booleans      \"True\" for true
  member-value-list    members are removed by a list of values
  dotted-keys          keys such as name.givenName, or with a URN
  bare-values          in a PATCH an id for {\"value\": id}, an element for a list
  old-urns             the schema URNs of SCIM 1
  loose-query          + for a blank, quotes not encoded, a stray &
  empty-patch          a PATCH is answered by 204 and no body
  empty-group-patch    the same for groups alone
  no-members-in-patch  the answer to a PATCH has no members")]
    Create(TokenArgs),
    /// The tokens, their rights and when they were used last
    List,
    /// A new token for the same client; the old ones end after the overlap
    #[command(after_help = "Example:\n  provost token rotate entra --overlap 24h")]
    Rotate(RotateArgs),
    /// End tokens at once, all of a name or the one of an id
    Revoke(RevokeArgs),
    /// Who made, rotated and revoked tokens, and which ended ones were used
    Audit(AuditArgs),
}

#[derive(Debug, Args)]
pub struct TokenArgs {
    /// Who will use it
    #[arg(long, value_name = "NAME")]
    pub name: String,
    /// Days until it expires; never unless given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub days: Option<u32>,
    /// What it may do
    #[arg(long, value_name = "RIGHTS", default_value = "all")]
    pub rights: String,
    /// The resource types it may see; all unless given
    #[arg(long, value_name = "TYPE,…", value_delimiter = ',')]
    pub types: Vec<String>,
    /// Requests a second that it may send; no limit unless given
    #[arg(long, value_name = "N")]
    pub rate: Option<f64>,
    /// Requests that may come at once; as many as in a second unless given
    #[arg(long, value_name = "N", requires = "rate", value_parser = clap::value_parser!(u32).range(1..))]
    pub burst: Option<u32>,
    /// How the client speaks
    #[arg(long, value_name = "NAME", default_value = "any", value_parser = clap::builder::PossibleValuesParser::new(provost_server::client::Preset::WORDS))]
    pub preset: String,
    /// Habits that it has besides
    #[arg(long, value_name = "HABIT,…", value_delimiter = ',', value_parser = clap::builder::PossibleValuesParser::new(provost_server::client::Habit::WORDS))]
    pub with: Vec<String>,
    /// Habits of the preset that it does not have
    #[arg(long, value_name = "HABIT,…", value_delimiter = ',', value_parser = clap::builder::PossibleValuesParser::new(provost_server::client::Habit::WORDS))]
    pub without: Vec<String>,
    /// Refuse members of groups that the directory does not have, rather than keep them as they are named
    #[arg(long)]
    pub refuse_unknown_members: bool,
    /// The userName of the user that `/Me` stands for
    #[arg(long, value_name = "USERNAME")]
    pub me: Option<String>,
}

#[derive(Debug, Args)]
pub struct RotateArgs {
    /// The client's name
    #[arg(value_name = "NAME")]
    pub name: String,
    /// How long the old tokens still work: 0s, 30m, 24h, 7d
    #[arg(long, value_name = "TIME", default_value = "24h")]
    pub overlap: provost_engine::spec::Period,
    /// Days until the new one expires; as long as the old one was made for unless given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub days: Option<u32>,
}

#[derive(Debug, Args)]
pub struct RevokeArgs {
    /// The client's name, or a token's id
    #[arg(value_name = "NAME|ID")]
    pub name: String,
}

#[derive(Debug, Args)]
pub struct AuditArgs {
    /// The newest entries
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub limit: u32,
}

#[derive(Debug, Subcommand)]
pub enum SecretCommand {
    /// Keep a secret that the configuration names as `{secret: NAME}`; its value comes from stdin
    #[command(after_help = "\
Examples:
  provost secret set slack-token < token.txt
  pass show slack | provost secret set slack-token

A line break at the end is not part of the value. PROVOST_SECRET_SLACK_TOKEN in the environment overrides it.")]
    Set(SecretArgs),
}

#[derive(Debug, Args)]
pub struct SecretArgs {
    /// The name after `secret:`
    #[arg(value_name = "NAME")]
    pub name: String,
}

#[derive(Debug, Subcommand)]
pub enum GalleryCommand {
    /// The applications
    List,
    /// What to do there first, a connection and a job: ready to be pasted into a configuration
    #[command(after_help = "\
Examples:
  provost gallery show slack
  provost gallery show slack --name team-chat >> provost.yaml
  provost gallery show slack --file          the application's file as it is")]
    Show(GalleryShowArgs),
    /// Check files of the gallery, all of them or those of these names
    #[command(after_help = "Examples:\n  provost gallery check\n  provost gallery check slack our-own-app")]
    Check(GalleryCheckArgs),
}

#[derive(Debug, Args)]
pub struct GalleryShowArgs {
    #[arg(value_name = "APPLICATION")]
    pub application: String,
    /// The connection's name; the application's unless given
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// The file itself
    #[arg(long, conflicts_with = "name")]
    pub file: bool,
}

#[derive(Debug, Args)]
pub struct GalleryCheckArgs {
    #[arg(value_name = "APPLICATION")]
    pub applications: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub enum ConnectorCommand {
    /// The connectors of this build
    List,
    /// Find out what a connected system is like, or whether a connector keeps its promises, by trying it
    #[command(after_help = "\
Examples:
  provost connector test hr --level basic                   reads alone: settings, schema, paging, filters
  provost connector test dir --level standard --sample dir-sample.yaml
                                                            also writes what the sample allows, and breaks connections
  provost connector test our-app                            a connection of the configuration
  provost connector test our-app --write our-app.yaml       and then `dialect: our-app.yaml`
  PROVOST_SECRET_TOKEN=… provost connector test scim --url https://app.example/scim/v2

With --level the conformance kit runs: each line is one promise of the contract, numbered as in docs/conformance.md, with
what was seen. Without it, on a SCIM target, the target's own ways are found out.
It makes users named provost-…@DOMAIN and one group, changes them, and removes them. Each line says what was tried, what
the target advertises, and what it did; below them stands the dialect. Exit status 1: something that jobs need does not
work, or something could not be removed.")]
    Test(ConnectorTestArgs),
    /// Start a connector of your own: a folder with a program that works, and its tests
    #[command(after_help = "\
Examples:
  provost connector new badges --language python
  provost connector new badges --language rust --dir src/badges

docs/custom-connectors.md tells the protocol that it speaks.")]
    New(ConnectorNewArgs),
    /// Serve a connector of this build over standard input and output, as programs of one's own are
    #[command(after_help = "\
Example, in a configuration:
  people: { connector: process, command: [provost, connector, serve, file], settings: { path: people.csv, key: id } }")]
    Serve(ConnectorServeArgs),
    /// A target to try a provisioning client against, with the ways and failures of real ones
    #[command(subcommand)]
    Fake(FakeCommand),
}

#[derive(Debug, Args)]
pub struct ConnectorNewArgs {
    /// What it connects to, in lower-case letters, digits and dashes
    #[arg(value_name = "NAME")]
    pub name: String,
    /// What it is written in
    #[arg(long, value_name = "LANGUAGE")]
    pub language: Language,
    /// The folder to make; else one of its name
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub enum Language {
    Rust,
    Python,
    Shell,
}

#[derive(Debug, Args)]
pub struct ConnectorServeArgs {
    /// A connector that `provost connector list` shows
    #[arg(value_name = "NAME")]
    pub name: String,
}

#[derive(Debug, Args)]
pub struct ConnectorTestArgs {
    /// A connection of the configuration; or `scim`, with --url
    #[arg(value_name = "CONNECTION")]
    pub name: String,
    /// The address of a SCIM target without connection; its token is PROVOST_SECRET_TOKEN in the environment
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// The domain of the names and addresses that are made up
    #[arg(long, value_name = "DOMAIN", default_value = "example.com")]
    pub domain: String,
    /// Run the conformance kit: `basic` only reads, `standard` writes and breaks connections, `full` does so for long
    #[arg(long, value_name = "LEVEL", value_parser = level)]
    pub level: Option<provost_conformance::Level>,
    /// What the conformance kit may make at the peer, a YAML file
    #[arg(long, value_name = "FILE")]
    pub sample: Option<std::path::PathBuf>,
    /// More attributes of the users that are made, as JSON, where the target wants some
    #[arg(long, value_name = "JSON", value_parser = object)]
    pub user: Option<serde_json::Map<String, serde_json::Value>>,
    /// Write the dialect to a file
    #[arg(long, value_name = "FILE")]
    pub write: Option<std::path::PathBuf>,
}

fn level(text: &str) -> Result<provost_conformance::Level, String> {
    text.parse().map_err(|()| "the levels are basic, standard and full".to_owned())
}

fn object(text: &str) -> Result<serde_json::Map<String, serde_json::Value>, String> {
    serde_json::from_str(text).map_err(|error| format!("no JSON object: {error}"))
}

#[derive(Debug, Subcommand)]
pub enum FakeCommand {
    /// A SCIM target; tells at its end what it saw of the client
    #[command(after_help = "\
Examples:
  provost connector fake scim --dialect entra-server
  provost connector fake scim --fault 'drop-after 5% POST' --fault 'status=429 10%' --seed 7
  curl http://127.0.0.1:8090/-/report
  curl -X PUT http://127.0.0.1:8090/-/faults -d '[\"repeat-page nth=2 /Users\", \"lag=3\"]'

FAULT is one of --list-faults, then perhaps a share (5%), nth=N or first=N, a method (POST), a path (/Users).
It serves until Ctrl-C, then prints its report. Exit status 1: the client did something that can lose data or make it
twice.")]
    Scim(FakeArgs),
}

#[derive(Debug, Args)]
pub struct FakeArgs {
    /// Where it listens
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8090")]
    pub listen: std::net::SocketAddr,
    /// A dialect by its name, or a YAML or JSON file with one
    #[arg(long, value_name = "NAME|FILE", default_value = "rfc")]
    pub dialect: String,
    /// What goes wrong, and when; may be given several times, and the first that fits counts
    #[arg(long = "fault", value_name = "FAULT")]
    pub faults: Vec<String>,
    /// Repeats the choice of the requests that meet a fault
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// The token that clients send; a new one unless given
    #[arg(long, value_name = "TOKEN")]
    pub token: Option<String>,
    /// Seconds that tokens of /-/token are good; its client is `provost`, the secret is the token
    #[arg(long, value_name = "SECONDS", default_value_t = 3600)]
    pub token_life: u32,
    /// Let other machines see the report and change the faults
    #[arg(long)]
    pub remote_admin: bool,
    /// List the dialects and end
    #[arg(long)]
    pub list_dialects: bool,
    /// List the faults and end
    #[arg(long, conflicts_with = "list_dialects")]
    pub list_faults: bool,
}

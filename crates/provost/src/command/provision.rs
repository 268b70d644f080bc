//! `provost provision`: named objects, now.

use provost_engine::report::ProvisionReport;

use super::{explain, parse_filter, trace};
use crate::cli::{Global, ProvisionArgs};
use crate::error::{Exit, Result};
use crate::output::{Output, Style};
use crate::problem::Problem;
use crate::setup::{Setup, context};

pub async fn run(global: &Global, args: ProvisionArgs, output: Output) -> Result<Exit> {
    let filter = parse_filter(&args.filter, "--where")?;
    let setup = Setup::open(global).await?;
    let (name, spec) = setup.job(&args.job.job)?;
    let cx = context(output, name);
    let result = setup.engine.provision(name, spec, &filter, args.dry_run, &cx).await;
    let reports: Vec<ProvisionReport> = result.map_err(|error| setup.configuration.explain(error))?;
    if reports.is_empty() {
        if output.json {
            output.json(&reports)?;
        }
        return Err(explain::nobody(&args.filter).into());
    }
    if output.json {
        output.json(&reports)?;
    } else {
        let mut data = output.data();
        for report in &reports {
            let what = &report.explanation;
            let style = if report.error.is_some() { Style::Red } else { Style::Green };
            let result = data.paint(style, &report.result);
            let name = if what.name.is_empty() { what.source_id.as_str() } else { what.name.as_str() };
            data.line(format_args!("{result}: {} {name} ({}): {}", what.decision, what.source_id, what.reason))?;
            trace::changes(&mut data, &what.changes)?;
        }
        data.end()?;
    }
    let mut exit = Exit::Done;
    for report in &reports {
        let Some(error) = &report.error else { continue };
        exit = Exit::Failed;
        let mut problem = Problem::new("PRV-0500", format!("{}: {error}", report.explanation.source_id));
        if let Some(code) = &report.code {
            problem.code.0 = code.clone().into();
        }
        problem.hint = report.hint.clone();
        output.problem(&problem);
    }
    Ok(exit)
}

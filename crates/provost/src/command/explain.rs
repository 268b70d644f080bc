//! `provost explain`: the whole trace of one object, from source value to decision.

use provost_engine::report::Explanation;

use super::{parse_filter, trace};
use crate::cli::{ExplainArgs, Global};
use crate::error::{Exit, Result};
use crate::output::Output;
use crate::problem::Problem;
use crate::setup::{Setup, context};

pub async fn run(global: &Global, args: ExplainArgs, output: Output) -> Result<Exit> {
    let filter = parse_filter(&args.filter, "--where")?;
    let setup = Setup::open(global).await?;
    let (name, spec) = setup.job(&args.job.job)?;
    let cx = context(output, name);
    let result = match &args.at {
        Some(cycle) => setup.engine.explain_at(name, spec, &filter, cycle, &cx).await,
        None => setup.engine.explain(name, spec, &filter, &cx).await,
    };
    let traces: Vec<Explanation> = result.map_err(|error| setup.configuration.explain(error))?;
    if output.json {
        output.json(&traces)?;
    } else {
        let mut data = output.data();
        for (at, explanation) in traces.iter().enumerate() {
            if at > 0 {
                data.line("")?;
            }
            trace::explanation(&mut data, explanation)?;
        }
        data.end()?;
    }
    match (traces.is_empty(), args.at) {
        (false, _) => Ok(Exit::Done),
        (true, Some(cycle)) => Err(nothing(&cycle, &args.filter).into()),
        (true, None) => Err(nobody(&args.filter).into()),
    }
}

/// A cycle that decided nothing about the objects.
fn nothing(cycle: &str, filter: &str) -> Problem {
    let message = format!("the log has no decision of cycle `{cycle}` about an object with `{filter}`");
    Problem::new("PRV-0705", message).hint("`provost explain` without --at lists the cycles in the object's history")
}

/// A filter that no object of the source satisfies.
pub fn nobody(filter: &str) -> Problem {
    Problem::new("PRV-0705", format!("no object of the source satisfies `{filter}`"))
        .hint("the filter sees the source's attributes under the source's names")
}

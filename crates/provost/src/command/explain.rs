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
    let result = setup.engine.explain(name, spec, &filter, &cx).await;
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
    if traces.is_empty() { Err(nobody(&args.filter).into()) } else { Ok(Exit::Done) }
}

/// A filter that no object of the source satisfies.
pub fn nobody(filter: &str) -> Problem {
    Problem::new("PRV-0705", format!("no object of the source satisfies `{filter}`"))
        .hint("the filter sees the source's attributes under the source's names")
}

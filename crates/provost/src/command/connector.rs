//! `provost connector list` and `serve`: what this build can connect to, and one of them behind the connector protocol.

use std::io::IsTerminal as _;

use provost_connector::Manifest;
use provost_connector::protocol;
use provost_engine::rule::nearest;

use crate::cli::ConnectorServeArgs;
use crate::config::DIRECTORY;
use crate::error::{Error, Exit, Result};
use crate::output::{Output, Table};
use crate::problem::Problem;

pub fn list(output: Output) -> Result<Exit> {
    let directory = Manifest {
        name: DIRECTORY.into(),
        title: "Directory".into(),
        description: "Provost's own users and groups, or another such directory in a database file of its own".into(),
        source: true,
        target: true,
    };
    let mut manifests: Vec<Manifest> =
        provost_connectors::builtin().iter().map(|connector| connector.manifest().clone()).collect();
    manifests.extend([directory, provost_push::manifest()]);
    manifests.sort_by(|a, b| a.name.cmp(&b.name));
    if output.json {
        output.json(&manifests)?;
        return Ok(Exit::Done);
    }
    let yes = |can: bool| if can { "yes" } else { "no" }.to_owned();
    let mut table = Table::new(["connector", "source", "target", "what"]);
    for manifest in &manifests {
        let what = manifest.description.to_string();
        table.row([manifest.name.to_string(), yes(manifest.source), yes(manifest.target), what]);
    }
    let mut data = output.data();
    data.table(table)?;
    data.end()?;
    Ok(Exit::Done)
}

/// Speaks the connector protocol on standard input and output until the other side ends.
pub async fn serve(args: &ConnectorServeArgs) -> Result<Exit> {
    let known = provost_connectors::builtin();
    let Some(connector) = known.iter().find(|connector| connector.manifest().name == args.name.as_str()) else {
        let names = || known.iter().map(|connector| connector.manifest().name.as_str());
        let hint = match nearest(&args.name, names()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("those that can be served are: {}", names().collect::<Vec<_>>().join(", ")),
        };
        let message = format!("there is no connector `{}` to serve", args.name);
        return Err(Error::Usage(Problem::new("PRV-0707", message).hint(hint)));
    };
    if std::io::stdin().is_terminal() {
        let message = "a served connector reads messages from standard input, not from a terminal";
        let hint = "start it as a connection: {connector: process, command: [provost, connector, serve, file], …}; \
                    docs/custom-connectors.md tells the messages";
        return Err(Error::Usage(Problem::new("PRV-0707", message).hint(hint)));
    }
    protocol::serve(connector.clone(), tokio::io::stdin(), tokio::io::stdout()).await?;
    Ok(Exit::Done)
}

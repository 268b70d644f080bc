//! `provost connector list`: what this build can connect to.

use provost_connector::Manifest;

use crate::config::DIRECTORY;
use crate::error::{Exit, Result};
use crate::output::{Output, Table};

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

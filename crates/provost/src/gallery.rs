//! The applications that are known by name: for each the connector, the settings that are the same for everybody, and a job
//! to start from. `connections: {slack: {gallery: slack, token: …}}` takes the settings, and lays its own over them.
//!
//! The files are in `gallery/` and part of the program. A file in the folder `gallery` beside the configuration has the same
//! form; one of the same name takes the place of the program's.

use std::path::Path;

use provost_engine::rule::nearest;
use provost_model::Text;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

/// One application.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Application {
    pub title: String,
    pub connector: Text,
    /// What the administrator does there first, and finds out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prepare: Vec<String>,
    /// What a connection has to say itself, with what stands there.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub ask: Map<String, Json>,
    /// What is the same for everybody.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub settings: Map<String, Json>,
    /// The rules of a job from the directory to the application, to start from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub objects: Vec<Json>,
    /// What surprises people.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Where the facts come from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<String>,
    /// The month in which they were gathered, as `2026-11`: applications change.
    pub as_of: String,
}

macro_rules! files {
    ($($name:literal),* $(,)?) => { [$(($name, include_str!(concat!("../../../gallery/", $name, ".yaml"))),)*] };
}

/// Name and text of every file in `gallery/`, by name.
pub const FILES: [(&str, &str); 25] = files![
    "airbyte",
    "asana",
    "atlassian",
    "aws-iam-identity-center",
    "databricks",
    "entra-id",
    "figma",
    "fortiauthenticator",
    "github-emu",
    "github-organization",
    "hcp-terraform",
    "lucid",
    "miro",
    "provost",
    "salesforce",
    "sap-cloud-identity",
    "sentry",
    "slack",
    "smartsheet",
    "snowflake",
    "tableau-cloud",
    "webex",
    "workplace",
    "zoom",
    "zscaler",
];

/// The text of an application: of the folder `gallery` in `base`, else the program's own.
pub fn text(name: &str, base: &Path) -> Option<Result<String, String>> {
    // A name is a file's name and no path.
    if name.is_empty() || name.contains(['/', '\\', '.']) {
        return None;
    }
    let own = base.join("gallery").join(format!("{name}.yaml"));
    if own.is_file() {
        return Some(std::fs::read_to_string(&own).map_err(|error| format!("cannot read {}: {error}", own.display())));
    }
    let (_, text) = FILES.iter().find(|(known, _)| *known == name)?;
    Some(Ok((*text).to_owned()))
}

/// The names that `base` knows, in their order.
pub fn names(base: &Path) -> Vec<String> {
    let own = std::fs::read_dir(base.join("gallery")).into_iter().flatten().flatten();
    let own = own.filter_map(|file| Some(file.file_name().to_str()?.strip_suffix(".yaml")?.to_owned()));
    let mut names: Vec<String> = FILES.iter().map(|(name, _)| (*name).to_owned()).chain(own).collect();
    names.sort();
    names.dedup();
    names
}

/// What shows the names.
pub const LIST: &str = "`provost gallery list` shows all";

/// Message and hint for a name that nothing has.
pub fn unknown(name: &str, base: &Path) -> (String, String) {
    let names = names(base);
    let near = nearest(name, names.iter().map(String::as_str));
    let hint = near.map_or_else(|| LIST.to_owned(), |near| format!("did you mean `{near}`?"));
    (format!("the gallery has no application `{name}`"), hint)
}

impl Application {
    pub fn parse(text: &str) -> Result<Self, String> {
        serde_saphyr::from_str(text).map_err(|error| error.to_string())
    }

    /// The settings of a connection: the application's, and the connection's own over them. A dialect is laid over key by
    /// key, unless it is a file.
    pub fn settings_with(&self, own: Map<String, Json>) -> Map<String, Json> {
        let mut settings = self.settings.clone();
        for (key, value) in own {
            match (settings.get_mut(&key), value) {
                (Some(Json::Object(known)), Json::Object(more)) => known.extend(more),
                (_, value) => {
                    settings.insert(key, value);
                }
            }
        }
        settings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_has_every_file_of_the_folder() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../gallery");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .filter_map(|file| Some(file.unwrap().file_name().to_str()?.strip_suffix(".yaml")?.to_owned()))
            .collect();
        files.sort();
        assert_eq!(files, FILES.map(|(name, _)| name.to_owned()));
    }

    #[test]
    fn a_connection_lays_its_own_over_the_application() {
        let application = Application::parse(
            "{title: A, connector: scim, as_of: 2026-11, settings: {url: 'https://a', dialect: {page_size: 10, etag: true}}}",
        )
        .unwrap();
        let Json::Object(own) = serde_json::json!({"token": {"secret": "t"}, "dialect": {"page_size": 20}}) else {
            panic!()
        };
        let settings = Json::Object(application.settings_with(own));
        let want = serde_json::json!({
            "url": "https://a", "token": {"secret": "t"}, "dialect": {"page_size": 20, "etag": true}
        });
        assert_eq!(settings, want);
    }

    #[test]
    fn names_are_no_paths() {
        assert!(text("../Cargo", Path::new(".")).is_none() && text("a/b", Path::new(".")).is_none());
    }
}

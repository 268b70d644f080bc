//! The gallery: every application gives a configuration that stands the checks, and maps only what SCIM has.

// Clippy's permission for tests covers functions marked #[test], not what they call.
#![allow(clippy::unwrap_used, clippy::panic)]

mod run;

use provost_model::AttributePath;
use provost_scim::TypeSchema;
use provost_scim::schema::class_schema;
use run::Folder;
use serde_json::Value as Json;

fn applications() -> Vec<(String, Json)> {
    let folder = Folder::new();
    let names: Json = serde_json::from_str(&folder.run(&["gallery", "list", "--json"]).ok().stdout).unwrap();
    let names = names.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_owned());
    let show = |name: String| {
        let shown = folder.run(&["gallery", "show", &name, "--json"]).ok().stdout;
        (name, serde_json::from_str(&shown).unwrap())
    };
    names.map(show).collect()
}

#[test]
fn what_is_shown_is_a_configuration_without_problems() {
    let folder = Folder::new();
    assert!(folder.run(&["gallery", "check"]).ok().stdout.ends_with("no problems\n"));
    for (name, _) in applications() {
        let shown = folder.run(&["gallery", "show", &name, "--name", "ours"]).ok().stdout;
        folder.write("provost.yaml", &shown);
        let checked = folder.run(&["config", "check"]).ok();
        assert!(checked.stdout.contains("1 connections and 1 jobs, no problems"), "{name}: {}", checked.stdout);
    }
}

#[test]
fn mappings_and_rules_are_of_attributes_that_scim_has() {
    let [user, group] = [TypeSchema::user(), TypeSchema::group()].map(|types| class_schema(&types));
    for (name, application) in applications() {
        let class = |word: &str| if word == "Group" { &group } else { &user };
        let known = |word: &str, key: &str| {
            let path: AttributePath = key.parse().unwrap();
            let own = path.schema.as_ref().is_some_and(|urn| !urn.contains("enterprise"));
            assert!(own || class(word).resolve(&path).is_some(), "{name}: {word} has no {key}");
        };
        for rule in application["objects"].as_array().unwrap() {
            let to = rule["to"].as_str().unwrap();
            rule["attributes"].as_object().unwrap().keys().for_each(|key| known(to, key));
            rule["match"].as_array().unwrap().iter().for_each(|by| known(to, by["target"].as_str().unwrap()));
        }
        let rules = application["settings"]["dialect"]["attributes"].as_object().cloned().unwrap_or_default();
        for (class, attributes) in &rules {
            attributes.as_object().unwrap().keys().for_each(|key| known(class, key));
        }
        assert!(!application["sources"].as_array().unwrap().is_empty(), "{name} says nothing of its facts");
    }
}

#[test]
fn a_connection_may_use_a_file_of_its_own() {
    let folder = Folder::new();
    folder.write(
        "gallery/ours.yaml",
        "{title: Ours, connector: scim, as_of: 2026-11, settings: {url: 'http://app.example'}}",
    );
    folder.write("provost.yaml", "connections: { app: { gallery: ours, token: { secret: t } } }\njobs: {}\n");
    // Its address is read, and found to be unsafe.
    let done = folder.run(&["config", "check"]);
    assert!(done.status == 1 && done.stderr.contains("`url` is not encrypted"), "{}", done.stderr);
    assert!(folder.run(&["gallery", "list"]).ok().stdout.contains("Ours"));
    folder.write("provost.yaml", "connections: { app: { gallery: ours, url: 'https://app.example' } }\njobs: {}\n");
    folder.run(&["config", "check"]).ok();
}

#[test]
fn mistakes_are_told_with_a_hint() {
    let folder = Folder::new();
    folder.write("provost.yaml", "connections: { app: { gallery: slakc } }\njobs: {}\n");
    let done = folder.run(&["config", "check"]);
    assert!(done.stderr.contains("PRV-0112") && done.stderr.contains("did you mean `slack`?"), "{}", done.stderr);
    assert_eq!(folder.run(&["gallery", "show", "slakc"]).status, 64);
    folder.write("gallery/bad.yaml", "{title: Bad, connector: scim, as_of: 2026-11, setings: {}}");
    let done = folder.run(&["gallery", "check", "bad"]);
    assert!(done.status == 1 && done.stderr.contains("PRV-0113") && done.stderr.contains("setings"), "{}", done.stderr);
    folder.write(
        "gallery/bad.yaml",
        "{title: Bad, connector: scim, as_of: 2026-11, settings: {url: 'https://a.example', dialect: {opcase: lower}}}",
    );
    let done = folder.run(&["gallery", "check", "bad"]);
    assert!(done.status == 1 && done.stderr.contains("opcase"), "{}", done.stderr);
}

//! `provost schema`: Entra's synchronization schema through the built binary.

mod run;

use run::Folder;

const SCIM: &str = include_str!("../../entra/tests/schemas/scim.json");
const CONFIG: &str =
    "# kept\nconnections:\n  app: { connector: scim, url: \"https://app.example.org/scim\" }\njobs:\n  # none yet\n";

fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("schema.json", SCIM);
    folder.write("provost.yaml", CONFIG);
    folder
}

const IMPORT: [&str; 10] =
    ["schema", "import", "entra", "schema.json", "--job", "to-app", "--source", "directory", "--target", "app"];

#[test]
fn an_import_prints_a_job_and_lists_what_is_missing() {
    let done = folder().run(&IMPORT).ok();
    assert!(done.stdout.starts_with("jobs:\n  to-app:\n    source: directory\n    target: app\n"), "{}", done.stdout);
    assert!(
        done.stderr.contains("Not carried over:\n  synchronizationRules[0].objectMappings[2] (line "),
        "{}",
        done.stderr
    );
    assert!(done.stderr.contains("hint: `provost config check"), "{}", done.stderr);
}

#[test]
fn an_import_into_a_configuration_keeps_the_rest_and_exports_again() {
    let folder = folder();
    let arguments = [&IMPORT[..], &["--into", "provost.yaml"]].concat();
    folder.run(&arguments).ok();
    let written = std::fs::read_to_string(folder.path("provost.yaml")).unwrap_or_default();
    assert!(written.starts_with(CONFIG) && written.contains("  to-app:\n"), "{written}");
    let again = folder.run(&arguments);
    assert_eq!(again.status, 1);
    assert!(again.stderr.contains("error[PRV-0903]") && again.stderr.contains("`to-app` already"), "{}", again.stderr);

    let first = folder.run(&["schema", "export", "entra", "-", "--job", "to-app", "--offline"]).ok();
    folder.write("schema.json", &first.stdout);
    folder.write("provost.yaml", CONFIG);
    folder.run(&arguments).ok();
    assert_eq!(std::fs::read_to_string(folder.path("provost.yaml")).unwrap_or_default(), written);
}

#[test]
fn a_configuration_with_tables_takes_a_job_too() {
    let folder = folder();
    let shared = "default_domain: example.org\ntables: { countries: { DE: Germany } }\n";
    folder.write("provost.yaml", &format!("{shared}{CONFIG}"));
    folder.run(&[&IMPORT[..], &["--into", "provost.yaml"]].concat()).ok();
    let written = std::fs::read_to_string(folder.path("provost.yaml")).unwrap_or_default();
    assert!(written.starts_with(shared) && written.contains("  to-app:\n"), "{written}");
}

#[test]
fn a_wrong_schema_is_told_by_place() {
    let folder = folder();
    folder.write("schema.json", "{\"synchronizationRules\":\n 7}");
    let done = folder.run(&IMPORT);
    assert_eq!((done.status, done.stdout.as_str()), (1, ""));
    assert!(
        done.stderr.contains("error[PRV-0902]: `synchronizationRules`: expected a list, found a number"),
        "{}",
        done.stderr
    );
    assert!(done.stderr.contains("schema.json:2:2"), "{}", done.stderr);
}

//! A job from file to file through the command line: plan, apply, run, log, explain, and the exit statuses of each.

// Clippy's permission for tests covers functions marked #[test], not what they call.
#![allow(clippy::panic)]

mod run;

use run::Folder;
use serde_json::Value as Json;

const CONFIGURATION: &str = r#"connections:
  hr: { connector: file, path: people.csv, class: person, key: employee_id }
  accounts:
    connector: file
    path: accounts.csv
    class: account
    key: employee_id
    write: true
    enabled: { column: status, on: active, off: left }
jobs:
  hr-to-accounts:
    source: hr
    target: accounts
    objects:
      - from: person
        to: account
        scope: status ne "prospect"
        match: [ { target: employee_id, source: "[employee_id]" } ]
        attributes:
          employee_id: "[employee_id]"
          user_name: ToLower(Join("@", [login], "example.org"))
          name: "[last_name]"
    guards: { disable: { count: 1 } }
"#;

fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("provost.yaml", CONFIGURATION);
    folder.write("accounts.csv", "employee_id,user_name,name,status\n");
    people(&folder, "7,ADA,Lovelace,active\n8,bob,Bobson,active\n9,eve,,prospect\n");
    folder
}

fn people(folder: &Folder, rows: &str) {
    folder.write("people.csv", &format!("employee_id,login,last_name,status\n{rows}"));
}

fn json(text: &str) -> Json {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn a_plan_is_shown_and_applied() {
    let folder = folder();
    let plan = folder.run(&["plan", "hr-to-accounts"]).ok();
    let expected = "hr-to-accounts: initial plan, 2 operations
ACTION  OBJECTS
create        2

create person Lovelace (7): in scope, and nothing matches at the target
    employee_id  7
    name         Lovelace
    user_name    ada@example.org
";
    assert!(plan.stdout.starts_with(expected), "{}", plan.stdout);
    assert!(plan.stderr.contains("hint: `provost apply "), "{}", plan.stderr);

    let plan = folder.run(&["plan", "hr-to-accounts", "--exit-code", "--json", "--limit", "1"]);
    assert_eq!(plan.status, 2, "{}", plan.stderr);
    let plan = json(&plan.stdout);
    assert_eq!((plan["status"].as_str(), plan["operations"].as_array().map(Vec::len)), (Some("planned"), Some(1)));

    let applied = folder.run(&["apply", plan["cycle"].as_str().unwrap()]).ok();
    assert!(applied.stdout.contains("\ncreated        2\n"), "{}", applied.stdout);
    let accounts = std::fs::read_to_string(folder.path("accounts.csv")).unwrap();
    assert!(accounts.contains("7,ada@example.org,Lovelace,active\n"), "{accounts}");

    let empty = folder.run(&["plan", "hr-to-accounts", "--exit-code"]).ok();
    assert!(empty.stdout.contains("plan, 0 operations\n"), "{}", empty.stdout);
    let again = folder.run(&["apply", plan["cycle"].as_str().unwrap()]);
    assert_eq!(again.status, 1, "{}", again.stdout);
    assert!(again.stderr.starts_with("error[PRV-0503]: "), "{}", again.stderr);
}

#[test]
fn a_cycle_is_run_logged_and_explained() {
    let folder = folder();
    let report = json(&folder.run(&["run", "hr-to-accounts", "--json"]).ok().stdout);
    assert_eq!((report["status"].as_str(), report["counts"]["created"].as_u64()), (Some("done"), Some(2)));

    let log = folder.run(&["log", "--json", "--where", "user_name sw \"ada@\""]).ok();
    let lines: Vec<Json> = log.stdout.lines().map(json).collect();
    assert_eq!(lines.len(), 1, "{}", log.stdout);
    assert_eq!((lines[0]["source_id"].as_str(), lines[0]["status"].as_str()), (Some("7"), Some("done")));

    let why = folder.run(&["explain", "hr-to-accounts", "--where", "login eq \"ada\""]).ok();
    for piece in [
        "person Lovelace (7) in job hr-to-accounts",
        "scope: in scope",
        "user_name = ada@example.org",
        "decision: none",
    ] {
        assert!(why.stdout.contains(piece), "no {piece:?} in\n{}", why.stdout);
    }
    let then = folder.run(&["explain", "hr-to-accounts", "--where", "login eq \"ada\"", "--at", "last"]).ok();
    assert!(then.stdout.contains("as of ") && then.stdout.contains("decision: create"), "{}", then.stdout);
    let never = folder.run(&["explain", "hr-to-accounts", "--where", "login eq \"ada\"", "--at", "no-cycle"]);
    assert!(never.stderr.contains("the log has no decision of cycle `no-cycle`"), "{}", never.stderr);
    let nobody = folder.run(&["explain", "hr-to-accounts", "--where", "login eq \"zoe\""]);
    assert_eq!(nobody.status, 1);
    assert!(nobody.stderr.starts_with("error[PRV-0705]: "), "{}", nobody.stderr);
}

#[test]
fn one_object_is_provisioned() {
    let folder = folder();
    let dry = folder.run(&["provision", "hr-to-accounts", "--where", "employee_id eq \"8\"", "--dry-run"]).ok();
    assert!(dry.stdout.starts_with("dry run: create Bobson (8)"), "{}", dry.stdout);
    let done = folder.run(&["provision", "hr-to-accounts", "--where", "employee_id eq \"8\""]).ok();
    assert!(done.stdout.starts_with("done: create Bobson (8)"), "{}", done.stdout);
}

#[test]
fn a_guard_holds_until_somebody_decides() {
    let folder = folder();
    folder.run(&["run", "hr-to-accounts"]).ok();
    people(&folder, "9,eve,,prospect\n");
    let held = folder.run(&["run", "hr-to-accounts"]);
    assert_eq!(held.status, 3, "{}{}", held.stdout, held.stderr);
    assert!(held.stderr.contains("exceed the guard `disable`"), "{}", held.stderr);
    let status = folder.run(&["status"]).ok();
    assert!(status.stdout.contains("accounts  held"), "{}", status.stdout);
    let discarded = json(&folder.run(&["discard", "hr-to-accounts", "--json"]).ok().stdout);
    assert_eq!(discarded["discarded"], 2);
    assert_eq!(folder.run(&["run", "hr-to-accounts"]).status, 3);
    let released = folder.run(&["release", "hr-to-accounts"]).ok();
    assert!(released.stdout.contains("disabled        2\n"), "{}", released.stdout);
}

#[test]
fn an_unreadable_source_fails() {
    let folder = folder();
    std::fs::remove_file(folder.path("people.csv")).unwrap();
    let done = folder.run(&["run", "hr-to-accounts"]);
    assert_eq!(done.status, 1, "{}", done.stdout);
    assert!(done.stderr.starts_with("error[PRV-03"), "{}", done.stderr);
}

#[test]
fn plans_are_listed_compared_and_exported() {
    let folder = folder();
    assert!(folder.run(&["plans"]).ok().stderr.starts_with("no plan waits"));
    people(&folder, "7,ADA,=cmd|' /C calc'!A0,active\n8,bob,<b>Bob</b>,active\n");
    let plan =
        || json(&folder.run(&["plan", "hr-to-accounts", "--json"]).ok().stdout)["cycle"].as_str().unwrap().to_owned();
    let first = plan();
    people(&folder, "7,ADA,Lovelace,active\n9,eve,Evans,active\n");
    let second = plan();

    let list = folder.run(&["plans", "--json"]).ok();
    let list = json(&list.stdout);
    let ids: Vec<&str> = list.as_array().unwrap().iter().map(|plan| plan["plan"].as_str().unwrap()).collect();
    assert_eq!(ids, [second.as_str(), first.as_str()]);
    assert_eq!(list[0]["operations"], serde_json::json!([{ "action": "create", "count": 2 }]));
    assert!(folder.run(&["plans", "--job", "hr-to-accounts"]).ok().stdout.contains("2 create"));

    let shown = folder.run(&["plans", "show", &second, "--where", "source_id eq \"9\""]).ok().stdout;
    assert!(shown.contains("create person Evans (9)") && !shown.contains("Lovelace"), "{shown}");

    let same = folder.run(&["plans", "diff", &first, &first, "--exit-code"]).ok();
    assert_eq!((same.stdout.as_str(), same.stderr.as_str()), ("", "both plans intend the same\n"));
    let differ = folder.run(&["plans", "diff", &first, &second, "--exit-code"]);
    assert_eq!(differ.status, 2, "{}", differ.stderr);
    let signs: Vec<&str> = differ.stdout.lines().filter(|line| !line.starts_with("    ")).collect();
    let want = [
        "person Lovelace (7)",
        "  - create",
        "  + create",
        "person <b>Bob</b> (8)",
        "  - create",
        "person Evans (9)",
        "  + create",
    ];
    assert_eq!(signs, want);

    let csv = folder.run(&["plans", "export", &first, "--format", "csv"]).ok().stdout;
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines[0], "action,class,name,source_id,target_id,reason,attribute,change,before,after");
    assert_eq!(lines.len(), 1 + 2 * 3, "{csv}");
    assert!(csv.contains(",name,set,,'=cmd|'"), "no cell is a formula: {csv}");
    folder.run(&["plans", "export", &first, "--to", "plan.html"]).ok();
    let html = std::fs::read_to_string(folder.path("plan.html")).unwrap();
    assert!(html.contains("&lt;b&gt;Bob&lt;/b&gt;") && !html.contains("<b>"), "{html}");
    let document = json(&folder.run(&["plans", "export", &first, "--format", "json"]).ok().stdout);
    assert_eq!(document["operations"].as_array().unwrap().len(), 2);
    assert_eq!(document["summary"]["job"], "hr-to-accounts");

    let missing = folder.run(&["plans", "show", "nothing"]);
    assert_eq!(missing.status, 64);
    assert!(missing.stderr.contains("hint: `provost plans` lists them"), "{}", missing.stderr);
}

#[test]
fn a_cycle_is_undone() {
    let folder = folder();
    folder.run(&["run", "hr-to-accounts"]).ok();
    let accounts = || std::fs::read_to_string(folder.path("accounts.csv")).unwrap();
    let good = accounts();
    people(&folder, "7,ADA,Byron,active\n8,bob,Bobson,active\n");
    let cycle = json(&folder.run(&["run", "hr-to-accounts", "--json"]).ok().stdout);
    let cycle = cycle["cycle"].as_str().unwrap();
    assert!(accounts().contains("Byron"));

    let dry = folder.run(&["revert", cycle, "--dry-run"]).ok();
    assert!(dry.stdout.starts_with("hr-to-accounts: revert plan, 1 operation\n"), "{}", dry.stdout);
    assert!(dry.stdout.contains("    name  Byron → Lovelace\n"), "{}", dry.stdout);
    assert!(accounts().contains("Byron"));

    let done = folder.run(&["revert", cycle]).ok();
    assert!(done.stdout.starts_with("hr-to-accounts: revert cycle done in "), "{}", done.stdout);
    assert!(done.stderr.contains("hint: mend what the cycle did wrong"), "{}", done.stderr);
    assert_eq!(accounts(), good);
    let nothing = folder.run(&["revert", "nothing"]);
    assert_eq!(nothing.status, 1);
    assert!(nothing.stderr.starts_with("error[PRV-0507]: cycle `nothing` cannot be reverted"), "{}", nothing.stderr);
}

#[test]
fn a_job_is_paused_resumed_and_begun_anew() {
    let folder = folder();
    folder.run(&["pause", "hr-to-accounts", "--reason", "audit"]).ok();
    let refused = folder.run(&["run", "hr-to-accounts"]);
    assert_eq!(refused.status, 1);
    assert!(refused.stderr.contains("error[PRV-0532]: job `hr-to-accounts` is paused since 20"), "{}", refused.stderr);
    assert!(refused.stderr.contains(": audit"), "{}", refused.stderr);
    assert!(refused.stderr.contains("provost resume hr-to-accounts"), "{}", refused.stderr);
    let status: Json = serde_json::from_str(&folder.run(&["status", "--json"]).ok().stdout).unwrap();
    assert_eq!((&status[0]["state"], &status[0]["paused"]["reason"]), (&"paused".into(), &"audit".into()), "{status}");
    folder.run(&["run", "hr-to-accounts", "--even-paused"]).ok();
    folder.run(&["resume", "hr-to-accounts"]).ok();
    let again = folder.run(&["resume", "hr-to-accounts"]).ok();
    assert!(again.stderr.contains("was not paused"), "{}", again.stderr);

    let run = |args: &[&str]| -> Json { serde_json::from_str(&folder.run(args).ok().stdout).unwrap() };
    assert_eq!(run(&["run", "hr-to-accounts", "--json"])["kind"], "incremental");
    let restarted = run(&["restart", "hr-to-accounts", "--json"]);
    assert_eq!((&restarted["watermark"], &restarted["links"]), (&true.into(), &false.into()));
    let cycle = run(&["run", "hr-to-accounts", "--json"]);
    assert_eq!((&cycle["kind"], &cycle["counts"]["created"]), (&"initial".into(), &0.into()), "{cycle}");
    let log =
        folder.run(&["log", "--where", "action eq \"restart\" or action eq \"pause\" or action eq \"resume\""]).ok();
    assert_eq!(log.stdout.lines().count(), 3, "{}", log.stdout);
}

#[test]
fn failed_objects_are_tried_or_left_alone_by_filter() {
    let folder = folder();
    let text = std::fs::read_to_string(folder.path("provost.yaml")).unwrap();
    let spoilt = text.replacen(
        "employee_id: \"[employee_id]\"",
        "employee_id: FormatDateTime([employee_id], , \"yyyy\", \"yyyy\")",
        1,
    );
    assert_ne!(text, spoilt);
    folder.write("provost.yaml", &spoilt);
    let failed = folder.run(&["run", "hr-to-accounts"]);
    assert_eq!(failed.status, 1, "{}", failed.stderr);
    let run = |args: &[&str]| -> Json { serde_json::from_str(&folder.run(args).ok().stdout).unwrap() };
    let all = run(&["retry", "hr-to-accounts", "--dry-run", "--json"]);
    let objects = all["objects"].as_array().unwrap();
    assert!(objects.len() > 1, "{all}");
    let (code, id) = (objects[0]["code"].as_str().unwrap(), objects[0]["source_id"].as_str().unwrap());
    let same = run(&["retry", "hr-to-accounts", "--code", code, "--json"]);
    assert_eq!(same["objects"].as_array().unwrap().len(), objects.len());
    let none = run(&["retry", "hr-to-accounts", "--code", "PRV-0302", "--json"]);
    assert_eq!(none["objects"].as_array().unwrap().len(), 0);
    let one = run(&["ignore", "hr-to-accounts", "--where", &format!("source_id eq \"{id}\""), "--json"]);
    assert_eq!(one["objects"].as_array().unwrap().len(), 1);
    assert_eq!(run(&["status", "--json"])[0]["ignored"], 1);
    assert_eq!(folder.run(&["ignore", "hr-to-accounts", "--where", "nonsense ="]).status, 64);
}

#[test]
fn a_case_is_shown_and_answered() {
    let folder = folder();
    let asking = CONFIGURATION.replacen("- from: person\n", "- from: person\n        situations: { new: ask }\n", 1);
    assert_ne!(asking, CONFIGURATION);
    folder.write("provost.yaml", &asking);
    let run = |args: &[&str]| -> Json { serde_json::from_str(&folder.run(args).ok().stdout).unwrap() };
    let all = |json: &Json| json.as_array().unwrap().len();
    assert_eq!(folder.run(&["run", "hr-to-accounts"]).status, 1);
    let cases = run(&["cases", "hr-to-accounts", "--json"]);
    assert!(all(&cases) > 1, "{cases}");
    let id = cases[0]["source_id"].as_str().unwrap();
    assert_eq!(run(&["cases", "show", "hr-to-accounts", id, "--json"])["candidates"], serde_json::json!([]));
    let shown = folder.run(&["cases", "show", "hr-to-accounts", id]).ok();
    assert!(
        shown.stdout.contains("[PRV-0541]") && shown.stderr.contains("--create"),
        "{} {}",
        shown.stdout,
        shown.stderr
    );
    assert_eq!(folder.run(&["cases", "resolve", "hr-to-accounts", id]).status, 64, "which answer?");
    let refused = folder.run(&["cases", "resolve", "hr-to-accounts", "nobody", "--create"]);
    assert!(refused.stderr.contains("error[PRV-0542]"), "{}", refused.stderr);
    let answered = run(&["cases", "resolve", "hr-to-accounts", id, "--create", "--json"]);
    assert_eq!(answered["answer"]["reaction"], "create", "{answered}");
    let cycle = folder.run(&["run", "hr-to-accounts", "--json"]);
    let cycle: Json = serde_json::from_str(&cycle.stdout).unwrap();
    assert_eq!(cycle["counts"]["created"], 1, "{cycle}");
    assert_eq!(all(&run(&["cases", "--json"])), all(&cases) - 1);
}

#[test]
fn what_is_released_always_is_shown_until_it_is_ended() {
    let folder = folder();
    folder.run(&["run", "hr-to-accounts"]).ok();
    people(&folder, "7,ADA,Lovelace,prospect\n8,bob,Bobson,prospect\n");
    folder.run(&["run", "hr-to-accounts"]);
    folder.run(&["release", "hr-to-accounts", "--always"]).ok();
    let status = folder.run(&["status"]).ok();
    let expected = "up to 2 of 2 linked objects (100.0 %) for the guard `disable`";
    assert!(status.stderr.contains(expected), "{}", status.stderr);
    let data = json(&folder.run(&["status", "--json"]).ok().stdout);
    let exception = &data[0]["exceptions"][0];
    assert_eq!((&exception["guard"], &exception["operations"]), (&"disable".into(), &2.into()), "{data}");
    assert_eq!(exception["ended"], false, "{data}");
    assert!(folder.run(&["plans"]).ok().stderr.contains(expected));
    let doctor = folder.run(&["doctor"]);
    assert!(
        doctor.stdout.contains("warn job hr-to-accounts: released always") && doctor.stdout.contains(expected),
        "{}",
        doctor.stdout
    );
    folder.write("provost.yaml", &CONFIGURATION.replace("{ count: 1 }", "{ count: 0 }"));
    let data = json(&folder.run(&["status", "--json"]).ok().stdout);
    assert_eq!(data[0]["exceptions"][0]["ended"], true, "{data}");
    let reset = folder.run(&["guard", "reset", "hr-to-accounts"]).ok();
    assert!(reset.stderr.contains("1 exception"), "{}", reset.stderr);
    let data = json(&folder.run(&["status", "--json"]).ok().stdout);
    assert_eq!(data[0]["exceptions"], Json::Array(Vec::new()), "{data}");
}

#[test]
fn old_records_are_thrown_away_as_configured() {
    let folder = folder();
    folder.run(&["run", "hr-to-accounts"]).ok();
    // How big it is, and since when there is a log.
    let (status, doctor) = (folder.run(&["status"]).ok().stderr, folder.run(&["doctor"]).stdout);
    for told in [&status, &doctor] {
        assert!(told.contains(" MiB, of which ") && told.contains("log since 2"), "{told}");
    }
    let told = folder.run(&["prune"]).ok();
    assert!(
        told.stderr.contains("nothing is older than it is kept (log 400d, plans 90d, pushes 90d, deleted 90d)"),
        "{}",
        told.stderr
    );
    people(&folder, "7,ADA,Byron,active\n8,bob,Bobson,active\n");
    folder.run(&["run", "hr-to-accounts"]).ok();
    folder.write("provost.yaml", &format!("{CONFIGURATION}retention: {{ log: 1ms }}\n"));
    let counted = json(&folder.run(&["prune", "--dry-run", "--json"]).ok().stdout);
    assert_eq!(counted["dry_run"], true, "{counted}");
    // The create of somebody who was changed since.
    assert!(counted["events"].as_u64() > Some(0), "{counted}");
    let gone = json(&folder.run(&["prune", "--json"]).ok().stdout);
    assert_eq!(gone["events"], counted["events"], "{gone}");
    folder.write("provost.yaml", &format!("{CONFIGURATION}retention: {{ logs: 1d }}\n"));
    let wrong = folder.run(&["prune"]);
    assert!(wrong.stderr.contains("PRV-0104") && wrong.stderr.contains("did you mean `log`"), "{}", wrong.stderr);
}

#[test]
fn the_record_is_told_when_the_source_is_gone() {
    let folder = folder();
    folder.run(&["run", "hr-to-accounts"]).ok();
    std::fs::remove_file(folder.path("people.csv")).unwrap_or_else(|error| panic!("{error}"));
    let told = folder.run(&["explain", "hr-to-accounts", "--where", "employee_id eq \"7\""]).ok();
    for part in
        ["only the record is told: ", "people.csv", "history, newest first", "create done", "the job runs by hand"]
    {
        assert!(told.stdout.contains(part), "{part}: {}", told.stdout);
    }
    let data =
        json(&folder.run(&["explain", "hr-to-accounts", "--where", "employee_id eq \"7\"", "--json"]).ok().stdout);
    assert_eq!(data[0]["history"][0]["action"], "create", "{data}");
    assert_eq!(data[0]["upcoming"][0]["what"], "cycle", "{data}");
}

//! What `provost config check` and `provost test` say about a configuration: each mistake by its place, several at once.

mod run;

use run::Folder;

/// A configuration in which one thing at a time is spoilt.
const GOOD: &str = r#"connections:
  hr: { connector: file, path: people.csv, class: person, key: employee_id }
  app: { connector: directory, database: app.db }
jobs:
  hr-to-directory:
    source: hr
    target: directory
    schedule: { on: change, every: 5m }
    objects:
      - from: person
        to: User
        scope: status ne "prospect"
        match: [ { target: externalId, source: "[employee_id]" } ]
        attributes:
          userName: ToLower(Join("@", [login], "example.org"))
          name.familyName: "[last_name]"
          active: IIF([status] = "terminated", "False", "True")
        leavers: { out_of_scope: disable, deleted: { disable: now, delete: 30d } }
    guards: { delete: { count: 50, percent: 5 }, disable: { percent: 20 } }
    tests:
      - given: { employee_id: "7", login: ADA, last_name: Lovelace, status: active }
        expect: { userName: ada@example.org, active: true }
"#;

/// What the check says about the good text with one piece replaced.
fn check(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "`{from}` is not in the text");
    let folder = Folder::new();
    folder.write("provost.yaml", &GOOD.replacen(from, to, 1));
    let done = folder.run(&["config", "check"]);
    assert_eq!((done.status, done.stdout.as_str()), (1, ""), "`{from}` -> `{to}`: {}", done.stderr);
    done.stderr
}

#[test]
fn a_good_configuration_passes() {
    let folder = Folder::new();
    folder.write("provost.yaml", GOOD);
    let done = folder.run(&["config", "check"]).ok();
    assert_eq!(done.stdout, "provost.yaml: 2 connections and 1 jobs, no problems\n");
    let json = folder.run(&["config", "check", "--json"]).ok();
    assert_eq!(json.stdout, "{\n  \"ok\": true,\n  \"problems\": []\n}\n");
}

#[test]
fn a_schedule_with_times_and_windows_is_checked() {
    let schedule = "schedule: { on: change, every: 5m }";
    for (to, place, said, hint) in [
        ("schedule: { cron: \"0 25 * * *\" }", "8:", "value must be in range 0..=23; found 25", "minute, hour"),
        ("schedule: { cron: [\"0 6 * * *\", \"0 6 * *\"] }", "8:", "five fields, not 4", "minute, hour"),
        (
            "schedule: { every: 5m, timezone: Europe/Zuerich }",
            "8:",
            "no time zone `Europe/Zuerich`",
            "`Europe/Zurich`?",
        ),
        ("schedule: { every: 5m, blackout: \"Mo 08:00-12:00\" }", "8:", "`Mo` is no day", "Mon-Fri 08:00-12:00"),
    ] {
        let told = check(schedule, to);
        let begins = format!(" --> provost.yaml:{place}");
        assert!(told.starts_with("error[PRV-0116]: ") && told.contains(&begins), "{told}");
        assert!(told.contains(said) && told.contains(hint), "{told}");
    }
    let folder = Folder::new();
    let good = "schedule: { cron: \"0 6 * * 1-5\", timezone: Europe/Zurich, blackout: [\"22:00-05:00\", \"2026-12-24..2027-01-02\"] }
    escrow: { retry: [6h, 12h, 24h], give_up: 14d }
    quarantine: { failures: 3, retry: [1h, 24h] }";
    folder.write("provost.yaml", &GOOD.replacen(schedule, good, 1));
    folder.run(&["config", "check"]).ok();
}

#[test]
fn an_unknown_key_names_the_nearest_one() {
    assert_eq!(
        check("    source: hr", "    source: hr\n    shedule: { every: 5m }"),
        "error[PRV-0104]: unknown key `shedule` in `jobs.hr-to-directory`
 --> provost.yaml:7:5
  |
7 |     shedule: { every: 5m }
  |     ^^^^^^^
hint: did you mean `schedule`?
"
    );
}

#[test]
fn each_mistake_has_its_place_and_hint() {
    for (from, to, wanted) in [
        ("jobs:", "server: { listen: here }\njobs:", &["PRV-0105", "provost.yaml:4:19", "`server.listen`"][..]),
        ("jobs:", "job:", &["PRV-0104", "provost.yaml:4:1", "did you mean `jobs`?"]),
        ("connector: file", "connector: fiel", &["PRV-0108", "provost.yaml:2:20", "did you mean `file`?"]),
        ("path: people.csv", "pat: people.csv", &["PRV-0104", "provost.yaml:2:26", "^^^\n", "did you mean `path`?"]),
        ("{ connector: file,", "{", &["PRV-0106", "provost.yaml:2:3", "`connector`"]),
        ("database: app.db", "data: app.db", &["PRV-0104", "provost.yaml:3:32", "^^^^\n"]),
        ("target: directory", "target: directry", &["PRV-0107", "provost.yaml:7:13", "did you mean `directory`?"]),
        ("    source: hr\n", "", &["PRV-0106", "provost.yaml:5:3", "the key `source` is missing"]),
        (
            "count: 50",
            "count: fifty",
            &["PRV-0105", "provost.yaml:19:32", "expected a whole number, found the text `fifty`"],
        ),
        ("every: 5m", "every: 5 minutes", &["PRV-0105", "provost.yaml:8:36", "`5 minutes` is no period"]),
        ("on: change", "on: chnge", &["PRV-0105", "provost.yaml:8:21", "did you mean `change`?"]),
        (
            "out_of_scope: disable",
            "out_of_scope: remove",
            &["PRV-0105", "provost.yaml:18:34", "expected disable, delete, {disable: now"],
        ),
        ("from: person", "from: [person]", &["PRV-0105", "provost.yaml:10:15", "expected a text, found a list"]),
        ("scope: status ne", "scope: status nee", &["PRV-0201", "provost.yaml:12:23"]),
        ("\"[last_name]\"", "\"[last_name\"", &["PRV-0202", "provost.yaml:16:29", "^^^^^^^^^^\n"]),
        ("ToLower(", "ToLowr(", &["PRV-0203", "provost.yaml:15:21", "^^^^^^\n", "did you mean `ToLower`?"]),
        ("target: directory", "target: hr", &["PRV-0110", "provost.yaml:7:13"]),
        ("  hr:", "  directory:", &["PRV-0110", "provost.yaml:2:3"]),
    ] {
        let said = check(from, to);
        for piece in wanted {
            assert!(said.contains(piece), "`{from}` -> `{to}`: no {piece:?} in\n{said}");
        }
    }
}

#[test]
fn types_of_the_directory_are_checked() {
    let badge = "directory:\n  schemas: [{ id: 'urn:example:Badge', attributes: [{ name: number }] }]\n";
    let type_ = |text: &str| format!("{badge}  resource_types: [{{ {text} }}]\njobs:");
    let good = Folder::new();
    let text = type_("name: Badge, endpoint: /Badges, schema: 'urn:example:Badge'");
    good.write("provost.yaml", &GOOD.replacen("jobs:", &text, 1));
    good.run(&["config", "check"]).ok();
    let mistakes = [
        (
            type_("name: Badge, endpoint: /Badges, schema: 'urn:example:Bage'"),
            &["PRV-0111", ":6:", "urn:example:Bage"][..],
        ),
        (type_("name: Badge, endpoint: /Users, schema: 'urn:example:Badge'"), &["PRV-0111", "`/Users` is taken"]),
        (type_("name: user, endpoint: /Badges, schema: 'urn:example:Badge'"), &["PRV-0111", "`user` already"]),
        (type_("name: Badge, endpoint: /Badges, shema: x"), &["PRV-0104", "did you mean `schema`?"]),
        (
            format!("{badge}  extensions: {{ Usr: ['urn:example:Badge'] }}\njobs:"),
            &["PRV-0111", "did you mean `User`?"],
        ),
        (format!("{badge}  indexes: {{ User: [nickname, nick] }}\njobs:"), &["PRV-0111", "no attribute `nick`"]),
        (format!("{badge}  index: {{}}\njobs:"), &["PRV-0104", "did you mean `indexes`?"]),
        ("directory: { schemas: [none.json] }\njobs:".into(), &["PRV-0111", ":4:24", "none.json"]),
        (
            "directory: { schemas: [{ id: 'urn:a:B', attributes: [{ name: a, type: txt }] }] }\njobs:".into(),
            &["PRV-0111", "attributes[0].type: \"txt\""],
        ),
    ];
    for (to, wanted) in mistakes {
        let said = check("jobs:", &to);
        for part in wanted {
            assert!(said.contains(part), "{to}: {part} is not in\n{said}");
        }
    }
}

#[test]
fn a_key_that_stands_there_twice_is_refused() {
    assert_eq!(
        check("    target: directory\n", "    target: directory\n    source: hr\n"),
        "error[PRV-0103]: the key `source` stands here a second time
 --> provost.yaml:8:5
  |
8 |     source: hr
  |     ^^^^^^
hint: keep one `source`
"
    );
}

#[test]
fn broken_yaml_is_underlined() {
    let said = check("    target: directory\n", "   target: directory\n");
    assert!(said.starts_with("error[PRV-0102]: "), "{said}");
    assert!(said.contains(" --> provost.yaml:7:"), "{said}");
    assert!(said.contains("|    target: directory\n"), "{said}");
}

#[test]
fn several_problems_come_at_once() {
    let folder = Folder::new();
    let text = GOOD.replace("ToLower(", "ToLowr(").replace("path:", "pth:").replace("every: 5m", "every: often");
    folder.write("provost.yaml", &text.replace("    guards:", "    gards: {}\n    guards:"));
    let done = folder.run(&["config", "check", "--json"]);
    assert_eq!(done.status, 1);
    let report: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    let problems = report["problems"].as_array().unwrap();
    let lines: Vec<u64> = problems.iter().map(|problem| problem["line"].as_u64().unwrap()).collect();
    assert!(lines.is_sorted(), "{lines:?}");
    for line in [2, 8, 19] {
        assert!(lines.contains(&line), "no problem of line {line} in {report:#}");
    }
}

#[test]
fn a_missing_file_says_what_to_do() {
    let done = Folder::new().run(&["config", "check"]);
    assert_eq!(done.status, 1);
    assert!(
        done.stderr.starts_with("error[PRV-0101]: cannot read the configuration `provost.yaml`"),
        "{}",
        done.stderr
    );
    assert!(done.stderr.contains("hint: name the configuration with --config FILE"), "{}", done.stderr);
}

#[test]
fn the_examples_of_a_configuration_are_run() {
    let folder = Folder::new();
    folder.write("provost.yaml", GOOD);
    let done = folder.run(&["test"]).ok();
    assert_eq!(done.stdout, "ok   hr-to-directory tests[0]  provost.yaml:21\n1 passed, 0 failed\n");

    let wrong = GOOD.replace("userName: ada@example.org, active: true", "userName: ada@example.com, actve: true");
    folder.write("provost.yaml", &wrong);
    let done = folder.run(&["test"]);
    assert_eq!(done.status, 1);
    assert_eq!(
        done.stdout,
        "FAIL hr-to-directory tests[0]  provost.yaml:21
       actve: no mapping gives it; did you mean `active`?
       userName: expected ada@example.com, got ada@example.org
0 passed, 1 failed
"
    );
    folder.write("provost.yaml", &GOOD.replace("status: active }", "status: prospect }"));
    let done = folder.run(&["test"]);
    assert!(done.stdout.contains("the object is out of scope: status ne \"prospect\" [prospect]"), "{}", done.stdout);
}

/// What the check says about the good text with one piece replaced, with the file that it reads beside it.
fn check_with_file(from: &str, to: &str) -> run::Done {
    assert!(GOOD.contains(from), "`{from}` is not in the text");
    let folder = Folder::new();
    folder.write("people.csv", "employee_id,login,last_name,status,mails\n7,ada,Lovelace,active,a@x|b@x\n");
    folder.write("provost.yaml", &GOOD.replacen(from, to, 1));
    folder.run(&["config", "check"])
}

#[test]
fn what_is_known_without_a_connection_is_checked() {
    let key = "          userName: ToLower(Join(\"@\", [login], \"example.org\"))";
    for (to, wanted) in [
        (
            "          id: \"[login]\"\n          userName: \"[login]\"",
            "error[PRV-0523]: the target attribute `id` is read-only
  --> provost.yaml:15:11
   |
15 |           id: \"[login]\"
   |           ^^
hint: remove the mapping: the target gives this value itself
",
        ),
        (
            "          userName: Join(\"é\", [logn])",
            "error[PRV-0521]: the source class `person` has no attribute `logn`
  --> provost.yaml:15:31
   |
15 |           userName: Join(\"é\", [logn])
   |                               ^^^^^^
hint: did you mean `[login]`?
",
        ),
        (
            "          userName: >-\n            Join(\"é\",\n              [logn])",
            "error[PRV-0521]: the source class `person` has no attribute `logn`
  --> provost.yaml:17:15
   |
17 |               [logn])
   |               ^^^^^^
hint: did you mean `[login]`?
",
        ),
        (
            "          userName: |\n            Join(\"é\",\n              ToLowr([login]))",
            "error[PRV-0203]: unknown function `ToLowr`
  --> provost.yaml:17:15
   |
17 |               ToLowr([login]))
   |               ^^^^^^
hint: did you mean `ToLower`?
",
        ),
        (
            "          userName: 'Join(\"''\", ToLowr([login]))'",
            "error[PRV-0203]: unknown function `ToLowr`
  --> provost.yaml:15:33
   |
15 |           userName: 'Join(\"''\", ToLowr([login]))'
   |                                 ^^^^^^
hint: did you mean `ToLower`?
",
        ),
        (
            "          userName: \"Join(\\\"é\\\", ToLowr([login]))\"",
            "error[PRV-0203]: unknown function `ToLowr`
  --> provost.yaml:15:34
   |
15 |           userName: \"Join(\\\"é\\\", ToLowr([login]))\"
   |                                  ^^^^^^
hint: did you mean `ToLower`?
",
        ),
    ] {
        let done = check_with_file(key, to);
        assert_eq!((done.status, done.stdout.as_str(), done.stderr.as_str()), (1, "", wanted), "{to}");
    }
    check_with_file(key, key).ok();
}

#[test]
fn a_list_where_one_value_is_needed_is_a_warning() {
    let folder = Folder::new();
    folder.write("people.csv", "employee_id,login,last_name,status,mails\n7,ada,Lovelace,active,a@x|b@x\n");
    let text = GOOD
        .replace("key: employee_id }", "key: employee_id, multi: { mails: \"|\" } }")
        .replace("\"[last_name]\"", "Left([last_name], 3) & [mails]");
    folder.write("provost.yaml", &text);
    let done = folder.run(&["config", "check"]).ok();
    assert_eq!(done.stdout, "provost.yaml: 2 connections and 1 jobs, 1 warning\n");
    assert!(
        done.stderr.starts_with("warning[PRV-0212]: `&` takes one value, and this may be several\n"),
        "{}",
        done.stderr
    );
    let json = folder.run(&["config", "check", "--json"]).ok();
    let report: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(report["ok"], true);
    let problem = &report["problems"][0];
    assert_eq!((problem["severity"].as_str(), problem["length"].as_u64()), (Some("warning"), Some(7)));
    assert_eq!((problem["line"].as_u64(), problem["column"].as_u64()), (Some(16), Some(51)));
}

#[test]
fn expr_and_filter_list_every_mistake_as_data() {
    let done = run::provost(&["expr", "Foo(\"é\") & Bar(1)", "--json"]);
    assert_eq!(done.status, 1);
    let report: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    let columns: Vec<_> =
        report["errors"].as_array().unwrap().iter().map(|each| each["column"].as_u64().unwrap()).collect();
    assert_eq!(columns, [1, 12]);
    assert_eq!(report["errors"][0]["length"], 3);
    let done = run::provost(&["filter", "é is 1", "--record", "{}", "--json"]);
    let report: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(
        (report["errors"][0]["column"].as_u64(), report["errors"][0]["code"].as_str()),
        (Some(3), Some("PRV-0201"))
    );
}

/// What mappings take from outside stands in the configuration, and its examples can set it.
#[test]
fn tables_domains_and_what_a_test_sets() {
    let text = r#"default_domain: example.org
tables:
  countries: { DE: Germany, FR: France }
  sites: { file: sites.csv, key: code, value: city }
connections:
  hr: { connector: file, path: people.csv, class: person, key: id }
jobs:
  hr-to-directory:
    source: hr
    target: directory
    objects:
      - from: person
        to: User
        scope: status ne "prospect"
        match: [ { target: externalId, source: "[id]" } ]
        attributes:
          externalId: "[id]"
          userName: { value: 'SelectUniqueValue([login], [login] & "@" & DefaultDomain())', apply: create }
          title: Lookup("countries", [country], "abroad")
          nickName: IIF([site] = "none", IgnoreAttributeFlow, Lookup("sites", [site]))
          active: 'IIF([status] = "odd", Error("odd status"), IIF([since] = Now(), "True", "False"))'
    tests:
      - given: { id: 1, login: ada, country: DE, site: L }
        taken: [ ADA ]
        expect: { userName: ada@example.org, title: Germany, nickName: London }
      - { given: { id: 1, login: ada, site: none }, domain: x.org, taken: [ ada ], expect: { userName: ada@x.org, title: abroad, nickName: { ignored: true } } }
      - { given: { id: 1, since: "2025-01-31" }, now: 2025-01-31T00:00:00Z, expect: { active: true } }
      - { given: { id: 1, status: prospect }, out_of_scope: true }
      - { given: { id: 1, status: odd }, error: PRV-0223 }
      - { given: { id: 1, status: odd }, error: odd status }
      - { given: { id: 1, login: ada }, taken: [ ada, ada@example.org ], error: PRV-0224 }
"#;
    let folder = Folder::new();
    folder.write("people.csv", "id,login\n1,ada\n");
    folder.write("sites.csv", "code,city\nL,London\n");
    folder.write("provost.yaml", text);
    let done = folder.run(&["test"]).ok();
    assert!(done.stdout.contains("7 passed, 0 failed"), "{}", done.stdout);

    // The same tests fail when the rules say otherwise.
    folder.write("provost.yaml", &text.replace("out_of_scope: true", "ignored: true").replace("[ ADA ]", "[]"));
    let done = folder.run(&["test"]);
    assert!(done.stdout.contains("5 passed, 2 failed"), "{}", done.stdout);
    assert!(
        done.stdout.contains("expected that the rules ignore the object; the object is out of scope"),
        "{}",
        done.stdout
    );

    for (from, to, said) in [
        ("default_domain: example.org\n", "", "PRV-0225"),
        ("Lookup(\"countries\"", "Lookup(\"country\"", "did you mean `countries`?"),
        ("value: city", "value: town", "it has no column `town`"),
        ("sites.csv", "nowhere.csv", "PRV-0115"),
        ("DE: Germany", "DE: [Germany]", "PRV-0105"),
    ] {
        folder.write("provost.yaml", &text.replace(from, to));
        let done = folder.run(&["config", "check"]);
        assert!(format!("{}{}", done.stdout, done.stderr).contains(said), "{from}: {}{}", done.stdout, done.stderr);
    }
}

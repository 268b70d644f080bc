//! The command line as scripts and people meet it: whole outputs of the built binary, on stdout and stderr apart.
// Clippy's permission for tests covers functions marked #[test], not what they call.
#![allow(clippy::unwrap_used)]

mod run;

use run::{Folder, provost};

#[test]
fn help_lists_the_commands() {
    let done = provost(&["--help"]).ok();
    for command in [
        "config",
        "test",
        "plan",
        "apply",
        "run",
        "provision",
        "explain",
        "log",
        "release",
        "discard",
        "serve",
        "quickstart",
        "serve",
        "quickstart",
        "status",
        "expr",
        "filter",
        "schema",
        "token",
        "secret",
        "connector",
        "doctor",
    ] {
        assert!(done.stdout.contains(&format!("\n  {command} ")), "{command} is missing in:\n{}", done.stdout);
    }
    assert!(done.stdout.contains("Exit status: 0 done; 1 failed"), "{}", done.stdout);
}

#[test]
fn bad_usage_ends_with_64() {
    for arguments in [
        &["frobnicate"][..],
        &[],
        &["plan"],
        &["expr"],
        &["run", "job", "--full", "--reconcile"],
        &["filter", "a eq"],
        &["expr", "[a]", "--attributes", "{"],
        &["expr", "--help-function", "Joinn"],
        &["expr", "--help", "Joinn"],
        &["log", "--since", "yesterday"],
    ] {
        let done = provost(arguments);
        assert_eq!(done.status, 64, "{arguments:?}: {}{}", done.stdout, done.stderr);
        assert!(!done.stderr.is_empty() && done.stdout.is_empty(), "{arguments:?}");
    }
}

#[test]
fn an_expression_gives_its_value() {
    let ada = r#"{"login": "ADA", "tags": ["x", "y"]}"#;
    for (expression, stdout) in [
        ("ToLower([login])", "ada\n"),
        ("[tags]", "[\"x\",\"y\"]\n"),
        ("[nobody]", "null\n"),
        ("IgnoreAttributeFlow", "IgnoreAttributeFlow\n"),
    ] {
        assert_eq!(provost(&["expr", expression, "--attributes", ada]).ok().stdout, stdout, "{expression}");
    }
    let piped = run::provost_with(&["expr", "[login]", "--attributes", "-", "--json"], ada).ok();
    assert_eq!(piped.stdout, "{\n  \"value\": \"ADA\"\n}\n");
    let trace = provost(&["expr", "ToLower([login])", "--attributes", ada, "--trace"]).ok();
    assert_eq!(trace.stdout, "ToLower([login]) = \"ada\"\n  [login] = \"ADA\"\n");
}

#[test]
fn a_wrong_expression_is_underlined() {
    let done = provost(&["expr", r#"ToLowr([login])"#]);
    assert_eq!(done.status, 1);
    assert_eq!(
        done.stderr,
        "error[PRV-0203]: unknown function `ToLowr`
 --> EXPR:1:1
  |
1 | ToLowr([login])
  | ^^^^^^
hint: did you mean `ToLower`?
"
    );
}

#[test]
fn a_batch_of_expressions_answers_each_line() {
    let input = r#"{"expression": "ToUpper([a])", "attributes": {"a": "zoë"}}
no json

{"expression": "Nonsense([a])", "attributes": {}}
{"expression": "IIF([a] = \"x\", IgnoreObjectFlow, IgnoreAttributeFlow)", "attributes": {"a": "x"}}
{"expression": "IIF([a] = \"x\", IgnoreObjectFlow, IgnoreAttributeFlow)", "attributes": {"a": "y"}}
{"expression": "SelectUniqueValue([a], [a] & \"1\")", "attributes": {"a": "ada"}, "taken": ["Ada"]}
{"expression": "Now()", "attributes": {}, "now": "2031-05-01T00:00:00Z"}
{"attributes": {}}
"#;
    let done = run::provost_with(&["expr", "--batch"], input).ok();
    let lines: Vec<serde_json::Value> = done.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let error = |at: usize| lines[at]["error"].as_str().unwrap_or_else(|| panic!("line {at}: {}", lines[at]));
    assert_eq!(lines.len(), 8, "{}", done.stdout);
    assert_eq!(lines[0], serde_json::json!({"value": "ZOË"}));
    assert!(error(1).starts_with("PRV-0706: the line cannot be read"), "{}", error(1));
    assert!(error(2).starts_with("PRV-0203: unknown function `Nonsense`"), "{}", error(2));
    assert_eq!(lines[3], serde_json::json!({"ignored": "object"}));
    assert_eq!(lines[4], serde_json::json!({"ignored": "attribute"}));
    assert_eq!(lines[5], serde_json::json!({"value": "ada1"}));
    assert_eq!(lines[6], serde_json::json!({"value": "5/1/2031 12:00:00 AM"}));
    assert!(error(7).contains("missing field `expression`"), "{}", error(7));
}

#[test]
fn a_batch_of_filters_answers_each_line() {
    let input = r#"{"filter": "status eq \"active\"", "record": {"Status": "ACTIVE"}}
{"filter": "level ge 5", "record": {"level": 4}}
{"filter": "level gee 5", "record": {"level": 4}}
{"filter": "level ge 5"}
[1]
"#;
    let done = run::provost_with(&["filter", "--batch"], input).ok();
    let lines: Vec<&str> = done.stdout.lines().collect();
    assert_eq!(lines.len(), 5, "{}", done.stdout);
    assert_eq!(&lines[..2], ["{\"matches\":true}", "{\"matches\":false}"]);
    for line in &lines[2..] {
        assert!(line.starts_with("{\"error\":\"PRV-0"), "{line}");
    }
    assert_eq!(provost(&["filter", "a pr", "--record", "{\"a\": 1}"]).ok().stdout, "true\n");
}

#[test]
fn functions_are_documented() {
    let all = provost(&["expr", "--help-function"]).ok().stdout;
    assert!(all.contains("ToLower(") && all.contains("SelectUniqueValue("), "{all}");
    let join = provost(&["expr", "--help-function", "join"]).ok().stdout;
    assert!(join.starts_with("Join(separator, source, …)\n"), "{join}");
    let switch = provost(&["expr", "--help", "switch"]).ok().stdout;
    assert!(switch.starts_with("Switch(source, defaultValue?, key, value?, …)\n\nThe value behind"), "{switch}");
    assert!(
        switch.contains("\n- ") && switch.contains("\n    on {\"state\":\"QLD\"}\n    = \"Brisbane\"\n"),
        "{switch}"
    );
    let unique = provost(&["expr", "-h", "SelectUniqueValue"]).ok().stdout;
    assert!(unique.contains("\n    where ada is taken\n    = \"ada1\"\n"), "{unique}");
    let unknown = provost(&["expr", "--help", "Joinn"]);
    assert!(unknown.stderr.contains("did you mean `Join`?"), "{}", unknown.stderr);
}

#[test]
fn help_of_expr_is_still_the_usage() {
    for flag in ["--help", "-h"] {
        let usage = provost(&["expr", flag]).ok().stdout;
        assert!(usage.starts_with("Try a mapping expression\n\nUsage: provost expr "), "{usage}");
        assert!(usage.contains("--attributes") && usage.contains("Examples:"), "{usage}");
    }
    assert!(provost(&["help", "expr"]).ok().stdout.contains("Usage: provost expr "));
}

#[test]
fn secrets_and_tokens_are_kept_and_not_shown() {
    let folder = Folder::new();
    // In a folder of nobody's nothing is made.
    for arguments in
        [&["secret", "set", "slack-token"][..], &["token", "create", "--name", "entra"], &["token", "list"]]
    {
        let lost = folder.run_with(arguments, "x\n");
        assert!(
            lost.status == 1 && lost.stderr.contains("PRV-0710") && !folder.path("data").exists(),
            "{}",
            lost.stderr
        );
    }
    folder.write("provost.yaml", "");
    let set = folder.run_with(&["secret", "set", "slack-token"], "xoxb-very-secret\n").ok();
    assert_eq!((set.stdout.as_str(), set.stderr.as_str()), ("", "the secret `slack-token` is kept\n"));
    let empty = folder.run_with(&["secret", "set", "slack-token"], "\n");
    assert_eq!(empty.status, 64, "{}", empty.stderr);
    let token = folder.run(&["token", "create", "--name", "entra", "--days", "30", "--json"]).ok();
    let token: serde_json::Value = serde_json::from_str(&token.stdout).unwrap();
    assert!(token["token"].as_str().unwrap().starts_with("prv_") && token["expires"].is_string(), "{token}");
}

#[test]
fn tokens_are_listed_rotated_and_revoked() {
    let folder = Folder::new();
    folder.write("provost.yaml", "");
    let json = |arguments: &[&str]| -> serde_json::Value {
        let mut all = arguments.to_vec();
        all.push("--json");
        serde_json::from_str(&folder.run(&all).ok().stdout).unwrap()
    };
    let settings =
        ["--rights", "scim:read scim:write:User", "--types", "User,Group", "--rate", "20", "--preset", "entra"];
    let settings = [&settings[..], &["--with", "old-urns,no-members-in-patch", "--without", "op-case"]].concat();
    folder.run(&[&["token", "create", "--name", "entra", "--days", "30"][..], &settings].concat()).ok();
    let first = &json(&["token", "list"])[0];
    let client = serde_json::json!({ "types": ["User", "Group"], "rate": 20.0, "preset": "entra",
        "with": ["old-urns", "no-members-in-patch"], "without": ["op-case"] });
    assert_eq!((&first["client"], &first["state"], &first["last_used"]), (&client, &"active".into(), &().into()));
    assert!(!folder.run(&["token", "list"]).ok().stdout.contains("prv_"), "a token is shown once");

    let rotated = folder.run(&["token", "rotate", "entra", "--overlap", "0s"]).ok();
    assert!(rotated.stdout.starts_with("prv_"), "{}", rotated.stdout);
    let tokens = json(&["token", "list"]);
    assert_eq!((&tokens[0]["state"], &tokens[1]["state"]), (&"expired".into(), &"active".into()));
    assert_eq!((&tokens[1]["client"], &tokens[1]["rights"]), (&client, &"scim:read scim:write:User".into()));
    assert!(tokens[1]["expires"].is_string(), "as long as the one before");

    let near = folder.run(&["token", "revoke", "entrra"]);
    assert!(near.status == 1 && near.stderr.contains("did you mean `entra`?"), "{}", near.stderr);
    folder.run(&["token", "revoke", "entra"]).ok();
    assert_eq!(json(&["token", "list"])[1]["state"], "revoked");
    assert_eq!(folder.run(&["token", "rotate", "entra"]).status, 1, "nothing to rotate");
    let actions: Vec<String> = json(&["token", "audit"])
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["action"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(actions, ["token.revoke", "token.revoke", "token.rotate", "token.create"]);

    for wrong in [
        &["--rights", "everything"][..],
        &["--rate", "0"],
        &["--preset", "entre"],
        &["--with", "op-cases"],
        &["--with", "op-case", "--without", "op-case"],
        &["--me", "nobody"],
    ] {
        let done = folder.run(&[&["token", "create", "--name", "x"][..], wrong].concat());
        assert_eq!(done.status, 64, "{wrong:?}: {}", done.stderr);
    }
}

/// A client of a type that does not exist would see nothing, and nobody would know why.
#[test]
fn tokens_are_for_types_that_there_are() {
    let folder = Folder::new();
    let create = |options: &[&str]| folder.run(&[&["token", "create", "--name", "x"][..], options].concat());
    // Without a configuration there is no telling.
    let unknown = folder.run(&["--data", "data", "token", "create", "--name", "x", "--types", "Robot"]).ok();
    assert!(unknown.stderr.contains("warning: --types") && unknown.stderr.contains("`Robot`"), "{}", unknown.stderr);

    folder.write("provost.yaml", "");
    for (options, option) in [
        (&["--types", "User,Usr"][..], "--types"),
        (&["--rights", "read scim:write:Usr"], "--rights"),
        (&["--rights", "write:Usr"], "--rights"),
    ] {
        let done = create(options);
        assert_eq!(done.status, 64, "{options:?}: {}", done.stderr);
        for part in [option, "`Usr`", "hint:", "User, Group, Application, Assignment"] {
            assert!(done.stderr.contains(part), "{options:?}: {}", done.stderr);
        }
    }
    create(&["--types", "user,Assignment", "--rights", "scim:read:group"]).ok();
    let list = folder.run(&["token", "list", "--json"]).ok();
    let list: serde_json::Value = serde_json::from_str(&list.stdout).unwrap();
    assert_eq!(list[1]["client"]["types"], serde_json::json!(["User", "Assignment"]));

    folder.write(
        "provost.yaml",
        "directory:
  schemas: [{id: 'urn:x:Robot', name: Robot, attributes: [{name: model, type: string}]}]
  resource_types: [{name: Robot, endpoint: /Robots, schema: 'urn:x:Robot'}]
",
    );
    let done = create(&["--types", "Robot"]);
    assert_eq!((done.status, done.stderr.contains("warning")), (0, false), "{}", done.stderr);
}

#[test]
fn a_fake_target_serves_and_tells_what_it_saw() {
    use std::io::{BufRead, BufReader, Read, Write};
    let list = provost(&["connector", "fake", "scim", "--list-dialects"]).ok().stdout;
    assert!(list.contains("entra-server") && list.contains("no-filter"), "{list}");
    for wrong in [&["--dialect", "entra-srver"][..], &["--fault", "drop"], &["--fault", "status=200"]] {
        let done = provost(&[&["connector", "fake", "scim"][..], wrong].concat());
        assert_eq!(done.status, 64, "{wrong:?}: {}", done.stderr);
    }
    let folder = Folder::new();
    folder.write("odd.yaml", "patch: false\npage_max: 2\n");
    let mut child =
        run::spawn(&["connector", "fake", "scim", "--listen", "127.0.0.1:0", "--dialect"], &folder.path("odd.yaml"));
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = || {
        let mut text = String::new();
        out.read_line(&mut text).unwrap();
        text.trim().to_owned()
    };
    let (url, token) = (line(), line());
    let host = url.trim_start_matches("http://").split('/').next().unwrap().to_owned();
    let ask = |head: &str, body: &str| {
        let mut stream = std::net::TcpStream::connect(&host).unwrap();
        let length = body.len();
        let text = format!(
            "{head} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {token}\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        stream.write_all(text.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    assert!(ask("GET /scim/v2/Users", "").starts_with("HTTP/1.1 200"));
    assert!(ask("PATCH /scim/v2/Users/x", "{}").starts_with("HTTP/1.1 501"));
    run::interrupt(&child);
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    // A body without a word on what it is.
    assert_eq!(child.wait().unwrap().code(), Some(1), "{rest}");
    assert!(rest.contains("content-type") && rest.contains("violated"), "{rest}");
}

#[test]
fn connectors_are_listed() {
    let text = provost(&["connector", "list"]).ok().stdout;
    assert!(text.starts_with("CONNECTOR  SOURCE  TARGET  WHAT\ndirectory  yes     yes"), "{text}");
    let json: serde_json::Value = serde_json::from_str(&provost(&["connector", "list", "--json"]).ok().stdout).unwrap();
    assert!(json.as_array().unwrap().iter().any(|manifest| manifest["name"] == "file"), "{json}");
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let done = run::provost_closed(&["expr", "--help-function"]);
    assert_eq!((done.status, done.stderr.as_str()), (0, ""));
}

#[test]
fn an_unknown_job_names_the_nearest() {
    let folder = Folder::new();
    folder.write("people.csv", "employee_id,login\n7,ada\n");
    folder.write(
        "provost.yaml",
        r#"connections:
  hr: { connector: file, path: people.csv, key: employee_id }
jobs:
  hr-to-directory:
    source: hr
    target: directory
    objects:
      - { from: person, to: User, match: [{ target: userName, source: "[login]" }], attributes: { userName: "[login]" } }
"#,
    );
    let done = folder.run(&["run", "hr-to-directry"]);
    assert_eq!(done.status, 64);
    assert_eq!(
        done.stderr,
        "error[PRV-0701]: there is no job `hr-to-directry`\nhint: did you mean `hr-to-directory`?\n"
    );
    let status = folder.run(&["status"]).ok();
    assert!(status.stdout.contains("hr-to-directory  hr    directory  new"), "{}", status.stdout);
}

/// One evaluation: what is shown as the result is the last word, also of chance.
#[test]
fn an_expression_takes_its_surroundings_from_the_command_line() {
    let folder = Folder::new();
    folder.write("tables.json", r#"{"countries": {"DE": "Germany"}}"#);
    let out = |arguments: &[&str]| folder.run(arguments).ok().stdout;
    assert_eq!(out(&["expr", "Lookup(\"countries\", \"DE\")", "--tables", "tables.json"]).trim(), "Germany");
    assert_eq!(out(&["expr", "DefaultDomain()", "--domain", "x.org"]).trim(), "x.org");
    let traced = out(&["expr", "SelectUniqueValue(\"a\", \"b\")", "--taken", "A", "--trace"]);
    assert!(traced.contains("= \"b\""), "{traced}");
    let traced = out(&["expr", "Now()", "--now", "2025-01-31T08:00:00Z", "--trace"]);
    assert!(traced.contains("1/31/2025 8:00:00 AM"), "{traced}");
    let failed = folder.run(&["expr", "DefaultDomain()"]);
    assert!(failed.stderr.contains("PRV-0225"), "{}", failed.stderr);
}

/// Until it is interrupted: a fake target of a dialect, its address and its token.
fn fake_target(dialect: &str) -> (std::process::Child, String, String) {
    use std::io::{BufRead, BufReader};
    let folder = Folder::new();
    folder.write("d.yaml", dialect);
    let arguments = ["connector", "fake", "scim", "--listen", "127.0.0.1:0", "--dialect"];
    let mut child = run::spawn(&arguments, &folder.path("d.yaml"));
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let (url, token) = (lines.next().unwrap().unwrap(), lines.next().unwrap().unwrap());
    (child, url, token)
}

#[test]
fn a_target_is_tried_and_its_dialect_written() {
    let (mut child, url, token) = fake_target("op_case: capital\npage_max: 3\nconfig_path: /ServiceProviderConfigs\n");
    let folder = Folder::new();
    let configuration =
        "connections: { app: { connector: scim, url: 'URL', token: { secret: app-token } } }\njobs: {}\n";
    folder.write("provost.yaml", &configuration.replace("URL", &url));
    folder.run_with(&["secret", "set", "app-token"], &token).ok();
    let done = folder.run(&["connector", "test", "app", "--write", "app.yaml"]).ok();
    for line in ["capital op", "other than the RFCs", "dialect:", "  op_case: \"capital\""] {
        assert!(done.stdout.contains(line), "no {line}: {}", done.stdout);
    }
    assert!(!done.stderr.contains("left behind") && !(done.stdout + &done.stderr).contains(&token));
    let written = std::fs::read_to_string(folder.path("app.yaml")).unwrap();
    for line in ["op_case: \"capital\"", "page_size: 3", "config_path: \"/ServiceProviderConfigs\""] {
        assert!(written.contains(line), "no {line}: {written}");
    }
    folder.write("provost.yaml", &configuration.replace("URL", &url).replace("} }", "}, dialect: app.yaml }"));
    folder.run(&["config", "check"]).ok();
    let found: serde_json::Value =
        serde_json::from_str(&folder.run(&["connector", "test", "app", "--json"]).ok().stdout).unwrap();
    assert_eq!(found["dialect"]["op_case"], "capital");
    for (arguments, code) in [
        (&["connector", "test", "ap"][..], "did you mean `app`?"),
        (&["connector", "test", "app", "--url", "http://127.0.0.1"], "--url goes with `scim`"),
        (&["connector", "test", "scim"], "--url"),
        (&["connector", "test", "app", "--user", "[]"], "no JSON object"),
    ] {
        let done = folder.run(arguments);
        assert!(done.status != 0 && done.stderr.contains(code), "{arguments:?}: {}", done.stderr);
    }
    run::interrupt(&child);
    child.wait().unwrap();
}

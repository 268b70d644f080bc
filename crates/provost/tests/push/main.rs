//! An HR feed from the first 202 to the directory: the built binary over HTTP, on SQLite and on PostgreSQL, killed between.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

#[path = "../run/mod.rs"]
mod run;
mod service;

use serde_json::{Value, json};
use service::{ENTERPRISE, Hr, bulk, delete, person, post};

/// Runs each function on both engines.
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(super::Hr::on_sqlite().await).await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(super::Hr::on_postgres().await).await;
            })*
        }
    };
}

on_both!(
    two_thousand_people_are_hired_once,
    nothing_taken_is_lost_in_a_crash,
    one_persons_operations_keep_their_order,
    a_job_that_is_run_by_hand_takes_one_step_at_a_time,
    only_what_is_sent_is_updated,
    a_guard_makes_operations_wait,
    what_fails_says_why,
);

fn all_are(status: &Value, wanted: &str) -> bool {
    status["Operations"].as_array().unwrap().iter().all(|operation| operation["status"] == wanted)
}

async fn two_thousand_people_are_hired_once(mut hr: Hr) {
    hr.serve().await;
    let hires = bulk((0..2000).map(|at| post(&format!("a{at}"), &person(at))));
    let (location, taken) = hr.push(&hires).await;
    assert_eq!(taken["counts"]["accepted"], 2000);
    assert_eq!(taken["schemas"], json!(["urn:ietf:params:scim:api:messages:2.0:BulkResponse"]));
    let done = hr.done(&location).await;
    assert_eq!(done["counts"], json!({ "accepted": 2000, "waiting": 0, "done": 2000, "failed": 0 }));
    assert!(all_are(&done, "201"), "{}", done["Operations"][0]);
    let first = &done["Operations"][0];
    assert_eq!(
        (&first["method"], &first["bulkId"], &first["result"]),
        (&json!("POST"), &json!("a0"), &json!("create"))
    );
    let user = hr.get_absolute(first["location"].as_str().unwrap()).await;
    assert_eq!((&user["userName"], &user["externalId"]), (&json!("p0"), &json!("0")), "{user}");
    assert_eq!(hr.users("").await, 2000);

    // The same again, in another order of names: nothing is done, everything is told.
    let events = hr.events().len();
    let (again, _) = hr.push(&hires).await;
    assert_ne!(again, location);
    let told = hr.done(&again).await;
    assert!(told["Operations"].as_array().unwrap().iter().all(|operation| operation["repeated"] == true));
    assert_eq!(told["Operations"][7]["cycle"], done["Operations"][7]["cycle"]);
    assert_eq!(told["Operations"][7]["status"], "201");
    // The same people under new names: nobody changed.
    let (renamed, _) = hr.push(&bulk((0..2000).map(|at| post(&format!("b{at}"), &person(at))))).await;
    let unchanged = hr.done(&renamed).await;
    assert!(unchanged["Operations"].as_array().unwrap().iter().all(|operation| operation["result"] == "unchanged"));
    assert_eq!((hr.events().len(), hr.users("").await), (events, 2000));

    let too_many = bulk((0..2001).map(|at| post(&format!("c{at}"), &person(at))));
    let refused = hr.send(&too_many).await;
    assert_eq!(refused.status, 413, "{:?}", refused.body);
    assert!(refused.text("/message").contains("2000"), "{:?}", refused.body);
}

async fn nothing_taken_is_lost_in_a_crash(mut hr: Hr) {
    let mut locations = Vec::new();
    for round in 0..4 {
        hr.serve().await;
        let range = round * 500..(round + 1) * 500;
        let (location, taken) = hr.push(&bulk(range.map(|at| post(&format!("a{at}"), &person(at))))).await;
        assert_eq!(taken["counts"]["accepted"], 500);
        locations.push(location);
        if round % 2 == 1 {
            // In the middle of it: some are hired already.
            while hr.users("").await < 20 {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        }
        hr.kill();
    }
    hr.serve().await;
    for location in &locations {
        let done = hr.done(location).await;
        assert_eq!(done["counts"], json!({ "accepted": 500, "waiting": 0, "done": 500, "failed": 0 }), "{location}");
    }
    assert_eq!(hr.users("").await, 2000);
    let mut names: Vec<String> = hr.listed().await;
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 2000, "nobody is there twice");
}

async fn one_persons_operations_keep_their_order(mut hr: Hr) {
    hr.serve().await;
    // The first cycle of a job reads everything as it is.
    let (location, _) = hr.push(&bulk([post("first", &person(8))])).await;
    hr.done(&location).await;
    let titled = |title: &str| json!({ "externalId": "7", "title": title });
    let (location, _) = hr
        .push(&bulk([
            post("1", &person(7)),
            post("2", &titled("Engineer")),
            post("x", &person(9)),
            delete("3", "7"),
            post("4", &json!({ "externalId": "7", "userName": "p7", "title": "Boss", "active": true })),
        ]))
        .await;
    let (later, _) = hr.push(&bulk([post("5", &titled("Chief"))])).await;
    let (last, _) = hr.push(&bulk([delete("6", "7")])).await;
    let mut results = Vec::new();
    for location in [&location, &later, &last] {
        let done = hr.done(location).await;
        results.extend(done["Operations"].as_array().unwrap().iter().filter(|one| one["bulkId"] != "x").map(|one| {
            format!(
                "{} {} {}",
                one["bulkId"].as_str().unwrap(),
                one["status"].as_str().unwrap(),
                one["result"].as_str().unwrap()
            )
        }));
    }
    assert_eq!(
        results,
        ["1 201 create", "2 200 update", "3 204 disable", "4 200 enable", "5 200 update", "6 204 disable"]
    );
    let log: Vec<String> = hr.events().into_iter().filter(|event| event.1 == "7").map(|event| event.0).collect();
    assert_eq!(log, ["create", "update", "disable", "enable", "update", "disable"]);
    let user = hr.user("7").await;
    assert_eq!((&user["title"], &user["active"]), (&json!("Chief"), &json!(false)), "{user}");
}

async fn a_job_that_is_run_by_hand_takes_one_step_at_a_time(mut hr: Hr) {
    hr.by_hand();
    hr.serve().await;
    let titled = |title: &str| json!({ "externalId": "7", "title": title });
    let (location, taken) = hr.push(&bulk([post("1", &person(7)), post("2", &titled("A"))])).await;
    assert!(taken["hint"].as_str().unwrap().contains("provost run hr-to-directory"), "{taken}");
    assert_eq!(taken["counts"], json!({ "accepted": 2, "waiting": 2, "done": 0, "failed": 0 }));
    let results = |status: &Value| -> Vec<String> {
        let text =
            |one: &Value| format!("{} {}", one["status"].as_str().unwrap(), one["result"].as_str().unwrap_or("-"));
        status["Operations"].as_array().unwrap().iter().map(text).collect()
    };
    hr.run(&["run", "hr-to-directory"]);
    assert_eq!(
        results(&hr.status(&location).await),
        ["200 superseded", "201 create"],
        "a first cycle reads what there is"
    );

    let (location, _) = hr.push(&bulk([post("3", &titled("B")), post("4", &titled("C"))])).await;
    hr.run(&["run", "hr-to-directory"]);
    assert_eq!(results(&hr.status(&location).await), ["200 update", "202 -"]);
    hr.run(&["run", "hr-to-directory"]);
    assert_eq!(results(&hr.status(&location).await), ["200 update", "200 update"]);
    let explained = hr.run(&["explain", "hr-to-directory", "--where", "externalId eq \"7\""]);
    assert!(explained.contains("title"), "{explained}");
    let plan = hr.run(&["plan", "hr-to-directory", "--reconcile"]);
    assert!(plan.contains("0 operations") || plan.contains("nothing"), "{plan}");
}

async fn only_what_is_sent_is_updated(mut hr: Hr) {
    hr.serve().await;
    let mut boss = person(1);
    boss["title"] = json!("Boss");
    let mut ada = person(2);
    ada["title"] = json!("Engineer");
    ada[ENTERPRISE] = json!({ "department": "R&D", "manager": { "value": "bulkId:boss" } });
    ada["urn:contoso:employee"] = json!({ "HireDate": "2026-01-02" });
    // The one who is referred to comes later.
    let (location, _) = hr.push(&bulk([post("ada", &ada), post("boss", &boss)])).await;
    hr.done(&location).await;
    let (ada, boss) = (hr.user("2").await, hr.user("1").await);
    assert_eq!(ada[ENTERPRISE]["manager"]["value"], boss["id"], "{ada}");
    assert_eq!((&ada["nickName"], &ada[ENTERPRISE]["department"]), (&json!("2026-01-02"), &json!("R&D")), "{ada}");

    let change = |id: &str, method: &str, key: &str, data: Value| json!({ "bulkId": id, "method": method, "path": format!("/Users/{key}"), "data": data });
    let patch = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{ "op": "replace", "path": "name.givenName", "value": "Augusta" }],
    });
    let sent =
        json!({ "externalId": "2", "name": { "familyName": "Lovelace" }, ENTERPRISE: { "department": "Maths" } });
    let (location, _) = hr.push(&bulk([post("c", &sent), change("d", "PATCH", "1", patch)])).await;
    let done = hr.done(&location).await;
    assert!(all_are(&done, "200"), "{done}");
    let (ada, boss) = (hr.user("2").await, hr.user("1").await);
    assert_eq!(ada["name"], json!({ "givenName": "Given2", "familyName": "Lovelace" }));
    assert_eq!((&ada["title"], &ada[ENTERPRISE]["department"]), (&json!("Engineer"), &json!("Maths")));
    assert_eq!(ada[ENTERPRISE]["manager"]["value"], boss["id"]);
    assert_eq!(boss["name"], json!({ "givenName": "Augusta", "familyName": "Family1" }));

    // Null is a value: this mapping clears (`when_null: clear`). What a PUT leaves out is no longer known.
    let (location, _) = hr.push(&bulk([post("e", &json!({ "externalId": "2", "title": null }))])).await;
    hr.done(&location).await;
    assert_eq!(hr.user("2").await["title"], Value::Null);
    let (location, _) = hr.push(&bulk([change("f", "PUT", "1", json!({ "userName": "p1", "active": true }))])).await;
    hr.done(&location).await;
    let boss = hr.user("1").await;
    assert_eq!((&boss["title"], &boss["name"]["familyName"]), (&Value::Null, &json!("Family1")), "only title clears");
}

async fn a_guard_makes_operations_wait(mut hr: Hr) {
    hr.on_change_alone();
    hr.serve().await;
    let (location, _) = hr.push(&bulk((0..30).map(|at| post(&format!("a{at}"), &person(at))))).await;
    hr.done(&location).await;
    let hired = post("hired", &person(100));
    let (location, _) =
        hr.push(&bulk((0..20).map(|at| delete(&format!("d{at}"), &at.to_string())).chain([hired]))).await;
    let mut waiting = hr.status(&location).await;
    while waiting["hint"].as_str().is_none_or(|hint| !hint.contains("provost release hr-to-directory")) {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        waiting = hr.status(&location).await;
    }
    // Who comes need not wait for those who go.
    assert_eq!(waiting["counts"], json!({ "accepted": 21, "waiting": 20, "done": 1, "failed": 0 }), "{waiting}");
    assert_eq!(hr.users("active eq true").await, 31);
    hr.run_when_free(&["discard", "hr-to-directory"]);
    assert_eq!(hr.status(&location).await["counts"]["waiting"], 20);
    // Somebody else's operation makes the job run again, which decides anew.
    let (other, _) = hr.push(&bulk([post("later", &person(101))])).await;
    assert!(all_are(&hr.done(&other).await, "201"));
    hr.run_when_free(&["release", "hr-to-directory"]);
    let done = hr.status(&location).await;
    let leavers = done["Operations"].as_array().unwrap().iter().filter(|one| one["status"] == "204").count();
    assert_eq!((leavers, &done["status"]), (20, &json!("done")), "{done}");
    assert_eq!(hr.users("active eq true").await, 12);
}

async fn what_fails_says_why(mut hr: Hr) {
    hr.serve().await;
    let mut twin = person(2);
    twin["userName"] = json!("p1");
    let mut unnamed = person(3);
    unnamed.as_object_mut().unwrap().remove("userName");
    let mut left_out = person(4);
    left_out["userType"] = json!("guest");
    let wrong = json!({ "externalId": "5", "active": "perhaps" });
    let (location, taken) = hr
        .push(&bulk([
            post("1", &person(1)),
            post("2", &twin),
            post("3", &unnamed),
            post("4", &left_out),
            post("5", &wrong),
        ]))
        .await;
    assert_eq!((&taken["counts"]["accepted"], &taken["Operations"][4]["status"]), (&json!(4), &json!("400")));
    let done = hr.done(&location).await;
    assert_eq!(done["counts"], json!({ "accepted": 4, "waiting": 0, "done": 2, "failed": 3 }), "{done}");
    let statuses: Vec<&str> =
        done["Operations"].as_array().unwrap().iter().map(|one| one["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["201", "409", "400", "200", "400"], "{done}");
    for at in [1, 2] {
        let response = &done["Operations"][at]["response"];
        assert_eq!(response["schemas"], json!(["urn:ietf:params:scim:api:messages:2.0:Error"]));
        assert!(
            !response["detail"].as_str().unwrap().is_empty() && response["hint"].as_str().unwrap().contains("again")
        );
    }
    assert_eq!(done["Operations"][3]["result"], "skip");
    // HR mends it.
    let (location, _) = hr.push(&bulk([post("6", &person(3))])).await;
    assert!(all_are(&hr.done(&location).await, "201"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_example_of_the_documentation() {
    let mut hr = Hr::on_sqlite().await;
    hr.configure(include_str!("../../../../examples/hr-push/provost.yaml"));
    hr.run(&["config", "check"]);
    hr.run(&["test"]);
    hr.serve().await;
    let people: Value = serde_json::from_str(include_str!("../../../../examples/hr-push/people.json")).unwrap();
    let (location, _) = hr.push(&people).await;
    let done = hr.done(&location).await;
    assert_eq!(done["counts"], json!({ "accepted": 3, "waiting": 0, "done": 3, "failed": 0 }), "{done}");
    let (ada, grace) = (hr.user("1002").await, hr.user("1001").await);
    assert_eq!((&ada["title"], &ada["displayName"]), (&json!("Analyst"), &json!("Ada Lovelace")));
    assert_eq!(ada[ENTERPRISE]["manager"]["value"], grace["id"]);
    assert_eq!(grace[ENTERPRISE]["costCenter"], "4711");
    assert!(hr.run(&["connector", "list"]).contains("push"));
}

#[test]
fn wrong_settings_are_found_without_going_online() {
    let folder = run::Folder::new();
    let example = include_str!("../../../../examples/hr-push/provost.yaml");
    for (from, to, code, word) in [
        ("User: [", "Usr: [", "PRV-0109", "there is no resource type `Usr`"),
        ("attributes:\n      #", "atributes:\n      #", "PRV-0104", "did you mean `attributes`?"),
        ("[urn:example:hr:Employee:costUnit]", "[urn:example:hr:Employee:unit]", "PRV-0521", "unit"),
        ("source: hr\n    target: directory", "source: directory\n    target: hr", "PRV-0110", "cannot be a target"),
        ("connector: push", "connector: psh", "PRV-0108", "did you mean `push`?"),
    ] {
        assert!(example.contains(from), "{from}");
        folder.write("provost.yaml", &example.replacen(from, to, 1));
        let said = folder.run(&["config", "check"]);
        assert_eq!(said.status, 1, "{to}: {}", said.stdout);
        assert!(said.stderr.contains(code) && said.stderr.contains(word), "{to}: {}", said.stderr);
    }
}

#[test]
fn rights_name_jobs_that_are_there() {
    let folder = run::Folder::new();
    folder.write("provost.yaml", include_str!("../../../../examples/hr-push/provost.yaml"));
    let create = |rights: &str| folder.run(&["token", "create", "--name", "feed", "--rights", rights]);
    create("jobs:write:hr-to-directory").ok();
    create("jobs:read").ok();
    for (rights, word) in [
        ("jobs:write:hr-to-directry", "did you mean `hr-to-directory`?"),
        ("jobs:all", "`jobs:all` is no right"),
        ("jobs:", "`jobs:` is no right"),
    ] {
        let said = create(rights);
        assert!(said.status == 64 && said.stderr.contains(word), "{rights}: {} {}", said.status, said.stderr);
    }
}

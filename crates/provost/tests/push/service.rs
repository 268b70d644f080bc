//! `provost serve` with a job that HR pushes into, as a child that can be killed and started again.
#![allow(dead_code, reason = "each test binary uses its part of this")]

use std::io::{BufRead as _, BufReader};
use std::process::Child;
use std::time::{Duration, Instant};

use provost_testkit::{Answer, Http};
use serde_json::{Value, json};

use super::run::{Folder, spawn};

pub const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const BULK: &str = "/api/v1/jobs/hr-to-directory/bulk";

const CONFIGURATION: &str = r#"connections:
  hr:
    connector: push
    attributes: { User: [ "urn:contoso:employee:HireDate" ] }
jobs:
  hr-to-directory:
    source: hr
    target: directory
    schedule: { on: change, every: 200ms }
    objects:
      - from: User
        to: User
        scope: not (userType eq "guest")
        match: [ { target: externalId, source: "[externalId]" } ]
        attributes:
          externalId: "[externalId]"
          userName: ToLower([userName])
          name.givenName: "[name.givenName]"
          name.familyName: "[name.familyName]"
          active: IIF(IsNullOrEmpty([active]), "True", [active])
          title: { value: "[title]", when_null: clear }
          nickName: "[urn:contoso:employee:HireDate]"
          urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department: "[urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department]"
          urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value: "[manager]"
"#;

/// A folder with a configuration, a store, and at times a running service.
pub struct Hr {
    folder: Folder,
    database: Option<String>,
    token: String,
    child: Option<Child>,
    http: Http,
}

impl Drop for Hr {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Hr {
    pub async fn on_sqlite() -> Self {
        Self::new(None)
    }

    pub async fn on_postgres() -> Self {
        Self::new(Some(provost_testkit::postgres::fresh_database().await.unwrap()))
    }

    fn new(database: Option<String>) -> Self {
        let folder = Folder::new();
        folder.write("provost.yaml", CONFIGURATION);
        let mut hr = Self { folder, database, token: String::new(), child: None, http: Http::new("", None) };
        let made = hr.run(&["token", "create", "--name", "hr-feed", "--rights", "all", "--json"]);
        hr.token = serde_json::from_str::<Value>(&made).unwrap()["token"].as_str().unwrap().to_owned();
        hr
    }

    /// Another configuration, for the next start.
    pub fn configure(&self, text: &str) {
        self.folder.write("provost.yaml", text);
    }

    /// An example's configuration, with the files beside it.
    pub fn copy(&self, example: &std::path::Path) {
        let done = std::process::Command::new("cp").arg("-r").arg(example.join(".")).arg(self.folder.path("")).status();
        assert!(done.unwrap().success());
    }

    /// The job runs when something is pushed, and at no other time.
    pub fn on_change_alone(&self) {
        self.configure(&CONFIGURATION.replace(", every: 200ms", ""));
    }

    /// The job does not run by itself.
    pub fn by_hand(&self) {
        self.configure(&CONFIGURATION.replace("    schedule: { on: change, every: 200ms }\n", ""));
    }

    /// A command beside the service, on the same store; what it printed.
    pub fn run(&self, arguments: &[&str]) -> String {
        let mut arguments = arguments.to_vec();
        if let Some(url) = &self.database {
            arguments.extend(["--database", url]);
        }
        self.folder.run(&arguments).ok().stdout
    }

    /// The same, once the service does not run the job just then.
    pub fn run_when_free(&self, arguments: &[&str]) {
        let mut arguments = arguments.to_vec();
        if let Some(url) = &self.database {
            arguments.extend(["--database", url]);
        }
        let start = Instant::now();
        loop {
            let done = self.folder.run(&arguments);
            if done.status == 0 {
                return;
            }
            let is_busy = done.stderr.contains("is being run by");
            assert!(is_busy && start.elapsed() < Duration::from_secs(30), "{}", done.stderr);
        }
    }

    pub async fn serve(&mut self) {
        let (config, data) = (self.folder.path("provost.yaml"), self.folder.path("data"));
        let mut arguments = vec!["serve", "--listen", "127.0.0.1:0", "--data", data.to_str().unwrap()];
        if let Some(url) = &self.database {
            arguments.extend(["--database", url]);
        }
        arguments.push("--config");
        let mut child = spawn(&arguments, &config);
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = loop {
            let line = lines.next().expect("the service ended").unwrap();
            if let Some((_, rest)) = line.split_once("SCIM 2.0 at http://") {
                break rest.split('/').next().unwrap().to_owned();
            }
        };
        // Nobody may wait for a full pipe.
        std::thread::spawn(move || lines.for_each(drop));
        self.child = Some(child);
        self.http = Http::new(format!("http://{address}"), Some(&self.token));
        let start = Instant::now();
        while self.http.get("/healthz").await.is_err() {
            assert!(start.elapsed() < Duration::from_secs(30), "the service does not answer");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// As the power does: SIGKILL.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    pub async fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        self.http.send(method, path, body).await.unwrap()
    }

    pub async fn send(&self, body: &Value) -> Answer {
        self.http.send("POST", BULK, Some(body)).await.unwrap()
    }

    /// A request that is taken: its path and the first status.
    pub async fn push(&self, body: &Value) -> (String, Value) {
        let answer = self.send(body).await;
        assert_eq!(answer.status, 202, "{:?}", answer.body);
        let location = answer.headers["location"].to_str().unwrap();
        (location[location.find("/api/").unwrap()..].to_owned(), answer.body)
    }

    pub async fn status(&self, location: &str) -> Value {
        self.get_absolute(location).await
    }

    /// By path or by address.
    pub async fn get_absolute(&self, place: &str) -> Value {
        let at = place.find("/api/").or_else(|| place.find("/scim/")).unwrap();
        let answer = self.http.get(&place[at..]).await.unwrap();
        assert_eq!(answer.status, 200, "{:?}", answer.body);
        answer.body
    }

    /// The status of a request once nothing of it waits.
    pub async fn done(&self, location: &str) -> Value {
        let start = Instant::now();
        loop {
            let status = self.status(location).await;
            if status["status"] == "done" {
                return status;
            }
            assert!(
                start.elapsed() < Duration::from_secs(120),
                "still waiting: {} {}",
                status["counts"],
                status["hint"]
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// How many users of the directory satisfy a filter; all for none.
    pub async fn users(&self, filter: &str) -> usize {
        let filter = if filter.is_empty() {
            String::new()
        } else {
            format!("&filter={}", provost_testkit::http::encode(filter))
        };
        let found = self.http.get(&format!("/scim/v2/Users?count=0{filter}")).await.unwrap();
        found.body["totalResults"].as_u64().unwrap() as usize
    }

    /// The user of an externalId.
    pub async fn user(&self, key: &str) -> Value {
        let filter = provost_testkit::http::encode(&format!("externalId eq \"{key}\""));
        let found = self.http.get(&format!("/scim/v2/Users?filter={filter}")).await.unwrap();
        assert_eq!(found.body["totalResults"], 1, "{:?}", found.body);
        found.body["Resources"][0].clone()
    }

    /// The externalIds of all users.
    pub async fn listed(&self) -> Vec<String> {
        let mut names = Vec::new();
        loop {
            let path = format!("/scim/v2/Users?attributes=externalId&count=1000&startIndex={}", names.len() + 1);
            let found = self.http.get(&path).await.unwrap();
            let page = found.body["Resources"].as_array().cloned().unwrap_or_default();
            if page.is_empty() {
                return names;
            }
            names.extend(page.iter().map(|user| user["externalId"].as_str().unwrap().to_owned()));
        }
    }

    /// Action and source id of all that was done, oldest first.
    pub fn events(&self) -> Vec<(String, String)> {
        let text = self.run(&["log", "--json", "--limit", "100000"]);
        let events: Vec<Value> = match serde_json::from_str(&text) {
            Ok(Value::Array(events)) => events,
            _ => text.lines().map(|line| serde_json::from_str(line).unwrap()).collect(),
        };
        let mut events: Vec<(i64, String, String)> = events
            .iter()
            .map(|event| {
                let text = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
                (event["seq"].as_i64().unwrap_or_default(), text("action"), text("source_id"))
            })
            .collect();
        events.sort_by_key(|event| event.0);
        events.into_iter().map(|(_, action, id)| (action, id)).collect()
    }
}

pub fn bulk(operations: impl IntoIterator<Item = Value>) -> Value {
    let operations: Vec<Value> = operations.into_iter().collect();
    json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": operations, "failOnErrors": null })
}

pub fn post(bulk_id: &str, data: &Value) -> Value {
    json!({ "method": "POST", "bulkId": bulk_id, "path": "/Users", "data": data })
}

pub fn delete(bulk_id: &str, key: &str) -> Value {
    json!({ "method": "DELETE", "bulkId": bulk_id, "path": format!("/Users/{key}") })
}

pub fn person(at: usize) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", ENTERPRISE],
        "externalId": at.to_string(),
        "userName": format!("p{at}"),
        "name": { "givenName": format!("Given{at}"), "familyName": format!("Family{at}") },
        "active": true,
        ENTERPRISE: { "department": "Sales" },
    })
}

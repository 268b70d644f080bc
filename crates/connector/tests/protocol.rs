//! A connector behind lines, as a host sees it: what is asked and answered, in which order, and how it ends.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use provost_connector::protocol::serve;
use provost_connector::*;
use provost_model::{ObjectId, Operation, Record, Schema};
use serde_json::{Value as Json, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, Lines, ReadHalf, WriteHalf};
use tokio::task::JoinHandle;

/// Cards `1` to `3`; the id of a `get` says what else happens.
struct Cards(Manifest);

struct CardSession(Capabilities, Secret);

#[async_trait]
impl Connector for Cards {
    fn manifest(&self) -> &Manifest {
        &self.0
    }
    fn validate(&self, settings: &Settings) -> Vec<SettingProblem> {
        let missing = !settings.values.contains_key("token");
        let problem = SettingProblem { path: "token".into(), message: "`token` is missing".into(), hint: None };
        missing.then_some(problem).into_iter().collect()
    }
    async fn configure(&self, settings: Settings, host: Arc<dyn Host>) -> Result<Arc<dyn Session>, ConnectorError> {
        let secret = host.secret(settings.values["token"]["secret"].as_str().unwrap()).await?;
        Ok(Arc::new(CardSession(Capabilities { max_in_flight: 8, ..Capabilities::default() }, secret)))
    }
}

struct CardScan(u64);

#[async_trait]
impl Scan for CardScan {
    async fn next(&mut self, cx: &Context) -> Result<ScanPage, ConnectorError> {
        self.0 += 1;
        if self.0 > 3 {
            // The last page takes its time.
            cx.sleep(Duration::from_secs(30)).await?;
        }
        let items = vec![ScanItem::Upsert(Record::new("card", self.0.to_string()).with("text", "x".repeat(600)))];
        Ok(ScanPage { items, ..ScanPage::default() })
    }
}

#[async_trait]
impl Session for CardSession {
    fn capabilities(&self) -> &Capabilities {
        &self.0
    }
    async fn schema(&self, _: &Context) -> Result<Schema, ConnectorError> {
        Ok(Schema::default())
    }
    async fn test(&self, _: &Context) -> Vec<CheckResult> {
        vec![CheckResult::ok("token", format!("{} characters", self.1.expose().len()))]
    }
    async fn get(&self, cx: &Context, class: &str, id: &ObjectId) -> Result<Option<Record>, ConnectorError> {
        match id.as_str() {
            "slow" => tokio::time::sleep(Duration::from_secs(60)).await,
            "polite" => cx.sleep(Duration::from_secs(60)).await?,
            "defect" => panic!("a defect"),
            "long" => return Ok(Some(Record::new(class, "long").with("text", "x".repeat(5_000)))),
            "none" => return Ok(None),
            _ => {}
        }
        Ok(Some(Record::new(class, id.clone())))
    }
    async fn find(&self, _: &Context, _: FindRequest) -> Result<Page, ConnectorError> {
        Err(ConnectorError::new(ErrorCode::NotSupported, "cards are not searched").hint("read them"))
    }
    async fn scan(&self, _: &Context, _: ScanRequest) -> Result<Box<dyn Scan>, ConnectorError> {
        Ok(Box::new(CardScan(0)))
    }
    async fn apply(&self, cx: &Context, operations: &[Operation]) -> Vec<Applied> {
        let mut results = Vec::new();
        for operation in operations {
            let waited = cx.sleep(Duration::from_millis(300)).await;
            results.push(match waited {
                Ok(()) => Applied::done(operation.id.clone(), Done { target_id: "1".into(), ..Done::default() }),
                Err(error) => Applied::failed(operation.id.clone(), error),
            });
        }
        results
    }
}

struct Peer {
    send: WriteHalf<DuplexStream>,
    lines: Lines<BufReader<ReadHalf<DuplexStream>>>,
    served: JoinHandle<std::io::Result<()>>,
}

impl Peer {
    fn start() -> Self {
        let manifest = Manifest {
            name: "cards".into(),
            title: "Cards".into(),
            description: "Cards for tests".into(),
            source: true,
            target: true,
        };
        let (near, far) = tokio::io::duplex(1 << 16);
        let (input, output) = tokio::io::split(far);
        let served = tokio::spawn(serve(Arc::new(Cards(manifest)), input, output));
        let (read, send) = tokio::io::split(near);
        Self { send, lines: BufReader::new(read).lines(), served }
    }

    /// One that was greeted and configured.
    async fn ready() -> Self {
        let mut peer = Self::start();
        let hello = peer.ask(json!(0), "initialize", json!({"pcp": "1.7", "max_line": 1000, "later": true})).await;
        assert_eq!(hello["result"]["connector"]["name"], "cards", "{hello}");
        peer.send(json!(1), "configure", json!({"values": {"token": {"secret": "card-token"}}, "base": "/"})).await;
        let asked = peer.next().await;
        assert_eq!((&asked["method"], &asked["params"]["handle"]), (&json!("host.secret"), &json!("card-token")));
        peer.raw(&json!({"jsonrpc": "2.0", "id": asked["id"], "result": {"value": "s3cret"}}).to_string()).await;
        let configured = peer.next().await;
        assert_eq!(configured["result"]["capabilities"]["max_in_flight"], 8, "{configured}");
        peer
    }

    async fn raw(&mut self, line: &str) {
        self.send.write_all(format!("{line}\n").as_bytes()).await.unwrap();
    }

    async fn send(&mut self, id: Json, method: &str, params: Json) {
        self.raw(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).to_string()).await;
    }

    async fn next(&mut self) -> Json {
        let line = tokio::time::timeout(Duration::from_secs(20), self.lines.next_line()).await.unwrap().unwrap();
        serde_json::from_str(&line.expect("an answer, not the end")).unwrap()
    }

    async fn ask(&mut self, id: Json, method: &str, params: Json) -> Json {
        self.send(id.clone(), method, params).await;
        let answer = self.next().await;
        assert_eq!(answer["id"], id);
        answer
    }

    async fn refused(&mut self, method: &str, params: Json) -> (i64, String, String) {
        let answer = self.ask(json!("r"), method, params).await;
        let error = &answer["error"];
        let text = |json: &Json| json.as_str().unwrap_or_default().to_owned();
        (error["code"].as_i64().unwrap(), text(&error["data"]["code"]), text(&error["message"]))
    }

    async fn cancel(&mut self, id: &str) {
        self.raw(&json!({"jsonrpc": "2.0", "method": "$/cancel", "params": {"id": id}}).to_string()).await;
    }
}

fn operations(count: usize) -> Json {
    let one = |id: usize| json!({"id": format!("o{id}"), "action": "delete", "class": "card", "target_id": "1"});
    json!({"operations": (0..count).map(one).collect::<Vec<_>>()})
}

#[tokio::test]
async fn the_first_requests_have_an_order_and_versions_have_to_fit() {
    let mut peer = Peer::start();
    let (number, code, message) = peer.refused("schema", json!({})).await;
    assert_eq!((number, &*code, &*message), (-32600, "protocol", "`initialize` has to be the first request"));
    let (_, code, message) = peer.refused("initialize", json!({"pcp": "2.0"})).await;
    assert_eq!((&*code, &*message), ("protocol", "the host speaks version 2.0 of the protocol, this program 1.0"));
    let (number, _, message) = peer.refused("initialize", json!({"pcp": 1})).await;
    assert_eq!(number, -32602);
    assert!(message.starts_with("the parameters of `initialize` cannot be read: invalid type"), "{message}");
    peer.ask(json!(1), "initialize", json!({"pcp": "1.0"})).await;
    let (_, _, message) = peer.refused("schema", json!({})).await;
    assert_eq!(message, "`configure` has to come before this request");
    let problems = peer.ask(json!(2), "validate", json!({"values": {}, "base": "/"})).await;
    assert_eq!(problems["result"]["problems"][0]["path"], "token");
}

#[tokio::test]
async fn what_is_not_understood_is_refused_and_the_rest_goes_on() {
    let mut peer = Peer::ready().await;
    let (number, code, message) = peer.refused("dance", json!({})).await;
    assert_eq!((number, &*code, &*message), (-32601, "not_supported", "there is no method `dance`"));
    let (number, _, message) = peer.refused("get", json!({"class": "card"})).await;
    assert_eq!(number, -32602);
    assert!(message.contains("missing field `id`"), "{message}");
    for garbage in ["hello", "{", "[]", r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#] {
        peer.raw(garbage).await;
        let answer = peer.next().await;
        assert_eq!((&answer["id"], &answer["error"]["data"]["code"]), (&Json::Null, &json!("protocol")), "{answer}");
    }
    let (_, code, message) = peer.refused("find", json!({"class": "card", "filter": "a eq 1", "page_size": 1})).await;
    assert_eq!((&*code, &*message), ("not_supported", "cards are not searched"));
    assert_eq!(peer.ask(json!(5), "ping", json!({})).await["result"], json!({}));
    assert_eq!(
        peer.ask(json!(6), "get", json!({"class": "card", "id": "none"})).await["result"],
        json!({"record": null})
    );
    let checks = peer.ask(json!(7), "test", json!({})).await;
    assert_eq!(checks["result"]["checks"][0]["message"], "6 characters");
}

#[tokio::test]
async fn answers_come_as_they_are_done_and_ids_are_told_apart() {
    let mut peer = Peer::ready().await;
    peer.send(json!("a"), "apply", operations(1)).await;
    peer.send(json!("b"), "get", json!({"class": "card", "id": "7"})).await;
    peer.send(json!("a"), "ping", json!({})).await;
    let mut answers = [peer.next().await, peer.next().await, peer.next().await];
    assert_eq!(answers[2]["result"]["results"][0]["outcome"]["done"]["target_id"], "1", "{answers:?}");
    answers.sort_by_key(|answer| answer["error"].is_object());
    assert_eq!(answers[2]["error"]["message"], "the id `a` is that of a request under way", "{answers:?}");
}

#[tokio::test]
async fn a_cancelled_request_is_answered_still() {
    let mut peer = Peer::ready().await;
    for id in ["slow", "polite"] {
        let begin = Instant::now();
        peer.send(json!(id), "get", json!({"class": "card", "id": id})).await;
        peer.cancel(id).await;
        let answer = peer.next().await;
        assert_eq!((&answer["id"], &answer["error"]["data"]["code"]), (&json!(id), &json!("cancelled")));
        assert!(begin.elapsed() < Duration::from_secs(20));
    }
    // Of three writes the first is under way; what was not begun says so.
    peer.send(json!("w"), "apply", operations(3)).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    peer.cancel("w").await;
    let answer = peer.next().await;
    let results = answer["result"]["results"].as_array().unwrap();
    assert_eq!(results.len(), 3);
    assert_eq!(results[2]["outcome"]["failed"]["code"], "cancelled");
}

#[tokio::test]
async fn deadlines_hold() {
    let mut peer = Peer::ready().await;
    let params = json!({"class": "card", "id": "slow", "meta": {"deadlineMs": 50}});
    let (_, code, _) = peer.refused("get", params).await;
    assert_eq!(code, "timeout");
    let huge = json!({"class": "card", "id": "7", "meta": {"deadlineMs": u64::MAX}});
    assert_eq!(peer.ask(json!(3), "get", huge).await["result"]["record"]["id"], "7");
}

#[tokio::test]
async fn a_scan_gives_pages_until_it_is_cancelled_closed_or_lost() {
    let mut peer = Peer::ready().await;
    let request = json!({"class": "card", "mode": "full", "page_size": 10});
    let opened = peer.ask(json!(1), "scan.open", request).await;
    let scan = json!({"scan": opened["result"]["scan"]});
    for id in ["1", "2", "3"] {
        let page = peer.ask(json!(id), "scan.next", scan.clone()).await;
        assert_eq!(page["result"]["items"][0]["upsert"]["id"], id, "{page}");
    }
    peer.send(json!("n"), "scan.next", scan.clone()).await;
    peer.cancel("n").await;
    assert_eq!(peer.next().await["error"]["data"]["code"], "cancelled");
    // Nobody knows whether a page went with it, so nothing goes on from there.
    let (_, code, message) = peer.refused("scan.next", scan.clone()).await;
    assert_eq!((&*code, &*message), ("protocol", "there is no open scan `s1`"));
    assert_eq!(peer.ask(json!(9), "scan.close", scan).await["result"], json!({}));
}

#[tokio::test]
async fn a_defect_or_an_answer_too_long_fails_one_request() {
    let mut peer = Peer::ready().await;
    let (_, code, _) = peer.refused("get", json!({"class": "card", "id": "defect"})).await;
    assert_eq!(code, "internal");
    let (_, code, message) = peer.refused("get", json!({"class": "card", "id": "long"})).await;
    assert_eq!(code, "constraint");
    assert!(message.contains("more than the host takes in a line (1000)"), "{message}");
    assert_eq!(peer.ask(json!(1), "ping", json!({})).await["result"], json!({}));
}

#[tokio::test]
async fn it_ends_when_asked_to_and_at_the_end_of_its_input() {
    let mut peer = Peer::ready().await;
    peer.send(json!("w"), "apply", operations(1)).await;
    peer.send(json!("s"), "get", json!({"class": "card", "id": "slow"})).await;
    peer.send(json!("end"), "shutdown", json!({})).await;
    let ids = [peer.next().await, peer.next().await, peer.next().await].map(|answer| answer["id"].clone());
    assert_eq!(ids[2], "end", "the goodbye comes last");
    peer.served.await.unwrap().unwrap();

    let peer = Peer::ready().await;
    drop((peer.send, peer.lines));
    tokio::time::timeout(Duration::from_secs(20), peer.served).await.unwrap().unwrap().unwrap();

    let mut peer = Peer::ready().await;
    let long = "x".repeat(protocol::MAX_LINE + 1);
    let sent = tokio::time::timeout(Duration::from_secs(20), async {
        // The reader stops in the middle of the line.
        let _ = peer.send.write_all(long.as_bytes()).await;
    });
    let (_, answer) = tokio::join!(sent, async {
        let line = peer.lines.next_line().await.unwrap().unwrap();
        serde_json::from_str::<Json>(&line).unwrap()
    });
    assert_eq!(answer["error"]["message"], "the input ends here: a line has more than 4194304 bytes");
    assert!(peer.served.await.unwrap().is_err());
}

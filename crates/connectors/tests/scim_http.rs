//! The HTTP layer against a server that plays a script: what is *not sent*, what is *maybe sent*, and what travels.
#![cfg(feature = "scim")]
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use provost_connector::{ConnectorError, Context, ErrorCode, Secret};
use provost_connectors::http::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use provost_connectors::http::{Answer, Auth, AuthHeader, BaseUrl, Call, Client, Identity, Method, Options};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::Mutex;

mod scim_support;
use scim_support::Secrets;

const SECRET: &str = "s3cr3t-t0ken-value";
static JSON: HeaderValue = HeaderValue::from_static("application/scim+json");

/// What the server does with one request.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// Sends this text.
    Answer(&'static str),
    /// Sends this text, then closes the connection.
    AnswerAndClose(&'static str),
    /// Reads the request and closes.
    Close,
    /// Reads the request and says nothing.
    Silence,
}

const CREATED: &str = "HTTP/1.1 201 Created\r\nContent-Length: 10\r\n\r\n{\"id\":\"7\"}";
const DONE: &str = "HTTP/1.1 204 No Content\r\n\r\n";

/// A server that takes one step per request, over all its connections.
struct Script {
    port: u16,
    connections: Arc<AtomicUsize>,
    requests: Arc<Mutex<Vec<String>>>,
}

async fn script(steps: &'static [Step]) -> Script {
    serve(steps, |stream| async move { Some(stream) }).await
}

async fn serve<S, F>(
    steps: &'static [Step],
    wrap: impl Fn(tokio::net::TcpStream) -> F + Send + Sync + 'static,
) -> Script
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    F: Future<Output = Option<S>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let connections = Arc::new(AtomicUsize::new(0));
    let requests = Arc::new(Mutex::new(Vec::new()));
    let (seen, log) = (Arc::clone(&connections), Arc::clone(&requests));
    let at = Arc::new(AtomicUsize::new(0));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            seen.fetch_add(1, Ordering::SeqCst);
            let (wrapped, log, at) = (wrap(stream), Arc::clone(&log), Arc::clone(&at));
            tokio::spawn(async move {
                let Some(mut stream) = wrapped.await else { return };
                while let Some(request) = read_request(&mut stream).await {
                    log.lock().await.push(request);
                    match steps[at.fetch_add(1, Ordering::SeqCst)] {
                        Step::Answer(text) => stream.write_all(text.as_bytes()).await.unwrap(),
                        Step::AnswerAndClose(text) => {
                            stream.write_all(text.as_bytes()).await.unwrap();
                            let _ = stream.shutdown().await;
                            return;
                        }
                        Step::Close => return,
                        Step::Silence => tokio::time::sleep(Duration::from_secs(60)).await,
                    }
                }
            });
        }
    });
    Script { port, connections, requests }
}

async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut text = String::new();
    let mut buffer = [0; 4096];
    loop {
        if let Some(head) = text.find("\r\n\r\n") {
            let lower = text[..head].to_ascii_lowercase();
            let length =
                lower.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()?.trim().parse().ok());
            if text.len() >= head + 4 + length.unwrap_or(0) {
                return Some(text);
            }
        }
        let read = stream.read(&mut buffer).await.ok().filter(|read| *read > 0)?;
        text.push_str(std::str::from_utf8(&buffer[..read]).ok()?);
    }
}

fn client(base: &str, timeout_ms: u64, ca: Option<PathBuf>) -> Client {
    let mut value = HeaderValue::try_from(format!("Bearer {SECRET}")).unwrap();
    value.set_sensitive(true);
    let options = Options {
        base: BaseUrl::parse(base).unwrap(),
        headers: HeaderMap::new(),
        ca,
        identity: None,
        timeout: Duration::from_millis(timeout_ms),
        connect_timeout: Duration::from_secs(5),
        max_in_flight: 4,
        limits: Vec::new(),
        max_answer: 1000,
    };
    Client::new(options, vec![AuthHeader { name: AUTHORIZATION, value, masks: vec![Secret::new(SECRET)] }]).unwrap()
}

async fn get(client: &Client) -> Result<Answer, ConnectorError> {
    client.send(&Context::new("test"), &Call::get("/Users?filter=secret-name")).await
}

async fn post(client: &Client) -> Result<Answer, ConnectorError> {
    client.send(&Context::new("test"), &Call::new(Method::POST, "/Users").body(&JSON, "{}")).await
}

async fn delete(client: &Client) -> Result<Answer, ConnectorError> {
    client.send(&Context::new("test"), &Call::new(Method::DELETE, "/Users/7")).await
}

fn code(result: Result<Answer, ConnectorError>) -> ErrorCode {
    let error = result.unwrap_err();
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains(SECRET) && !shown.contains("secret-name"), "{shown}");
    error.code
}

#[tokio::test]
async fn a_refused_connection_is_unavailable() {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let client = client(&format!("http://127.0.0.1:{port}"), 5_000, None);
    assert_eq!(code(post(&client).await), ErrorCode::Unavailable);
    assert_eq!(code(get(&client).await), ErrorCode::Unavailable);
}

#[tokio::test]
async fn a_host_without_address_is_unavailable() {
    let client = client("http://no-such-host.invalid", 5_000, None);
    assert_eq!(code(post(&client).await), ErrorCode::Unavailable);
}

#[tokio::test]
async fn a_connection_closed_after_the_request_leaves_a_write_in_doubt() {
    let server = script(&[Step::Close; 3]).await;
    let client = client(&format!("http://127.0.0.1:{}", server.port), 5_000, None);
    assert_eq!(code(post(&client).await), ErrorCode::UnknownOutcome);
    assert_eq!(code(delete(&client).await), ErrorCode::UnknownOutcome);
    assert_eq!(code(get(&client).await), ErrorCode::Unavailable);
}

#[tokio::test]
async fn an_idle_connection_that_was_closed_is_no_failure() {
    let server = script(&[Step::AnswerAndClose(CREATED); 20]).await;
    let client = client(&format!("http://127.0.0.1:{}", server.port), 5_000, None);
    for _ in 0..20 {
        assert_eq!(post(&client).await.unwrap().status, 201);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(server.connections.load(Ordering::SeqCst), 20);
}

#[tokio::test]
async fn a_reused_connection_closed_after_the_request_leaves_doubt() {
    let server = script(&[Step::Answer(CREATED), Step::Close]).await;
    let client = client(&format!("http://127.0.0.1:{}", server.port), 5_000, None);
    assert_eq!(post(&client).await.unwrap().status, 201);
    assert_eq!(code(post(&client).await), ErrorCode::UnknownOutcome);
    assert_eq!(server.requests.lock().await.len(), 2, "a write in doubt is never repeated by itself");
}

#[tokio::test]
async fn connections_are_reused() {
    let server = script(&[Step::Answer(CREATED), Step::Answer(DONE), Step::Answer(CREATED)]).await;
    let client = client(&format!("http://127.0.0.1:{}", server.port), 5_000, None);
    assert_eq!(post(&client).await.unwrap().body, "{\"id\":\"7\"}");
    assert_eq!(delete(&client).await.unwrap().status, 204);
    assert_eq!(post(&client).await.unwrap().status, 201);
    assert_eq!(server.connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_late_answer_is_a_timeout_or_leaves_doubt() {
    let server = script(&[Step::Silence; 3]).await;
    let client = client(&format!("http://127.0.0.1:{}", server.port), 100, None);
    assert_eq!(code(post(&client).await), ErrorCode::UnknownOutcome);
    assert_eq!(code(get(&client).await), ErrorCode::Timeout);
    let mut cx = Context::new("test");
    cx.deadline = Some(Instant::now());
    assert_eq!(code(client.send(&cx, &Call::new(Method::DELETE, "/Users/7")).await), ErrorCode::Timeout);
    assert_eq!(server.requests.lock().await.len(), 2, "nothing is sent after the deadline");
}

#[tokio::test]
async fn a_reused_connection_keeps_the_time_of_each_request() {
    let server = script(&[Step::Answer(CREATED), Step::Silence, Step::Answer(CREATED)]).await;
    let client = client(&format!("http://127.0.0.1:{}", server.port), 400, None);
    assert_eq!(post(&client).await.unwrap().status, 201);
    // Longer than any time that was set for the first request.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let start = Instant::now();
    assert_eq!(code(get(&client).await), ErrorCode::Timeout);
    assert!((400..2_000).contains(&start.elapsed().as_millis()), "{:?}", start.elapsed());
    assert_eq!(post(&client).await.unwrap().status, 201, "on another connection");
    assert_eq!(server.connections.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_connection_that_does_not_come_about_is_unavailable() {
    // Takes the connection, but never answers the TLS greeting.
    let server = script(&[Step::Silence]).await;
    let client = client(&format!("https://127.0.0.1:{}", server.port), 200, None);
    assert_eq!(code(post(&client).await), ErrorCode::Unavailable);
}

#[tokio::test]
async fn cancelling_ends_reads_but_not_writes() {
    let server = script(&[Step::Silence, Step::Answer(CREATED)]).await;
    let client = client(&format!("http://127.0.0.1:{}", server.port), 5_000, None);
    let cx = Context::new("test");
    let cancel = cx.cancel.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(50)).await;
        cancel.cancel();
    });
    assert_eq!(code(client.send(&cx, &Call::get("/Users")).await), ErrorCode::Cancelled);
    assert_eq!(code(client.send(&cx, &Call::new(Method::POST, "/Users")).await), ErrorCode::Cancelled);
    assert_eq!(server.requests.lock().await.len(), 1);
}

#[tokio::test]
async fn an_answer_that_breaks_off_still_tells_its_status() {
    const CUT: &str = "HTTP/1.1 201 Created\r\nLocation: /Users/7\r\nContent-Length: 100\r\n\r\n{\"id\":";
    let server = script(&[Step::AnswerAndClose(CUT), Step::AnswerAndClose(CUT)]).await;
    let client = client(&format!("http://127.0.0.1:{}", server.port), 5_000, None);
    let answer = post(&client).await.unwrap();
    assert!(answer.status == 201 && answer.cut.is_some() && answer.body.is_empty());
    assert_eq!(code(get(&client).await), ErrorCode::Unavailable);
}

#[tokio::test]
async fn answers_have_a_longest_length() {
    let long: &'static str =
        Box::leak(format!("HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n{}", "x".repeat(1001)).into());
    let chunk = "x".repeat(600);
    let chunked =
        format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n258\r\n{chunk}\r\n258\r\n{chunk}\r\n0\r\n\r\n");
    let steps = vec![Step::AnswerAndClose(long), Step::AnswerAndClose(chunked.leak())];
    let server = script(steps.leak()).await;
    let client = client(&format!("http://127.0.0.1:{}", server.port), 5_000, None);
    assert_eq!(code(get(&client).await), ErrorCode::Protocol);
    assert_eq!(code(get(&client).await), ErrorCode::Protocol);
}

#[tokio::test]
async fn a_redirect_elsewhere_is_not_followed() {
    let away =
        "HTTP/1.1 307 Temporary Redirect\r\nLocation: https://elsewhere.example/Users\r\nContent-Length: 0\r\n\r\n";
    let found = "HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n";
    let server = script(vec![Step::Answer(away), Step::Answer(found)].leak()).await;
    let client = client(&format!("http://127.0.0.1:{}", server.port), 5_000, None);
    assert_eq!(code(post(&client).await), ErrorCode::InvalidConfig);
    assert_eq!(code(get(&client).await), ErrorCode::InvalidConfig);
}

#[tokio::test]
async fn every_request_carries_what_it_needs() {
    let server = script(&[Step::Answer(CREATED)]).await;
    let client = client(&format!("http://127.0.0.1:{}/scim?tenant=1", server.port), 5_000, None);
    post(&client).await.unwrap();
    let sent = server.requests.lock().await[0].to_ascii_lowercase();
    for line in [
        "post /scim/users?tenant=1 http/1.1\r\n",
        &format!("\r\nhost: 127.0.0.1:{}\r\n", server.port),
        "\r\nuser-agent: provost/",
        &format!("\r\nauthorization: bearer {SECRET}\r\n"),
        "\r\ncontent-type: application/scim+json\r\n",
        "\r\ncontent-length: 2\r\n",
    ] {
        assert!(sent.contains(line), "{line} in {sent}");
    }
    assert_eq!(sent.matches("\r\nhost:").count(), 1);
}

fn given(token: &str, lifetime: &str) -> &'static str {
    let body = format!("{{\"access_token\":\"{token}\",\"token_type\":\"Bearer\",\"expires_in\":{lifetime}}}");
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()).leak()
}

const REFUSED: &str = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n";

/// A session's client with tokens from `endpoint`.
async fn granted(target: &Script, endpoint: &Script, more: serde_json::Value) -> Client {
    let mut oauth = serde_json::json!({
        "token_url": format!("http://127.0.0.1:{}/oauth/token", endpoint.port),
        "client_id": "provost", "client_secret": { "secret": "token" },
    });
    oauth.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let auth = Auth { oauth: Some(serde_json::from_value(oauth).unwrap()), ..Auth::default() };
    assert!(auth.problems().is_empty());
    let options = |port: u16| Options {
        base: BaseUrl::parse(&format!("http://127.0.0.1:{port}")).unwrap(),
        headers: HeaderMap::new(),
        ca: None,
        identity: None,
        timeout: Duration::from_secs(5),
        connect_timeout: Duration::from_secs(5),
        max_in_flight: 4,
        limits: Vec::new(),
        max_answer: 10_000,
    };
    let host = Secrets::of(&[("token", SECRET)]);
    let grant = auth.grant(&host, options(endpoint.port)).await.unwrap().unwrap();
    Client::new(options(target.port), auth.headers(&host).await.unwrap()).unwrap().with_grant(grant)
}

/// The tokens that requests came with, in their order.
async fn tokens(target: &Script) -> Vec<String> {
    let requests = target.requests.lock().await;
    let token = |request: &String| {
        let line = request.lines().find(|line| line.to_ascii_lowercase().starts_with("authorization: "));
        line.map_or_else(String::new, |line| line.split_once("Bearer ").unwrap().1.to_owned())
    };
    requests.iter().map(token).collect()
}

#[tokio::test]
async fn tokens_are_asked_for_once_and_kept() {
    let (target, endpoint) = (
        script(vec![Step::Answer(CREATED); 9].leak()).await,
        script(vec![Step::Answer(given("one", "3600"))].leak()).await,
    );
    let client = granted(&target, &endpoint, serde_json::json!({ "scope": "a b" })).await;
    let all = tokio::join!(post(&client), post(&client), post(&client), post(&client));
    assert!([all.0, all.1, all.2, all.3].iter().all(|answer| answer.as_ref().unwrap().status == 201));
    assert_eq!(tokens(&target).await, ["one"; 4]);
    let asked = endpoint.requests.lock().await;
    assert_eq!(asked.len(), 1, "however many wait, one asks");
    let (head, form) = asked[0].split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /oauth/token HTTP/1.1\r\n"), "{head}");
    let basic = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, format!("provost:{SECRET}"));
    assert!(head.contains(&format!("Basic {basic}")) && !form.contains(SECRET), "{asked:?}");
    assert_eq!(form, "grant_type=client_credentials&scope=a%20b");
}

#[tokio::test]
async fn the_secret_can_go_in_the_form() {
    let (target, endpoint) =
        (script(&[Step::Answer(CREATED)]).await, script(vec![Step::Answer(given("one", "\"3600\""))].leak()).await);
    let more = serde_json::json!({ "style": "body", "audience": "https://x" });
    post(&granted(&target, &endpoint, more).await).await.unwrap();
    let asked = endpoint.requests.lock().await;
    let form = format!(
        "\r\n\r\ngrant_type=client_credentials&audience=https%3A%2F%2Fx&client_id=provost&client_secret={SECRET}"
    );
    assert!(asked[0].ends_with(&form) && !asked[0].to_ascii_lowercase().contains("authorization:"), "{asked:?}");
}

#[tokio::test]
async fn a_token_that_ends_is_renewed() {
    // One that lasts a moment is renewed before it is used again; one that is refused is replaced once.
    let steps = vec![Step::Answer(CREATED), Step::Answer(CREATED), Step::Answer(REFUSED), Step::Answer(CREATED)];
    let given = vec![
        Step::Answer(given("one", "0.05")),
        Step::Answer(given("two", "3600")),
        Step::Answer(given("three", "3600")),
    ];
    let (target, endpoint) = (script(steps.leak()).await, script(given.leak()).await);
    let client = granted(&target, &endpoint, serde_json::json!({})).await;
    post(&client).await.unwrap();
    tokio::time::sleep(Duration::from_millis(60)).await;
    post(&client).await.unwrap();
    assert_eq!(post(&client).await.unwrap().status, 201, "the write was not done, so it is sent again");
    assert_eq!(tokens(&target).await, ["one", "two", "two", "three"]);

    let steps = vec![Step::Answer(REFUSED), Step::Answer(REFUSED)];
    let given = vec![Step::Answer(self::given("one", "60")), Step::Answer(self::given("two", "60"))];
    let (target, endpoint) = (script(steps.leak()).await, script(given.leak()).await);
    let client = granted(&target, &endpoint, serde_json::json!({})).await;
    assert_eq!(post(&client).await.unwrap().status, 401, "twice is enough");
    assert_eq!(tokens(&target).await, ["one", "two"]);
    // The token is masked as any secret is.
    assert_eq!(client.presentable("token two is wrong"), "token … is wrong");
}

#[tokio::test]
async fn what_the_endpoint_says_is_told_without_secrets() {
    let refusal = |status: &str, body: &str| -> &'static str {
        format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).leak()
    };
    let words = format!("{{\"error\":\"invalid_client\",\"error_description\":\"no {SECRET} here\"}}");
    for (answer, want, said) in [
        (refusal("401 Unauthorized", &words), ErrorCode::AuthFailed, "invalid_client: no … here"),
        (refusal("400 Bad Request", "{\"error\":\"invalid_scope\"}"), ErrorCode::AuthFailed, "invalid_scope"),
        (refusal("429 Too Many Requests", ""), ErrorCode::Throttled, "429"),
        (refusal("500 Oops", "<html>"), ErrorCode::Unavailable, "500"),
        (refusal("200 OK", "<html>Sign in</html>"), ErrorCode::Protocol, "access_token"),
        (refusal("200 OK", "{\"access_token\":\"a\\nb\"}"), ErrorCode::Protocol, "no header"),
    ] {
        let (target, endpoint) = (script(&[]).await, script(vec![Step::Answer(answer)].leak()).await);
        let client = granted(&target, &endpoint, serde_json::json!({})).await;
        let error = post(&client).await.unwrap_err();
        assert!(error.message.contains(said), "{error}");
        assert_eq!(code(Err(error)), want, "{answer}");
        assert!(target.requests.lock().await.is_empty(), "nothing was sent to the target");
    }
}

/// A server certificate for `localhost`, and the file of the authority that issued it.
fn certificate(folder: &std::path::Path) -> (Arc<tokio_rustls::rustls::ServerConfig>, PathBuf) {
    let authority_key = rcgen::KeyPair::generate().unwrap();
    let mut authority = rcgen::CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority_certificate = authority.self_signed(&authority_key).unwrap();
    let issuer = rcgen::Issuer::new(authority, authority_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate =
        rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let ca = folder.join("ca.pem");
    std::fs::write(&ca, authority_certificate.pem()).unwrap();
    let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
    let config = tokio_rustls::rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key.serialize_der().try_into().unwrap())
        .unwrap();
    (Arc::new(config), ca)
}

/// A server that wants to see a certificate: only who has one of its authority gets in.
#[tokio::test]
async fn a_client_shows_its_certificate() {
    use tokio_rustls::rustls;
    let folder = tempfile::tempdir().unwrap();
    let authority_key = rcgen::KeyPair::generate().unwrap();
    let mut authority = rcgen::CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority_certificate = authority.self_signed(&authority_key).unwrap();
    let issuer = rcgen::Issuer::new(authority, authority_key);
    let issue = |name: &str| {
        let key = rcgen::KeyPair::generate().unwrap();
        (rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap(), key)
    };
    let ((server, server_key), (own, own_key)) = (issue("localhost"), issue("provost"));
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, authority_certificate.pem()).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(authority_certificate.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier =
        rustls::server::WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build().unwrap();
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![server.der().clone()], server_key.serialize_der().try_into().unwrap())
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let server = serve(vec![Step::Answer(CREATED); 4].leak(), move |stream| {
        let acceptor = acceptor.clone();
        async move { acceptor.accept(stream).await.ok() }
    })
    .await;
    let base = format!("https://localhost:{}", server.port);
    let options = |identity| Options {
        base: BaseUrl::parse(&base).unwrap(),
        headers: HeaderMap::new(),
        ca: Some(ca.clone()),
        identity,
        timeout: Duration::from_secs(5),
        connect_timeout: Duration::from_secs(5),
        max_in_flight: 4,
        limits: Vec::new(),
        max_answer: 1_000,
    };
    let identity = Identity::read(own.pem().as_bytes(), own_key.serialize_pem().as_bytes()).unwrap();
    let known = Client::new(options(Some(identity)), Vec::new()).unwrap();
    assert_eq!(post(&known).await.unwrap().status, 201);
    let stranger = Client::new(options(None), Vec::new()).unwrap();
    assert!(post(&stranger).await.is_err());
    // A key of somebody else, and what is no PEM.
    let other = Identity::read(own.pem().as_bytes(), rcgen::KeyPair::generate().unwrap().serialize_pem().as_bytes());
    let error = Client::new(options(Some(other.unwrap())), Vec::new()).unwrap_err();
    assert_eq!((error.code, error.path.as_deref()), (ErrorCode::InvalidConfig, Some("client_certificate")));
    for (cert, key, path) in [
        ("x", own_key.serialize_pem(), "client_certificate.cert"),
        (&*own.pem(), "x".to_owned(), "client_certificate.key"),
    ] {
        assert_eq!(Identity::read(cert.as_bytes(), key.as_bytes()).unwrap_err().path.as_deref(), Some(path));
    }
}

#[tokio::test]
async fn a_private_authority_is_trusted_when_it_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let (config, ca) = certificate(folder.path());
    let acceptor = tokio_rustls::TlsAcceptor::from(config);
    let moved = "HTTP/1.1 308 Permanent Redirect\r\nLocation: /Users/\r\nContent-Length: 0\r\n\r\n";
    let steps = vec![Step::Answer(CREATED), Step::Answer(moved), Step::Answer(CREATED)].leak();
    let server = serve(steps, move |stream| {
        let acceptor = acceptor.clone();
        async move { acceptor.accept(stream).await.ok() }
    })
    .await;
    let base = format!("https://localhost:{}", server.port);
    let trusting = client(&base, 5_000, Some(ca.clone()));
    assert_eq!(post(&trusting).await.unwrap().status, 201);
    assert_eq!(
        post(&trusting).await.unwrap().status,
        201,
        "a redirect on the same host is followed, method and body kept"
    );
    assert!(server.requests.lock().await[2].starts_with("POST /Users/ HTTP/1.1\r\n"));

    let error = post(&client(&base, 5_000, None)).await.unwrap_err();
    assert_eq!((error.code, error.path.as_deref()), (ErrorCode::Unavailable, Some("ca")));
    assert!(error.hint.unwrap().contains("set `ca`"));
    // The name in the certificate counts as well.
    let wrong_name = client(&format!("https://127.0.0.1:{}", server.port), 5_000, Some(ca));
    assert_eq!(code(post(&wrong_name).await), ErrorCode::Unavailable);
}

#[test]
fn a_file_without_certificates_is_no_authority() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "").unwrap();
    for path in [empty, folder.path().join("missing.pem")] {
        let options = Options {
            base: BaseUrl::parse("https://localhost").unwrap(),
            headers: HeaderMap::new(),
            ca: Some(path),
            identity: None,
            timeout: Duration::from_secs(1),
            connect_timeout: Duration::from_secs(1),
            max_in_flight: 1,
            limits: Vec::new(),
            max_answer: 1000,
        };
        let error = Client::new(options, Vec::new()).unwrap_err();
        assert_eq!((error.code, error.path.as_deref()), (ErrorCode::InvalidConfig, Some("ca")));
    }
}

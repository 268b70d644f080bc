//! The client: HTTP/1.1, connections kept alive, one request at a time on each.
//!
//! What is the same for all requests (headers, scheme, host) is built once. A write is not given up when its caller is
//! cancelled, since that would only turn a known outcome into an unknown one; the time limit ends it. Connections are
//! [`super::pool`]'s, the meaning of a lost answer is [`super::failure`]'s.

use std::path::PathBuf;
use std::pin::Pin;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::TrySendError;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::http::uri::PathAndQuery;
use hyper::{Method, Request, StatusCode, Uri};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::connect::HttpConnector;
use provost_connector::{ConnectorError, Context, ErrorCode, Exchange, Secret};
use tokio::time::Sleep;

use super::answer::{self, Answer, BodyFault};
use super::failure::{self, Effect};
use super::grant::{Grant, Held};
use super::limits::{Limit, Limits};
use super::pool::{Connection, Origin, Pool};
use super::{AuthHeader, BaseUrl};
use crate::tls::{self, Identity};

/// How long a connection that was idle may take until it can carry a request, before another one is used.
const SOON: Duration = Duration::from_millis(50);

/// Redirects that one request may take.
const MAX_REDIRECTS: usize = 3;

/// How long an answer is waited for before the caller's cancellation is watched. Watching takes a lock that all requests of
/// a cycle share, which is too dear for answers that come at once, and a cancelled cycle can bear such a delay.
const PATIENCE: Duration = Duration::from_millis(100);

/// What a client is made of.
#[derive(Debug)]
pub struct Options {
    pub base: BaseUrl,
    /// Sent with every request, before the authentication.
    pub headers: HeaderMap,
    /// A PEM file whose authorities are trusted instead of the platform's.
    pub ca: Option<PathBuf>,
    /// Shown to targets that ask for a certificate.
    pub identity: Option<Identity>,
    /// From the first byte of the request to the last of the answer; the caller's deadline may be shorter.
    pub timeout: Duration,
    pub connect_timeout: Duration,
    /// Connections kept open; the caller sends no more requests at once.
    pub max_in_flight: usize,
    /// The target's own limits, by method and address.
    pub limits: Vec<Limit>,
    /// The longest answer, in bytes.
    pub max_answer: usize,
}

/// Where services tell their own name for a request.
const REQUEST_IDS: [&str; 10] = [
    "x-request-id",
    "request-id",
    "x-correlation-id",
    "x-ms-request-id",
    "x-amzn-requestid",
    "x-okta-request-id",
    "x-slack-req-id",
    "x-github-request-id",
    "x-trace-id",
    "cf-ray",
];
const LONGEST_ID: usize = 100;

/// One request. The path starts with a slash, is encoded, and may have a query. No `Debug`: bodies are people's data.
pub struct Call<'a> {
    pub method: Method,
    pub path: &'a str,
    pub effect: Effect,
    pub body: Option<Bytes>,
    /// The whole of [`Client::headers`], where it was made ahead.
    prepared: Option<&'a HeaderMap>,
    media_type: Option<HeaderValue>,
    headers: &'a [(HeaderName, HeaderValue)],
}

impl<'a> Call<'a> {
    pub fn new(method: Method, path: &'a str) -> Self {
        let effect = if matches!(method, Method::GET | Method::HEAD) { Effect::Read } else { Effect::Write };
        Self { method, path, effect, body: None, prepared: None, media_type: None, headers: &[] }
    }

    pub fn get(path: &'a str) -> Self {
        Self::new(Method::GET, path)
    }

    /// A body and its media type, made once by the caller.
    pub fn body(mut self, media_type: &HeaderValue, body: impl Into<Bytes>) -> Self {
        self.media_type = Some(media_type.clone());
        self.body = Some(body.into());
        self
    }

    /// All headers at once, from [`Client::headers`], and the body that goes with them.
    pub fn prepared(mut self, headers: &'a HeaderMap, body: Option<Bytes>) -> Self {
        self.prepared = Some(headers);
        self.body = body;
        self
    }

    pub fn headers(mut self, headers: &'a [(HeaderName, HeaderValue)]) -> Self {
        self.headers = headers;
        self
    }
}

/// Speaks to one base address with one set of credentials. Cheap calls, shared connections.
pub struct Client {
    pool: Pool,
    base: BaseUrl,
    home: Origin,
    headers: HeaderMap,
    masks: Vec<Secret>,
    /// Where tokens come from that do not last.
    grant: Option<Box<Grant>>,
    limits: Limits,
    timeout: Duration,
    max_answer: usize,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("host", &self.base.authority()).finish_non_exhaustive()
    }
}

impl Client {
    /// Sets up TLS and the pool; does not go online.
    pub fn new(options: Options, auth: Vec<AuthHeader>) -> Result<Self, ConnectorError> {
        let mut tcp = HttpConnector::new();
        tcp.set_nodelay(true);
        tcp.enforce_http(false);
        tcp.set_keepalive(Some(Duration::from_secs(60)));
        tcp.set_connect_timeout(Some(options.connect_timeout));
        let https = HttpsConnectorBuilder::new()
            .with_tls_config(tls::config(options.ca.as_deref(), options.identity)?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        let pool = Pool::new(https, options.max_in_flight);
        let home = options.base.origin();
        let mut headers = options.headers;
        headers.insert(header::USER_AGENT, HeaderValue::from_static(concat!("Provost/", env!("CARGO_PKG_VERSION"))));
        if let Ok(host) = HeaderValue::from_str(options.base.authority()) {
            headers.insert(header::HOST, host);
        }
        let mut masks = Vec::new();
        for one in auth {
            headers.insert(one.name, one.value);
            // Shorter ones would mask parts of ordinary words.
            masks.extend(one.masks.into_iter().filter(|mask| mask.expose().len() >= 4));
        }
        Ok(Self {
            pool,
            base: options.base,
            home,
            headers,
            masks,
            grant: None,
            limits: Limits::new(options.limits),
            timeout: options.timeout,
            max_answer: options.max_answer,
        })
    }

    /// The same with tokens that are asked for.
    pub fn with_grant(self, grant: Grant) -> Self {
        Self { grant: Some(Box::new(grant)), ..self }
    }

    pub fn base(&self) -> &BaseUrl {
        &self.base
    }

    /// Sends one request and reads its answer, whatever its status. An error means that there is no answer, and its code
    /// whether the target may have acted: `unavailable` when nothing was sent or nothing can have happened,
    /// `unknown_outcome` for a write in doubt.
    pub async fn send(&self, cx: &Context, call: &Call<'_>) -> Result<Answer, ConnectorError> {
        cx.check()?;
        let mut path = self.base.join(call.path).map_err(|_| {
            ConnectorError::new(
                ErrorCode::Internal,
                format!("{} {} is no address", call.method, without_query(call.path)),
            )
        })?;
        self.limits.turn(cx, call).await?;
        let start = Instant::now();
        let end = cx.deadline.map_or(start + self.timeout, |deadline| deadline.min(start + self.timeout));
        let span = Span { start, end, cx, effect: call.effect };
        let mut elsewhere: Option<Origin> = None;
        let mut redirects = 0;
        let mut token = match &self.grant {
            Some(grant) => Some(grant.token(cx).await?),
            None => None,
        };
        let mut renewed = false;
        loop {
            let origin = elsewhere.as_ref().unwrap_or(&self.home);
            let answer = self.exchange(&span, call, origin, path.clone(), token.as_deref()).await;
            let answer = answer.map_err(|error| error.during(self.told(call, None)))?;
            // A token may end before its time. Once: with a new one that is not taken either, something else is wrong.
            if let (StatusCode::UNAUTHORIZED, Some(grant), Some(refused), false) =
                (answer.status, &self.grant, &token, renewed)
            {
                token = Some(grant.another(cx, refused).await?);
                renewed = true;
                continue;
            }
            tracing::debug!(
                method = %call.method,
                path = without_query(call.path),
                status = answer.status.as_u16(),
                duration_ms = start.elapsed().as_millis() as u64,
                trace = %cx.trace,
                "request"
            );
            self.limits.note(&answer);
            if !answer.status.is_redirection() || answer.status == StatusCode::NOT_MODIFIED {
                return Ok(answer);
            }
            (elsewhere, path) = self.follow(call, &origin.address(path), &answer, redirects)?;
            redirects += 1;
        }
    }

    /// One request to one address, within its time.
    async fn exchange(
        &self,
        span: &Span<'_>,
        call: &Call<'_>,
        origin: &Origin,
        path: PathAndQuery,
        token: Option<&Held>,
    ) -> Result<Answer, ConnectorError> {
        let mut request = self.request(call, origin, path);
        if let Some(token) = token {
            request.headers_mut().insert(header::AUTHORIZATION, token.header.clone());
        }
        loop {
            let mut connection = match self.pool.take(origin, Instant::now()) {
                Some(ready) if ready.sender.is_ready() => ready,
                // Rare, and too big to be a part of every request's state.
                other => Box::pin(self.connection(span, call, origin, other)).await?,
            };
            let sent = connection.sender.try_send_request(request);
            let mut work = std::pin::pin!(async {
                let response = sent.await?;
                Ok::<_, TrySendError<_>>(answer::read(response, self.max_answer).await)
            });
            let mut fault = match span.limit(connection.timer.as_mut(), work.as_mut()).await {
                Ok(Ok(read)) => return self.answered(call, connection, read),
                Ok(Err(fault)) => fault,
                Err(ended) => return Err(self.ended(ended, span, true, call)),
            };
            match fault.take_message() {
                // Not begun: the other side had closed an idle connection. A fresh one is not tried twice.
                Some(unsent) if connection.used => request = unsent,
                unsent => {
                    let begun = unsent.is_none();
                    return Err(failure::from_connection(&fault.into_error(), begun, call.effect, &self.name(call)));
                }
            }
        }
    }

    /// A connection that can take a request, waited for: `candidate`, another idle one, or a new one.
    async fn connection(
        &self,
        span: &Span<'_>,
        call: &Call<'_>,
        origin: &Origin,
        mut candidate: Option<Connection>,
    ) -> Result<Connection, ConnectorError> {
        while let Some(mut connection) = candidate {
            let Connection { sender, timer, .. } = &mut connection;
            // Ready at once, unless it still sends a request that was answered early; that is not waited for.
            let soon = tokio::time::timeout(SOON, sender.ready());
            let ready = span.limit(timer.as_mut(), std::pin::pin!(soon)).await;
            match ready {
                Ok(Ok(Ok(()))) => return Ok(connection),
                // It was being closed, or is stuck.
                Ok(_) => candidate = self.pool.take(origin, Instant::now()),
                Err(ended) => return Err(self.ended(ended, span, false, call)),
            }
        }
        let mut timer = std::pin::pin!(tokio::time::sleep(Duration::ZERO));
        match span.limit(timer.as_mut(), std::pin::pin!(self.pool.open(origin))).await {
            Ok(opened) => opened.map_err(|error| failure::from_connect(&*error, &self.name(call))),
            Err(ended) => Err(self.ended(ended, span, false, call)),
        }
    }

    fn ended(&self, ended: Ended, span: &Span<'_>, handed_over: bool, call: &Call<'_>) -> ConnectorError {
        match ended {
            Ended::Cancelled => ConnectorError::new(ErrorCode::Cancelled, "cancelled"),
            Ended::Late => {
                let after = span.end.saturating_duration_since(span.start);
                failure::from_timeout(after, handed_over, call.effect, &self.name(call))
            }
        }
    }

    fn request(&self, call: &Call<'_>, origin: &Origin, path: PathAndQuery) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(call.body.clone().unwrap_or_default()));
        *request.method_mut() = call.method.clone();
        *request.uri_mut() = Uri::from(path);
        *request.headers_mut() = match call.prepared {
            Some(headers) => headers.clone(),
            None => self.headers(call.headers, call.media_type.as_ref()),
        };
        if *origin != self.home
            && let Ok(host) = HeaderValue::from_str(origin.authority.as_str())
        {
            request.headers_mut().insert(header::HOST, host);
        }
        request
    }

    /// The headers of a request: the client's own and these.
    pub fn headers(&self, more: &[(HeaderName, HeaderValue)], media_type: Option<&HeaderValue>) -> HeaderMap {
        let mut headers = self.headers.clone();
        if let Some(media_type) = media_type {
            headers.insert(header::CONTENT_TYPE, media_type.clone());
        }
        for (name, value) in more {
            headers.insert(name.clone(), value.clone());
        }
        headers
    }

    /// What was read, as an answer or an error. The connection is of further use if it was all of it.
    fn answered(
        &self,
        call: &Call<'_>,
        connection: Connection,
        (status, headers, body): answer::Read,
    ) -> Result<Answer, ConnectorError> {
        let fault = match body {
            Ok(body) => {
                self.pool.put(connection);
                return Ok(Answer { status, headers, body, cut: None });
            }
            Err(fault) => fault,
        };
        let reason = match &fault {
            BodyFault::TooLong => format!("the answer is longer than {} bytes", self.max_answer),
            BodyFault::Broken(cause) => format!("the answer broke off: {cause}"),
        };
        // By its status a write is done or refused, whatever became of the rest.
        if call.effect == Effect::Write {
            return Ok(Answer { status, headers, body: Bytes::new(), cut: Some(reason) });
        }
        let message = format!("{}: {reason}", self.name(call));
        Err(match fault {
            BodyFault::TooLong => {
                ConnectorError::new(ErrorCode::Protocol, message).hint("ask for less with a smaller `page_size`")
            }
            BodyFault::Broken(_) => ConnectorError::new(ErrorCode::Unavailable, message),
        })
    }

    fn follow(
        &self,
        call: &Call<'_>,
        from: &Uri,
        answer: &Answer,
        redirects: usize,
    ) -> Result<(Option<Origin>, PathAndQuery), ConnectorError> {
        let moved = |message: String| {
            ConnectorError::new(ErrorCode::InvalidConfig, message)
                .at("url")
                .status(answer.status.as_u16())
                .hint("set `url` to the address that the target really has")
        };
        let keeps_method = matches!(answer.status, StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT);
        let Some(location) = answer.header(header::LOCATION).filter(|_| keeps_method) else {
            return Err(moved(format!("{} was sent elsewhere by the target", self.name(call))));
        };
        if redirects >= MAX_REDIRECTS {
            return Err(moved(format!("{} was redirected more than {MAX_REDIRECTS} times", self.name(call))));
        }
        BaseUrl::redirect(from, location).and_then(Origin::split).map(|(origin, path)| (Some(origin), path)).ok_or_else(
            || {
                moved(format!(
                    "{} was redirected to another host or to an unencrypted address, which is not followed",
                    self.name(call)
                ))
            },
        )
    }

    /// `POST example.org/scim/v2/Users`: without the query, which may hold personal data.
    pub fn name(&self, call: &Call<'_>) -> String {
        format!("{} {}{}{}", call.method, self.base.authority(), self.base.path(), without_query(call.path))
    }

    /// The call as the log keeps it.
    pub fn told(&self, call: &Call<'_>, answer: Option<&Answer>) -> Exchange {
        let id = |answer: &Answer| {
            let id = REQUEST_IDS.iter().find_map(|name| answer.headers.get(*name))?.to_str().ok()?;
            let id: String = self.presentable(id).chars().take(LONGEST_ID).collect();
            (!id.is_empty()).then(|| id.into())
        };
        Exchange {
            request: format!("{} {}", call.method, without_query(call.path)).into(),
            status: answer.map(|answer| answer.status.as_u16()),
            request_id: answer.and_then(id),
        }
    }

    /// A text of the target, fit to be shown: one line, not endless, and without our own secrets if it repeats them.
    pub fn presentable(&self, text: &str) -> String {
        const LIMIT: usize = 300;
        // Masked before it is cut, so that no half of a secret is left over.
        let mut shown = text.replace(char::is_control, " ");
        let granted = self.grant.as_ref().and_then(|grant| grant.mask());
        for mask in self.masks.iter().chain(&granted) {
            if shown.contains(mask.expose()) {
                shown = shown.replace(mask.expose(), "…");
            }
        }
        if shown.chars().count() > LIMIT {
            shown = shown.chars().take(LIMIT).chain(['…']).collect();
        }
        shown.trim().to_owned()
    }
}

/// The time of one call: from its start to its end or its caller's cancellation.
struct Span<'a> {
    start: Instant,
    end: Instant,
    cx: &'a Context,
    effect: Effect,
}

/// Why something did not come to its end.
enum Ended {
    Cancelled,
    Late,
}

impl Span<'_> {
    /// Does the work, within the call's time. A write is ended by its time alone. The timer is whatever timer is at hand.
    async fn limit<T>(
        &self,
        mut timer: Pin<&mut Sleep>,
        mut work: Pin<&mut impl Future<Output = T>>,
    ) -> Result<T, Ended> {
        let patient = self.end.min(self.start + PATIENCE);
        timer.as_mut().reset(patient.into());
        tokio::select! {
            biased;
            done = work.as_mut() => return Ok(done),
            () = timer.as_mut() => {}
        }
        timer.as_mut().reset(self.end.into());
        tokio::select! {
            biased;
            done = work => Ok(done),
            () = self.cx.cancel.cancelled(), if self.effect == Effect::Read => Err(Ended::Cancelled),
            () = timer => Err(Ended::Late),
        }
    }
}

fn without_query(path: &str) -> &str {
    path.split('?').next().unwrap_or(path)
}

//! The pooled client: HTTP/1.1, connections kept alive, one request at a time on each.
//!
//! What is the same for all requests (headers, scheme, host) is built once. A write is not given up when its caller is
//! cancelled, since that would only turn a known outcome into an unknown one; the time limit ends it.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::{HttpConnector, capture_connection};
use hyper_util::client::legacy::{self, Client as Pool};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use provost_connector::{ConnectorError, Context, ErrorCode, Secret};

use super::answer::{self, Answer, BodyFault};
use super::failure::{self, Effect};
use super::{AuthHeader, BaseUrl, tls};

/// Redirects that one request may take.
const MAX_REDIRECTS: usize = 3;

/// Servers close idle connections after 5 s (Node), 15 s, 60 s or more. Closing first, a little before the strictest common
/// one, makes it rare that a write goes out on a connection that is being closed, whose outcome would be unknown.
const IDLE: Duration = Duration::from_secs(4);

/// What a client is made of.
#[derive(Debug)]
pub struct Options {
    pub base: BaseUrl,
    /// Sent with every request, before the authentication.
    pub headers: HeaderMap,
    /// A PEM file whose authorities are trusted instead of the platform's.
    pub ca: Option<PathBuf>,
    /// From the first byte of the request to the last of the answer; the caller's deadline may be shorter.
    pub timeout: Duration,
    pub connect_timeout: Duration,
    /// Connections kept open; the caller sends no more requests at once.
    pub max_in_flight: usize,
    /// The longest answer, in bytes.
    pub max_answer: usize,
}

/// One request. The path starts with a slash, is encoded, and may have a query. No `Debug`: bodies are people's data.
pub struct Call<'a> {
    pub method: Method,
    pub path: &'a str,
    pub effect: Effect,
    pub body: Option<(HeaderValue, Bytes)>,
    pub headers: &'a [(HeaderName, HeaderValue)],
}

impl<'a> Call<'a> {
    pub fn new(method: Method, path: &'a str) -> Self {
        let effect = if matches!(method, Method::GET | Method::HEAD) { Effect::Read } else { Effect::Write };
        Self { method, path, effect, body: None, headers: &[] }
    }

    pub fn get(path: &'a str) -> Self {
        Self::new(Method::GET, path)
    }

    /// A body and its media type, made once by the caller.
    pub fn body(mut self, media_type: &HeaderValue, body: impl Into<Bytes>) -> Self {
        self.body = Some((media_type.clone(), body.into()));
        self
    }

    pub fn headers(mut self, headers: &'a [(HeaderName, HeaderValue)]) -> Self {
        self.headers = headers;
        self
    }
}

/// Speaks to one base address with one set of credentials. Cheap calls, shared connections.
pub struct Client {
    pool: Pool<HttpsConnector<HttpConnector>, Full<Bytes>>,
    base: BaseUrl,
    headers: HeaderMap,
    masks: Vec<Secret>,
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
            .with_tls_config(tls::config(options.ca.as_deref())?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        let pool = Pool::builder(TokioExecutor::new())
            .pool_max_idle_per_host(options.max_in_flight)
            .pool_idle_timeout(IDLE)
            .pool_timer(TokioTimer::new())
            .build(https);
        let mut headers = options.headers;
        headers.insert(header::USER_AGENT, HeaderValue::from_static(concat!("Provost/", env!("CARGO_PKG_VERSION"))));
        // hyper would build the same from each request's address.
        if let Ok(host) = HeaderValue::from_str(options.base.authority()) {
            headers.insert(header::HOST, host);
        }
        let mut masks = Vec::new();
        for one in auth {
            headers.insert(one.name, one.value);
            // Shorter ones would mask parts of ordinary words.
            masks.extend(one.masks.into_iter().filter(|mask| mask.expose().len() >= 4));
        }
        Ok(Self { pool, base: options.base, headers, masks, timeout: options.timeout, max_answer: options.max_answer })
    }

    pub fn base(&self) -> &BaseUrl {
        &self.base
    }

    /// Sends one request and reads its answer, whatever its status. An error means that there is no answer, and its code
    /// whether the target may have acted: `unavailable` when nothing was sent or nothing can have happened,
    /// `unknown_outcome` for a write in doubt.
    pub async fn send(&self, cx: &Context, call: &Call<'_>) -> Result<Answer, ConnectorError> {
        cx.check()?;
        let mut uri = self.base.join(call.path).map_err(|_| {
            ConnectorError::new(
                ErrorCode::Internal,
                format!("{} {} is no address", call.method, without_query(call.path)),
            )
        })?;
        let start = Instant::now();
        let end = cx.deadline.map_or(start + self.timeout, |deadline| deadline.min(start + self.timeout));
        let mut redirects = 0;
        loop {
            let answer = self.exchange(cx, call, uri.clone(), start, end).await?;
            tracing::debug!(
                method = %call.method,
                path = without_query(call.path),
                status = answer.status.as_u16(),
                duration_ms = start.elapsed().as_millis() as u64,
                trace = %cx.trace,
                "request"
            );
            if !answer.status.is_redirection() || answer.status == StatusCode::NOT_MODIFIED {
                return Ok(answer);
            }
            uri = self.follow(call, &uri, &answer, redirects)?;
            redirects += 1;
        }
    }

    /// One request to one address, within its time.
    async fn exchange(
        &self,
        cx: &Context,
        call: &Call<'_>,
        uri: Uri,
        start: Instant,
        end: Instant,
    ) -> Result<Answer, ConnectorError> {
        let mut request = self.request(call, uri);
        // Tells later whether the request had got hold of a connection; the pool does not.
        let taken = (call.effect == Effect::Write).then(|| capture_connection(&mut request));
        let exchange = async {
            let response = self.pool.request(request).await.map_err(|error| self.no_answer(&error, call))?;
            self.read(call, response).await
        };
        let limited = tokio::time::timeout_at(end.into(), exchange);
        let result = match call.effect {
            Effect::Write => limited.await,
            Effect::Read => tokio::select! {
                biased;
                () = cx.cancel.cancelled() => return Err(ConnectorError::new(ErrorCode::Cancelled, "cancelled")),
                result = limited => result,
            },
        };
        result.unwrap_or_else(|_| {
            let handed_over = taken.is_none_or(|taken| taken.connection_metadata().is_some());
            Err(failure::from_timeout(end.saturating_duration_since(start), handed_over, call.effect, &self.name(call)))
        })
    }

    fn request(&self, call: &Call<'_>, uri: Uri) -> Request<Full<Bytes>> {
        let (media_type, body) = match &call.body {
            Some((media_type, body)) => (Some(media_type.clone()), body.clone()),
            None => (None, Bytes::new()),
        };
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = call.method.clone();
        *request.uri_mut() = uri;
        *request.headers_mut() = self.headers.clone();
        if let Some(media_type) = media_type {
            request.headers_mut().insert(header::CONTENT_TYPE, media_type);
        }
        for (name, value) in call.headers {
            request.headers_mut().insert(name.clone(), value.clone());
        }
        request
    }

    async fn read(&self, call: &Call<'_>, response: Response<hyper::body::Incoming>) -> Result<Answer, ConnectorError> {
        let (status, headers, body) = answer::read(response, self.max_answer).await;
        let fault = match body {
            Ok(body) => return Ok(Answer { status, headers, body, cut: None }),
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

    fn follow(&self, call: &Call<'_>, from: &Uri, answer: &Answer, redirects: usize) -> Result<Uri, ConnectorError> {
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
        BaseUrl::redirect(from, location).ok_or_else(|| {
            moved(format!(
                "{} was redirected to another host or to an unencrypted address, which is not followed",
                self.name(call)
            ))
        })
    }

    fn no_answer(&self, error: &legacy::Error, call: &Call<'_>) -> ConnectorError {
        failure::from_client(error, call.effect, &self.name(call))
    }

    /// `POST example.org/scim/v2/Users`: without the query, which may hold personal data.
    pub fn name(&self, call: &Call<'_>) -> String {
        format!("{} {}{}{}", call.method, self.base.authority(), self.base.path(), without_query(call.path))
    }

    /// A text of the target, fit to be shown: one line, not endless, and without our own secrets if it repeats them.
    pub fn presentable(&self, text: &str) -> String {
        const LIMIT: usize = 300;
        // Masked before it is cut, so that no half of a secret is left over.
        let mut shown = text.replace(char::is_control, " ");
        for mask in &self.masks {
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

fn without_query(path: &str) -> &str {
    path.split('?').next().unwrap_or(path)
}

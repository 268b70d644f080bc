//! The settings of a connection. What a target does otherwise than the RFCs is its dialect, a data file of its own.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use provost_connector::{ConnectorError, ErrorCode, SettingProblem, Settings};
use provost_model::Text;
use provost_scim::client::Dialect;
use serde::Deserialize;
use serde_json::Value as Json;

use crate::http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use crate::http::{Auth, BaseUrl, Basic, Custom, Limit, Method, OAuth};
use crate::setting::{self, Certificate, SecretHandle, span};

/// As written under the connection's name.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    url: Text,
    #[serde(default, deserialize_with = "setting::secret")]
    token: Option<SecretHandle>,
    #[serde(default, deserialize_with = "setting::secret")]
    basic: Option<Basic>,
    #[serde(default, deserialize_with = "setting::secret")]
    header: Option<Custom>,
    #[serde(default, deserialize_with = "setting::secret")]
    oauth: Option<OAuth>,
    #[serde(default, deserialize_with = "setting::secret")]
    client_certificate: Option<Certificate>,
    /// A file, or the dialect itself.
    #[serde(default)]
    dialect: Json,
    #[serde(default)]
    ca: Option<PathBuf>,
    /// Seconds, or a text such as `30s`.
    #[serde(default)]
    timeout: Json,
    #[serde(default)]
    max_in_flight: Option<usize>,
    #[serde(default)]
    requests_per_second: Option<f64>,
    #[serde(default)]
    discovery: Option<bool>,
    #[serde(default)]
    allow_http: bool,
}

/// The settings, checked.
#[derive(Debug, Clone)]
pub struct Config {
    pub base: BaseUrl,
    pub auth: Auth,
    /// The dialect, with the settings that say the same laid over it.
    pub dialect: Dialect,
    /// The names that the dialect really sets: these outweigh what the target advertises.
    pub given: BTreeSet<String>,
    pub ca: Option<PathBuf>,
    /// The client's own, its file found from the configuration's folder.
    pub certificate: Option<Certificate>,
    pub timeout: Duration,
    /// The dialect's own headers and limits, checked.
    pub headers: HeaderMap,
    pub limits: Vec<Limit>,
}

impl Config {
    /// Reads and checks everything that can be checked without going online; all problems at once.
    pub fn read(settings: &Settings) -> Result<Self, Vec<SettingProblem>> {
        let raw: Raw = settings.read().map_err(|problem| vec![problem])?;
        let auth = Auth { token: raw.token, basic: raw.basic, header: raw.header, oauth: raw.oauth };
        let mut problems = auth.problems();
        let base = BaseUrl::parse(&raw.url);
        match &base {
            Err(reason) => {
                problems.push(problem("url", format!("`url` {reason}"), "write it as `https://host/scim/v2`"))
            }
            Ok(base) if base.is_plain() && !base.is_loopback() && !raw.allow_http => problems.push(problem(
                "url",
                "`url` is not encrypted: credentials and people's data would be readable on the way".to_owned(),
                "use `https://`, or set `allow_http: true` where the network is trusted",
            )),
            Ok(_) => {}
        }
        let timeout = span(&raw.timeout);
        if let Err(problem) = &timeout {
            problems.push(problem.clone());
        }
        if raw.max_in_flight == Some(0) {
            problems.push(problem(
                "max_in_flight",
                "`max_in_flight` has to be at least 1".to_owned(),
                "leave it out for 8",
            ));
        }
        if raw.requests_per_second.is_some_and(|rate| !(rate > 0.0 && rate.is_finite())) {
            problems.push(problem(
                "requests_per_second",
                "`requests_per_second` has to be more than 0".to_owned(),
                "leave it out for no limit",
            ));
        }
        let ca = raw.ca.map(|path| settings.path(path));
        if let Some(path) = ca.as_ref().filter(|path| !path.is_file()) {
            problems.push(problem("ca", format!("there is no file {}", path.display()), "give the path of a PEM file"));
        }
        let certificate = raw.client_certificate.map(|one| Certificate { cert: settings.path(one.cert), ..one });
        if let Some(path) = certificate.as_ref().map(|one| &one.cert).filter(|path| !path.is_file()) {
            let message = format!("there is no file {}", path.display());
            problems.push(problem("client_certificate.cert", message, "give the path of a PEM file"));
        }
        match (base, timeout, dialect(settings, raw.dialect)) {
            (Ok(base), Ok(timeout), Ok((mut dialect, given))) if problems.is_empty() => {
                // Eight at once keep a target that answers in 50 ms at 160 requests/s, which most bear. Requests a second
                // are limited only where somebody says so: the five that are a safe guess would make a first cycle of a
                // hundred thousand people last half a day, and a target that has enough says so by 429 and is obeyed.
                if !given.contains("requests_per_second") {
                    dialect.requests_per_second = None;
                }
                dialect.requests_per_second = raw.requests_per_second.or(dialect.requests_per_second);
                dialect.max_in_flight = raw.max_in_flight.unwrap_or(dialect.max_in_flight).max(1);
                dialect.discovery = raw.discovery.unwrap_or(dialect.discovery);
                let timeout = timeout.unwrap_or(Duration::from_secs(u64::from(dialect.timeout_s.max(1))));
                let (headers, limits) = (headers(&dialect)?, limits(&dialect)?);
                Ok(Self { base, auth, dialect, given, ca, certificate, timeout, headers, limits })
            }
            (_, _, dialect) => {
                problems.extend(dialect.err());
                Err(problems)
            }
        }
    }

    /// The same as one error, for `configure`.
    pub fn require(settings: &Settings) -> Result<Self, ConnectorError> {
        Self::read(settings).map_err(|problems| match problems.into_iter().next() {
            Some(problem) => problem.into(),
            None => ConnectorError::new(ErrorCode::InvalidConfig, "the settings cannot be read"),
        })
    }
}

/// The dialect and the names that it sets.
fn dialect(settings: &Settings, setting: Json) -> Result<(Dialect, BTreeSet<String>), SettingProblem> {
    let json = match setting {
        Json::Null => return Ok((Dialect::default(), BTreeSet::new())),
        Json::String(file) => {
            let path = settings.path(&file);
            let text = std::fs::read_to_string(&path).map_err(|error| {
                problem(
                    "dialect",
                    format!("cannot read {}: {error}", path.display()),
                    "give the path of a YAML or JSON file",
                )
            })?;
            // JSON is YAML, too.
            serde_saphyr::from_str::<Json>(&text).map_err(|error| {
                problem("dialect", format!("cannot read {}: {error}", path.display()), "correct the file")
            })?
        }
        inline => inline,
    };
    let given = json.as_object().map(|map| map.keys().cloned().collect()).unwrap_or_default();
    let dialect = Dialect::deserialize(json).map_err(|error| {
        problem("dialect", format!("`dialect`: {error}"), "the connector's documentation lists what a dialect can say")
    })?;
    Ok((dialect, given))
}

/// The headers that the dialect wants with every request.
fn headers(dialect: &Dialect) -> Result<HeaderMap, Vec<SettingProblem>> {
    let mut headers = HeaderMap::new();
    for (name, value) in &dialect.headers {
        let read = HeaderName::from_bytes(name.as_bytes()).ok().zip(HeaderValue::from_str(value).ok());
        let Some((name, value)) = read.filter(|(name, _)| *name != AUTHORIZATION) else {
            let message = format!("`dialect.headers`: `{name}` cannot be sent");
            let hint =
                "credentials go into `token`, `basic`, `header` or `oauth`; other names are letters, digits and dashes";
            return Err(vec![problem("dialect.headers", message, hint)]);
        };
        headers.insert(name, value);
    }
    Ok(headers)
}

fn limits(dialect: &Dialect) -> Result<Vec<Limit>, Vec<SettingProblem>> {
    let limits = dialect.limits.iter().map(|rule| {
        let methods: Option<Vec<Method>> =
            rule.methods.iter().map(|method| method.to_ascii_uppercase().parse().ok()).collect();
        let window = Duration::try_from_secs_f64(rule.seconds).ok().filter(|window| !window.is_zero());
        let limit = methods.zip(window).filter(|_| rule.requests > 0);
        let limit = limit.map(|(methods, window)| Limit {
            methods,
            path: rule.path.to_string(),
            requests: rule.requests as usize,
            window,
        });
        limit.ok_or_else(|| {
            let hint = "write `{methods: [POST], path: /Users, requests: 180, seconds: 60}`";
            vec![problem("dialect.limits", "`dialect.limits`: not a limit that could be kept".to_owned(), hint)]
        })
    });
    limits.collect()
}

fn problem(path: &str, message: String, hint: &str) -> SettingProblem {
    SettingProblem { path: path.into(), message, hint: Some(hint.to_owned()) }
}

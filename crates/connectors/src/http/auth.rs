//! How a client proves who it is: a bearer token, one that is asked for, a name and password, or a header of the target's own. Settings name
//! secrets by handle; the values live here and in one header value that is marked sensitive, so that no `Debug` shows it.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hyper::header::{AUTHORIZATION, HeaderName, HeaderValue};
use provost_connector::{ConnectorError, ErrorCode, Host, Secret, SettingProblem};
use provost_model::Text;
use serde::Deserialize;

use super::grant::{self, Grant};
use super::{BaseUrl, Client, Options};
use crate::setting::SecretHandle;

/// The settings `token`, `basic` and `header` of a connection, as each connector has them.
#[derive(Debug, Clone, Default)]
pub struct Auth {
    /// `Authorization: Bearer …`.
    pub token: Option<SecretHandle>,
    /// `Authorization: Basic …` (RFC 7617).
    pub basic: Option<Basic>,
    /// A header of the target's own, sent beside the others.
    pub header: Option<Custom>,
    /// Tokens by OAuth 2.0 client credentials.
    pub oauth: Option<OAuth>,
}

/// Where tokens are asked for, and by whom (RFC 6749 section 4.4).
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OAuth {
    pub token_url: Text,
    pub client_id: Text,
    pub client_secret: SecretHandle,
    #[serde(default)]
    pub scope: Option<Text>,
    /// What some endpoints want beside the scope, or instead of it.
    #[serde(default)]
    pub audience: Option<Text>,
    #[serde(default)]
    pub style: Style,
}

/// How the client tells who it is (RFC 6749 section 2.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Style {
    /// In the header `Authorization`, as every endpoint has to understand it.
    #[default]
    Basic,
    /// In the form, as many want it.
    Body,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Basic {
    pub username: Text,
    pub password: SecretHandle,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Custom {
    pub name: Text,
    pub value: SecretHandle,
}

/// A header to send with every request, and the secrets in it, which are masked wherever the target repeats them.
pub struct AuthHeader {
    pub name: HeaderName,
    pub value: HeaderValue,
    pub masks: Vec<Secret>,
}

impl Auth {
    /// What is wrong with the settings themselves.
    pub fn problems(&self) -> Vec<SettingProblem> {
        let mut problems = Vec::new();
        if self.token.is_some() && self.basic.is_some() {
            problems.push(problem(
                "basic",
                "`token` and `basic` exclude each other",
                "keep the one that the target asks for",
            ));
        }
        if let Some(oauth) = &self.oauth {
            if self.token.is_some() || self.basic.is_some() {
                problems.push(problem(
                    "oauth",
                    "`oauth` excludes `token` and `basic`",
                    "keep the one that the target asks for",
                ));
            }
            match BaseUrl::parse(&oauth.token_url) {
                Err(reason) => problems.push(SettingProblem {
                    path: "oauth.token_url".into(),
                    message: format!("`token_url` {reason}"),
                    hint: Some("write it as `https://host/path/token`".to_owned()),
                }),
                Ok(url) if url.is_plain() && !url.is_loopback() => problems.push(problem(
                    "oauth.token_url",
                    "`token_url` is not encrypted: the client's secret would be readable on the way",
                    "use `https://`",
                )),
                Ok(_) => {}
            }
        }
        if self.basic.as_ref().is_some_and(|basic| basic.username.contains(':')) {
            problems.push(problem(
                "basic.username",
                "a user name for `basic` cannot hold a colon",
                "use the name without it",
            ));
        }
        if let Some(custom) = &self.header
            && HeaderName::from_bytes(custom.name.as_bytes()).is_err()
        {
            problems.push(problem(
                "header.name",
                "this is no name for an HTTP header",
                "use letters, digits and hyphens",
            ));
        }
        problems
    }

    /// The client that asks for tokens, with options like those of the target's; none without `oauth`.
    pub async fn grant(&self, host: &dyn Host, options: Options) -> Result<Option<Grant>, ConnectorError> {
        let Some(oauth) = &self.oauth else { return Ok(None) };
        let base = BaseUrl::parse(&oauth.token_url).map_err(|reason| {
            ConnectorError::new(ErrorCode::InvalidConfig, format!("`token_url` {reason}")).at("oauth.token_url")
        })?;
        let secret = host.secret(&oauth.client_secret.secret).await?;
        let mut fields = Vec::new();
        let optional = [("scope", &oauth.scope), ("audience", &oauth.audience)];
        fields.extend(optional.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?))));
        let mut headers = vec![];
        match oauth.style {
            Style::Basic => {
                let pair = format!("{}:{}", grant::encode(&oauth.client_id), grant::encode(secret.expose()));
                let encoded = Secret::new(BASE64_STANDARD.encode(pair));
                let text = format!("Basic {}", encoded.expose());
                let masks = vec![secret.clone(), encoded];
                headers.push(header(AUTHORIZATION, text, masks, &oauth.client_secret.secret)?);
            }
            Style::Body => {
                fields.extend([("client_id", oauth.client_id.as_str()), ("client_secret", secret.expose())]);
                let accept = HeaderName::from_static("accept");
                let masks = vec![secret.clone()];
                headers.push(header(accept, "application/json".to_owned(), masks, &oauth.client_secret.secret)?);
            }
        }
        let client = Client::new(Options { base, ..options }, headers)?;
        Ok(Some(Grant::new(client, &fields)))
    }

    /// Asks for the secrets and builds the headers.
    pub async fn headers(&self, host: &dyn Host) -> Result<Vec<AuthHeader>, ConnectorError> {
        let mut headers = Vec::new();
        if let Some(token) = &self.token {
            let secret = host.secret(&token.secret).await?;
            let text = format!("Bearer {}", secret.expose().trim());
            headers.push(header(AUTHORIZATION, text, vec![secret], &token.secret)?);
        }
        if let Some(basic) = &self.basic {
            let secret = host.secret(&basic.password.secret).await?;
            let pair = Secret::new(format!("{}:{}", basic.username, secret.expose()));
            let encoded = Secret::new(BASE64_STANDARD.encode(pair.expose()));
            let text = format!("Basic {}", encoded.expose());
            headers.push(header(AUTHORIZATION, text, vec![secret, encoded], &basic.password.secret)?);
        }
        if let Some(custom) = &self.header {
            let secret = host.secret(&custom.value.secret).await?;
            let name = HeaderName::from_bytes(custom.name.as_bytes()).map_err(|_| {
                ConnectorError::new(ErrorCode::InvalidConfig, "this is no name for an HTTP header").at("header.name")
            })?;
            let text = secret.expose().trim().to_owned();
            headers.push(header(name, text, vec![secret], &custom.value.secret)?);
        }
        Ok(headers)
    }
}

fn header(name: HeaderName, text: String, masks: Vec<Secret>, handle: &str) -> Result<AuthHeader, ConnectorError> {
    let mut value = HeaderValue::try_from(text).map_err(|_| {
        ConnectorError::new(
            ErrorCode::InvalidConfig,
            format!("secret `{handle}` holds characters that no header can carry"),
        )
        .hint("store the secret again, without line breaks")
    })?;
    value.set_sensitive(true);
    Ok(AuthHeader { name, value, masks })
}

fn problem(path: &str, message: &str, hint: &str) -> SettingProblem {
    SettingProblem { path: path.into(), message: message.to_owned(), hint: Some(hint.to_owned()) }
}

//! Requests, notifications, answers and errors of JSON-RPC 2.0, to and from one line.
//!
//! Only the frame is read here; what a message carries stays text until somebody knows its type, so that a page of records
//! is parsed once.

use std::fmt;

use provost_model::Text;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use super::Meta;
use crate::{ConnectorError, ErrorCode};

/// What pairs an answer with its request; unique among the requests of one sender that are under way.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Id {
    Number(i64),
    Text(Text),
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Id::Number(number) => write!(f, "{number}"),
            Id::Text(text) => write!(f, "`{}`", text.escape_debug()),
        }
    }
}

/// One line, understood as far as JSON-RPC goes.
#[derive(Debug)]
pub enum Message<'a> {
    Request {
        id: Id,
        method: Text,
        params: &'a str,
    },
    Notification {
        method: Text,
        params: &'a str,
    },
    Result {
        id: Id,
        result: &'a str,
    },
    /// Without an id when the other side could not read what it answers.
    Error {
        id: Option<Id>,
        error: RpcError<'a>,
    },
}

/// Why a line is no message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    #[error("it is not JSON: {0}")]
    NotJson(String),
    #[error("it is no JSON-RPC 2.0 message: {0}")]
    Invalid(String),
}

/// The error of a JSON-RPC answer.
#[derive(Debug, Deserialize)]
pub struct RpcError<'a> {
    pub code: i64,
    #[serde(default)]
    pub message: String,
    /// A [`ConnectorError`].
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Frame<'a> {
    #[serde(default)]
    jsonrpc: Option<Text>,
    #[serde(default)]
    id: Option<Id>,
    #[serde(default)]
    method: Option<Text>,
    #[serde(borrow, default)]
    params: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    result: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<RpcError<'a>>,
}

/// `null` is a result, too.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

impl<'a> Message<'a> {
    pub fn parse(line: &'a str) -> Result<Self, Malformed> {
        let frame: Frame<'a> = serde_json::from_str(line).map_err(|error| match error.classify() {
            serde_json::error::Category::Data => Malformed::Invalid(error.to_string()),
            _ => Malformed::NotJson(error.to_string()),
        })?;
        let invalid = |reason: &str| Err(Malformed::Invalid(reason.to_owned()));
        if frame.jsonrpc.as_deref() != Some("2.0") {
            return invalid("`jsonrpc` is not \"2.0\"");
        }
        let params = frame.params.map_or("{}", RawValue::get);
        match (frame.method, frame.result, frame.error) {
            (Some(method), None, None) => Ok(match frame.id {
                Some(id) => Message::Request { id, method, params },
                None => Message::Notification { method, params },
            }),
            (None, Some(result), None) => match frame.id {
                Some(id) => Ok(Message::Result { id, result: result.get() }),
                None => invalid("an answer without `id`"),
            },
            (None, None, Some(error)) => Ok(Message::Error { id: frame.id, error }),
            (None, None, None) => invalid("none of `method`, `result` and `error`"),
            _ => invalid("more than one of `method`, `result` and `error`"),
        }
    }
}

impl RpcError<'_> {
    /// The error as the contract has it. One that brings no `data` is judged by JSON-RPC's own numbers.
    pub fn read(&self) -> Result<ConnectorError, String> {
        match self.data {
            Some(data) => serde_json::from_str(data.get()).map_err(|error| format!("`error.data`: {error}")),
            None => {
                let code = if self.code == METHOD_NOT_FOUND { ErrorCode::NotSupported } else { ErrorCode::Internal };
                Ok(ConnectorError::new(code, self.message.clone()))
            }
        }
    }
}

const METHOD_NOT_FOUND: i64 = -32601;

/// JSON-RPC's number of an error, beside which the contract's code stands in `data`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i64)]
pub enum Number {
    NotJson = -32700,
    Invalid = -32600,
    NoMethod = METHOD_NOT_FOUND,
    BadParams = -32602,
    /// Any other.
    Connector = -32000,
}

#[derive(Serialize)]
struct Request<'a, P> {
    jsonrpc: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a Id>,
    method: &'a str,
    params: WithMeta<'a, P>,
}

#[derive(Serialize)]
struct WithMeta<'a, P> {
    #[serde(skip_serializing_if = "Option::is_none")]
    meta: Option<&'a Meta>,
    #[serde(flatten)]
    params: &'a P,
}

#[derive(Serialize)]
struct Answer<'a, R> {
    jsonrpc: &'static str,
    id: &'a Id,
    result: &'a R,
}

#[derive(Serialize)]
struct Failure<'a> {
    jsonrpc: &'static str,
    id: Option<&'a Id>,
    error: FailureBody<'a>,
}

#[derive(Serialize)]
struct FailureBody<'a> {
    code: i64,
    message: &'a str,
    data: &'a ConnectorError,
}

fn line(message: &impl Serialize) -> Result<Vec<u8>, ConnectorError> {
    let mut line = serde_json::to_vec(message).map_err(|error| {
        ConnectorError::new(ErrorCode::Internal, format!("a message cannot be written as JSON: {error}"))
    })?;
    line.push(b'\n');
    Ok(line)
}

/// The line of a request; `params` is one that JSON writes as an object.
pub fn request<P: Serialize>(id: &Id, method: &str, meta: &Meta, params: &P) -> Result<Vec<u8>, ConnectorError> {
    line(&Request { jsonrpc: "2.0", id: Some(id), method, params: WithMeta { meta: Some(meta), params } })
}

pub fn notification<P: Serialize>(method: &str, params: &P) -> Result<Vec<u8>, ConnectorError> {
    line(&Request { jsonrpc: "2.0", id: None, method, params: WithMeta { meta: None, params } })
}

pub fn result<R: Serialize>(id: &Id, result: &R) -> Result<Vec<u8>, ConnectorError> {
    line(&Answer { jsonrpc: "2.0", id, result })
}

/// The line of an answer that is an error; without an id when the request could not be read.
pub fn error(id: Option<&Id>, number: Number, error: &ConnectorError) -> Result<Vec<u8>, ConnectorError> {
    let body = FailureBody { code: number as i64, message: &error.message, data: error };
    line(&Failure { jsonrpc: "2.0", id, error: body })
}

/// What a message carries, as what it should be.
pub fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, serde_json::Error> {
    serde_json::from_str(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(line: &str) -> String {
        match Message::parse(line) {
            Ok(Message::Request { id, method, params }) => format!("request {id} {method} {params}"),
            Ok(Message::Notification { method, params }) => format!("notification {method} {params}"),
            Ok(Message::Result { id, result }) => format!("result {id} {result}"),
            Ok(Message::Error { id, error }) => {
                format!("error {} {:?}", id.map_or("-".to_owned(), |id| id.to_string()), error.read())
            }
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn lines_are_told_apart() {
        for (line, want) in [
            (r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#, "request 1 ping {}"),
            (r#"{"jsonrpc":"2.0","id":"h1","method":"get","params":{"id": "7"}}"#, r#"request `h1` get {"id": "7"}"#),
            (r#"{"jsonrpc":"2.0","method":"$/cancel","params":{"id":1}}"#, r#"notification $/cancel {"id":1}"#),
            (r#"{"jsonrpc":"2.0","id":1,"result":null,"later":1}"#, "result 1 null"),
            (r#"{"id":1,"result":null}"#, r#"it is no JSON-RPC 2.0 message: `jsonrpc` is not "2.0""#),
            (r#"{"jsonrpc":"2.0","id":1}"#, "it is no JSON-RPC 2.0 message: none of `method`, `result` and `error`"),
            (r#"{"jsonrpc":"2.0","result":1}"#, "it is no JSON-RPC 2.0 message: an answer without `id`"),
            (
                r#"{"jsonrpc":"2.0","id":1,"result":1,"error":{"code":1}}"#,
                "it is no JSON-RPC 2.0 message: more than one of `method`, `result` and `error`",
            ),
            ("ready", "it is not JSON: expected value at line 1 column 1"),
        ] {
            assert_eq!(shown(line), want);
        }
        assert!(shown("[1]").starts_with("it is no JSON-RPC 2.0 message: "), "{}", shown("[1]"));
        assert!(shown(r#"{"jsonrpc":"2.0","id":1.5,"result":1}"#).starts_with("it is no JSON-RPC 2.0 message: "));
    }

    #[test]
    fn errors_say_what_the_contract_says() {
        let told = ConnectorError::new(ErrorCode::NotFound, "no card `7`").status(404);
        let line = String::from_utf8(error(Some(&Id::Number(3)), Number::Connector, &told).unwrap()).unwrap();
        let Ok(Message::Error { id: Some(Id::Number(3)), error }) = Message::parse(&line) else {
            unreachable!("{line}")
        };
        assert_eq!(error.read(), Ok(told));
        let code = |line: &str| match Message::parse(line) {
            Ok(Message::Error { error, .. }) => error.read().map(|error| error.code),
            other => unreachable!("{other:?}"),
        };
        let plain = |number: i64| format!(r#"{{"jsonrpc":"2.0","id":1,"error":{{"code":{number},"message":"no"}}}}"#);
        assert_eq!(code(&plain(-32601)), Ok(ErrorCode::NotSupported));
        assert_eq!(code(&plain(-1)), Ok(ErrorCode::Internal));
        let odd = r#"{"jsonrpc":"2.0","id":1,"error":{"code":1,"data":{"code":"tired","message":"x"}}}"#;
        assert!(code(odd).unwrap_err().starts_with("`error.data`: unknown variant `tired`"), "{:?}", code(odd));
    }
}

//! What a target, or a proxy before one, can do to a request: the kinds, their names and which requests they make sense for.
//! When one happens is [`Rule`](crate::Rule)'s to say; how, `answer`, `pages`, `lag` and `stored` do.

use std::fmt;

use crate::stored::ATTRIBUTES;

/// What happens to a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    /// It passes. A rule with it shields requests from the rules after it.
    #[default]
    None,
    /// The connection is closed and the service never hears of it.
    DropBefore,
    /// The service does what it was asked, then the connection is closed without an answer.
    DropAfter,
    /// This status is answered in the place of the service, with `Retry-After` in seconds if given; the service never hears of it.
    Status(u16, Option<u32>),
    /// The same with `Retry-After` as an HTTP date, so many seconds from now (RFC 9110 section 10.2.3).
    StatusUntil(u16, u32),
    /// This status, and `detail` repeats what was sent; the service never hears of it.
    Echo(u16),
    /// The answer comes so many milliseconds later.
    Slow(u64),
    /// The connection breaks in the middle of the answer, which has said that it is longer.
    Cut,
    /// The answer ends in its middle, and HTTP says that this is all of it: a proxy that gave up.
    Torn,
    /// A page of HTML with status 200, as a proxy or a login form answers.
    Html,
    /// Status 200 and no body.
    Blank,
    /// The last resource of a page is left out; `totalResults` counts it.
    ShortList,
    /// The first resource of a page stands in the place of the last; all numbers agree.
    Twice,
    /// Nobody is listed: `totalResults` is 0.
    EmptyList,
    /// The list is said to end with this page.
    EarlyEnd,
    /// A page is the one that was given before it.
    RepeatPage,
    /// The page after it is given in the place of a page.
    SkipPage,
    /// The filter does not count: everything is found.
    IgnoreFilter,
    /// The cursor is too old (RFC 9865 section 2.2, `expiredCursor`).
    ExpiredCursor,
    /// The token is no longer good. One that the token endpoint gave stays so; any other is taken again.
    ExpiredToken,
    /// Reads do not see what was written in the last so many requests.
    Lag(u32),
    /// Reads do not see what was written in the last so many milliseconds.
    LagMs(u64),
    /// Groups show so many members and say nothing of the others; with 0 they seem to have none.
    Members(usize),
    /// `userName` is stored in lower case.
    LowerUserName,
    /// Blanks around texts are not stored.
    Trim,
    /// Of phone numbers digits and `+` are stored.
    Phones,
    /// This attribute is not stored.
    DropAttribute(&'static str),
}

/// How faults are written, and what each does.
pub const FAULTS: [(&str, &str); 26] = [
    ("pass", "nothing: shields requests from the faults after it"),
    ("drop-before", "the connection closes, nothing was done"),
    ("drop-after", "it was done, and the connection closes without an answer"),
    ("status=CODE[,WAIT]", "this status, nothing was done; WAIT is Retry-After: SECONDS, date:SECONDS or none"),
    ("echo=CODE", "this status, with a request id, and the detail repeats what was sent; nothing was done"),
    ("slow=MS", "the answer comes later"),
    ("cut", "the connection breaks in the middle of the answer"),
    ("torn", "the answer ends in its middle, and says that it is whole"),
    ("html", "a page of HTML with status 200, as from a proxy"),
    ("blank", "status 200 and no body"),
    ("short-list", "the last resource of a page is left out; totalResults counts it"),
    ("twice", "the first resource of a page stands in the place of the last; all numbers agree"),
    ("empty-list", "nobody is listed; totalResults is 0"),
    ("early-end", "the list is said to end with this page"),
    ("repeat-page", "the page before is given once more"),
    ("skip-page", "the page after is given in its place"),
    ("ignore-filter", "everything is found, whatever was asked for"),
    ("expired-cursor", "the cursor is too old: 400 expiredCursor"),
    ("expired-token", "401; a token of /-/token stays refused, any other is taken again"),
    ("lag=REQUESTS", "reads do not see what was written in the last requests"),
    ("lag-ms=MS", "reads do not see what was written so lately"),
    ("members=N", "groups show N members and say nothing of the others; 0 hides all"),
    ("lower-user-name", "userName is stored in lower case"),
    ("trim", "blanks around texts are not stored"),
    ("phones", "of phone numbers digits and + are stored"),
    ("drop-attribute=NAME", "the attribute is not stored"),
];

impl Fault {
    /// Status and `Retry-After`, where the fault is an answer of its own. `now` is the time of day.
    pub fn refusal(self, now: provost_model::Timestamp) -> Option<(u16, Option<String>)> {
        match self {
            Fault::Status(status, wait) => Some((status, wait.map(|seconds| seconds.to_string()))),
            Fault::StatusUntil(status, wait) => {
                let until = now + std::time::Duration::from_secs(wait.into());
                Some((status, Some(until.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string())))
            }
            _ => None,
        }
    }

    /// Whether it can happen to a request; `path` is below the SCIM base.
    pub(crate) fn fits(self, method: &str, path: &str, query: &str) -> bool {
        let collection = path.trim_matches('/');
        let is_collection = !collection.contains('/')
            && !["ServiceProviderConfig", "ServiceProviderConfigs", "ResourceTypes", "Schemas"].contains(&collection);
        let searches = method == "POST" && path.ends_with("/.search");
        let lists = method == "GET" && is_collection;
        let writes = matches!(method, "POST" | "PUT" | "PATCH") && !searches;
        let has = |name: &str| crate::address::parameter(query, name).filter(|value| !value.is_empty());
        match self {
            Fault::ShortList | Fault::Twice | Fault::EmptyList | Fault::EarlyEnd => lists || searches,
            Fault::SkipPage => lists,
            Fault::RepeatPage => {
                lists && (has("cursor").is_some() || has("startIndex").is_some_and(|start| start != "1"))
            }
            Fault::IgnoreFilter => lists && has("filter").is_some(),
            Fault::ExpiredCursor => lists && has("cursor").is_some(),
            Fault::Lag(_) | Fault::LagMs(_) => method == "GET",
            Fault::Members(_) => method == "GET" || searches,
            _ => writes || !self.changes_values(),
        }
    }

    /// Whether values are stored otherwise than they were sent.
    pub(crate) fn changes_values(self) -> bool {
        matches!(self, Fault::LowerUserName | Fault::Trim | Fault::Phones | Fault::DropAttribute(_))
    }

    /// `drop-after`, `status=429,date:5`: the first word of a line.
    pub(crate) fn read(what: &str) -> Option<Self> {
        let (name, value) = what.split_once('=').map_or((what, None), |(name, value)| (name, Some(value)));
        let number = || value.and_then(|text| text.parse::<u64>().ok());
        Some(match (name, value) {
            ("pass", None) => Fault::None,
            ("drop-before", None) => Fault::DropBefore,
            ("drop-after", None) => Fault::DropAfter,
            ("cut", None) => Fault::Cut,
            ("torn", None) => Fault::Torn,
            ("html", None) => Fault::Html,
            ("blank", None) => Fault::Blank,
            ("short-list", None) => Fault::ShortList,
            ("twice", None) => Fault::Twice,
            ("empty-list", None) => Fault::EmptyList,
            ("early-end", None) => Fault::EarlyEnd,
            ("repeat-page", None) => Fault::RepeatPage,
            ("skip-page", None) => Fault::SkipPage,
            ("ignore-filter", None) => Fault::IgnoreFilter,
            ("expired-cursor", None) => Fault::ExpiredCursor,
            ("expired-token", None) => Fault::ExpiredToken,
            ("lower-user-name", None) => Fault::LowerUserName,
            ("trim", None) => Fault::Trim,
            ("phones", None) => Fault::Phones,
            ("status", Some(value)) => status(value)?,
            ("echo", Some(_)) => Fault::Echo(u16::try_from(number()?).ok().filter(|code| (400..=599).contains(code))?),
            ("slow", Some(_)) => Fault::Slow(number()?),
            ("lag", Some(_)) => Fault::Lag(u32::try_from(number()?).ok()?),
            ("lag-ms", Some(_)) => Fault::LagMs(number()?),
            ("members", Some(_)) => Fault::Members(usize::try_from(number()?).ok()?),
            ("drop-attribute", Some(name)) => {
                Fault::DropAttribute(ATTRIBUTES.iter().find(|known| known.eq_ignore_ascii_case(name))?)
            }
            _ => return None,
        })
    }
}

/// `503`, `429,30`, `429,date:30`, `429,none`. Without a word on it, 429 and 503 ask for a second.
fn status(value: &str) -> Option<Fault> {
    let (code, wait) = value.split_once(',').map_or((value, None), |(code, wait)| (code, Some(wait)));
    let code = code.parse().ok().filter(|code| (400..600).contains(code))?;
    Some(match wait {
        None => Fault::Status(code, matches!(code, 429 | 503).then_some(1)),
        Some("none") => Fault::Status(code, None),
        Some(wait) => match wait.strip_prefix("date:") {
            Some(seconds) => Fault::StatusUntil(code, seconds.parse().ok()?),
            None => Fault::Status(code, Some(wait.parse().ok()?)),
        },
    })
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Fault::None => "pass",
            Fault::DropBefore => "drop-before",
            Fault::DropAfter => "drop-after",
            Fault::Cut => "cut",
            Fault::Torn => "torn",
            Fault::Html => "html",
            Fault::Blank => "blank",
            Fault::ShortList => "short-list",
            Fault::Twice => "twice",
            Fault::EmptyList => "empty-list",
            Fault::EarlyEnd => "early-end",
            Fault::RepeatPage => "repeat-page",
            Fault::SkipPage => "skip-page",
            Fault::IgnoreFilter => "ignore-filter",
            Fault::ExpiredCursor => "expired-cursor",
            Fault::ExpiredToken => "expired-token",
            Fault::LowerUserName => "lower-user-name",
            Fault::Trim => "trim",
            Fault::Phones => "phones",
            Fault::Status(code, Some(wait)) => return write!(f, "status={code},{wait}"),
            Fault::Status(code, None) => return write!(f, "status={code},none"),
            Fault::StatusUntil(code, wait) => return write!(f, "status={code},date:{wait}"),
            Fault::Echo(code) => return write!(f, "echo={code}"),
            Fault::Slow(ms) => return write!(f, "slow={ms}"),
            Fault::Lag(requests) => return write!(f, "lag={requests}"),
            Fault::LagMs(ms) => return write!(f, "lag-ms={ms}"),
            Fault::Members(shown) => return write!(f, "members={shown}"),
            Fault::DropAttribute(name) => return write!(f, "drop-attribute={name}"),
        };
        f.write_str(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_read_as_it_is_written() {
        let values = [
            ("CODE[,WAIT]", "429,date:7"),
            ("CODE", "400"),
            ("MS", "20"),
            ("REQUESTS", "3"),
            ("N", "2"),
            ("NAME", "title"),
        ];
        for (form, _) in FAULTS {
            let text = match form.split_once('=') {
                None => (*form).to_owned(),
                Some((name, hint)) => format!("{name}={}", values.iter().find(|(kind, _)| *kind == hint).unwrap().1),
            };
            assert_eq!(Fault::read(&text).map(|fault| fault.to_string()), Some(text));
        }
        assert_eq!(Fault::read("status=429"), Some(Fault::Status(429, Some(1))));
        assert_eq!(Fault::read("status=500"), Some(Fault::Status(500, None)));
        for wrong in ["", "drop", "status", "status=200", "status=429,soon", "slow=x", "drop-after=1", "members"] {
            assert_eq!(Fault::read(wrong), None, "{wrong}");
        }
        assert_eq!(Fault::read("drop-attribute=shoeSize"), None);
    }

    #[test]
    fn faults_meet_requests_that_they_mean_something_for() {
        for (fault, method, path, query, fits) in [
            (Fault::ExpiredCursor, "GET", "/Users", "cursor=abc", true),
            (Fault::ExpiredCursor, "GET", "/Users", "cursor=", false),
            (Fault::RepeatPage, "GET", "/Users", "startIndex=101&count=100", true),
            (Fault::RepeatPage, "GET", "/Users", "startIndex=1", false),
            (Fault::ShortList, "POST", "/Users/.search", "", true),
            (Fault::ShortList, "GET", "/Schemas", "", false),
            (Fault::Trim, "POST", "/Users/.search", "", false),
            (Fault::Trim, "PATCH", "/Users/1", "", true),
            (Fault::Lag(1), "PATCH", "/Users/1", "", false),
        ] {
            assert_eq!(fault.fits(method, path, query), fits, "{fault} {method} {path}?{query}");
        }
    }
}

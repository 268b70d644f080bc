//! Statements of the administrator's own, with named parameters (`:login`). The text is taken as it stands; parameters are
//! found outside of quotes and comments, and always bound.

use std::collections::BTreeMap;

use provost_model::{Action, Text};

use super::statement::Verbatim;

/// A statement, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Own {
    pub parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Text(Verbatim),
    Named(String),
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Statements(Vec<(Action, Own)>);

impl Statements {
    /// The statement, what is wrong with it, and what to do.
    pub(super) fn read(raw: &BTreeMap<Text, String>) -> Result<Self, (Text, String, &'static str)> {
        let mut statements = Vec::new();
        for (name, text) in raw {
            let action = match name.parse::<Action>() {
                Ok(action) if action != Action::Unlink => action,
                _ => {
                    let hint = "statements are create, update, delete, disable and enable";
                    return Err((name.clone(), format!("there is no statement `{name}`"), hint));
                }
            };
            let own = Own::parse(text).map_err(|message| (name.clone(), message, "close every quote and comment"))?;
            statements.push((action, own));
        }
        Ok(Self(statements))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn of(&self, action: Action) -> Option<&Own> {
        self.0.iter().find(|(have, _)| *have == action).map(|(_, own)| own)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &(Action, Own)> {
        self.0.iter()
    }
}

impl Own {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim().trim_end_matches(';').trim_end();
        if text.is_empty() || text.contains('\0') {
            return Err("the statement is empty".to_owned());
        }
        let bytes = text.as_bytes();
        let (mut parts, mut from, mut at) = (Vec::new(), 0, 0);
        while at < bytes.len() {
            let rest = &text[at..];
            let skip = match bytes[at] {
                mark @ (b'\'' | b'"' | b'`') => Some(quoted(rest, mark).ok_or("a quote is not closed")?),
                b'-' if rest.starts_with("--") => Some(rest.find('\n').unwrap_or(rest.len())),
                b'/' if rest.starts_with("/*") => Some(rest.find("*/").ok_or("a comment is not closed")? + 2),
                b'$' => dollar_quoted(rest)?,
                // A cast of PostgreSQL.
                b':' if rest.starts_with("::") => Some(2),
                _ => None,
            };
            if let Some(length) = skip {
                at += length;
                continue;
            }
            let name = if bytes[at] == b':' { word(&text[at + 1..]) } else { "" };
            if name.is_empty() {
                at += text[at..].chars().next().map_or(1, char::len_utf8);
                continue;
            }
            parts.push(Part::Text(Verbatim(text[from..at].to_owned())));
            parts.push(Part::Named(name.to_owned()));
            at += 1 + name.len();
            from = at;
        }
        parts.push(Part::Text(Verbatim(text[from..].to_owned())));
        Ok(Self { parts })
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Named(name) => Some(name.as_str()),
            Part::Text(_) => None,
        })
    }
}

/// The length of a quoted piece; a doubled quote stands for itself, which the next piece then begins with.
fn quoted(text: &str, mark: u8) -> Option<usize> {
    let end = text.as_bytes()[1..].iter().position(|byte| *byte == mark)?;
    Some(end + 2)
}

/// `$$ … $$` and `$tag$ … $tag$`.
fn dollar_quoted(text: &str) -> Result<Option<usize>, String> {
    let tag = word(&text[1..]);
    if text.as_bytes().get(1 + tag.len()) != Some(&b'$') {
        return Ok(None);
    }
    let fence = &text[..tag.len() + 2];
    let end = text[fence.len()..].find(fence).ok_or("a quote is not closed")?;
    Ok(Some(fence.len() * 2 + end))
}

fn word(text: &str) -> &str {
    let starts = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    if starts { &text[..end] } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        Own::parse(text).unwrap().names().map(str::to_owned).collect()
    }

    #[test]
    fn parameters_are_found_outside_of_quotes_and_comments() {
        for (text, expected) in [
            ("insert into t values (:login, :mail)", vec!["login", "mail"]),
            ("call p(:a,:b_2);", vec!["a", "b_2"]),
            ("select ':no', \":no\", `:no`, :yes", vec!["yes"]),
            ("select 'it''s :no', :yes -- :no\n, :too", vec!["yes", "too"]),
            ("select /* :no */ :yes::text", vec!["yes"]),
            ("select $$ :no $$, $x$ :no $x$, :yes", vec!["yes"]),
            ("select '10:30', 1 : 2, :1", vec![]),
            ("select '\u{e9}:no', :\u{e9}, :ok", vec!["ok"]),
        ] {
            assert_eq!(names(text), expected, "{text}");
        }
        for text in ["select 'open", "select /* open", "", " ; ", "select $$ open"] {
            assert!(Own::parse(text).is_err(), "{text}");
        }
    }
}

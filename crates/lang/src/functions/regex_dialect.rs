//! .NET's regular expressions on Rust's engine, which takes linear time whatever the pattern.
//!
//! [`pattern`] writes a .NET pattern in Rust's dialect or says why that cannot be, [`class`] does the same for character
//! classes, and [`replacement`] reads replacement texts. This module compiles what they give and keeps recent programs.

mod class;
mod escape;
mod pattern;
mod replacement;

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex};

use regex::{Captures, Regex, RegexBuilder};

pub(crate) use replacement::Replacement;

/// The engine refuses patterns whose program would be larger. `\w` knows all scripts of the world, so that a pattern of
/// addresses such as `^[\w.]{1,64}@[\w.]{1,255}$` needs several MB.
const MAX_PROGRAM_BYTES: usize = 16 << 20;
/// Programs up to this size are kept for the next expression with the same pattern.
const MAX_SHARED_BYTES: usize = 1 << 20;
/// How many programs are kept.
const MAX_SHARED: usize = 128;
/// How much memory a search may use to remember the states it met.
const MAX_CACHE_BYTES: usize = 1 << 20;

/// The programs of recent patterns: the jobs of an installation tend to repeat theirs, and building a program costs far
/// more than reading the expression around it.
static SHARED: LazyLock<Mutex<HashMap<String, Regex>>> = LazyLock::new(Mutex::default);

/// A compiled pattern, or why it is none.
pub(crate) fn compile(pattern: &str) -> Result<Regex, String> {
    build(pattern::translate(pattern)?)
}

/// Like [`compile`], for a pattern that must match the whole text.
pub(crate) fn compile_whole(pattern: &str) -> Result<Regex, String> {
    compile(pattern)?;
    build(format!(r"\A(?:{})\z", pattern::translate(pattern)?))
}

fn build(pattern: String) -> Result<Regex, String> {
    // A thread that panicked while it held the lock left whole entries behind.
    let shared = || SHARED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(regex) = shared().get(&pattern) {
        return Ok(regex.clone());
    }
    match sized(&pattern, MAX_SHARED_BYTES) {
        Ok(regex) => {
            let mut shared = shared();
            if shared.len() >= MAX_SHARED {
                shared.clear();
            }
            shared.insert(pattern, regex.clone());
            Ok(regex)
        }
        Err(regex::Error::CompiledTooBig(_)) => sized(&pattern, MAX_PROGRAM_BYTES).map_err(reason),
        Err(other) => Err(reason(other)),
    }
}

fn sized(pattern: &str, bytes: usize) -> Result<Regex, regex::Error> {
    RegexBuilder::new(pattern).size_limit(bytes).dfa_size_limit(MAX_CACHE_BYTES).build()
}

fn reason(error: regex::Error) -> String {
    match error {
        regex::Error::CompiledTooBig(_) => "it is too large".to_owned(),
        // The last line of the engine's drawing says why.
        other => {
            let text = other.to_string();
            let reason = text.lines().last().unwrap_or_default();
            reason.trim_start_matches("error: ").to_owned()
        }
    }
}

/// Calls `put` for the text before each match and the match, in .NET's order: an empty match may touch the match before
/// it, so that `.*` matches `abc` twice. Returns the end of the last match, `None` without any.
pub(crate) fn each_match<'t>(
    regex: &Regex,
    text: &'t str,
    mut put: impl FnMut(&'t str, &Captures<'t>) -> bool,
) -> Option<usize> {
    let (mut from, mut end) = (0, None);
    while let Some(captures) = regex.captures_at(text, from) {
        let whole = captures.get_match();
        let goes_on = put(&text[end.unwrap_or(0)..whole.start()], &captures);
        end = Some(whole.end());
        from = if whole.is_empty() { after(text, whole.end()) } else { whole.end() };
        if !goes_on || from > text.len() {
            break;
        }
    }
    end
}

/// The place behind the character at `at`; beyond the text at its end.
fn after(text: &str, at: usize) -> usize {
    at + text[at..].chars().next().map_or(1, char::len_utf8)
}

/// The group of this name or number.
pub(crate) fn group(name: &str, regex: &Regex) -> Option<usize> {
    regex.capture_names().position(|known| known == Some(name)).or_else(|| numbered(name, regex))
}

/// .NET counts the groups without a name first, then those with one.
fn numbered(digits: &str, regex: &Regex) -> Option<usize> {
    let wanted: usize = digits.parse().ok()?;
    if wanted == 0 {
        return Some(0);
    }
    in_order(regex).nth(wanted - 1)
}

/// The groups in .NET's order.
fn in_order(regex: &Regex) -> impl Iterator<Item = usize> + '_ {
    let named = |with: bool| regex.capture_names().enumerate().skip(1).filter(move |(_, name)| name.is_some() == with);
    named(false).chain(named(true)).map(|(at, _)| at)
}

#[cfg(test)]
mod tests;

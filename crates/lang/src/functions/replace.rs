//! Replace, whose five modes follow from which of its arguments are given.

use std::ops::Range;

use provost_model::Text;
use regex::{Captures, Regex};

use super::Kind::{self, Any, Texts};
use super::regex_dialect::{self, Replacement};
use super::{Function, entry, example, form, needed, optional};
use crate::datum::{Datum, NULL};
use crate::error::code;
use crate::program::{Arguments, Eval, Node, Prepared, Stop};
use crate::{LangError, MAX_TEXT};

const OLD: usize = 1;
const PATTERN: usize = 2;
const GROUP: usize = 3;
const NEW: usize = 4;
const OTHER: usize = 5;
const TEMPLATE: usize = 6;

const ABOUT: &str = "Replaces in the source, in exact case. Which arguments are given decides how: \
    oldValue and replacementValue: every occurrence. \
    oldValue and template: the source takes the place of every oldValue in the template. \
    regexPattern and replacementValue: every match; `${name}` in the replacement is the group `(?<name>…)`. \
    regexPattern, regexGroupName and replacementValue: in every match only what the group holds. \
    regexPattern, regexGroupName and replacementAttributeName: the source where it has a value, else the group of the \
    first match in the other attribute. Patterns are those of .NET without look-around and back references.";

pub(super) const FUNCTIONS: &[Function] = &[entry(
    "Replace",
    &[form(&[
        needed("source", Texts),
        optional("oldValue", Kind::Text),
        optional("regexPattern", Kind::Text),
        optional("regexGroupName", Kind::Text),
        optional("replacementValue", Kind::Text),
        optional("replacementAttributeName", Any),
        optional("template", Kind::Text),
    ])],
    Texts,
    replace,
    ABOUT,
    &[
        example("Replace([a], \"-\", , , \"_\", , )", r#"{"a":"EN-US"}"#, r#""EN_US""#),
        example("Replace([a], \"%n\", , , , , \"Dear %n!\")", r#"{"a":"Ada"}"#, r#""Dear Ada!""#),
        example(
            "Replace([a], , \"(?<last>\\\\w+), (?<first>\\\\w+)\", , \"${first} ${last}\", , )",
            r#"{"a":"Doe, Jo"}"#,
            r#""Jo Doe""#,
        ),
        example("Replace([a], , \"(?<suffix>@.*)\", \"suffix\", \"\", , )", r#"{"a":"jo@x.org"}"#, r#""jo""#),
        example("Replace([a], , \"(?<name>.*)@\", \"name\", , [mail], )", r#"{"mail":"jo@x.org"}"#, r#""jo""#),
        example(r#"Replace("abc", , "(.*)", , "p-${1}", , )"#, "{}", r#""p-abcp-""#),
        example(r#"Replace([a], , "[a-z-[aeiou]]", , "", , )"#, r#"{"a":"lovelace"}"#, r#""oeae""#),
    ],
)
.edges(&[
    "Null stays null; each value of a multi-valued attribute.",
    "Texts compare in exact case; `(?i)` at the start of a pattern ignores it.",
    "In a replacement `$1`, `${name}`, `$&`, `$$`, `` $` ``, `$'`, `$+` and `$_` refer to what was \
         matched; other dollar signs stay.",
    "As in .NET an empty match may follow a match: `(.*)` matches `abc` twice, `^.*$` once.",
    "`$` and `\\Z` match at the very end only, not before a last line break.",
    "Look-around, backreferences, atomic and balancing groups are refused when the expression is read.",
])
.prepared(prepare)];

/// How one call replaces, with its pattern compiled where that is a constant.
#[derive(Debug)]
pub(crate) struct Plan {
    mode: Mode,
    regex: Option<Regex>,
    /// The replacement, where both it and the pattern are constants.
    replacement: Option<Replacement>,
    group: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Mode {
    Occurrences,
    Template,
    Matches,
    Group,
    OtherAttribute,
}

fn prepare(slots: &[Option<Node>], span: &Range<usize>, _: &crate::Environment) -> Result<Prepared, Vec<LangError>> {
    let given = |at: usize| slots.get(at).is_some_and(Option::is_some);
    let mode = match (given(OLD), given(PATTERN), given(GROUP), given(NEW), given(OTHER), given(TEMPLATE)) {
        (true, false, _, _, _, true) => Mode::Template,
        (true, false, _, true, _, false) => Mode::Occurrences,
        (_, true, true, _, true, _) => Mode::OtherAttribute,
        (_, true, true, true, false, _) => Mode::Group,
        (_, true, false, true, _, _) => Mode::Matches,
        _ => {
            let message = "these arguments of `Replace` do not say what to replace with what";
            let hint = "give oldValue and replacementValue, or regexPattern and replacementValue: \
                        Replace(source, \"old\", , , \"new\", , )";
            return Err(vec![LangError::new(code::ARGUMENTS, span.clone(), message).hint(hint)]);
        }
    };
    let constant = |at: usize| slots.get(at)?.as_ref()?.constant_text();
    let place = |at: usize| slots.get(at).and_then(Option::as_ref).map_or(span, |node| &node.span).clone();
    let mut plan = Plan { mode, regex: None, replacement: None, group: None };
    if given(OLD) && constant(OLD) == Some("") {
        let error = LangError::new(code::KIND, place(OLD), "`oldValue` of `Replace` is an empty text");
        return Err(vec![error.hint("leave the slot empty when a regexPattern is given")]);
    }
    let Some(pattern) = constant(PATTERN) else { return Ok(Prepared::Replace(Box::new(plan))) };
    let regex = regex_dialect::compile(pattern).map_err(|reason| {
        let error = LangError::new(code::REGEX, place(PATTERN), format!("the regular expression is invalid: {reason}"));
        vec![error.hint("in a text \\ is written \\\\, as in \"\\\\d+\"")]
    })?;
    if matches!(mode, Mode::Group | Mode::OtherAttribute)
        && let Some(name) = constant(GROUP)
    {
        plan.group = regex_dialect::group(name, &regex);
        if plan.group.is_none() {
            let message = format!("the regular expression has no group `{name}`");
            let error = LangError::new(code::REGEX, place(GROUP), message);
            return Err(vec![error.hint(format!("name a group in the pattern: (?<{name}>…)"))]);
        }
    }
    if mode == Mode::Matches {
        plan.replacement = constant(NEW).map(|text| Replacement::parse(text, &regex));
    }
    plan.regex = Some(regex);
    Ok(Prepared::Replace(Box::new(plan)))
}

fn replace<'a>(call: &Arguments<'_, 'a>) -> Eval<'a> {
    let Prepared::Replace(plan) = call.prepared() else { return Ok(NULL) };
    match plan.mode {
        Mode::Occurrences => {
            let (old, new) = (call.text(OLD)?, call.text(NEW)?);
            let (old, new) = (old.as_deref().unwrap_or_default(), new.as_deref().unwrap_or_default());
            call.map_text(0, |source| {
                if old.is_empty() || !source.contains(old) {
                    return Ok(source.into());
                }
                substitute(call, &source, old, new)
            })
        }
        Mode::Template => {
            let (old, template) = (call.text(OLD)?, call.text(TEMPLATE)?);
            let (old, template) = (old.as_deref().unwrap_or_default(), template.as_deref().unwrap_or_default());
            call.map_text(0, |source| {
                if old.is_empty() { Ok(Datum::text(template)) } else { substitute(call, template, old, &source) }
            })
        }
        Mode::Matches | Mode::Group | Mode::OtherAttribute => match &plan.regex {
            Some(regex) => with_regex(call, plan, regex),
            None => {
                let Some(pattern) = call.text(PATTERN)? else { return call.get(0) };
                let regex = regex_dialect::compile(&pattern).map_err(|reason| {
                    call.wrong(PATTERN, code::VALUE_TEXT, "is no regular expression", Some(pattern.into_text()))
                        .hint(reason)
                })?;
                with_regex(call, plan, &regex)
            }
        },
    }
}

/// Bounded before it is built: short old values in long texts multiply.
fn substitute<'a>(call: &Arguments<'_, 'a>, text: &str, old: &str, new: &str) -> Eval<'a> {
    let mut out = Text::with_capacity(text.len());
    for (at, piece) in text.split(old).enumerate() {
        if at > 0 {
            out.push_str(new);
        }
        out.push_str(piece);
        if out.len() > MAX_TEXT {
            break;
        }
    }
    call.bounded(out)
}

fn with_regex<'a>(call: &Arguments<'_, 'a>, plan: &Plan, regex: &Regex) -> Eval<'a> {
    match plan.mode {
        Mode::OtherAttribute => {
            let source = call.get(0)?;
            if !source.is_unassigned() {
                return Ok(source);
            }
            let group = group(call, plan, regex)?;
            let Some(other) = call.text(OTHER)? else { return Ok(NULL) };
            let found = regex.captures(&other).and_then(|captures| captures.get(group).map(|found| found.range()));
            Ok(found.map_or(NULL, |range| other.piece(|text| &text[range]).into()))
        }
        Mode::Group => {
            let group = group(call, plan, regex)?;
            let new = call.text(NEW)?;
            let new = new.as_deref().unwrap_or_default();
            every_match(call, regex, |_, captures, out| {
                let whole = captures.get_match();
                match captures.get(group) {
                    Some(inner) => {
                        out.push_str(&whole.as_str()[..inner.start() - whole.start()]);
                        out.push_str(new);
                        out.push_str(&whole.as_str()[inner.end() - whole.start()..]);
                    }
                    None => out.push_str(whole.as_str()),
                }
            })
        }
        _ => match &plan.replacement {
            Some(replacement) => {
                every_match(call, regex, |source, captures, out| replacement.expand(source, captures, out))
            }
            None => {
                let new = call.text(NEW)?;
                let replacement = Replacement::parse(new.as_deref().unwrap_or_default(), regex);
                every_match(call, regex, |source, captures, out| replacement.expand(source, captures, out))
            }
        },
    }
}

fn group(call: &Arguments<'_, '_>, plan: &Plan, regex: &Regex) -> Result<usize, Stop> {
    if let Some(group) = plan.group {
        return Ok(group);
    }
    let name = call.text(GROUP)?;
    regex_dialect::group(name.as_deref().unwrap_or_default(), regex).ok_or_else(|| {
        call.wrong(GROUP, code::VALUE_TEXT, "is no group of the pattern", name.map(|name| name.into_text()))
    })
}

/// `put` gets the source, a match in it and where its replacement goes.
fn every_match<'a>(
    call: &Arguments<'_, 'a>,
    regex: &Regex,
    mut put: impl FnMut(&str, &Captures<'_>, &mut String),
) -> Eval<'a> {
    call.map_text(0, |source| {
        let mut out = String::new();
        let end = regex_dialect::each_match(regex, &source, |before, captures| {
            out.push_str(before);
            put(&source, captures, &mut out);
            out.len() <= MAX_TEXT
        });
        let Some(end) = end else { return Ok(source.into()) };
        out.push_str(&source[end..]);
        call.bounded(out.into())
    })
}

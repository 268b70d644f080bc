//! Texts that break what was built by pasting: what comes back equals what went in, or it was refused.

use std::sync::Arc;

use provost_connector::{ErrorCode, FindRequest, LookupRequest};
use provost_model::{Action, Change, Filter, Value};

use super::writing::object;
use super::{Case, Played, Subject, Verdict, case, demand};
use crate::ground::{Ground, parse};

const GROUP: &str = "hostile values";

pub(super) const CASES: &[Case] = &[
    case!(63, Standard, Write, "hostile texts come back as they went in, or are refused", values),
    case!(103, Standard, Write, "hostile texts as key find one object, theirs", keys),
];

/// Quotes and escapes of every language that a connector may speak, and letters that people have.
const TEXTS: &[&str] = &[
    "O'Neill",
    "\"quoted\" 'twice' `thrice`",
    "back\\slash \\2a \\00 \\u0041 \\n",
    "comma, semicolon; plus+ equals= <angle> #hash",
    " leading and trailing ",
    "(uid=*)(|(cn=*))",
    "'; drop table people; --",
    "$(touch /tmp/provost-was-here) `id` ${HOME} %PATH%",
    "{{ 7*7 }} {% raw %} {# no #} ${7*7} [first] %s %(x)s",
    "<a href=\"x\">&amp; &lt; ]]> <!-- --></a>",
    "=1+1",
    "+41 44 555",
    "-1",
    "@cmd",
    "tab\there",
    "line\nbreak",
    "carriage\r\nreturn",
    "null",
    "NULL",
    "true",
    "007",
    "1e5",
    "Zoë Ångström 漢字 ﷽ עברית 👩🏽‍🚀 e\u{301}",
    "\u{202e}evil\u{202c}",
    "\u{feff}byte order mark",
    "a\u{0}b",
    ": colon first",
    "< less first",
    "?q=1&r=2#frag/../..%2f%00",
    "{\"json\": [1, 2]}",
];
/// Characters of the longest text.
const LONG: usize = 3_000;

fn texts() -> impl Iterator<Item = String> {
    TEXTS.iter().map(|text| (*text).to_owned()).chain(["long ".repeat(LONG / 5)])
}

/// What a peer may say to a text that it cannot hold.
const REFUSED: [ErrorCode; 4] =
    [ErrorCode::InvalidValue, ErrorCode::Constraint, ErrorCode::NotSupported, ErrorCode::MissingRequired];

async fn values(ground: &Ground<'_>, subject: Subject<'_>) -> Played {
    let sample = subject.sample()?;
    if sample.free.is_empty() || !subject.can()?.create || !subject.can()?.update {
        return Err(Verdict::skipped("the sample names no `free` attribute"));
    }
    let id = ground.make(subject.name()).await?;
    let mut kept = 0;
    for name in &sample.free {
        let path = Arc::new(parse(name)?);
        for text in texts() {
            let change = Change::set(path.clone(), Value::text(&text));
            let update = ground.operation(Action::Update, subject.name(), Some(&id), vec![change]);
            match ground.apply(&update).await {
                Ok(_) => {
                    let record = object(ground, subject.name(), &id).await?;
                    let have = path.get(&record.attributes).and_then(Value::as_text);
                    demand!(have == Some(text.as_str()), "`{name}` was sent {text:?} and is {have:?}");
                    let all = ground.all(subject.name()).await?;
                    demand!(all.gap().is_none(), "with {text:?} a full read is not complete");
                    let read = all.records.iter().find(|record| record.id == id);
                    let have = read.and_then(|record| path.get(&record.attributes)).and_then(Value::as_text);
                    demand!(have == Some(text.as_str()), "`{name}` was sent {text:?} and reads {have:?}");
                    kept += 1;
                }
                Err(error) => {
                    demand!(REFUSED.contains(&error.code), "{text:?}: {:?}: {error}", error.code);
                }
            }
        }
    }
    demand!(kept > 0, "every text is refused");
    Ok(())
}

async fn keys(ground: &Ground<'_>, subject: Subject<'_>) -> Played {
    let sample = subject.sample()?;
    let Some(key) = sample.key.as_deref().filter(|_| subject.class.is_some_and(|can| can.create)) else {
        return Err(Verdict::skipped("the sample names no key"));
    };
    let path = parse(key)?;
    let bystander = ground.make(subject.name()).await?;
    for text in texts() {
        // Also the number, so that two texts that a peer takes for one do not meet.
        let text = format!("{text}{}", ground.next_number());
        let mut draft = ground.draft(subject.name(), sample).await?;
        let Some(change) = draft.changes.iter_mut().find(|change| *change.path == path) else {
            return Err(Verdict::skipped("the create does not set the key"));
        };
        change.value = Value::text(&text);
        let id = match ground.apply(&draft).await {
            Ok(id) => id,
            Err(error) => {
                demand!(REFUSED.contains(&error.code), "{text:?}: {:?}: {error}", error.code);
                continue;
            }
        };
        let record = object(ground, subject.name(), &id).await?;
        let have = path.get(&record.attributes).and_then(Value::as_text);
        demand!(have == Some(text.as_str()), "`{key}` was sent {text:?} and is {have:?}");
        let found = if subject.can()?.can_look_up(&path) {
            let values = vec![Value::text(&text)];
            let request = LookupRequest { class: subject.name().into(), path: path.clone(), values };
            match ground.session.lookup(&ground.cx(), request).await {
                Ok(mut found) => found.pop().unwrap_or_default(),
                Err(error) if error.code == ErrorCode::NotSupported => vec![record],
                Err(error) => return Err(error.into()),
            }
        } else {
            let request = FindRequest::new(subject.name(), Filter::eq(path.clone(), Value::text(&text)));
            match ground.session.find(&ground.cx(), request).await {
                Ok(page) => page.records,
                Err(error) if error.code == ErrorCode::NotSupported => vec![record],
                Err(error) => return Err(error.into()),
            }
        };
        demand!(found.len() == 1 && found[0].id == id, "{text:?} finds {} objects", found.len());
        if subject.can()?.delete {
            ground.apply(&ground.operation(Action::Delete, subject.name(), Some(&id), Vec::new())).await?;
            demand!(ground.get(subject.name(), &id).await?.is_none(), "{text:?} cannot be deleted");
        }
        object(ground, subject.name(), &bystander).await?;
    }
    Ok(())
}

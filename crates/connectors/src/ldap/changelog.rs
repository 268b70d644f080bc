//! The retro changelog of 389 Directory Server (draft-good-ldap-changelog): numbered entries, one for each change, which
//! name the entry that was changed by its `nsUniqueId`. What it looks like now is asked for afterwards.

use std::collections::BTreeSet;

use ldap3::{Ldap, Scope, SearchEntry};
use provost_connector::{ConnectorError, Context};
use provost_model::ObjectId;

use super::fault::Effect;
use super::feed::{self, Delta, Feed, MOST, Mark, expired};
use super::session::Inner;
use super::shape::{self, ClassShape};
use super::wire::{Said, Wire};
use super::{page, value};

const ALL: &str = "(objectClass=*)";
const PAGE: i32 = 1_000;

/// How far the changelog reaches.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Reach {
    /// Of the changelog itself: one that was made anew counts from the beginning.
    log: String,
    first: u64,
    last: u64,
}

/// What was read of it.
#[derive(Debug)]
enum Read {
    /// There is no changelog, or it is not shown.
    Nothing,
    Newest(Reach),
    /// It does not hold what follows the cursor any more, for this reason.
    Expired(&'static str),
    Changed {
        ids: BTreeSet<ObjectId>,
        at: u64,
        log: String,
    },
}

async fn reach(ldap: &mut Ldap) -> Said<Option<(Reach, String)>> {
    let asked = vec!["changelog", "firstChangeNumber", "lastChangeNumber"];
    let Some(root) = shape::one(ldap, "", ALL, asked).await? else { return Ok(None) };
    let text = |entry: &SearchEntry, name: &str| value::find(entry, name).and_then(|values| values.first()).cloned();
    let number = |name: &str| text(&root, name).and_then(|text| text.parse::<u64>().ok());
    let Some((base, last)) = text(&root, "changelog").zip(number("lastChangeNumber")) else { return Ok(None) };
    let Some(entry) = shape::one(ldap, &base, ALL, vec!["nsUniqueId"]).await? else { return Ok(None) };
    let Some(log) = text(&entry, "nsUniqueId") else { return Ok(None) };
    Ok(Some((Reach { log, first: number("firstChangeNumber").unwrap_or(0), last }, base)))
}

async fn read(mut ldap: Ldap, from: Option<(String, u64)>) -> Said<Read> {
    let Some((now, base)) = reach(&mut ldap).await? else { return Ok(Read::Nothing) };
    let Some((log, from)) = from else {
        let shown = names_entries(&mut ldap, &base, now.last).await?;
        return Ok(if shown { Read::Newest(now) } else { Read::Nothing });
    };
    if log != now.log || from > now.last {
        return Ok(Read::Expired("the changelog is another one than that of the cursor"));
    }
    let filter = format!("(changeNumber>={})", from + 1);
    let wanted = ["changeNumber", "changeType", "targetUniqueId", "targetDn"].map(str::to_owned);
    let (mut ids, mut moved, mut at, mut cookie) = (BTreeSet::new(), BTreeSet::new(), from, Vec::new());
    let mut oldest = u64::MAX;
    loop {
        let page = page::next(&mut ldap, &base, Scope::OneLevel, &filter, &wanted, (PAGE, cookie)).await?;
        for entry in &page.entries {
            let text = |name: &str| value::find(entry, name).and_then(|values| values.first());
            let (Some(number), Some(id)) =
                (text("changeNumber").and_then(|text| text.parse::<u64>().ok()), text("targetUniqueId"))
            else {
                return Ok(Read::Expired(
                    "the changelog does not show `changeNumber` and `targetUniqueId` of all changes",
                ));
            };
            (at, oldest) = (at.max(number), oldest.min(number));
            ids.insert(ObjectId::from(id.as_str()));
            if text("changeType").is_some_and(|kind| kind.eq_ignore_ascii_case("modrdn")) {
                moved.insert(id.clone());
            }
        }
        if ids.len() > MOST {
            return Ok(Read::Expired("so much changed that reading everything is cheaper"));
        }
        if page.cookie.is_empty() {
            break;
        }
        cookie = page.cookie;
    }
    // Asked afterwards, since it may be trimmed while it is read.
    let Some((then, _)) = reach(&mut ldap).await? else { return Ok(Read::Nothing) };
    // The oldest are trimmed first, so what follows the cursor at once has to be there.
    let is_trimmed = from < now.last && (then.first > from + 1 || oldest != from + 1);
    if then.log != now.log || is_trimmed || at < now.last {
        return Ok(Read::Expired("the changelog does not reach back to the cursor any more"));
    }
    if any_has_children(&mut ldap, &moved).await? {
        return Ok(Read::Expired("a container was renamed, and the entries below it have other names by that"));
    }
    Ok(Read::Changed { ids, at, log: now.log })
}

/// Whether the newest change tells whose it is, which has to be switched on. One that is trimmed already tells nothing
/// against it.
async fn names_entries(ldap: &mut Ldap, base: &str, last: u64) -> Said<bool> {
    let name = format!("changeNumber={last},{base}");
    let newest = shape::one(ldap, &name, ALL, vec!["targetUniqueId"]).await?;
    Ok(newest.is_none_or(|entry| value::find(&entry, "targetUniqueId").is_some()))
}

/// Whether others are below one of these entries.
async fn any_has_children(ldap: &mut Ldap, ids: &BTreeSet<String>) -> Said<bool> {
    if ids.is_empty() {
        return Ok(false);
    }
    let Some(root) = shape::one(ldap, "", ALL, vec!["namingContexts"]).await? else { return Ok(true) };
    for id in ids {
        let filter = format!("(nsUniqueId={})", ldap3::ldap_escape(id.as_str()));
        for context in value::find(&root, "namingContexts").into_iter().flatten() {
            let result = ldap.search(context, Scope::Subtree, &filter, vec!["numSubordinates"]).await?;
            let (entries, _) = result.success()?;
            let entries = entries.into_iter().filter(|entry| !entry.is_ref() && !entry.is_intermediate());
            let has = |entry: SearchEntry| {
                let number = value::find(&entry, "numSubordinates").and_then(|values| values.first()).cloned();
                number.is_some_and(|number| number != "0")
            };
            if entries.map(SearchEntry::construct).any(has) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// Whether there is a changelog that is shown to who signs in.
pub async fn is_there(cx: &Context, wire: &Wire) -> Result<bool, ConnectorError> {
    let read = wire.converse(cx, "look for the changelog", Effect::Reads, |ldap: Ldap| read(ldap, None)).await;
    match read {
        Ok(read) => Ok(matches!(read, Read::Newest(_))),
        // Not shown.
        Err(error) if error.target_status.is_some() => Ok(false),
        Err(error) => Err(error),
    }
}

/// A number that is another one after every change.
pub async fn newest(cx: &Context, wire: &Wire) -> Result<Option<String>, ConnectorError> {
    let read = wire.converse(cx, "read the changelog", Effect::Reads, |ldap: Ldap| read(ldap, None)).await?;
    Ok(if let Read::Newest(reach) = read { Some(format!("{}:{}", reach.log, reach.last)) } else { None })
}

pub async fn since(
    cx: &Context,
    inner: &Inner,
    shape: &ClassShape,
    wanted: Vec<String>,
    from: Option<Mark>,
) -> Result<Delta, ConnectorError> {
    let place = from.map(|mark| place(&mark.at).ok_or_else(|| expired("the cursor has no place in it"))).transpose()?;
    let talk = move |ldap: Ldap| read(ldap, place);
    let (ids, at) = match inner.wire.converse(cx, "read the changelog", Effect::Reads, talk).await? {
        Read::Nothing => return Err(expired("the server shows no changelog any more")),
        Read::Expired(why) => return Err(expired(why)),
        Read::Newest(reach) => (BTreeSet::new(), format!("{}:{}", reach.log, reach.last)),
        Read::Changed { ids, at, log } => (ids, format!("{log}:{at}")),
    };
    let (entries, gone) = feed::split(cx, inner, shape, &wanted, ids).await?;
    Ok(Delta { entries, gone, next: Mark::new(Feed::Changelog, shape, at).cursor(), referrals: 0 })
}

/// The changelog and the number in it.
fn place(at: &str) -> Option<(String, u64)> {
    let (log, number) = at.rsplit_once(':')?;
    Some((log.to_owned(), number.parse().ok()?))
}

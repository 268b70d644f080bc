//! Content synchronisation (RFC 4533), refresh only: OpenLDAP with the overlay `syncprov`.
//!
//! The server either names who is gone (delete phase), or names everybody who is still there (present phase), and whoever
//! is missing is gone. The latter says nothing to who does not know who was there: their ids are kept with the cursor, in it
//! while they are few, else in the memory of the session.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ldap3::controls::parse_syncinfo;
use ldap3::controls::{
    Control, ControlType, EntryState, RawControl, RefreshMode, SyncDone, SyncInfo, SyncRequest, SyncState,
};
use ldap3::{Ldap, LdapResult, ResultEntry, Scope, SearchEntry};
use provost_connector::{ConnectorError, Context, Cursor, ErrorCode};
use provost_model::ObjectId;

use super::fault::{self, Effect};
use super::feed::{Delta, Feed, MOST, Mark, Uuid, expired};
use super::session::Inner;
use super::shape::ClassShape;
use super::wire::{Said, Wire};
use super::{range, value};

/// Among `supportedControl`, where some database of the server may be synchronised.
pub const CONTROL: &str = "1.3.6.1.4.1.4203.1.9.1.1";
/// Ids that a cursor has room for: 16 bytes each, in base64, of 16 KiB.
const IN_CURSOR: usize = 500;
/// e-syncRefreshRequired (RFC 4533 section 2.6).
const REFRESH_REQUIRED: u32 = 4096;

/// What the server told from first to last.
#[derive(Debug, Default)]
struct Told {
    entries: Vec<(Uuid, SearchEntry)>,
    /// Only who is there is asked for, be they as many as they may.
    only_ids: bool,
    present: HashSet<Uuid>,
    deleted: BTreeSet<Uuid>,
    /// There was a present phase.
    presents: bool,
    cookie: Option<Vec<u8>>,
    referrals: usize,
    /// Too much for memory.
    too_many: bool,
    result: u32,
    text: String,
    /// Entries with others below them that were changed since: whoever is below may have another name.
    containers: Vec<String>,
}

impl Told {
    fn entry(&mut self, ldap_entry: ResultEntry) {
        if ldap_entry.is_ref() {
            self.referrals += 1;
            return;
        }
        if ldap_entry.is_intermediate() {
            return self.info(parse_syncinfo(ldap_entry));
        }
        let state = ldap_entry.1.iter().find_map(|Control(kind, raw)| match kind {
            Some(ControlType::SyncState) => Some(raw.parse::<SyncState>()),
            _ => None,
        });
        // Without it nobody knows what the entry is there for.
        let Some((state, id)) = state.and_then(|state| Some((state.state, state.entry_uuid.try_into().ok()?))) else {
            self.result = u32::MAX;
            return;
        };
        match state {
            EntryState::Delete => drop(self.deleted.insert(id)),
            EntryState::Present => drop(self.present.insert(id)),
            _ if self.only_ids => drop(self.present.insert(id)),
            EntryState::Add | EntryState::Modify => self.entries.push((id, SearchEntry::construct(ldap_entry))),
        }
    }

    fn info(&mut self, info: SyncInfo) {
        let cookie = match info {
            SyncInfo::NewCookie(cookie) => Some(cookie),
            SyncInfo::RefreshDelete { cookie, .. } => cookie,
            SyncInfo::RefreshPresent { cookie, .. } => {
                self.presents = true;
                cookie
            }
            SyncInfo::SyncIdSet { cookie, refresh_deletes, sync_uuids } => {
                let ids: Result<Vec<Uuid>, Vec<u8>> = sync_uuids.into_iter().map(Uuid::try_from).collect();
                // Whoever cannot be read may not be taken for missing.
                let Ok(ids) = ids else {
                    self.result = u32::MAX;
                    return;
                };
                if refresh_deletes {
                    self.deleted.extend(ids);
                } else {
                    self.present.extend(ids);
                }
                cookie
            }
        };
        self.cookie = cookie.or_else(|| self.cookie.take());
    }

    fn done(&mut self, result: &LdapResult) {
        self.result = result.rc.max(self.result);
        self.text.clone_from(&result.text);
        let done = result.ctrls.iter().find_map(|Control(kind, raw)| match kind {
            Some(ControlType::SyncDone) => Some(raw.parse::<SyncDone>()),
            _ => None,
        });
        match done {
            Some(done) => {
                self.presents |= !done.refresh_deletes;
                self.cookie = done.cookie.or_else(|| self.cookie.take());
            }
            // The control was ignored: this is a plain search, and no synchronisation.
            None if result.rc == 0 => self.result = u32::MAX,
            None => {}
        }
    }
}

/// The sixteen bytes as `entryUUID` has them.
fn id_of(bytes: &Uuid) -> ObjectId {
    let hex = |from: usize, to: usize| bytes[from..to].iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    [hex(0, 4), hex(4, 6), hex(6, 8), hex(8, 10), hex(10, 16)].join("-").into()
}

/// Asks for what is new since the cookie.
async fn ask(mut ldap: Ldap, place: Place, cookie: Option<Vec<u8>>, wanted: Vec<String>) -> Said<Told> {
    let mut told = Told { only_ids: cookie.is_none(), ..Told::default() };
    let oldest = cookie.as_deref().and_then(oldest);
    let request: RawControl = SyncRequest { mode: RefreshMode::RefreshOnly, cookie, reload_hint: false }.into();
    let control = RawControl { crit: true, ..request };
    let mut stream =
        ldap.with_controls(vec![control]).streaming_search(&place.base, place.scope, &place.filter, wanted).await?;
    while let Some(found) = stream.next().await? {
        if told.entries.len() < MOST {
            told.entry(found);
        } else {
            told.too_many = true;
        }
    }
    told.done(&stream.finish().await);
    for (_, entry) in &mut told.entries {
        range::complete(&mut ldap, entry).await?;
    }
    if let Some(csns) = oldest {
        told.containers = changed_containers(&mut ldap, &place, &csns).await?;
    }
    Ok(told)
}

/// Where a class is.
#[derive(Debug, Clone)]
struct Place {
    base: String,
    scope: Scope,
    filter: String,
}

/// The change numbers of a cookie: `rid=000,csn=20260102030405.000000Z#000000#000#000000;…`, one for each server.
fn oldest(cookie: &[u8]) -> Option<Vec<String>> {
    let text = std::str::from_utf8(cookie).ok()?;
    let csns = text.split(',').find_map(|part| part.strip_prefix("csn="))?;
    Some(csns.split(';').map(str::to_owned).collect())
}

/// The server that gave a change number.
fn server_of(csn: &str) -> Option<&str> {
    csn.split('#').nth(2)
}

/// Entries with others below them that changed since: the others may have got another name by that, which no feed tells.
async fn changed_containers(ldap: &mut Ldap, place: &Place, csns: &[String]) -> Said<Vec<String>> {
    let Some(first) = csns.iter().min() else { return Ok(Vec::new()) };
    let filter = format!("(&(hasSubordinates=TRUE)(entryCSN>={}))", ldap3::ldap_escape(first.as_str()));
    let result = ldap.search(&place.base, Scope::Subtree, &filter, vec!["entryCSN"]).await?;
    let (entries, _) = result.success()?;
    let is_new = |entry: &SearchEntry| {
        let csn = value::find(entry, "entryCSN").and_then(|csns| csns.first())?;
        let known = csns.iter().find(|known| server_of(known) == server_of(csn));
        Some(known.is_none_or(|known| csn > known))
    };
    let entries = entries.into_iter().filter(|entry| !entry.is_ref() && !entry.is_intermediate());
    let entries = entries.map(SearchEntry::construct);
    Ok(entries.filter(|entry| is_new(entry).unwrap_or(true)).map(|entry| entry.dn).collect())
}

/// Whether the database of a class can be synchronised.
pub async fn is_there(cx: &Context, wire: &Wire, base: &str) -> Result<bool, ConnectorError> {
    let place = Place { base: base.to_owned(), scope: Scope::Base, filter: "(!(objectClass=*))".to_owned() };
    let talk = move |ldap: Ldap| ask(ldap, place, None, vec!["1.1".to_owned()]);
    let told = wire.converse(cx, "ask for content synchronisation", Effect::Reads, talk).await?;
    Ok(told.result == 0 && told.cookie.is_some())
}

/// The change numbers of all databases: other ones after every change.
pub async fn newest(cx: &Context, wire: &Wire, contexts: &[String]) -> Result<Option<String>, ConnectorError> {
    let contexts = contexts.to_vec();
    let talk = move |mut ldap: Ldap| async move {
        let mut all = Vec::new();
        for context in contexts {
            let entry = super::shape::one(&mut ldap, &context, "(objectClass=*)", vec!["contextCSN"]).await?;
            let mut csns = entry.and_then(|entry| value::find(&entry, "contextCSN").cloned()).unwrap_or_default();
            csns.sort();
            all.extend(csns);
        }
        Ok(all)
    };
    let csns = wire.converse(cx, "read the change numbers", Effect::Reads, talk).await?;
    Ok(Some(csns.join(";")).filter(|text| !text.is_empty()))
}

pub async fn since(
    cx: &Context,
    inner: &Inner,
    shape: &ClassShape,
    wanted: Vec<String>,
    from: Option<(&Cursor, Mark)>,
) -> Result<Delta, ConnectorError> {
    let place = Place {
        base: shape.class.base.to_string(),
        scope: shape.class.scope.into(),
        filter: shape.class.filter.to_string(),
    };
    let cookie = match &from {
        Some((_, mark)) => {
            let cookie = STANDARD.decode(&mark.at).map_err(|_| expired("the cursor holds no cookie"))?;
            Some(cookie)
        }
        None => None,
    };
    let what = format!("synchronise `{}`", place.base);
    // At the beginning only who is there is of interest: the content is read in full afterwards.
    let wanted = if from.is_some() { wanted } else { vec!["1.1".to_owned()] };
    let (sent, limited) = (cookie.clone(), place.clone());
    let talk = move |ldap: Ldap| ask(ldap, limited, sent, wanted);
    let told = inner.wire.converse(cx, &what, Effect::Reads, talk).await?;
    if told.result != 0 {
        return Err(refusal(&told, &what, from.is_some()));
    }
    if told.too_many {
        return Err(expired(format!("more than {MOST} entries changed, and reading everything is cheaper")));
    }
    let Some(now) = told.cookie.clone().or(cookie) else {
        return Err(ConnectorError::new(ErrorCode::Protocol, format!("{what}: the server gave no cookie")));
    };
    let Some((cursor, mark)) = from else {
        let next = remember(inner, shape, &now, Some(told.present));
        return Ok(Delta { entries: Vec::new(), gone: Vec::new(), next, referrals: told.referrals });
    };
    if let Some(name) = told.containers.first() {
        return Err(expired(format!("`{name}` was changed, and the entries below it may have other names by that")));
    }
    let known = inner.known.at(cursor).or_else(|| in_cursor(&mark).map(Arc::new));
    let here: HashSet<Uuid> = told.entries.iter().map(|(id, _)| *id).collect();
    let mut gone: BTreeSet<Uuid> = told.deleted.iter().filter(|id| !here.contains(*id)).copied().collect();
    if told.presents {
        let Some(known) = &known else {
            return Err(expired("the server tells who is there, and who was there before is not known any more"));
        };
        if told.present.iter().any(|id| !known.contains(id) && !here.contains(id)) {
            return Err(expired("the server tells of entries as unchanged that were not there before"));
        }
        gone.extend(known.iter().filter(|id| !told.present.contains(*id) && !here.contains(*id)).copied());
    }
    let now_known = known.map(|known| {
        let mut now: HashSet<Uuid> = known.iter().filter(|id| !gone.contains(*id)).copied().collect();
        now.extend(here);
        now
    });
    let next = remember(inner, shape, &now, now_known);
    let entries = told.entries.into_iter().map(|(_, entry)| entry).collect();
    Ok(Delta { entries, gone: gone.iter().map(id_of).collect(), next, referrals: told.referrals })
}

/// A cursor, and who is there at it.
fn remember(inner: &Inner, shape: &ClassShape, cookie: &[u8], known: Option<HashSet<Uuid>>) -> Cursor {
    let mut mark = Mark::new(Feed::Sync, shape, STANDARD.encode(cookie));
    if let Some(known) = known.as_ref().filter(|known| known.len() <= IN_CURSOR) {
        let mut bytes: Vec<Uuid> = known.iter().copied().collect();
        bytes.sort_unstable();
        mark.ids = Some(STANDARD.encode(bytes.concat()).into());
    }
    let cursor = mark.cursor();
    if let Some(known) = known {
        inner.known.remember(&cursor, Arc::new(known));
    }
    cursor
}

fn in_cursor(mark: &Mark) -> Option<HashSet<Uuid>> {
    let bytes = STANDARD.decode(mark.ids.as_deref()?).ok()?;
    let (ids, rest) = bytes.as_chunks::<16>();
    rest.is_empty().then(|| ids.iter().copied().collect())
}

fn refusal(told: &Told, what: &str, with_cookie: bool) -> ConnectorError {
    match told.result {
        REFRESH_REQUIRED => expired("the server wants everything to be read anew"),
        // What OpenLDAP says of a cookie that it cannot read, or that is newer than itself.
        2 | 53 if with_cookie => expired(format!("the server does not take the cursor: {}", told.text)),
        u32::MAX => ConnectorError::new(ErrorCode::Protocol, format!("{what}: the server does not synchronise")),
        rc => {
            let result =
                LdapResult { rc, matched: String::new(), text: told.text.clone(), refs: Vec::new(), ctrls: Vec::new() };
            fault::of_result(&result, what)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_written_as_the_server_does() {
        let bytes: Uuid = std::array::from_fn(|at| u8::try_from(at * 16).unwrap());
        assert_eq!(id_of(&bytes), "00102030-4050-6070-8090-a0b0c0d0e0f0");
    }

    #[test]
    fn cookies_name_their_servers() {
        let cookie = b"rid=000,csn=20261124112000.000001Z#000000#001#000000;20261124112001.000001Z#000000#002#000000";
        let csns = oldest(cookie).unwrap();
        assert_eq!(csns.iter().filter_map(|csn| server_of(csn)).collect::<Vec<_>>(), ["001", "002"]);
    }
}

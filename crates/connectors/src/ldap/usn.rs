//! The update sequence numbers of an Active Directory (MS-ADTS section 3.1.1.1.9): every change of an object gives it a
//! higher `uSNChanged`, a deletion too, which leaves the object as a tombstone.
//!
//! The numbers are one domain controller's own, so the cursor names the copy of the directory that it counts in. Who may
//! not see tombstones would take the deleted for living: for those there is no feed.

use std::collections::BTreeSet;

use ldap3::controls::RawControl;
use ldap3::{Ldap, Scope, SearchEntry};
use provost_connector::{ConnectorError, Context};
use provost_model::ObjectId;

use super::fault::Effect;
use super::feed::{self, Delta, Feed, MOST, Mark, expired};
use super::session::Inner;
use super::shape::{self, ClassShape, Identifier};
use super::wire::{Said, Wire};
use super::{page, template, value};

/// LDAP_SERVER_SHOW_DELETED_OID.
const SHOW_DELETED: &str = "1.2.840.113556.1.4.417";
const ALL: &str = "(objectClass=*)";
const PAGE: i32 = 1_000;
const ID: Identifier = Identifier::Guid("objectGUID");

/// Where a domain controller is.
#[derive(Debug)]
struct Place {
    /// Which copy of the directory it holds (`invocationId`); a restored one is another.
    copy: String,
    highest: u64,
    /// The naming contexts that it holds.
    contexts: Vec<String>,
}

#[derive(Debug)]
enum Read {
    Nothing,
    Newest(String),
    Expired(&'static str),
    Changed { changed: Vec<Changed>, at: String },
}

/// One object that was changed.
#[derive(Debug)]
struct Changed {
    id: ObjectId,
    classes: Vec<String>,
}

fn show_deleted() -> RawControl {
    RawControl { ctype: SHOW_DELETED.to_owned(), crit: true, val: None }
}

async fn place(ldap: &mut Ldap) -> Said<Option<Place>> {
    let asked = vec!["highestCommittedUSN", "dsServiceName", "namingContexts"];
    let Some(root) = shape::one(ldap, "", ALL, asked).await? else { return Ok(None) };
    let text = |name: &str| value::find(&root, name).and_then(|values| values.first());
    let number = text("highestCommittedUSN").and_then(|text| text.parse().ok());
    let Some((highest, service)) = number.zip(text("dsServiceName")) else { return Ok(None) };
    let Some(service) = shape::one(ldap, service, ALL, vec!["invocationId"]).await? else { return Ok(None) };
    let Some(copy) = value::id(&service, Identifier::Guid("invocationId")) else { return Ok(None) };
    let contexts = value::find(&root, "namingContexts").cloned().unwrap_or_default();
    Ok(Some(Place { copy: copy.to_string(), highest, contexts }))
}

/// The naming context that a base is in: tombstones are kept in one place of it.
fn context<'p>(place: &'p Place, base: &str) -> Option<&'p String> {
    let base = template::normal(base);
    let holds = |context: &&String| {
        let context = template::normal(context);
        base == context || base.ends_with(&format!(",{context}"))
    };
    place.contexts.iter().filter(holds).max_by_key(|context| context.len())
}

async fn read(mut ldap: Ldap, base: String, from: Option<(String, u64)>) -> Said<Read> {
    let Some(place) = place(&mut ldap).await? else { return Ok(Read::Nothing) };
    let Some(context) = context(&place, &base) else { return Ok(Read::Nothing) };
    let deleted = format!("CN=Deleted Objects,{context}");
    ldap.with_controls(vec![show_deleted()]);
    // Its name is shown to everybody; what is in it to those alone who may read it.
    let shown = shape::one(&mut ldap, &deleted, ALL, vec!["objectGUID"]).await?;
    if shown.is_none_or(|entry| value::id(&entry, ID).is_none()) {
        return Ok(Read::Nothing);
    }
    // Taken before the search, so that whatever is changed meanwhile is told once more.
    let at = format!("{}:{}", place.copy, place.highest);
    let Some((copy, from)) = from else { return Ok(Read::Newest(at)) };
    if copy != place.copy || from > place.highest {
        return Ok(Read::Expired("the cursor is of another domain controller, or of one before it was restored"));
    }
    let filter = format!("(uSNChanged>={})", from + 1);
    let wanted = ["objectGUID", "objectClass", "isDeleted", "uSNCreated"].map(str::to_owned);
    let (mut changed, mut cookie) = (Vec::new(), Vec::new());
    loop {
        let found = (PAGE, std::mem::take(&mut cookie));
        let controls = vec![show_deleted()];
        let page = page::with(&mut ldap, context, Scope::Subtree, &filter, &wanted, found, controls).await?;
        for entry in page.entries {
            if is_moved_container(&mut ldap, &entry, from).await? {
                return Ok(Read::Expired(
                    "a container was changed, and the entries below it may have other names by that",
                ));
            }
            let Some(id) = value::id(&entry, ID) else {
                return Ok(Read::Expired("an object that was changed does not show its `objectGUID`"));
            };
            changed.push(Changed { id, classes: value::find(&entry, "objectClass").cloned().unwrap_or_default() });
        }
        if changed.len() > MOST {
            return Ok(Read::Expired("so much changed that reading everything is cheaper"));
        }
        if page.cookie.is_empty() {
            return Ok(Read::Changed { changed, at });
        }
        cookie = page.cookie;
    }
}

/// Whether an entry that was there before has others below it, whose names are made of its name.
async fn is_moved_container(ldap: &mut Ldap, entry: &SearchEntry, from: u64) -> Said<bool> {
    let is = |name: &str| {
        value::find(entry, "objectClass").into_iter().flatten().any(|class| class.eq_ignore_ascii_case(name))
    };
    let is_container = is("organizationalUnit") || is("container") || is("builtinDomain");
    let text = |name: &str| value::find(entry, name).and_then(|values| values.first());
    let is_new = text("uSNCreated").and_then(|text| text.parse::<u64>().ok()).is_some_and(|number| number > from);
    let is_deleted = text("isDeleted").is_some_and(|word| word.eq_ignore_ascii_case("true"));
    if !is_container || is_new || is_deleted {
        return Ok(false);
    }
    let wanted = ["1.1".to_owned()];
    let page = page::next(ldap, &entry.dn, Scope::OneLevel, ALL, &wanted, (1, Vec::new())).await?;
    Ok(!page.entries.is_empty())
}

/// Whether who signs in sees what was deleted below this base.
pub async fn is_there(cx: &Context, wire: &Wire, base: &str) -> Result<bool, ConnectorError> {
    match newest(cx, wire, base).await {
        Ok(newest) => Ok(newest.is_some()),
        Err(error) if error.target_status.is_some() => Ok(false),
        Err(error) => Err(error),
    }
}

/// A number that is another one after every change.
pub async fn newest(cx: &Context, wire: &Wire, base: &str) -> Result<Option<String>, ConnectorError> {
    let base = base.to_owned();
    let talk = move |ldap: Ldap| read(ldap, base, None);
    let read = wire.converse(cx, "read the update number", Effect::Reads, talk).await?;
    Ok(if let Read::Newest(at) = read { Some(at) } else { None })
}

pub async fn since(
    cx: &Context,
    inner: &Inner,
    shape: &ClassShape,
    wanted: Vec<String>,
    from: Option<Mark>,
) -> Result<Delta, ConnectorError> {
    let place = from.map(|mark| parse(&mark.at).ok_or_else(|| expired("the cursor has no place in it"))).transpose()?;
    let base = shape.class.base.to_string();
    let talk = move |ldap: Ldap| read(ldap, base, place);
    let (changed, at) = match inner.wire.converse(cx, "read what was updated", Effect::Reads, talk).await? {
        Read::Nothing => return Err(expired("the server shows neither update numbers nor what was deleted any more")),
        Read::Expired(why) => return Err(expired(why)),
        Read::Newest(at) => (Vec::new(), at),
        Read::Changed { changed, at } => (changed, at),
    };
    // An object keeps its class for life, a deleted one too.
    let kind = &shape.class.object_classes[0];
    let may_be =
        |one: &Changed| !shape.class.is_by_class || one.classes.iter().any(|class| class.eq_ignore_ascii_case(kind));
    let ids: BTreeSet<ObjectId> = changed.into_iter().filter(may_be).map(|one| one.id).collect();
    let (entries, gone) = feed::split(cx, inner, shape, &wanted, ids).await?;
    Ok(Delta { entries, gone, next: Mark::new(Feed::Usn, shape, at).cursor(), referrals: 0 })
}

fn parse(at: &str) -> Option<(String, u64)> {
    let (copy, number) = at.rsplit_once(':')?;
    Some((copy.to_owned(), number.parse().ok()?))
}

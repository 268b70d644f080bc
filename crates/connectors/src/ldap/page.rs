//! Searches whose answers come by the page (RFC 2696). A page's cookie dies with its connection.

use ldap3::controls::{Control, ControlType, PagedResults, RawControl};
use ldap3::{Ldap, LdapResult, Scope, SearchEntry};
use provost_connector::{ConnectorError, Context, ErrorCode};

use super::fault::Effect;
use super::range;
use super::wire::{Said, Wire};

/// Entries of one page of a search that is read to its end at once.
const PAGE: i32 = 1_000;
/// Entries that one search may bring into memory.
const MOST: usize = 1_000_000;

/// Why the last page is not known to be the last.
pub const UNPAGED: &str = "the server did not say that this is the last page";

/// Some entries, and where to go on; an empty cookie is the end.
#[derive(Debug)]
pub struct Entries {
    pub entries: Vec<SearchEntry>,
    pub cookie: Vec<u8>,
    /// Whether the server said which page this is.
    pub paged: bool,
    /// The server pointed elsewhere for a part of what was asked.
    pub referrals: usize,
}

/// Asks for the next page.
pub async fn next(
    ldap: &mut Ldap,
    base: &str,
    scope: Scope,
    filter: &str,
    attributes: &[String],
    at: (i32, Vec<u8>),
) -> Said<Entries> {
    with(ldap, base, scope, filter, attributes, at, Vec::new()).await
}

/// The same, with controls beside that of paging.
pub async fn with(
    ldap: &mut Ldap,
    base: &str,
    scope: Scope,
    filter: &str,
    attributes: &[String],
    (size, cookie): (i32, Vec<u8>),
    mut controls: Vec<RawControl>,
) -> Said<Entries> {
    let control: RawControl = PagedResults { size, cookie }.into();
    // A server that does not know paging has to say so, instead of giving what it likes.
    controls.push(RawControl { crit: true, ..control });
    let result = ldap.with_controls(controls).search(base, scope, filter, attributes).await?;
    let (entries, result) = result.success()?;
    // The library has taken references out of what was found.
    let referrals = result.refs.len();
    let mut entries: Vec<SearchEntry> = entries.into_iter().map(SearchEntry::construct).collect();
    for entry in &mut entries {
        range::complete(ldap, entry).await?;
    }
    let cookie = cookie_of(&result);
    Ok(Entries { entries, paged: cookie.is_some(), cookie: cookie.unwrap_or_default(), referrals })
}

/// None when the server says nothing about pages: then it is not told whether there are more.
fn cookie_of(result: &LdapResult) -> Option<Vec<u8>> {
    result.ctrls.iter().find_map(|Control(kind, raw)| match kind {
        Some(ControlType::PagedResults) => Some(raw.parse::<PagedResults>().cookie),
        _ => None,
    })
}

/// Everything that a search finds. A part that is on another server is an error: whoever is not found may be there.
pub async fn all(
    cx: &Context,
    wire: &Wire,
    base: &str,
    scope: Scope,
    filter: String,
    attributes: Vec<String>,
) -> Result<Vec<SearchEntry>, ConnectorError> {
    let (found, referrals) = here(cx, wire, base, scope, filter, attributes).await?;
    if referrals > 0 {
        let message = format!("search {base}: {referrals} parts are on other servers (referrals)");
        return Err(ConnectorError::new(ErrorCode::NotSupported, message)
            .scope(provost_connector::Scope::Class)
            .hint("connect to a server that holds all of it, or narrow the `base` of the class"));
    }
    Ok(found)
}

/// Everything that a search finds on this server, and how many parts are on others.
pub async fn here(
    cx: &Context,
    wire: &Wire,
    base: &str,
    scope: Scope,
    filter: String,
    attributes: Vec<String>,
) -> Result<(Vec<SearchEntry>, usize), ConnectorError> {
    let base = base.to_owned();
    let what = format!("search {base}");
    let controls = wire.controls();
    let talk = move |mut ldap: Ldap| async move {
        let (mut all, mut cookie, mut referrals) = (Vec::new(), Vec::new(), 0);
        loop {
            let at = (PAGE, cookie);
            let page = with(&mut ldap, &base, scope, &filter, &attributes, at, controls.clone()).await?;
            all.extend(page.entries);
            referrals += page.referrals;
            if page.cookie.is_empty() || all.len() > MOST {
                return Ok((all, referrals, page.paged));
            }
            cookie = page.cookie;
        }
    };
    let (found, referrals, paged) = wire.converse(cx, &what, Effect::Reads, talk).await?;
    if found.len() > MOST {
        let message = format!("{what}: more than {MOST} entries");
        return Err(ConnectorError::new(ErrorCode::QuotaExhausted, message)
            .hint("narrow the `filter` or the `base` of the class"));
    }
    if !paged {
        let message = format!("{what}: {UNPAGED}");
        return Err(ConnectorError::new(ErrorCode::Protocol, message)
            .hint("see what stands between Provost and the server: its answers lack the control of RFC 2696"));
    }
    Ok((found, referrals))
}

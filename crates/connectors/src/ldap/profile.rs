//! What kind of server it is, and what is usual there: the id of an entry, the lock on an account, the feed of changes.

use std::sync::Arc;

use ldap3::SearchEntry;
use provost_connector::{ConnectorError, Context, ErrorCode};

use super::catalogue::{Attribute, Catalogue};
use super::config::{Choice, Class};
use super::feed::Feed;
use super::shape::{ClassShape, Identifier};
use super::switch::{How, Switch};
use super::wire::Wire;
use super::{changelog, sync, usn, value};

/// Among `supportedCapabilities` of an Active Directory (MS-ADTS section 3.1.1.3.4.3).
const ACTIVE_DIRECTORY: &str = "1.2.840.113556.1.4.800";

/// The kind of server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    OpenLdap,
    Ds389,
    /// Active Directory, be it Microsoft's or Samba's.
    Ad,
    Other,
}

impl Profile {
    pub fn of(root: &SearchEntry, choice: Choice) -> Self {
        let has = |name: &str, test: &dyn Fn(&str) -> bool| {
            value::find(root, name).into_iter().flatten().any(|value| test(value))
        };
        match choice {
            Choice::OpenLdap => Profile::OpenLdap,
            Choice::Ds389 => Profile::Ds389,
            Choice::Ad => Profile::Ad,
            Choice::Auto if has("supportedCapabilities", &|oid| oid == ACTIVE_DIRECTORY) => Profile::Ad,
            Choice::Auto if has("objectClass", &|class| class == "OpenLDAProotDSE") => Profile::OpenLdap,
            Choice::Auto if has("vendorName", &|name| name.contains("389")) => Profile::Ds389,
            Choice::Auto => Profile::Other,
        }
    }
}

/// The feed that tells all of what changes, where the server has one and shows it.
pub async fn feed(
    cx: &Context,
    wire: &Wire,
    shape: &ClassShape,
    profile: Profile,
    synchronises: bool,
) -> Result<Option<Feed>, ConnectorError> {
    let base = &shape.class.base;
    Ok(match (profile, shape.id) {
        (Profile::Ad, Identifier::Guid(_)) if usn::is_there(cx, wire, base).await? => Some(Feed::Usn),
        (Profile::Ds389, Identifier::Text("nsUniqueId")) if changelog::is_there(cx, wire).await? => {
            Some(Feed::Changelog)
        }
        (Profile::OpenLdap | Profile::Other, Identifier::Text("entryUUID")) if synchronises => {
            sync::is_there(cx, wire, base).await?.then_some(Feed::Sync)
        }
        _ => None,
    })
}

/// What the class is told apart by: the setting, else what this kind of server has.
pub fn identifier(class: &Class, catalogue: &Catalogue, profile: Profile) -> Result<Identifier, ConnectorError> {
    let known = [Identifier::Guid("objectGUID"), Identifier::Text("entryUUID"), Identifier::Text("nsUniqueId")];
    let has = |id: &Identifier| id.attribute().is_some_and(|name| catalogue.attribute(name).is_some());
    let Some(wanted) = &class.id else {
        let first = match profile {
            Profile::Ad => Some(Identifier::Guid("objectGUID")),
            Profile::Ds389 => Some(Identifier::Text("nsUniqueId")),
            Profile::OpenLdap => Some(Identifier::Text("entryUUID")),
            Profile::Other => None,
        };
        return Ok(first.filter(has).or_else(|| known.into_iter().find(has)).unwrap_or(Identifier::Name));
    };
    if wanted.eq_ignore_ascii_case(value::NAME) {
        return Ok(Identifier::Name);
    }
    let named = known.into_iter().find(|id| id.attribute().is_some_and(|name| name.eq_ignore_ascii_case(wanted)));
    named.filter(has).ok_or_else(|| {
        ConnectorError::new(
            ErrorCode::InvalidConfig,
            format!("`{wanted}` is no attribute that the server tells entries by"),
        )
        .at(format!("classes.{}.id", class.name))
        .hint("take `entryUUID`, `nsUniqueId`, `objectGUID` or `dn`, whichever the server has; or leave it out")
    })
}

/// How this kind of server locks accounts, where it is always so.
pub fn usual_switch(attributes: &[Arc<Attribute>], catalogue: &Catalogue, profile: Profile) -> Option<Switch> {
    let has = |name: &str| attributes.iter().any(|attribute| attribute.name.eq_ignore_ascii_case(name));
    match profile {
        Profile::Ad if has("userAccountControl") => {
            Some(Switch { attribute: "userAccountControl".into(), how: How::Bit(2) })
        }
        Profile::Ds389 if has("userPassword") && has("cn") && catalogue.attribute("nsAccountLock").is_some() => {
            Some(Switch { attribute: "nsAccountLock".into(), how: How::Mark { off: "true".into() } })
        }
        _ => None,
    }
}

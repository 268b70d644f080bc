//! Long lists of values, which Active Directory gives in parts: `member;range=0-1499` (MS-ADTS section 3.1.1.3.1.3.3).
//!
//! A list that changes while its parts are read may lose one on the way, so all parts have to show the same version of the
//! entry. What cannot be read whole stays marked as a part, and is told as incomplete.

use ldap3::{Ldap, SearchEntry};

use super::value;
use super::wire::Said;

/// The number that every change of an entry raises.
const VERSION: &str = "uSNChanged";
/// How often a list that changes meanwhile is begun again.
const TRIES: usize = 3;
/// Parts of one list; at 1,500 values each more than any group has.
const MOST_PARTS: usize = 20_000;

/// `member;range=0-1499` as `member`, and the place of the next part; none when this was the last.
pub fn parse(name: &str) -> Option<(&str, Option<usize>)> {
    let (name, range) = name.split_once(";range=")?;
    let (_, last) = range.split_once('-')?;
    match last {
        "*" => Some((name, None)),
        last => Some((name, Some(last.parse::<usize>().ok()?.checked_add(1)?))),
    }
}

/// Puts all values in the place of parts.
pub async fn complete(ldap: &mut Ldap, entry: &mut SearchEntry) -> Said<()> {
    complete_by(ldap, entry, None).await
}

/// The same by so many values at a time; without a number the server says how many.
async fn complete_by(ldap: &mut Ldap, entry: &mut SearchEntry, step: Option<usize>) -> Said<()> {
    let parts: Vec<(String, String, bool)> = entry
        .attrs
        .keys()
        .filter_map(|key| parse(key).map(|(name, next)| (key.clone(), name.to_owned(), next.is_some())))
        .collect();
    for (key, name, is_part) in parts {
        let whole = match is_part {
            true => whole(ldap, &entry.dn, &name, step).await?,
            false => entry.attrs.get(&key).cloned(),
        };
        if let Some(values) = whole {
            entry.attrs.remove(&key);
            entry.attrs.insert(name, values);
        } else {
            // An empty list of the same name stands beside the part.
            entry.attrs.remove(&name);
        }
    }
    Ok(())
}

async fn whole(ldap: &mut Ldap, dn: &str, name: &str, step: Option<usize>) -> Said<Option<Vec<String>>> {
    for _ in 0..TRIES {
        let (mut all, mut from, mut version) = (Vec::new(), 0, None);
        for _ in 0..MOST_PARTS {
            let to = step.map_or_else(|| "*".to_owned(), |step| (from + step - 1).to_string());
            let asked = format!("{name};range={from}-{to}");
            let wanted = vec![asked.as_str(), VERSION];
            let Some(entry) = super::shape::one(ldap, dn, "(objectClass=*)", wanted).await? else { return Ok(None) };
            let now = value::find(&entry, VERSION).cloned();
            if *version.get_or_insert_with(|| now.clone()) != now {
                break;
            }
            let part = entry.attrs.iter().find_map(|(key, values)| {
                let (part, next) = parse(key)?;
                part.eq_ignore_ascii_case(name).then_some((values, next))
            });
            let Some((values, next)) = part else { return Ok(None) };
            all.extend(values.iter().cloned());
            match next {
                None => return Ok(Some(all)),
                Some(next) if next > from => from = next,
                Some(_) => return Ok(None),
            }
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_told() {
        assert_eq!(parse("member;range=0-1499"), Some(("member", Some(1500))));
        assert_eq!(parse("member;range=1500-*"), Some(("member", None)));
        assert_eq!(parse("member"), None);
        assert_eq!(parse("member;range=x"), None);
    }

    /// Samba gives a part only to who asks for one; a list in parts is put together from what it gives then.
    #[tokio::test]
    async fn parts_of_a_real_list_are_put_together() {
        use ldap3::LdapConnAsync;
        use provost_testkit::samba::{self, Samba};
        use std::collections::{BTreeSet, HashSet};

        let server = Samba::start().await.unwrap();
        let (driver, mut ldap) = LdapConnAsync::new(&server.url()).await.unwrap();
        ldap3::drive!(driver);
        ldap.simple_bind(samba::ADMIN, samba::PASSWORD).await.unwrap().success().unwrap();
        let mut names = BTreeSet::new();
        for at in 0..25 {
            let name = format!("CN=m{at},{}", samba::GROUPS);
            ldap.add(&name, vec![("objectClass", HashSet::from(["group"]))]).await.unwrap().success().unwrap();
            names.insert(name);
        }
        let dn = format!("CN=long,{}", samba::GROUPS);
        let members: HashSet<&str> = names.iter().map(String::as_str).collect();
        let values = vec![("objectClass", HashSet::from(["group"])), ("member", members)];
        ldap.add(&dn, values).await.unwrap().success().unwrap();
        for step in [Some(10), Some(25), Some(1), None] {
            let wanted = vec!["member;range=0-9", "cn"];
            let mut entry = super::super::shape::one(&mut ldap, &dn, "(objectClass=*)", wanted).await.unwrap().unwrap();
            assert_eq!(entry.attrs["member;range=0-9"].len(), 10);
            complete_by(&mut ldap, &mut entry, step).await.unwrap();
            assert_eq!(
                entry.attrs.keys().map(String::as_str).collect::<BTreeSet<_>>(),
                BTreeSet::from(["cn", "member"])
            );
            assert_eq!(entry.attrs["member"].len(), 25);
            assert_eq!(entry.attrs["member"].iter().cloned().collect::<BTreeSet<_>>(), names);
        }
        // A part that cannot be followed stays one: it is told as incomplete.
        let mut gone = SearchEntry { dn: format!("CN=nobody,{}", samba::GROUPS), ..entry_with_part() };
        complete_by(&mut ldap, &mut gone, None).await.unwrap();
        assert_eq!(gone.attrs.keys().collect::<Vec<_>>(), ["member;range=0-9"]);
    }

    fn entry_with_part() -> SearchEntry {
        let attrs = [("member", Vec::new()), ("member;range=0-9", vec!["CN=a".to_owned()])];
        let attrs = attrs.into_iter().map(|(name, values)| (name.to_owned(), values)).collect();
        SearchEntry { dn: String::new(), attrs, bin_attrs: std::collections::HashMap::new() }
    }
}

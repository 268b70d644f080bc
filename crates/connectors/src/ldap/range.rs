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
    let parts: Vec<(String, String, bool)> = entry
        .attrs
        .keys()
        .filter_map(|key| parse(key).map(|(name, next)| (key.clone(), name.to_owned(), next.is_some())))
        .collect();
    for (key, name, is_part) in parts {
        let whole = match is_part {
            true => whole(ldap, &entry.dn, &name).await?,
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

async fn whole(ldap: &mut Ldap, dn: &str, name: &str) -> Said<Option<Vec<String>>> {
    for _ in 0..TRIES {
        let (mut all, mut from, mut version) = (Vec::new(), 0, None);
        for _ in 0..MOST_PARTS {
            let asked = format!("{name};range={from}-*");
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
}

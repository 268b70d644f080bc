//! The server's schema (RFC 4512 section 4.1): attribute types and object classes, as its subschema entry describes them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use provost_model::Text;

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Text,
    Boolean,
    Integer,
    /// Generalized time; RFC 3339 outside.
    Time,
    /// Hundreds of nanoseconds since 1601, as Active Directory counts; RFC 3339 outside.
    FileTime,
    /// A distinguished name: points at another entry.
    Name,
    /// A value of another entry, which it points at by that (`memberUid`).
    Key,
    /// Base64 outside.
    Bytes,
}

/// Large numbers that are points in time; others are spans or counters.
const FILE_TIMES: [&str; 8] = [
    "accountExpires",
    "badPasswordTime",
    "lastLogoff",
    "lastLogon",
    "lastLogonTimestamp",
    "lockoutTime",
    "msDS-UserPasswordExpiryTimeComputed",
    "pwdLastSet",
];

/// One attribute type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// The first of its names.
    pub name: Text,
    pub kind: Kind,
    pub multi: bool,
    pub case_exact: bool,
    /// The server gives it, and nobody else.
    pub read_only: bool,
    /// Not returned unless asked for.
    pub operational: bool,
    /// A password, or as good as one: nobody reads it.
    pub secret: bool,
}

/// Values that nobody reads.
const SECRET: [&str; 7] = [
    "userPassword",
    "unicodePwd",
    "authPassword",
    "sambaNTPassword",
    "sambaLMPassword",
    "krbPrincipalKey",
    "userPKCS12",
];

fn is_secret(name: &str) -> bool {
    SECRET.iter().any(|secret| secret.eq_ignore_ascii_case(name))
}

#[derive(Debug, Default)]
struct ObjectClass {
    above: Vec<String>,
    must: Vec<String>,
    may: Vec<String>,
}

/// All of it, by names in lower case.
#[derive(Debug, Default)]
pub struct Catalogue {
    attributes: BTreeMap<String, Arc<Attribute>>,
    classes: BTreeMap<String, ObjectClass>,
}

/// One description: `NAME` -> its words, in order; a word that stands for itself has none.
type Description = BTreeMap<String, Vec<String>>;

impl Catalogue {
    /// From the values of `attributeTypes`, `objectClasses` and `dITContentRules`. A description that cannot be read is
    /// passed over. Active Directory names no matching rules: there the syntax tells whether letter case counts.
    pub fn read(attribute_types: &[String], object_classes: &[String], rules: &[String], is_ad: bool) -> Self {
        let described: Vec<Description> = attribute_types.iter().map(|text| describe(text)).collect();
        let mut by_name: BTreeMap<String, &Description> = BTreeMap::new();
        for one in &described {
            by_name.extend(names(one).map(|name| (name, one)));
        }
        let mut catalogue = Self::default();
        for one in &described {
            let Some(first) = one.get("NAME").and_then(|names| names.first()) else { continue };
            let attribute = Arc::new(attribute(first, one, &by_name, is_ad));
            catalogue.attributes.extend(names(one).map(|name| (name, attribute.clone())));
        }
        for text in object_classes {
            let one = describe(text);
            let lower = |key: &str| one.get(key).into_iter().flatten().map(|word| word.to_lowercase()).collect();
            for name in names(&one) {
                let class = ObjectClass { above: lower("SUP"), must: lower("MUST"), may: lower("MAY") };
                catalogue.classes.insert(name, class);
            }
        }
        for text in rules {
            let one = describe(text);
            let lower = |key: &str| one.get(key).into_iter().flatten().map(|word| word.to_lowercase());
            for class in names(&one).collect::<Vec<_>>() {
                // What entries of a class may have beside its own attributes (RFC 4512 section 4.1.6).
                if let Some(class) = catalogue.classes.get_mut(&class) {
                    class.above.extend(lower("AUX"));
                    class.may.extend(lower("MAY").chain(lower("MUST")));
                }
            }
        }
        catalogue
    }

    pub fn attribute(&self, name: &str) -> Option<&Arc<Attribute>> {
        self.attributes.get(&name.to_lowercase())
    }

    pub fn has_class(&self, name: &str) -> bool {
        self.classes.contains_key(&name.to_lowercase())
    }

    /// What entries of these classes may have, and must: the classes above them included.
    pub fn attributes_of(&self, classes: &[Text]) -> (Vec<Arc<Attribute>>, BTreeSet<Text>) {
        let (mut seen, mut todo) =
            (BTreeSet::new(), classes.iter().map(|name| name.as_str().to_lowercase()).collect::<Vec<String>>());
        let (mut may, mut must) = (BTreeMap::new(), BTreeSet::new());
        while let Some(name) = todo.pop() {
            let Some(class) = self.classes.get(&name).filter(|_| seen.insert(name.clone())) else { continue };
            todo.extend(class.above.iter().cloned());
            for (names, is_must) in [(&class.must, true), (&class.may, false)] {
                for attribute in names.iter().filter_map(|name| self.attributes.get(name)) {
                    may.insert(attribute.name.to_lowercase(), attribute.clone());
                    if is_must {
                        must.insert(attribute.name.clone());
                    }
                }
            }
        }
        (may.into_values().collect(), must)
    }
}

fn names(one: &Description) -> impl Iterator<Item = String> + '_ {
    one.get("NAME").into_iter().flatten().map(|name| name.to_lowercase())
}

fn attribute(name: &str, one: &Description, by_name: &BTreeMap<String, &Description>, is_ad: bool) -> Attribute {
    // What it does not say itself, the type above it says.
    let find = |key: &str| {
        let mut at = one;
        for _ in 0..20 {
            if let Some(word) = at.get(key).and_then(|words| words.first()) {
                return Some(word.clone());
            }
            at = by_name.get(&at.get("SUP")?.first()?.to_lowercase())?;
        }
        None
    };
    let syntax = find("SYNTAX").unwrap_or_default();
    let syntax = syntax.split('{').next().unwrap_or_default().trim_matches('\'').to_owned();
    let equality = find("EQUALITY").unwrap_or_default().to_lowercase();
    let kind = match syntax.strip_prefix("1.3.6.1.4.1.1466.115.121.1.") {
        Some("7") => Kind::Boolean,
        Some("27") => Kind::Integer,
        Some("24" | "53") => Kind::Time,
        Some("12") => Kind::Name,
        Some("4" | "5" | "8" | "9" | "10" | "28" | "40" | "49") => Kind::Bytes,
        Some(_) => Kind::Text,
        // Active Directory's own (MS-ADTS section 3.1.1.2.2.2).
        None => match syntax.strip_prefix("1.2.840.113556.1.4.") {
            Some("906") if FILE_TIMES.iter().any(|time| time.eq_ignore_ascii_case(name)) => Kind::FileTime,
            Some("906") => Kind::Integer,
            Some("907") => Kind::Bytes,
            _ => Kind::Text,
        },
    };
    let folds =
        is_ad && equality.is_empty() && !["26", "44", "36"].iter().any(|exact| syntax.ends_with(&format!(".{exact}")));
    let ignores_case = ["caseignore", "telephonenumber", "objectidentifier", "distinguishedname", "uuid"];
    Attribute {
        name: name.into(),
        kind,
        secret: is_secret(name),
        multi: !one.contains_key("SINGLE-VALUE"),
        case_exact: !folds && !ignores_case.iter().any(|rule| equality.starts_with(rule)),
        read_only: one.contains_key("NO-USER-MODIFICATION"),
        operational: one.get("USAGE").and_then(|words| words.first()).is_some_and(|usage| usage != "userApplications"),
    }
}

/// `( 2.5.4.3 NAME ( 'cn' 'commonName' ) SUP name SINGLE-VALUE )`, a keyword being a word in capitals.
fn describe(text: &str) -> Description {
    let mut found = Description::new();
    let mut key: Option<String> = None;
    for word in words(text) {
        let is_key = word.len() > 1 && word.chars().all(|c| c.is_ascii_uppercase() || c == '-' || c == '_');
        match (&key, word.strip_prefix('\'')) {
            (_, None) if is_key => {
                found.entry(word.clone()).or_default();
                key = Some(word);
            }
            (Some(key), quoted) => {
                let word = quoted.map_or(word.as_str(), |quoted| quoted.trim_end_matches('\''));
                found.entry(key.clone()).or_default().push(word.to_owned());
            }
            // The number that it begins with.
            (None, _) => {}
        }
    }
    found
}

/// Words and quoted texts (with their first quote); brackets and dollar signs only separate.
fn words(text: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), String::new(), false);
    for letter in text.chars() {
        match letter {
            '\'' if quoted => {
                quoted = false;
                words.push(std::mem::take(&mut word));
            }
            '\'' => {
                quoted = true;
                word = "'".to_owned();
            }
            letter if quoted => word.push(letter),
            '(' | ')' | '$' | ' ' | '\t' | '\n' => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            letter => word.push(letter),
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptions_are_read() {
        let types = [
            "( 2.5.4.41 NAME 'name' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15{32768} )",
            "( 2.5.4.3 NAME ( 'cn' 'commonName' ) DESC 'RFC4519: NAME (s) of $it' SUP name )",
            "( 1.3.6.1.1.16.4 NAME 'entryUUID' EQUALITY UUIDMatch SYNTAX 1.3.6.1.1.16.1 SINGLE-VALUE NO-USER-MODIFICATION USAGE directoryOperation )",
            "( 2.5.4.31 NAME 'member' SUP distinguishedName )",
            "( 2.5.4.34 NAME 'seeAlso' SUP distinguishedName )",
            "( 2.5.4.49 NAME 'distinguishedName' EQUALITY distinguishedNameMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.12 )",
        ];
        let classes = [
            "( 2.5.6.0 NAME 'top' ABSTRACT MUST objectClass )",
            "( 2.5.6.9 NAME 'groupOfNames' SUP top STRUCTURAL MUST ( member $ cn ) MAY ( description ) )",
        ];
        let rules = ["( 2.5.6.9 NAME 'groupOfNames' AUX extra MAY o )"];
        let classes = [classes[0], classes[1], "( 1.2 NAME 'extra' AUXILIARY MAY seeAlso )"];
        let catalogue =
            Catalogue::read(&types.map(str::to_owned), &classes.map(str::to_owned), &rules.map(str::to_owned), false);
        let cn = catalogue.attribute("COMMONNAME").unwrap();
        assert_eq!((cn.name.as_str(), cn.kind, cn.multi, cn.case_exact), ("cn", Kind::Text, true, false));
        let uuid = catalogue.attribute("entryuuid").unwrap();
        assert!(uuid.read_only && uuid.operational && !uuid.multi);
        assert_eq!(catalogue.attribute("member").unwrap().kind, Kind::Name);
        let (may, must) = catalogue.attributes_of(&["groupOfNames".into()]);
        assert_eq!(may.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["cn", "member", "seeAlso"]);
        assert_eq!(must, BTreeSet::from(["cn".into(), "member".into()]));
    }
}

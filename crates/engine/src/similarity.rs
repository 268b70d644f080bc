//! How much two people resemble one another by what is written of them: help for somebody who has to decide, never a decision.

use provost_model::Text;
use serde::Serialize;

/// One attribute on both sides.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Compared {
    pub attribute: Text,
    pub source: String,
    pub target: String,
    /// Of 100: Jaro-Winkler over letters and digits, without case and accents.
    pub score: u8,
}

impl Compared {
    pub fn of(attribute: &Text, source: &str, target: &str) -> Self {
        let likeness = strsim::jaro_winkler(&folded(source), &folded(target));
        let score = (likeness * 100.0).round().clamp(0.0, 100.0) as u8;
        Self { attribute: attribute.clone(), source: source.to_owned(), target: target.to_owned(), score }
    }

    /// How much it says about who somebody is: an address more than a name, a name more than anything else, which says nothing.
    fn weight(&self) -> u32 {
        let name = self.attribute.to_lowercase();
        let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
        match () {
            () if has(&["mail", "principalname"]) => 3,
            () if ["name", "cn"].contains(&name.as_str()) => 2,
            () if has(&["displayname", "formatted", "familyname", "surname"]) => 2,
            () if has(&["name", "login", "employeenumber", "employeeid", "externalid"]) => 1,
            () => 0,
        }
    }
}

/// The weighted mean of what says something about who it is.
pub fn score(attributes: &[Compared]) -> Option<u8> {
    let weights: u32 = attributes.iter().map(Compared::weight).sum();
    let sum: u32 = attributes.iter().map(|one| one.weight() * u32::from(one.score)).sum();
    (weights > 0).then(|| u8::try_from(sum / weights).unwrap_or(100))
}

/// Letters and digits alone, small, without accents.
fn folded(text: &str) -> String {
    deunicode::deunicode(text).chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_likelier() {
        let person = |name: &str, mail: &str| {
            let name = Compared::of(&"displayName".into(), "Zo\u{eb} M\u{fc}ller", name);
            let mail = Compared::of(&"emails[type eq \"work\"].value".into(), "zoe.mueller@example.org", mail);
            score(&[name, mail]).unwrap()
        };
        let same = person("ZOE MULLER", "zoe.mueller@example.org");
        let likely = person("Zoe Mueller", "z.mueller@example.org");
        let other = person("Otto Krause", "otto@elsewhere.com");
        assert_eq!(same, 100);
        assert!(likely > 85 && likely < same && other < 70, "{likely} {other}");
        assert_eq!(score(&[Compared::of(&"title".into(), "Countess", "Countess")]), None, "a title is nobody's name");
    }
}

//! Which requests a fault befalls. A rule matches requests by method and path, counts those that match, and says for which of
//! them its fault happens. The random ones are seeded: the same requests in the same order meet the same faults.

use std::fmt;

use serde::Serialize;

use crate::Fault;
use crate::target::BASE;

/// A fault and the requests that it befalls.
#[derive(Clone, Debug)]
pub struct Rule {
    fault: Fault,
    method: Option<String>,
    prefix: String,
    when: When,
    /// How many requests matched so far.
    seen: u64,
    /// How many of them met the fault.
    fired: u64,
}

#[derive(Clone, Copy, Debug)]
enum When {
    Always,
    Nth(u64),
    First(u64),
    Seeded { probability: f64, state: u64 },
}

/// A rule as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Shown {
    pub fault: String,
    pub seen: u64,
    pub fired: u64,
}

impl Rule {
    /// For every request, until narrowed down.
    pub fn new(fault: Fault) -> Self {
        Self { fault, method: None, prefix: String::new(), when: When::Always, seen: 0, fired: 0 }
    }

    /// Only requests with this method.
    pub fn method(mut self, method: &str) -> Self {
        self.method = Some(method.to_owned());
        self
    }

    /// Only requests whose path starts so; the whole path, as `/v2/Users`.
    pub fn path(mut self, prefix: &str) -> Self {
        self.prefix = prefix.to_owned();
        self
    }

    /// Only the `n`-th matching request, counted from 1 since the rule was injected.
    pub fn nth(mut self, n: u64) -> Self {
        self.when = When::Nth(n);
        self
    }

    /// Only the first `n` matching requests.
    pub fn first(mut self, n: u64) -> Self {
        self.when = When::First(n);
        self
    }

    /// Each matching request with this probability, from 0 to 1. A test prints its seed.
    pub fn seeded(mut self, probability: f64, seed: u64) -> Self {
        self.when = When::Seeded { probability, state: seed };
        self
    }

    pub(crate) fn fault(&self) -> Fault {
        self.fault
    }

    pub(crate) fn shown(&self) -> Shown {
        Shown { fault: self.to_string(), seen: self.seen, fired: self.fired }
    }

    /// The fault, when the rule fires on this request; counts it.
    pub fn fires(&mut self, method: &str, path: &str) -> Option<Fault> {
        if self.method.as_deref().is_some_and(|wanted| wanted != method) || !path.starts_with(&self.prefix) {
            return None;
        }
        self.seen += 1;
        let fires = match &mut self.when {
            When::Always => true,
            When::Nth(n) => self.seen == *n,
            When::First(n) => self.seen <= *n,
            When::Seeded { probability, state } => fraction(state) < *probability,
        };
        self.fired += u64::from(fires);
        fires.then_some(self.fault)
    }
}

/// `FAULT[=VALUE][ WHEN][ METHOD][ PATH]`, divided by blanks, for a command line: `drop-after 5% POST /Users`,
/// `status=429 10%`, `slow=200`, `cut nth=3`. A share is a percentage of the matching requests; `seed` makes the choice
/// repeatable. The error says which word is wrong.
pub fn parse(text: &str, seed: u64) -> Result<Rule, String> {
    let mut words = text.split_whitespace();
    let what = words.next().unwrap_or_default();
    let fault = Fault::read(what).ok_or_else(|| {
        let names: Vec<&str> = crate::FAULTS.iter().map(|(form, _)| *form).collect();
        format!("`{what}` is no fault; there are {}", names.join(", "))
    })?;
    let mut rule = Rule::new(fault);
    for word in words {
        let number = |text: &str| text.parse::<u64>().ok().filter(|n| *n > 0).ok_or(format!("`{word}` has no number"));
        rule = if let Some(share) = word.strip_suffix('%') {
            let share: f64 = share.parse().map_err(|_| format!("`{word}` is no percentage"))?;
            rule.seeded((share / 100.0).clamp(0.0, 1.0), seed)
        } else if let Some(n) = word.strip_prefix("nth=") {
            rule.nth(number(n)?)
        } else if let Some(n) = word.strip_prefix("first=") {
            rule.first(number(n)?)
        } else if word.starts_with('/') {
            rule.path(&format!("{BASE}{word}"))
        } else if word.bytes().all(|byte| byte.is_ascii_uppercase()) {
            rule.method(word)
        } else {
            return Err(format!("`{word}` is no share (5%), number (nth=3, first=3), method (POST) or path (/Users)"));
        };
    }
    Ok(rule)
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.fault)?;
        match self.when {
            When::Always => {}
            When::Nth(n) => write!(f, " nth={n}")?,
            When::First(n) => write!(f, " first={n}")?,
            When::Seeded { probability, .. } => write!(f, " {}%", probability * 100.0)?,
        }
        if let Some(method) = &self.method {
            write!(f, " {method}")?;
        }
        match self.prefix.strip_prefix(BASE).unwrap_or(&self.prefix) {
            "" => Ok(()),
            path => write!(f, " {path}"),
        }
    }
}

/// The next number from 0 to 1, exclusive: SplitMix64 (Steele, Lea, Flood 2014), the upper 53 bits.
fn fraction(state: &mut u64) -> f64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^= mixed >> 31;
    (mixed >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(mut rule: Rule, requests: u32) -> String {
        (0..requests).map(|_| if rule.fires("POST", "/v2/Users").is_some() { 'x' } else { '.' }).collect()
    }

    #[test]
    fn rules_fire_on_the_requests_they_name() {
        let rule = || Rule::new(Fault::DropBefore);
        for (rule, expected) in [
            (rule(), "xxxxx"),
            (rule().nth(2), ".x..."),
            (rule().first(2), "xx..."),
            (rule().method("POST").path("/v2/Users").nth(1), "x...."),
            (rule().method("GET"), "....."),
            (rule().path("/v2/Groups"), "....."),
            (rule().seeded(0.0, 7), "....."),
            (rule().seeded(1.0, 7), "xxxxx"),
        ] {
            assert_eq!(run(rule.clone(), 5), expected, "{rule:?}");
        }
    }

    #[test]
    fn faults_are_read_from_a_line() {
        for (text, expected) in [
            ("drop-before", "xxxxx"),
            ("status=429 POST /Users", "xxxxx"),
            ("drop-after GET", "....."),
            ("slow=200 /Groups", "....."),
            ("drop-after 0%", "....."),
            ("status=503 100% POST", "xxxxx"),
            ("cut nth=2", ".x..."),
            ("lag=3 first=2 POST /Users", "xx..."),
        ] {
            let mut rule = parse(text, 7).unwrap();
            let fires = (0..5).map(|_| if rule.fires("POST", "/scim/v2/Users").is_some() { 'x' } else { '.' });
            assert_eq!(fires.collect::<String>(), expected, "{text}");
            let again = parse(&rule.to_string(), 7).unwrap();
            assert_eq!(again.to_string(), rule.to_string(), "{text}");
        }
        for wrong in ["", "drop", "drop-after x%", "drop-after post", "cut nth=", "cut first=0"] {
            assert!(parse(wrong, 7).is_err(), "{wrong}");
        }
    }

    #[test]
    fn seeded_faults_repeat_and_keep_their_share() {
        let rule = |seed| run(Rule::new(Fault::DropAfter).seeded(0.25, seed), 10_000);
        assert_eq!(rule(1), rule(1));
        assert_ne!(rule(1), rule(2));
        let share = rule(3).matches('x').count();
        assert!((2_300..2_700).contains(&share), "{share} of 10000 with a probability of 0.25");
    }
}

//! What a target, or a proxy before one, can do to a request, and to which. A rule matches requests by method and path,
//! counts those that match, and says for which of them its fault happens. The random ones are seeded: the same requests in
//! the same order meet the same faults.

/// What happens to a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    /// It passes. A rule with it shields requests from the rules after it.
    #[default]
    None,
    /// The connection is closed and the service never hears of it.
    DropBefore,
    /// The service does what it was asked, then the connection is closed without an answer.
    DropAfter,
    /// This status is answered in the place of the service, with `Retry-After` in seconds if given; the service never hears of it.
    Status(u16, Option<u32>),
    /// The answer comes so many milliseconds later.
    Slow(u64),
}

/// A fault and the requests that it befalls.
#[derive(Clone, Debug)]
pub struct Rule {
    fault: Fault,
    method: Option<String>,
    prefix: String,
    when: When,
    /// How many requests matched so far.
    seen: u64,
}

#[derive(Clone, Copy, Debug)]
enum When {
    Always,
    Nth(u64),
    First(u64),
    Seeded { probability: f64, state: u64 },
}

impl Rule {
    /// For every request, until narrowed down.
    pub fn new(fault: Fault) -> Self {
        Self { fault, method: None, prefix: String::new(), when: When::Always, seen: 0 }
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
        fires.then_some(self.fault)
    }
}

/// `FAULT[=VALUE][ SHARE][ METHOD][ PATH]`, divided by blanks, for a command line: `drop-after 5% POST /Users`,
/// `status=429 10%`, `slow=200`. A share is a percentage of the matching requests; `seed` makes the choice repeatable.
/// The error says which word is wrong.
pub fn parse(text: &str, seed: u64) -> Result<Rule, String> {
    let mut words = text.split_whitespace();
    let what = words.next().ok_or("a fault is one of drop-before, drop-after, status=CODE, slow=MS")?;
    let (name, value) = what.split_once('=').map_or((what, None), |(name, value)| (name, Some(value)));
    let number = |value: Option<&str>| value.and_then(|text| text.parse::<u64>().ok());
    let fault = match (name, number(value)) {
        ("drop-before", None) if value.is_none() => Fault::DropBefore,
        ("drop-after", None) if value.is_none() => Fault::DropAfter,
        ("status", Some(code)) if (400..600).contains(&code) => {
            Fault::Status(code as u16, matches!(code, 429 | 503).then_some(1))
        }
        ("slow", Some(ms)) => Fault::Slow(ms),
        _ => return Err(format!("`{what}` is no fault; there are drop-before, drop-after, status=CODE, slow=MS")),
    };
    let mut rule = Rule::new(fault);
    for word in words {
        rule = if let Some(share) = word.strip_suffix('%') {
            let share: f64 = share.parse().map_err(|_| format!("`{word}` is no percentage"))?;
            rule.seeded((share / 100.0).clamp(0.0, 1.0), seed)
        } else if word.starts_with('/') {
            rule.path(&format!("/scim/v2{word}"))
        } else if word.bytes().all(|byte| byte.is_ascii_uppercase()) {
            rule.method(word)
        } else {
            return Err(format!("`{word}` is no share (5%), method (POST) or path (/Users)"));
        };
    }
    Ok(rule)
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
        ] {
            let mut rule = parse(text, 7).unwrap();
            let fires = (0..5).map(|_| if rule.fires("POST", "/scim/v2/Users").is_some() { 'x' } else { '.' });
            assert_eq!(fires.collect::<String>(), expected, "{text}");
        }
        for wrong in ["", "drop", "status", "status=200", "slow=x", "drop-after x%", "drop-after post", "drop-after=1"]
        {
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

//! Judging figures by the goals. Counts are a hard gate: wrong is wrong on any machine. CPU ratios are a soft gate: a
//! miss is a miss of the median. Wall ratios are a report: on a shared machine they miss only when the best pair does too.

use serde::Serialize;

use super::numbers::Spread;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Gate {
    Count,
    Cpu,
    Wall,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Good,
    Pass,
    /// Wall only: the median misses, the best pair does not.
    Near,
    /// Past a "must" that is no count.
    Miss,
    /// A wrong count or digest.
    Fail,
    /// Not measured.
    Skipped,
}

/// A figure against its goal.
#[derive(Debug, Clone, Serialize)]
pub struct Check {
    /// Row of the table of goals, where there is one.
    pub goal: Option<u8>,
    pub name: String,
    pub gate: Gate,
    pub value: Option<Spread>,
    pub wanted: String,
    pub verdict: Verdict,
}

/// A goal that is a bound: at least or at most.
#[derive(Debug, Clone, Copy)]
pub struct Goal {
    pub number: u8,
    pub name: &'static str,
    pub gate: Gate,
    pub at_least: bool,
    pub must: f64,
    pub good: f64,
}

impl Goal {
    #[must_use]
    pub const fn at_least(number: u8, name: &'static str, gate: Gate, must: f64, good: f64) -> Self {
        Self { number, name, gate, at_least: true, must, good }
    }

    #[must_use]
    pub const fn at_most(number: u8, name: &'static str, gate: Gate, must: f64, good: f64) -> Self {
        Self { number, name, gate, at_least: false, must, good }
    }

    /// As `judge`, when the goal is about populations that this run has; else the figure is told and not judged.
    #[must_use]
    pub fn judge_if(&self, applies: bool, value: Option<Spread>) -> Check {
        let check = self.judge(value);
        if applies {
            return check;
        }
        let wanted = format!("{} at the goal's size", check.wanted);
        Check { wanted, verdict: Verdict::Skipped, ..check }
    }

    /// Judges a spread; None was not measured.
    #[must_use]
    pub fn judge(&self, value: Option<Spread>) -> Check {
        let meets = |x: f64, bound: f64| if self.at_least { x >= bound } else { x <= bound };
        let verdict = value.map_or(Verdict::Skipped, |v| {
            let best = if self.at_least { v.max } else { v.min };
            match () {
                () if meets(v.median, self.good) => Verdict::Good,
                () if meets(v.median, self.must) => Verdict::Pass,
                () if self.gate == Gate::Wall && meets(best, self.must) => Verdict::Near,
                () => Verdict::Miss,
            }
        });
        let sign = if self.at_least { ">=" } else { "<=" };
        let wanted = format!("{sign} {} (good {})", self.must, self.good);
        Check { goal: Some(self.number), name: self.name.to_owned(), gate: self.gate, value, wanted, verdict }
    }
}

/// A count that must be exactly so. None was not measured.
#[must_use]
pub fn exactly(name: &str, actual: Option<u64>, wanted: u64) -> Check {
    count(name, actual, format!("= {wanted}"), |n| n == wanted)
}

/// A count that must not be exceeded.
#[must_use]
pub fn at_most(name: &str, actual: Option<u64>, wanted: u64) -> Check {
    count(name, actual, format!("<= {wanted}"), |n| n <= wanted)
}

fn count(name: &str, actual: Option<u64>, wanted: String, right: impl Fn(u64) -> bool) -> Check {
    let verdict = actual.map_or(Verdict::Skipped, |n| if right(n) { Verdict::Good } else { Verdict::Fail });
    let value = actual.map(|n| Spread { median: n as f64, min: n as f64, max: n as f64 });
    Check { goal: None, name: name.to_owned(), gate: Gate::Count, value, wanted, verdict }
}

/// Two digests that must be equal. Either None was not measured.
#[must_use]
pub fn same_digest(name: &str, actual: Option<&str>, wanted: Option<&str>) -> Check {
    let verdict = match actual.zip(wanted) {
        None => Verdict::Skipped,
        Some((a, w)) if a == w => Verdict::Good,
        Some(_) => Verdict::Fail,
    };
    let text = wanted.map_or_else(|| "a digest".to_owned(), |w| format!("= {}", w.get(..12).unwrap_or(w)));
    Check { goal: None, name: name.to_owned(), gate: Gate::Count, value: None, wanted: text, verdict }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gates() {
        let spread = |median, min, max| Some(Spread { median, min, max });
        let wall = Goal::at_least(3, "throughput", Gate::Wall, 0.40, 0.55);
        let cpu = Goal::at_most(5, "cpu", Gate::Cpu, 3.5, 2.5);
        for (goal, value, wanted) in [
            (wall, spread(0.60, 0.5, 0.7), Verdict::Good),
            (wall, spread(0.45, 0.3, 0.5), Verdict::Pass),
            (wall, spread(0.35, 0.3, 0.41), Verdict::Near),
            (wall, spread(0.35, 0.3, 0.39), Verdict::Miss),
            (cpu, spread(2.0, 1.0, 9.0), Verdict::Good),
            (cpu, spread(3.6, 3.0, 4.0), Verdict::Miss),
            (cpu, None, Verdict::Skipped),
        ] {
            assert_eq!(goal.judge(value).verdict, wanted, "{goal:?} {value:?}");
        }
        assert_eq!(exactly("creates", Some(9), 10).verdict, Verdict::Fail);
        assert_eq!(at_most("lookups", Some(9), 10).verdict, Verdict::Good);
        assert_eq!(exactly("creates", None, 10).verdict, Verdict::Skipped);
        assert_eq!(same_digest("digest", Some("a"), Some("b")).verdict, Verdict::Fail);
    }
}

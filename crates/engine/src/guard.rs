//! Limits on what a cycle may take away. Pure: counts in, verdict out; the cycle asks before the first destructive write.

use provost_model::Action;

use crate::spec::{GuardsSpec, LimitSpec};

/// A limit that is exceeded, in words for the administrator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exceeded {
    pub guard: &'static str,
    pub message: String,
}

/// Operations a plan intends, by action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Intended([u64; Action::ALL.len()]);

impl Intended {
    pub fn add(&mut self, action: Action) {
        self.0[action as usize] += 1;
    }

    pub fn get(&self, action: Action) -> u64 {
        self.0[action as usize]
    }

    /// Non-zero counts, in the order of [`Action::ALL`].
    pub fn list(&self) -> Vec<(Action, u64)> {
        Action::ALL.into_iter().map(|action| (action, self.get(action))).filter(|(_, count)| *count > 0).collect()
    }
}

/// Whether the plan passes. `linked` is how many objects the job has at the target.
pub fn check(guards: &GuardsSpec, intended: &Intended, linked: u64) -> Result<(), Exceeded> {
    let (disables, deletes) = (intended.get(Action::Disable), intended.get(Action::Delete));
    let limits = [
        ("create", guards.create, intended.get(Action::Create), "creates"),
        ("update", guards.update, intended.get(Action::Update) + intended.get(Action::Enable), "updates"),
        ("disable", guards.disable, disables, "disables"),
        ("delete", guards.delete, deletes, "deletes"),
        ("leavers", Some(guards.leavers), disables + deletes, "disables and deletes"),
    ];
    for (guard, limit, count, words) in limits {
        if let Some(limit) = limit {
            over(limit, count, linked).map_or(Ok(()), |why| {
                let message = format!("{count} {words} of {linked} linked objects exceed the guard `{guard}` ({why})");
                Err(Exceeded { guard, message })
            })?;
        }
    }
    Ok(())
}

fn over(limit: LimitSpec, count: u64, linked: u64) -> Option<String> {
    if let Some(most) = limit.count
        && count > most
    {
        return Some(format!("at most {most}"));
    }
    let percent = limit.percent?;
    let share = count as f64 * 100.0 / linked.max(1) as f64;
    (linked >= limit.from && share > percent).then(|| format!("at most {percent} %, and these are {share:.1} %"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn intended(disable: u64, delete: u64) -> Intended {
        let mut intended = Intended::default();
        (0..disable).for_each(|_| intended.add(Action::Disable));
        (0..delete).for_each(|_| intended.add(Action::Delete));
        intended
    }

    #[test]
    fn the_default_guard_is_a_fifth_of_the_linked_objects_from_twenty_up() {
        let guards = GuardsSpec::default();
        for (disable, delete, linked, passes) in [
            (20, 0, 100, true),
            (21, 0, 100, false),
            (11, 10, 100, false),
            (10, 0, 19, true),
            (5, 0, 20, false),
            (4, 0, 20, true),
            (0, 0, 0, true),
        ] {
            let verdict = check(&guards, &intended(disable, delete), linked);
            assert_eq!(verdict.is_ok(), passes, "{disable} disables, {delete} deletes of {linked}: {verdict:?}");
        }
    }

    #[test]
    fn a_count_holds_whatever_the_share() {
        let guards = GuardsSpec {
            delete: Some(LimitSpec { count: Some(50), percent: None, from: 20 }),
            ..GuardsSpec::default()
        };
        assert!(check(&guards, &intended(0, 50), 100_000).is_ok());
        let exceeded = check(&guards, &intended(0, 51), 100_000).unwrap_err();
        assert_eq!(exceeded.message, "51 deletes of 100000 linked objects exceed the guard `delete` (at most 50)");
    }
}

//! Limits on what a cycle may take away. Pure: counts in, verdict out; the cycle asks before the first destructive write.

use std::collections::BTreeMap;

use provost_model::{Action, ClassName};
use provost_store::ExceptionRow;

use crate::rule::{Job, Rule};
use crate::spec::{ApprovalSpec, ClassGuardsSpec, GuardsSpec, LimitSpec};

/// A limit that is exceeded, in words for the administrator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exceeded {
    pub guard: &'static str,
    /// Of the source; none where the guard counts the whole job.
    pub class: Option<ClassName>,
    /// What was counted, and against how many linked objects.
    pub count: u64,
    pub linked: u64,
    pub message: String,
}

impl Exceeded {
    /// One that is no question of a number.
    pub fn plain(guard: &'static str, message: String) -> Self {
        Self { guard, class: None, count: 0, linked: 0, message }
    }
}

impl Exceeded {
    /// The number of the error page.
    pub fn guard_code(&self) -> &'static str {
        if self.guard == APPROVAL { "PRV-0536" } else { "PRV-0531" }
    }
}

/// Operations a plan intends, by rule and action.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Intended(Vec<[u64; Action::ALL.len()]>);

impl Intended {
    /// One more by the rule with this index.
    pub fn add(&mut self, rule: usize, action: Action) {
        self.add_many(rule, action, 1);
    }

    pub fn add_many(&mut self, rule: usize, action: Action, count: u64) {
        if self.0.len() <= rule {
            self.0.resize(rule + 1, Default::default());
        }
        self.0[rule][action as usize] += count;
    }

    /// By all rules.
    pub fn get(&self, action: Action) -> u64 {
        self.0.iter().map(|counts| counts[action as usize]).sum()
    }

    fn of(&self, rule: usize, action: Action) -> u64 {
        self.0.get(rule).map_or(0, |counts| counts[action as usize])
    }

    /// Non-zero counts, in the order of [`Action::ALL`].
    pub fn list(&self) -> Vec<(Action, u64)> {
        Action::ALL.into_iter().map(|action| (action, self.get(action))).filter(|(_, count)| *count > 0).collect()
    }
}

/// What a whole read of a class gave, and the one before.
#[derive(Debug, Clone, Copy)]
pub struct Size<'c> {
    pub class: &'c ClassName,
    /// None when nobody knows.
    pub last: Option<u64>,
    pub now: u64,
}

/// Whether the plan passes. `linked` is how many objects the job has at the target, by source class; `sizes` are of the classes
/// that were read as a whole. A limit weighs more than the wish to look at everything, so it is told first.
pub fn check(
    job: &Job,
    intended: &Intended,
    linked: &BTreeMap<ClassName, u64>,
    sizes: &[Size<'_>],
) -> Result<(), Exceeded> {
    match exceeded(job, intended, linked).into_iter().find(|exceeded| !is_excepted(&job.exceptions, exceeded)) {
        Some(exceeded) => Err(exceeded),
        None => {
            sizes.iter().try_for_each(|size| plausible(job, intended, size))?;
            approved(&job.approval, intended)
        }
    }
}

/// Whether somebody released as much of this guard "always".
fn is_excepted(exceptions: &[ExceptionRow], exceeded: &Exceeded) -> bool {
    let class = exceeded.class.as_deref().unwrap_or_default();
    let row = exceptions.iter().find(|row| row.guard == exceeded.guard && row.class == class);
    row.is_some_and(|row| {
        let (operations, linked) = (row.operations.max(0) as u128, row.linked.max(1) as u128);
        let (count, of) = (u128::from(exceeded.count), u128::from(exceeded.linked.max(1)));
        count <= operations && count * linked <= operations * of
    })
}

/// The limit that a guard has, as text to compare; none when it has none.
pub fn limits(guards: &GuardsSpec, guard: &str, class: &str) -> Option<String> {
    let limit = match guards.classes.get(class) {
        Some(of_class) if !class.is_empty() => of_class.limit(guard),
        _ if class.is_empty() => whole(guards).limit(guard),
        _ => None,
    };
    limit.and_then(|limit| serde_json::to_string(&limit).ok())
}

/// Whether the exception is from a guard that is configured as it was then.
pub fn is_in_force(guards: &GuardsSpec, row: &ExceptionRow) -> bool {
    limits(guards, &row.guard, &row.class).as_ref() == Some(&row.limits)
}

fn whole(guards: &GuardsSpec) -> ClassGuardsSpec {
    ClassGuardsSpec {
        create: guards.create,
        update: guards.update,
        disable: guards.disable,
        delete: guards.delete,
        leavers: Some(guards.leavers),
        unlink: guards.unlink,
        shrink: None,
    }
}

impl ClassGuardsSpec {
    fn limit(&self, guard: &str) -> Option<LimitSpec> {
        match guard {
            "create" => self.create,
            "update" => self.update,
            "disable" => self.disable,
            "delete" => self.delete,
            "unlink" => self.unlink,
            "leavers" => self.leavers,
            _ => None,
        }
    }
}

/// An exception in words: `10 of 40 linked objects (25.0 %) for the guard `leavers``.
pub fn words(row: &ExceptionRow) -> String {
    let class = if row.class.is_empty() { String::new() } else { format!(" of class `{}`", row.class) };
    let percent = row.operations as f64 * 100.0 / row.linked.max(1) as f64;
    format!("{} of {} linked objects{class} ({percent:.1} %) for the guard `{}`", row.operations, row.linked, row.guard)
}

/// All limits that the plan exceeds, whatever was released.
pub fn exceeded(job: &Job, intended: &Intended, linked: &BTreeMap<ClassName, u64>) -> Vec<Exceeded> {
    let Job { guards, rules, .. } = job;
    let mut found = Vec::new();
    within(&whole(guards), &|action| intended.get(action), linked.values().sum(), None, &mut found);
    for (class, limits) in &guards.classes {
        let count = |action| of_class(rules, intended, class, action);
        within(limits, &count, linked.get(class).copied().unwrap_or(0), Some(class), &mut found);
    }
    found
}

/// What becomes of leavers.
const LEAVING: [Action; 3] = [Action::Disable, Action::Delete, Action::Unlink];

fn of_class(rules: &[Rule], intended: &Intended, class: &ClassName, action: Action) -> u64 {
    let rules = rules.iter().enumerate().filter(|(_, rule)| rule.from == *class);
    rules.map(|(at, _)| intended.of(at, action)).sum()
}

/// Whether a read that says of itself that it is whole can be believed when it takes somebody away. A source of which nothing is
/// left is somebody's to confirm, however few it had and whatever the limits say.
fn plausible(job: &Job, intended: &Intended, size: &Size<'_>) -> Result<(), Exceeded> {
    let Size { class, last, now } = *size;
    let all: u64 = LEAVING.map(|action| intended.get(action)).iter().sum();
    if now == 0 && all > 0 {
        let message = format!("the source has no object of class `{class}` any more; {all} accounts would leave");
        return Err(Exceeded::plain("empty", message));
    }
    let leavers: u64 = LEAVING.map(|action| of_class(&job.rules, intended, class, action)).iter().sum();
    let Some(fewer) = last.and_then(|last| last.checked_sub(now)).filter(|fewer| *fewer > 0 && leavers > 0) else {
        return Ok(());
    };
    match over(job.guards.shrink_of(class).into(), fewer, now + fewer) {
        Some(why) => {
            let message = format!(
                "the source has {now} objects of class `{class}`, {fewer} fewer than at its last whole read, which exceeds the \
                 guard `shrink` ({why}); {leavers} account(s) would leave"
            );
            Err(Exceeded::plain("shrink", message))
        }
        None => Ok(()),
    }
}

fn within(
    limits: &ClassGuardsSpec,
    count: &dyn Fn(Action) -> u64,
    linked: u64,
    class: Option<&ClassName>,
    found: &mut Vec<Exceeded>,
) {
    let of_class = class.map(|class| format!(" of class `{class}`")).unwrap_or_default();
    let [disables, deletes, unlinks] = LEAVING.map(count);
    let leavers = match unlinks {
        0 => "disables and deletes",
        _ => "disables, deletes and unlinks",
    };
    let limits = [
        ("create", limits.create, count(Action::Create), "creates"),
        ("update", limits.update, count(Action::Update) + count(Action::Enable), "updates"),
        ("disable", limits.disable, disables, "disables"),
        ("delete", limits.delete, deletes, "deletes"),
        ("unlink", limits.unlink, unlinks, "unlinks"),
        ("leavers", limits.leavers, disables + deletes + unlinks, leavers),
    ];
    for (guard, limit, count, words) in limits {
        // More than there are linked can only go where accounts without owner do: enough of them are enough to count by.
        let most = match guard {
            "create" | "update" => linked,
            _ => linked.max(count),
        };
        let limit = limit.map(|limit| LimitSpec { from: if most >= limit.from { 0 } else { limit.from }, ..limit });
        if let Some(why) = limit.and_then(|limit| over(limit, count, linked)) {
            let message =
                format!("{count} {words} of {linked} linked objects{of_class} exceed the guard `{guard}` ({why})");
            found.push(Exceeded { guard, class: class.cloned(), count, linked, message });
        }
    }
}

/// The name of the guard that stands for `approval:`.
pub const APPROVAL: &str = "approval";

fn approved(approval: &ApprovalSpec, intended: &Intended) -> Result<(), Exceeded> {
    let wait = |message| Err(Exceeded::plain(APPROVAL, message));
    let asked: Vec<String> = intended
        .list()
        .into_iter()
        .filter(|(action, _)| approval.kinds.contains(action))
        .map(|(action, count)| format!("{count} {action}"))
        .collect();
    if !asked.is_empty() {
        return wait(format!("the job asks for approval: {}", asked.join(", ")));
    }
    let all: u64 = intended.list().into_iter().map(|(_, count)| count).sum();
    match approval.operations.filter(|most| all > *most) {
        Some(most) => wait(format!("the job asks for approval of more than {most} operations, and these are {all}")),
        None => Ok(()),
    }
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
    use crate::cycle::job_for_tests;

    fn intended(counts: &[(usize, Action, u64)]) -> Intended {
        let mut intended = Intended::default();
        for (rule, action, count) in counts {
            (0..*count).for_each(|_| intended.add(*rule, *action));
        }
        intended
    }

    fn verdict(job: &Job, counts: &[(usize, Action, u64)], linked: u64) -> String {
        let linked = BTreeMap::from([("person".into(), linked)]);
        check(job, &intended(counts), &linked, &[]).map_or_else(|exceeded| exceeded.message, |()| "passes".to_owned())
    }

    #[test]
    fn the_default_guard_is_a_fifth_of_the_linked_objects_from_twenty_up() {
        let job = job_for_tests();
        for (disable, delete, linked, passes) in [
            (20, 0, 100, true),
            (21, 0, 100, false),
            (11, 10, 100, false),
            (10, 0, 19, true),
            (5, 0, 20, false),
            (4, 0, 20, true),
            (0, 0, 0, true),
        ] {
            let told = verdict(&job, &[(0, Action::Disable, disable), (0, Action::Delete, delete)], linked);
            assert_eq!(told == "passes", passes, "{disable} disables, {delete} deletes of {linked}: {told}");
        }
    }

    #[test]
    fn a_count_holds_whatever_the_share() {
        let mut job = job_for_tests();
        let limit = LimitSpec { count: Some(50), percent: None, from: 20 };
        job.guards = GuardsSpec { delete: Some(limit), ..GuardsSpec::default() };
        assert_eq!(verdict(&job, &[(0, Action::Delete, 50)], 100_000), "passes");
        let told = "51 deletes of 100000 linked objects exceed the guard `delete` (at most 50)";
        assert_eq!(verdict(&job, &[(0, Action::Delete, 51)], 100_000), told);
        // And one of a class, whatever the others do.
        job.guards = serde_json::from_str(r#"{"leavers":{},"classes":{"person":{"delete":{"count":1}}}}"#).unwrap();
        let told = "2 deletes of 9 linked objects of class `person` exceed the guard `delete` (at most 1)";
        assert_eq!(verdict(&job, &[(0, Action::Delete, 2), (1, Action::Delete, 7)], 9), told);
        assert_eq!(verdict(&job, &[(0, Action::Delete, 1), (1, Action::Delete, 7)], 9), "passes");
        assert!(!job.guards.limits_growth());
    }

    #[test]
    fn a_read_of_less_than_half_the_last_one_holds() {
        let mut job = job_for_tests();
        let class = ClassName::from("person");
        for (guards, last, now, leavers, held) in [
            // Small classes, of which no share of the linked objects is told.
            ("{}", Some(10), 4, 1, true),
            ("{}", Some(10), 5, 1, false),
            ("{}", Some(5), 2, 3, true),
            ("{}", Some(4), 1, 3, false),
            ("{}", Some(10), 12, 1, false),
            // Nobody would leave: most of what is missing was never in scope.
            ("{}", Some(100_000), 10, 0, false),
            ("{}", Some(100_000), 49_999, 1, true),
            // Nobody knows what there was.
            ("{}", None, 1, 3, false),
            // Switching one guard off leaves the other.
            (r#"{"leavers":{}}"#, Some(100), 49, 51, true),
            (r#"{"leavers":{},"shrink":{}}"#, Some(100), 1, 99, false),
            (r#"{"leavers":{},"shrink":{}}"#, Some(100), 0, 100, true),
            (r#"{"shrink":{"percent":90}}"#, Some(10), 2, 1, false),
            (r#"{"shrink":{"percent":90}}"#, Some(100), 9, 1, true),
            (r#"{"shrink":{"count":3}}"#, Some(1000), 996, 1, true),
            (r#"{"shrink":{"percent":10,"from":50}}"#, Some(49), 9, 1, false),
            // One of the class stands in place of that of the job.
            (r#"{"classes":{"person":{"shrink":{"percent":95}}}}"#, Some(100), 10, 1, false),
        ] {
            job.guards = serde_json::from_str(guards).unwrap();
            let intended = intended(&[(0, Action::Disable, leavers)]);
            let linked = BTreeMap::from([(class.clone(), 1_000)]);
            let sizes = [Size { class: &class, last, now }];
            let told = check(&job, &intended, &linked, &sizes).map_or_else(|why| why.message, |()| "passes".to_owned());
            assert_eq!(told != "passes", held, "{guards}: {last:?} -> {now}, {leavers} leavers: {told}");
        }
        let told = "the source has 4 objects of class `person`, 6 fewer than at its last whole read, which exceeds the guard \
                    `shrink` (at most 50 %, and these are 60.0 %); 1 account(s) would leave";
        job.guards = GuardsSpec::default();
        let sizes = [Size { class: &class, last: Some(10), now: 4 }];
        let held = check(&job, &intended(&[(0, Action::Delete, 1)]), &BTreeMap::new(), &sizes).unwrap_err();
        assert_eq!((held.guard, held.guard_code(), held.message.as_str()), ("shrink", "PRV-0531", told));
    }

    #[test]
    fn what_was_released_always_ends_somewhere() {
        let mut job = job_for_tests();
        let row = ExceptionRow {
            job: "job".into(),
            guard: "leavers".into(),
            class: "".into(),
            operations: 30,
            linked: 100,
            limits: limits(&job.guards, "leavers", "").unwrap(),
            plan: "p".into(),
            granted_by: None,
            created: 0,
        };
        job.exceptions = vec![row.clone()];
        for (count, linked, passes) in
            [(30, 100, true), (31, 100, false), (30, 99, false), (30, 110, true), (31, 120, false)]
        {
            let told = verdict(&job, &[(0, Action::Disable, count)], linked);
            assert_eq!(told == "passes", passes, "{count} of {linked}: {told}");
        }
        // Of one guard, not of another, and only as long as that one is configured as it was.
        job.guards.disable = Some(LimitSpec { count: Some(1), percent: None, from: 20 });
        assert_ne!(verdict(&job, &[(0, Action::Disable, 30)], 100), "passes");
        assert!(is_in_force(&job.guards, &row));
        job.guards.leavers.percent = Some(10.0);
        assert!(!is_in_force(&job.guards, &row));
        assert!(!is_in_force(&job.guards, &ExceptionRow { guard: "approval".into(), ..row }));
    }

    #[test]
    fn approval_is_asked_for_by_kind_or_number() {
        let mut job = job_for_tests();
        let some = [(0, Action::Create, 3), (0, Action::Delete, 1)];
        for (approval, told) in [
            (r#""always""#, "the job asks for approval: 3 create, 1 delete"),
            (r#"["delete","disable"]"#, "the job asks for approval: 1 delete"),
            (r#""disable""#, "passes"),
            (r#"{"operations":3}"#, "the job asks for approval of more than 3 operations, and these are 4"),
            (r#"{"operations":4}"#, "passes"),
        ] {
            job.approval = serde_json::from_str(approval).unwrap();
            assert_eq!(verdict(&job, &some, 100), told, "{approval}");
        }
        for wrong in [r#""never""#, r#"["remove"]"#, r#"{"count":1}"#] {
            serde_json::from_str::<ApprovalSpec>(wrong).unwrap_err();
        }
    }
}

//! Source against target, for objects in scope: create, adopt, update, enable, disable, or nothing.

use std::borrow::Cow;
use std::sync::Arc;

use provost_connector::Enablement;
use provost_lang::Flow;
use provost_model::{Action, Attributes, Change, ChangeOp, ObjectId, Record, Value};
use provost_store::{LinkRow, LinkState};

use super::{Act, Answer, Fault, Projected, Projection, Reply, Subject, Target, Verdict, Wish, Wishes, leave};
use crate::rule::veil::{self, Veiled};
use crate::rule::{Mapping, Rule};
use crate::situation::Situation;
use crate::spec::{ApplySpec, NullSpec, Reaction};

/// What a target object holds, as far as Provost knows: by the record of what was sent, or by a fresh read.
pub enum Sent<'a> {
    Nothing,
    Recorded(&'a Attributes, &'a Veiled<'a>),
    Read(&'a Record),
}

impl Sent<'_> {
    fn get(&self, mapping: &Mapping) -> Option<&Value> {
        match self {
            Sent::Nothing => None,
            Sent::Recorded(sent, _) => sent.get(&mapping.key),
            Sent::Read(record) => mapping.path.get(&record.attributes),
        }
    }

    /// Whether the target already has this value. What was sent is compared exactly; what was read is compared as the
    /// target compares, since it may have stored the value in its own spelling.
    fn has(&self, mapping: &Mapping, have: &Value, want: &Value) -> bool {
        match self {
            Sent::Read(_) => same_at_target(have, want, mapping.case_exact),
            Sent::Recorded(_, veiled) if mapping.sensitive => have == want || veiled.is(mapping, have, want),
            _ => have == want,
        }
    }

    /// What a change tells as the value before; a digest is none.
    fn told(&self, mapping: &Mapping) -> Option<Value> {
        let value = self.get(mapping)?;
        Some(if veil::is_veiled(value) { Value::text(mapping.mask()) } else { value.clone() })
    }

    /// Those elements that the target has not.
    fn lacks(&self, mapping: &Mapping, want: &Value) -> Vec<Value> {
        match (self, self.get(mapping)) {
            (Sent::Recorded(_, veiled), Some(have)) if veil::is_veiled(have) => {
                let is_there = |value: &&Value| have.elements().iter().any(|have| veiled.is(mapping, have, value));
                want.elements().iter().filter(|value| !is_there(value)).cloned().collect()
            }
            (_, have) => missing_elements(have, want),
        }
    }
}

pub(super) fn unlinked(subject: &Subject<'_>, record: &Record, projection: Projection) -> (Verdict, Cow<'static, str>) {
    let rule = subject.rule;
    match subject.target {
        Target::Unknown => (Verdict::Ask(projection), "the object has no link yet".into()),
        Target::Matched(found) if let Some(Reply { answer: Answer::Adopt(id), .. }) = subject.answer => {
            match found.iter().find(|found| found.id == *id) {
                Some(found) => adopt(rule, found, projection),
                None => {
                    let message = format!("the account {id}, which was named for {}, does not match it", record.id);
                    fault(Fault::new("PRV-0541", message).hint("`provost cases show` lists the accounts that match"))
                }
            }
        }
        Target::Matched(found) if rule.flows.create && wants_own(rule, subject.id, subject.answer, found) => {
            match projection.is_open() {
                true => (Verdict::Choose(projection), ANSWERED.into()),
                false => (create(rule, projection).0, ANSWERED.into()),
            }
        }
        Target::Matched([]) | Target::Current(_) => {
            let why = "in scope, and nothing matches at the target";
            match instead(subject, Situation::New, &Reaction::Create, why) {
                Some(instead) if rule.flows.create && is_wanted(rule, &projection) => instead,
                _ if rule.flows.create && projection.is_open() => (Verdict::Choose(projection), why.into()),
                _ => create(rule, projection),
            }
        }
        Target::Matched([found]) => {
            let why = matches(found);
            if subject.answer.is_some_and(|reply| reply.answer == Answer::Create) {
                // When that was answered, something else was asked.
                return fault(asked(Situation::Matched, &why));
            }
            instead(subject, Situation::Matched, &Reaction::Adopt, &why)
                .unwrap_or_else(|| adopt(rule, found, projection))
        }
        Target::Matched(several) => {
            let ambiguous = ambiguous(subject.id, several);
            match rule.reactions[Situation::Ambiguous] {
                Reaction::Report => (Verdict::Skip, ambiguous.message.into()),
                _ => fault(ambiguous),
            }
        }
    }
}

/// Whether a person said, knowing what matches, that the object gets an account of its own.
pub fn wants_own(rule: &Rule, id: &ObjectId, reply: Option<&Reply>, found: &[Record]) -> bool {
    let Some(reply) = reply.filter(|reply| reply.answer == Answer::Create) else { return false };
    match found {
        [] => false,
        [one] => {
            reply.is_to(&asked(Situation::Matched, &matches(one)))
                || matches!(taken(rule, id, &one.id), (Verdict::Fault(fault), _) if reply.is_to(&fault))
        }
        several => reply.is_to(&ambiguous(id, several)),
    }
}

fn matches(found: &Record) -> String {
    format!("in scope, and the account {} matches at the target", found.id)
}

fn ambiguous(id: &ObjectId, several: &[Record]) -> Fault {
    // In an order of their own, so that the same accounts are the same question.
    let mut ids: Vec<&str> = several.iter().map(|found| found.id.as_str()).collect();
    ids.sort_unstable();
    ids.truncate(5);
    let message = format!("{} objects at the target match {id}: {}", several.len(), ids.join(", "));
    let hint = "make the matching attribute unique at the target, or add a more exact one before it";
    Fault::new("PRV-0512", message).hint(hint).about(Situation::Ambiguous)
}

/// The reason of what a person wanted.
const ANSWERED: &str = "in scope, and somebody answered that it gets an account of its own";

fn fault(fault: Fault) -> (Verdict, Cow<'static, str>) {
    let reason = fault.message.clone().into();
    (Verdict::Fault(fault), reason)
}

/// What follows where the rule does not do the `usual` in a situation: the log says so, or a person is asked.
fn instead(
    subject: &Subject<'_>,
    situation: Situation,
    usual: &Reaction,
    why: &str,
) -> Option<(Verdict, Cow<'static, str>)> {
    otherwise(subject.rule, subject.answer, situation, usual, why)
}

fn otherwise(
    rule: &Rule,
    answer: Option<&Reply>,
    situation: Situation,
    usual: &Reaction,
    why: &str,
) -> Option<(Verdict, Cow<'static, str>)> {
    match &rule.reactions[situation] {
        reaction if reaction == usual => None,
        Reaction::Ask => {
            let asked = asked(situation, why);
            let consents = answer.is_some_and(|reply| match (&reply.answer, situation) {
                (Answer::Create, Situation::New) => true,
                (Answer::Create, Situation::Missing) | (Answer::Update, _) => reply.is_to(&asked),
                _ => false,
            });
            (!consents).then(|| fault(asked))
        }
        _ => Some((Verdict::Skip, format!("{why}; the rule only reports what is `{situation}`").into())),
    }
}

/// The linked account differs from what was left at the target, and this would repair it.
pub fn drifted(
    rule: &Rule,
    answer: Option<&Reply>,
    act: Act,
    reason: Cow<'static, str>,
) -> (Verdict, Cow<'static, str>) {
    let instead = otherwise(rule, answer, Situation::Changed, &Reaction::Update, &reason);
    instead.unwrap_or((Verdict::Act(act), reason))
}

/// The linked account is not at the target any more, as a whole read of it and a question for its id have shown. None: the link
/// is void, and the object is looked at anew.
pub fn vanished(rule: &Rule, link: &LinkRow, answer: Option<&Reply>) -> Option<(Verdict, Cow<'static, str>)> {
    let why = "the linked account is missing at the target";
    match rule.reactions[Situation::Missing] {
        Reaction::Unlink => Some((Verdict::Act(leave::letting_go(Some(link))), why.into())),
        _ => otherwise(rule, answer, Situation::Missing, &Reaction::Create, why),
    }
}

/// A question to a person.
fn asked(situation: Situation, why: &str) -> Fault {
    let hint = format!("`situations: {{ {situation}: ask }}` of the rule wants a person to decide: `provost cases`");
    Fault::new("PRV-0541", format!("{why}; what is to be done with `{situation}` is for a person to say"))
        .hint(hint)
        .about(situation)
}

/// Whether the source wants the account on.
fn is_wanted(rule: &Rule, projection: &Projection) -> bool {
    !says_off(rule, projection)
}

/// Whether the source says that the account is to be off.
fn says_off(rule: &Rule, projection: &Projection) -> bool {
    let value = rule.enablement_mapping.and_then(|at| projection.0.get(at));
    match (value, &rule.enablement) {
        (Some(Projected::Value(value)), Some(enablement)) => *value == enablement.off,
        _ => false,
    }
}

/// The account that matches an object without link is another object's.
pub fn taken(rule: &Rule, id: &ObjectId, account: &ObjectId) -> (Verdict, Cow<'static, str>) {
    let message =
        format!("the account `{account}` at the target matches {id}, but is linked with another source object");
    if rule.reactions[Situation::Taken] == Reaction::Report {
        return (Verdict::Skip, message.into());
    }
    fault(
        Fault::new("PRV-0514", message)
            .hint("two source objects claim one account: give them different matching values")
            .about(Situation::Taken),
    )
}

fn create(rule: &Rule, mut projection: Projection) -> (Verdict, Cow<'static, str>) {
    if !rule.flows.create {
        return (Verdict::Skip, "nothing matches at the target, and the rule does not create".into());
    }
    let changes = changes(rule, &mut projection, &Sent::Nothing, true);
    if let Some(enablement) = &rule.enablement {
        let off = changes.iter().any(|change| is_path(change, enablement) && change.after() == Some(&enablement.off));
        if off {
            return (Verdict::Skip, "not active at the source, and never provisioned".into());
        }
    }
    let act = Act {
        action: Action::Create,
        target_id: None,
        adopted: false,
        changes,
        references: wishes(rule, projection),
        state: LinkState::Linked,
        leaves: None,
        base: None,
    };
    (Verdict::Act(act), "in scope, and nothing matches at the target".into())
}

fn adopt(rule: &Rule, found: &Record, mut projection: Projection) -> (Verdict, Cow<'static, str>) {
    let sent = Sent::Read(found);
    let base = Some(held(rule, found, &projection));
    let changes = if rule.flows.update { changes(rule, &mut projection, &sent, false) } else { Vec::new() };
    let action = classify(rule, &changes);
    let act = Act {
        action,
        target_id: Some(found.id.clone()),
        adopted: true,
        changes,
        references: wishes(rule, projection),
        state: LinkState::Linked,
        leaves: None,
        base,
    };
    (Verdict::Act(act), "in scope, and an account that matches exists at the target".into())
}

pub(super) fn linked(
    subject: &Subject<'_>,
    link: &LinkRow,
    target_id: &ObjectId,
    mut projection: Projection,
) -> (Verdict, Cow<'static, str>) {
    let rule = subject.rule;
    let off = says_off(rule, &projection);
    let disabled = &rule.reactions[Situation::Disabled];
    if off {
        let why = "the source says the account is not active any more";
        let is_over = link.leaves.is_some_and(|end| end <= subject.now.as_millisecond());
        match (disabled, rule.enablement_mapping) {
            (Reaction::Delete, _) => return leave::delete(subject, why.into()),
            (Reaction::DisableThenDelete(_), _) if is_over => {
                return leave::delete(subject, format!("{why}, and the grace period is over").into());
            }
            (Reaction::Report, Some(at)) => projection.0[at] = Projected::Ignored,
            _ => {}
        }
    }
    let leaves = if off { leave::grace(subject, disabled) } else { None };
    let recorded = parse_sent(rule, link);
    let veiled = rule.veil.of(&link.source_id);
    let sent = match subject.target {
        Target::Current(None) => return missing(subject, projection),
        Target::Current(Some(record)) => Sent::Read(record),
        _ => Sent::Recorded(&recorded, &veiled),
    };
    // Switched off, or nobody knows: the answer to that was lost.
    let in_doubt = |enablement: &Enablement| matches!(recorded.get(&enablement.path.to_string()), Some(Value::Null));
    let returned = link.state == LinkState::Disabled || rule.enablement.as_ref().is_some_and(in_doubt);
    if link.state == LinkState::Disabled
        && let Some(instead) = stays_off(subject, link, target_id)
    {
        return instead;
    }
    let base = if let Sent::Read(record) = sent { Some(held(rule, record, &projection)) } else { None };
    let mut changes =
        if rule.flows.update || returned { changes(rule, &mut projection, &sent, false) } else { Vec::new() };
    if let (true, Some(enablement), None) = (returned, &rule.enablement, rule.enablement_mapping)
        && !changes.iter().any(|change| is_path(change, enablement))
    {
        changes.push(switch(enablement, true));
    }
    let references = wishes(rule, projection);
    let read = matches!(subject.target, Target::Current(_));
    if changes.is_empty() && references.is_none() && !returned && link.leaves == leaves {
        let reason = if read { "source and target agree" } else { "nothing that is mapped changed" };
        return (Verdict::InStep, reason.into());
    }
    let action = classify(rule, &changes);
    let reason = reason(&changes, action, returned, read);
    let act = Act {
        action,
        target_id: Some(target_id.clone()),
        adopted: false,
        changes,
        references,
        state: LinkState::Linked,
        leaves,
        base,
    };
    (Verdict::Act(act), reason)
}

/// Somebody is back whose account the rule does not switch on by itself. He is no leaver any more, whatever else.
fn stays_off(subject: &Subject<'_>, link: &LinkRow, target_id: &ObjectId) -> Option<(Verdict, Cow<'static, str>)> {
    let (verdict, reason) = instead(subject, Situation::Returned, &Reaction::Update, "back in scope")?;
    if matches!(verdict, Verdict::Fault(_)) {
        return Some((verdict, reason));
    }
    if link.leaves.is_none() {
        return Some((Verdict::InStep, reason));
    }
    let act = Act {
        action: Action::Update,
        target_id: Some(target_id.clone()),
        adopted: false,
        changes: Vec::new(),
        references: None,
        state: LinkState::Disabled,
        leaves: None,
        base: None,
    };
    Some((Verdict::Act(act), reason))
}

/// The linked account is not at the target any more: the link is void, so the object is created again.
fn missing(subject: &Subject<'_>, projection: Projection) -> (Verdict, Cow<'static, str>) {
    let rule = subject.rule;
    if let Some(link) = subject.link
        && let Some(instead) = vanished(rule, link, subject.answer)
    {
        return instead;
    }
    if rule.flows.create && projection.is_open() {
        return (Verdict::Choose(projection), "the linked account is missing at the target".into());
    }
    match create(rule, projection) {
        (verdict @ Verdict::Act(_), _) => (verdict, "the linked account is missing at the target".into()),
        (verdict, _) if !rule.flows.create => {
            (verdict, "the linked account is missing at the target, and the rule does not create".into())
        }
        (verdict, _) => (verdict, "the linked account is missing at the target, and not active at the source".into()),
    }
}

fn reason(changes: &[Change], action: Action, returned: bool, read: bool) -> Cow<'static, str> {
    let mut names: Vec<String> = changes.iter().take(4).map(|change| change.path.to_string()).collect();
    if changes.len() > names.len() {
        names.push(format!("{} more", changes.len() - names.len()));
    }
    match (action, returned) {
        (_, true) => "back in scope".into(),
        (Action::Disable, _) if !read => "the source says the account is not active any more".into(),
        (Action::Enable, _) if !read => "the source says the account is active again".into(),
        _ if names.is_empty() => "nothing differs from what was last sent".into(),
        _ if read => format!("the target differs in {}", names.join(", ")).into(),
        _ => format!("changed at the source: {}", names.join(", ")).into(),
    }
}

/// What has to be set so that the target has what the projection says. Takes the values out of the projection; references
/// stay.
fn changes(rule: &Rule, projection: &mut Projection, sent: &Sent<'_>, create: bool) -> Vec<Change> {
    let mut changes = Vec::with_capacity(if create { rule.mappings.len() } else { 0 });
    for (mapping, projected) in rule.mappings.iter().zip(&mut projection.0) {
        if mapping.apply == ApplySpec::Create && !create {
            continue;
        }
        let before = sent.get(mapping);
        // Of a list that was cut short only additions are known, of anything else made from it nothing at all.
        let (projected, joins) = match projected {
            Projected::Partly(inner) => match &mut **inner {
                whole if create => (whole, false),
                list @ Projected::Value(Value::List(_)) => (list, true),
                _ => continue,
            },
            whole => (whole, mapping.flow == Flow::Add),
        };
        let after = match projected {
            Projected::Value(want) if joins && !create => {
                let missing = sent.lacks(mapping, want);
                if !missing.is_empty() {
                    let change = Change::new(mapping.path.clone(), ChangeOp::Add, Value::List(missing));
                    changes.push(change.was(sent.told(mapping)));
                }
                continue;
            }
            Projected::Value(want) if before.is_some_and(|have| sent.has(mapping, have, want)) => continue,
            Projected::Value(want) => Some(std::mem::replace(want, Value::Null)),
            Projected::Null if create => mapping.default.clone(),
            Projected::Null
                if mapping.when_null == NullSpec::Clear
                    && mapping.flow == Flow::Replace
                    && before.is_some_and(|have| !have.is_unassigned()) =>
            {
                None
            }
            Projected::Clear if !create && before.is_some_and(|have| !have.is_unassigned()) => None,
            Projected::Null | Projected::Clear | Projected::Ignored => continue,
            Projected::Choice(_) | Projected::References(_) | Projected::Partly(_) => continue,
        };
        let change = match after {
            Some(value) => Change::set(mapping.path.clone(), value),
            None if before.is_some() => Change::unset(mapping.path.clone()),
            None => continue,
        };
        changes.push(change.was(sent.told(mapping)));
    }
    changes
}

/// Those elements that the target has not, told apart by their `value` as multi-valued SCIM attributes are.
fn missing_elements(have: Option<&Value>, want: &Value) -> Vec<Value> {
    fn key(value: &Value) -> Option<&Value> {
        match value {
            Value::Complex(element) => element.find("value"),
            value => Some(value),
        }
    }
    let have: Vec<Option<&Value>> = have.map(Value::elements).unwrap_or_default().iter().map(key).collect();
    want.elements().iter().filter(|value| !have.contains(&key(value))).cloned().collect()
}

/// A change of the enablement attribute makes an update a disable or an enable: guards and lanes look at that.
pub(crate) fn classify(rule: &Rule, changes: &[Change]) -> Action {
    let Some(enablement) = &rule.enablement else { return Action::Update };
    let Some(change) = changes.iter().find(|change| is_path(change, enablement)) else { return Action::Update };
    let is = |value: Option<&Value>, wanted: &Value| value.is_some_and(|have| same_at_target(have, wanted, false));
    let (before, after) = (change.before.as_ref(), change.after());
    if is(after, &enablement.off) && !is(before, &enablement.off) {
        Action::Disable
    } else if is(after, &enablement.on) && is(before, &enablement.off) {
        Action::Enable
    } else {
        Action::Update
    }
}

fn is_path(change: &Change, enablement: &Enablement) -> bool {
    *change.path == enablement.path
}

/// The change that switches an account on or off.
pub(crate) fn switch(enablement: &Enablement, on: bool) -> Change {
    let (before, after) = if on { (&enablement.off, &enablement.on) } else { (&enablement.on, &enablement.off) };
    Change::set(Arc::new(enablement.path.clone()), after.clone()).was(Some(before.clone()))
}

/// What the target was read to hold of the mapped attributes. Where it agrees with the projection, in the projection's
/// spelling: otherwise a target that changes letter case would be written again and again.
fn held(rule: &Rule, record: &Record, projection: &Projection) -> Attributes {
    let mut held = Attributes::new();
    for (mapping, projected) in rule.mappings.iter().zip(&projection.0) {
        let Some(have) = mapping.path.get(&record.attributes) else { continue };
        match projected {
            Projected::Value(want) if same_at_target(have, want, mapping.case_exact) => {
                held.push(mapping.key.clone(), want.clone());
            }
            Projected::References(_) => {}
            _ => held.push(mapping.key.clone(), have.clone()),
        }
    }
    held
}

fn wishes(rule: &Rule, projection: Projection) -> Option<Wishes> {
    if !rule.has_references {
        return None;
    }
    let mut wishes = Wishes::default();
    for (mapping, mut projected) in rule.mappings.iter().zip(projection.0) {
        if let Projected::Partly(inner) = projected {
            projected = *inner;
            wishes.partly.push(mapping.path.to_string().into());
        }
        if let Projected::References(references) = projected {
            wishes.wanted.extend(references.into_iter().map(|to| Wish {
                path: mapping.path.clone(),
                multi: mapping.multi,
                to,
            }));
        }
    }
    Some(wishes)
}

/// What the link recorded as sent. What can only be compared stays veiled.
pub(crate) fn parse_sent(rule: &Rule, link: &LinkRow) -> Attributes {
    let sent = link.sent.as_deref().and_then(|sent| serde_json::from_str(sent).ok()).unwrap_or_default();
    rule.veil.of(&link.source_id).open(rule, sent)
}

/// Equal as a target compares: booleans and numbers by value, texts by letter case only where it counts, lists as sets.
pub(super) fn same_at_target(have: &Value, want: &Value, case_exact: bool) -> bool {
    match (have, want) {
        (Value::Text(have), Value::Text(want)) if case_exact => have == want,
        (Value::Text(have), Value::Text(want)) => have == want || have.to_lowercase() == want.to_lowercase(),
        (Value::List(have), Value::List(want)) => {
            have.len() == want.len() && want.iter().all(|w| have.iter().any(|h| same_at_target(h, w, case_exact)))
        }
        (Value::Complex(have), Value::Complex(want)) => {
            // The target may add sub-attributes of its own (`display`, `$ref`); those that were sent count.
            want.iter().all(|(name, want)| have.find(name).is_some_and(|have| same_at_target(have, want, case_exact)))
        }
        (Value::Boolean(flag), Value::Text(text)) | (Value::Text(text), Value::Boolean(flag)) => {
            text.eq_ignore_ascii_case(if *flag { "true" } else { "false" })
        }
        (Value::Integer(number), Value::Text(text)) | (Value::Text(text), Value::Integer(number)) => {
            text.parse() == Ok(*number)
        }
        (have, want) => have == want,
    }
}

/// What has to be set so that a drifted account holds again what was sent to it; `None` when it does. Mappings that
/// apply on create only may differ.
pub fn repair(rule: &Rule, link: &LinkRow, record: &Record) -> Option<(Act, Cow<'static, str>)> {
    let sent = parse_sent(rule, link);
    let mut base = Attributes::new();
    let mut changes = Vec::new();
    let mut check = |path: &Arc<provost_model::AttributePath>, key: &str, case_exact: bool| {
        // A null is a doubt: nobody knows what was sent last. The next look at the object at the source decides.
        let Some(want) = sent.get(key).filter(|want| **want != Value::Null) else { return };
        if record.is_incomplete(&path.name) {
            return base.push(key, want.clone());
        }
        match path.get(&record.attributes) {
            Some(have) if same_at_target(have, want, case_exact) => base.push(key, want.clone()),
            have => {
                changes.push(Change::set(path.clone(), want.clone()).was(have.cloned()));
            }
        }
    };
    let kept = |mapping: &&Mapping| mapping.apply == ApplySpec::Always && mapping.readable;
    for mapping in rule.mappings.iter().filter(kept).filter(|mapping| mapping.flow == Flow::Replace) {
        check(&mapping.path, &mapping.key, mapping.case_exact);
    }
    if let (Some(enablement), None) = (&rule.enablement, rule.enablement_mapping) {
        check(&Arc::new(enablement.path.clone()), &enablement.path.to_string(), false);
    }
    for mapping in rule.mappings.iter().filter(kept).filter(|mapping| mapping.flow == Flow::Add) {
        let Some(want) = sent.get(&mapping.key) else { continue };
        let have = mapping.path.get(&record.attributes);
        let missing = missing_elements(have, want);
        if !missing.is_empty() {
            changes.push(Change::new(mapping.path.clone(), ChangeOp::Add, Value::List(missing)).was(have.cloned()));
        }
    }
    if changes.is_empty() {
        return None;
    }
    for (key, value) in sent.iter() {
        if base.get(key).is_none() {
            base.push(key, value.clone());
        }
    }
    let action = classify(rule, &changes);
    let reason = reason(&changes, Action::Update, false, true);
    let act = Act {
        action,
        target_id: link.target_id.clone(),
        adopted: false,
        changes,
        references: None,
        state: link.state,
        leaves: link.leaves,
        base: Some(base),
    };
    Some((act, reason))
}

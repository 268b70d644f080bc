//! Sensitive values of stored plans. A plan keeps `[masked]` in their place, since whoever may read a plan need not know a
//! password; when it is sent they are worked out once more from the source object.

use provost_model::{Attributes, Change, ChangeOp, Record, Timestamp, Value};

use crate::decide::{Projected, project};
use crate::rule::{Mapping, Rule};

fn masked<'r>(rule: &'r Rule, change: &Change) -> Option<(usize, &'r Mapping)> {
    let found = rule.mappings.iter().enumerate().find(|(_, mapping)| *mapping.path == *change.path);
    found.filter(|(_, mapping)| mapping.sensitive)
}

/// Whether some change has lost its value to the mask.
pub(super) fn is_masked(rule: &Rule, changes: &[Change]) -> bool {
    changes.iter().any(|change| masked(rule, change).is_some())
}

fn sensitive(rule: &Rule) -> impl Iterator<Item = (usize, &Mapping)> {
    rule.mappings.iter().enumerate().filter(|(_, mapping)| mapping.sensitive)
}

/// What the target was read to hold, as a plan may keep it.
pub(super) fn mask_base(rule: &Rule, base: &Attributes) -> Attributes {
    let mut base = base.clone();
    for (_, mapping) in sensitive(rule) {
        if base.find(&mapping.key).is_some() {
            base.set(mapping.key.clone(), mapping.mask());
        }
    }
    base
}

/// Whether something of what the target held has lost its value to the mask.
pub(super) fn is_base_masked(rule: &Rule, base: &Attributes) -> bool {
    sensitive(rule).any(|(_, mapping)| base.find(&mapping.key).is_some())
}

/// Puts the values back, as far as the source still gives them: what no change of the plan touches was as wanted.
pub(super) fn unmask_base(rule: &Rule, record: Option<&Record>, now: Timestamp, base: &mut Attributes) {
    let projection = record.and_then(|record| project(rule, record, now).ok().flatten());
    for (at, mapping) in sensitive(rule) {
        if base.find(&mapping.key).is_none() {
            continue;
        }
        match projection.as_ref().map(|projection| &projection.0[at]) {
            Some(Projected::Value(value)) => base.set(mapping.key.clone(), value.clone()),
            _ => {
                base.remove(&mapping.key);
            }
        }
    }
}

/// Puts the values back. An error says why that cannot be done; the changes must not be sent then.
pub(super) fn unmask(
    rule: &Rule,
    record: Option<&Record>,
    now: Timestamp,
    changes: &mut [Change],
) -> Result<(), String> {
    let Some(record) = record else {
        return Err("it sets a sensitive attribute, which a plan does not keep, and its source object is gone".into());
    };
    let projection = project(rule, record, now).map_err(|fault| fault.message)?;
    for change in changes {
        let Some((at, mapping)) = masked(rule, change) else { continue };
        change.before = None;
        if change.op == ChangeOp::Unset {
            continue;
        }
        match projection.as_ref().map(|projection| &projection.0[at]) {
            Some(Projected::Value(value)) => change.value = value.clone(),
            _ => match &mapping.default {
                Some(value) => change.value = Value::clone(value),
                None => return Err(format!("`{}` has no value any more", mapping.key)),
            },
        }
    }
    Ok(())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::cycle) const MASK: &str = "[masked]";
    use provost_connector::{Capabilities, ClassCapabilities};
    use provost_model::{AttributeSchema, AttributeType, ClassSchema, Schema};
    use serde_json::json;

    /// A rule onto `password`, which is sensitive, `title` and `userName`.
    pub(in crate::cycle) fn job() -> crate::rule::Job {
        let spec = serde_json::from_value(json!({"source": "hr", "target": "app", "objects": [{
            "from": "person", "to": "User",
            "match": [{"target": "userName", "source": "[login]"}],
            "attributes": {"userName": "[login]", "title": "[title]", "password": "Join(\"-\", \"first\", [login])"}
        }]}))
        .unwrap();
        let person = ClassSchema { name: "person".into(), open: true, ..ClassSchema::default() };
        let text = |name| AttributeSchema::new(name, AttributeType::String);
        let password = AttributeSchema { sensitive: true, ..text("password") };
        let user = ClassSchema {
            name: "User".into(),
            attributes: vec![text("userName"), password, text("title")],
            ..ClassSchema::default()
        };
        let class = ClassCapabilities { name: "User".into(), ..ClassCapabilities::default() };
        let [source, target] = [person, user].map(|class| Schema { classes: vec![class] });
        let capabilities = Capabilities { classes: vec![class], ..Capabilities::default() };
        crate::rule::compile(&"job".into(), &spec, &source, &target, &capabilities).unwrap()
    }

    #[test]
    fn a_plan_never_sends_the_mask() {
        let job = job();
        let rule = &job.rules[0];
        let stored = || {
            let [name, password] = ["userName", "password"].map(|key| rule.mapping(key).unwrap().path.clone());
            [Change::set(name, "ada".into()), Change::set(password, MASK.into()).was(Some(MASK.into()))]
        };
        let mut changes = stored();
        assert!(is_masked(rule, &changes) && !is_masked(rule, &changes[..1]));
        let ada = Record::new("person", "7").with("login", "ada");
        unmask(rule, Some(&ada), Timestamp::UNIX_EPOCH, &mut changes).unwrap();
        assert_eq!((changes[1].after(), &changes[1].before), (Some(&Value::text("first-ada")), &None));
        assert_eq!(changes[0].after(), Some(&Value::text("ada")));
        assert!(unmask(rule, None, Timestamp::UNIX_EPOCH, &mut stored()).is_err());

        // Nor does it keep what the target held.
        let held = Attributes::from_iter([("userName", "ada"), ("password", "first-ada")]);
        let mut base = mask_base(rule, &held);
        assert_eq!(base, Attributes::from_iter([("userName", "ada"), ("password", MASK)]));
        assert!(is_base_masked(rule, &base) && !is_base_masked(rule, &Attributes::from_iter([("userName", "ada")])));
        let mut gone = base.clone();
        unmask_base(rule, None, Timestamp::UNIX_EPOCH, &mut gone);
        assert_eq!(gone, Attributes::from_iter([("userName", "ada")]));
        unmask_base(rule, Some(&ada), Timestamp::UNIX_EPOCH, &mut base);
        assert_eq!(base, held);
    }
}

//! Sensitive values of stored plans. A plan keeps `[masked]` in their place, since whoever may read a plan need not know a
//! password; when it is sent they are worked out once more from the source object.

use provost_model::{Attributes, Change, ChangeOp, Record, Timestamp};

use crate::decide::{Projected, project};
use crate::rule::{Mapping, Rule};

fn sensitive(rule: &Rule) -> impl Iterator<Item = (usize, &Mapping)> {
    rule.mappings.iter().enumerate().filter(|(_, mapping)| mapping.sensitive)
}

fn masked<'r>(rule: &'r Rule, change: &Change) -> Option<(usize, &'r Mapping)> {
    sensitive(rule).find(|(_, mapping)| *mapping.path == *change.path)
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

/// Whether some change, or something of what the target held, has lost its value to the mask.
pub(super) fn is_masked(rule: &Rule, changes: &[Change], base: Option<&Attributes>) -> bool {
    let in_base = |base: &Attributes| sensitive(rule).any(|(_, mapping)| base.find(&mapping.key).is_some());
    changes.iter().any(|change| masked(rule, change).is_some()) || base.is_some_and(in_base)
}

/// Puts the values back. An error says why a change has none; the changes must not be sent then. What the target held was as
/// wanted where no change of the plan touches it, and is forgotten where the source does not give it any more.
pub(super) fn unmask(
    rule: &Rule,
    record: Option<&Record>,
    now: Timestamp,
    changes: &mut [Change],
    base: Option<&mut Attributes>,
) -> Result<(), String> {
    let sends_masked = is_masked(rule, changes, None);
    let projection = match record {
        Some(record) => project(rule, record, now).map_err(|fault| fault.message)?,
        None if sends_masked => {
            return Err(
                "it sets a sensitive attribute, which a plan does not keep, and its source object is gone".into()
            );
        }
        None => None,
    };
    let wanted = |at: usize| match projection.as_ref().map(|projection| projection.0[at].shown()) {
        Some(Projected::Value(value)) => Some(value.clone()),
        _ => None,
    };
    for change in changes {
        let Some((at, mapping)) = masked(rule, change) else { continue };
        change.before = None;
        if change.op != ChangeOp::Unset {
            let value = wanted(at).or_else(|| mapping.default.clone());
            change.value = value.ok_or_else(|| format!("`{}` has no value any more", mapping.key))?;
        }
    }
    let Some(base) = base else { return Ok(()) };
    for (at, mapping) in sensitive(rule) {
        if base.find(&mapping.key).is_none() {
            continue;
        }
        match wanted(at) {
            Some(value) => base.set(mapping.key.clone(), value),
            None => {
                base.remove(&mapping.key);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use provost_connector::{Capabilities, ClassCapabilities};
    use provost_model::{AttributeSchema, AttributeType, ClassSchema, Schema, Value};
    use serde_json::json;

    pub(in crate::cycle) const MASK: &str = "[masked]";

    /// A rule onto `password`, which is sensitive, `title` and `userName`.
    pub(crate) fn job() -> crate::rule::Job {
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
        assert!(is_masked(rule, &changes, None) && !is_masked(rule, &changes[..1], None));
        let ada = Record::new("person", "7").with("login", "ada");
        unmask(rule, Some(&ada), Timestamp::UNIX_EPOCH, &mut changes, None).unwrap();
        assert_eq!((changes[1].after(), &changes[1].before), (Some(&Value::text("first-ada")), &None));
        assert_eq!(changes[0].after(), Some(&Value::text("ada")));
        assert!(unmask(rule, None, Timestamp::UNIX_EPOCH, &mut stored(), None).is_err());

        // Nor does it keep what the target held.
        let held = Attributes::from_iter([("userName", "ada"), ("password", "first-ada")]);
        let mut base = mask_base(rule, &held);
        assert_eq!(base, Attributes::from_iter([("userName", "ada"), ("password", MASK)]));
        assert!(is_masked(rule, &[], Some(&base)));
        assert!(!is_masked(rule, &[], Some(&Attributes::from_iter([("userName", "ada")]))));
        let mut gone = base.clone();
        unmask(rule, None, Timestamp::UNIX_EPOCH, &mut [], Some(&mut gone)).unwrap();
        assert_eq!(gone, Attributes::from_iter([("userName", "ada")]));
        unmask(rule, Some(&ada), Timestamp::UNIX_EPOCH, &mut [], Some(&mut base)).unwrap();
        assert_eq!(base, held);
    }
}

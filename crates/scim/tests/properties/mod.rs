//! What must hold for every PATCH path, PATCH and bulk request that somebody sends. The random tests ask it of generated
//! texts, the fuzzer (`fuzz/`) of whatever bytes it thinks of; both share this folder.

#![allow(dead_code, reason = "each program that shares this folder uses its part")]
#![allow(clippy::panic, clippy::unwrap_used, reason = "a property that does not hold ends the test")]

#[path = "../../../lang/tests/properties/choices.rs"]
pub mod choices;
#[path = "../../../lang/tests/properties/seeds.rs"]
pub mod seeds;
pub mod texts;

use std::collections::{BTreeMap, BTreeSet};

use provost_model::{AttributePath, Attributes, Text, Value};
use provost_scim::bulk::{BulkMethod, BulkRequest, Made, Order, Step, resolve, split_off};
use provost_scim::patch::Patch;
use provost_scim::{Policy, Projection, Registry, ScimType, TypeSchema, Write, normalize, urn};

/// Reads a text as the path of a PATCH: it is refused as one, or prints to a text that reads as the same path, and applies
/// to what it names. True when it could be read.
pub fn path_holds(text: &str) -> bool {
    let operation = |text: &str| {
        let body = serde_json::json!({ "schemas": [urn::PATCH_OP],
            "Operations": [{ "op": "add", "path": text, "value": "x" }] });
        Patch::from_json(body.to_string().as_bytes(), &Policy::patch())
    };
    let patch = match operation(text) {
        Ok(patch) => patch,
        Err(error) => {
            assert_eq!(error.status, 400, "{text:?}");
            assert!(
                matches!(error.scim_type, Some(ScimType::InvalidPath | ScimType::InvalidFilter)),
                "{text:?}: {error}"
            );
            return false;
        }
    };
    // A blank path is none.
    let Some(path) = patch.operations[0].path.clone() else { return false };
    let printed = path.to_string();
    let again: AttributePath =
        printed.parse().unwrap_or_else(|error| panic!("{text:?} prints as {printed:?}: {error}"));
    assert_eq!(again, path, "{text:?} prints as {printed:?}");
    assert_eq!(operation(&printed), Ok(patch.clone()), "{text:?} prints as {printed:?}");
    for types in [TypeSchema::user(), TypeSchema::group()] {
        for op in [provost_scim::patch::PatchOp::Add, provost_scim::patch::PatchOp::Replace] {
            let mut patch = patch.clone();
            patch.operations[0].op = op;
            applied(&types, &patch, &Attributes::new());
        }
    }
    true
}

/// Sends a resource and then a PATCH of it. True when both were done.
pub fn patch_holds(types: &TypeSchema, resource: &str, request: &str) -> bool {
    let policy = Policy::patch();
    let Ok(input) = serde_json::from_str::<Attributes>(resource) else { return false };
    let stored = match normalize(types, input, Write::Create, &Policy::default()) {
        Ok(stored) => stored,
        Err(error) => {
            assert_eq!(error.status, 400);
            return false;
        }
    };
    put_back(types, &stored);
    let patch = match Patch::from_json(request.as_bytes(), &policy) {
        Ok(patch) => patch,
        Err(error) => {
            assert_eq!(error.status, 400);
            return false;
        }
    };
    let Some(whole) = applied(types, &patch, &stored) else { return false };
    put_back(types, &whole);
    // One by one it comes to the same, unless a part that is required is missing on the way.
    let mut single = stored.clone();
    let one_by_one = patch.operations.iter().try_for_each(|operation| {
        let one = Patch { operations: vec![operation.clone()] };
        one.apply(types, &policy, &mut single).map(drop)
    });
    if one_by_one.is_ok() {
        assert_eq!(single, whole, "one by one");
    }
    // Members apart from the rest come to the same. There ids are all that counts, to the letter.
    let is_told_by_ids =
        !request.contains("\"type\"") && ![resource, request].iter().any(|text| text.contains("\"A\""));
    if is_told_by_ids && let Ok(Some(plan)) = patch.split_members(types, &policy) {
        let mut rest = stored.clone();
        rest.remove("members");
        if plan.attribute_ops.apply(types, &policy, &mut rest).is_ok() {
            let mut ids = members(&stored);
            let changes = plan.member_changes;
            let id = |member: &Attributes| Text::from(member.find("value").unwrap().as_text().unwrap());
            if let Some(all) = &changes.replace_all {
                ids = all.iter().map(id).collect();
            }
            ids.extend(changes.add.iter().map(id));
            ids.retain(|id| !changes.remove.contains(id));
            assert_eq!(ids, members(&whole), "members apart");
            let mut without = whole.clone();
            without.remove("members");
            assert_eq!(rest, without, "the rest without members");
        }
    }
    true
}

/// The resource after a PATCH, none where it is refused: then nothing has changed.
fn applied(types: &TypeSchema, patch: &Patch, stored: &Attributes) -> Option<Attributes> {
    let policy = Policy::patch();
    let mut after = stored.clone();
    let outcome = patch.apply(types, &policy, &mut after);
    if let Err(error) = patch.split_members(types, &policy) {
        assert_eq!(error.status, 400);
    }
    match outcome {
        Ok(outcome) => {
            assert_eq!(outcome.is_noop(), after == *stored, "{:?}", outcome.changed);
            for (name, value) in after.iter() {
                assert!(!value.is_unassigned() || value.as_text().is_some(), "{name} is there with nothing in it");
                assert!(primaries(value) < 2, "{name} has several primary values");
            }
            Some(after)
        }
        Err(error) => {
            assert_eq!(error.status, 400, "{error}");
            assert!(error.scim_type.is_some(), "{error}");
            assert_eq!(after, *stored, "a PATCH that was refused changed something");
            None
        }
    }
}

/// Whoever puts back what was read changes nothing, and may read it with whatever left out.
fn put_back(types: &TypeSchema, stored: &Attributes) {
    let shown = Projection::default().view(types).present(stored.clone());
    let again = normalize(types, shown, Write::Replace(stored), &Policy::default());
    // What never has been whole (an attribute that is required) is not made so.
    if let Ok(again) = again {
        assert_eq!(again, *stored, "put back");
    } else {
        assert!(!provost_scim::resource::missing(types, stored).is_empty(), "{again:?}: {stored:?}");
    }
}

fn primaries(value: &Value) -> usize {
    let elements = value.as_list().unwrap_or_default().iter().filter_map(Value::as_complex);
    elements.filter(|parts| parts.find("primary").and_then(Value::as_bool) == Some(true)).count()
}

fn members(resource: &Attributes) -> BTreeSet<Text> {
    let members = resource.find("members").and_then(Value::as_list).unwrap_or_default();
    members.iter().map(|member| member.as_complex().unwrap().find("value").unwrap().as_text().unwrap().into()).collect()
}

/// Reads a bulk request and puts it in order: each operation once, nothing before what it needs but in circles, and those are
/// linked afterwards. True when it could be read.
pub fn bulk_holds(body: &str, types: &Registry) -> bool {
    let mut bulk = match BulkRequest::from_json(body.as_bytes(), 40, types) {
        Ok(bulk) => bulk,
        Err(error) => {
            assert!(matches!(error.status, 400 | 413), "{error}");
            return false;
        }
    };
    let posts: BTreeMap<Text, usize> = (0..bulk.operations.len())
        .rev()
        .filter(|at| is_post(&bulk, *at))
        .filter_map(|at| Some((bulk.operations[at].bulk_id.clone()?, at)))
        .collect();
    let mut order = Order::of(&bulk);
    let (mut done, mut open): (BTreeSet<usize>, BTreeSet<usize>) = Default::default();
    let mut circle = BTreeSet::new();
    while let Some(step) = order.take() {
        let at = step.at();
        let references = bulk.operations[at].references.iter().filter_map(|id| posts.get(id));
        let missing: BTreeSet<usize> = references.copied().filter(|other| !done.contains(other)).collect();
        match step {
            Step::Do(_) => assert!(missing.is_empty() && done.insert(at), "{at} is done without {missing:?}"),
            Step::DoWithout(_) => {
                circle.extend(order.begin_circle(at));
                assert!(is_post(&bulk, at) && circle.contains(&at), "{at} is in no circle");
                // All but its own circle is there.
                assert!(!missing.is_empty() && missing.is_subset(&circle), "{at} is done without {missing:?}");
                assert!(done.insert(at) && open.insert(at));
            }
            Step::Link(_) => assert!(missing.is_empty() && open.remove(&at), "{at} is linked without {missing:?}"),
        }
    }
    assert!(open.is_empty() && done.len() == bulk.operations.len(), "{open:?} are open, {done:?} done");

    let made = |id: &Text| (id.clone(), Made { id: format!("id-{id}").into(), location: "/Users/1".into() });
    for operation in &mut bulk.operations {
        let made: BTreeMap<Text, Made> = operation.references.iter().map(made).collect();
        let Ok(action) = &mut operation.what else { continue };
        let Some(types) = types.by_endpoint(&action.endpoint) else { continue };
        resolve(types, action, &made);
        // As text: what names something twice is not equal to itself.
        let resolved = serde_json::to_string(&action.data).unwrap();
        if action.method == BulkMethod::Post {
            assert_eq!(split_off(types, &mut action.data), Attributes::new(), "resolved, and a reference still");
        }
        resolve(types, action, &made);
        assert_eq!(serde_json::to_string(&action.data).unwrap(), resolved, "resolved a second time");
    }
    true
}

fn is_post(bulk: &BulkRequest, at: usize) -> bool {
    bulk.operations[at].what.as_ref().is_ok_and(|what| what.method == BulkMethod::Post)
}

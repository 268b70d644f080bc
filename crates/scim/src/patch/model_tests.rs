//! Random PATCHes against models that are too simple to be wrong: a map of paths for users, a set of ids for groups.
//! A failure prints its seed.

use std::collections::{BTreeMap, BTreeSet};

use provost_model::Attributes;

use super::*;

/// xorshift64*; the seeds are fixed, so that a failure repeats.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % bound
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }
}

const PATHS: &[&str] = &[
    "title",
    "name.givenName",
    "name.familyName",
    "emails[type eq \"work\"].value",
    "emails[type eq \"home\"].value",
    "phoneNumbers[type eq \"fax\"].value",
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department",
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value",
];

fn spell(random: &mut Random, path: &str) -> String {
    match random.below(3) {
        0 => path.replace("name.", "NAME.").replace("emails", "Emails").replace("title", "TITLE"),
        _ => path.to_owned(),
    }
}

#[test]
fn a_patch_reads_back_as_the_model_says() {
    let types = TypeSchema::user();
    for seed in 1..=300_u64 {
        let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let mut resource: Attributes = [("userName", "ada")].into_iter().collect();
        let mut model: BTreeMap<&str, String> = BTreeMap::new();
        for _ in 0..30 {
            let path = random.pick(PATHS);
            let parsed: AttributePath = spell(&mut random, path).parse().unwrap();
            let value = format!("v{}", random.below(4));
            let there = model.contains_key(path);
            let (operation, expected) = match random.below(4) {
                0 => (
                    PatchOperation { op: PatchOp::Add, path: Some(parsed), value: Some(value.as_str().into()) },
                    Some(value),
                ),
                // A replace through a filter needs its element; without one the operation fails and changes nothing.
                1 if there || !path.contains('[') => (
                    PatchOperation { op: PatchOp::Replace, path: Some(parsed), value: Some(value.as_str().into()) },
                    Some(value),
                ),
                2 => {
                    let whole = AttributePath { sub: None, ..parsed.clone() };
                    let path = if path.contains('[') { whole } else { parsed };
                    (PatchOperation { op: PatchOp::Remove, path: Some(path), value: None }, None)
                }
                _ => {
                    let object: Attributes = [(parsed.to_string(), value.as_str())].into_iter().collect();
                    (PatchOperation { op: PatchOp::Add, path: None, value: Some(Value::Complex(object)) }, Some(value))
                }
            };
            let before = resource.clone();
            let patch = Patch { operations: vec![operation] };
            let outcome = patch.apply(&types, &Policy::patch(), &mut resource);
            let outcome = outcome.unwrap_or_else(|error| panic!("seed {seed}: {patch:?}: {error}"));
            let changes = model.get(path) != expected.as_ref();
            assert_eq!(outcome.is_noop(), !changes, "seed {seed}: {patch:?}: {before:?}");
            match expected {
                Some(value) => model.insert(path, value),
                None => model.remove(path),
            };
            for path in PATHS {
                let read = path.parse::<AttributePath>().unwrap().get(&resource).and_then(Value::as_text);
                assert_eq!(read, model.get(path).map(String::as_str), "seed {seed}: {path} after {patch:?}");
            }
            assert!(resource.iter().all(|(_, value)| !value.is_unassigned()), "seed {seed}: {resource:?}");
            // A second time nothing changes.
            let again = patch.apply(&types, &Policy::patch(), &mut resource).unwrap();
            assert!(again.is_noop(), "seed {seed}: {patch:?}");
        }
    }
}

#[test]
fn split_members_agree_with_the_whole() {
    let types = TypeSchema::group();
    for seed in 1..=500_u64 {
        let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let ids = |random: &mut Random| -> Vec<Value> {
            let member = |id: usize| Value::Complex([("value", id.to_string())].into_iter().collect());
            (0..random.below(4)).map(|_| member(random.below(8))).collect()
        };
        let members = ids(&mut random);
        let mut group: Attributes = [("displayName", Value::text("g"))].into_iter().collect();
        if !members.is_empty() {
            group.set("members", members);
        }
        let path = |text: &str| Some(text.parse::<AttributePath>().unwrap());
        let operations = (0..1 + random.below(5))
            .map(|_| {
                let list = Value::List(ids(&mut random));
                let value = Some(list.clone());
                match random.below(6) {
                    0 | 1 => PatchOperation { op: PatchOp::Add, path: path("members"), value },
                    2 => PatchOperation { op: PatchOp::Remove, path: path("members"), value },
                    3 => {
                        let path = path(&format!("members[value eq \"{}\"]", random.below(8)));
                        PatchOperation { op: PatchOp::Remove, path, value: None }
                    }
                    4 => PatchOperation { op: PatchOp::Replace, path: path("members"), value },
                    _ => {
                        let object: Attributes =
                            [("members", list), ("displayName", Value::text("h"))].into_iter().collect();
                        PatchOperation { op: PatchOp::Add, path: None, value: Some(Value::Complex(object)) }
                    }
                }
            })
            .collect();
        let patch = Patch { operations };
        let plan = patch.split_members(&types, &Policy::patch()).unwrap().expect("all of these can be split");
        let set = |group: &Attributes| -> BTreeSet<String> {
            let members = group.find("members").and_then(Value::as_list).unwrap_or_default();
            members.iter().map(|m| m.as_complex().unwrap().get("value").unwrap().to_string()).collect()
        };
        let mut split = set(&group);
        let changes = plan.member_changes;
        if let Some(all) = changes.replace_all {
            split = all.iter().map(|m| m.get("value").unwrap().to_string()).collect();
        }
        split.extend(changes.add.iter().map(|m| m.get("value").unwrap().to_string()));
        split.retain(|id| !changes.remove.iter().any(|gone| gone == id));
        let mut rest: Attributes = [("displayName", Value::text("g"))].into_iter().collect();
        plan.attribute_ops.apply(&types, &Policy::patch(), &mut rest).unwrap();
        patch.apply(&types, &Policy::patch(), &mut group).unwrap();
        assert_eq!(split, set(&group), "seed {seed}: {patch:?}");
        assert_eq!(rest.get("displayName"), group.get("displayName"), "seed {seed}: {patch:?}");
    }
}

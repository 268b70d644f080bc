//! One number for the whole state, the same whatever the order in which it came about: the sum of a 128-bit hash of each
//! resource's canonical text. `id`, `meta` and `schemas` are left out; lists are sets; a reference to another resource
//! counts as that resource's name, because ids depend on the order of creation.

use serde_json::Value;
use xxhash_rust::xxh3::xxh3_128;

/// Adds up the canonical hashes. `name_of` gives the natural name of the resource with an id, if there is one.
pub fn sum(trees: impl Iterator<Item = Value>, name_of: impl Fn(&str) -> Option<String>) -> u128 {
    let mut text = String::new();
    trees.fold(0_u128, |total, tree| {
        text.clear();
        write(&mut text, &tree, &name_of);
        total.wrapping_add(xxh3_128(text.as_bytes()))
    })
}

fn write(out: &mut String, value: &Value, name_of: &impl Fn(&str) -> Option<String>) {
    match value {
        Value::Object(map) => {
            let mut keys: Vec<_> = map.iter().filter(|(k, v)| !left_out(k) && !empty(v)).collect();
            keys.sort_by(|a, b| a.0.cmp(b.0));
            out.push('{');
            for (key, value) in keys {
                out.push_str(key);
                out.push(':');
                match value.as_str().filter(|_| key == "value").and_then(name_of) {
                    Some(name) => out.push_str(&name),
                    None => write(out, value, name_of),
                }
                out.push(',');
            }
            out.push('}');
        }
        Value::Array(list) => {
            let mut texts: Vec<String> = list
                .iter()
                .map(|element| {
                    let mut text = String::new();
                    write(&mut text, element, name_of);
                    text
                })
                .collect();
            texts.sort_unstable();
            out.push('[');
            texts.iter().for_each(|t| out.push_str(t));
            out.push(']');
        }
        // Display of a string is its JSON text, so that "1" and 1 differ.
        other => out.push_str(&other.to_string()),
    }
}

fn left_out(key: &str) -> bool {
    matches!(key, "id" | "meta" | "schemas" | "$ref")
}

/// Null and the empty list mean the same as no attribute (RFC 7643 §2.5).
fn empty(value: &Value) -> bool {
    value.is_null() || value.as_array().is_some_and(Vec::is_empty)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn order_does_not_matter_but_content_does() {
        let none = |_: &str| None;
        let a = json!({"userName": "a", "emails": [{"type": "x"}, {"type": "y"}], "id": "1", "nothing": null});
        let b = json!({"emails": [{"type": "y"}, {"type": "x"}], "userName": "a", "id": "2", "meta": {}});
        let c = json!({"userName": "c"});
        assert_eq!(sum([a.clone(), c.clone()].into_iter(), none), sum([c.clone(), b].into_iter(), none));
        assert_ne!(sum([a.clone()].into_iter(), none), sum([c].into_iter(), none));
        assert_ne!(sum([json!({"a": 1})].into_iter(), none), sum([json!({"a": "1"})].into_iter(), none));
    }

    #[test]
    fn references_count_by_name() {
        let group = |id: &str| json!({"displayName": "g", "members": [{"value": id}]});
        let first = sum([group("7")].into_iter(), |id| (id == "7").then(|| "ada".to_owned()));
        let second = sum([group("9")].into_iter(), |id| (id == "9").then(|| "ada".to_owned()));
        assert_eq!(first, second);
    }
}

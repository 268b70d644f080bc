//! A job as people write it: short forms, no defaults, keys in the order of the documentation.

use provost_engine::spec::{FlowsSpec, GuardsSpec, JobSpec};
use provost_model::JobName;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value as Json, json};

/// Keys in the order in which they are written; others follow by name.
const ORDER: [&str; 21] = [
    "source",
    "target",
    "schedule",
    "objects",
    "from",
    "to",
    "scope",
    "match",
    "lookup",
    "attributes",
    "flows",
    "leavers",
    "situations",
    "out_of_scope",
    "deleted",
    "guards",
    "tests",
    "value",
    "apply",
    "default",
    "when_null",
];

/// The jobs as a configuration of their own.
pub fn jobs_yaml(jobs: &[(JobName, JobSpec)]) -> Result<String, String> {
    let jobs: Map<String, Json> =
        jobs.iter().map(|(name, spec)| Ok((name.to_string(), short(spec)?))).collect::<Result<_, String>>()?;
    print(&json!({"jobs": jobs}))
}

/// One job, without its name.
pub fn job_yaml(spec: &JobSpec) -> Result<String, String> {
    print(&short(spec)?)
}

fn print(document: &Json) -> Result<String, String> {
    serde_saphyr::to_string(&Ordered(document)).map_err(|error| error.to_string())
}

/// The document without what it need not say.
fn short(spec: &JobSpec) -> Result<Json, String> {
    let as_json = |value: Result<Json, serde_json::Error>| value.map_err(|error| error.to_string());
    let mut job = as_json(serde_json::to_value(spec))?;
    drop_equal(&mut job, "schedule", &json!({}));
    drop_equal(&mut job, "guards", &as_json(serde_json::to_value(GuardsSpec::default()))?);
    let flows = as_json(serde_json::to_value(FlowsSpec::default()))?;
    for rule in job.get_mut("objects").and_then(Json::as_array_mut).into_iter().flatten() {
        drop_equal(rule, "lookup", &json!("auto"));
        drop_equal(rule, "flows", &flows);
        for (_, mapping) in rule.get_mut("attributes").and_then(Json::as_object_mut).into_iter().flatten() {
            drop_equal(mapping, "apply", &json!("always"));
            drop_equal(mapping, "when_null", &json!("keep"));
            if let Some(only) =
                mapping.as_object().filter(|members| members.len() == 1).and_then(|members| members.get("value"))
            {
                *mapping = only.clone();
            }
        }
    }
    Ok(job)
}

fn drop_equal(object: &mut Json, key: &str, default: &Json) {
    if let Some(members) = object.as_object_mut()
        && members.get(key).is_some_and(|value| value == default || value.is_null())
    {
        members.remove(key);
    }
}

struct Ordered<'j>(&'j Json);

impl Serialize for Ordered<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Json::Object(members) => {
                let mut keys: Vec<&String> = members.keys().collect();
                keys.sort_by_key(|key| {
                    (ORDER.iter().position(|known| known == key).unwrap_or(ORDER.len()), key.as_str())
                });
                let mut map = serializer.serialize_map(Some(members.len()))?;
                for key in keys {
                    map.serialize_entry(key, &Ordered(&members[key]))?;
                }
                map.end()
            }
            Json::Array(items) => serializer.collect_seq(items.iter().map(Ordered)),
            other => other.serialize(serializer),
        }
    }
}

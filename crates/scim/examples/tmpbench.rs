use std::sync::Arc;
use provost_model::{AttributePath, Attributes, Change, Value};
use provost_scim::client::*;
use provost_scim::{filter, resource, schema, urn, normalize, Patch, Policy, Projection, ResourceFilter, TypeSchema, Write};
fn main() {
    let class = Arc::new(schema::class_schema(&TypeSchema::user()));
    let w = BodyWriter::new(Arc::new(Dialect::default()), class, None);
    let ent = urn::ENTERPRISE_USER;
    let paths: Vec<Arc<AttributePath>> = ["userName","externalId","active","displayName","title","preferredLanguage","name.givenName","name.familyName","name.formatted","emails[type eq \"work\"].value","phoneNumbers[type eq \"work\"].value","phoneNumbers[type eq \"mobile\"].value","addresses[type eq \"work\"].streetAddress","addresses[type eq \"work\"].locality","addresses[type eq \"work\"].country","E:department","E:employeeNumber","E:costCenter"].iter().map(|p| Arc::new(p.replace("E:", &format!("{ent}:")).parse().unwrap())).collect();
    let changes: Vec<Change> = paths.iter().map(|p| Change::set(p.clone(), if p.name=="active" {Value::text("True")} else {Value::text("some value of ada lovelace")})).collect();
    println!("{}", String::from_utf8(w.create(&changes)).unwrap().len());
    let t = std::time::Instant::now();
    let mut n = 0;
    for _ in 0..100_000 { n += w.create(&changes).len(); }
    println!("create {:?} per body, {n}", t.elapsed() / 100_000);
    let body = w.create(&changes);
    let types = TypeSchema::user();
    let t = std::time::Instant::now();
    for _ in 0..100_000 { let a: Attributes = serde_json::from_slice(&body).unwrap(); n += a.len(); }
    println!("parse {:?}", t.elapsed() / 100_000);
    let t = std::time::Instant::now();
    for _ in 0..100_000 { let a: Attributes = serde_json::from_slice(&body).unwrap(); n += normalize(&types, a, Write::Create, &Policy::default()).unwrap().len(); }
    println!("parse+normalize {:?}", t.elapsed() / 100_000);
    let a: Attributes = serde_json::from_slice(&body).unwrap();
    let r = normalize(&types, a, Write::Create, &Policy::default()).unwrap();
    let v = Projection::default(); let v = v.view(&types);
    let t = std::time::Instant::now();
    for _ in 0..100_000 { n += serde_json::to_vec(&v.present(r.clone())).unwrap().len(); }
    println!("clone+present+write {:?}", t.elapsed() / 100_000);
    let f = filter::parse("userName eq \"nobody@example.org\"").unwrap();
    let f = ResourceFilter::compile(&f, &types, filter::Missing::Refuse).unwrap();
    let t = std::time::Instant::now();
    for _ in 0..1_000_000 { n += f.matches(&r) as usize; }
    println!("filter {:?} {n}", t.elapsed() / 1_000_000);
    let p = Patch::from_json(format!(r#"{{"schemas":["{}"],"Operations":[{{"op":"Replace","path":"emails[type eq \"work\"].value","value":"x"}},{{"op":"Replace","path":"name.familyName","value":"y"}}]}}"#, urn::PATCH_OP).as_bytes()).unwrap();
    let t = std::time::Instant::now();
    for _ in 0..100_000 { let mut c = r.clone(); n += p.apply(&types, &Policy::patch(), &mut c).unwrap().changed.len(); }
    println!("patch {:?} {n}", t.elapsed() / 100_000);
}

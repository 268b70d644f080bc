//! What resources are found by: indexes answer as reading everything does, keep what is to be unique, and follow the types.

use std::collections::BTreeMap;

use provost_connector::LookupRequest;
use provost_directory::{Member, MemberEdit, QueryPage, Types, Write};
use provost_model::{Attributes, Explain as _, Filter, ObjectId, Value};
use provost_scim::Registry;
use provost_scim::filter::{Missing, ResourceFilter};
use provost_scim::schema::{ResourceType, SchemaExtension};

use crate::{Place, cx, group, json};

crate::on_both!(
    any_filter_finds_what_reading_finds,
    nested_groups,
    custom_types_keep_what_is_unique,
    secrets_of_extensions_are_not_kept,
    indexes_follow_the_types,
    lookups_by_value,
    long_values,
);

/// A small generator (SplitMix64), so that a failure can be repeated from its seed.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % bound as u64) as usize
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }
}

const WORDS: [&str; 9] = ["a", "A", "ab", "Ada", "ada@x.org", "é", "e\u{301}", "K", "\u{212a}b"];

fn person(random: &mut Random, number: usize) -> String {
    let mut emails = Vec::new();
    for _ in 0..random.below(3) {
        let (kind, value) = (random.pick(&["work", "home"]), random.pick(&WORDS));
        emails.push(format!(r#"{{"type":"{kind}","value":"{value}"}}"#));
    }
    let name = format!("{}{}", random.pick(&WORDS), if random.below(3) == 0 { "" } else { "x" });
    format!(
        r#"{{"userName":"{name}{number}","displayName":"{}","externalId":"{}","active":{},"emails":[{}]}}"#,
        random.pick(&WORDS),
        random.pick(&WORDS),
        random.below(2) == 0,
        emails.join(",")
    )
}

fn condition(random: &mut Random, depth: usize) -> String {
    let word = random.pick(&WORDS);
    let op = random.pick(&["eq", "eq", "sw", "co", "ne"]);
    match random.below(if depth == 0 { 6 } else { 9 }) {
        0 => format!("userName {op} \"{word}{}\"", random.below(40)),
        1 => format!("userName sw \"{word}\""),
        2 => format!("{} {op} \"{word}\"", random.pick(&["displayName", "externalId", "emails", "emails.value"])),
        3 => format!("emails[type eq \"{}\" and value {op} \"{word}\"]", random.pick(&["work", "home"])),
        4 => format!("emails[type eq \"work\"].value {op} \"{word}\""),
        5 => format!("active eq {}", random.below(2) == 0),
        6 => format!("({} or {})", condition(random, depth - 1), condition(random, depth - 1)),
        7 => format!("({} and {})", condition(random, depth - 1), condition(random, depth - 1)),
        _ => format!("not ({})", condition(random, depth - 1)),
    }
}

/// The same question to the indexes and to each resource by itself.
async fn any_filter_finds_what_reading_finds(place: Place) {
    let seed = std::env::var("PROVOST_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| u64::from(std::process::id()) ^ 0x5eed);
    println!("PROVOST_TEST_SEED={seed}");
    let mut random = Random(seed);
    let people: Vec<Write> = (0..40).map(|number| Write::create("User", json(&person(&mut random, number)))).collect();
    let written = place.write(people).await;
    // Some change, so that old values have to go from the indexes.
    let edits = written.iter().flatten().step_by(3).map(|written| {
        let to = json(&person(&mut random, 100));
        let (id, keep) = (written.resource.id.clone(), written.resource.attributes.find("userName").cloned());
        Write::edit("User", id, move |attributes: &mut Attributes| {
            *attributes = to;
            attributes.set("userName", keep.unwrap_or_default());
            Ok(())
        })
    });
    place.write(edits.collect()).await;
    let all = place.directory.query("User", None, QueryPage::default()).await.unwrap().resources;
    let types = place.directory.registry().by_name("User").unwrap().clone();
    for _ in 0..200 {
        let text = condition(&mut random, 2);
        let filter: Filter = text.parse().unwrap();
        let matches = ResourceFilter::compile(&filter, &types, Missing::Refuse).unwrap();
        let want: Vec<ObjectId> =
            all.iter().filter(|user| matches.matches(&user.attributes)).map(|user| user.id.clone()).collect();
        let found = place.directory.query("User", Some(&filter), QueryPage::default()).await.unwrap();
        let got: Vec<ObjectId> = found.resources.into_iter().map(|user| user.id).collect();
        assert_eq!((found.total as usize, &got), (want.len(), &want), "{text} with seed {seed}");
    }
}

async fn nested_groups(place: Place) {
    let ada = place.create("User", json(r#"{"userName":"ada"}"#)).await;
    let bob = place.create("User", json(r#"{"userName":"bob"}"#)).await;
    let mut groups = Vec::new();
    for name in ["Team", "Division", "Company"] {
        groups.push(place.create("Group", group(name)).await);
    }
    let add = |group: &ObjectId, member: &ObjectId| {
        let add = vec![Member::new(member.clone())];
        Write::members("Group", group.clone(), MemberEdit::Change { add, remove: Vec::new() })
    };
    let top = place.store.directory_seq().await.unwrap();
    // In a circle: the company is in the team.
    let links = [(0, &ada), (1, &bob), (1, &groups[0]), (2, &groups[1]), (0, &groups[2])];
    for (group, member) in links {
        place.one(add(&groups[group], member)).await.unwrap();
    }
    let mut found = Vec::new();
    for membership in place.directory.memberships(&[ada.clone(), bob.clone()]).await.unwrap() {
        found.push((membership.member, membership.display.to_string(), membership.direct));
    }
    found.sort();
    let want = |id: &ObjectId, direct: &str| {
        let one = |name: &str| (id.clone(), name.to_owned(), name == direct);
        ["Company", "Division", "Team"].map(one)
    };
    let mut wanted = [want(&ada, "Team"), want(&bob, "Division")].concat();
    wanted.sort();
    assert_eq!(found, wanted);
    let filter: Filter = format!("groups.value eq \"{}\"", groups[2]).parse().unwrap();
    let members = place.directory.query("User", Some(&filter), QueryPage::default()).await.unwrap();
    assert_eq!(members.total, 2);
    // Ada's groups changed with each link, also where she was not named.
    let changes = place.store.resource_changes("User", top, 10).await.unwrap();
    let ada = changes.iter().find(|row| row.id == ada).unwrap();
    let end = place.store.directory_seq().await.unwrap();
    assert!(ada.seq > end - 4, "moved by the last link: {} of {end}", ada.seq);
}

fn badge() -> Registry {
    let mut registry = Registry::core();
    registry.add_schema(
        serde_json::from_str(
            r#"{"id":"urn:example:Badge","name":"Badge","attributes":[
                {"name":"number","type":"string","required":true,"caseExact":true,"uniqueness":"server"},
                {"name":"serial","type":"integer","uniqueness":"global"},
                {"name":"label","type":"string"}]}"#,
        )
        .unwrap(),
    );
    registry.add_schema(
        serde_json::from_str(
            r#"{"id":"urn:example:Person","name":"Person","attributes":[
                {"name":"staffNumber","type":"string","uniqueness":"server"},
                {"name":"pin","type":"string","mutability":"writeOnly","returned":"never"},
                {"name":"lockers","type":"complex","multiValued":true,"subAttributes":[
                    {"name":"room","type":"string"},{"name":"code","type":"string","returned":"never"}]}]}"#,
        )
        .unwrap(),
    );
    let badge = ResourceType {
        name: "Badge".into(),
        endpoint: "/Badges".into(),
        schema: "urn:example:Badge".into(),
        ..ResourceType::default()
    };
    registry.add_type(badge).unwrap();
    let user = registry.by_name("User").unwrap().resource_type.clone();
    let mut user = (*user).clone();
    user.schema_extensions.push(SchemaExtension { schema: "urn:example:Person".into(), required: false });
    registry.add_type(user).unwrap();
    registry
}

async fn custom_types_keep_what_is_unique(place: Place) {
    let place = place.with_types(Types::new(badge(), &BTreeMap::new()));
    let make = |text: &str| Write::create("Badge", json(text));
    let outcomes = place
        .write(vec![
            make(r#"{"number":"a1","serial":7}"#),
            make(r#"{"number":"A1","serial":8}"#),
            make(r#"{"number":"a1"}"#),
            make(r#"{"number":"a2","serial":7}"#),
            make(r#"{"number":"a3"}"#),
        ])
        .await;
    let text = |outcome: &Result<provost_directory::Written, provost_directory::DirectoryError>| match outcome {
        Ok(_) => "ok".to_owned(),
        Err(error) => format!("{} {}", error.code().as_str(), error.to_string().split(' ').next().unwrap()),
    };
    assert_eq!(outcomes.iter().map(text).collect::<Vec<_>>(), ["ok", "ok", "PRV-0652 number", "PRV-0652 serial", "ok"]);
    let id = |at: usize| outcomes[at].as_ref().unwrap().resource.id.clone();
    let rename = |id: ObjectId, to: &'static str| {
        Write::edit("Badge", id, move |attributes| {
            attributes.set("number", to);
            Ok(())
        })
    };
    // One takes what another gives up, in one transaction; a refused one takes nothing.
    let outcomes = place
        .write(vec![
            rename(id(4), "a1"),
            rename(id(0), "b1"),
            rename(id(4), "a1"),
            Write::delete("Badge", id(1)),
            make(r#"{"number":"A1"}"#),
        ])
        .await;
    assert_eq!(outcomes.iter().map(text).collect::<Vec<_>>(), ["PRV-0652 number", "ok", "ok", "ok", "ok"]);
    let filter: Filter = "number eq \"a1\" or serial eq 7".parse().unwrap();
    let found = place.directory.query("Badge", Some(&filter), QueryPage::default()).await.unwrap();
    assert_eq!(found.total, 2);
    assert_eq!(place.directory.query("Badge", None, QueryPage::default()).await.unwrap().total, 3);
    // In an extension, without regard to letter case as its schema says.
    let person = |name: &str, number: &str| {
        let text = format!(r#"{{"userName":"{name}","urn:example:Person":{{"staffNumber":"{number}"}}}}"#);
        Write::create("User", json(&text))
    };
    let outcomes = place.write(vec![person("ada", "x1"), person("bob", "X1")]).await;
    assert_eq!(outcomes.iter().map(text).collect::<Vec<_>>(), ["ok", "PRV-0652 urn:example:Person:staffNumber"]);
}

async fn secrets_of_extensions_are_not_kept(place: Place) {
    let place = place.with_types(Types::new(badge(), &BTreeMap::new()));
    let text = r#"{"userName":"ada","password":"s3cret","urn:example:Person":{"staffNumber":"x1","PIN":"s3cret",
        "lockers":[{"room":"1","code":"s3cret"},{"code":"s3cret"}]}}"#;
    let id = place.create("User", json(text)).await;
    let want = json(r#"{"userName":"ada","urn:example:Person":{"staffNumber":"x1","lockers":[{"room":"1"}]}}"#);
    assert_eq!(place.get("User", &id).await.unwrap().attributes, want);
    let edit = Write::edit("User", id.clone(), |attributes| {
        *attributes = json(r#"{"userName":"ada","urn:example:Person":{"pin":"s3cret"}}"#);
        Ok(())
    });
    place.one(edit).await.unwrap();
    assert_eq!(place.get("User", &id).await.unwrap().attributes, json(r#"{"userName":"ada"}"#));
}

async fn indexes_follow_the_types(place: Place) {
    let people = (0..2_300).map(|number| {
        Write::create("User", json(&format!(r#"{{"userName":"u{number}","nickName":"Nick {}"}}"#, number % 1_000)))
    });
    place.write(people.collect()).await;
    let more = BTreeMap::from([("user".into(), vec!["nickName".parse().unwrap()])]);
    let slot = xxhash_rust::xxh3::xxh3_64(b"User nickName 1");
    let hash = xxhash_rust::xxh3::xxh3_64_with_seed(b"nick 7", slot).cast_signed();
    let count = async |place: &Place| place.store.value_owners(&[hash]).await.unwrap().len();
    assert_eq!(count(&place).await, 0);
    // Filled in by the first who asks.
    let with = place.with_types(Types::new(Registry::core(), &more));
    let filter: Filter = "nickName eq \"NICK 7\"".parse().unwrap();
    let found = with.directory.query("User", Some(&filter), QueryPage::default()).await.unwrap();
    assert_eq!((found.total, count(&place).await), (3, 3));
    // Without the index nobody keeps it up, so it is gone, and is made anew when it is wanted again.
    let without = place.with_types(Types::core());
    without.directory.prepare().await.unwrap();
    assert_eq!(count(&place).await, 0);
    without.create("User", json(r#"{"userName":"late","nickName":"nick 7"}"#)).await;
    let again = place.with_types(Types::new(Registry::core(), &more));
    let found = again.directory.query("User", Some(&filter), QueryPage::default()).await.unwrap();
    assert_eq!((found.total, count(&place).await), (4, 4));
}

async fn lookups_by_value(place: Place) {
    for (name, email) in [("ada", "Ada@x.org"), ("bob", "bob@x.org"), ("cy", "ADA@X.ORG")] {
        let text = format!(r#"{{"userName":"{name}","emails":[{{"type":"work","value":"{email}"}}]}}"#);
        place.create("User", json(&text)).await;
    }
    let request = |path: &str| LookupRequest {
        class: "User".into(),
        path: path.parse().unwrap(),
        values: vec![Value::text("ada@x.org"), Value::text("nobody"), Value::text("BOB@x.org")],
    };
    for path in ["emails[type eq \"work\"].value", "emails.value"] {
        let found = place.session.lookup(&cx(), request(path)).await.unwrap();
        assert_eq!(found.iter().map(Vec::len).collect::<Vec<_>>(), [2, 0, 1], "{path}");
    }
    let found = place.session.lookup(&cx(), request("emails[type eq \"home\"].value")).await.unwrap();
    assert_eq!(found.iter().map(Vec::len).collect::<Vec<_>>(), [0, 0, 0]);
}

async fn long_values(place: Place) {
    let long = "x".repeat(3_000);
    for end in ["a", "b", "a"] {
        let name = format!("u{}", place.store.directory_seq().await.unwrap());
        place.create("User", json(&format!(r#"{{"userName":"{name}","displayName":"{long}{end}"}}"#))).await;
    }
    for (text, want) in [
        (format!("displayName eq \"{long}a\""), 2),
        (format!("displayName sw \"{long}\""), 3),
        (format!("displayName sw \"{long}b\""), 1),
        (format!("displayName eq \"{long}\""), 0),
    ] {
        let filter: Filter = text.parse().unwrap();
        let found = place.directory.query("User", Some(&filter), QueryPage::default()).await.unwrap();
        assert_eq!(found.total, want);
    }
}

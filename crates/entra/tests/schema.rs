//! Schemas in and out: what becomes of each piece, that nothing is lost silently, that a round trip changes nothing, and that
//! no document whatever makes the reader panic.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;

use provost_engine::situation::{Reactions, Situation};
use provost_engine::spec::{ApplySpec, JobSpec, NullSpec, Reaction, RuleSpec};
use provost_entra::{Imported, Known, Names, NoteKind, decode, export, import, job_yaml};
use provost_model::JobName;

const SCIM: &str = include_str!("schemas/scim.json");
const FILTERS: &str = include_str!("schemas/filters.json");
const WORKDAY: &str = include_str!("schemas/workday.json");
const ROLES: &str = include_str!("schemas/roles.json");

fn names(job: &str) -> Names {
    Names { job: job.into(), source: None, target: None }
}

#[track_caller]
fn read(text: &str) -> Imported {
    import(text, &names("job")).unwrap_or_else(|faults| panic!("{faults:#?}"))
}

fn refused(text: &str) -> Vec<String> {
    import(text, &names("job")).unwrap_err().iter().map(ToString::to_string).collect()
}

/// One object mapping around these attribute mappings.
fn schema(mappings: &str, scope: &str) -> String {
    format!(
        r#"{{"synchronizationRules": [{{"sourceDirectoryName": "a", "targetDirectoryName": "b", "objectMappings": [
        {{"sourceObjectName": "User", "targetObjectName": "User", "scope": {scope}, "attributeMappings": [{mappings}]}}]}}]}}"#
    )
}

#[test]
fn the_default_scim_application_becomes_a_job() {
    let imported = read(SCIM);
    let (name, job) = &imported.jobs[0];
    assert_eq!(
        (name.as_str(), job.source.as_str(), job.target.as_str()),
        ("job", "azure-active-directory", "customappsso")
    );
    let users = &job.objects[0];
    let value = |target: &str| users.attributes[target].value.as_str();
    assert_eq!(value("active"), "[accountEnabled]");
    assert_eq!(value("userType"), "\"Employee\"");
    assert_eq!(value("preferredLanguage"), r#"Replace([preferredLanguage], "-", , , "_", , )"#);
    assert_eq!(value("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value"), "[manager]");
    assert_eq!(users.attributes["preferredLanguage"].apply, ApplySpec::Create);
    assert_eq!(users.attributes["preferredLanguage"].default, Some("en-US".into()));
    let matched: Vec<&str> = users.matching.iter().map(|entry| entry.target.as_str()).collect();
    assert_eq!(matched, ["userName", "externalId"]);
    let table = Reactions::with(&users.situations).unwrap();
    assert_eq!((&table[Situation::OutOfScope], &table[Situation::Deleted]), (&Reaction::Disable, &Reaction::Delete));
    assert_eq!(job.objects.len(), 2, "the disabled mapping makes no rule");
    let lost: Vec<&str> =
        imported.notes.iter().filter(|note| note.kind == NoteKind::Lost).map(|note| note.path.as_str()).collect();
    assert_eq!(lost, ["synchronizationRules[0].objectMappings[2]"]);
}

#[test]
fn what_is_not_carried_over_is_listed() {
    let imported = read(FILTERS);
    let lost: Vec<String> =
        imported.notes.iter().filter(|note| note.kind == NoteKind::Lost).map(ToString::to_string).collect();
    for part in [
        "`roles`: flows with",
        "exportMissingReferences",
        "shinyNewProperty",
        "Shine([x])",
        "say something else: ToLower([b])",
    ] {
        assert!(lost.iter().any(|note| note.contains(part)), "{part} is not in {lost:#?}");
    }
    assert!(lost.iter().all(|note| note.contains("(line ")), "{lost:#?}");
}

#[test]
fn rules_of_both_directions_become_two_jobs_and_scopes_filters() {
    let imported = read(FILTERS);
    let jobs: Vec<(&str, &str)> =
        imported.jobs.iter().map(|(name, job)| (name.as_str(), job.source.as_str())).collect();
    assert_eq!(jobs, [("job", "Workday"), ("job-active-directory-to-Workday", "active-directory")]);
    let rule = &imported.jobs[0].1.objects[0];
    assert_eq!(
        rule.scope.as_deref().unwrap(),
        r#"City EQUALS "Berlin" and EmployeeID REGEX MATCH "(1[0-9]{3})" and Level Greater_Than_OR_EQUALS 5 or Worker.Name IS NOT NULL and Company NOT EQUALS "a \"b\" \\ c""#
    );
    assert_eq!(rule.attributes["accountDisabled"].value, "\"False\"");
    assert!(!rule.flows.delete && rule.flows.create);
}

#[test]
fn input_filters_become_scope_and_keep_the_accounts_of_who_drops_out() {
    let imported = read(WORKDAY);
    let rule = &imported.jobs[0].1.objects[0];
    let staff = r#"WorkerType NOT EQUALS "Contingent" and Active IS TRUE"#;
    let wanted = format!(r#"Country EQUALS "DEU" and {staff} or Country EQUALS "AUT" and {staff}"#);
    assert_eq!(rule.scope.as_deref(), Some(wanted.as_str()));
    assert_eq!(rule.situations[&Situation::OutOfScope], Reaction::Report);
    let noted: Vec<(NoteKind, &str)> =
        imported.notes.iter().map(|note| (note.kind, note.path.rsplit('.').next().unwrap_or_default())).collect();
    assert!(noted.contains(&(NoteKind::Lost, "inputFilterGroups")), "{noted:?}");
    assert!(noted.contains(&(NoteKind::Lost, "attributeMappings[5]")), "AttributeAddOnly: {noted:?}");
}

#[test]
fn nulls_flow_where_both_sides_let_them() {
    let imported = read(WORKDAY);
    let attributes = &imported.jobs[0].1.objects[0].attributes;
    let clears = |target: &str| attributes[target].when_null == NullSpec::Clear;
    assert_eq!((clears("mobile"), clears("title"), clears("employeeID")), (true, false, false));
    assert_eq!(attributes["userPrincipalName"].apply, ApplySpec::Create);
}

#[test]
fn roles_and_empty_slots_are_taken_as_they_stand() {
    let imported = read(ROLES);
    let rule = &imported.jobs[0].1.objects[0];
    let value = |target: &str| rule.attributes[target].value.as_str();
    assert_eq!(value("roles"), "AppRoleAssignmentsComplex([appRoleAssignments])");
    assert_eq!(value("nickName"), r#"Replace([userPrincipalName], , "(?<Suffix>@(.)*)", "Suffix", "", , )"#);
    let matched: Vec<&str> = rule.matching.iter().map(|entry| entry.target.as_str()).collect();
    assert_eq!(matched, ["userName", "externalId"], "by their priority");
    assert!(rule.scope.is_none() && !rule.flows.delete);
}

fn round_trip(name: &JobName, job: &JobSpec) -> JobSpec {
    let exported = export(name, job, &Known::default());
    let text = serde_json::to_string_pretty(&exported.schema).unwrap();
    assert_eq!(text, serde_json::to_string_pretty(&export(name, job, &Known::default()).schema).unwrap());
    read(&text).jobs.remove(0).1
}

#[test]
fn import_export_import_gives_the_same_job() {
    for text in [SCIM, FILTERS, WORKDAY, ROLES] {
        for (name, job) in read(text).jobs {
            // The attributes that Entra cannot switch accounts by are told with the job's target; here there is none.
            let mut once = round_trip(&name, &job);
            if job.objects[0].attributes.contains_key("accountDisabled") {
                assert!(once.objects[0].attributes.remove("active").is_some());
            }
            assert_eq!(once, job, "{name}");
        }
    }
}

#[derive(serde::Deserialize)]
struct Example {
    jobs: BTreeMap<JobName, JobSpec>,
}

#[test]
fn the_jobs_of_the_quickstart_come_back_as_far_as_entra_can_say_them() {
    let text = include_str!("../../../examples/hr-to-scim/provost.yaml");
    let example: Example = serde_saphyr::from_str(text).unwrap();
    assert_eq!(example.jobs.len(), 3);
    for (name, job) in &example.jobs {
        let back = round_trip(name, job);
        assert_eq!((&back.source, &back.target, back.objects.len()), (&job.source, &job.target, job.objects.len()));
        for (mut rule, want) in back.objects.into_iter().zip(&job.objects) {
            // Offline, an account is switched off by `active`; the list of accounts has `status` for it.
            if !want.attributes.contains_key("active") && rule.from.as_str() == "User" {
                assert!(rule.attributes.remove("active").is_some(), "{name}");
            }
            assert_eq!((&rule.from, &rule.to, &rule.attributes), (&want.from, &want.to, &want.attributes), "{name}");
            assert_eq!(
                (&rule.matching, &table(&rule)[Situation::OutOfScope]),
                (&want.matching, &table(want)[Situation::OutOfScope]),
                "{name}"
            );
        }
    }
    assert_eq!(
        round_trip(&"hr-to-directory".into(), &example.jobs["hr-to-directory"]).objects[0].scope.as_deref(),
        Some(r#"status NOT EQUALS "prospect" or status IS NULL"#)
    );
}

#[test]
fn the_yaml_reads_back() {
    for text in [SCIM, FILTERS] {
        for (name, job) in read(text).jobs {
            let yaml = job_yaml(&job).unwrap();
            let back: JobSpec = serde_saphyr::from_str(&yaml).unwrap_or_else(|error| panic!("{name}: {error}\n{yaml}"));
            assert_eq!(back, job, "{yaml}");
        }
    }
}

#[test]
fn filters_become_groups_of_clauses_or_switch_the_mapping_off() {
    let imported = read(&schema(
        r#"{"targetAttributeName": "userName", "matchingPriority": 1, "source": {"type": "Attribute", "name": "a"}}"#,
        "null",
    ));
    let (name, mut job) = imported.jobs[0].clone();
    for (scope, back) in [
        (r#"a ne "1""#, r#"a NOT EQUALS "1" or a IS NULL"#),
        ("a pr and not (b pr)", "a IS NOT NULL and b IS NULL"),
        (r#"a in ("1", "2")"#, r#"a EQUALS "1" or a EQUALS "2""#),
        ("active eq true and n gt 5", "active IS TRUE and n Greater_Than 5"),
        (r#"(a pr or b pr) and c EQUALS "x""#, r#"a IS NOT NULL and c EQUALS "x" or b IS NOT NULL and c EQUALS "x""#),
        (
            r#"not (a EQUALS "x" or b REGEX MATCH "y")"#,
            r#"a NOT EQUALS "x" and b NOT REGEX MATCH "y" or a NOT EQUALS "x" and b IS NULL or a IS NULL and b NOT REGEX MATCH "y" or a IS NULL and b IS NULL"#,
        ),
    ] {
        job.objects[0].scope = Some(scope.to_owned());
        assert_eq!(round_trip(&name, &job).objects[0].scope.as_deref(), Some(back), "{scope}");
    }
    let wide = (0..8).map(|at| format!("(a{at} pr or b{at} pr)")).collect::<Vec<_>>().join(" and ");
    for scope in [r#"n lt 5"#, r#"emails[type eq "work"]"#, &wide] {
        job.objects[0].scope = Some(scope.to_owned());
        let exported = export(&name, &job, &Known::default());
        assert_eq!(exported.schema["synchronizationRules"][0]["objectMappings"][0]["enabled"], false, "{scope}");
        assert!(exported.notes.iter().any(|note| note.path.ends_with(".scope")), "{scope}: {:?}", exported.notes);
    }
}

#[test]
fn what_entra_cannot_say_is_noted() {
    let imported = read(&schema(
        r#"{"targetAttributeName": "userName", "matchingPriority": 1, "source": {"type": "Attribute", "name": "a"}}"#,
        "null",
    ));
    let (name, mut job) = imported.jobs[0].clone();
    let mapping = job.objects[0].attributes["userName"].clone();
    for (target, value) in [("x", "IIF(And(IsPresent([a]), IsPresent([b])), \"1\", \"2\")"), ("y", "[a] & [b]")] {
        let mut other = mapping.clone();
        other.value = value.to_owned();
        job.objects[0].attributes.insert(target.to_owned(), other);
    }
    let exported = export(&name, &job, &Known::default());
    let notes: Vec<String> = exported.notes.iter().map(ToString::to_string).collect();
    assert!(
        notes.iter().any(|note| note.contains("attributes.\"x\"") && note.contains("no function `And`")),
        "{notes:#?}"
    );
    let back = round_trip(&name, &job);
    assert_eq!(back.objects[0].attributes["y"].value, r#"Join("", [a], [b])"#);
    assert!(!back.objects[0].attributes.contains_key("x"));
}

#[test]
fn mistakes_are_told_together_with_their_path() {
    let text = schema(
        r#"{"targetAttributeName": 5, "flowType": "Allways", "source": {"type": "Atribute", "name": "a"}},
           {"targetAttributeName": "x", "targetAttributeName": "y", "matchingPriority": "1"}"#,
        r#"{"groups": [{"clauses": [{"sourceOperandName": "a", "operatorName": "SOUNDS LIKE"}]}]}"#,
    );
    let faults = refused(&text);
    let at = "synchronizationRules[0].objectMappings[0]";
    for want in [
        format!("`{at}.attributeMappings[0].targetAttributeName`: expected a text, found a number"),
        format!("`{at}.attributeMappings[0].flowType`: unknown word `Allways`"),
        format!("`{at}.attributeMappings[0].source.type`: unknown word `Atribute`"),
        format!(
            "`{at}.attributeMappings[1].targetAttributeName`: the key `targetAttributeName` stands here a second time"
        ),
        format!("`{at}.attributeMappings[1].matchingPriority`: expected a whole number, found a text"),
        format!("`{at}.scope.groups[0].clauses[0].operatorName`: unknown word `SOUNDS LIKE`"),
    ] {
        assert!(faults.contains(&want), "{want} is not in {faults:#?}");
    }
    assert_eq!(refused("[1"), ["`,` or `]` is expected here"]);
    assert!(refused(&"[".repeat(100_000))[0].contains("nested deeper"));
    assert!(refused("{}")[0].contains("no `synchronizationRules`"));
}

#[test]
fn byte_order_marks_and_utf_16_are_read() {
    let utf16: Vec<u8> = [0xff, 0xfe].into_iter().chain(SCIM.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    let marked = format!("\u{feff}{SCIM}");
    for bytes in [utf16.as_slice(), marked.as_bytes()] {
        assert_eq!(read(&decode(bytes).unwrap()), read(SCIM));
    }
    assert!(decode(&[0x7b, 0xe9, 0x7d]).is_err());
    assert!(decode(&[0xff, 0xfe, 0x7b, 0x00, 0x7d]).is_err());
}

/// Splitmix64: the same seed gives the same documents.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % limit as u64).unwrap()
    }
}

#[test]
fn mutated_documents_never_panic_and_what_is_read_can_be_exported() {
    let seed = std::env::var("PROVOST_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(20_261_123);
    println!("PROVOST_SEED={seed}");
    let mut random = Random(seed);
    const PIECES: [&str; 12] =
        ["null", "\"\"", "[]", "{}", "7", "true", "\"IsSoftDeleted\"", "\"&\"", "\"expression\":", ",", "\u{e9}", "\\"];
    let mut read = 0;
    for round in 0..600 {
        let mut text = [SCIM, FILTERS][round % 2].to_owned();
        for _ in 0..=random.below(3) {
            let starts: Vec<usize> = text.match_indices(['"', ':', ',', '{']).map(|(at, _)| at).collect();
            let from = starts[random.below(starts.len())];
            let to = (from + random.below(12)).min(text.len());
            let to = (to..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap();
            text.replace_range(from..to, if random.below(2) == 0 { "" } else { PIECES[random.below(PIECES.len())] });
        }
        match import(&text, &names("job")) {
            Ok(imported) => {
                read += 1;
                for (name, job) in &imported.jobs {
                    let exported = export(name, job, &Known::default());
                    let printed = exported.schema.to_string();
                    import(&printed, &names("job"))
                        .unwrap_or_else(|faults| panic!("seed {seed}, round {round}: {faults:?}\n{printed}"));
                }
            }
            Err(faults) => assert!(!faults.is_empty() && faults.iter().all(|fault| fault.offset <= text.len())),
        }
    }
    assert!(read > 0, "seed {seed}: no document was read at all");
}

fn table(rule: &RuleSpec) -> Reactions {
    Reactions::with(&rule.differing()).unwrap()
}

use super::*;

/// `t`, `f`, or the code of the error.
fn judge(filter: &str, record: &str) -> String {
    let attributes: Attributes = serde_json::from_str(record).unwrap();
    match ScopeFilter::compile(&filter.parse().unwrap()) {
        Ok(filter) => (if filter.matches(&attributes) { "t" } else { "f" }).to_owned(),
        Err(errors) => errors[0].code.to_string(),
    }
}

#[test]
fn scim_operators() {
    let record = r#"{"userName":"Björn","active":true,"flag":"False","level":"12","age":7,"rate":1.5,"empty":"","none":null,
        "hired":"2024-05-01T10:00:00+02:00","name":{"familyName":"Lovelace"},"tags":["Red","green"],
        "emails":[{"type":"work","value":"a@x.org"},{"type":"home","value":"B@home"}],
        "manager":{"value":"7"},"boss":{"ref":{"class":"User","id":"42"}},"phone.work":"1",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"Engines"}}"#;
    for (filter, want) in [
        (r#"userName eq "BJÖRN""#, "t"),
        (r#"USERNAME eq "björn""#, "t"),
        (r#"userName eq "bjorn""#, "f"),
        (r#"userName co "JÖR""#, "t"),
        (r#"userName sw "bjö" and userName ew "RN""#, "t"),
        (r#"name.familyName sw "love""#, "t"),
        (r#"name.familyName ew "LACE" and name.familyName co "vel""#, "t"),
        ("active eq true and active ne false", "t"),
        (r#"active eq "True""#, "t"),
        ("flag eq false", "t"),
        ("flag eq true", "f"),
        ("level ge 5 and level lt 100 and level eq 12.0", "t"),
        (r#"level gt "5""#, "f"),
        (r#"age ge "5" and age eq "7" and age ne "8""#, "t"),
        ("rate gt 1 and rate le 1.5", "t"),
        ("userName gt 5", "f"),
        (r#"userName gt "a" and userName lt "c""#, "t"),
        (r#"hired gt "2024-05-01T07:59:59Z" and hired le "2024-05-01T08:00:00Z""#, "t"),
        (r#"hired eq "2024-05-01T08:00:00.000Z""#, "t"),
        (r#"hired ge "2024-05-01" and hired lt "2024-05-02""#, "t"),
        ("empty pr or none pr or missing pr", "f"),
        ("userName pr and tags pr and manager pr and emails pr", "t"),
        (r#"missing eq "x""#, "f"),
        (r#"missing ne "x" and none ne "x""#, "t"),
        ("missing eq null and none eq null and empty eq null", "t"),
        ("userName ne null", "t"),
        (r#"missing co "" or missing lt 5"#, "f"),
        (r#"tags eq "RED" and tags co "ree""#, "t"),
        (r#"tags ne "red""#, "f"),
        (r#"emails eq "b@HOME""#, "t"),
        (r#"emails.value ew "x.org" and emails.type eq "home""#, "t"),
        (r#"emails[type eq "work" and value ew "home"]"#, "f"),
        (r#"emails[type eq "WORK" and value ew ".org"]"#, "t"),
        (r#"emails[type eq "home"].value eq "b@home""#, "t"),
        (r#"emails[not (type eq "work")]"#, "t"),
        (r#"tags[value eq "red"]"#, "t"),
        (r#"manager eq "7" and manager.value eq "7""#, "t"),
        (r#"boss eq "42" and boss.value eq "42""#, "t"),
        (r#"phone.work eq "1""#, "t"),
        (r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department eq "engines""#, "t"),
        (r#"urn:ietf:params:scim:schemas:core:2.0:User:userName sw "bj""#, "t"),
        (r#"userName in ("x", "björn")"#, "t"),
        ("age in (1, 2)", "f"),
        (r#"not (userName eq "x") and (age eq 1 or age eq 7)"#, "t"),
    ] {
        assert_eq!(judge(filter, record), want, "{filter}");
    }
}

#[test]
fn entra_operators() {
    let record =
        r#"{"dept":"Sales","n":"15","flag":"true","off":false,"empty":"","mail":"ada@domain.com","tags":["a","b"]}"#;
    for (filter, want) in [
        (r#"dept EQUALS "Sales" and dept NOT EQUALS "sales""#, "t"),
        (r#"dept EQUALS "sales""#, "f"),
        ("n EQUALS 15", "t"),
        ("flag IS TRUE and off IS FALSE", "t"),
        ("off IS TRUE or empty IS FALSE", "f"),
        ("empty IS NULL and missing IS NULL and dept IS NOT NULL", "t"),
        (r#"missing NOT EQUALS "x" or empty NOT REGEX MATCH "x" or missing !& "x""#, "f"),
        (r#"mail REGEX MATCH ".*\@domain.com""#, "t"),
        (r#"mail REGEX MATCH "domain""#, "f"),
        (r#"mail NOT REGEX MATCH "domain""#, "t"),
        (r#"n REGEX MATCH "([1-9][0-9])""#, "t"),
        (r#"n REGEX MATCH "1|15""#, "t"),
        ("n Greater_Than 14 and n Greater_Than_OR_EQUALS 15", "t"),
        ("n Greater_Than 15", "f"),
        (r#"n Greater_Than "9""#, "t"),
        ("dept Greater_Than 1", "f"),
        (r#"dept Includes "ale" and mail ENDS_WITH ".com""#, "t"),
        (r#"dept Includes "ALE""#, "f"),
        (r#"dept & "Sales,Marketing" and dept !& "Research""#, "t"),
        (r#"tags EQUALS "b" and tags NOT EQUALS "c""#, "t"),
        (r#"n Greater_Than "x""#, "PRV-0210"),
        ("n REGEX MATCH 5", "PRV-0210"),
        (r#"n REGEX MATCH "(?<!x)y""#, "PRV-0207"),
    ] {
        assert_eq!(judge(filter, record), want, "{filter}");
    }
}

#[test]
fn hints_follow_records_of_another_shape() {
    let filter = ScopeFilter::compile(&r#"b eq "x""#.parse().unwrap()).unwrap();
    for (record, want) in [
        (r#"{"a":"","b":"x"}"#, true),
        (r#"{"b":"x","a":""}"#, true),
        (r#"{"a":"x"}"#, false),
        (r#"{}"#, false),
        (r#"{"a":"","c":"","B":"X"}"#, true),
    ] {
        assert_eq!(filter.matches(&serde_json::from_str(record).unwrap()), want, "{record}");
    }
}

#[test]
fn clauses_are_told_one_by_one() {
    let filter = r#"(dept eq "x" or not (emails[type eq "work"])) and name.familyName pr"#;
    let filter = ScopeFilter::compile(&filter.parse().unwrap()).unwrap();
    let record = r#"{"dept":"y","emails":[{"type":"work"}],"name":{"familyName":"L"}}"#;
    let verdicts = filter.clauses(&serde_json::from_str(record).unwrap());
    let told: Vec<_> = verdicts
        .iter()
        .map(|v| format!("{} {} {}", v.clause, v.matched, serde_json::to_string(&v.value).unwrap()))
        .collect();
    assert_eq!(
        told,
        [
            r#"dept eq "x" false "y""#,
            r#"emails[type eq "work"] true [{"type":"work"}]"#,
            r#"name.familyName pr true "L""#,
        ]
    );
}

#[test]
fn exact_case_is_asked_by_path() {
    let exact = |path: &AttributePath| path.to_string() == "emails.value";
    let record: Attributes = serde_json::from_str(r#"{"emails":[{"type":"Work","value":"A"}],"value":"A"}"#).unwrap();
    for (filter, want) in [
        (r#"emails[value eq "a"]"#, false),
        (r#"emails.value eq "a""#, false),
        (r#"emails[type eq "work" and value eq "A"]"#, true),
        (r#"emails[type eq "work"].value eq "a""#, false),
        (r#"value eq "a""#, true),
    ] {
        let compiled = ScopeFilter::compile_with(&filter.parse().unwrap(), &exact).unwrap();
        assert_eq!(compiled.matches(&record), want, "{filter}");
    }
}

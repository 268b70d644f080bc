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

/// What the documentation says of scoping filters, sentence by sentence.
#[test]
fn sentences_of_the_documentation() {
    let record = r#"{"dept":"Sales","n":"15","age":15,"flag":"true","off":false,"empty":"","none":null,"mail":"ada@domain.com"}"#;
    for (sentence, filter, want) in [
        ("clauses of a group: and", r#"dept EQUALS "Sales" and n EQUALS 16"#, "f"),
        ("groups: or", r#"(dept EQUALS "x" and n EQUALS 15) or (mail IS NOT NULL)"#, "t"),
        ("EQUALS is exact", r#"dept EQUALS "Sales""#, "t"),
        ("EQUALS is case-sensitive", r#"dept EQUALS "sales""#, "f"),
        ("EQUALS takes integers", "age EQUALS 15 and n EQUALS 15", "t"),
        ("NOT EQUALS is case-sensitive", r#"dept NOT EQUALS "sales""#, "t"),
        ("NOT EQUALS", r#"dept NOT EQUALS "Sales""#, "f"),
        ("IS TRUE", "flag IS TRUE and not (off IS TRUE)", "t"),
        ("IS FALSE", "off IS FALSE and not (flag IS FALSE)", "t"),
        ("IS NULL, empty counts as null", "empty IS NULL and none IS NULL and missing IS NULL", "t"),
        ("IS NOT NULL", "dept IS NOT NULL and not (empty IS NOT NULL)", "t"),
        ("REGEX MATCH", r#"mail REGEX MATCH ".*\@domain.com""#, "t"),
        ("REGEX MATCH is case-sensitive", r#"mail REGEX MATCH ".*\@DOMAIN.com""#, "f"),
        ("any number between 10 and 99", r#"n REGEX MATCH "([1-9][0-9])" and age REGEX MATCH "([1-9][0-9])""#, "t"),
        ("NOT REGEX MATCH", r#"mail NOT REGEX MATCH ".*\@domain.com" or mail NOT REGEX MATCH ".*""#, "f"),
        ("Greater_Than", "age Greater_Than 14 and not (age Greater_Than 15)", "t"),
        ("Greater_Than_OR_EQUALS", "n Greater_Than_OR_EQUALS 15 and not (n Greater_Than_OR_EQUALS 16)", "t"),
        ("integers on both sides", "dept Greater_Than 1 or mail Greater_Than_OR_EQUALS 0", "f"),
        ("Includes contains", r#"dept Includes "ale""#, "t"),
        ("Includes is case-sensitive", r#"dept Includes "ALE""#, "f"),
        ("ENDS_WITH", r#"mail ENDS_WITH ".com" and not (mail ENDS_WITH ".COM")"#, "t"),
        ("& exists inside the input", r#"dept & "Sales,Marketing""#, "t"),
        ("!& does not", r#"dept !& "Marketing" and not (dept !& "Sales,Marketing")"#, "t"),
        (
            "null makes a clause false",
            r#"none EQUALS "x" or missing Includes "x" or empty & "x" or none IS FALSE"#,
            "f",
        ),
        ("negative clauses too", r#"none NOT EQUALS "x" or missing NOT REGEX MATCH "x" or empty !& "x""#, "f"),
    ] {
        assert_eq!(judge(filter, record), want, "{sentence}: {filter}");
    }
}

#[test]
fn dates_of_the_record_are_read_in_all_forms() {
    let record =
        r#"{"us":"5/1/2020","long":"1 May 2020","time":"5/1/2020 1:30:00 PM","iso":"2020-05-01","text":"open-ended"}"#;
    for (filter, want) in [
        (r#"us gt "2024-01-02" or us gt "2020-05-01""#, "f"),
        (r#"us lt "2024-01-02" and us ge "2020-05-01" and us eq "2020-05-01""#, "t"),
        (r#"long lt "2024-01-02" and long gt "2020-04-30""#, "t"),
        (r#"time gt "2020-05-01T13:00:00Z" and time lt "2020-05-01T15:31:00+02:00""#, "t"),
        (r#"iso gt "4/30/2020" and iso lt "12/1/2020" and iso ne "5/2/2020""#, "t"),
        (r#"text gt "2024-01-02" or text le "2024-01-02""#, "f"),
        (r#"us EQUALS "2020-05-01""#, "f"),
    ] {
        assert_eq!(judge(filter, record), want, "{filter}");
    }
}

#[test]
fn patterns_keep_their_backslashes() {
    let record = r#"{"dept":"Sales North","path":"a\\b"}"#;
    for (filter, want) in [
        (r#"dept REGEX MATCH "\bSales.*""#, "t"),
        (r#"dept REGEX MATCH "\bSales\b\s\w+""#, "t"),
        (r#"dept REGEX MATCH "\\bSales\\b.*""#, "t"),
        (r#"path REGEX MATCH "a\\\\b""#, "t"),
        (r#"path EQUALS "a\\b" and path Includes "\\""#, "t"),
    ] {
        assert_eq!(judge(filter, record), want, "{filter}");
        let canonical = filter.parse::<provost_model::Filter>().unwrap().to_string();
        assert_eq!(judge(&canonical, record), want, "{canonical}");
    }
}

#[test]
fn names_in_brackets_are_paths_and_columns() {
    let nested = r#"{"name":{"familyName":"L"},"emails":[{"type":"work","value":"a"}],
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"D"}}"#;
    let flat = r#"{"name.familyName":"L","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department":"D",
        "First.Name of":"x"}"#;
    for (filter, record) in [
        (r#"[name.familyName] eq "L""#, nested),
        (r#"[urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department] eq "D""#, nested),
        (r#"[emails[type eq "work"].value] eq "a""#, nested),
        (r#"[name.familyName] eq "L""#, flat),
        (r#"[urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department] eq "D""#, flat),
        (r#"[First.Name of] eq "x""#, flat),
    ] {
        assert_eq!(judge(filter, record), "t", "{filter}");
    }
}

/// See docs/decisions/0014-several-values.md.
#[test]
fn several_values_satisfy_with_any_and_contradict_with_all() {
    let record = r#"{"tags":["red","green"],"n":["5","50"],"none":[]}"#;
    for (filter, want) in [
        (r#"tags EQUALS "red" and tags Includes "gre" and tags ENDS_WITH "en" and tags REGEX MATCH "r.d""#, "t"),
        (r#"tags & "red,blue" and n Greater_Than 49"#, "t"),
        (r#"tags NOT EQUALS "red" or tags NOT REGEX MATCH "r.*" or tags !& "red,blue""#, "f"),
        (r#"tags NOT EQUALS "blue" and tags NOT REGEX MATCH "b.*" and tags !& "blue""#, "t"),
        (r#"tags eq "red" and tags co "ree" and n lt 6 and n gt 49"#, "t"),
        (r#"tags ne "red""#, "f"),
        (r#"tags ne "blue" and none ne "blue""#, "t"),
        (r#"none NOT EQUALS "blue" or none IS NOT NULL"#, "f"),
    ] {
        assert_eq!(judge(filter, record), want, "{filter}");
    }
}

#[test]
fn an_operand_that_cannot_be_used_is_underlined() {
    let text = r#"é pr and (n Greater_Than "x" or [b] REGEX MATCH "(")"#;
    let errors = ScopeFilter::compile(&text.parse().unwrap()).unwrap_err();
    let places: Vec<_> = errors.iter().map(|error| &text[error.span.clone()]).collect();
    assert_eq!(places, [r#""x""#, r#""(""#]);
}

/// The deepest filter allowed is compiled, run, told and dropped on half of the smallest stack.
#[test]
fn the_deepest_filter_fits_a_small_stack() {
    let work = || {
        let depth = provost_model::filter::MAX_DEPTH;
        for (open, close) in [("not (", ")"), ("a[", "]")] {
            let text = open.repeat(depth) + "b pr" + &close.repeat(depth);
            let filter = ScopeFilter::compile(&text.parse().unwrap()).unwrap();
            assert!(!filter.matches(&Attributes::new()));
            assert_eq!(filter.clauses(&Attributes::new()).len(), 1);
        }
    };
    std::thread::Builder::new().stack_size(1 << 20).spawn(work).unwrap().join().unwrap();
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

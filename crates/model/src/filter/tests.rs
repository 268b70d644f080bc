use super::*;

fn canonical(text: &str) -> String {
    text.parse::<Filter>().map_or_else(|e| format!("error: {e}"), |filter| filter.to_string())
}

#[test]
fn parses_and_prints_canonically() {
    for (text, want) in [
        (r#"userName EQ "bjensen""#, r#"userName eq "bjensen""#),
        ("a eq 1 or b eq 2 and c pr", "a eq 1 or b eq 2 and c pr"),
        ("(a eq 1 or b eq 2) and c pr", "(a eq 1 or b eq 2) and c pr"),
        ("not(a pr) and (b pr)", "not (a pr) and b pr"),
        (r#"emails[type eq "work" and value co "@x"]"#, r#"emails[type eq "work" and value co "@x"]"#),
        (r#"emails[type eq "work"].value eq "x""#, r#"emails[type eq "work" and value eq "x"]"#),
        (
            "urn:ietf:params:scim:schemas:core:2.0:User:name.familyName pr",
            "urn:ietf:params:scim:schemas:core:2.0:User:name.familyName pr",
        ),
        (r#"[Job Title] REGEX MATCH "^Dr\d""#, r#"[Job Title] REGEX MATCH "^Dr\\d""#),
        ("dept is not null", "dept IS NOT NULL"),
        (r#"country in ("DE","FR")"#, r#"country in ("DE", "FR")"#),
        ("active eq True", "active eq true"),
        ("n ge -1.5", "n ge -1.5"),
        (r#"a Includes "x" or a & "x" or a !& "x""#, r#"a Includes "x" or a & "x" or a !& "x""#),
        (r#"a Includes "x" or a & "x" or a !& "x""#, r#"a Includes "x" or a & "x" or a !& "x""#),
        (r#"a eq "q\"uo\\te""#, r#"a eq "q\"uo\\te""#),
    ] {
        assert_eq!(canonical(text), want, "{text}");
        assert_eq!(canonical(&canonical(text)), want, "printed form of {text}");
    }
}

#[test]
fn errors_say_what_and_where() {
    for (text, want) in [
        ("", "expected an attribute, found the end at column 1"),
        ("userName", "expected an operator at column 9"),
        ("userName eq bjensen", "`bjensen` is no value at column 13"),
        ("userName is \"x\"", "unknown operator `is` at column 10"),
        ("a eq \"x", "text without its closing quote at column 6"),
        ("(a pr", "missing `)` at column 6"),
        ("a pr b pr", "expected `and`, `or` or the end at column 6"),
        ("a pr)", "closing bracket without an opening one at column 5"),
        ("emails[type eq \"w\"]x eq 1", "expected `.` and a sub-attribute after `]` at column 20"),
    ] {
        let error = text.parse::<Filter>().unwrap_err();
        assert_eq!(error.to_string(), want, "{text}");
    }
}

#[test]
fn deep_and_long_input_is_refused_or_read_without_overflow() {
    let deep = "(".repeat(50_000) + "a pr" + &")".repeat(50_000);
    assert!(deep.parse::<Filter>().unwrap_err().message.contains("nested deeper"));
    let long = vec!["a eq 1"; 300].join(" or ");
    assert!(long.parse::<Filter>().is_ok());
    let longer = vec!["a eq 1"; MAX_TERMS + 1].join(" or ");
    assert!(longer.parse::<Filter>().is_err());
}

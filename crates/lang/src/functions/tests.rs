use provost_model::{Attributes, Timestamp};

use super::*;
use crate::{Context, Expression, Outcome};

/// The result as JSON, or the error's code.
fn run(expression: &str, given: &str) -> String {
    let attributes: Attributes = serde_json::from_str(given).unwrap();
    let expression = match Expression::compile(expression) {
        Ok(expression) => expression,
        Err(errors) => return format!("compile {}: {}", errors[0].code, errors[0]),
    };
    let now: Timestamp = "2025-07-30T12:00:00Z".parse().unwrap();
    match expression.eval(&Context::new(&attributes, now).with_default_domain("contoso.com")) {
        Ok(Outcome::Value(value)) => value.to_json().to_string(),
        Ok(Outcome::IgnoreAttribute) => "ignore attribute".to_owned(),
        Ok(Outcome::IgnoreObject) => "ignore object".to_owned(),
        Err(error) => format!("{}: {error}", error.code),
    }
}

#[test]
fn every_example_of_the_table_is_true() {
    for function in functions() {
        for example in function.examples {
            assert_eq!(run(example.expression, example.given), example.result, "{}", example.expression);
        }
    }
}

#[test]
fn the_table_is_sound() {
    let mut names: Vec<String> = functions().map(|function| function.name.to_ascii_lowercase()).collect();
    let total = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), total, "two functions of one name");
    for function in functions() {
        assert!(!function.forms.is_empty(), "{} has no form", function.name);
        assert!(function.about.ends_with('.'), "{}", function.name);
        assert!(function.forms.iter().all(|form| form.repeats <= form.parameters.len()));
        let is_testable = function.nature == Nature::Pure;
        assert!(!is_testable || !function.examples.is_empty(), "{} has no example", function.name);
    }
    for documented in "Append BitAnd CBool CDate Coalesce ConvertFromBase64 ConvertToBase64 ConvertToUTF8Hex Count CStr \
                       DateAdd DateDiff DateFromNum DefaultDomain DNComponent Error FormatDateTime Guid \
                       IgnoreFlowIfNullOrEmpty IIF InStr IsNothing IsNull IsNullOrEmpty IsPresent IsString Item Join Left \
                       Mid NormalizeDiacritics Not Now NumFromDate PCase Prepend RandomString Redact RemoveDuplicates \
                       Replace SelectUniqueValue Split StringFromSid StripSpaces Switch ToLower ToUpper Trim Word"
        .split_whitespace()
    {
        assert_eq!(find(documented).map(|function| function.name), Some(documented));
    }
}

#[test]
fn edges() {
    for (expression, given, want) in [
        // Null and empty.
        (r#"Append([a], ".x")"#, "{}", "null"),
        (r#"[a] & "x""#, "{}", r#""x""#),
        ("[a] & [b]", "{}", "null"),
        (r#"Join("-", [a], [b])"#, "{}", "null"),
        (r#"Join("-", [a], "")"#, "{}", r#""""#),
        ("Mid([a], 1, 2)", "{}", "null"),
        (r#"Word([a], 1, " ")"#, "{}", r#""""#),
        (r#"Switch([a], "d", "", "empty")"#, "{}", r#""empty""#),
        (r#"Switch([a], "d", "x", "y")"#, "{}", r#""d""#),
        (r#"Switch([a], , "x", "y")"#, "{}", "null"),
        (r#"IIF([a] <> "x", "y", "n")"#, "{}", r#""n""#),
        (r#"IIF([a] <> "", "y", "n")"#, r#"{"a":"v"}"#, r#""y""#),
        (r#"IIF(DateDiff("d", Now(), CDate([end])) <= 14, "soon", "later")"#, "{}", r#""later""#),
        (r#"FormatDateTime([a], "d", "s")"#, r#"{"a":""}"#, "null"),
        (r#"Split([a], ",")"#, "{}", "null"),
        (r#"Item([a], 1)"#, "{}", "null"),
        ("Null", "{}", "null"),
        // Flow.
        ("IIF(IsPresent([a]), [a], IgnoreAttributeFlow)", "{}", "ignore attribute"),
        ("IIF(IsPresent([a]), [a], ignoreobjectflow)", "{}", "ignore object"),
        (r#"Join("", "x", IgnoreFlowIfNullOrEmpty([a]))"#, "{}", "ignore attribute"),
        // Several values.
        ("ToUpper([a])", r#"{"a":["x","y"]}"#, r#"["X","Y"]"#),
        (r#"Append([a], "!")"#, r#"{"a":["x","y"]}"#, r#"["x!","y!"]"#),
        ("[a]", r#"{"a":["x"]}"#, r#"["x"]"#),
        (r#"[a] = "x""#, r#"{"a":["x"]}"#, "true"),
        ("Count([emails.value])", r#"{"emails":[{"value":"a"},{"value":"b"}]}"#, "2"),
        (
            r#"Join(";", [emails[type ne "x"].value])"#,
            r#"{"emails":[{"type":"x","value":"a"},{"value":"b"},{"value":"c"}]}"#,
            r#""b;c""#,
        ),
        ("Count([a])", r#"{"a":"x"}"#, "1"),
        // Paths.
        (
            r#"ToLower([emails[type eq "work"].value])"#,
            r#"{"emails":[{"type":"home","value":"H"},{"type":"work","value":"W"}]}"#,
            r#""w""#,
        ),
        ("[name.familyName]", r#"{"name":{"familyName":"Lovelace"}}"#, r#""Lovelace""#),
        ("[name.familyName]", r#"{"name.familyName":"flat"}"#, r#""flat""#),
        ("[Name]", r#"{"name":"x"}"#, "null"),
        ("[First Name]", r#"{"First Name":"x"}"#, r#""x""#),
        (
            "[urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department]",
            r#"{"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"E"}}"#,
            r#""E""#,
        ),
        // Words, case and numbers.
        ("isnullORempty([a])", "{}", "true"),
        (r#"InStr("aXx", "x", 1, "vbTextCompare")"#, "{}", "2"),
        (r#"InStr("Zoë-x", "x")"#, "{}", "5"),
        ("BitAnd(\"15\", &HF7)", "{}", "7"),
        (r#"DefaultDomain()"#, "{}", r#""contoso.com""#),
        (r#"PCase("3rd o'neill")"#, "{}", r#""3Rd O'neill""#),
        (r#"Replace([a], "(", , , "", , )"#, r#"{"a":"(1)"}"#, r#""1)""#),
        (r#"Replace([a], , [p], , "${1}", , )"#, r#"{"a":"x7","p":"[a-z](\\d)"}"#, r#""7""#),
        (r#"Now()"#, "{}", r#""7/30/2025 12:00:00 PM""#),
        (r#"Now() > "2025-07-01""#, "{}", "true"),
        (r#"FormatDateTime(Now(), "yyyy-MM-dd", "yyyyMMdd")"#, "{}", r#""20250730""#),
        // Failures.
        (r#"Error("no mail for " & [id])"#, r#"{"id":"7"}"#, "PRV-0223: no mail for 7"),
        ("Item([a], 3)", r#"{"a":["x"]}"#, "PRV-0222: Item: `index` is outside of the list"),
        ("CDate([a])", r#"{"a":"soon"}"#, "PRV-0221: CDate: `dateString` is no date"),
        ("Mid([a], [n], 1)", r#"{"a":"x","n":"0"}"#, "PRV-0222: Mid: `start` is less than 1"),
        ("Mid([a], [n], 1)", r#"{"a":"x","n":"one"}"#, "PRV-0221: Mid: `start` is no whole number"),
        ("ToLower([a])", r#"{"a":{"b":1}}"#, "PRV-0220: ToLower: `source` takes a text, not a complex value"),
        ("IIF([a], 1, 2)", r#"{"a":"yes"}"#, "PRV-0220: IIF: `condition` is neither true nor false"),
        (r#"DateAdd("d", 1, "9999-12-31")"#, "{}", "PRV-0222: DateAdd: the date is outside of the years 1 to 9999"),
    ] {
        assert_eq!(run(expression, given), want, "{expression} on {given}");
    }
}

#[test]
fn results_stay_bounded() {
    let mut expression = "[a]".to_owned();
    for _ in 0..40 {
        expression = format!(r#"Replace({expression}, "a", , , "aaaaaaaaaaaaaaaaaaaa", , )"#);
    }
    assert_eq!(
        run(&expression, r#"{"a":"a"}"#),
        format!("PRV-0226: the result is longer than {} bytes", crate::MAX_TEXT)
    );
}

#[test]
fn random_strings_keep_their_promise() {
    let nothing = Attributes::new();
    let context = Context::new(&nothing, Timestamp::UNIX_EPOCH);
    let text = |source: &str, context: &Context<'_>| match Expression::compile(source).unwrap().eval(context) {
        Ok(Outcome::Value(value)) => value.as_text().unwrap().to_owned(),
        other => panic!("{other:?}"),
    };
    for _ in 0..50 {
        let password = text(r#"RandomString(14, 2, 3, 4, 1, "0OIl")"#, &context);
        let count = |test: fn(&char) -> bool| password.chars().filter(test).count();
        assert_eq!(password.len(), 14);
        assert!(count(char::is_ascii_digit) >= 2 && count(char::is_ascii_punctuation) >= 3);
        assert!(count(char::is_ascii_uppercase) >= 4 && count(char::is_ascii_lowercase) >= 1);
        assert!(!password.contains(['0', 'O', 'I', 'l']));
    }
    assert_ne!(text("Guid()", &context), text("Guid()", &context));
    let replayed = context.with_random(&|bytes| bytes.fill(7));
    assert_eq!(text("Guid()", &replayed), text("Guid()", &replayed));
    assert_eq!(text("RandomString(6,3,0,0,3)", &replayed), text("RandomString(6,3,0,0,3)", &replayed));
    let stuck = context.with_random(&|bytes| bytes.fill(255));
    assert_eq!(text("RandomString(6,3,0,0,3)", &stuck).len(), 6);
}

#[test]
fn compiled_forms_serve_all_threads() {
    fn is_shared<T: Send + Sync>() {}
    is_shared::<Expression>();
    is_shared::<crate::ScopeFilter>();
}

#[test]
fn attributes_are_found_in_records_of_any_shape() {
    let expression = Expression::compile(r#"[a] & "-" & [name.familyName]"#).unwrap();
    for (record, want) in [
        (r#"{"x":1,"a":"A","name":{"familyName":"L"}}"#, "A-L"),
        (r#"{"a":"A","name.familyName":"F"}"#, "A-F"),
        (r#"{"name":{"familyName":"L"},"A":"other case"}"#, "-L"),
        ("{}", "-"),
        (r#"{"y":null,"a":"B"}"#, "B-"),
    ] {
        let record: Attributes = serde_json::from_str(record).unwrap();
        let outcome = expression.eval(&Context::new(&record, Timestamp::UNIX_EPOCH));
        assert_eq!(outcome, Ok(Outcome::Value(want.into())), "{record:?}");
    }
}

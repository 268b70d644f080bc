use provost_model::{Attributes, Timestamp};

use super::*;
use crate::{Context, Environment, Expression, Outcome, Table};

fn run(expression: &str, given: &str) -> String {
    run_example(&example_of(expression, given))
}

/// Fills in what most tests do not care about.
fn example_of<'e>(expression: &'e str, given: &'e str) -> Given<'e> {
    Given { expression, given, now: None, taken: &[], domain: Some("contoso.com"), random: None }
}

struct Given<'e> {
    expression: &'e str,
    given: &'e str,
    now: Option<&'e str>,
    taken: &'e [&'e str],
    domain: Option<&'e str>,
    random: Option<u8>,
}

/// The result as JSON, or the error's code.
fn run_example(example: &Given<'_>) -> String {
    let attributes: Attributes = serde_json::from_str(example.given).unwrap();
    let countries: Table =
        [("CH", "Switzerland"), ("DE", "Germany")].map(|(key, name)| (key.into(), name.into())).into();
    let environment = Environment::new().with_table("countries", countries);
    let expression = match Expression::compile_with(example.expression, &environment) {
        Ok(expression) => expression,
        Err(errors) => return format!("compile {}: {}", errors[0].code, errors[0]),
    };
    let now: Timestamp = example.now.unwrap_or("2025-07-30T12:00:00Z").parse().unwrap();
    let is_taken = |value: &str| example.taken.contains(&value);
    let fill = |bytes: &mut [u8]| bytes.fill(example.random.unwrap_or_default());
    let mut context = Context::new(&attributes, now).with_taken(&is_taken);
    if let Some(domain) = example.domain {
        context = context.with_default_domain(domain);
    }
    if example.random.is_some() {
        context = context.with_random(&fill);
    }
    match expression.eval(&context) {
        Ok(Outcome::Value(value)) => value.to_json().to_string(),
        Ok(Outcome::Clear) => "clear".to_owned(),
        Ok(Outcome::IgnoreAttribute) => "ignore attribute".to_owned(),
        Ok(Outcome::IgnoreObject) => "ignore object".to_owned(),
        Err(error) => format!("{}: {error}", error.code),
    }
}

#[test]
fn every_example_of_the_table_is_true() {
    let mut wrong = Vec::new();
    for example in functions().flat_map(|function| function.examples) {
        let Example { expression, given, result, now, taken, domain, random } = *example;
        let have = run_example(&Given { expression, given, now, taken, domain, random });
        if have != result {
            wrong.push(format!("{expression} on {given}\n  is {have}\n not {result}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
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
        assert!(function.examples.len() >= 3, "{} has {} examples, not 3", function.name, function.examples.len());
        assert!(!function.edges.is_empty(), "{} does not tell its edges", function.name);
        assert!(function.edges.iter().all(|edge| edge.ends_with(['.', '`'])), "{}", function.name);
        let calls = |example: &Example| example.expression.contains(&format!("{}(", function.name));
        assert!(function.examples.iter().all(calls), "an example of {} does not call it", function.name);
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
        // Empty slots at the end, whether a form asks for them or not.
        (r#"Switch([a], "d", "k", )"#, r#"{"a":"k"}"#, "null"),
        (r#"Switch([a], "d", "k", )"#, r#"{"a":"x"}"#, r#""d""#),
        (r#"Switch([a], "d", "x", "1", "k", )"#, r#"{"a":"k"}"#, "null"),
        (r#"Switch([a], "d", "x", "1", , , )"#, r#"{"a":"x"}"#, r#""1""#),
        (r#"Trim([a], , )"#, r#"{"a":" x"}"#, r#""x""#),
        (r#"Trim(,)"#, "{}", "compile PRV-0204: argument 1 (`value`) of `Trim` is left empty at column 1"),
        (r#"IIF([a] <> "x", "y", "n")"#, "{}", r#""n""#),
        (r#"IIF([a] <> "", "y", "n")"#, r#"{"a":"v"}"#, r#""y""#),
        (r#"IIF(DateDiff("d", Now(), CDate([end])) <= 14, "soon", "later")"#, "{}", r#""later""#),
        (r#"FormatDateTime([a], "d", "s")"#, r#"{"a":""}"#, "null"),
        (r#"Split([a], ",")"#, "{}", "null"),
        (r#"Item([a], 1)"#, "{}", "null"),
        ("Null", "{}", "clear"),
        (r#"IIF([a] = "x", Null, [b])"#, r#"{"a":"x"}"#, "clear"),
        (r#"IIF([a] = "x", Null, [b])"#, "{}", "null"),
        (r#"Switch([a], [b], "x", Null)"#, r#"{"a":"x"}"#, "clear"),
        ("IsNull(Null)", "{}", "true"),
        ("Coalesce([a], Null)", "{}", "clear"),
        ("ToLower(Null)", "{}", "null"),
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
        (r#"Replace("abc", , "(.*)", , "p-${1}", , )"#, "{}", r#""p-abcp-""#),
        (r#"Replace("a\\n", , "\\Z", , "x", , )"#, "{}", r#""a\\nx""#),
        (r#"Replace("a-b", , "-", , "[$`|$'|$_|$+]", , )"#, "{}", r#""a[a|b|a-b|-]b""#),
        (r#"RemoveDuplicates([a])"#, r#"{"a":[0.0,-0.0,1,1.0,["x"],["x"],null,null]}"#, r#"[0.0,1,1.0,["x"],null]"#),
        (r#"DNComponent("CN=\"Ada, Dr\"+UID=7 , OU = x", 1)"#, "{}", r#""Ada, Dr""#),
        (r#"DNComponent("CN=Ada\\+Co,OU = x", 1)"#, "{}", r#""Ada+Co""#),
        (r#"DNComponent("CN=a, OU = x ", 2)"#, "{}", r#""x""#),
        (r#"Transliterate("北京 ")"#, "{}", r#""Bei Jing ""#),
        (r#"NormalizeDiacritics("Đặng Ħal")"#, "{}", r#""Dang Hal""#),
        (r#"Replace([a], "(", , , "", , )"#, r#"{"a":"(1)"}"#, r#""1)""#),
        (r#"Replace([a], , [p], , "${1}", , )"#, r#"{"a":"x7","p":"[a-z](\\d)"}"#, r#""7""#),
        (r#"Now()"#, "{}", r#""7/30/2025 12:00:00 PM""#),
        (r#"Now() > "2025-07-01""#, "{}", "true"),
        (r#"FormatDateTime(Now(), , , "yyyy")"#, "{}", r#""2025""#),
        (r#"FormatDateTime(Now(), , "yyyy")"#, "{}", r#""2025""#),
        (r#"FormatDateTime([a], , , "s")"#, r#"{"a":"1/2/2024 3:00 PM"}"#, r#""2024-01-02T15:00:00""#),
        (r#"FormatDateTime([a], , , "s")"#, r#"{"a":"soon"}"#, "PRV-0221: FormatDateTime: `source` is no date"),
        (
            r#"FormatDateTime([a], , "M/d/yyyy", "s")"#,
            r#"{"a":"1/2/24"}"#,
            "PRV-0221: FormatDateTime: `source` does not have the input format",
        ),
        (r#"FormatDateTime([a], "", "yyyy", "yy")"#, r#"{"a":"2024"}"#, r#""24""#),
        (r#"FormatDateTime([a], AssumeUniversal, "yyyy", "yy")"#, r#"{"a":"2024"}"#, r#""24""#),
        (r#"FormatDateTime([a], "allowleadingwhite, RoundtripKind", "yyyy", "yy")"#, r#"{"a":"2024"}"#, r#""24""#),
        (
            r#"FormatDateTime([a], [s], "yyyy", "yy")"#,
            r#"{"a":"2024","s":"Sloppy"}"#,
            "PRV-0221: FormatDateTime: `dateTimeStyles` is no style",
        ),
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
fn distinct_values_are_found_in_linear_work() {
    // Half a minute and more when each value is compared with all before it.
    let list: Vec<String> = (0..60_000).map(|at| format!("{{\"v\":{at}}},{at}")).collect();
    let given = format!("{{\"a\":[{0},{0}]}}", list.join(","));
    assert_eq!(run("Count(RemoveDuplicates([a]))", &given), "120000");
}

#[test]
fn replacements_cannot_fill_memory() {
    let expression = format!(r#"Replace([a], , "x", , "{}", , )"#, "$_".repeat(4_000));
    let given = format!("{{\"a\":\"{}\"}}", "x".repeat(100_000));
    assert!(run(&expression, &given).starts_with("PRV-0226"));
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

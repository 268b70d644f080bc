//! What must hold for every text that the language reads. The random tests ask it of generated texts, the fuzzer (`fuzz/`) of
//! whatever bytes it thinks of; both share this folder.

#![allow(dead_code, reason = "each program that shares this folder uses its part")]
#![allow(clippy::panic, reason = "a property that does not hold ends the test")]

pub mod choices;
pub mod seeds;
pub mod texts;

use provost_lang::{Context, Expression, ScopeFilter};
use provost_model::{Attributes, Filter, Timestamp, Value};

/// An object with a value of every kind.
pub fn record() -> Attributes {
    let json = r#"{"a":"Ada Lovelace","b":"2020-03-16-07:00","list":["x","Y",null,3,["z"],{"value":"q"}],"empty":"",
        "number":-9223372036854775808,"date":"8/25/2021 5:41:18 PM","complex":{"familyName":"é"},"name":{"familyName":"L"},
        "emails":[{"type":"work","value":"a@x"}],"null":null,"flag":true,"rate":1e308}"#;
    serde_json::from_str(json).expect("a constant record")
}

/// Runs everything that takes a text; true when it compiled.
pub fn run(source: &str, context: &Context<'_>) -> bool {
    let parsed = Expression::parse(source);
    for error in &parsed.errors {
        assert!(source.get(error.span.clone()).is_some(), "span {:?} cuts a character", error.span);
    }
    let _ = parsed.tree.to_string();
    match Expression::compile(source) {
        Ok(expression) => {
            let result = expression.eval(context);
            let trace = expression.trace(context);
            assert_eq!(trace.expression, source.get(trace.span.clone()).unwrap_or("cut"));
            if !expression.is_volatile() {
                let again = Expression::compile(&expression.to_string()).expect("the printed form compiles");
                assert_eq!(again.to_string(), expression.to_string());
                let (first, second) = (result.ok(), again.eval(context).ok());
                assert_eq!(format!("{first:?}"), format!("{second:?}"));
            }
            true
        }
        Err(errors) => {
            assert!(!errors.is_empty());
            assert!(errors.iter().all(|error| source.get(error.span.clone()).is_some()));
            false
        }
    }
}

/// Reads a text as an expression, whatever it is, and evaluates it where it compiles.
pub fn expression_holds(source: &str, record: &Attributes) -> bool {
    let is_taken = |name: &str| name.len() < 3;
    let context = Context::new(record, Timestamp::UNIX_EPOCH).with_taken(&is_taken).with_default_domain("x.org");
    run(source, &context)
}

/// Reads a text as a filter; what can be read prints to a text that reads as the same filter, and `not` is its opposite.
/// True when it compiled.
pub fn filter_holds(text: &str, record: &Attributes) -> bool {
    if let Err(errors) = ScopeFilter::parse(text, &|_| false) {
        assert!(errors.iter().all(|error| text.get(error.span.clone()).is_some()), "{text:?}");
    }
    let Ok(filter) = text.parse::<Filter>() else { return false };
    let printed = filter.to_string();
    let again: Filter = printed.parse().unwrap_or_else(|error| panic!("{text:?} prints as {printed:?}: {error}"));
    assert_eq!(again.to_string(), printed, "{text:?}");
    for (_, span) in ScopeFilter::attribute_places(text) {
        assert!(text.get(span).is_some(), "{text:?}");
    }
    let Ok(scope) = ScopeFilter::compile(&filter) else { return false };
    let verdicts = scope.clauses(record);
    assert!(!verdicts.is_empty(), "{text}");
    let again = ScopeFilter::compile(&again).expect("the same filter compiled");
    assert_eq!(scope.matches(record), again.matches(record), "{text:?} and {printed:?}");
    // One more pair of brackets may be too many for the parser, never for the compiler.
    let negated = ScopeFilter::compile(&Filter::Not(Box::new(filter))).expect("its inner filter compiled");
    assert_ne!(scope.matches(record), negated.matches(record), "{text}");
    let _ = scope.matches(&[("a", Value::Null)].into_iter().collect());
    true
}

/// Reads a text as a date, plainly and by a pattern, and writes it by the pattern. What `CDate` gives, `CDate` reads.
pub fn date_holds(text: &str, pattern: &str) -> bool {
    let record: Attributes = [("date", text)].into_iter().collect();
    let context = Context::new(&record, Timestamp::UNIX_EPOCH);
    let plain = Expression::compile("CDate([date])").expect("a constant expression");
    let read = plain.eval(&context);
    if let Ok(provost_lang::Outcome::Value(Value::Text(first))) = &read {
        let record: Attributes = [("date", first.as_str())].into_iter().collect();
        let again = plain.eval(&Context::new(&record, Timestamp::UNIX_EPOCH));
        assert_eq!(again, read, "{text:?}");
    }
    let quoted = pattern.replace('\\', "\\\\").replace('"', "\\\"");
    for call in [
        format!("FormatDateTime([date], \"{quoted}\", \"yyyy-MM-ddTHH:mm:ssZ\")"),
        format!("FormatDateTime([date], , \"{quoted}\", \"{quoted}\")"),
        format!("FormatDateTime(Now(), \"M/d/yyyy h:mm:ss tt\", \"{quoted}\")"),
    ] {
        if let Ok(expression) = Expression::compile(&call) {
            let _ = expression.eval(&context);
        }
    }
    read.is_ok()
}

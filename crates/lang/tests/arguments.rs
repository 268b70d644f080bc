//! No function panics whatever its arguments are: nulls, empties, lists, complex values, dates, numbers at their limits.
//! All combinations of a small set of values for up to three slots, random ones beyond. The same context gives the same
//! result, and a trace ends in the result of the evaluation.

mod properties;

use properties::choices::Choices;
use properties::seeds::{rounds, with_seed};
use provost_lang::{Context, Expression, Form, Function, Outcome, Traced, functions};
use provost_model::{Attributes, Timestamp, Value};

/// Each kind of value that a source may have, and each kind of text that a function asks for.
const VALUES: [&str; 16] = [
    "null",
    r#""""#,
    r#"" é🦀 ""#,
    r#""1""#,
    r#""d""#,
    r#""2024-01-31T10:00:00+02:00""#,
    r#""(?<n>x*)""#,
    "0",
    "-9223372036854775808",
    "9223372036854775807",
    "1e308",
    "true",
    "[]",
    r#"["x",null,3,["y"],{"value":"z"}]"#,
    r#"{"value":"é"}"#,
    r#"{"ref":{"class":"User","id":"7"}}"#,
];

/// Beside them, for random combinations.
const MORE: [&str; 12] = [
    r#""AQUAAAAAAAUVAAAA""#,
    r#""yyyy-MM-dd""#,
    r#""n""#,
    r#""$1${n}$_""#,
    r#""9999-12-31""#,
    r#""CN=a\\,b+c=d,\\""#,
    r#""vbTextCompare""#,
    r#"["x"]"#,
    "{}",
    "-1",
    "256",
    r#""ǆ\u0301ß İ""#,
];

fn value(json: &str) -> Value {
    Value::from_json(&serde_json::from_str(json).expect("a constant value"))
}

/// The call with an attribute in each slot; `None` leaves the slot empty.
fn call(function: &Function, slots: &[bool]) -> Option<Expression> {
    let slots: Vec<String> = slots
        .iter()
        .enumerate()
        .map(|(at, is_given)| if *is_given { format!("[p{at}]") } else { String::new() })
        .collect();
    Expression::compile(&format!("{}({})", function.name, slots.join(", "))).ok()
}

/// How many slots to try: the form's, and repetitions.
fn counts(form: &Form) -> Vec<usize> {
    let fixed = form.parameters.len();
    if form.repeats == 0 { vec![fixed] } else { vec![fixed, fixed + form.repeats] }
}

fn evaluate(expression: &Expression, values: &[Value]) {
    let record: Attributes = values
        .iter()
        .enumerate()
        // A null in an even slot is an absent attribute.
        .filter(|(at, value)| !(value.is_null() && at % 2 == 0))
        .map(|(at, value)| (format!("p{at}"), value.clone()))
        .collect();
    let is_taken = |text: &str| text.len() % 2 == 1;
    let fill = |bytes: &mut [u8]| bytes.fill(42);
    let now = Timestamp::UNIX_EPOCH;
    let context =
        Context::new(&record, now).with_taken(&is_taken).with_default_domain("example.org").with_random(&fill);
    let run = || {
        let first = expression.eval(&context);
        let second = expression.eval(&context);
        assert_eq!(format!("{first:?}"), format!("{second:?}"), "the same context gives the same result");
        let traced = expression.trace(&context).result;
        match (&first, &traced) {
            (_, Traced::Redacted) => {}
            (Ok(Outcome::Value(value)), Traced::Value(traced)) => assert_eq!(value.to_json(), traced.to_json()),
            (Ok(Outcome::IgnoreAttribute), Traced::IgnoreAttribute) => {}
            (Ok(Outcome::IgnoreObject), Traced::IgnoreObject) => {}
            (Err(error), Traced::Error(traced)) => assert_eq!(error.code, traced.code),
            (outcome, traced) => {
                assert_eq!(format!("{outcome:?}"), format!("{traced:?}"), "one is not traced as the other")
            }
        }
    };
    let ran = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run));
    assert!(ran.is_ok(), "{expression} failed on {}", serde_json::to_string(&record).unwrap_or_default());
}

#[test]
fn all_combinations_in_up_to_three_slots() {
    let values = VALUES.map(value);
    let mut evaluated = 0;
    for function in functions() {
        for count in function.forms.iter().flat_map(counts).filter(|count| *count <= 3) {
            for given in 0..1usize << count {
                let slots: Vec<bool> = (0..count).map(|at| given >> at & 1 == 1).collect();
                let Some(expression) = call(function, &slots) else { continue };
                let width = slots.iter().filter(|is_given| **is_given).count() as u32;
                for combination in 0..VALUES.len().pow(width) {
                    let mut rest = combination;
                    let chosen: Vec<Value> = slots
                        .iter()
                        .map(|is_given| {
                            if !is_given {
                                return Value::Null;
                            }
                            let at = rest % VALUES.len();
                            rest /= VALUES.len();
                            values[at].clone()
                        })
                        .collect();
                    evaluate(&expression, &chosen);
                    evaluated += 1;
                }
            }
        }
    }
    assert!(evaluated > 30_000, "only {evaluated} evaluated");
}

#[test]
fn arbitrary_combinations_soak() {
    let values: Vec<Value> = VALUES.iter().chain(&MORE).copied().map(value).collect();
    let all: Vec<&Function> = functions().collect();
    let mut evaluated = 0;
    with_seed("arguments", rounds(), |random: &mut Choices<'_>| {
        let function = all[random.below(all.len())];
        let form = &function.forms[random.below(function.forms.len())];
        let count = form.parameters.len() + form.repeats * random.below(3);
        let slots: Vec<bool> = (0..count).map(|_| random.below(5) > 0).collect();
        let Some(expression) = call(function, &slots) else { return };
        for _ in 0..8 {
            let chosen: Vec<Value> = slots.iter().map(|_| values[random.below(values.len())].clone()).collect();
            evaluate(&expression, &chosen);
            evaluated += 1;
        }
    });
    assert!(evaluated > rounds(), "only {evaluated} evaluated");
}

//! Arbitrary texts never make the parser, the checker, the evaluator or the filters panic, and what compiles prints to a
//! text that compiles to the same. The seed of a failure is in its message; `PROVOST_SEED` repeats it.

mod chance;

use chance::{Random, rounds, with_seed};
use provost_lang::{Context, Expression, Parameter, ScopeFilter, functions};
use provost_model::{Attributes, Filter, Timestamp, Value};

const PIECES: &[&str] = &[
    "[",
    "]",
    "[a]",
    "[b]",
    "[list]",
    "[name.familyName]",
    "[emails[type eq \"work\"].value]",
    "\"",
    "\\",
    "\"x\"",
    "\"\"",
    "\"2024-01-31\"",
    "\"é\\\"\"",
    "(",
    ")",
    ",",
    ", ,",
    "&",
    "&H",
    "&HF",
    "=",
    "<>",
    "<",
    ">=",
    "-",
    "-1",
    "0",
    "1",
    "2.5",
    "99999999999999999999",
    " ",
    "\n",
    "é",
    "İ",
    "'",
    "“",
    "True",
    "Null",
    "IgnoreAttributeFlow",
    "word",
    "and",
    "\u{0}",
    "🦀",
    "\u{301}",
];

const ATOMS: &[&str] = &[
    "[a]",
    "[b]",
    "[list]",
    "[missing]",
    "[empty]",
    "[number]",
    "[date]",
    "[complex]",
    "\"\"",
    "\"x\"",
    "\"ß, É-o'X 🦀\"",
    "\"2024-01-31\"",
    "\"12\"",
    "-1",
    "0",
    "3",
    "9223372036854775807",
    "-9223372036854775808",
    "1.5",
    "True",
    "Null",
    "\"d\"",
    "\"yyyy\"",
    "\"yyyy-MM-ddTHH:mm:ss.fffK\"",
    "\"(?<x>[a-z])|(.)\"",
    "\"${x}$2$$\"",
    "\"x*\"",
    "\"[^]&&[]\"",
    "vbTextCompare",
    "UTF8",
    "IgnoreAttributeFlow",
    "\"SGVsbG8=\"",
    "",
];

/// An expression of known functions, mostly with as many arguments as they take.
fn expression(random: &mut Random, depth: usize) -> String {
    if depth == 0 || random.below(4) == 0 {
        return random.pick(ATOMS).to_owned();
    }
    match random.below(8) {
        0 => format!("{} & {}", expression(random, depth - 1), expression(random, depth - 1)),
        1 => {
            let operator = random.pick(&["=", "<>", "<", "<=", ">", ">="]);
            format!("({} {operator} {})", expression(random, depth - 1), expression(random, depth - 1))
        }
        _ => {
            let all: Vec<_> = functions().collect();
            let function = all[random.below(all.len())];
            let form = function.forms[random.below(function.forms.len())];
            let count = form.parameters.len() + form.repeats * random.below(3);
            let argument = |random: &mut Random, parameter: Option<&Parameter>| match parameter.map(|p| p.kind) {
                Some(provost_lang::Kind::Word(words)) => random.pick(words).to_owned(),
                _ => expression(random, depth - 1),
            };
            let arguments: Vec<String> = (0..count).map(|at| argument(random, form.parameter(at))).collect();
            let quoted = arguments.iter().map(|a| {
                if a.chars().all(char::is_alphabetic) && !a.is_empty() { format!("\"{a}\"") } else { a.clone() }
            });
            format!("{}({})", function.name, quoted.collect::<Vec<_>>().join(", "))
        }
    }
}

fn record() -> Attributes {
    let json = r#"{"a":"Ada Lovelace","b":"2020-03-16-07:00","list":["x","Y",null,3,["z"],{"value":"q"}],"empty":"",
        "number":-9223372036854775808,"date":"8/25/2021 5:41:18 PM","complex":{"familyName":"é"},"name":{"familyName":"L"},
        "emails":[{"type":"work","value":"a@x"}],"null":null,"flag":true,"rate":1e308}"#;
    serde_json::from_str(json).expect("a constant record")
}

/// Runs everything that takes a text; true when it compiled.
fn run(source: &str, context: &Context<'_>) -> bool {
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

#[test]
fn arbitrary_texts_soak() {
    let record = record();
    let context = Context::new(&record, Timestamp::UNIX_EPOCH);
    with_seed("texts", rounds(), |random| {
        let source: String = (0..random.below(25)).map(|_| random.pick(PIECES)).collect();
        if std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(&source, &context))).is_err() {
            panic!("failed on {source:?}");
        }
    });
}

#[test]
fn arbitrary_calls_soak() {
    let record = record();
    let is_taken = |name: &str| name.len() < 3;
    let context = Context::new(&record, Timestamp::UNIX_EPOCH).with_taken(&is_taken).with_default_domain("x.org");
    let mut compiled = 0;
    with_seed("calls", rounds(), |random| {
        let source = expression(random, 4);
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(&source, &context)));
        compiled += usize::from(outcome.unwrap_or_else(|_| panic!("failed on {source:?}")));
    });
    println!("{compiled} compiled");
    assert!(compiled > rounds() / 20, "only {compiled} compiled");
}

#[test]
fn arbitrary_filters_soak() {
    const WORDS: &[&str] = &[
        "a",
        "list",
        "emails",
        "emails[",
        "]",
        "name.familyName",
        "flag",
        "number",
        "missing",
        "eq",
        "ne",
        "co",
        "sw",
        "ew",
        "gt",
        "le",
        "pr",
        "in",
        "and",
        "or",
        "not",
        "(",
        ")",
        "\"x\"",
        "\"É\"",
        "5",
        "-1.5",
        "true",
        "null",
        ",",
        "REGEX MATCH",
        "IS NULL",
        "Greater_Than",
        "&",
        "!&",
        "\"2024-01-31\"",
        "EQUALS",
        "Includes",
    ];
    let record = record();
    let mut compiled = 0;
    with_seed("filters", rounds() * 4, |random| {
        let mut text = String::new();
        if random.below(2) == 0 {
            for _ in 0..=random.below(2) {
                let (attribute, operator) = (random.pick(&WORDS[..10]), random.pick(WORDS));
                text.push_str(&format!("{attribute} {operator} {} and ", random.pick(WORDS)));
            }
            text.push_str("a pr");
        } else {
            text = (0..random.below(12)).map(|_| format!("{} ", random.pick(WORDS))).collect();
        }
        let Ok(filter) = text.parse::<Filter>() else { return };
        let Ok(scope) = ScopeFilter::compile(&filter) else { return };
        compiled += 1;
        let verdicts = scope.clauses(&record);
        assert!(!verdicts.is_empty(), "{text}");
        let negated = ScopeFilter::compile(&Filter::Not(Box::new(filter))).expect("its inner filter compiled");
        assert_ne!(scope.matches(&record), negated.matches(&record), "{text}");
        let _ = scope.matches(&[("a", Value::Null)].into_iter().collect());
    });
    assert!(compiled > 100, "only {compiled} compiled");
}

//! What the interpreter costs: 19 typical mappings and a filter of five clauses, beside the same work written by hand.
//! Run with `cargo run --release -p provost-lang --example mapping_speed`. Medians of interleaved rounds; no assertions,
//! since timings belong to the machine they are taken on. The scenario `language` of `make bench` judges what `--json` prints.
#![expect(clippy::print_stdout, reason = "a benchmark prints its result")]

use std::hint::black_box;
use std::time::Instant;

use provost_lang::{Context, Environment, Expression, Outcome, ScopeFilter, Table};
use provost_model::{Attributes, Text, Timestamp, Value};

const MAPPINGS: [(&str, &str); 19] = [
    ("externalId", "[employee_id]"),
    ("userName", r#"ToLower(Join("@", [login], "example.org"))"#),
    ("displayName", r#"Join(" ", [first_name], [last_name])"#),
    ("givenName", "[first_name]"),
    ("familyName", "[last_name]"),
    ("formatted", r#"Join(", ", [last_name], [first_name])"#),
    ("nickName", "NormalizeDiacritics([first_name])"),
    ("title", "[title]"),
    ("userType", r#"Switch([type], "Employee", "C", "Contractor", "P", "Partner")"#),
    ("active", r#"IIF([status] = "terminated", "False", "True")"#),
    ("workMail", r#"ToLower(NormalizeDiacritics(StripSpaces(Join(".", [first_name], [last_name])))) & "@example.org""#),
    ("phone", r#"Replace([phone], , "[()\\s-]+", , "", , )"#),
    ("mobile", r#"Replace([mobile], " ", , , "", , )"#),
    ("department", "[department]"),
    ("costCenter", r#"Mid([cost_center], 1, 4)"#),
    ("locality", "PCase([city])"),
    ("country", "ToUpper([country])"),
    ("hireDate", r#"FormatDateTime([hired], "yyyy-MM-dd", "M/d/yyyy")"#),
    ("manager", r#"IIF(IsPresent([manager_id]), [manager_id], Null)"#),
];

const FILTER: &str =
    r#"status ne "prospect" and level ge 5 and country in ("CH", "DE") and login pr and department sw "eng""#;

fn rows() -> Vec<Attributes> {
    const FIRST: [&str; 4] = ["Zoë", "Ada", "Jean-Luc", "María José"];
    const LAST: [&str; 4] = ["Müller", "Lovelace", "van der Berg", "Gonsalves"];
    (0..1_000)
        .map(|i: usize| {
            [
                ("employee_id", format!("{}", 10_000 + i)),
                ("login", format!("User{i}")),
                ("first_name", FIRST[i % 4].to_owned()),
                ("last_name", LAST[i / 4 % 4].to_owned()),
                ("title", "Senior Software Engineer".to_owned()),
                ("type", ["E", "C", "P"][i % 3].to_owned()),
                ("status", if i.is_multiple_of(7) { "terminated" } else { "active" }.to_owned()),
                ("phone", format!("+41 (44) 555-{:04}", i)),
                ("mobile", format!("+41 79 555 {:04}", i)),
                ("department", "Engineering".to_owned()),
                ("cost_center", format!("4471-{i}")),
                ("city", "NEW YORK".to_owned()),
                ("country", "ch".to_owned()),
                ("hired", format!("20{:02}-{:02}-{:02}", i % 25, i % 12 + 1, i % 28 + 1)),
                ("manager_id", if i.is_multiple_of(5) { String::new() } else { format!("{}", 10_000 + i / 10) }),
                ("level", format!("{}", i % 20)),
                ("office", "B12".to_owned()),
                ("notes", "none".to_owned()),
            ]
            .into_iter()
            .collect()
        })
        .collect()
}

fn interpreted(row: &Attributes, mappings: &[(&str, Expression)], now: Timestamp) -> Attributes {
    let context = Context::new(row, now);
    let mut out = Attributes::with_capacity(mappings.len());
    for (target, expression) in mappings {
        if let Ok(Outcome::Value(value)) = expression.eval(&context)
            && !value.is_null()
        {
            out.push(*target, value);
        }
    }
    out
}

/// The same values, as somebody would write them for this one source.
fn by_hand(row: &Attributes, separators: &regex::Regex) -> Attributes {
    let text = |name: &str| row.get(name).and_then(Value::as_text).unwrap_or_default();
    let mut out = Attributes::with_capacity(19);
    let (first, last) = (text("first_name"), text("last_name"));
    out.push("externalId", text("employee_id"));
    out.push("userName", format!("{}@example.org", text("login")).to_lowercase());
    out.push("displayName", format!("{first} {last}"));
    out.push("givenName", first);
    out.push("familyName", last);
    out.push("formatted", format!("{last}, {first}"));
    out.push("nickName", plain(first));
    out.push("title", text("title"));
    out.push(
        "userType",
        match text("type") {
            "C" => "Contractor",
            "P" => "Partner",
            _ => "Employee",
        },
    );
    out.push("active", if text("status") == "terminated" { "False" } else { "True" });
    out.push("workMail", format!("{}@example.org", plain(&format!("{first}.{last}").replace(' ', "")).to_lowercase()));
    out.push("phone", separators.replace_all(text("phone"), "").into_owned());
    out.push("mobile", text("mobile").replace(' ', ""));
    out.push("department", text("department"));
    out.push("costCenter", text("cost_center").chars().take(4).collect::<String>());
    out.push("locality", capitals(text("city")));
    out.push("country", text("country").to_uppercase());
    if let Ok(date) = text("hired").parse::<jiff::civil::Date>() {
        out.push("hireDate", format!("{}/{}/{}", date.month(), date.day(), date.year()));
    }
    if !text("manager_id").is_empty() {
        out.push("manager", text("manager_id"));
    }
    out
}

fn plain(text: &str) -> String {
    use unicode_normalization::UnicodeNormalization as _;
    text.nfd().filter(|c| !unicode_normalization::char::is_combining_mark(*c)).collect()
}

fn capitals(text: &str) -> Text {
    let mut starts = true;
    text.chars()
        .map(|c| {
            let c = if starts { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() };
            starts = c == ' ';
            c
        })
        .collect()
}

fn filter_by_hand(row: &Attributes) -> bool {
    let text = |name: &str| row.get(name).and_then(Value::as_text).unwrap_or_default();
    !text("status").eq_ignore_ascii_case("prospect")
        && text("level").parse::<i64>().is_ok_and(|level| level >= 5)
        && ["CH", "DE"].iter().any(|country| text("country").eq_ignore_ascii_case(country))
        && !text("login").is_empty()
        && text("department").as_bytes().get(..3).is_some_and(|start| start.eq_ignore_ascii_case(b"eng"))
}

/// The middle one.
fn median(rounds: &mut [f64]) -> f64 {
    rounds.sort_by(f64::total_cmp);
    rounds[rounds.len() / 2]
}

/// Nanoseconds a row.
fn timed<T>(rows: &[Attributes], mut work: impl FnMut(&Attributes) -> T) -> f64 {
    let start = Instant::now();
    for row in rows {
        black_box(work(black_box(row)));
    }
    start.elapsed().as_nanos() as f64 / rows.len() as f64
}

/// Two ways to the same result, taken by turns: hand, language, language, hand. What disturbs the machine for longer than a
/// moment disturbs both.
#[derive(Default, serde::Serialize)]
struct Sides {
    hand_ns: Vec<f64>,
    language_ns: Vec<f64>,
    ratios: Vec<f64>,
}

impl Sides {
    fn pair<T, U>(
        &mut self,
        rows: &[Attributes],
        hand: impl Fn(&Attributes) -> T,
        language: impl Fn(&Attributes) -> U,
    ) {
        let first = timed(rows, &hand);
        let between = timed(rows, &language) + timed(rows, &language);
        let around = first + timed(rows, &hand);
        self.hand_ns.push(around / 2.0);
        self.language_ns.push(between / 2.0);
        self.ratios.push(between / around);
    }
}

/// What `--json` prints, for the benchmark runner.
#[derive(serde::Serialize)]
struct Report {
    mappings: Sides,
    filter: Sides,
    /// To read and check [`EXPRESSIONS`] documented expressions, a figure each time.
    compile_seconds: Vec<f64>,
}

const EXPRESSIONS: usize = 10_000;

/// The published examples and those of the functions' own documentation.
fn documented() -> Vec<&'static str> {
    let published = include_str!("../tests/documented.tsv").lines().filter(|line| !line.starts_with('#'));
    let own = provost_lang::functions().flat_map(|function| function.examples).map(|example| example.expression);
    published.filter_map(|line| line.split('\t').nth(2)).chain(own).collect()
}

fn compile_all(expressions: &[&str]) -> f64 {
    let countries: Table = [("DE".into(), Value::text("Germany"))].into();
    let environment = Environment::new().with_table("countries", countries);
    let start = Instant::now();
    for source in expressions.iter().cycle().take(EXPRESSIONS) {
        black_box(Expression::compile_with(black_box(source), &environment).expect("a documented expression compiles"));
    }
    start.elapsed().as_secs_f64()
}

fn main() {
    let rows = rows();
    let compile = |source| Expression::compile(source).expect("the mappings of this benchmark compile");
    let mappings = MAPPINGS.map(|(target, source)| (target, compile(source)));
    let separators = regex::Regex::new(r"[()\s-]+").expect("a constant pattern");
    let filter = FILTER.parse().expect("a constant filter");
    let scope = ScopeFilter::compile(&filter).expect("a constant filter");
    let now = Timestamp::UNIX_EPOCH;
    for row in &rows {
        assert_eq!(interpreted(row, &mappings, now), by_hand(row, &separators), "both ways give the same object");
        assert_eq!(scope.matches(row), filter_by_hand(row));
    }

    let mut report = Report { mappings: Sides::default(), filter: Sides::default(), compile_seconds: Vec::new() };
    for _ in 0..101 {
        report.mappings.pair(&rows, |row| by_hand(row, &separators), |row| interpreted(row, &mappings, now));
        report.filter.pair(&rows, filter_by_hand, |row| scope.matches(row));
    }
    let expressions = documented();
    report.compile_seconds = (0..5).map(|_| compile_all(&expressions)).collect();
    if std::env::args().any(|argument| argument == "--json") {
        println!("{}", serde_json::to_string(&report).expect("numbers are JSON"));
        return;
    }
    for (name, mut sides) in [("19 mappings", report.mappings), ("5 clauses", report.filter)] {
        let (hand, language) = (median(&mut sides.hand_ns), median(&mut sides.language_ns));
        let ratio = median(&mut sides.ratios);
        println!("{name}: {hand:.0} ns a row by hand, {language:.0} ns in the language, {ratio:.2} times");
    }
    println!("{EXPRESSIONS} documented expressions compiled in {:.3} s", median(&mut report.compile_seconds));
    let context = Context::new(&rows[1], now);
    for (target, expression) in &mappings {
        let mut rounds: Vec<f64> = (0..51).map(|_| timed(&rows, |_| expression.eval(&context))).collect();
        println!("  {target:12} {:6.0} ns", median(&mut rounds));
    }
}

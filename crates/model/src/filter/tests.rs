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
        ("(a pr b pr)", "expected `and`, `or` or `)` at column 7"),
        ("[a[b eq].c] pr", "expected a value at column 8"),
        ("a eq \"x\" and [b", "text or bracket without its end at column 14"),
        ("a pr b pr", "expected `and`, `or` or the end at column 6"),
        ("a pr)", "closing bracket without an opening one at column 5"),
        ("emails[type eq \"w\"]x eq 1", "expected `.` and a sub-attribute after `]` at column 20"),
    ] {
        let error = text.parse::<Filter>().unwrap_err();
        assert_eq!(error.to_string(), want, "{text}");
    }
}

#[test]
fn all_mistakes_are_told_at_once() {
    for (text, want) in [
        ("a eq x and b is 1 or c", "5 `x` is no value|13 unknown operator `is`|22 expected an operator"),
        ("(a eq x and b pr) and not (c in 3)", "6 `x` is no value|32 `in` needs a list in brackets"),
        ("a pr b pr or c xx", "5 expected `and`, `or` or the end|15 unknown operator `xx`"),
        (
            "(a pr b pr or c xx) and d yy",
            "6 expected `and`, `or` or `)`|16 unknown operator `xx`|26 unknown operator `yy`",
        ),
        ("e[type eq w or x yy] and d zz", "10 `w` is no value|17 unknown operator `yy`|27 unknown operator `zz`"),
        // What follows a text without its end is part of it.
        ("(a xx \"b\" and c eq \"d) or e yy", "3 unknown operator `xx`|19 text without its closing quote"),
        (") or a xx", "0 expected an attribute|7 unknown operator `xx`"),
    ] {
        let errors = Filter::parse(text).unwrap_err();
        let told: Vec<_> = errors.iter().map(|error| format!("{} {}", error.span.start, error.message)).collect();
        assert_eq!(told.join("|"), want, "{text}");
        assert_eq!(text.parse::<Filter>().unwrap_err(), errors[0], "{text}");
    }
    assert_eq!(Filter::parse(&vec!["a xx"; 500].join(" and ")).unwrap_err().len(), 20);
}

#[test]
fn terms_know_where_they_stand() {
    let text = r#"é eq "ü" and ([Job Title] IS NOT NULL or [x[type eq "w"].value] in (1, 2))"#;
    let filter: Filter = text.parse().unwrap();
    let mut told = Vec::new();
    terms(&filter, &mut |term| {
        let Spans { attribute, operator, operand } = term.spans.clone();
        told.push([&text[attribute], &text[operator], &text[operand]].join("~"));
    });
    assert_eq!(
        told,
        [r#"é~eq~"ü""#, "[Job Title]~IS NOT NULL~", r#"type~eq~"w""#, r#"[x[type eq "w"].value]~in~(1, 2)"#,]
    );
    assert_eq!(filter, filter.to_string().parse().unwrap(), "places are no part of what a filter is");
}

fn terms(filter: &Filter, visit: &mut dyn FnMut(&Term)) {
    match filter {
        Filter::And(parts) | Filter::Or(parts) => parts.iter().for_each(|part| terms(part, visit)),
        Filter::Not(inner) | Filter::Each { filter: inner, .. } => terms(inner, visit),
        Filter::Term(term) => visit(term),
    }
}

#[test]
fn names_in_brackets_are_the_paths_they_are_in_expressions() {
    for (text, want) in [
        ("[name.familyName] pr", "name.familyName pr"),
        ("[urn:x:2.0:User:department] pr", "urn:x:2.0:User:department pr"),
        (r#"[emails[type eq "]"].value] pr"#, r#"emails[type eq "]" and value pr]"#),
        ("not ([First.Name of] pr)", "not ([First.Name of] pr)"),
        ("[a..b] pr and [x:y] pr and [Size 5\"] pr", "[a..b] pr and [x:y] pr and [Size 5\"] pr"),
        (
            "(a pr and (b pr and c pr)) and (d pr or (e pr or f pr))",
            "a pr and b pr and c pr and (d pr or e pr or f pr)",
        ),
    ] {
        assert_eq!(canonical(text), want, "{text}");
    }
    let path = |text: &str| text.parse::<AttributePath>().unwrap();
    assert_eq!(path("[Cost.Center]"), AttributePath::name("Cost.Center"), "a path that is a column");
}

#[test]
fn deep_and_long_input_is_refused_or_read_without_overflow() {
    let deep = |count: usize| "(".repeat(count) + "a pr" + &")".repeat(count);
    for text in [deep(4_000), deep(MAX_DEPTH + 1), "[a".repeat(4_000), "a[".repeat(4_000), "[".repeat(9_000)] {
        assert!(Filter::parse(&text).is_err());
    }
    assert_eq!(deep(MAX_DEPTH + 1).parse::<Filter>().unwrap_err().message, "brackets are nested deeper than 100");
    assert!(vec!["a eq 1"; 300].join(" or ").parse::<Filter>().is_ok());
    let error = format!("a eq \"{}\"", "é".repeat(MAX_CHARACTERS)).parse::<Filter>().unwrap_err();
    assert_eq!(error.message, "10007 characters are too many for one filter");
    let ids = vec!["b eq 1"; MAX_TERMS + 1].join(" or ");
    assert!(format!("a[{ids}]").parse::<AttributePath>().unwrap_err().message.contains("more than 2000"));
}

/// The deepest filter allowed, on half of the smallest stack that a thread of the product has.
#[test]
fn the_deepest_filter_needs_less_than_a_mebibyte_of_stack() {
    let work = || {
        let text = "not (".repeat(MAX_DEPTH) + "a pr" + &")".repeat(MAX_DEPTH);
        let filter: Filter = text.parse().unwrap();
        assert_eq!(filter.to_string(), text);
        let mut paths = 0;
        filter.for_each_path(&mut |_| paths += 1);
        assert_eq!((filter.clone() == filter, paths), (true, 1));
        let path = "a[".repeat(MAX_DEPTH) + "b pr" + &"]".repeat(MAX_DEPTH);
        assert_eq!(path.parse::<Filter>().unwrap().to_string(), path);
    };
    std::thread::Builder::new().stack_size(1 << 20).spawn(work).unwrap().join().unwrap();
}

/// Random trees of the shape that the parser makes, printed and read back.
mod random {
    use std::hash::{BuildHasher, RandomState};

    use super::*;

    struct Random(u64);

    impl Random {
        fn below(&mut self, count: usize) -> usize {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            (self.0 >> 16) as usize % count
        }

        fn pick<T: Clone>(&mut self, from: &[T]) -> T {
            from[self.below(from.len())].clone()
        }

        fn text(&mut self) -> String {
            const PIECES: [&str; 14] =
                ["a", "É", "\\", "\"", "\n", "\\b", "\u{8}", "😀", " and ", ")", "[", "]", "\u{1}", "\\u00e9"];
            (0..self.below(5)).map(|_| self.pick(&PIECES)).collect()
        }

        fn path(&mut self) -> AttributePath {
            let names = ["a", "not", "and", "Job Title", "&", "naïve"];
            let mut path = AttributePath::name(self.pick(&names));
            path.sub = (self.below(3) == 0).then(|| self.pick(&["value", "b c"]).into());
            path.schema = (self.below(4) == 0).then(|| "urn:x:2.0:User".into());
            if self.below(8) == 0 { AttributePath::name(self.pick(&["a..b", "x:y", "a.", "Size 5\""])) } else { path }
        }

        fn value(&mut self) -> Value {
            match self.below(6) {
                0 => Value::Null,
                1 => Value::Boolean(self.below(2) == 0),
                2 => Value::Integer(self.0 as i64),
                3 => Value::Decimal(self.0 as f64 / 1024.0),
                _ => Value::text(self.text()),
            }
        }

        fn term(&mut self) -> Filter {
            use Operator::*;
            let op = self.pick(&[
                Eq,
                Ne,
                Co,
                Sw,
                Ew,
                Gt,
                Ge,
                Lt,
                Le,
                Pr,
                In,
                Equals,
                NotEquals,
                IsTrue,
                IsFalse,
                IsNull,
                IsNotNull,
                RegexMatch,
                NotRegexMatch,
                GreaterThan,
                GreaterThanOrEquals,
                Includes,
                Within,
                NotWithin,
                EndsWith,
            ]);
            let value = match op {
                In => Value::List((0..=self.below(3)).map(|_| self.value()).collect()),
                _ if op.takes_value() => self.value(),
                _ => Value::Null,
            };
            Filter::Term(Term { path: self.path(), op, value, spans: Spans::default() })
        }

        fn filter(&mut self, depth: usize) -> Filter {
            if depth == 0 {
                return self.term();
            }
            let count = 2 + self.below(3);
            match self.below(5) {
                0 => Filter::Not(Box::new(self.filter(depth - 1))),
                1 => Filter::And((0..count).map(|_| self.not_like(depth, |f| matches!(f, Filter::And(_)))).collect()),
                2 => Filter::Or((0..count).map(|_| self.not_like(depth, |f| matches!(f, Filter::Or(_)))).collect()),
                3 => {
                    let mut path = AttributePath::name(self.pick(&["emails", "x"]));
                    path.schema = (self.below(4) == 0).then(|| "urn:x:2.0:User".into());
                    Filter::Each { path, filter: Box::new(self.filter(depth - 1)) }
                }
                _ => self.term(),
            }
        }

        /// The parser makes one list of an `and` inside an `and`.
        fn not_like(&mut self, depth: usize, same: impl Fn(&Filter) -> bool) -> Filter {
            let part = self.filter(depth - 1);
            if same(&part) { self.term() } else { part }
        }
    }

    #[test]
    fn trees_are_what_is_read_back_from_their_text() {
        let seed = RandomState::new().hash_one(1) | 1;
        let mut random = Random(seed);
        for round in 0..5_000 {
            let depth = random.below(5);
            let filter = random.filter(depth);
            let text = filter.to_string();
            if text.chars().count() > MAX_CHARACTERS {
                continue;
            }
            match text.parse::<Filter>() {
                Ok(back) => assert_eq!(back, filter, "seed {seed}, round {round}: {text}"),
                Err(error) => panic!("seed {seed}, round {round}: {text}: {error}"),
            }
        }
    }
}

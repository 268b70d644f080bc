use crate::Expression;

fn canonical(source: &str) -> String {
    match Expression::compile(source) {
        Ok(expression) => expression.to_string(),
        Err(errors) => errors.iter().map(|error| format!("{} {error}", error.code)).collect::<Vec<_>>().join("; "),
    }
}

#[test]
fn reads_and_prints_canonically() {
    for (source, want) in [
        ("[a]", "[a]"),
        (" [ a b ] ", "[a b]"),
        (r#""text""#, r#""text""#),
        (r#""q\"uo\\te \+ \d""#, r#""q\"uo\\te \\+ \\d""#),
        ("-12", "-12"),
        ("1.50", "1.5"),
        ("2.0", "2.0"),
        ("&HFF", "255"),
        ("true", "True"),
        ("iif ( [a]=1 ,\n\"x\",,)", "IIF([a] = 1, \"x\", , )"),
        ("SelectUniqueValue ([a],[b])", "SelectUniqueValue([a], [b])"),
        (r#""t-"&[a]&[b]"#, r#""t-" & [a] & [b]"#),
        (r#"[a] &[Hello]"#, "[a] & [Hello]"),
        ("CBool(([a] = [b]) = True)", "CBool(([a] = [b]) = True)"),
        ("(([a]))", "[a]"),
        (r#"[emails[type eq "w]"].value]"#, r#"[emails[type eq "w]"].value]"#),
        ("[Cost [EUR]]", "[Cost [EUR]]"),
        ("IIF([a]<>[b],1,2)", "IIF([a] <> [b], 1, 2)"),
        (r#"InStr([a],"x",1,vbtextcompare)"#, r#"InStr([a], "x", 1, vbtextcompare)"#),
        (r#"Trim("é",)"#, r#"Trim("é", )"#),
    ] {
        assert_eq!(canonical(source), want, "{source}");
        assert_eq!(canonical(want), want, "printed form of {source}");
    }
}

#[test]
fn errors_say_what_and_where() {
    for (source, want) in [
        ("", "PRV-0201 expected a value, found the end at column 1"),
        ("displayName", "PRV-0206 `displayName` is neither a function call nor a keyword at column 1"),
        ("name.familyName", "PRV-0206 `name.familyName` is neither a function call nor a keyword at column 1"),
        ("Now", "PRV-0206 `Now` is neither a function call nor a keyword at column 1"),
        ("ToLower([a]", "PRV-0201 missing `)` at column 12"),
        ("ToLower([a]))", "PRV-0201 closing bracket without an opening one at column 13"),
        ("ToLower([a)", "PRV-0202 attribute without its closing `]` at column 9"),
        (r#"ToLower("a)"#, "PRV-0202 text without its closing quote at column 9"),
        ("ToLower('a')", "PRV-0201 unexpected `'` at column 9"),
        ("[a] [b]", "PRV-0201 unexpected `[b]` at column 5"),
        ("[a] = 1 AND [b] = 2", "PRV-0201 `and` is no operator at column 9"),
        ("[a] == 1", "PRV-0201 `==` is no operator at column 5"),
        ("[]", "PRV-0201 attribute without a name at column 1"),
        ("12ab", "PRV-0201 no number at column 1"),
        ("&HXY", "PRV-0201 no hexadecimal number at column 1"),
        ("Foo(1)", "PRV-0203 unknown function `Foo` at column 1"),
        ("Trim()", "PRV-0204 `Trim` takes 1 argument, not 0 at column 1"),
        ("Trim(\"a\",\"b\")", "PRV-0204 `Trim` takes 1 argument, not 2 at column 1"),
        ("Mid([a],,1)", "PRV-0204 argument 2 (`start`) of `Mid` is left empty at column 1"),
        ("Switch([a],[b],\"k\")", "PRV-0204 `Switch` takes 4 arguments or more, 2 at a time, not 3 at column 1"),
        (
            "Replace([a], \"x\")",
            "PRV-0204 these arguments of `Replace` do not say what to replace with what at column 1",
        ),
        ("Mid([a],\"x\",1)", "PRV-0205 `start` of `Mid` takes a whole number, not `x` at column 9"),
        ("Mid([a],Now(),1)", "PRV-0205 `start` of `Mid` takes a whole number, not a date at column 9"),
        (
            "DateAdd(\"w\",1,Now())",
            "PRV-0205 `interval` of `DateAdd` takes one of yyyy, m, d, ww, h, n, s, not `w` at column 9",
        ),
        ("CDate(\"soon\")", "PRV-0205 `dateString` of `CDate` takes a date, not `soon` at column 7"),
        ("Replace([a],,\"(\",,\"\",,)", "PRV-0207 the regular expression is invalid: unclosed group at column 14"),
        ("Replace([a],,\"(x)\",\"g\",\"\",,)", "PRV-0207 the regular expression has no group `g` at column 20"),
        (
            "ToLower(SelectUniqueValue([a],[b]))",
            "PRV-0209 `SelectUniqueValue` is nested in another function at column 9",
        ),
        ("FormatDateTime([a],\"'x\",\"s\")", "PRV-0211 the pattern lacks a closing ' at column 20"),
        // Several at once, in the order of the text.
        (
            "Foo([a], Trim(), x)",
            "PRV-0203 unknown function `Foo` at column 1; PRV-0204 `Trim` takes 1 argument, not 0 at \
                                 column 10; PRV-0206 `x` is neither a function call nor a keyword at column 18",
        ),
        (
            "Join(\"\", [a] [b], 'c', Foo())",
            "PRV-0201 unexpected `[b]` at column 14; PRV-0201 unexpected `'` at column 19; \
                                 PRV-0203 unknown function `Foo` at column 24",
        ),
    ] {
        assert_eq!(canonical(source), want, "{source}");
    }
}

#[test]
fn numbers_read_back_or_are_refused() {
    let digits = "9".repeat(320);
    for source in [digits.clone(), format!("-{digits}"), format!("{digits}.5")] {
        assert_eq!(canonical(&source), "PRV-0201 the number is too large at column 1");
    }
    for source in ["9".repeat(300), format!("-{}.25", "8".repeat(200)), format!("0.{}1", "0".repeat(400))] {
        let printed = canonical(&source);
        assert!(!printed.contains("PRV") && !printed.contains("inf"), "{source} prints as {printed}");
        assert_eq!(canonical(&printed), printed, "{source}");
    }
}

#[test]
fn long_and_deep_texts_are_refused() {
    let deep = format!("{}1{}", "Trim(".repeat(1_500), ")".repeat(1_500));
    assert!(canonical(&deep).contains("PRV-0208 nested deeper than 100"));
    assert!(canonical(&"(".repeat(9_999)).contains("PRV-0208"));
    assert!(canonical(&" ".repeat(10_001)).starts_with("PRV-0208 10001 characters are too many"));
    assert_eq!(canonical(&format!("\"{}\"", "é".repeat(9_998))).len(), 9_998 * 2 + 2);
    let nested = format!("{}[a]{}", "Trim(".repeat(100), ")".repeat(100));
    assert_eq!(canonical(&nested), nested);
}

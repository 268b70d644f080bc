use super::*;

#[test]
fn reads_the_dialect_of_net() {
    for (pattern, text, matches) in [
        (r"(?<a>x)(?'b'y)", "xy", true),
        (r"^[][a]+$", "][a", true),
        (r"^[^]]+$", "]", false),
        (r"^[a&&b]+$", "a&b", true),
        (r"^[a[b]$", "[", true),
        (r"\<a\>", "<a>", true),
        (r"^\ü$", "ü", true),
        (r"[x]\d{2}", "x12", true),
        // Subtraction.
        (r"^[a-z-[aeiou]]+$", "xyz", true),
        (r"^[a-z-[aeiou]]+$", "xaz", false),
        (r"^[^a-z-[0-9]]$", "X", true),
        (r"^[^a-z-[0-9]]$", "5", false),
        (r"^[^a-z-[0-9]]$", "b", false),
        (r"^[\w-[\d]]+$", "ab", true),
        (r"^[\w-[\d]]+$", "a1", false),
        (r"^[a-z-[d-w-[m-o]]]+$", "amz", true),
        (r"^[a-z-[d-w-[m-o]]]+$", "ad", false),
        (r"^[a-[a]]$", "a", false),
        (r"^[-[b]]$", "-]", true),
        // A dash that is none.
        (r"^[a-z-9]+$", "b-9", true),
        (r"^[\w-z]+$", "a-", true),
        (r"^[a-]+$", "a-", true),
        (r"^[-a]+$", "a-", true),
        (r"^[a\-z]+$", "b", false),
        // Escapes.
        (r"^\cA\cj$", "\u{1}\n", true),
        (r"^\x41\u00e9\0\012\e$", "Aé\0\n\u{1B}", true),
        (r"^[\b\x2d\123]+$", "\u{8}-S", true),
        (r"^\p{IsGreek}+$", "αβ", true),
        (r"^\P{IsCyrillic}+$", "abж", false),
        (r"^[\p{IsCyrillic}-[ж]]$", "ж", false),
        (r"^\p{Lu}\p{Nd}$", "É5", true),
        (r"^\_\-\/$", "_-/", true),
        // Braces that are no quantifier.
        ("^a{x}$", "a{x}", true),
        ("^a{,5}$", "a{,5}", true),
        ("^a{2,3}$", "aaa", true),
        ("^{a}$", "{a}", true),
        (r"^\b{start}$", "{start}", false),
        // Comments and free spacing.
        ("^ab(?#any [number)*c$", "abbbc", true),
        ("(?x)^ a b # [no class\n [ ]c $", "ab c", true),
        ("^(?x: a )b c$", "ab c", true),
        ("^(?x: a (?-x: b) c )$", "a bc", true),
        ("^(?i)AB(?-i:C)$", "abC", true),
        ("^(?i)AB(?-i:C)$", "abc", false),
        // The end, before which no line break is skipped.
        (r"a\Z", "a", true),
        (r"a\Z", "a\n", false),
    ] {
        let regex = compile(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
        assert_eq!(regex.is_match(text), matches, "{pattern} on {text:?} is {regex}");
    }
}

#[test]
fn refuses_what_it_cannot_translate() {
    for (pattern, reason) in [
        ("(?=x)", "look-around"),
        ("(?<!x)", "look-around"),
        ("(a)\\1", "backreferences"),
        ("(?<a>x)\\k<a>", "backreferences"),
        ("(", "unclosed group"),
        ("a)", "unopened group"),
        ("(?>a)", "atomic"),
        ("(?(a)b|c)", "condition"),
        ("(?<a-b>x)", "balancing"),
        ("(?<1>x)", "number for a name"),
        ("(?n:a)", "flag `n`"),
        ("(?U)a", "`U` is no flag"),
        ("a**", "follows a quantifier"),
        ("a{2}{3}", "follows a quantifier"),
        ("+a", "follows nothing"),
        ("(?#open", "unclosed comment"),
        ("[a", "unclosed character class"),
        ("[a-z-[b]c]", "last in it"),
        ("[z-a]", "runs backwards"),
        (r"[a-\d]", "cannot end"),
        (r"[\A]", "`\\A` is no escape"),
        (r"\q", "`\\q` is no escape"),
        (r"\x4", "2 hexadecimal digits"),
        (r"\ud83d", "half a character"),
        (r"\c!", "takes a letter"),
        (r"\pL", "in braces"),
        (r"\p{IsOgham}", "is not known here"),
        (r"\Gx", "\\G"),
        ("a\\", "lone backslash"),
        ("(a{1000}){1000}(a{1000}){1000}", "too large"),
    ] {
        let error = compile(pattern).map(|regex| regex.to_string()).unwrap_err();
        assert!(error.contains(reason), "{pattern}: {error}");
    }
    let nested = format!("{}{}", "[a-".repeat(40), "]".repeat(40));
    assert!(compile(&nested).is_err());
    assert!(compile_whole("a)|(b").is_err(), "no way out of the group around a whole-value pattern");
    assert!(!compile_whole("a|b").unwrap().is_match("ab"));
    assert!(compile_whole("(?x)a # tail").unwrap().is_match("a"));
}

#[test]
fn patterns_of_addresses_are_not_too_large() {
    for pattern in [r"\w{40}", r"^[\w.]{1,64}@[\w.]{1,255}$"] {
        assert!(compile(pattern).is_ok_and(|regex| regex.is_match(&format!("{}@b", "a".repeat(40)))), "{pattern}");
    }
}

#[test]
fn equal_patterns_share_their_program_within_bounds() {
    for at in 0..3 * MAX_SHARED {
        assert!(compile(&format!("shared{at}")).unwrap().is_match(&format!("shared{at}")));
    }
    assert!(SHARED.lock().unwrap().len() <= MAX_SHARED);
}

#[test]
fn an_empty_match_may_touch_the_match_before_it() {
    let all = |pattern: &str, text: &str| {
        let regex = compile(pattern).unwrap();
        let mut out = String::new();
        let end = each_match(&regex, text, |before, captures| {
            out.push_str(before);
            out.push_str(&format!("<{}>", captures.get_match().as_str()));
            true
        });
        out + &text[end.unwrap_or(0)..]
    };
    assert_eq!(all(".*", "abc"), "<abc><>");
    assert_eq!(all("x*", "ab"), "<>a<>b<>");
    assert_eq!(all("x*", "axxb"), "<>a<xx><>b<>");
    assert_eq!(all("é*", "éñ"), "<é><>ñ<>");
    assert_eq!(all("$", ""), "<>");
    assert_eq!(all("b", "abab"), "a<b>a<b>");
    assert_eq!(all("no", "abab"), "abab");
}

#[test]
fn replacements_refer_to_groups_as_in_net() {
    let regex = compile("(?<n>[a-z])([0-9])").unwrap();
    let source = "_x7é";
    let captures = regex.captures(source).unwrap();
    for (text, want) in [
        ("${n}", "x"),
        ("$1", "7"),
        ("$2", "x"),
        ("$1a", "7a"),
        ("$&!", "x7!"),
        ("$$1", "$1"),
        ("$9", "$9"),
        ("${no}", "${no}"),
        ("$", "$"),
        ("a$b{c}", "a$b{c}"),
        ("${n", "${n"),
        ("<$`>", "<_>"),
        ("<$'>", "<é>"),
        ("<$_>", "<_x7é>"),
        ("<$+>", "<x>"),
        ("$é", "$é"),
    ] {
        let mut out = String::new();
        Replacement::parse(text, &regex).expand(source, &captures, &mut out);
        assert_eq!(out, want, "{text}");
    }
}

//! Texts that look like what users write, and like what they mistype.

use provost_lang::{Parameter, functions};

use super::choices::Choices;

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
/// An expression of known functions, mostly with as many arguments as they take.
pub fn expression(random: &mut Choices<'_>, depth: usize) -> String {
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
            let argument = |random: &mut Choices<'_>, parameter: Option<&Parameter>| match parameter.map(|p| p.kind) {
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

/// Pieces of expressions in any order.
pub fn rubble(random: &mut Choices<'_>) -> String {
    (0..random.below(25)).map(|_| random.pick(PIECES)).collect()
}

/// Clauses, half of them with words that fit.
pub fn filter(random: &mut Choices<'_>) -> String {
    if random.below(2) == 0 {
        let mut text = String::new();
        for _ in 0..=random.below(2) {
            let (attribute, operator) = (random.pick(&WORDS[..10]), random.pick(WORDS));
            text.push_str(&format!("{attribute} {operator} {} and ", random.pick(WORDS)));
        }
        return text + "a pr";
    }
    (0..random.below(12)).map(|_| format!("{} ", random.pick(WORDS))).collect()
}

const DATES: &[&str] = &[
    "yyyy",
    "yy",
    "M",
    "MM",
    "MMM",
    "MMMM",
    "d",
    "dd",
    "ddd",
    "dddd",
    "H",
    "HH",
    "h",
    "hh",
    "m",
    "mm",
    "s",
    "ss",
    "f",
    "fff",
    "fffffff",
    "FFF",
    "t",
    "tt",
    "z",
    "zz",
    "zzz",
    "K",
    "Z",
    "'T'",
    "\\\\",
    "'",
    "\"",
    "-",
    "/",
    ":",
    ".",
    " ",
    "T",
    "2024",
    "31",
    "02",
    "29",
    "12",
    "0",
    "9999",
    "+14:00",
    "-07:00",
    "AM",
    "PM",
    "é",
    "8/25/2021 5:41:18 PM",
    "2020-03-16",
    "1601-01-01",
];

/// Something like a date, and something like a pattern.
pub fn date_and_pattern(random: &mut Choices<'_>) -> (String, String) {
    let mut pieces = |most: usize| (0..random.below(most)).map(|_| random.pick(DATES)).collect::<String>();
    (pieces(9), pieces(9))
}

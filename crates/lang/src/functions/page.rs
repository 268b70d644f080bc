//! The reference page of a function, and of all of them: `docs/functions.md` is this text.

use std::fmt::Write as _;

use super::{Example, Function, Kind, Origin, functions};

const WIDTH: usize = 118;

const INTRODUCTION: &str = "\
# Functions of the mapping language

Every example on this page is run by the tests. The page is made from the table of functions:
`cargo run -p provost-lang --example functions > docs/functions.md` writes it anew. `provost expr --help NAME` shows one
function, `provost expr 'EXPRESSION' --attributes '{…}' --trace` tries one.

In a call, `?` marks what may be left out; the slot of an argument that is left out in between stays empty. `…` says that
the last parameters repeat. Where a function takes texts, it applies to each value of a multi-valued attribute.
";

/// All functions by name, in Markdown.
///
/// ```
/// assert!(provost_lang::reference().contains("\n## Join\n"));
/// ```
pub fn reference() -> String {
    let mut all: Vec<&Function> = functions().collect();
    all.sort_by_key(|function| function.name.to_lowercase());
    let links = all.iter().map(|function| format!("[{}](#{})", function.name, function.name.to_lowercase()));
    let mut out = format!("{INTRODUCTION}\n{}\n", wrapped(&links.collect::<Vec<_>>().join(" "), ""));
    for function in all {
        out.push('\n');
        out.push_str(&function.page());
    }
    out
}

/// Lines of the house's width, those behind the first indented.
fn wrapped(text: &str, indent: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let mut width = 0;
    for word in text.split(' ') {
        let length = word.chars().count();
        if width > 0 && width + 1 + length > WIDTH {
            out.push('\n');
            out.push_str(indent);
            width = indent.len();
        } else if width > 0 {
            out.push(' ');
            width += 1;
        }
        out.push_str(word);
        width += length;
    }
    out
}

impl Function {
    /// Its page of the reference, in Markdown.
    ///
    /// ```
    /// let page = provost_lang::function("Trim").unwrap().page();
    /// assert!(page.starts_with("## Trim\n\n```\nTrim(value)\n```\n"));
    /// ```
    pub fn page(&self) -> String {
        let origin = if self.origin == Origin::Provost { " Not in Entra." } else { "" };
        let about = wrapped(&format!("{}{origin}", self.about), "");
        let mut out = format!("## {}\n\n```\n{}\n```\n\n{about}\n", self.name, self.signatures().join("\n"));
        for words in self.words() {
            // Writing into a text cannot fail.
            let _ = write!(out, "\n{}\n", wrapped(&words, ""));
        }
        for (at, edge) in self.edges.iter().enumerate() {
            let _ = writeln!(out, "{}- {}", if at == 0 { "\n" } else { "" }, wrapped(edge, "  "));
        }
        for example in self.examples {
            let _ = write!(out, "\n```\n{}\n", example.expression);
            for line in example.surroundings() {
                let _ = writeln!(out, "  {line}");
            }
            let _ = write!(out, "  = {}\n```\n", example.result);
        }
        out
    }

    /// The words that its parameters take, a sentence each.
    fn words(&self) -> Vec<String> {
        let form = &self.forms[self.forms.len() - 1];
        let listed = |name: &str, words: &[&str]| format!("`{name}` is {}.", words.join(", "));
        let sentence = |parameter: &super::Parameter| match parameter.kind {
            Kind::Word(words) => Some(listed(parameter.name, words)),
            Kind::Words(words) => Some(listed(parameter.name, words).replace(" is ", " is some of ")),
            _ => None,
        };
        form.parameters.iter().filter_map(sentence).collect()
    }
}

impl Example {
    /// What the result depends on beside the call, a line each: `on {"a":"x"}`.
    pub fn surroundings(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if self.given != "{}" {
            lines.push(format!("on {}", self.given));
        }
        lines.extend(self.now.map(|now| format!("at {now}")));
        lines.extend(self.domain.map(|domain| format!("with the default domain {domain}")));
        if !self.taken.is_empty() {
            lines.push(format!("where {} is taken", self.taken.join(", ")));
        }
        lines.extend(self.random.map(|byte| format!("with random bytes of {byte}")));
        lines
    }
}

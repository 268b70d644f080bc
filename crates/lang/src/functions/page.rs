//! The reference page of a function, and of all of them: `docs/functions.md` is this text.

use std::fmt::Write as _;

use super::{Example, Function, Kind, Origin, functions};

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
    let mut out = INTRODUCTION.to_owned();
    for function in &all {
        let separator = if out.ends_with(".\n") { "\n" } else { " · " };
        // Writing into a text cannot fail.
        let _ = write!(out, "{separator}[{}](#{})", function.name, function.name.to_lowercase());
    }
    out.push('\n');
    for function in all {
        out.push('\n');
        out.push_str(&function.page());
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
        let mut out = format!("## {}\n\n```\n{}\n```\n\n{}", self.name, self.signatures().join("\n"), self.about);
        if self.origin == Origin::Provost {
            out.push_str(" Not in Entra.");
        }
        out.push('\n');
        for words in self.words() {
            // Writing into a text cannot fail.
            let _ = write!(out, "\n{words}\n");
        }
        for (at, edge) in self.edges.iter().enumerate() {
            let _ = write!(out, "{}- {edge}\n", if at == 0 { "\n" } else { "" });
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

//! The table of functions: everything the language knows about one stands in its entry, and the checker, the evaluator,
//! the documentation, the console's completion and the tests all read it there.
//!
//! A family of functions is one file with a `FUNCTIONS` slice; a new function is one entry and one small `fn`.
//! Functions that take the text of an attribute apply to each value of a multi-valued one and give null for null, unless
//! their entry says otherwise.

mod bytes;
mod case;
mod conditions;
mod date;
mod diacritics;
mod directory;
mod flow;
mod lists;
mod lookup;
mod page;
mod random;
pub(crate) mod regex_dialect;
pub(crate) mod replace;
pub(crate) mod roles;
mod search;
mod text;
mod transliterate;

use crate::program::{Arguments, Eval, Node, Prepared};
use crate::{Environment, LangError};

pub use page::reference;

/// A function of the mapping language.
///
/// ```
/// let join = provost_lang::function("join").unwrap();
/// assert_eq!(join.name, "Join");
/// assert_eq!(join.signature(), "Join(separator, source, …)");
/// assert_eq!(provost_lang::function("replace").unwrap().forms[0].parameters[1].name, "oldValue");
/// ```
pub struct Function {
    /// The canonical spelling; calls may use any letter case.
    pub name: &'static str,
    /// The ways to call it, chosen by the number of arguments.
    pub forms: &'static [Form],
    /// What it gives, as far as that is always the same.
    pub returns: Kind,
    /// What it does, in a few sentences.
    pub about: &'static str,
    /// What it does with null, with several values and at its limits, a sentence each.
    pub edges: &'static [&'static str],
    /// Calls with their results.
    pub examples: &'static [Example],
    /// Whether its result can be computed ahead and remembered.
    pub nature: Nature,
    /// Whether Entra has it too.
    pub origin: Origin,
    pub(crate) prepare: Option<Prepare>,
    pub(crate) run: Run,
}

/// Runs a call.
pub(crate) type Run = for<'f, 'a> fn(&Arguments<'f, 'a>) -> Eval<'a>;
/// Computes once what follows from constant arguments, and refuses those that cannot work. Gets the slots of the call and
/// its place, and what the configuration gives.
pub(crate) type Prepare =
    fn(&[Option<Node>], &std::ops::Range<usize>, &Environment) -> Result<Prepared, Vec<LangError>>;

/// One list of parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Form {
    /// In the order of the call.
    pub parameters: &'static [Parameter],
    /// How many of the last parameters repeat together: 1 for `Join`, 2 for `Switch`, 0 for most.
    pub repeats: usize,
}

/// One place in a list of parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parameter {
    /// Its name in documentation and messages.
    pub name: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// Whether its slot may stay empty.
    pub is_optional: bool,
}

/// What a parameter takes or a function gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Whatever there is.
    Any,
    /// One text; numbers, Booleans and dates count as theirs.
    Text,
    /// One text or a list of texts.
    Texts,
    /// A whole number or its text.
    Integer,
    /// A condition.
    Boolean,
    /// A date-time or a text that `CDate` reads.
    Date,
    /// A multi-valued attribute; one value counts as a list of one.
    List,
    /// One of these words, bare or in quotes, in any letter case.
    Word(&'static [&'static str]),
    /// One bare word of these, or a text with some of them between commas, or with none.
    Words(&'static [&'static str]),
}

impl Kind {
    /// Whether this text is the word, or the list of words, that the parameter takes.
    pub(crate) fn has_word(self, text: &str) -> bool {
        let knows = |words: &[&str], text: &str| words.iter().any(|word| word.eq_ignore_ascii_case(text));
        match self {
            Kind::Word(words) => knows(words, text),
            Kind::Words(words) => text.trim().is_empty() || text.split(',').all(|word| knows(words, word.trim())),
            _ => false,
        }
    }
}

/// Whether the same arguments always give the same result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nature {
    /// Always.
    Pure,
    /// Depends on the surroundings, or has an effect beyond its value; never computed ahead.
    Contextual,
    /// Differs from one time to another.
    Volatile,
    /// Differs from call to call by chance.
    Random,
}

/// Where a function comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Microsoft documents it.
    Entra,
    /// Provost's own; not exported to an Entra schema.
    Provost,
}

/// An example, which the tests run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Example {
    /// The call, as users write it.
    pub expression: &'static str,
    /// The source object as JSON.
    pub given: &'static str,
    /// The result as JSON; `ignore attribute` or `ignore object`; or `PRV-…: message` of a failure.
    pub result: &'static str,
    /// The time, in RFC 3339, where it matters.
    pub now: Option<&'static str>,
    /// What other objects of the target have already.
    pub taken: &'static [&'static str],
    /// The configured default domain.
    pub domain: Option<&'static str>,
    /// What every random byte is, where the result depends on chance.
    pub random: Option<u8>,
}

impl Example {
    const fn at(self, now: &'static str) -> Self {
        Self { now: Some(now), ..self }
    }
    const fn taken(self, taken: &'static [&'static str]) -> Self {
        Self { taken, ..self }
    }
    const fn domain(self, domain: &'static str) -> Self {
        Self { domain: Some(domain), ..self }
    }
    const fn random(self, byte: u8) -> Self {
        Self { random: Some(byte), ..self }
    }
}

const FAMILIES: &[&[Function]] = &[
    text::FUNCTIONS,
    case::FUNCTIONS,
    diacritics::FUNCTIONS,
    transliterate::FUNCTIONS,
    search::FUNCTIONS,
    replace::FUNCTIONS,
    conditions::FUNCTIONS,
    lists::FUNCTIONS,
    date::FUNCTIONS,
    bytes::FUNCTIONS,
    directory::FUNCTIONS,
    roles::FUNCTIONS,
    lookup::FUNCTIONS,
    random::FUNCTIONS,
    flow::FUNCTIONS,
];

/// All functions, in the order of the documentation: by family, then as listed there.
///
/// ```
/// assert!(provost_lang::functions().any(|function| function.name == "NormalizeDiacritics"));
/// ```
pub fn functions() -> impl Iterator<Item = &'static Function> {
    FAMILIES.iter().flat_map(|family| family.iter())
}

/// The function of this name, in any letter case.
pub fn find(name: &str) -> Option<&'static Function> {
    functions().find(|function| function.name.eq_ignore_ascii_case(name))
}

/// The function whose name is most like this one, for hints.
pub(crate) fn nearest(name: &str) -> Option<&'static Function> {
    find(crate::nearest(name, functions().map(|function| function.name))?)
}

impl Function {
    /// The form for so many arguments; the longest where none fits.
    pub(crate) fn form(&self, arguments: usize) -> &'static Form {
        let forms: &'static [Form] = self.forms;
        forms.iter().find(|form| form.parameters.len() == arguments).unwrap_or(&forms[forms.len() - 1])
    }

    /// How many of the written slots count, `empty` of which stand empty at the end: as many of those as a form asks for.
    pub(crate) fn slots(&self, written: usize, empty: usize) -> usize {
        let given = written - empty;
        (given..=written).find(|count| self.forms.iter().any(|form| form.takes(*count))).unwrap_or(given)
    }

    /// The call as documentation shows it; the longest form, `?` for what may be left out.
    pub fn signature(&self) -> String {
        self.signatures().pop().unwrap_or_default()
    }

    /// All ways to call it, the longest last.
    pub(crate) fn signatures(&self) -> Vec<String> {
        self.forms.iter().map(|form| format!("{}({})", self.name, form.slots())).collect()
    }
}

impl std::fmt::Debug for Function {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl Form {
    /// The fewest arguments.
    pub fn least(&self) -> usize {
        let trailing = self.parameters.iter().rev().take_while(|parameter| parameter.is_optional).count();
        self.parameters.len() - if self.repeats > 0 { 0 } else { trailing }
    }

    fn slots(&self) -> String {
        let mark = |parameter: &Parameter| if parameter.is_optional { "?" } else { "" };
        let slot = |parameter: &Parameter| format!("{}{}", parameter.name, mark(parameter));
        let mut slots: Vec<String> = self.parameters.iter().map(slot).collect();
        if self.repeats > 0 {
            slots.push("…".to_owned());
        }
        slots.join(", ")
    }

    /// Whether a call may have so many slots.
    pub(crate) fn takes(&self, slots: usize) -> bool {
        let (least, most) = (self.least(), self.parameters.len());
        match self.repeats {
            0 => (least..=most).contains(&slots),
            by => slots >= least && (slots - most).is_multiple_of(by),
        }
    }

    /// The parameter for the argument at a position, repetition included.
    pub fn parameter(&self, at: usize) -> Option<&'static Parameter> {
        let parameters: &'static [Parameter] = self.parameters;
        let fixed = parameters.len() - self.repeats;
        match at.checked_sub(fixed) {
            Some(beyond) if self.repeats > 0 => parameters.get(fixed + beyond % self.repeats),
            _ => parameters.get(at),
        }
    }

    pub(crate) fn name_of(&self, at: usize) -> &'static str {
        self.parameter(at).map_or("argument", |parameter| parameter.name)
    }
}

// What the entries are written with.

const fn needed(name: &'static str, kind: Kind) -> Parameter {
    Parameter { name, kind, is_optional: false }
}

const fn optional(name: &'static str, kind: Kind) -> Parameter {
    Parameter { name, kind, is_optional: true }
}

const fn form(parameters: &'static [Parameter]) -> Form {
    Form { parameters, repeats: 0 }
}

const fn repeating(parameters: &'static [Parameter], repeats: usize) -> Form {
    Form { parameters, repeats }
}

const fn example(expression: &'static str, given: &'static str, result: &'static str) -> Example {
    Example { expression, given, result, now: None, taken: &[], domain: None, random: None }
}

/// A pure function of Entra without preparation, the usual case; the others change fields.
const fn entry(
    name: &'static str,
    forms: &'static [Form],
    returns: Kind,
    run: Run,
    about: &'static str,
    examples: &'static [Example],
) -> Function {
    Function {
        name,
        forms,
        returns,
        about,
        edges: &[],
        examples,
        nature: Nature::Pure,
        origin: Origin::Entra,
        prepare: None,
        run,
    }
}

impl Function {
    const fn edges(self, edges: &'static [&'static str]) -> Self {
        Self { edges, ..self }
    }
    const fn contextual(self) -> Self {
        Self { nature: Nature::Contextual, ..self }
    }
    const fn volatile(self) -> Self {
        Self { nature: Nature::Volatile, ..self }
    }
    const fn random(self) -> Self {
        Self { nature: Nature::Random, ..self }
    }
    const fn ours(self) -> Self {
        Self { origin: Origin::Provost, ..self }
    }
    const fn prepared(self, prepare: Prepare) -> Self {
        Self { prepare: Some(prepare), ..self }
    }
}

#[cfg(test)]
mod tests;

//! A mapping expression, compiled once and evaluated for every object.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use provost_model::{Text, Value};

use crate::datum::Datum;
use crate::program::{self, Compiled, Frame, NodeKind, Recorder, Stop};
use crate::syntax::{self, Parsed, Tree};
use crate::trace::{Trace, Traced};
use crate::{Context, Environment, EvalError, LangError, Shape};

/// A compiled mapping expression. Immutable and shared freely between threads.
///
/// ```
/// use provost_lang::{Context, Expression, Outcome};
/// use provost_model::{Attributes, Timestamp, Value};
///
/// let source: Attributes = [("login", "ADA")].into_iter().collect();
/// let context = Context::new(&source, Timestamp::UNIX_EPOCH);
///
/// let mail = Expression::compile(r#"ToLower(Join("@", [login], "example.org"))"#)?;
/// assert_eq!(mail.eval(&context), Ok(Outcome::Value(Value::text("ada@example.org"))));
///
/// // An absent attribute is null, and most functions pass null on.
/// let missing = Expression::compile("ToLower([alias])")?;
/// assert_eq!(missing.eval(&context), Ok(Outcome::Value(Value::Null)));
/// # Ok::<(), Vec<provost_lang::LangError>>(())
/// ```
#[derive(Debug)]
pub struct Expression {
    source: Text,
    tree: Tree,
    compiled: Compiled,
}

/// What an evaluation gives.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The attribute's new value. [`Value::Null`] is "no value", which the mapping's settings skip, default or clear.
    Value(Value),
    /// The constant `Null`: take the value away at the target, whatever the mapping's settings say.
    Clear,
    /// Leave this attribute out of the change: neither set nor clear it.
    IgnoreAttribute,
    /// Leave the whole object alone (as the result of a mapping onto `objectFilter`).
    IgnoreObject,
}

/// What becomes of the values that a target has beside those of the mapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Flow {
    /// They go.
    #[default]
    Replace,
    /// They stay: values are added and never taken away.
    Add,
}

impl Expression {
    /// Compiles an expression, or lists everything that is wrong with it, in the order of the text.
    ///
    /// ```
    /// use provost_lang::Expression;
    ///
    /// let errors = Expression::compile(r#"Join(displayName, Mid([a], "x", 1))"#).unwrap_err();
    /// let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
    /// assert_eq!(texts, [
    ///     "`displayName` is neither a function call nor a keyword at column 6",
    ///     "`start` of `Mid` takes a whole number, not `x` at column 28",
    /// ]);
    /// assert_eq!(errors[0].hint.as_deref(), Some("write [displayName] for the attribute, or \"displayName\" for the text"));
    /// ```
    pub fn compile(source: &str) -> Result<Self, Vec<LangError>> {
        Self::compile_with(source, &Environment::default())
    }

    /// Compiles an expression that may use what the configuration names; see [`Environment`].
    pub fn compile_with(source: &str, environment: &Environment) -> Result<Self, Vec<LangError>> {
        let Parsed { tree, mut errors } = syntax::parse(source);
        let (compiled, semantic) = program::compile(&tree, environment);
        errors.extend(semantic.into_iter().map(|error| error.locate(source)));
        if !errors.is_empty() {
            errors.sort_by_key(|error| (error.span.start, error.span.end));
            return Err(errors);
        }
        Ok(Self { source: Text::from(source), tree, compiled })
    }

    /// The tree and the errors of its text, for editors. Unknown functions and wrong arguments are [`compile`]'s to find.
    ///
    /// [`compile`]: Expression::compile
    ///
    /// ```
    /// let parsed = provost_lang::Expression::parse("Join(\"@\", [login], ");
    /// assert_eq!(parsed.tree.to_string(), r#"Join("@", [login])"#);
    /// assert_eq!(parsed.errors[0].to_string(), "missing `)` at column 20");
    /// ```
    pub fn parse(source: &str) -> Parsed {
        syntax::parse(source)
    }

    /// The value for one object. An error concerns this object alone.
    pub fn eval(&self, context: &Context<'_>) -> Result<Outcome, EvalError> {
        match (Frame { context, recorder: None }).eval(&self.compiled.root) {
            Ok(Datum::Clear) => Ok(Outcome::Clear),
            Ok(datum) => Ok(Outcome::Value(datum.into_value())),
            Err(Stop::IgnoreAttribute) => Ok(Outcome::IgnoreAttribute),
            Err(Stop::IgnoreObject) => Ok(Outcome::IgnoreObject),
            Err(Stop::Failed(error)) => Err(error.redacted(&self.compiled.redacted)),
        }
    }

    /// The same evaluation with the result of every part, for `explain`.
    pub fn trace(&self, context: &Context<'_>) -> Trace {
        let recorder = Recorder::new(&self.source, &self.compiled.redacted);
        let frame = Frame { context, recorder: Some(recorder) };
        // The outcome is the outermost entry of the trace.
        let _ = frame.eval(&self.compiled.root);
        frame.recorder.and_then(Recorder::finish).unwrap_or_else(|| Trace {
            expression: self.source.to_string(),
            span: self.tree.span.clone(),
            result: Traced::Value(Value::Null),
            children: Vec::new(),
        })
    }

    /// The text it was compiled from.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// What it was compiled from, as a tree.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// The canonical text: documented spellings, one blank after a comma. Compiles to the same expression.
    ///
    /// ```
    /// let expression = provost_lang::Expression::compile("TOLOWER( [a]&\"x\" )").unwrap();
    /// assert_eq!(expression.display().to_string(), "ToLower([a] & \"x\")");
    /// ```
    pub fn display(&self) -> impl fmt::Display + '_ {
        &self.tree
    }

    /// The names of all source attributes it may read, each once, in the order of the text.
    ///
    /// ```
    /// let expression = provost_lang::Expression::compile("IIF([a] = \"\", [b], [a])").unwrap();
    /// assert_eq!(expression.attributes(), ["a", "b"]);
    /// ```
    pub fn attributes(&self) -> &[Text] {
        &self.compiled.attributes
    }

    /// Every place where it reads an attribute, with its brackets, in the order of the text.
    ///
    /// ```
    /// let expression = provost_lang::Expression::compile("IIF([a] = \"\", [b], [a])").unwrap();
    /// let places: Vec<_> = expression.attribute_places().collect();
    /// assert_eq!(places, [("a", 4..7), ("b", 14..17), ("a", 19..22)]);
    /// ```
    pub fn attribute_places(&self) -> impl Iterator<Item = (&str, Range<usize>)> {
        let mut places = Vec::new();
        self.compiled.root.walk(&mut |node| {
            if let NodeKind::Attribute(attribute) = &node.kind {
                places.push((attribute.name.as_str(), node.span.clone()));
            }
        });
        places.into_iter()
    }

    /// What is wrong with it for a source whose attributes are known: kinds that can never work are errors, and a
    /// multi-valued attribute where one value is needed is a warning, because objects with one value pass.
    ///
    /// ```
    /// use provost_lang::{Expression, Shape};
    /// use provost_model::AttributeType;
    ///
    /// let expression = Expression::compile("Mid([name], [active], 2)").unwrap();
    /// let known = |name: &str| {
    ///     let kind = if name == "active" { AttributeType::Boolean } else { AttributeType::String };
    ///     Some(Shape { kind, multi_valued: false })
    /// };
    /// let findings = expression.check(&known);
    /// assert_eq!(findings[0].to_string(), "`start` of `Mid` takes a whole number, not the boolean attribute [active] at column 13");
    /// ```
    pub fn check(&self, known: &dyn Fn(&str) -> Option<Shape>) -> Vec<LangError> {
        let mut findings = program::check(&self.compiled.root, known);
        findings.sort_by_key(|finding| (finding.span.start, finding.span.end));
        findings.into_iter().map(|finding| finding.locate(&self.source)).collect()
    }

    /// Whether its value may be a list, as far as functions and known attributes tell.
    ///
    /// ```
    /// use provost_lang::{Expression, Shape};
    ///
    /// let known = |_: &str| Some(Shape { multi_valued: true, ..Shape::default() });
    /// for (text, many) in [("[mails]", true), ("ToLower([mails])", true), ("Join(\",\", [mails])", false)] {
    ///     assert_eq!(Expression::compile(text).unwrap().gives_many(&known), many, "{text}");
    /// }
    /// ```
    pub fn gives_many(&self, known: &dyn Fn(&str) -> Option<Shape>) -> bool {
        program::gives_many(&self.compiled.root, known)
    }

    /// The attribute, if the expression is a lone `[attribute]`: a direct mapping.
    pub fn direct_attribute(&self) -> Option<&str> {
        match &self.compiled.root.kind {
            NodeKind::Attribute(attribute) => Some(&attribute.name),
            _ => None,
        }
    }

    /// Whether every object gets the same value: it reads no attribute and nothing of its surroundings.
    pub fn is_constant(&self) -> bool {
        self.compiled.is_constant
    }

    /// Whether the same object may give another value later: it uses `Now`, `Guid` or `RandomString`. Such a mapping
    /// cannot be skipped because its source is unchanged.
    pub fn is_volatile(&self) -> bool {
        self.compiled.is_volatile
    }

    /// Whether it uses chance: another value with every evaluation.
    pub fn is_random(&self) -> bool {
        self.compiled.is_random
    }

    /// Whether it is a `SelectUniqueValue`: what the target has decides about its value.
    pub fn is_choice(&self) -> bool {
        matches!(&self.compiled.root.kind, NodeKind::Call(call) if call.function.name == "SelectUniqueValue")
    }

    /// Whether it asks for the default domain and its [`Environment`] has none: then the [`Context`] must name it.
    pub fn lacks_default_domain(&self) -> bool {
        self.compiled.lacks_domain
    }

    /// Whether its values replace those at the target or join them, as those of `AppRoleAssignmentsComplex` do.
    pub fn flow(&self) -> Flow {
        if self.compiled.adds { Flow::Add } else { Flow::Replace }
    }

    /// The attributes that stand inside of a `Redact`.
    pub fn redacted_attributes(&self) -> impl Iterator<Item = &Text> {
        self.compiled.hidden.iter()
    }

    /// Whether its value must be shown as `[Redact]`.
    pub fn is_redacted(&self) -> bool {
        !self.compiled.redacted.is_empty()
    }
}

impl FromStr for Expression {
    type Err = Vec<LangError>;
    fn from_str(source: &str) -> Result<Self, Vec<LangError>> {
        Self::compile(source)
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.tree.fmt(f)
    }
}

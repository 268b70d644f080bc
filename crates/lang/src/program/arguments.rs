//! What a function sees of its call: arguments by position, evaluated when asked for, converted or refused.
//!
//! An empty slot and a null look the same here unless a function asks [`Arguments::is_given`]. Each argument should be
//! asked for once, since asking evaluates.

use std::ops::Range;

use jiff::civil::DateTime;
use provost_model::{Text, Value};

use super::evaluate::too_long;
use super::{Call, Eval, Frame, Node, Prepared, Stop, compare};
use crate::datum::{Datum, NULL, Str};
use crate::error::code;
use crate::{Context, EvalError, MAX_TEXT, dates};

pub(crate) struct Arguments<'f, 'a> {
    pub(super) call: &'a Call,
    pub(super) span: &'a Range<usize>,
    pub(super) frame: &'f Frame<'a>,
}

impl<'a> Arguments<'_, 'a> {
    /// Slots written, trailing empty ones not counted.
    pub(crate) fn len(&self) -> usize {
        self.call.arguments.len()
    }

    pub(crate) fn context(&self) -> &'a Context<'a> {
        self.frame.context
    }

    pub(crate) fn prepared(&self) -> &'a Prepared {
        &self.call.prepared
    }

    fn node(&self, at: usize) -> Option<&'a Node> {
        self.call.arguments.get(at)?.as_ref()
    }

    /// Whether something stands in the slot.
    pub(crate) fn is_given(&self, at: usize) -> bool {
        self.node(at).is_some()
    }

    pub(crate) fn get(&self, at: usize) -> Eval<'a> {
        match self.node(at) {
            Some(node) => self.frame.eval(node),
            None => Ok(NULL),
        }
    }

    /// One value; a list of one is its element.
    pub(crate) fn single(&self, at: usize) -> Eval<'a> {
        self.get(at)?.single().map_err(|values| {
            self.wrong(at, code::VALUE_KIND, &format!("takes one value, not a list of {values}"), None)
                .hint("pick one with Item(list, 1), or make one text with Join(\",\", list)")
        })
    }

    /// One text; `None` for null.
    pub(crate) fn text(&self, at: usize) -> Result<Option<Str<'a>>, Stop> {
        self.as_str_of(at, self.single(at)?)
    }

    /// Applies `change` to a text, or to each text of a list. Null stays null.
    pub(crate) fn map_text(&self, at: usize, mut change: impl FnMut(Str<'a>) -> Eval<'a>) -> Eval<'a> {
        let source = match self.get(at)? {
            Datum::Ref(Value::List(values)) => {
                let texts = values.iter().map(|value| self.as_str_of(at, Datum::Ref(value)));
                return collect(texts, change);
            }
            Datum::Own(Value::List(values)) => {
                let texts = values.into_iter().map(|value| self.as_str_of(at, Datum::Own(value)));
                return collect(texts, change);
            }
            single => single,
        };
        match self.as_str_of(at, source)? {
            Some(text) => change(text),
            None => Ok(NULL),
        }
    }

    /// A whole number, given as one or as its text; `None` for null and empty.
    pub(crate) fn integer(&self, at: usize) -> Result<Option<i64>, Stop> {
        let datum = self.single(at)?;
        if let Some(Value::Integer(number)) = datum.as_value() {
            return Ok(Some(*number));
        }
        match self.as_str_of(at, datum)? {
            None => Ok(None),
            Some(text) if text.trim().is_empty() => Ok(None),
            Some(text) => match compare::whole_number(&text) {
                Some(number) => Ok(Some(number)),
                None => Err(self.wrong(at, code::VALUE_TEXT, "is no whole number", Some(text.into_text()))),
            },
        }
    }

    /// Like [`integer`](Arguments::integer), for arguments that must have a value.
    pub(crate) fn needed_integer(&self, at: usize) -> Result<i64, Stop> {
        self.integer(at)?.ok_or_else(|| self.wrong(at, code::VALUE_KIND, "is null", None))
    }

    /// A date, given as one or as a text in any form that `CDate` reads; `None` for null and empty.
    pub(crate) fn moment(&self, at: usize) -> Result<Option<DateTime>, Stop> {
        let datum = self.single(at)?;
        if let Datum::Moment(moment) = datum {
            return Ok(Some(moment));
        }
        match self.as_str_of(at, datum)? {
            None => Ok(None),
            Some(text) if text.trim().is_empty() => Ok(None),
            Some(text) => match dates::parse(&text) {
                Some(moment) => Ok(Some(moment)),
                None => Err(self
                    .wrong(at, code::VALUE_TEXT, "is no date", Some(text.into_text()))
                    .hint("name its pattern with FormatDateTime(source, inputFormat, outputFormat)")),
            },
        }
    }

    /// A condition: a Boolean, a number other than zero, or the words true and false. Null and empty are false.
    pub(crate) fn truth(&self, at: usize) -> Result<bool, Stop> {
        let datum = self.single(at)?;
        compare::truth(&datum).ok_or_else(|| {
            let found = datum.into_str().ok().flatten().map(Str::into_text);
            self.wrong(at, code::VALUE_KIND, "is neither true nor false", found)
                .hint("compare it, as in [flag] = \"yes\"")
        })
    }

    /// Each value of a list, or the one value; nothing for null.
    pub(crate) fn for_each(&self, at: usize, mut visit: impl FnMut(Datum<'a>) -> Result<(), Stop>) -> Result<(), Stop> {
        match self.get(at)? {
            Datum::Ref(Value::List(values)) => values.iter().try_for_each(|value| visit(Datum::Ref(value))),
            Datum::Own(Value::List(values)) => values.into_iter().try_for_each(|value| visit(Datum::Own(value))),
            datum if datum.is_null() => Ok(()),
            datum => visit(datum),
        }
    }

    /// The text of a value that came from argument `at`.
    pub(crate) fn as_str_of(&self, at: usize, datum: Datum<'a>) -> Result<Option<Str<'a>>, Stop> {
        datum.into_str().map_err(|other| {
            self.wrong(at, code::VALUE_KIND, &format!("takes a text, not a {} value", other.kind()), None)
        })
    }

    /// The result, unless it is too long.
    pub(crate) fn bounded(&self, text: Text) -> Eval<'a> {
        if text.len() > MAX_TEXT { Err(too_long(self.span)) } else { Ok(Datum::text(text)) }
    }

    /// An error about one argument.
    pub(crate) fn wrong(&self, at: usize, code: &'static str, what: &str, found: Option<Text>) -> Stop {
        let name = self.call.function.form(self.len()).name_of(at);
        let span = self.node(at).map_or(self.span, |node| &node.span);
        Stop::failed(code, span, format!("{}: `{name}` {what}", self.call.function.name), found)
    }

    /// An error about the call as a whole.
    pub(crate) fn fail(&self, code: &'static str, what: &str) -> Stop {
        Stop::failed(code, self.span, format!("{}: {what}", self.call.function.name), None)
    }

    /// The message that the expression itself gives.
    pub(crate) fn raise(&self, message: String) -> Stop {
        let code = provost_model::Code::new(code::RAISED);
        Stop::Failed(Box::new(EvalError { code, span: self.span.clone(), message, hint: None, found: None }))
    }
}

fn collect<'a>(
    texts: impl Iterator<Item = Result<Option<Str<'a>>, Stop>>,
    mut change: impl FnMut(Str<'a>) -> Eval<'a>,
) -> Eval<'a> {
    let mut values = Vec::with_capacity(texts.size_hint().0);
    for text in texts {
        if let Some(text) = text? {
            values.push(change(text)?.into_value());
        }
    }
    Ok(Datum::Own(Value::List(values)))
}

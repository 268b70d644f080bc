//! Values from a named table of the configuration.

use std::ops::Range;

use provost_model::Value;

use super::Kind::{Any, Text, Texts};
use super::{Function, entry, example, form, needed, optional};
use crate::datum::{Datum, NULL};
use crate::error::code;
use crate::program::{Arguments, Eval, Node, Prepared};
use crate::{Environment, LangError, nearest};

pub(super) const FUNCTIONS: &[Function] = &[entry(
    "Lookup",
    &[form(&[needed("table", Text), needed("key", Texts), optional("default", Any)])],
    Any,
    lookup,
    "The value under a key of a table that the configuration names under `tables`. Keys compare in exact case. Without \
     such a key the default, else null. In the examples `tables: { countries: { CH: Switzerland, DE: Germany } }`.",
    &[
        example("Lookup(\"countries\", [country])", r#"{"country":"DE"}"#, r#""Germany""#),
        example("Lookup(\"countries\", [country], \"elsewhere\")", r#"{"country":"FR"}"#, r#""elsewhere""#),
        example("Lookup(\"countries\", [country])", r#"{"country":"FR"}"#, "null"),
        example("Lookup(\"countries\", [offices])", r#"{"offices":["CH","DE"]}"#, r#"["Switzerland","Germany"]"#),
    ],
)
.edges(&[
    "The name of the table stands in quotes: it is checked before anything runs.",
    "Each value of a multi-valued attribute is looked up.",
    "A changed table makes the next cycle of its jobs a full one.",
])
.contextual()
.ours()
.prepared(prepare)];

/// Finds the table, so that a wrong name is an error of the rules and not of each object.
fn prepare(slots: &[Option<Node>], span: &Range<usize>, environment: &Environment) -> Result<Prepared, Vec<LangError>> {
    let node = slots.first().and_then(Option::as_ref);
    let span = node.map_or(span, |node| &node.span);
    let Some(name) = node.and_then(Node::constant_text) else {
        let error = LangError::new(code::KIND, span.clone(), "`table` of `Lookup` takes the name of a table in quotes");
        return Err(vec![error.hint("write Lookup(\"countries\", [country])")]);
    };
    if let Some(table) = environment.table(name) {
        return Ok(Prepared::Table(table.clone()));
    }
    let hint = match nearest(name, environment.tables()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "name it in the configuration under `tables:`".to_owned(),
    };
    Err(vec![LangError::new(code::UNKNOWN_TABLE, span.clone(), format!("there is no table `{name}`")).hint(hint)])
}

fn lookup<'a>(call: &Arguments<'_, 'a>) -> Eval<'a> {
    let Prepared::Table(table) = call.prepared() else { return Ok(NULL) };
    match call.map_text(1, |key| Ok(table.get(&*key).map_or(NULL, Datum::Ref)))? {
        Datum::Own(Value::List(mut values)) => {
            if values.iter().any(Value::is_null) {
                let default = call.get(2)?.into_value();
                values.iter_mut().filter(|value| value.is_null()).for_each(|value| *value = default.clone());
                values.retain(|value| !value.is_null());
            }
            Ok(Datum::Own(Value::List(values)))
        }
        found if found.is_null() => call.get(2),
        found => Ok(found),
    }
}

#[cfg(test)]
mod tests {
    use provost_model::{Attributes, Timestamp};

    use crate::{Context, Environment, Expression, Outcome, Table};

    #[test]
    fn keys_lists_and_defaults() {
        let table: Table =
            [("DE".into(), "Germany".into()), ("1".into(), "one".into()), ("".into(), "none".into())].into();
        let environment = Environment::new().with_table("t", table);
        let given: Attributes =
            serde_json::from_str(r#"{"de":"DE","small":"de","one":1,"both":["DE","FR"],"empty":""}"#).unwrap();
        for (expression, want) in [
            (r#"Lookup("t", [de])"#, r#""Germany""#),
            (r#"Lookup("t", [one])"#, r#""one""#),
            (r#"Lookup("t", [small])"#, "null"),
            (r#"Lookup("t", [small], [small])"#, r#""de""#),
            (r#"Lookup("t", [missing])"#, "null"),
            (r#"Lookup("t", [missing], "?")"#, r#""?""#),
            (r#"Lookup("t", [empty], "?")"#, r#""none""#),
            (r#"Lookup("t", [both])"#, r#"["Germany"]"#),
            (r#"Lookup("t", [both], "?")"#, r#"["Germany","?"]"#),
            (r#"ToUpper(Lookup("t", [de]))"#, r#""GERMANY""#),
        ] {
            let compiled = Expression::compile_with(expression, &environment).unwrap();
            let context = Context::new(&given, Timestamp::UNIX_EPOCH);
            let Ok(Outcome::Value(value)) = compiled.eval(&context) else { panic!("{expression} gives no value") };
            assert_eq!(value.to_json().to_string(), want, "{expression}");
        }
    }

    #[test]
    fn the_table_is_named_when_the_rules_are_read() {
        let code = |text: &str| Expression::compile(text).unwrap_err()[0].code.to_string();
        assert_eq!(code(r#"Lookup("t", [a])"#), "PRV-0216");
        assert_eq!(code("Lookup([t], [a])"), "PRV-0205");
    }
}

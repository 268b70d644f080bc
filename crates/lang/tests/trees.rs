//! Any tree prints to a text that reads back to the same tree, places in the text aside.

mod properties;

use properties::choices::Choices;
use properties::seeds::{rounds, with_seed};
use provost_lang::{Comparison, Expression, Tree, TreeKind, functions};
use provost_model::Value;

fn node(kind: TreeKind) -> Tree {
    Tree { span: 0..0, kind }
}

fn constant(random: &mut Choices<'_>) -> Value {
    const TEXTS: [&str; 8] = ["", "x", "a \"quoted\" text", "\\", "\\\\d+\\\"", "é🦀\n", "[a]", " , ) & "];
    const DECIMALS: [f64; 7] = [0.5, -0.25, 2.0, 1e300, 5e-324, 123_456_789_012_345_680.0, -1e19];
    match random.below(6) {
        0 => Value::Null,
        1 => Value::Boolean(random.below(2) == 0),
        2 => Value::Integer([0, 7, -1, i64::MAX, i64::MIN][random.below(5)]),
        3 => Value::Decimal(DECIMALS[random.below(DECIMALS.len())]),
        _ => Value::text(random.pick(&TEXTS)),
    }
}

fn tree(random: &mut Choices<'_>, depth: usize) -> Tree {
    const ATTRIBUTES: [&str; 6] =
        ["a", "first name", "name.familyName", "emails[type eq \"w]\"].value", "urn:x:2.0:User:y", "Cost [EUR]"];
    const OPERATORS: [Comparison; 6] = [
        Comparison::Equal,
        Comparison::NotEqual,
        Comparison::Less,
        Comparison::LessOrEqual,
        Comparison::Greater,
        Comparison::GreaterOrEqual,
    ];
    if depth == 0 || random.below(6) == 0 {
        return node(match random.below(5) {
            0 | 1 => TreeKind::Constant(constant(random)),
            2 => TreeKind::Word(random.pick(&["vbTextCompare", "HF", "IgnoreAttributeFlow", "name.x", "and"]).into()),
            _ => TreeKind::Attribute(random.pick(&ATTRIBUTES).into()),
        });
    }
    node(match random.below(4) {
        0 => TreeKind::Compare {
            operator: OPERATORS[random.below(OPERATORS.len())],
            left: Box::new(tree(random, depth - 1)),
            right: Box::new(tree(random, depth - 1)),
        },
        1 => {
            let count = 2 + random.below(3);
            TreeKind::Concatenation((0..count).map(|_| tree(random, depth - 1)).collect())
        }
        _ => {
            let names: Vec<&str> = functions().map(|function| function.name).chain(["Unknown", "Ä_1"]).collect();
            let mut arguments: Vec<Option<Tree>> =
                (0..random.below(5)).map(|_| (random.below(4) > 0).then(|| tree(random, depth - 1))).collect();
            // One empty slot and none are the same text.
            if matches!(arguments[..], [None]) {
                arguments.clear();
            }
            TreeKind::Call { name: random.pick(&names).into(), name_span: 0..0, arguments }
        }
    })
}

/// The same tree without places.
fn bare(tree: &Tree) -> Tree {
    node(match &tree.kind {
        TreeKind::Call { name, arguments, .. } => {
            let arguments = arguments.iter().map(|slot| slot.as_ref().map(bare)).collect();
            TreeKind::Call { name: name.clone(), name_span: 0..0, arguments }
        }
        TreeKind::Compare { operator, left, right } => {
            TreeKind::Compare { operator: *operator, left: Box::new(bare(left)), right: Box::new(bare(right)) }
        }
        TreeKind::Concatenation(parts) => TreeKind::Concatenation(parts.iter().map(bare).collect()),
        other => other.clone(),
    })
}

#[test]
fn trees_print_to_texts_that_read_back_soak() {
    with_seed("trees", rounds(), |random| {
        let tree = tree(random, 5);
        let text = tree.to_string();
        if text.chars().count() > provost_lang::MAX_CHARACTERS {
            return;
        }
        let parsed = Expression::parse(&text);
        assert!(parsed.errors.is_empty(), "{text}\n{:?}", parsed.errors);
        assert_eq!(bare(&parsed.tree), tree, "{text}");
        assert_eq!(parsed.tree.to_string(), text);
    });
}

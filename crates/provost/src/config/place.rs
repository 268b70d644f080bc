//! Where in the document a problem is meant: from a path as the engine and the connectors write it
//! (`jobs.hr.objects[0].attributes."name.familyName"`) to the text that is underlined.

use std::ops::Range;

use provost_engine::error::RuleProblem;

use super::document::{Kind, Mark, Node};
use super::scalar;
use crate::problem::{Place, Problem, Source};

/// What a path leads to: the value, and the key above it. Both are of the nearest piece that is there.
#[derive(Debug, Clone, Copy)]
struct Found<'n> {
    node: &'n Node,
    key: Option<&'n Mark>,
    /// Whether the path was followed to its end.
    whole: bool,
}

/// Follows a path as far as it goes. Names may hold dots: the longest key that fits is taken.
fn find<'n>(tree: &'n Node, path: &str) -> Found<'n> {
    let mut found = Found { node: tree, key: None, whole: false };
    let mut rest = path;
    loop {
        rest = rest.strip_prefix('.').unwrap_or(rest);
        if rest.is_empty() {
            return Found { whole: true, ..found };
        }
        let step = match &found.node.kind {
            Kind::Map(entries) => entries
                .iter()
                .filter_map(|entry| Some((entry, after_key(rest, &entry.key)?)))
                .min_by_key(|(_, rest)| rest.len())
                .map(|(entry, rest)| (&entry.value, Some(&entry.mark), rest)),
            Kind::List(items) => after_index(rest).and_then(|(at, rest)| Some((items.get(at)?, None, rest))),
            _ => None,
        };
        let Some((node, key, left)) = step else { return found };
        found = Found { node, key, whole: false };
        rest = left;
    }
}

fn after_key<'p>(path: &'p str, key: &str) -> Option<&'p str> {
    let quoted = path.strip_prefix('"').and_then(|path| path.strip_prefix(key)).and_then(|path| path.strip_prefix('"'));
    let rest = quoted.or_else(|| path.strip_prefix(key))?;
    (rest.is_empty() || rest.starts_with(['.', '['])).then_some(rest)
}

fn after_index(path: &str) -> Option<(usize, &str)> {
    let (digits, rest) = path.strip_prefix('[')?.split_once(']')?;
    Some((digits.parse().ok()?, rest))
}

/// The place of a mark.
pub fn of_mark(source: &Source, mark: &Mark) -> Place {
    if mark.bytes.is_empty() && mark.line > 0 {
        return source.place(line_range(&source.text, mark));
    }
    source.place(mark.bytes.clone())
}

/// From line and column, for marks whose bytes are unknown: the word that stands there.
fn line_range(text: &str, mark: &Mark) -> Range<usize> {
    let line_start = text.split_inclusive('\n').take(mark.line - 1).map(str::len).sum::<usize>();
    let line = text.get(line_start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
    let start = line.char_indices().nth(mark.column.saturating_sub(1)).map_or(line.len(), |(at, _)| at);
    let word = line[start..].find([':', ' ', ',']).unwrap_or(line.len() - start);
    line_start + start..line_start + start + word
}

/// The place a path leads to: the value where it is a scalar, else the key that holds it.
pub fn of_path(source: &Source, tree: &Node, path: &str) -> Place {
    let found = find(tree, path);
    let is_scalar = !matches!(found.node.kind, Kind::List(_) | Kind::Map(_) | Kind::Null);
    match found.key {
        Some(key) if !(is_scalar && found.whole) => of_mark(source, key),
        _ => of_mark(source, &found.node.mark),
    }
}

/// The place of the key that a path ends with.
pub fn of_key(source: &Source, tree: &Node, path: &str) -> Place {
    let found = find(tree, path);
    of_mark(source, found.key.unwrap_or(&found.node.mark))
}

/// The place of some bytes of a text value, however the document writes the text.
fn of_text(source: &Source, tree: &Node, path: &str, text: &str, bytes: &Range<usize>) -> Option<Place> {
    let mut found = find(tree, path);
    if let Some(value) = found.node.entry("value") {
        found.node = &value.value;
    }
    let mark = &found.node.mark.bytes;
    let raw = source.text.get(mark.clone())?;
    let meant = scalar::range(raw, text, bytes)?;
    Some(source.place(mark.start + meant.start..mark.start + meant.end))
}

/// A problem of a job's rules, with its place in the document.
pub fn locate(source: &Source, tree: &Node, problem: &RuleProblem) -> Problem {
    let exact = problem.source.as_ref().and_then(|(text, bytes)| of_text(source, tree, &problem.path, text, bytes));
    let place = exact.unwrap_or_else(|| {
        if problem.of_key { of_key(source, tree, &problem.path) } else { of_path(source, tree, &problem.path) }
    });
    Problem {
        severity: problem.severity,
        code: problem.code.clone(),
        message: problem.message.clone(),
        place: Some(place),
        hint: problem.hint.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::document;
    use super::*;

    const TEXT: &str = r#"jobs:
  hr.to.directory:
    objects:
      - from: person
        attributes:
          name.familyName: "ToLower([last_name)"
          userName: { value: 'Join("@", [login])', apply: create }
          title: >-
            IIF([x],
            "a")
"#;

    #[test]
    fn paths_lead_to_the_text_that_is_meant() {
        let source = Source::new("provost.yaml", TEXT);
        let tree = document::parse(TEXT).0.unwrap();
        for (path, line, column, underlined) in [
            ("jobs.hr.to.directory", 2, 3, "hr.to.directory"),
            ("jobs.hr.to.directory.objects[0].from", 4, 15, "person"),
            ("jobs.hr.to.directory.objects[0].attributes.\"name.familyName\"", 6, 28, "\"ToLower([last_name)\""),
            ("jobs.hr.to.directory.objects[0].match", 4, 9, "from"),
            ("jobs.nobody", 1, 1, "jobs"),
        ] {
            let place = of_path(&source, &tree, path);
            let shown: String =
                place.excerpt.chars().skip(place.underline().start).take(place.underline().len()).collect();
            assert_eq!((place.line, place.column, shown.as_str()), (line, column, underlined), "{path}");
        }
    }

    #[test]
    fn bytes_of_an_expression_are_found_in_its_line() {
        let source = Source::new("provost.yaml", TEXT);
        let tree = document::parse(TEXT).0.unwrap();
        let at = "jobs.hr.to.directory.objects[0].attributes";
        let place =
            of_text(&source, &tree, &format!("{at}.\"name.familyName\""), "ToLower([last_name)", &(8..19)).unwrap();
        assert_eq!((place.line, place.column, place.underline()), (6, 37, 36..47));
        let place = of_text(&source, &tree, &format!("{at}.\"userName\""), "Join(\"@\", [login])", &(10..17)).unwrap();
        assert_eq!((place.line, &TEXT.lines().nth(6).unwrap()[place.underline()]), (7, "[login]"));
        let place = of_text(&source, &tree, &format!("{at}.title"), "IIF([x], \"a\")", &(9..12)).unwrap();
        assert_eq!((place.line, place.column, place.length), (10, 13, 3));
    }
}

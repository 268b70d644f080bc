//! Where the parts of a filter stand in its text. Terms know their own places; paths, which selectors share, are looked for by
//! their canonical text outside of quoted values.

use std::ops::Range;

use provost_model::filter::FilterError;
use provost_model::{AttributePath, Filter, Term};

use crate::LangError;
use crate::error::code;

impl From<FilterError> for LangError {
    fn from(error: FilterError) -> Self {
        let FilterError { message, hint, span, place } = error;
        Self { hint, place, ..LangError::new(code::SYNTAX, span, message) }
    }
}

/// Gives an error of one clause its place: the operand that cannot be used.
pub(super) fn locate(mut error: LangError, term: &Term, source: &str) -> LangError {
    error.span = term.spans.operand.clone();
    error.locate(source)
}

pub(super) fn attribute_places(source: &str) -> Vec<(AttributePath, Range<usize>)> {
    let Ok(filter) = source.parse::<Filter>() else { return Vec::new() };
    let mut places: Vec<(AttributePath, Range<usize>)> = Vec::new();
    filter.for_each_path(&mut |path| {
        if !places.iter().any(|(known, _)| known == path) {
            let found = find(source, &path.to_string()).or_else(|| find(source, &path.name));
            places.push((path.clone(), found.unwrap_or(0..source.len())));
        }
    });
    places
}

/// The first place where a piece stands as whole words, in any letter case, not inside a quoted value.
fn find(source: &str, piece: &str) -> Option<Range<usize>> {
    let is_word = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '-' | '.' | ':' | '$');
    let (mut quoted, mut escaped, mut before) = (false, false, None::<char>);
    for (at, letter) in source.char_indices() {
        let end = at + piece.len();
        if !quoted
            && !before.is_some_and(is_word)
            && source.get(at..end).is_some_and(|text| text.eq_ignore_ascii_case(piece))
            && !source[end..].starts_with(is_word)
        {
            return Some(at..end);
        }
        match letter {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => {}
        }
        before = Some(letter);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_found_as_whole_words_outside_of_values() {
        for (source, piece, found) in [
            (r#"mail eq "a""#, "mail", Some(0..4)),
            (r#"title eq "b mail" and MAIL pr"#, "mail", Some(22..26)),
            (r#"email pr and mail.x pr and mail pr"#, "mail", Some(27..31)),
            (r#"a eq "\" mail" and mail pr"#, "mail", Some(19..23)),
            ("städte pr and ä pr", "ä", Some(15..17)),
            ("a pr", "b", None),
        ] {
            assert_eq!(find(source, piece), found, "{source}");
        }
    }
}

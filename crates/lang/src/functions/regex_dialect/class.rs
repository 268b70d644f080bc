//! Character classes: `[a-z]`, `[^\d.]`, and .NET's subtraction `[a-z-[aeiou]]`, which is `[a-z--[aeiou]]` in Rust.

use super::escape::{self, Escape, Scan, literal};

/// Classes in classes nested deeper are refused.
const MAX_DEPTH: usize = 20;

/// What one step of a class adds.
enum Member {
    Character(char),
    Class(String),
}

/// Appends the class whose opening bracket was read, with its closing one.
pub(super) fn translate(scan: &mut Scan<'_>, out: &mut String, depth: usize) -> Result<(), String> {
    if depth > MAX_DEPTH {
        return Err(format!("classes are nested deeper than {MAX_DEPTH}"));
    }
    let is_negated = scan.eat("^");
    let mut members = String::new();
    let mut removed = None;
    let mut is_first = true;
    loop {
        let Some(c) = scan.peek() else { return Err("unclosed character class".to_owned()) };
        match c {
            // A bracket that opens a class may be followed by a literal one.
            ']' if !is_first => {
                scan.next();
                break;
            }
            '-' if !is_first && scan.rest[1..].starts_with('[') => {
                scan.rest = &scan.rest[2..];
                removed = Some(subtracted(scan, depth)?);
                break;
            }
            _ => {
                if let Some(class) = member(scan, &mut members, depth)? {
                    removed = Some(class);
                    break;
                }
            }
        }
        is_first = false;
    }
    let class = format!("[{}{members}]", if is_negated { "^" } else { "" });
    match removed {
        // Brackets round the first part, because Rust would negate the difference as a whole.
        Some(removed) => out.extend(["[", &class, "--", &removed, "]"]),
        None => out.push_str(&class),
    }
    Ok(())
}

/// The class that is taken away; the outer one must end behind it.
fn subtracted(scan: &mut Scan<'_>, depth: usize) -> Result<String, String> {
    let mut removed = String::new();
    translate(scan, &mut removed, depth + 1)?;
    if !scan.eat("]") {
        return Err("what a class takes away (-[…]) must be the last in it".to_owned());
    }
    Ok(removed)
}

/// A character, a range or an escape. `[a-[…]]` looks like a range at first: then the result is what is taken away.
fn member(scan: &mut Scan<'_>, members: &mut String, depth: usize) -> Result<Option<String>, String> {
    let first = match one(scan)? {
        Member::Class(class) => {
            members.push_str(&class);
            return Ok(None);
        }
        Member::Character(first) => first,
    };
    literal(members, first);
    let mut behind = scan.rest.chars();
    if behind.next() != Some('-') || matches!(behind.next(), None | Some(']')) {
        return Ok(None);
    }
    scan.next();
    if scan.eat("[") {
        return subtracted(scan, depth).map(Some);
    }
    match one(scan)? {
        Member::Character(last) if first <= last => {
            members.push('-');
            literal(members, last);
            Ok(None)
        }
        Member::Character(last) => Err(format!("the range `{first}-{last}` runs backwards")),
        Member::Class(class) => Err(format!("a range cannot end in `{class}`")),
    }
}

fn one(scan: &mut Scan<'_>) -> Result<Member, String> {
    match scan.next() {
        Some('\\') => match escape::read(scan, true)? {
            Escape::Character(c) => Ok(Member::Character(c)),
            Escape::Class(class) => Ok(Member::Class(class)),
            Escape::Place(place) => Err(format!("`{place}` has no meaning in a class")),
        },
        Some(c) => Ok(Member::Character(c)),
        None => Err("unclosed character class".to_owned()),
    }
}

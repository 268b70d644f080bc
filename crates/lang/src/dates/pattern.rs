//! .NET date and time patterns, custom (`yyyy-MM-dd`) and standard (`s`), for the invariant culture.
//!
//! Reading is a little more lenient than .NET's ParseExact: `MM`, `dd`, `HH` and their like take one digit too, and blanks
//! around the text are skipped. Years take exactly as many digits as the pattern has letters, so that `1/2/24` is refused
//! by `M/d/yyyy` and not taken for the year 24. What a pattern does not name is the first of January of the year 1,
//! midnight, UTC.

use jiff::civil::{DateTime, Time};

use super::read::{Scanner, century, civil, clock, to_utc};
use super::{MONTHS, WEEKDAYS};

/// A pattern, read once.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Pattern {
    pub(super) parts: Vec<Part>,
}

/// One piece of a pattern; the number is how often its letter stands there.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Part {
    Literal(String),
    Year(usize),
    Month(usize),
    Day(usize),
    Hour12(usize),
    Hour24(usize),
    Minute(usize),
    Second(usize),
    /// `f` prints all its digits.
    Fraction(usize),
    /// `F` leaves trailing zeros out, and with them a point before it.
    ShortFraction {
        count: usize,
        has_point: bool,
    },
    Half(usize),
    Offset(usize),
    /// `K`: an offset, `Z` or nothing.
    Zone,
    Era,
}

impl Pattern {
    /// The pattern of a text, or why it is none.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut letters = text.chars();
        if let (Some(letter), None) = (letters.next(), letters.next()) {
            return match standard(letter) {
                Some(custom) => Self::parse(custom),
                None if is_specifier(letter) => {
                    Err(format!("`{letter}` is no standard date pattern; a lone specifier is written %{letter}"))
                }
                None => Err(format!("`{letter}` is no standard date pattern; those are {STANDARD}")),
            };
        }
        let mut parts: Vec<Part> = Vec::new();
        let mut rest = text.chars().peekable();
        while let Some(c) = rest.next() {
            match c {
                '\\' => match rest.next() {
                    Some(escaped) => literal(&mut parts, escaped),
                    None => return Err("the pattern ends in a lone backslash".to_owned()),
                },
                '\'' | '"' => loop {
                    // A backslash escapes inside quotes, too.
                    match rest.next() {
                        Some(end) if end == c => break,
                        Some('\\') => match rest.next() {
                            Some(escaped) => literal(&mut parts, escaped),
                            None => return Err(format!("the pattern lacks a closing {c}")),
                        },
                        Some(inner) => literal(&mut parts, inner),
                        None => return Err(format!("the pattern lacks a closing {c}")),
                    }
                },
                '%' if rest.peek().is_some_and(|next| *next != '%') => {}
                '%' => return Err("`%` stands before one specifier, as in %d".to_owned()),
                letter if is_specifier(letter) => {
                    let mut count = 1;
                    while rest.next_if_eq(&letter).is_some() {
                        count += 1;
                    }
                    let has_point = letter == 'F' && takes_point(&mut parts);
                    parts.push(specifier(letter, count, has_point)?);
                }
                other => literal(&mut parts, other),
            }
        }
        if parts.is_empty() { Err("the pattern is empty".to_owned()) } else { Ok(Self { parts }) }
    }

    /// The date-time in UTC that the text gives by this pattern; `None` where it does not fit. With `skips_blanks` they may
    /// stand between any two parts.
    pub(crate) fn read(&self, text: &str, skips_blanks: bool) -> Option<DateTime> {
        let mut scanner = Scanner { rest: text.trim() };
        let (mut year, mut month, mut day) = (1, 1, 1);
        let (mut hour, mut minute, mut second, mut nanosecond) = (0, 0, 0, 0);
        let (mut offset, mut half) = (0, None);
        for part in &self.parts {
            if skips_blanks {
                scanner.blanks();
            }
            match part {
                Part::Literal(text) if text.trim().is_empty() => {
                    scanner.blanks();
                }
                Part::Literal(text) => scanner.eat(text).then_some(())?,
                Part::Year(1) => year = century(scanner.digits(2)?.0),
                Part::Year(count) => {
                    let (number, digits) = scanner.digits(*count)?;
                    (digits == *count).then_some(())?;
                    year = if digits == 2 { century(number) } else { number };
                }
                Part::Month(1 | 2) => month = scanner.digits(2)?.0,
                Part::Month(_) => month = scanner.name(&MONTHS)? as i64 + 1,
                Part::Day(1 | 2) => day = scanner.digits(2)?.0,
                Part::Day(_) => drop(scanner.name(&WEEKDAYS)?),
                Part::Hour12(_) => {
                    hour = scanner.digits(2)?.0;
                    if !(1..=12).contains(&hour) {
                        return None;
                    }
                }
                Part::Hour24(_) => hour = scanner.digits(2)?.0,
                Part::Minute(_) => minute = scanner.digits(2)?.0,
                Part::Second(_) => second = scanner.digits(2)?.0,
                Part::Fraction(count) => {
                    let (number, digits) = scanner.digits(*count)?;
                    (digits == *count).then_some(())?;
                    nanosecond = number * 10i64.pow(9 - digits as u32);
                }
                Part::ShortFraction { count, has_point } => {
                    if (!has_point || scanner.eat("."))
                        && let Some((number, digits)) = scanner.digits(*count)
                    {
                        nanosecond = number * 10i64.pow(9 - digits as u32);
                    }
                }
                Part::Half(count) => {
                    let names = if *count == 1 { ["A", "P"] } else { ["AM", "PM"] };
                    half = Some(if scanner.eat(names[0]) { 0 } else { scanner.eat(names[1]).then_some(12)? });
                }
                Part::Offset(_) => offset = scanner.offset()?,
                Part::Zone => {
                    if scanner.rest.starts_with(['Z', 'z', '+', '-']) {
                        offset = scanner.offset()?;
                    }
                }
                Part::Era => drop(scanner.eat("A.D.") || scanner.eat("AD")),
            }
        }
        scanner.rest.trim().is_empty().then_some(())?;
        let has_face = self.parts.iter().any(|part| matches!(part, Part::Hour12(_)));
        match half {
            Some(half) if has_face => hour = hour % 12 + half,
            // .NET reads twelve on a clock face without its half as midnight.
            None if has_face => hour %= 12,
            Some(half) if (half == 12) != (hour >= 12) => return None,
            _ => {}
        }
        let time: Time = clock(hour, minute, second, nanosecond)?;
        to_utc(civil(year, month, day)?.to_datetime(time), offset)
    }
}

fn literal(parts: &mut Vec<Part>, c: char) {
    match parts.last_mut() {
        Some(Part::Literal(text)) => text.push(c),
        _ => parts.push(Part::Literal(c.to_string())),
    }
}

/// Takes the point before `F` out of the literal that ends in it.
fn takes_point(parts: &mut Vec<Part>) -> bool {
    let Some(Part::Literal(text)) = parts.last_mut() else { return false };
    if !text.ends_with('.') {
        return false;
    }
    text.pop();
    if text.is_empty() {
        parts.pop();
    }
    true
}

fn is_specifier(letter: char) -> bool {
    "dfFghHKmMstyz".contains(letter)
}

fn specifier(letter: char, count: usize, has_point: bool) -> Result<Part, String> {
    Ok(match letter {
        'y' if count > 9 => return Err("more than nine digits of a year".to_owned()),
        'y' => Part::Year(count),
        'M' => Part::Month(count),
        'd' => Part::Day(count),
        'h' => Part::Hour12(count),
        'H' => Part::Hour24(count),
        'm' => Part::Minute(count),
        's' => Part::Second(count),
        't' => Part::Half(count),
        'z' => Part::Offset(count),
        'g' => Part::Era,
        'K' => Part::Zone,
        'f' | 'F' if count > 7 => return Err("more than seven digits of a second".to_owned()),
        'f' => Part::Fraction(count),
        _ => Part::ShortFraction { count, has_point },
    })
}

/// The letters of the standard patterns, for messages.
const STANDARD: &str = "d D f F g G m o r s t T u U y";

/// The custom pattern of a standard one, in the invariant culture.
fn standard(letter: char) -> Option<&'static str> {
    Some(match letter {
        'd' => "MM/dd/yyyy",
        'D' => "dddd, dd MMMM yyyy",
        'f' => "dddd, dd MMMM yyyy HH:mm",
        'F' | 'U' => "dddd, dd MMMM yyyy HH:mm:ss",
        'g' => "MM/dd/yyyy HH:mm",
        'G' => "MM/dd/yyyy HH:mm:ss",
        'm' | 'M' => "MMMM dd",
        'o' | 'O' => "yyyy'-'MM'-'dd'T'HH':'mm':'ss'.'fffffffK",
        'r' | 'R' => "ddd, dd MMM yyyy HH':'mm':'ss 'GMT'",
        's' => "yyyy'-'MM'-'dd'T'HH':'mm':'ss",
        't' => "HH:mm",
        'T' => "HH:mm:ss",
        'u' => "yyyy'-'MM'-'dd HH':'mm':'ss'Z'",
        'y' | 'Y' => "yyyy MMMM",
        _ => return None,
    })
}

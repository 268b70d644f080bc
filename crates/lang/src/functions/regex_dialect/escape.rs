//! What stands behind a backslash in a .NET pattern.

use std::fmt::Write as _;

/// The rest of a pattern that is read from the left.
pub(super) struct Scan<'p> {
    pub(super) rest: &'p str,
}

impl<'p> Scan<'p> {
    pub(super) fn next(&mut self) -> Option<char> {
        let c = self.rest.chars().next()?;
        self.rest = &self.rest[c.len_utf8()..];
        Some(c)
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    pub(super) fn eat(&mut self, prefix: &str) -> bool {
        match self.rest.strip_prefix(prefix) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Up to an end, which is read too.
    pub(super) fn until(&mut self, end: char) -> Option<&'p str> {
        let (text, rest) = self.rest.split_once(end)?;
        self.rest = rest;
        Some(text)
    }

    /// Up to `most` digits of a base, as a number and how many there were.
    fn number(&mut self, base: u32, most: usize) -> (u32, usize) {
        let digits = self.rest.chars().take(most).map_while(|c| c.to_digit(base));
        let (number, count) = digits.fold((0, 0), |(number, count), digit| (number * base + digit, count + 1));
        self.rest = &self.rest[count..];
        (number, count)
    }
}

/// What an escape means.
#[derive(Debug, PartialEq)]
pub(super) enum Escape {
    Character(char),
    /// Several characters, as Rust writes them: `\d`, `\p{Lu}`, `[\u{370}-\u{3FF}]`.
    Class(String),
    /// A place between characters, as Rust writes it.
    Place(&'static str),
}

/// Reads behind the backslash.
pub(super) fn read(scan: &mut Scan<'_>, in_class: bool) -> Result<Escape, String> {
    let c = scan.next().ok_or("the pattern ends in a lone backslash")?;
    Ok(match c {
        'd' | 'D' | 'w' | 'W' | 's' | 'S' => Escape::Class(format!("\\{c}")),
        'p' | 'P' => Escape::Class(property(scan, c == 'P')?),
        'b' if in_class => Escape::Character('\u{8}'),
        'b' if !in_class => Escape::Place("\\b"),
        'B' if !in_class => Escape::Place("\\B"),
        'A' if !in_class => Escape::Place("\\A"),
        // .NET's \Z also matches before a last newline, which needs looking ahead.
        'z' | 'Z' if !in_class => Escape::Place("\\z"),
        'G' if !in_class => return Err("\\G (where the last match ended) is not supported".to_owned()),
        'k' if !in_class => return Err(no_back_reference()),
        '0' => octal(scan, 0)?,
        '1'..='7' if in_class => octal(scan, c.to_digit(8).unwrap_or_default())?,
        '1'..='9' if !in_class => return Err(no_back_reference()),
        'x' => Escape::Character(hexadecimal(scan, 'x', 2)?),
        'u' => Escape::Character(hexadecimal(scan, 'u', 4)?),
        'c' => control(scan)?,
        'a' => Escape::Character('\u{7}'),
        'e' => Escape::Character('\u{1B}'),
        'f' => Escape::Character('\u{C}'),
        'n' => Escape::Character('\n'),
        'r' => Escape::Character('\r'),
        't' => Escape::Character('\t'),
        'v' => Escape::Character('\u{B}'),
        c if c.is_ascii_alphanumeric() => return Err(format!("`\\{c}` is no escape")),
        c => Escape::Character(c),
    })
}

fn no_back_reference() -> String {
    "backreferences are not supported, since the engine never searches twice".to_owned()
}

/// `\0`, `\012`
fn octal(scan: &mut Scan<'_>, first: u32) -> Result<Escape, String> {
    let (rest, count) = scan.number(8, 2);
    let code = (first * 8u32.pow(count as u32) + rest) & 0xFF;
    char::from_u32(code).map(Escape::Character).ok_or_else(|| "no character has this octal code".to_owned())
}

fn hexadecimal(scan: &mut Scan<'_>, letter: char, digits: usize) -> Result<char, String> {
    let (code, count) = scan.number(16, digits);
    if count < digits {
        return Err(format!("`\\{letter}` takes {digits} hexadecimal digits"));
    }
    char::from_u32(code)
        .ok_or_else(|| format!("`\\{letter}{code:04X}` is half a character; write the character itself instead"))
}

/// `\cA` is Ctrl+A, character 1.
fn control(scan: &mut Scan<'_>) -> Result<Escape, String> {
    let letter = scan.next().map(|c| c.to_ascii_uppercase()).filter(|c| ('@'..='_').contains(c));
    let code = letter.map(|letter| (letter as u8 - b'@') as char);
    code.map(Escape::Character).ok_or_else(|| "`\\c` takes a letter, as in \\cA for Ctrl+A".to_owned())
}

/// The blocks of characters that .NET names and that occur in names and addresses.
const BLOCKS: &[(&str, u32, u32)] = &[
    ("BasicLatin", 0x0, 0x7F),
    ("Latin-1Supplement", 0x80, 0xFF),
    ("LatinExtended-A", 0x100, 0x17F),
    ("LatinExtended-B", 0x180, 0x24F),
    ("IPAExtensions", 0x250, 0x2AF),
    ("SpacingModifierLetters", 0x2B0, 0x2FF),
    ("CombiningDiacriticalMarks", 0x300, 0x36F),
    ("Greek", 0x370, 0x3FF),
    ("GreekandCoptic", 0x370, 0x3FF),
    ("Cyrillic", 0x400, 0x4FF),
    ("CyrillicSupplement", 0x500, 0x52F),
    ("Armenian", 0x530, 0x58F),
    ("Hebrew", 0x590, 0x5FF),
    ("Arabic", 0x600, 0x6FF),
    ("Devanagari", 0x900, 0x97F),
    ("Bengali", 0x980, 0x9FF),
    ("Tamil", 0xB80, 0xBFF),
    ("Thai", 0xE00, 0xE7F),
    ("Georgian", 0x10A0, 0x10FF),
    ("HangulJamo", 0x1100, 0x11FF),
    ("LatinExtendedAdditional", 0x1E00, 0x1EFF),
    ("GreekExtended", 0x1F00, 0x1FFF),
    ("GeneralPunctuation", 0x2000, 0x206F),
    ("CurrencySymbols", 0x20A0, 0x20CF),
    ("Hiragana", 0x3040, 0x309F),
    ("Katakana", 0x30A0, 0x30FF),
    ("CJKUnifiedIdeographs", 0x4E00, 0x9FFF),
    ("HangulSyllables", 0xAC00, 0xD7AF),
    ("HalfwidthandFullwidthForms", 0xFF00, 0xFFEF),
];

/// `\p{Lu}` is the same in both dialects. `\p{IsGreek}` names a block in .NET; Rust would take it for a script.
fn property(scan: &mut Scan<'_>, is_negated: bool) -> Result<String, String> {
    let letter = if is_negated { 'P' } else { 'p' };
    let name = if scan.eat("{") { scan.until('}') } else { None };
    let name = name.ok_or_else(|| format!("`\\{letter}` takes a name in braces, as in \\{letter}{{Lu}}"))?;
    let Some(block) = name.strip_prefix("Is") else { return Ok(format!("\\{letter}{{{name}}}")) };
    let (_, first, last) = BLOCKS
        .iter()
        .find(|(known, ..)| *known == block)
        .ok_or_else(|| format!("the block `{name}` is not known here; write its range, as in [\\u0370-\\u03FF]"))?;
    let mut out = String::new();
    // Writing into a text cannot fail.
    let _ = write!(out, "[{}\\x{{{first:X}}}-\\x{{{last:X}}}]", if is_negated { "^" } else { "" });
    Ok(out)
}

/// A character that stands for itself, wherever it is put.
pub(super) fn literal(out: &mut String, c: char) {
    if c.is_alphanumeric() || matches!(c, '_' | '@' | '%' | '!' | ';' | '"' | '\'' | ',') {
        out.push(c);
    } else {
        // Writing into a text cannot fail.
        let _ = write!(out, "\\x{{{:X}}}", u32::from(c));
    }
}

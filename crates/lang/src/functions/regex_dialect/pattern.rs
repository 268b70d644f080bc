//! A .NET pattern in Rust's dialect. Every construct is either the same in both, translated, or refused with its reason;
//! nothing that the dialects read differently passes unseen.

use super::class;
use super::escape::{self, Escape, Scan, literal};

pub(super) fn translate(pattern: &str) -> Result<String, String> {
    let mut translator = Translator {
        scan: Scan { rest: pattern },
        out: String::with_capacity(pattern.len() + 8),
        is_free: vec![false],
        repeats: Repeats::Nothing,
    };
    while let Some(c) = translator.scan.next() {
        translator.step(c)?;
    }
    Ok(translator.out)
}

/// What a quantifier would repeat.
#[derive(Clone, Copy, PartialEq)]
enum Repeats {
    /// There is nothing before it.
    Nothing,
    Item,
    /// There is a quantifier already.
    Quantifier,
}

struct Translator<'p> {
    scan: Scan<'p>,
    out: String,
    /// For each open group whether white space and comments are skipped in it: the flag `x`, which is done here, so that
    /// Rust's different rules for it do not matter.
    is_free: Vec<bool>,
    repeats: Repeats,
}

impl Translator<'_> {
    fn step(&mut self, c: char) -> Result<(), String> {
        let is_free = self.is_free.last().copied().unwrap_or_default();
        match c {
            '\\' => match escape::read(&mut self.scan, false)? {
                Escape::Character(c) => literal(&mut self.out, c),
                Escape::Class(class) => self.out.push_str(&class),
                Escape::Place(place) => self.out.push_str(place),
            },
            '[' => class::translate(&mut self.scan, &mut self.out, 0)?,
            '(' => return self.group(),
            ')' => {
                // One too many is the engine's to report.
                if self.is_free.len() > 1 {
                    self.is_free.pop();
                }
                self.out.push(')');
            }
            '|' => {
                self.out.push('|');
                self.repeats = Repeats::Nothing;
                return Ok(());
            }
            '*' | '+' | '?' => return self.quantifier(c.to_string()),
            '{' => match self.counted() {
                Some(count) => return self.quantifier(count),
                // A brace that is no quantifier stands for itself.
                None => literal(&mut self.out, '{'),
            },
            c if is_free && c.is_whitespace() => return Ok(()),
            '#' if is_free => {
                self.scan.rest = self.scan.rest.split_once('\n').map_or("", |(_, rest)| rest);
                return Ok(());
            }
            '.' | '^' | '$' => self.out.push(c),
            c => literal(&mut self.out, c),
        }
        self.repeats = Repeats::Item;
        Ok(())
    }

    /// `{2}`, `{2,}`, `{2,5}`; the opening brace was read.
    fn counted(&mut self) -> Option<String> {
        let (inner, rest) = self.scan.rest.split_once('}')?;
        let (least, most) = inner.split_once(',').unwrap_or((inner, ""));
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number(least) || !(most.is_empty() || is_number(most)) {
            return None;
        }
        self.scan.rest = rest;
        Some(format!("{{{inner}}}"))
    }

    fn quantifier(&mut self, quantifier: String) -> Result<(), String> {
        match self.repeats {
            Repeats::Item => {}
            Repeats::Nothing => return Err(format!("`{quantifier}` follows nothing that it could repeat")),
            Repeats::Quantifier => {
                return Err(format!("`{quantifier}` follows a quantifier; put brackets round what both repeat"));
            }
        }
        self.out.push_str(&quantifier);
        if self.scan.eat("?") {
            self.out.push('?');
        }
        self.repeats = Repeats::Quantifier;
        Ok(())
    }

    /// Behind an opening bracket.
    fn group(&mut self) -> Result<(), String> {
        if self.scan.eat("?#") {
            // A comment is nothing: what stands behind it may repeat what stands before it.
            return self.scan.until(')').map(drop).ok_or_else(|| "unclosed comment".to_owned());
        }
        let mut is_free = self.is_free.last().copied().unwrap_or_default();
        if !self.scan.eat("?") {
            self.out.push('(');
        } else if self.scan.eat(":") {
            self.out.push_str("(?:");
        } else if ["=", "!", "<=", "<!"].iter().any(|sign| self.scan.rest.starts_with(sign)) {
            return Err("look-around is not supported, since the engine never searches twice".to_owned());
        } else if self.scan.eat(">") {
            return Err("atomic groups are not needed here: the engine never goes back; write (?:…)".to_owned());
        } else if self.scan.eat("(") {
            return Err("alternatives that depend on a condition (?(…)…|…) are not supported".to_owned());
        } else if self.scan.eat("<") || self.scan.eat("P<") {
            self.named('>')?;
        } else if self.scan.eat("'") {
            self.named('\'')?;
        } else {
            match self.flags(&mut is_free)? {
                // `(?i)` holds to the end of the group around it.
                None => {
                    if let Some(last) = self.is_free.last_mut() {
                        *last = is_free;
                    }
                    self.repeats = Repeats::Nothing;
                    return Ok(());
                }
                Some(opening) => self.out.push_str(&opening),
            }
        }
        self.is_free.push(is_free);
        self.repeats = Repeats::Nothing;
        Ok(())
    }

    fn named(&mut self, end: char) -> Result<(), String> {
        let name = self.scan.until(end).ok_or("unclosed group name")?;
        if name.contains('-') {
            return Err("balancing groups (?<a-b>…) are not supported".to_owned());
        }
        if name.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(format!("the group `{name}` has a number for a name; use a word"));
        }
        self.out.push_str("(?<");
        self.out.push_str(name);
        self.out.push('>');
        Ok(())
    }

    /// `(?i-s:` gives the opening of its group, `(?i)` none.
    fn flags(&mut self, is_free: &mut bool) -> Result<Option<String>, String> {
        let (mut on, mut off, mut is_off) = (String::new(), String::new(), false);
        loop {
            match self.scan.next() {
                Some('x') => *is_free = !is_off,
                Some(flag @ ('i' | 'm' | 's')) if is_off => off.push(flag),
                Some(flag @ ('i' | 'm' | 's')) => on.push(flag),
                Some('-') if !is_off => is_off = true,
                Some('n') => {
                    return Err("the flag `n` is not supported; write (?:…) for groups without number".to_owned());
                }
                Some(end @ (')' | ':')) => {
                    let minus = if off.is_empty() { "" } else { "-" };
                    let flags = format!("(?{on}{minus}{off}");
                    if end == ':' {
                        return Ok(Some(flags + ":"));
                    }
                    if flags.len() > 2 {
                        self.out.push_str(&flags);
                        self.out.push(')');
                    }
                    return Ok(None);
                }
                Some(other) => return Err(format!("`{other}` is no flag; groups start with (?<name>, (?: or (?i")),
                None => return Err("unclosed group".to_owned()),
            }
        }
    }
}

//! Id and version out of the answer to a write, without reading the rest of it.
//!
//! A target sends back all that it was just sent, of which nobody wants to know more than these two. Only answers in the
//! RFC's own words are skimmed; for the others there is [`parse_resource`](super::parse_resource).

/// The `id` and the `meta.version` of a resource. `None` when it has to be read properly: another spelling, an id that is
/// no plain text, no JSON object at all.
pub fn skim_resource(body: &[u8]) -> Option<(&str, Option<&str>)> {
    let (mut id, mut version) = (None, None);
    let rest = members(body.trim_ascii(), |key, value| {
        match key {
            b"id" if id.is_none() => id = Some(plain(value)?),
            b"meta" if version.is_none() => version = Some(version_of(value)?),
            key if key.eq_ignore_ascii_case(b"id") || key.eq_ignore_ascii_case(b"meta") => return None,
            _ => {}
        }
        Some(())
    })?;
    let id = id.filter(|id| !id.is_empty() && rest.is_empty())?;
    Some((id, version.flatten()))
}

fn version_of(meta: &[u8]) -> Option<Option<&str>> {
    if meta == b"null" {
        return Some(None);
    }
    let mut version = None;
    members(meta, |key, value| {
        if key.eq_ignore_ascii_case(b"version") {
            if key != b"version" || version.is_some() {
                return None;
            }
            version = Some(plain(value)?);
        }
        Some(())
    })?;
    Some(version.filter(|version| !version.is_empty()))
}

/// Shows each member of the object at the beginning of `json`, and returns what follows it.
fn members<'a>(json: &'a [u8], mut show: impl FnMut(&'a [u8], &'a [u8]) -> Option<()>) -> Option<&'a [u8]> {
    let mut rest = json.strip_prefix(b"{")?.trim_ascii_start();
    if let Some(rest) = rest.strip_prefix(b"}") {
        return Some(rest);
    }
    loop {
        let (key, after) = rest.split_at(string(rest)?);
        let value = after.trim_ascii_start().strip_prefix(b":")?.trim_ascii_start();
        let (value, after) = value.split_at(extent(value)?);
        show(unquoted(key)?, value)?;
        let after = after.trim_ascii_start();
        match after.split_first()? {
            (b',', next) => rest = next.trim_ascii_start(),
            (b'}', next) => return Some(next),
            _ => return None,
        }
    }
}

/// The length of the value at the beginning.
fn extent(json: &[u8]) -> Option<usize> {
    match json.first()? {
        b'"' => string(json),
        b'{' | b'[' => {
            let (mut depth, mut at) = (0_usize, 0);
            loop {
                match json.get(at)? {
                    b'"' => {
                        at += string(json.get(at..)?)?;
                        continue;
                    }
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' => depth -= 1,
                    _ => {}
                }
                at += 1;
                if depth == 0 {
                    return Some(at);
                }
            }
        }
        _ => {
            let ends = |byte: &u8| matches!(byte, b',' | b'}' | b']') || byte.is_ascii_whitespace();
            json.iter().position(ends).filter(|length| *length > 0)
        }
    }
}

/// The length of the string at the beginning, quotes included.
fn string(json: &[u8]) -> Option<usize> {
    let mut at = json.first().filter(|byte| **byte == b'"').map(|_| 1)?;
    loop {
        at += quote_or_escape(json.get(at..)?)?;
        if json[at] == b'"' {
            return Some(at + 1);
        }
        at += 2;
    }
}

/// Eight bytes at a time: an answer is mostly texts.
fn quote_or_escape(text: &[u8]) -> Option<usize> {
    const ONES: u64 = u64::MAX / 0xff;
    // The lowest bit that is set belongs to the first byte that is zero; those above it may mislead.
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word & (ONES << 7);
    let (words, rest) = text.as_chunks::<8>();
    for (at, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let found = zeros(word ^ (ONES * u64::from(b'"'))) | zeros(word ^ (ONES * u64::from(b'\\')));
        if found != 0 {
            return Some(at * 8 + found.trailing_zeros() as usize / 8);
        }
    }
    let found = rest.iter().position(|byte| matches!(byte, b'"' | b'\\'))?;
    Some(words.len() * 8 + found)
}

/// What is between the quotes, when it stands for itself.
fn unquoted(string: &[u8]) -> Option<&[u8]> {
    let inner = string.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    (!inner.contains(&b'\\')).then_some(inner)
}

fn plain(value: &[u8]) -> Option<&str> {
    std::str::from_utf8(unquoted(value)?).ok()
}

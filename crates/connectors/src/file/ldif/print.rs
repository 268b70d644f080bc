//! LDIF lines (RFC 2849): base64 where a value is not safe as it stands, folded at 76 columns.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

const COLUMNS: usize = 76;

/// Appends `name: value`, or `name:: base64`, with its line end.
pub(in crate::file) fn line(out: &mut Vec<u8>, name: &str, value: &[u8], end: &[u8]) {
    let mut text = name.as_bytes().to_vec();
    if is_safe(value) {
        text.push(b':');
        if !value.is_empty() {
            text.push(b' ');
        }
        text.extend_from_slice(value);
    } else {
        text.extend_from_slice(b":: ");
        text.extend_from_slice(STANDARD.encode(value).as_bytes());
    }
    // All of it is ASCII, so any place will do.
    let (first, rest) = text.split_at(text.len().min(COLUMNS));
    out.extend_from_slice(first);
    out.extend_from_slice(end);
    for more in rest.chunks(COLUMNS - 1) {
        out.push(b' ');
        out.extend_from_slice(more);
        out.extend_from_slice(end);
    }
}

/// SAFE-STRING, and no blank at its end (RFC 2849 note 8).
fn is_safe(value: &[u8]) -> bool {
    let begins = !matches!(value.first(), Some(b' ' | b':' | b'<'));
    let ends = value.last() != Some(&b' ');
    begins && ends && value.iter().all(|byte| matches!(byte, 1..=127) && !matches!(byte, b'\n' | b'\r'))
}

//! Paths of a PATCH: read, printed, read again, applied. Any text, or pieces chosen by the bytes.
#![no_main]

#[path = "../../crates/scim/tests/properties/mod.rs"]
mod properties;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    // Half of the inputs each: letters are below 128.
    let Some((first, rest)) = bytes.split_first() else { return };
    if *first >= 128 {
        let text = properties::texts::path(&mut properties::choices::Choices::Bytes(rest));
        properties::path_holds(&text);
    } else if let Ok(text) = std::str::from_utf8(bytes) {
        properties::path_holds(text);
    }
});

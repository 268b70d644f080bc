//! Bulk requests: read and put in order, references found and resolved. Any text, or operations chosen by the bytes.
#![no_main]

#[path = "../../crates/scim/tests/properties/mod.rs"]
mod properties;

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use provost_scim::Registry;

static TYPES: LazyLock<Registry> = LazyLock::new(Registry::core);

fuzz_target!(|bytes: &[u8]| {
    let Some((first, rest)) = bytes.split_first() else { return };
    if *first >= 128 {
        let text = properties::texts::bulk(&mut properties::choices::Choices::Bytes(rest));
        properties::bulk_holds(&text, &TYPES);
    } else if let Ok(text) = std::str::from_utf8(bytes) {
        properties::bulk_holds(text, &TYPES);
    }
});

//! Filters: read, printed, read again, compiled, matched. Any text, or clauses chosen by the bytes.
#![no_main]

#[path = "../../crates/lang/tests/properties/mod.rs"]
mod properties;

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use provost_model::Attributes;

static RECORD: LazyLock<Attributes> = LazyLock::new(properties::record);

fuzz_target!(|bytes: &[u8]| {
    // Half of the inputs each: letters are below 128.
    let Some((first, rest)) = bytes.split_first() else { return };
    if *first >= 128 {
        let text = properties::texts::filter(&mut properties::choices::Choices::Bytes(rest));
        properties::filter_holds(&text, &RECORD);
    } else if let Ok(text) = std::str::from_utf8(bytes) {
        properties::filter_holds(text, &RECORD);
    }
});

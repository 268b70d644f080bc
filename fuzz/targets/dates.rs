//! Dates and date patterns: any two texts, or pieces of dates chosen by the bytes.
#![no_main]

#[path = "../../crates/lang/tests/properties/mod.rs"]
mod properties;

use libfuzzer_sys::fuzz_target;
use properties::choices::Choices;

fuzz_target!(|bytes: &[u8]| {
    // Half of the inputs each: letters are below 128.
    let Some((first, rest)) = bytes.split_first() else { return };
    if *first >= 128 {
        let (date, pattern) = properties::texts::date_and_pattern(&mut Choices::Bytes(rest));
        properties::date_holds(&date, &pattern);
    } else if let Ok(text) = std::str::from_utf8(bytes) {
        let (date, pattern) = text.split_once('\n').unwrap_or((text, text));
        properties::date_holds(date, pattern);
    }
});

//! Any text as an expression: reading, checking, printing, and the value where it compiles.
#![no_main]

#[path = "../../crates/lang/tests/properties/mod.rs"]
mod properties;

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use provost_model::Attributes;

static RECORD: LazyLock<Attributes> = LazyLock::new(properties::record);

fuzz_target!(|source: &str| {
    properties::expression_holds(source, &RECORD);
});

//! Calls of known functions, chosen by the bytes, over an object with values of every kind.
#![no_main]

#[path = "../../crates/lang/tests/properties/mod.rs"]
mod properties;

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use provost_model::Attributes;

static RECORD: LazyLock<Attributes> = LazyLock::new(properties::record);

fuzz_target!(|bytes: &[u8]| {
    let source = properties::texts::expression(&mut properties::choices::Choices::Bytes(bytes), 4);
    properties::expression_holds(&source, &RECORD);
});

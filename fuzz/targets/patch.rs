//! A resource and a PATCH of it: whole or not at all, and what changes nothing leaves it equal. Chosen by the bytes, or any two
//! texts with a line break between them.
#![no_main]

#[path = "../../crates/scim/tests/properties/mod.rs"]
mod properties;

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use provost_scim::TypeSchema;

static TYPES: LazyLock<[TypeSchema; 2]> = LazyLock::new(|| [TypeSchema::user(), TypeSchema::group()]);

fuzz_target!(|bytes: &[u8]| {
    let Some((first, rest)) = bytes.split_first() else { return };
    let types = &TYPES[usize::from(*first) % 2];
    if *first >= 128 {
        let mut choices = properties::choices::Choices::Bytes(rest);
        let (resource, patch) = (properties::texts::resource(&mut choices), properties::texts::patch(&mut choices));
        properties::patch_holds(types, &resource, &patch);
    } else if let Ok(text) = std::str::from_utf8(rest)
        && let Some((resource, patch)) = text.split_once('\n')
    {
        properties::patch_holds(types, resource, patch);
    }
});

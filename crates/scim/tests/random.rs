//! Arbitrary paths, PATCHes and bulk requests never make anything panic, and what is refused changes nothing. The seed of a
//! failure is in its message; `PROVOST_SEED` repeats it.

// Clippy's permission for tests covers functions marked #[test], not what they call.
#![allow(clippy::panic, clippy::unwrap_used, clippy::print_stdout)]

mod properties;

use properties::seeds::{rounds, with_seed};
use properties::{bulk_holds, patch_holds, path_holds, texts};
use provost_scim::{Registry, TypeSchema};

/// Runs a property on generated texts; a panic names them.
fn holds(texts: &[&str], property: impl FnOnce() -> bool) -> bool {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(property))
        .unwrap_or_else(|_| panic!("failed on {}", texts.join("\n")))
}

#[test]
fn arbitrary_paths_soak() {
    let mut read = 0;
    with_seed("paths", rounds(), |random| {
        let path = texts::path(random);
        read += usize::from(holds(&[&path], || path_holds(&path)));
    });
    println!("{read} read");
    assert!(read > rounds() / 4, "only {read} read");
}

#[test]
fn arbitrary_patches_soak() {
    let types = [TypeSchema::user(), TypeSchema::group()];
    let mut done = 0;
    with_seed("patches", rounds() * 2, |random| {
        let (resource, patch) = (texts::resource(random), texts::patch(random));
        let types = &types[random.below(2)];
        done += usize::from(holds(&[types.name(), &resource, &patch], || patch_holds(types, &resource, &patch)));
    });
    println!("{done} done");
    assert!(done > rounds() / 20, "only {done} done");
}

#[test]
fn arbitrary_bulk_requests_soak() {
    let types = Registry::core();
    let mut read = 0;
    with_seed("bulk requests", rounds(), |random| {
        let bulk = texts::bulk(random);
        read += usize::from(holds(&[&bulk], || bulk_holds(&bulk, &types)));
    });
    println!("{read} read");
    assert!(read > rounds() / 2, "only {read} read");
}

//! One block of an LDIF file: read, printed and read again as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use provost_connectors::file::fuzzing::ldif_block;

fuzz_target!(|data: &[u8]| {
    if let Err(what) = ldif_block(data) {
        panic!("{what}");
    }
});

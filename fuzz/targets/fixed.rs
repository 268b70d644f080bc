//! One line of fixed columns: read, printed and read again as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use provost_connectors::file::fuzzing::fixed_line;

fuzz_target!(|data: &[u8]| {
    if let Err(what) = fixed_line(data) {
        panic!("{what}");
    }
});

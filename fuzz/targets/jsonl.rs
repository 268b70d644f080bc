//! One line of a JSON lines file: read, printed and read again as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use provost_connectors::file::fuzzing::json_line;

fuzz_target!(|data: &[u8]| {
    if let Err(what) = json_line(data) {
        panic!("{what}");
    }
});

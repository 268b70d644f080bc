//! Any text as an Entra synchronization schema: the import refuses it or makes jobs, and those go out and come in again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use provost_entra::{Names, import, jobs_yaml};

fuzz_target!(|text: &str| {
    match import(text, &Names::default()) {
        Ok(imported) => {
            let _ = jobs_yaml(&imported.jobs);
            assert!(imported.notes.iter().all(|note| !note.message.is_empty()));
        }
        Err(faults) => assert!(!faults.is_empty()),
    }
});

//! What `provost quickstart` puts on an empty machine: an HR file of invented people and a configuration that provisions
//! them. `people` writes the file, `day` moves it on by one day, `config` renders the configuration.
//!
//! Everything here is a function of its arguments: the same seed, size and date give the same bytes on every machine.

mod company;
pub mod config;
pub mod day;
mod names;
pub mod people;
mod random;

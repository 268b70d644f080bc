//! Benchmarks of Provost: ratios to what the machine can do, never bare numbers. Its own SCIM sink, raw client, people,
//! baselines and the runner that pairs them with the engine. For development only; the product does not depend on it.
//! Look next: `scenario` (what is measured and judged), `sink` and `raw` (the two ends of the divisor).

pub mod baseline;
pub mod error;
pub mod machine;
pub mod output;
pub mod people;
pub mod random;
pub mod raw;
pub mod scenario;
pub mod sink;

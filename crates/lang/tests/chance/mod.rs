//! Chance for tests: repeatable by its seed, which is printed.
#![allow(dead_code, reason = "each test binary uses its part of this")]
#![expect(clippy::print_stdout, reason = "a randomised test prints its seed")]

use provost_model::Timestamp;

/// SplitMix64: enough for tests, and no dependency.
pub struct Random(u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    pub fn pick<'t>(&mut self, from: &[&'t str]) -> &'t str {
        from[self.below(from.len())]
    }
}

fn seed() -> u64 {
    std::env::var("PROVOST_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or_else(|| Timestamp::now().as_nanosecond() as u64)
}

pub fn with_seed(name: &str, rounds: usize, mut round: impl FnMut(&mut Random)) {
    let seed = seed();
    println!("{name}: PROVOST_SEED={seed}");
    let mut random = Random(seed);
    for _ in 0..rounds {
        round(&mut random);
    }
}

pub fn rounds() -> usize {
    if std::env::var_os("PROVOST_SOAK").is_some() { 300_000 } else { 6_000 }
}

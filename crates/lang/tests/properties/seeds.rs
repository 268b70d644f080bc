//! Rounds of a random test: repeatable by the seed, which is printed; `PROVOST_SEED` repeats one.
#![expect(clippy::print_stdout, reason = "a randomised test prints its seed")]

use provost_model::Timestamp;

use super::choices::Choices;

fn seed() -> u64 {
    std::env::var("PROVOST_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or_else(|| Timestamp::now().as_nanosecond() as u64)
}

pub fn with_seed(name: &str, rounds: usize, mut round: impl FnMut(&mut Choices<'_>)) {
    let seed = seed();
    println!("{name}: PROVOST_SEED={seed}");
    let mut random = Choices::Seed(seed);
    for _ in 0..rounds {
        round(&mut random);
    }
}

pub fn rounds() -> usize {
    if std::env::var_os("PROVOST_SOAK").is_some() { 300_000 } else { 6_000 }
}

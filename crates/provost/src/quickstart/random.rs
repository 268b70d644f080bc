//! Deterministic numbers from a seed (splitmix64). Not for anything that somebody may want to guess.

/// The `n`-th number of the stream `seed`, without any state: row 900,000 costs as much as row 1.
pub fn nth(seed: u64, n: u64) -> u64 {
    let mut z = seed.wrapping_add(n.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Successive throws of one stream.
#[derive(Debug, Clone)]
pub struct Dice {
    seed: u64,
    thrown: u64,
}

impl Dice {
    /// The throws that belong to number `n` of `seed`; two numbers share none.
    pub fn new(seed: u64, n: u64) -> Self {
        Self { seed: nth(seed, n), thrown: 0 }
    }

    /// A number below `limit`, or 0 when the limit is 0.
    pub fn below(&mut self, limit: u64) -> u64 {
        let bits = nth(self.seed, self.thrown);
        self.thrown += 1;
        ((u128::from(bits) * u128::from(limit)) >> 64) as u64
    }

    /// One of the choices, of which there is at least one.
    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len() as u64) as usize]
    }
}

//! Deterministic numbers from a seed (splitmix64): the same people, faults and choices on every machine.
//! Not for anything that somebody may want to guess.

/// The n-th number of a stream, without keeping any state. Stateless so that row 900,000 costs as much as row 1.
#[must_use]
pub fn nth(seed: u64, n: u64) -> u64 {
    let mut z = seed.wrapping_add(n.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Exactly `k` distinct numbers below `n` (Floyd's algorithm), sorted. Memory is O(k), whatever `n` is.
#[must_use]
pub fn choose(seed: u64, n: u64, k: u64) -> std::collections::BTreeSet<u64> {
    let k = k.min(n);
    let mut chosen = std::collections::BTreeSet::new();
    for j in (n - k)..n {
        let pick = nth(seed, j) % (j + 1);
        if !chosen.insert(pick) {
            chosen.insert(j);
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chooses_exactly_k_below_n() {
        for (n, k) in [(10, 3), (10, 10), (5, 9), (1_000_000, 100), (1, 0)] {
            let chosen = choose(7, n, k);
            assert_eq!(chosen.len() as u64, k.min(n), "n {n} k {k}");
            assert!(chosen.iter().all(|&x| x < n));
            assert_eq!(chosen, choose(7, n, k), "same seed, same choice");
        }
        assert_ne!(choose(1, 1_000_000, 100), choose(2, 1_000_000, 100));
    }
}

//! The few statistics that reports need. Medians, because one noisy run must not move a verdict.

use serde::Serialize;

/// Middle value, or the mean of the two in the middle. None of nothing.
#[must_use]
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let half = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        n if n % 2 == 1 => sorted.get(half).copied(),
        _ => Some(f64::midpoint(sorted[half - 1], sorted[half])),
    }
}

/// Value below which `share` (0 to 1) of the sorted values lie, by nearest rank. 0 of nothing.
#[must_use]
pub fn percentile(sorted: &[u32], share: f64) -> u32 {
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(0)
}

/// Median with the range it came from.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    pub median: f64,
    pub min: f64,
    pub max: f64,
}

impl Spread {
    #[must_use]
    pub fn of(values: &[f64]) -> Option<Self> {
        let median = median(values)?;
        let min = values.iter().copied().fold(f64::INFINITY, f64::min);
        Some(Self { median, min, max: values.iter().copied().fold(f64::NEG_INFINITY, f64::max) })
    }

    /// To hundredths, for people.
    #[must_use]
    pub fn rounded(self) -> Self {
        let [median, min, max] = [self.median, self.min, self.max].map(|value| (value * 100.0).round() / 100.0);
        Self { median, min, max }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        for (values, wanted) in [
            (&[][..], None),
            (&[3.0], Some(3.0)),
            (&[3.0, 1.0, 2.0], Some(2.0)),
            (&[4.0, 1.0, 3.0, 2.0], Some(2.5)),
            (&[1.0, 1.0, 1.0, 900.0, 1.0], Some(1.0)),
        ] {
            assert_eq!(median(values), wanted, "{values:?}");
        }
        assert_eq!(Spread::of(&[2.0, 8.0, 5.0]), Some(Spread { median: 5.0, min: 2.0, max: 8.0 }));
    }

    #[test]
    fn percentiles() {
        let values: Vec<u32> = (1..=100).collect();
        assert_eq!((percentile(&values, 0.5), percentile(&values, 0.95), percentile(&values, 0.99)), (50, 95, 99));
        assert_eq!(percentile(&[], 0.5), 0);
        assert_eq!(percentile(&[7], 0.99), 7);
    }
}

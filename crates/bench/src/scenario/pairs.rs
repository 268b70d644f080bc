//! Pairing: A and B one after the other in ABBA order, so that a machine that gets slower hurts both alike; a probe for
//! noise before each run; one warm-up pair that is not recorded. Reports use the quiet pairs when there are three.

use std::{path::Path, time::Duration};

use serde::Serialize;
use serde_json::Value;

use super::numbers::Spread;
use crate::{
    error::Result,
    machine::noise::{Probe, probe},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The divisor.
    A,
    /// The engine.
    B,
}

/// One run of one side. Rates and CPU are per user (or row); zero where there is no such figure.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Sample {
    pub seconds: f64,
    pub users_per_second: f64,
    pub cpu_us: f64,
    pub sink_cpu_us: f64,
    pub p50_us: u32,
    pub p95_us: u32,
    pub p99_us: u32,
    pub peak_memory_kib: u64,
    pub written_bytes: u64,
    /// The sink's counters after the run, null when no sink took part.
    pub sink: Value,
    pub digest: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Pair {
    pub a: Option<Sample>,
    pub b: Option<Sample>,
    pub quiet: bool,
    pub probes: Vec<Probe>,
}

#[derive(Debug, Clone, Default, Serialize)]
pub struct Pairs {
    pub pairs: Vec<Pair>,
}

/// How to pair.
#[derive(Debug, Clone, Copy)]
pub struct Pairing {
    pub pairs: u32,
    pub warm_up: bool,
    /// How long to wait for a quiet machine before each run.
    pub patience: Duration,
}

/// Order of the two sides in pair number `n`.
#[must_use]
pub fn order(n: u32) -> [Side; 2] {
    if n.is_multiple_of(2) { [Side::A, Side::B] } else { [Side::B, Side::A] }
}

/// Called by a run when it has prepared everything and the clock is about to start. It probes the machine, which takes a
/// second and more: time for the sink to settle after its reset and for copies to reach the disk, for both sides alike.
pub type Ready<'a> = dyn FnMut() -> Result<()> + 'a;

/// Runs the pairs. `run` gives None for a side that cannot run (no engine), which leaves the ratios empty.
pub fn run(
    pairing: Pairing,
    folder: &Path,
    mut run: impl FnMut(Side, &mut Ready<'_>) -> Result<Option<Sample>>,
) -> Result<Pairs> {
    if pairing.warm_up {
        for side in order(0) {
            run(side, &mut || Ok(()))?;
        }
    }
    let mut pairs = Vec::new();
    for n in 0..pairing.pairs {
        let mut pair = Pair { a: None, b: None, quiet: true, probes: Vec::new() };
        for side in order(n) {
            let probes = &mut pair.probes;
            let sample = run(side, &mut || {
                probes.push(probe(folder, Some(pairing.patience))?);
                Ok(())
            })?;
            match side {
                Side::A => pair.a = sample,
                Side::B => pair.b = sample,
            }
        }
        pair.quiet = pair.probes.iter().all(Probe::quiet);
        pairs.push(pair);
    }
    Ok(Pairs { pairs })
}

impl Pairs {
    #[must_use]
    pub fn quiet_count(&self) -> usize {
        self.pairs.iter().filter(|p| p.quiet).count()
    }

    /// The pairs that count: the quiet ones when there are three, else all.
    pub fn counted(&self) -> impl Iterator<Item = &Pair> {
        let quiet_only = self.quiet_count() >= 3;
        self.pairs.iter().filter(move |p| p.quiet || !quiet_only)
    }

    /// Spread of a figure of one side.
    #[must_use]
    pub fn of(&self, side: Side, figure: impl Fn(&Sample) -> f64) -> Option<Spread> {
        let values: Vec<f64> = self.counted().filter_map(|p| p.side(side)).map(figure).collect();
        Spread::of(&values)
    }

    /// Spread of B's figure over A's, pair by pair.
    #[must_use]
    pub fn ratio(&self, figure: impl Fn(&Sample) -> f64) -> Option<Spread> {
        let ratios = self.counted().filter_map(|p| Some(figure(p.b.as_ref()?) / figure(p.a.as_ref()?)));
        Spread::of(&ratios.filter(|r| r.is_finite()).collect::<Vec<_>>())
    }

    /// All samples of a side, noisy ones too: counts must hold in each.
    pub fn all(&self, side: Side) -> impl Iterator<Item = &Sample> {
        self.pairs.iter().filter_map(move |p| p.side(side))
    }
}

impl Pair {
    fn side(&self, side: Side) -> Option<&Sample> {
        match side {
            Side::A => self.a.as_ref(),
            Side::B => self.b.as_ref(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(rows: &[(f64, f64, bool)]) -> Pairs {
        let sample = |seconds| Some(Sample { seconds, ..Sample::default() });
        let pair = |&(a, b, quiet)| Pair { a: sample(a), b: sample(b), quiet, probes: Vec::new() };
        Pairs { pairs: rows.iter().map(pair).collect() }
    }

    #[test]
    fn order_is_abba() {
        let sides: Vec<Side> = (0..4).flat_map(order).collect();
        assert_eq!(sides, [Side::A, Side::B, Side::B, Side::A, Side::A, Side::B, Side::B, Side::A]);
    }

    #[test]
    fn noisy_pairs_count_only_when_fewer_than_three_are_quiet() {
        let quiet = pairs(&[(1.0, 2.0, true), (1.0, 2.2, true), (1.0, 9.0, false), (1.0, 2.4, true)]);
        assert_eq!(quiet.ratio(|s| s.seconds), Some(Spread { median: 2.2, min: 2.0, max: 2.4 }));
        let noisy = pairs(&[(1.0, 2.0, true), (1.0, 9.0, false), (1.0, 3.0, true)]);
        assert_eq!(noisy.ratio(|s| s.seconds), Some(Spread { median: 3.0, min: 2.0, max: 9.0 }));
    }

    #[test]
    fn a_side_that_cannot_run_leaves_no_ratio() {
        let folder = tempfile::tempdir().unwrap();
        let pairing = Pairing { pairs: 1, warm_up: true, patience: Duration::ZERO };
        let mut calls = Vec::new();
        let result = run(pairing, folder.path(), |side, ready| {
            calls.push(side);
            ready()?;
            Ok((side == Side::A).then(Sample::default))
        })
        .unwrap();
        assert_eq!(calls, [Side::A, Side::B, Side::A, Side::B], "warm-up, then one pair");
        assert_eq!((result.pairs.len(), result.ratio(|s| s.seconds)), (1, None));
        assert_eq!(result.pairs[0].probes.len(), 2);
    }
}

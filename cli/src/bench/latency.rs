//! Latency of runs in figures.

use schemars::JsonSchema;
use serde::Serialize;

/// Latency over runs, in nanoseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, JsonSchema)]
pub struct Latency {
    /// Runs measured, those of all threads together.
    pub samples: usize,
    /// The fastest run.
    pub min_ns: u64,
    /// The arithmetic mean.
    pub mean_ns: u64,
    /// The median: half of the runs are no slower.
    pub p50_ns: u64,
    /// 95 of 100 runs are no slower.
    pub p95_ns: u64,
    /// 99 of 100 runs are no slower; of fewer than 100 runs that is the slowest.
    pub p99_ns: u64,
    /// The slowest run.
    pub max_ns: u64,
}

impl Latency {
    /// The figures of runs that took so many nanoseconds; all zero without a run.
    pub fn of(mut durations: Vec<u64>) -> Self {
        durations.sort_unstable();
        let (Some(min), Some(max)) = (durations.first(), durations.last()) else { return Self::default() };
        let total: u128 = durations.iter().map(|ns| u128::from(*ns)).sum();
        Self {
            samples: durations.len(),
            min_ns: *min,
            mean_ns: (total / durations.len() as u128) as u64,
            p50_ns: percentile(&durations, 50),
            p95_ns: percentile(&durations, 95),
            p99_ns: percentile(&durations, 99),
            max_ns: *max,
        }
    }
}

/// The least of the sorted values that so many percent of them do not exceed (the "nearest rank").
fn percentile(sorted: &[u64], percent: usize) -> u64 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted[rank.min(sorted.len()) - 1]
}

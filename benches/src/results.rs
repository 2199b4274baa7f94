//! Everything that a run has measured.

use std::collections::BTreeMap;

use crate::plan::{Case, Contender, Load, Subject};
use crate::statistics::{Ratio, median};
use crate::wrk::Measured;

/// How a server was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Start {
    /// Nothing was compiled yet.
    Cold,
    /// The compiled components were in the cache.
    Warm,
    /// There is nothing to compile.
    Plain,
}

/// What was measured, one value for each round.
#[derive(Debug, Default)]
pub(crate) struct Results {
    pub(crate) measured: BTreeMap<Case, Vec<Measured>>,
    /// Seconds from the start of a process to its first answer.
    pub(crate) starts: BTreeMap<(Subject, Start), Vec<f64>>,
    /// The most memory of a server after all measurements of a load, in KiB.
    pub(crate) memory: BTreeMap<(Load, Contender), Vec<f64>>,
    /// The bytes of each function.
    pub(crate) sizes: BTreeMap<String, u32>,
    /// The bytes of the component that makes one `get`.
    pub(crate) floor_size: u32,
}

impl Results {
    /// The medians of the throughput and of the three percentiles.
    pub(crate) fn medians(&self, case: Case) -> Option<[f64; 4]> {
        let rounds = self.measured.get(&case)?;
        let of = |value: fn(&Measured) -> f64| median(rounds.iter().map(value));
        Some([
            of(|measured| measured.throughput)?,
            of(|measured| measured.p50)?,
            of(|measured| measured.p99)?,
            of(|measured| measured.p999)?,
        ])
    }

    /// How the throughput of one case relates to that of another.
    pub(crate) fn ratio(&self, dividend: Case, divisor: Case) -> Option<Ratio> {
        let throughputs = |case| -> Option<Vec<f64>> {
            let rounds = self.measured.get(&case)?;
            Some(rounds.iter().map(|measured| measured.throughput).collect())
        };
        Ratio::of(&throughputs(dividend)?, &throughputs(divisor)?)
    }
}

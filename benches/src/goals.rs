//! What the benchmarks have to show.

use crate::plan::{Case, Contender, Load, MILLION, Subject, THOUSAND};
use crate::results::{Results, Start};
use crate::statistics::Ratio;

/// One goal.
pub(crate) struct Goal {
    pub(crate) what: &'static str,
    measure: Measure,
    pub(crate) bound: Bound,
}

/// What a goal is about.
enum Measure {
    /// The functions' throughput under a load, in that of another contender.
    Throughput(Load, usize, Contender),
    /// The throughput of reads with a million users, in that with a thousand.
    Growth,
    /// The bytes of the largest function, in those of the floor.
    Size,
    /// The seconds to the first answer of a warm start.
    Start,
}

/// Where a number has to be.
#[derive(Clone, Copy)]
pub(crate) enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

const fn thousand(subject: Subject) -> Contender {
    Contender {
        subject,
        users: THOUSAND,
    }
}

/// All goals.
pub(crate) const GOALS: [Goal; 8] = [
    Goal {
        what: "GET hit ÷ floor, 32 connections",
        measure: Measure::Throughput(Load::Hit, 32, thousand(Subject::Floor)),
        bound: Bound::AtLeast(0.95),
    },
    Goal {
        what: "create ÷ floor of one fresh `set`, 32 connections",
        measure: Measure::Throughput(Load::Create, 32, thousand(Subject::OneSet)),
        bound: Bound::AtLeast(0.45),
    },
    Goal {
        what: "GET hit ÷ native, 32 connections",
        measure: Measure::Throughput(Load::Hit, 32, thousand(Subject::Native)),
        bound: Bound::AtLeast(0.5),
    },
    Goal {
        what: "GET hit ÷ seed, 32 connections",
        measure: Measure::Throughput(Load::Hit, 32, thousand(Subject::Seed)),
        bound: Bound::AtLeast(3.0),
    },
    Goal {
        what: "create ÷ native with one commit per request, 256 connections",
        measure: Measure::Throughput(Load::Create, 256, thousand(Subject::Native)),
        bound: Bound::AtLeast(3.0),
    },
    Goal {
        what: "GET hit, 1 million users ÷ 1 thousand users, 32 connections",
        measure: Measure::Growth,
        bound: Bound::AtLeast(0.95),
    },
    Goal {
        what: "bytes of the largest function ÷ floor",
        measure: Measure::Size,
        bound: Bound::AtMost(1.2),
    },
    Goal {
        what: "seconds from a warm start to the first 200",
        measure: Measure::Start,
        bound: Bound::AtMost(0.5),
    },
];

impl Goal {
    /// What the run showed; what has no rounds is the same in each.
    pub(crate) fn measured(&self, results: &Results) -> Option<Ratio> {
        let case = |load, connections, contender| Case {
            load,
            connections,
            contender,
        };
        let functions = thousand(Subject::Functions);
        match self.measure {
            Measure::Throughput(load, connections, other) => {
                results.ratio(case(load, connections, functions), case(load, connections, other))
            }
            Measure::Growth => {
                let million = Contender {
                    users: MILLION,
                    ..functions
                };
                results.ratio(case(Load::Hit, 32, million), case(Load::Hit, 32, functions))
            }
            Measure::Size => {
                let sizes = results.sizes.values().copied();
                let largest = f64::from(sizes.max()?);
                Ratio::of(&[largest], &[results.floor_size.into()])
            }
            Measure::Start => {
                let times = results.starts.get(&(Subject::Functions, Start::Warm))?;
                Ratio::of(times, &vec![1.0; times.len()])
            }
        }
    }
}

impl Bound {
    pub(crate) fn is_met(self, number: f64) -> bool {
        match self {
            Self::AtLeast(least) => number >= least,
            Self::AtMost(most) => number <= most,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::ROUNDS;
    use crate::wrk::Measured;

    fn measured(throughput: f64) -> Measured {
        Measured {
            throughput,
            p50: 1.0,
            p99: 1.0,
            p999: 1.0,
        }
    }

    #[test]
    fn goals_are_about_what_every_round_measures() {
        let mut results = Results {
            floor_size: 100,
            ..Results::default()
        };
        results.sizes.insert("small".to_owned(), 110);
        results.sizes.insert("large".to_owned(), 130);
        results
            .starts
            .insert((Subject::Functions, Start::Warm), vec![0.1, 0.3, 0.2]);
        for load in Load::ALL {
            for &connections in load.connections(ROUNDS - 1) {
                for contender in load.contenders(connections, false) {
                    let throughput = if contender == thousand(Subject::Functions) {
                        50.0
                    } else {
                        25.0
                    };
                    let case = Case {
                        load,
                        connections,
                        contender,
                    };
                    results.measured.insert(case, vec![measured(throughput)]);
                }
            }
        }
        let medians = GOALS.map(|goal| goal.measured(&results).unwrap().median.to_string());
        assert_eq!(medians, ["2", "2", "2", "2", "2", "0.5", "1.3", "0.2"]);
    }

    #[test]
    fn bounds_have_their_sides() {
        assert!(Bound::AtLeast(0.95).is_met(0.95) && !Bound::AtLeast(0.95).is_met(0.94));
        assert!(Bound::AtMost(1.2).is_met(1.2) && !Bound::AtMost(1.2).is_met(1.21));
    }
}

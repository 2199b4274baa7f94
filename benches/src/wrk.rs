//! One measurement by the load generator `wrk`.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::load::{Numbers, Request};

/// The status of a request that is to be tried again.
const TRY_AGAIN: u16 = 503;

/// What one measurement showed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Measured {
    /// Answers per second, without those of status 503.
    pub(crate) throughput: f64,
    /// The number of answers of status 503.
    pub(crate) refused: f64,
    /// The percentiles 50, 99 and 99.9 of the latency, in milliseconds.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
}

/// What `load.lua` prints.
#[derive(Debug, Deserialize)]
struct Outcome {
    statuses: BTreeMap<u16, u32>,
    broken: u32,
    timeouts: u32,
    requests: u32,
    microseconds: u32,
    used: u64,
    exhausted: bool,
    p50: u32,
    p99: u32,
    p999: u32,
}

/// A measurement that is trusted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    pub(crate) measured: Measured,
    /// How many requests were answered as asked for.
    pub(crate) answered: u64,
    /// How many were to be tried again.
    pub(crate) refused: u64,
    /// How many numbers were used up, where each is used once.
    pub(crate) used: u64,
}

/// A server under a load.
pub(crate) struct Target<'a> {
    pub(crate) address: &'a str,
    pub(crate) request: &'a Request,
    pub(crate) numbers: Numbers,
    /// How many digits the numbers have.
    pub(crate) digits: usize,
    /// The first number that was never used.
    pub(crate) first: u64,
}

/// Puts a server under load for some seconds over `connections` connections, by the script `load.lua`. Fails if an
/// answer has neither the expected status nor 503, which tells a client to try again.
pub(crate) fn run(script: &Path, target: &Target, connections: usize, seconds: u32) -> Result<Run> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let (order, past) = match target.numbers {
        Numbers::Random(past) => ("random", past.into()),
        Numbers::Each(past) => ("each", past.min(999_999_999_999)),
    };
    let request = target.request;
    let mut wrk = Command::new("wrk");
    let threads = connections.min((cores / 2).max(1)).to_string();
    wrk.args(["--threads", &threads])
        .args(["--connections", &connections.to_string()])
        .args(["--duration", &format!("{seconds}s")])
        .args(["--timeout", "10s", "--script"])
        .arg(script);
    if let Some(header) = request.header {
        wrk.args(["--header", header]);
    }
    wrk.arg(format!("http://{}/", target.address))
        .args(["--", request.method, request.path, request.body, order])
        .args([target.first, past].map(|number| number.to_string()))
        .args([&target.digits.to_string(), &threads]);
    let output = wrk.output().context("cannot run wrk")?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(
        output.status.success(),
        "wrk failed ({}): {text}{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    read(&text)?.trust(request.status)
}

/// Finds what the script printed behind what wrk prints by itself.
fn read(text: &str) -> Result<Outcome> {
    let line = text.lines().rev().find(|line| line.starts_with('{'));
    line.and_then(|line| serde_json::from_str(line).ok())
        .with_context(|| format!("wrk printed no outcome:\n{text}"))
}

impl Outcome {
    fn trust(&self, status: u16) -> Result<Run> {
        ensure!(
            !self.exhausted,
            "all prepared users were used up after {} requests: prepare more of them",
            self.requests
        );
        let counted = |status| self.statuses.get(&status).copied().unwrap_or_default();
        let (answered, refused) = (counted(status), counted(TRY_AGAIN));
        ensure!(
            answered > 0 && answered + refused == self.requests,
            "{} answers were to have status {status}; by status there were {:?}",
            self.requests,
            self.statuses
        );
        ensure!(
            self.broken == 0 && self.timeouts == 0,
            "{} connections broke and {} requests took longer than 10 s",
            self.broken,
            self.timeouts
        );
        Ok(Run {
            measured: Measured {
                throughput: f64::from(answered) * 1e6 / f64::from(self.microseconds),
                refused: refused.into(),
                p50: f64::from(self.p50) / 1e3,
                p99: f64::from(self.p99) / 1e3,
                p999: f64::from(self.p999) / 1e3,
            },
            answered: answered.into(),
            refused: refused.into(),
            used: self.used,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRINTED: &str = concat!(
        "Running 1s test @ http://127.0.0.1:1/\n  1 threads and 1 connections\nRequests/sec:   2000.00\n\n",
        r#"{"statuses":{"200":3000},"broken":0,"timeouts":0,"requests":3000,"microseconds":1500000,"#,
        r#""used":3001,"exhausted":false,"p50":400,"p99":4000,"p999":7500}"#,
        "\n"
    );

    fn trusted(text: &str, status: u16) -> Result<Run> {
        read(text).and_then(|outcome| outcome.trust(status))
    }

    #[test]
    fn the_outcome_is_read_in_its_units() {
        let run = trusted(PRINTED, 200).unwrap();
        let measured = Measured {
            throughput: 2000.0,
            refused: 0.0,
            p50: 0.4,
            p99: 4.0,
            p999: 7.5,
        };
        assert_eq!((run.measured, run.answered, run.used), (measured, 3000, 3001));
    }

    #[test]
    fn answers_that_say_to_try_again_are_counted_apart() {
        let run = trusted(
            &PRINTED.replace(r#"{"200":3000}"#, r#"{"200":2400,"503":600}"#),
            200,
        )
        .unwrap();
        assert_eq!((run.answered, run.refused), (2400, 600));
        assert!((run.measured.throughput - 1600.0).abs() < 1e-9);
    }

    #[test]
    fn no_measurement_is_made_of_wrong_answers() {
        assert!(trusted("Running 1s test\n", 200).is_err());
        assert!(trusted(PRINTED, 201).is_err());
        for (from, to) in [
            (r#"{"200":3000}"#, r#"{"200":2999,"500":1}"#),
            (r#"{"200":3000}"#, r#"{"503":3000}"#),
            (r#""requests":3000"#, r#""requests":3001"#),
            (r#"{"200":3000},"#, "{},"),
            (r#""broken":0"#, r#""broken":1"#),
            (r#""timeouts":0"#, r#""timeouts":1"#),
            (r#""exhausted":false"#, r#""exhausted":true"#),
        ] {
            assert!(PRINTED.contains(from));
            assert!(trusted(&PRINTED.replace(from, to), 200).is_err(), "{to}");
        }
        let nothing = PRINTED
            .replace(r#"{"200":3000}"#, "{}")
            .replace(r#""requests":3000"#, r#""requests":0"#);
        assert!(trusted(&nothing, 200).is_err());
    }
}

//! The log: a line of JSON on standard error, where Spin keeps what components print, for each change that was made
//! and each request that was refused or failed. It never tells tokens, email addresses or records.

use super::Problem;
use super::wire::TRACEPARENT;
use http::{HeaderMap, StatusCode};
use serde::Serialize;
use spin_sdk::wasip3::clocks::monotonic_clock::{self, Mark};
use spin_sdk::wasip3::clocks::system_clock;
use std::cell::Cell;
use std::io::Write;

/// The build that writes the line: the version, unless whoever builds gives it a name of its own.
const BUILD: &str = match option_env!("BUILD_ID") {
    Some(id) => id,
    None => env!("CARGO_PKG_VERSION"),
};

/// What is to be told of one request.
pub(super) struct Log {
    function: &'static str,
    since: Mark,
    trace_id: Option<String>,
    /// How many times the request has waited to try something again.
    pub(super) retries: Cell<u32>,
}

#[derive(Serialize)]
struct Line<'a> {
    time_ms: i64,
    event: &'a str,
    function: &'a str,
    build: &'a str,
    outcome: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    duration_us: u64,
    retries: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<&'a str>,
}

impl Log {
    /// Takes note of a request to `function` that comes now.
    pub(super) fn new(function: &'static str, headers: &HeaderMap) -> Self {
        Self {
            function,
            since: monotonic_clock::now(),
            trace_id: trace_id(headers).map(str::to_owned),
            retries: Cell::new(0),
        }
    }

    /// Tells of a change that was answered with `status`.
    pub(super) fn change(&self, status: StatusCode) {
        self.write("change", status, None, None);
    }

    /// Tells of a request that was refused, or of a fault: then also what to mend.
    pub(super) fn problem(&self, problem: &Problem) {
        let (status, r#type, _) = problem.kind().table();
        let (event, detail) = if status.is_server_error() {
            ("fault", Some(problem.detail()))
        } else {
            // What a client did wrong may be told in its own words.
            ("refusal", None)
        };
        self.write(event, status, Some(r#type), detail);
    }

    fn write(&self, event: &str, status: StatusCode, problem: Option<&str>, detail: Option<&str>) {
        let now = system_clock::now();
        let line = Line {
            time_ms: now.seconds * 1000 + i64::from(now.nanoseconds / 1_000_000),
            event,
            function: self.function,
            build: BUILD,
            outcome: status.as_u16(),
            problem,
            detail,
            duration_us: monotonic_clock::now().saturating_sub(self.since) / 1000,
            retries: self.retries.get(),
            trace_id: self.trace_id.as_deref(),
        };
        // Strings and numbers always serialize, and a log that cannot be written is no reason to fail a request.
        let mut line = serde_json::to_vec(&line).unwrap_or_default();
        line.push(b'\n');
        let _ = std::io::stderr().write_all(&line);
    }
}

/// The trace that the request is a part of (W3C Trace Context, section 3.2), if its header field can be read.
fn trace_id(headers: &HeaderMap) -> Option<&str> {
    let mut parts = headers.get(TRACEPARENT)?.to_str().ok()?.split('-');
    let version = parts.next()?;
    let id = parts.next()?;
    let is_hex = |text: &str| text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let is_version = version.len() == 2 && is_hex(version) && version != "ff";
    let is_id = id.len() == 32 && is_hex(id) && id.bytes().any(|b| b != b'0');
    (is_version && is_id).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id_of(traceparent: &str) -> Option<String> {
        let headers = HeaderMap::from_iter([(TRACEPARENT, traceparent.parse().unwrap())]);
        trace_id(&headers).map(str::to_owned)
    }

    #[test]
    fn the_trace_is_read_from_traceparent() {
        let id = "4bf92f3577b34da6a3ce929d0e0e4736";
        let whole = format!("00-{id}-00f067aa0ba902b7-01");
        assert_eq!(id_of(&whole).as_deref(), Some(id));
        // A later version may add to it.
        let later = format!("01-{id}-00f067aa0ba902b7-01-more");
        assert_eq!(id_of(&later).as_deref(), Some(id));
        assert_eq!(trace_id(&HeaderMap::new()), None);
    }

    #[test]
    fn what_is_no_trace_is_left_out() {
        let id = "4bf92f3577b34da6a3ce929d0e0e4736";
        for broken in [
            String::new(),
            id.to_owned(),
            format!("ff-{id}-00f067aa0ba902b7-01"),
            format!("0-{id}-00f067aa0ba902b7-01"),
            format!("00-{}-00f067aa0ba902b7-01", id.to_uppercase()),
            format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32)),
            format!("00-{}-00f067aa0ba902b7-01", &id[1..]),
            format!("00-{}\"-00f067aa0ba902b7-01", &id[1..]),
        ] {
            assert_eq!(id_of(&broken), None, "{broken}");
        }
    }
}

//! The log: a line of JSON on standard error for each change and each request that was refused or failed. It never contains
//! tokens, email addresses or records.

use super::Problem;
use super::header_fields::TRACEPARENT;
use crate::platform;
use http::{HeaderMap, StatusCode};
use serde::Serialize;
use std::cell::Cell;
use std::io::Write;
use std::time::{Duration, SystemTime};

/// The name of the build: the version, unless `BUILD_ID` was set when it was built.
const BUILD: &str = match option_env!("BUILD_ID") {
    Some(id) => id,
    None => env!("CARGO_PKG_VERSION"),
};

/// The log of one request.
pub(super) struct Log {
    function: &'static str,
    since: Duration,
    trace_id: Option<String>,
    /// How many times the request has paused before it tried again.
    pub(super) retries: Cell<u32>,
}

#[derive(Serialize)]
struct Line<'a> {
    time_ms: u128,
    event: &'a str,
    function: &'a str,
    build: &'a str,
    outcome: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    duration_us: u128,
    retries: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<&'a str>,
}

impl Log {
    /// Starts the log of a request to `function`.
    pub(super) fn new(function: &'static str, headers: &HeaderMap) -> Self {
        Self {
            function,
            since: platform::monotonic(),
            trace_id: trace_id(headers).map(str::to_owned),
            retries: Cell::new(0),
        }
    }

    /// Returns the time since the call of the function.
    pub(super) fn elapsed(&self) -> Duration {
        platform::monotonic().saturating_sub(self.since)
    }

    /// Logs a change that was answered with `status`.
    pub(super) fn change(&self, status: StatusCode) {
        self.write("change", status, None, None);
    }

    /// Logs a fault that occurred although the request was answered with `status`.
    pub(super) fn fault(&self, status: StatusCode, detail: &str) {
        self.write("fault", status, None, Some(detail));
    }

    /// Logs a refusal, or a fault with its detail.
    pub(super) fn problem(&self, problem: &Problem) {
        let kind = problem.kind();
        let (event, detail) = if kind.status().is_server_error() {
            ("fault", Some(problem.detail()))
        } else {
            // The detail of a refusal may quote the client's data.
            ("refusal", None)
        };
        self.write(event, kind.status(), Some(kind.urn()), detail);
    }

    fn write(&self, event: &str, status: StatusCode, problem: Option<&str>, detail: Option<&str>) {
        let since_1970 = platform::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        let line = Line {
            time_ms: since_1970.as_millis(),
            event,
            function: self.function,
            build: BUILD,
            outcome: status.as_u16(),
            problem,
            detail,
            duration_us: self.elapsed().as_micros(),
            retries: self.retries.get(),
            trace_id: self.trace_id.as_deref(),
        };
        // Strings and numbers always serialize, and a request must not fail because of its log.
        let mut line = serde_json::to_vec(&line).unwrap_or_default();
        line.push(b'\n');
        let _ = std::io::stderr().write_all(&line);
    }
}

/// The trace of the request (W3C Trace Context, section 3.2), if its header field is valid.
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

//! Requests that functions send.

use http::StatusCode;
use std::fmt;

/// A `POST` that a function sends.
#[derive(Clone, Debug)]
pub struct Post<'a> {
    /// Whether to use HTTPS.
    pub is_encrypted: bool,
    /// Host and port.
    pub authority: &'a str,
    /// Path and query.
    pub path: &'a str,
    /// The header fields.
    pub fields: Vec<(String, Vec<u8>)>,
    /// The body, at most some KiB.
    pub body: &'a [u8],
}

/// Why a request got no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PostError {
    /// `allowed_outbound_hosts` does not include the host.
    NotAllowed,
    /// The request violates HTTP's rules.
    Invalid,
    /// There was no answer in time.
    TimedOut,
    /// The receiver could not be reached, or closed the connection.
    Unreachable,
}

impl fmt::Display for PostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAllowed => "allowed_outbound_hosts does not include its host",
            Self::Invalid => "the request violates HTTP's rules",
            Self::TimedOut => "it did not answer in time",
            Self::Unreachable => "it could not be reached",
        })
    }
}

impl std::error::Error for PostError {}

/// The status of the answer to a `POST`.
pub type Posted = Result<StatusCode, PostError>;

//! Tests of the application from outside, by feature.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "what helps the tests may fail them"
)]

mod access;
mod answers;
mod automatic;
mod award;
mod conditional;
mod create;
mod erase;
mod errors;
mod get;
mod history;
mod host;
mod independence;
mod list;
mod log;
mod promote;
mod retries;
mod reversal;
mod transcript;
mod update;

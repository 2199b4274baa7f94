//! The console: its files, and its use in a real Chromium.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test that cannot go on panics"
)]

mod files;
mod scenarios;

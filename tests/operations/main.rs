//! Runs what `docs/OPERATIONS.md` tells an operator to do: the scripts in `deploy/` on real stores under load, and the
//! release bundle.
//!
//! Each test of a load ends with one line on standard error that summarizes it.
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test that cannot go on panics, and all this is part of tests"
)]

mod amqp;
mod backup;
mod moving;
mod package;
mod script;
mod sweep;
mod transfer;

//! What `docs/OPERATIONS.md` tells an operator to do, done: the scripts of `deploy/` on real stores under load, and the
//! package as it is released.
//!
//! Each test of load ends with one line on standard error that says what it did.
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test that cannot go on panics, and all this is part of tests"
)]

mod backup;
mod moving;
mod package;
mod script;

//! Tests of the guarantees in `docs/CONSISTENCY.md` with real processes: hosts under load on one store, killed at
//! any moment, on stores that fail.
//!
//! Each test of a load ends with one line on standard error that summarizes it. `CONSISTENCY=full` runs the numbers that
//! the document quotes and waits where the tests otherwise set time forward; without it the suite fits into CI.
//! `CONSISTENCY=brief` halves the numbers for CI.
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test that cannot go on panics, and all this is part of tests"
)]

mod account;
mod awards;
mod contention;
mod costs;
mod crashes;
mod creates;
mod directory;
mod erasures;
mod faults;
mod keys;
mod linearizability;
mod load;
mod promotions;
mod request;
mod service;
mod witness;

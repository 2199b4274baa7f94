//! What the storage protocol asks of its surroundings: a key-value store as weak as Spin's, a clock, chance.

use crate::congestion::Congestion;
use std::time::{Duration, SystemTime};

/// A key-value store, a clock and a source of chance.
///
/// It promises no more than the weakest of Spin's key-value backends does (`docs/CONSISTENCY.md` has the table).
/// The functions run on `spin::Spin`; the model checker runs the same protocol on models of each backend.
#[expect(
    async_fn_in_trait,
    reason = "a component has one thread, so no future needs to be Send"
)]
pub trait Backend {
    /// A compare-and-swap of one key.
    type Swap;

    /// The value of `key`.
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Unavailable>;

    /// Whether `key` has a value; unlike [`Backend::get`] it can tell of a counter, too.
    async fn exists(&self, key: &str) -> Result<bool, Unavailable>;

    /// Gives every key its value. If it fails, any part of it may have been done.
    async fn set_all(&self, values: Vec<(String, Vec<u8>)>) -> Result<(), Unavailable>;

    /// Adds 1 to the counter `key` and returns the sum; a counter that is absent is 0. Where it fails the counter may
    /// have grown all the same. On Azure Cosmos DB two that call it at once may both be told 1.
    async fn increment(&self, key: &str) -> Result<i64, Unavailable>;

    /// Removes `key` at some later time, or never.
    fn remove_later(&self, key: String);

    /// Begins a compare-and-swap of `key`.
    async fn begin(&self, key: &str) -> Result<Self::Swap, Unavailable>;

    /// The value of the key of `swap`, which is then written only if it is still this value.
    async fn current(&self, swap: &Self::Swap) -> Result<Option<Vec<u8>>, Unavailable>;

    /// Gives the key `value` if it has not changed since [`Backend::current`]. Returns none if that was done: over
    /// another value, if the key was absent and the backend is SQLite.
    ///
    /// Another swap, begun anew, or a failure means nothing: on Redis the value may have been written.
    async fn swap(&self, swap: Self::Swap, value: Vec<u8>) -> Result<Option<Self::Swap>, Unavailable>;

    /// The congestion that the updates of this instance have met.
    fn congestion(&self) -> &Congestion;

    /// The time of day.
    async fn now(&self) -> SystemTime;

    /// 64 random bits.
    async fn random(&self) -> u64;

    /// Waits.
    async fn sleep(&self, duration: Duration);
}

/// The store did not answer, or answered that it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Unavailable;

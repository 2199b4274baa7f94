//! What the storage protocol needs: a key-value store as weak as Spin's, a clock and randomness.

use std::time::{Duration, SystemTime};

/// The maximum number of keys that one call of [`Environment`] writes or deletes; the limit of DynamoDB.
pub const BATCH: usize = 25;

/// A key-value store, a clock and a source of randomness.
///
/// It guarantees no more than the weakest of Spin's key-value backends (see the table in `docs/CONSISTENCY.md`). The
/// functions run on Spin (`platform`); the model checker runs the same protocol on a model of each backend.
#[expect(
    async_fn_in_trait,
    reason = "a component has one thread, so no future needs to be Send"
)]
pub trait Environment {
    /// A compare-and-swap of one key that has begun.
    type Cas;

    /// Returns the value of `key`.
    ///
    /// # Errors
    /// Returns [`Unavailable`] if the store failed.
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Unavailable>;

    /// Returns whether `key` has a value. Unlike [`Environment::get`] it also works on a counter.
    ///
    /// # Errors
    /// Returns [`Unavailable`] if the store failed.
    async fn exists(&self, key: &str) -> Result<bool, Unavailable>;

    /// Writes all values, at most [`BATCH`], in one commit if the backend supports that.
    ///
    /// # Errors
    /// Returns [`Unavailable`] if the store failed; then any of the values may have been written.
    async fn set_all(&self, values: Vec<(String, Vec<u8>)>) -> Result<(), Unavailable>;

    /// Adds 1 to the counter `key` and returns the sum; an absent counter is 0. On Azure Cosmos DB two concurrent
    /// callers may both get 1.
    ///
    /// # Errors
    /// Returns [`Unavailable`] if the store failed; the counter may have been incremented.
    async fn increment(&self, key: &str) -> Result<i64, Unavailable>;

    /// Deletes the keys, at most [`BATCH`] of them, whether they exist or not.
    ///
    /// # Errors
    /// Returns [`Unavailable`] if the store failed; then any of them may have been deleted.
    async fn delete_all(&self, keys: Vec<String>) -> Result<(), Unavailable>;

    /// Begins a compare-and-swap of `key`.
    ///
    /// # Errors
    /// Returns [`Unavailable`] if the store failed.
    async fn new_cas(&self, key: &str) -> Result<Self::Cas, Unavailable>;

    /// Reads the value with which [`Environment::compare_and_swap`] will compare.
    ///
    /// # Errors
    /// Returns [`Unavailable`] if the store failed.
    async fn current(&self, cas: &Self::Cas) -> Result<Option<Vec<u8>>, Unavailable>;

    /// Writes `value` if the key has not changed since [`Environment::current`]. If the key was absent, SQLite overwrites
    /// any value written in the meantime.
    ///
    /// # Errors
    /// Returns [`Unavailable`] if the store failed; the value may have been written.
    async fn compare_and_swap(
        &self,
        cas: Self::Cas,
        value: Vec<u8>,
    ) -> Result<CasOutcome<Self::Cas>, Unavailable>;

    /// Returns the time of day.
    async fn now(&self) -> SystemTime;

    /// Returns 64 random bits.
    async fn random(&self) -> u64;

    /// Waits for `duration`.
    async fn sleep(&self, duration: Duration);
}

/// The outcome of a compare-and-swap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CasOutcome<Cas> {
    /// The value was written.
    Written,
    /// The store reported a conflict, which Redis does even if it wrote the value. The new compare-and-swap of the same
    /// key reads what is stored now.
    Unconfirmed(Cas),
}

/// The store did not answer, or reported a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Unavailable;

impl std::fmt::Display for Unavailable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the key-value store failed or did not answer")
    }
}

impl std::error::Error for Unavailable {}

//! The environment of storage in WASI 0.3: Spin's key-value store, clocks and randomness.

use super::within;
use crate::platform::settings::Unreadable;
use crate::storage::environment::{CasOutcome, Environment, Unavailable};
use spin_sdk_wasip3::experimental::wasi::keyvalue::{atomics, batch, store};
use spin_sdk_wasip3::key_value;
use spin_sdk_wasip3::variables;
use spin_sdk_wasip3::wasip3::clocks::{monotonic_clock, system_clock};
use std::cell::Cell;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

/// The name of the one store that the functions use.
const NAME: &str = "default";
/// The time limit for an answer of the store. Spin itself tries for more than a minute to reach a Redis server that is
/// down.
const PATIENCE: Duration = Duration::from_secs(3);

/// Spin's key-value store `default`, and the clocks and the randomness of WASI.
///
/// An instance opens the store once for all of its requests: on Redis, opening is a round trip.
pub struct Spin<'a> {
    /// Counts pauses, for the log.
    retries: &'a Cell<u32>,
    /// Whether the store has answered this request.
    has_answered: Cell<bool>,
}

impl<'a> Spin<'a> {
    /// Creates the environment of one request, which counts its pauses in `retries`.
    #[must_use]
    pub fn new(retries: &'a Cell<u32>) -> Self {
        Self {
            retries,
            has_answered: Cell::new(false),
        }
    }

    /// Opens the store through Spin's own interface, which is asynchronous: the instance serves other requests meanwhile.
    async fn store() -> Result<&'static key_value::Store, Unavailable> {
        static STORE: OnceLock<key_value::Store> = OnceLock::new();
        if let Some(store) = STORE.get() {
            return Ok(store);
        }
        let store = in_time(key_value::Store::open(NAME)).await?;
        Ok(STORE.get_or_init(|| store))
    }

    /// Opens the store through `wasi:keyvalue`, which has the atomic operations.
    async fn bucket(&self) -> Result<&'static store::Bucket, Unavailable> {
        static BUCKET: OnceLock<store::Bucket> = OnceLock::new();
        if !self.has_answered.get() {
            // This interface blocks the instance until the store answers, so the asynchronous one is first used to find out
            // whether it does.
            in_time(key_value::Store::open(NAME)).await?;
            self.has_answered.set(true);
        }
        if let Some(bucket) = BUCKET.get() {
            return Ok(bucket);
        }
        let bucket = store::open(NAME).map_err(|_| Unavailable)?;
        Ok(BUCKET.get_or_init(|| bucket))
    }
}

/// Returns the answer of the store, unless it fails or takes too long.
async fn in_time<T>(call: impl Future<Output = Result<T, key_value::Error>>) -> Result<T, Unavailable> {
    match within(PATIENCE, call).await {
        Some(Ok(answer)) => Ok(answer),
        Some(Err(_)) | None => Err(Unavailable),
    }
}

impl Environment for Spin<'_> {
    type Cas = atomics::Cas;

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Unavailable> {
        let value = in_time(Self::store().await?.get(key)).await?;
        self.has_answered.set(true);
        Ok(value)
    }

    async fn exists(&self, key: &str) -> Result<bool, Unavailable> {
        self.bucket().await?.exists(key).map_err(|_| Unavailable)
    }

    async fn set_all(&self, values: Vec<(String, Vec<u8>)>) -> Result<(), Unavailable> {
        batch::set_many(self.bucket().await?, &values).map_err(|_| Unavailable)
    }

    async fn increment(&self, key: &str) -> Result<i64, Unavailable> {
        atomics::increment(self.bucket().await?, key, 1).map_err(|_| Unavailable)
    }

    async fn delete_all(&self, keys: Vec<String>) -> Result<(), Unavailable> {
        batch::delete_many(self.bucket().await?, &keys).map_err(|_| Unavailable)
    }

    async fn new_cas(&self, key: &str) -> Result<atomics::Cas, Unavailable> {
        atomics::Cas::new(self.bucket().await?, key).map_err(|_| Unavailable)
    }

    async fn current(&self, cas: &atomics::Cas) -> Result<Option<Vec<u8>>, Unavailable> {
        cas.current().map_err(|_| Unavailable)
    }

    async fn compare_and_swap(
        &self,
        cas: atomics::Cas,
        value: Vec<u8>,
    ) -> Result<CasOutcome<atomics::Cas>, Unavailable> {
        match atomics::swap(cas, &value) {
            Ok(()) => Ok(CasOutcome::Written),
            Err(atomics::CasError::CasFailed(next)) => Ok(CasOutcome::Unconfirmed(next)),
            Err(atomics::CasError::StoreError(_)) => Err(Unavailable),
        }
    }

    async fn now(&self) -> SystemTime {
        now()
    }

    async fn random(&self) -> u64 {
        spin_sdk_wasip3::wasip3::random::random::get_random_u64()
    }

    async fn sleep(&self, duration: Duration) {
        self.retries.set(self.retries.get() + 1);
        spin_sdk_wasip3::time::sleep(duration).await;
    }
}

/// Returns the time of day.
#[must_use]
pub fn now() -> SystemTime {
    let now = system_clock::now();
    let since_1970 = Duration::new(u64::try_from(now.seconds).unwrap_or_default(), now.nanoseconds);
    SystemTime::UNIX_EPOCH + since_1970
}

/// Returns the time since some fixed point in the past, on a clock that never goes back.
#[must_use]
pub fn monotonic() -> Duration {
    Duration::from_nanos(monotonic_clock::now())
}

/// Returns the text of a variable, or `None` if the component does not define it.
///
/// # Errors
/// Returns [`Unreadable`] if the provider of the variable failed.
pub async fn variable(name: &str) -> Result<Option<String>, Unreadable> {
    match variables::get(name).await {
        Ok(text) => Ok(Some(text)),
        Err(variables::Error::Undefined(_)) => Ok(None),
        Err(_) => Err(Unreadable),
    }
}

//! The environment of storage in WASI 0.2: Spin's key-value store through `wasi:keyvalue`, clocks and randomness.

use crate::platform::settings::Unreadable;
use crate::storage::environment::{CasOutcome, Environment, Unavailable};
use bindings::wasi::keyvalue::{atomics, batch, store};
use spin_sdk::variables;
use std::cell::Cell;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};
use wasip2::clocks::{monotonic_clock, wall_clock};
use wasip2::random::random::get_random_u64;

#[expect(clippy::pedantic, reason = "generated")]
mod bindings {
    wit_bindgen::generate!({ path: "wit", world: "platform", generate_all });
}

/// The name of the one store that the functions use.
const NAME: &str = "default";

/// Spin's key-value store `default`, and the clocks and the randomness of WASI.
pub struct Spin<'a> {
    /// Counts pauses, for the log.
    retries: &'a Cell<u32>,
}

impl<'a> Spin<'a> {
    /// Creates the environment of one request, which counts its pauses in `retries`.
    #[must_use]
    pub fn new(retries: &'a Cell<u32>) -> Self {
        Self { retries }
    }

    /// The store, opened by the first call: on Redis, opening is a round trip.
    fn bucket() -> Result<&'static store::Bucket, Unavailable> {
        static BUCKET: OnceLock<store::Bucket> = OnceLock::new();
        if let Some(bucket) = BUCKET.get() {
            return Ok(bucket);
        }
        let bucket = store::open(NAME).map_err(|_| Unavailable)?;
        Ok(BUCKET.get_or_init(|| bucket))
    }
}

impl Environment for Spin<'_> {
    type Cas = atomics::Cas;

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Unavailable> {
        Self::bucket()?.get(key).map_err(|_| Unavailable)
    }

    async fn exists(&self, key: &str) -> Result<bool, Unavailable> {
        Self::bucket()?.exists(key).map_err(|_| Unavailable)
    }

    async fn set_all(&self, values: Vec<(String, Vec<u8>)>) -> Result<(), Unavailable> {
        batch::set_many(Self::bucket()?, &values).map_err(|_| Unavailable)
    }

    async fn increment(&self, key: &str) -> Result<i64, Unavailable> {
        atomics::increment(Self::bucket()?, key, 1).map_err(|_| Unavailable)
    }

    async fn delete_all(&self, keys: Vec<String>) -> Result<(), Unavailable> {
        batch::delete_many(Self::bucket()?, &keys).map_err(|_| Unavailable)
    }

    async fn new_cas(&self, key: &str) -> Result<atomics::Cas, Unavailable> {
        atomics::Cas::new(Self::bucket()?, key).map_err(|_| Unavailable)
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
        get_random_u64()
    }

    async fn sleep(&self, duration: Duration) {
        self.retries.set(self.retries.get() + 1);
        monotonic_clock::subscribe_duration(super::nanoseconds(duration)).block();
    }
}

/// Returns the time of day.
#[must_use]
pub fn now() -> SystemTime {
    let now = wall_clock::now();
    SystemTime::UNIX_EPOCH + Duration::new(now.seconds, now.nanoseconds)
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
    match variables::get(name) {
        Ok(text) => Ok(Some(text)),
        Err(variables::Error::Undefined(_)) => Ok(None),
        Err(_) => Err(Unreadable),
    }
}

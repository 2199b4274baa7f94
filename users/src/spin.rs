//! The surroundings of a function on Spin. This file alone names Spin's key-value bindings.

use crate::backend::{Backend, Unavailable};
use crate::congestion::Congestion;
use spin_sdk::experimental::wasi::keyvalue::{atomics, batch, store};
use spin_sdk::key_value;
use spin_sdk::wasip3::{self, clocks::system_clock};
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::pin;
use std::sync::OnceLock;
use std::task::Poll;
use std::time::{Duration, SystemTime};

/// The name of the one store that the functions use.
const NAME: &str = "default";
/// How long keys to be removed are gathered, so that one commit removes many.
const GATHERING: Duration = Duration::from_millis(500);
/// How many keys are removed at once; DynamoDB takes no more.
const REMOVED_AT_ONCE: usize = 25;
/// How long the store may take to answer. Spin itself goes on for more than a minute trying to reach a Redis server
/// that is gone.
const PATIENCE: Duration = Duration::from_secs(3);

/// Spin's key-value store `default`, and the clocks and the randomness of WASI.
///
/// An instance opens the store once for all of its requests: on Redis, opening is a round trip.
pub struct Spin<'a> {
    /// Counts the pauses.
    retries: &'a Cell<u32>,
    /// Whether the store has answered this request.
    has_answered: Cell<bool>,
}

impl<'a> Spin<'a> {
    /// The surroundings of one request, whose pauses are added to `retries`.
    #[must_use]
    pub fn new(retries: &'a Cell<u32>) -> Self {
        Self {
            retries,
            has_answered: Cell::new(false),
        }
    }

    /// Spin's own interface, which is asynchronous: the instance serves other requests while a read is under way.
    async fn store() -> Result<&'static key_value::Store, Unavailable> {
        static STORE: OnceLock<key_value::Store> = OnceLock::new();
        if let Some(store) = STORE.get() {
            return Ok(store);
        }
        let store = in_time(key_value::Store::open(NAME)).await?;
        Ok(STORE.get_or_init(|| store))
    }

    /// `wasi:keyvalue`, which has the atomic operations.
    async fn bucket(&self) -> Result<&'static store::Bucket, Unavailable> {
        static BUCKET: OnceLock<store::Bucket> = OnceLock::new();
        if !self.has_answered.get() {
            // This interface blocks the instance for as long as it takes, so the other one finds out whether the
            // store is there.
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

/// What `call` answers, if it answers before patience is at its end.
async fn in_time<T>(call: impl Future<Output = Result<T, key_value::Error>>) -> Result<T, Unavailable> {
    let mut call = pin!(call);
    let mut end = pin!(spin_sdk::time::sleep(PATIENCE));
    poll_fn(|context| match call.as_mut().poll(context) {
        Poll::Ready(answer) => Poll::Ready(answer.map_err(|_| Unavailable)),
        // Only now does the timer start: most calls never come here.
        Poll::Pending => end.as_mut().poll(context).map(|()| Err(Unavailable)),
    })
    .await
}

impl Backend for Spin<'_> {
    type Swap = atomics::Cas;

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

    fn remove_later(&self, key: String) {
        // Names of claims, not data of requests; they outlive the request, so they cannot stay with it.
        thread_local!(static GATHERED: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) });

        let is_first = GATHERED.with_borrow_mut(|keys| {
            keys.push(key);
            keys.len() == 1
        });
        if is_first {
            wasip3::spawn(async {
                spin_sdk::time::sleep(GATHERING).await;
                let mut keys = GATHERED.take();
                keys.sort_unstable();
                keys.dedup();
                if let Ok(bucket) = store::open(NAME) {
                    for keys in keys.chunks(REMOVED_AT_ONCE) {
                        // What stays behind takes room, and stops counting with its minute.
                        let _ = batch::delete_many(&bucket, keys);
                    }
                }
            });
        }
    }

    async fn begin(&self, key: &str) -> Result<atomics::Cas, Unavailable> {
        atomics::Cas::new(self.bucket().await?, key).map_err(|_| Unavailable)
    }

    async fn current(&self, swap: &atomics::Cas) -> Result<Option<Vec<u8>>, Unavailable> {
        swap.current().map_err(|_| Unavailable)
    }

    async fn swap(&self, swap: atomics::Cas, value: Vec<u8>) -> Result<Option<atomics::Cas>, Unavailable> {
        match atomics::swap(swap, &value) {
            Ok(()) => Ok(None),
            Err(atomics::CasError::CasFailed(next)) => Ok(Some(next)),
            Err(atomics::CasError::StoreError(_)) => Err(Unavailable),
        }
    }

    fn congestion(&self) -> &Congestion {
        // Of the instance, not of a request: that is its sense.
        static CONGESTION: Congestion = Congestion::new();
        &CONGESTION
    }

    async fn now(&self) -> SystemTime {
        let now = system_clock::now();
        let since_1970 = Duration::new(u64::try_from(now.seconds).unwrap_or_default(), now.nanoseconds);
        SystemTime::UNIX_EPOCH + since_1970
    }

    async fn random(&self) -> u64 {
        wasip3::random::random::get_random_u64()
    }

    async fn sleep(&self, duration: Duration) {
        self.retries.set(self.retries.get() + 1);
        spin_sdk::time::sleep(duration).await;
    }
}

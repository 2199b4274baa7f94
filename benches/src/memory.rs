//! A store in memory. The benchmarks fill their stores in it by the functions' own protocol, so that these hold what
//! the functions would have written. `users/fuzz/fuzz_targets/envelope.rs` includes this file.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, SystemTime};

use users::storage::environment::{CasOutcome, Environment, Unavailable};

/// An environment of the storage protocol for a single client.
#[derive(Default)]
pub(crate) struct Memory {
    values: RefCell<HashMap<String, Vec<u8>>>,
    counters: RefCell<HashMap<String, i64>>,
    random: Cell<u64>,
    /// The time since the clock's start.
    time: Cell<Duration>,
}

/// Where the clock starts, from 1970 on: at the beginning of 2020.
const START: Duration = Duration::from_hours(18_262 * 24);

impl Memory {
    /// Makes every random number this one, so that the ids of operations can be known.
    pub(crate) fn set_random(&self, number: u64) {
        self.random.set(number);
    }

    /// Advances the clock, which otherwise stands still.
    pub(crate) fn pass(&self, time: Duration) {
        self.time.set(self.time.get() + time);
    }

    /// Every key with its value.
    pub(crate) fn into_values(self) -> HashMap<String, Vec<u8>> {
        self.values.into_inner()
    }
}

/// Runs a future that waits for nothing but a [`Memory`]; returns `None` if it waits for something else.
pub(crate) fn run<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

impl Environment for &Memory {
    type Cas = String;

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Unavailable> {
        Ok(self.values.borrow().get(key).cloned())
    }

    async fn exists(&self, key: &str) -> Result<bool, Unavailable> {
        Ok(self.values.borrow().contains_key(key) || self.counters.borrow().contains_key(key))
    }

    async fn set_all(&self, values: Vec<(String, Vec<u8>)>) -> Result<(), Unavailable> {
        self.values.borrow_mut().extend(values);
        Ok(())
    }

    async fn increment(&self, key: &str) -> Result<i64, Unavailable> {
        let mut counters = self.counters.borrow_mut();
        let count = counters.entry(key.to_owned()).or_default();
        *count += 1;
        Ok(*count)
    }

    async fn delete_all(&self, keys: Vec<String>) -> Result<(), Unavailable> {
        for key in keys {
            self.values.borrow_mut().remove(&key);
            self.counters.borrow_mut().remove(&key);
        }
        Ok(())
    }

    async fn new_cas(&self, key: &str) -> Result<String, Unavailable> {
        Ok(key.to_owned())
    }

    async fn current(&self, cas: &String) -> Result<Option<Vec<u8>>, Unavailable> {
        self.get(cas).await
    }

    async fn compare_and_swap(&self, cas: String, value: Vec<u8>) -> Result<CasOutcome<String>, Unavailable> {
        self.values.borrow_mut().insert(cas, value);
        Ok(CasOutcome::Written)
    }

    async fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + START + self.time.get()
    }

    async fn random(&self) -> u64 {
        self.random.get()
    }

    async fn sleep(&self, _: Duration) {}
}

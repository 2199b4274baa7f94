//! What the environments of both stores have in common: one client on one host of the simulated world.

use crate::world::{Nanos, Server, World};
use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

/// What requests asked of the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Calls {
    /// As `docs/CONSISTENCY.md` counts them.
    pub(crate) reads: u32,
    /// As `docs/CONSISTENCY.md` counts them.
    pub(crate) commits: u32,
    /// How often the host waited for the network.
    pub(crate) round_trips: u32,
    /// How often the protocol paused before it tried again.
    pub(crate) pauses: u32,
}

/// One client of one host, which has one request at a time.
pub(crate) struct Client<S: Server> {
    world: Rc<World<S>>,
    task: usize,
    host: usize,
    calls: Rc<Cell<Calls>>,
}

impl<S: Server> Clone for Client<S> {
    fn clone(&self) -> Self {
        Self {
            world: Rc::clone(&self.world),
            task: self.task,
            host: self.host,
            calls: Rc::clone(&self.calls),
        }
    }
}

impl<S: Server> Client<S> {
    /// The client that is the task `task` and sends its requests to `host`. What it asks of the store is counted in
    /// `calls`.
    pub(crate) fn new(world: &Rc<World<S>>, task: usize, host: usize, calls: &Rc<Cell<Calls>>) -> Self {
        Self {
            world: Rc::clone(world),
            task,
            host,
            calls: Rc::clone(calls),
        }
    }

    pub(crate) fn count(&self, count: impl FnOnce(&mut Calls)) {
        let mut calls = self.calls.get();
        count(&mut calls);
        self.calls.set(calls);
    }

    /// Sends a request to the store and returns the answer.
    pub(crate) async fn trip(&self, host_time: Nanos, trip: S::Trip) -> Option<S::Reply> {
        self.count(|calls| calls.round_trips += 1);
        self.world.trip(self.task, self.host, host_time, trip).await
    }

    /// Uses a processor of the host.
    pub(crate) async fn work(&self, amount: Nanos) {
        self.world.work(self.task, self.host, amount).await;
    }

    /// Waits, as the protocol does before it tries again.
    pub(crate) async fn pause(&self, duration: Duration) {
        self.count(|calls| calls.pauses += 1);
        self.wait(duration).await;
    }

    /// Waits.
    pub(crate) async fn wait(&self, duration: Duration) {
        self.world.sleep(self.task, duration).await;
    }

    pub(crate) fn random(&self) -> u64 {
        self.world.random()
    }

    pub(crate) fn now(&self) -> Nanos {
        self.world.now()
    }

    /// The time of day.
    pub(crate) fn time(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_hours(500_000) + Duration::from_nanos(self.world.now())
    }
}

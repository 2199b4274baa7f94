//! Redis, and how Spin uses it.
//!
//! From Spin 4.1, `crates/key-value-redis`: one connection for each host, shared by all requests, and one more for each
//! compare-and-swap, which is dropped with the instance. A swap reports failure whether it wrote or not, since `UNWATCH`
//! is sent with an argument; then the host begins another compare-and-swap and reads.

use crate::data::{Data, Value};
use crate::environment::Client;
use crate::world::{Agenda, Nanos, Server};
use std::cell::{Cell, OnceCell};
use std::collections::VecDeque;
use std::time::{Duration, SystemTime};
use users::storage::environment::{CasOutcome, Environment, Unavailable};

/// How long things take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timing {
    /// A network round trip.
    pub(crate) round_trip: Nanos,
    /// A command, on Redis' one thread.
    pub(crate) command: Nanos,
    /// Accepting and closing a connection, on the same thread.
    pub(crate) connection: Nanos,
    /// Making a write durable.
    pub(crate) fsync: Nanos,
    /// The host's CPU time for a round trip.
    pub(crate) host: Nanos,
}

/// A round trip.
pub(crate) enum Trip {
    Ping,
    Connect,
    Get(String),
    Exists(String),
    Watch(String),
    /// `MULTI`, `SET` and `EXEC` if the key has this version.
    Exec(String, Vec<u8>, Option<u64>),
    Unwatch,
    SetAll(Vec<(String, Vec<u8>)>),
    Increment(String),
    Delete(Vec<String>),
}

/// The answer to a [`Trip`].
pub(crate) enum Reply {
    Done,
    Value(Option<Value>),
    Version(u64),
    Count(i64),
}

/// A Redis server: one thread that takes what has arrived, writes what it changed to the disk at once, and answers all.
pub(crate) struct Redis {
    pub(crate) data: Data,
    timing: Timing,
    queue: VecDeque<(usize, Trip)>,
    is_busy: bool,
    /// How long the thread was busy.
    pub(crate) busy: Nanos,
    /// How many commands came.
    pub(crate) commands: u64,
    /// How many connections were opened.
    pub(crate) connections: u64,
}

impl Redis {
    pub(crate) fn new(data: Data, timing: Timing) -> Self {
        Self {
            data,
            timing,
            queue: VecDeque::new(),
            is_busy: false,
            busy: 0,
            commands: 0,
            connections: 0,
        }
    }

    /// One turn of the event loop.
    fn turn(&mut self, now: Nanos, agenda: &mut Agenda<Self>) {
        self.is_busy = !self.queue.is_empty();
        if !self.is_busy {
            return;
        }
        let mut duration = 0;
        let mut has_written = false;
        let mut replies = Vec::with_capacity(self.queue.len());
        for (task, trip) in std::mem::take(&mut self.queue) {
            let (commands, is_write) = match trip {
                // `CLIENT SETINFO`, twice.
                Trip::Connect => (2, false),
                Trip::Exec(..) => (3, true),
                Trip::SetAll(..) | Trip::Increment(_) | Trip::Delete(_) => (1, true),
                _ => (1, false),
            };
            if matches!(trip, Trip::Connect) {
                duration += self.timing.connection;
                self.connections += 1;
            }
            duration += commands * self.timing.command;
            self.commands += commands;
            has_written |= is_write;
            replies.push((task, self.execute(trip)));
        }
        if has_written {
            duration += self.timing.fsync;
        }
        self.busy += duration;
        for (task, reply) in replies {
            agenda.answer(now + duration + self.timing.round_trip / 2, task, reply);
        }
        agenda.go_on(now + duration);
    }

    fn execute(&mut self, trip: Trip) -> Reply {
        match trip {
            Trip::Ping | Trip::Connect | Trip::Unwatch => {}
            Trip::Get(key) | Trip::Exists(key) => return Reply::Value(self.data.get(&key)),
            Trip::Watch(key) => return Reply::Version(self.data.version(&key)),
            Trip::Exec(key, value, watched) => {
                if watched.is_none_or(|version| version == self.data.version(&key)) {
                    self.data.set(&key, value);
                }
            }
            Trip::SetAll(values) => values
                .into_iter()
                .for_each(|(key, value)| self.data.set(&key, value)),
            Trip::Increment(key) => {
                let count = self.data.count(&key) + 1;
                self.data.set(&key, count.to_string().into_bytes());
                return Reply::Count(count);
            }
            Trip::Delete(keys) => keys.iter().for_each(|key| self.data.delete(key)),
        }
        Reply::Done
    }
}

impl Server for Redis {
    type Trip = Trip;
    type Reply = Reply;

    fn way_there(&self, trip: &Trip) -> Nanos {
        // A connection begins with a round trip of its own.
        let handshake = matches!(trip, Trip::Connect);
        self.timing.round_trip / 2 + u64::from(handshake) * self.timing.round_trip
    }

    fn arrive(&mut self, now: Nanos, task: usize, trip: Trip, agenda: &mut Agenda<Self>) {
        self.queue.push_back((task, trip));
        if !self.is_busy {
            self.turn(now, agenda);
        }
    }

    fn go_on(&mut self, now: Nanos, agenda: &mut Agenda<Self>) {
        self.turn(now, agenda);
    }
}

/// What Spin's key-value store is to one request, on Redis.
pub(crate) struct SpinOnRedis {
    client: Client<Redis>,
    host_time: Nanos,
    /// Whether the store was opened, which is a `PING`.
    is_open: OnceCell<()>,
}

/// A compare-and-swap on a connection of its own.
pub(crate) struct Cas {
    key: String,
    watched: Cell<Option<u64>>,
}

impl SpinOnRedis {
    pub(crate) fn new(client: Client<Redis>, timing: Timing) -> Self {
        Self {
            client,
            host_time: timing.host,
            is_open: OnceCell::new(),
        }
    }

    async fn trip(&self, trip: Trip) -> Result<Reply, Unavailable> {
        if self.is_open.set(()).is_ok() {
            self.client.trip(self.host_time, Trip::Ping).await;
        }
        // A connection is two round trips.
        let round_trips = 1 + u32::from(matches!(trip, Trip::Connect));
        self.client.count(|calls| calls.round_trips += round_trips - 1);
        let reply = self.client.trip(self.host_time * u64::from(round_trips), trip);
        reply.await.ok_or(Unavailable)
    }

    async fn value(&self, trip: Trip) -> Result<Option<Value>, Unavailable> {
        self.client.count(|calls| calls.reads += 1);
        match self.trip(trip).await? {
            Reply::Value(value) => Ok(value),
            _ => Err(Unavailable),
        }
    }

    async fn write(&self, trip: Trip) -> Result<Reply, Unavailable> {
        self.client.count(|calls| calls.commits += 1);
        self.trip(trip).await
    }
}

impl Environment for SpinOnRedis {
    type Cas = Cas;

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Unavailable> {
        let value = self.value(Trip::Get(key.to_owned())).await?;
        Ok(value.map(|value| value.to_vec()))
    }

    async fn exists(&self, key: &str) -> Result<bool, Unavailable> {
        Ok(self.value(Trip::Exists(key.to_owned())).await?.is_some())
    }

    async fn set_all(&self, values: Vec<(String, Vec<u8>)>) -> Result<(), Unavailable> {
        self.write(Trip::SetAll(values)).await?;
        Ok(())
    }

    async fn increment(&self, key: &str) -> Result<i64, Unavailable> {
        match self.write(Trip::Increment(key.to_owned())).await? {
            Reply::Count(count) => Ok(count),
            _ => Err(Unavailable),
        }
    }

    async fn delete_all(&self, keys: Vec<String>) -> Result<(), Unavailable> {
        self.write(Trip::Delete(keys)).await?;
        Ok(())
    }

    async fn new_cas(&self, key: &str) -> Result<Cas, Unavailable> {
        self.trip(Trip::Connect).await?;
        Ok(Cas {
            key: key.to_owned(),
            watched: Cell::new(None),
        })
    }

    async fn current(&self, cas: &Cas) -> Result<Option<Vec<u8>>, Unavailable> {
        let Reply::Version(version) = self.trip(Trip::Watch(cas.key.clone())).await? else {
            return Err(Unavailable);
        };
        // A key that is watched already stays watched from then on.
        cas.watched.set(cas.watched.get().or(Some(version)));
        self.get(&cas.key).await
    }

    async fn compare_and_swap(&self, cas: Cas, value: Vec<u8>) -> Result<CasOutcome<Cas>, Unavailable> {
        self.write(Trip::Exec(cas.key.clone(), value, cas.watched.get()))
            .await?;
        self.trip(Trip::Unwatch).await?;
        let next = self.new_cas(&cas.key).await?;
        self.current(&next).await?;
        Ok(CasOutcome::Unconfirmed(next))
    }

    async fn now(&self) -> SystemTime {
        self.client.time()
    }

    async fn random(&self) -> u64 {
        self.client.random()
    }

    async fn sleep(&self, duration: Duration) {
        self.client.pause(duration).await;
    }
}

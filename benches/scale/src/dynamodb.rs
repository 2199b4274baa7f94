//! DynamoDB, and how Spin uses it.
//!
//! From Spin 4.1, `crates/key-value-aws`: every value is an item of its own. A swap is a transaction of one item with a
//! condition, an increment is a read and such a transaction, and a batch of writes is repeated at once for what was not
//! processed. The SDK repeats a read that was throttled twice.

use crate::data::{Data, Value};
use crate::environment::Client;
use crate::world::{Agenda, Nanos, Server};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::cell::Cell;
use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, SystemTime};
use users::storage::environment::{CasOutcome, Environment, Unavailable};

/// How long things take, and the capacity of the table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// A network round trip.
    pub(crate) round_trip: Nanos,
    /// The mean time of a read in the service.
    pub(crate) read: Nanos,
    /// The mean time of a write.
    pub(crate) write: Nanos,
    /// The mean time of a transaction.
    pub(crate) transaction: Nanos,
    /// The host's CPU time for a call.
    pub(crate) host: Nanos,
    /// How many partitions the table has.
    pub(crate) partitions: usize,
    /// Read and write units of a partition in a second.
    pub(crate) of_partition: (f64, f64),
    /// Read and write units of the table in a second.
    pub(crate) of_table: (f64, f64),
}

/// A call.
pub(crate) enum Trip {
    /// `GetItem`, consistent.
    Get(String),
    /// `TransactWriteItems` of one item: sets the value if the key has this version.
    Transact(String, Vec<u8>, Option<u64>),
    /// `BatchWriteItem`; without a value the item is deleted.
    Write(Vec<(String, Option<Vec<u8>>)>),
}

/// The answer to a [`Trip`].
pub(crate) enum Reply {
    Item(Option<Value>, u64),
    Written,
    /// A condition did not hold, another transaction of the item was under way, or there were no units left.
    Cancelled,
    Throttled,
    Unprocessed(Vec<(String, Option<Vec<u8>>)>),
}

/// A token bucket: units arrive at a constant rate, and at most one second's worth is kept.
struct Bucket {
    rate: f64,
    level: f64,
    at: Nanos,
}

impl Bucket {
    fn new(rate: f64) -> Self {
        Self {
            rate,
            level: 0.0,
            at: 0,
        }
    }

    /// Whether anything is left.
    fn is_positive(&mut self, now: Nanos) -> bool {
        let elapsed = Duration::from_nanos(now - self.at).as_secs_f64();
        self.level = (self.level + elapsed * self.rate).min(self.rate);
        self.at = now;
        self.level > 0.0
    }
}

/// A table.
pub(crate) struct DynamoDb {
    pub(crate) data: Data,
    limits: Limits,
    /// Read and write units of each partition, and last of the table.
    buckets: Vec<(Bucket, Bucket)>,
    /// Items that a transaction is about to write.
    locked: HashSet<String>,
    under_way: BTreeMap<(Nanos, usize), (Trip, bool)>,
    random: StdRng,
    /// Units that were used.
    pub(crate) read_units: f64,
    pub(crate) write_units: f64,
    /// Calls that came, and that were throttled.
    pub(crate) calls: u64,
    pub(crate) throttled: u64,
}

/// The bytes that count: names and values of all attributes. The version is a number of a few digits.
pub(crate) fn item_size(key: &str, value: &[u8]) -> usize {
    const NAMES_AND_VERSION: usize = "PK".len() + "VAL".len() + "VER".len() + 3;
    NAMES_AND_VERSION + key.len() + value.len()
}

/// Units of a consistent read: one for each 4 KiB, and one for an absent item.
pub(crate) fn read_units(size: usize) -> f64 {
    units(size, 4096)
}

/// Units of a write: one for 1 KiB. A transaction costs twice as many.
pub(crate) fn write_units(size: usize) -> f64 {
    units(size, 1024)
}

fn units(size: usize, unit: usize) -> f64 {
    f64::from(u32::try_from(size.div_ceil(unit).max(1)).unwrap_or(u32::MAX))
}

impl DynamoDb {
    pub(crate) fn new(data: Data, limits: Limits, seed: u64) -> Self {
        let bucket = |(read, write)| (Bucket::new(read), Bucket::new(write));
        let mut buckets: Vec<_> = (0..limits.partitions)
            .map(|_| bucket(limits.of_partition))
            .collect();
        buckets.push(bucket(limits.of_table));
        Self {
            data,
            limits,
            buckets,
            locked: HashSet::new(),
            under_way: BTreeMap::new(),
            random: StdRng::seed_from_u64(seed),
            read_units: 0.0,
            write_units: 0.0,
            calls: 0,
            throttled: 0,
        }
    }

    fn stored_size(&self, key: &str) -> usize {
        self.data.get(key).map_or(0, |value| item_size(key, &value))
    }

    /// Takes units of the partition of `key` and of the table. Returns whether there were any.
    fn take(&mut self, now: Nanos, key: &str, read: f64, write: f64) -> bool {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        let partitions = self.limits.partitions;
        let partition = usize::try_from(hasher.finish() % partitions as u64).unwrap_or(0);
        let places = [partition, partitions];
        let is_there = places.iter().all(|place| {
            let (reads, writes) = &mut self.buckets[*place];
            (read == 0.0 || reads.is_positive(now)) && (write == 0.0 || writes.is_positive(now))
        });
        if !is_there {
            self.throttled += 1;
            return false;
        }
        for place in places {
            self.buckets[place].0.level -= read;
            self.buckets[place].1.level -= write;
        }
        self.read_units += read;
        self.write_units += write;
        true
    }

    /// Returns a random time with this mean: half of it fixed, the rest exponentially distributed.
    fn service_time(&mut self, mean: Nanos) -> Nanos {
        let chance: f64 = self.random.random();
        let half = Duration::from_nanos(mean / 2);
        crate::world::nanos(half + half.mul_f64(-(1.0 - chance).ln()))
    }

    fn answer(&self, agenda: &mut Agenda<Self>, at: Nanos, task: usize, reply: Reply) {
        agenda.answer(at + self.limits.round_trip / 2, task, reply);
    }

    fn begin(
        &mut self,
        now: Nanos,
        mean: Nanos,
        task: usize,
        trip: Trip,
        holds: bool,
        agenda: &mut Agenda<Self>,
    ) {
        let end = now + self.service_time(mean);
        self.under_way.insert((end, task), (trip, holds));
        agenda.go_on(end);
    }

    fn finish(&mut self, trip: Trip, holds: bool) -> Reply {
        match trip {
            Trip::Get(key) => Reply::Item(self.data.get(&key), self.data.version(&key)),
            Trip::Transact(key, value, _) => {
                self.locked.remove(&key);
                if !holds {
                    return Reply::Cancelled;
                }
                self.data.set(&key, value);
                Reply::Written
            }
            Trip::Write(items) => {
                for (key, value) in items {
                    match value {
                        Some(value) => self.data.set(&key, value),
                        None => self.data.delete(&key),
                    }
                }
                Reply::Written
            }
        }
    }
}

impl Server for DynamoDb {
    type Trip = Trip;
    type Reply = Reply;

    fn way_there(&self, _: &Trip) -> Nanos {
        self.limits.round_trip / 2
    }

    fn arrive(&mut self, now: Nanos, task: usize, trip: Trip, agenda: &mut Agenda<Self>) {
        self.calls += 1;
        match trip {
            Trip::Get(key) => {
                let units = read_units(self.stored_size(&key));
                if self.take(now, &key, units, 0.0) {
                    self.begin(now, self.limits.read, task, Trip::Get(key), true, agenda);
                } else {
                    self.answer(agenda, now, task, Reply::Throttled);
                }
            }
            Trip::Transact(key, value, expected) => {
                let size = self.stored_size(&key).max(item_size(&key, &value));
                // A transaction that is cancelled is taken to cost as much as one that writes.
                let has_units = self.take(now, &key, 0.0, 2.0 * write_units(size));
                if !has_units || self.locked.contains(&key) {
                    self.answer(agenda, now, task, Reply::Cancelled);
                    return;
                }
                let holds = expected.is_none_or(|version| version == self.data.version(&key));
                self.locked.insert(key.clone());
                let trip = Trip::Transact(key, value, expected);
                self.begin(now, self.limits.transaction, task, trip, holds, agenda);
            }
            Trip::Write(items) => {
                let (taken, unprocessed): (Vec<_>, Vec<_>) = items.into_iter().partition(|(key, value)| {
                    let size = value.as_ref().map_or(0, |value| item_size(key, value));
                    let units = write_units(self.stored_size(key).max(size));
                    self.take(now, key, 0.0, units)
                });
                if unprocessed.is_empty() {
                    self.begin(now, self.limits.write, task, Trip::Write(taken), true, agenda);
                } else {
                    self.finish(Trip::Write(taken), true);
                    self.answer(
                        agenda,
                        now + self.limits.write,
                        task,
                        Reply::Unprocessed(unprocessed),
                    );
                }
            }
        }
    }

    fn go_on(&mut self, now: Nanos, agenda: &mut Agenda<Self>) {
        while let Some(entry) = self.under_way.first_entry()
            && entry.key().0 <= now
        {
            let ((_, task), (trip, holds)) = entry.remove_entry();
            let reply = self.finish(trip, holds);
            self.answer(agenda, now, task, reply);
        }
    }
}

/// What Spin's key-value store is to one request, on DynamoDB.
pub(crate) struct SpinOnDynamoDb {
    client: Client<DynamoDb>,
    host_time: Nanos,
}

/// A compare-and-swap: what was read of the key.
pub(crate) struct Cas {
    key: String,
    version: Cell<Option<u64>>,
}

impl SpinOnDynamoDb {
    /// How often the SDK sends a call at most.
    const ATTEMPTS: u32 = 3;
    /// The longest pause of the SDK before it sends a call again; each further one may be twice as long.
    const PAUSE: Duration = Duration::from_secs(1);

    pub(crate) fn new(client: Client<DynamoDb>, limits: Limits) -> Self {
        Self {
            client,
            host_time: limits.host,
        }
    }

    async fn trip(&self, trip: Trip) -> Result<Reply, Unavailable> {
        self.client.trip(self.host_time, trip).await.ok_or(Unavailable)
    }

    async fn item(&self, key: &str) -> Result<(Option<Value>, u64), Unavailable> {
        for attempt in 1..=Self::ATTEMPTS {
            if let Reply::Item(value, version) = self.trip(Trip::Get(key.to_owned())).await? {
                return Ok((value, version));
            }
            if attempt < Self::ATTEMPTS {
                let longest = Self::PAUSE * 2_u32.pow(attempt - 1);
                let [chance, ..] = self.client.random().to_be_bytes();
                self.client
                    .wait(longest * u32::from(chance) / u32::from(u8::MAX))
                    .await;
            }
        }
        Err(Unavailable)
    }

    async fn write(&self, mut items: Vec<(String, Option<Vec<u8>>)>) -> Result<(), Unavailable> {
        self.client.count(|calls| calls.commits += 1);
        while let Reply::Unprocessed(rest) = self.trip(Trip::Write(items)).await? {
            items = rest;
        }
        Ok(())
    }
}

impl Environment for SpinOnDynamoDb {
    type Cas = Cas;

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Unavailable> {
        self.client.count(|calls| calls.reads += 1);
        let (value, _) = self.item(key).await?;
        Ok(value.map(|value| value.to_vec()))
    }

    async fn exists(&self, key: &str) -> Result<bool, Unavailable> {
        Ok(self.get(key).await?.is_some())
    }

    async fn set_all(&self, values: Vec<(String, Vec<u8>)>) -> Result<(), Unavailable> {
        self.write(
            values
                .into_iter()
                .map(|(key, value)| (key, Some(value)))
                .collect(),
        )
        .await
    }

    async fn increment(&self, key: &str) -> Result<i64, Unavailable> {
        self.client.count(|calls| calls.commits += 1);
        let (value, version) = self.item(key).await?;
        let text = value.as_deref().and_then(|bytes| std::str::from_utf8(bytes).ok());
        let count = text.map_or(Ok(0), str::parse::<i64>).map_err(|_| Unavailable)? + 1;
        let trip = Trip::Transact(key.to_owned(), count.to_string().into_bytes(), Some(version));
        match self.trip(trip).await? {
            Reply::Written => Ok(count),
            _ => Err(Unavailable),
        }
    }

    async fn delete_all(&self, keys: Vec<String>) -> Result<(), Unavailable> {
        self.write(keys.into_iter().map(|key| (key, None)).collect())
            .await
    }

    async fn new_cas(&self, key: &str) -> Result<Cas, Unavailable> {
        Ok(Cas {
            key: key.to_owned(),
            version: Cell::new(None),
        })
    }

    async fn current(&self, cas: &Cas) -> Result<Option<Vec<u8>>, Unavailable> {
        self.client.count(|calls| calls.reads += 1);
        let (value, version) = self.item(&cas.key).await?;
        cas.version.set(Some(version));
        Ok(value.map(|value| value.to_vec()))
    }

    async fn compare_and_swap(&self, cas: Cas, value: Vec<u8>) -> Result<CasOutcome<Cas>, Unavailable> {
        self.client.count(|calls| calls.commits += 1);
        let trip = Trip::Transact(cas.key.clone(), value, cas.version.get());
        if matches!(self.trip(trip).await?, Reply::Written) {
            return Ok(CasOutcome::Written);
        }
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

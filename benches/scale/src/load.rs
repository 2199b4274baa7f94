//! Many hosts under load.

use crate::data::Data;
use crate::dynamodb::{DynamoDb, Limits, SpinOnDynamoDb};
use crate::environment::{Calls, Client};
use crate::population::{START, user, username};
use crate::redis::{Redis, SpinOnRedis, Timing};
use crate::requests::{Failure, Request, perform};
use crate::world::{Nanos, Server, World};
use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;
use users::storage::environment::Environment;
use users::storage::{StoreError, UserStore};

/// What clients ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mix {
    ReadMostly,
    WriteHeavy,
    HotUser,
    Creations,
}

impl Mix {
    pub(crate) const ALL: [Self; 4] = [Self::ReadMostly, Self::WriteHeavy, Self::HotUser, Self::Creations];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ReadMostly => "95 % `GET`, 5 % awards",
            Self::WriteHeavy => "20 % `GET`, 80 % awards",
            Self::HotUser => "awards, all to one user",
            Self::Creations => "creations",
        }
    }

    fn request(self, random: u64, population: u64, created: &Cell<u64>) -> Option<Request> {
        let [percent, ..] = random.to_be_bytes();
        let awards = match self {
            Self::ReadMostly => 5,
            Self::WriteHeavy => 80,
            Self::HotUser => 100,
            Self::Creations => {
                created.set(created.get() + 1);
                return Some(Request::Create(user(population + created.get())?, None));
            }
        };
        let number = if self == Self::HotUser {
            0
        } else {
            (random & 0xffff_ffff) % population
        };
        Some(if u32::from(percent) * 100 < 256 * awards {
            Request::Award(username(number)?, None)
        } else {
            Request::Get(username(number)?)
        })
    }
}

/// A load.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) mix: Mix,
    pub(crate) hosts: usize,
    /// Clients of each host; each sends its next request when it has the answer.
    pub(crate) clients: usize,
    /// How many users there are.
    pub(crate) population: u64,
    /// Of a processor, for a request, its store calls aside.
    pub(crate) work: Nanos,
    /// How long the load lasts before it is measured.
    pub(crate) warm_up: Duration,
    /// How long it is measured.
    pub(crate) duration: Duration,
    pub(crate) seed: u64,
}

/// What a load did.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcome {
    /// Requests that were done, in a second.
    pub(crate) rate: f64,
    /// Of all answers, in milliseconds.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    /// Pauses of the protocol, for each request.
    pub(crate) retries: f64,
    /// The share of 503 `try-again`, and of 503 `store-unavailable`.
    pub(crate) try_again: f64,
    pub(crate) unavailable: f64,
    /// What limits the store: the share of the time in which Redis' thread was busy, or of calls that were throttled.
    pub(crate) limit: f64,
    /// Connections that were opened, in a second.
    pub(crate) connections: f64,
}

/// Simulates a load on Redis.
///
/// # Errors
/// Returns [`Failure::Unexpected`] if a request did something that the load does not mean to cause.
pub(crate) fn on_redis(data: Data, timing: Timing, load: Load) -> Result<Outcome, Failure> {
    let world = World::new(
        Redis::new(data, timing),
        load.hosts * load.clients,
        load.hosts,
        START,
        load.seed,
    );
    let mut outcome = simulate(&world, load, |client| SpinOnRedis::new(client, timing))?;
    let elapsed = load.warm_up + load.duration;
    world.with_server(|redis| {
        // The last turn may end after the load.
        outcome.limit = Duration::from_nanos(redis.busy)
            .div_duration_f64(elapsed)
            .min(1.0);
        outcome.connections = float(redis.connections) / elapsed.as_secs_f64();
    });
    Ok(outcome)
}

/// Simulates a load on DynamoDB.
///
/// # Errors
/// Returns [`Failure::Unexpected`] if a request did something that the load does not mean to cause.
pub(crate) fn on_dynamodb(data: Data, limits: Limits, load: Load) -> Result<Outcome, Failure> {
    let world = World::new(
        DynamoDb::new(data, limits, load.seed),
        load.hosts * load.clients,
        load.hosts,
        START,
        load.seed,
    );
    let mut outcome = simulate(&world, load, |client| SpinOnDynamoDb::new(client, limits))?;
    world.with_server(|table| outcome.limit = float(table.throttled) / float(table.calls.max(1)));
    Ok(outcome)
}

#[derive(Default)]
struct Record {
    latencies: Vec<Nanos>,
    done: u64,
    try_again: u64,
    unavailable: u64,
    pauses: u64,
    failure: Option<Failure>,
}

fn simulate<S: Server + 'static, E: Environment + 'static>(
    world: &Rc<World<S>>,
    load: Load,
    environment: impl Fn(Client<S>) -> E,
) -> Result<Outcome, Failure> {
    let record = RefCell::new(Record::default());
    let created = Cell::new(0);
    let measured_from = START + crate::world::nanos(load.warm_up);
    let tasks = (0..load.hosts * load.clients).map(|task| {
        let (record, created, environment) = (&record, &created, &environment);
        Box::pin(async move {
            loop {
                let calls: Rc<Cell<Calls>> = Rc::default();
                let client = Client::new(world, task, task % load.hosts, &calls);
                let Some(request) = load.mix.request(client.random(), load.population, created) else {
                    record.borrow_mut().failure = Some(Failure::Unexpected);
                    return;
                };
                let begun = client.now();
                client.work(load.work).await;
                let answer = perform(&UserStore::new(environment(client.clone())), &request).await;
                if client.now() < measured_from {
                    continue;
                }
                let mut record = record.borrow_mut();
                record.latencies.push(client.now() - begun);
                record.pauses += u64::from(calls.get().pauses);
                match answer {
                    Ok(()) => record.done += 1,
                    Err(Failure::Store(StoreError::TryAgain)) => record.try_again += 1,
                    Err(Failure::Store(StoreError::Unavailable)) => record.unavailable += 1,
                    Err(other) => {
                        record.failure = Some(other);
                        return;
                    }
                }
            }
        }) as Pin<Box<dyn Future<Output = ()> + '_>>
    });
    world.run(
        tasks.collect(),
        measured_from + crate::world::nanos(load.duration),
    );
    let mut record = record.into_inner();
    if let Some(failure) = record.failure {
        return Err(failure);
    }
    record.latencies.sort_unstable();
    let answers = float(record.latencies.len() as u64).max(1.0);
    Ok(Outcome {
        rate: float(record.done) / load.duration.as_secs_f64(),
        p50: percentile(&record.latencies, 50),
        p99: percentile(&record.latencies, 99),
        retries: float(record.pauses) / answers,
        try_again: float(record.try_again) / answers,
        unavailable: float(record.unavailable) / answers,
        ..Outcome::default()
    })
}

/// A percentile of sorted times, in milliseconds.
fn percentile(sorted: &[Nanos], percent: usize) -> f64 {
    let place = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    let time = sorted.get(place).copied().unwrap_or_default();
    Duration::from_nanos(time).as_secs_f64() * 1e3
}

/// A count, of which none here is so large that it would lose digits.
#[expect(
    clippy::cast_precision_loss,
    reason = "counts of a simulation are far below 2^53"
)]
fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Arguments;
    use crate::population::population;
    use clap::Parser;

    fn load(mix: Mix, hosts: usize) -> Load {
        Load {
            population: 2_000,
            warm_up: Duration::from_millis(300),
            duration: Duration::from_millis(700),
            ..Arguments::parse_from(["scale"]).load(mix, hosts)
        }
    }

    #[test]
    fn redis_is_the_limit_of_many_hosts_and_not_of_one() {
        let data = population(2_000).unwrap();
        let timing = Arguments::parse_from(["scale"]).redis();
        let run = |hosts| on_redis(data.clone(), timing, load(Mix::WriteHeavy, hosts)).unwrap();
        let (one, many) = (run(1), run(20));
        assert!(one.limit < 0.95 && many.limit > 0.99, "{one:?} {many:?}");
        assert!(
            many.rate > one.rate * 1.2 && many.rate < one.rate * 10.0,
            "{one:?} {many:?}"
        );
        assert!(many.p50 > one.p50, "{one:?} {many:?}");
    }

    #[test]
    fn a_run_with_the_same_seed_has_the_same_outcome() {
        let data = population(500).unwrap();
        let timing = Arguments::parse_from(["scale"]).redis();
        let run = |seed| {
            let load = Load {
                population: 500,
                seed,
                duration: Duration::from_millis(200),
                ..load(Mix::HotUser, 1)
            };
            format!("{:?}", on_redis(data.clone(), timing, load).unwrap())
        };
        assert_eq!(run(1), run(1));
        assert_ne!(run(1), run(2));
    }

    #[test]
    fn no_award_is_lost_or_applied_twice() {
        // Each client may have had one request in progress at the end, so up to that many awards were applied but not
        // answered.
        let data = population(10).unwrap();
        let timing = Arguments::parse_from(["scale"]).redis();
        let load = Load {
            population: 10,
            warm_up: Duration::ZERO,
            duration: Duration::from_millis(500),
            ..load(Mix::HotUser, 2)
        };
        let clients = load.hosts * load.clients;
        let world = World::new(Redis::new(data, timing), clients, load.hosts, START, 0);
        let outcome = simulate(&world, load, |client| SpinOnRedis::new(client, timing)).unwrap();
        let key = users::storage::keys::user(&username(0).unwrap());
        let stored = world.with_server(|redis| redis.data.get(&key)).unwrap();
        let envelope = users::storage::envelope::Envelope::from_bytes(&stored).unwrap();
        let applied = envelope.sequence() - 1 - crate::population::CHANGES as u64;
        let answered = outcome.rate * load.duration.as_secs_f64();
        assert!(answered > 50.0, "{outcome:?}");
        assert!(answered <= float(applied) + 1e-6, "{answered} of {applied}");
        assert!(
            float(applied) <= answered + float(clients as u64),
            "{answered} of {applied}"
        );
    }

    #[test]
    fn a_table_throttles_what_is_above_its_units() {
        let data = population(2_000).unwrap();
        let limits = Arguments::parse_from(["scale"]).new_table();
        let few = on_dynamodb(data.clone(), limits, load(Mix::ReadMostly, 1)).unwrap();
        let many = on_dynamodb(data, limits, load(Mix::WriteHeavy, 20)).unwrap();
        assert!(few.limit < 0.01 && few.rate > 500.0, "{few:?}");
        assert!(many.limit > 0.1, "{many:?}");
        // 4,000 units, 6 for an award, and 4 awards for each `GET`.
        assert!(many.rate < 4_000.0 / 6.0 * 1.25 * 1.1, "{many:?}");
    }
}

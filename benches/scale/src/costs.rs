//! What one request of each kind costs: carried out once, alone, on the model of each store.

use crate::data::Data;
use crate::dynamodb::{DynamoDb, Limits, SpinOnDynamoDb};
use crate::environment::{Calls, Client};
use crate::population::{CHANGES, START, user, username};
use crate::redis::{Redis, SpinOnRedis, Timing};
use crate::requests::{Failure, Request, perform};
use crate::world::World;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;
use users::storage::environment::Environment;
use users::storage::{UserStore, keys};

/// What a request costs on both stores.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Cost {
    pub(crate) redis: Calls,
    pub(crate) redis_commands: u64,
    pub(crate) redis_connections: u64,
    pub(crate) dynamodb: Calls,
    pub(crate) read_units: f64,
    pub(crate) write_units: f64,
}

/// The named requests and their costs.
pub(crate) type Costs = Vec<(&'static str, Cost)>;

/// The requests whose costs are reported, with their names, in the order in which they are sent. Requests without a
/// name only prepare the next one.
pub(crate) fn requests(population: u64) -> Option<Vec<(Option<&'static str>, Request)>> {
    let key = |text: &str| text.parse().ok();
    let new = |number| user(population + number);
    let mut requests = vec![
        (Some("`GET /user/…`"), Request::Get(username(0)?)),
        (Some("`POST /user`"), Request::Create(new(0)?, None)),
        (
            Some("the same with a key"),
            Request::Create(new(1)?, Some(key("k")?)),
        ),
        (Some("`POST /user/points/…`"), Request::Award(username(0)?, None)),
        (
            Some("the same with a key"),
            Request::Award(username(0)?, Some(key("k")?)),
        ),
    ];
    let full = 40 - CHANGES;
    requests.extend(vec![(None, Request::Award(username(1)?, None)); full]);
    requests.extend([
        (
            Some("the same, every 24th time"),
            Request::Award(username(1)?, None),
        ),
        (Some("`PUT /user/promote/…`"), Request::Promote(username(2)?)),
        (Some("`PATCH /user/update/…`"), Request::Update(username(2)?)),
        (Some("`GET /user/history/…`"), Request::History(username(2)?)),
        (Some("`GET /users`, 50 of them"), Request::List),
        (Some("`DELETE /user/erase/…`"), Request::Erase(username(3)?)),
        (
            Some("publishing a change of a new user"),
            Request::Publish(new(0)?.username().clone()),
        ),
    ]);
    Some(requests)
}

/// Counts what the named of `requests` cost in a store with this data. Also returns the data afterwards.
///
/// # Errors
/// Returns [`Failure`] if one is not answered.
pub(crate) fn count(
    data: &Data,
    requests: &[(Option<&'static str>, Request)],
    timing: Timing,
) -> Result<(Costs, Data), Failure> {
    let costs = RefCell::new(Vec::new());
    let failure = RefCell::new(None);

    let redis = World::new(Redis::new(data.clone(), timing), 1, 1, START, 0);
    let dynamodb = World::new(DynamoDb::new(data.clone(), Limits::UNLIMITED, 0), 1, 1, START, 0);
    let task = async {
        for (name, request) in requests {
            let calls: Rc<Cell<Calls>> = Rc::default();
            let environment = SpinOnRedis::new(Client::new(&redis, 0, 0, &calls), timing);
            let before = redis.with_server(|server| (server.commands, server.connections));
            note(&failure, environment, request).await;
            let after = redis.with_server(|server| (server.commands, server.connections));
            if let Some(name) = name {
                let cost = Cost {
                    redis: calls.get(),
                    redis_commands: after.0 - before.0,
                    redis_connections: after.1 - before.1,
                    ..Cost::default()
                };
                costs.borrow_mut().push((*name, cost));
            }
        }
    };
    redis.run(vec![Box::pin(task)], u64::MAX);
    let task = async {
        let mut place = 0;
        for (name, request) in requests {
            let calls: Rc<Cell<Calls>> = Rc::default();
            let environment = SpinOnDynamoDb::new(Client::new(&dynamodb, 0, 0, &calls), Limits::UNLIMITED);
            let before = dynamodb.with_server(|server| (server.read_units, server.write_units));
            note(&failure, environment, request).await;
            let after = dynamodb.with_server(|server| (server.read_units, server.write_units));
            if name.is_some() {
                let cost = &mut costs.borrow_mut()[place].1;
                cost.dynamodb = calls.get();
                cost.read_units = after.0 - before.0;
                cost.write_units = after.1 - before.1;
                place += 1;
            }
        }
    };
    dynamodb.run(vec![Box::pin(task)], u64::MAX);
    match failure.into_inner() {
        Some(failure) => Err(failure),
        None => Ok((
            costs.into_inner(),
            dynamodb.with_server(|server| server.data.clone()),
        )),
    }
}

async fn note<E: Environment>(failure: &RefCell<Option<Failure>>, environment: E, request: &Request) {
    if let Err(why) = perform(&UserStore::new(environment), request).await {
        failure.borrow_mut().get_or_insert(why);
    }
}

/// What a leaf of the directory and a creation cost while users are created at a steady rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct LeafCost {
    /// Creations in a second.
    pub(crate) rate: u32,
    /// The mean bytes of a leaf.
    pub(crate) leaf: usize,
    /// Units of one creation.
    pub(crate) read_units: f64,
    pub(crate) write_units: f64,
}

/// Creates users at a rate for as long as reservations last in the directory, and a second more, which is counted.
///
/// # Errors
/// Returns [`Failure`] if one cannot be created.
pub(crate) fn of_leaves(data: &Data, population: u64, rate: u32) -> Result<LeafCost, Failure> {
    const RESERVED: u32 = 60;
    let world = World::new(DynamoDb::new(data.clone(), Limits::UNLIMITED, 0), 1, 1, START, 0);
    let outcome = RefCell::new(Err(Failure::Unexpected));
    let client = Client::new(&world, 0, 0, &Rc::default());
    let units = || world.with_server(|table| (table.read_units, table.write_units));
    let create = async {
        let store = UserStore::new(SpinOnDynamoDb::new(client.clone(), Limits::UNLIMITED));
        let mut before = units();
        for number in 0..(RESERVED + 1) * rate {
            if number == RESERVED * rate {
                before = units();
            }
            let user = user(population + u64::from(number)).ok_or(Failure::Unexpected)?;
            perform(&store, &Request::Create(user, None)).await?;
            client.wait(Duration::from_secs(1) / rate).await;
        }
        let after = units();
        Ok((after.0 - before.0, after.1 - before.1))
    };
    world.run(
        vec![Box::pin(async {
            *outcome.borrow_mut() = create.await;
        })],
        u64::MAX,
    );
    let (read_units, write_units) = outcome.into_inner()?;
    let leaf = world.with_server(|table| average(&table.data, "directory:"));
    let (_, leaf) = leaf.ok_or(Failure::Unexpected)?;
    Ok(LeafCost {
        rate,
        leaf,
        read_units: read_units / f64::from(rate),
        write_units: write_units / f64::from(rate),
    })
}

/// The mean bytes of the keys with this prefix, and of their values; `None` if there are none.
fn average(data: &Data, prefix: &str) -> Option<(usize, usize)> {
    let found = data.iter().filter(|(key, _)| key.starts_with(prefix));
    let (count, key_bytes, value_bytes) = found.fold((0, 0, 0), |(count, keys, values), (key, value)| {
        (count + 1, keys + key.len(), values + value.len())
    });
    (count > 0).then(|| (key_bytes / count, value_bytes / count))
}

/// The bytes of keys and values of what the store keeps, after the requests of [`requests`]: a name, how many bytes of
/// key and of value.
pub(crate) fn sizes(data: &Data, population: u64) -> Option<Vec<(&'static str, usize, usize)>> {
    let of_key = |key: &str| Some((key.len(), data.get(key)?.len()));
    let of_user = |number| of_key(&keys::user(&username(number)?));
    let rows = [
        ("`user:…`, new", of_user(population)?),
        ("`user:…`, 28 changes of points", of_user(2)?),
        ("`page:…`, 24 changes of points", average(data, "page:")?),
        (
            "`creation:…`, for each keyed creation",
            average(data, "creation:")?,
        ),
        ("`directory:…`, 1 of 256 leaves", average(data, "directory:")?),
        ("`published:…`, with events on", average(data, "published:")?),
    ];
    Some(rows.map(|(name, (key, value))| (name, key, value)).to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Arguments;
    use crate::population::population;
    use clap::Parser;

    const POPULATION: u64 = 3_000;

    fn counted() -> Costs {
        let data = population(POPULATION).unwrap();
        let timing = Arguments::parse_from(["scale"]).redis();
        count(&data, &requests(POPULATION).unwrap(), timing).unwrap().0
    }

    #[test]
    fn reads_and_commits_are_those_that_the_embedded_host_counts() {
        // `tests/consistency/costs.rs`; DynamoDB reports no false conflicts, so it costs what SQLite does.
        let costs = counted();
        let of = |place: usize| (costs[place].0, costs[place].1.redis, costs[place].1.dynamodb);
        for (place, redis, dynamodb) in [
            (0, (1, 0), (1, 0)),
            (1, (7, 2), (3, 2)),
            (2, (13, 5), (7, 5)),
            (3, (3, 1), (1, 1)),
            (4, (3, 1), (1, 1)),
            (5, (4, 2), (2, 2)),
            (6, (3, 1), (1, 1)),
            (7, (3, 1), (1, 1)),
            (8, (1, 0), (1, 0)),
            (10, (3, 1), (1, 1)),
        ] {
            let (name, on_redis, on_dynamodb) = of(place);
            assert_eq!((on_redis.reads, on_redis.commits), redis, "{name}");
            assert_eq!((on_dynamodb.reads, on_dynamodb.commits), dynamodb, "{name}");
        }
    }

    #[test]
    fn commands_and_connections_are_those_that_redis_counted_under_spin() {
        // By INFO of Redis 7.0.15 with Spin 4.1.0-pre0, with `CLIENT SETINFO`, twice for a connection, and `UNWATCH`,
        // once for a swap, which Redis 7.0 refuses and does not count.
        let costs = counted();
        for (place, seen, connections, swaps) in [(0, 2, 0, 0), (1, 20, 4, 2), (2, 34, 6, 3), (3, 10, 2, 1)] {
            let cost = costs[place].1;
            assert_eq!(cost.redis_connections, connections, "{}", costs[place].0);
            assert_eq!(
                cost.redis_commands,
                seen + 2 * connections + swaps,
                "{}",
                costs[place].0
            );
        }
    }

    #[test]
    fn a_leaf_has_a_name_and_a_reservation_more_for_each_creation() {
        let data = population(POPULATION).unwrap();
        let (_, before) = average(&data, "directory:").unwrap();
        let slow = of_leaves(&data, POPULATION, 8).unwrap();
        let fast = of_leaves(&data, POPULATION, 80).unwrap();
        assert!(
            before < slow.leaf && slow.leaf < fast.leaf,
            "{before} {slow:?} {fast:?}"
        );
        // The leaf and the record are below 1 KiB each, and later the leaf is not.
        assert!((slow.write_units - 4.0).abs() < 1e-9, "{slow:?}");
        assert!(fast.write_units > 6.0, "{fast:?}");
        // 61 s of names of 17 bytes with punctuation, and 60 s of reservations of 70, in 256 leaves. Those who wrote
        // last before them left some.
        let expected = before + 80 * (61 * 17 + 60 * 70) / 256;
        assert!(
            fast.leaf.abs_diff(expected) < expected / 10,
            "{expected} {fast:?}"
        );
    }

    #[test]
    fn an_award_on_dynamodb_is_a_read_and_a_transaction() {
        let costs = counted();
        let (_, award) = costs[3];
        assert_eq!(award.dynamodb.round_trips, 2);
        assert!((award.read_units - 1.0).abs() < 1e-9);
        // 28 changes are more than 2 and less than 3 KiB.
        assert!((award.write_units - 6.0).abs() < 1e-9, "{award:?}");
    }
}

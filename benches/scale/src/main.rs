//! What many Spin hosts on one Redis or one DynamoDB table would do: counts what requests cost, and simulates loads.
//! `docs/SCALE.md` has the results, and says what the model leaves out.

mod costs;
mod data;
mod dynamodb;
mod environment;
mod load;
mod population;
mod redis;
mod report;
mod requests;
mod world;

use anyhow::{Context, Result, anyhow};
use clap::Parser;
use dynamodb::Limits;
use load::{Load, Mix};
use redis::Timing;
use requests::Failure;
use std::path::Path;
use std::time::Duration;
use world::Nanos;

/// Counts what requests cost on Redis and DynamoDB, and simulates many hosts under load.
///
/// Times are in microseconds.
#[derive(Clone, Debug, Parser)]
pub(crate) struct Arguments {
    /// Writes the tables into docs/SCALE.md instead of printing them.
    #[arg(long)]
    write: bool,
    /// Numbers of hosts.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 10, 100])]
    hosts: Vec<usize>,
    /// Clients of each host; each sends its next request when it has the answer.
    #[arg(long, default_value_t = 32)]
    clients: usize,
    /// Users in the store.
    #[arg(long, default_value_t = 20_000)]
    users: u64,
    /// Seconds before a load is measured.
    #[arg(long, default_value_t = 2.0)]
    warm_up: f64,
    /// Seconds for which a load is measured.
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// Where the random numbers begin.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// CPU time of the host for a request, without its store calls.
    #[arg(long, default_value_t = 200)]
    request_work: u64,
    /// CPU time of the host for a round trip to Redis.
    #[arg(long, default_value_t = 25)]
    redis_work: u64,
    /// Network round-trip time between a host and Redis.
    #[arg(long, default_value_t = 250)]
    redis_round_trip: u64,
    /// Time of Redis' one thread for a command.
    #[arg(long, default_value_t = 7)]
    redis_command: u64,
    /// Time of Redis' one thread to accept and close a connection.
    #[arg(long, default_value_t = 28)]
    redis_connection: u64,
    /// Time until a write of Redis is durable.
    #[arg(long, default_value_t = 1_000)]
    redis_fsync: u64,
    /// CPU time of the host for a call of DynamoDB.
    #[arg(long, default_value_t = 100)]
    dynamodb_work: u64,
    /// Network round-trip time between a host and DynamoDB.
    #[arg(long, default_value_t = 500)]
    dynamodb_round_trip: u64,
    /// The mean of a read in DynamoDB.
    #[arg(long, default_value_t = 2_000)]
    dynamodb_read: u64,
    /// The mean of a write.
    #[arg(long, default_value_t = 4_000)]
    dynamodb_write: u64,
    /// The mean of a transaction.
    #[arg(long, default_value_t = 8_000)]
    dynamodb_transaction: u64,
    /// Dollars for a million read request units.
    #[arg(long, default_value_t = 0.125)]
    read_price: f64,
    /// Dollars for a million write request units.
    #[arg(long, default_value_t = 0.625)]
    write_price: f64,
}

impl Arguments {
    pub(crate) fn load(&self, mix: Mix, hosts: usize) -> Load {
        Load {
            mix,
            hosts,
            clients: self.clients,
            population: self.users,
            work: microseconds(self.request_work),
            warm_up: Duration::from_secs_f64(self.warm_up),
            duration: Duration::from_secs_f64(self.seconds),
            seed: self.seed,
        }
    }

    pub(crate) fn redis(&self) -> Timing {
        Timing {
            round_trip: microseconds(self.redis_round_trip),
            command: microseconds(self.redis_command),
            connection: microseconds(self.redis_connection),
            fsync: microseconds(self.redis_fsync),
            host: microseconds(self.redis_work),
        }
    }

    /// A new table on demand: 12,000 read and 4,000 write units per second.
    pub(crate) fn new_table(&self) -> Limits {
        Limits {
            round_trip: microseconds(self.dynamodb_round_trip),
            read: microseconds(self.dynamodb_read),
            write: microseconds(self.dynamodb_write),
            transaction: microseconds(self.dynamodb_transaction),
            host: microseconds(self.dynamodb_work),
            partitions: 4,
            of_partition: (3_000.0, 1_000.0),
            of_table: (12_000.0, 4_000.0),
        }
    }

    /// A table that has grown to what an account may use by default: 40,000 units of each kind per second.
    fn grown_table(&self) -> Limits {
        Limits {
            partitions: 40,
            of_table: (40_000.0, 40_000.0),
            ..self.new_table()
        }
    }
}

fn microseconds(number: u64) -> Nanos {
    number.saturating_mul(1_000)
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let failed = |why: Failure| anyhow!("a request failed: {why:?}");
    let data = population::population(arguments.users).map_err(failed)?;

    let requests = costs::requests(arguments.users).context("a request is malformed")?;
    let (costs, after) = costs::count(&data, &requests, arguments.redis()).map_err(failed)?;
    let sizes = costs::sizes(&after, arguments.users).context("a key is missing")?;
    let mut tables = vec![
        (
            "costs",
            report::costs(&costs, arguments.read_price, arguments.write_price),
        ),
        ("sizes", report::sizes(&sizes)),
    ];
    let leaves = [1, 10, 100, 1_000].map(|rate| costs::of_leaves(&data, arguments.users, rate));
    let leaves = leaves
        .into_iter()
        .collect::<Result<Vec<_>, _>>()
        .map_err(failed)?;
    tables.push((
        "leaves",
        report::leaves(&leaves, arguments.read_price, arguments.write_price),
    ));

    let simulate = |run: &dyn Fn(Load) -> Result<load::Outcome, Failure>| {
        let mut outcomes = Vec::new();
        for mix in Mix::ALL {
            for hosts in &arguments.hosts {
                let outcome = run(arguments.load(mix, *hosts)).map_err(failed)?;
                outcomes.push((mix.name(), *hosts, outcome));
            }
        }
        anyhow::Ok(outcomes)
    };
    let redis = simulate(&|load| load::on_redis(data.clone(), arguments.redis(), load))?;
    tables.push(("redis", report::loads(&redis, "Redis busy", true)));
    for (name, limits) in [
        ("new table", arguments.new_table()),
        ("grown table", arguments.grown_table()),
    ] {
        let outcomes = simulate(&|load| load::on_dynamodb(data.clone(), limits, load))?;
        tables.push((name, report::loads(&outcomes, "calls throttled", false)));
    }

    if !arguments.write {
        for (name, table) in &tables {
            println!("{name}\n\n{table}");
        }
        return Ok(());
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/SCALE.md");
    let mut document =
        std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    for (name, table) in &tables {
        document = report::replace(&document, name, table)?;
    }
    std::fs::write(&path, document).with_context(|| format!("cannot write {}", path.display()))
}

//! The users that every simulation begins with.

use crate::data::Data;
use crate::dynamodb::{DynamoDb, Limits, SpinOnDynamoDb};
use crate::environment::Client;
use crate::requests::{Failure, Request, perform};
use crate::world::{Nanos, World};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;
use users::domain::user::User;
use users::domain::username::Username;
use users::storage::{UserStore, keys};

/// How many changes of points stand in each user's envelope: halfway between the fewest and the most after a page was
/// archived.
pub(crate) const CHANGES: usize = 28;

/// When simulations begin: long after all users were created.
pub(crate) const START: Nanos = 1_000_000_000_000_000;

/// The name of a user; all names have the same length.
pub(crate) fn name(number: u64) -> String {
    format!("member-{number:07}")
}

/// The user of a number, as a client sends it.
pub(crate) fn user(number: u64) -> Option<User> {
    let name = name(number);
    User::from_client(format!(r#"{{"username":"{name}","email":"{name}@example.com"}}"#).as_bytes()).ok()
}

/// The username of a number.
pub(crate) fn username(number: u64) -> Option<Username> {
    name(number).parse().ok()
}

/// A store in which the users of the numbers below `count` were created, and each changed [`CHANGES`] times.
///
/// # Errors
/// Returns [`Failure`] if one cannot be created.
pub(crate) fn population(count: u64) -> Result<Data, Failure> {
    let world = World::new(DynamoDb::new(Data::default(), Limits::UNLIMITED, 0), 1, 1, 0, 0);
    let outcome = RefCell::new(Err(Failure::Unexpected));
    let client = Client::new(&world, 0, 0, &Rc::default());
    let populate = async {
        let store = UserStore::new(SpinOnDynamoDb::new(client.clone(), Limits::UNLIMITED));
        for number in 0..count {
            let user = user(number).ok_or(Failure::Unexpected)?;
            perform(&store, &Request::Create(user, None)).await?;
            client.wait(Duration::from_secs(1)).await;
        }
        for _ in 0..CHANGES {
            let first = username(0).ok_or(Failure::Unexpected)?;
            perform(&store, &Request::Award(first, None)).await?;
        }
        Ok(())
    };
    world.run(
        vec![Box::pin(async {
            *outcome.borrow_mut() = populate.await;
        })],
        START,
    );
    outcome.into_inner()?;
    let mut data = world.with_server(|server| server.data.clone());
    // The others have the same history.
    let key = |number| {
        username(number)
            .map(|name| keys::user(&name))
            .ok_or(Failure::Unexpected)
    };
    let first = data.get(&key(0)?).ok_or(Failure::Unexpected)?;
    let first = std::str::from_utf8(&first)
        .map_err(|_| Failure::Unexpected)?
        .to_owned();
    for number in 1..count {
        let envelope = first.replace(&name(0), &name(number));
        data.set(&key(number)?, envelope.into_bytes());
    }
    Ok(data)
}

impl Limits {
    /// A table without limits that answers at once.
    pub(crate) const UNLIMITED: Self = Self {
        round_trip: 0,
        read: 0,
        write: 0,
        transaction: 0,
        host: 0,
        partitions: 1,
        of_partition: (1e18, 1e18),
        of_table: (1e18, 1e18),
    };
}

//! Several creations of one username.

use crate::backends::{Client, Kind, Protocol, Stored, World, holds, on_every_backend};
use crate::client::{Outcome, Program, Record};
use stateright::Property;
use users::operation::Operation;
use users::user::User;

/// A minute that claims are made in begins here.
pub(crate) const MINUTE: u64 = 60_000;
/// The last second of a minute and the first of the next; the last moment to write on a claim of the first; and the
/// beginning of the minute after the next.
pub(crate) const INSTANTS: &[u64] = &[MINUTE - 1, MINUTE, MINUTE + 9, MINUTE + 60];
/// Every second of three minutes at which something begins, gets too old, or is the last to be allowed.
const MANY_INSTANTS: &[u64] = &[
    MINUTE - 1,
    MINUTE,
    MINUTE + 9,
    MINUTE + 10,
    MINUTE + 59,
    MINUTE + 60,
    MINUTE + 120,
];
/// How long the documentation lets clocks differ and writes take.
pub(crate) const IN_FLIGHT: u64 = 50;

pub(crate) fn user(number: u64) -> User {
    User::from_client(format!(r#"{{"username":"john","points":{number}}}"#).as_bytes()).unwrap()
}

/// A creation of the user number `number`.
pub(crate) fn create(number: u64) -> Program {
    Program::Create(user(number), Operation::fresh(number))
}

/// A creation of the user number `number` under an idempotency key, always the same.
pub(crate) fn create_keyed(number: u64) -> Program {
    let user = user(number);
    let operation = Operation::creation(&"key".parse().unwrap(), &user);
    Program::Create(user, operation)
}

/// Creations with crashes, failures and the clock going on.
pub(crate) fn creates(name: &'static str, kind: Kind, clients: Vec<Program>) -> Protocol {
    Protocol {
        instants: INSTANTS,
        in_flight: IN_FLIGHT,
        always: properties,
        ..Protocol::new(name, kind, clients)
    }
}

/// The record that stands, if one does.
pub(crate) fn standing(world: &World) -> Option<&'static Record> {
    world.store.values().find_map(|stored| {
        if let Stored::Value(value) = stored {
            value.record()
        } else {
            None
        }
    })
}

/// The operations that ended so.
pub(crate) fn ended<'a>(
    model: &'a Protocol,
    world: &'a World,
    outcome: Outcome,
) -> impl Iterator<Item = &'a Operation> {
    let clients = model.clients.iter().zip(&world.clients);
    clients
        .filter(move |(_, client)| **client == Client::Ended(outcome))
        .map(|(program, _)| program.operation())
}

fn has_created(world: &World, operation: &Operation) -> bool {
    standing(world).is_some_and(|record| record.creation == operation.id())
}

fn properties() -> Vec<Property<Protocol>> {
    vec![
        Property::always("who is told Created has created the record", |model, world| {
            ended(model, world, Outcome::Created).all(|operation| has_created(world, operation))
        }),
        Property::always(
            "a record is never replaced by another creation",
            |_, world: &World| !world.has_lost,
        ),
        Property::always("who is told Taken finds another's record", |model, world| {
            ended(model, world, Outcome::Taken)
                .all(|operation| standing(world).is_some() && !has_created(world, operation))
        }),
        Property::always(
            "who is told TryAgain has not created the record",
            |model, world| {
                ended(model, world, Outcome::TryAgain)
                    .all(|operation| model.is_shared(operation) || !has_created(world, operation))
            },
        ),
        Property::always("a name is free again after two minutes", is_free_again),
        Property::always(
            "nothing but Created and Taken where nothing disturbs",
            |model, world: &World| {
                model.is_disturbed()
                    || world.clients.iter().all(|client| match client {
                        Client::Running(..) => !model.is_over(world) || standing(world).is_some(),
                        Client::Ended(outcome) => matches!(outcome, Outcome::Created | Outcome::Taken),
                        Client::Crashed => false,
                    })
            },
        ),
    ]
}

/// Whether a creation succeeds two minutes after all others are over, and one of several by then that come after one
/// another.
fn is_free_again(model: &Protocol, world: &World) -> bool {
    if !model.is_over(world) || standing(world).is_some() {
        return true;
    }
    let now = model.now(world);
    let creates = |times: &[u64]| {
        let mut world = World::new(Vec::new(), world.store.clone());
        let mut number = 100;
        times.iter().any(|time| {
            number += 1;
            model.run_alone(&create(number), &mut world, now + time) == Outcome::Created
        })
    };
    creates(&[120]) && creates(&[0, 20, 40, 60, 80, 100, 120])
}

/// Checks creations on one backend, in all configurations.
fn check(kind: Kind) {
    let three = || vec![create(0), create(1), create(2)];
    holds(Protocol {
        alike: 3,
        crashes: 2,
        ..creates("3 creations, 2 crashes", kind, three())
    });
    holds(Protocol {
        alike: 3,
        failures: 1,
        // The write at the last moment is left to the others: this one is large enough.
        instants: &[MINUTE - 1, MINUTE, MINUTE + 60],
        ..creates("3 creations, 1 failure", kind, three())
    });
    holds(Protocol {
        alike: 2,
        crashes: 1,
        failures: 1,
        instants: MANY_INSTANTS,
        ..creates(
            "2 creations, 1 crash, 1 failure, more of the clock",
            kind,
            vec![create(0), create(1)],
        )
    });
    holds(Protocol {
        alike: 2,
        crashes: 2,
        ..creates(
            "3 creations, 2 of them one request, 2 crashes",
            kind,
            vec![create_keyed(0), create_keyed(0), create(2)],
        )
    });
    holds(Protocol {
        alike: 3,
        instants: &[MINUTE],
        ..creates("3 creations, undisturbed", kind, three())
    });
}

on_every_backend!(check);

//! Several creations of one username.

use crate::backends::{Client, Kind, Protocol, Stored, World};
use crate::client::{Outcome, Program, Record};
use stateright::Property;
use users::operation::Operation;
use users::user::User;

/// A minute that claims are made in begins here.
pub(crate) const MINUTE: u64 = 60_000;
/// The last second of a minute, the first of the next; when a claim of the one is about to get too old, and when it
/// is; when the last write on that claim may take effect; and the beginning of the minute after the next.
pub(crate) const INSTANTS: &[u64] = &[
    MINUTE - 1,
    MINUTE,
    MINUTE + 9,
    MINUTE + 10,
    MINUTE + 59,
    MINUTE + 60,
];
/// How long the documentation lets clocks differ and writes take.
pub(crate) const IN_FLIGHT: u64 = 50;

pub(crate) fn user(number: u64) -> User {
    User::from_client(format!(r#"{{"username":"john","points":{number}}}"#).as_bytes()).unwrap()
}

/// A creation of the user number `number`.
pub(crate) fn create(number: u64) -> Program {
    Program::Create(user(number), Operation::fresh((number, 0)))
}

/// A creation of the user number `number` under an idempotency key.
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

/// The ids of the operations that ended so.
fn told(model: &Protocol, world: &World, what: Outcome) -> Vec<String> {
    let clients = model.clients.iter().zip(&world.clients);
    clients
        .filter(|(_, client)| **client == Client::Ended(what))
        .map(|(program, _)| program.operation().id().to_owned())
        .collect()
}

fn properties() -> Vec<Property<Protocol>> {
    vec![
        Property::always(
            "who is told Created has created the record",
            |model: &Protocol, world: &World| {
                told(model, world, Outcome::Created)
                    .iter()
                    .all(|id| standing(world).is_some_and(|record| record.creation == *id))
            },
        ),
        Property::always("a record is never replaced by another creation", |_, world| {
            !world.has_lost
        }),
        Property::always(
            "who is told Taken has not created the record that stands",
            |model, world| {
                told(model, world, Outcome::Taken)
                    .iter()
                    .all(|id| standing(world).is_some_and(|record| record.creation != *id))
            },
        ),
        Property::always(
            "who is told TryAgain has not created the record",
            |model, world| {
                let created = told(model, world, Outcome::Created);
                told(model, world, Outcome::TryAgain).iter().all(|id| {
                    created.contains(id) || standing(world).is_none_or(|record| record.creation != *id)
                })
            },
        ),
        Property::always("a name is free again after two minutes", is_free_again),
        Property::always(
            "all goes well for a creation that nothing disturbs",
            |model, world| {
                let is_undisturbed = model.crashes == 0 && model.failures == 0 && model.instants.len() == 1;
                !is_undisturbed
                    || world
                        .clients
                        .iter()
                        .any(|client| matches!(client, Client::Running(..)))
                    || world
                        .clients
                        .iter()
                        .all(|client| matches!(client, Client::Ended(Outcome::Created | Outcome::Taken)))
                        && standing(world).is_some()
            },
        ),
    ]
}

/// Whether a creation succeeds two minutes after all others are over, and one of several by then that come after one
/// another.
fn is_free_again(model: &Protocol, world: &World) -> bool {
    let is_over = |client| !matches!(client, Client::Running(..)) || model.is_waiting(world, client);
    if !world.clients.iter().all(is_over) || standing(world).is_some() {
        return true;
    }
    let creates = |times: &[u64]| {
        let mut store = world.store.clone();
        let mut number = 100;
        times.iter().any(|time| {
            number += 1;
            model.run_alone(&create(number), &mut store, model.now(world) + time) == Outcome::Created
        })
    };
    creates(&[120]) && creates(&[0, 20, 40, 60, 80, 100, 120])
}

fn holds(protocol: Protocol) {
    let violations = protocol.violations();
    assert!(violations.is_empty(), "{}", violations.join("\n"));
}

#[test]
fn sqlite() {
    let clients = vec![create(0), create(1), create(2)];
    holds(Protocol {
        crashes: 2,
        ..creates("3 creations, 2 crashes", Kind::Sqlite, clients)
    });
}

//! Several updates of one user.

use crate::backends::{Client, Contents, Kind, Protocol, World, holds, on_every_backend};
use crate::client::{Outcome, Program};
use crate::creates::{MINUTE, create, ended, standing, user};
use stateright::Property;
use users::operation::Operation;
use users::points::Change;

/// One point short of the next tier.
pub(crate) const INITIAL: u64 = 50;

pub(crate) fn award(number: u64) -> Program {
    Program::Award(user(INITIAL), Operation::fresh(number))
}

/// An award under an idempotency key, always the same.
pub(crate) fn award_keyed() -> Program {
    award_keyed_of("1")
}

/// The same key with another request, as far as the store can tell.
pub(crate) fn award_keyed_of(points: &str) -> Program {
    let user = user(INITIAL);
    let change = Change::from_json_number(points).unwrap();
    let operation = Operation::award(&"key".parse().unwrap(), user.username(), change);
    Program::Award(user, operation)
}

fn promote(number: u64) -> Program {
    Program::Promote(user(INITIAL), Operation::fresh(number))
}

/// Updates of a user that exists, with the clock reaching the end of their patience at any time.
pub(crate) fn updates(name: &'static str, kind: Kind, clients: Vec<Program>) -> Protocol {
    let mut protocol = Protocol {
        instants: &[MINUTE, MINUTE + 10],
        always: properties,
        ..Protocol::new(name, kind, clients)
    };
    let mut world = World::new(Vec::new(), Contents::new());
    assert_eq!(
        protocol.run_alone(&create(INITIAL), &mut world, MINUTE - 300),
        Outcome::Created
    );
    protocol.contents = world.store;
    protocol
}

fn properties() -> Vec<Property<Protocol>> {
    vec![
        Property::always(
            "the record is what its operations made of it",
            is_sum_of_operations,
        ),
        Property::always("no operation that a record had is lost", |_, world: &World| {
            !world.has_lost
        }),
        Property::always("no operation is applied twice", |_, world: &World| {
            standing(world).is_some_and(|record| {
                let operations = &record.operations;
                (1..operations.len()).all(|at| !operations[..at].contains(&operations[at]))
            })
        }),
        Property::always("who is told Done is applied", |model, world| {
            ended(model, world, Outcome::Done).all(|operation| is_applied(world, operation))
        }),
        Property::always("who is told TryAgain is not applied", |model, world| {
            ended(model, world, Outcome::TryAgain)
                .all(|operation| model.is_shared(operation) || !is_applied(world, operation))
        }),
        Property::always("all is Done where nothing disturbs", |model, world: &World| {
            model.is_disturbed()
                || world
                    .clients
                    .iter()
                    .all(|client| matches!(client, Client::Running(..) | Client::Ended(Outcome::Done)))
        }),
    ]
}

fn is_applied(world: &World, operation: &Operation) -> bool {
    standing(world).is_some_and(|record| record.operations.iter().any(|id| id == operation.id()))
}

/// Whether points and status are what the operations, one after the other, make of the initial record.
fn is_sum_of_operations(model: &Protocol, world: &World) -> bool {
    let Some(record) = standing(world) else {
        return false;
    };
    let mut points = i64::try_from(INITIAL).unwrap();
    let mut status = None;
    for id in &record.operations {
        match model
            .clients
            .iter()
            .find(|program| program.operation().id() == id)
        {
            Some(Program::Award(..)) => points += 1,
            Some(Program::Promote(..)) => {
                status = Some(if points > 100 {
                    "Gold"
                } else if points > 50 {
                    "Silver"
                } else {
                    "Bronze"
                });
            }
            _ => return false,
        }
    }
    record.points == points && record.status.as_deref() == status
}

/// Checks updates on one backend, in all configurations.
fn check(kind: Kind) {
    let awards = || vec![award(0), award(1), award(2)];
    let duplicates = || vec![award_keyed(), award_keyed(), award(2)];
    let promotion = || vec![award(0), award(1), promote(2)];
    for (disturbed, undisturbed, clients, alike) in [
        (
            "3 awards, 2 crashes, 1 failure",
            "3 awards, undisturbed",
            awards(),
            3,
        ),
        (
            "3 awards, 2 of them one request, 2 crashes, 1 failure",
            "3 awards, 2 of them one request, undisturbed",
            duplicates(),
            2,
        ),
        (
            "2 awards, 1 promotion, 2 crashes, 1 failure",
            "2 awards, 1 promotion, undisturbed",
            promotion(),
            2,
        ),
    ] {
        holds(Protocol {
            alike,
            crashes: 2,
            failures: 1,
            ..updates(disturbed, kind, clients.clone())
        });
        holds(Protocol {
            alike,
            instants: &[MINUTE],
            ..updates(undisturbed, kind, clients)
        });
    }
}

on_every_backend!(check);

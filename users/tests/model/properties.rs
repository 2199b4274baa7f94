//! What holds in every state, whatever the clients do.

use crate::program::{Outcome, Program, Request};
use crate::protocol::Protocol;
use crate::text::{Text, id};
use crate::world::{Applied, Change, Client, World};
use stateright::Property;

pub(crate) fn all() -> Vec<Property<Protocol>> {
    vec![
        Property::always(
            "what is written follows from what stood, and is applied once",
            |_, world: &World| world.lost.is_none(),
        ),
        Property::always("clients are told the truth", |model: &Protocol, world: &World| {
            let mut clients = model.clients.iter().zip(&world.clients);
            clients.all(|(program, client)| match client {
                Client::Ended(outcome) => is_true(model, world, program, *outcome),
                Client::Running(..) | Client::Crashed => true,
            })
        }),
        Property::always("one request alone is told that it made a change", is_told_once),
        Property::always("a name is free again after two minutes", is_free_again),
        Property::always("what an erasure left is gone after two minutes", is_cleaned),
        Property::always("no change stays unpublished after a sweep", is_swept),
        Property::always("a nudge is enough where nothing disturbs", is_told_at_once),
        Property::always("nobody is sent away where nothing disturbs", |model, world| {
            model.is_disturbed()
                || !model.is_over(world)
                || world
                    .clients
                    .iter()
                    .enumerate()
                    .all(|(number, client)| match client {
                        Client::Running(..) => model.is_kept_back(world, number),
                        Client::Crashed => false,
                        Client::Ended(outcome) => {
                            !matches!(outcome, Outcome::TryAgain | Outcome::Unavailable)
                        }
                    })
        }),
    ]
}

/// The changes of the user of `program` by its operation.
fn own<'a>(world: &'a World, program: &'a Program) -> impl Iterator<Item = &'a Applied> {
    world.applied.iter().filter(|applied| is_own(program, applied))
}

/// Whether a change is that of `program`.
fn is_own(program: &Program, applied: &Applied) -> bool {
    applied.user == program.key()
        && program.operation(applied.first).as_deref() == Some(applied.operation.as_str())
}

/// Whether at most one of the requests with one idempotency key was told that it made the change.
fn is_told_once(model: &Protocol, world: &World) -> bool {
    let clients = model.clients.iter().zip(&world.clients);
    let told: Vec<_> = clients
        .filter(|(_, client)| matches!(client, Client::Ended(Outcome::Created | Outcome::Done)))
        .filter_map(|(program, _)| Some((program.key(), program.operation(1)?)))
        .collect();
    (1..told.len()).all(|at| !told[..at].contains(&told[at]))
}

fn is_true(model: &Protocol, world: &World, program: &Program, outcome: Outcome) -> bool {
    let is_applied = || own(world, program).next().is_some();
    let any = |is: &dyn Fn(&Applied) -> bool| {
        let mut of_user = world
            .applied
            .iter()
            .filter(|applied| applied.user == program.key());
        of_user.any(is)
    };
    let is_erased = || any(&|applied| applied.change == Change::Erased);
    let binding = || {
        let operation = program.operation(1).unwrap_or_default();
        let (id, fingerprint) = operation.split_once(':')?;
        let bound = world
            .value(Text::new(format!("creation:{id}").as_bytes()))?
            .as_str();
        Some(bound.strip_prefix("erased:").unwrap_or(bound) == fingerprint)
    };
    match outcome {
        Outcome::Created | Outcome::Done | Outcome::Replayed => is_applied(),
        Outcome::Taken => {
            let is_other = |applied: &Applied| {
                let own = program.operation(applied.first);
                applied.change == Change::Created && own.as_deref() != Some(applied.operation.as_str())
            };
            // Who finds the name taken at first sight binds no key.
            let is_old = model.applied.iter().any(|applied| applied.user == program.key());
            any(&is_other) && (!is_old || is_erased() || binding() != Some(true))
        }
        Outcome::KeyReused => match program.request {
            Request::Create { .. } | Request::Bind { .. } => binding() == Some(false) && !is_applied(),
            _ => {
                let is_other = |applied: &Applied| {
                    let own = program.operation(applied.first).unwrap_or_default();
                    let other = applied.operation.as_str();
                    id(&own) == id(other) && own != other
                };
                any(&is_other)
            }
        },
        Outcome::Bound => binding() == Some(true),
        Outcome::UserErased => is_applied() && is_erased(),
        // Where there was no user at first, it may have been told before there was one.
        Outcome::NoSuchUser => {
            is_erased() || !model.applied.iter().any(|applied| applied.user == program.key())
        }
        Outcome::AlreadyReversed => {
            let Request::Reverse { sequence, .. } = program.request else {
                return false;
            };
            let change = Change::Changed {
                reverses: Some(sequence),
            };
            any(&|applied| applied.change == change)
        }
        Outcome::Erased => is_erased(),
        Outcome::TryAgain => {
            let operation = program.operation(1);
            let senders = model.clients.iter();
            let senders = senders.filter(|other| other.operation(1) == operation);
            senders.count() > 1 || !is_applied()
        }
        Outcome::Walked(names) => is_complete(model, world, program, names.as_str()),
        Outcome::History(is_whole) => is_whole,
        Outcome::Published(false) => has_told(model, world, program),
        Outcome::CleanUp(_) | Outcome::Published(true) | Outcome::Unchanged | Outcome::Unavailable => true,
        // No configuration has a change that is refused for its points.
        Outcome::Refused | Outcome::Corrupt => false,
    }
}

/// Whether a walk showed everybody once who had been created before it began and was not erased.
fn is_complete(model: &Protocol, world: &World, program: &Program, shown: &str) -> bool {
    let shown: Vec<_> = shown.split_whitespace().collect();
    let created_before = match program.request {
        Request::Walk {
            after: Some(creation),
        } => Some(model.clients[creation].key()),
        _ => None,
    };
    let prepared = model.applied.iter().map(|applied| applied.user);
    (1..shown.len()).all(|at| !shown[..at].contains(&shown[at]))
        && prepared.chain(created_before).all(|user| {
            let is_erased = |applied: &Applied| applied.user == user && applied.change == Change::Erased;
            world.applied.iter().any(is_erased) || shown.contains(&user.as_str().trim_start_matches("user:"))
        })
}

/// Whether a creation succeeds two minutes after all others are over, and one of several by then that come after one
/// another.
fn is_free_again(model: &Protocol, world: &World) -> bool {
    if !model.is_over(world) {
        return true;
    }
    let now = model.now(world);
    let is_free = |program: &Program, times: &[u64]| {
        let mut world = world.alone();
        let mut number = 100;
        times.iter().any(|time| {
            number += 1;
            let request = Request::Create { points: 0, key: None };
            let creation = Program {
                number,
                username: program.username.clone(),
                request,
            };
            model.run_alone(&creation, &mut world, now + time) == Outcome::Created
        })
    };
    let creations = model.clients.iter().filter(|program| {
        matches!(program.request, Request::Create { .. }) && world.standing(program.key()).is_none()
    });
    creations
        .into_iter()
        .all(|program| is_free(program, &[120]) && is_free(program, &[0, 20, 40, 60, 80, 100, 120]))
}

/// Whether no page of an erased user is left once a clean-up has run two minutes after all others are over.
fn is_cleaned(model: &Protocol, world: &World) -> bool {
    if !model.is_over(world) {
        return true;
    }
    let now = model.now(world) + 121;
    let mut world = world.alone();
    for erasure in model
        .clients
        .iter()
        .filter(|program| matches!(program.request, Request::Erase))
    {
        let clean_up = Program {
            request: Request::CleanUp,
            ..erasure.clone()
        };
        // One that finds pages which were never deleted leaves the second time to the next.
        while model.run_alone(&clean_up, &mut world, now) == Outcome::CleanUp(true) {}
        let first = world
            .standing(erasure.key())
            .map_or(u64::MAX, |record| record.head.first);
        let prefix = format!("page:{}:", erasure.username.case_folded());
        let has_remains = world.store.keys().any(|key| {
            let page = key.as_str().strip_prefix(&prefix);
            page.is_some_and(|page| page.parse::<u64>().is_ok_and(|page| page < first))
        });
        if has_remains {
            return false;
        }
    }
    true
}

/// Whether the receiver knows of all that there was when `program` began to publish.
fn has_told(model: &Protocol, world: &World, program: &Program) -> bool {
    let prepared = |applied: &Applied| applied.user == program.key() && model.applied.contains(applied);
    let change = match program.request {
        Request::Publish { after } => after.map(|change| &model.clients[change]),
        _ => None,
    };
    world.knows_all(|applied| prepared(applied) || change.is_some_and(|change| is_own(change, applied)))
}

/// Whether the receiver knows of every change once a sweep has run after all others are over and their leases have ended.
fn is_swept(model: &Protocol, world: &World) -> bool {
    if !model.publishes() || !model.is_over(world) {
        return true;
    }
    let mut after = world.alone();
    let sweep = Program::new(100, crate::directory::JOHN, Request::Sweep);
    model.run_alone(&sweep, &mut after, model.now(world) + 10) == Outcome::Published(false)
        && after.lost.is_none()
        && after.knows_all(|_| true)
}

/// Whether a change that a publisher was told of needs no sweep.
fn is_told_at_once(model: &Protocol, world: &World) -> bool {
    let is_disturbed = world.crashes > 0 || world.failures > 0 || world.clock > 0;
    is_disturbed
        || !model.is_over(world)
        || model.clients.iter().all(|program| match program.request {
            Request::Publish { after: Some(_) } => has_told(model, world, program),
            _ => true,
        })
}

/// Nothing is sent twice: what a lease is for, where nothing disturbs.
pub(crate) fn all_and_no_repeats() -> Vec<Property<Protocol>> {
    let mut properties = all();
    properties.push(Property::always("nothing is sent twice", |_, world: &World| {
        !world.is_repeated
    }));
    properties
}

/// Every record has the status that its points earn: what automatic promotion is for.
pub(crate) fn all_and_automatic() -> Vec<Property<Protocol>> {
    let mut properties = all();
    properties.push(Property::always(
        "every record has the status that its points earn",
        |model: &Protocol, world: &World| {
            world.store.keys().all(|key| {
                world.standing(*key).is_none_or(|record| {
                    let status = model.rule.status(record.points, record.earned);
                    record.status.as_deref() == Some(status)
                })
            })
        },
    ));
    properties
}

//! Publishers beside whoever changes a user, and a receiver that may fail.

use crate::backends::{Kind, Stored};
use crate::checks::{holds, on_every_backend};
use crate::creates::{IN_FLIGHT, MINUTE, create, directory};
use crate::lives::erase;
use crate::program::{Program, Request};
use crate::protocol::Protocol;
use crate::text::Text;
use crate::updates::{award, john};

/// A long backlog is leased; and the lease has ended.
const LEASE: &[u64] = &[MINUTE, MINUTE + 10];

/// A publisher that somebody asks for who has changed nothing.
pub(crate) fn publish(number: u64) -> Program {
    john(number, Request::Publish { after: None })
}

/// The publisher that a function asks for after the client number `change` had its answer.
pub(crate) fn nudge(number: u64, change: usize) -> Program {
    john(number, Request::Publish { after: Some(change) })
}

pub(crate) fn sweep(number: u64) -> Program {
    john(number, Request::Sweep)
}

/// A user of whose creation nobody was told yet, and then what the clients do.
pub(crate) fn untold(name: &'static str, kind: Kind, clients: Vec<Program>) -> Protocol {
    unborn(name, kind, clients).prepared([create(1000), award(1001)], MINUTE - 300)
}

/// What the clients do in a store where others have been.
pub(crate) fn unborn(name: &'static str, kind: Kind, clients: Vec<Program>) -> Protocol {
    Protocol {
        contents: directory(),
        instants: &[MINUTE],
        in_flight: IN_FLIGHT,
        ..Protocol::new(name, kind, clients)
    }
}

/// A user of whom everything was told but the last five changes, and then what the clients do.
pub(crate) fn backlog(name: &'static str, kind: Kind, clients: Vec<Program>) -> Protocol {
    let start = [create(1000), publish(1001)];
    let awards = (2..7).map(|number| award(1000 + number));
    unborn(name, kind, clients).prepared(start.into_iter().chain(awards), MINUTE - 300)
}

/// Two publishers of a long backlog that nothing disturbs: only one of them may send it.
pub(crate) fn leased(kind: Kind) -> Protocol {
    Protocol {
        always: crate::properties::all_and_no_repeats,
        alike: 2,
        ..backlog(
            "2 publishers of a long backlog, undisturbed",
            kind,
            vec![publish(0), publish(1)],
        )
    }
}

/// Two publishers of a long backlog, a crash, a failure, and the lease may end.
pub(crate) fn disturbed(kind: Kind) -> Protocol {
    Protocol {
        alike: 2,
        crashes: 1,
        failures: 1,
        instants: LEASE,
        ..backlog(
            "2 publishers of a long backlog, 1 crash, 1 failure",
            kind,
            vec![publish(0), publish(1)],
        )
    }
}

/// A user whose envelope is full and whose backlog begins with the last entry that the next change archives.
pub(crate) fn archived(name: &'static str, kind: Kind, clients: Vec<Program>) -> Protocol {
    let before = (1..=24).map(|number| award(1000 + number));
    let after = (25..=40).map(|number| award(1000 + number));
    let start = [create(1000)].into_iter().chain(before);
    let mut protocol = unborn(name, kind, clients).prepared(start.chain(after), MINUTE - 300);
    let user = john(0, Request::Sweep).key();
    let mark = Text::new(br#"{"format":1,"sequence":24}"#);
    protocol
        .contents
        .insert(Text::new(b"published:john"), Stored::Value(mark));
    protocol.delivered = (1..=24).map(|sequence| (user, sequence)).collect();
    protocol
}

/// Checks publishers on one backend, in all configurations.
fn check(kind: Kind) {
    holds(Protocol {
        alike: 2,
        crashes: 1,
        failures: 1,
        ..untold(
            "2 publishers and an award, 1 crash, 1 failure",
            kind,
            vec![publish(0), publish(1), award(2)],
        )
    });
    holds(Protocol {
        crashes: 1,
        failures: 1,
        ..untold(
            "a publisher, a sweep and an erasure, 1 crash, 1 failure",
            kind,
            vec![publish(0), sweep(1), erase(2)],
        )
    });
    holds(Protocol {
        crashes: 1,
        failures: 1,
        ..untold(
            "a publisher, a sweep, an erasure and a creation, 1 crash, 1 failure",
            kind,
            vec![publish(0), sweep(1), erase(2), create(3)],
        )
    });
    holds(untold(
        "an award, an erasure and a creation with their nudges",
        kind,
        vec![
            award(0),
            erase(1),
            create(2),
            nudge(3, 0),
            nudge(4, 1),
            nudge(5, 2),
        ],
    ));
    holds(Protocol {
        crashes: 1,
        failures: 1,
        ..unborn(
            "a creation and its nudge, an erasure, a sweep, 1 crash, 1 failure",
            kind,
            vec![create(0), nudge(1, 0), erase(2), sweep(3)],
        )
    });
}

/// Checks publishers of backlogs that are leased.
fn leases(kind: Kind) {
    holds(leased(kind));
    holds(disturbed(kind));
    holds(backlog(
        "a publisher of a long backlog, 2 awards with their nudges",
        kind,
        vec![publish(0), award(1), award(2), nudge(3, 1), nudge(4, 2)],
    ));
    holds(Protocol {
        instants: LEASE,
        ..backlog(
            "a publisher and a sweep of a long backlog, an erasure",
            kind,
            vec![publish(0), sweep(1), erase(2)],
        )
    });
    holds(archived(
        "a publisher of a backlog that goes to a page, an award, an erasure",
        kind,
        vec![publish(0), award(1), erase(2)],
    ));
}

on_every_backend!(check);

mod leases {
    use super::Kind;
    use crate::checks::on_every_backend;

    on_every_backend!(super::leases);
}

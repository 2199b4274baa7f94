//! A user's whole life: creations, changes and erasures of one name, in every order.

use crate::backends::Kind;
use crate::checks::{holds, on_every_backend};
use crate::creates::{IN_FLIGHT, MINUTE, create, directory};
use crate::keys::create_keyed;
use crate::program::{Program, Request};
use crate::protocol::Protocol;
use crate::updates::{award, award_keyed, john};

/// The sequence number of the award that a life begins with.
const AWARD: u64 = 2;

pub(crate) fn erase(number: u64) -> Program {
    john(number, Request::Erase)
}

pub(crate) fn reverse(number: u64) -> Program {
    john(
        number,
        Request::Reverse {
            sequence: AWARD,
            key: None,
        },
    )
}

pub(crate) fn redeem(number: u64) -> Program {
    john(
        number,
        Request::Award {
            points: -1,
            key: None,
        },
    )
}

/// A user that was created under a key and got an award, and then what the clients do.
pub(crate) fn life(name: &'static str, kind: Kind, clients: Vec<Program>) -> Protocol {
    let protocol = Protocol {
        contents: directory(),
        instants: &[MINUTE],
        in_flight: IN_FLIGHT,
        ..Protocol::new(name, kind, clients)
    };
    protocol.prepared([create_keyed(1000), award(1001)], MINUTE - 300)
}

/// Checks lives on one backend, in all configurations.
fn check(kind: Kind) {
    holds(Protocol {
        crashes: 1,
        failures: 1,
        ..life(
            "2 reversals of one award, a redemption, 1 crash, 1 failure",
            kind,
            vec![reverse(0), reverse(1), redeem(2)],
        )
    });
    holds(Protocol {
        crashes: 1,
        failures: 1,
        ..life(
            "an award, a promotion and an update, 1 crash, 1 failure",
            kind,
            vec![award(0), john(1, Request::Promote), john(2, Request::Merge)],
        )
    });
    holds(Protocol {
        crashes: 1,
        failures: 1,
        ..life(
            "2 erasures and an award, 1 crash, 1 failure",
            kind,
            vec![erase(0), erase(1), award(2)],
        )
    });
    holds(Protocol {
        crashes: 1,
        failures: 1,
        ..life(
            "an erasure, a retry of the creation, another one, 1 crash, 1 failure",
            kind,
            vec![erase(0), create_keyed(1), create(2)],
        )
    });
    holds(Protocol {
        crashes: 1,
        failures: 1,
        ..life(
            "an erasure, a creation, another erasure, a retry of the first creation, 1 crash, 1 failure",
            kind,
            vec![erase(0), create(1), erase(2), create_keyed(3)],
        )
    });
    holds(Protocol {
        crashes: 1,
        ..life(
            "an erasure, 2 creations and an award, 1 crash",
            kind,
            vec![erase(0), create(1), create(2), award_keyed(3)],
        )
    });
}

/// Lives that begin in the model: a creation under a key and its retry, with what may come between.
fn from_birth(kind: Kind) {
    let protocol = |name, clients| Protocol {
        contents: directory(),
        instants: &[MINUTE, MINUTE + 10, MINUTE + 61],
        in_flight: IN_FLIGHT,
        ..Protocol::new(name, kind, clients)
    };
    holds(Protocol {
        crashes: 1,
        ..protocol(
            "2 creations, an erasure, 1 crash",
            vec![create(0), create(1), erase(2)],
        )
    });
    holds(Protocol {
        instants: &[MINUTE, MINUTE + 61],
        ..protocol(
            "a keyed creation sent twice, an erasure",
            vec![create_keyed(0), create_keyed(1), erase(2)],
        )
    });
    holds(Protocol {
        instants: &[MINUTE],
        ..protocol(
            "a keyed creation sent twice, an erasure, another creation",
            vec![create_keyed(0), create_keyed(1), erase(2), create(3)],
        )
    });
}

on_every_backend!(check);

mod from_birth {
    use super::Kind;
    use crate::checks::on_every_backend;

    on_every_backend!(super::from_birth);
}

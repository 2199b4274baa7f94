//! Several updates of one user.

use crate::backends::Kind;
use crate::checks::{holds, on_every_backend};
use crate::creates::{IN_FLIGHT, MINUTE, directory};
use crate::directory::JOHN;
use crate::program::{Program, Request};
use crate::protocol::Protocol;

/// One point short of the next tier.
const INITIAL: u64 = 50;

pub(crate) fn john(number: u64, request: Request) -> Program {
    Program::new(number, JOHN, request)
}

pub(crate) fn award(number: u64) -> Program {
    john(number, Request::Award { points: 1, key: None })
}

/// An award under an idempotency key, always the same.
pub(crate) fn award_keyed(number: u64) -> Program {
    john(
        number,
        Request::Award {
            points: 1,
            key: Some("key"),
        },
    )
}

/// A user with one award that can be reversed, and then what the clients do, with the clock reaching the end of their
/// patience at any time.
pub(crate) fn updates(name: &'static str, kind: Kind, clients: Vec<Program>) -> Protocol {
    let protocol = Protocol {
        contents: directory(),
        instants: &[MINUTE, MINUTE + 10],
        in_flight: IN_FLIGHT,
        ..Protocol::new(name, kind, clients)
    };
    let create = john(
        1000,
        Request::Create {
            points: INITIAL - 1,
            key: None,
        },
    );
    protocol.prepared([create, award(1001)], MINUTE - 300)
}

/// Checks updates on one backend, in all configurations.
fn check(kind: Kind) {
    let promote = john(2, Request::Promote);
    for (disturbed, undisturbed, clients, alike) in [
        (
            "3 awards, 2 crashes, 1 failure",
            "3 awards, undisturbed",
            vec![award(0), award(1), award(2)],
            3,
        ),
        (
            "3 awards, 2 of them one request, 2 crashes, 1 failure",
            "3 awards, 2 of them one request, undisturbed",
            vec![award_keyed(0), award_keyed(1), award(2)],
            2,
        ),
        (
            "2 awards, 1 promotion, 2 crashes, 1 failure",
            "2 awards, 1 promotion, undisturbed",
            vec![award(0), award(1), promote],
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

//! Creations under idempotency keys: one key has one effect.

use crate::backends::{Contents, Kind};
use crate::checks::{holds, on_every_backend};
use crate::creates::{MINUTE, create, creates};
use crate::directory::{JANE, JOHN};
use crate::program::{Program, Request};
use crate::protocol::Protocol;
use crate::updates::updates;

/// The last second of a minute and the first of the next; the last moment to write on a claim of the first; and the
/// beginning of the minute after the next.
pub(crate) const CLAIM_INSTANTS: &[u64] = &[MINUTE - 1, MINUTE, MINUTE + 9, MINUTE + 60];
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

const KEY: &str = "key";

/// A request for a user with so many points, until its key is bound.
pub(crate) fn bind(number: u64, points: u64) -> Program {
    Program::new(number, JOHN, Request::Bind { points, key: KEY })
}

/// A creation under an idempotency key, always the same.
pub(crate) fn create_keyed(number: u64) -> Program {
    Program::new(
        number,
        JOHN,
        Request::Create {
            points: 7,
            key: Some(KEY),
        },
    )
}

/// Another user's creation under the same key.
pub(crate) fn create_other_keyed(number: u64) -> Program {
    Program::new(
        number,
        JANE,
        Request::Create {
            points: 7,
            key: Some(KEY),
        },
    )
}

/// Requests under one key, only until it is bound.
pub(crate) fn bindings(name: &'static str, kind: Kind, clients: Vec<Program>) -> Protocol {
    Protocol {
        instants: CLAIM_INSTANTS,
        ..creates(name, kind, clients)
    }
}

/// A creation of a name that is taken, and another under the same key, which that one must leave free.
pub(crate) fn taken_under_a_key(kind: Kind) -> Protocol {
    Protocol {
        crashes: 1,
        instants: &[MINUTE],
        ..updates(
            "a creation of a taken name, another under its key, 1 crash",
            kind,
            vec![create_keyed(0), create_other_keyed(1)],
        )
    }
}

/// Checks bindings and keyed creations on one backend, in all configurations.
fn check(kind: Kind) {
    let three = || vec![bind(0, 0), bind(1, 1), bind(2, 2)];
    holds(Protocol {
        alike: 3,
        instants: &[MINUTE],
        ..bindings("3 requests under one key, undisturbed", kind, three())
    });
    holds(Protocol {
        alike: 3,
        crashes: 1,
        instants: &[MINUTE - 1, MINUTE, MINUTE + 60],
        ..bindings("3 requests under one key, 1 crash", kind, three())
    });
    holds(Protocol {
        alike: 3,
        failures: 1,
        // The rest of the clock is left to the others: this one is large enough.
        instants: &[MINUTE - 1, MINUTE],
        ..bindings("3 requests under one key, 1 failure", kind, three())
    });
    holds(Protocol {
        alike: 2,
        crashes: 1,
        failures: 1,
        instants: MANY_INSTANTS,
        ..bindings(
            "2 requests under one key, 1 crash, 1 failure, more of the clock",
            kind,
            vec![bind(0, 0), bind(1, 1)],
        )
    });
    holds(Protocol {
        instants: &[MINUTE - 1, MINUTE, MINUTE + 61],
        crashes: 1,
        ..creates(
            "creations of two users under one key, 1 crash",
            kind,
            vec![create_keyed(0), create_other_keyed(1)],
        )
    });
    holds(taken_under_a_key(kind));
    holds(Protocol {
        alike: 2,
        crashes: 1,
        failures: 1,
        instants: &[MINUTE, MINUTE + 61],
        ..creates(
            "a keyed creation sent twice, 1 crash, 1 failure",
            kind,
            vec![create_keyed(0), create_keyed(1)],
        )
    });
    holds(Protocol {
        alike: 2,
        instants: &[MINUTE],
        ..creates(
            "a keyed creation sent twice, and another one, undisturbed",
            kind,
            vec![create_keyed(0), create_keyed(1), create(2)],
        )
    });
    holds(Protocol {
        alike: 2,
        crashes: 1,
        contents: Contents::new(),
        instants: &[MINUTE - 1, MINUTE, MINUTE + 61],
        ..creates(
            "2 creations in an empty store, 1 crash",
            kind,
            vec![create(0), create(1)],
        )
    });
}

on_every_backend!(check);

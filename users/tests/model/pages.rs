//! Users whose history is longer than an envelope holds.

use crate::backends::Kind;
use crate::checks::{holds, on_every_backend};
use crate::creates::{IN_FLIGHT, MINUTE, create, directory};
use crate::keys::create_keyed;
use crate::lives::{erase, reverse};
use crate::program::{Program, Request};
use crate::protocol::Protocol;
use crate::updates::{award, award_keyed, john};

/// How many entries an envelope holds.
const CAPACITY: u64 = 40;
/// An erasure is under way; it has taken effect; the last page has arrived; and whatever arrived may be deleted.
pub(crate) const INSTANTS: &[u64] = &[MINUTE, MINUTE + 50, MINUTE + 110, MINUTE + 121];

pub(crate) fn clean_up(number: u64) -> Program {
    john(number, Request::CleanUp)
}

/// A user whose envelope is full, with a keyed award and its reversal among the oldest entries, and then what the clients
/// do.
pub(crate) fn full(name: &'static str, kind: Kind, clients: Vec<Program>) -> Protocol {
    let protocol = Protocol {
        contents: directory(),
        instants: &[MINUTE],
        in_flight: IN_FLIGHT,
        ..Protocol::new(name, kind, clients)
    };
    let start = [create_keyed(1000), award_keyed(1001), reverse(1002)];
    let others = (3..=CAPACITY).map(|number| award(1000 + number));
    protocol.prepared(start.into_iter().chain(others), MINUTE - 300)
}

/// Checks full envelopes on one backend, in all configurations.
fn check(kind: Kind) {
    holds(Protocol {
        alike: 2,
        crashes: 1,
        failures: 1,
        ..full(
            "2 awards on a full envelope, 1 crash, 1 failure",
            kind,
            vec![award(0), award(1)],
        )
    });
    holds(Protocol {
        crashes: 1,
        ..full(
            "an award, a retry of an archived one, a reversal again, 1 crash",
            kind,
            vec![award(0), award_keyed(1), reverse(2)],
        )
    });
    holds(Protocol {
        crashes: 1,
        failures: 1,
        ..full(
            "an award on a full envelope, an erasure, 1 crash, 1 failure",
            kind,
            vec![award(0), erase(1)],
        )
    });
    holds(full(
        "a history, an award on a full envelope, an erasure, a creation",
        kind,
        vec![john(0, Request::History), award(1), erase(2), create(3)],
    ));
    holds(Protocol {
        instants: INSTANTS,
        ..full(
            "an award on a full envelope, an erasure, a clean-up",
            kind,
            vec![award(0), erase(1), clean_up(2)],
        )
    });
    holds(Protocol {
        instants: &[MINUTE + 61, MINUTE + 121],
        ..full(
            "an award on a full envelope, an erasure, a creation, a clean-up",
            kind,
            vec![award(0), erase(1), create(2), clean_up(3)],
        )
    });
}

on_every_backend!(check);

//! Automatic promotion: the status that the points earn, in the write that changes them.

use crate::backends::Kind;
use crate::checks::{holds, on_every_backend};
use crate::creates::{IN_FLIGHT, MINUTE, create, directory};
use crate::lives::{erase, redeem, reverse};
use crate::program::{Program, Request};
use crate::protocol::Protocol;
use crate::rule::Rule;
use crate::updates::{award, john};

/// A user one award above the lower threshold, and then what the clients do. Redeeming a point costs the tier if it goes
/// by the points, and taking the award back in any case.
pub(crate) fn at_the_threshold(
    name: &'static str,
    kind: Kind,
    rule: Rule,
    clients: Vec<Program>,
) -> Protocol {
    let protocol = Protocol {
        contents: directory(),
        instants: &[MINUTE],
        in_flight: IN_FLIGHT,
        rule,
        ..Protocol::new(name, kind, clients)
    };
    protocol.prepared([create(50), award(1001)], MINUTE - 300)
}

/// A user who was stored while promotions alone set the status, and then what clients do that set it automatically.
fn from_before(name: &'static str, kind: Kind, rule: Rule, clients: Vec<Program>) -> Protocol {
    Protocol {
        rule,
        ..at_the_threshold(name, kind, Rule::Explicit, clients)
    }
}

pub(crate) fn promote(number: u64) -> Program {
    john(number, Request::Promote)
}

/// Checks each rule on one backend, in all configurations.
fn check(kind: Kind) {
    for (rule, changes, lives, before) in [
        (
            Rule::Automatic,
            "automatic, by points: an award, a redemption, a reversal, a promotion, 1 crash",
            "automatic, by points: an erasure, a creation, an award, an update, 1 crash",
            "automatic, by points, from explicit: an award, 2 promotions, 1 crash, 1 failure",
        ),
        (
            Rule::AutomaticByEarned,
            "automatic, by earned: an award, a redemption, a reversal, a promotion, 1 crash",
            "automatic, by earned: an erasure, a creation, an award, an update, 1 crash",
            "automatic, by earned, from explicit: an award, 2 promotions, 1 crash, 1 failure",
        ),
    ] {
        holds(Protocol {
            crashes: 1,
            always: crate::properties::all_and_automatic,
            ..at_the_threshold(
                changes,
                kind,
                rule,
                vec![award(0), redeem(1), reverse(2), promote(3)],
            )
        });
        holds(Protocol {
            crashes: 1,
            always: crate::properties::all_and_automatic,
            ..at_the_threshold(
                lives,
                kind,
                rule,
                vec![erase(0), create(60), award(2), john(3, Request::Merge)],
            )
        });
        holds(Protocol {
            crashes: 1,
            failures: 1,
            ..from_before(before, kind, rule, vec![award(0), promote(1), promote(2)])
        });
    }
    holds(Protocol {
        crashes: 1,
        failures: 1,
        ..at_the_threshold(
            "explicit, by earned: a redemption, a reversal, a promotion, 1 crash, 1 failure",
            kind,
            Rule::ExplicitByEarned,
            vec![redeem(0), reverse(1), promote(2)],
        )
    });
}

on_every_backend!(check);

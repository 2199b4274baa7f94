//! Each step of the protocol taken away in turn, to see which backends need it.
//!
//! A step that none needs is there for speed, or another step makes up for it; the test says which.

use crate::backends::{Contents, Kind};
use crate::creates::{MINUTE, create, creates};
use crate::directory::{create_jane, splits, walk, walks};
use crate::keys::{CLAIM_INSTANTS, bind, bindings, create_keyed, create_other_keyed, taken_under_a_key};
use crate::lives::{erase, life, reverse};
use crate::mutation::{Mutation, Place};
use crate::pages::{INSTANTS, clean_up, full};
use crate::protocol::Protocol;
use crate::updates::{award, award_keyed, updates};
use Kind::{Azure, Dynamo, Redis, Sqlite};
use Place::{Binding, Leaf, User};

pub(crate) const ALL: &[Kind] = &Kind::ALL;
/// Those on which a compare-and-swap of an absent key is one.
const ATOMIC: &[Kind] = &[Redis, Azure, Dynamo];

/// Checks a configuration on every backend. It has to be violated on those in `needed_on`, and on no other.
pub(crate) fn violated(needed_on: &[Kind], protocol: impl Fn(Kind) -> Protocol) {
    let is_violated = |kind: &Kind| {
        let violation = protocol(*kind).violation();
        if let Some(violation) = &violation {
            println!("{violation}");
        }
        violation.is_some()
    };
    let found_on: Vec<_> = Kind::ALL.into_iter().filter(is_violated).collect();
    assert_eq!(found_on, needed_on);
}

/// Two requests under one key without a step of *create once*, and one failure of the store.
fn two_bindings(mutation: Mutation, needed_on: &[Kind]) {
    violated(needed_on, |kind| Protocol {
        mutation: Some(mutation),
        alike: 2,
        failures: 1,
        ..bindings(
            "2 requests under one key, 1 failure",
            kind,
            vec![bind(0, 0), bind(1, 1)],
        )
    });
}

/// Two creations without a step of theirs, and one failure of the store.
fn two_creations(mutation: Mutation, needed_on: &[Kind]) {
    violated(needed_on, |kind| Protocol {
        mutation: Some(mutation),
        alike: 2,
        failures: 1,
        ..creates("2 creations, 1 failure", kind, vec![create(0), create(1)])
    });
}

/// Updates without a step of theirs, two of them one request, and one failure of the store.
fn updates_without(mutation: Mutation, needed_on: &[Kind]) {
    violated(needed_on, |kind| Protocol {
        mutation: Some(mutation),
        alike: 2,
        failures: 1,
        ..updates(
            "3 awards, 2 of them one request, 1 failure",
            kind,
            vec![award_keyed(0), award_keyed(1), award(2)],
        )
    });
}

/// An award on a full envelope, then a retry of an archived one and a second reversal, without a step of theirs.
fn archive_without(mutation: Mutation, needed_on: &[Kind]) {
    violated(needed_on, |kind| Protocol {
        mutation: Some(mutation),
        crashes: 1,
        ..full(
            "an award, a retry of an archived one, a reversal again, 1 crash",
            kind,
            vec![award(0), award_keyed(1), reverse(2)],
        )
    });
}

#[test]
fn create_once_needs_a_claim() {
    // Elsewhere the compare-and-swap alone makes one of many.
    two_bindings(Mutation::NoClaim, &[Sqlite]);
    two_bindings(Mutation::FailedClaimWins, &[Sqlite]);
}

#[test]
fn create_once_needs_to_look_for_neighbouring_claims() {
    two_bindings(Mutation::NoLookBefore, &[Sqlite]);
    two_bindings(Mutation::NoLookAfter, &[Sqlite]);
    two_bindings(Mutation::LookFirst, &[Sqlite]);
}

#[test]
fn create_once_needs_a_second_read() {
    two_bindings(Mutation::NoSecondRead(Binding), ALL);
}

#[test]
fn create_once_needs_claims_that_get_too_old() {
    two_bindings(Mutation::NoAgeCheck, &[Sqlite]);
}

#[test]
fn create_once_needs_its_assumption_about_time() {
    violated(&[Sqlite], |kind| Protocol {
        in_flight: 51,
        alike: 2,
        ..bindings(
            "2 requests under one key, 51 s for a write",
            kind,
            vec![bind(0, 0), bind(1, 1)],
        )
    });
}

#[test]
fn create_once_needs_the_claim_of_another_to_stay() {
    violated(&[Sqlite], |kind| Protocol {
        mutation: Some(Mutation::LoserRemovesClaim),
        alike: 3,
        instants: &[MINUTE],
        ..bindings(
            "3 requests under one key",
            kind,
            vec![bind(0, 0), bind(1, 1), bind(2, 2)],
        )
    });
}

#[test]
fn create_once_needs_a_claim_that_was_withdrawn_to_go() {
    violated(ALL, |kind| Protocol {
        mutation: Some(Mutation::NoRemoval),
        alike: 2,
        contents: Contents::new(),
        instants: CLAIM_INSTANTS,
        ..creates("2 creations in an empty store", kind, vec![create(0), create(1)])
    });
}

#[test]
fn create_once_needs_to_look_what_stands() {
    two_bindings(Mutation::EveryCasBelieved(Binding), ALL);
    // At once or while it waits for a winner is the same but for the time it takes.
    two_bindings(Mutation::NoReadBack(Binding), &[]);
    two_bindings(Mutation::NoCasBelieved(Binding), &[]);
    two_bindings(Mutation::SetForCas(Binding), &[Azure]);
}

#[test]
fn losers_need_patience() {
    for clients in [vec![create(0), create(1)], vec![create_keyed(0), create_keyed(1)]] {
        violated(ALL, |kind| Protocol {
            mutation: Some(Mutation::NoPatience),
            alike: 2,
            instants: &[MINUTE],
            ..creates("2 creations, undisturbed", kind, clients.clone())
        });
    }
}

#[test]
fn create_reads_the_record_first_to_bind_nothing_in_vain() {
    // Without a key the second look would find the record, after a commit in vain.
    two_creations(Mutation::NoFirstRead, &[]);
    violated(ALL, |kind| Protocol {
        mutation: Some(Mutation::NoFirstRead),
        ..taken_under_a_key(kind)
    });
}

#[test]
fn create_needs_a_reservation() {
    // Elsewhere there are too many states without it to visit them all.
    let without = Protocol {
        mutation: Some(Mutation::NoReservation),
        alike: 2,
        failures: 1,
        ..creates("2 creations, 1 failure", Sqlite, vec![create(0), create(1)])
    };
    assert!(without.violation().is_some());
    two_creations(Mutation::ShortReservation, &[Sqlite]);
    two_creations(Mutation::NoAgeCheck, &[Sqlite]);
    two_creations(Mutation::EveryCasBelieved(Leaf), &[Sqlite]);
    two_creations(Mutation::SetForCas(Leaf), &[Sqlite]);
}

#[test]
fn create_needs_its_assumption_about_time() {
    violated(&[Sqlite], |kind| Protocol {
        in_flight: 51,
        alike: 2,
        ..creates("2 creations, 51 s for a write", kind, vec![create(0), create(1)])
    });
}

#[test]
fn create_needs_a_second_read() {
    two_creations(Mutation::NoSecondRead(User), ALL);
}

#[test]
fn create_needs_to_look_what_stands() {
    two_creations(Mutation::EveryCasBelieved(User), ALL);
    two_creations(Mutation::NoReadBack(User), &[]);
    // That a compare-and-swap which reports success is believed saves a read.
    two_creations(Mutation::NoCasBelieved(User), &[]);
    two_creations(Mutation::NoCasBelieved(Leaf), &[]);
}

#[test]
fn create_needs_a_conditional_write_over_a_tombstone() {
    violated(ALL, |kind| Protocol {
        mutation: Some(Mutation::SetForCas(User)),
        ..life(
            "an erasure, 2 creations",
            kind,
            vec![erase(0), create(1), create(2)],
        )
    });
}

#[test]
fn keys_need_to_be_bound() {
    for mutation in [Mutation::NoBinding, Mutation::NoFingerprint] {
        violated(ALL, |kind| Protocol {
            mutation: Some(mutation),
            instants: &[MINUTE],
            ..creates(
                "creations of two users under one key",
                kind,
                vec![create_keyed(0), create_other_keyed(1)],
            )
        });
    }
}

#[test]
fn keys_of_erased_users_need_a_mark() {
    for mutation in [Mutation::NoMark, Mutation::LateMark] {
        violated(ALL, |kind| Protocol {
            mutation: Some(mutation),
            ..life(
                "an erasure, a creation, another erasure, a retry of the first creation",
                kind,
                vec![erase(0), create(1), erase(2), create_keyed(3)],
            )
        });
    }
    // Over a tombstone nobody waits for a reservation, so that the retry can come late without the clock.
    violated(ALL, |kind| {
        let protocol = Protocol {
            alike: 2,
            ..walks(
                "a creation and its retry over a tombstone, an erasure, another creation and erasure",
                kind,
                vec![create_keyed(0), create_keyed(1), erase(2), create(3), erase(4)],
            )
        };
        Protocol {
            mutation: Some(Mutation::NoSecondLookAtBinding),
            ..protocol.prepared([create(1000), erase(1001)], MINUTE - 300)
        }
    });
}

#[test]
fn update_needs_a_conditional_write() {
    updates_without(Mutation::SetForCas(User), ALL);
}

#[test]
fn update_needs_to_look_for_its_operation() {
    updates_without(Mutation::NoLookForOwn, ALL);
}

#[test]
fn retries_need_to_be_told_apart() {
    violated(ALL, |kind| Protocol {
        mutation: Some(Mutation::SameAttempt),
        ..updates(
            "2 awards that are one request",
            kind,
            vec![award_keyed(0), award_keyed(1)],
        )
    });
}

#[test]
fn update_needs_to_look_what_stands() {
    updates_without(Mutation::EveryCasBelieved(User), ALL);
    updates_without(Mutation::NoReadBack(User), ATOMIC);
    updates_without(Mutation::NoCasBelieved(User), &[]);
}

#[test]
fn update_needs_pages_and_notes() {
    archive_without(Mutation::NoArchive, ALL);
    archive_without(Mutation::LateArchive, ALL);
    archive_without(Mutation::NoLookForNotes, ALL);
}

#[test]
fn erase_needs_to_delete_pages_twice_and_to_wait_in_between() {
    for (mutation, needed_on) in [
        // The second time would do. The first is for those who need not wait for it.
        (Mutation::NoDeletion, &[][..]),
        (Mutation::NoSecondDeletion, ALL),
        (Mutation::EarlySecondDeletion, ALL),
        (Mutation::NoAgeCheck, ALL),
    ] {
        violated(needed_on, |kind| Protocol {
            mutation: Some(mutation),
            instants: INSTANTS,
            ..full(
                "an award on a full envelope, an erasure, a clean-up",
                kind,
                vec![award(0), erase(1), clean_up(2)],
            )
        });
    }
}

#[test]
fn directory_needs_names_before_records() {
    for mutation in [Mutation::NoName, Mutation::LateName] {
        violated(ALL, |kind| Protocol {
            mutation: Some(mutation),
            crashes: 1,
            ..walks(
                "a keyed creation sent twice, a walk after the second, 1 crash",
                kind,
                vec![create_keyed(0), create_keyed(1), walk(2, 1)],
            )
        });
    }
}

#[test]
fn directory_needs_conditional_writes() {
    for mutation in [Mutation::SetForCas(Leaf), Mutation::EveryCasBelieved(Leaf)] {
        violated(ALL, |kind| Protocol {
            mutation: Some(mutation),
            ..walks(
                "2 creations of two names, a walk after the first",
                kind,
                vec![create(0), create_jane(1), walk(2, 0)],
            )
        });
    }
}

#[test]
fn splits_need_children_of_their_own_before_the_pointer() {
    for mutation in [
        Mutation::LateChildren,
        Mutation::SharedChildren,
        Mutation::SetForCas(Leaf),
    ] {
        violated(ALL, |kind| Protocol {
            mutation: Some(mutation),
            ..splits(
                "2 creations that split, a walk after the first",
                kind,
                vec![create(0), create_jane(1), walk(2, 0)],
            )
        });
    }
}

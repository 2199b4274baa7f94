//! Each step of the protocol taken away in turn, to see which backends need it.
//!
//! A step that none needs is there for speed, or another step makes up for it; the test says which.

use crate::backends::{Kind, Protocol};
use crate::client::Fault;
use crate::creates::{MINUTE, create, creates};
use crate::updates::{award, award_keyed, updates};
use Kind::{Azure, Dynamo, Redis, Sqlite};

const ALL: &[Kind] = &Kind::ALL;

/// Checks a configuration on every backend. It has to be violated on those in `needed_on`, and on no other.
fn violated(needed_on: &[Kind], protocol: impl Fn(Kind) -> Protocol) {
    for kind in Kind::ALL {
        let violation = protocol(kind).violation();
        if let Some(violation) = &violation {
            println!("{violation}");
        }
        assert_eq!(violation.is_some(), needed_on.contains(&kind), "{kind:?}");
    }
}

/// Two creations without a step of theirs, and one failure of the store.
fn two_creations(fault: Fault, needed_on: &[Kind]) {
    violated(needed_on, |kind| Protocol {
        fault: Some(fault),
        alike: 2,
        failures: 1,
        ..creates("2 creations, 1 failure", kind, vec![create(0), create(1)])
    });
}

/// Updates without a step of theirs, two of them one request, and one failure of the store.
fn updates_without(fault: Fault, needed_on: &[Kind]) {
    violated(needed_on, |kind| Protocol {
        fault: Some(fault),
        alike: 2,
        failures: 1,
        ..updates(
            "3 awards, 2 of them one request, 1 failure",
            kind,
            vec![award_keyed(), award_keyed(), award(2)],
        )
    });
}

#[test]
fn create_reads_the_record_first_for_speed_alone() {
    // The reading that begins the swap would find the record, after two commits in vain.
    two_creations(Fault::NoFirstRead, &[]);
}

#[test]
fn create_needs_a_claim() {
    // Elsewhere the swap alone makes one of many.
    two_creations(Fault::NoClaim, &[Sqlite]);
    two_creations(Fault::FailedClaimWins, &[Sqlite]);
}

#[test]
fn create_needs_to_look_for_neighbouring_claims() {
    two_creations(Fault::NoLookBefore, &[Sqlite]);
    two_creations(Fault::NoLookAfter, &[Sqlite]);
    two_creations(Fault::LookFirst, &[Sqlite]);
}

#[test]
fn create_needs_a_second_read() {
    two_creations(Fault::NoSecondRead, ALL);
}

#[test]
fn create_needs_claims_that_get_too_old() {
    two_creations(Fault::NoAgeCheck, &[Sqlite]);
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
fn create_needs_the_claim_of_another_to_stay() {
    violated(&[Sqlite], |kind| Protocol {
        fault: Some(Fault::LoserRemovesClaim),
        alike: 3,
        ..creates("3 creations", kind, vec![create(0), create(1), create(2)])
    });
}

#[test]
fn create_needs_a_claim_that_was_withdrawn_to_go() {
    two_creations(Fault::NoRemoval, ALL);
}

#[test]
fn create_needs_patience() {
    violated(ALL, |kind| Protocol {
        fault: Some(Fault::NoPatience),
        alike: 2,
        instants: &[MINUTE],
        ..creates("2 creations, undisturbed", kind, vec![create(0), create(1)])
    });
}

#[test]
fn create_needs_a_conditional_write() {
    two_creations(Fault::SetForSwap, &[Azure]);
}

#[test]
fn create_needs_to_look_what_stands_after_a_swap() {
    two_creations(Fault::EverySwapBelieved, ALL);
    two_creations(Fault::NoReadAfterSwap, &[Redis, Azure, Dynamo]);
    // At once or while it waits for a winner is the same but for the time it takes.
    two_creations(Fault::NoReadBack, &[]);
    // That a swap which reports success is believed saves a read.
    two_creations(Fault::NoSwapBelieved, &[]);
}

#[test]
fn update_needs_a_conditional_write() {
    updates_without(Fault::SetForSwap, ALL);
}

#[test]
fn update_needs_to_look_for_its_operation() {
    updates_without(Fault::NoLookForOwn, ALL);
}

#[test]
fn update_needs_to_look_what_stands_after_a_swap() {
    updates_without(Fault::EverySwapBelieved, ALL);
    updates_without(Fault::NoReadBack, &[Redis, Azure, Dynamo]);
    updates_without(Fault::NoSwapBelieved, &[]);
}

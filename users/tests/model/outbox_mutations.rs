//! Each step of publishing and of automatic promotion taken away in turn, as in `mutations`.
//!
//! What keeps events from being sent twice is needed for that alone: without a note or a lease every change is still
//! published, in order.

use crate::backends::Kind;
use crate::creates::{MINUTE, create};
use crate::lives::{erase, redeem, reverse};
use crate::mutation::{Mutation, Place};
use crate::mutations::{ALL, violated};
use crate::outbox::{backlog, disturbed, leased, nudge, publish, sweep, unborn, untold};
use crate::promotions::{at_the_threshold, promote};
use crate::protocol::Protocol;
use crate::rule::Rule;
use crate::updates::award;
use Kind::{Redis, Sqlite};
use Place::Outbox;

/// Two publishers without a step of theirs, an award, a crash and a failure.
fn two_publishers(mutation: Mutation, needed_on: &[Kind]) {
    violated(needed_on, |kind| Protocol {
        mutation: Some(mutation),
        alike: 2,
        crashes: 1,
        failures: 1,
        ..untold(
            "2 publishers and an award, 1 crash, 1 failure",
            kind,
            vec![publish(0), publish(1), award(2)],
        )
    });
}

/// Two publishers of a long backlog without a step of theirs, where nothing disturbs.
fn leased_without(mutation: Mutation, needed_on: &[Kind]) {
    violated(needed_on, |kind| Protocol {
        mutation: Some(mutation),
        ..leased(kind)
    });
}

/// Two publishers of a long backlog without a step of theirs, a crash, a failure, and the lease may end.
fn disturbed_without(mutation: Mutation, needed_on: &[Kind]) {
    violated(needed_on, |kind| Protocol {
        mutation: Some(mutation),
        ..disturbed(kind)
    });
}

#[test]
fn publishing_needs_deliveries_before_the_note() {
    two_publishers(Mutation::LateDelivery, ALL);
}

#[test]
fn publishing_needs_to_stop_at_a_failure() {
    two_publishers(Mutation::FailedDeliveryBelieved, ALL);
}

#[test]
fn publishing_needs_one_delivery_after_the_other() {
    two_publishers(Mutation::OverlappingDeliveries, ALL);
}

#[test]
fn publishing_needs_the_erasure_before_a_creation() {
    violated(ALL, |kind| Protocol {
        mutation: Some(Mutation::UntoldErasure),
        ..untold(
            "a sweep, an erasure and a creation",
            kind,
            vec![sweep(0), erase(1), create(2)],
        )
    });
}

#[test]
fn publishing_needs_a_note_to_send_nothing_twice() {
    two_publishers(Mutation::NoNote, &[]);
    two_publishers(Mutation::SetForCas(Outbox), &[]);
    leased_without(Mutation::NoNote, ALL);
}

#[test]
fn long_backlogs_need_a_lease_to_be_sent_once() {
    leased_without(Mutation::NoLease, ALL);
    leased_without(Mutation::SetForCas(Outbox), ALL);
    leased_without(Mutation::EveryCasBelieved(Outbox), ALL);
    // Elsewhere a compare-and-swap that succeeds says so.
    leased_without(Mutation::NoReadBack(Outbox), &[Redis]);
    leased_without(Mutation::NoCasBelieved(Outbox), &[]);
    disturbed_without(Mutation::NoLease, &[]);
    disturbed_without(Mutation::EveryCasBelieved(Outbox), &[]);
}

#[test]
fn first_backlogs_are_sent_twice_on_sqlite_at_most() {
    // There the compare-and-swap of a mark that was absent overwrites the lease of another.
    violated(&[Sqlite], |kind| {
        let protocol = unborn(
            "2 publishers of a long first backlog, undisturbed",
            kind,
            vec![publish(0), publish(1)],
        );
        let awards = (1..5).map(|number| award(1000 + number));
        Protocol {
            always: crate::properties::all_and_no_repeats,
            alike: 2,
            ..protocol.prepared([create(1000)].into_iter().chain(awards), MINUTE - 300)
        }
    });
}

#[test]
fn leases_need_an_end() {
    disturbed_without(Mutation::EndlessLease, ALL);
}

#[test]
fn whoever_leased_a_backlog_needs_to_look_again() {
    violated(ALL, |kind| Protocol {
        mutation: Some(Mutation::NoLookAgain),
        ..backlog(
            "a publisher of a long backlog, an award with its nudge",
            kind,
            vec![publish(0), award(1), nudge(2, 1)],
        )
    });
}

#[test]
fn automatic_promotion_needs_the_status_in_the_same_write() {
    // The promotion that follows would come too late.
    for rule in [Rule::Automatic, Rule::AutomaticByEarned] {
        violated(ALL, |kind| Protocol {
            mutation: Some(Mutation::NoAutomaticPromotion),
            ..at_the_threshold(
                "a reversal, a promotion",
                kind,
                rule,
                vec![reverse(0), promote(1)],
            )
        });
    }
}

#[test]
fn promotion_by_what_was_earned_needs_to_leave_the_points_aside() {
    for rule in [Rule::AutomaticByEarned, Rule::ExplicitByEarned] {
        violated(ALL, |kind| Protocol {
            mutation: Some(Mutation::PromotionByPoints),
            ..at_the_threshold(
                "a redemption, a promotion",
                kind,
                rule,
                vec![redeem(0), promote(1)],
            )
        });
    }
}

//! Tests of envelopes and tombstones.

use super::*;
use crate::domain::user::User;
use proptest::prelude::*;

const NOW: u64 = 1_700_000_000_123;

fn draft(points: u32) -> Draft {
    let user = format!(r#"{{"username":"john","points":{points}}}"#);
    let balance = Points::of(points);
    Draft {
        user: User::from_client(user.as_bytes()).unwrap(),
        change: Change::Points {
            points: 1,
            balance,
            reason: None,
            reverses: None,
        },
        status: None,
        earned: balance,
    }
}

fn new(previous: Option<&Tombstone>) -> Envelope {
    let creation = Draft {
        change: Change::Created {
            points: Some(Points::of(1)),
        },
        ..draft(1)
    };
    Envelope::new(&creation, &Operation::fresh(7), None, now(), previous)
}

fn now() -> Timestamp {
    Timestamp::from_milliseconds(NOW).unwrap()
}

/// The envelope after this many changes, and the pages that were archived on the way.
fn changed(mut envelope: Envelope, changes: u32) -> (Envelope, Vec<(u64, String)>) {
    let mut pages = Vec::new();
    for number in 1..=changes {
        if envelope.is_full() {
            pages.push(envelope.page());
        }
        envelope = envelope.changed_to(draft(number + 1), &Operation::fresh(number.into()), None, now());
    }
    (envelope, pages)
}

fn read(bytes: &[u8]) -> Stored {
    Stored::from_bytes(bytes).unwrap()
}

#[test]
fn the_stored_form_is_read_back() {
    let first = new(None);
    let tombstone = changed(first.clone(), 41).0.erased(&Operation::fresh(9), now());
    for envelope in [first.clone(), changed(first, 90).0, new(Some(&tombstone))] {
        assert_eq!(read(&envelope.to_bytes()), Stored::Live(envelope));
    }
    for tombstone in [
        tombstone.with_deleted(7),
        tombstone.with_remains(Vec::new()),
        tombstone,
    ] {
        assert_eq!(read(&tombstone.to_bytes()), Stored::Erased(tombstone));
    }
}

#[test]
fn the_stored_form_stays_the_same_from_build_to_build() {
    assert_eq!(
        String::from_utf8(changed(new(None), 1).0.to_bytes()).unwrap(),
        concat!(
            r#"{"format":1,"sequence":2,"first":1,"#,
            r#""creation":{"time":1700000000123,"operation":"000000000007","points":1},"#,
            r#""archived":1,"earned":2,"#,
            r#""entries":[{"time":1700000000123,"operation":"000000000001","points":1,"balance":2}],"#,
            r#""record":{"username":"john","points":2}}"#,
        )
    );
}

#[test]
fn every_entry_is_in_the_envelope_or_in_one_page() {
    let (envelope, pages) = changed(new(None), 200);
    assert_eq!((envelope.sequence(), envelope.archived()), (201, 169));
    let starts: Vec<_> = pages.iter().map(|(first, _)| *first).collect();
    assert_eq!(starts, [2, 26, 50, 74, 98, 122, 146]);
    for sequence in 2..=envelope.archived() {
        assert!(starts.contains(&envelope.page_of(sequence)), "{sequence}");
        assert!(envelope.page_of(sequence) <= sequence, "{sequence}");
    }
    for sequence in envelope.archived() + 1..=201 {
        let entry = envelope.entry(sequence).unwrap().unwrap();
        assert_eq!(entry.operation, Operation::fresh(sequence - 1));
    }
    assert_eq!(envelope.entry(169), Ok(None));
    assert_eq!(envelope.entry(202), Ok(None));
    let found = envelope.find(&Operation::fresh(200)).unwrap().unwrap();
    assert_eq!(found.operation, Operation::fresh(200));
    assert_eq!(envelope.find(&Operation::fresh(3)), Ok(None));
}

#[test]
fn revisions_differ_and_go_on_after_an_erasure() {
    let first = new(None);
    let (changed, _) = changed(first.clone(), 1);
    assert_eq!(first.revision(), "1-000000000007");
    assert_eq!(changed.revision(), "2-000000000001");
    assert_eq!(changed.first_revision(), first.revision());
    let tombstone = changed.erased(&Operation::fresh(9), now());
    assert_eq!(new(Some(&tombstone)).revision(), "4-000000000007");
}

#[test]
fn a_short_history_leaves_nothing_to_delete() {
    let operation = Operation::fresh(9);
    assert!(changed(new(None), 39).0.erased(&operation, now()).is_deleted());
    let tombstone = changed(new(None), 40).0.erased(&operation, now());
    assert!(!tombstone.is_deleted());
    assert_eq!(tombstone.head.remains, [(1, 42)]);
    assert_eq!(new(Some(&tombstone.with_deleted(42))).head.remains, [(1, 42)]);
}

#[test]
fn other_versions_and_damage_are_distinguished() {
    for (bytes, why) in [
        (&br#"{"format":2,"record":{}}"#[..], Unreadable::Version(2)),
        (br#"{"format":2}"#, Unreadable::Version(2)),
        (br#"{"format":1}"#, Unreadable::Damaged),
        (br#"{"format":1e0}"#, Unreadable::Damaged),
        (br#"{"username":"john"}"#, Unreadable::Damaged),
        (b"", Unreadable::Damaged),
        (b"\xff", Unreadable::Damaged),
    ] {
        assert_eq!(Stored::from_bytes(bytes), Err(why), "{}", bytes.escape_ascii());
    }
    let good = String::from_utf8(changed(new(None), 1).0.to_bytes()).unwrap();
    for (from, to, why) in [
        ("\"format\":1", "\"format\":7", Unreadable::Version(7)),
        ("\"sequence\":2", "\"sequence\":-1", Unreadable::Damaged),
        ("\"sequence\":2", "\"sequence\":0", Unreadable::Damaged),
        (
            "\"sequence\":2",
            "\"sequence\":18446744073709551615",
            Unreadable::Damaged,
        ),
        ("\"first\":1", "\"first\":0", Unreadable::Damaged),
        ("\"archived\":1", "\"archived\":3", Unreadable::Damaged),
        ("\"earned\":2", "\"earned\":-2", Unreadable::Damaged),
        ("000000000007", "x", Unreadable::Damaged),
        ("\"earned\"", "\"region\":0,\"earned\"", Unreadable::Damaged),
        ("\"record\"", "\"earned\"", Unreadable::Damaged),
        ("1700000000123", "18446744073709551615", Unreadable::Damaged),
    ] {
        let damaged = good.replace(from, to);
        assert_eq!(Stored::from_bytes(damaged.as_bytes()), Err(why), "{to}");
    }
}

proptest! {
    #[test]
    fn reading_any_bytes_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = Stored::from_bytes(&bytes);
    }

    #[test]
    fn reading_a_damaged_envelope_never_panics(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = changed(new(None), 3).0.to_bytes();
        *at.get_mut(&mut bytes) = byte;
        if let Ok(Stored::Live(envelope)) = Stored::from_bytes(&bytes) {
            let _ = (envelope.revision(), envelope.entries(), envelope.page());
        }
    }
}

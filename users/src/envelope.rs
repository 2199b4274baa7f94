//! What the store holds for a user: the record, and what is known of it.

use crate::history::History;
use crate::json::{self, Members};
use crate::operation::Operation;
use crate::user::User;
use std::fmt;
use std::time::{Duration, SystemTime};

/// A stored user record with its history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// How many operations made the record what it is; its creation is the first.
    sequence: u64,
    created: SystemTime,
    changed: SystemTime,
    creation: Operation,
    /// The newest operations after the creation; all of them, or at least [`Envelope::REMEMBERED`].
    operations: History,
    record: String,
}

/// The one version of the stored form that this build reads and writes.
const FORMAT: u64 = 1;
/// How many members that form has.
const MEMBERS: usize = 7;

impl Envelope {
    /// How many of the newest operations an envelope never forgets.
    pub const REMEMBERED: usize = 128;
    /// How many operations are forgotten at once, so that noting them elsewhere costs one commit for all. DynamoDB
    /// takes no more.
    const FORGOTTEN_AT_ONCE: usize = 25;

    /// The envelope of a new user.
    #[must_use]
    pub fn new(user: &User, creation: Operation, now: SystemTime) -> Self {
        Self {
            sequence: 1,
            created: now,
            changed: now,
            creation,
            operations: History::default(),
            record: user.to_json(),
        }
    }

    /// The envelope after `operation` made the record `user`, and the operations that it had to forget for that.
    #[must_use]
    pub fn changed_to(&self, user: &User, operation: &Operation, now: SystemTime) -> (Self, Vec<Operation>) {
        let mut operations = self.operations.clone();
        operations.push(operation);
        let forgotten = if operations.len() > Self::REMEMBERED + Self::FORGOTTEN_AT_ONCE {
            operations.forget(Self::FORGOTTEN_AT_ONCE)
        } else {
            Vec::new()
        };
        let changed = Self {
            sequence: self.sequence + 1,
            created: self.created,
            changed: now,
            creation: self.creation.clone(),
            operations,
            record: user.to_json(),
        };
        (changed, forgotten)
    }

    /// The operation that created the user.
    #[must_use]
    pub fn creation(&self) -> &Operation {
        &self.creation
    }

    /// The revision of a record that `creation` has just created.
    #[must_use]
    pub fn first_revision(creation: &Operation) -> String {
        revision(1, creation.id())
    }

    /// The record's revision: another one after each change.
    #[must_use]
    pub fn revision(&self) -> String {
        revision(
            self.sequence,
            self.operations.last_id().unwrap_or(self.creation.id()),
        )
    }

    /// When the record was last written, in whole milliseconds.
    #[must_use]
    pub fn changed(&self) -> SystemTime {
        self.changed
    }

    /// The record as JSON.
    #[must_use]
    pub fn record(&self) -> &str {
        &self.record
    }

    /// The operation with the id of `operation`, if it is remembered.
    #[must_use]
    pub fn find(&self, operation: &Operation) -> Option<Operation> {
        self.operations.find(operation)
    }

    /// Whether the record had more operations than are remembered.
    #[must_use]
    pub fn has_forgotten(&self) -> bool {
        self.sequence > 1 + self.operations.len() as u64
    }

    /// Whether `operation` was the first to be applied to this envelope on its way to `later`. None if `later` has
    /// forgotten which one was.
    #[must_use]
    pub fn was_followed_by(&self, operation: &Operation, later: &Self) -> Option<bool> {
        let since = usize::try_from(later.sequence.saturating_sub(self.sequence)).ok()?;
        if since == 0 {
            return Some(false);
        }
        let first = later.operations.len().checked_sub(since)?;
        later.operations.has_at(first, operation)
    }

    /// The stored form: a JSON object. Times are milliseconds since 1970, operations one string with blanks between.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        // Nothing here needs escaping: the record is JSON, all else was read without escapes.
        format!(
            r#"{{"format":{FORMAT},"sequence":{},"created":{},"changed":{},"creation":"{}","operations":"{}","record":{}}}"#,
            self.sequence,
            milliseconds(self.created),
            milliseconds(self.changed),
            self.creation,
            self.operations.as_str(),
            self.record,
        )
        .into_bytes()
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// It is of another version, or damaged.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Unreadable> {
        let text = std::str::from_utf8(bytes).map_err(|_| Unreadable::Damaged)?;
        let members = Members::read(text).map_err(|_| Unreadable::Damaged)?;
        let member = |name| members.get(name).ok_or(Unreadable::Damaged);
        let number = |name| member(name)?.parse::<u64>().map_err(|_| Unreadable::Damaged);
        let string = |name| json::plain_string_from(member(name)?).ok_or(Unreadable::Damaged);

        // The version comes first: another one may have other members.
        let format = number("format")?;
        if format != FORMAT {
            return Err(Unreadable::Version(format));
        }
        let sequence = number("sequence")?;
        // There has to be a number for the next operation. A member that is not known here would be lost.
        if sequence == 0 || sequence == u64::MAX || members.len() != MEMBERS {
            return Err(Unreadable::Damaged);
        }
        Ok(Self {
            sequence,
            created: time(number("created")?)?,
            changed: time(number("changed")?)?,
            creation: string("creation")?.parse().map_err(|_| Unreadable::Damaged)?,
            operations: History::from_stored(string("operations")?),
            record: member("record")?.to_owned(),
        })
    }
}

/// A revision is never given twice: two writers that make the same sequence number differ in their operations.
fn revision(sequence: u64, operation_id: &str) -> String {
    format!("{sequence}-{operation_id}")
}

fn milliseconds(time: SystemTime) -> u64 {
    // A clock that shows a time before 1970, or one that no `u64` holds, is wrong anyhow.
    time.duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
        .as_millis()
        .try_into()
        .unwrap_or_default()
}

/// The time so many milliseconds after 1970, up to the last that an HTTP date can tell.
fn time(milliseconds: u64) -> Result<SystemTime, Unreadable> {
    const YEAR_10000: u64 = 253_402_300_800_000;
    if milliseconds < YEAR_10000 {
        Ok(SystemTime::UNIX_EPOCH + Duration::from_millis(milliseconds))
    } else {
        Err(Unreadable::Damaged)
    }
}

/// Why stored bytes are not an envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unreadable {
    /// Another version of this software wrote them, in a form of that version.
    Version(u64),
    /// They are of no version.
    Damaged,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(version) => {
                write!(
                    f,
                    "is of format version {version}; this release reads version {FORMAT}"
                )
            }
            Self::Damaged => f.write_str("is damaged"),
        }
    }
}

impl std::error::Error for Unreadable {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn new() -> Envelope {
        let user = User::from_client(br#"{"username":"john","points":1}"#).unwrap();
        let now = SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_123);
        Envelope::new(&user, Operation::fresh(7), now)
    }

    fn changed(envelope: &Envelope, number: u64) -> (Envelope, Vec<Operation>) {
        let user = User::from_stored(envelope.record()).unwrap();
        envelope.changed_to(&user, &Operation::fresh(number), envelope.changed)
    }

    #[test]
    fn the_stored_form_is_read_back() {
        let envelope = new();
        assert_eq!(
            String::from_utf8(envelope.to_bytes()).unwrap(),
            concat!(
                r#"{"format":1,"sequence":1,"created":1700000000123,"changed":1700000000123,"#,
                r#""creation":"000000000007","operations":"","#,
                r#""record":{"username":"john","points":1}}"#
            )
        );
        assert_eq!(Envelope::from_bytes(&envelope.to_bytes()), Ok(envelope.clone()));
        let (envelope, _) = changed(&changed(&envelope, 1).0, 2);
        assert_eq!(Envelope::from_bytes(&envelope.to_bytes()), Ok(envelope));
    }

    #[test]
    fn the_newest_operations_are_remembered() {
        let first = new();
        let mut newest = first.clone();
        let mut all_forgotten = 0;
        for number in 1..=200_u64 {
            let (next, forgotten) = changed(&newest, number);
            assert!(next.find(&Operation::fresh(number)).is_some());
            assert_eq!(
                newest.was_followed_by(&Operation::fresh(number), &next),
                Some(true)
            );
            assert_eq!(newest.was_followed_by(&Operation::fresh(0), &next), Some(false));
            assert_eq!(
                newest.was_followed_by(&Operation::fresh(number), &newest),
                Some(false)
            );
            assert_ne!(newest.revision(), next.revision());
            all_forgotten += forgotten.len();
            newest = next;
            let remembered = newest.operations.len();
            assert_eq!(remembered + all_forgotten, usize::try_from(number).unwrap());
            assert!(remembered >= Envelope::REMEMBERED.min(usize::try_from(number).unwrap()));
            if number <= 128 {
                assert_eq!(first.was_followed_by(&Operation::fresh(1), &newest), Some(true));
                assert_eq!(first.was_followed_by(&Operation::fresh(2), &newest), Some(false));
            }
        }
        assert_eq!(newest.creation(), &Operation::fresh(7));
        assert_eq!(first.was_followed_by(&Operation::fresh(1), &newest), None);
    }

    #[test]
    fn other_versions_and_damage_are_told_apart() {
        for (bytes, why) in [
            (&br#"{"format":2,"record":{}}"#[..], Unreadable::Version(2)),
            (br#"{"format":2}"#, Unreadable::Version(2)),
            (br#"{"format":1}"#, Unreadable::Damaged),
            (br#"{"format":1e0}"#, Unreadable::Damaged),
            (br#"{"username":"john"}"#, Unreadable::Damaged),
            (b"", Unreadable::Damaged),
            (b"\xff", Unreadable::Damaged),
        ] {
            assert_eq!(Envelope::from_bytes(bytes), Err(why), "{}", bytes.escape_ascii());
        }
        let good = String::from_utf8(new().to_bytes()).unwrap();
        for (from, to, why) in [
            ("\"format\":1", "\"format\":7", Unreadable::Version(7)),
            ("\"sequence\":1", "\"sequence\":-1", Unreadable::Damaged),
            ("\"sequence\":1", "\"sequence\":0", Unreadable::Damaged),
            (
                "\"sequence\":1",
                "\"sequence\":18446744073709551615",
                Unreadable::Damaged,
            ),
            ("000000000007", "x", Unreadable::Damaged),
            ("\"created\"", "\"region\":0,\"created\"", Unreadable::Damaged),
            ("\"changed\"", "\"created\"", Unreadable::Damaged),
            ("1700000000123", "18446744073709551615", Unreadable::Damaged),
        ] {
            assert_eq!(
                Envelope::from_bytes(good.replace(from, to).as_bytes()),
                Err(why),
                "{to}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Envelope::from_bytes(&bytes);
        }

        #[test]
        fn a_damaged_envelope_is_read_or_refused(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut bytes = new().to_bytes();
            *at.get_mut(&mut bytes) = byte;
            let _ = Envelope::from_bytes(&bytes);
        }
    }
}

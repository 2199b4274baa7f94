//! The value of a user's key: an envelope with the record and its newest history, or the tombstone of an erased user.

use super::entry::{Change, Entry, Place};
use super::operation::Operation;
use super::tombstone::{FORMAT, Head, number};
use crate::domain::json::Members;
use crate::domain::points::Points;
use crate::domain::tier::{Promotion, Tier};
use crate::domain::timestamp::Timestamp;
use crate::domain::user::User;
use serde_json::value::RawValue;
use std::fmt::Write;
use std::time::SystemTime;

pub use super::tombstone::Tombstone;
pub use super::unreadable::Unreadable;

/// A stored user record with its newest history.
///
/// Entries have consecutive sequence numbers: first the creation, then the entries archived in pages, then those in the
/// envelope.
///
/// ```
/// use users::domain::tier::Promotion;
/// use users::domain::timestamp::Timestamp;
/// use users::domain::user::User;
/// use users::storage::Draft;
/// use users::storage::envelope::Envelope;
/// use users::storage::operation::Operation;
///
/// let user = User::from_client(br#"{"username":"jane"}"#).unwrap();
/// let creation = Draft::creation(&user, &Promotion::STANDARD);
/// let envelope = Envelope::new(&creation, &Operation::fresh(7), Timestamp::default(), None);
/// assert_eq!(envelope.revision(), "1-000000000007");
/// assert_eq!(Envelope::from_bytes(&envelope.to_bytes()), Ok(envelope));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// The sequence number of the newest entry.
    sequence: u64,
    /// The creation, and what came before it.
    head: Head,
    /// The newest entry.
    newest: Entry,
    /// The sequence number of the last entry that is not in `entries`: an archived one, or the creation.
    archived: u64,
    /// Initial points and awards, less reversed awards.
    earned: Points,
    /// The entries after `archived`, as a JSON array.
    entries: String,
    record: String,
}

/// The value of a user's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stored {
    /// A user.
    Live(Envelope),
    /// An erased user.
    Erased(Tombstone),
}

/// A change that is about to be written.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The record after the change.
    pub user: User,
    /// What changes.
    pub change: Change,
    /// The status that the change sets, if it sets one.
    pub status: Option<Tier>,
    /// Initial points and awards, less reversed awards, after the change.
    pub earned: Points,
}

impl Draft {
    /// Drafts the creation of `user`, with the status that the points earn if promotion is automatic.
    #[must_use]
    pub fn creation(user: &User, promotion: &Promotion) -> Self {
        let points = user.points();
        let earned = points.unwrap_or(Points::ZERO);
        let status = promotion.automatic(points, earned);
        Self {
            user: match status {
                Some(status) => user.clone().with_status(status),
                None => user.clone(),
            },
            change: Change::Created { points },
            status,
            earned,
        }
    }
}

impl Envelope {
    /// The number of entries in a page. A page and one note per entry fit into one batch, which has at most 25 items on
    /// DynamoDB. This number is part of the format, since page boundaries follow from it.
    pub const PAGE: u64 = 24;
    /// The maximum number of entries in an envelope.
    pub const CAPACITY: u64 = 40;

    /// Creates the envelope of a new user. `previous` is the tombstone that it replaces.
    #[must_use]
    pub fn new(draft: &Draft, operation: &Operation, now: Timestamp, previous: Option<&Tombstone>) -> Self {
        let first = previous.map_or(1, |tombstone| tombstone.sequence + 1);
        let entry = Entry {
            time: now,
            operation: operation.clone(),
            change: draft.change.clone(),
            status: draft.status,
        };
        let envelope = Self {
            sequence: first,
            head: Head {
                first,
                creation: entry.clone(),
                erasure: previous.and_then(|tombstone| tombstone.head.erasure.clone()),
                remains: previous.map_or_else(Vec::new, |tombstone| tombstone.head.remains.clone()),
            },
            newest: entry,
            archived: first,
            earned: draft.earned,
            entries: "[]".to_owned(),
            record: draft.user.to_json(),
        };
        debug_assert!(envelope.is_consistent(), "{envelope:?}");
        envelope
    }

    /// Reads the stored form of a user who has not been erased.
    ///
    /// # Errors
    /// Returns [`Unreadable::Version`] if another version wrote it, [`Unreadable::Damaged`] if it is not an envelope.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Unreadable> {
        match Stored::from_bytes(bytes)? {
            Stored::Live(envelope) => Ok(envelope),
            Stored::Erased(_) => Err(Unreadable::Damaged),
        }
    }

    /// Returns the envelope after `operation` made the change in `draft`. If this envelope [is full](Self::is_full), its
    /// oldest entries must have been archived, and are dropped.
    #[must_use]
    pub fn changed_to(&self, draft: Draft, operation: &Operation, now: Timestamp) -> Self {
        let entry = Entry {
            time: now,
            operation: operation.clone(),
            change: draft.change,
            status: draft.status,
        };
        let (archived, mut entries) = if self.is_full() {
            let kept = self
                .raw_entries()
                .skip(usize::try_from(Self::PAGE).unwrap_or(usize::MAX));
            (self.archived + Self::PAGE, array(kept))
        } else {
            (self.archived, self.entries.clone())
        };
        entries.pop();
        if entries.len() > 1 {
            entries.push(',');
        }
        entries.push_str(&entry.to_json());
        entries.push(']');
        let changed = Self {
            sequence: self.sequence + 1,
            head: self.head.clone(),
            newest: entry,
            archived,
            earned: draft.earned,
            entries,
            record: draft.user.to_json(),
        };
        // A damaged envelope, which may have been read, stays one.
        debug_assert!(changed.is_consistent() || !self.is_consistent(), "{changed:?}");
        debug_assert!(changed.has_sums_after(self), "{changed:?} after {self:?}");
        changed
    }

    /// Returns the tombstone that replaces this envelope. Its pages remain to be deleted.
    #[must_use]
    pub fn erased(&self, operation: &Operation, now: Timestamp) -> Tombstone {
        let entry = Entry {
            time: now,
            operation: operation.clone(),
            change: Change::Erased,
            status: None,
        };
        let sequence = self.sequence + 1;
        let mut head = self.head.clone();
        head.erasure = Some(entry);
        // The operation alone is kept of the creation: it recognizes a retry.
        head.creation.time = Timestamp::default();
        head.creation.change = Change::Created { points: None };
        head.creation.status = None;
        if self.may_have_pages() {
            head.remains.push((head.first, sequence));
        }
        Tombstone {
            sequence,
            deleted: if head.remains.is_empty() { sequence } else { 0 },
            head,
        }
    }

    /// Returns this envelope after the pages of earlier users of the name were deleted for the second time.
    #[must_use]
    pub(super) fn cleaned(&self) -> Self {
        let mut cleaned = self.clone();
        cleaned.head.remains.clear();
        cleaned
    }

    /// The entry of the creation.
    #[must_use]
    pub fn creation(&self) -> &Entry {
        &self.head.creation
    }

    /// The sequence number of the newest entry.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// The sequence number of the creation.
    #[must_use]
    pub fn first(&self) -> u64 {
        self.head.first
    }

    /// The sequence number of the last entry that is in a page, or of the creation if there is no page.
    #[must_use]
    pub fn archived(&self) -> u64 {
        self.archived
    }

    pub(super) fn head(&self) -> &Head {
        &self.head
    }

    /// Initial points and awards, less reversed awards.
    #[must_use]
    pub fn earned(&self) -> Points {
        self.earned
    }

    /// The record's revision, which no other state under this name ever has: the sequence number, and the id of the
    /// operation, which differs between two writers of the same number.
    #[must_use]
    pub fn revision(&self) -> String {
        revision(self.sequence, &self.newest.operation)
    }

    /// The revision of the record as it was created.
    #[must_use]
    pub fn first_revision(&self) -> String {
        revision(self.head.first, &self.head.creation.operation)
    }

    /// When the record was last written, in whole milliseconds.
    #[must_use]
    pub fn changed(&self) -> SystemTime {
        self.newest.time.into()
    }

    /// The record as JSON.
    #[must_use]
    pub fn record(&self) -> &str {
        &self.record
    }

    /// The entries in the envelope, beginning after [`Envelope::archived`].
    ///
    /// # Errors
    /// Returns [`Unreadable::Damaged`] if one of them cannot be read.
    pub fn entries(&self) -> Result<Vec<Entry>, Unreadable> {
        let entries = self.raw_entries();
        entries
            .map(|entry| Entry::from_json(entry.get(), Place::History).ok_or(Unreadable::Damaged))
            .collect()
    }

    fn raw_entries(&self) -> impl Iterator<Item = &RawValue> {
        serde_json::from_str::<Vec<&RawValue>>(&self.entries)
            .unwrap_or_default()
            .into_iter()
    }

    /// The entry in the envelope whose operation has the id of `operation`.
    ///
    /// # Errors
    /// Returns [`Unreadable::Damaged`] if it cannot be read.
    pub(super) fn find(&self, operation: &Operation) -> Result<Option<Entry>, Unreadable> {
        if !self.entries.contains(operation.id()) {
            return Ok(None);
        }
        let entries = self.entries()?;
        Ok(entries
            .into_iter()
            .find(|entry| entry.operation.id() == operation.id()))
    }

    /// The entry with the sequence number `sequence`, if it is in the envelope.
    ///
    /// # Errors
    /// Returns [`Unreadable::Damaged`] if it cannot be read.
    pub(super) fn entry(&self, sequence: u64) -> Result<Option<Entry>, Unreadable> {
        let Some(index) = sequence.checked_sub(self.archived + 1) else {
            return Ok(None);
        };
        let index = usize::try_from(index).unwrap_or(usize::MAX);
        Ok(self.entries()?.into_iter().nth(index))
    }

    /// Whether the oldest entries must be archived before the next change.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.sequence - self.archived >= Self::CAPACITY
    }

    /// Whether a page may exist, or may be about to be written by a request that read this or an earlier envelope.
    fn may_have_pages(&self) -> bool {
        self.archived > self.head.first || self.is_full()
    }

    /// The page that a full envelope archives: the sequence number of its first entry, and its stored form.
    #[must_use]
    pub fn page(&self) -> (u64, String) {
        let oldest = self
            .raw_entries()
            .take(usize::try_from(Self::PAGE).unwrap_or(usize::MAX));
        (self.archived + 1, array(oldest))
    }

    /// The sequence number of the first entry in the page that contains the archived entry `sequence`.
    #[must_use]
    pub fn page_of(&self, sequence: u64) -> u64 {
        page_of(self.head.first, sequence)
    }

    /// Whether sequence numbers, entries and sums agree.
    fn is_consistent(&self) -> bool {
        let Ok(entries) = self.entries() else { return false };
        let count = entries.len() as u64;
        let points = |entry: &Entry| match entry.change {
            Change::Points { balance, .. } => Some(balance.get()),
            _ => None,
        };
        let newest = entries.iter().rev().find_map(points);
        let balance = User::from_stored(&self.record)
            .ok()
            .and_then(|user| user.points());
        self.head.first <= self.archived
            && (self.archived - self.head.first).is_multiple_of(Self::PAGE)
            && self.archived + count == self.sequence
            && count <= Self::CAPACITY
            && newest.is_none_or(|newest| balance.is_some_and(|balance| balance.get() == newest))
    }

    /// Whether balance and points earned follow from those of the `previous` state by the newest entry.
    fn has_sums_after(&self, previous: &Self) -> bool {
        let points = |envelope: &Self| {
            let user = User::from_stored(&envelope.record).ok()?;
            Some(user.points().unwrap_or(Points::ZERO).get())
        };
        let (Some(before), Some(after)) = (points(previous), points(self)) else {
            return false;
        };
        let (added, earned) = match self.newest.change {
            Change::Points { points, reverses, .. } => {
                // An award is a positive change, its reversal a negative one.
                let is_award = reverses.is_some() == (points < 0);
                (points, if is_award { points } else { 0 })
            }
            _ => (0, 0),
        };
        after == before + added && self.earned.get() == previous.earned.get() + earned
    }

    /// The stored form: a JSON object.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut json = format!(r#"{{"format":{FORMAT},"sequence":{},"#, self.sequence);
        self.head.write(&mut json);
        let _ = write!(
            json,
            r#""archived":{},"earned":{},"entries":{},"record":{}}}"#,
            self.archived,
            self.earned.get(),
            self.entries,
            self.record,
        );
        json.into_bytes()
    }
}

/// The sequence number of the first entry in the page that contains the entry `sequence`, for a user whose creation has the
/// sequence number `first`.
pub(super) fn page_of(first: u64, sequence: u64) -> u64 {
    sequence - (sequence - first - 1) % Envelope::PAGE
}

impl Stored {
    /// Reads the stored form.
    ///
    /// # Errors
    /// Returns [`Unreadable::Version`] if another version wrote it, [`Unreadable::Damaged`] if none did.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Unreadable> {
        let text = std::str::from_utf8(bytes).map_err(|_| Unreadable::Damaged)?;
        let members = Members::read(text).map_err(|_| Unreadable::Damaged)?;
        // The version is checked first, since other versions may have other members.
        let format = number(&members, "format")?;
        if format != FORMAT {
            return Err(Unreadable::Version(format));
        }
        let sequence = number(&members, "sequence")?;
        let head = Head::read(&members)?;
        // There must be a number left for the next entry.
        if head.first == 0 || sequence < head.first || sequence > u64::MAX - 2 {
            return Err(Unreadable::Damaged);
        }
        let optional = usize::from(head.erasure.is_some()) + usize::from(members.get("remains").is_some());
        let (stored, expected) = if let Some(record) = members.get("record") {
            let archived = number(&members, "archived")?;
            let earned = members
                .get("earned")
                .and_then(|number| Points::from_json_number(number).ok());
            let entries = members.get("entries").ok_or(Unreadable::Damaged)?;
            if archived < head.first || sequence < archived {
                return Err(Unreadable::Damaged);
            }
            let newest = match newest(entries) {
                Some(json) => Entry::from_json(json, Place::History).ok_or(Unreadable::Damaged)?,
                None => head.creation.clone(),
            };
            let envelope = Envelope {
                sequence,
                head,
                newest,
                archived,
                earned: earned.ok_or(Unreadable::Damaged)?,
                entries: entries.to_owned(),
                record: record.to_owned(),
            };
            (Self::Live(envelope), 8)
        } else {
            let deleted = number(&members, "deleted")?;
            let tombstone = Tombstone {
                sequence,
                head,
                deleted,
            };
            (Self::Erased(tombstone), 5)
        };
        // An unknown member would be lost at the next change.
        if members.len() == expected + optional {
            Ok(stored)
        } else {
            Err(Unreadable::Damaged)
        }
    }
}

/// The last of the stored entries in a JSON array, if there is one. Most requests need no other.
fn newest(entries: &str) -> Option<&str> {
    // This text cannot occur in a string, in which JSON escapes quotation marks.
    let start = entries.rfind(r#"{"time":"#)?;
    entries[start..].strip_suffix(']')
}

fn array<'a>(values: impl Iterator<Item = &'a RawValue>) -> String {
    let values: Vec<_> = values.map(RawValue::get).collect();
    format!("[{}]", values.join(","))
}

fn revision(sequence: u64, operation: &Operation) -> String {
    format!("{sequence}-{}", operation.id())
}

#[cfg(test)]
mod tests;

//! The value of a user's key: an envelope with the record and its newest history, or the tombstone of an erased user.

use super::draft::Draft;
use super::entry::{Change, Entry, Place};
use super::operation::Operation;
use super::tombstone::{Head, Tombstone};
use super::unreadable::Unreadable;
use crate::domain::points::Points;
use crate::domain::timestamp::Timestamp;
use serde_json::value::RawValue;
use std::time::SystemTime;

mod invariants;
mod stored;

pub use stored::Stored;

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
/// let envelope = Envelope::new(&creation, &Operation::fresh(7), None, Timestamp::default(), None);
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

impl Envelope {
    /// The number of entries in a page. A page and one note per entry fit into one batch, which has at most 25 items on
    /// DynamoDB. This number is part of the format, since page boundaries follow from it.
    pub const PAGE: u64 = 24;
    /// The maximum number of entries in an envelope.
    pub const CAPACITY: u64 = 40;

    /// Creates the envelope of a new user. `previous` is the tombstone that it replaces.
    #[must_use]
    pub fn new(
        draft: &Draft,
        operation: &Operation,
        attempt: Option<u64>,
        now: Timestamp,
        previous: Option<&Tombstone>,
    ) -> Self {
        let first = previous.map_or(1, |tombstone| tombstone.sequence + 1);
        let entry = Entry {
            time: now,
            operation: operation.clone(),
            attempt,
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

    /// Returns the envelope after `operation` made the change in `draft`. If this envelope [is full](Self::is_full), its
    /// oldest entries must have been archived, and are dropped.
    #[must_use]
    pub fn changed_to(
        &self,
        draft: Draft,
        operation: &Operation,
        attempt: Option<u64>,
        now: Timestamp,
    ) -> Self {
        let entry = Entry {
            time: now.after(self.newest.time),
            operation: operation.clone(),
            attempt,
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
            attempt: None,
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

    /// Returns this envelope with the pages in `remains` left of earlier users of the name.
    #[must_use]
    pub(super) fn with_remains(&self, remains: Vec<(u64, u64)>) -> Self {
        let mut cleaned = self.clone();
        cleaned.head.remains = remains;
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
}

/// The sequence number of the first entry in the page that contains the entry `sequence`, for a user whose creation has the
/// sequence number `first`.
pub(super) fn page_of(first: u64, sequence: u64) -> u64 {
    sequence - (sequence - first - 1) % Envelope::PAGE
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

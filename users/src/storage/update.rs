//! *Update*: one change of one user, applied exactly once, however many others change the same user.

use super::attempts::Attempts;
use super::draft::Draft;
use super::entry::Place;
use super::envelope::{Envelope, Stored};
use super::environment::{BATCH, CasOutcome, Environment, Unavailable};
use super::operation::{Identity, Operation};
use super::unreadable::Unreadable;
use super::{
    Change, Entry, PATIENCE, StoreError, UserStore, WRITE_WITHIN, corrupt, damaged, from_json, keys,
};
use crate::domain::timestamp::Timestamp;
use crate::domain::user::User;
use crate::domain::username::Username;
use serde_json::value::RawValue;
use std::time::{Duration, SystemTime};

/// The outcome of an update.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UpdateOutcome<R> {
    /// The change was made; the record with the change.
    Done(Envelope),
    /// The change would have no effect; the unchanged record.
    Unchanged(Envelope),
    /// An earlier request with the same idempotency key made the change; the current record.
    Replayed(Envelope),
    /// There is no such user.
    NoSuchUser,
    /// The idempotency key belongs to another request.
    KeyReused,
    /// The change was refused.
    Refused(R),
}

impl<R> UpdateOutcome<R> {
    /// Converts the refusal with `map`.
    pub fn map_refusal<S>(self, map: impl FnOnce(R) -> S) -> UpdateOutcome<S> {
        match self {
            Self::Done(envelope) => UpdateOutcome::Done(envelope),
            Self::Unchanged(envelope) => UpdateOutcome::Unchanged(envelope),
            Self::Replayed(envelope) => UpdateOutcome::Replayed(envelope),
            Self::NoSuchUser => UpdateOutcome::NoSuchUser,
            Self::KeyReused => UpdateOutcome::KeyReused,
            Self::Refused(refusal) => UpdateOutcome::Refused(map(refusal)),
        }
    }
}

/// Why a change was not made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stop<R> {
    /// It was refused.
    Refused(R),
    /// The store failed during the decision.
    Store(StoreError),
    /// The user was erased during the decision.
    Gone,
}

impl<R, S: Into<StoreError>> From<S> for Stop<R> {
    fn from(error: S) -> Self {
        Self::Store(error.into())
    }
}

/// Reads the record in an envelope.
pub(super) fn user_of<R>(username: &Username, current: &Envelope) -> Result<User, Stop<R>> {
    let user = User::from_stored(current.record());
    user.map_err(|_| Stop::Store(damaged(username)(Unreadable::Damaged)))
}

/// Who applied an operation before.
enum Earlier {
    /// This request itself: a write that seemed to fail took effect later.
    Own,
    /// The same request, sent before.
    Same,
    /// Another request with the same idempotency key.
    Other,
}

impl<E: Environment> UserStore<E> {
    /// Changes a user by one operation.
    ///
    /// `decide` returns the change, or `None` if the record stays as it is. It is called again whenever the record has
    /// changed in the meantime.
    ///
    /// # Errors
    /// Returns [`StoreError::TryAgain`] if others kept changing the user until this request gave up; then nothing was
    /// applied.
    /// Returns [`StoreError::Unavailable`] if the store failed; then the operation may have been applied.
    /// Returns [`StoreError::Corrupt`] if a stored value cannot be read.
    pub(super) async fn update<R>(
        &self,
        username: &Username,
        identity: &Identity,
        decide: impl AsyncFn(&Envelope) -> Result<Option<Draft>, Stop<R>>,
    ) -> Result<UpdateOutcome<R>, StoreError> {
        let key = keys::user(username);
        let mut attempts = Attempts::new(&self.0, PATIENCE);
        let mut pace = Pace::default();
        let attempt = self.attempt(matches!(identity, Identity::Keyed { .. })).await;
        let mut has_failed = false;
        // The time before a full envelope was read.
        let mut read_after = None;
        loop {
            // A new one for each attempt: on Redis one from before the pause would fail if anybody had written since.
            let cas = self.0.new_cas(&key).await?;
            let Some(Stored::Live(current)) = self.current(username, &cas).await? else {
                return Ok(UpdateOutcome::NoSuchUser);
            };
            let operation = identity.operation(username, current.first());
            match self.earlier(username, &current, &operation, attempt).await? {
                Some(Earlier::Own) => return Ok(UpdateOutcome::Done(current)),
                Some(Earlier::Same) => return Ok(UpdateOutcome::Replayed(current)),
                Some(Earlier::Other) => return Ok(UpdateOutcome::KeyReused),
                None => {}
            }
            let draft = match decide(&current).await {
                Ok(Some(draft)) => draft,
                Ok(None) => return Ok(UpdateOutcome::Unchanged(current)),
                Err(Stop::Refused(refusal)) => return Ok(UpdateOutcome::Refused(refusal)),
                Err(Stop::Store(error)) => return Err(error),
                Err(Stop::Gone) => continue,
            };
            let now = self.0.now().await;
            if current.is_full() {
                let is_recent =
                    |read: SystemTime| now.duration_since(read).is_ok_and(|age| age <= WRITE_WITHIN);
                if !read_after.is_some_and(is_recent) {
                    // A page written long after its envelope was read could outlive an erasure, so read it again.
                    read_after = Some(now);
                    continue;
                }
                self.archive_operations(username, &current).await?;
            }
            let changed = current.changed_to(draft, &operation, attempt, now.into());
            let (next, failed) = match self.0.compare_and_swap(cas, changed.to_bytes()).await {
                Ok(CasOutcome::Written) => return Ok(UpdateOutcome::Done(changed)),
                Ok(CasOutcome::Unconfirmed(next)) => (next, false),
                Err(Unavailable) => (self.0.new_cas(&key).await?, true),
            };
            let standing = match self.current(username, &next).await? {
                Some(Stored::Live(standing)) if standing.first() == current.first() => standing,
                // Whether it was applied before the user was erased no longer matters.
                _ => return Ok(UpdateOutcome::NoSuchUser),
            };
            match self.entry(username, &standing, current.sequence() + 1).await? {
                Some(entry) if entry.operation == operation => {
                    return Ok(if entry.attempt == attempt {
                        UpdateOutcome::Done(standing)
                    } else {
                        // Another request with the same idempotency key was faster.
                        UpdateOutcome::Replayed(standing)
                    });
                }
                None if standing.sequence() > current.sequence() => return Ok(UpdateOutcome::NoSuchUser),
                _ => {}
            }
            // Two failures are not caused by rivals, but by a full disk or the like, and waiting does not help.
            if failed && has_failed {
                return Err(StoreError::Unavailable);
            }
            has_failed |= failed;
            if !attempts.pause(pace.next(now, &current, &standing)).await {
                return Err(StoreError::TryAgain);
            }
        }
    }

    /// Finds out whether `operation` was applied to the user before, and by which request.
    async fn earlier(
        &self,
        username: &Username,
        current: &Envelope,
        operation: &Operation,
        attempt: Option<u64>,
    ) -> Result<Option<Earlier>, StoreError> {
        let found = current.find(operation).map_err(damaged(username))?;
        if found
            .as_ref()
            .is_some_and(|entry| entry.operation == *operation && entry.attempt == attempt)
        {
            return Ok(Some(Earlier::Own));
        }
        // Without a key only this request itself can have applied it, and then it is among the newest entries.
        let Some(fingerprint) = operation.fingerprint() else {
            return Ok(None);
        };
        let is_same = if let Some(entry) = found {
            entry.operation.fingerprint() == Some(fingerprint)
        } else if current.archived() > current.first() {
            match self.0.get(&keys::operation(operation)).await? {
                Some(found) => found == fingerprint.as_bytes(),
                None => return Ok(None),
            }
        } else {
            return Ok(None);
        };
        Ok(Some(if is_same { Earlier::Same } else { Earlier::Other }))
    }

    /// Writes the oldest entries of a full envelope to a page, with notes of its keyed operations and reversals.
    ///
    /// All requests that read the same entries write the same bytes.
    async fn archive_operations(&self, username: &Username, full: &Envelope) -> Result<(), StoreError> {
        let values = full.archive(username).map_err(damaged(username))?;
        for batch in values.chunks(BATCH) {
            self.0.set_all(batch.to_vec()).await?;
        }
        Ok(())
    }

    /// Reads the page of a user that begins with the entry `first`; `None` if it was deleted.
    pub(super) async fn page(
        &self,
        username: &Username,
        first: u64,
    ) -> Result<Option<Vec<Entry>>, StoreError> {
        let key = keys::page(username, first);
        let Some(bytes) = self.0.get(&key).await? else {
            return Ok(None);
        };
        let entries = page_entries(&bytes).map_err(|why| corrupt(&key, why))?;
        Ok(Some(entries))
    }

    /// Finds an entry after the creation, wherever it is. Returns `None` if there is no such entry, or if the user has
    /// been erased since `envelope` was read.
    pub(super) async fn entry(
        &self,
        username: &Username,
        envelope: &Envelope,
        sequence: u64,
    ) -> Result<Option<Entry>, StoreError> {
        if sequence <= envelope.first() || sequence > envelope.sequence() {
            return Ok(None);
        }
        if sequence > envelope.archived() {
            return envelope.entry(sequence).map_err(damaged(username));
        }
        let first = envelope.page_of(sequence);
        let page = self.page(username, first).await?;
        Ok(page.and_then(|entries| {
            let index = usize::try_from(sequence - first).ok()?;
            entries.into_iter().nth(index)
        }))
    }
}

impl Envelope {
    /// The values that archive the oldest entries of a full envelope, under their keys: the page, and notes of its keyed
    /// operations and reversals.
    ///
    /// # Errors
    /// Returns [`Unreadable::Damaged`] if one of the entries cannot be read.
    pub fn archive(&self, username: &Username) -> Result<Vec<(String, Vec<u8>)>, Unreadable> {
        let (first, page) = self.page();
        let entries = page_entries(page.as_bytes())?;
        let mut values = vec![(keys::page(username, first), page.into_bytes())];
        for (sequence, entry) in (first..).zip(&entries) {
            if let Some(fingerprint) = entry.operation.fingerprint() {
                values.push((keys::operation(&entry.operation), fingerprint.into()));
            }
            if let Change::Points {
                reverses: Some(reversed),
                ..
            } = entry.change
            {
                values.push((keys::reversal(username, reversed), sequence.to_string().into()));
            }
        }
        Ok(values)
    }
}

/// Reads the entries of a page from its stored form.
///
/// # Errors
/// Returns [`Unreadable::Damaged`] if the value is not a page.
pub fn page_entries(page: &[u8]) -> Result<Vec<Entry>, Unreadable> {
    let entries: Vec<&RawValue> = from_json(page)?;
    entries
        .into_iter()
        .map(|entry| Entry::from_json(entry.get(), Place::History).ok_or(Unreadable::Damaged))
        .collect()
}

/// How fast others change the user, as observed by this request.
#[derive(Default)]
struct Pace {
    /// The time of the first attempt, and the sequence number that it found.
    start: Option<(Timestamp, u64)>,
    attempts: u32,
}

impl Pace {
    /// The first pause is up to as long as this many changes of others take.
    const CROWD: u32 = 32;
    /// How often the pause is halved, so that the request that has waited longest tries most often.
    const HALVINGS: u32 = 3;
    /// The upper bound of every pause.
    const LONGEST: Duration = Duration::from_millis(128);

    /// Returns the longest pause after an attempt, made at the time `now` on the state `current`, that found the state
    /// `standing` afterwards.
    fn next(&mut self, now: SystemTime, current: &Envelope, standing: &Envelope) -> Duration {
        let now = Timestamp::from(now);
        let (since, sequence) = *self.start.get_or_insert((now, current.sequence()));
        let changes = u32::try_from(standing.sequence() - sequence)
            .unwrap_or(u32::MAX)
            .max(1);
        let interval =
            (now.since(since) / changes).clamp(Duration::from_micros(500), Duration::from_millis(8));
        let crowd = Self::CROWD >> self.attempts.min(Self::HALVINGS);
        self.attempts += 1;
        (interval * crowd).min(Self::LONGEST)
    }
}

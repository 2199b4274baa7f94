//! *History*: the entries of a user, newest first.

use super::envelope::Envelope;
use super::environment::Environment;
use super::unreadable::Unreadable;
use super::{Entry, StoreError, UserStore, corrupt, damaged, keys};
use crate::domain::username::Username;

/// A page of a user's history, as a client gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryPage {
    /// The user's envelope.
    pub envelope: Envelope,
    /// Entries with their sequence numbers, newest first, without gaps.
    pub entries: Vec<(u64, Entry)>,
    /// The sequence number before which the next page begins; `None` at the end, which is the creation.
    pub next: Option<u64>,
}

impl<E: Environment> UserStore<E> {
    /// Returns the newest `limit` entries with sequence numbers below `before` of the user whose envelope was read before, or
    /// `None` if that user has been erased since.
    ///
    /// # Errors
    /// Returns [`StoreError::Unavailable`] if the store failed, [`StoreError::Corrupt`] if a stored value cannot be read.
    pub async fn history(
        &self,
        username: &Username,
        envelope: Envelope,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Option<HistoryPage>, StoreError> {
        let first = envelope.first();
        let end = before.unwrap_or(u64::MAX).min(envelope.sequence() + 1);
        let mut entries = Vec::new();
        let mut sequence = end;
        while entries.len() < limit && sequence > first + 1 {
            // The entries from `start` to `sequence` are stored together.
            let (start, together) = if sequence - 1 > envelope.archived() {
                (
                    envelope.archived() + 1,
                    envelope.entries().map_err(damaged(username))?,
                )
            } else {
                let start = envelope.page_of(sequence - 1);
                let Some(page) = self.page(username, start).await? else {
                    return self.vanished(username, first, start).await;
                };
                (start, page)
            };
            let numbered = (start..sequence).zip(together).collect::<Vec<_>>();
            if numbered.len() as u64 != sequence - start {
                return Err(corrupt(&keys::page(username, start), Unreadable::Damaged));
            }
            let wanted = limit - entries.len();
            entries.extend(numbered.into_iter().rev().take(wanted));
            sequence = entries.last().map_or(first + 1, |(sequence, _)| *sequence);
        }
        if entries.len() < limit && sequence == first + 1 {
            entries.push((first, envelope.creation().clone()));
            sequence = first;
        }
        debug_assert!(
            entries.is_sorted_by(|(newer, _), (older, _)| *newer == older + 1),
            "{entries:?}"
        );
        Ok(Some(HistoryPage {
            envelope,
            entries,
            next: (sequence > first).then_some(sequence),
        }))
    }

    /// Explains why a page of the user whose creation has the sequence number `first` is missing: returns `None` if that user
    /// has been erased.
    ///
    /// # Errors
    /// Returns [`StoreError::Corrupt`] if the user still exists.
    pub(super) async fn vanished<T>(
        &self,
        username: &Username,
        first: u64,
        page: u64,
    ) -> Result<Option<T>, StoreError> {
        match self.read(username).await? {
            Some(envelope) if envelope.first() == first => {
                Err(corrupt(&keys::page(username, page), Unreadable::Missing))
            }
            _ => Ok(None),
        }
    }
}

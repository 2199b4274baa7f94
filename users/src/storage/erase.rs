//! *Erase*: removes a person's data from the store for good, but keeps the name's sequence numbers.
//!
//! A compare-and-swap replaces the record by a tombstone; this is the moment of erasure. Then the pages of the history are
//! deleted, and again two minutes later, since another request may have been about to write one.

use super::attempts::Attempts;
use super::envelope::{Envelope, Stored, page_of};
use super::environment::{BATCH, CasOutcome, Environment, Unavailable};
use super::tombstone::Tombstone;
use super::{ARRIVED_WITHIN, PATIENCE, PAUSE, StoreError, UserStore, keys};
use crate::domain::timestamp::Timestamp;
use crate::domain::username::Username;
use std::time::Duration;

/// The time after an erasure at which no more pages of the user can arrive: the tombstone took effect within a minute of
/// the erasure's time, and a page arrives within a minute after the record was read.
const PAGES_ARRIVED_WITHIN: Duration = ARRIVED_WITHIN.saturating_mul(2);
/// The maximum number of pages that one request looks for and deletes.
const PAGES: usize = 40 * BATCH;

/// The outcome of an erasure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EraseOutcome<R> {
    /// The user is erased.
    Erased,
    /// There is no such user.
    NoSuchUser,
    /// The caller's check refused.
    Refused(R),
}

impl<E: Environment> UserStore<E> {
    /// Erases a user, unless `check` refuses what it finds.
    ///
    /// # Errors
    /// Returns [`StoreError::TryAgain`] if others kept changing the user until this request gave up. Returns
    /// [`StoreError::PagesRemain`] if there is more to delete than one request may; then the user is erased, and the next
    /// request continues. Returns [`StoreError::Unavailable`] if the store failed; the user may be erased. Returns
    /// [`StoreError::Corrupt`] if a stored value cannot be read.
    pub async fn erase<R>(
        &self,
        username: &Username,
        check: impl Fn(&Envelope) -> Result<(), R>,
    ) -> Result<EraseOutcome<R>, StoreError> {
        let key = keys::user(username);
        let operation = self.operation().await;
        let mut attempts = Attempts::new(&self.0, PATIENCE);
        let mut has_failed = false;
        loop {
            let cas = self.0.new_cas(&key).await?;
            let current = match self.current(username, &cas).await? {
                Some(Stored::Live(current)) => current,
                // Continues an erasure that was interrupted.
                Some(Stored::Erased(tombstone)) if !tombstone.is_deleted() => {
                    self.delete_pages(username, &tombstone).await?;
                    return Ok(EraseOutcome::Erased);
                }
                Some(Stored::Erased(_)) | None => return Ok(EraseOutcome::NoSuchUser),
            };
            if let Err(refusal) = check(&current) {
                return Ok(EraseOutcome::Refused(refusal));
            }
            // The key must be marked before another user can replace the tombstone. While this user exists, its record
            // answers retries, so marking the key early does no harm.
            self.mark_idempotency_key(&current.creation().operation).await?;
            let tombstone = current.erased(&operation, self.0.now().await.into());
            let (next, failed) = match self.0.compare_and_swap(cas, tombstone.to_bytes()).await {
                Ok(CasOutcome::Written) => return self.finish(username, tombstone).await,
                Ok(CasOutcome::Unconfirmed(next)) => (next, false),
                Err(Unavailable) => (self.0.new_cas(&key).await?, true),
            };
            match self.current(username, &next).await? {
                Some(Stored::Live(standing)) if standing.first() == current.first() => {}
                Some(Stored::Erased(standing)) if standing.head.first == current.first() => {
                    return self.finish(username, standing).await;
                }
                // The user that the client meant is gone.
                _ => return Ok(EraseOutcome::Erased),
            }
            if failed && has_failed {
                return Err(StoreError::Unavailable);
            }
            has_failed |= failed;
            if !attempts.pause(PAUSE / 4).await {
                return Err(StoreError::TryAgain);
            }
        }
    }

    async fn finish<R>(
        &self,
        username: &Username,
        tombstone: Tombstone,
    ) -> Result<EraseOutcome<R>, StoreError> {
        if !tombstone.is_deleted() {
            self.delete_pages(username, &tombstone).await?;
        }
        Ok(EraseOutcome::Erased)
    }

    /// Deletes the pages that an erasure left, and records that in the tombstone.
    ///
    /// # Errors
    /// Returns [`StoreError::PagesRemain`] if there are more than one request may delete; then the tombstone records how
    /// far this one got.
    pub(super) async fn delete_pages(
        &self,
        username: &Username,
        tombstone: &Tombstone,
    ) -> Result<(), StoreError> {
        let pages = tombstone.pages();
        let mut left: Vec<_> = pages.skip_while(|first| *first <= tombstone.deleted).collect();
        let is_last = left.len() <= PAGES;
        left.truncate(PAGES);
        self.delete_existing(username, &left).await?;
        let deleted = match left.last() {
            Some(last) if !is_last => *last,
            _ => tombstone.sequence(),
        };
        self.replace(
            username,
            &Stored::Erased(tombstone.clone()),
            tombstone.with_deleted(deleted).to_bytes(),
        )
        .await?;
        if is_last {
            Ok(())
        } else {
            Err(StoreError::PagesRemain)
        }
    }

    /// Deletes pages of an erasure for the second time once it is two minutes old, since a page may have been written after
    /// the first deletion. Does nothing if that has been done or is not due yet. Returns whether it remains to be done.
    ///
    /// # Errors
    /// Returns [`StoreError::Unavailable`] if the store failed, [`StoreError::Corrupt`] if a value cannot be read, and
    /// [`StoreError::PagesRemain`] if there is more to delete than one request may.
    pub async fn clean_up(&self, username: &Username) -> Result<bool, StoreError> {
        let Some(found) = self.stored(username).await? else {
            return Ok(false);
        };
        let head = match &found {
            Stored::Live(envelope) => envelope.head(),
            Stored::Erased(tombstone) if !tombstone.is_deleted() => {
                self.delete_pages(username, tombstone).await?;
                return Ok(true);
            }
            Stored::Erased(tombstone) => &tombstone.head,
        };
        if head.remains.is_empty() {
            return Ok(false);
        }
        let now = Timestamp::from(self.0.now().await);
        if head
            .erasure
            .as_ref()
            .is_some_and(|erasure| now.since(erasure.time) <= PAGES_ARRIVED_WITHIN)
        {
            return Ok(true);
        }
        let left: Vec<_> = pages(&head.remains).take(PAGES).collect();
        self.delete_existing(username, &left).await?;
        let remains = match left.last() {
            Some(last) => without_pages(&head.remains, *last),
            None => Vec::new(),
        };
        let is_left = !remains.is_empty();
        let cleaned = match &found {
            Stored::Live(envelope) => envelope.with_remains(remains).to_bytes(),
            Stored::Erased(tombstone) => tombstone.with_remains(remains).to_bytes(),
        };
        self.replace(username, &found, cleaned).await?;
        Ok(is_left)
    }

    /// Deletes the existing ones among the pages with these first entries.
    async fn delete_existing(&self, username: &Username, pages: &[u64]) -> Result<(), StoreError> {
        let mut existing = Vec::new();
        for first in pages {
            let key = keys::page(username, *first);
            if self.0.exists(&key).await? {
                existing.push(key);
            }
        }
        for batch in existing.chunks(BATCH) {
            self.0.delete_all(batch.to_vec()).await?;
        }
        Ok(())
    }

    /// Writes `new` to the key of a user if it still holds `old`. Otherwise another request has taken over.
    async fn replace(&self, username: &Username, old: &Stored, new: Vec<u8>) -> Result<(), StoreError> {
        let cas = self.0.new_cas(&keys::user(username)).await?;
        if self.current(username, &cas).await?.as_ref() == Some(old) {
            self.0.compare_and_swap(cas, new).await?;
        }
        Ok(())
    }
}

impl Tombstone {
    /// The first entries of all pages that remain to be deleted, for the first or the second time.
    pub fn pages(&self) -> impl Iterator<Item = u64> {
        pages(&self.head.remains)
    }
}

/// The first entries of all pages that the erased histories in `remains` can have.
fn pages(remains: &[(u64, u64)]) -> impl Iterator<Item = u64> {
    remains.iter().flat_map(|(first, erasure)| {
        let step = usize::try_from(Envelope::PAGE).unwrap_or(usize::MAX);
        (page_of(*first, first + 1)..*erasure).step_by(step)
    })
}

/// Returns what is left of `remains` after their pages up to the one with the first entry `last` were deleted.
fn without_pages(remains: &[(u64, u64)], last: u64) -> Vec<(u64, u64)> {
    let left = remains
        .iter()
        .map(|&(first, erasure)| (first.max(last + Envelope::PAGE - 1), erasure));
    left.filter(|(first, erasure)| first + 1 < *erasure).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_deleted_in_any_number_of_steps() {
        let remains = [(1, 2), (2, 27), (30, 100), (100, 101)];
        let all: Vec<_> = pages(&remains).collect();
        assert_eq!(all, [3, 31, 55, 79]);
        for (at, last) in all.iter().enumerate() {
            let left = without_pages(&remains, *last);
            assert_eq!(pages(&left).collect::<Vec<_>>(), all[at + 1..]);
        }
    }
}

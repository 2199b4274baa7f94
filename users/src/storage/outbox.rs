//! The outbox: which entries have not been published yet. The history itself is the outbox, so events cost a change no
//! additional commit. A separate key records, for each user, how far the publisher got.
//!
//! Every publisher sends the entries of a user in order, from the first that is not recorded as published. So the first
//! deliveries are in order, however many publishers there are, and entries may be sent again. There is one exception: an
//! erasure can overtake an entry that another publisher is about to send. Consumers drop that entry, since its number is
//! lower.

use super::entry::Entry;
use super::envelope::Stored;
use super::environment::{CasOutcome, Environment};
use super::unreadable::Unreadable;
use super::{StoreError, UserStore, corrupt, from_json, keys};
use crate::domain::timestamp::Timestamp;
use crate::domain::user::User;
use crate::domain::username::Username;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The only version of the stored form.
const FORMAT: u64 = 1;
/// How many entries of a user are taken from the outbox at once.
const ENTRIES_AT_ONCE: usize = 20;
/// A publisher takes a lease before it sends more entries than this.
const LEASED_ABOVE: usize = 4;
/// How long a lease lasts.
const LEASE: Duration = Duration::from_secs(10);

/// The entries of one user that remain to be published.
struct Backlog {
    /// The user's name as the record has it, or in lower case if the user was erased.
    username: String,
    /// The oldest of them with their sequence numbers, in order; none if another publisher has a lease on them.
    entries: Vec<(u64, Entry)>,
    /// The number of all of them. An erasure that was not published yet replaces all entries before it.
    pending: usize,
}

/// How far a publisher got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// The number of published changes.
    pub published: usize,
    /// The number of changes that remain to be published.
    pub pending: usize,
}

/// How far the publisher got with one user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Published {
    format: u64,
    /// The sequence number of the last delivered entry; 0 if there is none.
    sequence: u64,
    /// The lease of a long backlog; until it ends, other publishers send nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    leased: Option<Lease>,
}

/// The right to publish a long backlog, so that no other publisher sends it as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Lease {
    /// When it ends, in milliseconds since 1970.
    until: u64,
    /// Identifies the holder: 48 random bits. Of two publishers that take the lease at the same moment, only one finds
    /// its own number stored.
    by: u64,
}

impl Published {
    fn up_to(sequence: u64) -> Self {
        Self {
            format: FORMAT,
            sequence,
            leased: None,
        }
    }
}

impl<E: Environment> UserStore<E> {
    /// Publishes the entries of a user, from the oldest on, until one is not delivered.
    ///
    /// `deliver` is given the user's name as the record has it, the sequence number of an entry and the entry. It returns
    /// whether the receiver took it; `false` also if it did not try.
    ///
    /// # Errors
    /// Returns [`StoreError::Unavailable`] if the store failed, [`StoreError::Corrupt`] if a value cannot be read, and
    /// whatever `deliver` returns. What was delivered before may be delivered again.
    pub async fn publish(
        &self,
        username: &Username,
        mut deliver: impl AsyncFnMut(&str, u64, &Entry) -> Result<bool, StoreError>,
    ) -> Result<Progress, StoreError> {
        let mut progress = Progress::default();
        loop {
            let backlog = self.backlog(username, ENTRIES_AT_ONCE).await?;
            let taken = backlog.entries.len();
            let mut delivered = 0;
            let mut through = 0;
            for (sequence, entry) in &backlog.entries {
                if !deliver(&backlog.username, *sequence, entry).await? {
                    break;
                }
                (delivered, through) = (delivered + 1, *sequence);
            }
            // This also gives up the lease of a long backlog.
            if taken > 0 {
                self.note_published(username, through).await?;
            }
            progress.published += delivered;
            progress.pending = backlog.pending - delivered;
            // While a long backlog was leased, others left what they added to this publisher.
            if delivered < taken || taken == 0 || taken <= LEASED_ABOVE && progress.pending == 0 {
                return Ok(progress);
            }
        }
    }

    /// Counts the entries of a user that remain to be published.
    ///
    /// # Errors
    /// Returns [`StoreError::Unavailable`] if the store failed, [`StoreError::Corrupt`] if a value cannot be read.
    pub async fn count_pending(&self, username: &Username) -> Result<Progress, StoreError> {
        let backlog = self.backlog(username, 0).await?;
        Ok(Progress {
            published: 0,
            pending: backlog.pending,
        })
    }

    /// Returns the oldest entries of a user that have not been published, at most `limit`. More than a few are leased.
    async fn backlog(&self, username: &Username, limit: usize) -> Result<Backlog, StoreError> {
        let mut backlog = Backlog {
            username: username.case_folded(),
            entries: Vec::new(),
            pending: 0,
        };
        let key = keys::published(username);
        let published = published(&key, self.0.get(&key).await?)?;
        let Some(stored) = self.stored(username).await? else {
            return Ok(backlog);
        };
        let (head, sequence) = match &stored {
            Stored::Live(envelope) => (envelope.head(), envelope.sequence()),
            Stored::Erased(tombstone) => (&tombstone.head, tombstone.sequence()),
        };
        // The erasure replaces everything of the user before it that was not published.
        let erased = match &stored {
            Stored::Live(_) => head.first - 1,
            Stored::Erased(_) => sequence,
        };
        let erasure = head.erasure.clone().filter(|_| published.sequence < erased);
        // If the last published entry is beyond the history, there is nothing to publish.
        let start = published.sequence.max(erased).saturating_add(1);
        let later = (sequence + 1).saturating_sub(start);
        backlog.pending = usize::from(erasure.is_some()) + usize::try_from(later).unwrap_or(usize::MAX);
        let now = Timestamp::from(self.0.now().await);
        let is_leased = |lease: Lease| lease.until > now.as_milliseconds();
        if limit == 0 || backlog.pending == 0 || published.leased.is_some_and(is_leased) {
            return Ok(backlog);
        }
        backlog.entries.extend(erasure.map(|erasure| (erased, erasure)));
        if let Stored::Live(envelope) = stored {
            if let Ok(user) = User::from_stored(envelope.record()) {
                user.username().as_str().clone_into(&mut backlog.username);
            }
            let room = (limit - backlog.entries.len()) as u64;
            let end = start + room.min(later);
            let count = usize::try_from(end - start).unwrap_or(0);
            // If the user was erased in the meantime, the next call finds the tombstone.
            if let Some(page) = self.history(username, envelope, Some(end), count).await? {
                backlog.entries.extend(page.entries.into_iter().rev());
            }
        }
        if backlog.entries.len() > LEASED_ABOVE && !self.lease(&key, published, now).await? {
            backlog.entries.clear();
        }
        Ok(backlog)
    }

    /// Takes the lease of a user's backlog. Returns `false` if another publisher was faster.
    async fn lease(&self, key: &str, published: Published, now: Timestamp) -> Result<bool, StoreError> {
        let leased = Published {
            leased: Some(Lease {
                until: now.as_milliseconds() + u64::try_from(LEASE.as_millis()).unwrap_or(0),
                by: self.0.random().await & 0xffff_ffff_ffff,
            }),
            ..published
        };
        let cas = self.0.new_cas(key).await?;
        if self::published(key, self.0.current(&cas).await?)? != published {
            return Ok(false);
        }
        Ok(match self.0.compare_and_swap(cas, to_bytes(leased)).await? {
            CasOutcome::Written => true,
            CasOutcome::Unconfirmed(next) => self::published(key, self.0.current(&next).await?)? == leased,
        })
    }

    /// Records that the entries of a user up to the sequence number `through` were delivered, and releases the lease. A
    /// failure does no harm: entries that are not recorded are delivered again.
    async fn note_published(&self, username: &Username, through: u64) -> Result<(), StoreError> {
        let key = keys::published(username);
        let cas = self.0.new_cas(&key).await?;
        let published = published(&key, self.0.current(&cas).await?)?;
        if published.sequence < through || published.leased.is_some() {
            let noted = Published::up_to(published.sequence.max(through));
            self.0.compare_and_swap(cas, to_bytes(noted)).await?;
        }
        Ok(())
    }
}

fn published(key: &str, value: Option<Vec<u8>>) -> Result<Published, StoreError> {
    let Some(bytes) = value else {
        return Ok(Published::up_to(0));
    };
    let published: Published = from_json(&bytes).map_err(|why| corrupt(key, why))?;
    if published.format == FORMAT {
        Ok(published)
    } else {
        Err(corrupt(key, Unreadable::Version(published.format)))
    }
}

fn to_bytes(published: Published) -> Vec<u8> {
    // Numbers always serialize.
    serde_json::to_vec(&published).unwrap_or_default()
}

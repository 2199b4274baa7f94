//! Keeps users in a key-value store, exactly once and without loss. `docs/CONSISTENCY.md` explains the protocol, and the
//! model checker (`tests/model`) shows what goes wrong without each step.

mod attempts;
mod claim;
mod create;
mod directory;
mod draft;
mod entry;
pub mod envelope;
pub mod environment;
mod erase;
mod history;
pub mod keys;
mod leaf;
mod merge;
pub mod operation;
mod outbox;
mod points;
mod promote;
mod receiver;
mod tombstone;
mod unreadable;
mod update;
mod walk;

pub use create::{CreateOutcome, erased_binding};
pub use draft::Draft;
pub use entry::{Change, Entry};
pub use erase::EraseOutcome;
pub use history::HistoryPage;
pub use outbox::Progress;
pub use points::PointsRefusal;
pub use receiver::ReceiverState;
pub use tombstone::Tombstone;
pub use unreadable::Unreadable;
pub use update::{UpdateOutcome, page_entries};
pub use walk::{Bounds, Cursor, InvalidCursor, ListPage};

use crate::domain::username::Username;
use envelope::{Envelope, Stored};
use environment::{Environment, Unavailable};
use operation::Operation;
use serde::Deserialize;
use std::fmt;
use std::time::{Duration, SystemTime};

/// The longest time from a claim, a reservation or the reading of an envelope to the start of the write that depends on
/// it. Others wait a minute for that write. The rest of the minute is for differences between clocks, and for writes that
/// arrive late.
const WRITE_WITHIN: Duration = Duration::from_secs(10);
/// The time after which a write that depends on a reservation or an envelope has arrived.
const ARRIVED_WITHIN: Duration = Duration::from_mins(1);
/// How long a request keeps trying while others interfere.
const PATIENCE: Duration = Duration::from_secs(4);
/// How long the loser of a race waits for the winner's write.
const PATIENCE_WITH_WINNER: Duration = Duration::from_secs(1);
/// The longest pause between two looks at the store.
const PAUSE: Duration = Duration::from_millis(32);

/// The users in a key-value store.
pub struct UserStore<E>(E);

impl<E: Environment> UserStore<E> {
    /// Creates the store of users on `environment`.
    pub fn new(environment: E) -> Self {
        Self(environment)
    }

    /// Returns an operation for a request without an idempotency key.
    pub async fn operation(&self) -> Operation {
        Operation::fresh(self.0.random().await)
    }

    /// Returns a number that tells this request from others with the same idempotency key, if it has one.
    async fn attempt(&self, has_key: bool) -> Option<u64> {
        if has_key {
            // 32 bits suffice for a few requests at the same time.
            Some(self.0.random().await & 0xffff_ffff)
        } else {
            None
        }
    }

    /// Returns the user called `username`, or `None` if there is no such user.
    ///
    /// # Errors
    /// Returns [`StoreError::Unavailable`] if the store failed, [`StoreError::Corrupt`] if the stored value cannot be read.
    pub async fn read(&self, username: &Username) -> Result<Option<Envelope>, StoreError> {
        Ok(match self.stored(username).await? {
            Some(Stored::Live(envelope)) => Some(envelope),
            Some(Stored::Erased(_)) | None => None,
        })
    }

    async fn stored(&self, username: &Username) -> Result<Option<Stored>, StoreError> {
        let key = keys::user(username);
        parse(&key, self.0.get(&key).await?)
    }

    /// Returns the current value of a compare-and-swap of the key of `username`.
    async fn current(&self, username: &Username, cas: &E::Cas) -> Result<Option<Stored>, StoreError> {
        parse(&keys::user(username), self.0.current(cas).await?)
    }

    /// Whether more than `age` has passed since `since`.
    async fn is_older(&self, since: SystemTime, age: Duration) -> bool {
        let now = self.0.now().await;
        now.duration_since(since).is_ok_and(|elapsed| elapsed > age)
    }
}

fn parse(key: &str, value: Option<Vec<u8>>) -> Result<Option<Stored>, StoreError> {
    value
        .map(|bytes| Stored::from_bytes(&bytes))
        .transpose()
        .map_err(|why| corrupt(key, why))
}

/// Reads a stored JSON value.
///
/// It is read as text, as requests are: a parser of bytes would be a second one in the component, of 8 KB.
fn from_json<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, Unreadable> {
    let text = std::str::from_utf8(bytes).map_err(|_| Unreadable::Damaged)?;
    serde_json::from_str(text).map_err(|_| Unreadable::Damaged)
}

fn corrupt(key: &str, why: Unreadable) -> StoreError {
    StoreError::Corrupt {
        key: key.to_owned(),
        why,
    }
}

/// Names the user's key in the error of a damaged envelope.
fn damaged(username: &Username) -> impl Fn(Unreadable) -> StoreError {
    move |why| corrupt(&keys::user(username), why)
}

/// Why an operation on the store failed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum StoreError {
    /// The store failed. The write may have been made.
    Unavailable,
    /// Other requests interfered for as long as this one waited. No user was created or changed.
    TryAgain,
    /// The user is erased, but has a longer history than one request may delete. The next request continues.
    PagesRemain,
    /// A stored value cannot be read.
    Corrupt {
        /// Its key.
        key: String,
        /// What is wrong with it.
        why: Unreadable,
    },
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable => f.write_str("the key-value store failed or did not answer"),
            Self::TryAgain => f.write_str("other requests for the same user interfered"),
            Self::PagesRemain => f.write_str("the history of the erased user is not deleted completely yet"),
            Self::Corrupt { key, why } => write!(f, "the stored value {key} {why}"),
        }
    }
}

impl std::error::Error for StoreError {}

impl From<Unavailable> for StoreError {
    fn from(_: Unavailable) -> Self {
        Self::Unavailable
    }
}

//! The storage protocol: how a user is created once and changed without loss, on a store that promises neither.
//!
//! `docs/CONSISTENCY.md` says why each step is there and what it costs; the model checker shows what goes wrong without it.

use crate::backend::{Backend, Unavailable};
use crate::envelope::{Envelope, Unreadable};
use crate::operation::Operation;
use crate::user::User;
use crate::username::Username;
use std::time::{Duration, SystemTime};

/// Claims count for the period that they were made in, and in the one before and after it.
const CLAIM_PERIOD: Duration = Duration::from_mins(1);
/// The longest time from a claim to the write that it allows. What is left of a period is for clocks that differ
/// and for a write that is sent in time and arrives late.
const CLAIM_VALID: Duration = Duration::from_secs(10);
/// How long the loser of a claim waits for the winner's record.
const PATIENCE_WITH_WINNER: Duration = Duration::from_secs(1);
/// The longest pause between two looks at the store.
const PAUSE: Duration = Duration::from_millis(32);
/// How long one request goes on trying where others are in its way.
const PATIENCE: Duration = Duration::from_secs(4);

/// The users in a key-value store.
pub struct Store<B>(B);

impl<B: Backend> Store<B> {
    /// The users in the store behind `backend`.
    pub fn new(backend: B) -> Self {
        Self(backend)
    }

    /// An operation for a request that has no idempotency key.
    pub async fn operation(&self) -> Operation {
        Operation::fresh(self.0.random().await)
    }

    /// The user called `username`, if there is one.
    ///
    /// # Errors
    /// The store cannot be read, or what it holds cannot.
    pub async fn read(&self, username: &Username) -> Result<Option<Envelope>, StoreError> {
        let key = record_key(username);
        parse(&key, self.0.get(&key).await?)
    }

    /// Creates `user`, unless the username is taken.
    ///
    /// # Errors
    /// The store failed, or another creation of the same username stands in the way and does not end.
    pub async fn create(&self, user: &User, operation: &Operation) -> Result<Created, StoreError> {
        if !self.bind_key(operation).await? {
            return Ok(Created::KeyReused);
        }
        if let Some(existing) = self.read(user.username()).await? {
            return Ok(Created::judge(&existing, operation));
        }
        let now = self.0.now().await;
        if let Some(claim) = self.claim(user.username(), now).await?
            && let Some(created) = self.write_new(user, operation, now).await?
        {
            // Now the record keeps others away. A claim without a record has to stay until its time is over.
            self.0.remove_later(claim);
            return Ok(created);
        }
        self.await_winner(user.username(), operation).await
    }

    /// Binds an idempotency key of a creation to its request. Returns whether no other request has it.
    async fn bind_key(&self, operation: &Operation) -> Result<bool, StoreError> {
        let Some(fingerprint) = operation.fingerprint() else {
            return Ok(true);
        };
        let key = operation_key(operation);
        if let Some(bound) = self.0.get(&key).await? {
            return Ok(bound == fingerprint.as_bytes());
        }
        self.0.set_all(vec![(key, fingerprint.into())]).await?;
        Ok(true)
    }

    /// Claims the right to create `username`. Returns the key of the claim if it was won.
    ///
    /// Of two claimants in neighbouring periods each looks for the other's claim after making its own, so at least
    /// one sees the other and withdraws.
    async fn claim(&self, username: &Username, now: SystemTime) -> Result<Option<String>, StoreError> {
        let since_1970 = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let period = since_1970.as_secs() / CLAIM_PERIOD.as_secs();
        let key = |period: u64| format!("claim/{}/{period}", username.folded());

        let own = key(period);
        let mut attempts = Attempts::new(&self.0, PATIENCE);
        let count = loop {
            match self.0.increment(&own).await {
                Ok(count) => break count,
                // SQLite fails an increment that another process overtook. Trying again is safe whatever came of
                // the failed one: it can turn a winner into a loser, but not a loser into a winner.
                Err(Unavailable) if attempts.pause(PAUSE).await => {}
                Err(Unavailable) => return Err(StoreError::Unavailable),
            }
        };
        if count != 1 {
            return Ok(None);
        }
        for neighbour in [period.saturating_sub(1), period + 1] {
            if self.0.exists(&key(neighbour)).await? {
                self.0.remove_later(own);
                return Ok(None);
            }
        }
        Ok(Some(own))
    }

    /// Writes the record of a user whose name was claimed at the time `claimed`. Returns none if no record stands.
    async fn write_new(
        &self,
        user: &User,
        operation: &Operation,
        claimed: SystemTime,
    ) -> Result<Option<Created>, StoreError> {
        let key = record_key(user.username());
        let swap = self.0.begin(&key).await?;
        if let Some(existing) = parse(&key, self.0.current(&swap).await?)? {
            return Ok(Some(Created::judge(&existing, operation)));
        }
        let now = self.0.now().await;
        if now.duration_since(claimed).is_ok_and(|age| age > CLAIM_VALID) {
            return Ok(None);
        }
        let envelope = Envelope::new(user, operation.clone(), now);
        match self.swap(&key, swap, &envelope).await? {
            Swapped::Written => Ok(Some(Created::Created)),
            Swapped::Unknown { standing, .. } => Ok(standing.map(|standing| {
                if standing.creation() == operation {
                    Created::Created
                } else {
                    Created::Taken
                }
            })),
        }
    }

    /// Writes `envelope` under `key` if nothing else was written since `swap` was read.
    async fn swap(&self, key: &str, swap: B::Swap, envelope: &Envelope) -> Result<Swapped, StoreError> {
        let (next, failed) = match self.0.swap(swap, envelope.to_bytes()).await {
            Ok(None) => return Ok(Swapped::Written),
            Ok(Some(next)) => (next, false),
            Err(Unavailable) => (self.0.begin(key).await?, true),
        };
        let standing = parse(key, self.0.current(&next).await?)?;
        Ok(Swapped::Unknown { standing, failed })
    }

    /// Waits for the record that another creation of `username` is about to write.
    async fn await_winner(&self, username: &Username, operation: &Operation) -> Result<Created, StoreError> {
        let mut attempts = Attempts::new(&self.0, PATIENCE_WITH_WINNER);
        while attempts.pause(PAUSE).await {
            if let Some(existing) = self.read(username).await? {
                return Ok(Created::judge(&existing, operation));
            }
        }
        Err(StoreError::TryAgain)
    }

    /// Changes a user by one operation, however many others change the same user at the same time.
    ///
    /// `change` says what the record becomes: another one, or none if it stays as it is. It is asked anew whenever
    /// the record turned out to have changed meanwhile.
    ///
    /// # Errors
    /// [`StoreError::TryAgain`] if others changed the user all the time; then nothing was applied.
    /// [`StoreError::Unavailable`] if the store failed; then the operation may have been applied.
    pub async fn update<E>(
        &self,
        username: &Username,
        operation: &Operation,
        change: impl Fn(&Envelope, User) -> Result<Option<User>, E>,
    ) -> Result<Updated<E>, StoreError> {
        let key = record_key(username);
        let mut attempts = Attempts::new(&self.0, PATIENCE);
        let congestion = self.0.congestion();
        let mut has_failed = false;
        if congestion.level() > 0 {
            // Whoever comes new into a crowd waits as well, or those who wait would starve.
            attempts.pause(congestion.pause()).await;
        }
        loop {
            // A new one each time: on Redis one that was read before the pause would fail for any write since.
            let swap = self.0.begin(&key).await?;
            let Some(current) = parse(&key, self.0.current(&swap).await?)? else {
                return Ok(Updated::NoSuchUser);
            };
            match self.earlier(&current, operation).await? {
                // A write of this request that seemed to fail may have been carried out late.
                Some(Earlier::Same) if has_failed => return Ok(Updated::Done(current)),
                Some(Earlier::Same) => return Ok(Updated::Unchanged(current)),
                Some(Earlier::Other) => return Ok(Updated::KeyReused),
                None => {}
            }
            let user = User::from_stored(current.record()).map_err(|_| corrupt(&key, Unreadable::Damaged))?;
            let user = match change(&current, user) {
                Ok(Some(user)) => user,
                Ok(None) => return Ok(Updated::Unchanged(current)),
                Err(refusal) => return Ok(Updated::Refused(refusal)),
            };
            let (changed, forgotten) = current.changed_to(&user, operation, self.0.now().await);
            self.note(forgotten).await?;
            let (standing, failed) = match self.swap(&key, swap, &changed).await? {
                Swapped::Written => {
                    congestion.fall();
                    return Ok(Updated::Done(changed));
                }
                Swapped::Unknown {
                    standing: Some(standing),
                    failed,
                } => (standing, failed),
                Swapped::Unknown { standing: None, .. } => return Ok(Updated::NoSuchUser),
            };
            match current.was_followed_by(operation, &standing) {
                Some(true) => {
                    congestion.fall();
                    return Ok(Updated::Done(standing));
                }
                // Not a rival, but a disk that is full, or the like: that does not pass by waiting.
                Some(false) if failed && has_failed => return Err(StoreError::Unavailable),
                Some(false) => has_failed |= failed,
                // So many others came between that the record has forgotten what followed. A key's note tells.
                None => {
                    return match self.earlier(&standing, operation).await? {
                        Some(Earlier::Same) => Ok(Updated::Done(standing)),
                        _ => Err(StoreError::Unavailable),
                    };
                }
            }
            congestion.rise();
            if !attempts.pause(congestion.pause()).await {
                return Err(StoreError::TryAgain);
            }
        }
    }

    /// Whether `operation` was applied to the user before, and by the same request.
    async fn earlier(
        &self,
        current: &Envelope,
        operation: &Operation,
    ) -> Result<Option<Earlier>, StoreError> {
        let fingerprint = operation.fingerprint().map(str::as_bytes);
        let found = if let Some(known) = current.find(operation) {
            known.fingerprint().map(|known| known.as_bytes().to_vec())
        } else if fingerprint.is_some() && current.has_forgotten() {
            match self.0.get(&operation_key(operation)).await? {
                Some(noted) => Some(noted),
                None => return Ok(None),
            }
        } else {
            return Ok(None);
        };
        Ok(Some(if found.as_deref() == fingerprint {
            Earlier::Same
        } else {
            Earlier::Other
        }))
    }

    /// Notes operations that a record is about to forget and that an idempotency key could bring again.
    async fn note(&self, forgotten: Vec<Operation>) -> Result<(), StoreError> {
        let notes: Vec<_> = forgotten
            .iter()
            .filter_map(|operation| Some((operation_key(operation), operation.fingerprint()?.into())))
            .collect();
        if notes.is_empty() {
            Ok(())
        } else {
            Ok(self.0.set_all(notes).await?)
        }
    }
}

/// How a creation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Created {
    /// The user was created.
    Created,
    /// Another request under the same idempotency key created the user.
    Repeated,
    /// Another request created the user.
    Taken,
    /// The idempotency key is bound to another request.
    KeyReused,
}

impl Created {
    /// What it means for `operation` that the record `existing` stands.
    fn judge(existing: &Envelope, operation: &Operation) -> Self {
        if existing.creation() == operation {
            Self::Repeated
        } else {
            Self::Taken
        }
    }
}

/// How a compare-and-swap ended.
enum Swapped {
    /// The value was written.
    Written,
    /// Nobody knows: Redis says that it failed whether it wrote or not.
    Unknown {
        /// What stands, which decides; it was read at once, before others could make it forget the operation.
        standing: Option<Envelope>,
        /// Whether the store itself failed.
        failed: bool,
    },
}

/// How an update ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Updated<E> {
    /// The record with the change.
    Done(Envelope),
    /// The record as it was: the change leaves it so, or another request under the same idempotency key made it.
    Unchanged(Envelope),
    /// There is no such user.
    NoSuchUser,
    /// The idempotency key is bound to another request.
    KeyReused,
    /// The change was refused.
    Refused(E),
}

/// How an operation was applied before.
enum Earlier {
    /// By the same request, sent again.
    Same,
    /// By another request under the same idempotency key.
    Other,
}

/// Why an operation on the store has no outcome.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum StoreError {
    /// The store failed. What was to be written may have been.
    Unavailable,
    /// Others were in the way all the time. Nothing was written.
    TryAgain,
    /// What the store holds cannot be read.
    Corrupt {
        /// Where it stands in the store.
        key: String,
        /// What is wrong with it.
        why: Unreadable,
    },
}

impl From<Unavailable> for StoreError {
    fn from(_: Unavailable) -> Self {
        Self::Unavailable
    }
}

/// The tries of one request, with pauses between them.
struct Attempts<'a, B> {
    backend: &'a B,
    patience: Duration,
    since: Option<SystemTime>,
}

impl<'a, B: Backend> Attempts<'a, B> {
    fn new(backend: &'a B, patience: Duration) -> Self {
        Self {
            backend,
            patience,
            since: None,
        }
    }

    /// Pauses for up to `longest` before the next try; chance decides how long, so that rivals come apart, and the
    /// longer a request has waited the less it waits, so that it does not starve. Returns whether there is to be a
    /// next try: not once patience, counted from the first pause, is at its end.
    async fn pause(&mut self, longest: Duration) -> bool {
        let now = self.backend.now().await;
        let waited = now
            .duration_since(*self.since.get_or_insert(now))
            .unwrap_or_default();
        let left = self.patience.saturating_sub(waited);
        if left.is_zero() {
            return false;
        }
        let [chance, ..] = self.backend.random().await.to_be_bytes();
        let pause = longest.min(left / 8) * u32::from(chance) / u32::from(u8::MAX);
        self.backend.sleep(pause).await;
        true
    }
}

fn record_key(username: &Username) -> String {
    format!("user/{}", username.folded())
}

fn operation_key(operation: &Operation) -> String {
    format!("operation/{}", operation.id())
}

fn parse(key: &str, value: Option<Vec<u8>>) -> Result<Option<Envelope>, StoreError> {
    value
        .map(|bytes| Envelope::from_bytes(&bytes))
        .transpose()
        .map_err(|why| corrupt(key, why))
}

fn corrupt(key: &str, why: Unreadable) -> StoreError {
    StoreError::Corrupt {
        key: key.to_owned(),
        why,
    }
}

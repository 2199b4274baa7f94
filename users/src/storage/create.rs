//! *Create*: exactly one user per name, however many requests create it at once.

use super::attempts::Attempts;
use super::draft::Draft;
use super::envelope::{Envelope, Stored};
use super::environment::{CasOutcome, Environment, Unavailable};
use super::operation::Operation;
use super::{PATIENCE_WITH_WINNER, PAUSE, StoreError, UserStore, WRITE_WITHIN, keys};
use crate::domain::tier::Promotion;
use crate::domain::user::User;

/// The outcome of a creation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CreateOutcome {
    /// The user was created, by this request or by an earlier one under the same idempotency key.
    Created {
        /// The record as it was created.
        user: User,
        /// The revision of that record.
        revision: String,
        /// Whether an earlier request created it.
        is_replay: bool,
    },
    /// The username is taken by another creation.
    Taken,
    /// The idempotency key is bound to another request.
    KeyReused,
    /// The idempotency key is bound to this request, and the user that it created has been erased.
    Erased,
}

/// Precedes the fingerprint in a binding whose user has been, or is being, erased.
const ERASED: &str = "erased:";

impl<E: Environment> UserStore<E> {
    /// Creates `user` by `operation`, unless the username is taken.
    ///
    /// # Errors
    /// Returns [`StoreError::Unavailable`] if the store failed; the user may have been created.
    /// Returns [`StoreError::TryAgain`] if another creation of the same username is in progress and does not end.
    /// Returns [`StoreError::Corrupt`] if a stored value cannot be read.
    pub async fn create(
        &self,
        user: &User,
        operation: &Operation,
        promotion: &Promotion,
    ) -> Result<CreateOutcome, StoreError> {
        let mut claims = Vec::new();
        let outcome = self
            .create_with_claims(user, operation, promotion, &mut claims)
            .await;
        if !claims.is_empty() {
            // All at once, since each deletion is a commit. If that fails, the claims take up space but do no other harm.
            let _ = self.0.delete_all(claims).await;
        }
        outcome
    }

    async fn create_with_claims(
        &self,
        user: &User,
        operation: &Operation,
        promotion: &Promotion,
        claims: &mut Vec<String>,
    ) -> Result<CreateOutcome, StoreError> {
        let username = user.username();
        let draft = Draft::creation(user, promotion);
        let found = self.stored(username).await?;
        if let Some(found) = &found
            && let Some(outcome) = known(user, operation, found)
        {
            return Ok(outcome);
        }
        // The key is bound only now, since a request that is refused on sight must leave its key free.
        let outcome = match self.reserve_idempotency_key(operation, claims).await? {
            Some(refusal) => Some(refusal),
            None if found.is_some() => self.write_over(&draft, operation).await?,
            None => self.write_new(&draft, operation, claims).await?,
        };
        match outcome {
            // An erasure marks the key before it erases the user, and may fail in between.
            Some(CreateOutcome::Erased) => {
                let found = self.stored(username).await?;
                Ok(match found.and_then(|found| known(user, operation, &found)) {
                    Some(created @ CreateOutcome::Created { .. }) => created,
                    _ => CreateOutcome::Erased,
                })
            }
            Some(outcome) => Ok(outcome),
            None => self.await_winner(user, operation).await,
        }
    }

    /// Binds the idempotency key of a creation to its request. Returns a refusal if it is bound to another request, or if its
    /// user has been erased.
    async fn reserve_idempotency_key(
        &self,
        operation: &Operation,
        claims: &mut Vec<String>,
    ) -> Result<Option<CreateOutcome>, StoreError> {
        let Some(fingerprint) = operation.fingerprint() else {
            return Ok(None);
        };
        let key = keys::binding(operation);
        let bound = match self.0.get(&key).await? {
            Some(bound) => bound,
            None => self.create_once(&key, fingerprint.into(), claims).await?,
        };
        Ok(refusal(&bound, fingerprint))
    }

    /// Marks the idempotency key of a creation, so that no retry brings its user back.
    pub(super) async fn mark_idempotency_key(&self, creation: &Operation) -> Result<(), StoreError> {
        let Some((key, marked)) = erased_binding(creation) else {
            return Ok(());
        };
        let mut cas = self.0.new_cas(&key).await?;
        // Nothing else is ever written to a bound key, so after a conflict the next read finds it marked.
        for _ in 0..3 {
            if self.0.current(&cas).await? == Some(marked.clone()) {
                return Ok(());
            }
            cas = match self.0.compare_and_swap(cas, marked.clone()).await? {
                CasOutcome::Written => return Ok(()),
                CasOutcome::Unconfirmed(next) => next,
            };
        }
        Err(StoreError::TryAgain)
    }

    /// Writes the first record ever under a name. Returns `None` if another request is about to.
    async fn write_new(
        &self,
        draft: &Draft,
        operation: &Operation,
        claims: &mut Vec<String>,
    ) -> Result<Option<CreateOutcome>, StoreError> {
        let username = draft.user.username();
        let Some(reserved) = self.reserve(username, claims).await? else {
            return Ok(None);
        };
        let cas = self.0.new_cas(&keys::user(username)).await?;
        match self.current(username, &cas).await? {
            None => {}
            Some(Stored::Erased(_)) => return self.write_over(draft, operation).await,
            // An earlier holder of the reservation may have written since the first read.
            Some(found) => return Ok(known(&draft.user, operation, &found)),
        }
        let now = self.0.now().await;
        if now.duration_since(reserved).is_ok_and(|age| age > WRITE_WITHIN) {
            return Ok(None);
        }
        let attempt = self.attempt(operation.fingerprint().is_some()).await;
        let envelope = Envelope::new(draft, operation, attempt, now.into(), None);
        self.write_first_record(cas, &envelope, draft, operation).await
    }

    /// Writes the record of a user over the tombstone of an erased one. Returns `None` if other requests interfered all the
    /// time.
    async fn write_over(
        &self,
        draft: &Draft,
        operation: &Operation,
    ) -> Result<Option<CreateOutcome>, StoreError> {
        let username = draft.user.username();
        let mut attempts = Attempts::new(&self.0, PATIENCE_WITH_WINNER);
        let attempt = self.attempt(operation.fingerprint().is_some()).await;
        loop {
            let cas = self.0.new_cas(&keys::user(username)).await?;
            let tombstone = match self.current(username, &cas).await? {
                Some(Stored::Erased(tombstone)) => tombstone,
                Some(found) => return Ok(known(&draft.user, operation, &found)),
                None => return Err(StoreError::Unavailable),
            };
            if tombstone.head.creation.operation == *operation {
                return Ok(Some(CreateOutcome::Erased));
            }
            // The tombstone may be that of a later user. The key of this creation was marked before that user could be
            // created, so the binding must be read after the tombstone.
            if let Some(fingerprint) = operation.fingerprint() {
                let bound = self.0.get(&keys::binding(operation)).await?.unwrap_or_default();
                if let Some(refusal) = refusal(&bound, fingerprint) {
                    return Ok(Some(refusal));
                }
            }
            if !tombstone.is_deleted() {
                self.delete_pages(username, &tombstone).await?;
                continue;
            }
            let now = self.0.now().await;
            let envelope = Envelope::new(draft, operation, attempt, now.into(), Some(&tombstone));
            let outcome = self.write_first_record(cas, &envelope, draft, operation).await?;
            if outcome.is_some() || !attempts.pause(PAUSE).await {
                return Ok(outcome);
            }
        }
    }

    /// Writes `envelope`, the first of its user. Returns `None` if it was not written and no other user was created.
    async fn write_first_record(
        &self,
        cas: E::Cas,
        envelope: &Envelope,
        draft: &Draft,
        operation: &Operation,
    ) -> Result<Option<CreateOutcome>, StoreError> {
        let username = draft.user.username();
        let next = match self.0.compare_and_swap(cas, envelope.to_bytes()).await {
            Ok(CasOutcome::Written) => return Ok(Some(created(envelope, &draft.user, false))),
            Ok(CasOutcome::Unconfirmed(next)) => next,
            Err(Unavailable) => self.0.new_cas(&keys::user(username)).await?,
        };
        let Some(standing) = self.current(username, &next).await? else {
            return Ok(None);
        };
        let (first, creation) = match &standing {
            Stored::Live(standing) => (standing.first(), standing.creation()),
            Stored::Erased(tombstone) => (tombstone.head.first, &tombstone.head.creation),
        };
        if creation.operation == *operation {
            // The user was created, even if it has been changed or erased since.
            let is_replay = creation.attempt != envelope.creation().attempt;
            return Ok(Some(created(envelope, &draft.user, is_replay)));
        }
        match standing {
            Stored::Live(_) if first <= envelope.first() => Ok(Some(CreateOutcome::Taken)),
            Stored::Erased(_) if first < envelope.first() => Ok(None),
            // This request's user may have been created and erased before the one that was found.
            _ => Err(StoreError::Unavailable),
        }
    }

    /// Waits for the record that another creation of the same name is about to write.
    async fn await_winner(&self, user: &User, operation: &Operation) -> Result<CreateOutcome, StoreError> {
        let mut attempts = Attempts::new(&self.0, PATIENCE_WITH_WINNER);
        while attempts.pause(PAUSE).await {
            if let Some(found) = self.stored(user.username()).await?
                && let Some(outcome) = known(user, operation, &found)
            {
                return Ok(outcome);
            }
        }
        Err(StoreError::TryAgain)
    }
}

/// The value that marks the idempotency key of a creation whose user is about to be erased, after the key in the store.
/// Returns `None` if the creation had no idempotency key.
#[must_use]
pub fn erased_binding(creation: &Operation) -> Option<(String, Vec<u8>)> {
    let fingerprint = creation.fingerprint()?;
    let marked = format!("{ERASED}{fingerprint}");
    Some((keys::binding(creation), marked.into_bytes()))
}

/// The outcome of the creation of `user` by `operation` if `found` is stored under the name; `None` if the name is free.
fn known(user: &User, operation: &Operation, found: &Stored) -> Option<CreateOutcome> {
    let creation = match found {
        Stored::Live(envelope) => envelope.creation(),
        Stored::Erased(tombstone) => &tombstone.head.creation,
    };
    let is_same_key = creation.operation.id() == operation.id();
    match found {
        _ if is_same_key && creation.operation != *operation => Some(CreateOutcome::KeyReused),
        // Without a key only this request itself can have created it.
        Stored::Live(envelope) if is_same_key => {
            Some(created(envelope, user, operation.fingerprint().is_some()))
        }
        Stored::Live(_) => Some(CreateOutcome::Taken),
        Stored::Erased(_) if is_same_key => Some(CreateOutcome::Erased),
        Stored::Erased(_) => None,
    }
}

/// The outcome of the creation of `user` from which `envelope` results.
fn created(envelope: &Envelope, user: &User, is_replay: bool) -> CreateOutcome {
    CreateOutcome::Created {
        user: match envelope.creation().status {
            Some(status) => user.clone().with_status(status),
            None => user.clone(),
        },
        revision: envelope.first_revision(),
        is_replay,
    }
}

/// The refusal of a request with this fingerprint under a key with this binding; `None` if the key is bound to it.
fn refusal(bound: &[u8], fingerprint: &str) -> Option<CreateOutcome> {
    if bound == fingerprint.as_bytes() {
        None
    } else if bound.strip_prefix(ERASED.as_bytes()) == Some(fingerprint.as_bytes()) {
        Some(CreateOutcome::Erased)
    } else {
        Some(CreateOutcome::KeyReused)
    }
}

//! *Create once*: gives an absent key exactly one first value, however many callers try.
//!
//! On SQLite, a compare-and-swap of an absent key overwrites values written in the meantime. So a caller must first win the
//! right to write, with a counter that returns 1 to only one caller. On other backends the compare-and-swap would suffice.

use super::attempts::Attempts;
use super::environment::{CasOutcome, Environment, Unavailable};
use super::keys;
use super::{PATIENCE, PATIENCE_WITH_WINNER, PAUSE, StoreError, UserStore, WRITE_WITHIN};
use std::time::{Duration, SystemTime};

/// A claim is valid in the period in which it was made, and in the ones before and after it.
const PERIOD: Duration = Duration::from_mins(1);

impl<E: Environment> UserStore<E> {
    /// Gives `key` the value `value` unless it has one. Returns the value that the key has afterwards. Only a
    /// compare-and-swap can change it later. Adds the claim to `claims`, for the caller to delete after its last write.
    ///
    /// # Errors
    /// Returns [`StoreError::Unavailable`] if the store failed; the value may have been written.
    /// Returns [`StoreError::TryAgain`] if another caller claimed the key and its value did not appear.
    pub(super) async fn create_once(
        &self,
        key: &str,
        value: Vec<u8>,
        claims: &mut Vec<String>,
    ) -> Result<Vec<u8>, StoreError> {
        let claimed = self.0.now().await;
        if let Some(claim) = self.claim(key, claimed).await?
            && let Some(standing) = self.write_first(key, value, claimed).await?
        {
            // From now on the value keeps others away.
            claims.push(claim);
            return Ok(standing);
        }
        let mut attempts = Attempts::new(&self.0, PATIENCE_WITH_WINNER);
        while attempts.pause(PAUSE).await {
            if let Some(standing) = self.0.get(key).await? {
                return Ok(standing);
            }
        }
        Err(StoreError::TryAgain)
    }

    /// Claims the right to create `key`. Returns the key of the claim if it was won.
    ///
    /// Each of two claimants in neighbouring periods looks for the other's claim after making its own, so at least one sees
    /// the other and withdraws.
    async fn claim(&self, key: &str, now: SystemTime) -> Result<Option<String>, StoreError> {
        let since_1970 = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let period = since_1970.as_secs() / PERIOD.as_secs();
        let own = keys::claim(key, period);
        let mut attempts = Attempts::new(&self.0, PATIENCE);
        let count = loop {
            match self.0.increment(&own).await {
                Ok(count) => break count,
                // On SQLite an increment fails if another process overtakes it. It is safe to repeat it, whether it took
                // effect or not: this can turn a winner into a loser, but never a loser into a winner.
                Err(Unavailable) if attempts.pause(PAUSE).await => {}
                Err(Unavailable) => return Err(StoreError::Unavailable),
            }
        };
        if count != 1 {
            return Ok(None);
        }
        for neighbour in [period.saturating_sub(1), period + 1] {
            if self.0.exists(&keys::claim(key, neighbour)).await? {
                self.0.delete_all(vec![own]).await?;
                return Ok(None);
            }
        }
        Ok(Some(own))
    }

    /// Writes the value of a key that was claimed at the time `claimed`. Returns the value that the key has afterwards, if it
    /// has one.
    async fn write_first(
        &self,
        key: &str,
        value: Vec<u8>,
        claimed: SystemTime,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let cas = self.0.new_cas(key).await?;
        if let Some(standing) = self.0.current(&cas).await? {
            return Ok(Some(standing));
        }
        if self.is_older(claimed, WRITE_WITHIN).await {
            return Ok(None);
        }
        let next = match self.0.compare_and_swap(cas, value.clone()).await {
            Ok(CasOutcome::Written) => return Ok(Some(value)),
            Ok(CasOutcome::Unconfirmed(next)) => next,
            Err(Unavailable) => self.0.new_cas(key).await?,
        };
        Ok(self.0.current(&next).await?)
    }
}

//! The attempts of one request, with random pauses between them.

use super::environment::Environment;
use std::time::{Duration, SystemTime};

/// Counts the time since the first pause, and decides how long each pause is.
pub(super) struct Attempts<'a, E> {
    environment: &'a E,
    patience: Duration,
    since: Option<SystemTime>,
}

impl<'a, E: Environment> Attempts<'a, E> {
    /// Attempts that end after `patience`, counted from the first pause.
    pub(super) fn new(environment: &'a E, patience: Duration) -> Self {
        Self {
            environment,
            patience,
            since: None,
        }
    }

    /// Pauses for a random time of up to `longest` before the next attempt, so that rivals drift apart. Returns `false` if
    /// there should be no further attempt. Pauses get shorter as patience runs out, so that no request starves.
    pub(super) async fn pause(&mut self, longest: Duration) -> bool {
        let now = self.environment.now().await;
        let waited = now
            .duration_since(*self.since.get_or_insert(now))
            .unwrap_or_default();
        let left = self.patience.saturating_sub(waited);
        if left.is_zero() {
            return false;
        }
        let [chance, ..] = self.environment.random().await.to_be_bytes();
        let pause = longest.min(left / 8) * u32::from(chance) / u32::from(u8::MAX);
        self.environment.sleep(pause).await;
        true
    }
}

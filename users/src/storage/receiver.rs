//! The state of the receiver of events, shared by all publishers, so that none tries a receiver that is down.

use super::environment::Environment;
use super::unreadable::Unreadable;
use super::{StoreError, UserStore, corrupt, from_json, keys};
use crate::domain::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The only version of the stored form.
const FORMAT: u64 = 1;
/// The pause after the first failure; each further one doubles it.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);
/// How long other publishers wait while one tries whether the receiver works again.
const TRIAL: Duration = Duration::from_secs(5);

/// How long a call of a receiver without a time limit may take before other publishers regard the receiver as hanging.
const ANSWERS_WITHIN: Duration = Duration::from_millis(200);
/// How long after an answer publishers call such a receiver without recording the call in the store.
const VOUCHED: Duration = Duration::from_millis(100);

/// The state of the receiver of events. By default it works.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReceiverState {
    /// The number of failures in succession.
    failures: u32,
    /// The end of the pause, during which nobody tries it.
    until: Timestamp,
    /// When a publisher called it that has had no answer yet.
    asked: Option<Timestamp>,
    /// When such a publisher last got an answer.
    answered: Timestamp,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct StoredState {
    format: u64,
    failures: u32,
    /// In milliseconds since 1970.
    until: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    asked: Option<u64>,
    #[serde(default)]
    answered: u64,
}

impl ReceiverState {
    /// Whether the last delivery succeeded.
    #[must_use]
    pub fn is_well(self) -> bool {
        self.failures == 0
    }

    /// Whether the receiver must not be tried at `now`. A pause of more than a minute comes from a wrong clock and is
    /// ignored.
    #[must_use]
    pub fn is_left_alone(self, now: Timestamp) -> bool {
        self.until > now && self.until.since(now) <= LONGEST_PAUSE
    }

    /// Returns the state while one publisher tries, at `now`, whether the receiver works again.
    #[must_use]
    pub fn tried(self, now: Timestamp) -> Self {
        Self {
            until: later(now, TRIAL),
            ..self
        }
    }

    /// Whether a call without a time limit has been waiting so long at `now` that the receiver counts as hanging. After the
    /// longest pause another publisher may call it.
    #[must_use]
    pub fn is_hanging(self, now: Timestamp) -> bool {
        self.asked.is_some_and(|asked| {
            let away = now.since(asked);
            away > ANSWERS_WITHIN && away <= LONGEST_PAUSE
        })
    }

    /// Whether a publisher must record at `now` that it calls the receiver, since there was no answer for a while.
    #[must_use]
    pub fn is_unvouched(self, now: Timestamp) -> bool {
        match self.asked {
            Some(asked) => now.since(asked) > LONGEST_PAUSE,
            None => now.since(self.answered) > VOUCHED,
        }
    }

    /// Returns the state while a publisher calls the receiver at `now`.
    #[must_use]
    pub fn asked(self, now: Timestamp) -> Self {
        Self {
            asked: Some(now),
            ..self
        }
    }

    /// Returns the state after that publisher got an answer at `now`.
    #[must_use]
    pub fn answered(self, now: Timestamp) -> Self {
        Self {
            asked: None,
            answered: now,
            ..self
        }
    }

    /// Returns the state after a success.
    #[must_use]
    pub fn succeeded(self) -> Self {
        Self {
            failures: 0,
            until: Timestamp::default(),
            ..self
        }
    }

    /// Returns the state after one more failure at `now`.
    #[must_use]
    pub fn failed(self, now: Timestamp) -> Self {
        let pause = 2_u32
            .checked_pow(self.failures)
            .and_then(|factor| FIRST_PAUSE.checked_mul(factor))
            .map_or(LONGEST_PAUSE, |pause| pause.min(LONGEST_PAUSE));
        Self {
            failures: self.failures.saturating_add(1),
            until: later(now, pause),
            ..self
        }
    }
}

fn later(now: Timestamp, pause: Duration) -> Timestamp {
    (std::time::SystemTime::from(now) + pause).into()
}

impl<E: Environment> UserStore<E> {
    /// Reads the state of the receiver of events.
    ///
    /// # Errors
    /// Returns [`StoreError::Unavailable`] if the store failed, [`StoreError::Corrupt`] if the value cannot be read.
    pub async fn receiver_state(&self) -> Result<ReceiverState, StoreError> {
        let Some(bytes) = self.0.get(keys::RECEIVER).await? else {
            return Ok(ReceiverState::default());
        };
        let stored: StoredState = from_json(&bytes).map_err(|why| corrupt(keys::RECEIVER, why))?;
        if stored.format != FORMAT {
            return Err(corrupt(keys::RECEIVER, Unreadable::Version(stored.format)));
        }
        let time = |milliseconds| {
            Timestamp::from_milliseconds(milliseconds)
                .ok_or_else(|| corrupt(keys::RECEIVER, Unreadable::Damaged))
        };
        Ok(ReceiverState {
            failures: stored.failures,
            until: time(stored.until)?,
            asked: stored.asked.map(time).transpose()?,
            answered: time(stored.answered)?,
        })
    }

    /// Records the state of the receiver of events. If two publishers write, the last one wins.
    ///
    /// # Errors
    /// Returns [`StoreError::Unavailable`] if the store failed.
    pub async fn remember_receiver(&self, state: ReceiverState) -> Result<(), StoreError> {
        let stored = StoredState {
            format: FORMAT,
            failures: state.failures,
            until: state.until.as_milliseconds(),
            asked: state.asked.map(Timestamp::as_milliseconds),
            answered: state.answered.as_milliseconds(),
        };
        // Numbers always serialize.
        let bytes = serde_json::to_vec(&stored).unwrap_or_default();
        self.0.set_all(vec![(keys::RECEIVER.to_owned(), bytes)]).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: u64) -> Timestamp {
        Timestamp::from_milliseconds(1_764_083_534_000 + milliseconds).unwrap()
    }

    #[test]
    fn pauses_double_up_to_a_minute() {
        let mut state = ReceiverState::default();
        assert!(state.is_well() && !state.is_left_alone(at(0)));
        for seconds in [1, 2, 4, 8, 16, 32, 60, 60] {
            state = state.failed(at(0));
            assert!(!state.is_well());
            assert!(state.is_left_alone(at(seconds * 1000 - 1)), "{seconds}");
            assert!(!state.is_left_alone(at(seconds * 1000)), "{seconds}");
        }
        let long = ReceiverState {
            failures: u32::MAX,
            ..state
        };
        assert!(long.failed(at(0)).is_left_alone(at(59_999)));
        assert!(!long.failed(at(0)).is_left_alone(at(60_000)));
        assert_eq!(state.succeeded(), ReceiverState::default());
    }

    #[test]
    fn others_leave_the_receiver_alone_while_one_tries_it() {
        let state = ReceiverState::default().failed(at(0)).tried(at(1000));
        assert!(!state.is_well());
        assert!(state.is_left_alone(at(5999)));
        assert!(!state.is_left_alone(at(6000)));
    }

    #[test]
    fn a_receiver_hangs_if_who_asked_it_stays_away() {
        let state = ReceiverState::default();
        assert!(state.is_unvouched(at(0)) && !state.is_hanging(at(0)));
        let asked = state.asked(at(0));
        assert!(!asked.is_unvouched(at(0)) && !asked.is_hanging(at(200)));
        assert!(!asked.is_unvouched(at(201)) && asked.is_hanging(at(201)));
        // One more is sent after it.
        assert!(asked.is_unvouched(at(60_001)) && !asked.is_hanging(at(60_001)));
        let answered = asked.answered(at(300));
        assert!(!answered.is_hanging(at(900)));
        assert!(!answered.is_unvouched(at(400)) && answered.is_unvouched(at(401)));
    }

    #[test]
    fn a_pause_that_a_wrong_clock_made_does_not_last() {
        let state = ReceiverState::default().failed(at(1_000_000));
        assert!(!state.is_left_alone(at(0)));
    }
}

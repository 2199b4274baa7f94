//! The publisher: delivers changes of users from the outbox to the receiver.

use crate::event::Event;
use crate::receiver::{Failure, Receiver};
use std::time::Duration;
use users::api::Problem;
use users::domain::timestamp::Timestamp;
use users::domain::username::Username;
use users::platform::{self, Spin};
use users::storage::{Progress, ReceiverState, StoreError, UserStore};

/// The number of failures in succession, over all users, after which a request stops trying. A single failure may be due to
/// one event.
const GIVEN_UP_AFTER: u32 = 3;

/// Publishes changes for one request.
pub(crate) struct Publisher<'a> {
    store: UserStore<Spin<'a>>,
    /// `None` if the variables name no receiver.
    receiver: Option<Receiver>,
    /// The shared state of the receiver.
    found: ReceiverState,
    /// Whether this publisher must record that it calls the receiver, and the answer.
    is_asking: bool,
    /// The number of failed deliveries since the last success; `None` before the first delivery.
    failures: Option<u32>,
    /// What the operator must know.
    fault: Option<String>,
    delivery: Duration,
    end: Duration,
}

impl<'a> Publisher<'a> {
    /// Creates a publisher whose deliveries take no longer than `delivery` each, and which starts none after `patience`.
    pub(crate) async fn new(
        store: UserStore<Spin<'a>>,
        delivery: Duration,
        patience: Duration,
    ) -> Result<Self, Problem> {
        let receiver = Receiver::from_settings().await?;
        let found = match receiver {
            Some(_) => store.receiver_state().await?,
            None => ReceiverState::default(),
        };
        Ok(Self {
            store,
            receiver,
            found,
            is_asking: false,
            failures: None,
            fault: None,
            delivery,
            end: platform::monotonic() + patience,
        })
    }

    pub(crate) fn store(&self) -> &UserStore<Spin<'a>> {
        &self.store
    }

    /// Returns whether the receiver may be tried now; during its pause only if `despite_its_pause`.
    pub(crate) fn may_try(&mut self, despite_its_pause: bool) -> bool {
        let Some(receiver) = &self.receiver else {
            return false;
        };
        let now = now();
        let is_left_alone = self.found.is_left_alone(now) && !despite_its_pause;
        if is_left_alone || receiver.may_hang() && self.found.is_hanging(now) {
            return false;
        }
        self.is_asking = receiver.may_hang() && self.found.is_unvouched(now);
        true
    }

    /// Whether this publisher must stop trying the receiver.
    pub(crate) fn has_given_up(&self) -> bool {
        self.failures >= Some(GIVEN_UP_AFTER)
    }

    /// Whether no more deliveries may be started.
    pub(crate) fn is_out_of_time(&self) -> bool {
        platform::monotonic() >= self.end
    }

    /// Publishes the changes of a user, oldest first, until a delivery fails.
    pub(crate) async fn publish(&mut self, username: &Username) -> Result<Progress, StoreError> {
        let Some(receiver) = &self.receiver else {
            return Ok(Progress::default());
        };
        self.store
            .publish(username, async |name, sequence, entry| {
                // At least one delivery is always tried, however late it is, so that a sweep makes progress.
                if self.failures.is_some() && platform::monotonic() >= self.end {
                    return Ok(false);
                }
                // Recorded only now that there is something to send: if the receiver failed before, or may hang, this keeps
                // other publishers away until it answers.
                if self.failures.is_none() && (self.is_asking || !self.found.is_well()) {
                    if self.is_asking {
                        self.found = self.found.asked(now());
                    }
                    if !self.found.is_well() {
                        self.found = self.found.tried(now());
                    }
                    self.store.remember_receiver(self.found).await?;
                }
                let event = Event::new(name, sequence, entry);
                let outcome = receiver.deliver(&event, self.delivery).await;
                if std::mem::take(&mut self.is_asking) {
                    self.found = self.found.answered(now());
                    self.store.remember_receiver(self.found).await?;
                }
                match outcome {
                    Ok(()) => {
                        self.failures = Some(0);
                        Ok(true)
                    }
                    Err(Failure { detail, is_refusal }) => {
                        if !is_refusal {
                            self.failures = Some(self.failures.unwrap_or(0) + 1);
                        }
                        // Without the event's id, which has the username.
                        self.fault = Some(format!(
                            "The receiver did not take event {sequence} of a user: {detail}."
                        ));
                        Ok(false)
                    }
                }
            })
            .await
    }

    /// Counts the changes of a user that remain to be published.
    pub(crate) async fn count(&self, username: &Username) -> Result<Progress, StoreError> {
        match self.receiver {
            Some(_) => self.store.count_pending(username).await,
            None => Ok(Progress::default()),
        }
    }

    /// Adds to what the operator must know.
    pub(crate) fn note_fault(&mut self, detail: String) {
        self.fault.get_or_insert(detail);
    }

    /// Records the state of the receiver. Returns what the operator must know.
    pub(crate) async fn finish(self) -> Result<Option<String>, StoreError> {
        let now = now();
        let mut state = self.found;
        match self.failures {
            Some(0) => state = state.succeeded(),
            Some(1..) => state = state.failed(now),
            None => {}
        }
        if state != self.found {
            self.store.remember_receiver(state).await?;
        }
        Ok(self.fault)
    }
}

fn now() -> Timestamp {
    platform::now().into()
}

//! The receiver of events: what it was sent, and whether it may be sent that.

use crate::text::Text;
use crate::world::{Applied, Change, World};

/// The event of one change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Delivery {
    /// The key of the user.
    pub(crate) user: Text,
    pub(crate) sequence: u64,
    pub(crate) operation: Text,
}

impl World {
    /// The change of a user with the sequence number `sequence`: they have no gaps, also across erasures.
    fn applied_as(&self, user: Text, sequence: u64) -> Option<&Applied> {
        let of_user = self.applied.iter().filter(|applied| applied.user == user);
        let index = usize::try_from(sequence.checked_sub(1)?).ok()?;
        of_user.into_iter().nth(index)
    }

    /// Whether the receiver knows of a change: of itself, or of an erasure that stands for it.
    pub(crate) fn is_published(&self, user: Text, sequence: u64) -> bool {
        self.delivered.iter().any(|(other, delivered)| {
            let is_erasure = || {
                let applied = self.applied_as(user, *delivered);
                applied.is_some_and(|applied| applied.change == Change::Erased)
            };
            *other == user && (*delivered == sequence || *delivered > sequence && is_erasure())
        })
    }

    /// Whether the receiver knows of every change of a user up to the one with the sequence number `sequence`.
    fn is_published_up_to(&self, user: Text, sequence: u64) -> bool {
        (1..=sequence).all(|earlier| self.is_published(user, earlier))
    }

    /// Whether the receiver knows of every change that `is_meant`.
    pub(crate) fn knows_all(&self, is_meant: impl Fn(&Applied) -> bool) -> bool {
        self.applied.iter().enumerate().all(|(at, applied)| {
            let before = &self.applied[..=at];
            let sequence = before.iter().filter(|other| other.user == applied.user).count();
            !is_meant(applied) || self.is_published(applied.user, sequence as u64)
        })
    }

    /// The receiver gets an event. The first time it has to know of all changes before it, unless it is an erasure, which
    /// stands for them.
    pub(crate) fn deliver(&mut self, delivery: Delivery) {
        let Delivery {
            user,
            sequence,
            operation,
        } = delivery;
        let change = match self.applied_as(user, sequence) {
            Some(applied) if applied.operation == operation => applied.change,
            _ => {
                self.lost = Some("an event tells of a change that was not made");
                return;
            }
        };
        if change != Change::Erased && !self.is_published_up_to(user, sequence - 1) {
            self.lost = Some("an event came before that of an earlier change");
        }
        if !self.delivered.insert((user, sequence)) {
            self.is_repeated = true;
        }
    }

    /// Whether the mark `new` of the publisher passes over nothing that the receiver does not know of.
    pub(crate) fn mark_follows(&self, key: Text, new: Text) -> Result<(), &'static str> {
        let name = key.as_str().trim_start_matches("published:");
        let user = Text::new(format!("user:{name}").as_bytes());
        let mark: serde_json::Value = serde_json::from_str(new.as_str()).map_err(|_| "a mark is damaged")?;
        let sequence = mark["sequence"].as_u64().ok_or("a mark is damaged")?;
        if self.is_published_up_to(user, sequence) {
            Ok(())
        } else {
            Err("a change is marked as published that the receiver does not know of")
        }
    }
}

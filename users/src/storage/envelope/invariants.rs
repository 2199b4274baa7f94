//! What holds for every envelope that the functions write; debug builds assert it.

use super::Envelope;
use crate::domain::points::Points;
use crate::domain::user::User;
use crate::storage::entry::{Change, Entry};

impl Envelope {
    /// Whether sequence numbers, entries and sums agree.
    pub(super) fn is_consistent(&self) -> bool {
        let Ok(entries) = self.entries() else { return false };
        let count = entries.len() as u64;
        let points = |entry: &Entry| match entry.change {
            Change::Points { balance, .. } => Some(balance.get()),
            _ => None,
        };
        let newest = entries.iter().rev().find_map(points);
        let balance = User::from_stored(&self.record)
            .ok()
            .and_then(|user| user.points());
        self.head.first <= self.archived
            && (self.archived - self.head.first).is_multiple_of(Self::PAGE)
            && self.archived + count == self.sequence
            && count <= Self::CAPACITY
            && newest.is_none_or(|newest| balance.is_some_and(|balance| balance.get() == newest))
    }

    /// Whether balance and points earned follow from those of the `previous` state by the newest entry.
    pub(super) fn has_sums_after(&self, previous: &Self) -> bool {
        let points = |envelope: &Self| {
            let user = User::from_stored(&envelope.record).ok()?;
            Some(user.points().unwrap_or(Points::ZERO).get())
        };
        let (Some(before), Some(after)) = (points(previous), points(self)) else {
            return false;
        };
        let (added, earned) = match self.newest.change {
            Change::Points { points, reverses, .. } => {
                // An award is a positive change, its reversal a negative one.
                let is_award = reverses.is_some() == (points < 0);
                (points, if is_award { points } else { 0 })
            }
            _ => (0, 0),
        };
        after == before + added && self.earned.get() == previous.earned.get() + earned
    }
}

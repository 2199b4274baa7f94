//! *Change points*: adds, redeems or reverses points.

use super::draft::Draft;
use super::envelope::Envelope;
use super::environment::Environment;
use super::operation::Identity;
use super::unreadable::Unreadable;
use super::update::{Stop, UpdateOutcome, user_of};
use super::{Change, Entry, StoreError, UserStore, corrupt, damaged, keys};
use crate::domain::points::{OutOfBounds, Points};
use crate::domain::points_request::{Amount, PointsRequest, Reason};
use crate::domain::tier::Promotion;
use crate::domain::username::Username;

/// Why a change of points was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PointsRefusal<R> {
    /// The caller's check refused.
    Refused(R),
    /// The user has fewer points than the change takes away.
    Insufficient,
    /// The points, or the points ever earned, would exceed [`Points::MAX`].
    TooMany,
    /// The entry to be reversed is not an award or a redemption of this user.
    NotReversible,
    /// The entry was reversed before, by the entry with this sequence number.
    AlreadyReversed(u64),
}

impl<E: Environment> UserStore<E> {
    /// Changes a user's points, exactly once for each [`Identity`]. `check` may refuse the record in its current state.
    ///
    /// # Errors
    /// Returns [`StoreError::TryAgain`] if others kept changing the user until this request gave up; then nothing was
    /// applied.
    /// Returns [`StoreError::Unavailable`] if the store failed; then the change may have been applied.
    /// Returns [`StoreError::Corrupt`] if a stored value cannot be read.
    pub async fn change_points<R>(
        &self,
        username: &Username,
        identity: &Identity,
        request: &PointsRequest,
        promotion: &Promotion,
        check: impl Fn(&Envelope) -> Result<(), R>,
    ) -> Result<UpdateOutcome<PointsRefusal<R>>, StoreError> {
        self.update(username, identity, async |current| {
            check(current)
                .map_err(PointsRefusal::Refused)
                .map_err(Stop::Refused)?;
            let user = user_of(username, current)?;
            let (by, reverses) = match request.amount {
                Amount::Points(change) => (change.get(), None),
                Amount::Reverses(sequence) => (
                    -self.reversible(username, current, sequence).await?,
                    Some(sequence),
                ),
            };
            let refuse = |why| {
                Stop::Refused(match why {
                    OutOfBounds::BelowZero => PointsRefusal::Insufficient,
                    OutOfBounds::AboveMaximum => PointsRefusal::TooMany,
                })
            };
            let balance = user.points().unwrap_or(Points::ZERO).plus(by).map_err(refuse)?;
            let earned = match (reverses, by) {
                (None, by) if by > 0 => current.earned().plus(by),
                (Some(_), by) if by < 0 => current.earned().plus(by),
                _ => Ok(current.earned()),
            };
            let earned = earned.map_err(refuse)?;
            let status = promotion.automatic(Some(balance), earned);
            let user = user.with_points(balance);
            Ok(Some(Draft {
                user: match status {
                    Some(status) => user.with_status(status),
                    None => user,
                },
                change: Change::Points {
                    points: by,
                    balance,
                    reason: request
                        .reason
                        .as_ref()
                        .map(|reason| Reason::as_str(reason).to_owned()),
                    reverses,
                },
                status,
                earned,
            }))
        })
        .await
    }

    /// Returns the amount by which the entry `sequence` changed the points, if it can be reversed.
    async fn reversible<R>(
        &self,
        username: &Username,
        current: &Envelope,
        sequence: u64,
    ) -> Result<i64, Stop<PointsRefusal<R>>> {
        let refused = Stop::Refused;
        let Some(entry) = self.entry(username, current, sequence).await? else {
            if sequence > current.first() && sequence <= current.archived() {
                let page = current.page_of(sequence);
                self.vanished::<()>(username, current.first(), page).await?;
                return Err(Stop::Gone);
            }
            return Err(refused(PointsRefusal::NotReversible));
        };
        let Change::Points {
            points,
            reverses: None,
            ..
        } = entry.change
        else {
            return Err(refused(PointsRefusal::NotReversible));
        };
        let entries = current.entries().map_err(damaged(username))?;
        let is_reversal = |entry: &Entry| matches!(entry.change, Change::Points { reverses: Some(reversed), .. } if reversed == sequence);
        if let Some(found) = (current.archived() + 1..)
            .zip(&entries)
            .find(|(_, entry)| is_reversal(entry))
        {
            return Err(refused(PointsRefusal::AlreadyReversed(found.0)));
        }
        // The reversal of an entry comes after it, so only that of an archived entry may be archived.
        if sequence <= current.archived() {
            let key = keys::reversal(username, sequence);
            if let Some(found) = self.0.get(&key).await? {
                let reversal = std::str::from_utf8(&found)
                    .ok()
                    .and_then(|text| text.parse().ok());
                let reversal = reversal.ok_or_else(|| corrupt(&key, Unreadable::Damaged))?;
                return Err(refused(PointsRefusal::AlreadyReversed(reversal)));
            }
        }
        Ok(points)
    }
}

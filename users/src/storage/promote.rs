//! *Promote*: sets the status that the points earn.

use super::envelope::Envelope;
use super::environment::Environment;
use super::operation::Identity;
use super::update::{Stop, UpdateOutcome, user_of};
use super::{Change, Draft, StoreError, UserStore};
use crate::domain::tier::Promotion;
use crate::domain::username::Username;

impl<E: Environment> UserStore<E> {
    /// Gives a user the status that the points earn. A promotion that changes nothing writes nothing.
    ///
    /// # Errors
    /// Returns the same errors as [`UserStore::change_points`].
    pub async fn promote<R>(
        &self,
        username: &Username,
        promotion: &Promotion,
        check: impl Fn(&Envelope) -> Result<(), R>,
    ) -> Result<UpdateOutcome<R>, StoreError> {
        let identity = Identity::Fresh(self.operation().await);
        self.update(username, &identity, async |current| {
            check(current).map_err(Stop::Refused)?;
            let user = user_of(username, current)?;
            let status = promotion.tier(user.points(), current.earned());
            Ok((user.status() != Some(status)).then(|| Draft {
                user: user.with_status(status),
                change: Change::Promoted,
                status: Some(status),
                earned: current.earned(),
            }))
        })
        .await
    }
}

//! *Merge*: changes members of a record.

use super::envelope::Envelope;
use super::environment::Environment;
use super::operation::Identity;
use super::update::{Stop, UpdateOutcome, user_of};
use super::{Change, Draft, Entry, StoreError, UserStore};
use crate::domain::json::InvalidDocument;
use crate::domain::merge_patch::{Patched, UserPatch};
use crate::domain::username::Username;

impl<E: Environment> UserStore<E> {
    /// Changes the members in `patch`. A patch that changes nothing writes nothing.
    ///
    /// # Errors
    /// Returns the same errors as [`UserStore::change_points`].
    pub async fn merge<R: From<InvalidDocument>>(
        &self,
        username: &Username,
        patch: &UserPatch,
        check: impl Fn(&Envelope) -> Result<(), R>,
    ) -> Result<UpdateOutcome<R>, StoreError> {
        let identity = Identity::Fresh(self.operation().await);
        self.update(username, &identity, async |current| {
            check(current).map_err(Stop::Refused)?;
            let patched = patch.apply(user_of(username, current)?);
            let patched = patched.map_err(|why| Stop::Refused(why.into()))?;
            Ok(patched.map(|Patched { user, members }| Draft {
                user,
                change: Change::Updated {
                    members: Entry::limited_names(members.iter().map(String::as_str)),
                },
                status: None,
                earned: current.earned(),
            }))
        })
        .await
    }
}

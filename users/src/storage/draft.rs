//! A change that is about to be written.

use super::entry::Change;
use crate::domain::points::Points;
use crate::domain::tier::{Promotion, Tier};
use crate::domain::user::User;

/// A change that is about to be written.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The record after the change.
    pub user: User,
    /// What changes.
    pub change: Change,
    /// The status that the change sets, if it sets one.
    pub status: Option<Tier>,
    /// Initial points and awards, less reversed awards, after the change.
    pub earned: Points,
}

impl Draft {
    /// Drafts the creation of `user`, with the status that the points earn if promotion is automatic.
    #[must_use]
    pub fn creation(user: &User, promotion: &Promotion) -> Self {
        let points = user.points();
        let earned = points.unwrap_or(Points::ZERO);
        let status = promotion.automatic(points, earned);
        Self {
            user: match status {
                Some(status) => user.clone().with_status(status),
                None => user.clone(),
            },
            change: Change::Created { points },
            status,
            earned,
        }
    }
}

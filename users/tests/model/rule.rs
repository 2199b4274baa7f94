//! The promotion rule of a configuration, and what it gives, reckoned without the help of the code under test.

use users::domain::tier::{Basis, Promotion};

/// What the variables `promotion` and `tier_basis` say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Rule {
    /// Promotions alone set the status, by the points. This is how the product is shipped.
    Explicit,
    /// The same, by what was ever earned.
    ExplicitByEarned,
    /// Every creation and every change of points sets the status, by the points.
    Automatic,
    /// The same, by what was ever earned.
    AutomaticByEarned,
}

impl Rule {
    pub(crate) fn is_automatic(self) -> bool {
        matches!(self, Self::Automatic | Self::AutomaticByEarned)
    }

    /// The rule as the functions read it from the variables.
    pub(crate) fn promotion(self) -> Promotion {
        Promotion {
            is_automatic: self.is_automatic(),
            basis: match self {
                Self::Explicit | Self::Automatic => Basis::Points,
                Self::ExplicitByEarned | Self::AutomaticByEarned => Basis::Earned,
            },
            ..Promotion::STANDARD
        }
    }

    /// The status of a user who has `points` and ever earned `earned`.
    pub(crate) fn status(self, points: i64, earned: i64) -> &'static str {
        let counted = match self {
            Self::Explicit | Self::Automatic => points,
            Self::ExplicitByEarned | Self::AutomaticByEarned => earned,
        };
        match counted {
            101.. => "Gold",
            51.. => "Silver",
            _ => "Bronze",
        }
    }
}

//! The promotion rule: which loyalty tier a user's points earn.

use crate::domain::points::Points;
use std::fmt;

/// A loyalty tier, in ascending order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    /// Where every user starts.
    Bronze,
    /// More points than the lower threshold.
    Silver,
    /// More points than the upper threshold.
    Gold,
}

impl Tier {
    /// Every tier, lowest first.
    pub const ALL: [Self; 3] = [Self::Bronze, Self::Silver, Self::Gold];

    /// The tier's name, which is the value of `status` in a record.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Bronze => "Bronze",
            Self::Silver => "Silver",
            Self::Gold => "Gold",
        }
    }

    /// Returns the tier with this name, if there is one.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tier| tier.name() == name)
    }
}

/// The two thresholds of the promotion rule. Gold's is always above Silver's, so that every tier can be reached.
///
/// ```
/// use users::domain::points::Points;
/// use users::domain::tier::{Thresholds, Tier};
///
/// let points = |number| Points::new(number).unwrap();
/// let thresholds = Thresholds::new(points(500), points(1000)).unwrap();
/// assert_eq!(thresholds.tier(Some(points(500))), Tier::Bronze);
/// assert_eq!(thresholds.tier(Some(points(501))), Tier::Silver);
/// assert!(Thresholds::new(points(50), points(50)).is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thresholds {
    silver_above: Points,
    gold_above: Points,
}

impl Thresholds {
    /// The default thresholds: more than 50 points earn Silver, more than 100 Gold.
    pub const STANDARD: Self = Self {
        silver_above: Points::of(50),
        gold_above: Points::of(100),
    };

    /// Creates thresholds: more than `silver_above` points earn Silver, more than `gold_above` Gold.
    ///
    /// # Errors
    /// Returns [`Inconsistent`] if `gold_above` is not above `silver_above`.
    pub fn new(silver_above: Points, gold_above: Points) -> Result<Self, Inconsistent> {
        if silver_above < gold_above {
            Ok(Self {
                silver_above,
                gold_above,
            })
        } else {
            Err(Inconsistent)
        }
    }

    /// A user with more points than this has earned [`Tier::Silver`].
    #[must_use]
    pub fn silver_above(self) -> Points {
        self.silver_above
    }

    /// A user with more points than this has earned [`Tier::Gold`].
    #[must_use]
    pub fn gold_above(self) -> Points {
        self.gold_above
    }

    /// Returns the tier that `points` earn; a user without points earns [`Tier::Bronze`].
    #[must_use]
    pub fn tier(self, points: Option<Points>) -> Tier {
        match points {
            Some(points) if points > self.gold_above => Tier::Gold,
            Some(points) if points > self.silver_above => Tier::Silver,
            _ => Tier::Bronze,
        }
    }
}

/// The promotion rule: the thresholds, when they are applied, and to which number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Promotion {
    /// The thresholds.
    pub thresholds: Thresholds,
    /// Whether every change of points sets the status, and not only a promotion.
    pub is_automatic: bool,
    /// What the thresholds are compared with.
    pub basis: Basis,
}

/// What the thresholds of the promotion rule are compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// The current points, so that redeeming points can lower the tier.
    Points,
    /// All points that a user ever earned.
    Earned,
}

impl Promotion {
    /// The default rule: only a promotion sets the status, by the current points.
    pub const STANDARD: Self = Self {
        thresholds: Thresholds::STANDARD,
        is_automatic: false,
        basis: Basis::Points,
    };

    /// Returns the tier of a user with these current `points`, if the record has any, who ever earned `earned`.
    #[must_use]
    pub fn tier(&self, points: Option<Points>, earned: Points) -> Tier {
        self.thresholds.tier(match self.basis {
            Basis::Points => points,
            Basis::Earned => Some(earned),
        })
    }

    /// Returns the tier that a creation or a change of points sets; `None` if only promotions set it.
    #[must_use]
    pub fn automatic(&self, points: Option<Points>, earned: Points) -> Option<Tier> {
        self.is_automatic.then(|| self.tier(points, earned))
    }
}

/// The thresholds of a rule contradict each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inconsistent;

impl fmt::Display for Inconsistent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the threshold for Gold must be above the threshold for Silver")
    }
}

impl std::error::Error for Inconsistent {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn points(number: i64) -> Points {
        Points::from_json_number(&number.to_string()).unwrap()
    }

    #[test]
    fn the_boundaries_of_the_standard_rule() {
        for (number, tier) in [
            (0, Tier::Bronze),
            (50, Tier::Bronze),
            (51, Tier::Silver),
            (100, Tier::Silver),
            (101, Tier::Gold),
            (Points::MAX.get(), Tier::Gold),
        ] {
            assert_eq!(Thresholds::STANDARD.tier(Some(points(number))), tier, "{number}");
        }
        assert_eq!(Thresholds::STANDARD.tier(None), Tier::Bronze);
    }

    #[test]
    fn thresholds_that_contradict_each_other_are_refused() {
        assert_eq!(Thresholds::new(points(100), points(50)), Err(Inconsistent));
        assert_eq!(Thresholds::new(points(50), points(50)), Err(Inconsistent));
        assert_eq!(Thresholds::new(points(50), points(100)), Ok(Thresholds::STANDARD));
    }

    #[test]
    fn names_are_read_back() {
        for tier in Tier::ALL {
            assert_eq!(Tier::from_name(tier.name()), Some(tier));
        }
        assert_eq!(Tier::from_name("gold"), None);
    }

    proptest! {
        #[test]
        fn more_points_never_lower_a_tier(
            silver in 0_i64..1000, gap in 1_i64..1000, fewer in 0_i64..3000, more in 0_i64..3000,
        ) {
            let rule = Thresholds::new(points(silver), points(silver + gap)).unwrap();
            let (fewer, more) = (fewer.min(more), fewer.max(more));
            prop_assert!(rule.tier(Some(points(fewer))) <= rule.tier(Some(points(more))));
            prop_assert!(rule.tier(None) <= rule.tier(Some(points(fewer))));
        }
    }
}

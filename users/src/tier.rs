//! The promotion rule: which loyalty tier a user's points earn.

use crate::points::Points;
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

    /// The tier's name, as a record's `status` has it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Bronze => "Bronze",
            Self::Silver => "Silver",
            Self::Gold => "Gold",
        }
    }

    /// The tier of that name, if there is one.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tier| tier.name() == name)
    }
}

/// The two numbers of the rule. The upper one is always above the lower one, so that each tier can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thresholds {
    silver_above: Points,
    gold_above: Points,
}

impl Thresholds {
    /// The rule as the product ships it: more than 50 points make Silver, more than 100 Gold.
    pub const STANDARD: Self = Self {
        silver_above: Points::of(50),
        gold_above: Points::of(100),
    };

    /// A rule under which more than `silver_above` points make Silver and more than `gold_above` Gold.
    ///
    /// # Errors
    /// `gold_above` is not above `silver_above`.
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

    /// The tier that `points` earn; a user without points has earned [`Tier::Bronze`].
    #[must_use]
    pub fn tier(self, points: Option<Points>) -> Tier {
        match points {
            Some(points) if points > self.gold_above => Tier::Gold,
            Some(points) if points > self.silver_above => Tier::Silver,
            _ => Tier::Bronze,
        }
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

//! Medians, and ratios within rounds.

/// The median, which for an even count is the mean of the two middle numbers; `None` if there are no numbers.
pub(crate) fn median(numbers: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut numbers: Vec<_> = numbers.into_iter().collect();
    numbers.sort_by(f64::total_cmp);
    let upper = numbers.get(numbers.len() / 2)?;
    let lower = numbers.get(numbers.len().checked_sub(1)? / 2)?;
    Some(f64::midpoint(*lower, *upper))
}

/// A ratio, as several rounds showed it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Ratio {
    pub(crate) median: f64,
    pub(crate) lowest: f64,
    pub(crate) highest: f64,
}

impl Ratio {
    /// Divides what each round measured, so that what slows a whole round down has no part in it.
    pub(crate) fn of(dividends: &[f64], divisors: &[f64]) -> Option<Self> {
        let ratios = || dividends.iter().zip(divisors).map(|(one, other)| one / other);
        Some(Self {
            median: median(ratios())?,
            lowest: ratios().fold(f64::INFINITY, f64::min),
            highest: ratios().fold(f64::NEG_INFINITY, f64::max),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_whatever_the_order() {
        assert_eq!(median([]), None);
        assert_eq!(median([7.0]), Some(7.0));
        assert_eq!(median([9.0, 1.0, 5.0]), Some(5.0));
        assert_eq!(median([4.0, 1.0, 100.0, 2.0]), Some(3.0));
    }

    #[test]
    fn ratios_are_of_the_same_round() {
        // The second round was slow for both.
        let ratio = Ratio::of(&[50.0, 5.0, 60.0], &[100.0, 10.0, 100.0]).unwrap();
        assert_eq!(
            ratio,
            Ratio {
                median: 0.5,
                lowest: 0.5,
                highest: 0.6
            }
        );
        assert_eq!(Ratio::of(&[], &[]), None);
    }
}

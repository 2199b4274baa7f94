//! Loyalty points.

use std::fmt;

/// A user's points: 0 to 2^53-1, the integers that every JSON implementation represents exactly (RFC 7493, section 2.2).
///
/// ```
/// use users::domain::points::{OutOfBounds, Points};
///
/// let points = Points::from_json_number("1e2").unwrap();
/// assert_eq!(points.get(), 100);
/// assert_eq!(points.plus(-30).map(Points::get), Ok(70));
/// assert_eq!(points.plus(-101), Err(OutOfBounds::BelowZero));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Points(i64);

impl Points {
    /// No points at all.
    pub const ZERO: Self = Self(0);
    /// The maximum number of points.
    pub const MAX: Self = Self((1 << 53) - 1);

    /// Creates `Points`, checking the range.
    ///
    /// # Errors
    /// Returns [`InvalidNumber::OutOfRange`] if `points` is outside 0 to 2^53-1.
    pub fn new(points: i64) -> Result<Self, InvalidNumber> {
        if (0..=Self::MAX.0).contains(&points) {
            Ok(Self(points))
        } else {
            Err(InvalidNumber::OutOfRange)
        }
    }

    /// Creates `Points`; every `u32` is in range.
    pub(crate) const fn of(points: u32) -> Self {
        Self(points as i64)
    }

    /// The points as a number, 0 to 2^53-1.
    #[must_use]
    pub fn get(self) -> i64 {
        self.0
    }

    /// Adds `number`, which is within ±(2^53-1).
    ///
    /// # Errors
    /// Returns [`OutOfBounds`] if the sum would be below zero or above [`Points::MAX`].
    pub fn plus(self, number: i64) -> Result<Self, OutOfBounds> {
        match self.0.saturating_add(number) {
            sum if sum < 0 => Err(OutOfBounds::BelowZero),
            sum if sum > Self::MAX.0 => Err(OutOfBounds::AboveMaximum),
            sum => Ok(Self(sum)),
        }
    }

    /// Reads a JSON number (RFC 8259, section 6).
    ///
    /// # Errors
    /// Returns [`InvalidNumber`] if the number is not an integer, or outside 0 to 2^53-1.
    pub fn from_json_number(number: &str) -> Result<Self, InvalidNumber> {
        Self::new(integer(number)?)
    }
}

/// A change of points: positive to add, negative to redeem, never 0.
///
/// ```
/// use users::domain::points::{PointsDelta, InvalidNumber};
///
/// assert_eq!(PointsDelta::from_json_number("-30").map(PointsDelta::get), Ok(-30));
/// assert_eq!(PointsDelta::from_json_number("0"), Err(InvalidNumber::Zero));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PointsDelta(i64);

impl PointsDelta {
    /// The change as a number, within ±(2^53-1).
    #[must_use]
    pub fn get(self) -> i64 {
        self.0
    }

    /// Reads a JSON number (RFC 8259, section 6).
    ///
    /// # Errors
    /// Returns [`InvalidNumber`] if the number is not an integer, outside ±(2^53-1), or 0.
    pub fn from_json_number(number: &str) -> Result<Self, InvalidNumber> {
        match integer(number)? {
            0 => Err(InvalidNumber::Zero),
            change => Ok(Self(change)),
        }
    }
}

/// Evaluates a JSON number exactly: `1e2` and `100.0` are the integer 100, as in JSON Schema; `1.5` is not an integer.
///
/// A JSON parser has accepted `number`, so its grammar is not checked again.
pub(crate) fn integer(number: &str) -> Result<i64, InvalidNumber> {
    let (negative, magnitude) = match number.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, number),
    };
    let (mantissa, exponent) = magnitude.split_once(['e', 'E']).unwrap_or((magnitude, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let significant = digits.trim_end_matches('0');
    if significant.is_empty() {
        return Ok(0);
    }
    // The power of ten by which to multiply the significant digits.
    let power = match exponent.parse::<i32>() {
        Ok(exponent) => i64::from(exponent) + length(whole) - length(significant),
        Err(_) if exponent.starts_with('-') => return Err(InvalidNumber::NotAnInteger),
        Err(_) => return Err(InvalidNumber::OutOfRange),
    };
    let power = u32::try_from(power).map_err(|_| {
        if power < 0 {
            InvalidNumber::NotAnInteger
        } else {
            InvalidNumber::OutOfRange
        }
    })?;
    let value = significant
        .parse::<i64>()
        .ok()
        .and_then(|value| value.checked_mul(10_i64.checked_pow(power)?))
        .filter(|value| *value <= Points::MAX.0)
        .ok_or(InvalidNumber::OutOfRange)?;
    Ok(if negative { -value } else { value })
}

/// The length of a text as a signed number.
fn length(text: &str) -> i64 {
    i64::try_from(text.len()).unwrap_or(i64::MAX)
}

/// Why a JSON number is not a number of points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidNumber {
    /// It has a fraction.
    NotAnInteger,
    /// It is below the minimum or above the maximum.
    OutOfRange,
    /// It is 0, but a change cannot be.
    Zero,
}

impl fmt::Display for InvalidNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAnInteger => "must be an integer",
            Self::OutOfRange => "is out of range: points are from 0 to 9007199254740991",
            Self::Zero => "must not be 0",
        })
    }
}

impl std::error::Error for InvalidNumber {}

/// Why a change of points is not possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutOfBounds {
    /// There would be fewer than 0 points.
    BelowZero,
    /// There would be more than [`Points::MAX`].
    AboveMaximum,
}

impl std::fmt::Display for OutOfBounds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::BelowZero => f.write_str("there would be fewer than 0 points"),
            Self::AboveMaximum => write!(f, "there would be more than {} points", Points::MAX.0),
        }
    }
}

impl std::error::Error for OutOfBounds {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_integers_however_they_are_written() {
        for (text, value) in [
            ("0", 0),
            ("-0", 0),
            ("0.0e-5", 0),
            ("0e99999999999999", 0),
            ("7", 7),
            ("1e2", 100),
            ("1E+2", 100),
            ("100.0", 100),
            ("1.5e1", 15),
            ("1500e-2", 15),
            ("0.0005e4", 5),
            ("9007199254740991", (1 << 53) - 1),
        ] {
            assert_eq!(Points::from_json_number(text), Ok(Points(value)), "{text}");
        }
    }

    #[test]
    fn refuses_the_rest() {
        for (text, why) in [
            ("1.5", InvalidNumber::NotAnInteger),
            ("1.00000000000000000001", InvalidNumber::NotAnInteger),
            ("1e-1", InvalidNumber::NotAnInteger),
            ("1e-99999999999999", InvalidNumber::NotAnInteger),
            ("-1", InvalidNumber::OutOfRange),
            ("9007199254740992", InvalidNumber::OutOfRange),
            ("1e16", InvalidNumber::OutOfRange),
            ("1e400", InvalidNumber::OutOfRange),
            ("1e99999999999999", InvalidNumber::OutOfRange),
            ("123456789012345678901234567890", InvalidNumber::OutOfRange),
        ] {
            assert_eq!(Points::from_json_number(text), Err(why), "{text}");
        }
        assert_eq!(PointsDelta::from_json_number("0.0"), Err(InvalidNumber::Zero));
        assert_eq!(PointsDelta::from_json_number("-3e1"), Ok(PointsDelta(-30)));
    }

    #[test]
    fn stay_within_their_bounds() {
        assert_eq!(Points(30).plus(-30), Ok(Points(0)));
        assert_eq!(Points(30).plus(-31), Err(OutOfBounds::BelowZero));
        assert_eq!(Points::MAX.plus(1), Err(OutOfBounds::AboveMaximum));
    }

    proptest! {
        #[test]
        fn every_integer_is_read_as_itself(value in -((1_i64 << 53) - 1)..(1_i64 << 53)) {
            prop_assert_eq!(integer(&value.to_string()), Ok(value));
        }

        #[test]
        fn numbers_are_read_as_a_big_decimal_would(whole in 0_u32..10_000, fraction in 0_u32..1000, exponent in -6_i32..9) {
            let number = format!("{whole}.{fraction:03}e{exponent}");
            let scaled = i128::from(whole) * 1000 + i128::from(fraction);
            let (times, over) = if exponent >= 3 {
                (10_i128.pow((exponent - 3).unsigned_abs()), 1)
            } else {
                (1, 10_i128.pow((3 - exponent).unsigned_abs()))
            };
            let exact = scaled * times;
            let expected = if exact % over == 0 {
                Ok(i64::try_from(exact / over).unwrap())
            } else {
                Err(InvalidNumber::NotAnInteger)
            };
            prop_assert_eq!(integer(&number), expected);
        }
    }
}

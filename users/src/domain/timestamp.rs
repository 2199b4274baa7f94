//! Times, as the store and the API write them.

use std::fmt;
use std::time::{Duration, SystemTime};

/// A time in whole milliseconds, from 1970 to the year 9999.
///
/// `Display` writes it in UTC, in the format of RFC 3339:
///
/// ```
/// use users::domain::timestamp::Timestamp;
///
/// let time = Timestamp::from_milliseconds(1_764_083_534_123).unwrap();
/// assert_eq!(time.to_string(), "2025-11-25T15:12:14.123Z");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The first millisecond of the year 10000, which no HTTP date can express.
    const END: u64 = 253_402_300_800_000;

    /// Returns the time this many milliseconds after 1970, or `None` if it is after the year 9999.
    #[must_use]
    pub fn from_milliseconds(milliseconds: u64) -> Option<Self> {
        (milliseconds < Self::END).then_some(Self(milliseconds))
    }

    /// Milliseconds since 1970.
    #[must_use]
    pub fn as_milliseconds(self) -> u64 {
        self.0
    }

    /// Returns this time, or if a clock that is behind showed it, so that it is before `earlier`, the next whole second after
    /// `earlier`. So the dates of a record, in whole seconds, never repeat or go back.
    #[must_use]
    pub fn after(self, earlier: Self) -> Self {
        if self < earlier {
            Self(((earlier.0 / 1000 + 1) * 1000).min(Self::END - 1))
        } else {
            self
        }
    }

    /// Returns the time that passed since `earlier`; zero if `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

/// A time outside the range becomes the nearest end of the range: the clock that showed it is wrong anyway.
impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        let since_1970 = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let milliseconds = u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX);
        Self(milliseconds.min(Self::END - 1))
    }
}

impl From<Timestamp> for SystemTime {
    fn from(Timestamp(milliseconds): Timestamp) -> Self {
        Self::UNIX_EPOCH + Duration::from_millis(milliseconds)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, millisecond) = (self.0 / 1000, self.0 % 1000);
        let (days, second) = (seconds / 86_400, seconds % 86_400);
        let (year, month, day) = date(days);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millisecond:03}Z"
        )
    }
}

/// Returns year, month and day of the day this many days after 1970-01-01 (the Gregorian calendar).
///
/// Years are counted from March, so that the leap day is the last day of a year and the months before it have lengths
/// that repeat every five.
fn date(days: u64) -> (u64, u64, u64) {
    const DAYS_FROM_0000_03_01: u64 = 719_468;
    const DAYS_PER_ERA: u64 = 146_097;

    let days = days + DAYS_FROM_0000_03_01;
    let (era, day_of_era) = (days / DAYS_PER_ERA, days % DAYS_PER_ERA);
    let leap_days = day_of_era / 1460 + day_of_era / 146_096;
    let year_of_era = (day_of_era + day_of_era / 36_524 - leap_days) / 365;
    let day_of_year = day_of_era + year_of_era / 100 - (365 * year_of_era + year_of_era / 4);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let (month, next_year) = if month_from_march < 10 {
        (month_from_march + 3, 0)
    } else {
        (month_from_march - 9, 1)
    };
    (era * 400 + year_of_era + next_year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_clock_that_is_behind_repeats_no_date() {
        let time = |milliseconds| Timestamp::from_milliseconds(milliseconds).unwrap();
        assert_eq!(time(2_990).after(time(2_990)), time(2_990));
        assert_eq!(time(2_991).after(time(2_990)), time(2_991));
        assert_eq!(time(2_985).after(time(2_990)), time(3_000));
        assert_eq!(time(2_985).after(time(3_000)), time(4_000));
        assert_eq!(time(0).after(time(Timestamp::END - 1)), time(Timestamp::END - 1));
    }

    #[test]
    fn times_are_written_as_rfc_3339_has_them() {
        for (milliseconds, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_709_164_800_001, "2024-02-29T00:00:00.001Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (Timestamp::END - 1, "9999-12-31T23:59:59.999Z"),
        ] {
            let time = Timestamp::from_milliseconds(milliseconds).unwrap();
            assert_eq!(time.to_string(), text);
            assert_eq!(Timestamp::from(SystemTime::from(time)), time);
        }
        assert_eq!(Timestamp::from_milliseconds(Timestamp::END), None);
    }

    proptest! {
        #[test]
        fn every_date_agrees_with_http_dates(seconds in 0..Timestamp::END / 1000) {
            const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
            let time = Timestamp::from_milliseconds(seconds * 1000).unwrap();
            let http = httpdate::fmt_http_date(time.into());
            let text = time.to_string();
            let month = MONTHS.find(&http[8..11]).unwrap() / 3 + 1;
            let expected = format!("{}-{month:02}-{}T{}.000Z", &http[12..16], &http[5..7], &http[17..25]);
            prop_assert_eq!(text, expected);
        }
    }
}

//! Dates and times of day, by arithmetic of our own: PostgreSQL's dates reach from 4713 BC to 5874897 AD.

use std::fmt::Write as _;

use crate::java::calendar::{civil_of_day, day_of_civil};

/// A day of the proleptic Gregorian calendar, as days since 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Day(pub(crate) i64);

/// A year (astronomical: 0 is 1 BC), month and day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Civil {
    /// The year; 0 is 1 BC.
    pub(crate) year: i64,
    /// 1 to 12.
    pub(crate) month: u32,
    /// 1 to 31.
    pub(crate) day: u32,
}

/// A moment or a local time, as microseconds of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment {
    /// The day.
    pub(crate) day: Day,
    /// Microseconds since its midnight, less than a day's.
    pub(crate) micros: i64,
}

/// What a date, or a time on a date, may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extended<T> {
    /// One that is finite.
    Finite(T),
    /// After all others.
    Infinity,
    /// Before all others.
    NegativeInfinity,
}

/// Microseconds in a day.
pub(crate) const DAY_MICROS: i64 = 86_400_000_000;

/// Beyond what PostgreSQL has, so that what is reckoned with it fits in 64 bits.
const LAST_YEAR: i64 = 9_999_999;

impl Civil {
    /// The day's number. Months and days beyond their ends run on.
    pub(crate) fn to_day(self) -> Day {
        Day(day_of_civil(self.year, self.month, self.day))
    }

    /// ISO 8601: four digits of the year at least, a sign before more or before less than zero.
    pub(crate) fn write_iso(self, out: &mut String) {
        let sign = match self.year {
            ..0 => "-",
            0..=9999 => "",
            _ => "+",
        };
        let _ = write!(out, "{sign}{:04}-{:02}-{:02}", self.year.unsigned_abs(), self.month, self.day);
    }
}

impl Day {
    /// Its year, month and day.
    pub(crate) fn to_civil(self) -> Civil {
        let (year, month, day) = civil_of_day(self.0);
        Civil { year, month, day }
    }
}

impl Moment {
    /// Moved by some seconds, as to another time zone.
    pub(crate) fn plus_seconds(self, seconds: i64) -> Self {
        let micros = self.micros + seconds * 1_000_000;
        Self { day: Day(self.day.0 + micros.div_euclid(DAY_MICROS)), micros: micros.rem_euclid(DAY_MICROS) }
    }

    /// Whole milliseconds since 1970, rounded down.
    pub(crate) fn epoch_millis(self) -> i64 {
        self.day.0 * 86_400_000 + self.micros.div_euclid(1000)
    }

    /// Microseconds since 1970. Beyond what 64 bits hold it is as Java's `TimeUnit` has it.
    pub(crate) fn epoch_micros(self) -> i64 {
        let seconds = self.day.0 * 86_400 + self.micros / 1_000_000;
        seconds.saturating_mul(1_000_000).wrapping_add(self.micros % 1_000_000)
    }

    /// Nanoseconds since 1970; `None` before 1677 and after 2262.
    pub(crate) fn epoch_nanos(self) -> Option<i64> {
        self.day.0.checked_mul(DAY_MICROS * 1000)?.checked_add(self.micros * 1000)
    }
}

/// Reads `2024-02-29`, with ` BC` behind it if it is.
pub(crate) fn parse_date(text: &str) -> Option<Extended<Civil>> {
    match text {
        "infinity" => return Some(Extended::Infinity),
        "-infinity" => return Some(Extended::NegativeInfinity),
        _ => {}
    }
    let (text, before_christ) = strip_era(text);
    civil(text, before_christ).map(Extended::Finite)
}

fn strip_era(text: &str) -> (&str, bool) {
    match text.strip_suffix(" BC") {
        Some(rest) => (rest, true),
        None => (text, false),
    }
}

fn civil(text: &str, before_christ: bool) -> Option<Civil> {
    let mut parts = text.split('-');
    let year = number(parts.next()?).filter(|year| *year <= LAST_YEAR)?;
    let month = u32::try_from(number(parts.next()?)?).ok().filter(|month| (1..=12).contains(month))?;
    let day = u32::try_from(number(parts.next()?)?).ok().filter(|day| (1..=31).contains(day))?;
    if parts.next().is_some() {
        return None;
    }
    Some(Civil { year: if before_christ { 1 - year } else { year }, month, day })
}

/// Digits only, few enough not to overflow.
fn number(text: &str) -> Option<i64> {
    let plain = !text.is_empty() && text.len() <= 9 && text.bytes().all(|byte| byte.is_ascii_digit());
    if plain { text.parse().ok() } else { None }
}

/// Reads `13:14:15.123456` as microseconds; 24:00:00 is a time too.
pub(crate) fn parse_time(text: &str) -> Option<i64> {
    let (clock, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut parts = clock.split(':');
    let hours = number(parts.next()?)?;
    let minutes = number(parts.next()?)?;
    let seconds = parts.next().map_or(Some(0), number)?;
    if parts.next().is_some() || hours > 24 || minutes > 59 || seconds > 60 || fraction.len() > 6 {
        return None;
    }
    let mut micros = if fraction.is_empty() { 0 } else { number(fraction)? };
    for _ in fraction.len()..6 {
        micros *= 10;
    }
    Some((hours * 3600 + minutes * 60 + seconds) * 1_000_000 + if fraction.is_empty() { 0 } else { micros })
}

/// Reads `13:14:15.123456+05:30` as microseconds and seconds east of Greenwich.
pub(crate) fn parse_time_tz(text: &str) -> Option<(i64, i64)> {
    let sign = text.rfind(['+', '-'])?;
    Some((parse_time(&text[..sign])?, parse_offset(&text[sign..])?))
}

/// `+05`, `-03:30` or `+00:19:32` in seconds.
fn parse_offset(text: &str) -> Option<i64> {
    let (sign, rest) = match text.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let mut seconds = 0;
    let mut unit = 3600;
    for part in rest.split(':') {
        seconds += number(part)? * unit;
        unit /= 60;
    }
    Some(sign * seconds)
}

/// Reads `2024-02-29 13:14:15.123456`, with an offset if `zoned`, as a local time or as a moment.
pub(crate) fn parse_timestamp(text: &str, zoned: bool) -> Option<Extended<Moment>> {
    match text {
        "infinity" => return Some(Extended::Infinity),
        "-infinity" => return Some(Extended::NegativeInfinity),
        _ => {}
    }
    let (text, before_christ) = strip_era(text);
    let (date, time) = text.split_once(' ').unwrap_or((text, "00:00:00"));
    let day = civil(date, before_christ)?.to_day();
    let (time, offset) = match time.rfind(['+', '-']) {
        Some(sign) => (&time[..sign], parse_offset(&time[sign..])?),
        None => (time, 0),
    };
    let local = Moment { day, micros: parse_time(time)? };
    Some(Extended::Finite(local.plus_seconds(if zoned { -offset } else { 0 })))
}

/// `HH:MM:SS`, with the fraction's digits up to its last that is not zero, or as many as are asked for.
pub(crate) fn write_time(micros: i64, fraction_digits: Option<usize>, out: &mut String) {
    let seconds = micros / 1_000_000;
    let _ = write!(out, "{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    let nanos = format!("{:06}000", micros % 1_000_000);
    let digits = match fraction_digits {
        Some(width) => &nanos[..width.min(9)],
        None => nanos.trim_end_matches('0'),
    };
    if !digits.is_empty() {
        out.push('.');
        out.push_str(digits);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn days_are_counted_from_1970() {
        let day = |text| match parse_date(text).unwrap() {
            Extended::Finite(civil) => civil.to_day().0,
            other => panic!("{other:?}"),
        };
        assert_eq!(day("1970-01-01"), 0);
        assert_eq!(day("1969-12-31"), -1);
        assert_eq!(day("2024-02-29"), 19_782);
        assert_eq!(day("0044-03-15 BC"), -735_160);
        assert_eq!(day("9999-12-31"), 2_932_896);
        assert_eq!(day("4713-01-01 BC"), -2_440_550);
    }

    #[test]
    fn moments_know_their_zone() {
        let millis = |text, zoned| match parse_timestamp(text, zoned).unwrap() {
            Extended::Finite(moment) => moment.epoch_millis(),
            other => panic!("{other:?}"),
        };
        assert_eq!(millis("2024-02-29 13:14:15.123456+05:30", true), 1_709_192_655_123);
        assert_eq!(millis("1969-12-31 23:59:59.999999", false), -1);
        assert_eq!(millis("0044-03-15 12:00:00+00 BC", true), -63_517_780_800_000);
        assert_eq!(parse_time_tz("13:14:15.5-03:30"), Some((47_655_500_000, -12_600)));
        assert_eq!(parse_time("24:00:00"), Some(DAY_MICROS));
    }

    proptest! {
        #[test]
        fn a_day_is_its_date(day in -2_500_000_000i64..2_500_000_000) {
            prop_assert_eq!(Day(day).to_civil().to_day(), Day(day));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[-+0-9: .BCinfty]{0,32}") {
            let _ = (parse_date(&text), parse_time(&text), parse_time_tz(&text));
            let _ = (parse_timestamp(&text, false), parse_timestamp(&text, true));
        }
    }
}

//! Times with an offset from UTC (`java.time.OffsetDateTime` and `OffsetTime`), as ISO 8601 has them.

use std::fmt::Write as _;

use super::calendar::{civil_of_day, day_of_civil};

const DAY_NANOS: i64 = 86_400_000_000_000;

/// A local time of a day, and what it is ahead of UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OffsetTime {
    /// Nanoseconds since midnight.
    nanos: i64,
    /// Seconds.
    offset: i32,
}

/// A local time on a date, and what it is ahead of UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OffsetDateTime {
    /// Days since 1970-01-01.
    day: i64,
    time: OffsetTime,
}

impl OffsetTime {
    /// Reads `13:14:15.5+02:00`, where a `Z` is no offset (`ISO_OFFSET_TIME`).
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let at = text.find(['+', '-', 'Z', 'z'])?;
        let (clock, offset) = text.split_at(at);
        let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
        let mut parts = clock.split(':');
        let mut part = |most: i64| parts.next().map(|word| digits(word, 2, 2).filter(|number| *number <= most));
        let (hours, minutes, seconds) = (part(23)??, part(59)??, part(59).unwrap_or(Some(0))?);
        if parts.next().is_some() {
            return None;
        }
        let mut nanos = digits(fraction, 1, 9)?;
        for _ in fraction.len()..9 {
            nanos *= 10;
        }
        let nanos = (hours * 3600 + minutes * 60 + seconds) * 1_000_000_000 + nanos;
        Some(Self { nanos, offset: parse_offset(offset)? })
    }

    /// The same moment of a day with another offset.
    pub(crate) fn with_offset(self, offset: i32) -> Self {
        let nanos = self.nanos + i64::from(offset - self.offset) * 1_000_000_000;
        Self { nanos: nanos.rem_euclid(DAY_NANOS), offset }
    }

    /// Appends it, with the fraction's digits up to its last that is not zero.
    pub(crate) fn write(self, out: &mut String) {
        let seconds = self.nanos / 1_000_000_000;
        let _ = write!(out, "{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
        let fraction = self.nanos % 1_000_000_000;
        if fraction > 0 {
            let _ = write!(out, ".{}", format!("{fraction:09}").trim_end_matches('0'));
        }
        if self.offset == 0 {
            out.push('Z');
            return;
        }
        let (sign, offset) = (if self.offset < 0 { '-' } else { '+' }, self.offset.unsigned_abs());
        let _ = write!(out, "{sign}{:02}:{:02}", offset / 3600, offset / 60 % 60);
        if offset % 60 > 0 {
            let _ = write!(out, ":{:02}", offset % 60);
        }
    }
}

impl OffsetDateTime {
    /// Reads `2024-02-29T13:14:15.5+02:00` (`ISO_OFFSET_DATE_TIME`).
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (date, time) = text.split_once(['T', 't'])?;
        let (sign, date) = match date.split_at_checked(1)? {
            ("+", rest) => (Some(1), rest),
            ("-", rest) => (Some(-1), rest),
            _ => (None, date),
        };
        let mut parts = date.split('-');
        let year = parts.next().filter(|year| year.len() == 4 || sign.is_some())?;
        let year = sign.unwrap_or(1) * digits(year, 4, 9)?;
        let month = u32::try_from(digits(parts.next()?, 2, 2)?).ok().filter(|month| (1..=12).contains(month))?;
        let of_month = u32::try_from(digits(parts.next()?, 2, 2)?).ok()?;
        let day = day_of_civil(year, month, of_month);
        if parts.next().is_some() || civil_of_day(day) != (year, month, of_month) {
            return None;
        }
        Some(Self { day, time: OffsetTime::parse(time)? })
    }

    /// The local time, in seconds since 1970 as if it were in UTC.
    pub(crate) fn local_seconds(self) -> i64 {
        self.day * 86_400 + self.time.nanos / 1_000_000_000
    }

    /// The same moment with another offset.
    pub(crate) fn with_offset(self, offset: i32) -> Self {
        let nanos = self.time.nanos + i64::from(offset - self.time.offset) * 1_000_000_000;
        Self { day: self.day + nanos.div_euclid(DAY_NANOS), time: self.time.with_offset(offset) }
    }

    /// Appends it; a year that has not four digits has a sign.
    pub(crate) fn write(self, out: &mut String) {
        let (year, month, day) = civil_of_day(self.day);
        let sign = match year {
            ..0 => "-",
            0..=9999 => "",
            _ => "+",
        };
        let _ = write!(out, "{sign}{:04}-{month:02}-{day:02}T", year.unsigned_abs());
        self.time.write(out);
    }
}

/// A number of as many digits.
fn digits(text: &str, least: usize, most: usize) -> Option<i64> {
    let fits = (least..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if fits { text.parse().ok() } else { None }
}

/// `Z`, `+02`, `-03:30` or `+00:19:32` in seconds.
fn parse_offset(text: &str) -> Option<i32> {
    if text.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let (sign, rest) = match text.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let mut parts = rest.split(':');
    let mut seconds = 0;
    for (unit, most) in [(3600, 18), (60, 59), (1, 59)] {
        if let Some(part) = parts.next() {
            seconds += unit * i32::try_from(digits(part, 2, 2).filter(|number| *number <= most)?).ok()?;
        }
    }
    (parts.next().is_none() && seconds <= 18 * 3600).then_some(sign * seconds)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn moved(text: &str, offset: i32) -> String {
        let mut out = String::new();
        OffsetDateTime::parse(text).unwrap().with_offset(offset).write(&mut out);
        out
    }

    #[test]
    fn moments_are_written_as_java_writes_them() {
        assert_eq!(moved("2024-02-29T23:30:00.120000Z", 3600), "2024-03-01T00:30:00.12+01:00");
        assert_eq!(moved("1883-11-18T12:00:00.000001Z", 561), "1883-11-18T12:09:21.000001+00:09:21");
        assert_eq!(moved("9999-12-31T23:59:59.99Z", 3600), "+10000-01-01T00:59:59.99+01:00");
        assert_eq!(moved("-0043-03-15T12:00:00Z", -12_615), "-0043-03-15T08:29:45-03:30:15");
        assert_eq!(moved("+294276-12-31t23:59+18:00", 0), "+294276-12-31T05:59:00Z");
    }

    #[test]
    fn times_go_around_the_clock() {
        let mut out = String::new();
        OffsetTime::parse("23:30:15.5+02:00").unwrap().with_offset(19_800).write(&mut out);
        assert_eq!(out, "03:00:15.5+05:30");
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for text in [
            "infinity",
            "2024-02-30T00:00:00Z",
            "2024-02-29T24:00:00Z",
            "2024-02-29T00:00:00",
            "24-02-29T00:00Z",
            "12024-02-29T00:00Z",
            "2024-02-29T00:00:00+19:00",
            "2024-13-01T00:00Z",
            "2024-02-29T0:00Z",
            "T",
            "",
            "+9999999999-01-01T00:00Z",
            "2024-01-01T00:00:00.Z",
            "é024-01-01T00:00Z",
        ] {
            assert_eq!(OffsetDateTime::parse(text), None, "{text}");
        }
    }
}

//! Time zones as `java.time.ZoneId` knows them: by a name of the tz database, or by an offset. The names below `SystemV/`, which only
//! Java has, are unknown here.

use jiff::Timestamp;
use jiff::tz::{self, AmbiguousOffset, Offset};

/// Names that the old class `java.util.TimeZone` knows, and `ZoneId` does not.
const SHORT_NAMES: [&str; 28] = [
    "ACT", "AET", "AGT", "ART", "AST", "BET", "BST", "CAT", "CNT", "CST", "CTT", "EAT", "ECT", "EST", "HST", "IET",
    "IST", "JST", "MIT", "MST", "NET", "NST", "PLT", "PNT", "PRT", "PST", "SST", "VST",
];

/// A zone's offsets from UTC at all times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TimeZone(tz::TimeZone);

impl TimeZone {
    /// Whether a name means something to `ZoneId` or to `java.util.TimeZone`, or is an offset such as `+08:00`.
    pub(crate) fn is_available(name: &str) -> bool {
        offset_parts(name).is_some() || SHORT_NAMES.contains(&name) || named(name).is_some()
    }

    /// The zone of a name or an offset (`ZoneId.of`).
    ///
    /// # Errors
    /// Java's message for what is none.
    pub(crate) fn of(name: &str) -> Result<Self, String> {
        let unknown = || format!("Unknown time-zone ID: {name}");
        if let Some((sign, parts)) = offset_parts(name) {
            let offset = Offset::from_seconds(sign * offset(parts)?).map_err(|_| unknown())?;
            return Ok(Self(tz::TimeZone::fixed(offset)));
        }
        named(name).filter(|_| !SHORT_NAMES.contains(&name)).map(Self).ok_or_else(unknown)
    }

    /// The offset at a moment, in seconds since 1970; the offset in seconds to the east.
    pub(crate) fn offset_at(&self, moment: i64) -> i32 {
        self.0.to_offset(timestamp(moment)).seconds()
    }

    /// The offset of a local time, given as seconds since 1970 as if it were in UTC. One that is skipped, or comes twice, has the
    /// offset from before (`ZoneRules.getOffset`).
    pub(crate) fn offset_of_local(&self, local: i64) -> i32 {
        let local = Offset::UTC.to_datetime(timestamp(local));
        let before = match self.0.to_ambiguous_timestamp(local).offset() {
            AmbiguousOffset::Unambiguous { offset } => offset,
            AmbiguousOffset::Gap { before, .. } | AmbiguousOffset::Fold { before, .. } => before,
        };
        before.seconds()
    }
}

/// A zone of the tz database. Java heeds whether letters are capitals.
fn named(name: &str) -> Option<tz::TimeZone> {
    let zone = tz::TimeZone::get(name).ok()?;
    (zone.iana_name() == Some(name) && !matches!(name, "Etc/Unknown" | "Factory" | "posixrules")).then_some(zone)
}

/// A moment in seconds since 1970. Those in years that the database does not reach have its first or last year's offsets.
fn timestamp(seconds: i64) -> Timestamp {
    let nearest = if seconds < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::from_second(seconds).unwrap_or(nearest)
}

/// The sign, hours, minutes and seconds of `+HH:MM` or `+HH:MM:SS`.
fn offset_parts(name: &str) -> Option<(i32, [i32; 3])> {
    let sign = match name.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let words: Vec<&str> = name[1..].split(':').collect();
    let two_digits = |word: &&str| word.len() == 2 && word.bytes().all(|byte| byte.is_ascii_digit());
    if !(2..=3).contains(&words.len()) || !words.iter().all(two_digits) {
        return None;
    }
    let part = |at: usize| words.get(at).map_or(Some(0), |word| word.parse().ok());
    Some((sign, [part(0)?, part(1)?, part(2)?]))
}

/// The seconds of an offset (`ZoneOffset.ofHoursMinutesSeconds`).
fn offset([hours, minutes, seconds]: [i32; 3]) -> Result<i32, String> {
    for (what, value, most) in [("hours", hours, 18), ("minutes", minutes, 59), ("seconds", seconds, 59)] {
        if value > most {
            return Err(format!(
                "Zone offset {what} not in valid range: value {value} is not in the range -{most} to {most}"
            ));
        }
    }
    if hours == 18 && minutes + seconds > 0 {
        return Err("Zone offset not in valid range: -18:00 to +18:00".to_owned());
    }
    Ok(hours * 3600 + minutes * 60 + seconds)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::java::calendar::day_of_civil;

    fn local(year: i64, month: u32, day: u32, hour: i64, minute: i64) -> i64 {
        day_of_civil(year, month, day) * 86_400 + hour * 3600 + minute * 60
    }

    #[test]
    fn names_are_those_that_java_knows() {
        for name in ["Europe/Berlin", "UTC", "GMT0", "Etc/GMT+12", "US/Pacific", "Asia/Calcutta", "CET", "Zulu"] {
            assert!(TimeZone::is_available(name) && TimeZone::of(name).is_ok(), "{name}");
        }
        for short in ["PST", "EST"] {
            assert!(TimeZone::is_available(short));
            assert_eq!(TimeZone::of(short), Err(format!("Unknown time-zone ID: {short}")));
        }
        for none in ["Mars/Olympus", "europe/berlin", "Factory", ""] {
            assert!(!TimeZone::is_available(none), "{none}");
        }
    }

    #[test]
    fn a_local_time_that_is_skipped_or_comes_twice_has_the_offset_from_before() {
        let zone = TimeZone::of("America/New_York").unwrap();
        let (summer, winter) = (-4 * 3600, -5 * 3600);
        for year in [2024, 2437] {
            let gap = (8..=14).find(|day| zone.offset_of_local(local(year, 3, *day, 12, 0)) == summer).unwrap();
            assert_eq!(zone.offset_of_local(local(year, 3, gap, 1, 59)), winter);
            assert_eq!(zone.offset_of_local(local(year, 3, gap, 2, 59)), winter);
            assert_eq!(zone.offset_of_local(local(year, 3, gap, 3, 0)), summer);
            assert_eq!(zone.offset_at(local(year, 3, gap, 6, 59)), winter);
            assert_eq!(zone.offset_at(local(year, 3, gap, 7, 0)), summer);
            let overlap = (1..=7).find(|day| zone.offset_of_local(local(year, 11, *day, 12, 0)) == winter).unwrap();
            assert_eq!(zone.offset_of_local(local(year, 11, overlap, 1, 59)), summer);
            assert_eq!(zone.offset_of_local(local(year, 11, overlap, 2, 0)), winter);
        }
        assert_eq!(zone.offset_of_local(local(1883, 11, 18, 11, 0)), -17_762);
        assert_eq!(zone.offset_of_local(i64::MIN / 1000), -17_762);
        assert_eq!(TimeZone::of("Europe/Dublin").unwrap().offset_of_local(local(2024, 7, 1, 0, 0)), 3600);
        assert_eq!(TimeZone::of("Australia/Sydney").unwrap().offset_of_local(local(2024, 1, 1, 0, 0)), 39_600);
    }

    #[test]
    fn offsets_are_zones() {
        assert_eq!(TimeZone::of("-03:30:15").unwrap().offset_at(0), -12_615);
        assert_eq!(TimeZone::of("+18:00").unwrap().offset_of_local(0), 64_800);
        for (wrong, message) in [
            ("+18:01", "Zone offset not in valid range: -18:00 to +18:00"),
            ("-19:00", "Zone offset hours not in valid range: value 19 is not in the range -18 to 18"),
            ("+01:60", "Zone offset minutes not in valid range: value 60 is not in the range -59 to 59"),
        ] {
            assert!(TimeZone::is_available(wrong));
            assert_eq!(TimeZone::of(wrong), Err(message.to_owned()));
        }
        for none in ["+8:00", "08:00", "+08", "+08:00:1", "+é:00"] {
            assert!(!TimeZone::is_available(none), "{none}");
        }
    }
}

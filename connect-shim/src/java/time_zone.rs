//! Time zones as `java.time.ZoneId` knows them: by a name of the tz database, or by an offset.
//!
//! `time_zones.txt` is what Java itself says of each zone, written by `TimeZoneTable.java`, which also tells how to read it.

use super::calendar::{civil_of_day, day_of_civil};

const TABLE: &str = include_str!("time_zones.txt");

/// 1900-01-01, from which the table counts.
const START: i64 = -2_208_988_800;

/// A zone's offsets from UTC, in seconds to the east, at all times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TimeZone {
    /// The offset before the first transition.
    oldest: i32,
    /// From when on, in seconds since 1970, which offset is in use.
    transitions: Vec<(i64, i32)>,
    /// What happens in each year after those.
    rules: Vec<Rule>,
}

/// A transition of every year (`ZoneOffsetTransitionRule`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rule {
    month: u32,
    /// The day of the month; below zero it counts from the month's end, so that -1 is the last one.
    day: i32,
    /// 1 is Monday: the first such on or behind the day, or the last on or before it if that counts from the end; 0 is the day.
    weekday: i64,
    /// Seconds since that day's midnight in UTC.
    seconds: i64,
    offset: i32,
}

impl TimeZone {
    /// Whether a name means something to `ZoneId` or to `java.util.TimeZone`, or is an offset such as `+08:00`.
    pub(crate) fn is_available(name: &str) -> bool {
        offset_parts(name).is_some() || described(name).is_some()
    }

    /// The zone of a name or an offset (`ZoneId.of`).
    ///
    /// # Errors
    /// Java's message for what is none.
    pub(crate) fn of(name: &str) -> Result<Self, String> {
        if let Some((sign, parts)) = offset_parts(name) {
            let oldest = sign * offset(parts)?;
            return Ok(Self { oldest, transitions: Vec::new(), rules: Vec::new() });
        }
        described(name).and_then(parse).ok_or_else(|| format!("Unknown time-zone ID: {name}"))
    }

    /// The offset at a moment, in seconds since 1970.
    pub(crate) fn offset_at(&self, moment: i64) -> i32 {
        self.offset_before(moment, |at, _, _| at)
    }

    /// The offset of a local time, given as seconds since 1970 as if it were in UTC. One that is skipped, or comes twice, has the
    /// offset from before (`ZoneRules.getOffset`).
    pub(crate) fn offset_of_local(&self, local: i64) -> i32 {
        self.offset_before(local, |at, before, after| at + i64::from(before.max(after)))
    }

    /// The offset that is in use before the first transition whose `place` lies behind `time`.
    fn offset_before(&self, time: i64, place: impl Fn(i64, i32, i32) -> i64) -> i32 {
        let mut before = self.oldest;
        // Far from its place no transition matters, whatever the offsets.
        let near = self.transitions.partition_point(|(at, _)| *at < time.saturating_sub(2 * 86_400));
        if let Some((_, offset)) = near.checked_sub(1).and_then(|last| self.transitions.get(last)) {
            before = *offset;
        }
        let mut last = None;
        let later = self.transitions[near..].iter().copied();
        for (at, after) in later {
            if time < place(at, before, after) {
                return before;
            }
            (before, last) = (after, Some(at));
        }
        let last = last.or_else(|| self.transitions.last().map(|(at, _)| *at)).unwrap_or(i64::MIN);
        for (at, after) in self.of_rules(time) {
            if at <= last {
                continue;
            }
            if time < place(at, before, after) {
                return before;
            }
            before = after;
        }
        before
    }

    /// The transitions by rules in the years around a time, in order.
    fn of_rules(&self, time: i64) -> impl Iterator<Item = (i64, i32)> + '_ {
        let (year, _, _) = civil_of_day(time.div_euclid(86_400));
        (year - 1..=year + 1).flat_map(|year| self.rules.iter().map(move |rule| (rule.moment(year), rule.offset)))
    }
}

impl Rule {
    fn moment(&self, year: i64) -> i64 {
        let weekday_of = |day: i64| (day + 3).rem_euclid(7) + 1;
        let day = if self.day < 0 {
            let (next_year, next) = if self.month == 12 { (year + 1, 1) } else { (year, self.month + 1) };
            let day = day_of_civil(next_year, next, 1) + i64::from(self.day);
            let back = (weekday_of(day) - self.weekday).rem_euclid(7);
            if self.weekday == 0 { day } else { day - back }
        } else {
            let day = day_of_civil(year, self.month, self.day.unsigned_abs());
            let ahead = (self.weekday - weekday_of(day)).rem_euclid(7);
            if self.weekday == 0 { day } else { day + ahead }
        };
        day * 86_400 + self.seconds
    }
}

/// What the table says of a name; `?` if it is one of those that only the old class knows.
fn described(name: &str) -> Option<&'static str> {
    let of = |name: &str| {
        let mut lines = TABLE.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once(' '));
        lines.find(|(known, _)| *known == name).map(|(_, described)| described)
    };
    let found = of(name)?;
    found.strip_prefix('=').map_or(Some(found), of)
}

fn parse(described: &str) -> Option<TimeZone> {
    let mut words = described.split(' ');
    let offsets: Vec<i32> = words.next()?.split(',').map(|one| one.parse().ok()).collect::<Option<_>>()?;
    let mut zone = TimeZone { oldest: *offsets.first()?, transitions: Vec::new(), rules: Vec::new() };
    for word in words {
        if word.contains(',') {
            zone.rules.push(parse_rule(word)?);
            continue;
        }
        let mut at = START;
        for one in word.split_inclusive(|letter: char| letter.is_ascii_uppercase()) {
            let (number, letter) = one.split_at(one.len() - 1);
            at += match number.strip_prefix('.') {
                Some(seconds) => i64::from_str_radix(seconds, 36).ok()?,
                None => i64::from_str_radix(number, 36).ok()? * 900,
            };
            zone.transitions.push((at, *offsets.get(usize::from(letter.bytes().next()? - b'A'))?));
        }
    }
    Some(zone)
}

fn parse_rule(word: &str) -> Option<Rule> {
    let mut numbers = word.split(',').map(|one| one.parse::<i64>().ok());
    let mut next = || numbers.next().flatten();
    Some(Rule {
        month: u32::try_from(next()?).ok()?,
        day: i32::try_from(next()?).ok()?,
        weekday: next()?,
        seconds: next()?,
        offset: i32::try_from(next()?).ok()?,
    })
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

    fn local(year: i64, month: u32, day: u32, hour: i64, minute: i64) -> i64 {
        day_of_civil(year, month, day) * 86_400 + hour * 3600 + minute * 60
    }

    #[test]
    fn every_zone_of_the_table_can_be_read() {
        let names = TABLE.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once(' '));
        let mut count = 0;
        for (name, described) in names {
            assert!(TimeZone::is_available(name), "{name}");
            assert_eq!(TimeZone::of(name).is_ok(), described != "?", "{name}");
            count += 1;
        }
        assert!(count > 600);
        assert!(!TimeZone::is_available("Mars/Olympus"));
        assert_eq!(TimeZone::of("PST"), Err("Unknown time-zone ID: PST".to_owned()));
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

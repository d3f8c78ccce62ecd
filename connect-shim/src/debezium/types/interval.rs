//! Intervals, as PostgreSQL writes them with `intervalstyle = postgres`.

/// An interval in the parts that it is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Interval {
    /// Years.
    pub(crate) years: i64,
    /// Months.
    pub(crate) months: i64,
    /// Days.
    pub(crate) days: i64,
    /// Hours.
    pub(crate) hours: i64,
    /// Minutes.
    pub(crate) minutes: i64,
    /// Seconds, in microseconds.
    pub(crate) micros: i64,
}

/// A month's mean length in days.
const DAYS_PER_MONTH: f64 = 365.25 / 12.0;

impl Interval {
    /// Reads `1 year 2 mons 3 days -04:05:06.789`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut interval = Self::default();
        let mut words = text.split_ascii_whitespace();
        while let Some(word) = words.next() {
            if word.contains(':') {
                interval.clock(word)?;
                continue;
            }
            let amount: i64 = word.parse().ok()?;
            match words.next()?.trim_end_matches('s') {
                "year" => interval.years = amount,
                "mon" => interval.months = amount,
                "day" => interval.days = amount,
                _ => return None,
            }
        }
        Some(interval)
    }

    fn clock(&mut self, word: &str) -> Option<()> {
        let (sign, word) = match word.strip_prefix('-') {
            Some(rest) => (-1, rest),
            None => (1, word.strip_prefix('+').unwrap_or(word)),
        };
        let mut parts = word.split(':');
        self.hours = sign * parts.next()?.parse::<i64>().ok()?;
        self.minutes = sign * parts.next()?.parse::<i64>().ok()?;
        let (seconds, fraction) = parts.next().map(|part| part.split_once('.').unwrap_or((part, "")))?;
        let fraction: i64 = format!("{fraction:0<6}").get(..6)?.parse().ok()?;
        self.micros = sign * (seconds.parse::<i64>().ok()?.checked_mul(1_000_000)? + fraction);
        Some(())
    }

    /// Its length in microseconds, with months of mean length, in Debezium's arithmetic of doubles.
    pub(crate) fn to_micros(self) -> i64 {
        let months = (self.years.wrapping_mul(12).wrapping_add(self.months)) as f64;
        let days = months * DAYS_PER_MONTH + self.days as f64;
        let seconds = (((days * 24.0 + self.hours as f64) * 60.0) + self.minutes as f64) * 60.0 + self.seconds();
        (seconds * 1e6) as i64
    }

    /// Its seconds with their fraction.
    fn seconds(self) -> f64 {
        (self.micros / 1_000_000) as f64 + (self.micros % 1_000_000) as f64 / 1e6
    }

    /// `P1Y2M3DT4H5M6.789S`, with all parts.
    pub(crate) fn to_iso(self) -> String {
        let sign = if self.micros < 0 { "-" } else { "" };
        let micros = self.micros.unsigned_abs();
        let mut seconds = format!("{sign}{}", micros / 1_000_000);
        let fraction = format!("{:06}", micros % 1_000_000);
        let fraction = fraction.trim_end_matches('0');
        if !fraction.is_empty() {
            seconds.push('.');
            seconds.push_str(fraction);
        }
        format!("P{}Y{}M{}DT{}H{}M{seconds}S", self.years, self.months, self.days, self.hours, self.minutes)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn every_part_counts() {
        let interval = Interval::parse("1 year 2 mons 3 days 04:05:06.789").unwrap();
        assert_eq!(interval.to_micros(), 37_091_106_789_000);
        assert_eq!(interval.to_iso(), "P1Y2M3DT4H5M6.789S");
        assert_eq!(Interval::parse("-1 days -00:00:00.000001").unwrap().to_micros(), -86_400_000_001);
        assert_eq!(Interval::parse("00:00:00").unwrap().to_iso(), "P0Y0M0DT0H0M0S");
        assert_eq!(Interval::parse("-178000000 years").unwrap().to_micros(), i64::MIN);
        assert_eq!(Interval::parse("1 fortnight"), None);
    }
}

//! Times as `java.text.SimpleDateFormat` formats and parses them, in UTC and in English.

use std::fmt::Write;

use super::calendar::{civil_of_day_in_either, day_of_civil_in_either};

const DAY: i64 = 86_400_000;
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// A pattern such as `yyyy-MM-dd'T'HH:mm:ss.SSSX`.
#[derive(Debug, Clone)]
pub struct DateFormat {
    pattern: String,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq)]
enum Part {
    Literal(String),
    /// A letter and how often it is repeated.
    Field(char, usize),
}

/// A moment taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Civil {
    /// The year; 0 is 1 BC.
    pub year: i64,
    /// 1 to 12.
    pub month: u32,
    /// 1 to 31.
    pub day: u32,
    /// Milliseconds since midnight.
    pub millis: i64,
}

impl Civil {
    /// A moment in UTC.
    pub fn of(epoch_millis: i64) -> Self {
        let days = epoch_millis.div_euclid(DAY);
        let (year, month, day) = civil_of_day_in_either(days);
        Self { year, month, day, millis: epoch_millis.rem_euclid(DAY) }
    }

    /// Milliseconds since 1970; `None` if that is beyond 64 bits.
    pub fn epoch_millis(self) -> Option<i64> {
        day_of_civil_in_either(self.year, self.month, i64::from(self.day)).checked_mul(DAY)?.checked_add(self.millis)
    }
}

impl DateFormat {
    /// Reads a pattern.
    ///
    /// # Errors
    /// What Java says of a letter that it does not know, or of a quote that is not closed.
    pub fn new(pattern: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut chars = pattern.chars().peekable();
        while let Some(next) = chars.next() {
            if next == '\'' {
                if chars.next_if_eq(&'\'').is_some() {
                    push_literal(&mut parts, '\'');
                    continue;
                }
                loop {
                    match chars.next() {
                        Some('\'') if chars.next_if_eq(&'\'').is_some() => push_literal(&mut parts, '\''),
                        Some('\'') => break,
                        Some(literal) => push_literal(&mut parts, literal),
                        None => return Err("Unterminated quote".to_owned()),
                    }
                }
            } else if next.is_ascii_alphabetic() {
                if !"yuMLdHhkKmsSEaXZzDG".contains(next) {
                    return Err(format!("Illegal pattern character '{next}'"));
                }
                let mut count = 1;
                while chars.next_if_eq(&next).is_some() {
                    count += 1;
                }
                parts.push(Part::Field(next, count));
            } else {
                push_literal(&mut parts, next);
            }
        }
        Ok(Self { pattern: pattern.to_owned(), parts })
    }

    /// The pattern.
    pub fn pattern(&self) -> &str {
        &self.pattern
    }

    /// A moment, given in milliseconds since 1970.
    pub fn format(&self, epoch_millis: i64) -> String {
        let time = Civil::of(epoch_millis);
        let mut out = String::new();
        for part in &self.parts {
            match part {
                Part::Literal(text) => out.push_str(text),
                Part::Field(letter, count) => format_field(&mut out, *letter, *count, time, epoch_millis),
            }
        }
        out
    }

    /// The moment that a text tells, in milliseconds since 1970; `None` if it is not of the pattern. What follows is
    /// ignored, as Java does.
    pub fn parse(&self, text: &str) -> Option<i64> {
        let mut reader =
            Reader { rest: text, time: Civil { year: 1970, month: 1, day: 1, millis: 0 }, ..Reader::default() };
        for (at, part) in self.parts.iter().enumerate() {
            match part {
                Part::Literal(literal) => reader.rest = reader.rest.strip_prefix(literal.as_str())?,
                Part::Field(letter, count) => {
                    let adjacent = matches!(self.parts.get(at + 1), Some(Part::Field(..)));
                    reader.field(*letter, *count, adjacent)?;
                }
            }
        }
        reader.finish()
    }
}

fn push_literal(parts: &mut Vec<Part>, literal: char) {
    match parts.last_mut() {
        Some(Part::Literal(text)) => text.push(literal),
        _ => parts.push(Part::Literal(literal.to_string())),
    }
}

/// Years before Christ are counted from 1.
fn year_of_era(year: i64) -> i64 {
    if year > 0 { year } else { 1 - year }
}

fn format_field(out: &mut String, letter: char, count: usize, time: Civil, epoch_millis: i64) {
    let hour = time.millis / 3_600_000;
    let mut number = |value: i64| {
        let _ = write!(out, "{value:0count$}");
    };
    match letter {
        'y' | 'u' if count == 2 => number(year_of_era(time.year).rem_euclid(100)),
        'y' | 'u' => number(year_of_era(time.year)),
        'M' | 'L' if count <= 2 => number(time.month.into()),
        'M' | 'L' => out.push_str(shortened(MONTHS[time.month as usize - 1], count)),
        'd' => number(time.day.into()),
        'D' => {
            let day = |month, day| day_of_civil_in_either(time.year, month, day);
            number(day(time.month, i64::from(time.day)) - day(1, 1) + 1);
        }
        'H' => number(hour),
        'k' => number(if hour == 0 { 24 } else { hour }),
        'K' => number(hour % 12),
        'h' => number(if hour % 12 == 0 { 12 } else { hour % 12 }),
        'm' => number(time.millis / 60_000 % 60),
        's' => number(time.millis / 1000 % 60),
        'S' => number(time.millis % 1000),
        'E' => {
            let weekday = (epoch_millis.div_euclid(DAY) + 4).rem_euclid(7);
            out.push_str(shortened(WEEKDAYS[usize::try_from(weekday).unwrap_or(0)], count));
        }
        'a' => out.push_str(if hour < 12 { "AM" } else { "PM" }),
        'X' => out.push('Z'),
        'Z' => out.push_str("+0000"),
        'z' => out.push_str("UTC"),
        _ => out.push_str(if time.year > 0 { "AD" } else { "BC" }),
    }
}

fn shortened(name: &str, count: usize) -> &str {
    if count < 4 { &name[..3] } else { name }
}

/// What was read of a text so far.
#[derive(Default)]
struct Reader<'t> {
    rest: &'t str,
    time: Civil,
    afternoon: Option<bool>,
    half_day_hour: Option<i64>,
    offset_minutes: i64,
    /// Days behind the first of the month, which may run beyond its end.
    days: i64,
}

impl Default for Civil {
    fn default() -> Self {
        Self { year: 1970, month: 1, day: 1, millis: 0 }
    }
}

impl Reader<'_> {
    fn field(&mut self, letter: char, count: usize, adjacent: bool) -> Option<()> {
        match letter {
            'M' | 'L' if count > 2 => self.time.month = self.name(&MONTHS)? + 1,
            'E' => drop(self.name(&WEEKDAYS)?),
            'a' => self.afternoon = Some(self.name(&["AM ", "PM "])? == 1),
            'X' | 'Z' | 'z' => self.zone()?,
            'G' => drop(self.name(&["AD ", "BC "])?),
            _ => {
                let number = self.number(if adjacent { count } else { 18 })?;
                self.set(letter, count, number)?;
            }
        }
        Some(())
    }

    fn set(&mut self, letter: char, count: usize, number: i64) -> Option<()> {
        match letter {
            'y' | 'u' if count == 2 && (0..100).contains(&number) => {
                self.time.year = if number < 50 { 2000 + number } else { 1900 + number }
            }
            'y' | 'u' => self.time.year = (-300_000_000..300_000_000).contains(&number).then_some(number)?,
            'M' | 'L' => {
                // A lenient calendar counts on into the next years.
                let months = (-1_000_000..1_000_000).contains(&number).then_some(number - 1)?;
                self.time.year += months.div_euclid(12);
                self.time.month = u32::try_from(months.rem_euclid(12)).ok()? + 1;
            }
            'd' | 'D' => self.days = self.days.checked_add(number - 1)?,
            'H' => self.add(number, 3_600_000)?,
            'k' => self.add(number % 24, 3_600_000)?,
            'h' | 'K' => self.half_day_hour = Some(number % 12),
            'm' => self.add(number, 60_000)?,
            's' => self.add(number, 1000)?,
            _ => self.add(number, 1)?,
        }
        Some(())
    }

    fn add(&mut self, number: i64, unit: i64) -> Option<()> {
        self.time.millis = self.time.millis.checked_add(number.checked_mul(unit)?)?;
        Some(())
    }

    fn number(&mut self, most: usize) -> Option<i64> {
        let negative = self.rest.starts_with('-');
        let digits = if negative { &self.rest[1..] } else { self.rest };
        let length = digits.bytes().take(most).take_while(u8::is_ascii_digit).count();
        let value: i64 = digits[..length].parse().ok()?;
        self.rest = &digits[length..];
        Some(if negative { -value } else { value })
    }

    fn name(&mut self, names: &[&str]) -> Option<u32> {
        for (at, name) in names.iter().enumerate() {
            for form in [name.trim_end(), name[..3].trim_end()] {
                if self.rest.get(..form.len()).is_some_and(|start| start.eq_ignore_ascii_case(form)) {
                    self.rest = &self.rest[form.len()..];
                    return u32::try_from(at).ok();
                }
            }
        }
        None
    }

    fn zone(&mut self) -> Option<()> {
        for name in ["UTC", "GMT", "Z"] {
            if let Some(rest) = self.rest.strip_prefix(name) {
                self.rest = rest;
                return Some(());
            }
        }
        let sign = if self.rest.starts_with('-') { -1 } else { 1 };
        self.rest = self.rest.strip_prefix(['+', '-'])?;
        let hours = self.number(2)?;
        self.rest = self.rest.strip_prefix(':').unwrap_or(self.rest);
        let minutes = self.number(2).unwrap_or(0);
        self.offset_minutes = sign * (hours * 60 + minutes);
        Some(())
    }

    fn finish(mut self) -> Option<i64> {
        if let Some(hour) = self.half_day_hour {
            self.add(hour + if self.afternoon == Some(true) { 12 } else { 0 }, 3_600_000)?;
        }
        let days = i64::from(self.time.day).checked_add(self.days).filter(|days| days.unsigned_abs() < 1 << 40)?;
        let day = day_of_civil_in_either(self.time.year, self.time.month, days);
        day.checked_mul(DAY)?.checked_add(self.time.millis)?.checked_sub(self.offset_minutes * 60_000)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_moment_is_formatted_and_read_back() {
        let cases = [
            ("yyyy-MM-dd'T'HH:mm:ss.SSS'Z'", "2024-02-29T23:59:58.007Z"),
            ("yyyyMMdd HHmmssSSS", "20240229 235958007"),
            ("EEE, d MMM yyyy hh:mm:ss.SSS a X", "Thu, 29 Feb 2024 11:59:58.007 PM Z"),
        ];
        let format = |pattern| DateFormat::new(pattern).unwrap();
        for (pattern, text) in cases {
            assert_eq!(format(pattern).format(1_709_251_198_007), text);
            assert_eq!(format(pattern).parse(text), Some(1_709_251_198_007), "{pattern}");
        }
        assert_eq!(format("yyyyMMdd").format(0), "19700101");
        assert_eq!(format("yyyy-MM-dd HH:mm:ssZ").parse("1970-01-01 02:00:00+0200"), Some(0));
        assert_eq!(format("yyyy").parse("no year"), None);
        assert!(DateFormat::new("Q").is_err());
    }

    proptest::proptest! {
        #[test]
        fn dates_read_back(millis in -60_000_000_000_000_i64..250_000_000_000_000) {
            let format = DateFormat::new("yyyy-MM-dd HH:mm:ss.SSS").unwrap();
            proptest::prop_assert_eq!(format.parse(&format.format(millis)), Some(millis));
        }

        #[test]
        fn no_text_panics(pattern in "[yMdHhmsSEaXZz' -]{0,12}", text in ".{0,20}") {
            if let Ok(format) = DateFormat::new(&pattern) {
                let _ = format.parse(&text);
            }
        }
    }
}

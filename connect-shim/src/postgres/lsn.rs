//! Places in the write-ahead log.

use std::fmt;
use std::str::FromStr;

/// A place in the write-ahead log, as `pg_lsn` has it. In Connect's offsets it is a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Lsn(pub u64);

impl Lsn {
    /// Whether it is a place at all: zero is none.
    pub fn is_valid(self) -> bool {
        self.0 != 0
    }

    /// As Connect's offsets and Debezium's events hold it.
    pub fn as_i64(self) -> i64 {
        self.0.cast_signed()
    }
}

impl From<i64> for Lsn {
    fn from(value: i64) -> Self {
        Self(value.cast_unsigned())
    }
}

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:X}/{:X}", self.0 >> 32, self.0 & 0xFFFF_FFFF)
    }
}

/// The text is not two hexadecimal numbers with a slash between them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a place in the write-ahead log")]
pub struct NotAnLsn(String);

impl FromStr for Lsn {
    type Err = NotAnLsn;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parsed = text.split_once('/').and_then(|(high, low)| {
            let high = u32::from_str_radix(high, 16).ok()?;
            let low = u32::from_str_radix(low, 16).ok()?;
            Some(Self((u64::from(high) << 32) | u64::from(low)))
        });
        parsed.ok_or_else(|| NotAnLsn(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn text_and_number_are_the_same_place() {
        let lsn: Lsn = "16/B374D848".parse().unwrap();
        assert_eq!(lsn.0, 0x16_B374_D848);
        assert_eq!(lsn.to_string(), "16/B374D848");
        assert_eq!(Lsn::from(lsn.as_i64()), lsn);
        assert!("16-B374D848".parse::<Lsn>().is_err());
        assert!("16/".parse::<Lsn>().is_err());
    }
}

//! Decimal numbers as texts, and as Connect's `Decimal` has them: an unscaled integer in two's complement, big-endian.
//!
//! PostgreSQL's numbers have up to 131072 digits before the point; nothing here is rounded.

use bytes::Bytes;

/// A decimal number: `digits` × 10^-`scale`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Decimal {
    negative: bool,
    /// ASCII, without leading zeros; zero has none.
    digits: Vec<u8>,
    scale: i32,
}

/// How many digits a number may be blown up to by the scale of its column.
const MAX_DIGITS: usize = 200_000;

impl Decimal {
    /// Reads `-123.450`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (negative, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.len() + fraction.len() == 0 || !all_digits(whole) || !all_digits(fraction) {
            return None;
        }
        let digits = whole.bytes().chain(fraction.bytes()).skip_while(|digit| *digit == b'0').collect();
        Some(Self { negative, digits, scale: i32::try_from(fraction.len()).ok()? })
    }

    /// How many digits stand behind the point.
    pub(crate) fn scale(&self) -> i32 {
        self.scale
    }

    /// The same number with another scale; `None` if digits would be lost.
    pub(crate) fn with_scale(mut self, scale: i32) -> Option<Self> {
        while self.scale > scale {
            match self.digits.last() {
                None => self.scale = scale,
                Some(b'0') => {
                    self.digits.pop();
                    self.scale -= 1;
                }
                Some(_) => return None,
            }
        }
        let missing = usize::try_from(scale - self.scale).ok()?;
        if !self.digits.is_empty() {
            if self.digits.len() + missing > MAX_DIGITS {
                return None;
            }
            self.digits.resize(self.digits.len() + missing, b'0');
        }
        self.scale = scale;
        Some(self)
    }

    /// The same number with another scale, rounded away from zero where it stands in the middle.
    pub(crate) fn rounded(mut self, scale: i32) -> Option<Self> {
        if let Ok(cut) = usize::try_from(self.scale - scale)
            && cut > 0
        {
            let kept = self.digits.len().saturating_sub(cut);
            let up = self.digits.len() >= cut && self.digits.get(kept).is_some_and(|digit| *digit >= b'5');
            self.digits.truncate(kept);
            self.scale = scale;
            if up {
                let nines = self.digits.iter().rev().take_while(|digit| **digit == b'9').count();
                let place = self.digits.len() - nines;
                self.digits[place..].fill(b'0');
                match place.checked_sub(1) {
                    Some(before) => self.digits[before] += 1,
                    None => self.digits.insert(0, b'1'),
                }
            }
        }
        self.with_scale(scale)
    }

    /// The same number with as few digits as it needs behind the point.
    pub(crate) fn without_trailing_zeros(mut self) -> Self {
        while self.scale > 0 && self.digits.last() == Some(&b'0') {
            self.digits.pop();
            self.scale -= 1;
        }
        if self.digits.is_empty() {
            self.scale = 0;
        }
        self
    }

    /// The nearest double.
    pub(crate) fn to_f64(&self) -> f64 {
        self.to_plain_string().parse().unwrap_or(f64::NAN)
    }

    /// Without an exponent, with all digits of its scale.
    pub(crate) fn to_plain_string(&self) -> String {
        let scale = usize::try_from(self.scale).unwrap_or(0);
        let mut text = String::with_capacity(self.digits.len().max(scale) + 3);
        if self.negative && !self.digits.is_empty() {
            text.push('-');
        }
        let whole = self.digits.len().saturating_sub(scale);
        if whole == 0 {
            text.push('0');
        }
        for (index, digit) in self.digits.iter().enumerate() {
            if index == whole {
                text.push('.');
                text.extend(std::iter::repeat_n('0', scale.saturating_sub(self.digits.len())));
            }
            text.push(char::from(*digit));
        }
        if self.digits.is_empty() && scale > 0 {
            text.push('.');
            text.extend(std::iter::repeat_n('0', scale));
        }
        text
    }

    /// The unscaled integer as `BigInteger.toByteArray` has it: as few bytes as hold its sign.
    pub(crate) fn unscaled(&self) -> Bytes {
        // Nine digits at a time into limbs of 32 bits, least significant first.
        let mut limbs: Vec<u32> = Vec::with_capacity(self.digits.len() / 9 + 1);
        for chunk in self.digits.chunks(9) {
            let mut carry = chunk.iter().fold(0u64, |sum, digit| sum * 10 + u64::from(digit - b'0'));
            let factor = 10u64.pow(u32::try_from(chunk.len()).unwrap_or(9));
            for limb in &mut limbs {
                let product = u64::from(*limb) * factor + carry;
                *limb = (product & 0xFFFF_FFFF) as u32;
                carry = product >> 32;
            }
            if carry > 0 {
                limbs.push(carry as u32);
            }
        }
        let mut bytes: Vec<u8> = limbs.iter().rev().flat_map(|limb| limb.to_be_bytes()).collect();
        bytes.insert(0, 0);
        if self.negative {
            // Two's complement: invert and add one.
            let mut carry = true;
            for byte in bytes.iter_mut().rev() {
                let (sum, overflow) = (!*byte).overflowing_add(u8::from(carry));
                *byte = sum;
                carry = overflow;
            }
        }
        let needless =
            |pair: &[u8]| matches!(pair, [0, next] if *next < 0x80) || matches!(pair, [0xFF, next] if *next >= 0x80);
        let skip = bytes.windows(2).take_while(|pair| needless(pair)).count();
        Bytes::from(bytes.split_off(skip))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    fn unscaled(text: &str) -> Vec<u8> {
        Decimal::parse(text).unwrap().unscaled().to_vec()
    }

    #[test]
    fn integers_are_as_short_as_their_sign_allows() {
        assert_eq!(unscaled("0"), [0]);
        assert_eq!(unscaled("-0.00"), [0]);
        assert_eq!(unscaled("1.25"), [125]);
        assert_eq!(unscaled("128"), [0, 128]);
        assert_eq!(unscaled("-128"), [128]);
        assert_eq!(unscaled("-1"), [255]);
        assert_eq!(unscaled("92233720368547758.07"), [0x7F, 255, 255, 255, 255, 255, 255, 255]);
    }

    #[test]
    fn scales_are_changed_without_loss_or_not_at_all() {
        let number = || Decimal::parse("12.50").unwrap();
        assert_eq!(number().with_scale(4).unwrap().to_plain_string(), "12.5000");
        assert_eq!(number().with_scale(1).unwrap().to_plain_string(), "12.5");
        assert_eq!(number().with_scale(0), None);
        assert_eq!(number().without_trailing_zeros().to_plain_string(), "12.5");
        assert_eq!(Decimal::parse("0.00").unwrap().without_trailing_zeros().scale(), 0);
        assert_eq!(Decimal::parse("0.00100").unwrap().to_plain_string(), "0.00100");
        assert_eq!(Decimal::parse("100").unwrap().without_trailing_zeros().to_plain_string(), "100");
    }

    #[test]
    fn digits_are_rounded_away() {
        let rounded = |text: &str, scale| Decimal::parse(text).unwrap().rounded(scale).unwrap().to_plain_string();
        assert_eq!(rounded("1234.56", 1), "1234.6");
        assert_eq!(rounded("-99.95", 1), "-100.0");
        assert_eq!(rounded("0.04", 1), "0.0");
        assert_eq!(rounded("0.05", 1), "0.1");
        assert_eq!(rounded("0.5", 0), "1");
        assert_eq!(rounded("1.5", 3), "1.500");
    }

    proptest! {
        #[test]
        fn the_integer_is_the_number(value: i128) {
            let bytes = Decimal::parse(&value.to_string()).unwrap().unscaled();
            let mut wide = [if value < 0 { 0xFF } else { 0 }; 16];
            wide[16 - bytes.len()..].copy_from_slice(&bytes);
            prop_assert_eq!(i128::from_be_bytes(wide), value);
        }

        #[test]
        fn text_goes_through(whole in "(0|[1-9][0-9]{0,30})", fraction in "[0-9]{0,30}") {
            let text = if fraction.is_empty() { whole } else { format!("{whole}.{fraction}") };
            prop_assert_eq!(Decimal::parse(&text).unwrap().to_plain_string(), text);
        }

        #[test]
        fn any_text_is_read_or_refused(text: String) {
            let _ = Decimal::parse(&text);
        }
    }
}

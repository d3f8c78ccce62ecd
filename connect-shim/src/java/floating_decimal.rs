//! The decimal digits that Java up to 18 gives a floating-point number (`jdk.internal.math.FloatingDecimal`): enough of them
//! to read the number back, but not always the fewest. What later Javas print reads back to the same number.

use std::cmp::Ordering;

/// Digits, of which the first stands before the point, and a power of ten. The number is positive and finite.
pub(super) fn digits_of_double(value: f64) -> (String, i32) {
    let bits = value.to_bits();
    normalised(bits & ((1 << 52) - 1), (bits >> 52) as i32, 52, 1023)
}

/// The same of a float.
pub(super) fn digits_of_float(value: f32) -> (String, i32) {
    let bits = u64::from(value.to_bits());
    normalised(bits & ((1 << 23) - 1), (bits >> 23) as i32, 23, 127)
}

fn normalised(fraction: u64, exponent: i32, width: u32, bias: i32) -> (String, i32) {
    let (fraction, exponent, significant) = if exponent == 0 {
        let shift = width + 1 - (64 - fraction.leading_zeros());
        (fraction << shift, 1 - shift as i32, width as i32 + 1 - shift as i32)
    } else {
        (fraction | 1 << width, exponent, width as i32 + 1)
    };
    develop(fraction << (52 - width), exponent - bias, significant)
}

/// How many bits a power of five has.
fn bits_of_five(power: i32) -> i32 {
    const BITS: [i32; 27] =
        [0, 3, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28, 31, 33, 35, 38, 40, 42, 45, 47, 49, 52, 54, 56, 59, 61];
    usize::try_from(power).ok().and_then(|power| BITS.get(power)).copied().unwrap_or(power * 3)
}

/// `fraction` has 53 bits; the number is `fraction / 2^52 * 2^exponent`, of which so many bits are significant.
fn develop(fraction: u64, exponent: i32, significant: i32) -> (String, i32) {
    let tail_zeros = fraction.trailing_zeros() as i32;
    let fraction_bits = 53 - tail_zeros;
    let tiny_bits = (fraction_bits - exponent - 1).max(0);
    if (-21..=62).contains(&exponent) && tiny_bits == 0 && fraction_bits < 64 {
        let insignificant = if exponent > significant { insignificant_digits(exponent - significant - 1) } else { 0 };
        let whole = if exponent >= 52 { fraction << (exponent - 52) } else { fraction >> (52 - exponent) };
        return of_integer(whole, insignificant);
    }
    let mut decimal = estimate(fraction, exponent);
    let fives = (-decimal).max(0);
    let mut twos = fives + tiny_bits + exponent;
    let scale_fives = decimal.max(0);
    let mut scale_twos = scale_fives + tiny_bits;
    let margin_fives = fives;
    let mut margin_twos = twos - significant;
    twos -= fraction_bits - 1;
    let common = twos.min(scale_twos);
    (twos, scale_twos, margin_twos) = (twos - common, scale_twos - common, margin_twos - common);
    if fraction_bits == 1 {
        margin_twos -= 1;
    }
    if margin_twos < 0 {
        (twos, scale_twos, margin_twos) = (twos - margin_twos, scale_twos - margin_twos, 0);
    }
    let fraction = fraction >> tail_zeros;
    let value_bits = fraction_bits + twos + bits_of_five(fives);
    let tens_bits = scale_twos + 1 + bits_of_five(scale_fives + 1);
    let mut remainder = match value_bits.max(tens_bits) {
        64.. => Remainder::Large {
            value: Big::scaled(fraction, fives, twos),
            scale: Big::scaled(1, scale_fives, scale_twos),
            margin: Big::scaled(1, margin_fives, margin_twos),
            tens: Big::scaled(10, scale_fives, scale_twos),
        },
        bits => {
            let scale = 5i64.pow(scale_fives.unsigned_abs()) << scale_twos;
            Remainder::Small {
                narrow: bits < 32,
                value: (fraction as i64).wrapping_mul(5i64.pow(fives.unsigned_abs())) << twos,
                scale,
                margin: 5i64.pow(margin_fives.unsigned_abs()) << margin_twos,
                tens: scale.wrapping_mul(10),
            }
        }
    };
    let mut digits: Vec<u8> = Vec::with_capacity(20);
    let (digit, mut low, mut high) = remainder.next();
    if digit == 0 && !high {
        decimal -= 1;
    } else {
        digits.push(digit);
    }
    // A number with an exponent has two digits at least.
    if !(-3..8).contains(&decimal) {
        (low, high) = (false, false);
    }
    while !low && !high {
        let digit;
        (digit, low, high) = remainder.next();
        digits.push(digit);
    }
    let up = match (low, remainder.against_half()) {
        (false, _) | (true, Ordering::Greater) => true,
        (true, Ordering::Equal) => digits.last().is_some_and(|digit| digit % 2 == 1),
        (true, Ordering::Less) => false,
    };
    if high && up {
        round_up(&mut digits, &mut decimal);
    }
    finished(digits, decimal)
}

/// What is left of a number while its digits are taken off, with half the distance to its neighbours.
#[allow(clippy::large_enum_variant)] // one of them lives at a time, on the stack
enum Remainder {
    /// Java counts in 32 or in 64 bits, which may overflow.
    Small { narrow: bool, value: i64, scale: i64, margin: i64, tens: i64 },
    /// It counts in as many as are needed, and compares in another way.
    Large { value: Big, scale: Big, margin: Big, tens: Big },
}

impl Remainder {
    /// The next digit, and whether what is left is nearer to zero, or to one more, than to the number's neighbours.
    fn next(&mut self) -> (u8, bool, bool) {
        match self {
            Self::Small { narrow, value, scale, margin, tens } => {
                let wrap = |number: i64| if *narrow { i64::from(number as i32) } else { number };
                let digit = (*value / *scale) as u8;
                *value = wrap((*value % *scale).wrapping_mul(10));
                *margin = wrap(margin.wrapping_mul(10));
                if *margin <= 0 {
                    return (digit, true, true);
                }
                (digit, *value < *margin, wrap(value.wrapping_add(*margin)) > *tens)
            }
            Self::Large { value, scale, margin, tens } => {
                let digit = value.divide(scale);
                value.times(10);
                margin.times(10);
                let high = value.plus(margin).compare(tens) != Ordering::Less;
                (digit, value.compare(margin) == Ordering::Less, high)
            }
        }
    }

    /// How what is left compares with a half.
    fn against_half(&self) -> Ordering {
        match self {
            Self::Small { narrow, value, tens, .. } => {
                let double = value.wrapping_mul(2).wrapping_sub(*tens);
                if *narrow { i64::from(double as i32).cmp(&0) } else { double.cmp(&0) }
            }
            Self::Large { value, tens, .. } => value.plus(value).compare(tens),
        }
    }
}

fn finished(digits: Vec<u8>, decimal: i32) -> (String, i32) {
    (digits.into_iter().map(|digit| char::from(b'0' + digit)).collect(), decimal)
}

fn round_up(digits: &mut [u8], decimal: &mut i32) {
    let nines = digits.iter().rev().take_while(|digit| **digit == 9).count();
    let place = digits.len() - nines;
    digits[place..].fill(0);
    match place.checked_sub(1) {
        Some(before) => digits[before] += 1,
        None => {
            digits[0] = 1;
            *decimal += 1;
        }
    }
}

/// How many of an integer's last decimal digits its bits do not tell, of which so many are missing.
fn insignificant_digits(bits: i32) -> u32 {
    if bits > 1 { (bits as u32 * 30_103) / 100_000 } else { 0 }
}

fn of_integer(mut whole: u64, insignificant: u32) -> (String, i32) {
    let power = 10u64.pow(insignificant);
    let rest = whole % power;
    whole /= power;
    if insignificant > 0 && rest >= power / 2 {
        whole += 1;
    }
    let text = whole.to_string();
    let exponent = text.len() as i32 - 1 + insignificant as i32;
    let short = text.trim_end_matches('0');
    (if short.is_empty() { "0" } else { short }.to_owned(), exponent)
}

/// The power of ten that the first digit is likely to have, by the numbers of Java.
#[allow(clippy::approx_constant)]
fn estimate(fraction: u64, exponent: i32) -> i32 {
    let one_to_two = f64::from_bits(1023 << 52 | (fraction & ((1 << 52) - 1)));
    let guess = (one_to_two - 1.5) * 0.289_529_654 + 0.176_091_259 + f64::from(exponent) * 0.301_029_995_663_981;
    guess.floor() as i32
}

/// How many times 32 bits the largest number needs.
const LIMBS: usize = 40;

/// A natural number, the lowest 32 bits first.
#[derive(Debug, Clone)]
struct Big {
    limbs: [u32; LIMBS],
    /// How many limbs may be other than zero.
    length: usize,
}

impl Big {
    /// `value * 5^fives * 2^twos`.
    fn scaled(value: u64, fives: i32, twos: i32) -> Self {
        let twos = twos.unsigned_abs();
        let low = (twos as usize / 32).min(LIMBS - 2);
        let mut big = Self { limbs: [0; LIMBS], length: low + 2 };
        big.limbs[low] = value as u32;
        big.limbs[low + 1] = (value >> 32) as u32;
        for _ in 0..fives / 13 {
            big.times(1_220_703_125);
        }
        big.times(5u32.pow(fives.unsigned_abs() % 13));
        big.times(1 << (twos % 32));
        big
    }

    fn times(&mut self, factor: u32) {
        let mut carry = 0u64;
        for limb in &mut self.limbs[..self.length] {
            carry += u64::from(*limb) * u64::from(factor);
            *limb = carry as u32;
            carry >>= 32;
        }
        self.push(carry as u32);
    }

    fn push(&mut self, carry: u32) {
        if carry > 0 && self.length < LIMBS {
            self.limbs[self.length] = carry;
            self.length += 1;
        }
    }

    fn compare(&self, other: &Self) -> Ordering {
        let length = self.length.max(other.length);
        self.limbs[..length].iter().rev().cmp(other.limbs[..length].iter().rev())
    }

    fn plus(&self, other: &Self) -> Self {
        let mut sum = self.clone();
        sum.length = self.length.max(other.length);
        let mut carry = 0u64;
        for (limb, added) in sum.limbs[..sum.length].iter_mut().zip(&other.limbs) {
            carry += u64::from(*limb) + u64::from(*added);
            *limb = carry as u32;
            carry >>= 32;
        }
        sum.push(carry as u32);
        sum
    }

    /// The quotient, which is a digit; the rest stays.
    fn divide(&mut self, by: &Self) -> u8 {
        let mut quotient = 0;
        while self.compare(by) != Ordering::Less {
            let mut borrow = 0i64;
            for (limb, taken) in self.limbs[..self.length].iter_mut().zip(&by.limbs) {
                let difference = i64::from(*limb) - i64::from(*taken) + borrow;
                *limb = difference as u32;
                borrow = difference >> 32;
            }
            quotient += 1;
        }
        quotient
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    fn of(digits: &str, exponent: i32) -> (String, i32) {
        (digits.to_owned(), exponent)
    }

    #[test]
    fn digits_are_those_of_java_17() {
        assert_eq!(digits_of_double(0.1), of("1", -1));
        assert_eq!(digits_of_double(2e23), of("19999999999999998", 23));
        assert_eq!(digits_of_double(1e23), of("9999999999999999", 22));
        assert_eq!(digits_of_double(5e-324), of("49", -324));
        assert_eq!(digits_of_double(1.797_693_134_862_315_7e308), of("17976931348623157", 308));
        assert_eq!(digits_of_float(1.1), of("11", 0));
        assert_eq!(digits_of_float(123_456_789.0), of("123456792", 8));
        assert_eq!(digits_of_float(5.638_2e11), of("56381997", 11));
        assert_eq!(digits_of_float(16_777_216.0), of("16777216", 7));
        assert_eq!(digits_of_float(2f32.powi(83)), of("96714065", 24));
        assert_eq!(digits_of_float(1e-40), of("10", -40));
    }

    proptest! {
        #[test]
        fn doubles_read_back(bits: u64) {
            let value = f64::from_bits(bits & !(1 << 63));
            prop_assume!(value.is_finite() && value != 0.0);
            let (digits, exponent) = digits_of_double(value);
            let text = format!("{digits}e{}", exponent - (digits.len() as i32 - 1));
            prop_assert_eq!(text.parse::<f64>().unwrap(), value);
        }

        #[test]
        fn floats_read_back(bits: u32) {
            let value = f32::from_bits(bits & !(1 << 31));
            prop_assume!(value.is_finite() && value != 0.0);
            let (digits, exponent) = digits_of_float(value);
            let text = format!("{digits}e{}", exponent - (digits.len() as i32 - 1));
            prop_assert_eq!(text.parse::<f32>().unwrap(), value);
        }
    }
}

//! Decimals of any length: an unscaled integer in big-endian two's complement and a scale (`java.math.BigDecimal`).

/// The text of a decimal as `BigDecimal.toString` has it: with an exponent if the scale is negative or the number very small.
pub fn to_text(unscaled: &[u8], scale: i32) -> String {
    let (negative, digits) = digits_of(unscaled);
    let mut out = String::with_capacity(digits.len() + 4);
    if negative {
        out.push('-');
    }
    let length = i64::try_from(digits.len()).unwrap_or(i64::MAX);
    let adjusted = length - 1 - i64::from(scale);
    if scale >= 0 && adjusted >= -6 {
        write_plain(&mut out, &digits, scale.unsigned_abs() as usize);
        return out;
    }
    out.push_str(&digits[..1]);
    if digits.len() > 1 {
        out.push('.');
        out.push_str(&digits[1..]);
    }
    if adjusted != 0 {
        out.push('E');
        if adjusted > 0 {
            out.push('+');
        }
        out.push_str(&adjusted.to_string());
    }
    out
}

fn write_plain(out: &mut String, digits: &str, scale: usize) {
    if scale == 0 {
        out.push_str(digits);
    } else if digits.len() > scale {
        out.push_str(&digits[..digits.len() - scale]);
        out.push('.');
        out.push_str(&digits[digits.len() - scale..]);
    } else {
        out.push_str("0.");
        out.extend(std::iter::repeat_n('0', scale - digits.len()));
        out.push_str(digits);
    }
}

/// The unscaled integer, in as few bytes of big-endian two's complement as hold it, of a decimal's text at a scale; `None`
/// if it is no decimal, or has more digits behind the point than that.
pub fn unscaled(text: &str, scale: i32) -> Option<Vec<u8>> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let scale = usize::try_from(scale).ok()?;
    let fraction = fraction
        .get(..scale.min(fraction.len()))
        .filter(|kept| fraction[kept.len()..].bytes().all(|digit| digit == b'0'))?;
    if whole.len() + fraction.len() == 0 || whole.len() + scale > 4096 {
        return None;
    }
    let mut size: Vec<u8> = vec![0];
    let padding = std::iter::repeat_n('0', scale - fraction.len());
    for digit in whole.chars().chain(fraction.chars()).chain(padding) {
        let mut carry = digit.to_digit(10)?;
        for byte in size.iter_mut().rev() {
            carry += u32::from(*byte) * 10;
            *byte = (carry & 0xff) as u8;
            carry >>= 8;
        }
        if carry > 0 {
            size.insert(0, carry as u8);
        }
    }
    size.insert(0, 0);
    if negative {
        negate(&mut size);
    }
    while size.len() > 1 && matches!((size[0], size[1] & 0x80), (0, 0) | (0xff, 0x80)) {
        size.remove(0);
    }
    Some(size)
}

/// `BigDecimal.hashCode` of an integer in big-endian two's complement and its scale.
pub(crate) fn hash_code(unscaled: &[u8], scale: i32) -> i32 {
    let (negative, size) = size_of(unscaled);
    let word = |bytes: &[u8]| bytes.iter().fold(0u32, |word, byte| word << 8 | u32::from(*byte));
    let words = size.rchunks(4).rev().map(word);
    let hash = words.fold(0i32, |hash, word| hash.wrapping_mul(31).wrapping_add(word.cast_signed()));
    let hash = if negative { hash.wrapping_neg() } else { hash };
    hash.wrapping_mul(31).wrapping_add(scale)
}

/// Whether an integer in two's complement is negative, and the bytes of its size.
fn size_of(bytes: &[u8]) -> (bool, Vec<u8>) {
    let negative = bytes.first().is_some_and(|first| first & 0x80 != 0);
    let mut size = bytes.to_vec();
    if negative {
        negate(&mut size);
    }
    (negative, size)
}

/// Whether an integer in two's complement is negative, and the decimal digits of its size.
fn digits_of(bytes: &[u8]) -> (bool, String) {
    let (negative, size) = size_of(bytes);
    let mut limbs: Vec<u32> = vec![0];
    for byte in size {
        let mut carry = u64::from(byte);
        for limb in &mut limbs {
            carry += u64::from(*limb) << 8;
            *limb = (carry % 1_000_000_000) as u32;
            carry /= 1_000_000_000;
        }
        if carry > 0 {
            limbs.push(carry as u32);
        }
    }
    let mut limbs = limbs.into_iter().rev();
    let mut digits = limbs.next().unwrap_or(0).to_string();
    for limb in limbs {
        digits.push_str(&format!("{limb:09}"));
    }
    (negative, digits)
}

fn negate(bytes: &mut [u8]) {
    let mut carry = true;
    for byte in bytes.iter_mut().rev() {
        let (flipped, overflow) = (!*byte).overflowing_add(u8::from(carry));
        *byte = flipped;
        carry = overflow;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_those_of_big_decimal() {
        assert_eq!(to_text(&[0xcf, 0xc7], 2), "-123.45");
        assert_eq!(to_text(&[0x01], 0), "1");
        assert_eq!(to_text(&[0x00], 2), "0.00");
        assert_eq!(to_text(&[0x05], 3), "0.005");
        assert_eq!(to_text(&[0x05], 7), "5E-7");
        assert_eq!(to_text(&[0x7b], -3), "1.23E+5");
        assert_eq!(to_text(&[0x00, 0xab, 0x54, 0xa9, 0x8c, 0xeb, 0x1f, 0x0a, 0xd2], 0), "12345678901234567890");
        assert_eq!(to_text(&[0x80], 0), "-128");
        assert_eq!(to_text(&[], 0), "0");
    }

    #[test]
    fn a_text_is_brought_to_a_scale() {
        assert_eq!(unscaled("-123.45", 2), Some(vec![0xcf, 0xc7]));
        assert_eq!(unscaled("1.5", 2), Some(vec![0x00, 0x96]));
        assert_eq!(unscaled("0", 2), Some(vec![0]));
        assert_eq!(unscaled("1.234", 2), None);
        assert_eq!(unscaled("x", 2), None);
    }

    proptest::proptest! {
        #[test]
        fn texts_read_back(value: i128, scale in 0..30_i32) {
            let text = to_text(&value.to_be_bytes(), scale);
            if !text.contains('E') {
                let bytes = unscaled(&text, scale).unwrap_or_default();
                proptest::prop_assert_eq!(to_text(&bytes, scale), text);
            }
        }

        #[test]
        fn integers_read_back(value: i128) {
            proptest::prop_assert_eq!(to_text(&value.to_be_bytes(), 0), value.to_string());
        }
    }
}

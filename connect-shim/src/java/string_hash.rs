//! How Java hashes texts (`String.hashCode`): the order of its maps and the choice of a partition hang on it.

/// The hash of a text.
pub(crate) fn string_hash(text: &str) -> i32 {
    text.encode_utf16().fold(0i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_java() {
        assert_eq!(string_hash(""), 0);
        assert_eq!(string_hash("Sally"), 79_649_227);
        assert_eq!(string_hash("polygenelubricants"), i32::MIN);
        // Two units, of which each counts.
        assert_eq!(string_hash("😀"), 0xd83d * 31 + 0xde00);
    }
}

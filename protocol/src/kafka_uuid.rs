//! UUIDs as Kafka writes them into texts and files: URL-safe base64 without padding (`org.apache.kafka.common.Uuid`).

use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use uuid::Uuid;

/// As Java's decoder does, it takes padding and does not look at the bits that no byte needs.
const JAVA: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The 22 characters of an id.
pub fn to_text(id: Uuid) -> String {
    JAVA.encode(id.as_bytes())
}

/// The id that a text stands for. `None` if it stands for none.
pub fn parse(text: &str) -> Option<Uuid> {
    Uuid::from_slice(&JAVA.decode(text).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ids_are_written_as_kafka_writes_them() {
        let written = |text: &str| to_text(text.parse().unwrap());
        // As org.apache.kafka.common.Uuid writes them.
        assert_eq!(written("00000000-0000-0000-0000-000000000001"), "AAAAAAAAAAAAAAAAAAAAAQ");
        assert_eq!(written("ffffffff-ffff-ffff-ffff-ffffffffffff"), "_____________________w");
        assert_eq!(written("0123e456-7890-abcd-ef01-23456789abcd"), "ASPkVniQq83vASNFZ4mrzQ");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(id: u128) {
            let id = Uuid::from_u128(id);
            let text = to_text(id);
            prop_assert_eq!(parse(&text), Some(id));
            prop_assert_eq!(parse(&format!("{text}==")), Some(id), "with padding");
            prop_assert_eq!(parse(&text[..21]), None);
        }

        #[test]
        fn any_text_is_an_id_or_none(text: String) {
            prop_assert!(parse(&text).is_none() || (22..=24).contains(&text.len()));
        }
    }
}

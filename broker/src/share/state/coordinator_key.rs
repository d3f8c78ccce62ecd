//! The key by which a share coordinator is found, `group:topic id:partition`, with the topic id as Kafka writes ids.

use brooklet_protocol::coordinator::share_state::SharePartitionKey;
use uuid::Uuid;

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The key of a share partition.
pub(crate) fn coordinator_key(key: &SharePartitionKey) -> String {
    format!("{}:{}:{}", key.group_id, kafka_uuid(key.topic_id), key.partition)
}

/// Whether a text is such a key.
pub(crate) fn is_coordinator_key(text: &str) -> bool {
    // The group's id may have colons itself.
    let mut parts = text.rsplitn(3, ':');
    let (Some(partition), Some(topic), Some(group)) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    let is_id = topic.len() == 22 && topic.bytes().all(|byte| DIGITS.contains(&byte));
    !group.trim().is_empty() && is_id && partition.parse::<i32>().is_ok()
}

/// An id in base64 of the kind that is safe in URLs, without padding.
fn kafka_uuid(id: Uuid) -> String {
    let bits = id.as_u128();
    // 21 digits of six bits, and one of the two bits that are left.
    let digit = |at: u32| (if at < 21 { bits >> (122 - 6 * at) } else { bits << 4 } & 0x3f) as usize;
    (0..22).map(|at| char::from(DIGITS[digit(at)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_written_as_kafka_writes_them() {
        let id = |text: &str| kafka_uuid(text.parse().expect("an id"));
        // As org.apache.kafka.common.Uuid writes them.
        assert_eq!(id("00000000-0000-0000-0000-000000000001"), "AAAAAAAAAAAAAAAAAAAAAQ");
        assert_eq!(id("ffffffff-ffff-ffff-ffff-ffffffffffff"), "_____________________w");
        assert_eq!(id("0123e456-7890-abcd-ef01-23456789abcd"), "ASPkVniQq83vASNFZ4mrzQ");
        let key = SharePartitionKey { group_id: "g".into(), topic_id: Uuid::from_u128(1), partition: 7 };
        assert_eq!(coordinator_key(&key), "g:AAAAAAAAAAAAAAAAAAAAAQ:7");
        assert!(is_coordinator_key(&coordinator_key(&key)));
        assert!(is_coordinator_key("g:h:AAAAAAAAAAAAAAAAAAAAAQ:0"));
        for bad in
            ["", "g", "g:t:0", "g:AAAAAAAAAAAAAAAAAAAAAQ", "g:AAAAAAAAAAAAAAAAAAAAAQ:x", ":AAAAAAAAAAAAAAAAAAAAAQ:0"]
        {
            assert!(!is_coordinator_key(bad), "{bad}");
        }
    }
}

//! The key by which a share coordinator is found, `group:topic id:partition`, with the topic id as Kafka writes ids.

use brooklet_protocol::coordinator::share_state::SharePartitionKey;
use brooklet_protocol::kafka_uuid;

/// The key of a share partition.
pub(crate) fn coordinator_key(key: &SharePartitionKey) -> String {
    format!("{}:{}:{}", key.group_id, kafka_uuid::to_text(key.topic_id), key.partition)
}

/// Whether a text is such a key.
pub(crate) fn is_coordinator_key(text: &str) -> bool {
    // The group's id may have colons itself.
    let mut parts = text.rsplitn(3, ':');
    let (Some(partition), Some(topic), Some(group)) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    !group.trim().is_empty() && kafka_uuid::parse(topic).is_some() && partition.parse::<i32>().is_ok()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_key_is_told_from_other_texts() {
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

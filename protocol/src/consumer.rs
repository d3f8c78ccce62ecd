//! What members of classic consumer groups tell each other through the coordinator
//! (`ConsumerProtocolSubscription.json`, `ConsumerProtocolAssignment.json`). The broker looks inside to know what a
//! group subscribes to, and speaks for the leader where classic members are in a group of the consumer protocol.

use bytes::{BufMut, Bytes, BytesMut};

use crate::cursor::{Cursor, Malformed, put_string};

/// The protocol type of consumer groups.
pub const PROTOCOL_TYPE: &str = "consumer";

/// The topics in a member's subscription, of any version.
pub fn subscribed_topics(subscription: Bytes) -> Result<Vec<String>, Malformed> {
    let mut cursor = Cursor::new(subscription);
    if cursor.i16("subscription version")? < 0 {
        return Err(Malformed("subscription version"));
    }
    let count = cursor.count(2, "topics")?;
    (0..count).map(|_| cursor.string("topic")).collect()
}

/// Partitions by topic name.
pub type NamedPartitions = Vec<(String, Vec<i32>)>;

/// A member's subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// The version it is written in, which an assignment to the member should have too.
    pub version: i16,
    /// The topics it subscribes to.
    pub topics: Vec<String>,
    /// What it has (v1+).
    pub owned_partitions: NamedPartitions,
    /// Where it is (v3+).
    pub rack_id: Option<String>,
}

impl Subscription {
    /// Reads a subscription; of a version above 3, what it has in common with that.
    pub fn decode(bytes: Bytes) -> Result<Self, Malformed> {
        let mut cursor = Cursor::new(bytes);
        let version = cursor.i16("subscription version")?;
        if version < 0 {
            return Err(Malformed("subscription version"));
        }
        let count = cursor.count(2, "topics")?;
        let topics = (0..count).map(|_| cursor.string("topic")).collect::<Result<_, _>>()?;
        cursor.byte_array("user data")?;
        let owned_partitions = if version >= 1 { named_partitions(&mut cursor)? } else { Vec::new() };
        if version >= 2 {
            cursor.i32("generation")?;
        }
        let rack_id = if version >= 3 { cursor.nullable_string("rack id")? } else { None };
        Ok(Self { version, topics, owned_partitions, rack_id })
    }
}

/// What a leader assigned to a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberAssignment {
    /// The partitions.
    pub partitions: NamedPartitions,
    /// Whether there is something beside them that only the members' own assignor understands.
    pub has_user_data: bool,
}

impl MemberAssignment {
    /// Reads an assignment of any version.
    pub fn decode(bytes: Bytes) -> Result<Self, Malformed> {
        let mut cursor = Cursor::new(bytes);
        if cursor.i16("assignment version")? < 0 {
            return Err(Malformed("assignment version"));
        }
        let partitions = named_partitions(&mut cursor)?;
        let has_user_data = !cursor.byte_array("user data")?.is_empty();
        Ok(Self { partitions, has_user_data })
    }
}

/// An assignment's bytes, in the version of the member's subscription. All known versions have the same fields.
pub fn encode_assignment(version: i16, partitions: &NamedPartitions) -> Bytes {
    let mut out = BytesMut::new();
    out.put_i16(version.clamp(0, 3));
    out.put_i32(partitions.len() as i32);
    for (topic, indexes) in partitions {
        put_string(&mut out, topic);
        out.put_i32(indexes.len() as i32);
        indexes.iter().for_each(|index| out.put_i32(*index));
    }
    out.put_i32(-1);
    out.freeze()
}

fn named_partitions(cursor: &mut Cursor) -> Result<NamedPartitions, Malformed> {
    let topics = cursor.count(6, "partitions")?;
    let mut partitions = Vec::with_capacity(topics);
    for _ in 0..topics {
        let topic = cursor.string("topic")?;
        let count = cursor.count(4, "partitions")?;
        let indexes = (0..count).map(|_| cursor.i32("partition")).collect::<Result<_, _>>()?;
        partitions.push((topic, indexes));
    }
    Ok(partitions)
}

#[cfg(test)]
mod tests {
    use super::*;
    use kafka_protocol::messages::consumer_protocol_subscription::TopicPartition;
    use kafka_protocol::messages::{ConsumerProtocolAssignment, ConsumerProtocolSubscription, TopicName};
    use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};
    use proptest::prelude::*;

    #[test]
    fn topics_are_read_from_every_version() {
        for version in 0..=3i16 {
            let message = ConsumerProtocolSubscription::default()
                .with_topics(vec![StrBytes::from_static_str("a"), StrBytes::from_static_str("bc")]);
            let mut out = BytesMut::from(&version.to_be_bytes()[..]);
            message.encode(&mut out, version).unwrap();
            assert_eq!(subscribed_topics(out.freeze()).unwrap(), ["a", "bc"]);
        }
    }

    #[test]
    fn subscriptions_and_assignments_of_every_version_are_as_the_clients_write_them() {
        let name = |name: &'static str| TopicName(StrBytes::from_static_str(name));
        for version in 0..=3i16 {
            let owned = TopicPartition::default().with_topic(name("a")).with_partitions(vec![3, 1]);
            let mut message = ConsumerProtocolSubscription::default()
                .with_topics(vec![StrBytes::from_static_str("a")])
                .with_user_data(Some(Bytes::from_static(b"u")));
            if version >= 1 {
                message = message.with_owned_partitions(vec![owned]);
            }
            if version >= 3 {
                message = message.with_rack_id(Some(StrBytes::from_static_str("r")));
            }
            let mut out = BytesMut::from(&version.to_be_bytes()[..]);
            message.encode(&mut out, version).unwrap();
            let subscription = Subscription {
                version,
                topics: vec!["a".to_owned()],
                owned_partitions: if version >= 1 { vec![("a".to_owned(), vec![3, 1])] } else { vec![] },
                rack_id: (version >= 3).then(|| "r".to_owned()),
            };
            assert_eq!(Subscription::decode(out.freeze()), Ok(subscription));

            let partitions = vec![("a".to_owned(), vec![0, 2])];
            let ours = encode_assignment(version, &partitions);
            let mut theirs = ours.slice(2..);
            let message = ConsumerProtocolAssignment::decode(&mut theirs, version).unwrap();
            assert!(theirs.is_empty());
            assert_eq!(message.assigned_partitions[0].partitions, [0, 2]);
            assert_eq!(MemberAssignment::decode(ours), Ok(MemberAssignment { partitions, has_user_data: false }));
        }
    }

    proptest! {
        #[test]
        fn arbitrary_subscriptions_never_panic(bytes: Vec<u8>) {
            let bytes = Bytes::from(bytes);
            let _ = subscribed_topics(bytes.clone());
            let _ = Subscription::decode(bytes.clone());
            let _ = MemberAssignment::decode(bytes);
        }
    }
}

//! A member of a consumer group as it presented itself: `ConsumerGroupMemberMetadataValue.json`.

use bytes::{BufMut, Bytes};

use crate::coordinator::flexible_value::{flexible_value, new_value};
use crate::cursor::{
    Malformed, put_compact_bytes, put_compact_count, put_compact_nullable_string, put_compact_string, put_tagged_field,
};

/// A member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberMetadataValue {
    /// The id a static member brings itself (KIP-345).
    pub instance_id: Option<String>,
    /// Where it is.
    pub rack_id: Option<String>,
    /// Its client id.
    pub client_id: String,
    /// Its address.
    pub client_host: String,
    /// The topics it subscribes to by name.
    pub subscribed_topic_names: Vec<String>,
    /// Those it subscribes to by a pattern.
    pub subscribed_topic_regex: Option<String>,
    /// How long it may take to give up partitions; milliseconds.
    pub rebalance_timeout_ms: i32,
    /// The assignor that it would like.
    pub server_assignor: Option<String>,
    /// What there is to know of a member that speaks the classic protocol.
    pub classic: Option<ClassicMemberMetadata>,
}

/// What a member of a consumer group that speaks the classic protocol said when it joined.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClassicMemberMetadata {
    /// Its session timeout; milliseconds.
    pub session_timeout_ms: i32,
    /// Its protocols, in its order of preference.
    pub supported_protocols: Vec<ClassicProtocol>,
}

/// A classic protocol, which for consumers is an assignment strategy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassicProtocol {
    /// Its name.
    pub name: String,
    /// The member's metadata for it.
    pub metadata: Bytes,
}

impl MemberMetadataValue {
    /// Reads a value.
    pub fn decode(bytes: Bytes) -> Result<Self, Malformed> {
        let mut cursor = flexible_value(bytes, "member metadata version")?;
        let mut value = Self {
            instance_id: cursor.compact_nullable_string("instance id")?,
            rack_id: cursor.compact_nullable_string("rack id")?,
            client_id: cursor.compact_string("client id")?,
            client_host: cursor.compact_string("client host")?,
            subscribed_topic_names: cursor
                .compact_array(1, "subscribed topics", |cursor| cursor.compact_string("subscribed topic"))?,
            subscribed_topic_regex: cursor.compact_nullable_string("subscribed regex")?,
            rebalance_timeout_ms: cursor.i32("rebalance timeout")?,
            server_assignor: cursor.compact_nullable_string("server assignor")?,
            // Kafka writes that there is none; what it leaves out is a member without protocols.
            classic: Some(ClassicMemberMetadata::default()),
        };
        cursor.tagged_fields(|tag, mut field| {
            if tag != 0 {
                return Ok(());
            }
            value.classic = match field.unsigned_varint("classic member metadata")? {
                0 => None,
                _ => Some(ClassicMemberMetadata {
                    session_timeout_ms: field.i32("session timeout")?,
                    supported_protocols: field.compact_array(3, "protocols", |field| {
                        let protocol = ClassicProtocol {
                            name: field.compact_string("protocol")?,
                            metadata: field.compact_bytes("protocol metadata")?,
                        };
                        field.no_tagged_fields()?;
                        Ok(protocol)
                    })?,
                }),
            };
            Ok(())
        })?;
        Ok(value)
    }

    /// The value's bytes.
    pub fn encode(&self) -> Bytes {
        let mut out = new_value();
        out.reserve(128);
        put_compact_nullable_string(&mut out, self.instance_id.as_deref());
        put_compact_nullable_string(&mut out, self.rack_id.as_deref());
        put_compact_string(&mut out, &self.client_id);
        put_compact_string(&mut out, &self.client_host);
        put_compact_count(&mut out, self.subscribed_topic_names.len());
        for topic in &self.subscribed_topic_names {
            put_compact_string(&mut out, topic);
        }
        put_compact_nullable_string(&mut out, self.subscribed_topic_regex.as_deref());
        out.put_i32(self.rebalance_timeout_ms);
        put_compact_nullable_string(&mut out, self.server_assignor.as_deref());
        out.put_u8(1);
        put_tagged_field(&mut out, 0, &self.classic.as_ref().map_or_else(|| vec![0], ClassicMemberMetadata::encode));
        out.freeze()
    }
}

impl ClassicMemberMetadata {
    fn encode(&self) -> Vec<u8> {
        let mut out = vec![1];
        out.put_i32(self.session_timeout_ms);
        put_compact_count(&mut out, self.supported_protocols.len());
        for protocol in &self.supported_protocols {
            put_compact_string(&mut out, &protocol.name);
            put_compact_bytes(&mut out, &protocol.metadata);
            out.put_u8(0);
        }
        out.put_u8(0);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn classic() -> impl Strategy<Value = ClassicMemberMetadata> {
        let protocol = ("[a-z]{0,9}", prop::collection::vec(any::<u8>(), 0..200))
            .prop_map(|(name, metadata)| ClassicProtocol { name, metadata: Bytes::from(metadata) });
        (any::<i32>(), prop::collection::vec(protocol, 0..4)).prop_map(|(session_timeout_ms, supported_protocols)| {
            ClassicMemberMetadata { session_timeout_ms, supported_protocols }
        })
    }

    #[test]
    fn a_member_has_kafkas_bytes() {
        let value = MemberMetadataValue {
            instance_id: None,
            rack_id: Some("r".into()),
            client_id: "c".into(),
            client_host: "/h".into(),
            subscribed_topic_names: vec!["t".into()],
            subscribed_topic_regex: Some(String::new()),
            rebalance_timeout_ms: 258,
            server_assignor: None,
            classic: None,
        };
        let start = [0, 0, 0, 2, b'r', 2, b'c', 3, b'/', b'h', 2, 2, b't', 1, 0, 0, 1, 2, 0];
        assert_eq!(value.encode()[..], [&start[..], &[1, 0, 1, 0]].concat());
        // What Kafka leaves out stands for a member that says nothing of its protocols.
        let without_tag = MemberMetadataValue::decode([&start[..], &[0]].concat().into()).unwrap();
        assert_eq!(without_tag.classic, Some(ClassicMemberMetadata::default()));
    }

    proptest! {
        #[test]
        fn members_round_trip(
            instance_id in prop::option::of("[a-z]{0,9}"), rack_id in prop::option::of("[a-z]{0,9}"),
            client_id in "[a-zé]{0,200}", topics in prop::collection::vec("[a-z]{0,9}", 0..4),
            regex in prop::option::of("[a-z.*]{0,9}"), rebalance_timeout_ms: i32,
            server_assignor in prop::option::of("[a-z]{0,9}"), classic in prop::option::of(classic()),
        ) {
            let value = MemberMetadataValue {
                instance_id, rack_id, client_id, client_host: "/127.0.0.1".into(), subscribed_topic_names: topics,
                subscribed_topic_regex: regex, rebalance_timeout_ms, server_assignor, classic,
            };
            prop_assert_eq!(MemberMetadataValue::decode(value.encode()), Ok(value));
        }
    }
}

//! The state of a classic group: `GroupMetadataKey.json` and `GroupMetadataValue.json`.

use bytes::{BufMut, Bytes, BytesMut};

use crate::cursor::{Cursor, Malformed, put_nullable_string, put_string};

/// The record type that stands first in the key.
pub(super) const KEY_TYPE: i16 = 2;
const VALUE_VERSION: i16 = 3;
/// Member id, client id and host with their lengths, session timeout, subscription and assignment lengths.
const MIN_MEMBER_LEN: usize = 18;

/// A classic group as it stood when its members last agreed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupMetadataValue {
    /// `consumer`, `connect` …; empty when nobody has joined yet.
    pub protocol_type: String,
    /// The generation.
    pub generation: i32,
    /// The protocol that the members agreed on.
    pub protocol: Option<String>,
    /// The member that assigns.
    pub leader: Option<String>,
    /// When the state last changed, in milliseconds since 1970.
    pub current_state_timestamp: i64,
    /// The members.
    pub members: Vec<MemberMetadata>,
}

/// A member of a classic group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberMetadata {
    /// The id that the coordinator gave it.
    pub member_id: String,
    /// Its own id, if it is a static member (KIP-345).
    pub group_instance_id: Option<String>,
    /// What the client calls itself.
    pub client_id: String,
    /// Where it connected from.
    pub client_host: String,
    /// How long it may take to rejoin, in milliseconds.
    pub rebalance_timeout_ms: i32,
    /// How long it may be silent, in milliseconds.
    pub session_timeout_ms: i32,
    /// Its metadata for the agreed protocol.
    pub subscription: Bytes,
    /// What the leader gave it.
    pub assignment: Bytes,
}

/// The key's bytes for `group`.
pub fn encode_key(group: &str) -> Bytes {
    let mut out = BytesMut::with_capacity(4 + group.len());
    out.put_i16(KEY_TYPE);
    put_string(&mut out, group);
    out.freeze()
}

impl GroupMetadataValue {
    /// Reads a value of any version from 0 to 3, which are those that Kafka has written.
    pub fn decode(bytes: Bytes) -> Result<Self, Malformed> {
        let mut cursor = Cursor::new(bytes);
        let version = cursor.i16("value version")?;
        if !(0..=3).contains(&version) {
            return Err(Malformed("group metadata value version"));
        }
        let protocol_type = cursor.string("protocol type")?;
        let generation = cursor.i32("generation")?;
        let protocol = cursor.nullable_string("protocol")?;
        let leader = cursor.nullable_string("leader")?;
        let current_state_timestamp = if version >= 2 { cursor.i64("state timestamp")? } else { -1 };
        let count = cursor.count(MIN_MEMBER_LEN, "members")?;
        let members = (0..count).map(|_| MemberMetadata::decode(&mut cursor, version));
        let members = members.collect::<Result<_, _>>()?;
        Ok(Self { protocol_type, generation, protocol, leader, current_state_timestamp, members })
    }

    /// The value's bytes, version 3.
    pub fn encode(&self) -> Bytes {
        let mut out = BytesMut::new();
        out.put_i16(VALUE_VERSION);
        put_string(&mut out, &self.protocol_type);
        out.put_i32(self.generation);
        put_nullable_string(&mut out, self.protocol.as_deref());
        put_nullable_string(&mut out, self.leader.as_deref());
        out.put_i64(self.current_state_timestamp);
        out.put_i32(self.members.len() as i32);
        for member in &self.members {
            member.encode(&mut out);
        }
        out.freeze()
    }
}

impl MemberMetadata {
    fn decode(cursor: &mut Cursor, version: i16) -> Result<Self, Malformed> {
        let member_id = cursor.string("member id")?;
        let group_instance_id = if version >= 3 { cursor.nullable_string("group instance id")? } else { None };
        let client_id = cursor.string("client id")?;
        let client_host = cursor.string("client host")?;
        let rebalance_timeout_ms = if version >= 1 { cursor.i32("rebalance timeout")? } else { -1 };
        Ok(Self {
            member_id,
            group_instance_id,
            client_id,
            client_host,
            rebalance_timeout_ms,
            session_timeout_ms: cursor.i32("session timeout")?,
            subscription: cursor.byte_array("subscription")?,
            assignment: cursor.byte_array("assignment")?,
        })
    }

    fn encode(&self, out: &mut BytesMut) {
        put_string(out, &self.member_id);
        put_nullable_string(out, self.group_instance_id.as_deref());
        put_string(out, &self.client_id);
        put_string(out, &self.client_host);
        out.put_i32(self.rebalance_timeout_ms);
        out.put_i32(self.session_timeout_ms);
        for bytes in [&self.subscription, &self.assignment] {
            out.put_i32(bytes.len() as i32);
            out.put_slice(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text() -> impl Strategy<Value = String> {
        "[a-z0-9é]{0,12}"
    }

    fn members() -> impl Strategy<Value = MemberMetadata> {
        let blob = || prop::collection::vec(any::<u8>(), 0..30).prop_map(Bytes::from);
        (text(), prop::option::of(text()), text(), text(), any::<i32>(), any::<i32>(), blob(), blob()).prop_map(
            |(member_id, group_instance_id, client_id, client_host, rebalance, session, subscription, assignment)| {
                MemberMetadata {
                    member_id,
                    group_instance_id,
                    client_id,
                    client_host,
                    rebalance_timeout_ms: rebalance,
                    session_timeout_ms: session,
                    subscription,
                    assignment,
                }
            },
        )
    }

    proptest! {
        #[test]
        fn groups_round_trip(
            protocol_type in text(), generation: i32, protocol in prop::option::of(text()),
            leader in prop::option::of(text()), timestamp: i64, members in prop::collection::vec(members(), 0..5),
        ) {
            let value = GroupMetadataValue {
                protocol_type, generation, protocol, leader, current_state_timestamp: timestamp, members,
            };
            prop_assert_eq!(GroupMetadataValue::decode(value.encode()), Ok(value));
        }
    }
}

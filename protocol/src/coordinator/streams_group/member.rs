//! A member: one thread of an instance of the application.

use std::collections::BTreeMap;

use bytes::{BufMut, Bytes};

use super::{pairs, put_pairs};
use crate::coordinator::flexible_value::{flexible_value, new_value};
use crate::cursor::{Malformed, put_compact_nullable_string, put_compact_string};

/// What a member says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberMetadataValue {
    /// Its own id, if it is a static member (KIP-345).
    pub instance_id: Option<String>,
    /// The rack it is in.
    pub rack_id: Option<String>,
    /// What the client calls itself.
    pub client_id: String,
    /// Where it connected from.
    pub client_host: String,
    /// How long it may take to give up tasks, in milliseconds.
    pub rebalance_timeout_ms: i32,
    /// The epoch of the topology that it knows.
    pub topology_epoch: i32,
    /// The instance of the application that it belongs to.
    pub process_id: String,
    /// Where that instance answers queries of its state.
    pub user_endpoint: Option<Endpoint>,
    /// Tags by which standby tasks may be spread.
    pub client_tags: BTreeMap<String, String>,
}

/// Where an instance answers queries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Its host.
    pub host: String,
    /// Its port.
    pub port: u16,
}

/// How an optional struct begins.
const PRESENT: i8 = 1;
const ABSENT: i8 = -1;

impl MemberMetadataValue {
    /// Reads a value.
    pub fn decode(bytes: Bytes) -> Result<Self, Malformed> {
        let mut cursor = flexible_value(bytes, "member metadata version")?;
        let value = Self {
            instance_id: cursor.compact_nullable_string("instance id")?,
            rack_id: cursor.compact_nullable_string("rack id")?,
            client_id: cursor.compact_string("client id")?,
            client_host: cursor.compact_string("client host")?,
            rebalance_timeout_ms: cursor.i32("rebalance timeout")?,
            topology_epoch: cursor.i32("topology epoch")?,
            process_id: cursor.compact_string("process id")?,
            user_endpoint: match cursor.i8("endpoint")? {
                ABSENT => None,
                _ => {
                    let host = cursor.compact_string("endpoint host")?;
                    let port = cursor.i16("endpoint port")?.cast_unsigned();
                    cursor.no_tagged_fields()?;
                    Some(Endpoint { host, port })
                }
            },
            client_tags: pairs(&mut cursor, "client tags")?,
        };
        cursor.no_tagged_fields()?;
        Ok(value)
    }

    /// The value's bytes.
    pub fn encode(&self) -> Bytes {
        let mut out = new_value();
        put_compact_nullable_string(&mut out, self.instance_id.as_deref());
        put_compact_nullable_string(&mut out, self.rack_id.as_deref());
        put_compact_string(&mut out, &self.client_id);
        put_compact_string(&mut out, &self.client_host);
        out.put_i32(self.rebalance_timeout_ms);
        out.put_i32(self.topology_epoch);
        put_compact_string(&mut out, &self.process_id);
        match &self.user_endpoint {
            None => out.put_i8(ABSENT),
            Some(Endpoint { host, port }) => {
                out.put_i8(PRESENT);
                put_compact_string(&mut out, host);
                out.put_u16(*port);
                out.put_u8(0);
            }
        }
        put_pairs(&mut out, &self.client_tags);
        out.put_u8(0);
        out.freeze()
    }
}

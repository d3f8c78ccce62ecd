//! What of Kafka's metadata log (`__cluster_metadata`, KIP-500) says which topics there are: read from a directory that
//! Apache Kafka wrote. A record's value is a frame version, the key of the record's kind and its version, all unsigned
//! varints, then the record in the flexible encoding (Kafka's `AbstractApiMessageSerde` and `common/metadata/*.json`).

use bytes::Bytes;
use uuid::Uuid;

use crate::cursor::{Cursor, Malformed};

const FRAME_VERSION: u32 = 1;
const TOPIC: u32 = 2;
const PARTITION: u32 = 3;
const CONFIG: u32 = 4;
const REMOVE_TOPIC: u32 = 9;
const PRODUCER_IDS: u32 = 15;

/// A record of the metadata log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MetadataRecord {
    /// A topic was created.
    Topic {
        /// Its name.
        name: String,
        /// Its id.
        topic_id: Uuid,
    },
    /// A topic has this partition.
    Partition {
        /// The topic's id.
        topic_id: Uuid,
        /// The partition.
        partition: i32,
    },
    /// A config was set, or taken away.
    Config {
        /// Kafka's number of the kind of resource: 2 a topic, 4 a broker, 32 a group.
        resource_type: i8,
        /// The resource's name; the empty one is the default of all brokers.
        resource_name: String,
        /// The config's name.
        name: String,
        /// Its value; `None` when it was taken away.
        value: Option<String>,
    },
    /// A topic was deleted.
    RemoveTopic {
        /// Its id.
        topic_id: Uuid,
    },
    /// Producer ids below this one may have been given out.
    ProducerIds {
        /// The first that was not.
        next_producer_id: i64,
    },
    /// A kind that says nothing of topics.
    Other(u32),
}

impl MetadataRecord {
    /// Reads a record's value.
    ///
    /// # Errors
    /// It ends early, or is of a frame version that Kafka 4.3 does not write.
    pub fn decode(value: Bytes) -> Result<Self, Malformed> {
        let mut from = Cursor::new(value);
        if from.unsigned_varint("frame version")? != FRAME_VERSION {
            return Err(Malformed("frame version"));
        }
        let kind = from.unsigned_varint("metadata record's kind")?;
        // Later versions of these kinds only add fields behind those that are read here.
        from.unsigned_varint("metadata record's version")?;
        Ok(match kind {
            TOPIC => Self::Topic { name: from.compact_string("topic name")?, topic_id: from.uuid("topic id")? },
            PARTITION => Self::Partition { partition: from.i32("partition")?, topic_id: from.uuid("topic id")? },
            CONFIG => Self::Config {
                resource_type: from.i8("resource type")?,
                resource_name: from.compact_string("resource name")?,
                name: from.compact_string("config name")?,
                value: from.compact_nullable_string("config value")?,
            },
            REMOVE_TOPIC => Self::RemoveTopic { topic_id: from.uuid("topic id")? },
            PRODUCER_IDS => {
                from.i32("broker id")?;
                from.i64("broker epoch")?;
                Self::ProducerIds { next_producer_id: from.i64("next producer id")? }
            }
            other => Self::Other(other),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(bytes: &[u8]) -> Result<MetadataRecord, Malformed> {
        MetadataRecord::decode(Bytes::copy_from_slice(bytes))
    }

    #[test]
    fn records_are_read_from_kafkas_bytes() {
        let id = Uuid::from_u128(7);
        let topic = [&[1, 2, 0, 2, b't'][..], id.as_bytes(), &[0]].concat();
        assert_eq!(decode(&topic), Ok(MetadataRecord::Topic { name: "t".to_owned(), topic_id: id }));
        let set = [1, 4, 0, 2, 2, b't', 3, b'a', b'b', 2, b'1', 0];
        let config = |value| MetadataRecord::Config {
            resource_type: 2,
            resource_name: "t".to_owned(),
            name: "ab".to_owned(),
            value,
        };
        assert_eq!(decode(&set), Ok(config(Some("1".to_owned()))));
        assert_eq!(decode(&[1, 4, 0, 2, 2, b't', 3, b'a', b'b', 0, 0]), Ok(config(None)));
        let ids = [&[1, 15, 0][..], &1i32.to_be_bytes(), &5i64.to_be_bytes(), &2000i64.to_be_bytes(), &[0]].concat();
        assert_eq!(decode(&ids), Ok(MetadataRecord::ProducerIds { next_producer_id: 2000 }));
        assert_eq!(decode(&[1, 20, 0, 0]), Ok(MetadataRecord::Other(20)));
    }

    #[test]
    fn what_ends_early_or_is_of_another_frame_is_an_error() {
        assert!(decode(&[]).is_err());
        assert!(decode(&[2, 2, 0]).is_err());
        assert!(decode(&[1, 2, 0, 9, b't']).is_err());
    }
}

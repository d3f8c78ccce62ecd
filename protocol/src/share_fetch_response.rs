//! The share fetch response, written straight to a frame: `ShareFetchResponse.json`, versions 1 and 2.
//!
//! Like the fetch response it carries record batches, which stay shared with the log up to the socket.

use bytes::{BufMut, Bytes};
use uuid::Uuid;

use crate::ErrorCode;
use crate::cursor::put_compact_nullable_string;
use crate::fetch_response::Writer;
use crate::messages::ShareFetchRequest;
use crate::response::{EncodeError, ResponseFrame, put_header};

/// A share fetch response.
#[derive(Debug, Clone, Default)]
pub struct ShareFetchResponse {
    /// How long the client is held back by a quota, in milliseconds.
    pub throttle_time_ms: i32,
    /// Top-level error.
    pub error: ErrorCode,
    /// How long acquired records are locked, in milliseconds; 0 in an error.
    pub acquisition_lock_timeout_ms: i32,
    /// Topics in the order in which they are answered.
    pub topics: Vec<ShareFetchedTopic>,
}

/// A topic in a share fetch response.
#[derive(Debug, Clone)]
pub struct ShareFetchedTopic {
    /// Its id.
    pub id: Uuid,
    /// Its partitions.
    pub partitions: Vec<ShareFetchedPartition>,
}

/// A partition in a share fetch response.
#[derive(Debug, Clone, Default)]
pub struct ShareFetchedPartition {
    /// Its index.
    pub index: i32,
    /// What went wrong with fetching, if something did.
    pub error: ErrorCode,
    /// What went wrong with acknowledging, if something did.
    pub acknowledge_error: ErrorCode,
    /// The same for a person.
    pub acknowledge_error_message: Option<String>,
    /// Whole batches.
    pub records: Bytes,
    /// What of them the member has.
    pub acquired: Vec<AcquiredRecords>,
}

/// Records that a member has acquired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AcquiredRecords {
    /// The first offset.
    pub first_offset: i64,
    /// The last offset.
    pub last_offset: i64,
    /// How often they were delivered, with this time.
    pub delivery_count: i16,
}

/// Leader id and epoch where there is no other leader to name: Kafka leaves the fields at their defaults.
const NO_OTHER_LEADER: (i32, i32) = (0, 0);

impl ShareFetchResponse {
    /// Encodes the response for a request of this correlation id and version (1 or 2).
    pub fn encode(&self, correlation_id: i32, version: i16) -> Result<ResponseFrame, EncodeError> {
        let mut out = Writer::new(true);
        put_header::<ShareFetchRequest>(&mut out.head, correlation_id, version);
        out.head.put_i32(self.throttle_time_ms);
        out.head.put_i16(self.error.code());
        put_compact_nullable_string(&mut out.head, None);
        out.head.put_i32(self.acquisition_lock_timeout_ms);
        out.count(self.topics.len());
        for topic in &self.topics {
            out.head.put_slice(topic.id.as_bytes());
            out.count(topic.partitions.len());
            for partition in &topic.partitions {
                partition.write(&mut out);
            }
            out.no_tags();
        }
        let node_endpoints = 0;
        out.count(node_endpoints);
        out.no_tags();
        out.finish()
    }
}

impl ShareFetchedPartition {
    fn write(&self, out: &mut Writer) {
        out.head.put_i32(self.index);
        out.head.put_i16(self.error.code());
        put_compact_nullable_string(&mut out.head, None);
        out.head.put_i16(self.acknowledge_error.code());
        put_compact_nullable_string(&mut out.head, self.acknowledge_error_message.as_deref());
        let (leader_id, leader_epoch) = NO_OTHER_LEADER;
        out.head.put_i32(leader_id);
        out.head.put_i32(leader_epoch);
        out.no_tags();
        out.records(&self.records);
        out.count(self.acquired.len());
        for acquired in &self.acquired {
            out.head.put_i64(acquired.first_offset);
            out.head.put_i64(acquired.last_offset);
            out.head.put_i16(acquired.delivery_count);
            out.no_tags();
        }
        out.no_tags();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::share_fetch_response as generated;
    use crate::response::ResponseFrame;
    use crate::{StrBytes, messages};
    use bytes::BytesMut;

    fn bytes_of(frame: ResponseFrame) -> Bytes {
        let mut all = BytesMut::new();
        frame.into_parts().iter().for_each(|part| all.put_slice(part));
        all.freeze()
    }

    #[test]
    fn it_is_what_the_generated_encoder_writes() {
        let acquired = AcquiredRecords { first_offset: 3, last_offset: 7, delivery_count: 2 };
        let records = Bytes::from(vec![7u8; 300]);
        let full = ShareFetchedPartition {
            index: 1,
            records: records.clone(),
            acquired: vec![acquired],
            ..ShareFetchedPartition::default()
        };
        let refused = ShareFetchedPartition {
            index: 2,
            error: ErrorCode::UnknownTopicOrPartition,
            acknowledge_error: ErrorCode::InvalidRecordState,
            acknowledge_error_message: Some("not acquired".to_owned()),
            ..ShareFetchedPartition::default()
        };
        let id = Uuid::from_u128(9);
        let ours = ShareFetchResponse {
            throttle_time_ms: 5,
            error: ErrorCode::None,
            acquisition_lock_timeout_ms: 30_000,
            topics: vec![ShareFetchedTopic { id, partitions: vec![full, refused] }],
        };
        let acquired =
            generated::AcquiredRecords::default().with_first_offset(3).with_last_offset(7).with_delivery_count(2);
        let full = generated::PartitionData::default()
            .with_partition_index(1)
            .with_records(Some(records))
            .with_acquired_records(vec![acquired]);
        let refused = generated::PartitionData::default()
            .with_partition_index(2)
            .with_error_code(3)
            .with_acknowledge_error_code(121)
            .with_acknowledge_error_message(Some(StrBytes::from_static_str("not acquired")))
            .with_records(Some(Bytes::new()));
        let topic =
            generated::ShareFetchableTopicResponse::default().with_topic_id(id).with_partitions(vec![full, refused]);
        let theirs = messages::ShareFetchResponse::default()
            .with_throttle_time_ms(5)
            .with_acquisition_lock_timeout_ms(30_000)
            .with_responses(vec![topic]);
        for version in 1..=2 {
            let theirs = ResponseFrame::encode::<ShareFetchRequest>(11, version, &theirs).unwrap();
            assert_eq!(bytes_of(ours.encode(11, version).unwrap()), bytes_of(theirs), "v{version}");
        }
    }
}

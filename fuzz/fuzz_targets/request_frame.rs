//! Whatever a peer sends: frames, headers and bodies of every API. No panic, and no allocation beyond what libFuzzer's
//! memory limit allows, which an unchecked count would exceed at once.
#![no_main]

use brooklet_protocol::frame::{Frame, take_frame};
use brooklet_protocol::messages::*;
use brooklet_protocol::request::{RequestHeader, decode_body, is_flexible};
use brooklet_protocol::{Message, Request};
use bytes::{Bytes, BytesMut};
use libfuzzer_sys::fuzz_target;

macro_rules! requests {
    ($($request:ident)*) => {
        fn flexible(key: i16, version: i16) -> bool {
            match key {
                $(<$request as Request>::KEY => is_flexible::<$request>(version),)*
                _ => false,
            }
        }

        fn decode(key: i16, version: i16, body: Bytes) {
            match key {
                $(<$request as Request>::KEY => {
                    let versions = <$request as Message>::VERSIONS;
                    if (versions.min..=versions.max).contains(&version) {
                        let _ = decode_body::<$request>(body, version);
                    }
                })*
                _ => {}
            }
        }
    };
}

requests! {
    ProduceRequest FetchRequest ListOffsetsRequest MetadataRequest OffsetCommitRequest OffsetFetchRequest
    FindCoordinatorRequest JoinGroupRequest HeartbeatRequest LeaveGroupRequest SyncGroupRequest DescribeGroupsRequest
    ListGroupsRequest ApiVersionsRequest CreateTopicsRequest DeleteTopicsRequest DeleteRecordsRequest
    InitProducerIdRequest OffsetForLeaderEpochRequest DescribeConfigsRequest AlterConfigsRequest
    DescribeLogDirsRequest CreatePartitionsRequest DeleteGroupsRequest IncrementalAlterConfigsRequest
    OffsetDeleteRequest DescribeClusterRequest DescribeTopicPartitionsRequest AddPartitionsToTxnRequest
    AddOffsetsToTxnRequest EndTxnRequest TxnOffsetCommitRequest
}

fuzz_target!(|data: &[u8]| {
    let mut buffer = BytesMut::from(data);
    while let Ok(Frame::Complete(frame)) = take_frame(&mut buffer, 1 << 20) {
        if let Ok((header, body)) = RequestHeader::parse(frame, flexible) {
            decode(header.api_key, header.api_version, body);
        }
    }
    // And the bytes as a frame, so that the fuzzer need not find out how long it is.
    if let Ok((header, body)) = RequestHeader::parse(Bytes::copy_from_slice(data), flexible) {
        decode(header.api_key, header.api_version, body);
    }
});

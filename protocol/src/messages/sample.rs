//! Messages with arbitrary values in every field that a version has, made of a tape of bytes; and what is to hold of
//! every message at every version, of such ones and of those that Kafka wrote.

use std::fmt::Debug;
use std::ops::RangeInclusive;

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages as upstream;
use kafka_protocol::protocol::VersionRange;
use proptest::prelude::*;
use uuid::Uuid;

use super::codec::TaggedFields;
use super::*;
use crate::{Decodable, Encodable, HeaderVersion, Message, Request, StrBytes};

/// Decides what a message holds: its bytes in turn, then zeros for ever.
pub(super) struct Tape<'a> {
    bytes: &'a [u8],
    version: i16,
    flexible: bool,
}

impl Tape<'_> {
    fn next(&mut self) -> u8 {
        let Some((first, rest)) = self.bytes.split_first() else {
            return 0;
        };
        self.bytes = rest;
        *first
    }

    fn number<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.next())
    }

    /// A value if the version has the field, null only if the version allows it.
    pub(super) fn field<T: Sample>(
        &mut self,
        default: T,
        versions: RangeInclusive<i16>,
        null_versions: Option<RangeInclusive<i16>>,
    ) -> T {
        if !versions.contains(&self.version) {
            return default;
        }
        let may_be_null = null_versions.is_some_and(|versions| versions.contains(&self.version));
        if may_be_null { T::sample(self) } else { T::sample_present(self) }
    }

    pub(super) fn tagged_fields(&mut self) -> TaggedFields {
        if !self.flexible || self.next() % 4 != 3 {
            return TaggedFields::new();
        }
        let tag = 100 + i32::from(self.next());
        TaggedFields::from([(tag, Bytes::copy_from_slice(&self.number::<3>()))])
    }
}

/// A type of which a tape can make values.
pub(super) trait Sample: Sized {
    fn sample(tape: &mut Tape<'_>) -> Self;

    fn sample_present(tape: &mut Tape<'_>) -> Self {
        Self::sample(tape)
    }
}

macro_rules! samples {
    ($($type:ty: |$tape:ident| $sample:expr;)*) => {
        $(impl Sample for $type {
            fn sample($tape: &mut Tape<'_>) -> Self {
                $sample
            }
        })*
    };
}

samples! {
    bool: |tape| tape.next() & 1 == 1;
    i8: |tape| i8::from_be_bytes(tape.number());
    i16: |tape| i16::from_be_bytes(tape.number());
    u16: |tape| u16::from_be_bytes(tape.number());
    i32: |tape| i32::from_be_bytes(tape.number());
    i64: |tape| i64::from_be_bytes(tape.number());
    Uuid: |tape| Uuid::from_bytes(tape.number());
    Bytes: |tape| {
        let length = usize::from(tape.next()) * 2;
        (0..length).map(|_| tape.next()).collect()
    };
    StrBytes: |tape| {
        let length = tape.next() % 12;
        StrBytes::from_string((0..length).map(|_| char::from(tape.next())).collect())
    };
    BrokerId: |tape| BrokerId(i32::sample(tape));
    GroupId: |tape| GroupId(StrBytes::sample(tape));
    ProducerId: |tape| ProducerId(i64::sample(tape));
    TopicName: |tape| TopicName(StrBytes::sample(tape));
}

impl<T: Sample> Sample for Vec<T> {
    fn sample(tape: &mut Tape<'_>) -> Self {
        let length = tape.next() % 4;
        (0..length).map(|_| T::sample(tape)).collect()
    }
}

impl<T: Sample> Sample for Option<T> {
    fn sample(tape: &mut Tape<'_>) -> Self {
        (tape.next() % 8 != 5).then(|| T::sample(tape))
    }

    fn sample_present(tape: &mut Tape<'_>) -> Self {
        Some(T::sample(tape))
    }
}

fn encoded(message: &impl Encodable, version: i16) -> Bytes {
    let mut out = BytesMut::new();
    message.encode(&mut out, version).expect("a message of this version");
    assert_eq!(out.len(), message.compute_size(version).expect("a message of this version"));
    out.freeze()
}

/// A message of every version, with the version and its encoding, after it was found to read back as itself.
fn round_trips<T>(bytes: &[u8], is_flexible: impl Fn(i16) -> bool) -> Vec<(i16, Bytes)>
where
    T: Message + Sample + Encodable + Decodable + PartialEq + Debug,
{
    let versions = T::VERSIONS.min..=T::VERSIONS.max;
    let each = versions.map(|version| {
        let message = T::sample(&mut Tape { bytes, version, flexible: is_flexible(version) });
        let body = encoded(&message, version);
        let mut rest = body.clone();
        assert_eq!(T::decode(&mut rest, version).expect("what was written"), message, "version {version}");
        assert!(rest.is_empty(), "version {version} leaves {} bytes", rest.len());
        (version, body)
    });
    each.collect()
}

/// Reads with the crate's decoder what was written here, where it has the version, and has its encoder write it again.
fn same_bytes_upstream<T: Message + Encodable + Decodable>(bodies: &[(i16, Bytes)]) {
    for (version, body) in bodies {
        if (T::VERSIONS.min..=T::VERSIONS.max).contains(version) {
            let mut rest = body.clone();
            let message = T::decode(&mut rest, *version).expect("the crate reads it");
            assert!(rest.is_empty(), "version {version}: the crate leaves {} bytes", rest.len());
            assert_eq!(encoded(&message, *version), body, "version {version}");
        }
    }
}

/// Each message at each version as Kafka 4.3.1's own classes write it, with every field set: name, version, bytes in hex.
const WRITTEN_BY_KAFKA: &str = include_str!("../../tests/fixtures/messages_4.3.1.tsv");

#[test]
fn what_kafka_writes_is_read_and_written_the_same() {
    let mut rows = WRITTEN_BY_KAFKA.lines();
    assert_eq!(rows.next(), Some("message\tversion\tbytes"));
    let mut seen = 0;
    for row in rows {
        let [name, version, hex] = row.split('\t').collect::<Vec<_>>()[..] else { panic!("three columns: {row}") };
        let digits = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).expect("ASCII"), 16);
        let body: Bytes = hex.as_bytes().chunks(2).map(digits).collect::<Result<_, _>>().expect("hex digits");
        assert_eq!(rewritten(name, version.parse().expect("a number"), body.clone()), body, "{name} v{version}");
        seen += 1;
    }
    assert_eq!(seen, VERSIONS.iter().map(|versions| versions.max - versions.min + 1).sum::<i16>());
}

fn reencoded<T: Encodable + Decodable>(version: i16, mut body: Bytes) -> Bytes {
    let message = T::decode(&mut body, version).expect("Kafka wrote it");
    assert!(body.is_empty(), "{} bytes are left", body.len());
    encoded(&message, version)
}

macro_rules! messages {
    ($($test:ident: $request:ident, $response:ident $(, $upstream:tt)?;)*) => {
        const VERSIONS: &[VersionRange] = &[$($request::VERSIONS, $response::VERSIONS),*];

        /// Reads a message of this name and writes it again.
        fn rewritten(name: &str, version: i16, body: Bytes) -> Bytes {
            match name {
                $(
                    stringify!($request) => reencoded::<$request>(version, body),
                    stringify!($response) => reencoded::<$response>(version, body),
                )*
                name => panic!("{name} is none of ours"),
            }
        }

        proptest! {
            $(#[test]
            fn $test(tape in prop::collection::vec(any::<u8>(), 0..400)) {
                let requests = round_trips::<$request>(&tape, |version| $request::header_version(version) == 2);
                let responses = round_trips::<$response>(&tape, |version| $response::header_version(version) == 1);
                for (version, body) in &requests {
                    prop_assert_eq!(crate::preflight::check($request::KEY, *version, body), Ok(()));
                }
                messages!(@upstream requests responses $request $response $($upstream)?);
            })*
        }
    };
    (@upstream $requests:ident $responses:ident $request:ident $response:ident) => {
        same_bytes_upstream::<upstream::$request>(&$requests);
        same_bytes_upstream::<upstream::$response>(&$responses);
    };
    (@upstream $requests:ident $responses:ident $request:ident $response:ident ours) => {
        let _ = $responses;
    };
}

messages! {
    list_offsets: ListOffsetsRequest, ListOffsetsResponse;
    offset_commit: OffsetCommitRequest, OffsetCommitResponse;
    offset_fetch: OffsetFetchRequest, OffsetFetchResponse;
    write_txn_markers: WriteTxnMarkersRequest, WriteTxnMarkersResponse;
    describe_log_dirs: DescribeLogDirsRequest, DescribeLogDirsResponse;
    share_fetch: ShareFetchRequest, ShareFetchResponse;
    share_acknowledge: ShareAcknowledgeRequest, ShareAcknowledgeResponse;
    add_raft_voter: AddRaftVoterRequest, AddRaftVoterResponse;
    write_share_group_state: WriteShareGroupStateRequest, WriteShareGroupStateResponse;
    read_share_group_state_summary: ReadShareGroupStateSummaryRequest, ReadShareGroupStateSummaryResponse;
    describe_share_group_offsets: DescribeShareGroupOffsetsRequest, DescribeShareGroupOffsetsResponse;
    streams_group_heartbeat: StreamsGroupHeartbeatRequest, StreamsGroupHeartbeatResponse, ours;
    streams_group_describe: StreamsGroupDescribeRequest, StreamsGroupDescribeResponse, ours;
}

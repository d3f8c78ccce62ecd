//! The check in front of the decoder, held against the decoder itself: `kafka-protocol` is the judge of what
//! a request is, the table only of how much of one there can be.

mod allocation;
mod decoder;
mod encoder;
mod mutation;

use brooklet_protocol::preflight::table::Request;
use brooklet_protocol::preflight::{Fault, MAX_ELEMENTS, PreflightError, check, requests};
use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::FetchRequest;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::protocol::Encodable;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};
use uuid::Uuid;

use allocation::counted;
use decoder::{DECODERS, Decoder, Refusal};
use encoder::{Edit, Tape, dense, edited, encoding};
use mutation::mutations;

/// Bytes a decoder may ask for per byte of an accepted body. The most found is 119: four bytes of a topic in
/// Metadata v9, its name empty and with a tagged field nobody knows, become a struct of 72 bytes and a tree
/// node of 408.
const PER_BYTE: usize = 128;
/// Bytes it may ask for per element or tag, which [`MAX_ELEMENTS`] turns into a limit for any body.
const PER_ELEMENT: usize = 300;
/// Bytes it may ask for besides: the body's own unknown tags, and an error value with the backtrace that
/// `RUST_BACKTRACE` adds.
const BESIDES: usize = 64 * 1024;

/// All requests at all their versions.
fn every_version() -> impl Iterator<Item = (&'static Request, u8)> {
    requests()
        .iter()
        .flat_map(|request| (request.versions.first..=request.versions.last).map(move |version| (request, version)))
}

/// Runs `test` on `cases` inputs for each request and version, the same ones each time.
fn for_every_version<S: Strategy>(cases: u32, strategy: &S, test: impl Fn(&'static Request, u8, S::Value)) {
    for (request, version) in every_version() {
        let config = Config { cases, failure_persistence: None, ..Config::default() };
        let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
        let outcome = TestRunner::new_with_rng(config, rng).run(strategy, |input| {
            test(request, version, input);
            Ok(())
        });
        match outcome {
            Ok(()) => {}
            Err(TestError::Fail(reason, input)) => panic!("{} v{version}: {reason}\n{input:?}", request.name),
            Err(TestError::Abort(reason)) => panic!("{} v{version}: {reason}", request.name),
        }
    }
}

/// Checks and decodes `body`, holds the two against each other and returns the bytes that decoding it took.
fn check_agrees_with_decoder(request: &Request, version: u8, body: &[u8]) -> usize {
    let version = i16::from(version);
    let (verdict, allocated) = counted(|| check(request.key, version, body));
    assert_eq!(allocated, 0, "the check allocated");
    let Some(decoder) = Decoder::of(request.key) else {
        return 0;
    };

    // The decoder would reserve room for all those elements, or read on inside of them, where the check has
    // not been.
    if let Err(PreflightError::Malformed { fault: Fault::Count { .. }, .. }) = verdict {
        return 0;
    }
    let copy = Bytes::copy_from_slice(body);
    let (decoded, allocated) = counted(|| decoder.decode(&mut copy.clone(), version));
    match verdict {
        Ok(()) => {
            assert_ne!(decoded, Err(Refusal::Malformed), "accepted, but does not decode: {body:?}");
            let limit = PER_BYTE * body.len() + BESIDES;
            assert!(allocated <= limit, "{allocated} bytes for a body of {}: {body:?}", body.len());
        }
        Err(error) => assert!(decoded.is_err(), "refused, but decodes: {error}: {body:?}"),
    }
    allocated
}

fn tape() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..120)
}

#[test]
fn the_table_has_every_request_the_decoder_has() {
    for decoder in DECODERS {
        let request = requests().iter().find(|request| request.key == decoder.api_key);
        let versions = request.unwrap_or_else(|| panic!("no request {}", decoder.api_key)).versions;
        let in_table = (i16::from(versions.first), i16::from(versions.last));
        assert_eq!(in_table, (decoder.versions.min, decoder.versions.max), "{request:?}");
    }
    assert!(requests().is_sorted_by(|left, right| left.key < right.key));
}

#[test]
fn bodies_that_abort_the_decoder_are_refused() {
    // 36-byte elements: 154 GB.
    let metadata = [0xff, 0xff, 0xff, 0xff, 0x0f];
    // No transactional id, acks, timeout, then 96-byte elements: 412 GB.
    let produce = [0, 0, 1, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0x0f];
    let refusal = |key, version, body: &[u8]| check(key, version, body).expect_err("asks too much").to_string();
    assert_eq!(
        refusal(3, 12, &metadata),
        "Metadata v12: Topics counts 4294967294 elements of 18 or more bytes, but 0 bytes remain"
    );
    assert_eq!(
        refusal(0, 9, &produce),
        "Produce v9: TopicData counts 4294967294 elements of 3 or more bytes, but 0 bytes remain"
    );
    // Room for ten topics, said to be eleven.
    let crowded = [&[12][..], &[0; 11 * 18 - 1]].concat();
    assert_eq!(
        refusal(3, 12, &crowded),
        "Metadata v12: Topics counts 11 elements of 18 or more bytes, but 197 bytes remain"
    );
}

#[test]
fn a_refusal_names_the_field_from_the_body_inwards() {
    // One topic "t" with one partition whose records are said to be 255 bytes.
    let body =
        [&[0xff, 0xff, 0, 1, 0, 0, 0, 1][..], &[0, 0, 0, 1, 0, 1, b't'], &[0, 0, 0, 1, 0, 0, 0, 0], &[0, 0, 0, 255]];
    assert_eq!(
        check(0, 3, &body.concat()).expect_err("records are missing").to_string(),
        "Produce v3: TopicData.PartitionData.Records takes 255 bytes, but 0 remain"
    );
    assert_eq!(
        check(3, 0, &[0]).expect_err("too short").to_string(),
        "Metadata v0: Topics takes 4 bytes, but 1 remain"
    );
    assert_eq!(
        check(18, 3, &[1, 1, 9]).expect_err("no tags").to_string(),
        "ApiVersions v3: the body counts 9 tagged fields, but 0 bytes remain"
    );
}

#[test]
fn unknown_requests_are_refused() {
    assert_eq!(check(999, 0, &[]), Err(PreflightError::UnknownApi { api_key: 999 }));
    assert_eq!(check(-1, 0, &[]), Err(PreflightError::UnknownApi { api_key: -1 }));
    for version in [-1, 2, 14, 259, i16::MAX] {
        assert_eq!(check(0, version, &[]), Err(PreflightError::UnsupportedVersion { api: "Produce", version }));
    }
}

#[test]
fn valid_requests_pass_whole() {
    for_every_version(48, &tape(), |request, version, tape| {
        let body = encoding(request, version, Tape::new(&tape));
        let passes = |body: &[u8]| check(request.key, version.into(), body);
        assert_eq!(passes(&body), Ok(()));
        assert_eq!(passes(&[&body[..], b"trailing"].concat()), Ok(()));
        if let Some((_, short)) = body.split_last() {
            assert!(passes(short).is_err(), "the last byte was not read");
        }
        if let Some(decoder) = Decoder::of(request.key) {
            let mut rest = Bytes::from(body);
            assert_eq!(decoder.decode(&mut rest, version.into()), Ok(()));
            assert!(rest.is_empty(), "the decoder left {} bytes", rest.len());
        }
    });
}

/// The decoder lacks these messages. The bodies are what Kafka 4.3.1's `StreamsGroupHeartbeatRequestData` and
/// `StreamsGroupDescribeRequestData` write, the first with every field set and then with every nullable one
/// null.
#[test]
fn streams_requests_pass_as_kafka_writes_them() {
    let heartbeat = "05672d6964056d2d6964000000010000000205692d696405722d6964000000050100000001020530\
        2d69640206696e2d69640204782e2a0205742d696400000003000102056b2d696405762d69640000\
        020672732d69640205742d696400000003000102056b2d696405762d696400000203000000050300\
        01000503000200050000000205302d6964030000000000000001000205302d696403000000000000\
        0001000205302d69640300000000000000010005702d69640105682d696400090002056b2d696405\
        762d6964000205302d6964000000010000000000000007000205302d696400000001000000000000\
        0009000100";
    let short_heartbeat = "05672d6964056d2d696400000000000000000000ffffffffff00000000ff0000000000";
    let describe = "0305672d696405682d69640100";
    for (key, hex) in [(88, heartbeat), (88, short_heartbeat), (89, describe)] {
        let digits = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).expect("ASCII"), 16);
        let body = hex.as_bytes().chunks(2).map(digits).collect::<Result<Vec<_>, _>>().expect("hex digits");
        assert_eq!(check(key, 0, &body), Ok(()));
        assert!(check(key, 0, &body[..body.len() - 1]).is_err());
    }
}

#[test]
fn arbitrary_bytes_do_no_harm() {
    let bytes = prop_oneof![prop::collection::vec(any::<u8>(), 0..64), prop::collection::vec(0..4_u8, 0..200),];
    for_every_version(48, &bytes, |request, version, body| {
        check_agrees_with_decoder(request, version, &body);
    });
}

#[test]
fn damaged_requests_do_no_harm() {
    for_every_version(96, &(tape(), mutations()), |request, version, (tape, mutations)| {
        let mut body = encoding(request, version, Tape::new(&tape));
        for mutation in &mutations {
            mutation.apply(&mut body);
        }
        check_agrees_with_decoder(request, version, &body);
    });
}

#[test]
fn every_length_count_and_marker_is_judged_as_the_decoder_judges_it() {
    let near = [-1, 1, 2].map(Edit::Add);
    let far = [-2, -1, 0, 1, 2, 100, 0x7fff, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_fffe].map(Edit::Set);
    for (request, version) in every_version() {
        for prefix in 0.. {
            let body = |edit: &Edit| edited(request, version, Tape::FULL, prefix, *edit);
            let Some(bodies) = near.iter().chain(&far).map(body).collect::<Option<Vec<_>>>() else {
                break;
            };
            for body in bodies {
                check_agrees_with_decoder(request, version, &body);
            }
        }
    }
}

#[test]
fn the_densest_requests_pass_and_decode_within_bounds() {
    const COUNT: usize = 2_000;
    for (request, version) in every_version() {
        for array in 0.. {
            let Some(packed) = dense(request, version, array, COUNT, false) else {
                break;
            };
            assert_eq!(check(request.key, version.into(), &packed), Ok(()));
            let tagged = dense(request, version, array, COUNT, true).expect("it has the same arrays");
            for (body, elements) in [(packed, COUNT), (tagged, 2 * COUNT)] {
                let allocated = check_agrees_with_decoder(request, version, &body);
                let limit = elements * PER_ELEMENT + BESIDES;
                assert!(allocated <= limit, "{allocated} bytes in {} v{version}", request.name);
            }
        }
    }
}

#[test]
fn a_request_may_have_so_many_elements_and_no_more() {
    let fetch = |topics: u128, partitions: i32| {
        let partitions = (0..partitions).map(|index| FetchPartition::default().with_partition(index));
        let partitions = partitions.collect::<Vec<_>>();
        let topic = |id| FetchTopic::default().with_topic_id(Uuid::from_u128(id)).with_partitions(partitions.clone());
        let request = FetchRequest::default().with_topics((1..=topics).map(topic).collect());
        let mut body = BytesMut::new();
        request.encode(&mut body, 17).expect("a valid fetch");
        body
    };
    assert_eq!(check(1, 17, &fetch(1, 100_000)), Ok(()));
    assert_eq!(check(1, 17, &fetch(10_000, 2)), Ok(()));
    let at_most = MAX_ELEMENTS as i32 / 2 - 1;
    assert_eq!(check(1, 17, &fetch(2, at_most)), Ok(()));
    let refusal = check(1, 17, &fetch(2, at_most + 1)).expect_err("an element too many").to_string();
    assert_eq!(refusal, "Fetch v17: Topics.Partitions counts 131072 more elements, past the 262144 a request may have");
}

//! Data that is no longer in the page cache, read by a fetching client, beside `sendfile` of the same file into the same kind of
//! socket.
#![allow(missing_docs, clippy::unwrap_used)]

use std::fs::File;
use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use brooklet::{Broker, Record};
use brooklet_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use brooklet_protocol::messages::{FetchRequest, FetchResponse, TopicName};
use brooklet_protocol::{Decodable, StrBytes};
use brooklet_tests::wire::{WireClient, frame};
use bytes::Buf;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rustix::fs::{Advice, fadvise, fsync, sendfile};

const SIZE: usize = 256 << 20;
/// What a Java consumer asks for at once (`max.partition.fetch.bytes`).
const AT_ONCE: i32 = 1 << 20;

fn request(offset: i64) -> FetchRequest {
    let partition = FetchPartition::default().with_fetch_offset(offset).with_partition_max_bytes(AT_ONCE);
    let name = TopicName(StrBytes::from_static_str("t"));
    let topic = FetchTopic::default().with_topic(name).with_partitions(vec![partition]);
    FetchRequest::default().with_max_wait_ms(0).with_min_bytes(1).with_max_bytes(50 << 20).with_topics(vec![topic])
}

/// Every offset at which a fetch begins, from the first to the last: known beforehand, so that nothing is parsed in the measured loop.
fn offsets(client: &mut WireClient, end: i64) -> Vec<i64> {
    let (mut offsets, mut next) = (Vec::new(), 0);
    while next < end {
        offsets.push(next);
        let mut body = client.exchange(&frame(11, &request(next))).unwrap();
        body.advance(4);
        let response = FetchResponse::decode(&mut body, 11).unwrap();
        let mut records = response.responses[0].partitions[0].records.clone().unwrap();
        while records.len() > 61 {
            let base = i64::from_be_bytes(records[..8].try_into().unwrap());
            let len = u32::from_be_bytes(records[8..12].try_into().unwrap()) as usize + 12;
            if len > records.len() {
                break;
            }
            next = base + i64::from(u32::from_be_bytes(records[23..27].try_into().unwrap())) + 1;
            records.advance(len);
        }
    }
    offsets
}

fn forget(path: &Path) {
    let file = File::open(path).unwrap();
    fsync(&file).unwrap();
    fadvise(&file, 0, None, Advice::DontNeed).unwrap();
}

fn sent(file: &Path, from: &mut TcpStream, to: &TcpStream) -> Duration {
    let file = File::open(file).unwrap();
    let len = file.metadata().unwrap().len();
    let begun = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut at = 0;
            while at < len {
                sendfile(to, &file, Some(&mut at), AT_ONCE as usize).unwrap();
            }
        });
        let mut buffer = vec![0; AT_ONCE as usize];
        let mut left = usize::try_from(len).unwrap();
        while left > 0 {
            left -= from.read(&mut buffer).unwrap();
        }
    });
    begun.elapsed()
}

fn benches(c: &mut Criterion) {
    // On the disk that has the project: a temporary directory may be memory.
    let dir = tempfile::tempdir_in(brooklet_tests::root().join("target")).unwrap();
    let broker = Broker::start_blocking(Broker::builder().data_dir(dir.path()).topic("t", 1)).unwrap();
    let value = bytes::Bytes::from("x".repeat(10_000));
    for _ in 0..SIZE / (100 * 10_100) {
        broker.produce("t", 0, (0..100).map(|_| Record::new("k", value.clone()))).unwrap();
    }
    let log: PathBuf = dir.path().join("t-0/00000000000000000000.log");
    let mut client = WireClient::connect(broker.bootstrap_servers().parse().unwrap()).unwrap();
    let end = i64::try_from(SIZE / (100 * 10_100) * 100).unwrap();
    let frames: Vec<_> = offsets(&mut client, end).into_iter().map(|offset| frame(11, &request(offset))).collect();

    let mut group = c.benchmark_group("cold fetch");
    group.sample_size(10);
    group.throughput(Throughput::Bytes(log.metadata().unwrap().len()));
    group.bench_function("fetch", |b| {
        b.iter_custom(|rounds| {
            let mut took = Duration::ZERO;
            for _ in 0..rounds {
                forget(&log);
                let begun = Instant::now();
                for frame in &frames {
                    client.exchange(frame).unwrap();
                }
                took += begun.elapsed();
            }
            took
        });
    });
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut from = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (to, _) = listener.accept().unwrap();
    group.bench_function("sendfile", |b| {
        b.iter_custom(|rounds| {
            let mut took = Duration::ZERO;
            for _ in 0..rounds {
                forget(&log);
                took += sent(&log, &mut from, &to);
            }
            took
        });
    });
    group.finish();
}

criterion_group!(all, benches);
criterion_main!(all);

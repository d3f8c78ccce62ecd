//! Appending to a log and reading from it, beside a plain write of the same bytes.
#![allow(missing_docs, clippy::unwrap_used)]

use std::fs::File;
use std::hint::black_box;
use std::io::Write;

use brooklet_protocol::records::BatchBuilder;
use brooklet_protocol::records::validate::ValidBatch;
use brooklet_storage::{AppendOrigin, LogConfig, LogId, LogOrigin, PartitionLog};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use uuid::Uuid;

fn batch(len: usize) -> ValidBatch {
    let mut builder = BatchBuilder::new();
    builder.push(1, None, Some(&vec![7; len]), &[]);
    ValidBatch::trusted(builder.finish().unwrap())
}

fn open(dir: &std::path::Path, partition: i32) -> PartitionLog {
    let id = LogId { topic: "t".into(), topic_id: Uuid::nil(), partition };
    PartitionLog::open(dir, id, &LogConfig::default(), LogOrigin::default()).unwrap()
}

fn benches(c: &mut Criterion) {
    let config = LogConfig { segment_bytes: 256 << 20, ..LogConfig::default() };
    let mut group = c.benchmark_group("append");
    for len in [100usize, 1 << 10, 16 << 10, 1 << 20] {
        let batch = batch(len);
        group.throughput(Throughput::Bytes(batch.header.size() as u64));
        let dir = tempfile::tempdir().unwrap();
        let mut log = open(dir.path(), 0);
        group.bench_function(BenchmarkId::new("log", len), |b| {
            b.iter(|| {
                log.append(black_box(&batch), AppendOrigin::Client, &config).unwrap();
                // What is measured is the writing, not a disk that fills.
                if log.view().size() > 1 << 30 {
                    log.advance_start(log.view().next_offset()).unwrap();
                }
            });
        });
        let mut file = File::create(dir.path().join("plain")).unwrap();
        let mut written = 0;
        let header = batch.header.encode();
        group.bench_function(BenchmarkId::new("plain write with CRC", len), |b| {
            b.iter(|| {
                black_box(batch.header.sealed(&batch.payload));
                file.write_all(&header).unwrap();
                file.write_all(black_box(&batch.payload)).unwrap();
                written += batch.header.size();
                if written > 1 << 30 {
                    written = 0;
                    file = File::create(dir.path().join("plain")).unwrap();
                }
            });
        });
    }
    group.finish();

    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path(), 0);
    let small = batch(1 << 10);
    for _ in 0..100_000 {
        log.append(&small, AppendOrigin::Client, &config).unwrap();
    }
    let mut group = c.benchmark_group("read");
    for max_bytes in [1usize, 64 << 10, 1 << 20] {
        let mut offset = 0i64;
        group.bench_function(BenchmarkId::from_parameter(max_bytes), |b| {
            b.iter(|| {
                offset = (offset + 7919) % 100_000;
                black_box(log.view().read(offset, i64::MAX, max_bytes, true).unwrap())
            });
        });
    }
    group.finish();

    // One entry of an index stands for 4 KiB; the rest of the way is walked from batch to batch.
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path(), 1);
    for at in 0..100_000 {
        let mut builder = BatchBuilder::new();
        builder.push(at, None, Some(&[7; 1000]), &[]);
        log.append(&ValidBatch::trusted(builder.finish().unwrap()), AppendOrigin::Client, &config).unwrap();
    }
    let mut group = c.benchmark_group("look up");
    let mut timestamp = 0;
    group.bench_function("a timestamp", |b| {
        b.iter(|| {
            timestamp = (timestamp + 7919) % 100_000;
            black_box(log.view().first_at_or_after(timestamp).unwrap().unwrap())
        });
    });
    group.finish();
}

criterion_group!(all, benches);
criterion_main!(all);

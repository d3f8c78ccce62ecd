//! What the broker does with a batch before it takes any lock: CRC, headers, a walk over the records.
#![allow(missing_docs, clippy::unwrap_used)]

use std::hint::black_box;

use brooklet_protocol::records::validate::{BatchRules, validate};
use brooklet_protocol::records::{BatchBuilder, CompressionType, RecordBatch, TimestampType};
use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

const NOW: i64 = 1_700_000_000_000;

fn batch(records: usize, value_len: usize, codec: CompressionType) -> Bytes {
    let mut builder = BatchBuilder::new().compression(codec);
    for index in 0..records {
        let value: Vec<u8> = (0..value_len).map(|at| b'a' + ((index * 31 + at * 7) % 23) as u8).collect();
        builder.push(NOW, Some(format!("key-{index}").as_bytes()), Some(&value), &[]);
    }
    builder.build().unwrap()
}

fn rules() -> BatchRules {
    BatchRules {
        compacted: false,
        timestamp_type: TimestampType::CreateTime,
        timestamp_before_max_ms: i64::MAX,
        timestamp_after_max_ms: 3_600_000,
        max_message_bytes: 10 << 20,
        compression: None,
    }
}

fn benches(c: &mut Criterion) {
    let mut group = c.benchmark_group("validate");
    for (records, value_len) in [(1, 100), (150, 100), (16, 1024), (10, 100_000)] {
        let bytes = batch(records, value_len, CompressionType::None);
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_with_input(BenchmarkId::new("none", format!("{records}x{value_len}")), &bytes, |b, bytes| {
            b.iter(|| validate(black_box(bytes), &rules(), NOW).unwrap());
        });
    }
    for codec in [CompressionType::Lz4, CompressionType::Zstd, CompressionType::Snappy, CompressionType::Gzip] {
        let bytes = batch(150, 100, codec);
        group.throughput(Throughput::Bytes(batch(150, 100, CompressionType::None).len() as u64));
        group.bench_with_input(BenchmarkId::new(codec.name(), "150x100"), &bytes, |b, bytes| {
            b.iter(|| validate(black_box(bytes), &rules(), NOW).unwrap());
        });
    }
    group.finish();

    let mut group = c.benchmark_group("crc");
    for len in [1usize << 10, 16 << 10, 1 << 20] {
        let batch = RecordBatch::parse(&batch(1, len, CompressionType::None)).unwrap();
        group.throughput(Throughput::Bytes(len as u64));
        group.bench_function(BenchmarkId::from_parameter(len), |b| b.iter(|| black_box(&batch).verify_crc().unwrap()));
    }
    group.finish();
}

criterion_group!(all, benches);
criterion_main!(all);

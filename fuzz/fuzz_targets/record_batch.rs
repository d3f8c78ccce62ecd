//! Record batches as a producer might send them, and as they might stand in a log: walked, scanned, decoded, validated.
//! The CRC is put right, so that what lies behind it is reached.
#![no_main]

use brooklet_protocol::records::validate::{BatchRules, validate};
use brooklet_protocol::records::{BatchHeader, ControlRecord, HEADER_LEN, TimestampType, batches};
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    walk(Bytes::copy_from_slice(data));
    let Some((head, payload)) = data.split_first_chunk::<HEADER_LEN>() else { return };
    let mut head = *head;
    head[16] = 2;
    head[8] &= 0x7f;
    head[9] |= 1;
    let Ok(header) = BatchHeader::parse(&head) else { return };
    for header in [header, BatchHeader { base_offset: 0, last_offset_delta: header.record_count.wrapping_sub(1), ..header }] {
        let mut bytes = header.sealed(payload).encode().to_vec();
        bytes.extend_from_slice(payload);
        let bytes = Bytes::from(bytes);
        let rules = BatchRules {
            compacted: head[0] & 1 == 1,
            timestamp_type: if head[0] & 2 == 2 { TimestampType::LogAppendTime } else { TimestampType::CreateTime },
            timestamp_before_max_ms: i64::MAX,
            timestamp_after_max_ms: 3_600_000,
            max_message_bytes: 1 << 20,
            compression: None,
        };
        if let Ok(valid) = validate(&bytes, &rules, 1_700_000_000_000) {
            assert!(valid.header.record_count > 0);
            assert_eq!(valid.header.size(), HEADER_LEN + valid.payload.len());
        }
        walk(bytes);
    }
});

fn walk(bytes: Bytes) {
    for batch in batches(bytes).flatten() {
        let _ = batch.verify_crc();
        let _ = batch.scan(|_| {});
        let _ = ControlRecord::of(&batch);
        if let Ok(records) = batch.records(1 << 20) {
            let _ = records.take(10_000).count();
        }
    }
}

//! Producer state on disk (`.snapshot`; Kafka's `ProducerSnapshot.json`, version 1): a reopened log replays only the
//! batches that follow its newest snapshot.
//!
//! Layout, big-endian: version 2 bytes, CRC-32C of what follows 4, count 4, then entries of 46 bytes. Kafka keeps a
//! producer's last batch only. We write up to five entries for a producer, oldest first: Kafka's reader, which puts
//! each over the one before, then sees the last, while ours sees all, so that a batch sent again across a restart is
//! still known for what it is.

use std::collections::HashMap;

use crate::disk::Dir;
use crate::error::Error;
use crate::files::{PRODUCER_SNAPSHOT, segment_file};
use crate::producer_state::{BatchMetadata, ProducerStateEntry, ProducerStateManager};

const VERSION: i16 = 1;
const ENTRY_LEN: usize = 46;
/// How many snapshots a log keeps: the newest, and one to fall back to.
const KEPT: usize = 2;

/// Writes the snapshot for `offset`, which covers all batches below it, and removes those that it replaces.
pub(crate) fn write(dir: &Dir, offset: i64, producers: &ProducerStateManager) -> Result<(), Error> {
    let mut body = Vec::new();
    let mut count = 0i32;
    for (producer_id, entry) in producers.entries() {
        let none = [BatchMetadata { last_sequence: -1, last_offset: -1, offset_delta: 0, timestamp: -1 }];
        let batches = if entry.batches().is_empty() { &none[..] } else { entry.batches() };
        for (index, batch) in batches.iter().enumerate() {
            let is_last = index + 1 == batches.len();
            let timestamp = if is_last { entry.last_timestamp() } else { batch.timestamp };
            put_entry(&mut body, producer_id, entry, &BatchMetadata { timestamp, ..*batch });
            count += 1;
        }
    }
    let mut content = VERSION.to_be_bytes().to_vec();
    let crc = crc32c::crc32c_append(crc32c::crc32c(&count.to_be_bytes()), &body);
    content.extend_from_slice(&crc.to_be_bytes());
    content.extend_from_slice(&count.to_be_bytes());
    content.extend_from_slice(&body);
    let path = segment_file(dir, offset, PRODUCER_SNAPSHOT);
    dir.disk.write_whole(&path, &content)?;

    let offsets = dir.disk.offsets_of(dir, PRODUCER_SNAPSHOT)?;
    for stale in offsets.iter().rev().skip(KEPT) {
        dir.disk.remove_if_present(&segment_file(dir, *stale, PRODUCER_SNAPSHOT))?;
    }
    Ok(())
}

/// Reads the newest good snapshot at or below `at_most`, and its offset. One that is damaged, or ahead of the log, which
/// ends at `next_offset`, is removed; so is one that lies before `first`, where the log's first segment begins, since nothing
/// says what producers wrote between the two.
pub(crate) fn read_newest(
    dir: &Dir,
    first: i64,
    at_most: i64,
    next_offset: i64,
) -> Result<Option<(i64, ProducerStateManager)>, Error> {
    for offset in dir.disk.offsets_of(dir, PRODUCER_SNAPSHOT)?.into_iter().rev() {
        if offset > at_most && offset <= next_offset {
            continue;
        }
        let path = segment_file(dir, offset, PRODUCER_SNAPSHOT);
        if offset <= next_offset && offset >= first {
            let content = dir.disk.read(&path).map_err(Error::io("read", &path))?;
            match decode(&content) {
                Some(producers) => return Ok(Some((offset, producers))),
                None => tracing::warn!(path = %path.display(), "producer snapshot is damaged; it is removed"),
            }
        }
        dir.disk.remove_if_present(&path)?;
    }
    Ok(None)
}

/// Removes the snapshots behind an offset, before what follows from the batches there is made anew: should that be cut off,
/// the next one to open the log must not take it for done.
pub(crate) fn remove_behind(dir: &Dir, offset: i64) -> Result<(), Error> {
    let offsets = dir.disk.offsets_of(dir, PRODUCER_SNAPSHOT)?.into_iter().filter(|found| *found > offset);
    offsets.rev().try_for_each(|found| dir.disk.remove_if_present(&segment_file(dir, found, PRODUCER_SNAPSHOT)))
}

/// Hands the newest snapshot to the disk.
pub(crate) fn flush(dir: &Dir) -> Result<(), Error> {
    match dir.disk.offsets_of(dir, PRODUCER_SNAPSHOT)?.last() {
        Some(newest) => dir.disk.sync_file(&segment_file(dir, *newest, PRODUCER_SNAPSHOT)),
        None => Ok(()),
    }
}

fn put_entry(out: &mut Vec<u8>, producer_id: i64, entry: &ProducerStateEntry, batch: &BatchMetadata) {
    out.extend_from_slice(&producer_id.to_be_bytes());
    out.extend_from_slice(&entry.epoch.to_be_bytes());
    out.extend_from_slice(&batch.last_sequence.to_be_bytes());
    out.extend_from_slice(&batch.last_offset.to_be_bytes());
    out.extend_from_slice(&batch.offset_delta.to_be_bytes());
    out.extend_from_slice(&batch.timestamp.to_be_bytes());
    out.extend_from_slice(&entry.coordinator_epoch.to_be_bytes());
    out.extend_from_slice(&entry.current_txn_first_offset.unwrap_or(-1).to_be_bytes());
}

/// `None` where anything is not as it should be.
pub(crate) fn decode(content: &[u8]) -> Option<ProducerStateManager> {
    let (version, rest) = content.split_first_chunk::<2>()?;
    let (crc, covered) = rest.split_first_chunk::<4>()?;
    if i16::from_be_bytes(*version) != VERSION || u32::from_be_bytes(*crc) != crc32c::crc32c(covered) {
        return None;
    }
    let (count, body) = covered.split_first_chunk::<4>()?;
    let (entries, rest) = body.as_chunks::<ENTRY_LEN>();
    if !rest.is_empty() || i32::from_be_bytes(*count) as usize != entries.len() {
        return None;
    }
    let mut producers: HashMap<i64, ProducerStateEntry> = HashMap::new();
    for raw in entries {
        let entry = producers.entry(be64(raw, 0)).or_default();
        entry.epoch = be16(raw, 8);
        let batch = BatchMetadata {
            last_sequence: be32(raw, 10),
            last_offset: be64(raw, 14),
            offset_delta: be32(raw, 22),
            timestamp: be64(raw, 26),
        };
        if batch.last_offset >= 0 {
            entry.push(batch);
        }
        entry.last_timestamp = batch.timestamp;
        entry.coordinator_epoch = be32(raw, 34);
        entry.current_txn_first_offset = Some(be64(raw, 38)).filter(|offset| *offset >= 0);
    }
    let mut manager = ProducerStateManager::default();
    for (producer_id, entry) in producers {
        manager.restore(producer_id, entry);
    }
    Some(manager)
}

fn be16(raw: &[u8], at: usize) -> i16 {
    i16::from_be_bytes([raw[at], raw[at + 1]])
}

fn be32(raw: &[u8], at: usize) -> i32 {
    i32::from_be_bytes([raw[at], raw[at + 1], raw[at + 2], raw[at + 3]])
}

fn be64(raw: &[u8], at: usize) -> i64 {
    (i64::from(be32(raw, at)) << 32) | i64::from(be32(raw, at + 4) as u32)
}

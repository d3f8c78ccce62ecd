//! A log whose files were damaged anywhere is opened, read to its end, looked up by time, and appended to.
#![no_main]

use std::path::Path;

use brooklet_protocol::records::BatchBuilder;
use brooklet_protocol::records::validate::ValidBatch;
use brooklet_storage::{AppendOrigin, LogConfig, LogId, LogOrigin, PartitionLog};
use libfuzzer_sys::fuzz_target;
use uuid::Uuid;

const CONFIG: LogConfig =
    LogConfig { segment_bytes: 4096, segment_ms: 10_000, segment_index_bytes: 64, index_interval_bytes: 100, ..LogConfig::DEFAULT };

/// Batches by value length and time; how the log is left; bytes to put somewhere in some file; what is said of the stop.
type Input = (Vec<(u8, u16, bool)>, bool, Vec<(u8, u16, u8)>, bool);

fuzz_target!(|input: Input| {
    let (batches, closed, damages, machine_stopped) = input;
    let dir = tempfile::tempdir_in("/dev/shm").unwrap();
    let mut log = open(dir.path(), false).unwrap();
    for (sequence, (len, time, idempotent)) in (0i32..).zip(batches.iter().take(100)) {
        let mut builder = BatchBuilder::new();
        if *idempotent {
            builder = builder.producer(i64::from(sequence), 0, 0);
        }
        builder.push(i64::from(*time), None, Some(&vec![7; usize::from(*len)]), &[]);
        log.append(&ValidBatch::trusted(builder.finish().unwrap()), AppendOrigin::Client, &CONFIG).unwrap();
    }
    if closed {
        log.close().unwrap();
    }
    drop(log);
    let partition = dir.path().join("t-0");
    if partition.exists() {
        damage(&partition, &damages);
    }

    let Ok(mut log) = open(dir.path(), machine_stopped) else { return };
    let end = log.view().next_offset();
    let mut offset = log.view().log_start_offset();
    while offset < end {
        let Ok(slice) = log.view().read(offset, end, 1000, true) else { break };
        let Some(last) = brooklet_protocol::records::batches(slice.records).flatten().last() else { break };
        if last.header().next_offset() <= offset {
            // A damaged header may say anything; whoever reads on must look for this.
            break;
        }
        offset = last.header().next_offset();
    }
    let _ = log.view().first_at_or_after(1000);
    let _ = log.view().max_timestamp();
    let mut builder = BatchBuilder::new();
    builder.push(1, None, Some(b"v"), &[]);
    let batch = ValidBatch::trusted(builder.finish().unwrap());
    if let Ok(appended) = log.append(&batch, AppendOrigin::Client, &CONFIG) {
        assert_eq!(appended.base_offset, end);
    }
});

fn open(dir: &Path, machine_stopped: bool) -> Result<PartitionLog, brooklet_storage::Error> {
    let id = LogId { topic: "t".into(), topic_id: Uuid::nil(), partition: 0 };
    PartitionLog::open(dir, id, &CONFIG, LogOrigin { machine_stopped, ..LogOrigin::default() })
}

fn damage(partition: &Path, damages: &[(u8, u16, u8)]) {
    let mut files: Vec<_> = std::fs::read_dir(partition).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for (file, at, byte) in damages.iter().take(20) {
        let path = &files[usize::from(*file) % files.len()];
        let mut content = std::fs::read(path).unwrap();
        if content.is_empty() {
            continue;
        }
        let at = usize::from(*at) % (content.len() + 1);
        match content.get_mut(at) {
            Some(place) => *place = *byte,
            // One position beyond the end cuts the file instead.
            None => content.truncate(usize::from(*byte)),
        }
        std::fs::write(path, content).unwrap();
    }
}

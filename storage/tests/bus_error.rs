//! A page that is missing in a mapping that is not the log's still ends the process, as if there were no handler. (A file of
//! its own: who has a child inherits locks to it for a moment.)
#![allow(unsafe_code)]
#![allow(clippy::unwrap_used)]

use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;

use brooklet_protocol::records::BatchBuilder;
use brooklet_protocol::records::validate::ValidBatch;
use brooklet_storage::{AppendOrigin, LogConfig, LogId, LogOrigin, PartitionLog};
use memmap2::MmapOptions;
use uuid::Uuid;

const CHILD: &str = "BROOKLET_TEST_BUS_ERROR";

/// Has the handler installed, and touches what is not there in another mapping.
fn touch_what_is_not_there(dir: &Path) {
    let id = LogId { topic: "t".into(), topic_id: Uuid::from_u128(1), partition: 0 };
    let mut log = PartitionLog::open(dir, id, &LogConfig::DEFAULT, LogOrigin::default()).unwrap();
    let mut batch = BatchBuilder::new();
    batch.push(0, None, Some(b"value"), &[]);
    let batch = ValidBatch::trusted(batch.finish().unwrap());
    log.append(&batch, AppendOrigin::Client, &LogConfig::DEFAULT).unwrap();

    let path = dir.join("other");
    fs::write(&path, [1; 4096]).unwrap();
    let file = File::options().read(true).write(true).open(&path).unwrap();
    let map = MmapOptions::new().len(4096).map_raw(&file).unwrap();
    file.set_len(0).unwrap();
    // SAFETY: the address is mapped; that its page is not in the file any more is what is tested.
    let _ = unsafe { std::ptr::read_volatile(map.as_ptr()) };
}

#[test]
fn a_signal_that_is_not_ours_still_ends_the_process() {
    if let Some(dir) = std::env::var_os(CHILD) {
        return touch_what_is_not_there(Path::new(&dir));
    }
    let dir = tempfile::tempdir().unwrap();
    let child = Command::new(std::env::current_exe().unwrap()).env(CHILD, dir.path()).output().unwrap();
    // SIGBUS.
    assert_eq!(child.status.signal(), Some(7), "{}", child.status);
    assert!(dir.path().join("other").exists());
}

//! What can go wrong with a log, told apart by what the caller can do about it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::mmap::is_no_room;
use crate::producer_state::ProducerError;

/// What is tried when a mapped file is handed to the disk.
pub(crate) const FLUSH: &str = "flush";
/// What is tried when a file or a directory is handed to the disk.
pub(crate) const SYNC: &str = "sync";

/// A fault of the data directory or of a log in it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The file system refused an operation.
    #[error("{action} {}: {source}", path.display())]
    Io {
        /// What was tried, as in "create".
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        source: Arc<io::Error>,
    },
    /// Another process has the directory.
    #[error("data directory {} is in use by {}; stop that broker or choose another --data-dir", path.display(), holder(*pid))]
    InUse {
        /// The directory.
        path: PathBuf,
        /// Which process, as far as its lock file tells.
        pid: Option<u32>,
    },
    /// The directory was written by a newer version.
    #[error("{} has format {found}, this version knows up to {known}; use the newer brooklet", path.display())]
    NewerFormat {
        /// The file that says so.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The newest that is understood.
        known: u32,
    },
    /// An earlier write or flush of the log failed, so that nobody can say what of it is on disk.
    #[error("{log} takes no more records until the broker is started again: {cause}")]
    Poisoned {
        /// The log, by the name of its directory.
        log: String,
        /// What failed then.
        cause: Arc<Error>,
    },
    /// A file contradicts itself where no crash explains it.
    #[error("{} is corrupt at byte {at}: {reason}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// Where in it.
        at: u64,
        /// What is wrong.
        reason: String,
    },
}

fn holder(pid: Option<u32>) -> String {
    pid.map_or("another process".to_owned(), |pid| format!("process {pid}"))
}

impl Error {
    /// An I/O error with what was tried on which file.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { action, path: path.to_owned(), source: Arc::new(source) }
    }

    /// Whether the cause is a file system without room: it may go away by itself.
    pub fn is_disk_full(&self) -> bool {
        matches!(self, Self::Io { source, .. } if is_no_room(source))
    }

    /// Whether a file or directory is not there.
    pub(crate) fn is_not_found(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }

    /// Whether something was lacking (room, descriptors, memory) that may be there the next time, so that what was tried
    /// may be tried again. A failed flush may not: the system forgets what it could not write.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::Io { action, source, .. } => {
                !matches!(*action, FLUSH | SYNC)
                    && (is_no_room(source)
                        || source.kind() == io::ErrorKind::OutOfMemory
                        || matches!(source.raw_os_error(), Some(libc::EMFILE | libc::ENFILE)))
            }
            _ => false,
        }
    }
}

/// Why a batch was not appended. The log is as it was before.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AppendError {
    /// The producer's epoch or sequence does not fit.
    #[error(transparent)]
    Producer(#[from] ProducerError),
    /// The batch is larger than a segment may be.
    #[error("batch of {size} bytes is larger than segment.bytes ({max})")]
    LargerThanSegment {
        /// The batch's size.
        size: usize,
        /// `segment.bytes`.
        max: usize,
    },
    /// The partition was deleted meanwhile.
    #[error("the partition has been deleted")]
    Deleted,
    /// The file system refused.
    #[error(transparent)]
    Storage(#[from] Error),
}

/// Why nothing was read.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ReadError {
    /// The offset lies before the log's start or behind its end.
    #[error("offset {offset} is out of range [{start}, {end}]")]
    OutOfRange {
        /// The offset asked for.
        offset: i64,
        /// The log's first offset.
        start: i64,
        /// The offset that comes next.
        end: i64,
    },
    /// The file system refused, or the file is not what it was.
    #[error(transparent)]
    Storage(#[from] Error),
}

//! A segment that compaction writes, and how it takes the place of those it was made from (Kafka's `.cleaned` and `.swap`).
//!
//! The files are written with the suffix `cleaned`, flushed, and renamed to `swap`, the log last. From then on the new
//! segment stands for the old ones: a start that finds a log with the suffix `swap` removes what it replaces and takes
//! it up, and a start that finds one with `cleaned` removes it.

use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use brooklet_protocol::records::{BatchHeader, HEADER_LEN};

use crate::disk::{Access, Dir, DiskFile, Reading};
use crate::error::Error;
use crate::files::{
    CLEANED, DELETED, LOG, OFFSET_INDEX, SEGMENT_FILES, SWAP, TIME_INDEX, TRANSACTION_INDEX, segment_file, suffixed,
};
use crate::index_builder::IndexBuilder;
use crate::transaction_index::AbortedTransaction;

/// Writes the files of a segment, front to back.
#[derive(Debug)]
pub(super) struct CleanedSegmentWriter {
    dir: Dir,
    base_offset: i64,
    path: PathBuf,
    log: BufWriter<Writing>,
    indexes: IndexBuilder,
    aborted: Vec<AbortedTransaction>,
}

/// Writes a file front to back.
#[derive(Debug)]
struct Writing {
    file: Box<dyn DiskFile>,
    at: u64,
}

impl Write for Writing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write_all_at(&[bytes], self.at)?;
        self.at += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl CleanedSegmentWriter {
    pub(super) fn create(dir: &Dir, base_offset: i64, index_interval_bytes: usize) -> Result<Self, Error> {
        let path = suffixed(&segment_file(dir, base_offset, LOG), CLEANED);
        let log = dir.disk.open(&path, Access::Create).map_err(Error::io("create", &path))?;
        Ok(Self {
            dir: dir.clone(),
            base_offset,
            path,
            log: BufWriter::with_capacity(64 * 1024, Writing { file: log, at: 0 }),
            indexes: IndexBuilder::new(base_offset, index_interval_bytes),
            aborted: Vec::new(),
        })
    }

    pub(super) fn append(&mut self, header: &BatchHeader, payload: &[u8]) -> Result<(), Error> {
        self.log
            .write_all(&header.encode())
            .and_then(|()| self.log.write_all(payload))
            .map_err(Error::io("write", &self.path))?;
        self.indexes.batch(header, true);
        Ok(())
    }

    pub(super) fn append_aborted(&mut self, aborted: AbortedTransaction) {
        self.aborted.push(aborted);
    }

    /// Ends the files and hands them to the disk. `modified` is when the last of the original ones was.
    pub(super) fn finish(mut self, modified: SystemTime) -> Result<(), Error> {
        let name = |extension| suffixed(&segment_file(&self.dir, self.base_offset, extension), CLEANED);
        self.indexes.seal();
        let (offset_index, time_index) = (name(OFFSET_INDEX), name(TIME_INDEX));
        self.indexes.write(&self.dir, &offset_index, &time_index)?;
        let aborted = name(TRANSACTION_INDEX);
        let entries: Vec<u8> = self.aborted.iter().flat_map(|aborted| aborted.encode()).collect();
        self.dir.disk.write_whole(&aborted, &entries)?;
        for index in [&offset_index, &time_index] {
            // An index without entries has a file too, that takes the place of the old one.
            self.dir.disk.open(index, Access::OpenOrCreate).map_err(Error::io("create", index))?;
        }
        let ended = self.log.flush().and_then(|()| {
            self.log.get_ref().file.set_modified(modified)?;
            self.log.get_ref().file.sync()
        });
        ended.map_err(Error::io("write", &self.path))?;
        [&offset_index, &time_index, &aborted].into_iter().try_for_each(|index| self.dir.disk.sync_file(index))
    }

    /// Takes the files away again.
    pub(super) fn abandon(self) -> Result<(), Error> {
        abandon(&self.dir, self.base_offset)
    }
}

/// Removes what was written of a segment that is not wanted.
pub(super) fn abandon(dir: &Dir, base_offset: i64) -> Result<(), Error> {
    SEGMENT_FILES.iter().try_for_each(|extension| {
        dir.disk.remove_if_present(&suffixed(&segment_file(dir, base_offset, extension), CLEANED))
    })
}

/// Puts a finished segment in the place of those with the base offsets `replaced`. Returns the files that remain to be
/// removed.
pub(super) fn swap_in(dir: &Dir, base_offset: i64, replaced: &[i64]) -> Result<Vec<PathBuf>, Error> {
    for extension in SEGMENT_FILES {
        let path = segment_file(dir, base_offset, extension);
        dir.disk.rename_if_present(&suffixed(&path, CLEANED), &suffixed(&path, SWAP))?;
    }
    dir.disk.sync_file(dir)?;
    let mut remains = Vec::new();
    for old in replaced {
        remains.extend(retire(dir, *old)?);
    }
    take_up(dir, base_offset)?;
    Ok(remains)
}

/// Gives a segment's files the suffix `deleted`. They are not part of the log any more; readers that have them mapped keep
/// them. Returns the files that remain to be removed.
pub(crate) fn retire(dir: &Dir, base_offset: i64) -> Result<Vec<PathBuf>, Error> {
    let mut remains = Vec::new();
    // The log first: without it the others are nothing.
    for extension in SEGMENT_FILES.iter().rev() {
        let path = segment_file(dir, base_offset, extension);
        let deleted = suffixed(&path, DELETED);
        if dir.disk.rename_if_present(&path, &deleted)? {
            remains.push(deleted);
        }
    }
    Ok(remains)
}

/// Brings a partition's directory in order after a stop: what was being written or removed goes, and a segment that was
/// about to take the place of others does.
pub(crate) fn settle(dir: &Dir) -> Result<(), Error> {
    let mut swapped = Vec::new();
    for path in dir.disk.list(dir).map_err(Error::io("list", dir))? {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some(CLEANED | DELETED) => dir.disk.remove_if_present(&path)?,
            Some(SWAP) => swapped.push(path),
            _ => {}
        }
    }
    let log_suffix = format!(".{LOG}.{SWAP}");
    let bases =
        swapped.iter().filter_map(|path| path.file_name()?.to_str()?.strip_suffix(&log_suffix)?.parse::<i64>().ok());
    for base_offset in bases {
        let next_offset = next_offset_of(dir, &suffixed(&segment_file(dir, base_offset, LOG), SWAP))?;
        for old in dir.disk.offsets_of(dir, LOG)? {
            if old > base_offset && next_offset.is_some_and(|next| old < next) {
                SEGMENT_FILES
                    .iter()
                    .try_for_each(|extension| dir.disk.remove_if_present(&segment_file(dir, old, extension)))?;
            }
        }
        take_up(dir, base_offset)?;
    }
    // What is left belongs to a segment whose log did not come so far.
    swapped.iter().try_for_each(|path| dir.disk.remove_if_present(path))
}

/// Gives a segment's files their own names, the log's last.
fn take_up(dir: &Dir, base_offset: i64) -> Result<(), Error> {
    for extension in SEGMENT_FILES {
        let path = segment_file(dir, base_offset, extension);
        dir.disk.rename_if_present(&suffixed(&path, SWAP), &path)?;
    }
    dir.disk.sync_file(dir)
}

/// The offset that follows the last batch in a file; `None` for an empty one.
fn next_offset_of(dir: &Dir, path: &Path) -> Result<Option<i64>, Error> {
    let read = || {
        let mut file = Reading::new(dir.disk.open(path, Access::Read)?, 0);
        let mut raw = [0; HEADER_LEN];
        let mut next_offset = None;
        while file.read_exact(&mut raw).is_ok()
            && let Ok(header) = BatchHeader::parse(&raw)
        {
            next_offset = Some(header.next_offset());
            file.skip(header.size() - HEADER_LEN);
        }
        Ok(next_offset)
    };
    read().map_err(Error::io("read", path))
}

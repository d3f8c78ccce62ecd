//! Names of the files in a partition's directory, and small files written whole.

use std::io;
use std::path::{Path, PathBuf};

use crate::disk::{Access, Disk};
use crate::error::{Error, SYNC};

pub(crate) const LOG: &str = "log";
pub(crate) const OFFSET_INDEX: &str = "index";
pub(crate) const TIME_INDEX: &str = "timeindex";
pub(crate) const TRANSACTION_INDEX: &str = "txnindex";
pub(crate) const PRODUCER_SNAPSHOT: &str = "snapshot";

/// What a segment's files end in behind their own extension: while compaction writes them, when they are about to take the
/// place of others, and until they are removed. The names are Kafka's.
pub(crate) const CLEANED: &str = "cleaned";
pub(crate) const SWAP: &str = "swap";
pub(crate) const DELETED: &str = "deleted";
/// The files of a segment, the log last: it is what says that the others are whole.
pub(crate) const SEGMENT_FILES: [&str; 4] = [OFFSET_INDEX, TIME_INDEX, TRANSACTION_INDEX, LOG];

/// `00000000000000000042.log.cleaned` and the like.
pub(crate) fn suffixed(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    name.into()
}

/// `00000000000000000042.log` and the like.
pub(crate) fn segment_file(dir: &Path, base_offset: i64, extension: &str) -> PathBuf {
    dir.join(format!("{base_offset:020}.{extension}"))
}

impl dyn Disk {
    /// Renames a file; it is no error if there is none. Returns whether there was.
    pub(crate) fn rename_if_present(&self, from: &Path, to: &Path) -> Result<bool, Error> {
        match self.rename(from, to) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(Error::io("rename", from)(error)),
        }
    }

    /// Removes a file; it is no error if there is none.
    pub(crate) fn remove_if_present(&self, path: &Path) -> Result<(), Error> {
        match self.remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::io("remove", path)(error)),
            _ => Ok(()),
        }
    }

    /// Reads a file whole; `None` if there is none.
    pub(crate) fn read_if_present(&self, path: &Path) -> Result<Option<Vec<u8>>, Error> {
        match self.read(path) {
            Ok(content) => Ok(Some(content)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io("read", path)(error)),
        }
    }

    /// The offsets in the names of the files with this extension, ascending.
    pub(crate) fn offsets_of(&self, dir: &Path, extension: &str) -> Result<Vec<i64>, Error> {
        let mut offsets = Vec::new();
        for path in self.list(dir).map_err(Error::io("list", dir))? {
            if path.extension().is_some_and(|found| found == extension)
                && let Some(stem) = path.file_stem().and_then(|stem| stem.to_str())
                && stem.len() == 20
                && let Ok(offset) = stem.parse()
            {
                offsets.push(offset);
            }
        }
        offsets.sort_unstable();
        Ok(offsets)
    }

    /// Writes a file that nobody needs before it is whole: it is checked when it is read, or its name is not yet the one
    /// that is looked for. What could not be written whole is removed, so that it takes no room.
    pub(crate) fn write_whole(&self, path: &Path, content: &[u8]) -> Result<(), Error> {
        let file = self.open(path, Access::Create).map_err(Error::io("create", path))?;
        file.write_all_at(&[content], 0).map_err(|error| {
            let _ = self.remove_file(path);
            Error::io("write", path)(error)
        })
    }

    /// Replaces a file. A crash, of the machine too, leaves either the old content or the new, and the new once this has
    /// returned.
    pub(crate) fn write_atomically(&self, path: &Path, content: &[u8]) -> Result<(), Error> {
        let temporary = self.write_beside(path, content)?;
        self.rename(&temporary, path).map_err(Error::io("replace", path))?;
        path.parent().map_or(Ok(()), |dir| self.sync_file(dir))
    }

    /// Writes what is to take the place of a file, hands it to the disk and returns its path.
    pub(crate) fn write_beside(&self, path: &Path, content: &[u8]) -> Result<PathBuf, Error> {
        let temporary = path.with_extension("tmp");
        self.write_whole(&temporary, content)?;
        self.sync_file(&temporary)?;
        Ok(temporary)
    }

    /// Hands a file to the disk, if it is there.
    pub(crate) fn sync_if_present(&self, path: &Path) -> Result<(), Error> {
        match self.sync_file(path) {
            Err(error) if error.is_not_found() => Ok(()),
            synced => synced,
        }
    }

    /// Hands a file, or a directory's list of names, to the disk, and waits for it.
    pub(crate) fn sync_file(&self, path: &Path) -> Result<(), Error> {
        self.sync(path).map_err(Error::io(SYNC, path))
    }
}

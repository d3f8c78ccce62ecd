//! Files of fixed-size entries, made when the first is appended: what all of Kafka's indexes are.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use crate::clock::Deadline;
use crate::disk::{Access, Dir};
use crate::error::Error;
use crate::mmap::{MappedAppender, MappedReader};

/// Appends entries of `N` bytes.
#[derive(Debug)]
pub(crate) struct EntryWriter<const N: usize> {
    dir: Dir,
    path: PathBuf,
    /// `segment.index.bytes`, rounded down to whole entries.
    capacity: usize,
    file: Option<MappedAppender>,
    reader: EntryReader<N>,
}

/// Reads the entries that have been appended.
#[derive(Debug, Clone)]
pub(crate) struct EntryReader<const N: usize>(Arc<OnceLock<MappedReader>>);

impl<const N: usize> EntryWriter<N> {
    /// For a file that may or may not exist, of which the first `valid` entries are good.
    pub(crate) fn open(dir: &Dir, path: PathBuf, max_bytes: usize, valid: usize) -> Result<Self, Error> {
        let capacity = (max_bytes - max_bytes % N).max(N);
        let reader = EntryReader(Arc::new(OnceLock::new()));
        let mut writer = Self { dir: dir.clone(), path, capacity, file: None, reader };
        if valid > 0 {
            writer.create(valid)?;
        } else {
            dir.disk.remove_if_present(&writer.path)?;
        }
        Ok(writer)
    }

    fn create(&mut self, valid: usize) -> Result<&mut MappedAppender, Error> {
        let file = MappedAppender::open(&self.dir, self.path.clone(), self.capacity, valid * N)
            .map_err(Error::io("open", &self.path))?;
        // A reader is set once: the file is created once.
        let _ = self.reader.0.set(file.reader());
        Ok(self.file.insert(file))
    }

    /// Whether another entry fits.
    pub(crate) fn is_full(&self) -> bool {
        self.file.as_ref().is_some_and(|file| file.len() + N > self.capacity)
    }

    /// Makes sure that the next entry fits and that the disk has room for it: to append it then cannot fail.
    pub(crate) fn reserve(&mut self) -> Result<(), Error> {
        let file = match &mut self.file {
            Some(file) => file,
            None => self.create(0)?,
        };
        file.reserve(N).map_err(Error::io("append to", &self.path))
    }

    pub(crate) fn append(&mut self, entry: [u8; N]) -> Result<(), Error> {
        let file = match &mut self.file {
            Some(file) => file,
            None => self.create(0)?,
        };
        file.append(&[&entry]).map_err(Error::io("append to", &self.path))?;
        Ok(())
    }

    pub(crate) fn trim(&mut self) -> Result<(), Error> {
        match &mut self.file {
            Some(file) => file.trim().map_err(Error::io("trim", &self.path)),
            None => Ok(()),
        }
    }

    pub(crate) fn reader(&self) -> EntryReader<N> {
        self.reader.clone()
    }
}

impl<const N: usize> EntryReader<N> {
    /// Maps the file of a sealed segment; one that does not exist has no entries.
    pub(crate) fn open(dir: &Dir, path: &Path) -> Result<Self, Error> {
        let cell = OnceLock::new();
        match dir.disk.open(path, Access::Write).and_then(|file| MappedReader::open(&*file)) {
            Ok(reader) => {
                let _ = cell.set(reader);
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(Error::io("open", path)(error)),
        }
        Ok(Self(Arc::new(cell)))
    }

    /// Whether there is a file.
    pub(crate) fn is_mapped(&self) -> bool {
        self.0.get().is_some()
    }

    /// As [`MappedReader::flush`], of the whole file.
    pub(crate) fn flush(&self, deadline: &Deadline) -> io::Result<bool> {
        self.0.get().map_or(Ok(true), |reader| reader.flush(0, deadline))
    }

    /// Whether the entries are those that were written: not if somebody has cut the file short under us.
    pub(crate) fn is_intact(&self) -> bool {
        self.0.get().is_none_or(|reader| reader.intact(reader.len()).is_ok())
    }

    pub(crate) fn entries(&self) -> &[[u8; N]] {
        self.0.get().map_or(&[], |reader| reader.look_at(0).as_chunks::<N>().0)
    }
}

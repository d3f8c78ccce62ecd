//! What logs ask of a file system, as narrow as they can do with it.
//!
//! [`Disk`] is names and whole files, [`DiskFile`] one open file. [`SystemDisk`] is the real one. Tests put one in its
//! place that fails when it is told to, and that can say what each crash would have left. None of it is called to append a
//! small batch: that is a store into a mapping (see [`crate::mmap`]).

#[cfg(test)]
pub(crate) mod simulated;

use std::fmt::Debug;
use std::fs::{self, File, OpenOptions};
use std::io::{self, IoSlice, Read};
use std::ops::Deref;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use rustix::fs::{FallocateFlags, FlockOperation};

use crate::mmap::Map;

/// Bytes of a page.
const PAGE: usize = 4096;

/// How a file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// To be read. It must be there.
    Read,
    /// To be written and mapped. It must be there.
    Write,
    /// To be written and mapped. It is made if it is not there.
    OpenOrCreate,
    /// To be written from its beginning. What was there goes.
    Create,
}

/// What is known of a file without opening it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileStatus {
    /// Its length in bytes.
    pub(crate) len: u64,
    /// When it was last written to.
    pub(crate) modified: SystemTime,
    pub(crate) is_dir: bool,
}

/// Names and whole files. Errors are the system's own.
pub(crate) trait Disk: Debug + Send + Sync {
    fn exists(&self, path: &Path) -> bool;
    fn status(&self, path: &Path) -> io::Result<FileStatus>;
    fn create_dir(&self, path: &Path) -> io::Result<()>;
    /// The paths of what is in a directory, in any order.
    fn list(&self, dir: &Path) -> io::Result<Vec<PathBuf>>;
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;
    /// Renames a file or a directory; a file that has the new name already is replaced.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    fn remove_file(&self, path: &Path) -> io::Result<()>;
    /// Removes a directory and all in it.
    fn remove_tree(&self, path: &Path) -> io::Result<()>;
    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn DiskFile>>;
    /// Opens a file, made if it is not there, and locks it for as long as it is open. Where another process has it locked
    /// it is opened without, and that is said by `false`.
    fn lock(&self, path: &Path) -> io::Result<(Box<dyn DiskFile>, bool)>;
    /// Hands a file, or a directory's list of names, to the disk, and waits for it.
    fn sync(&self, path: &Path) -> io::Result<()>;
    /// Tells one run of the machine from the next: what was written in this one is there, whether it was flushed or not.
    /// Empty where the system does not say.
    fn boot_id(&self) -> String;
}

/// One open file.
pub(crate) trait DiskFile: Debug + Send + Sync {
    fn len(&self) -> io::Result<u64>;
    fn set_len(&self, len: u64) -> io::Result<()>;
    /// Extends the file from `from` to `to` bytes with room that is really there.
    fn allocate(&self, from: usize, to: usize) -> io::Result<()>;
    /// Reads what is there, at most as much as `into` takes.
    fn read_at(&self, into: &mut [u8], at: u64) -> io::Result<usize>;
    /// Writes `parts` one behind the other.
    fn write_all_at(&self, parts: &[&[u8]], at: u64) -> io::Result<()>;
    fn set_modified(&self, at: SystemTime) -> io::Result<()>;
    /// Hands the file to the disk, and waits for it.
    fn sync(&self) -> io::Result<()>;
    /// Maps `len` bytes from the file's start, which may be more than it has.
    fn map(&self, len: usize) -> io::Result<Map>;
}

/// A directory on a disk. It stands for its path wherever one is asked for.
#[derive(Debug, Clone)]
pub(crate) struct Dir {
    pub(crate) disk: Arc<dyn Disk>,
    path: Arc<Path>,
}

impl Dir {
    pub(crate) fn new(disk: Arc<dyn Disk>, path: impl Into<Arc<Path>>) -> Self {
        Self { disk, path: path.into() }
    }

    /// A directory of the operating system's.
    pub(crate) fn of_system(path: impl Into<Arc<Path>>) -> Self {
        Self::new(Arc::new(SystemDisk), path)
    }

    /// A directory in this one.
    pub(crate) fn child(&self, name: impl AsRef<Path>) -> Self {
        Self::new(Arc::clone(&self.disk), self.path.join(name))
    }

    pub(crate) fn is_there(&self) -> bool {
        self.disk.exists(&self.path)
    }
}

impl Deref for Dir {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.path
    }
}

/// Reads a file from a position on, as a stream.
#[derive(Debug)]
pub(crate) struct Reading {
    file: Box<dyn DiskFile>,
    at: u64,
}

impl Reading {
    pub(crate) fn new(file: Box<dyn DiskFile>, at: u64) -> Self {
        Self { file, at }
    }

    pub(crate) fn skip(&mut self, bytes: usize) {
        self.at += bytes as u64;
    }
}

impl Read for Reading {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(into, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

/// The operating system's file systems.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SystemDisk;

impl Disk for SystemDisk {
    fn exists(&self, path: &Path) -> bool {
        path.exists()
    }

    fn status(&self, path: &Path) -> io::Result<FileStatus> {
        let metadata = fs::metadata(path)?;
        Ok(FileStatus { len: metadata.len(), modified: metadata.modified()?, is_dir: metadata.is_dir() })
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        fs::create_dir(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<PathBuf>> {
        fs::read_dir(dir)?.map(|entry| Ok(entry?.path())).collect()
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        fs::read(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_tree(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir_all(path)
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn DiskFile>> {
        let mut options = OpenOptions::new();
        options.read(true);
        match access {
            Access::Read => &mut options,
            Access::Write => options.write(true),
            Access::OpenOrCreate => options.write(true).create(true).truncate(false),
            Access::Create => options.write(true).create(true).truncate(true),
        };
        Ok(Box::new(options.open(path)?))
    }

    fn lock(&self, path: &Path) -> io::Result<(Box<dyn DiskFile>, bool)> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let locked = match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Err(rustix::io::Errno::WOULDBLOCK) => false,
            locked => locked.map(|()| true)?,
        };
        Ok((Box::new(file), locked))
    }

    fn sync(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn boot_id(&self) -> String {
        fs::read_to_string("/proc/sys/kernel/random/boot_id").map(|id| id.trim().to_owned()).unwrap_or_default()
    }
}

impl DiskFile for File {
    fn len(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        Self::set_len(self, len)
    }

    fn allocate(&self, from: usize, to: usize) -> io::Result<()> {
        let (offset, len) = (from as u64, (to - from) as u64);
        match rustix::fs::fallocate(self, FallocateFlags::empty(), offset, len) {
            Ok(()) => Ok(()),
            // File systems without fallocate get their blocks by being written to.
            Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => write_zeros(self, offset, len),
            Err(error) => Err(error.into()),
        }
    }

    fn read_at(&self, into: &mut [u8], at: u64) -> io::Result<usize> {
        FileExt::read_at(self, into, at)
    }

    fn write_all_at(&self, parts: &[&[u8]], at: u64) -> io::Result<()> {
        let mut slices: Vec<IoSlice<'_>> = parts.iter().map(|part| IoSlice::new(part)).collect();
        let mut left = &mut slices[..];
        let mut at = at;
        IoSlice::advance_slices(&mut left, 0);
        while !left.is_empty() {
            match rustix::io::pwritev(self, left, at) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    at += written as u64;
                    IoSlice::advance_slices(&mut left, written);
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn set_modified(&self, at: SystemTime) -> io::Result<()> {
        Self::set_modified(self, at)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_all()
    }

    fn map(&self, len: usize) -> io::Result<Map> {
        Map::of(self, len)
    }
}

fn write_zeros(file: &File, mut offset: u64, mut len: u64) -> io::Result<()> {
    let zeros = [0; PAGE];
    while len > 0 {
        let step = len.min(PAGE as u64);
        FileExt::write_all_at(file, &zeros[..step as usize], offset)?;
        offset += step;
        len -= step;
    }
    Ok(())
}

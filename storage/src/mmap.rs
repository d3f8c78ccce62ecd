//! Append-only files, mapped into memory once over their whole capacity. The only module with `unsafe` code.
//!
//! # How it stays sound
//!
//! A file has one [`MappedAppender`], which is not `Clone`, and any number of [`MappedReader`]s. Bytes below
//! `published` never change again and are never taken away; bytes at or above it are touched by the appender
//! alone, through raw pointers. `published` only grows, stored with `Release` after the bytes, loaded with
//! `Acquire` before them. So a `&[u8]` of published bytes is never written under, and no reference to
//! unpublished bytes exists.
//!
//! The mapping may be longer than the file. Beyond the file's end an access is a SIGBUS, so the appender grows
//! the file by `fallocate` before it writes: a full disk is then an error code, not a signal. The file is never
//! made shorter than `published` while it is mapped. Another process that truncates it breaks this; the lock on
//! the data directory keeps a second broker out, and files of a running broker are its own.
//!
//! # Two ways to write
//!
//! What is small is stored through the mapping, which costs no system call. What is large goes by `pwritev` into the same
//! pages of the same cache: to touch each page for the first time through a mapping costs more than to have the kernel
//! fill it (measured here: 590 MB/s against 2 GB/s), and pages that were never touched do not count as this process's
//! memory.

#![allow(unsafe_code)]

use std::fs::{File, OpenOptions};
use std::io::{self, IoSlice};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering, compiler_fence};
use std::time::Instant;

use bytes::Bytes;
use memmap2::{MmapOptions, MmapRaw, UncheckedAdvice};
use rustix::fs::FallocateFlags;

use crate::resident::{self, Resident};

/// Files grow by their own length, within these bounds, in bytes.
const GROWTH: Range<usize> = 4096..1 << 20;
const PAGE: usize = 4096;
/// From this size on, bytes are written by system call.
const LARGE: usize = 2048;
/// How much is handed to the disk before the clock is looked at again: a fraction of a second on a slow disk.
const FLUSH_STEP: usize = 8 << 20;
/// How many files this process keeps open between writes; beyond, a file is opened for each. Descriptors are for
/// connections.
const MAX_KEPT_OPEN: usize = 256;

struct Mapping {
    map: MmapRaw,
    published: AtomicUsize,
    touched: AtomicUsize,
}

impl Mapping {
    fn published(&self) -> &[u8] {
        let len = self.published.load(Ordering::Acquire);
        // SAFETY: `len` bytes from the start are mapped (`published` never exceeds the mapping), lie within the
        // file (see `MappedAppender::append`), were written before `published` was stored with Release, and are
        // never written again. The mapping lives as long as `self`.
        unsafe { std::slice::from_raw_parts(self.map.as_ptr(), len) }
    }
}

impl Mapping {
    fn new(map: MmapRaw, published: usize) -> Arc<Self> {
        Arc::new(Self { map, published: AtomicUsize::new(published), touched: AtomicUsize::new(0) })
    }
}

impl Resident for Mapping {
    fn touched(&self) -> &AtomicUsize {
        &self.touched
    }

    fn drop_pages(&self) {
        // SAFETY: the mapping is a shared one of a file, so that dropping its pages from this process changes no byte: a
        // page that was stored to is in the page cache as it was stored, and whoever touches it next, through a slice
        // or as the appender, has it mapped again.
        let dropped = unsafe { self.map.unchecked_advise(UncheckedAdvice::DontNeed) };
        if let Err(error) = dropped {
            tracing::debug!(%error, "pages were not dropped");
        }
    }
}

/// Reads the published bytes of a file. Cheap to clone.
#[derive(Clone)]
pub(crate) struct MappedReader(Arc<Mapping>);

impl std::fmt::Debug for MappedReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MappedReader").field("published", &self.len()).finish()
    }
}

impl MappedReader {
    /// Maps a file that nobody will append to again.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        let len = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
        Ok(Self(Mapping::new(map(&file, len)?, len)))
    }

    /// The published bytes. What is read of them is not counted as resident: see [`Self::look_at`] and [`Self::slice`].
    fn bytes(&self) -> &[u8] {
        self.0.published()
    }

    /// The published bytes, of which a few, at or near `position`, are about to be looked at.
    pub(crate) fn look_at(&self, position: usize) -> &[u8] {
        let bytes = self.bytes();
        resident::touch_reading(&self.0, position..position + 1, bytes.len());
        bytes
    }

    /// How many bytes are published.
    pub(crate) fn len(&self) -> usize {
        self.0.published.load(Ordering::Acquire)
    }

    /// Hands the published bytes from `from` on to the disk, and waits for it, until `deadline` has passed. Returns whether
    /// it was in time.
    pub(crate) fn flush(&self, from: usize, deadline: Instant) -> io::Result<bool> {
        let end = self.len();
        for start in (from - from % PAGE..end).step_by(FLUSH_STEP) {
            if Instant::now() >= deadline {
                return Ok(false);
            }
            self.0.map.flush_range(start, FLUSH_STEP.min(end - start))?;
        }
        Ok(true)
    }

    /// A part of the published bytes, which keeps the mapping alive for as long as it lives.
    ///
    /// # Panics
    ///
    /// If `range` goes beyond what is published.
    pub(crate) fn slice(&self, range: Range<usize>) -> Bytes {
        assert!(range.start <= range.end && range.end <= self.len(), "slice {range:?} beyond {}", self.len());
        Bytes::from_owner(View { mapping: Arc::clone(&self.0), range })
    }
}

struct View {
    mapping: Arc<Mapping>,
    range: Range<usize>,
}

impl AsRef<[u8]> for View {
    fn as_ref(&self) -> &[u8] {
        &self.mapping.published()[self.range.clone()]
    }
}

impl Drop for View {
    fn drop(&mut self) {
        // Whoever took the slice has read it by now, and not before: what was dropped from the process meanwhile is there
        // again.
        let len = self.mapping.published.load(Ordering::Relaxed);
        resident::touch_reading(&self.mapping, self.range.clone(), len);
    }
}

/// The one writer of a file.
pub(crate) struct MappedAppender {
    mapping: Arc<Mapping>,
    path: PathBuf,
    /// The file's length: bytes that may be written without a signal.
    reserved: usize,
    kept_open: Option<KeptOpen>,
}

impl std::fmt::Debug for MappedAppender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MappedAppender")
            .field("path", &self.path)
            .field("published", &self.len())
            .field("reserved", &self.reserved)
            .finish()
    }
}

impl MappedAppender {
    /// Opens or creates the file, cuts it to `valid` bytes, and maps `capacity` bytes from its start.
    pub(crate) fn open(path: PathBuf, capacity: usize, valid: usize) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path)?;
        file.set_len(valid as u64)?;
        let map = map(&file, capacity.max(valid))?;
        let mapping = Mapping::new(map, valid);
        Ok(Self { mapping, path, reserved: valid, kept_open: None })
    }

    /// A reader of what has been and will be published.
    pub(crate) fn reader(&self) -> MappedReader {
        MappedReader(Arc::clone(&self.mapping))
    }

    /// How many bytes are published.
    pub(crate) fn len(&self) -> usize {
        self.mapping.published.load(Ordering::Relaxed)
    }

    /// How many bytes the file can ever hold.
    pub(crate) fn capacity(&self) -> usize {
        self.mapping.map.len()
    }

    /// Makes room for `more` bytes behind those published. After an error nothing has changed.
    pub(crate) fn reserve(&mut self, more: usize) -> io::Result<()> {
        let needed = self.len() + more;
        if needed <= self.reserved {
            return Ok(());
        }
        if needed > self.capacity() {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "beyond the file's capacity"));
        }
        let step = self.reserved.clamp(GROWTH.start, GROWTH.end);
        let generous = (self.reserved + step).max(needed).next_multiple_of(PAGE).min(self.capacity());
        let from = self.reserved;
        self.reserved = self.with_file(|file| match grow(file, from, generous) {
            Ok(()) => Ok(generous),
            // The last bit of room may still do for this one.
            Err(error) if error.kind() == io::ErrorKind::StorageFull && generous > needed => {
                grow(file, from, needed)?;
                Ok(needed)
            }
            Err(error) => Err(error),
        })?;
        Ok(())
    }

    /// Writes `parts` one behind the other and publishes them together. Returns the position of the first. After an error
    /// nothing has been published.
    pub(crate) fn append(&mut self, parts: &[&[u8]]) -> io::Result<usize> {
        let total = parts.iter().map(|part| part.len()).sum::<usize>();
        let start = self.len();
        if total >= LARGE {
            self.write_by_call(parts, start, total)?;
        } else {
            self.reserve(total)?;
            resident::touch(&self.mapping, total);
            self.store(parts, start);
        }
        self.mapping.published.store(start + total, Ordering::Release);
        // What the caller writes next to another file (an index entry for these bytes) must not come before them
        // in the program: recovery after a killed process believes the order in which it stored.
        compiler_fence(Ordering::SeqCst);
        Ok(start)
    }

    /// Stores into the mapping, where there must be room.
    fn store(&mut self, parts: &[&[u8]], start: usize) {
        let mut at = start;
        for part in parts {
            assert!(at + part.len() <= self.reserved, "stores lie within what is reserved");
            // SAFETY: `at + part.len() <= reserved <= mapping length`, so the target is mapped and within the file. It
            // lies at or above `published`, where no reference points (see the module), and `&mut self` of the only
            // appender makes this the only writer. `part` cannot overlap it, being a reference.
            unsafe { ptr::copy_nonoverlapping(part.as_ptr(), self.mapping.map.as_mut_ptr().add(at), part.len()) };
            at += part.len();
        }
    }

    /// Writes to the file, whose pages the mapping shares, at or above `published`, where no reference points.
    fn write_by_call(&mut self, parts: &[&[u8]], start: usize, total: usize) -> io::Result<()> {
        let end = start + total;
        if end > self.capacity() {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "beyond the file's capacity"));
        }
        let reserved = self.reserved;
        let written = self.with_file(|file| {
            let written = write_all_at(file, parts, start);
            if written.is_err() {
                // What was written of it must not be taken for something later. If this fails too, recovery will see
                // that it is no batch.
                let _ = file.set_len(reserved.max(start) as u64);
            }
            written
        });
        if written.is_ok() {
            self.reserved = reserved.max(end);
        }
        written
    }

    /// Lets `act` use the file, which is kept open if not too many are.
    fn with_file<T>(&mut self, act: impl FnOnce(&File) -> io::Result<T>) -> io::Result<T> {
        if let Some(kept) = &self.kept_open {
            return act(&kept.0);
        }
        let file = OpenOptions::new().write(true).open(&self.path)?;
        match KeptOpen::keep(file) {
            Ok(kept) => act(&self.kept_open.insert(kept).0),
            Err(file) => act(&file),
        }
    }

    /// Gives back the room behind the published bytes: the file then holds those and no more.
    pub(crate) fn trim(&mut self) -> io::Result<()> {
        if self.reserved > self.len() {
            let len = self.len();
            self.with_file(|file| file.set_len(len as u64))?;
            self.reserved = len;
        }
        self.kept_open = None;
        Ok(())
    }
}

/// A file that stays open, counted.
struct KeptOpen(File);

static KEPT_OPEN: AtomicUsize = AtomicUsize::new(0);

impl KeptOpen {
    /// Gives the file back if too many are open.
    fn keep(file: File) -> Result<Self, File> {
        if KEPT_OPEN.fetch_add(1, Ordering::Relaxed) < MAX_KEPT_OPEN {
            return Ok(Self(file));
        }
        KEPT_OPEN.fetch_sub(1, Ordering::Relaxed);
        Err(file)
    }
}

impl Drop for KeptOpen {
    fn drop(&mut self) {
        KEPT_OPEN.fetch_sub(1, Ordering::Relaxed);
    }
}

fn write_all_at(file: &File, parts: &[&[u8]], start: usize) -> io::Result<()> {
    let mut slices: Vec<IoSlice<'_>> = parts.iter().map(|part| IoSlice::new(part)).collect();
    let mut left = &mut slices[..];
    let mut at = start as u64;
    IoSlice::advance_slices(&mut left, 0);
    while !left.is_empty() {
        match rustix::io::pwritev(file, left, at) {
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

fn map(file: &File, len: usize) -> io::Result<MmapRaw> {
    // A mapping of no bytes is an error to the system; one page beyond an empty file is never touched.
    MmapOptions::new().len(len.max(PAGE)).map_raw(file)
}

/// Extends the file from `from` to `to` bytes with real blocks.
fn grow(file: &File, from: usize, to: usize) -> io::Result<()> {
    let (offset, len) = (from as u64, (to - from) as u64);
    match rustix::fs::fallocate(file, FallocateFlags::empty(), offset, len) {
        Ok(()) => Ok(()),
        // File systems without fallocate get their blocks by being written to.
        Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => write_zeros(file, offset, len),
        Err(error) => Err(error.into()),
    }
}

fn write_zeros(file: &File, mut offset: u64, mut len: u64) -> io::Result<()> {
    use std::os::unix::fs::FileExt;
    let zeros = [0; PAGE];
    while len > 0 {
        let step = len.min(PAGE as u64);
        file.write_all_at(&zeros[..step as usize], offset)?;
        offset += step;
        len -= step;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        (dir, path)
    }

    #[test]
    fn what_is_appended_is_read_and_is_in_the_file() {
        let (_dir, path) = path();
        let mut file = MappedAppender::open(path.clone(), 1 << 20, 0).unwrap();
        let reader = file.reader();
        assert_eq!(reader.bytes(), b"");
        assert_eq!(file.append(&[b"one", b"", b"two"]).unwrap(), 0);
        let early = reader.slice(1..5);
        assert_eq!(file.append(&[&[7; 100_000]]).unwrap(), 6);
        assert_eq!(&early[..], b"netw");
        assert_eq!(reader.len(), 100_006);
        assert!(std::fs::metadata(&path).unwrap().len() >= 100_006);
        file.trim().unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), reader.bytes());
        assert_eq!(file.append(&[b"more"]).unwrap(), 100_006);
        assert_eq!(&reader.bytes()[100_006..], b"more");
    }

    #[test]
    fn reopening_drops_what_is_not_valid() {
        let (_dir, path) = path();
        let mut file = MappedAppender::open(path.clone(), 1 << 20, 0).unwrap();
        file.append(&[b"good and bad"]).unwrap();
        drop(file);
        let mut file = MappedAppender::open(path.clone(), 1 << 20, 4).unwrap();
        file.append(&[b"ly"]).unwrap();
        assert_eq!(file.reader().bytes(), b"goodly");
        file.trim().unwrap();
        assert_eq!(MappedReader::open(&path).unwrap().bytes(), b"goodly");
    }

    #[test]
    fn beyond_the_capacity_is_an_error_that_changes_nothing() {
        let (_dir, path) = path();
        let mut file = MappedAppender::open(path, 8192, 0).unwrap();
        file.append(&[&[1; 8000]]).unwrap();
        assert!(file.append(&[&[2; 193]]).is_err());
        assert_eq!(file.append(&[&[3; 192]]).unwrap(), 8000);
        assert_eq!(&file.reader().bytes()[7999..8001], [1, 3]);
    }

    #[test]
    fn a_slice_outlives_the_file_and_its_name() {
        let (dir, path) = path();
        let mut file = MappedAppender::open(path, 4096, 0).unwrap();
        file.append(&[b"kept"]).unwrap();
        let slice = file.reader().slice(0..4);
        drop(file);
        drop(dir);
        assert_eq!(&slice[..], b"kept");
    }

    #[test]
    #[should_panic(expected = "beyond")]
    fn unpublished_bytes_cannot_be_sliced() {
        let (_dir, path) = path();
        let mut file = MappedAppender::open(path, 4096, 0).unwrap();
        file.append(&[b"x"]).unwrap();
        file.reader().slice(0..2);
    }
}

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
//! made shorter than `published` while it is mapped. The lock on the data directory keeps a second broker out; who cuts
//! a file short nevertheless, or has a disk that cannot be read, is told by an error: see [`fault`]. Bytes that were
//! published and then taken away by others read as zeros, and every way to them says so.
//!
//! # Two ways to write
//!
//! What is small is stored through the mapping, which costs no system call. What is large goes by `pwritev` into the same
//! pages of the same cache: to touch each page for the first time through a mapping costs more than to have the kernel
//! fill it (measured here: 590 MB/s against 2 GB/s), and pages that were never touched do not count as this process's
//! memory.

#![allow(unsafe_code)]

mod fault;
mod program;

use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering, compiler_fence};

use bytes::Bytes;
use memmap2::{Advice, MmapOptions, MmapRaw, UncheckedAdvice};

use crate::clock::Deadline;
use crate::disk::{Access, Dir, DiskFile};
use crate::resident::{self, BeingRead, Resident};
use fault::Watch;

pub use program::release_program_pages;

/// Files grow by their own length, within these bounds, in bytes.
const GROWTH: Range<usize> = 4096..1 << 20;
const PAGE: usize = 4096;
/// From this size on, bytes are written by system call.
const LARGE: usize = 2048;
/// A slice from this size on is given back while it is read, not only when that is done.
const LARGE_SLICE: usize = 1 << 20;
/// How much is handed to the disk before the clock is looked at again: a fraction of a second on a slow disk.
const FLUSH_STEP: usize = 8 << 20;
/// How many files this process keeps open between writes; beyond, a file is opened for each. Descriptors are for
/// connections.
const MAX_KEPT_OPEN: usize = 256;

/// A file's memory.
pub(crate) struct Map {
    /// First, so that it ends before the memory is given back.
    watch: Watch,
    raw: MmapRaw,
    observer: Option<Box<dyn Observer>>,
}

/// Who must know what goes past the system: a disk that simulates another.
pub(crate) trait Observer: Send + Sync {
    /// Bytes were stored into the mapping.
    fn stored(&self, at: usize, bytes: &[u8]);

    /// A range is to be handed to the disk.
    fn flush(&self, range: Range<usize>) -> io::Result<()>;
}

impl std::fmt::Debug for Map {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Map").field("len", &self.raw.len()).finish_non_exhaustive()
    }
}

impl Map {
    /// Maps `len` bytes from a file's start.
    pub(crate) fn of(file: &File, len: usize) -> io::Result<Self> {
        // A mapping of no bytes is an error to the system; one page beyond an empty file is never touched.
        let raw = MmapOptions::new().len(len.max(PAGE)).map_raw(file)?;
        // Who reads what is not in memory goes on reading: the disk is to be ahead of him. Without it that is only slower.
        let _ = raw.advise(Advice::Sequential);
        Ok(Self { watch: Watch::over(raw.as_ptr(), raw.len()), raw, observer: None })
    }

    /// The same, with somebody who is told of what is done to it.
    #[cfg(test)]
    pub(crate) fn observed(self, observer: Box<dyn Observer>) -> Self {
        Self { observer: Some(observer), ..self }
    }

    fn flush(&self, range: Range<usize>) -> io::Result<()> {
        match &self.observer {
            Some(observer) => observer.flush(range),
            None => self.raw.flush_range(range.start, range.len()),
        }
    }
}

struct Mapping {
    map: Map,
    published: AtomicUsize,
    touched: AtomicUsize,
}

impl Mapping {
    fn new(map: Map, published: usize) -> Arc<Self> {
        Arc::new(Self { map, published: AtomicUsize::new(published), touched: AtomicUsize::new(0) })
    }

    fn published(&self) -> &[u8] {
        let len = self.published.load(Ordering::Acquire);
        // SAFETY: `len` bytes from the start are mapped (`published` never exceeds the mapping), lie within the
        // file (see `MappedAppender::append`), were written before `published` was stored with Release, and are
        // never written again. The mapping lives as long as `self`.
        unsafe { std::slice::from_raw_parts(self.map.raw.as_ptr(), len) }
    }

    /// An error if a page below `end` was found missing.
    fn intact(&self, end: usize) -> io::Result<()> {
        match self.map.watch.missing_from() {
            Some(at) if at < end => {
                let cause = format!("it was cut short or cannot be read, from byte {at} on");
                if self.map.watch.first_report() {
                    tracing::error!("a mapped file is not what it was: {cause}");
                }
                Err(io::Error::new(io::ErrorKind::InvalidData, cause))
            }
            _ => Ok(()),
        }
    }
}

impl Resident for Mapping {
    fn touched(&self) -> &AtomicUsize {
        &self.touched
    }

    fn drop_pages(&self) {
        // SAFETY: the mapping is a shared one of a file, so that dropping its pages from this process changes no byte: a
        // page that was stored to is in the page cache as it was stored, and whoever touches it next, through a slice
        // or as the appender, has it mapped again. (A page that was found missing is zeros before and after.)
        let dropped = unsafe { self.map.raw.unchecked_advise(UncheckedAdvice::DontNeed) };
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
    pub(crate) fn open(file: &dyn DiskFile) -> io::Result<Self> {
        let len = usize::try_from(file.len()?).map_err(io::Error::other)?;
        Ok(Self(Mapping::new(file.map(len)?, len)))
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

    /// Takes note that what lies from there on has been cut short: from now on it is not [intact](Self::intact).
    pub(crate) fn note_cut(&self, from: usize) {
        self.0.map.watch.note_missing(from);
    }

    /// An error if somebody has touched a byte below `end` that was not there any more: what was read is not to be
    /// believed.
    pub(crate) fn intact(&self, end: usize) -> io::Result<()> {
        self.0.intact(end)
    }

    /// Hands the published bytes from `from` on to the disk, and waits for it, until `deadline` has passed. Returns whether
    /// it was in time.
    pub(crate) fn flush(&self, from: usize, deadline: &Deadline) -> io::Result<bool> {
        let end = self.len();
        for start in (from - from % PAGE..end).step_by(FLUSH_STEP) {
            if deadline.has_passed() {
                return Ok(false);
            }
            self.0.map.flush(start..end.min(start + FLUSH_STEP))?;
        }
        self.intact(end)?;
        Ok(true)
    }

    /// A part of the published bytes, which keeps the mapping alive for as long as it lives. An error if it is not there
    /// any more; who cuts the file short later lets it read as zeros.
    ///
    /// # Panics
    ///
    /// If `range` goes beyond what is published.
    pub(crate) fn slice(&self, range: Range<usize>) -> io::Result<Bytes> {
        assert!(range.start <= range.end && range.end <= self.len(), "slice {range:?} beyond {}", self.len());
        // A file that was cut short lacks its end.
        if let Some(last) = self.bytes()[range.clone()].last() {
            fault::touch(last);
        }
        self.intact(range.end)?;
        let being_read = (range.len() >= LARGE_SLICE).then(|| resident::begin_reading(&self.0));
        Ok(Bytes::from_owner(View { mapping: Arc::clone(&self.0), range, _being_read: being_read }))
    }
}

struct View {
    mapping: Arc<Mapping>,
    range: Range<usize>,
    _being_read: Option<Arc<BeingRead>>,
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
    dir: Dir,
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
    pub(crate) fn open(dir: &Dir, path: PathBuf, capacity: usize, valid: usize) -> io::Result<Self> {
        let file = dir.disk.open(&path, Access::OpenOrCreate)?;
        // Only if it must be: when the file was written to last may be all that tells how old its records are.
        if file.len()? != valid as u64 {
            file.set_len(valid as u64)?;
        }
        let map = file.map(capacity.max(valid))?;
        let mapping = Mapping::new(map, valid);
        Ok(Self { mapping, dir: dir.clone(), path, reserved: valid, kept_open: None })
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
        self.mapping.map.raw.len()
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
        self.reserved = self.with_file(|file| {
            if file.len()? < from as u64 {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "it was cut short by somebody else"));
            }
            match file.allocate(from, generous) {
                Ok(()) => Ok(generous),
                // The last bit of room may still do for this one.
                Err(error) if is_no_room(&error) && generous > needed => {
                    file.allocate(from, needed)?;
                    Ok(needed)
                }
                Err(error) => Err(error),
            }
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
            // What was stored into a page that is not the file's is in nobody's cache.
            self.mapping.intact(start + total)?;
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
            unsafe { ptr::copy_nonoverlapping(part.as_ptr(), self.mapping.map.raw.as_mut_ptr().add(at), part.len()) };
            if let Some(observer) = &self.mapping.map.observer {
                observer.stored(at, part);
            }
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
            let written = file.write_all_at(parts, start as u64);
            if written.is_err() {
                // What was written of it must not be taken for something later.
                file.set_len(start as u64).map_err(|error| {
                    let cause = format!("what could not be written whole could not be taken away either: {error}");
                    io::Error::new(io::ErrorKind::InvalidData, cause)
                })?;
            }
            Ok(written)
        })?;
        self.reserved = if written.is_ok() { reserved.max(end) } else { start };
        written
    }

    /// Lets `act` use the file, which is kept open if not too many are.
    fn with_file<T>(&mut self, act: impl FnOnce(&dyn DiskFile) -> io::Result<T>) -> io::Result<T> {
        if let Some(kept) = &self.kept_open {
            return act(&*kept.0);
        }
        let file = self.dir.disk.open(&self.path, Access::Write)?;
        match KeptOpen::keep(file) {
            Ok(kept) => act(&*self.kept_open.insert(kept).0),
            Err(file) => act(&*file),
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
struct KeptOpen(Box<dyn DiskFile>);

static KEPT_OPEN: AtomicUsize = AtomicUsize::new(0);

impl KeptOpen {
    /// Gives the file back if too many are open.
    fn keep(file: Box<dyn DiskFile>) -> Result<Self, Box<dyn DiskFile>> {
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

/// Whether an error says that there is no room left for us.
pub(crate) fn is_no_room(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn path() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        (dir, path)
    }

    fn append_to(path: &Path, capacity: usize, valid: usize) -> MappedAppender {
        let dir = Dir::of_system(path.parent().unwrap());
        MappedAppender::open(&dir, path.to_owned(), capacity, valid).unwrap()
    }

    fn read(path: &Path) -> MappedReader {
        MappedReader::open(&File::options().read(true).write(true).open(path).unwrap()).unwrap()
    }

    #[test]
    fn what_is_appended_is_read_and_is_in_the_file() {
        let (_dir, path) = path();
        let mut file = append_to(&path, 1 << 20, 0);
        let reader = file.reader();
        assert_eq!(reader.bytes(), b"");
        assert_eq!(file.append(&[b"one", b"", b"two"]).unwrap(), 0);
        let early = reader.slice(1..5).unwrap();
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
        let mut file = append_to(&path, 1 << 20, 0);
        file.append(&[b"good and bad"]).unwrap();
        drop(file);
        let mut file = append_to(&path, 1 << 20, 4);
        file.append(&[b"ly"]).unwrap();
        assert_eq!(file.reader().bytes(), b"goodly");
        file.trim().unwrap();
        assert_eq!(read(&path).bytes(), b"goodly");
    }

    #[test]
    fn beyond_the_capacity_is_an_error_that_changes_nothing() {
        let (_dir, path) = path();
        let mut file = append_to(&path, 8192, 0);
        file.append(&[&[1; 8000]]).unwrap();
        assert!(file.append(&[&[2; 193]]).is_err());
        assert_eq!(file.append(&[&[3; 192]]).unwrap(), 8000);
        assert_eq!(&file.reader().bytes()[7999..8001], [1, 3]);
    }

    #[test]
    fn a_slice_outlives_the_file_and_its_name() {
        let (dir, path) = path();
        let mut file = append_to(&path, 4096, 0);
        file.append(&[b"kept"]).unwrap();
        let slice = file.reader().slice(0..4).unwrap();
        drop(file);
        drop(dir);
        assert_eq!(&slice[..], b"kept");
    }

    #[test]
    #[should_panic(expected = "beyond")]
    fn unpublished_bytes_cannot_be_sliced() {
        let (_dir, path) = path();
        let mut file = append_to(&path, 4096, 0);
        file.append(&[b"x"]).unwrap();
        let _ = file.reader().slice(0..2);
    }

    #[test]
    fn a_file_that_somebody_cuts_short_is_an_error_and_no_signal() {
        let (_dir, path) = path();
        let mut file = append_to(&path, 1 << 20, 0);
        for _ in 0..100 {
            file.append(&[&[7; 1000]]).unwrap();
        }
        let reader = file.reader();
        let early = reader.slice(0..100_000).unwrap();
        File::options().write(true).open(&path).unwrap().set_len(5000).unwrap();
        // Up to the page in which it was cut.
        assert_eq!(&reader.slice(0..5000).unwrap()[..], [7; 5000]);
        let error = reader.slice(0..100_000).unwrap_err();
        assert!(error.to_string().contains("cut short"), "{error}");
        assert_eq!(early[99_999], 0, "zeros, and no signal");
        assert!(file.append(&[b"small"]).is_err());
        assert!(file.reserve(1 << 18).is_err());
        assert_eq!(file.len(), 100_000);
    }
}

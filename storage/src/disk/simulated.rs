//! A disk in memory for tests. It fails when it is told to, has as much room as it is given, and keeps a journal of all
//! that was asked of it, from which it makes what any crash at any moment would have left.
//!
//! A process that dies leaves what it has written, the last write perhaps in part. A machine that stops leaves of each
//! sector any version since the file was last flushed (so that writes are torn, reordered and lost), of each file any
//! length since then, and of each directory's names those up to any moment since the directory was last flushed. That is
//! worse than any file system is.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use rustix::fs::MemfdFlags;

use super::{Access, Disk, DiskFile, FileStatus};
use crate::mmap::{Map, Observer};

const SECTOR: usize = 512;
const PAGE: usize = 4096;

/// A source of numbers that a seed determines.
#[derive(Debug, Clone)]
pub(crate) struct Seeded(u64);

impl Seeded {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `bound`. (SplitMix64.)
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % bound.max(1) as u64) as usize
    }
}

/// What ends a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Crash {
    /// The process dies.
    Process,
    /// The machine stops.
    Machine,
}

type FileId = usize;

/// What was done to the disk.
#[derive(Debug, Clone)]
enum Op {
    Name(PathBuf, Naming),
    Content(FileId, Change),
    /// All of a file, or the pages that a range lies in.
    SyncFile(FileId, Option<Range<usize>>),
    SyncDir(PathBuf),
}

#[derive(Debug, Clone)]
enum Naming {
    Create(FileId),
    CreateDir,
    RenameTo(PathBuf),
    Remove,
}

#[derive(Debug, Clone)]
enum Change {
    Write(usize, Vec<u8>),
    /// Longer or shorter; what is new is zeros.
    SetLen(usize),
}

#[derive(Debug, Clone)]
enum Node {
    Dir,
    File(FileId, Arc<File>),
}

#[derive(Debug, Default)]
struct State {
    names: BTreeMap<PathBuf, Node>,
    /// Directories that nobody created: the journal begins with them.
    initial: Vec<PathBuf>,
    /// How often the machine has stopped.
    stops: u64,
    lengths: Vec<usize>,
    journal: Vec<Op>,
    /// Operations that could have failed.
    operations: u64,
    /// Which of them fail: every so many, with this error.
    fails: Option<(u64, rustix::io::Errno)>,
    /// Bytes that all files together may have.
    room: Option<usize>,
}

/// See the module. Cheap to clone: clones are the same disk.
#[derive(Debug, Clone, Default)]
pub(crate) struct SimulatedDisk(Arc<Mutex<State>>);

impl SimulatedDisk {
    /// An empty disk with one directory.
    pub(crate) fn with_dir(dir: &Path) -> Self {
        let disk = Self::default();
        disk.state().add_initial(dir.to_owned());
        disk
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// How much has been done so far: a moment at which it can crash.
    pub(crate) fn now(&self) -> usize {
        self.state().journal.len()
    }

    /// Lets every `n`-th operation fail from now on.
    pub(crate) fn fail_every(&self, n: u64, error: rustix::io::Errno) {
        let mut state = self.state();
        (state.fails, state.operations) = (Some((n, error)), 0);
    }

    pub(crate) fn fail_no_more(&self) {
        self.state().fails = None;
    }

    /// Gives it room for so many bytes more than there are, or as much as anybody wants.
    pub(crate) fn set_room(&self, more: Option<usize>) {
        let mut state = self.state();
        let used = state.used();
        state.room = more.map(|more| used + more);
    }

    /// The disk as it would be found after a crash at `moment`.
    pub(crate) fn after(&self, moment: usize, crash: Crash, random: &mut Seeded) -> Self {
        let state = self.state();
        let mut rebuilding = Rebuilding::from(&state.initial);
        for op in &state.journal[..moment] {
            rebuilding.take(op.clone());
        }
        if crash == Crash::Process {
            // It died in the middle of what it did next.
            if let Some(Op::Content(file, Change::Write(at, bytes))) = state.journal.get(moment) {
                let part = bytes[..random.below(bytes.len() + 1)].to_vec();
                rebuilding.take(Op::Content(*file, Change::Write(*at, part)));
            }
            rebuilding.flush_all();
        }
        let found = rebuilding.build(random);
        found.state().stops = state.stops + u64::from(crash == Crash::Machine);
        found
    }
}

impl State {
    fn used(&self) -> usize {
        let files = self.names.values().filter_map(|node| match node {
            Node::File(id, _) => Some(self.lengths[*id]),
            Node::Dir => None,
        });
        files.sum()
    }

    fn add_initial(&mut self, dir: PathBuf) {
        self.names.insert(dir.clone(), Node::Dir);
        self.initial.push(dir);
    }

    /// Counts an operation, and fails it if it is its turn.
    fn attempt(&mut self) -> io::Result<()> {
        self.operations += 1;
        match self.fails {
            Some((n, error)) if self.operations.is_multiple_of(n) => Err(error.into()),
            _ => Ok(()),
        }
    }

    fn node(&self, path: &Path) -> io::Result<Node> {
        self.names.get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// How far a file may grow that is to have `len` bytes.
    fn granted(&self, file: FileId, len: usize) -> usize {
        match self.room {
            Some(room) => len.min(self.lengths[file] + room.saturating_sub(self.used())),
            None => len,
        }
    }

    fn set_len(&mut self, id: FileId, file: &File, len: usize) -> io::Result<()> {
        File::set_len(file, len as u64)?;
        self.lengths[id] = len;
        self.journal.push(Op::Content(id, Change::SetLen(len)));
        Ok(())
    }
}

/// When all files were written.
fn modified() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 30)
}

impl Disk for SimulatedDisk {
    fn exists(&self, path: &Path) -> bool {
        self.state().names.contains_key(path)
    }

    fn status(&self, path: &Path) -> io::Result<FileStatus> {
        let mut state = self.state();
        state.attempt()?;
        match state.node(path)? {
            Node::File(id, _) => Ok(FileStatus { len: state.lengths[id] as u64, modified: modified(), is_dir: false }),
            Node::Dir => Ok(FileStatus { len: 0, modified: modified(), is_dir: true }),
        }
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.attempt()?;
        state.names.insert(path.to_owned(), Node::Dir);
        state.journal.push(Op::Name(path.to_owned(), Naming::CreateDir));
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<PathBuf>> {
        let mut state = self.state();
        state.attempt()?;
        Ok(state.names.keys().filter(|path| path.parent() == Some(dir)).cloned().collect())
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let mut state = self.state();
        state.attempt()?;
        match state.node(path)? {
            Node::File(id, file) => {
                let mut content = vec![0; state.lengths[id]];
                file.read_exact_at(&mut content, 0)?;
                Ok(content)
            }
            Node::Dir => Err(io::ErrorKind::IsADirectory.into()),
        }
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.attempt()?;
        assert_eq!(from.parent(), to.parent(), "names move within their directory");
        let node = state.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        state.names.insert(to.to_owned(), node);
        let inside: Vec<_> = state.names.keys().filter(|path| path.starts_with(from)).cloned().collect();
        for path in inside {
            let moved = to.join(path.strip_prefix(from).unwrap());
            let node = state.names.remove(&path).unwrap();
            state.names.insert(moved, node);
        }
        state.journal.push(Op::Name(from.to_owned(), Naming::RenameTo(to.to_owned())));
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.attempt()?;
        state.names.remove(path).ok_or(io::ErrorKind::NotFound)?;
        state.journal.push(Op::Name(path.to_owned(), Naming::Remove));
        Ok(())
    }

    fn remove_tree(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.attempt()?;
        let mut inside: Vec<_> = state.names.keys().filter(|name| name.starts_with(path)).cloned().collect();
        inside.reverse();
        for path in inside {
            state.names.remove(&path);
            state.journal.push(Op::Name(path, Naming::Remove));
        }
        Ok(())
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.state();
        state.attempt()?;
        let (id, file) = match (state.node(path), access) {
            (Ok(Node::Dir), _) => return Err(io::ErrorKind::IsADirectory.into()),
            (Ok(Node::File(id, file)), Access::Create) => {
                state.set_len(id, &file, 0)?;
                (id, file)
            }
            (Ok(Node::File(id, file)), _) => (id, file),
            (Err(_), Access::Create | Access::OpenOrCreate) => {
                let file: Arc<File> = Arc::new(rustix::fs::memfd_create("simulated", MemfdFlags::CLOEXEC)?.into());
                let id = state.lengths.len();
                state.lengths.push(0);
                state.names.insert(path.to_owned(), Node::File(id, Arc::clone(&file)));
                state.journal.push(Op::Name(path.to_owned(), Naming::Create(id)));
                (id, file)
            }
            (Err(error), _) => return Err(error),
        };
        Ok(Box::new(SimulatedFile { disk: self.clone(), id, file }))
    }

    fn lock(&self, path: &Path) -> io::Result<(Box<dyn DiskFile>, bool)> {
        Ok((self.open(path, Access::OpenOrCreate)?, true))
    }

    fn boot_id(&self) -> String {
        format!("boot {}", self.state().stops)
    }

    fn sync(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.attempt()?;
        let op = match state.node(path)? {
            Node::Dir => Op::SyncDir(path.to_owned()),
            Node::File(id, _) => Op::SyncFile(id, None),
        };
        state.journal.push(op);
        Ok(())
    }
}

/// An open file: bytes that have no name, and the one that the disk knows them by.
#[derive(Debug, Clone)]
struct SimulatedFile {
    disk: SimulatedDisk,
    id: FileId,
    file: Arc<File>,
}

impl DiskFile for SimulatedFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.disk.state().lengths[self.id] as u64)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        state.attempt()?;
        state.set_len(self.id, &self.file, len as usize)
    }

    fn allocate(&self, _from: usize, to: usize) -> io::Result<()> {
        let mut state = self.disk.state();
        state.attempt()?;
        if state.granted(self.id, to) < to {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let len = state.lengths[self.id].max(to);
        state.set_len(self.id, &self.file, len)
    }

    fn read_at(&self, into: &mut [u8], at: u64) -> io::Result<usize> {
        self.disk.state().attempt()?;
        FileExt::read_at(&*self.file, into, at)
    }

    fn write_all_at(&self, parts: &[&[u8]], at: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        let mut bytes = parts.concat();
        let at = at as usize;
        // What fails is done in part.
        let outcome = state.attempt().inspect_err(|_| bytes.truncate(bytes.len() / 2));
        let granted = state.granted(self.id, at + bytes.len()).saturating_sub(at);
        let outcome = match granted < bytes.len() {
            true => Err(io::ErrorKind::StorageFull.into()),
            false => outcome,
        };
        bytes.truncate(granted);
        FileExt::write_all_at(&*self.file, &bytes, at as u64)?;
        state.lengths[self.id] = state.lengths[self.id].max(at + bytes.len());
        if !bytes.is_empty() {
            state.journal.push(Op::Content(self.id, Change::Write(at, bytes)));
        }
        outcome
    }

    fn set_modified(&self, _at: SystemTime) -> io::Result<()> {
        self.disk.state().attempt()
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.disk.state();
        state.attempt()?;
        state.journal.push(Op::SyncFile(self.id, None));
        Ok(())
    }

    fn map(&self, len: usize) -> io::Result<Map> {
        self.disk.state().attempt()?;
        Ok(Map::of(&self.file, len)?.observed(Box::new(self.clone())))
    }
}

impl Observer for SimulatedFile {
    fn stored(&self, at: usize, bytes: &[u8]) {
        self.disk.state().journal.push(Op::Content(self.id, Change::Write(at, bytes.to_vec())));
    }

    fn flush(&self, range: Range<usize>) -> io::Result<()> {
        let mut state = self.disk.state();
        state.attempt()?;
        state.journal.push(Op::SyncFile(self.id, Some(range)));
        Ok(())
    }
}

type DirId = usize;

/// A disk that is made anew from a journal.
#[derive(Debug, Default)]
struct Rebuilding {
    /// Directories there were at first, but for those in others.
    roots: Vec<(PathBuf, DirId)>,
    /// Directories by the names that they have now.
    by_name: BTreeMap<PathBuf, DirId>,
    dirs: Vec<RebuildingDir>,
    files: BTreeMap<FileId, RebuildingFile>,
}

#[derive(Debug, Default)]
struct RebuildingDir {
    /// What was done to the names in it, and to which of them.
    namings: Vec<(OsString, NameChange)>,
    /// How much of that is flushed.
    flushed: usize,
}

#[derive(Debug, Clone)]
enum NameChange {
    To(NamedThing),
    RenameTo(OsString),
    Remove,
}

#[derive(Debug, Clone, Copy)]
enum NamedThing {
    File(FileId),
    Dir(DirId),
}

impl Rebuilding {
    fn from(initial: &[PathBuf]) -> Self {
        let mut rebuilding = Self::default();
        for path in initial {
            let id = rebuilding.add_dir(path);
            match path.parent().and_then(|parent| rebuilding.by_name.get(parent)) {
                Some(parent) => {
                    let parent = &mut rebuilding.dirs[*parent];
                    parent.namings.push((path.file_name().unwrap().to_owned(), NameChange::To(NamedThing::Dir(id))));
                    parent.flushed = parent.namings.len();
                }
                None => rebuilding.roots.push((path.clone(), id)),
            }
        }
        rebuilding
    }

    fn add_dir(&mut self, path: &Path) -> DirId {
        self.dirs.push(RebuildingDir::default());
        self.by_name.insert(path.to_owned(), self.dirs.len() - 1);
        self.dirs.len() - 1
    }

    fn take(&mut self, op: Op) {
        match op {
            Op::Name(path, naming) => {
                let change = match naming {
                    Naming::Create(id) => NameChange::To(NamedThing::File(id)),
                    Naming::CreateDir => NameChange::To(NamedThing::Dir(self.add_dir(&path))),
                    Naming::RenameTo(to) => {
                        if let Some(id) = self.by_name.remove(&path) {
                            self.by_name.insert(to.clone(), id);
                        }
                        NameChange::RenameTo(to.file_name().unwrap().to_owned())
                    }
                    Naming::Remove => {
                        self.by_name.remove(&path);
                        NameChange::Remove
                    }
                };
                let dir = self.by_name[path.parent().unwrap()];
                self.dirs[dir].namings.push((path.file_name().unwrap().to_owned(), change));
            }
            Op::Content(id, change) => self.files.entry(id).or_default().changes.push(change),
            Op::SyncFile(id, range) => self.files.entry(id).or_default().flush(range),
            Op::SyncDir(path) => {
                let dir = &mut self.dirs[self.by_name[&path]];
                dir.flushed = dir.namings.len();
            }
        }
    }

    fn flush_all(&mut self) {
        self.files.values_mut().for_each(|file| file.flush(None));
        self.dirs.iter_mut().for_each(|dir| dir.flushed = dir.namings.len());
    }

    fn build(mut self, random: &mut Seeded) -> SimulatedDisk {
        let disk = SimulatedDisk::default();
        let mut dirs = std::mem::take(&mut self.roots);
        while let Some((path, id)) = dirs.pop() {
            disk.state().add_initial(path.clone());
            for (name, thing) in self.dirs[id].names(random) {
                let path = path.join(name);
                match thing {
                    NamedThing::Dir(id) => dirs.push((path, id)),
                    NamedThing::File(id) => {
                        let content = self.files.remove(&id).unwrap_or_default().build(random);
                        let file = disk.open(&path, Access::Create).unwrap();
                        file.write_all_at(&[&content], 0).unwrap();
                    }
                }
            }
        }
        disk.settle();
        disk
    }
}

impl RebuildingDir {
    /// The names that are found: as they were at any moment since they were flushed.
    fn names(&self, random: &mut Seeded) -> BTreeMap<OsString, NamedThing> {
        let kept = self.flushed + random.below(self.namings.len() - self.flushed + 1);
        let mut names = BTreeMap::new();
        for (name, change) in &self.namings[..kept] {
            match change {
                NameChange::To(thing) => drop(names.insert(name.clone(), *thing)),
                NameChange::Remove => drop(names.remove(name)),
                NameChange::RenameTo(to) => {
                    if let Some(thing) = names.remove(name) {
                        names.insert(to.clone(), thing);
                    }
                }
            }
        }
        names
    }
}

impl SimulatedDisk {
    /// All that is there is flushed.
    fn settle(&self) {
        let mut state = self.state();
        let dirs: Vec<_> =
            state.names.iter().filter(|(_, node)| matches!(node, Node::Dir)).map(|(p, _)| p.clone()).collect();
        let files: Vec<_> = (0..state.lengths.len()).map(|id| Op::SyncFile(id, None)).collect();
        state.journal.extend(files);
        state.journal.extend(dirs.into_iter().map(Op::SyncDir));
    }
}

#[derive(Debug, Default)]
struct RebuildingFile {
    changes: Vec<Change>,
    /// How many of the changes are flushed: of the length, of pages that nothing else is known of, and of others.
    len_flushed: usize,
    all_flushed: usize,
    pages_flushed: BTreeMap<usize, usize>,
}

impl RebuildingFile {
    fn flush(&mut self, range: Option<Range<usize>>) {
        self.len_flushed = self.changes.len();
        match range {
            None => {
                self.all_flushed = self.changes.len();
                self.pages_flushed.clear();
            }
            Some(range) => {
                for page in range.start / PAGE..range.end.div_ceil(PAGE) {
                    self.pages_flushed.insert(page, self.changes.len());
                }
            }
        }
    }

    /// What is found of it: of each sector, and of the length, any version since it was flushed.
    fn build(&self, random: &mut Seeded) -> Vec<u8> {
        let any_since = |flushed: usize, random: &mut Seeded| flushed + random.below(self.changes.len() - flushed + 1);
        let len = self.content(any_since(self.len_flushed, random)).len();
        let mut found = vec![0; len];
        let mut versions: BTreeMap<usize, Vec<u8>> = BTreeMap::new();
        for start in (0..len).step_by(SECTOR) {
            let flushed = self.pages_flushed.get(&(start / PAGE)).copied().unwrap_or(0).max(self.all_flushed);
            let version = any_since(flushed, random);
            let version = versions.entry(version).or_insert_with(|| self.content(version));
            let end = len.min(start + SECTOR);
            if start < version.len() {
                let end = end.min(version.len());
                found[start..end].copy_from_slice(&version[start..end]);
            }
        }
        found
    }

    fn content(&self, changes: usize) -> Vec<u8> {
        let mut content = Vec::new();
        for change in &self.changes[..changes] {
            match change {
                Change::SetLen(len) => content.resize(*len, 0),
                Change::Write(at, bytes) => {
                    let end = at + bytes.len();
                    if content.len() < end {
                        content.resize(end, 0);
                    }
                    content[*at..end].copy_from_slice(bytes);
                }
            }
        }
        content
    }
}

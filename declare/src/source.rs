//! The files in which something is declared: named one by one, or all of a directory, such as a mounted ConfigMap.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::condition::{Condition, Place, Reason};
use crate::manifest::{self, Declared, Resource};
use crate::secrets::files_behind;

/// What one file may hold. A ConfigMap holds 1 MiB in all.
const LARGEST_FILE: u64 = 4 << 20;
/// How many files are read.
const MOST_FILES: usize = 2_000;
/// How deep directories are looked through.
const DEEPEST: usize = 8;
/// The names' endings that are read in a directory, beside names without any: keys of a ConfigMap often have none.
const ENDINGS: [&str; 3] = ["yaml", "yml", "json"];

/// All that the files declare.
#[derive(Debug, Clone, Default)]
pub struct Loaded {
    /// What is declared, each thing once, in the order of the files.
    pub declared: Vec<Declared>,
    /// What is wrong with files and manifests, and what is left alone.
    pub conditions: Vec<Condition>,
    /// What is declared, but asks to be left alone.
    pub unmanaged: Vec<Resource>,
    /// Whether all that is declared is known. Where it is not, nothing may be taken for declared no more.
    pub complete: bool,
}

/// Reads everything that these files and directories declare. Blocks.
pub fn load(paths: &[PathBuf]) -> Loaded {
    let mut loaded = Loaded { complete: true, ..Loaded::default() };
    for path in paths {
        match files(path) {
            Ok(files) => files.iter().for_each(|file| loaded.read(file)),
            Err(reason) => loaded.wrong(whole(path), reason),
        }
    }
    loaded.refuse_repeated();
    loaded
}

impl Loaded {
    /// What a text declares that somebody else has read, as from standard input.
    pub fn of_text(name: &Path, text: &str) -> Self {
        let mut loaded = Self { complete: true, ..Self::default() };
        loaded.text(name, text);
        loaded.refuse_repeated();
        loaded
    }

    /// The files that hold the secrets of what is declared, each once: what is declared changes with them.
    pub fn files_of_secrets(&self) -> Vec<PathBuf> {
        let configs = self.declared.iter().flat_map(|declared| declared.resource.configs().values());
        let files: BTreeSet<PathBuf> = configs.flat_map(|config| files_behind(&config.text)).collect();
        files.into_iter().collect()
    }

    fn read(&mut self, path: &Path) {
        match read(path) {
            Ok(text) => self.text(path, &text),
            Err(reason) => self.wrong(whole(path), reason),
        }
    }

    fn text(&mut self, path: &Path, text: &str) {
        let read = manifest::read(path, text);
        self.complete &= read.complete;
        self.declared.extend(read.declared);
        self.conditions.extend(read.conditions);
        self.unmanaged.extend(read.unmanaged);
    }

    fn wrong(&mut self, place: Place, reason: String) {
        self.complete = false;
        self.conditions.push(Condition::wrong(place, Reason::InvalidFile, reason));
    }

    /// Of what is declared more than once, the first counts.
    fn refuse_repeated(&mut self) {
        let mut places: BTreeMap<(&'static str, String), Place> = BTreeMap::new();
        let mut refused = Vec::new();
        self.declared.retain(|declared| {
            let (kind, name) = (declared.resource.kind(), declared.resource.name().to_owned());
            match places.get(&(kind, name.clone())) {
                None => {
                    places.insert((kind, name), declared.place.clone());
                    true
                }
                Some(first) => {
                    let message = format!("declared at {first} already, which counts");
                    let condition = Condition::wrong(declared.place.clone(), Reason::DeclaredTwice, message);
                    refused.push(condition.of(kind, Some(&name)));
                    false
                }
            }
        });
        self.conditions.extend(refused);
    }
}

fn whole(path: &Path) -> Place {
    Place { file: Arc::from(path), line: 0 }
}

fn read(path: &Path) -> Result<String, String> {
    let open = |error: std::io::Error| format!("it cannot be read: {error}");
    let file = fs::File::open(path).map_err(open)?;
    let mut bytes = Vec::new();
    // Not by its length alone: it may grow, or be no ordinary file.
    file.take(LARGEST_FILE + 1).read_to_end(&mut bytes).map_err(open)?;
    if bytes.len() as u64 > LARGEST_FILE {
        return Err(format!("it is larger than {} MiB, which is not read", LARGEST_FILE >> 20));
    }
    String::from_utf8(bytes).map_err(|error| {
        let line = error.as_bytes()[..error.utf8_error().valid_up_to()].iter().filter(|byte| **byte == b'\n').count();
        format!("line {} is not UTF-8", line + 1)
    })
}

/// The file that a path is, or those of the directory that it is, sorted.
///
/// # Errors
/// Why they cannot be listed.
pub(crate) fn files(path: &Path) -> Result<Vec<PathBuf>, String> {
    let metadata = fs::metadata(path).map_err(|error| format!("it cannot be read: {error}"))?;
    if !metadata.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = Vec::new();
    list(path, 0, &mut found)?;
    found.sort();
    Ok(found)
}

fn list(directory: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<(), String> {
    let unreadable = |error: std::io::Error| format!("{} cannot be read: {error}", directory.display());
    if depth == DEEPEST {
        return Err(format!("directories lie more than {DEEPEST} deep within each other"));
    }
    for entry in fs::read_dir(directory).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        // A mounted ConfigMap keeps its versions in directories whose names begin with a dot; what counts are the links.
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        // What has gone meanwhile changes the directory, and is seen then.
        let Some(metadata) = (!hidden).then(|| fs::metadata(&path).ok()).flatten() else {
            continue;
        };
        if metadata.is_dir() {
            list(&path, depth + 1, found)?;
        } else if path.extension().is_none_or(|ending| ENDINGS.iter().any(|known| ending == *known)) {
            found.push(path);
            if found.len() > MOST_FILES {
                return Err(format!("there are more than {MOST_FILES} files"));
            }
        }
    }
    Ok(())
}

//! How it stands with what is declared, as `/declared`, the log and the command line tell it.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use serde::{Serialize, Serializer};

/// Where something is declared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file, by the path that was given.
    pub file: Arc<Path>,
    /// The line, from 1; 0 is the file as a whole.
    pub line: usize,
}

impl Place {
    /// A line of this file.
    pub fn at(&self, line: usize) -> Self {
        Self { file: Arc::clone(&self.file), line }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}", self.file.display()),
            line => write!(f, "{}:{line}", self.file.display()),
        }
    }
}

/// Whether something is as it is declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Status {
    /// It is.
    Ready,
    /// It is not, and somebody has to act or wait.
    NotReady,
    /// Nothing is done about it here, as it asks for or as it must be.
    Skipped,
}

/// Why it is so, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Reason {
    /// Nothing had to be done.
    UpToDate,
    /// It was made now.
    Created,
    /// It was changed now.
    Altered,
    /// It was deleted now: it is declared no more.
    Pruned,
    /// It is declared no more, and stays.
    NotPruned,
    /// The file cannot be read, or is no YAML or JSON.
    InvalidFile,
    /// Nothing of this kind is known.
    UnknownKind,
    /// The manifest says what it cannot.
    InvalidManifest,
    /// Another manifest declares the same.
    DeclaredTwice,
    /// A secret that it refers to is not there.
    MissingSecret,
    /// It is of a kind that has no place here.
    Unsupported,
    /// It asks to be left alone.
    Unmanaged,
    /// It has more partitions than are declared, and none is ever taken away.
    FewerPartitions,
    /// It has another replication factor, which is not changed.
    ReplicationFactorKept,
    /// It cannot be as it is declared.
    Refused,
    /// It could not be done now, and is tried again.
    Unavailable,
}

/// How it stands with one thing that is declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// Where it is declared; `None` if it is declared no more.
    pub place: Option<Place>,
    /// Its kind, by Strimzi's name; `None` if that cannot be told.
    pub kind: Option<String>,
    /// Its name; `None` if that cannot be told.
    pub name: Option<String>,
    /// Whether it is as declared.
    pub status: Status,
    /// Why.
    pub reason: Reason,
    /// Why, for whoever has to act; may be empty. No secret's value is ever in it.
    pub message: String,
}

impl Condition {
    /// Something that is wrong with a file or a manifest.
    pub fn wrong(place: Place, reason: Reason, message: impl Into<String>) -> Self {
        let (kind, name) = (None, None);
        Self { place: Some(place), kind, name, status: Status::NotReady, reason, message: message.into() }
    }

    /// The same of a resource that is known by kind and perhaps name.
    #[must_use]
    pub fn of(self, kind: &str, name: Option<&str>) -> Self {
        Self { kind: Some(kind.to_owned()), name: name.map(str::to_owned), ..self }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        if let Some(kind) = &self.kind {
            write!(f, "{kind} ")?;
        }
        if let Some(name) = &self.name {
            write!(f, "{name} ")?;
        }
        write!(f, "{:?} {:?}", self.status, self.reason)?;
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        Ok(())
    }
}

impl Serialize for Condition {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Shown<'a> {
            kind: Option<&'a str>,
            name: Option<&'a str>,
            file: Option<String>,
            line: Option<usize>,
            status: Status,
            reason: Reason,
            message: &'a str,
        }
        let shown = Shown {
            kind: self.kind.as_deref(),
            name: self.name.as_deref(),
            file: self.place.as_ref().map(|place| place.file.display().to_string()),
            line: self.place.as_ref().map(|place| place.line).filter(|line| *line > 0),
            status: self.status,
            reason: self.reason,
            message: &self.message,
        };
        shown.serialize(serializer)
    }
}

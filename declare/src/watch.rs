//! Files that change: what was read is read again, and brought about again.
//!
//! Metadata is looked at from time to time, through links, which sees the way in which Kubernetes changes a mounted
//! ConfigMap: all links come to lead into another directory at once. A change counts once nothing has changed for a
//! moment, so that no file is read while somebody writes it. Files of secrets are looked at likewise.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::source::files;

/// How often files are looked at.
pub const INTERVAL: Duration = Duration::from_secs(1);
/// For how long nothing may change before a change counts.
pub const QUIET: Duration = Duration::from_millis(150);
/// The first pause before what has failed is tried again; each is twice as long as the one before.
pub const FIRST_RETRY: Duration = Duration::from_secs(1);
/// The longest one.
pub const LONGEST_RETRY: Duration = Duration::from_secs(30);

/// What there is to see of files without reading them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint(Vec<Seen>);

/// A path and what it leads to, or that it leads to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    path: PathBuf,
    /// Device, inode, length, and the times at which content and inode have changed, in nanoseconds.
    is: Option<(u64, u64, u64, i128, i128)>,
}

impl Fingerprint {
    /// How these files and directories look now. Blocks.
    pub fn of(paths: &[PathBuf]) -> Self {
        let mut seen = Vec::new();
        for path in paths {
            seen.push(see(path));
            seen.extend(files(path).unwrap_or_default().iter().map(|file| see(file)));
        }
        Self(seen)
    }

    /// How these and those look.
    #[must_use]
    pub fn and(mut self, those: Self) -> Self {
        self.0.extend(those.0);
        self
    }

    /// Waits until these look different, and have looked the same for a moment since. Looks now and then.
    pub async fn changed(self, paths: &[PathBuf]) {
        let mut last = loop {
            tokio::time::sleep(INTERVAL).await;
            let now = Self::look(paths).await;
            if now != self {
                break now;
            }
        };
        loop {
            tokio::time::sleep(QUIET).await;
            let now = Self::look(paths).await;
            if now == last {
                return;
            }
            last = now;
        }
    }

    /// As [`Fingerprint::of`], where it holds nobody up.
    pub async fn look(paths: &[PathBuf]) -> Self {
        let owned = paths.to_vec();
        let looked = tokio::task::spawn_blocking(move || Self::of(&owned)).await;
        looked.unwrap_or(Self(Vec::new()))
    }
}

fn see(path: &Path) -> Seen {
    let nanos = |seconds: i64, nanos: i64| i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
    let is = fs::metadata(path).ok().map(|metadata| {
        let changed = (nanos(metadata.mtime(), metadata.mtime_nsec()), nanos(metadata.ctime(), metadata.ctime_nsec()));
        (metadata.dev(), metadata.ino(), metadata.len(), changed.0, changed.1)
    });
    Seen { path: path.to_owned(), is }
}

/// Pauses between tries.
#[derive(Debug, Clone, Copy)]
pub struct Retries {
    next: Duration,
}

impl Default for Retries {
    fn default() -> Self {
        Self { next: FIRST_RETRY }
    }
}

impl Retries {
    /// The next pause.
    pub fn pause(&mut self) -> Duration {
        let pause = self.next;
        self.next = (pause * 2).min(LONGEST_RETRY);
        pause
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn pauses_grow_to_the_longest() {
        let mut retries = Retries::default();
        let pauses: Vec<_> = (0..7).map(|_| retries.pause().as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 30, 30]);
    }

    #[test]
    fn a_mounted_config_map_is_seen_to_change() {
        let dir = tempfile::tempdir().unwrap();
        let mount = dir.path().to_owned();
        let version = |name: &str, text: &str| {
            fs::create_dir(mount.join(name)).unwrap();
            fs::write(mount.join(name).join("topics.yaml"), text).unwrap();
            std::os::unix::fs::symlink(name, mount.join("..data_tmp")).unwrap();
            fs::rename(mount.join("..data_tmp"), mount.join("..data")).unwrap();
        };
        version("..1", "a: 1");
        std::os::unix::fs::symlink("..data/topics.yaml", mount.join("topics.yaml")).unwrap();
        let paths = [mount.clone()];
        assert_eq!(files(&mount).unwrap(), [mount.join("topics.yaml")]);
        let before = Fingerprint::of(&paths);
        assert_eq!(before, Fingerprint::of(&paths));
        // The file alone, as a secret in a mounted Secret is referred to.
        let alone = [mount.join("topics.yaml")];
        let both = Fingerprint::of(&paths).and(Fingerprint::of(&alone));
        assert_eq!(both, Fingerprint::of(&[paths.as_slice(), &alone].concat()));
        let before_alone = Fingerprint::of(&alone);
        version("..2", "a: 2");
        assert_ne!(before, Fingerprint::of(&paths));
        assert_ne!(before_alone, Fingerprint::of(&alone));
    }
}

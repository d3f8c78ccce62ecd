//! The catalog: which topics there are, with their ids and configs, and the few things beside them that a broker must
//! not forget (Kafka keeps them in its metadata log).
//!
//! One append-only file of frames: length 4 bytes, CRC-32C of the content 4, then a record as JSON. What is appended
//! is there after the process has died. The first frame gives the format. Records that later ones have replaced are
//! left out when the file is rewritten, which the owner does when [`Catalog::is_mostly_stale`].

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::disk::{Access, Dir, DiskFile};
use crate::error::Error;

const FILE: &str = "catalog.log";
/// What was in it when it was found damaged.
const DAMAGED: &str = "catalog.log.damaged";
const FORMAT: u32 = 1;
const FRAME_HEADER_LEN: usize = 8;
/// A file below this many bytes is never worth rewriting.
const SMALL: u64 = 1 << 20;

/// A change that must not be forgotten.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CatalogRecord {
    /// The format of the records that follow.
    Format(u32),
    /// A topic was created, or changed: this is how it stands now.
    Topic(TopicRecord),
    /// A topic was deleted.
    TopicDeleted {
        /// Its id.
        id: Uuid,
    },
    /// Dynamic configs of the broker, by entity name; the empty name is the cluster-wide default (KIP-226).
    BrokerConfigs {
        /// The broker's id as text, or empty.
        entity: String,
        /// All that are set now.
        configs: BTreeMap<String, String>,
    },
    /// Configs of a group (KIP-848), which need not exist.
    GroupConfigs {
        /// The group.
        group_id: String,
        /// All that are set now.
        configs: BTreeMap<String, String>,
    },
    /// The quotas of an entity as they stand now; none when it has none any more (KIP-546).
    ClientQuotas {
        /// Names by type of entity; no name is the type's default.
        entity: BTreeMap<String, Option<String>>,
        /// The values, as text that gives back the same number.
        quotas: BTreeMap<String, String>,
    },
    /// A subscription to metrics of clients as it stands now; without configs it is gone (KIP-714).
    ClientMetrics {
        /// Its name.
        name: String,
        /// All that are set now.
        configs: BTreeMap<String, String>,
    },
    /// Producer ids below this one may have been given out.
    NextProducerId(i64),
    /// The levels of the cluster's features as they stand now (KIP-584).
    FeatureLevels {
        /// Grows by one with each change.
        epoch: i64,
        /// Levels by the feature's name.
        levels: BTreeMap<String, i16>,
    },
    /// SCRAM credentials that were set or taken away in one request (KIP-554).
    ScramCredentials(Vec<ScramCredentialRecord>),
}

/// One user's credential for one mechanism.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScramCredentialRecord {
    /// The user's name.
    pub user: String,
    /// Kafka's number of the mechanism: 1 for SCRAM-SHA-256, 2 for SCRAM-SHA-512.
    pub mechanism: i8,
    /// The credential; `None` when it was taken away.
    pub credential: Option<ScramCredential>,
}

/// What of a password is kept (RFC 5802).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScramCredential {
    /// The salt that the client chose.
    pub salt: Vec<u8>,
    /// The password, salted and hashed by the client as often as `iterations` says.
    pub salted_password: Vec<u8>,
    /// How often it was hashed.
    pub iterations: i32,
}

impl std::fmt::Debug for ScramCredential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ScramCredential").field("iterations", &self.iterations).finish_non_exhaustive()
    }
}

/// A topic as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicRecord {
    /// Its name.
    pub name: String,
    /// Its id (KIP-516): another topic of the same name has another.
    pub id: Uuid,
    /// How many partitions it has.
    pub partitions: i32,
    /// The replication factor that was declared. One copy is kept whatever it says.
    pub replication_factor: i16,
    /// The configs that were set, by name.
    pub configs: BTreeMap<String, String>,
}

/// The open catalog.
#[derive(Debug)]
pub struct Catalog {
    dir: Dir,
    path: PathBuf,
    file: Box<dyn DiskFile>,
    len: u64,
    /// Its length when it was last rewritten or opened, less what was stale then.
    fresh_len: u64,
    /// What could not be written whole stands behind `len`.
    torn: bool,
    durability: Durability,
}

/// When a record of the catalog is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// When it would survive the death of this process.
    Process,
    /// When it would survive a stop of the machine.
    Machine,
}

impl Catalog {
    /// Opens the catalog in a data directory, or makes it, and returns what it records, oldest first.
    ///
    /// A last frame that is not whole is dropped: nobody was told of it. Damage anywhere else is an error, since
    /// going on would forget topics. Only where `machine_stopped` is it what the system had not written yet: then all from
    /// the damage on is dropped, and kept aside in another file.
    pub fn open(
        data_dir: &Path,
        machine_stopped: bool,
        durability: Durability,
    ) -> Result<(Self, Vec<CatalogRecord>), Error> {
        Self::open_in(&Dir::of_system(data_dir), machine_stopped, durability)
    }

    pub(crate) fn open_in(
        dir: &Dir,
        machine_stopped: bool,
        durability: Durability,
    ) -> Result<(Self, Vec<CatalogRecord>), Error> {
        let path = dir.join(FILE);
        let content = dir.disk.read_if_present(&path)?.unwrap_or_default();
        let (records, valid, damage) = decode(&path, &content)?;
        match damage {
            Some(damage) if machine_stopped => {
                let aside = dir.join(DAMAGED);
                dir.disk.write_whole(&aside, &content)?;
                tracing::error!(%damage, aside = %aside.display(), "the machine stopped before all of it was on disk; the rest is dropped");
            }
            Some(damage) => return Err(damage),
            None => {}
        }
        let file = dir.disk.open(&path, Access::OpenOrCreate).map_err(Error::io("open", &path))?;
        file.set_len(valid).map_err(Error::io("truncate", &path))?;
        let mut catalog = Self { dir: dir.clone(), path, file, len: valid, fresh_len: 0, torn: false, durability };
        if valid == 0 {
            catalog.append(&CatalogRecord::Format(FORMAT))?;
            if durability == Durability::Machine {
                dir.disk.sync_file(dir)?;
            }
        }
        Ok((catalog, records))
    }

    /// Appends a record. When this returns, it survives what the catalog was opened for.
    pub fn append(&mut self, record: &CatalogRecord) -> Result<(), Error> {
        if self.torn {
            self.cut()?;
        }
        let mut frame = Vec::new();
        put_frame(&mut frame, record);
        let written = self.file.write_all_at(&[&frame], self.len).and_then(|()| match self.durability {
            Durability::Process => Ok(()),
            Durability::Machine => self.file.sync(),
        });
        if let Err(error) = written {
            // Half a frame would hide all that is appended behind it, and a whole one would be believed.
            self.torn = true;
            self.cut()?;
            return Err(Error::io("append to", &self.path)(error));
        }
        self.len += frame.len() as u64;
        Ok(())
    }

    /// Takes away what could not be written whole.
    fn cut(&mut self) -> Result<(), Error> {
        self.file.set_len(self.len).map_err(Error::io("truncate", &self.path))?;
        self.torn = false;
        Ok(())
    }

    /// Whether most of the file is records that no longer count.
    pub fn is_mostly_stale(&self) -> bool {
        self.len > SMALL && self.len > 4 * self.fresh_len
    }

    /// Replaces the file by one that holds just `records`, which must say all that still counts.
    pub fn rewrite<'a>(&mut self, records: impl Iterator<Item = &'a CatalogRecord>) -> Result<(), Error> {
        let mut content = Vec::new();
        put_frame(&mut content, &CatalogRecord::Format(FORMAT));
        for record in records {
            put_frame(&mut content, record);
        }
        // It is opened before it has its name: were it the other way round, and opening failed, what is appended from then
        // on would go into a file that nobody reads.
        let disk = &*self.dir.disk;
        let temporary = disk.write_beside(&self.path, &content)?;
        let file = disk.open(&temporary, Access::Write).map_err(Error::io("open", &temporary))?;
        disk.rename(&temporary, &self.path).map_err(Error::io("replace", &self.path))?;
        self.file = file;
        self.torn = false;
        if self.durability == Durability::Machine {
            disk.sync_file(&self.dir)?;
        }
        self.len = content.len() as u64;
        self.fresh_len = self.len;
        Ok(())
    }
}

fn put_frame(out: &mut Vec<u8>, record: &CatalogRecord) {
    let content = serde_json::to_vec(record).expect("records hold only strings, numbers and maps of strings");
    out.extend_from_slice(&(content.len() as u32).to_be_bytes());
    out.extend_from_slice(&crc32c::crc32c(&content).to_be_bytes());
    out.extend_from_slice(&content);
}

/// The records, how many bytes of whole frames hold them, and what is wrong with what follows, if it is more than a frame
/// that was not finished.
fn decode(path: &Path, content: &[u8]) -> Result<(Vec<CatalogRecord>, u64, Option<Error>), Error> {
    let mut records = Vec::new();
    let mut at = 0;
    while let Some(frame) = next_frame(&content[at..]) {
        let corrupt = |reason: String| Error::Corrupt { path: path.to_owned(), at: at as u64, reason };
        let record = match frame.content.map(serde_json::from_slice) {
            // A file that was made longer before it was written to, when the machine stopped, ends in zeros.
            _ if content[at..].iter().all(|byte| *byte == 0) => break,
            None if at + frame.len >= content.len() => break,
            None => return Ok((records, at as u64, Some(corrupt("a frame's CRC does not match".to_owned())))),
            Some(Err(error)) => return Err(corrupt(error.to_string())),
            Some(Ok(record)) => record,
        };
        match record {
            CatalogRecord::Format(found) if found > FORMAT => {
                return Err(Error::NewerFormat { path: path.to_owned(), found, known: FORMAT });
            }
            CatalogRecord::Format(_) => {}
            record => records.push(record),
        }
        at += frame.len;
    }
    Ok((records, at as u64, None))
}

struct Frame<'a> {
    len: usize,
    /// `None` where the CRC does not match.
    content: Option<&'a [u8]>,
}

/// The frame at the front; `None` where the bytes end before it does.
fn next_frame(bytes: &[u8]) -> Option<Frame<'_>> {
    let (len, rest) = bytes.split_first_chunk::<4>()?;
    let (crc, rest) = rest.split_first_chunk::<4>()?;
    let content = rest.get(..u32::from_be_bytes(*len) as usize)?;
    // Zeros are no frame, though the CRC of nothing is zero: they are where a sector was not written.
    let good = !content.is_empty() && crc32c::crc32c(content) == u32::from_be_bytes(*crc);
    Some(Frame { len: FRAME_HEADER_LEN + content.len(), content: good.then_some(content) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn open(dir: &Path) -> Result<(Catalog, Vec<CatalogRecord>), Error> {
        Catalog::open(dir, false, Durability::Process)
    }

    fn topic(name: &str) -> CatalogRecord {
        CatalogRecord::Topic(TopicRecord {
            name: name.to_owned(),
            id: Uuid::from_u128(7),
            partitions: 3,
            replication_factor: 1,
            configs: BTreeMap::from([("cleanup.policy".to_owned(), "compact".to_owned())]),
        })
    }

    #[test]
    fn records_come_back_in_order_and_a_rewrite_keeps_what_it_is_given() {
        let dir = tempfile::tempdir().unwrap();
        let (mut catalog, records) = open(dir.path()).unwrap();
        assert_eq!(records, []);
        let all = [topic("a"), CatalogRecord::NextProducerId(1000), topic("b")];
        for record in &all {
            catalog.append(record).unwrap();
        }
        let (mut catalog, records) = open(dir.path()).unwrap();
        assert_eq!(records, all);
        catalog.rewrite(all[1..].iter()).unwrap();
        catalog.append(&topic("c")).unwrap();
        let (_, records) = open(dir.path()).unwrap();
        assert_eq!(records, [all[1].clone(), all[2].clone(), topic("c")]);
    }

    #[test]
    fn damage_before_the_end_is_an_error_and_a_newer_format_too() {
        let dir = tempfile::tempdir().unwrap();
        let (mut catalog, _) = open(dir.path()).unwrap();
        catalog.append(&topic("a")).unwrap();
        catalog.append(&topic("b")).unwrap();
        let path = dir.path().join(FILE);
        let mut content = std::fs::read(&path).unwrap();
        content[40] ^= 1;
        std::fs::write(&path, &content).unwrap();
        assert!(matches!(open(dir.path()), Err(Error::Corrupt { .. })));

        let mut newer = Vec::new();
        put_frame(&mut newer, &CatalogRecord::Format(FORMAT + 1));
        std::fs::write(&path, newer).unwrap();
        assert!(matches!(open(dir.path()), Err(Error::NewerFormat { .. })));
    }

    proptest! {
        #[test]
        fn whatever_the_cut_every_whole_frame_is_kept(cut: prop::sample::Index) {
            let dir = tempfile::tempdir().unwrap();
            let (mut catalog, _) = open(dir.path()).unwrap();
            let mut ends = vec![catalog.len];
            for name in ["a", "b", "c"] {
                catalog.append(&topic(name)).unwrap();
                ends.push(catalog.len);
            }
            let path = dir.path().join(FILE);
            let content = std::fs::read(&path).unwrap();
            let cut = cut.index(content.len() + 1);
            std::fs::write(&path, &content[..cut]).unwrap();
            let (mut catalog, records) = open(dir.path()).unwrap();
            let whole = ends.iter().skip(1).filter(|end| **end <= cut as u64).count();
            prop_assert_eq!(records.len(), whole);
            catalog.append(&topic("d")).unwrap();
            let (_, records) = open(dir.path()).unwrap();
            prop_assert_eq!(records.last(), Some(&topic("d")));
        }
    }
}

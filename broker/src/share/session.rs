//! Share sessions (KIP-932): the broker remembers which partitions a member fetches, so that each fetch names only what
//! changed. A session belongs to a member and ends with its connection.

use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;

use brooklet_protocol::ErrorCode;
use uuid::Uuid;

/// `ShareSessionEpoch` of a request that wants a new session.
const INITIAL_EPOCH: i32 = 0;
/// `ShareSessionEpoch` of a request that ends its session.
pub(crate) const FINAL_EPOCH: i32 = -1;

/// A member of a share group.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct SessionKey {
    pub(crate) group_id: String,
    pub(crate) member_id: String,
}

/// A session that has ended, with what it fetched.
pub(crate) type EndedSession = (SessionKey, Vec<(Uuid, i32)>);

/// What a fetch says of its session.
#[derive(Debug)]
pub(crate) struct SessionFetch {
    pub(crate) epoch: i32,
    /// Topic ids and partitions to fetch from now on.
    pub(crate) added: Vec<(Uuid, i32)>,
    /// Those to fetch no more.
    pub(crate) forgotten: Vec<(Uuid, i32)>,
    /// Whether it acknowledges something.
    pub(crate) acknowledges: bool,
    /// The client's connection.
    pub(crate) peer: SocketAddr,
}

/// What a fetch is to do.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct ShareFetchContext {
    /// Topic ids and partitions, in the order in which their turn comes.
    pub(crate) partitions: Vec<(Uuid, i32)>,
    /// Whether partitions with nothing new are left out of the answer.
    pub(crate) incremental: bool,
}

#[derive(Debug)]
struct ShareSession {
    next_epoch: i32,
    peer: SocketAddr,
    partitions: Vec<SessionPartition>,
}

#[derive(Debug)]
struct SessionPartition {
    id: (Uuid, i32),
    /// The next answer must name it, whatever there is to say.
    must_tell: bool,
}

/// All share sessions, at most as many as `group.share.max.share.sessions`.
#[derive(Debug)]
pub(crate) struct ShareSessions {
    slots: usize,
    sessions: HashMap<SessionKey, ShareSession>,
}

impl ShareSessions {
    pub(crate) fn new(slots: usize) -> Self {
        Self { slots, sessions: HashMap::new() }
    }

    /// Opens, continues or prepares to end a session.
    pub(crate) fn fetch(&mut self, key: &SessionKey, fetch: SessionFetch) -> Result<ShareFetchContext, ErrorCode> {
        match fetch.epoch {
            FINAL_EPOCH if self.sessions.contains_key(key) => Ok(ShareFetchContext::default()),
            FINAL_EPOCH => Err(ErrorCode::ShareSessionNotFound),
            INITIAL_EPOCH => self.open(key, fetch),
            epoch => self.advance(key, epoch, fetch.peer)?.update(fetch),
        }
    }

    fn open(&mut self, key: &SessionKey, fetch: SessionFetch) -> Result<ShareFetchContext, ErrorCode> {
        if fetch.acknowledges {
            return Err(ErrorCode::InvalidRequest);
        }
        self.sessions.remove(key);
        if self.sessions.len() >= self.slots {
            return Err(ErrorCode::ShareSessionLimitReached);
        }
        let mut session = ShareSession { next_epoch: next(INITIAL_EPOCH), peer: fetch.peer, partitions: Vec::new() };
        session.add(fetch.added, false);
        let partitions = session.partitions.iter().map(|partition| partition.id).collect();
        self.sessions.insert(key.clone(), session);
        Ok(ShareFetchContext { partitions, incremental: false })
    }

    /// Lets an acknowledgement pass that is no fetch.
    pub(crate) fn acknowledge(&mut self, key: &SessionKey, epoch: i32, peer: SocketAddr) -> Result<(), ErrorCode> {
        match epoch {
            INITIAL_EPOCH => Err(ErrorCode::InvalidShareSessionEpoch),
            FINAL_EPOCH if self.sessions.contains_key(key) => Ok(()),
            FINAL_EPOCH => Err(ErrorCode::ShareSessionNotFound),
            epoch => self.advance(key, epoch, peer).map(|_| ()),
        }
    }

    fn advance(&mut self, key: &SessionKey, epoch: i32, peer: SocketAddr) -> Result<&mut ShareSession, ErrorCode> {
        let session = self.sessions.get_mut(key).ok_or(ErrorCode::ShareSessionNotFound)?;
        if session.next_epoch != epoch {
            return Err(ErrorCode::InvalidShareSessionEpoch);
        }
        session.next_epoch = next(epoch);
        session.peer = peer;
        Ok(session)
    }

    /// Of the partitions that a fetch found something to say of, with whether that is records or an error, those that
    /// its answer names.
    pub(crate) fn tell(
        &mut self,
        key: &SessionKey,
        context: &ShareFetchContext,
        found: &[((Uuid, i32), Found)],
    ) -> Vec<bool> {
        let Some(session) = self.sessions.get_mut(key).filter(|_| context.incremental) else {
            return vec![true; found.len()];
        };
        found.iter().map(|(id, found)| session.tell(*id, *found)).collect()
    }

    /// Ends a session. What it fetched is returned.
    pub(crate) fn end(&mut self, key: &SessionKey) -> Option<Vec<(Uuid, i32)>> {
        self.sessions.remove(key).map(ShareSession::into_partitions)
    }

    /// Ends every session.
    pub(crate) fn end_all(&mut self) {
        self.sessions.clear();
    }

    /// Ends the sessions of a connection. They are returned with what they fetched, and with the groups that have no
    /// sessions left.
    pub(crate) fn disconnected(&mut self, peer: SocketAddr) -> (Vec<EndedSession>, BTreeSet<String>) {
        let gone: Vec<SessionKey> =
            self.sessions.iter().filter(|(_, session)| session.peer == peer).map(|(key, _)| key.clone()).collect();
        let mut emptied: BTreeSet<String> = gone.iter().map(|key| key.group_id.clone()).collect();
        let ended = gone.into_iter().filter_map(|key| {
            let partitions = self.end(&key)?;
            Some((key, partitions))
        });
        let ended = ended.collect();
        emptied.retain(|group_id| !self.has_any(group_id));
        (ended, emptied)
    }

    /// Whether anybody has a session in a group.
    pub(crate) fn has_any(&self, group_id: &str) -> bool {
        self.sessions.keys().any(|key| key.group_id == group_id)
    }
}

/// What a fetch found in a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    Nothing,
    Records,
    Error,
}

impl ShareSession {
    fn update(&mut self, fetch: SessionFetch) -> Result<ShareFetchContext, ErrorCode> {
        self.add(fetch.added, true);
        self.partitions.retain(|partition| !fetch.forgotten.contains(&partition.id));
        let mut partitions: Vec<_> = self.partitions.iter().map(|partition| partition.id).collect();
        // Each comes first in its turn, so that none of them starves.
        if !partitions.is_empty() {
            let turn = usize::try_from(fetch.epoch).unwrap_or(0) % partitions.len();
            partitions.rotate_left(turn);
        }
        Ok(ShareFetchContext { partitions, incremental: true })
    }

    fn add(&mut self, added: Vec<(Uuid, i32)>, must_tell: bool) {
        for id in added {
            if !self.partitions.iter().any(|partition| partition.id == id) {
                self.partitions.push(SessionPartition { id, must_tell });
            }
        }
    }

    fn tell(&mut self, id: (Uuid, i32), found: Found) -> bool {
        let Some(index) = self.partitions.iter().position(|partition| partition.id == id) else {
            return true;
        };
        let told = found != Found::Nothing || self.partitions[index].must_tell;
        // An error is told until it is over.
        self.partitions[index].must_tell = found == Found::Error;
        told
    }

    fn into_partitions(self) -> Vec<(Uuid, i32)> {
        self.partitions.into_iter().map(|partition| partition.id).collect()
    }
}

/// The epoch that follows. It never comes back to those that have a meaning of their own.
fn next(epoch: i32) -> i32 {
    epoch.checked_add(1).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(member: &str) -> SessionKey {
        SessionKey { group_id: "g".into(), member_id: member.into() }
    }

    fn peer(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    fn fetch(epoch: i32, added: &[i32], forgotten: &[i32]) -> SessionFetch {
        let ids = |partitions: &[i32]| partitions.iter().map(|index| (Uuid::from_u128(1), *index)).collect();
        SessionFetch { epoch, added: ids(added), forgotten: ids(forgotten), acknowledges: false, peer: peer(1) }
    }

    fn partitions(context: &ShareFetchContext) -> Vec<i32> {
        context.partitions.iter().map(|(_, index)| *index).collect()
    }

    #[test]
    fn a_session_remembers_what_is_fetched_and_takes_turns() {
        let mut sessions = ShareSessions::new(2);
        let opened = sessions.fetch(&key("a"), fetch(0, &[0, 1, 2], &[])).unwrap();
        assert_eq!((partitions(&opened), opened.incremental), (vec![0, 1, 2], false));
        let second = sessions.fetch(&key("a"), fetch(1, &[], &[])).unwrap();
        assert_eq!((partitions(&second), second.incremental), (vec![1, 2, 0], true));
        let third = sessions.fetch(&key("a"), fetch(2, &[3], &[0, 1])).unwrap();
        assert_eq!(partitions(&third), [2, 3]);
        assert_eq!(sessions.acknowledge(&key("a"), 3, peer(1)), Ok(()));
        assert_eq!(sessions.fetch(&key("a"), fetch(4, &[], &[])).map(|context| context.partitions.len()), Ok(2));
    }

    #[test]
    fn epochs_are_checked() {
        let mut sessions = ShareSessions::new(1);
        let not_found = Err(ErrorCode::ShareSessionNotFound);
        let invalid = Err(ErrorCode::InvalidShareSessionEpoch);
        for epoch in [1, FINAL_EPOCH] {
            assert_eq!(sessions.fetch(&key("a"), fetch(epoch, &[], &[])), not_found);
            assert_eq!(sessions.acknowledge(&key("a"), epoch, peer(1)), Err(ErrorCode::ShareSessionNotFound));
        }
        sessions.fetch(&key("a"), fetch(0, &[0], &[])).unwrap();
        assert_eq!(sessions.fetch(&key("a"), fetch(2, &[], &[])), invalid);
        assert_eq!(sessions.acknowledge(&key("a"), 0, peer(1)), Err(ErrorCode::InvalidShareSessionEpoch));
        assert_eq!(sessions.acknowledge(&key("a"), 2, peer(1)), Err(ErrorCode::InvalidShareSessionEpoch));
        let acknowledging = SessionFetch { acknowledges: true, ..fetch(0, &[0], &[]) };
        assert_eq!(sessions.fetch(&key("a"), acknowledging), Err(ErrorCode::InvalidRequest));
        assert_eq!(sessions.fetch(&key("b"), fetch(0, &[0], &[])), Err(ErrorCode::ShareSessionLimitReached));
        assert!(sessions.fetch(&key("a"), fetch(FINAL_EPOCH, &[], &[])).is_ok());
        assert_eq!(sessions.end(&key("a")).map(|partitions| partitions.len()), Some(1));
        assert_eq!(sessions.end(&key("a")), None);
    }

    #[test]
    fn an_answer_names_what_is_new() {
        let mut sessions = ShareSessions::new(1);
        let opened = sessions.fetch(&key("a"), fetch(0, &[0], &[])).unwrap();
        let id = |index| (Uuid::from_u128(1), index);
        assert_eq!(sessions.tell(&key("a"), &opened, &[(id(0), Found::Nothing)]), [true], "the first names all");
        let second = sessions.fetch(&key("a"), fetch(1, &[1], &[])).unwrap();
        let mut tell = |zero, one| sessions.tell(&key("a"), &second, &[(id(0), zero), (id(1), one)]);
        assert_eq!(tell(Found::Nothing, Found::Nothing), [false, true], "one that is new is named");
        assert_eq!(tell(Found::Records, Found::Nothing), [true, false]);
        assert_eq!(tell(Found::Error, Found::Nothing), [true, false]);
        assert_eq!(tell(Found::Nothing, Found::Nothing), [true, false], "that the error is over is told");
        assert_eq!(tell(Found::Nothing, Found::Nothing), [false, false]);
    }

    #[test]
    fn a_connection_takes_its_sessions_along() {
        let mut sessions = ShareSessions::new(3);
        sessions.fetch(&key("a"), fetch(0, &[0], &[])).unwrap();
        sessions.fetch(&key("b"), SessionFetch { peer: peer(2), ..fetch(0, &[0], &[]) }).unwrap();
        let (ended, emptied) = sessions.disconnected(peer(1));
        assert_eq!((ended.len(), emptied.len()), (1, 0));
        let (ended, emptied) = sessions.disconnected(peer(2));
        assert_eq!((ended[0].0.clone(), emptied), (key("b"), BTreeSet::from(["g".to_owned()])));
    }
}

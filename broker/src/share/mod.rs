//! Share groups' delivery (KIP-932): records of a partition are given to any member that asks, one at a time, and
//! delivered again until one of them says that they are done.
//!
//! [`partition::SharePartition`] is the state machine, [`state`] keeps what must survive, [`session`] remembers what
//! members fetch. [`ShareGroups`] brings them together: whoever fetches or acknowledges does so on its connection's own
//! task, under the share partition's lock.

pub(crate) mod delivery;
pub(crate) mod expiry;
pub(crate) mod partition;
pub(crate) mod session;
pub(crate) mod state;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use brooklet_protocol::ErrorCode;
use brooklet_protocol::coordinator::share_state::SharePartitionKey;
use parking_lot::Mutex;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::clock::Clock;
use crate::config::ShareGroupConfig;
use crate::coordinator::timer::Millis;
use crate::groups::group_configs::GroupConfigs;
use crate::topics::Topics;
use delivery::DeliveredPartition;
use session::{SessionKey, ShareSessions};
use state::ShareCoordinator;

/// All share partitions that somebody fetches, and who does.
#[derive(Debug)]
pub(crate) struct ShareGroups {
    topics: Arc<Topics>,
    state: Arc<ShareCoordinator>,
    configs: Arc<ArcSwap<GroupConfigs>>,
    clock: Clock,
    sessions: Mutex<ShareSessions>,
    partitions: Mutex<HashMap<SharePartitionKey, Arc<DeliveredPartition>>>,
    /// When locks are looked at next.
    next_expiry: AtomicU64,
    /// Woken when that is too late.
    earlier_expiry: Notify,
}

impl ShareGroups {
    pub(crate) fn new(
        topics: Arc<Topics>,
        state: Arc<ShareCoordinator>,
        configs: Arc<ArcSwap<GroupConfigs>>,
        clock: Clock,
        max_sessions: usize,
    ) -> Self {
        Self {
            topics,
            state,
            configs,
            clock,
            sessions: Mutex::new(ShareSessions::new(max_sessions)),
            partitions: Mutex::new(HashMap::new()),
            next_expiry: AtomicU64::new(Millis::MAX),
            earlier_expiry: Notify::new(),
        }
    }

    /// The share coordinator, which has taken in what is kept when this returns.
    pub(crate) async fn state(&self) -> &ShareCoordinator {
        self.state.load().await;
        &self.state
    }

    /// What delivery to a group follows.
    pub(crate) fn config(&self, group_id: &str) -> ShareGroupConfig {
        ShareGroupConfig::of(self.configs.load().of(group_id))
    }

    pub(crate) fn sessions(&self) -> &Mutex<ShareSessions> {
        &self.sessions
    }

    /// The share partition, if anybody has fetched from it.
    pub(crate) fn find(&self, key: &SharePartitionKey) -> Option<Arc<DeliveredPartition>> {
        self.partitions.lock().get(key).cloned()
    }

    /// The share partition, as it was kept if nobody has fetched from it since.
    pub(crate) fn find_or_load(
        &self,
        key: &SharePartitionKey,
        config: &ShareGroupConfig,
    ) -> Result<Arc<DeliveredPartition>, ErrorCode> {
        // Held while it is loaded, so that whoever makes the state begin anew finds what was loaded before.
        let mut partitions = self.partitions.lock();
        if let Some(found) = partitions.get(key) {
            return Ok(Arc::clone(found));
        }
        let topic = self.topics.by_id(key.topic_id).ok_or(ErrorCode::UnknownTopicId)?;
        let partition = topic.partition(key.partition).ok_or(ErrorCode::UnknownTopicOrPartition)?;
        let loaded = DeliveredPartition::load(key.clone(), partition, &self.state, config, self.clock.wall_ms())?;
        Ok(Arc::clone(partitions.entry(key.clone()).or_insert(Arc::new(loaded))))
    }

    /// Gives up what is known of share partitions, such as those whose state has begun anew. Members that wait for
    /// them look again.
    pub(crate) fn forget(&self, which: impl Fn(&SharePartitionKey) -> bool) {
        let mut gone = Vec::new();
        self.partitions.lock().retain(|key, partition| {
            let goes = which(key);
            if goes {
                gone.push(Arc::clone(partition));
            }
            !goes
        });
        gone.iter().for_each(|partition| partition.fence());
    }

    /// Share groups have been switched off: nobody has a session any more, and what members have is taken back.
    pub(crate) fn forget_all(&self) {
        self.sessions.lock().end_all();
        self.forget(|_| true);
    }

    /// A topic has been deleted.
    pub(crate) fn forget_topic(&self, topic_id: Uuid) {
        self.state.forget_topic(topic_id);
        self.forget(|key| key.topic_id == topic_id);
    }

    /// Ends a member's session and takes back what it has.
    pub(crate) fn end_session(&self, session: &SessionKey) {
        let (ended, is_last) = {
            let mut sessions = self.sessions.lock();
            (sessions.end(session), !sessions.has_any(&session.group_id))
        };
        self.release(session, &ended.unwrap_or_default());
        if is_last {
            self.forget(|key| key.group_id == session.group_id);
        }
    }

    /// Takes back all that a member has of these partitions, since its session has ended.
    fn release(&self, session: &SessionKey, partitions: &[(Uuid, i32)]) {
        let config = self.config(&session.group_id);
        for (topic_id, partition) in partitions {
            let key =
                SharePartitionKey { group_id: session.group_id.clone(), topic_id: *topic_id, partition: *partition };
            if let Some(found) = self.find(&key)
                && let Err(error) = found.release(&session.member_id, &self.state, &config)
            {
                tracing::warn!(%error, ?key, "records of a member that has gone stay locked until their locks end");
            }
        }
    }

    /// A connection has ended, and with it the sessions of those who used it.
    pub(crate) fn disconnected(&self, peer: SocketAddr) {
        let (ended, emptied) = self.sessions.lock().disconnected(peer);
        for (session, partitions) in ended {
            self.release(&session, &partitions);
        }
        if !emptied.is_empty() {
            self.forget(|key| emptied.contains(&key.group_id));
        }
    }

    /// A lock was given that ends at `at`.
    pub(crate) fn locked_until(&self, at: Millis) {
        if self.next_expiry.load(Ordering::Acquire) > at {
            self.earlier_expiry.notify_one();
        }
    }
}

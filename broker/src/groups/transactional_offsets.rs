//! Offsets that were committed in transactions which have not ended: nobody sees them, and who wants to be sure waits
//! for them (KIP-98, KIP-447). Kafka's `OffsetMetadataManager`, as far as it is about transactions.

use std::collections::{BTreeMap, HashMap, HashSet};

use brooklet_protocol::ErrorCode;
use brooklet_protocol::coordinator::GroupRecordKey;
use brooklet_protocol::coordinator::offset_commit::{OffsetCommitKey, OffsetCommitValue};
use bytes::Bytes;

use super::consumer::CommitAdmission;
use super::offsets::RecordOrder;
use super::requests::{CommitRequest, CommittedOffset};
use super::shard::{GroupShard, Now, Proposal, Surroundings};

/// Which records a marker ends: those of a producer in one partition of `__consumer_offsets`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Marked {
    pub(crate) partition: i32,
    pub(crate) producer_id: i64,
}

type Pending = HashMap<OffsetCommitKey, (RecordOrder, OffsetCommitValue)>;

/// Offsets in open transactions.
#[derive(Debug, Default)]
pub(crate) struct TransactionalOffsets {
    pending: HashMap<Marked, Pending>,
    /// By group, topic and partition: whose transactions have an offset for it.
    open: HashMap<String, BTreeMap<(String, i32), HashSet<Marked>>>,
}

impl TransactionalOffsets {
    pub(crate) fn has_any(&self, group_id: &str) -> bool {
        self.open.contains_key(group_id)
    }

    /// Whether an open transaction has an offset for the partition.
    pub(crate) fn is_pending(&self, group_id: &str, topic: &str, partition: i32) -> bool {
        self.open.get(group_id).is_some_and(|open| open.contains_key(&(topic.to_owned(), partition)))
    }

    /// The keys of a group's pending offsets.
    pub(crate) fn keys_of(&self, group_id: &str) -> Vec<OffsetCommitKey> {
        let open = self.open.get(group_id).into_iter().flat_map(BTreeMap::keys);
        open.map(|(topic, partition)| key(group_id, topic, *partition)).collect()
    }

    /// The keys of pending offsets of a topic, in any group.
    pub(crate) fn keys_of_topic(&self, topic: &str) -> Vec<OffsetCommitKey> {
        let of_topic = |(group_id, (of, partition)): (&String, &(String, i32))| {
            (of == topic).then(|| key(group_id, topic, *partition))
        };
        let open = self.open.iter().flat_map(|(group_id, open)| open.keys().map(move |at| (group_id, at)));
        open.filter_map(of_topic).collect()
    }

    fn add(&mut self, marked: Marked, key: OffsetCommitKey, order: RecordOrder, value: OffsetCommitValue) {
        let open = self.open.entry(key.group.clone()).or_default();
        open.entry((key.topic.clone(), key.partition)).or_default().insert(marked);
        self.pending.entry(marked).or_default().insert(key, (order, value));
    }

    /// The offset has been taken away, in whatever transaction it is.
    pub(crate) fn forget(&mut self, key: &OffsetCommitKey) {
        let Some(open) = self.open.get_mut(&key.group) else { return };
        for marked in open.remove(&(key.topic.clone(), key.partition)).into_iter().flatten() {
            if let Some(pending) = self.pending.get_mut(&marked) {
                pending.remove(key);
            }
        }
        if open.is_empty() {
            self.open.remove(&key.group);
        }
    }

    /// The transaction has ended. Returns what was pending in it.
    fn end(&mut self, marked: Marked) -> Pending {
        let pending = self.pending.remove(&marked).unwrap_or_default();
        for key in pending.keys() {
            let Some(open) = self.open.get_mut(&key.group) else { continue };
            let at = (key.topic.clone(), key.partition);
            if let Some(producers) = open.get_mut(&at) {
                producers.remove(&marked);
                if producers.is_empty() {
                    open.remove(&at);
                }
            }
            if open.is_empty() {
                self.open.remove(&key.group);
            }
        }
        pending
    }
}

impl GroupShard {
    /// The records that commit offsets in a transaction, or why none may be.
    pub(crate) fn commit_transactional(
        &self,
        request: &CommitRequest,
        around: &Surroundings<'_>,
    ) -> Result<Proposal, ErrorCode> {
        let member = &request.member;
        let admission = match self.groups.get(member.group_id.as_str()) {
            Some(group) => group.admit_transactional_commit(member)?,
            // A group without members: whoever assigns its own partitions.
            None if member.generation < 0 => CommitAdmission::Any,
            None => return Err(ErrorCode::IllegalGeneration),
        };
        // This API knows of no epochs, so that a stale one is a generation of old.
        let tasks_are_its_own = self.check_commits_of_tasks(request);
        tasks_are_its_own.and_then(|()| self.propose_commit(request, &admission, around)).map_err(|error| match error {
            ErrorCode::StaleMemberEpoch => ErrorCode::IllegalGeneration,
            other => other,
        })
    }

    /// Takes in a record of a transaction, live and at start alike.
    pub(crate) fn replay_transactional(&mut self, marked: Marked, key: Bytes, value: Option<Bytes>, now: Now) {
        let Some(value) = value else {
            // Taking away is not bound to the transaction.
            self.load(key, None, now);
            return;
        };
        let taken = GroupRecordKey::decode(key).and_then(|key| {
            if let GroupRecordKey::OffsetCommit(key) = key {
                let value = OffsetCommitValue::decode(value)?;
                self.keep_group(&key.group, now);
                let order = self.offsets.next_order();
                self.transactional.add(marked, key, order, value);
            }
            Ok(())
        });
        if let Err(error) = taken {
            tracing::warn!(%error, "a record in __consumer_offsets is passed over");
        }
    }

    /// A transaction has ended: its offsets count from now on, or never did.
    pub(crate) fn end_transaction(&mut self, marked: Marked, committed: bool) {
        let pending = self.transactional.end(marked);
        if committed {
            for (key, (order, value)) in pending {
                self.offsets.materialise(key, order, value);
            }
        }
    }

    /// The keys of all of a group's offsets, pending ones among them.
    pub(super) fn offset_keys(&self, group_id: &str) -> Vec<OffsetCommitKey> {
        let mut keys = self.offsets.keys_of(group_id);
        let pending = self.transactional.keys_of(group_id).into_iter();
        keys.extend(pending.filter(|key| self.offsets.of(group_id, &key.topic, key.partition).is_none()));
        keys
    }

    /// As [`GroupShard::offsets`], but an offset that may be another once a transaction has ended is UNSTABLE_OFFSET_COMMIT.
    pub(crate) fn stable_offset(
        &self,
        group_id: &str,
        topic: &str,
        partition: i32,
        offset: Option<CommittedOffset>,
    ) -> Result<Option<CommittedOffset>, ErrorCode> {
        match self.transactional.is_pending(group_id, topic, partition) {
            true => Err(ErrorCode::UnstableOffsetCommit),
            false => Ok(offset),
        }
    }
}

fn key(group_id: &str, topic: &str, partition: i32) -> OffsetCommitKey {
    OffsetCommitKey { group: group_id.to_owned(), topic: topic.to_owned(), partition }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::groups::requests::{MemberIdentity, OffsetToCommit};
    use crate::groups::testing::{settings, without_topics};

    const NOW: Now = Now { monotonic: 0, wall_ms: 0 };
    const FIRST: Marked = Marked { partition: 0, producer_id: 1 };
    const SECOND: Marked = Marked { partition: 0, producer_id: 2 };

    fn shard() -> GroupShard {
        GroupShard::new(settings(0))
    }

    fn request(generation: i32, offset: i64) -> CommitRequest {
        let member =
            MemberIdentity { group_id: "g".to_owned(), member_id: String::new(), group_instance_id: None, generation };
        let offsets = vec![OffsetToCommit {
            topic: "t".to_owned(),
            topic_id: Uuid::nil(),
            partition: 0,
            offset,
            leader_epoch: -1,
            metadata: String::new(),
        }];
        CommitRequest { member, knows_group_id_not_found: false, retention_ms: None, offsets }
    }

    fn commit(shard: &mut GroupShard, marked: Marked, offset: i64) {
        for record in shard.commit_transactional(&request(-1, offset), &without_topics(NOW)).unwrap().records {
            shard.replay_transactional(marked, record.key, record.value, NOW);
        }
    }

    fn commit_at_once(shard: &mut GroupShard, offset: i64) {
        for record in shard.commit(&request(-1, offset), &without_topics(NOW)).unwrap().records {
            shard.replay(&record, NOW);
        }
    }

    fn committed(shard: &GroupShard) -> Option<i64> {
        shard.offsets("g", &[("t".to_owned(), 0)])[0].as_ref().map(|found| found.offset)
    }

    fn is_stable(shard: &GroupShard) -> bool {
        shard.stable_offset("g", "t", 0, None).is_ok()
    }

    #[test]
    fn offsets_count_when_their_transaction_is_committed_and_never_when_it_is_aborted() {
        let mut shard = shard();
        commit(&mut shard, FIRST, 5);
        assert_eq!((committed(&shard), is_stable(&shard)), (None, false));
        shard.end_transaction(FIRST, true);
        assert_eq!((committed(&shard), is_stable(&shard)), (Some(5), true));
        commit(&mut shard, FIRST, 9);
        shard.end_transaction(FIRST, false);
        assert_eq!((committed(&shard), is_stable(&shard)), (Some(5), true));
    }

    #[test]
    fn what_was_committed_after_a_transactions_record_stays() {
        let mut shard = shard();
        commit(&mut shard, FIRST, 5);
        commit_at_once(&mut shard, 3);
        shard.end_transaction(FIRST, true);
        assert_eq!(committed(&shard), Some(3));
    }

    #[test]
    fn an_offset_is_stable_when_the_last_of_its_transactions_has_ended() {
        let mut shard = shard();
        commit(&mut shard, FIRST, 5);
        commit(&mut shard, SECOND, 6);
        let elsewhere = Marked { partition: 1, ..FIRST };
        shard.end_transaction(elsewhere, true);
        assert_eq!((committed(&shard), is_stable(&shard)), (None, false), "a marker in another partition ends nothing");
        shard.end_transaction(SECOND, true);
        assert_eq!((committed(&shard), is_stable(&shard)), (Some(6), false));
        shard.end_transaction(FIRST, true);
        assert_eq!((committed(&shard), is_stable(&shard)), (Some(6), true));
    }

    #[test]
    fn deleting_a_group_or_a_topic_takes_pending_offsets_with_it() {
        let mut by_group = shard();
        commit(&mut by_group, FIRST, 5);
        for record in by_group.delete_groups(&["g".to_owned()]).records {
            by_group.replay(&record, NOW);
        }
        let mut by_topic = shard();
        commit(&mut by_topic, FIRST, 5);
        for record in by_topic.forget_topic("t", Uuid::from_u128(1)) {
            by_topic.replay(&record, NOW);
        }
        for mut shard in [by_group, by_topic] {
            assert!(is_stable(&shard));
            shard.end_transaction(FIRST, true);
            assert_eq!(committed(&shard), None);
        }
    }

    #[test]
    fn who_names_a_generation_must_be_of_it() {
        let shard = shard();
        assert_eq!(shard.commit_transactional(&request(3, 1), &without_topics(NOW)), Err(ErrorCode::IllegalGeneration));
    }
}

//! Offsets that nobody asks for any more go after a time, and groups that nobody is in with the last of them
//! (`offsets.retention.minutes`, KIP-211).

use super::{GroupRecord, GroupShard, Now};
use crate::groups::classic::Effect;
use crate::groups::consumer::Decision;

impl GroupShard {
    /// Looks for offsets that have reached their age, if that is due.
    pub(super) fn expire_offsets_if_due(&mut self, now: Now) {
        if self.next_expiration.is_none_or(|at| at > now.monotonic) {
            return;
        }
        self.next_expiration = Some(now.monotonic + self.settings.offsets_retention_check_interval_ms);
        let records = self.expired(now);
        if !records.is_empty() {
            self.effects.push(Effect::Decide(Box::new(Decision { answer: None, records, downgrade: None })));
        }
    }

    /// The records that take away offsets that have reached their age, and groups without members and offsets.
    fn expired(&self, now: Now) -> Vec<GroupRecord> {
        let mut records = Vec::new();
        for (group_id, group) in &self.groups {
            let is_kept = |topic: &str, partition: i32| {
                group.subscribes_to(topic) || self.transactional.is_pending(group_id, topic, partition)
            };
            let (keys, all) = match group.offsets_age() {
                Some(age) => {
                    self.offsets.expired(group_id, age, now.wall_ms, self.settings.offsets_retention_ms, is_kept)
                }
                None => (Vec::new(), !self.offsets.has_any(group_id)),
            };
            records.extend(keys.iter().map(|key| GroupRecord::offset(key, None)));
            if all && group.is_empty() && !self.transactional.has_any(group_id) {
                records.extend(group.tombstones());
            }
        }
        records
    }
}

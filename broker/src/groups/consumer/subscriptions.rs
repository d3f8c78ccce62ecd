//! What a group subscribes to: names, patterns and the topics behind both.

use std::collections::BTreeSet;

use brooklet_protocol::coordinator::consumer_group::RegularExpressionValue;
use uuid::Uuid;

use super::draft::Draft;
use super::{ConsumerGroup, ConsumerGroupMember, Step};
use crate::groups::assignor::SubscriptionType;
use crate::groups::subscription_regex::SubscriptionRegex;
use crate::groups::topics_image::TopicsImage;

/// The topics that a pattern matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ResolvedRegex {
    pub(super) topics: BTreeSet<String>,
    version: i64,
    timestamp: i64,
}

impl ResolvedRegex {
    /// Matches a pattern against all topics. One that is none matches nothing: members' patterns have been checked.
    fn resolve(regex: &str, step: &Step<'_>) -> Self {
        let topics = match SubscriptionRegex::new(regex) {
            Ok(regex) => step
                .topics
                .names()
                .into_iter()
                .filter(|name| regex.matches(name))
                .map(|name| name.to_string())
                .collect(),
            Err(error) => {
                tracing::warn!(regex, error, "a stored pattern cannot be evaluated here and matches nothing");
                BTreeSet::new()
            }
        };
        Self { topics, version: step.topics.version() as i64, timestamp: step.now.wall_ms }
    }

    pub(super) fn value(&self) -> RegularExpressionValue {
        RegularExpressionValue {
            topics: self.topics.iter().cloned().collect(),
            version: self.version,
            timestamp: self.timestamp,
        }
    }

    pub(super) fn from_value(value: RegularExpressionValue) -> Self {
        Self { topics: value.topics.into_iter().collect(), version: value.version, timestamp: value.timestamp }
    }
}

impl ConsumerGroup {
    /// Whether any member subscribes to `topic`.
    pub(crate) fn subscribes_to(&self, topic: &str) -> bool {
        self.members.values().any(|member| self.member_subscribes_to(member, topic))
    }

    fn member_subscribes_to(&self, member: &ConsumerGroupMember, topic: &str) -> bool {
        member.subscribed_topic_names.contains(topic)
            || member
                .regex()
                .and_then(|regex| self.resolved_regexes.get(regex))
                .is_some_and(|resolved| resolved.topics.contains(topic))
    }

    /// The names that a member subscribes to, whether there are such topics or not.
    fn subscribed_names<'a>(&'a self, member: &'a ConsumerGroupMember) -> impl Iterator<Item = &'a String> {
        let by_regex = member.regex().and_then(|regex| self.resolved_regexes.get(regex));
        member.subscribed_topic_names.iter().chain(by_regex.into_iter().flat_map(|resolved| &resolved.topics))
    }

    /// The topics that a member subscribes to and that exist.
    pub(super) fn subscribed_topics(&self, member: &ConsumerGroupMember, topics: &dyn TopicsImage) -> BTreeSet<Uuid> {
        self.subscribed_names(member).filter_map(|name| topics.by_name(name)).map(|topic| topic.id).collect()
    }

    /// Patterns that members subscribe by.
    fn subscribed_regexes(&self) -> BTreeSet<String> {
        self.members.values().filter_map(|member| member.regex().map(str::to_owned)).collect()
    }

    /// A hash over the topics that the group subscribes to and that exist: it is another when one of them is created,
    /// deleted or given partitions (KIP-1101). It is not the number that Kafka's hash would give, which means a
    /// rebalance when a group is taken over from Kafka, and no more.
    pub(super) fn compute_metadata_hash(&self, topics: &dyn TopicsImage) -> i64 {
        let names: BTreeSet<&String> = self.members.values().flat_map(|member| self.subscribed_names(member)).collect();
        let mut known = names.into_iter().filter_map(|name| topics.by_name(name)).peekable();
        if known.peek().is_none() {
            return 0;
        }
        let mut hash = Fnv::default();
        for topic in known {
            hash.add(topic.id.as_bytes());
            hash.add(&topic.partitions.to_be_bytes());
        }
        hash.0 as i64
    }

    /// Whether all members subscribe to the same.
    pub(super) fn subscription_type(&self) -> SubscriptionType {
        let mut members = self.members.values();
        let of =
            |member: &ConsumerGroupMember| -> BTreeSet<String> { self.subscribed_names(member).cloned().collect() };
        match members.next().map(of) {
            Some(first) if members.any(|member| of(member) != first) => SubscriptionType::Heterogeneous,
            _ => SubscriptionType::Homogeneous,
        }
    }
}

impl Draft<'_> {
    /// Takes away what is known of patterns by which nobody subscribes any more.
    pub(super) fn drop_unused_regexes(&mut self) {
        let used = self.group.subscribed_regexes();
        let unused: Vec<String> =
            self.group.resolved_regexes.keys().filter(|regex| !used.contains(*regex)).cloned().collect();
        unused.iter().for_each(|regex| self.remove_regex(regex));
    }

    /// Matches patterns that are new, or all if the topics are others than when that was last done. Whether any
    /// matches other topics than before.
    pub(super) fn resolve_regexes(&mut self, step: &Step<'_>) -> bool {
        let topics_changed = self.group.seen_topics_version != step.topics.version();
        let mut changed = false;
        for regex in self.group.subscribed_regexes() {
            let known = self.group.resolved_regexes.get(&regex);
            if known.is_some() && !topics_changed {
                continue;
            }
            let resolved = ResolvedRegex::resolve(&regex, step);
            if known.is_none_or(|known| known.topics != resolved.topics) {
                changed |= known.is_some() || !resolved.topics.is_empty();
                self.put_regex(&regex, &resolved);
            }
        }
        changed
    }
}

/// FNV-1a: what it gives must never change, since it is stored.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

//! Server-side assignors (KIP-848): who is to have which partitions, as pure functions of who subscribes to what and
//! of who was to have what before. Their names and their results are those of Kafka's assignors, but for the order in
//! which members of equal right are served, which Kafka leaves to its hash maps and which here follows member ids.

mod range;
#[cfg(test)]
mod tests;
mod uniform;
mod uniform_heterogeneous;

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

/// Partitions by topic. A topic without partitions is not in it.
pub(crate) type Assignment = BTreeMap<Uuid, BTreeSet<i32>>;

/// An assignor (`group.consumer.assignors`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Assignor {
    /// All partitions evenly, moving as few as possible.
    Uniform,
    /// Of each topic a run of partitions, so that topics of the same size are shared out in the same way.
    Range,
}

impl Assignor {
    /// The assignor of this name.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        match name {
            "uniform" => Some(Self::Uniform),
            "range" => Some(Self::Range),
            _ => None,
        }
    }

    /// Kafka's name of it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::Range => "range",
        }
    }

    /// What each member is to have from now on. Every member is in the result.
    pub(crate) fn assign(self, group: &GroupSpec) -> BTreeMap<String, Assignment> {
        let mut assigned = match (self, group.subscriptions) {
            _ if group.members.is_empty() => BTreeMap::new(),
            (Self::Range, _) => range::assign(group),
            (Self::Uniform, SubscriptionType::Homogeneous) => uniform::assign(group),
            (Self::Uniform, SubscriptionType::Heterogeneous) => uniform_heterogeneous::assign(group),
        };
        for member_id in group.members.keys() {
            assigned.entry(member_id.clone()).or_default();
        }
        assigned
    }
}

/// Whether all members subscribe to the same topics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SubscriptionType {
    /// They do.
    Homogeneous,
    /// They do not.
    Heterogeneous,
}

/// A group as an assignor sees it.
#[derive(Debug, Clone)]
pub(crate) struct GroupSpec {
    /// By member id.
    pub(crate) members: BTreeMap<String, MemberSpec>,
    pub(crate) subscriptions: SubscriptionType,
    /// How many partitions each topic has that a member subscribes to.
    pub(crate) partition_counts: BTreeMap<Uuid, i32>,
}

/// A member as an assignor sees it.
#[derive(Debug, Clone, Default)]
pub(crate) struct MemberSpec {
    pub(crate) instance_id: Option<String>,
    /// Topics that exist and to which it subscribes.
    pub(crate) topics: BTreeSet<Uuid>,
    /// What it was to have before.
    pub(crate) assignment: Assignment,
}

impl GroupSpec {
    fn partition_count(&self, topic: Uuid) -> i32 {
        self.partition_counts.get(&topic).copied().unwrap_or(0)
    }
}

//! What the differential test can ask, drawn from a seed.

use super::{Random, Side, Versions, groups, logs, malformed, shown, topics, transactions};
use crate::wait_until;
use brooklet_protocol::messages::{FindCoordinatorRequest, GroupId, OffsetFetchRequest, TopicName};
use brooklet_protocol::{Message, Request, StrBytes};
use std::fmt::Debug;
use std::time::Duration;

/// What a sequence of requests is about.
#[derive(Debug, Clone, Copy)]
pub enum Area {
    /// Topics and configs, and what Metadata tells of them.
    Topics,
    /// Records: produced, idempotently too, looked up, deleted.
    Logs,
    /// Groups: members and offsets.
    Groups,
    /// Transactions.
    Transactions,
    /// Frames that are broken.
    Malformed,
}

impl Area {
    /// All of them, in the order in which they are asked about.
    pub const ALL: [Self; 5] = [Self::Topics, Self::Logs, Self::Groups, Self::Transactions, Self::Malformed];
}

/// One request.
#[allow(missing_debug_implementations, reason = "it holds a closure")]
pub struct Step {
    /// What it is, for who reads of a difference.
    pub name: String,
    /// Asks one side, and shows the answer.
    pub ask: Box<dyn Fn(&mut Side) -> String + Sync>,
    /// Whether topics may have come or gone.
    pub changes_metadata: bool,
}

impl Step {
    /// A request that is the same for both sides.
    pub(super) fn same<R: Request + Debug + Sync + 'static>(version: i16, request: R) -> Self
    where
        R::Response: Debug,
    {
        let name = format!("v{version} {request:?}");
        let ask = move |side: &mut Side| shown(&side.ask(version, &request));
        Self { name, ask: Box::new(ask), changes_metadata: false }
    }

    /// A request with what a side calls things by; `what` names it.
    pub(super) fn by_side(what: String, ask: impl Fn(&mut Side) -> String + Sync + 'static) -> Self {
        Self { name: what, ask: Box::new(ask), changes_metadata: false }
    }

    pub(super) fn changing_metadata(mut self) -> Self {
        self.changes_metadata = true;
        self
    }
}

/// What an area begins with.
pub fn prepared(area: Area) -> Vec<Step> {
    match area {
        Area::Topics | Area::Malformed => Vec::new(),
        Area::Logs => topics::created("logged", 2),
        Area::Groups => topics::created("grouped", 2),
        Area::Transactions => topics::created("transacted", 2),
    }
}

/// The next step, unless both brokers have no version of it.
pub fn draw(area: Area, random: &mut Random, versions: &Versions) -> Option<Step> {
    match area {
        Area::Topics => topics::draw(random, versions),
        Area::Logs => logs::draw(random, versions),
        Area::Groups => groups::draw(random, versions),
        Area::Transactions => transactions::draw(random, versions),
        Area::Malformed => malformed::draw(random, versions),
    }
}

/// One of the versions of an API that both brokers answer and the messages can carry, none below `from`.
pub(super) fn version<R: Request + Message>(random: &mut Random, versions: &Versions, from: i16) -> Option<i16> {
    let (min, max) = *versions.get(&R::KEY)?;
    let (min, max) = (min.max(R::VERSIONS.min).max(from), max.min(R::VERSIONS.max));
    (min <= max).then(|| min + i16::try_from(random.below(usize::try_from(max - min + 1).unwrap())).unwrap())
}

pub(super) fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

pub(super) fn topic(name: &str) -> TopicName {
    TopicName(text(name))
}

pub(super) fn group(name: &str) -> GroupId {
    GroupId(text(name))
}

/// Waits until both have made the topics of their coordinators, which Kafka does when it is first asked for one.
pub fn wait_for_coordinators(sides: &mut [Side; 2], versions: &Versions) {
    let kinds = if versions.contains_key(&26) { 2 } else { 1 };
    for side in sides {
        for kind in 0..kinds {
            wait_until("a coordinator is there", Duration::from_secs(20), || {
                let request = FindCoordinatorRequest::default().with_key(text("any")).with_key_type(kind);
                side.ask(3, &request).is_some_and(|response| response.error_code == 0)
            });
        }
        wait_until("groups are loaded", Duration::from_secs(20), || {
            let request = OffsetFetchRequest::default().with_group_id(group("any")).with_topics(None);
            side.ask(7, &request).is_some_and(|response| response.error_code == 0)
        });
    }
}

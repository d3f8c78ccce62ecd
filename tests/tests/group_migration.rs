//! A group goes over from the classic protocol to the new one (KIP-848) and back while it reads: two real clients in one
//! group, one of each protocol.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use brooklet_protocol::messages::ListGroupsRequest;
use brooklet_tests::broker::BrokerProcess;
use brooklet_tests::client::{Client, Member};
use brooklet_tests::wait_until;
use brooklet_tests::wire::WireClient;

const TOPIC: &str = "migrated";
const GROUP: &str = "migrating";
const SESSION_MS: u32 = 6_000;
const PATIENCE: Duration = Duration::from_secs(90);
/// Records written at each step.
const STEP: usize = 60;

struct Story {
    broker: BrokerProcess,
    /// The first record's timestamp: about now, so that none is too old to be kept.
    base_ms: u128,
    written: usize,
    gone: Vec<Member>,
}

impl Story {
    fn begin() -> Self {
        let broker = BrokerProcess::start(&[
            "--set",
            "group.consumer.min.heartbeat.interval.ms=500",
            "--set",
            "group.consumer.heartbeat.interval.ms=500",
        ]);
        Client("franz-go").run(&["create", &broker.bootstrap(), TOPIC, "4"]);
        let base_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
        Self { broker, base_ms, written: 0, gone: Vec::new() }
    }

    fn join(&self, client: &'static str, protocol: &str) -> Member {
        Client(client).join_by(&self.broker.bootstrap(), TOPIC, GROUP, SESSION_MS, protocol)
    }

    /// Waits until these, the group's members, share its partitions evenly, and read what is written then.
    fn share(&mut self, what: &str, members: &[&Member]) {
        wait_until(what, PATIENCE, || {
            let owned: Vec<Vec<i32>> = members.iter().map(|member| member.assigned()).collect();
            let distinct: BTreeSet<i32> = owned.iter().flatten().copied().collect();
            owned.iter().all(|owned| owned.len() == 4 / members.len()) && distinct.len() == 4
        });
        let (first, count, base_ms) = (self.written.to_string(), STEP.to_string(), self.base_ms.to_string());
        Client("franz-go").run(&["produce", &self.broker.bootstrap(), TOPIC, "4", "none", &first, &count, &base_ms]);
        self.written += STEP;
        wait_until(what, PATIENCE, || {
            let read = |members: &mut dyn Iterator<Item = &Member>| -> BTreeSet<(i32, i64)> {
                members.flat_map(Member::records).map(|record| (record.p, record.o)).collect()
            };
            read(&mut members.iter().copied().chain(&self.gone)).len() == self.written
        });
    }

    fn leave(&mut self, mut member: Member) {
        member.leave();
        self.gone.push(member);
    }

    /// The group's protocol, as the broker tells an administrator.
    fn protocol(&self) -> String {
        let mut client = WireClient::connect(self.broker.bootstrap().parse().unwrap()).unwrap();
        let listed = client.call(5, &ListGroupsRequest::default()).groups;
        listed.into_iter().find(|listed| &**listed.group_id == GROUP).unwrap().group_type.to_string()
    }
}

#[test]
fn members_of_both_protocols_share_a_group() {
    let mut story = Story::begin();
    let classic = story.join("java", "classic");
    story.share("one classic member", &[&classic]);
    assert_eq!(story.protocol(), "classic");

    let modern = story.join("confluent-kafka", "consumer");
    story.share("a member of the new protocol joins", &[&classic, &modern]);
    assert_eq!(story.protocol(), "consumer");

    story.leave(classic);
    story.share("the classic member leaves", &[&modern]);

    let classic = story.join("java", "classic");
    story.share("a classic member joins a consumer group", &[&modern, &classic]);
    assert_eq!(story.protocol(), "consumer");

    story.leave(modern);
    story.share("the last member of the new protocol leaves", &[&classic]);
    assert_eq!(story.protocol(), "classic");
    story.leave(classic);
}

//! The group's promises, held against random members: whoever asks is answered once, a generation has one leader whom
//! all agree on, every member gets what that leader gave it, and nobody who has gone holds the others up for ever.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use brooklet_protocol::ErrorCode;
use bytes::Bytes;
use proptest::prelude::*;

use super::Effect;
use crate::groups::requests::{
    GroupState, JoinRequest, JoinResponse, LeavingMember, MemberIdentity, Protocol, SyncRequest, SyncResponse, Token,
};
use crate::groups::shard::{GroupShard, Now, Surroundings};
use crate::groups::testing::{settings, without_topics};

const GROUP: &str = "g";
const SESSION_MS: u64 = 6_000;
const REBALANCE_MS: u64 = 10_000;

/// What a client does next.
#[derive(Debug, Clone)]
enum Op {
    Join { client: usize, protocols: u8 },
    Sync { client: usize },
    Heartbeat { client: usize },
    Leave { client: usize },
    Pass { ms: u64 },
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let client = 0usize..5;
    let op = prop_oneof![
        5 => (client.clone(), 1u8..4).prop_map(|(client, protocols)| Op::Join { client, protocols }),
        5 => client.clone().prop_map(|client| Op::Sync { client }),
        3 => client.clone().prop_map(|client| Op::Heartbeat { client }),
        1 => client.prop_map(|client| Op::Leave { client }),
        2 => (1u64..4_000).prop_map(|ms| Op::Pass { ms }),
    ];
    prop::collection::vec(op, 1..120)
}

#[derive(Debug, Clone, Default)]
struct Client {
    member_id: String,
    generation: i32,
    instance: Option<String>,
    /// As the leader: the members it is to assign to.
    to_assign: Vec<String>,
}

struct World {
    shard: GroupShard,
    now: u64,
    clients: Vec<Client>,
    next_token: Token,
    /// Who waits, and whether for a join.
    waiting: HashMap<Token, (usize, bool)>,
    generation: i32,
    leaders: BTreeMap<i32, String>,
    /// Members that were told of a generation, and those that its leader was told of.
    told: BTreeMap<i32, (BTreeSet<String>, Option<BTreeSet<String>>)>,
    given: HashMap<(i32, String), Bytes>,
}

impl World {
    fn new(initial_delay: u64) -> Self {
        // The last two clients are static members.
        let clients = (0..5)
            .map(|index| Client { instance: (index >= 3).then(|| format!("instance-{index}")), ..Client::default() });
        Self {
            shard: GroupShard::new(settings(initial_delay)),
            now: 0,
            clients: clients.collect(),
            next_token: 0,
            waiting: HashMap::new(),
            generation: 0,
            leaders: BTreeMap::new(),
            told: BTreeMap::new(),
            given: HashMap::new(),
        }
    }

    fn around(&self) -> Surroundings<'static> {
        without_topics(Now { monotonic: self.now, wall_ms: self.now as i64 })
    }

    fn token(&mut self, client: usize, join: bool) -> Token {
        self.next_token += 1;
        self.waiting.insert(self.next_token, (client, join));
        self.next_token
    }

    fn identity(&self, client: usize) -> MemberIdentity {
        let client = &self.clients[client];
        MemberIdentity {
            group_id: GROUP.into(),
            member_id: client.member_id.clone(),
            group_instance_id: client.instance.clone(),
            generation: client.generation,
        }
    }

    fn run(&mut self, op: &Op) {
        match *op {
            Op::Join { client, protocols } => self.join(client, protocols),
            Op::Sync { client } => self.sync(client),
            Op::Heartbeat { client } => {
                let identity = self.identity(client);
                let around = self.around();
                self.shard.heartbeat(&identity, &around);
            }
            Op::Leave { client } => {
                let leaving = LeavingMember {
                    member_id: self.clients[client].member_id.clone(),
                    group_instance_id: self.clients[client].instance.clone(),
                    reason: None,
                };
                let around = self.around();
                let outcomes = self.shard.leave(GROUP, &[leaving], &around).unwrap().answer;
                assert_eq!(outcomes.len(), 1);
            }
            Op::Pass { ms } => {
                self.now += ms;
                let around = self.around();
                self.shard.on_time(&around);
            }
        }
        self.take_effects();
    }

    fn join(&mut self, client: usize, protocols: u8) {
        let token = self.token(client, true);
        let Client { member_id, instance, .. } = self.clients[client].clone();
        let protocols = [("range", 1), ("sticky", 2)]
            .into_iter()
            .filter(|(_, bit)| protocols & bit != 0)
            .map(|(name, _)| Protocol { name: name.into(), metadata: Bytes::from_static(b"m") })
            .collect();
        let request = JoinRequest {
            group_id: GROUP.into(),
            member_id,
            group_instance_id: instance,
            client_id: format!("client-{client}"),
            client_host: "/127.0.0.1".into(),
            session_timeout_ms: SESSION_MS as i32,
            rebalance_timeout_ms: REBALANCE_MS as i32,
            protocol_type: "consumer".into(),
            protocols,
            requires_member_id: true,
            can_skip_assignment: true,
            reason: None,
        };
        let around = self.around();
        self.shard.join(token, &request, &around);
    }

    fn sync(&mut self, client: usize) {
        let token = self.token(client, false);
        let Client { member_id, generation, instance, to_assign } = self.clients[client].clone();
        let assignments: Vec<_> =
            to_assign.iter().map(|member| (member.clone(), Bytes::from(format!("{generation}:{member}")))).collect();
        if self.leaders.get(&generation) == Some(&member_id) {
            for (member, assignment) in &assignments {
                self.given.insert((generation, member.clone()), assignment.clone());
            }
        }
        let request = SyncRequest {
            group_id: GROUP.into(),
            member_id,
            group_instance_id: instance,
            generation,
            protocol_type: Some("consumer".into()),
            protocol_name: None,
            assignments,
        };
        let around = self.around();
        self.shard.sync(token, &request, &around);
    }

    fn take_effects(&mut self) {
        for effect in self.shard.take_effects() {
            match effect {
                Effect::Join(token, response) => {
                    let (client, join) = self.waiting.remove(&token).expect("an answer to nobody");
                    assert!(join);
                    self.on_join(client, response);
                }
                Effect::Sync(token, response) => {
                    let (client, join) = self.waiting.remove(&token).expect("an answer to nobody");
                    assert!(!join);
                    self.on_sync(client, &response);
                }
                Effect::Persist { value, .. } => assert!(value.generation >= 0),
                Effect::Decide(_) => panic!("there is no consumer group"),
                Effect::ShareSessionExpired { .. } => unreachable!("no share group is here"),
            }
        }
    }

    fn on_join(&mut self, client: usize, response: JoinResponse) {
        match response.error {
            ErrorCode::None => {}
            ErrorCode::MemberIdRequired => {
                self.clients[client].member_id = response.member_id;
                return;
            }
            ErrorCode::UnknownMemberId => {
                self.clients[client].member_id = String::new();
                return;
            }
            _ => return,
        }
        assert!(response.generation >= self.generation, "generations never go back");
        self.generation = response.generation;
        let id = response.member_id.clone();
        self.clients[client].member_id.clone_from(&id);
        self.clients[client].generation = response.generation;
        self.clients[client].to_assign.clear();
        let told = self.told.entry(response.generation).or_default();
        told.0.insert(id.clone());
        if response.skip_assignment {
            return;
        }
        let renamed = self.clients[client].instance.is_some();
        let leader = self.leaders.entry(response.generation).or_insert_with(|| response.leader.clone());
        // A static leader that comes back has another id in the same generation.
        assert!(*leader == response.leader || renamed || response.leader.starts_with("instance"));
        leader.clone_from(&response.leader);
        if response.leader == id && !response.members.is_empty() {
            let members: BTreeSet<_> = response.members.iter().map(|member| member.member_id.clone()).collect();
            assert!(members.contains(&id));
            self.clients[client].to_assign = members.iter().cloned().collect();
            told.1 = Some(members);
        }
    }

    fn on_sync(&mut self, client: usize, response: &SyncResponse) {
        if response.error == ErrorCode::None && !response.assignment.is_empty() {
            let Client { member_id, generation, .. } = &self.clients[client];
            let given = &self.given[&(*generation, member_id.clone())];
            assert_eq!(response.assignment, given, "a member gets what the leader of its generation gave it");
        }
    }

    fn check(&self) {
        for (generation, (told, members)) in &self.told {
            if let Some(members) = members {
                let strangers: Vec<_> = told.difference(members).filter(|id| !id.starts_with("instance")).collect();
                assert!(strangers.is_empty(), "generation {generation} has members its leader does not know");
            }
        }
    }

    /// Everyone falls silent. In the end nobody waits and nothing is left.
    fn fall_silent(&mut self) {
        for _ in 0..50 {
            self.now += 60_000;
            let around = self.around();
            self.shard.on_time(&around);
            self.take_effects();
        }
        assert!(self.waiting.is_empty(), "{} requests were never answered", self.waiting.len());
        assert_eq!(self.shard.next_deadline(), None);
        if let Some(group) = self.shard.describe(GROUP) {
            assert_eq!((group.state, group.members.len()), (GroupState::Empty, 0));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn a_group_keeps_its_promises(ops in ops(), initial_delay in prop_oneof![Just(0u64), Just(3_000)]) {
        let mut world = World::new(initial_delay);
        for op in &ops {
            world.run(op);
            world.check();
        }
        world.fall_silent();
    }
}

/// Joins and syncs until every client in `clients` is in one stable generation.
fn stabilise(world: &mut World, clients: &[usize]) {
    for _ in 0..3 {
        for &client in clients {
            let waits = world.waiting.values().any(|(waiting, _)| *waiting == client);
            if !waits && world.clients[client].generation < world.generation.max(1)
                || world.clients[client].member_id.is_empty()
            {
                world.run(&Op::Join { client, protocols: 1 });
                if world.clients[client].generation == 0 && world.clients[client].instance.is_none() {
                    world.run(&Op::Join { client, protocols: 1 });
                }
            }
        }
    }
    for &client in clients {
        world.run(&Op::Sync { client });
    }
}

#[test]
fn a_first_member_is_assigned_without_waiting_for_anyone() {
    let mut world = World::new(0);
    stabilise(&mut world, &[0]);
    assert_eq!(world.shard.describe(GROUP).unwrap().state, GroupState::Stable);
    assert_eq!(world.now, 0);
}

#[test]
fn with_an_initial_delay_members_that_come_in_time_share_the_first_generation() {
    let mut world = World::new(3_000);
    for client in [0, 1] {
        world.run(&Op::Join { client, protocols: 1 });
        world.run(&Op::Join { client, protocols: 1 });
        world.run(&Op::Pass { ms: 1_000 });
    }
    assert_eq!(world.clients[0].generation, 0);
    world.run(&Op::Pass { ms: 1_100 });
    // The second member came during the delay, so it is extended once.
    assert_eq!(world.clients[0].generation, 0);
    world.run(&Op::Pass { ms: 3_000 });
    assert_eq!((world.clients[0].generation, world.clients[1].generation), (1, 1));
}

#[test]
fn a_member_that_falls_silent_is_removed_after_its_session_and_the_rest_rebalance() {
    let mut world = World::new(0);
    stabilise(&mut world, &[0]);
    world.run(&Op::Join { client: 1, protocols: 1 });
    world.run(&Op::Join { client: 1, protocols: 1 });
    assert_eq!(world.shard.heartbeat(&world.identity(0), &world.around()), ErrorCode::RebalanceInProgress);
    world.run(&Op::Join { client: 0, protocols: 1 });
    world.run(&Op::Sync { client: 0 });
    world.run(&Op::Sync { client: 1 });
    assert_eq!(world.shard.describe(GROUP).unwrap().members.len(), 2);

    for _ in 0..3 {
        world.run(&Op::Pass { ms: 2_500 });
        world.run(&Op::Heartbeat { client: 0 });
    }
    assert_eq!(world.shard.describe(GROUP).unwrap().members.len(), 1);
    assert_eq!(world.shard.heartbeat(&world.identity(0), &world.around()), ErrorCode::RebalanceInProgress);
    assert_eq!(world.shard.heartbeat(&world.identity(1), &world.around()), ErrorCode::UnknownMemberId);
}

#[test]
fn a_static_member_that_restarts_keeps_its_place_and_fences_its_old_self() {
    let mut world = World::new(0);
    stabilise(&mut world, &[3]);
    let before = world.identity(3);
    assert_eq!(before.generation, 1);
    world.clients[3].member_id = String::new();
    world.run(&Op::Join { client: 3, protocols: 1 });
    let after = world.identity(3);
    assert_eq!(after.generation, 1, "no rebalance");
    assert_ne!(after.member_id, before.member_id);
    assert_eq!(world.shard.heartbeat(&after, &world.around()), ErrorCode::None);
    assert_eq!(world.shard.heartbeat(&before, &world.around()), ErrorCode::FencedInstanceId);
}

#[test]
fn members_without_a_protocol_in_common_cannot_be_in_one_group() {
    let mut world = World::new(0);
    stabilise(&mut world, &[0]);
    world.run(&Op::Join { client: 1, protocols: 2 });
    assert_eq!(world.clients[1].member_id, "", "refused, not given an id");
    assert_eq!(world.shard.describe(GROUP).unwrap().members.len(), 1);
}

//! The group's promises, held against random members: no partition has two owners, in the end every partition has
//! one, epochs only rise, and a group that is read back from its records is the group that wrote them.

mod examples;
mod world;

use proptest::prelude::*;

use world::{Op, World};

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let client = 0usize..6;
    let op = prop_oneof![
        12 => client.clone().prop_map(|client| Op::Heartbeat { client }),
        3 => client.clone().prop_map(|client| Op::LoseAnswer { client }),
        2 => (client.clone(), 0usize..6).prop_map(|(client, subscription)| Op::Subscribe { client, subscription }),
        1 => client.clone().prop_map(|client| Op::Leave { client }),
        1 => client.prop_map(|client| Op::Vanish { client }),
        2 => (0usize..4, 0i32..5).prop_map(|(topic, partitions)| Op::Topic { topic, partitions }),
        3 => (1u64..8_000).prop_map(|ms| Op::Pass { ms }),
        1 => Just(Op::Restart),
    ];
    prop::collection::vec(op, 1..150)
}

proptest! {
    #[test]
    fn members_share_partitions_without_ever_sharing_one(ops in ops()) {
        let mut world = World::new();
        for op in &ops {
            world.run(op);
            world.check();
        }
        world.settle();
    }
}

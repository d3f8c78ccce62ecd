//! Frames that are broken: cut off, or with a length that cannot be, or of an API or a version that nobody has.

use crate::differential::{Random, Versions};
use crate::wire::frame;
use brooklet_protocol::messages::{
    CreateTopicsRequest, DescribeGroupsRequest, FetchRequest, FindCoordinatorRequest, HeartbeatRequest,
    JoinGroupRequest, ListOffsetsRequest, MetadataRequest, OffsetCommitRequest, OffsetFetchRequest, ProduceRequest,
    SyncGroupRequest,
};
use brooklet_protocol::{Message, Request};
use bytes::Bytes;

use super::step::{Step, version};

fn whole<R: Request + Message + Default>(random: &mut Random, versions: &Versions) -> Option<Bytes> {
    of(&R::default(), random, versions)
}

fn of<R: Request + Message>(request: &R, random: &mut Random, versions: &Versions) -> Option<Bytes> {
    Some(frame(version::<R>(random, versions, 4)?, request))
}

/// One of the steps of this area.
pub(super) fn draw(random: &mut Random, versions: &Versions) -> Option<Step> {
    let whole = match random.below(12) {
        0 => whole::<CreateTopicsRequest>(random, versions),
        1 => whole::<DescribeGroupsRequest>(random, versions),
        2 => whole::<FetchRequest>(random, versions),
        3 => whole::<FindCoordinatorRequest>(random, versions),
        4 => whole::<HeartbeatRequest>(random, versions),
        5 => whole::<JoinGroupRequest>(random, versions),
        6 => whole::<ListOffsetsRequest>(random, versions),
        7 => whole::<MetadataRequest>(random, versions),
        8 => whole::<OffsetCommitRequest>(random, versions),
        9 => whole::<OffsetFetchRequest>(random, versions),
        10 => of(&ProduceRequest::default().with_acks(-1), random, versions),
        _ => whole::<SyncGroupRequest>(random, versions),
    }?;
    let mut broken = whole.to_vec();
    let how = random.below(5);
    match how {
        0 => broken.truncate(random.below(broken.len() - 10) + 10),
        1 => broken.truncate(random.below(10)),
        2 => broken[..2].copy_from_slice(&random.of(&[-1_i16, 93, 4, 70, 32_767]).to_be_bytes()),
        3 => broken[2..4].copy_from_slice(&random.of(&[-1_i16, 30, 32_767]).to_be_bytes()),
        // A client id that is longer than the frame.
        _ => broken[8..10].copy_from_slice(&random.of(&[-2_i16, 1_000, 32_767]).to_be_bytes()),
    }
    let what = format!("{} bytes, broken in way {how}: {broken:02x?}", broken.len());
    Some(Step::by_side(what, move |side| match side.exchange(&broken) {
        Some(answer) => format!("an answer of {} bytes", answer.len()),
        None => "the connection is closed".to_owned(),
    }))
}

//! Acknowledgements in ShareFetch and ShareAcknowledge requests.

use std::collections::BTreeMap;

use brooklet_protocol::ErrorCode;
use brooklet_protocol::coordinator::share_state::SharePartitionKey;
use uuid::Uuid;

use super::share_group_heartbeat::MAX_MEMBER_ID_LEN;
use crate::apis::RequestContext;
use crate::error::ToErrorCode;
use crate::share::partition::AcknowledgementBatch;
use crate::share::session::SessionKey;

/// The acknowledgements for each partition of a request.
pub(super) type Acknowledgements = Vec<((Uuid, i32), Vec<AcknowledgementBatch>)>;
/// How it went with each, and for an error what a person should read of it.
pub(super) type Acknowledged = BTreeMap<(Uuid, i32), (ErrorCode, Option<String>)>;

/// The member that a request names, if it names one that can be.
pub(super) fn session_key(group_id: Option<&str>, member_id: Option<&str>) -> Result<SessionKey, ErrorCode> {
    match (group_id, member_id) {
        (Some(group_id), Some(member_id)) if (1..=MAX_MEMBER_ID_LEN).contains(&member_id.len()) => {
            Ok(SessionKey { group_id: group_id.to_owned(), member_id: member_id.to_owned() })
        }
        _ => Err(ErrorCode::InvalidRequest),
    }
}

/// Does what a member says of records that it has. `may_renew` tells whether the request says that it renews locks.
pub(super) async fn acknowledge(
    cx: &RequestContext,
    member: &SessionKey,
    acknowledgements: Acknowledgements,
    may_renew: bool,
) -> Acknowledged {
    let state = cx.node.share.state().await;
    let config = cx.node.share.config(&member.group_id);
    let one = |id: (Uuid, i32), batches: &[AcknowledgementBatch]| {
        let code = |error: ErrorCode| (error, None);
        let topic = cx.node.topics.by_id(id.0).ok_or(code(ErrorCode::UnknownTopicId))?;
        AcknowledgementBatch::check(batches, may_renew)
            .map_err(|error| (error.error_code(), Some(error.to_string())))?;
        let unknown = code(ErrorCode::UnknownTopicOrPartition);
        if topic.partition(id.1).is_none() {
            return Err(unknown);
        }
        if batches.is_empty() {
            return Ok(());
        }
        let key = SharePartitionKey { group_id: member.group_id.clone(), topic_id: id.0, partition: id.1 };
        let found = cx.node.share.find(&key).ok_or(unknown)?;
        let now = cx.node.clock.monotonic();
        found.acknowledge(&member.member_id, batches, state, &config, now).map_err(|error| {
            let code = error.error_code();
            if matches!(code, ErrorCode::NotLeaderOrFollower | ErrorCode::UnknownTopicOrPartition) {
                cx.node.share.forget(|other| *other == key);
            }
            (code, Some(error.to_string()))
        })
    };
    let outcome = |(id, batches): ((Uuid, i32), Vec<AcknowledgementBatch>)| {
        (id, one(id, &batches).err().unwrap_or((ErrorCode::None, None)))
    };
    acknowledgements.into_iter().map(outcome).collect()
}

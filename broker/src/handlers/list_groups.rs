//! ListGroups: v0-5
//!
//! v4 filters by state (KIP-518), v5 by type (KIP-848), in any case of letters. An unknown filter matches nothing.

use brooklet_protocol::messages::list_groups_response::ListedGroup;
use brooklet_protocol::messages::{GroupId, ListGroupsRequest, ListGroupsResponse};

use super::text;
use crate::apis::{Api, RequestContext};

pub(crate) const API: Api = Api::new::<ListGroupsRequest>("ListGroups", 0..=5);

pub(crate) async fn handle(cx: &RequestContext, request: ListGroupsRequest) -> ListGroupsResponse {
    let mut listed = match cx.node.groups.list().await {
        Ok(listed) => listed,
        Err(error) => return ListGroupsResponse::default().with_error_code(error.code()),
    };
    let passes = |filter: &[brooklet_protocol::StrBytes], value: &str| {
        filter.is_empty() || filter.iter().any(|wanted| wanted.eq_ignore_ascii_case(value))
    };
    listed.retain(|group| {
        passes(&request.states_filter, group.state) && passes(&request.types_filter, group.kind.name())
    });
    listed.sort_unstable_by(|a, b| a.group_id.cmp(&b.group_id));
    let groups = listed.into_iter().map(|group| {
        let mut entry = ListedGroup::default()
            .with_group_id(GroupId(text(group.group_id)))
            .with_protocol_type(text(group.protocol_type));
        if cx.version >= 4 {
            entry.group_state = text(group.state);
        }
        if cx.version >= 5 {
            entry.group_type = text(group.kind.name());
        }
        entry
    });
    ListGroupsResponse::default().with_groups(groups.collect())
}

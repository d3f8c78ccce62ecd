//! ListConfigResources: v0-1
//!
//! v0 lists subscriptions to clients' metrics (KIP-714). v1 lists all that has configs (KIP-1142), or what of it is of
//! some types: topics, the broker, its loggers, subscriptions, and groups that have configs set. A type that has no
//! configs in Kafka is UNSUPPORTED_VERSION.

use brooklet_protocol::ErrorCode;
use brooklet_protocol::messages::list_config_resources_response::ConfigResource;
use brooklet_protocol::messages::{ListConfigResourcesRequest, ListConfigResourcesResponse};

use super::text;
use crate::apis::{Api, RequestContext};

pub(crate) const API: Api = Api::new::<ListConfigResourcesRequest>("ListConfigResources", 0..=1);

/// Codes of `ConfigResource.Type`.
const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const BROKER_LOGGER: i8 = 8;
const CLIENT_METRICS: i8 = 16;
const GROUP: i8 = 32;
const ALL: [i8; 5] = [TOPIC, BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP];

#[allow(clippy::unused_async, reason = "handlers have one shape")]
pub(crate) async fn handle(cx: &RequestContext, request: ListConfigResourcesRequest) -> ListConfigResourcesResponse {
    let listed: &[i8] = if cx.version == 0 { &[CLIENT_METRICS] } else { &ALL };
    if request.resource_types.iter().any(|asked| !listed.contains(asked)) {
        return ListConfigResourcesResponse::default().with_error_code(ErrorCode::UnsupportedVersion.code());
    }
    let asked = if request.resource_types.is_empty() { listed } else { &request.resource_types };
    let mut resources = Vec::new();
    let mut list = |resource_type: i8, name: String| {
        let resource = ConfigResource::default().with_resource_name(text(name));
        resources.push(if cx.version >= 1 { resource.with_resource_type(resource_type) } else { resource });
    };
    if asked.contains(&GROUP) {
        cx.node.topics.group_configs().into_keys().for_each(|group_id| list(GROUP, group_id));
    }
    if asked.contains(&CLIENT_METRICS) {
        cx.node.topics.client_metrics_names().into_iter().for_each(|name| list(CLIENT_METRICS, name));
    }
    for of_broker in [BROKER_LOGGER, BROKER] {
        if asked.contains(&of_broker) {
            list(of_broker, cx.node.node_id().to_string());
        }
    }
    if asked.contains(&TOPIC) {
        cx.node.topics.all().iter().for_each(|topic| list(TOPIC, topic.name().to_owned()));
    }
    ListConfigResourcesResponse::default().with_config_resources(resources)
}

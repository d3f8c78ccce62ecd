//! DescribeCluster: v0-2
//!
//! The one node, as broker (endpoint type 1). From v1 a client may ask for controllers (type 2): clients reach brokers
//! here, so that is MISMATCHED_ENDPOINT_TYPE, as from a broker of Kafka's.

use brooklet_protocol::ErrorCode;
use brooklet_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use brooklet_protocol::messages::{BrokerId, DescribeClusterRequest, DescribeClusterResponse};

use super::{operations, text};
use crate::apis::{Api, RequestContext};

pub(crate) const API: Api = Api::new::<DescribeClusterRequest>("DescribeCluster", 0..=2);

const BROKERS: i8 = 1;
const CONTROLLERS: i8 = 2;

#[allow(clippy::unused_async, reason = "handlers have one shape")]
pub(crate) async fn handle(cx: &RequestContext, request: DescribeClusterRequest) -> DescribeClusterResponse {
    if request.endpoint_type != BROKERS {
        let (error, message) = match request.endpoint_type {
            CONTROLLERS => (ErrorCode::MismatchedEndpointType, "this is a broker, not a controller"),
            _ => (ErrorCode::UnsupportedEndpointType, "endpoint type must be 1 (brokers) or 2 (controllers)"),
        };
        return DescribeClusterResponse::default()
            .with_error_code(error.code())
            .with_error_message(Some(text(message)));
    }
    let config = cx.node.config();
    let node_id = BrokerId(config.broker.node_id);
    let broker = DescribeClusterBroker::default()
        .with_broker_id(node_id)
        .with_host(text(&*cx.endpoint.host))
        .with_port(i32::from(cx.endpoint.port))
        .with_rack(config.broker.broker_rack.as_deref().map(text));
    let asked = request.include_cluster_authorized_operations;
    DescribeClusterResponse::default()
        .with_cluster_id(text(cx.node.data_dir.cluster_id()))
        .with_controller_id(node_id)
        .with_brokers(vec![broker])
        .with_cluster_authorized_operations(operations::if_asked(asked, operations::CLUSTER))
}

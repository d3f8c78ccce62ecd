//! IncrementalAlterConfigs: v0-1 (KIP-339)
//!
//! Sets, unsets, appends to or subtracts from configs of a topic or of the broker, and leaves the others as they are.

use brooklet_protocol::ErrorCode;
use brooklet_protocol::messages::incremental_alter_configs_request::AlterConfigsResource;
use brooklet_protocol::messages::incremental_alter_configs_response::AlterConfigsResourceResponse;
use brooklet_protocol::messages::{IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse};

use super::config_resources::{Change, Once, Refused, Resource, refused};
use crate::apis::{Api, RequestContext};
use crate::config::ConfigChange;

pub(crate) const API: Api = Api::new::<IncrementalAlterConfigsRequest>("IncrementalAlterConfigs", 0..=1);

#[allow(clippy::unused_async, reason = "handlers have one shape")]
pub(crate) async fn handle(
    cx: &RequestContext,
    request: IncrementalAlterConfigsRequest,
) -> IncrementalAlterConfigsResponse {
    let once = Once::of(request.resources.iter().map(|asked| (asked.resource_type, &*asked.resource_name)));
    let responses = request.resources.iter().map(|asked| {
        let altered = once.check(asked.resource_type, &asked.resource_name);
        let altered = altered.and_then(|()| alter(cx, asked, request.validate_only));
        let (error, message) = altered.err().unwrap_or((ErrorCode::None, None));
        AlterConfigsResourceResponse::default()
            .with_error_code(error.code())
            .with_error_message(message)
            .with_resource_type(asked.resource_type)
            .with_resource_name(asked.resource_name.clone())
    });
    IncrementalAlterConfigsResponse::default().with_responses(responses.collect())
}

fn alter(cx: &RequestContext, asked: &AlterConfigsResource, validate_only: bool) -> Result<(), Refused> {
    let resource = Resource::find(cx, asked.resource_type, &asked.resource_name)?;
    let changes = asked.configs.iter().map(|config| (&*config.name, config.config_operation, config.value.as_deref()));
    let changes = ConfigChange::parse_all(changes).map_err(|error| refused(&error))?;
    resource.change(cx, &Change::Some(changes), validate_only)
}

//! AlterConfigs: v0-2
//!
//! Sets all configs of a topic or of the broker at once: those not named are set no more. IncrementalAlterConfigs is
//! what clients should use, and newer ones do.

use brooklet_protocol::ErrorCode;
use brooklet_protocol::messages::alter_configs_request::AlterConfigsResource;
use brooklet_protocol::messages::alter_configs_response::AlterConfigsResourceResponse;
use brooklet_protocol::messages::{AlterConfigsRequest, AlterConfigsResponse};

use super::config_resources::{Change, Once, Refused, Resource, refused};
use crate::apis::{Api, RequestContext};
use crate::config::parse_replacement;

pub(crate) const API: Api = Api::new::<AlterConfigsRequest>("AlterConfigs", 0..=2);

#[allow(clippy::unused_async, reason = "handlers have one shape")]
pub(crate) async fn handle(cx: &RequestContext, request: AlterConfigsRequest) -> AlterConfigsResponse {
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
    AlterConfigsResponse::default().with_responses(responses.collect())
}

fn alter(cx: &RequestContext, asked: &AlterConfigsResource, validate_only: bool) -> Result<(), Refused> {
    let resource = Resource::find(cx, asked.resource_type, &asked.resource_name)?;
    let pairs = asked.configs.iter().map(|config| (&*config.name, config.value.as_deref()));
    let configs = parse_replacement(pairs).map_err(|error| refused(&error))?;
    resource.change(cx, &Change::All(configs), validate_only)
}

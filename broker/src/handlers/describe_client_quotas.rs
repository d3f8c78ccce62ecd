//! DescribeClientQuotas: v0-1 (KIP-546)
//!
//! The quotas that are set for the entities of a filter: each component a name, the default or anything of a type; a
//! strict filter leaves out entities with further types.

use brooklet_protocol::messages::describe_client_quotas_response::{EntityData, EntryData, ValueData};
use brooklet_protocol::messages::{DescribeClientQuotasRequest, DescribeClientQuotasResponse};

use super::text;
use crate::apis::{Api, RequestContext};
use crate::quotas::filter::EntityFilter;

pub(crate) const API: Api = Api::new::<DescribeClientQuotasRequest>("DescribeClientQuotas", 0..=1);

#[allow(clippy::unused_async, reason = "handlers have one shape")]
pub(crate) async fn handle(cx: &RequestContext, request: DescribeClientQuotasRequest) -> DescribeClientQuotasResponse {
    let components = request.components.iter().map(|component| {
        let name = component._match.as_ref().map(ToString::to_string);
        (component.entity_type.to_string(), component.match_type, name)
    });
    let filter = match EntityFilter::parse(components, request.strict) {
        Ok(filter) => filter,
        Err((error, message)) => {
            return DescribeClientQuotasResponse::default()
                .with_error_code(error.code())
                .with_error_message(Some(text(message)))
                .with_entries(None);
        }
    };
    let set = cx.node.topics.client_quotas();
    let entries = set.into_iter().filter(|(entity, _)| filter.matches(entity)).map(|(entity, quotas)| {
        let entity = entity
            .pairs()
            .into_iter()
            .map(|(kind, name)| EntityData::default().with_entity_type(text(kind)).with_entity_name(name.map(text)));
        let values =
            quotas.into_iter().map(|(name, value)| ValueData::default().with_key(text(name)).with_value(value));
        EntryData::default().with_entity(entity.collect()).with_values(values.collect())
    });
    DescribeClientQuotasResponse::default().with_entries(Some(entries.collect()))
}

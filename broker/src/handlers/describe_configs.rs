//! DescribeConfigs: v1-4
//!
//! Topics, groups, which need not exist, the broker, its loggers (KIP-412) and subscriptions to clients' metrics
//! (KIP-714); the broker with the empty name stands for what is set for all brokers. v1 synonyms
//! (KIP-226), v3 types and documentation (KIP-569).

use brooklet_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
};
use brooklet_protocol::messages::{DescribeConfigsRequest, DescribeConfigsResponse};

use super::config_resources::{Refused, Resource, topic};
use super::text;
use crate::apis::{Api, RequestContext};
use crate::config::{
    ConfigEntry, DynamicScope, describe_broker, describe_client_metrics, describe_dynamic_default, describe_group,
    describe_topic,
};

pub(crate) const API: Api = Api::new::<DescribeConfigsRequest>("DescribeConfigs", 1..=4);

#[allow(clippy::unused_async, reason = "handlers have one shape")]
pub(crate) async fn handle(cx: &RequestContext, request: DescribeConfigsRequest) -> DescribeConfigsResponse {
    let results = request.resources.iter().map(|asked| {
        let result = DescribeConfigsResult::default()
            .with_resource_type(asked.resource_type)
            .with_resource_name(asked.resource_name.clone());
        let wanted =
            |name: &str| asked.configuration_keys.as_ref().is_none_or(|keys| keys.iter().any(|key| &**key == name));
        let resource = Resource::find(cx, asked.resource_type, &asked.resource_name);
        match resource.and_then(|resource| describe(cx, &resource, wanted)) {
            Ok(entries) => {
                let entries = entries.into_iter();
                result.with_configs(entries.map(|entry| answer(cx.version, &request, entry)).collect())
            }
            Err((code, message)) => result.with_error_code(code.code()).with_error_message(message),
        }
    });
    DescribeConfigsResponse::default().with_results(results.collect())
}

fn describe(
    cx: &RequestContext,
    resource: &Resource,
    wanted: impl Fn(&str) -> bool,
) -> Result<Vec<ConfigEntry>, Refused> {
    let layers = &cx.node.config().layers;
    Ok(match resource {
        Resource::Topic(name) => describe_topic(&topic(cx, name)?.settings().overrides, layers, wanted),
        Resource::Group(group_id) => describe_group(&cx.node.configs_of_group(group_id), layers, wanted),
        Resource::Broker(DynamicScope::Broker) => describe_broker(layers, wanted),
        Resource::Broker(DynamicScope::Default) => describe_dynamic_default(layers, wanted),
        Resource::BrokerLogger => cx.node.loggers.describe(wanted),
        Resource::ClientMetrics(name) => describe_client_metrics(&cx.node.topics.client_metrics(name), wanted),
    })
}

fn answer(version: i16, request: &DescribeConfigsRequest, entry: ConfigEntry) -> DescribeConfigsResourceResult {
    let config_type = entry.type_code();
    let synonyms = entry.synonyms.into_iter().filter(|_| request.include_synonyms).map(|synonym| {
        DescribeConfigsSynonym::default()
            .with_name(text(synonym.name))
            .with_value(synonym.value.map(text))
            .with_source(synonym.source.code())
    });
    let result = DescribeConfigsResourceResult::default()
        .with_name(text(entry.name))
        .with_value(entry.value.map(text))
        .with_read_only(entry.read_only)
        .with_config_source(entry.source.code())
        .with_is_sensitive(entry.sensitive)
        .with_synonyms(synonyms.collect());
    if version < 3 {
        return result;
    }
    let documentation = entry.doc.filter(|_| request.include_documentation).map(text);
    result.with_config_type(config_type).with_documentation(documentation)
}

//! ApiVersions: v0-4
//!
//! Answers with the table that dispatch itself uses. A version that is not known is answered in v0 with
//! UNSUPPORTED_VERSION and the range of this API alone, so that a newer client can ask again (KIP-511). From v3 a
//! client names itself; an empty or odd name is INVALID_REQUEST. From v3 it also learns of features (KIP-584): which
//! levels each can have, though before v4 not of those that begin at 0 (KAFKA-17492), and at which it is.

use brooklet_protocol::ErrorCode;
use brooklet_protocol::messages::api_versions_response::{ApiVersion, FinalizedFeatureKey, SupportedFeatureKey};
use brooklet_protocol::messages::{ApiVersionsRequest, ApiVersionsResponse};
use brooklet_protocol::response::{EncodeError, ResponseFrame};

use super::text;
use crate::apis::{APIS, Api, RequestContext};
use crate::features::FEATURES;

pub(crate) const API: Api = Api::new::<ApiVersionsRequest>("ApiVersions", 0..=4);

#[allow(clippy::unused_async, reason = "handlers have one shape")]
pub(crate) async fn handle(cx: &RequestContext, request: ApiVersionsRequest) -> ApiVersionsResponse {
    let names = [&request.client_software_name, &request.client_software_version];
    if cx.version >= 3 && !names.into_iter().all(|name| is_software_name(name)) {
        return ApiVersionsResponse::default().with_error_code(ErrorCode::InvalidRequest.code());
    }
    let api_keys = APIS.iter().map(|api| version_range(api, api.advertised_min)).collect();
    let response = ApiVersionsResponse::default().with_api_keys(api_keys);
    if cx.version < 3 {
        return response;
    }
    let supported = FEATURES.iter().filter(|feature| cx.version >= 4 || feature.min > 0).map(|feature| {
        SupportedFeatureKey::default()
            .with_name(text(feature.name))
            .with_min_version(feature.min)
            .with_max_version(feature.max)
    });
    let features = cx.node.topics.finalized_features();
    let finalized = features.enabled().map(|(name, level)| {
        FinalizedFeatureKey::default().with_name(text(name)).with_min_version_level(level).with_max_version_level(level)
    });
    response
        .with_supported_features(supported.collect())
        .with_finalized_features_epoch(features.epoch())
        .with_finalized_features(finalized.collect())
}

/// The answer to a version that is not known.
pub(crate) fn fall_back(correlation_id: i32) -> Result<ResponseFrame, EncodeError> {
    let response = ApiVersionsResponse::default()
        .with_error_code(ErrorCode::UnsupportedVersion.code())
        .with_api_keys(vec![version_range(&API, API.min)]);
    ResponseFrame::encode::<ApiVersionsRequest>(correlation_id, 0, &response)
}

fn version_range(api: &Api, min: i16) -> ApiVersion {
    ApiVersion::default().with_api_key(api.key).with_min_version(min).with_max_version(api.max)
}

/// Kafka's pattern: letters, digits, '-' and '.', beginning and ending with a letter or digit.
fn is_software_name(name: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    let end = |c: char| c.is_ascii_alphanumeric();
    name.chars().all(inner) && name.starts_with(end) && name.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::is_software_name;

    #[test]
    fn software_names_are_judged_as_kafka_judges_them() {
        for good in ["apache-kafka-java", "4.3.1", "a", "librdkafka"] {
            assert!(is_software_name(good), "{good}");
        }
        for bad in ["", "-x", "x.", "a b", "é"] {
            assert!(!is_software_name(bad), "{bad}");
        }
    }
}

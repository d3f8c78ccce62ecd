//! ApiVersions: v0-4
//!
//! Answers with the table that dispatch itself uses. A version that is not known is answered in v0 with
//! UNSUPPORTED_VERSION and the range of this API alone, so that a newer client can ask again (KIP-511). From v3 a
//! client names itself; an empty or odd name is INVALID_REQUEST. From v3 on clients learn the features too (KIP-584).

use brooklet_protocol::ErrorCode;
use brooklet_protocol::messages::api_versions_response::{ApiVersion, FinalizedFeatureKey, SupportedFeatureKey};
use brooklet_protocol::messages::{ApiVersionsRequest, ApiVersionsResponse};
use brooklet_protocol::response::{EncodeError, ResponseFrame};

use super::text;
use crate::apis::{APIS, Api, RequestContext};
use crate::features::{FEATURES, Feature};

pub(crate) const API: Api = Api::new::<ApiVersionsRequest>("ApiVersions", 0..=4);

#[allow(clippy::unused_async, reason = "handlers have one shape")]
pub(crate) async fn handle(cx: &RequestContext, request: ApiVersionsRequest) -> ApiVersionsResponse {
    let names = [&request.client_software_name, &request.client_software_version];
    if cx.version >= 3 && !names.into_iter().all(|name| is_software_name(name)) {
        return ApiVersionsResponse::default().with_error_code(ErrorCode::InvalidRequest.code());
    }
    let api_keys = APIS.iter().map(|api| version_range(api, api.advertised_min)).collect();
    // Clients of before v4 do not read a feature that begins at level 0 (KAFKA-17011).
    let supported = FEATURES.iter().filter(|feature| cx.version >= 4 || feature.min > 0).map(supported_feature);
    let finalized = FEATURES.iter().filter(|feature| feature.finalized > 0).map(finalized_feature);
    ApiVersionsResponse::default()
        .with_api_keys(api_keys)
        .with_supported_features(supported.collect())
        .with_finalized_features_epoch(FEATURES_EPOCH)
        .with_finalized_features(finalized.collect())
}

fn supported_feature(feature: &Feature) -> SupportedFeatureKey {
    SupportedFeatureKey::default()
        .with_name(text(feature.name))
        .with_min_version(feature.min)
        .with_max_version(feature.max)
}

fn finalized_feature(feature: &Feature) -> FinalizedFeatureKey {
    FinalizedFeatureKey::default()
        .with_name(text(feature.name))
        .with_min_version_level(feature.finalized)
        .with_max_version_level(feature.finalized)
}

/// The levels never change, so there is one epoch of them.
const FEATURES_EPOCH: i64 = 0;

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

//! ApiVersions: v0-4
//!
//! Answers with the table that dispatch itself uses. A version that is not known is answered in v0 with
//! UNSUPPORTED_VERSION and the range of this API alone, so that a newer client can ask again (KIP-511). From v3 a
//! client names itself; an empty or odd name is INVALID_REQUEST.

use brooklet_protocol::ErrorCode;
use brooklet_protocol::messages::api_versions_response::ApiVersion;
use brooklet_protocol::messages::{ApiVersionsRequest, ApiVersionsResponse};
use brooklet_protocol::response::{EncodeError, ResponseFrame};

use crate::apis::{APIS, Api, RequestContext};

pub(crate) const API: Api = Api::new::<ApiVersionsRequest>("ApiVersions", 0..=4);

#[allow(clippy::unused_async, reason = "handlers have one shape")]
pub(crate) async fn handle(cx: &RequestContext, request: ApiVersionsRequest) -> ApiVersionsResponse {
    let names = [&request.client_software_name, &request.client_software_version];
    if cx.version >= 3 && !names.into_iter().all(|name| is_software_name(name)) {
        return ApiVersionsResponse::default().with_error_code(ErrorCode::InvalidRequest.code());
    }
    let api_keys = APIS.iter().map(|api| version_range(api, api.advertised_min)).collect();
    ApiVersionsResponse::default().with_api_keys(api_keys)
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

//! UpdateFeatures: v0-2
//!
//! Changes the levels that the cluster's features are finalized at, all that are named or none; what a client may then
//! do follows them (`transaction.version` below 2, for one, lets producers begin transactions as before KIP-890). From
//! v1 a client says what it means to do, a downgrade being one only if it is called so, and may only ask whether it
//! could be done; v0 can only go up, as with Kafka. Up to v1 each feature is answered, from v2 the whole.

use brooklet_protocol::messages::update_features_response::UpdatableFeatureResult;
use brooklet_protocol::messages::{UpdateFeaturesRequest, UpdateFeaturesResponse};

use super::{refusal, text};
use crate::apis::{Api, RequestContext};
use crate::features::{FeatureUpdate, SHARE_VERSION, UpgradeType};

pub(crate) const API: Api = Api::new::<UpdateFeaturesRequest>("UpdateFeatures", 0..=2);

#[allow(clippy::unused_async, reason = "handlers have one shape")]
pub(crate) async fn handle(cx: &RequestContext, request: UpdateFeaturesRequest) -> UpdateFeaturesResponse {
    let updates = request.feature_updates.iter().map(|update| FeatureUpdate {
        name: update.feature.to_string(),
        level: update.max_version_level,
        kind: if cx.version == 0 { UpgradeType::Upgrade } else { UpgradeType::from_code(update.upgrade_type) },
    });
    let updates: Vec<_> = updates.collect();
    if let Err(error) = cx.node.topics.update_features(&updates, request.validate_only) {
        let (error, message) = refusal(&error);
        return UpdateFeaturesResponse::default().with_error_code(error.code()).with_error_message(message);
    }
    if cx.node.topics.finalized_features().level(SHARE_VERSION) == 0 {
        cx.node.share.forget_all();
    }
    let response = UpdateFeaturesResponse::default().with_error_message(None);
    if cx.version >= 2 {
        return response;
    }
    let results = request.feature_updates.into_iter().map(|update| {
        UpdatableFeatureResult::default().with_feature(update.feature).with_error_message(Some(text("NONE")))
    });
    response.with_results(results.collect())
}

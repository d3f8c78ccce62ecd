//! AlterUserScramCredentials: v0
//!
//! Sets and takes away credentials, which survive a restart. Each user is altered once in a request or not at all: who
//! is named twice is DUPLICATE_RESOURCE. A credential that is not there is RESOURCE_NOT_FOUND; an empty name, or
//! iterations that are not from 4096 to 16384, UNACCEPTABLE_CREDENTIAL; another mechanism than SCRAM-SHA-256 and -512
//! UNSUPPORTED_SASL_MECHANISM.
//!
//! Differs from Kafka: nobody is authenticated by them yet.

use brooklet_protocol::messages::alter_user_scram_credentials_response::AlterUserScramCredentialsResult;
use brooklet_protocol::messages::{AlterUserScramCredentialsRequest, AlterUserScramCredentialsResponse};
use brooklet_storage::ScramCredential;

use super::{refusal, text};
use crate::apis::{Api, RequestContext};
use crate::scram::ScramAlteration;

pub(crate) const API: Api = Api::new::<AlterUserScramCredentialsRequest>("AlterUserScramCredentials", 0..=0);

#[allow(clippy::unused_async, reason = "handlers have one shape")]
pub(crate) async fn handle(
    cx: &RequestContext,
    request: AlterUserScramCredentialsRequest,
) -> AlterUserScramCredentialsResponse {
    let deletions = request.deletions.iter().map(|deletion| ScramAlteration {
        user: deletion.name.to_string(),
        mechanism: deletion.mechanism,
        credential: None,
    });
    let upsertions = request.upsertions.iter().map(|upsertion| ScramAlteration {
        user: upsertion.name.to_string(),
        mechanism: upsertion.mechanism,
        credential: Some(ScramCredential {
            salt: upsertion.salt.to_vec(),
            salted_password: upsertion.salted_password.to_vec(),
            iterations: upsertion.iterations,
        }),
    });
    let alterations: Vec<_> = deletions.chain(upsertions).collect();
    let named = alterations.iter().map(|alteration| alteration.user.clone()).collect::<std::collections::BTreeSet<_>>();
    let results: Vec<_> = match cx.node.topics.alter_scram_credentials(alterations) {
        Ok(outcomes) => {
            outcomes.into_iter().map(|(user, outcome)| result(user, outcome.err().map(|e| refusal(&e)))).collect()
        }
        Err(error) => named.into_iter().map(|user| result(user, Some(refusal(&error)))).collect(),
    };
    AlterUserScramCredentialsResponse::default().with_results(results)
}

fn result(user: String, refused: Option<super::Refused>) -> AlterUserScramCredentialsResult {
    let result = AlterUserScramCredentialsResult::default().with_user(text(user));
    match refused {
        None => result.with_error_message(None),
        Some((error, message)) => result.with_error_code(error.code()).with_error_message(message),
    }
}

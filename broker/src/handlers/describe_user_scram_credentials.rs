//! DescribeUserScramCredentials: v0
//!
//! Of each user that is named, or of all (null or an empty list), the mechanisms and their iterations. A user without a
//! credential is RESOURCE_NOT_FOUND; one that is named twice is DUPLICATE_RESOURCE, and answered once.

use std::collections::BTreeMap;

use brooklet_protocol::messages::describe_user_scram_credentials_response::{
    CredentialInfo, DescribeUserScramCredentialsResult,
};
use brooklet_protocol::messages::{DescribeUserScramCredentialsRequest, DescribeUserScramCredentialsResponse};

use super::{refusal, text};
use crate::apis::{Api, RequestContext};
use crate::scram::ScramError;

pub(crate) const API: Api = Api::new::<DescribeUserScramCredentialsRequest>("DescribeUserScramCredentials", 0..=0);

#[allow(clippy::unused_async, reason = "handlers have one shape")]
pub(crate) async fn handle(
    cx: &RequestContext,
    request: DescribeUserScramCredentialsRequest,
) -> DescribeUserScramCredentialsResponse {
    let credentials = cx.node.topics.scram_credentials();
    let mut times_named: BTreeMap<String, usize> = BTreeMap::new();
    match request.users.filter(|users| !users.is_empty()) {
        Some(users) => users.iter().for_each(|user| *times_named.entry(user.name.to_string()).or_default() += 1),
        None => times_named.extend(credentials.users().map(|user| (user.to_owned(), 1))),
    }
    let results = times_named.into_iter().map(|(user, times)| {
        let found = if times > 1 { Err(ScramError::DescribedTwice) } else { credentials.of(&user) };
        let result = DescribeUserScramCredentialsResult::default().with_user(text(user));
        match found {
            Ok(infos) => {
                let infos = infos.into_iter().map(|(mechanism, iterations)| {
                    CredentialInfo::default().with_mechanism(mechanism.code()).with_iterations(iterations)
                });
                result.with_credential_infos(infos.collect())
            }
            Err(error) => {
                let (error, message) = refusal(&error);
                result.with_error_code(error.code()).with_error_message(message)
            }
        }
    });
    DescribeUserScramCredentialsResponse::default().with_results(results.collect())
}

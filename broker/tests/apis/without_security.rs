//! What a broker without SASL, authorizer and delegation tokens answers to who asks for them, at every version. A stock
//! broker of Apache Kafka 4.3.1 has passed these tests too (`KAFKA_AT`).
#![allow(clippy::unwrap_used)]

use crate::wire;

use brooklet_protocol::StrBytes;
use brooklet_protocol::messages::create_acls_request::AclCreation;
use brooklet_protocol::messages::delete_acls_request::DeleteAclsFilter;
use brooklet_protocol::messages::*;
use wire::{broker_or_stock, text, versions};

const ILLEGAL_SASL_STATE: i16 = 34;
const SECURITY_DISABLED: i16 = 54;
const DELEGATION_TOKEN_REQUEST_NOT_ALLOWED: i16 = 64;

#[tokio::test]
async fn sasl_is_not_for_this_listener_and_the_connection_stays() {
    let (_broker, mut client) = broker_or_stock().await;
    for version in versions::<SaslHandshakeRequest>(&mut client).await {
        let answer = client.call(version, &SaslHandshakeRequest::default().with_mechanism(text("PLAIN"))).await;
        assert_eq!((answer.error_code, answer.mechanisms.len()), (ILLEGAL_SASL_STATE, 0), "v{version}");
    }
    for version in versions::<SaslAuthenticateRequest>(&mut client).await {
        let answer = client.call(version, &SaslAuthenticateRequest::default()).await;
        assert_eq!((answer.error_code, answer.session_lifetime_ms), (ILLEGAL_SASL_STATE, 0), "v{version}");
        assert!(answer.error_message.is_some_and(|message| !message.is_empty()));
    }
}

fn acl() -> AclCreation {
    AclCreation::default()
        .with_resource_type(2)
        .with_resource_name(text("t"))
        .with_resource_pattern_type(3)
        .with_principal(text("User:a"))
        .with_host(text("*"))
        .with_operation(3)
        .with_permission_type(3)
}

fn filter() -> DeleteAclsFilter {
    DeleteAclsFilter::default()
        .with_resource_type_filter(1)
        .with_pattern_type_filter(3)
        .with_operation(1)
        .with_permission_type(1)
}

fn description() -> DescribeAclsRequest {
    DescribeAclsRequest::default()
        .with_resource_type_filter(1)
        .with_pattern_type_filter(3)
        .with_operation(1)
        .with_permission_type(1)
}

#[tokio::test]
async fn acls_are_neither_described_nor_made_nor_deleted() {
    let (_broker, mut client) = broker_or_stock().await;
    for version in versions::<DescribeAclsRequest>(&mut client).await {
        let answer = client.call(version, &description()).await;
        assert_eq!((answer.error_code, answer.resources.len()), (SECURITY_DISABLED, 0), "v{version}");
        assert!(answer.error_message.is_some_and(|message| !message.is_empty()));
    }
    for version in versions::<CreateAclsRequest>(&mut client).await {
        let answer = client.call(version, &CreateAclsRequest::default().with_creations(vec![acl(), acl()])).await;
        let codes: Vec<_> = answer.results.iter().map(|result| result.error_code).collect();
        assert_eq!(codes, [SECURITY_DISABLED; 2], "v{version}");
    }
    for version in versions::<DeleteAclsRequest>(&mut client).await {
        let answer = client.call(version, &DeleteAclsRequest::default().with_filters(vec![filter()])).await;
        let results: Vec<_> = answer.filter_results.iter().map(|r| (r.error_code, r.matching_acls.len())).collect();
        assert_eq!(results, [(SECURITY_DISABLED, 0)], "v{version}");
    }
}

#[tokio::test]
async fn a_request_with_unknown_in_an_acl_ends_the_connection() {
    let (_broker, mut client) = broker_or_stock().await;
    assert!(client.try_call(3, &description().with_operation(0)).await.is_none());
    let (_broker, mut client) = broker_or_stock().await;
    let creations = vec![acl(), acl().with_resource_type(0)];
    assert!(client.try_call(3, &CreateAclsRequest::default().with_creations(creations)).await.is_none());
    let (_broker, mut client) = broker_or_stock().await;
    let filters = vec![filter().with_pattern_type_filter(0)];
    assert!(client.try_call(3, &DeleteAclsRequest::default().with_filters(filters)).await.is_none());
}

#[tokio::test]
async fn no_delegation_token_is_given_over_plaintext() {
    let (_broker, mut client) = broker_or_stock().await;
    for version in versions::<CreateDelegationTokenRequest>(&mut client).await {
        let request = CreateDelegationTokenRequest::default();
        let answer = client.call(version, &request).await;
        assert_eq!(answer.error_code, DELEGATION_TOKEN_REQUEST_NOT_ALLOWED, "v{version}");
        assert_eq!((&*answer.principal_type, &*answer.principal_name), ("User", "ANONYMOUS"));
        assert_eq!(&*answer.token_requester_principal_name, if version >= 3 { "ANONYMOUS" } else { "" });
        assert_eq!((answer.issue_timestamp_ms, answer.expiry_timestamp_ms, answer.max_timestamp_ms), (-1, -1, -1));
        if version >= 3 {
            let named = |value: &'static str| Some(StrBytes::from_static_str(value));
            let request = request.with_owner_principal_type(named("User")).with_owner_principal_name(named("alice"));
            let answer = client.call(version, &request).await;
            assert_eq!((answer.error_code, &*answer.principal_name), (DELEGATION_TOKEN_REQUEST_NOT_ALLOWED, "alice"));
        }
    }
    for version in versions::<RenewDelegationTokenRequest>(&mut client).await {
        let answer = client.call(version, &RenewDelegationTokenRequest::default()).await;
        let expected = (DELEGATION_TOKEN_REQUEST_NOT_ALLOWED, -1);
        assert_eq!((answer.error_code, answer.expiry_timestamp_ms), expected, "v{version}");
    }
    for version in versions::<ExpireDelegationTokenRequest>(&mut client).await {
        let answer = client.call(version, &ExpireDelegationTokenRequest::default()).await;
        let expected = (DELEGATION_TOKEN_REQUEST_NOT_ALLOWED, -1);
        assert_eq!((answer.error_code, answer.expiry_timestamp_ms), expected, "v{version}");
    }
    for version in versions::<DescribeDelegationTokenRequest>(&mut client).await {
        let answer = client.call(version, &DescribeDelegationTokenRequest::default()).await;
        let expected = (DELEGATION_TOKEN_REQUEST_NOT_ALLOWED, 0);
        assert_eq!((answer.error_code, answer.tokens.len()), expected, "v{version}");
    }
}

//! SCRAM credentials are set, described, taken away, and kept. A stock broker of Apache Kafka 4.3.1 has passed these tests
//! too (`KAFKA_AT`).
#![allow(clippy::unwrap_used)]

use crate::wire;

use std::collections::BTreeMap;

use brooklet::Broker;
use brooklet_protocol::messages::alter_user_scram_credentials_request::{
    ScramCredentialDeletion, ScramCredentialUpsertion,
};
use brooklet_protocol::messages::describe_user_scram_credentials_request::UserName;
use brooklet_protocol::messages::update_features_request::FeatureUpdateKey;
use brooklet_protocol::messages::{
    AlterUserScramCredentialsRequest, ApiVersionsRequest, DescribeUserScramCredentialsRequest, UpdateFeaturesRequest,
};
use bytes::Bytes;
use uuid::Uuid;
use wire::{Client, broker_or_stock, text};

const UNKNOWN_SERVER_ERROR: i16 = -1;
const UNSUPPORTED_SASL_MECHANISM: i16 = 33;
const RESOURCE_NOT_FOUND: i16 = 91;
const DUPLICATE_RESOURCE: i16 = 92;
const UNACCEPTABLE_CREDENTIAL: i16 = 93;

fn set(user: &str, mechanism: i8, iterations: i32) -> ScramCredentialUpsertion {
    ScramCredentialUpsertion::default()
        .with_name(text(user))
        .with_mechanism(mechanism)
        .with_iterations(iterations)
        .with_salt(Bytes::from_static(b"salt"))
        .with_salted_password(Bytes::from_static(b"secret"))
}

fn remove(user: &str, mechanism: i8) -> ScramCredentialDeletion {
    ScramCredentialDeletion::default().with_name(text(user)).with_mechanism(mechanism)
}

/// The code for each user that the answer names, once.
async fn alter(
    client: &mut Client,
    deletions: Vec<ScramCredentialDeletion>,
    upsertions: Vec<ScramCredentialUpsertion>,
) -> BTreeMap<String, i16> {
    let request = AlterUserScramCredentialsRequest::default().with_deletions(deletions).with_upsertions(upsertions);
    let answer = client.call(0, &request).await;
    let named = answer.results.len();
    let codes: BTreeMap<_, _> =
        answer.results.into_iter().map(|result| (result.user.to_string(), result.error_code)).collect();
    assert_eq!(codes.len(), named, "nobody is answered twice");
    codes
}

type Described = BTreeMap<String, (i16, Vec<(i8, i32)>)>;

async fn describe(client: &mut Client, users: Option<&[&str]>) -> Described {
    let users = users.map(|users| users.iter().map(|user| UserName::default().with_name(text(user))).collect());
    let answer = client.call(0, &DescribeUserScramCredentialsRequest::default().with_users(users)).await;
    assert_eq!(answer.error_code, 0);
    let results = answer.results.into_iter().map(|result| {
        let mut infos: Vec<_> = result.credential_infos.iter().map(|info| (info.mechanism, info.iterations)).collect();
        infos.sort_unstable();
        (result.user.to_string(), (result.error_code, infos))
    });
    results.collect()
}

fn codes(expected: &[(&str, i16)]) -> BTreeMap<String, i16> {
    expected.iter().map(|(user, code)| ((*user).to_owned(), *code)).collect()
}

#[tokio::test]
async fn credentials_are_set_described_and_taken_away() {
    let (_broker, mut client) = broker_or_stock().await;
    let suffix = Uuid::new_v4();
    let (a, b, none) = (&*format!("a-{suffix}"), &*format!("b-{suffix}"), &*format!("none-{suffix}"));
    let upsertions = vec![set(a, 1, 4096), set(b, 2, 16384)];
    assert_eq!(alter(&mut client, vec![], upsertions).await, codes(&[(a, 0), (b, 0)]));
    assert_eq!(alter(&mut client, vec![], vec![set(a, 2, 8192)]).await, codes(&[(a, 0)]));

    let described = describe(&mut client, Some(&[a, b, b, none])).await;
    assert_eq!(described[a], (0, vec![(1, 4096), (2, 8192)]));
    assert_eq!(described[b], (DUPLICATE_RESOURCE, vec![]));
    assert_eq!(described[none], (RESOURCE_NOT_FOUND, vec![]));
    for all in [None, Some(&[][..])] {
        let described = describe(&mut client, all).await;
        assert_eq!((&described[a].1.len(), &described[b].1), (&2, &vec![(2, 16384)]));
        assert!(!described.contains_key(none));
    }

    assert_eq!(alter(&mut client, vec![remove(a, 1), remove(b, 2)], vec![]).await, codes(&[(a, 0), (b, 0)]));
    let described = describe(&mut client, Some(&[a, b])).await;
    assert_eq!((&described[a].1, described[b].0), (&vec![(2, 8192)], RESOURCE_NOT_FOUND));
    assert_eq!(alter(&mut client, vec![remove(a, 2)], vec![]).await, codes(&[(a, 0)]));
}

#[tokio::test]
async fn what_cannot_be_is_refused_user_by_user() {
    let (_broker, mut client) = broker_or_stock().await;
    let suffix = Uuid::new_v4();
    let name = |user: &str| format!("{user}-{suffix}");
    let (a, b, c, d, e, f) = (name("a"), name("b"), name("c"), name("d"), name("e"), name("f"));
    let saltless = set(&e, 1, 4096).with_salt(Bytes::new());
    let passwordless = set(&f, 1, 4096).with_salted_password(Bytes::new());
    let upsertions = vec![
        set(&a, 2, 4095),
        set(&b, 1, 16385),
        set(&c, 3, 8192),
        set("", 1, 8192),
        set(&d, 0, 1),
        saltless,
        passwordless,
    ];
    let expected = [
        ("", UNACCEPTABLE_CREDENTIAL),
        (&a, UNACCEPTABLE_CREDENTIAL),
        (&b, UNACCEPTABLE_CREDENTIAL),
        (&c, UNSUPPORTED_SASL_MECHANISM),
        (&d, UNSUPPORTED_SASL_MECHANISM),
        (&e, 0),
        (&f, UNKNOWN_SERVER_ERROR),
    ];
    assert_eq!(alter(&mut client, vec![], upsertions).await, codes(&expected));
    let deletions = vec![remove(&a, 1), remove(&e, 2), remove("", 1), remove(&b, 9)];
    let expected = [
        ("", UNACCEPTABLE_CREDENTIAL),
        (&a, RESOURCE_NOT_FOUND),
        (&e, RESOURCE_NOT_FOUND),
        (&b, UNSUPPORTED_SASL_MECHANISM),
    ];
    assert_eq!(alter(&mut client, deletions, vec![]).await, codes(&expected));
    assert_eq!(alter(&mut client, vec![remove(&e, 1)], vec![]).await, codes(&[(&e, 0)]));
}

#[tokio::test]
async fn a_user_is_altered_once_in_a_request_or_not_at_all() {
    let (_broker, mut client) = broker_or_stock().await;
    let user = &*format!("twice-{}", Uuid::new_v4());
    assert_eq!(alter(&mut client, vec![], vec![set(user, 1, 4096)]).await, codes(&[(user, 0)]));
    let twice = codes(&[(user, DUPLICATE_RESOURCE)]);
    assert_eq!(alter(&mut client, vec![remove(user, 1)], vec![set(user, 2, 4096)]).await, twice);
    assert_eq!(alter(&mut client, vec![remove(user, 1), remove(user, 1), remove(user, 1)], vec![]).await, twice);
    assert_eq!(alter(&mut client, vec![], vec![set(user, 1, 5000), set(user, 2, 5000)]).await, twice);
    assert_eq!(describe(&mut client, Some(&[user])).await[user], (0, vec![(1, 4096)]));
    // The first refusal stands.
    let missing = alter(&mut client, vec![remove(user, 2)], vec![set(user, 2, 4096)]).await;
    assert_eq!(missing, codes(&[(user, RESOURCE_NOT_FOUND)]));
    alter(&mut client, vec![remove(user, 1)], vec![]).await;
}

#[tokio::test]
async fn credentials_survive_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let broker = Broker::builder().data_dir(dir.path()).start().await.unwrap();
    let mut client = Client::connect(broker.bootstrap_servers()).await;
    alter(&mut client, vec![], vec![set("a", 1, 4096), set("b", 2, 8192)]).await;
    alter(&mut client, vec![remove("b", 2)], vec![set("c", 2, 16384)]).await;
    let before = describe(&mut client, None).await;
    broker.shutdown().await;
    let broker = Broker::builder().data_dir(dir.path()).start().await.unwrap();
    let mut client = Client::connect(broker.bootstrap_servers()).await;
    assert_eq!(describe(&mut client, None).await, before);
    assert_eq!(before.keys().collect::<Vec<_>>(), ["a", "c"]);
}

#[tokio::test]
async fn a_catalog_that_was_rewritten_forgets_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let broker = Broker::builder().data_dir(dir.path()).topic("t", 1).start().await.unwrap();
    let mut client = Client::connect(broker.bootstrap_servers()).await;
    let level = FeatureUpdateKey::default()
        .with_feature(text("transaction.version"))
        .with_max_version_level(1)
        .with_upgrade_type(2);
    let update = UpdateFeaturesRequest::default().with_feature_updates(vec![level]);
    assert_eq!(client.call(2, &update).await.error_code, 0);
    alter(&mut client, vec![], vec![set("a", 1, 4096)]).await;
    // Enough that most of the file no longer counts.
    let large = Bytes::from(vec![200; 200_000]);
    for iterations in 5000..5010 {
        let credential = set("b", 2, iterations).with_salt(large.clone());
        assert_eq!(alter(&mut client, vec![], vec![credential]).await, codes(&[("b", 0)]));
    }
    assert!(dir.path().join("catalog.log").metadata().unwrap().len() < 5_000_000, "it was never rewritten");
    let before = describe(&mut client, None).await;
    broker.shutdown().await;
    let broker = Broker::builder().data_dir(dir.path()).start().await.unwrap();
    assert_eq!(broker.records("t").unwrap().len(), 0);
    let mut client = Client::connect(broker.bootstrap_servers()).await;
    assert_eq!(describe(&mut client, None).await, before);
    assert_eq!(before["b"], (0, vec![(2, 5009)]));
    let asked =
        ApiVersionsRequest::default().with_client_software_name(text("test")).with_client_software_version(text("1"));
    let features = client.call(4, &asked).await.finalized_features;
    let level = features.iter().find(|feature| &*feature.name == "transaction.version").unwrap();
    assert_eq!(level.max_version_level, 1);
}

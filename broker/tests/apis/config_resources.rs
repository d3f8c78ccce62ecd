//! The resources beside topics and the broker that have configs: loggers, and subscriptions to clients' metrics.
#![allow(clippy::unwrap_used)]

use crate::wire;

use brooklet::Broker;
use brooklet_protocol::messages::alter_configs_request as replacing;
use brooklet_protocol::messages::describe_configs_request::DescribeConfigsResource;
use brooklet_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use brooklet_protocol::messages::*;
use wire::{Client, text};

const BROKER_LOGGER: i8 = 8;
const CLIENT_METRICS: i8 = 16;
const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;

async fn alter(client: &mut Client, kind: i8, resource: &str, config: (&str, i8, Option<&str>)) -> i16 {
    let config = AlterableConfig::default()
        .with_name(text(config.0))
        .with_config_operation(config.1)
        .with_value(config.2.map(text));
    let resource = AlterConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(text(resource))
        .with_configs(vec![config]);
    let request = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
    client.call(1, &request).await.responses[0].error_code
}

/// The error, and each config's name with its value and where it is from.
async fn describe(client: &mut Client, kind: i8, resource: &str) -> (i16, Vec<(String, String, i8)>) {
    let resource = DescribeConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(text(resource))
        .with_configuration_keys(None);
    let answer = client.call(4, &DescribeConfigsRequest::default().with_resources(vec![resource])).await;
    let configs = answer.results[0].configs.iter().map(|config| {
        (config.name.to_string(), config.value.as_deref().unwrap_or("null").to_owned(), config.config_source)
    });
    (answer.results[0].error_code, configs.collect())
}

#[tokio::test]
async fn subscriptions_to_metrics_are_checked_shown_and_kept() {
    let dir = tempfile::tempdir().unwrap();
    let broker = Broker::builder().data_dir(dir.path()).start().await.unwrap();
    let mut client = Client::connect(broker.bootstrap_servers()).await;
    let (error, configs) = describe(&mut client, CLIENT_METRICS, "sub").await;
    let text_of = |configs: &[(String, String, i8)]| {
        let all = configs.iter().map(|(name, value, source)| format!("{name}={value} {source}"));
        all.collect::<Vec<_>>().join(", ")
    };
    assert_eq!((error, text_of(&configs)), (0, "interval.ms=300000 5, match= 5, metrics= 5".to_owned()));
    assert_eq!(describe(&mut client, CLIENT_METRICS, "").await.0, 42);
    let metrics = "org.apache.kafka.producer.,org.apache.kafka.consumer.";
    assert_eq!(alter(&mut client, CLIENT_METRICS, "sub", ("metrics", SET, Some(metrics))).await, 0);
    assert_eq!(alter(&mut client, CLIENT_METRICS, "sub", ("match", APPEND, Some("client_id=a.*"))).await, 0);
    assert_eq!(alter(&mut client, CLIENT_METRICS, "sub", ("interval.ms", SET, Some("50"))).await, 42);
    assert_eq!(alter(&mut client, CLIENT_METRICS, "sub", ("match", SET, Some("shoe_size=46"))).await, 40);
    assert_eq!(alter(&mut client, CLIENT_METRICS, "sub", ("shoe.size", SET, Some("46"))).await, 42);
    assert_eq!(alter(&mut client, CLIENT_METRICS, "", ("metrics", SET, Some("*"))).await, 42);
    broker.shutdown().await;

    let broker = Broker::builder().data_dir(dir.path()).start().await.unwrap();
    let mut client = Client::connect(broker.bootstrap_servers()).await;
    let (_, configs) = describe(&mut client, CLIENT_METRICS, "sub").await;
    assert_eq!(text_of(&configs), format!("interval.ms=300000 5, match=client_id=a.* 7, metrics={metrics} 7"));
    assert_eq!(alter(&mut client, CLIENT_METRICS, "sub", ("match", DELETE, None)).await, 0);
    let (_, configs) = describe(&mut client, CLIENT_METRICS, "sub").await;
    assert_eq!(configs[1], ("match".to_owned(), String::new(), 5));
    let all = replacing::AlterConfigsResource::default()
        .with_resource_type(CLIENT_METRICS)
        .with_resource_name(text("sub"))
        .with_configs(vec![
            replacing::AlterableConfig::default().with_name(text("interval.ms")).with_value(Some(text("500"))),
        ]);
    let replaced = client.call(2, &AlterConfigsRequest::default().with_resources(vec![all])).await;
    assert_eq!(replaced.responses[0].error_code, 0);
    let (_, configs) = describe(&mut client, CLIENT_METRICS, "sub").await;
    assert_eq!(text_of(&configs), "interval.ms=500 7, match= 5, metrics= 5");
}

#[tokio::test]
async fn loggers_have_levels_until_the_broker_stops() {
    let told = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let follower = std::sync::Arc::clone(&told);
    let builder = Broker::builder().on_log_levels(move |levels| follower.lock().unwrap().push(levels.to_owned()));
    let broker = builder.start().await.unwrap();
    let mut client = Client::connect(broker.bootstrap_servers()).await;
    let (error, configs) = describe(&mut client, BROKER_LOGGER, "1").await;
    assert_eq!(error, 0);
    assert!(configs.contains(&("root".to_owned(), "INFO".to_owned(), 6)), "{configs:?}");
    assert_eq!(describe(&mut client, BROKER_LOGGER, "").await.0, 42);
    assert_eq!(describe(&mut client, BROKER_LOGGER, "7").await.0, 42);
    assert_eq!(alter(&mut client, BROKER_LOGGER, "1", ("brooklet::groups", SET, Some("TRACE"))).await, 0);
    assert_eq!(alter(&mut client, BROKER_LOGGER, "1", ("brooklet::groups", SET, Some("LOUD"))).await, 40);
    assert_eq!(alter(&mut client, BROKER_LOGGER, "1", ("kafka.Nobody", SET, Some("INFO"))).await, 40);
    assert_eq!(alter(&mut client, BROKER_LOGGER, "1", ("root", DELETE, None)).await, 42);
    let (_, configs) = describe(&mut client, BROKER_LOGGER, "1").await;
    assert!(configs.contains(&("brooklet::groups".to_owned(), "TRACE".to_owned(), 6)), "{configs:?}");
    assert_eq!(*told.lock().unwrap(), ["brooklet::groups=trace"]);
}

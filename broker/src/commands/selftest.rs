//! Whether a cluster does what it is for: a record is written and read.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use brooklet_declare::{Admin, NewTopic};
use brooklet_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use brooklet_protocol::messages::metadata_request::MetadataRequestTopic;
use brooklet_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use brooklet_protocol::messages::{FetchRequest, MetadataRequest, ProduceRequest};
use brooklet_protocol::records::{self, BatchBuilder};
use brooklet_protocol::{ErrorCode, StrBytes};
use clap::Args;
use uuid::Uuid;

use super::{ClusterArgs, GOOD};
use crate::client::{ClientSettings, KafkaAdmin, KafkaConnection, topic_name};

/// How long a new topic may take until it has a leader.
const LEADER: Duration = Duration::from_secs(15);
const AGAIN: Duration = Duration::from_millis(50);
/// What a test's record may be decompressed to.
const LIMIT: usize = 1 << 20;

/// Which cluster.
#[derive(Debug, Args)]
pub(crate) struct SelftestArgs {
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// `brooklet selftest`.
pub(super) async fn selftest(args: SelftestArgs) -> anyhow::Result<u8> {
    let cluster = &args.cluster;
    let settings = ClientSettings::read(cluster.command_config.as_deref(), cluster.bootstrap_server.as_deref())?;
    let begun = Instant::now();
    let topic = format!("brooklet-selftest-{}", Uuid::new_v4().simple());
    let admin = KafkaAdmin::new(settings.clone());
    let new = NewTopic { name: topic.clone(), partitions: Some(1), replication_factor: None, configs: BTreeMap::new() };
    admin.create_topic(&new).await.context("a topic was not made")?;
    let outcome = write_and_read(&settings, &topic).await;
    let deleted = admin.delete_topic(&topic).await.with_context(|| format!("the topic {topic} was not deleted"));
    outcome?;
    deleted?;
    println!("a record was written and read in {} ms", begun.elapsed().as_millis());
    Ok(GOOD)
}

async fn write_and_read(settings: &ClientSettings, topic: &str) -> anyhow::Result<()> {
    let mut leader = leader(settings, topic).await?;
    let value = Uuid::new_v4().simple().to_string();
    let mut builder = BatchBuilder::new();
    builder.push(0, Some(b"selftest"), Some(value.as_bytes()), &[]);
    let data = PartitionProduceData::default().with_records(Some(builder.build()?));
    let data = TopicProduceData::default().with_name(topic_name(topic)).with_partition_data(vec![data]);
    let request = ProduceRequest::default().with_acks(-1).with_timeout_ms(15_000).with_topic_data(vec![data]);
    // Up to the versions that name topics.
    let answer = leader.call(12, &request).await.context("a record was not written")?;
    let partition = answer.responses.first().and_then(|topic| topic.partition_responses.first());
    let partition = partition.context("the broker has not answered for the topic")?;
    ensure!(partition.error_code == 0, "a record was not written: {}", name_of(partition.error_code));

    let wanted = FetchPartition::default().with_fetch_offset(partition.base_offset).with_partition_max_bytes(1 << 20);
    let wanted = FetchTopic::default().with_topic(topic_name(topic)).with_partitions(vec![wanted]);
    let request = FetchRequest::default()
        .with_max_wait_ms(5_000)
        .with_min_bytes(1)
        .with_max_bytes(1 << 20)
        .with_session_epoch(-1)
        .with_topics(vec![wanted]);
    let answer = leader.call(12, &request).await.context("the record was not read")?;
    let partition = answer.responses.first().and_then(|topic| topic.partitions.first());
    let partition = partition.context("the broker has not answered for the topic")?;
    ensure!(partition.error_code == 0, "the record was not read: {}", name_of(partition.error_code));
    let read = partition.records.clone().unwrap_or_default();
    for batch in records::batches(read) {
        for record in batch?.records(LIMIT)? {
            if record?.value.as_deref() == Some(value.as_bytes()) {
                return Ok(());
            }
        }
    }
    bail!("the record that was written is not what is read")
}

/// A connection to the leader of the topic's partition: the broker that answers, if it is the only one, since others may
/// not be reached by the names that they give.
async fn leader(settings: &ClientSettings, topic: &str) -> anyhow::Result<KafkaConnection> {
    let mut connection = KafkaConnection::bootstrap(settings).await?;
    let named = MetadataRequestTopic::default().with_name(Some(topic_name(topic)));
    let request = MetadataRequest::default().with_topics(Some(vec![named])).with_allow_auto_topic_creation(false);
    let give_up = Instant::now() + LEADER;
    loop {
        let metadata = connection.call(12, &request).await?;
        let partition = metadata.topics.first().and_then(|topic| topic.partitions.first());
        if let Some(partition) = partition.filter(|partition| partition.error_code == 0) {
            if metadata.brokers.len() == 1 {
                return Ok(connection);
            }
            let leader = metadata.brokers.iter().find(|broker| broker.node_id == partition.leader_id);
            let leader = leader.context("the partition's leader is not known")?;
            return KafkaConnection::connect(&format!("{}:{}", leader.host, leader.port), settings).await;
        }
        ensure!(Instant::now() < give_up, "the topic has no leader after {} s", LEADER.as_secs());
        tokio::time::sleep(AGAIN).await;
    }
}

fn name_of(code: i16) -> StrBytes {
    ErrorCode::from_code(code)
        .map_or_else(|| StrBytes::from_string(format!("error {code}")), |code| StrBytes::from_static_str(code.name()))
}

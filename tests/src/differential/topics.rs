//! Topics and configs.

use crate::differential::{Random, Side, Versions, shown};
use brooklet_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use brooklet_protocol::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};
use brooklet_protocol::messages::delete_topics_request::DeleteTopicState;
use brooklet_protocol::messages::describe_configs_request::DescribeConfigsResource;
use brooklet_protocol::messages::incremental_alter_configs_request as incremental;
use brooklet_protocol::messages::metadata_request::MetadataRequestTopic;
use brooklet_protocol::messages::{
    AlterConfigsRequest, BrokerId, CreatePartitionsRequest, CreateTopicsRequest, DeleteTopicsRequest,
    DescribeConfigsRequest, IncrementalAlterConfigsRequest, MetadataRequest, alter_configs_request,
};
use uuid::Uuid;

use super::step::{Step, text, topic, version};

const NAMES: [&str; 7] = ["a", "b", "c.d", "c_d", "", "bad/name", "."];
const CONFIGS: [(&str, &[Option<&str>]); 9] = [
    ("retention.ms", &[Some("1000"), Some("-1"), Some("-2"), Some("soon"), Some(""), None]),
    ("cleanup.policy", &[Some("delete"), Some("compact"), Some("compact,delete"), Some("none"), Some("shred")]),
    ("segment.bytes", &[Some("1048576"), Some("1"), Some("99999999999")]),
    ("compression.type", &[Some("zstd"), Some("producer"), Some("rar")]),
    ("min.insync.replicas", &[Some("1"), Some("0")]),
    ("message.timestamp.type", &[Some("LogAppendTime"), Some("CreateTime"), Some("Never")]),
    ("unclean.leader.election.enable", &[Some("true"), Some("maybe")]),
    ("min.cleanable.dirty.ratio", &[Some("0.25"), Some("2"), Some("half")]),
    ("no.such.config", &[Some("1"), None]),
];

/// A topic that is there from the beginning.
pub(super) fn created(name: &str, partitions: i32) -> Vec<Step> {
    let of =
        CreatableTopic::default().with_name(topic(name)).with_num_partitions(partitions).with_replication_factor(1);
    let request = CreateTopicsRequest::default().with_topics(vec![of]).with_timeout_ms(10_000);
    vec![Step::same(5, request).changing_metadata()]
}

/// One of the steps of this area.
pub(super) fn draw(random: &mut Random, versions: &Versions) -> Option<Step> {
    match random.below(12) {
        0..=2 => create(random, versions),
        3 => delete(random, versions),
        4 => grow(random, versions),
        5..=6 => metadata(random, versions),
        7 => describe(random, versions),
        8..=9 => alter(random, versions),
        10 => replace(random, versions),
        _ => metadata_by_id(random, versions),
    }
}

fn config(random: &mut Random) -> (&'static str, Option<&'static str>) {
    let (name, values) = random.of(&CONFIGS);
    (name, random.of(values))
}

fn create(random: &mut Random, versions: &Versions) -> Option<Step> {
    let version = version::<CreateTopicsRequest>(random, versions, 0)?;
    let topics = (0..=random.below(2)).map(|_| {
        let of = CreatableTopic::default().with_name(topic(random.of(&NAMES)));
        let configs = (0..random.below(3)).map(|_| {
            let (name, value) = config(random);
            CreatableTopicConfig::default().with_name(text(name)).with_value(value.map(text))
        });
        let of = of.with_configs(configs.collect());
        if random.once_in(4) {
            let of = of.with_num_partitions(random.of(&[-1, 1])).with_replication_factor(-1);
            let assignments = (0..=random.below(2)).map(|_| {
                CreatableReplicaAssignment::default().with_partition_index(random.of(&[0, 1, 2, -1])).with_broker_ids(
                    [&[][..], &[1], &[1, 1], &[2]][random.below(4)].iter().copied().map(BrokerId).collect(),
                )
            });
            return of.with_assignments(assignments.collect());
        }
        of.with_num_partitions(random.of(&[1, 2, 3, -1, 0, -2]))
            .with_replication_factor(random.of(&[1, 1, 1, -1, 0, -2]))
    });
    let mut topics: Vec<_> = topics.collect();
    // Names that collide are found in one request by the one broker, in two by the other.
    if topics.iter().any(|of| &*of.name.0 == "c.d") {
        topics.retain(|of| &*of.name.0 != "c_d");
    }
    let request = CreateTopicsRequest::default().with_topics(topics).with_timeout_ms(10_000);
    let request = request.with_validate_only(random.once_in(4));
    let name = format!("v{version} {request:?}");
    let ask = move |side: &mut Side| {
        let mut answer = side.ask(version, &request);
        if let Some(answer) = &mut answer {
            answer.topics.sort_by_key(|topic| topic.name.to_string());
            for topic in &mut answer.topics {
                topic.configs = None; // DescribeConfigs is asked for them
            }
        }
        shown(&answer)
    };
    Some(Step::by_side(name, ask).changing_metadata())
}

fn delete(random: &mut Random, versions: &Versions) -> Option<Step> {
    let version = version::<DeleteTopicsRequest>(random, versions, 0)?;
    let name = random.of(&NAMES);
    let request = DeleteTopicsRequest::default().with_timeout_ms(10_000);
    let request = if version >= 6 {
        request.with_topics(vec![DeleteTopicState::default().with_name(Some(topic(name)))])
    } else {
        request.with_topic_names(vec![topic(name)])
    };
    Some(Step::same(version, request).changing_metadata())
}

fn grow(random: &mut Random, versions: &Versions) -> Option<Step> {
    let version = version::<CreatePartitionsRequest>(random, versions, 0)?;
    let of = CreatePartitionsTopic::default().with_name(topic(random.of(&NAMES)));
    let of = of.with_count(random.of(&[1, 2, 3, 4, 5, 0, -1])).with_assignments(None);
    let request = CreatePartitionsRequest::default().with_topics(vec![of]).with_timeout_ms(10_000);
    Some(Step::same(version, request.with_validate_only(random.once_in(3))).changing_metadata())
}

fn metadata(random: &mut Random, versions: &Versions) -> Option<Step> {
    // Before version 4 whoever asks for a topic makes it.
    let version = version::<MetadataRequest>(random, versions, 4)?;
    let named = |name: &str| MetadataRequestTopic::default().with_name(Some(topic(name)));
    let topics = (0..=random.below(2)).map(|_| named(random.of(&NAMES))).collect();
    let mut request = MetadataRequest::default().with_topics(Some(topics)).with_allow_auto_topic_creation(false);
    if version >= 8 {
        request.include_topic_authorized_operations = random.once_in(2);
    }
    let name = format!("v{version} {request:?}");
    let ask = move |side: &mut Side| {
        let mut answer = side.ask(version, &request);
        if let Some(answer) = &mut answer {
            answer.topics.sort_by_key(|topic| topic.name.as_ref().map(|name| name.to_string()));
            answer.topics.iter_mut().for_each(|topic| topic.partitions.sort_by_key(|of| of.partition_index));
        }
        shown(&answer)
    };
    Some(Step::by_side(name, ask))
}

fn metadata_by_id(random: &mut Random, versions: &Versions) -> Option<Step> {
    let version = version::<MetadataRequest>(random, versions, 12)?;
    let name = random.of(&NAMES);
    let known = !random.once_in(4);
    Some(Step::by_side(format!("v{version} Metadata by the id of {name:?}, known: {known}"), move |side| {
        let id = side.topic_ids.get(name).copied().filter(|_| known).unwrap_or(Uuid::from_u128(7));
        let of = MetadataRequestTopic::default().with_topic_id(id).with_name(None);
        let request = MetadataRequest::default().with_topics(Some(vec![of])).with_allow_auto_topic_creation(false);
        shown(&side.ask(version, &request))
    }))
}

fn describe(random: &mut Random, versions: &Versions) -> Option<Step> {
    let version = version::<DescribeConfigsRequest>(random, versions, 0)?;
    let keys = (0..3).map(|_| text(random.of(&CONFIGS).0)).collect();
    let of = DescribeConfigsResource::default()
        .with_resource_type(random.of(&[2, 2, 2, 2, 3, 0]))
        .with_resource_name(text(random.of(&NAMES)))
        .with_configuration_keys(Some(keys));
    let request = DescribeConfigsRequest::default().with_resources(vec![of]);
    let request = request.with_include_synonyms(random.once_in(2));
    let name = format!("v{version} {request:?}");
    let ask = move |side: &mut Side| {
        let mut answer = side.ask(version, &request);
        for result in answer.iter_mut().flat_map(|answer| &mut answer.results) {
            result.configs.sort_by_key(|config| config.name.to_string());
        }
        shown(&answer)
    };
    Some(Step::by_side(name, ask))
}

fn alter(random: &mut Random, versions: &Versions) -> Option<Step> {
    let version = version::<IncrementalAlterConfigsRequest>(random, versions, 0)?;
    let configs = (0..=random.below(2)).map(|_| {
        let (name, value) = config(random);
        incremental::AlterableConfig::default()
            .with_name(text(name))
            .with_value(value.map(text))
            .with_config_operation(random.of(&[0, 0, 0, 1, 2, 3, 4]))
    });
    let mut configs: Vec<_> = configs.collect();
    // Of several faults Kafka names the one that its hash table has first.
    if let Some(unknown) = configs.iter().position(|config| config.config_operation == 4) {
        configs = vec![configs.swap_remove(unknown)];
    }
    let of = incremental::AlterConfigsResource::default()
        .with_resource_type(random.of(&[2, 2, 2, 2, 2, 3]))
        .with_resource_name(text(random.of(&NAMES)))
        .with_configs(configs);
    let request = IncrementalAlterConfigsRequest::default().with_resources(vec![of]);
    Some(Step::same(version, request.with_validate_only(random.once_in(4))).changing_metadata())
}

fn replace(random: &mut Random, versions: &Versions) -> Option<Step> {
    let version = version::<AlterConfigsRequest>(random, versions, 0)?;
    let configs = (0..random.below(3)).map(|_| {
        let (name, value) = config(random);
        alter_configs_request::AlterableConfig::default().with_name(text(name)).with_value(value.map(text))
    });
    let configs = configs.collect();
    let of = alter_configs_request::AlterConfigsResource::default()
        .with_resource_type(2)
        .with_resource_name(text(random.of(&NAMES)))
        .with_configs(configs);
    let request = AlterConfigsRequest::default().with_resources(vec![of]);
    Some(Step::same(version, request.with_validate_only(random.once_in(4))).changing_metadata())
}

//! How many partitions internal topics get: repartition topics as many as what is written to them comes from,
//! co-partitioned topics as many as each other, changelogs as many as their subtopology has tasks
//! (`RepartitionTopics`, `CopartitionedTopicsEnforcer`, `ChangelogTopics`).

use std::collections::{BTreeMap, BTreeSet};

use brooklet_protocol::coordinator::streams_group::Subtopology;

use super::topology::{Unfit, incorrectly_partitioned, sources};
use crate::groups::topics_image::TopicsImage;

type Counts = BTreeMap<String, i32>;

/// The partitions of all internal topics. All external sources must exist.
pub(super) fn decide_partition_counts(parts: &[Subtopology], topics: &dyn TopicsImage) -> Result<Counts, Unfit> {
    let mut decided = repartition_counts(parts, topics)?;
    for part in parts {
        for group in &part.copartition_groups {
            let external = group.source_topics.iter().filter_map(|place| part.source_topics.get(usize_of(*place)));
            let internal = group.repartition_source_topics.iter();
            let internal = internal.filter_map(|place| part.repartition_source_topics.get(usize_of(*place)));
            let names: BTreeSet<&str> =
                external.map(String::as_str).chain(internal.map(|topic| topic.name.as_str())).collect();
            let agreed = enforce(&names, parts, &decided, topics)?;
            decided.extend(agreed);
        }
    }
    for part in parts {
        let widest = sources(part).filter_map(|topic| count(topic, &decided, topics)).max();
        let widest = widest.ok_or_else(|| Unfit::Topology(format!("no source topics for subtopology {}", part.id)))?;
        decided.extend(part.state_changelog_topics.iter().map(|topic| (topic.name.clone(), widest)));
    }
    Ok(decided)
}

/// What is there counts before what has been decided.
fn count(topic: &str, decided: &Counts, topics: &dyn TopicsImage) -> Option<i32> {
    topics.by_name(topic).map(|topic| topic.partitions).or(decided.get(topic).copied())
}

fn repartition_counts(parts: &[Subtopology], topics: &dyn TopicsImage) -> Result<Counts, Unfit> {
    let fixed = parts.iter().flat_map(|part| &part.repartition_source_topics).filter(|topic| topic.partitions != 0);
    let mut counts: Counts = fixed.map(|topic| (topic.name.clone(), topic.partitions)).collect();
    loop {
        let (mut undecided, mut progress) = (false, false);
        for part in parts {
            for sink in &part.repartition_sink_topics {
                if counts.contains_key(sink) {
                    continue;
                }
                let repartitioned = part.repartition_source_topics.iter();
                let repartitioned = repartitioned.filter_map(|topic| counts.get(&topic.name).copied());
                let external =
                    part.source_topics.iter().filter_map(|topic| topics.by_name(topic)).map(|topic| topic.partitions);
                match repartitioned.chain(external).max() {
                    Some(partitions) => {
                        counts.insert(sink.clone(), partitions);
                        progress = true;
                    }
                    None => undecided = true,
                }
            }
        }
        if !undecided {
            break;
        }
        if !progress {
            let reason = "the partitions of all repartition topics cannot be told; the topology may have a loop";
            return Err(Unfit::Topology(reason.to_owned()));
        }
    }
    let sources = parts.iter().flat_map(|part| &part.repartition_source_topics);
    match sources.into_iter().find(|topic| !counts.contains_key(&topic.name)) {
        Some(topic) => Err(Unfit::Topology(format!("nothing writes to the repartition topic {}", topic.name))),
        None => Ok(counts),
    }
}

/// The partitions of the repartition topics among those that must have as many as each other.
fn enforce(
    names: &BTreeSet<&str>,
    parts: &[Subtopology],
    decided: &Counts,
    topics: &dyn TopicsImage,
) -> Result<Counts, Unfit> {
    let repartitioned = parts.iter().flat_map(|part| &part.repartition_source_topics);
    let all_fixed: BTreeSet<&str> =
        repartitioned.clone().filter(|topic| topic.partitions != 0).map(|topic| topic.name.as_str()).collect();
    let internal: BTreeSet<&str> =
        repartitioned.map(|topic| topic.name.as_str()).filter(|topic| names.contains(topic)).collect();
    let of = |topic: &str| {
        let known = count(topic, decided, topics);
        known.ok_or_else(|| Unfit::Topology(format!("the partitions of topic {topic} cannot be told")))
    };
    let counts = |topics: &mut dyn Iterator<Item = &&str>| {
        topics.map(|topic| Ok(((*topic).to_owned(), of(topic)?))).collect::<Result<Counts, Unfit>>()
    };
    let external = counts(&mut names.difference(&internal))?;
    let internal = counts(&mut internal.iter())?;
    let agreed = if !external.is_empty() {
        same(&external)?
    } else if !all_fixed.is_empty() {
        same(&counts(&mut all_fixed.iter())?)?
    } else {
        internal.values().copied().max().unwrap_or(0)
    };
    for (topic, partitions) in &internal {
        if all_fixed.contains(topic.as_str()) && *partitions != agreed {
            return Err(incorrectly_partitioned(format!(
                "Number of partitions [{partitions}] of repartition topic [{topic}] doesn't match number of partitions \
                 [{agreed}] of the source topic."
            )));
        }
    }
    Ok(internal.into_keys().map(|topic| (topic, agreed)).collect())
}

/// The count that all have.
fn same(counts: &Counts) -> Result<i32, Unfit> {
    let first = counts.values().next().copied().unwrap_or(0);
    if counts.values().all(|count| *count == first) {
        return Ok(first);
    }
    let each = counts.iter().map(|(topic, count)| format!("{topic}={count}")).collect::<Vec<_>>().join(", ");
    Err(incorrectly_partitioned(format!("Following topics do not have the same number of partitions: [{{{each}}}]")))
}

fn usize_of(place: i16) -> usize {
    usize::try_from(place).unwrap_or(usize::MAX)
}

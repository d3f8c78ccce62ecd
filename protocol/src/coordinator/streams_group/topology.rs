//! What an application does: its subtopologies with their topics.

use std::collections::BTreeMap;

use bytes::{BufMut, Bytes, BytesMut};

use super::{pairs, put_pairs, put_strings, strings};
use crate::coordinator::flexible_value::{flexible_value, new_value};
use crate::cursor::{Cursor, Malformed, put_compact_count, put_compact_string};

/// The topology of an application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopologyValue {
    /// Which of the application's topologies it is.
    pub epoch: i32,
    /// Its parts, each of which is processed on its own.
    pub subtopologies: Vec<Subtopology>,
}

/// A part of a topology, of which there is a task for each partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subtopology {
    /// Its id in the topology.
    pub id: String,
    /// Topics that it reads.
    pub source_topics: Vec<String>,
    /// Patterns of topics that it reads.
    pub source_topic_regex: Vec<String>,
    /// Changelogs of its state.
    pub state_changelog_topics: Vec<TopicInfo>,
    /// Repartition topics that it writes.
    pub repartition_sink_topics: Vec<String>,
    /// Repartition topics that it reads.
    pub repartition_source_topics: Vec<TopicInfo>,
    /// Topics that must have as many partitions as each other.
    pub copartition_groups: Vec<CopartitionGroup>,
}

/// An internal topic as the application wants it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicInfo {
    /// Its name.
    pub name: String,
    /// How many partitions it must have; 0 for as many as its sources call for.
    pub partitions: i32,
    /// Its replication factor; 0 for the broker's.
    pub replication_factor: i16,
    /// Its configs.
    pub configs: BTreeMap<String, String>,
}

/// Topics of a subtopology, by their places in its lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopartitionGroup {
    /// Places in `source_topics`.
    pub source_topics: Vec<i16>,
    /// Places in `source_topic_regex`.
    pub source_topic_regex: Vec<i16>,
    /// Places in `repartition_source_topics`.
    pub repartition_source_topics: Vec<i16>,
}

impl TopologyValue {
    /// Reads a value.
    pub fn decode(bytes: Bytes) -> Result<Self, Malformed> {
        let mut cursor = flexible_value(bytes, "topology version")?;
        let epoch = cursor.i32("topology epoch")?;
        let subtopologies = cursor.compact_array(8, "subtopologies", Subtopology::decode)?;
        cursor.no_tagged_fields()?;
        Ok(Self { epoch, subtopologies })
    }

    /// The value's bytes.
    pub fn encode(&self) -> Bytes {
        let mut out = new_value();
        out.put_i32(self.epoch);
        put_compact_count(&mut out, self.subtopologies.len());
        self.subtopologies.iter().for_each(|subtopology| subtopology.encode(&mut out));
        out.put_u8(0);
        out.freeze()
    }
}

impl Subtopology {
    fn decode(cursor: &mut Cursor) -> Result<Self, Malformed> {
        let subtopology = Self {
            id: cursor.compact_string("subtopology")?,
            source_topics: strings(cursor, "source topics")?,
            source_topic_regex: strings(cursor, "source topic patterns")?,
            state_changelog_topics: cursor.compact_array(9, "changelog topics", TopicInfo::decode)?,
            repartition_sink_topics: strings(cursor, "sink topics")?,
            repartition_source_topics: cursor.compact_array(9, "repartition topics", TopicInfo::decode)?,
            copartition_groups: cursor.compact_array(4, "copartition groups", CopartitionGroup::decode)?,
        };
        cursor.no_tagged_fields()?;
        Ok(subtopology)
    }

    fn encode(&self, out: &mut BytesMut) {
        put_compact_string(out, &self.id);
        put_strings(out, &self.source_topics);
        put_strings(out, &self.source_topic_regex);
        put_topics(out, &self.state_changelog_topics);
        put_strings(out, &self.repartition_sink_topics);
        put_topics(out, &self.repartition_source_topics);
        put_compact_count(out, self.copartition_groups.len());
        for group in &self.copartition_groups {
            for places in [&group.source_topics, &group.source_topic_regex, &group.repartition_source_topics] {
                put_compact_count(out, places.len());
                places.iter().for_each(|place| out.put_i16(*place));
            }
            out.put_u8(0);
        }
        out.put_u8(0);
    }
}

impl TopicInfo {
    fn decode(cursor: &mut Cursor) -> Result<Self, Malformed> {
        let topic = Self {
            name: cursor.compact_string("topic")?,
            partitions: cursor.i32("partitions")?,
            replication_factor: cursor.i16("replication factor")?,
            configs: pairs(cursor, "topic configs")?,
        };
        cursor.no_tagged_fields()?;
        Ok(topic)
    }
}

fn put_topics(out: &mut BytesMut, topics: &[TopicInfo]) {
    put_compact_count(out, topics.len());
    for topic in topics {
        put_compact_string(out, &topic.name);
        out.put_i32(topic.partitions);
        out.put_i16(topic.replication_factor);
        put_pairs(out, &topic.configs);
        out.put_u8(0);
    }
}

impl CopartitionGroup {
    fn decode(cursor: &mut Cursor) -> Result<Self, Malformed> {
        let places = |cursor: &mut Cursor| cursor.compact_array(2, "places", |cursor| cursor.i16("place"));
        let group = Self {
            source_topics: places(cursor)?,
            source_topic_regex: places(cursor)?,
            repartition_source_topics: places(cursor)?,
        };
        cursor.no_tagged_fields()?;
        Ok(group)
    }
}

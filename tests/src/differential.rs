//! Two brokers that are asked the same: each has a side with a connection, and what it calls topics, producers and
//! members by. Answers are compared as text, field by field, with what every broker chooses for itself masked.

mod groups;
mod logs;
mod malformed;
pub mod step;
mod topics;
mod transactions;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use brooklet_protocol::messages::metadata_response::MetadataResponseTopic;
use brooklet_protocol::messages::{ApiVersionsRequest, MetadataRequest, MetadataResponse};
use brooklet_protocol::{Request, StrBytes};
use bytes::Bytes;
use uuid::Uuid;

use crate::wire::WireClient;

/// How long metadata may take to be the same on both sides.
const SETTLE: Duration = Duration::from_secs(5);

/// Fields that a broker chooses for itself, and messages, which are each project's own.
const MASKED: [&str; 15] = [
    "batch_index_error_message",
    "topic_id",
    "producer_id",
    "host",
    "port",
    "cluster_id",
    "controller_id",
    "error_message",
    "log_append_time_ms",
    "throttle_time_ms",
    "member_id",
    "leader",
    "records",
    "session_id",
    "members",
];

/// A number generator whose every sequence can be had again by its seed (splitmix64).
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The sequence of a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }

    /// One of these.
    pub fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    /// True once in so many times.
    pub fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }
}

/// The versions of each API, by its key, that both brokers answer.
pub type Versions = BTreeMap<i16, (i16, i16)>;

/// One of the two brokers.
#[derive(Debug)]
pub struct Side {
    address: SocketAddr,
    connection: WireClient,
    /// What the broker calls a topic by its id, by the topic's name.
    pub topic_ids: BTreeMap<String, Uuid>,
    /// Producer ids and epochs, by slot.
    pub producers: BTreeMap<usize, (i64, i16)>,
    /// Ids of groups' members, by slot.
    pub members: BTreeMap<usize, StrBytes>,
}

impl Side {
    /// Connects to a broker.
    pub fn connect(bootstrap: &str) -> Self {
        let address = bootstrap.parse().unwrap();
        let connection = WireClient::connect(address).unwrap();
        Self { address, connection, topic_ids: BTreeMap::new(), producers: BTreeMap::new(), members: BTreeMap::new() }
    }

    /// The versions that it says it answers.
    pub fn versions(&mut self) -> Versions {
        let response = self.connection.call(3, &client_named(ApiVersionsRequest::default()));
        response.api_keys.iter().map(|api| (api.api_key, (api.min_version, api.max_version))).collect()
    }

    /// Asks. There is no answer when the broker closes the connection, which is then opened anew.
    pub fn ask<R: Request>(&mut self, version: i16, request: &R) -> Option<R::Response> {
        let answer = self.connection.ask(version, request);
        self.reconnect_unless(answer.is_ok());
        answer.ok()
    }

    /// Sends a frame as it is, and returns the frame that comes back, if one does.
    pub fn exchange(&mut self, frame: &[u8]) -> Option<Bytes> {
        let answer = self.connection.exchange(frame);
        self.reconnect_unless(answer.is_ok());
        answer.ok()
    }

    fn reconnect_unless(&mut self, fine: bool) {
        if !fine {
            self.connection = WireClient::connect(self.address).unwrap();
        }
    }

    /// Every topic, by name, and keeps their ids.
    fn metadata(&mut self) -> MetadataResponse {
        let request = MetadataRequest::default().with_topics(None).with_allow_auto_topic_creation(false);
        let mut response = self.connection.call(12, &request);
        response.topics.retain(|topic| !name(topic).starts_with("__"));
        response.topics.sort_by_key(name);
        self.topic_ids = response.topics.iter().map(|topic| (name(topic), topic.topic_id)).collect();
        response
    }
}

fn client_named(request: ApiVersionsRequest) -> ApiVersionsRequest {
    let text = |text: &'static str| StrBytes::from_static_str(text);
    request.with_client_software_name(text("brooklet-tests")).with_client_software_version(text("0"))
}

fn name(topic: &MetadataResponseTopic) -> String {
    topic.name.as_ref().map(|name| name.to_string()).unwrap_or_default()
}

/// Waits until both brokers know the same topics: Kafka's know of them a little after it has answered.
///
/// # Panics
/// If they never do.
pub fn settle(sides: &mut [Side; 2]) {
    let begun = Instant::now();
    loop {
        let [one, other] = sides.each_mut().map(|side| shown(&Some(side.metadata())));
        if one == other && !one.contains("error_code: 5") {
            break;
        }
        assert!(begun.elapsed() < SETTLE, "the brokers know different topics:\n{}", difference(&one, &other));
        std::thread::sleep(Duration::from_millis(20));
    }
    // A broker's logs follow its metadata.
    std::thread::sleep(Duration::from_millis(30));
}

/// An answer as text, masked.
pub fn shown<T: Debug>(answer: &Option<T>) -> String {
    let Some(answer) = answer else {
        return "the connection is closed".to_owned();
    };
    let whole = format!("{answer:#?}");
    let mut lines = whole.lines();
    let mut masked = String::new();
    while let Some(line) = lines.next() {
        let field = line.trim_start().split(':').next().unwrap_or_default();
        if !MASKED.contains(&field) {
            masked += &(line.to_owned() + "\n");
            continue;
        }
        masked += &format!("{field} (masked)\n");
        // A value of several lines ends with a bracket at the field's own depth.
        if line.ends_with(['(', '[', '{']) {
            let depth = line.len() - line.trim_start().len();
            lines.by_ref().find(|end| end.len() - end.trim_start().len() == depth);
        }
    }
    masked
}

/// The lines in which two texts differ, each with the three before it.
pub fn difference(one: &str, other: &str) -> String {
    let (one, other): (Vec<_>, Vec<_>) = (one.lines().collect(), other.lines().collect());
    let first = one.iter().zip(&other).position(|(a, b)| a != b).unwrap_or(one.len().min(other.len()));
    let part = |lines: &[&str], sign: &str| -> String {
        let from = first.saturating_sub(8);
        lines
            .iter()
            .enumerate()
            .skip(from)
            .take(14)
            .map(|(n, line)| format!("{} {line}\n", if n >= first { sign } else { " " }))
            .collect()
    };
    part(&one, "-") + "  ---\n" + &part(&other, "+")
}

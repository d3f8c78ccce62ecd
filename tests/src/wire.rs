//! The smallest client: one connection, a few requests, no time of its own.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use brooklet_protocol::messages::metadata_request::MetadataRequestTopic;
use brooklet_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use brooklet_protocol::messages::{MetadataRequest, ProduceRequest, TopicName};
use brooklet_protocol::records::BatchBuilder;
use brooklet_protocol::{Decodable, HeaderVersion, Request, StrBytes};
use bytes::{Buf, BufMut, Bytes, BytesMut};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection to a broker.
#[derive(Debug)]
pub struct WireClient {
    stream: TcpStream,
}

impl WireClient {
    /// Connects, if somebody listens.
    ///
    /// # Errors
    /// If nobody does.
    pub fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { stream })
    }

    /// Sends a request and waits for its response.
    ///
    /// # Panics
    /// If there is none, or it does not decode.
    pub fn call<R: Request>(&mut self, version: i16, request: &R) -> R::Response {
        self.ask(version, request).unwrap()
    }

    /// Sends a request and waits for its response.
    ///
    /// # Errors
    /// If the connection is closed instead.
    ///
    /// # Panics
    /// If the response does not decode.
    pub fn ask<R: Request>(&mut self, version: i16, request: &R) -> io::Result<R::Response> {
        let mut body = self.exchange(&frame(version, request))?;
        body.advance(if R::Response::header_version(version) >= 1 { 5 } else { 4 });
        Ok(R::Response::decode(&mut body, version).unwrap())
    }

    /// Sends the content of a frame, and returns that of the frame that comes back.
    ///
    /// # Errors
    /// If the connection is closed instead, or nothing comes for half a minute.
    pub fn exchange(&mut self, content: &[u8]) -> io::Result<Bytes> {
        let len = i32::try_from(content.len()).unwrap();
        self.stream.write_all(&[&len.to_be_bytes(), content].concat())?;
        let mut len = [0; 4];
        self.stream.read_exact(&mut len)?;
        let mut body = vec![0; usize::try_from(i32::from_be_bytes(len)).unwrap()];
        self.stream.read_exact(&mut body)?;
        Ok(Bytes::from(body))
    }

    /// Makes a topic by asking for its metadata, as a client that has just started does.
    pub fn auto_create(&mut self, topic: &str) {
        let response = self.call(12, &metadata_request(topic));
        assert_eq!(response.topics[0].error_code, 0);
    }

    /// Writes one record to partition 0 and waits for its acknowledgement (`acks=all`). Returns its offset.
    ///
    /// # Panics
    /// If it is refused.
    pub fn produce(&mut self, topic: &str, value: &[u8]) -> i64 {
        self.produce_to(topic, 0, value)
    }

    /// The same, to any partition.
    ///
    /// # Panics
    /// If it is refused.
    pub fn produce_to(&mut self, topic: &str, partition: i32, value: &[u8]) -> i64 {
        let response = self.call(9, &produce_request(topic, partition, value));
        let partition = &response.responses[0].partition_responses[0];
        assert_eq!(partition.error_code, 0);
        partition.base_offset
    }

    /// Makes a topic and writes its first record, as [`Self::auto_create`] and [`Self::produce`] do.
    ///
    /// # Errors
    /// If the broker cannot do it yet.
    pub fn write_first(&mut self, topic: &str) -> io::Result<()> {
        let checked = |code| if code == 0 { Ok(()) } else { Err(io::Error::other(format!("error {code}"))) };
        checked(self.ask(12, &metadata_request(topic))?.topics[0].error_code)?;
        checked(self.ask(9, &produce_request(topic, 0, b"first"))?.responses[0].partition_responses[0].error_code)
    }
}

fn metadata_request(topic: &str) -> MetadataRequest {
    let named = MetadataRequestTopic::default().with_name(Some(topic_name(topic)));
    MetadataRequest::default().with_topics(Some(vec![named])).with_allow_auto_topic_creation(true)
}

fn produce_request(topic: &str, partition: i32, value: &[u8]) -> ProduceRequest {
    let mut builder = BatchBuilder::new();
    builder.push(1_700_000_000_000, None, Some(value), &[]);
    let data = PartitionProduceData::default().with_index(partition).with_records(Some(builder.build().unwrap()));
    let topic = TopicProduceData::default().with_name(topic_name(topic)).with_partition_data(vec![data]);
    ProduceRequest::default().with_acks(-1).with_timeout_ms(1000).with_topic_data(vec![topic])
}

fn topic_name(name: &str) -> TopicName {
    TopicName(StrBytes::from_string(name.to_owned()))
}

/// A request with its header, as the content of a frame.
///
/// # Panics
/// If the version cannot carry what the request says.
pub fn frame<R: Request>(version: i16, request: &R) -> Bytes {
    let mut frame = BytesMut::new();
    frame.put_i16(R::KEY);
    frame.put_i16(version);
    frame.put_i32(1);
    frame.put_i16(-1);
    if R::header_version(version) >= 2 {
        frame.put_u8(0);
    }
    request.encode(&mut frame, version).unwrap();
    frame.freeze()
}

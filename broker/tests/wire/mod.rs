//! A client that speaks the protocol by hand: any API at any version, and bytes that no client would send.
#![allow(dead_code, reason = "each test file uses what it needs")]
#![allow(clippy::unwrap_used)]

pub(crate) mod share;
pub(crate) mod transactional;

use brooklet::Broker;
use brooklet_protocol::messages::ApiVersionsRequest;
use brooklet_protocol::{Decodable, HeaderVersion, Request, StrBytes};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    correlation_id: i32,
}

impl Client {
    pub(crate) async fn connect(address: &str) -> Self {
        Self { stream: TcpStream::connect(address).await.unwrap(), correlation_id: 0 }
    }

    /// Sends a request and reads its response; `None` if the broker closed the connection instead.
    pub(crate) async fn try_call<R: Request>(&mut self, version: i16, request: &R) -> Option<R::Response> {
        self.send(version, request).await;
        let mut body = self.receive().await?;
        assert_eq!(body.get_i32(), self.correlation_id);
        if R::Response::header_version(version) >= 1 {
            assert_eq!(body.get_u8(), 0, "no tags in the header");
        }
        let response = R::Response::decode(&mut body, version).unwrap();
        assert!(body.is_empty(), "{} bytes follow the response", body.len());
        Some(response)
    }

    pub(crate) async fn call<R: Request>(&mut self, version: i16, request: &R) -> R::Response {
        self.try_call(version, request).await.unwrap_or_else(|| panic!("API {} v{version}: connection closed", R::KEY))
    }

    pub(crate) async fn send<R: Request>(&mut self, version: i16, request: &R) {
        self.correlation_id += 1;
        let mut frame = BytesMut::new();
        frame.put_i32(0);
        frame.put_i16(R::KEY);
        frame.put_i16(version);
        frame.put_i32(self.correlation_id);
        frame.put_i16(4);
        frame.put_slice(b"test");
        if R::header_version(version) >= 2 {
            frame.put_u8(0);
        }
        request.encode(&mut frame, version).unwrap();
        let len = frame.len() as i32 - 4;
        frame[..4].copy_from_slice(&len.to_be_bytes());
        self.stream.write_all(&frame).await.unwrap();
    }

    pub(crate) async fn send_bytes(&mut self, bytes: &[u8]) {
        // A broker that has closed already is what some tests want.
        let _ = self.stream.write_all(bytes).await;
    }

    /// The next frame, or `None` at the end of the connection.
    pub(crate) async fn receive(&mut self) -> Option<Bytes> {
        let mut len = [0; 4];
        self.stream.read_exact(&mut len).await.ok()?;
        let mut body = vec![0; i32::from_be_bytes(len) as usize];
        self.stream.read_exact(&mut body).await.ok()?;
        Some(Bytes::from(body))
    }
}

/// A new broker and a client of it; or, with the address of an Apache Kafka in `KAFKA_AT`, a client of that one, so that
/// a test can be asked whether a stock broker does as it expects.
pub(crate) async fn broker_or_stock() -> (Option<Broker>, Client) {
    if let Ok(address) = std::env::var("KAFKA_AT") {
        return (None, Client::connect(&address).await);
    }
    let broker = Broker::builder().ephemeral().start().await.unwrap();
    let client = Client::connect(broker.bootstrap_servers()).await;
    (Some(broker), client)
}

/// The versions that ApiVersions names for an API and that its messages have.
pub(crate) async fn versions<R: Request>(client: &mut Client) -> std::ops::RangeInclusive<i16> {
    let all = client.call(0, &ApiVersionsRequest::default()).await;
    let range = all.api_keys.iter().find(|api| api.api_key == R::KEY).expect("the API is named");
    range.min_version.max(R::VERSIONS.min)..=range.max_version
}

pub(crate) fn text(value: &str) -> StrBytes {
    StrBytes::from_string(value.to_owned())
}

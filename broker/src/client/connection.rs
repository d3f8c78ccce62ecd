//! A connection to one broker: requests and their answers, one at a time.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use anyhow::{Context, bail, ensure};
use brooklet_protocol::messages::{ApiVersionsRequest, SaslAuthenticateRequest, SaslHandshakeRequest, TopicName};
use brooklet_protocol::{Decodable, ErrorCode, HeaderVersion, Request, StrBytes};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::sasl::{self, Mechanism, Scram};
use super::settings::ClientSettings;
use super::transport::{self, Transport};

/// What an answer may be long.
const LARGEST_ANSWER: usize = 64 << 20;
/// How a server begins that has been told something else than TLS: an alert, of a major version 3.
const TLS_ALERT: i32 = 0x1503;
const CLIENT_ID: &str = "brooklet";

/// A connection that is ready for requests.
pub(crate) struct KafkaConnection {
    stream: Box<dyn Transport>,
    settings: ClientSettings,
    correlation_id: i32,
    /// The versions that the broker knows of each API.
    versions: BTreeMap<i16, RangeInclusive<i16>>,
}

impl KafkaConnection {
    /// Connects to the first of the bootstrap servers that answers.
    pub(crate) async fn bootstrap(settings: &ClientSettings) -> anyhow::Result<Self> {
        let mut last = None;
        for address in &settings.bootstrap {
            match Self::connect(address, settings).await {
                Ok(connection) => return Ok(connection),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| anyhow::anyhow!("there is no bootstrap server")))
    }

    /// Connects to the broker at `host:port`, and says who one is.
    pub(crate) async fn connect(address: &str, settings: &ClientSettings) -> anyhow::Result<Self> {
        let (host, port) = host_and_port(address)?;
        let connecting = transport::connect(&host, port, settings.tls.as_ref());
        let stream =
            timeout(settings.patience, connecting).await.with_context(|| format!("{address}: no answer"))??;
        let mut connection = Self { stream, settings: settings.clone(), correlation_id: 0, versions: BTreeMap::new() };
        connection.greet().await.with_context(|| address.to_owned())?;
        Ok(connection)
    }

    async fn greet(&mut self) -> anyhow::Result<()> {
        let known = self.call_as(0, &ApiVersionsRequest::default()).await?;
        check(known.error_code, None)?;
        self.versions = known.api_keys.iter().map(|api| (api.api_key, api.min_version..=api.max_version)).collect();
        if self.settings.sasl.is_some() {
            self.authenticate().await?;
        }
        Ok(())
    }

    async fn authenticate(&mut self) -> anyhow::Result<()> {
        let Some(credentials) = self.settings.sasl.clone() else {
            return Ok(());
        };
        let name = StrBytes::from_static_str(credentials.mechanism.name());
        let handshake = self.call_as(1, &SaslHandshakeRequest::default().with_mechanism(name)).await?;
        if handshake.error_code != 0 {
            let offered: Vec<&str> = handshake.mechanisms.iter().map(StrBytes::as_str).collect();
            bail!("{} is not accepted, only {}", credentials.mechanism.name(), offered.join(", "));
        }
        if credentials.mechanism == Mechanism::Plain {
            self.exchange_token(sasl::plain(&credentials)).await?;
            return Ok(());
        }
        let mut scram = Scram::new(&credentials, uuid::Uuid::new_v4().simple().to_string());
        let first = self.exchange_token(scram.first().into_bytes()).await?;
        let answer = scram.answer(std::str::from_utf8(&first)?)?;
        let last = self.exchange_token(answer.into_bytes()).await?;
        scram.verify(std::str::from_utf8(&last)?)
    }

    async fn exchange_token(&mut self, token: Vec<u8>) -> anyhow::Result<Bytes> {
        let request = SaslAuthenticateRequest::default().with_auth_bytes(token.into());
        let answer = self.call_as(1, &request).await?;
        check(answer.error_code, answer.error_message.as_ref())?;
        Ok(answer.auth_bytes)
    }

    /// Sends a request in the highest version that both know, up to `max`, and waits for its answer.
    pub(crate) async fn call<R: Request>(&mut self, max: i16, request: &R) -> anyhow::Result<R::Response> {
        let known = self.versions.get(&R::KEY).with_context(|| format!("the broker knows no API {}", R::KEY))?;
        let version = max.min(*known.end()).min(R::VERSIONS.max);
        let least = R::VERSIONS.min.max(*known.start());
        ensure!(version >= least, "the broker knows API {} only from version {}", R::KEY, known.start());
        self.call_as(version, request).await
    }

    async fn call_as<R: Request>(&mut self, version: i16, request: &R) -> anyhow::Result<R::Response> {
        let patience = self.settings.patience;
        let exchanged = timeout(patience, self.exchange(version, request)).await;
        exchanged.with_context(|| format!("no answer within {} s", patience.as_secs_f32()))?
    }

    async fn exchange<R: Request>(&mut self, version: i16, request: &R) -> anyhow::Result<R::Response> {
        self.correlation_id += 1;
        let frame = encode(version, self.correlation_id, request)?;
        self.stream.write_all(&frame).await?;
        self.stream.flush().await?;
        let length = self.stream.read_i32().await.context("the broker has closed the connection")?;
        ensure!(length >> 16 != TLS_ALERT, "the broker wants encryption: security.protocol is to be SSL or SASL_SSL");
        let length = usize::try_from(length).ok().filter(|length| (4..=LARGEST_ANSWER).contains(length));
        let length = length.context("the answer has no length that an answer has: is this a Kafka broker?")?;
        let mut body = BytesMut::zeroed(length);
        self.stream.read_exact(&mut body).await?;
        let mut body = body.freeze();
        ensure!(body.get_i32() == self.correlation_id, "the answer is to another request");
        if R::Response::header_version(version) >= 1 {
            ensure!(body.has_remaining(), "the answer has no header");
            body.advance(1);
        }
        R::Response::decode(&mut body, version)
    }
}

fn encode<R: Request>(version: i16, correlation_id: i32, request: &R) -> anyhow::Result<BytesMut> {
    let mut frame = BytesMut::new();
    frame.put_i32(0);
    frame.put_i16(R::KEY);
    frame.put_i16(version);
    frame.put_i32(correlation_id);
    frame.put_i16(i16::try_from(CLIENT_ID.len())?);
    frame.put_slice(CLIENT_ID.as_bytes());
    if R::header_version(version) >= 2 {
        frame.put_u8(0);
    }
    request.encode(&mut frame, version)?;
    let length = i32::try_from(frame.len() - 4)?;
    frame[..4].copy_from_slice(&length.to_be_bytes());
    Ok(frame)
}

/// An error code with its message, unless it is none.
pub(super) fn check(code: i16, message: Option<&StrBytes>) -> anyhow::Result<()> {
    if code == 0 {
        return Ok(());
    }
    bail!(describe(code, message))
}

/// What the broker says, or what its code means.
pub(super) fn describe(code: i16, message: Option<&StrBytes>) -> String {
    let known = ErrorCode::from_code(code);
    match (message.filter(|message| !message.is_empty()), known) {
        (Some(message), _) => message.to_string(),
        (None, Some(known)) => format!("{} ({})", known.message(), known.name()),
        (None, None) => format!("error {code}"),
    }
}

/// A topic's name as messages have it.
pub(crate) fn topic_name(name: &str) -> TopicName {
    TopicName(StrBytes::from_string(name.to_owned()))
}

fn host_and_port(address: &str) -> anyhow::Result<(String, u16)> {
    let parsed = address.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
    let (host, port) = parsed.with_context(|| format!("{address} is not HOST:PORT"))?;
    Ok((host.trim_start_matches('[').trim_end_matches(']').to_owned(), port))
}

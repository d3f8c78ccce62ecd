//! A request over HTTP and its answer.

use std::time::Duration;

use anyhow::{Context, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::Request;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper_util::rt::TokioIo;
use tokio::time::timeout;

use super::settings::TlsSettings;
use super::transport;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long an answer may be.
const LARGEST_ANSWER: usize = 16 << 20;

/// Where a server is.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Url {
    encrypted: bool,
    host: String,
    port: u16,
    /// Without a slash at its end.
    path: String,
    /// `user:password`.
    user_info: Option<String>,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) body: Bytes,
}

impl Url {
    /// Reads `http://host:port/path` or `https://user:password@host`.
    pub(crate) fn parse(text: &str) -> anyhow::Result<Self> {
        let not_one = || "not a URL as http://HOST:PORT".to_owned();
        let (encrypted, rest) = match (text.strip_prefix("http://"), text.strip_prefix("https://")) {
            (Some(rest), _) => (false, rest),
            (_, Some(rest)) => (true, rest),
            (None, None) => anyhow::bail!(not_one()),
        };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (user_info, address) = match authority.rsplit_once('@') {
            Some((user_info, address)) => (Some(user_info.to_owned()), address),
            None => (None, authority),
        };
        let default_port = if encrypted { 443 } else { 80 };
        let (host, port) = match address.rsplit_once(':').filter(|(_, port)| !port.ends_with(']')) {
            Some((host, port)) => (host, port.parse().ok().with_context(not_one)?),
            None => (address, default_port),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        ensure!(!host.is_empty(), not_one());
        Ok(Self { encrypted, host, port, path: path.trim_end_matches('/').to_owned(), user_info })
    }

    /// A place below this one.
    pub(crate) fn below(&self, path: &str) -> Self {
        Self { path: format!("{}{path}", self.path), ..self.clone() }
    }
}

/// Without who one is.
impl std::fmt::Debug for Url {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

impl std::fmt::Display for Url {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scheme = if self.encrypted { "https" } else { "http" };
        write!(f, "{scheme}://{}:{}{}", self.host, self.port, self.path)
    }
}

/// Asks a server, with a body in JSON if there is one.
pub(crate) async fn request(method: &str, url: &Url, body: Option<String>) -> anyhow::Result<Response> {
    let asked = timeout(PATIENCE, exchange(method, url, body)).await;
    asked.with_context(|| format!("{url}: no answer within {} s", PATIENCE.as_secs()))?.with_context(|| url.to_string())
}

async fn exchange(method: &str, url: &Url, body: Option<String>) -> anyhow::Result<Response> {
    let tls = TlsSettings::default();
    let stream = transport::connect(&url.host, url.port, url.encrypted.then_some(&tls)).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let path = if url.path.is_empty() { "/" } else { &url.path };
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header(HOST, format!("{}:{}", url.host, url.port))
        .header(ACCEPT, "application/json");
    if body.is_some() {
        request = request.header(CONTENT_TYPE, "application/json");
    }
    if let Some(user_info) = &url.user_info {
        request = request.header(AUTHORIZATION, format!("Basic {}", BASE64.encode(user_info)));
    }
    let request = request.body(Full::new(Bytes::from(body.unwrap_or_default())))?;
    let answering = async {
        let response = sender.send_request(request).await?;
        let status = response.status().as_u16();
        let body = Limited::new(response.into_body(), LARGEST_ANSWER).collect().await;
        let body = body.map_err(|error| anyhow::anyhow!(error))?.to_bytes();
        Ok(Response { status, body })
    };
    tokio::pin!(answering);
    tokio::select! {
        answer = &mut answering => answer,
        // What was read before the end may be all of the answer.
        _ = connection => answering.await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read_and_shown_without_who_one_is() {
        for (text, shown) in [
            ("http://127.0.0.1:8083", "http://127.0.0.1:8083"),
            ("http://connect/", "http://connect:80"),
            ("https://me:secret@connect.example/v1/", "https://connect.example:443/v1"),
            ("http://[::1]:8083", "http://::1:8083"),
        ] {
            assert_eq!(format!("{:?}", Url::parse(text).unwrap()), shown);
        }
        for text in ["", "connect:8083", "ftp://x", "http://", "http://x:y"] {
            assert!(Url::parse(text).is_err(), "{text}");
        }
    }
}

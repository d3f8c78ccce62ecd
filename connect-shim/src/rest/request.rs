//! A request taken apart.

use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode, header};

use super::error::Refusal;
use super::json_body::Node;

/// The largest body that is read: far above any config.
const LARGEST_BODY: usize = 4 * 1024 * 1024;

/// A request.
#[derive(Debug)]
pub(super) struct ConnectRequest {
    pub(super) method: Method,
    /// The parts of the path, decoded.
    pub(super) path: Vec<String>,
    /// The parameters of the query, decoded, in order.
    query: Vec<(String, String)>,
    pub(super) headers: HeaderMap,
    body: Bytes,
}

impl ConnectRequest {
    pub(super) async fn read(request: Request<Body>) -> Result<Self, Refusal> {
        let (parts, body) = request.into_parts();
        let raw = parts.uri.path();
        let lower = raw.to_ascii_lowercase();
        if lower.contains("%2f") || lower.contains("%5c") {
            return Err(Refusal::AmbiguousPath);
        }
        let path = raw.split('/').filter(|part| !part.is_empty()).map(|part| decode(part, false)).collect();
        let pairs = parts.uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
        let pair = |pair: &str| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name, true), decode(value, true))
        };
        let query = pairs.map(pair).collect();
        let body = to_bytes(body, LARGEST_BODY).await;
        let body = body.map_err(|_| Refusal::Framework(StatusCode::PAYLOAD_TOO_LARGE))?;
        Ok(Self { method: parts.method, path, query, headers: parts.headers, body })
    }

    /// Whether JSON is an answer that the client takes.
    pub(super) fn accepts_json(&self) -> bool {
        let mut accepted = self.headers.get_all(header::ACCEPT).iter().peekable();
        if accepted.peek().is_none() {
            return true;
        }
        let takes = |value: &str| {
            value.split(',').any(|one| {
                let kind = one.split(';').next().unwrap_or_default().trim();
                matches!(kind, "*/*" | "application/*" | "application/json")
            })
        };
        accepted.any(|value| value.to_str().is_ok_and(takes))
    }

    /// The values of a parameter of the query.
    pub(super) fn parameters<'r>(&'r self, name: &'r str) -> impl Iterator<Item = &'r str> {
        self.query.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Whether a parameter is there and says `true`; anything else is false, as Java's `Boolean` has it.
    pub(super) fn flag(&self, name: &str) -> Option<bool> {
        self.parameters(name).next().map(|value| value.eq_ignore_ascii_case("true"))
    }

    /// The body, which must be said to be JSON; `None` if there is none.
    pub(super) fn json(&self) -> Result<Option<Node>, Refusal> {
        let kind = self.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("application/json") {
            return Err(Refusal::Framework(StatusCode::UNSUPPORTED_MEDIA_TYPE));
        }
        Node::parse(&self.body).map_err(Refusal::failed)
    }
}

/// Undoes percent-encoding. What is no UTF-8 is shown with replacement characters.
fn decode(text: &str, plus_is_space: bool) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let hex = bytes.get(at + 1..at + 3).and_then(|digits| std::str::from_utf8(digits).ok());
        match (byte, hex.and_then(|digits| u8::from_str_radix(digits, 16).ok())) {
            (b'%', Some(decoded)) => {
                out.push(decoded);
                at += 2;
            }
            (b'+', _) if plus_is_space => out.push(b' '),
            _ => out.push(*byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// A name as it stands in a path (`UriBuilder.path`).
pub(super) fn encode_path(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/".contains(&byte);
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if plain(byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

//! Response frames, ready for a vectored write.

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::protocol::{Encodable, Request};

/// A response that the encoder refused: a string beyond 32,767 bytes, a count beyond 31 bits.
#[derive(Debug, thiserror::Error)]
#[error("response does not encode: {0}")]
pub struct EncodeError(String);

/// A response on its way out: a frame in parts, of which record batches are shared with the log, not copied.
#[derive(Debug, Default, Clone)]
pub struct ResponseFrame {
    parts: Vec<Bytes>,
}

impl ResponseFrame {
    /// Encodes `response` to a request of type `R` at `version`, with its length and header.
    pub fn encode<R: Request>(correlation_id: i32, version: i16, response: &R::Response) -> Result<Self, EncodeError> {
        let mut out = BytesMut::with_capacity(256);
        put_header::<R>(&mut out, correlation_id, version);
        response.encode(&mut out, version).map_err(|error| EncodeError(format!("{error:#}")))?;
        Self::new(out, Vec::new())
    }

    /// Makes a frame of a head that begins as [`put_header`] left it, and of what follows it.
    pub(crate) fn new(mut head: BytesMut, rest: Vec<Bytes>) -> Result<Self, EncodeError> {
        let total = head.len() + rest.iter().map(Bytes::len).sum::<usize>();
        let length = i32::try_from(total - 4).map_err(|_| EncodeError(format!("{total} bytes in one frame")))?;
        head[..4].copy_from_slice(&length.to_be_bytes());
        let mut parts = rest;
        parts.insert(0, head.freeze());
        Ok(Self { parts })
    }

    /// The bytes on the wire, length included.
    pub fn len(&self) -> usize {
        self.parts.iter().map(Bytes::len).sum()
    }

    /// Whether nothing is to be sent.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// The parts in order.
    pub fn into_parts(self) -> Vec<Bytes> {
        self.parts
    }
}

/// Four bytes for the length, then the response header that goes with `R` at `version`.
pub(crate) fn put_header<R: Request>(out: &mut BytesMut, correlation_id: i32, version: i16) {
    use kafka_protocol::protocol::HeaderVersion;
    out.put_i32(0);
    out.put_i32(correlation_id);
    // ApiVersions keeps header version 0 for ever, so that a client can read it before it knows anything.
    if R::Response::header_version(version) >= 1 {
        out.put_u8(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kafka_protocol::messages::{ApiVersionsRequest, HeartbeatRequest, HeartbeatResponse};

    #[test]
    fn headers_follow_the_version_and_api_versions_never_gets_tags() {
        let plain = ResponseFrame::encode::<HeartbeatRequest>(7, 3, &HeartbeatResponse::default()).unwrap();
        assert_eq!(plain.into_parts()[0][..], [0, 0, 0, 10, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0]);
        let flexible = ResponseFrame::encode::<HeartbeatRequest>(7, 4, &HeartbeatResponse::default()).unwrap();
        assert_eq!(flexible.into_parts()[0][..], [0, 0, 0, 12, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0]);
        let mut out = BytesMut::new();
        put_header::<ApiVersionsRequest>(&mut out, 1, 4);
        assert_eq!(out.len(), 8);
    }
}

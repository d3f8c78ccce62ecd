//! Request headers and typed request bodies.

use bytes::Bytes;
use kafka_protocol::protocol::{Request, StrBytes};

use crate::cursor::{Cursor, Malformed};
use crate::preflight::{self, PreflightError};

/// The header that precedes every request body (Kafka's `RequestHeader.json`, versions 1 and 2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestHeader {
    /// Which API is called.
    pub api_key: i16,
    /// The version of the body.
    pub api_version: i16,
    /// Returned with the response, so that the client can match the two.
    pub correlation_id: i32,
    /// What the client calls itself, if it does.
    pub client_id: Option<StrBytes>,
}

/// Why a request could not be read. The connection is closed, as Apache Kafka does.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// The header is cut short or its client id is no string.
    #[error("request header: {0}")]
    Header(#[from] Malformed),
    /// The body's structure is impossible within the frame.
    #[error("request body: {0}")]
    Structure(#[from] PreflightError),
    /// The body does not decode.
    #[error("request body: {0}")]
    Body(String),
}

impl RequestHeader {
    /// Splits a frame into its header and body.
    ///
    /// `flexible` tells whether the API has tagged fields at this version (KIP-482), which makes the header
    /// one of version 2. For an unknown API or version, pass `false`: the first three fields stand alike in both.
    pub fn parse(
        frame: Bytes,
        flexible: impl FnOnce(i16, i16) -> bool,
    ) -> Result<(RequestHeader, Bytes), RequestError> {
        let mut cursor = Cursor::new(frame);
        let api_key = cursor.i16("api key")?;
        let api_version = cursor.i16("api version")?;
        let correlation_id = cursor.i32("correlation id")?;
        // Kafka takes any negative length for no client id.
        let client_id = match usize::try_from(cursor.i16("client id")?) {
            Err(_) => None,
            Ok(len) => {
                let bytes = cursor.take(len, "client id")?;
                Some(StrBytes::from_utf8(bytes).map_err(|_| Malformed("client id"))?)
            }
        };
        if flexible(api_key, api_version) {
            let tags = cursor.unsigned_varint("header tags")?;
            for _ in 0..tags {
                cursor.unsigned_varint("header tag")?;
                let len = cursor.unsigned_varint("header tag size")?;
                cursor.take(len as usize, "header tag value")?;
            }
        }
        let body = cursor.take(cursor.remaining(), "body")?;
        Ok((RequestHeader { api_key, api_version, correlation_id, client_id }, body))
    }
}

/// Whether `R` has tagged fields, and with them a header of version 2, at `version`.
pub fn is_flexible<R: Request>(version: i16) -> bool {
    R::header_version(version) >= 2
}

/// Decodes a request body whose structure has been checked against what remains of the frame first, so that no
/// count in it makes the decoder reserve more than the frame could hold.
///
/// Bytes after the body are ignored, as a stock broker ignores them.
pub fn decode_body<R: Request>(mut body: Bytes, version: i16) -> Result<R, RequestError> {
    preflight::check(R::KEY, version, &body)?;
    R::decode(&mut body, version).map_err(|error| RequestError::Body(format!("{error:#}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::{BufMut, BytesMut};
    use kafka_protocol::messages::{MetadataRequest, ProduceRequest};
    use proptest::prelude::*;

    fn frame(client: Option<&str>, tags: &[u8], body: &[u8]) -> Bytes {
        let mut out = BytesMut::new();
        out.put_i16(3);
        out.put_i16(12);
        out.put_i32(77);
        crate::cursor::put_nullable_string(&mut out, client);
        out.put_slice(tags);
        out.put_slice(body);
        out.freeze()
    }

    #[test]
    fn both_headers_are_read_and_the_body_is_what_follows() {
        let (header, body) = RequestHeader::parse(frame(Some("me"), &[], b"rest"), |_, _| false).unwrap();
        assert_eq!((header.api_key, header.api_version, header.correlation_id), (3, 12, 77));
        assert_eq!(header.client_id.as_deref(), Some("me"));
        assert_eq!(&body[..], b"rest");

        let odd = Bytes::from_static(b"\0\x03\0\x0c\0\0\0\x4d\xff\xfe");
        assert_eq!(RequestHeader::parse(odd, |_, _| false).unwrap().0.client_id, None);

        let tagged = frame(None, &[1, 5, 2, 0xaa, 0xbb], b"rest");
        let (header, body) = RequestHeader::parse(tagged, |key, version| (key, version) == (3, 12)).unwrap();
        assert_eq!(header.client_id, None);
        assert_eq!(&body[..], b"rest");
    }

    #[test]
    fn flexibility_is_the_messages_own() {
        assert!(!is_flexible::<MetadataRequest>(8));
        assert!(is_flexible::<MetadataRequest>(9));
        assert!(!is_flexible::<ProduceRequest>(8));
        assert!(is_flexible::<ProduceRequest>(9));
    }

    proptest! {
        #[test]
        fn arbitrary_headers_never_panic(bytes: Vec<u8>, flexible: bool) {
            let _ = RequestHeader::parse(Bytes::from(bytes), |_, _| flexible);
        }
    }
}

//! What members of classic consumer groups tell each other through the coordinator
//! (`ConsumerProtocolSubscription.json`): the broker looks inside only to know what a group subscribes to.

use bytes::Bytes;

use crate::cursor::{Cursor, Malformed};

/// The protocol type of consumer groups.
pub const PROTOCOL_TYPE: &str = "consumer";

/// The topics in a member's subscription, of any version.
pub fn subscribed_topics(subscription: Bytes) -> Result<Vec<String>, Malformed> {
    let mut cursor = Cursor::new(subscription);
    if cursor.i16("subscription version")? < 0 {
        return Err(Malformed("subscription version"));
    }
    let count = cursor.count(2, "topics")?;
    (0..count).map(|_| cursor.string("topic")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::BytesMut;
    use kafka_protocol::messages::ConsumerProtocolSubscription;
    use kafka_protocol::protocol::{Encodable, StrBytes};
    use proptest::prelude::*;

    #[test]
    fn topics_are_read_from_every_version() {
        for version in 0..=3i16 {
            let message = ConsumerProtocolSubscription::default()
                .with_topics(vec![StrBytes::from_static_str("a"), StrBytes::from_static_str("bc")]);
            let mut out = BytesMut::from(&version.to_be_bytes()[..]);
            message.encode(&mut out, version).unwrap();
            assert_eq!(subscribed_topics(out.freeze()).unwrap(), ["a", "bc"]);
        }
    }

    proptest! {
        #[test]
        fn arbitrary_subscriptions_never_panic(bytes: Vec<u8>) {
            let _ = subscribed_topics(Bytes::from(bytes));
        }
    }
}

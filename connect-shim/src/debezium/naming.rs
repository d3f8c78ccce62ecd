//! Names of topics and of schemas.

use super::relational::TableId;

/// The longest name that a topic may have.
const MAX_TOPIC_NAME: usize = 249;

/// How topics are called (`topic.naming.strategy` and what goes with it).
#[derive(Debug, Clone)]
pub(crate) struct TopicNaming {
    /// What all names begin with (`topic.prefix`).
    pub(crate) prefix: String,
    /// What stands between a name's parts (`topic.delimiter`).
    pub(crate) delimiter: String,
    /// What the heartbeats' topic begins with (`topic.heartbeat.prefix`, `heartbeat.topics.prefix`).
    pub(crate) heartbeat_prefix: String,
    /// The whole name of the heartbeats' topic, if it is given (`topic.heartbeat.name`).
    pub(crate) heartbeat_name: Option<String>,
    /// What the transactions' topic ends with (`topic.transaction`).
    pub(crate) transaction: String,
}

impl TopicNaming {
    /// Where a table's changes go. It is also what the table's schemas are called.
    pub(crate) fn data_change(&self, table: &TableId) -> String {
        let parts = [&*self.prefix, &*table.schema, &*table.table];
        let parts: Vec<&str> = parts.into_iter().filter(|part| !part.trim().is_empty()).collect();
        sanitize(&parts.join(&self.delimiter))
    }

    /// Where heartbeats go.
    pub(crate) fn heartbeat(&self) -> String {
        match &self.heartbeat_name {
            Some(name) => name.clone(),
            None => format!("{}{}{}", self.heartbeat_prefix, self.delimiter, self.prefix),
        }
    }

    /// Where it is told which transactions there were.
    pub(crate) fn transaction(&self) -> String {
        format!("{}{}{}", self.prefix, self.delimiter, self.transaction)
    }

    /// Where logical messages go.
    pub(crate) fn logical_message(&self) -> String {
        format!("{}.message", self.prefix)
    }
}

/// A name that a topic may have: what is not allowed in one becomes an underscore.
fn sanitize(name: &str) -> String {
    let allowed =
        |unit: u16| u8::try_from(unit).ok().filter(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(byte));
    // Java counts in UTF-16: a character beyond 16 bits becomes two underscores.
    let sanitized: String =
        name.encode_utf16().take(MAX_TOPIC_NAME).map(|unit| allowed(unit).map_or('_', char::from)).collect();
    match sanitized.as_str() {
        "." => "_".to_owned(),
        ".." => "__".to_owned(),
        _ => sanitized,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn naming() -> TopicNaming {
        TopicNaming {
            prefix: "shop".into(),
            delimiter: ".".into(),
            heartbeat_prefix: "__debezium-heartbeat".into(),
            heartbeat_name: None,
            transaction: "transaction".into(),
        }
    }

    #[test]
    fn topics_are_named_after_their_tables() {
        assert_eq!(naming().data_change(&TableId::new("public", "orders")), "shop.public.orders");
        assert_eq!(naming().data_change(&TableId::new("žluť", "k ň")), "shop._lu_.k__");
        assert_eq!(naming().heartbeat(), "__debezium-heartbeat.shop");
        assert_eq!(naming().transaction(), "shop.transaction");
    }
}

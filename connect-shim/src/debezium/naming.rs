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

/// How names of schemas, or of fields, are made to fit Avro (`schema.name.adjustment.mode`, `field.name.adjustment.mode`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum NameAdjustment {
    /// Not at all.
    #[default]
    None,
    /// What is not allowed becomes an underscore.
    Avro,
    /// What is not allowed, and the underscore, becomes its number.
    AvroUnicode,
}

impl NameAdjustment {
    /// A schema's name, whose parts points separate.
    pub(crate) fn schema(self, name: &str) -> String {
        self.adjust(name, true)
    }

    /// A field's name.
    pub(crate) fn field(self, name: &str) -> String {
        self.adjust(name, false)
    }

    fn adjust(self, name: &str, points: bool) -> String {
        if self == Self::None {
            return name.to_owned();
        }
        let mut out = String::with_capacity(name.len());
        for (index, unit) in name.encode_utf16().enumerate() {
            let character = char::from_u32(u32::from(unit)).unwrap_or(char::REPLACEMENT_CHARACTER);
            let letter = character.is_ascii_alphabetic() || (character == '_' && self == Self::Avro);
            let later = character.is_ascii_digit() || (points && character == '.');
            if letter || (index > 0 && later) {
                out.push(character);
                continue;
            }
            match self {
                Self::AvroUnicode => out.push_str(&format!("_u{unit:04x}")),
                Self::Avro | Self::None => {
                    out.push('_');
                    if index == 0 && character.is_ascii_digit() {
                        out.push(character);
                    }
                }
            }
        }
        out
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

    #[test]
    fn names_fit_avro() {
        assert_eq!(NameAdjustment::Avro.schema("1-a.b c"), "_1_a.b_c");
        assert_eq!(NameAdjustment::Avro.field("a.b"), "a_b");
        assert_eq!(NameAdjustment::AvroUnicode.field("a_ž"), "a_u005f_u017e");
        assert_eq!(NameAdjustment::None.field("a b"), "a b");
    }
}

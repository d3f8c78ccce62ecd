//! Names of topics and of schemas (`topic.naming.strategy`).

use std::sync::Arc;

use super::name_adjustment::unicode_escape;
use super::relational::TableId;
use crate::java::regex::JavaRegex;

/// The longest name that a topic may have.
const MAX_TOPIC_NAME: usize = 249;

/// How topics are called (`topic.naming.strategy` and what goes with it).
#[derive(Debug, Clone)]
pub(crate) struct TopicNaming {
    /// How a table's topic is named after it.
    pub(crate) strategy: NamingStrategy,
    /// What all names begin with (`topic.prefix`).
    pub(crate) prefix: String,
    /// What stands between a name's parts (`topic.delimiter`).
    pub(crate) delimiter: String,
    /// What the heartbeats' topic begins with (`topic.heartbeat.prefix`).
    pub(crate) heartbeat_prefix: String,
    /// The whole name of the heartbeats' topic, if it is given (`topic.heartbeat.name`).
    pub(crate) heartbeat_name: Option<String>,
    /// What the transactions' topic ends with (`topic.transaction`).
    pub(crate) transaction: String,
}

/// Debezium's own strategies: `io.debezium.schema.(Default|Schema)(Unicode|Regex|)TopicNamingStrategy`.
#[derive(Debug, Clone, Default)]
pub(crate) struct NamingStrategy {
    /// Whether the table's schema is left out of the name (`Default…`).
    pub(crate) without_schema: bool,
    /// Whether what a topic's name may not have, and the underscore, becomes its number (`…Unicode…`).
    pub(crate) unicode: bool,
    /// What renames topics (`…Regex…`).
    pub(crate) rule: Option<Arc<RenamingRule>>,
}

/// Gives tables a common topic (`AbstractRegexTopicNamingStrategy`).
#[derive(Debug)]
pub(crate) struct RenamingRule {
    /// Which topics are renamed (`topic.regex`).
    pub(crate) regex: JavaRegex,
    /// Their new names (`topic.replacement`).
    pub(crate) replacement: String,
    /// The field that tells in keys which table a row is of; `None` leaves keys as they are
    /// (`topic.key.enforce.uniqueness`, `topic.key.field.name`).
    pub(crate) key_field: Option<Arc<str>>,
    /// What that field holds, if it is not the topic's first name (`topic.key.field.regex`, `topic.key.field.replacement`).
    pub(crate) key_rule: Option<(JavaRegex, String)>,
}

impl TopicNaming {
    /// Where a table's changes go. It is also what the table's schemas are called.
    pub(crate) fn data_change(&self, table: &TableId) -> String {
        let name = self.sanitize(&self.origin(table));
        match &self.strategy.rule {
            Some(rule) => renamed(&rule.regex, &rule.replacement, &name).filter(|new| !new.is_empty()).unwrap_or(name),
            None => name,
        }
    }

    /// The field that keys have besides their columns, and what it holds for a table.
    pub(crate) fn key_field(&self, table: &TableId) -> Option<(Arc<str>, String)> {
        let rule = self.strategy.rule.as_ref()?;
        let name = rule.key_field.clone()?;
        let origin = self.origin(table);
        let short = rule.key_rule.as_ref().and_then(|(regex, replacement)| renamed(regex, replacement, &origin));
        Some((name, short.unwrap_or(origin)))
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

    fn origin(&self, table: &TableId) -> String {
        let schema = if self.strategy.without_schema { "" } else { &*table.schema };
        let parts = [&*self.prefix, schema, &*table.table];
        let parts: Vec<&str> = parts.into_iter().filter(|part| !part.trim().is_empty()).collect();
        parts.join(&self.delimiter)
    }

    /// A name that a topic may have: what is not allowed in one is replaced.
    fn sanitize(&self, name: &str) -> String {
        let unicode = self.strategy.unicode;
        let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b".-".contains(byte) || (*byte == b'_' && !unicode);
        let mut sanitized = String::with_capacity(name.len());
        // Java counts in UTF-16: a character beyond 16 bits is replaced twice.
        for unit in name.encode_utf16() {
            match u8::try_from(unit).ok().filter(allowed) {
                Some(byte) => sanitized.push(char::from(byte)),
                None if unicode => sanitized.push_str(&unicode_escape(unit)),
                None => sanitized.push('_'),
            }
        }
        sanitized.truncate(MAX_TOPIC_NAME);
        let dot = if unicode { unicode_escape(u16::from(b'.')) } else { "_".to_owned() };
        match sanitized.as_str() {
            "." => dot,
            ".." => dot.repeat(2),
            _ => sanitized,
        }
    }
}

fn renamed(regex: &JavaRegex, replacement: &str, name: &str) -> Option<String> {
    if regex.matches(name) { regex.replace_first(name, replacement).ok() } else { None }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::java::regex::compile;

    fn naming(strategy: NamingStrategy) -> TopicNaming {
        TopicNaming {
            strategy,
            prefix: "shop".into(),
            delimiter: ".".into(),
            heartbeat_prefix: "__debezium-heartbeat".into(),
            heartbeat_name: None,
            transaction: "transaction".into(),
        }
    }

    #[test]
    fn topics_are_named_after_their_tables() {
        let naming = naming(NamingStrategy::default());
        assert_eq!(naming.data_change(&TableId::new("public", "orders")), "shop.public.orders");
        assert_eq!(naming.data_change(&TableId::new("žluť", "k ň")), "shop._lu_.k__");
        assert_eq!(naming.heartbeat(), "__debezium-heartbeat.shop");
        assert_eq!(naming.transaction(), "shop.transaction");
    }

    #[test]
    fn what_is_not_allowed_can_become_its_number() {
        let naming = naming(NamingStrategy { without_schema: true, unicode: true, rule: None });
        assert_eq!(naming.data_change(&TableId::new("public", "a_ž")), "shop.a_u005f_u17e");
    }

    #[test]
    fn tables_can_share_a_topic_and_tell_their_rows_apart_by_the_key() {
        let rule = RenamingRule {
            regex: compile("(.*)orders_(.*)").unwrap(),
            replacement: "$1orders".into(),
            key_field: Some("shard".into()),
            key_rule: Some((compile("(.*)_(.*)").unwrap(), "$2".into())),
        };
        let naming = naming(NamingStrategy { rule: Some(rule.into()), ..NamingStrategy::default() });
        let table = TableId::new("public", "orders_7");
        assert_eq!(naming.data_change(&table), "shop.public.orders");
        assert_eq!(naming.key_field(&table), Some(("shard".into(), "7".into())));
        let other = TableId::new("public", "customers");
        assert_eq!(naming.data_change(&other), "shop.public.customers");
        assert_eq!(naming.key_field(&other), Some(("shard".into(), "shop.public.customers".into())));
    }
}

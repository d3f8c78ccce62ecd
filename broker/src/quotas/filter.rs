//! Which entities a description of quotas asks for (`ClientQuotasImage.describe`).

use std::collections::BTreeMap;

use brooklet_protocol::ErrorCode;

use super::entity::{CLIENT_ID, IP, QuotaEntity, USER};

/// What an entity must have of one type.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Match {
    /// This name; `None` is the default.
    Exactly(Option<String>),
    /// Any name, or the default.
    Any,
}

/// The entities asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EntityFilter {
    components: BTreeMap<String, Match>,
    /// Entities with other types beside those named are left out.
    strict: bool,
}

impl EntityFilter {
    /// Reads a filter: type, kind of match (0 a name, 1 the default, 2 any) and name of each component.
    pub(crate) fn parse(
        components: impl IntoIterator<Item = (String, i8, Option<String>)>,
        strict: bool,
    ) -> Result<Self, (ErrorCode, String)> {
        let invalid = |message: String| Err((ErrorCode::InvalidRequest, message));
        let mut parsed = BTreeMap::new();
        for (kind, match_type, name) in components {
            if kind.is_empty() {
                return invalid("Invalid empty entity type.".to_owned());
            }
            if parsed.contains_key(&kind) {
                return invalid(format!("Entity type {kind} cannot appear more than once in the filter."));
            }
            if ![USER, CLIENT_ID, IP].contains(&kind.as_str()) {
                return Err((ErrorCode::UnsupportedVersion, format!("Unsupported entity type {kind}")));
            }
            let component = match (match_type, name) {
                (0, Some(name)) => Match::Exactly(Some(name)),
                (0, None) => return invalid("an exact match needs a name".to_owned()),
                (1, None) => Match::Exactly(None),
                (2, None) => Match::Any,
                (1 | 2, Some(_)) => return invalid(format!("match type {match_type} takes no name")),
                (unknown, _) => return invalid(format!("Unknown match type {unknown}")),
            };
            parsed.insert(kind, component);
        }
        if parsed.contains_key(IP) && (parsed.contains_key(USER) || parsed.contains_key(CLIENT_ID)) {
            return invalid("a filter for ip cannot be combined with one for user or client-id".to_owned());
        }
        Ok(Self { components: parsed, strict })
    }

    pub(crate) fn matches(&self, entity: &QuotaEntity) -> bool {
        let pairs = entity.pairs();
        if self.strict && pairs.len() != self.components.len() {
            return false;
        }
        self.components.iter().all(|(kind, component)| match (pairs.get(kind), component) {
            (None, _) => false,
            (Some(_), Match::Any) => true,
            (Some(name), Match::Exactly(wanted)) => name == wanted,
        })
    }
}

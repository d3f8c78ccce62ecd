//! Changes of quotas, as Kafka's `ClientQuotaControlManager` checks them.

use std::collections::BTreeMap;

use super::SetQuotas;
use super::entity::{EntityName, QuotaEntity, resolve_host};
use crate::topics::TopicError;

/// Bytes of produce requests a second.
pub(crate) const PRODUCER_BYTE_RATE: &str = "producer_byte_rate";
/// Bytes of fetch responses a second.
pub(crate) const CONSUMER_BYTE_RATE: &str = "consumer_byte_rate";
/// Percent of one thread's time.
pub(crate) const REQUEST_PERCENTAGE: &str = "request_percentage";
/// Partitions created and deleted a second.
pub(crate) const CONTROLLER_MUTATION_RATE: &str = "controller_mutation_rate";
/// Connections a second.
pub(crate) const CONNECTION_CREATION_RATE: &str = "connection_creation_rate";

/// Why quotas are not changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum QuotaError {
    /// The change is not one that may be made.
    #[error("{0}")]
    Invalid(String),
    /// It could not be recorded.
    #[error(transparent)]
    Record(#[from] TopicError),
}

/// One change of an entity's quotas: a new value, or none.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct QuotaChange {
    pub(crate) name: String,
    pub(crate) value: Option<f64>,
}

/// The values that a quota may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Values {
    Double,
    Int,
    Long,
}

const OF_CLIENTS: &[(&str, Values)] = &[
    (PRODUCER_BYTE_RATE, Values::Long),
    (CONSUMER_BYTE_RATE, Values::Long),
    (REQUEST_PERCENTAGE, Values::Double),
    (CONTROLLER_MUTATION_RATE, Values::Double),
];
const OF_IPS: &[(&str, Values)] = &[(CONNECTION_CREATION_RATE, Values::Int)];

/// What an entity's quotas are after these changes.
pub(crate) fn alter(
    set: &SetQuotas,
    entity: &QuotaEntity,
    changes: &[QuotaChange],
) -> Result<BTreeMap<String, f64>, QuotaError> {
    let known = match entity {
        QuotaEntity::Client { .. } => OF_CLIENTS,
        QuotaEntity::Ip(name) => {
            check_host(name).map_err(QuotaError::Invalid)?;
            OF_IPS
        }
    };
    let mut altered = set.get(entity).cloned().unwrap_or_default();
    let mut seen = Vec::with_capacity(changes.len());
    for QuotaChange { name, value } in changes {
        if seen.contains(&name) {
            return Err(QuotaError::Invalid(format!("Duplicate quota key {name}")));
        }
        seen.push(name);
        match value {
            None => {
                altered.remove(name);
            }
            Some(value) => {
                check_value(known, name, *value).map_err(QuotaError::Invalid)?;
                altered.insert(name.clone(), *value);
            }
        }
    }
    Ok(altered)
}

fn check_host(name: &EntityName) -> Result<(), String> {
    match name {
        EntityName::Named(host) if resolve_host(host).is_none() => {
            Err(format!("{host} is not a valid IP or resolvable host."))
        }
        EntityName::Named(_) | EntityName::Default => Ok(()),
    }
}

fn check_value(known: &[(&str, Values)], name: &str, value: f64) -> Result<(), String> {
    let Some((_, values)) = known.iter().find(|(known, _)| *known == name) else {
        return Err(format!("Invalid configuration key {name}"));
    };
    if value <= 0.0 {
        return Err(format!("Quota {name} must be greater than 0"));
    }
    let most = match values {
        Values::Double => return Ok(()),
        Values::Int => f64::from(i32::MAX),
        Values::Long => i64::MAX as f64,
    };
    if value > most {
        return Err(format!("Proposed value for {name} is too large for {values:?}"));
    }
    if (value % 1.0).abs() > 1e-6 {
        return Err(format!("{name} cannot be a fractional value."));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(id: &str) -> QuotaEntity {
        QuotaEntity::Client { user: None, client_id: Some(EntityName::Named(id.to_owned())) }
    }

    fn to(name: &str, value: f64) -> QuotaChange {
        QuotaChange { name: name.to_owned(), value: Some(value) }
    }

    #[test]
    fn values_are_checked_by_their_quota_and_by_whom_it_is_for() {
        let set = SetQuotas::new();
        let ip = QuotaEntity::Ip(EntityName::Named("10.0.0.1".to_owned()));
        let alter = |entity: &QuotaEntity, change| alter(&set, entity, &[change]).is_ok();
        assert!(alter(&client("c"), to(PRODUCER_BYTE_RATE, 1024.0)));
        assert!(!alter(&client("c"), to(PRODUCER_BYTE_RATE, 0.0)));
        assert!(!alter(&client("c"), to(PRODUCER_BYTE_RATE, 10.5)));
        assert!(!alter(&client("c"), to(PRODUCER_BYTE_RATE, 1e19)));
        assert!(alter(&client("c"), to(REQUEST_PERCENTAGE, 10.5)));
        assert!(!alter(&client("c"), to(CONNECTION_CREATION_RATE, 1.0)));
        assert!(alter(&ip, to(CONNECTION_CREATION_RATE, 1.0)));
        assert!(!alter(&ip, to(CONNECTION_CREATION_RATE, 3e9)));
        assert!(!alter(&ip, to(CONSUMER_BYTE_RATE, 1.0)));
        let nowhere = QuotaEntity::Ip(EntityName::Named("no host".to_owned()));
        assert!(!alter(&nowhere, to(CONNECTION_CREATION_RATE, 1.0)));
    }

    #[test]
    fn changes_leave_the_other_quotas_of_the_entity_as_they_are() {
        let mut set = SetQuotas::new();
        let first = alter(&set, &client("c"), &[to(PRODUCER_BYTE_RATE, 1.0), to(CONSUMER_BYTE_RATE, 2.0)]).unwrap();
        set.insert(client("c"), first);
        let gone = QuotaChange { name: PRODUCER_BYTE_RATE.to_owned(), value: None };
        let unknown = QuotaChange { name: "unknown".to_owned(), value: None };
        let left = alter(&set, &client("c"), &[gone.clone(), unknown]).unwrap();
        assert_eq!(left, BTreeMap::from([(CONSUMER_BYTE_RATE.to_owned(), 2.0)]));
        assert!(alter(&set, &client("c"), &[gone.clone(), gone]).is_err());
    }
}

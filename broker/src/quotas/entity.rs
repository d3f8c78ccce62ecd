//! Whom a quota is set for: a user, a client id, both, or an address; or the default of any of these.

use std::collections::BTreeMap;
use std::net::{IpAddr, ToSocketAddrs};

/// An entity's name of one type.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum EntityName {
    /// Whoever has nothing set under its own name.
    Default,
    /// This one.
    Named(String),
}

/// Whom a quota is set for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum QuotaEntity {
    /// Clients by the user they are, by their client id, or by both; at least one is there.
    Client { user: Option<EntityName>, client_id: Option<EntityName> },
    /// Clients by where they connect from.
    Ip(EntityName),
}

/// Kafka's names of the types of entities (`ClientQuotaEntity`).
pub(crate) const USER: &str = "user";
pub(crate) const CLIENT_ID: &str = "client-id";
pub(crate) const IP: &str = "ip";

impl QuotaEntity {
    /// The entity that pairs of type and name make, where no name is the default (`ClientQuotaControlManager`). The
    /// error says what is wrong with it.
    pub(crate) fn parse(pairs: impl IntoIterator<Item = (String, Option<String>)>) -> Result<Self, String> {
        let mut names: BTreeMap<String, Option<String>> = pairs.into_iter().collect();
        if names.is_empty() {
            return Err("Invalid empty client quota entity".to_owned());
        }
        for (kind, name) in &names {
            if ![USER, CLIENT_ID, IP].contains(&kind.as_str()) {
                return Err(format!("Unhandled client quota entity type: {kind}"));
            }
            if name.as_ref().is_some_and(String::is_empty) {
                return Err(format!("Empty {kind} not supported"));
            }
        }
        let mut take = |kind: &str| names.remove(kind).map(|name| name.map_or(EntityName::Default, EntityName::Named));
        match (take(USER), take(CLIENT_ID), take(IP)) {
            (None, None, Some(ip)) => Ok(Self::Ip(ip)),
            (_, _, Some(_)) => Err("An ip entity cannot be combined with a user or a client id".to_owned()),
            (user, client_id, None) => Ok(Self::Client { user, client_id }),
        }
    }

    /// The pairs that [`QuotaEntity::parse`] makes it from again.
    pub(crate) fn pairs(&self) -> BTreeMap<String, Option<String>> {
        let (user, client_id, ip) = match self {
            Self::Client { user, client_id } => (user.as_ref(), client_id.as_ref(), None),
            Self::Ip(ip) => (None, None, Some(ip)),
        };
        let all = [(USER, user), (CLIENT_ID, client_id), (IP, ip)];
        all.into_iter().filter_map(|(kind, name)| Some((kind.to_owned(), name?.text().map(str::to_owned)))).collect()
    }

    pub(crate) fn user(&self) -> Option<&EntityName> {
        match self {
            Self::Client { user, .. } => user.as_ref(),
            Self::Ip(_) => None,
        }
    }

    pub(crate) fn client_id(&self) -> Option<&EntityName> {
        match self {
            Self::Client { client_id, .. } => client_id.as_ref(),
            Self::Ip(_) => None,
        }
    }

    pub(crate) fn ip(&self) -> Option<&EntityName> {
        match self {
            Self::Client { .. } => None,
            Self::Ip(ip) => Some(ip),
        }
    }
}

impl EntityName {
    /// Its text; `None` for the default.
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Default => None,
            Self::Named(name) => Some(name),
        }
    }
}

/// The address of a host, by name or as it stands. Names are asked of the system, which may take seconds.
pub(crate) fn resolve_host(host: &str) -> Option<IpAddr> {
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Some(ip.to_canonical());
    }
    let mut addresses = (host, 0).to_socket_addrs().ok()?;
    Some(addresses.next()?.ip().to_canonical())
}

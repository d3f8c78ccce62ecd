//! Where the broker listens and what it tells clients: `listeners`, `advertised.listeners` and
//! `listener.security.protocol.map`, by the rules of Kafka's `AbstractKafkaConfig`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;

use super::error::ConfigError;
use super::validator::is_host;
use super::value::{split_list, trim};

/// How a listener's connections are secured (`SecurityProtocol`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SecurityProtocol {
    /// Neither encryption nor authentication.
    Plaintext,
    /// TLS.
    Ssl,
    /// SASL without encryption.
    SaslPlaintext,
    /// SASL in TLS.
    SaslSsl,
}

impl SecurityProtocol {
    /// All protocols, in the order of their ids.
    pub const ALL: [Self; 4] = [Self::Plaintext, Self::Ssl, Self::SaslPlaintext, Self::SaslSsl];

    /// Kafka's name, which is that of a listener too unless the map says otherwise.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plaintext => "PLAINTEXT",
            Self::Ssl => "SSL",
            Self::SaslPlaintext => "SASL_PLAINTEXT",
            Self::SaslSsl => "SASL_SSL",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|protocol| protocol.name().eq_ignore_ascii_case(name))
    }
}

impl fmt::Display for SecurityProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One address to listen on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// Its name, in capitals.
    pub name: String,
    /// How its connections are secured.
    pub protocol: SecurityProtocol,
    /// Host name or address, an IPv6 address without brackets; `None` is every interface.
    pub bind_host: Option<String>,
    /// Port, 0 for any free one.
    pub bind_port: u16,
    /// What clients are told; `None` if `advertised.listeners` leaves this listener out.
    pub advertised: Option<Advertised>,
}

/// The address that clients of a listener are told to use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advertised {
    /// Host name or address, an IPv6 address without brackets; `None` is this machine's own host name.
    pub host: Option<String>,
    /// Port; `None` is the port that the listener got.
    pub port: Option<u16>,
}

/// The text of the configs that make listeners.
#[derive(Debug, Clone, Default)]
pub struct ListenerSettings {
    /// `listeners`.
    pub listeners: Vec<String>,
    /// `advertised.listeners`; `None` if it is not set.
    pub advertised_listeners: Option<Vec<String>>,
    /// `listener.security.protocol.map`; `None` if it is not set, which lets the controller's listeners do without
    /// an entry.
    pub security_protocol_map: Option<String>,
    /// `controller.listener.names`.
    pub controller_listener_names: Vec<String>,
}

impl ListenerSettings {
    /// The listeners to open, in their order in `listeners`. Those of the controller are checked and left out: one
    /// node needs no connections to its own controller.
    ///
    /// # Errors
    /// An address that is none, a listener without a security protocol or with one that is not served, names or
    /// ports that are used twice, an advertised address that is no listener's or that nobody can reach.
    pub fn parse(&self) -> Result<Vec<Listener>, ConfigError> {
        let protocols = self.protocols()?;
        let bound = endpoints(LISTENERS, &self.listeners, &protocols)?;
        check_distinct_ports(&bound)?;
        let advertised = match &self.advertised_listeners {
            Some(entries) => Some(endpoints(ADVERTISED_LISTENERS, entries, &protocols)?),
            None => None,
        };
        if let Some(advertised) = &advertised
            && let Some(stray) = advertised.iter().find(|a| bound.iter().all(|b| b.name != a.name))
        {
            let names: Vec<_> = bound.iter().map(|endpoint| endpoint.name.as_str()).collect();
            let reason = format!("{} is none of the listeners, which are {}", stray.name, names.join(", "));
            return Err(ConfigError::invalid(ADVERTISED_LISTENERS, stray.text, reason));
        }

        let mut listeners = Vec::new();
        for endpoint in &bound {
            if self.is_controller(&endpoint.name) {
                continue;
            }
            if endpoint.protocol != SecurityProtocol::Plaintext {
                let reason = format!("{} listeners are not served yet, only PLAINTEXT ones", endpoint.protocol);
                return Err(ConfigError::invalid(LISTENERS, endpoint.text, reason));
            }
            let (config, told) = match &advertised {
                Some(advertised) => (ADVERTISED_LISTENERS, advertised.iter().find(|a| a.name == endpoint.name)),
                None => (LISTENERS, Some(endpoint)),
            };
            listeners.push(Listener {
                name: endpoint.name.clone(),
                protocol: endpoint.protocol,
                bind_host: endpoint.host.clone(),
                bind_port: endpoint.port,
                advertised: told.map(|told| told.advertise(config)).transpose()?,
            });
        }
        if listeners.iter().all(|listener| listener.advertised.is_none()) {
            let names = "every listener is the controller's or left out of advertised.listeners";
            return Err(ConfigError::invalid(LISTENERS, &self.listeners.join(","), names));
        }
        Ok(listeners)
    }

    fn is_controller(&self, name: &str) -> bool {
        self.controller_listener_names.iter().any(|controller| controller.eq_ignore_ascii_case(name))
    }

    /// The protocol of every listener name.
    fn protocols(&self) -> Result<BTreeMap<String, SecurityProtocol>, ConfigError> {
        if let Some(map) = &self.security_protocol_map {
            return parse_protocol_map(map);
        }
        let mut protocols: BTreeMap<_, _> =
            SecurityProtocol::ALL.into_iter().map(|protocol| (protocol.name().to_owned(), protocol)).collect();
        // As soon as one listener is named after a secure protocol, the controller's need an explicit entry.
        let is_secure = |name: &str| {
            SecurityProtocol::from_name(name).is_some_and(|protocol| protocol != SecurityProtocol::Plaintext)
        };
        let names = self.listeners.iter().filter_map(|entry| entry.split(':').next());
        let controllers = self.controller_listener_names.iter().map(String::as_str);
        if !names.chain(controllers.clone()).any(is_secure) {
            for name in controllers {
                protocols.insert(normalised(name), SecurityProtocol::Plaintext);
            }
        }
        Ok(protocols)
    }
}

const LISTENERS: &str = "listeners";
const ADVERTISED_LISTENERS: &str = "advertised.listeners";
const PROTOCOL_MAP: &str = "listener.security.protocol.map";

/// Reads `NAME:PROTOCOL` pairs that commas separate; of a name that is repeated, the last counts.
fn parse_protocol_map(text: &str) -> Result<BTreeMap<String, SecurityProtocol>, ConfigError> {
    let mut protocols = BTreeMap::new();
    for entry in split_list(trim(text)) {
        let invalid = |reason: String| ConfigError::invalid(PROTOCOL_MAP, &entry, reason);
        let (name, protocol) =
            entry.rsplit_once(':').ok_or_else(|| invalid("must be a list of NAME:PROTOCOL".to_owned()))?;
        let protocol = SecurityProtocol::from_name(trim(protocol)).ok_or_else(|| {
            let known = SecurityProtocol::ALL.map(SecurityProtocol::name).join(", ");
            invalid(format!("the protocol must be one of {known}"))
        })?;
        protocols.insert(normalised(trim(name)), protocol);
    }
    Ok(protocols)
}

/// The form in which names of listeners are compared and shown.
pub(super) fn normalised(name: &str) -> String {
    name.to_uppercase()
}

/// `NAME://host:port`, taken apart.
struct Endpoint<'a> {
    text: &'a str,
    name: String,
    protocol: SecurityProtocol,
    host: Option<String>,
    port: u16,
}

impl Endpoint<'_> {
    /// What clients are told, which stands in this config.
    fn advertise(&self, config: &str) -> Result<Advertised, ConfigError> {
        if self.host.as_deref() == Some("0.0.0.0") {
            let reason = "clients cannot connect to 0.0.0.0, set advertised.listeners to what they can reach";
            return Err(ConfigError::invalid(config, self.text, reason));
        }
        Ok(Advertised { host: self.host.clone(), port: (self.port != 0).then_some(self.port) })
    }

    fn ip(&self) -> Option<IpAddr> {
        let host = self.host.as_deref()?;
        let without_zone = host.split_once('%').map_or(host, |(address, _)| address);
        without_zone.parse().ok()
    }
}

/// Reads a list of addresses whose names must differ.
fn endpoints<'a>(
    config: &str,
    entries: &'a [String],
    protocols: &BTreeMap<String, SecurityProtocol>,
) -> Result<Vec<Endpoint<'a>>, ConfigError> {
    let mut names = BTreeSet::new();
    let mut endpoints = Vec::with_capacity(entries.len());
    for entry in entries {
        let invalid = |reason: &str| ConfigError::invalid(config, entry, reason);
        let (name, host, port) = split_address(entry).ok_or_else(|| invalid("must be NAME://host:port"))?;
        let port = port.parse().map_err(|_| invalid("the port must be from 0 to 65535"))?;
        let name = normalised(name);
        let Some(&protocol) = protocols.get(&name) else {
            let reason = format!("{PROTOCOL_MAP} has no security protocol for the listener {name}");
            return Err(invalid(&reason));
        };
        if !names.insert(name.clone()) {
            return Err(invalid("each listener must have a name of its own"));
        }
        endpoints.push(Endpoint {
            text: entry,
            name,
            protocol,
            host: (!host.is_empty()).then(|| host.to_owned()),
            port,
        });
    }
    Ok(endpoints)
}

/// Splits `NAME://host:port`, with or without brackets around the host.
fn split_address(text: &str) -> Option<(&str, &str, &str)> {
    let (name, address) = text.rsplit_once("://")?;
    let (host, port) = address.rsplit_once(':')?;
    let host = host.strip_prefix('[').unwrap_or(host);
    let host = host.strip_suffix(']').unwrap_or(host);
    (host.is_empty() || is_host(host)).then_some((name, host, port))
}

/// A port may be used once, or by one IPv4 and one IPv6 address.
fn check_distinct_ports(endpoints: &[Endpoint<'_>]) -> Result<(), ConfigError> {
    for (i, endpoint) in endpoints.iter().enumerate() {
        let mut others = endpoints[..i].iter().filter(|other| other.port != 0 && other.port == endpoint.port);
        let Some(other) = others.next() else {
            continue;
        };
        let differ = match (endpoint.ip(), other.ip()) {
            (Some(a), Some(b)) => a.is_ipv4() != b.is_ipv4(),
            _ => false,
        };
        if !differ || others.next().is_some() {
            let reason = format!(
                "port {} is {}'s already; only an IPv4 and an IPv6 address can share one",
                endpoint.port, other.name
            );
            return Err(ConfigError::invalid(LISTENERS, endpoint.text, reason));
        }
    }
    Ok(())
}

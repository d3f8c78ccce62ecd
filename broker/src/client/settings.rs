//! How to reach a cluster, by the names of Kafka's clients: the file that `--command-config` names.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use brooklet::config::{Property, parse_properties};

use super::sasl::Mechanism;

/// How long an answer may take (`request.timeout.ms` of Kafka's admin client).
const PATIENCE: Duration = Duration::from_secs(30);

/// What is known of a cluster before it is asked.
#[derive(Debug, Clone)]
pub(crate) struct ClientSettings {
    /// `host:port` of some of its brokers.
    pub(crate) bootstrap: Vec<String>,
    /// `None` for no encryption.
    pub(crate) tls: Option<TlsSettings>,
    /// `None` for nobody in particular.
    pub(crate) sasl: Option<Credentials>,
    pub(crate) patience: Duration,
}

/// Whom to trust, and who one is.
#[derive(Debug, Clone, Default)]
pub(crate) struct TlsSettings {
    /// PEM file of who is trusted; `None` is whom the system trusts.
    pub(crate) trusted: Option<PathBuf>,
    /// PEM file with a certificate and its key.
    pub(crate) identity: Option<PathBuf>,
}

/// A user of SASL's.
#[derive(Clone)]
pub(crate) struct Credentials {
    pub(crate) mechanism: Mechanism,
    pub(crate) user: String,
    pub(crate) password: String,
}

/// Without the password.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("mechanism", &self.mechanism)
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

impl ClientSettings {
    /// What a file of client properties says, and where to begin if that is given.
    pub(crate) fn read(path: Option<&Path>, bootstrap: Option<&str>) -> anyhow::Result<Self> {
        let properties = match path {
            None => Vec::new(),
            Some(path) => {
                let named = || format!("--command-config {}", path.display());
                let text = std::fs::read_to_string(path).with_context(named)?;
                parse_properties(&text).map_err(anyhow::Error::from).with_context(named)?
            }
        };
        Self::of(&properties, bootstrap)
    }

    fn of(properties: &[Property], bootstrap: Option<&str>) -> anyhow::Result<Self> {
        let value = |name: &str| {
            let found = properties.iter().rev().find(|property| property.key == name);
            found.map(|property| property.value.trim()).filter(|value| !value.is_empty())
        };
        let bootstrap = bootstrap.or_else(|| value("bootstrap.servers")).unwrap_or("127.0.0.1:9092");
        let bootstrap = bootstrap.split(',').map(|address| address.trim().to_owned()).collect();
        let protocol = value("security.protocol").unwrap_or("PLAINTEXT");
        let (encrypted, authenticated) = match protocol {
            "PLAINTEXT" => (false, false),
            "SSL" => (true, false),
            "SASL_PLAINTEXT" => (false, true),
            "SASL_SSL" => (true, true),
            other => bail!("security.protocol {other} is not known"),
        };
        for store in ["ssl.truststore.type", "ssl.keystore.type"] {
            if let Some(kind) = value(store).filter(|kind| *kind != "PEM") {
                bail!("{store} {kind} is not read here, only PEM");
            }
        }
        let tls = TlsSettings {
            trusted: value("ssl.truststore.location").map(PathBuf::from),
            identity: value("ssl.keystore.location").map(PathBuf::from),
        };
        let sasl = match authenticated {
            false => None,
            true => Some(credentials(value("sasl.mechanism"), value("sasl.jaas.config"))?),
        };
        let patience = value("request.timeout.ms").map(str::parse).transpose().context("request.timeout.ms")?;
        let patience = patience.map_or(PATIENCE, Duration::from_millis);
        Ok(Self { bootstrap, tls: encrypted.then_some(tls), sasl, patience })
    }
}

fn credentials(mechanism: Option<&str>, jaas: Option<&str>) -> anyhow::Result<Credentials> {
    let name = mechanism.unwrap_or("GSSAPI");
    let known = "only PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512";
    let mechanism = Mechanism::of(name).with_context(|| format!("sasl.mechanism {name} is not known here, {known}"))?;
    let jaas = jaas.context("sasl.jaas.config is missing")?;
    let option = |option: &str| jaas_option(jaas, option).with_context(|| format!("sasl.jaas.config has no {option}"));
    Ok(Credentials { mechanism, user: option("username")?, password: option("password")? })
}

/// The value of an option as in `… required username="me" password="it's \"mine\"";`.
fn jaas_option(jaas: &str, option: &str) -> Option<String> {
    let mut rest = jaas;
    loop {
        let at = rest.find(option)?;
        let before = rest[..at].chars().next_back();
        let behind = rest[at + option.len()..].trim_start();
        rest = &rest[at + option.len()..];
        let (Some(value), true) = (behind.strip_prefix('='), before.is_none_or(char::is_whitespace)) else {
            continue;
        };
        let value = value.trim_start();
        let Some(quote) = value.chars().next().filter(|quote| "\"'".contains(*quote)) else {
            return Some(value.split([' ', '\t', ';']).next().unwrap_or_default().to_owned());
        };
        let mut text = String::new();
        let mut chars = value[1..].chars();
        while let Some(next) = chars.next() {
            match next {
                '\\' => text.extend(chars.next()),
                next if next == quote => return Some(text),
                next => text.push(next),
            }
        }
        return None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> anyhow::Result<ClientSettings> {
        ClientSettings::of(&parse_properties(text)?, None)
    }

    #[test]
    fn kafkas_client_properties_are_read() {
        let settings = read(
            "bootstrap.servers=a:9096, b:9096\nsecurity.protocol=SASL_SSL\nsasl.mechanism=SCRAM-SHA-512\nclient.id=x\n\
             sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required username=\"me\" \
             password=\"a;\\\\\"b=\";\nssl.truststore.type=PEM\nssl.truststore.location=/ca.pem\n",
        )
        .unwrap();
        assert_eq!(settings.bootstrap, ["a:9096", "b:9096"]);
        let sasl = settings.sasl.unwrap();
        assert_eq!((sasl.user.as_str(), sasl.password.as_str()), ("me", "a;\"b="));
        assert!(!format!("{sasl:?}").contains("b="));
        assert_eq!(settings.tls.unwrap().trusted.unwrap(), Path::new("/ca.pem"));
        assert!(read("").unwrap().tls.is_none());
    }

    #[test]
    fn what_cannot_be_is_told() {
        for (text, expected) in [
            ("security.protocol=SSH", "security.protocol SSH"),
            ("security.protocol=SASL_SSL", "sasl.mechanism GSSAPI"),
            ("security.protocol=SASL_SSL\nsasl.mechanism=PLAIN", "sasl.jaas.config is missing"),
            ("security.protocol=SASL_SSL\nsasl.mechanism=PLAIN\nsasl.jaas.config=x required;", "has no username"),
            ("security.protocol=SSL\nssl.truststore.type=JKS", "only PEM"),
        ] {
            assert!(format!("{:#}", read(text).unwrap_err()).contains(expected), "{text}");
        }
    }
}

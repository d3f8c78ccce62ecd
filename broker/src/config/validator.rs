//! Which values a config allows, beyond its type.

use std::fmt;

use super::value::Value;

/// A rule that a parsed value must follow.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Validator {
    /// No rule.
    Any,
    /// An integer not below this.
    AtLeast(i64),
    /// An integer from the first to the second, both allowed.
    Between(i64, i64),
    /// A double from 0 to this.
    Fraction(f64),
    /// One of these texts.
    OneOf(&'static [&'static str]),
    /// One of these texts, whatever the case of their letters.
    OneOfIgnoringCase(&'static [&'static str]),
    /// A text with at least one character.
    NonEmpty,
    /// A list without empty elements, at least one of which there must be.
    SomeOf(&'static [&'static str]),
    /// A list without empty elements, which may have none at all.
    AnyOf(&'static [&'static str]),
    /// A gzip level: 1 to 9, or -1 for the codec's own choice.
    GzipLevel,
    /// Where a share group begins: `latest`, `earliest`, or `by_duration:` and a duration of ISO 8601 (KIP-1106).
    OffsetReset,
    /// `*`, or a list of `partition:broker`.
    ThrottledReplicas,
    /// A list of `host:port`.
    HostPorts,
    /// A list of `id@host:port`.
    QuorumVoters,
}

impl Validator {
    /// Whether repeated elements of a list are dropped before it is checked (KIP-1161).
    pub(super) fn drops_duplicates(self) -> bool {
        matches!(self, Self::SomeOf(_) | Self::AnyOf(_))
    }

    /// Checks a value of the config's own type. The error says what is allowed.
    pub(super) fn check(self, value: &Value) -> Result<(), String> {
        let allowed = match (self, value) {
            (Self::Any, _) => true,
            (Self::AtLeast(least), _) => value.as_i64().is_some_and(|value| value >= least),
            (Self::Between(least, most), _) => value.as_i64().is_some_and(|value| (least..=most).contains(&value)),
            (Self::GzipLevel, _) => value.as_i64().is_some_and(|value| value == -1 || (1..=9).contains(&value)),
            (Self::Fraction(most), Value::Double(value)) => (0.0..=most).contains(value),
            (Self::OneOf(known), Value::String(value)) => known.contains(&value.as_str()),
            (Self::OneOfIgnoringCase(known), Value::String(value)) => {
                known.iter().any(|known| known.eq_ignore_ascii_case(value))
            }
            (Self::NonEmpty, Value::String(value)) => !value.is_empty(),
            (Self::OffsetReset, Value::String(value)) => is_offset_reset(value),
            (Self::SomeOf(_), Value::List(values)) if values.is_empty() => false,
            (Self::SomeOf(known) | Self::AnyOf(known), Value::List(values)) => {
                values.iter().all(|value| !value.is_empty() && (known.is_empty() || known.contains(&value.as_str())))
            }
            (Self::ThrottledReplicas, Value::List(values)) => {
                values.concat() == "*" || values.iter().all(|value| is_throttled_replica(value))
            }
            (Self::HostPorts, Value::List(values)) => values.iter().all(|value| is_host_port(value)),
            (Self::QuorumVoters, Value::List(values)) => values.iter().all(|value| is_voter(value)),
            _ => false,
        };
        if allowed {
            return Ok(());
        }
        Err(format!("must be {self}"))
    }
}

/// What is allowed, to follow "must be" or to stand in a table.
impl fmt::Display for Validator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("anything"),
            Self::AtLeast(least) => write!(f, "at least {least}"),
            Self::Between(least, most) => write!(f, "from {least} to {most}"),
            Self::Fraction(most) => write!(f, "from 0 to {most}"),
            Self::OneOf(known) => write!(f, "one of {}", known.join(", ")),
            Self::OneOfIgnoringCase(known) => write!(f, "one of {}, in any case", known.join(", ")),
            Self::NonEmpty => f.write_str("not empty"),
            Self::SomeOf([]) => f.write_str("a list of at least one element, none of them empty"),
            Self::SomeOf(known) => write!(f, "a list of at least one of {}", known.join(", ")),
            Self::AnyOf([]) => f.write_str("a list without empty elements"),
            Self::AnyOf(known) => write!(f, "a list of any of {}", known.join(", ")),
            Self::GzipLevel => f.write_str("from 1 to 9, or -1"),
            Self::OffsetReset => f.write_str("latest, earliest or by_duration: with an ISO 8601 duration"),
            Self::ThrottledReplicas => f.write_str("* or a list of partition:broker"),
            Self::HostPorts => f.write_str("a list of host:port"),
            Self::QuorumVoters => f.write_str("a list of id@host:port"),
        }
    }
}

fn is_offset_reset(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    matches!(text.as_str(), "latest" | "earliest") || text.strip_prefix("by_duration:").is_some_and(is_duration)
}

/// Whether this is a duration as `PnDTnHnMn.nS` that is not negative, in small letters.
fn is_duration(text: &str) -> bool {
    let Some(rest) = text.strip_prefix('p').filter(|rest| !rest.is_empty()) else {
        return false;
    };
    let (days, time) = match rest.split_once('t') {
        Some((_, "")) => return false,
        Some((days, time)) => (days, time),
        None => (rest, ""),
    };
    is_amounts(days, "d") && is_amounts(time, "hms")
}

/// Whether this is a run of numbers, each followed by one of `units`, which come in order and at most once.
fn is_amounts(mut text: &str, mut units: &str) -> bool {
    while !text.is_empty() {
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, rest) = text.split_at(end);
        let unit = rest.chars().next().and_then(|unit| units.find(unit).map(|at| (unit, at)));
        let Some((unit, at)) = unit else {
            return false;
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let has_fraction = number.contains('.');
        if whole.is_empty()
            || !digits(whole)
            || !digits(fraction)
            || (has_fraction && unit != 's')
            || fraction.len() > 9
        {
            return false;
        }
        (text, units) = (&rest[1..], &units[at + 1..]);
    }
    true
}

fn is_throttled_replica(text: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    text.is_empty() || text.split_once(':').is_some_and(|(partition, broker)| is_number(partition) && is_number(broker))
}

fn is_voter(text: &str) -> bool {
    text.split_once('@').is_some_and(|(id, address)| id.parse::<i32>().is_ok() && is_host_port(address))
}

/// Whether this is `host:port`, with brackets around an IPv6 address.
fn is_host_port(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else {
        return false;
    };
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    is_host(host) && port.parse::<u16>().is_ok()
}

/// Whether this could be a host name or an address, without brackets.
pub(super) fn is_host(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'%' | b'.' | b'_' | b':'))
}

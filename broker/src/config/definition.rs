//! One row of a table of configs: a name and everything the broker knows about it.

use std::collections::HashSet;
use std::fmt;

use super::error::ConfigError;
use super::validator::Validator;
use super::value::Value;

/// The type of a config's value (`ConfigDef.Type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConfigType {
    /// `true` or `false`.
    Boolean,
    /// Any text.
    String,
    /// 32-bit integer.
    Int,
    /// 16-bit integer.
    Short,
    /// 64-bit integer.
    Long,
    /// Double precision number.
    Double,
    /// Texts that commas separate.
    List,
    /// Name of a Java class.
    Class,
    /// A secret: no answer shows it.
    Password,
}

impl ConfigType {
    /// All types, in the order of their codes.
    pub const ALL: [Self; 9] = [
        Self::Boolean,
        Self::String,
        Self::Int,
        Self::Short,
        Self::Long,
        Self::Double,
        Self::List,
        Self::Class,
        Self::Password,
    ];

    /// The code in a DescribeConfigs response (KIP-569); 0 stands for a config of unknown type.
    pub const fn code(self) -> i8 {
        self as i8 + 1
    }
}

/// Kafka's name of the type.
impl fmt::Display for ConfigType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Boolean => "BOOLEAN",
            Self::String => "STRING",
            Self::Int => "INT",
            Self::Short => "SHORT",
            Self::Long => "LONG",
            Self::Double => "DOUBLE",
            Self::List => "LIST",
            Self::Class => "CLASS",
            Self::Password => "PASSWORD",
        })
    }
}

/// How a broker config may change while the broker runs (KIP-226).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UpdateMode {
    /// Only at start.
    ReadOnly,
    /// For one broker, not for the whole cluster.
    PerBroker,
    /// For one broker or as the default of all.
    ClusterWide,
}

/// Kafka's name of the mode.
impl fmt::Display for UpdateMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ReadOnly => "read-only",
            Self::PerBroker => "per-broker",
            Self::ClusterWide => "cluster-wide",
        })
    }
}

/// What setting a config does here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Effect {
    /// What its description says.
    Works,
    /// It is accepted, checked, stored and shown, and nothing else, for this reason.
    Inert(&'static str),
}

/// A config: its name, its rules and what it does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ConfigDef {
    /// Kafka's name.
    pub name: &'static str,
    /// Type of the value.
    pub ty: ConfigType,
    /// Value when nothing sets one; `None` is Kafka's null.
    pub default: Option<&'static str>,
    /// Which values of the type are allowed.
    pub validator: Validator,
    /// Whether it may change while the broker runs.
    pub update: UpdateMode,
    /// What setting it does.
    pub effect: Effect,
    /// What it is about, in one line of Markdown.
    pub doc: &'static str,
}

impl ConfigDef {
    /// Reads and checks a value as Kafka does: without the white space around it, and for most lists without
    /// repeated elements.
    pub fn parse(&self, text: &str) -> Result<Value, ConfigError> {
        self.parse_as(self.name, text)
    }

    /// [`Self::parse`] for a config that goes by another name, such as one with a listener's prefix.
    pub(super) fn parse_as(&self, name: &str, text: &str) -> Result<Value, ConfigError> {
        let invalid = |reason| ConfigError::invalid(name, text, reason);
        let mut value = Value::parse(self.ty, text).map_err(invalid)?;
        if let Value::List(elements) = &mut value
            && self.validator.drops_duplicates()
        {
            let mut seen = HashSet::new();
            elements.retain(|element| seen.insert(element.clone()));
        }
        self.validator.check(&value).map_err(invalid)?;
        Ok(value)
    }

    /// The default, parsed.
    pub fn default_value(&self) -> Option<Value> {
        let text = self.default?;
        Some(self.parse(text).expect("a test parses every default"))
    }

    /// Whether answers leave the value out.
    pub const fn is_sensitive(&self) -> bool {
        matches!(self.ty, ConfigType::Password)
    }

    /// Whether the value is fixed once the broker runs.
    pub const fn is_read_only(&self) -> bool {
        matches!(self.update, UpdateMode::ReadOnly)
    }
}

/// Finds a row in a table sorted by name.
pub(super) fn find(table: &[&'static ConfigDef], name: &str) -> Option<&'static ConfigDef> {
    let at = table.binary_search_by(|def| def.name.cmp(name)).ok()?;
    Some(table[at])
}

/// Writes a table of [`ConfigDef`]s, two lines a row: type, name, default, allowed values, update mode and effect;
/// then the description.
macro_rules! config_defs {
    (@default null) => { None };
    (@default $text:literal) => { Some($text) };
    ($($ty:ident $name:literal = $default:tt, $validator:expr, $update:ident, $effect:expr, $doc:literal;)*) => {
        &[$(
            $crate::config::definition::ConfigDef {
                name: $name,
                ty: $crate::config::definition::ConfigType::$ty,
                default: $crate::config::definition::config_defs!(@default $default),
                validator: $validator,
                update: $crate::config::definition::UpdateMode::$update,
                effect: $effect,
                doc: $doc,
            },
        )*]
    };
}
pub(super) use config_defs;

/// Merges tables that are each sorted by name into one, at compile time. Does not compile when a name is repeated
/// or out of order, or when `N` is not the number of rows.
pub(super) const fn merge<const N: usize>(tables: &[&'static [ConfigDef]]) -> [&'static ConfigDef; N] {
    assert!(tables.len() <= MAX_TABLES);
    let mut merged = [&tables[0][0]; N];
    let mut next = [0; MAX_TABLES];
    let mut at = 0;
    while at < N {
        let mut least: Option<usize> = None;
        let mut table = 0;
        while table < tables.len() {
            let rows = tables[table];
            if next[table] < rows.len() {
                let first = match least {
                    None => true,
                    Some(other) => is_before(rows[next[table]].name, tables[other][next[other]].name),
                };
                if first {
                    least = Some(table);
                }
            }
            table += 1;
        }
        let Some(table) = least else {
            panic!("fewer rows than N");
        };
        merged[at] = &tables[table][next[table]];
        next[table] += 1;
        assert!(at == 0 || is_before(merged[at - 1].name, merged[at].name), "names repeated or out of order");
        at += 1;
    }
    let mut table = 0;
    while table < tables.len() {
        assert!(next[table] == tables[table].len(), "more rows than N");
        table += 1;
    }
    merged
}

/// The most tables [`merge`] takes.
const MAX_TABLES: usize = 32;

/// `a < b`, which `str` cannot say at compile time.
const fn is_before(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut i = 0;
    while i < a.len() && i < b.len() {
        if a[i] != b[i] {
            return a[i] < b[i];
        }
        i += 1;
    }
    a.len() < b.len()
}

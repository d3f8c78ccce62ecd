//! Every property of the connector: what `config/validate` tells of it.

use std::collections::BTreeMap;

/// The kind of a property's value (`ConfigDef.Type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// True or false.
    Boolean,
    /// A class's name.
    Class,
    /// A number of 32 bits.
    Int,
    /// Texts, separated by commas.
    List,
    /// A number of 64 bits.
    Long,
    /// A text that is not shown.
    Password,
    /// A text.
    String,
}

/// How much a property matters (`ConfigDef.Importance`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Importance {
    /// Much.
    High,
    /// Some.
    Medium,
    /// Little.
    Low,
}

/// How wide a form's field for it is (`ConfigDef.Width`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    /// Not said.
    None,
    /// A few characters.
    Short,
    /// A word or two.
    Medium,
    /// A line.
    Long,
}

/// What a property does here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// What it does in Debezium.
    Works,
    /// Nothing, for this reason.
    Inert(&'static str),
}

/// A property.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Definition {
    /// Its name.
    pub name: &'static str,
    /// The kind of its value.
    pub kind: Kind,
    /// What it is if nothing is said.
    pub default: Option<&'static str>,
    /// How much it matters.
    pub importance: Importance,
    /// Whether it has to be said.
    pub required: bool,
    /// The group that it is shown in.
    pub group: &'static str,
    /// Its place in the group.
    pub order: i32,
    /// How wide a form's field for it is.
    pub width: Width,
    /// What a form calls it.
    pub display_name: &'static str,
    /// The values that it may have, if it is one of a few.
    pub recommended: &'static [&'static str],
    /// What it does here.
    pub effect: Effect,
    /// What it means.
    pub doc: &'static str,
}

/// A property whose value will not do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The property.
    pub property: String,
    /// What is wrong with it, as Connect's validation says it.
    pub message: String,
}

/// Every property of the connector's own.
pub static DEFINITIONS: &[Definition] = &[];

/// What is wrong with a connector's properties.
pub fn validate(properties: &BTreeMap<String, String>) -> Vec<Problem> {
    let _ = properties;
    Vec::new()
}

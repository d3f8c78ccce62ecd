//! Names of schemas and fields made fit for Avro (`io.debezium.schema.SchemaNameAdjuster`).

/// How names are adjusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NameAdjuster {
    /// Not at all.
    None,
    /// What Avro does not allow becomes an underscore.
    Avro,
    /// What Avro does not allow, and underscores, become `_uXXXX`.
    AvroUnicode,
}

impl NameAdjuster {
    /// The values of the property that chooses one.
    pub(super) const MODES: &'static [&'static str] = &["none", "avro", "avro_unicode"];

    /// The one that a property's value chooses.
    pub(super) fn of(mode: &str) -> Self {
        match mode.to_ascii_lowercase().as_str() {
            "avro" => Self::Avro,
            "avro_unicode" => Self::AvroUnicode,
            _ => Self::None,
        }
    }

    /// A dotted name, adjusted.
    pub(super) fn adjust(self, name: &str) -> String {
        if self == Self::None {
            return name.to_owned();
        }
        let mut adjusted = String::with_capacity(name.len());
        let mut first = true;
        for character in name.chars() {
            let letter = character.is_ascii_alphabetic() || character == '_' && self == Self::Avro;
            if character == '.' || letter || !first && character.is_ascii_digit() {
                adjusted.push(character);
            } else if self == Self::Avro {
                adjusted.push('_');
            } else {
                adjusted.push_str(&format!("_u{:04x}", u32::from(character)));
            }
            first = character == '.';
        }
        adjusted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_fit_for_avro() {
        assert_eq!(NameAdjuster::of("avro").adjust("my-server.1table.a_b"), "my_server._table.a_b");
        assert_eq!(NameAdjuster::of("avro_unicode").adjust("a-b"), "a_u002db");
        assert_eq!(NameAdjuster::of("none").adjust("a-b"), "a-b");
    }
}

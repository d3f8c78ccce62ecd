//! Names of schemas and fields made fit for Avro (`io.debezium.schema.SchemaNameAdjuster`).

/// How names of schemas, or of fields, are made to fit Avro (`schema.name.adjustment.mode`, `field.name.adjustment.mode`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum NameAdjustment {
    /// Not at all.
    #[default]
    None,
    /// What is not allowed becomes an underscore.
    Avro,
    /// What is not allowed, and the underscore, becomes its number.
    AvroUnicode,
}

impl NameAdjustment {
    /// A schema's name, whose parts points separate.
    pub(crate) fn schema(self, name: &str) -> String {
        self.adjust(name, true)
    }

    /// A field's name.
    pub(crate) fn field(self, name: &str) -> String {
        self.adjust(name, false)
    }

    fn adjust(self, name: &str, points: bool) -> String {
        if self == Self::None {
            return name.to_owned();
        }
        let mut out = String::with_capacity(name.len());
        for (index, unit) in name.encode_utf16().enumerate() {
            let character = char::from_u32(u32::from(unit)).unwrap_or(char::REPLACEMENT_CHARACTER);
            let letter = character.is_ascii_alphabetic() || (character == '_' && self == Self::Avro);
            let later = character.is_ascii_digit() || (points && character == '.');
            if letter || (index > 0 && later) {
                out.push(character);
                continue;
            }
            match self {
                Self::AvroUnicode => out.push_str(&unicode_escape(unit)),
                Self::Avro | Self::None => {
                    out.push('_');
                    if index == 0 && character.is_ascii_digit() {
                        out.push(character);
                    }
                }
            }
        }
        out
    }
}

/// A character's number. Two digits get two zeros before them, one digit as many, and three none
/// (`UnicodeReplacementFunction`).
pub(crate) fn unicode_escape(unit: u16) -> String {
    if unit <= 0xFF { format!("_u00{unit:x}") } else { format!("_u{unit:x}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_avro() {
        assert_eq!(NameAdjustment::Avro.schema("1-a.b c"), "_1_a.b_c");
        assert_eq!(NameAdjustment::Avro.field("a.b"), "a_b");
        assert_eq!(NameAdjustment::AvroUnicode.field("a_ž"), "a_u005f_u17e");
        assert_eq!(NameAdjustment::None.field("a b"), "a b");
    }
}

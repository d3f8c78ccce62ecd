//! The logical types that Connect itself knows (`Date`, `Time`, `Timestamp`, `Decimal` of `org.apache.kafka.connect.data`).

use super::Schema;

/// Days since 1970, an `int32`.
pub const DATE: &str = "org.apache.kafka.connect.data.Date";
/// Milliseconds since midnight, an `int32`.
pub const TIME: &str = "org.apache.kafka.connect.data.Time";
/// Milliseconds since 1970, an `int64`.
pub const TIMESTAMP: &str = "org.apache.kafka.connect.data.Timestamp";
/// An unscaled integer in big-endian two's complement, with the parameter `scale`.
pub const DECIMAL: &str = "org.apache.kafka.connect.data.Decimal";

/// The scale of a decimal; `None` if the schema is of something else, or does not say.
pub fn decimal_scale(schema: &Schema) -> Option<i32> {
    if schema.name.as_deref() != Some(DECIMAL) {
        return None;
    }
    let (_, scale) = schema.parameters.iter().find(|(name, _)| &**name == "scale")?;
    scale.parse().ok()
}

//! Values by name, as the types the broker's code wants.

use std::time::Duration;

use super::error::ConfigError;
use super::value::Value;

/// A set of configs whose values can be read by name.
///
/// The typed methods are for names whose row has the type and a default, so that they panic only if the code asks for
/// another type than the table has: tests read every one.
pub(super) trait TypedValues {
    /// The value that counts for `name`; `None` is Kafka's null.
    fn value(&self, name: &'static str) -> Result<Option<Value>, ConfigError>;

    fn boolean(&self, name: &'static str) -> Result<bool, ConfigError> {
        match self.value(name)? {
            Some(Value::Boolean(value)) => Ok(value),
            _ => panic!("{name} is no boolean with a default"),
        }
    }

    /// An integer of any width.
    fn long(&self, name: &'static str) -> Result<i64, ConfigError> {
        let value = self.value(name)?.and_then(|value| value.as_i64());
        Ok(value.unwrap_or_else(|| panic!("{name} is no integer with a default")))
    }

    fn int(&self, name: &'static str) -> Result<i32, ConfigError> {
        Ok(i32::try_from(self.long(name)?).unwrap_or_else(|_| panic!("{name} is wider than an int")))
    }

    /// A number of bytes or things: an `INT`, 0 standing for anything negative.
    fn size(&self, name: &'static str) -> Result<u32, ConfigError> {
        Ok(u32::try_from(self.int(name)?).unwrap_or_default())
    }

    /// A number of milliseconds, 0 standing for anything negative.
    fn duration_ms(&self, name: &'static str) -> Result<Duration, ConfigError> {
        let ms = u64::try_from(self.long(name)?).unwrap_or_default();
        Ok(Duration::from_millis(ms))
    }

    fn double(&self, name: &'static str) -> Result<f64, ConfigError> {
        match self.value(name)? {
            Some(Value::Double(value)) => Ok(value),
            _ => panic!("{name} is no double with a default"),
        }
    }

    fn text(&self, name: &'static str) -> Result<String, ConfigError> {
        match self.value(name)? {
            Some(Value::String(value)) => Ok(value),
            _ => panic!("{name} is no string with a default"),
        }
    }

    /// The elements of a list, of which null has none.
    fn list(&self, name: &'static str) -> Result<Vec<String>, ConfigError> {
        match self.value(name)? {
            Some(Value::List(values)) => Ok(values),
            None => Ok(Vec::new()),
            Some(_) => panic!("{name} is no list"),
        }
    }
}

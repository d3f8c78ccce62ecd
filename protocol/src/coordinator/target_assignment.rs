//! The epoch of a group's target assignment, the same for all kinds of groups that have one:
//! `ConsumerGroupTargetAssignmentMetadataValue.json`, and the same of share and streams groups.

use bytes::{BufMut, Bytes};

use super::flexible_value::{flexible_value, new_value, put_tagged_i64};
use crate::cursor::Malformed;

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TargetAssignmentMetadataValue {
    /// The group epoch for which it was computed.
    pub assignment_epoch: i32,
    /// When it was computed, in milliseconds since 1970 (KIP-1263); 0 if that is not known.
    pub assignment_timestamp: i64,
}

impl TargetAssignmentMetadataValue {
    /// Reads a value.
    pub fn decode(bytes: Bytes) -> Result<Self, Malformed> {
        let mut cursor = flexible_value(bytes, "target assignment metadata version")?;
        let mut value = Self { assignment_epoch: cursor.i32("assignment epoch")?, assignment_timestamp: 0 };
        cursor.tagged_fields(|tag, mut field| {
            if tag == 0 {
                value.assignment_timestamp = field.i64("assignment timestamp")?;
            }
            Ok(())
        })?;
        Ok(value)
    }

    /// The value's bytes.
    pub fn encode(&self) -> Bytes {
        let mut out = new_value();
        out.put_i32(self.assignment_epoch);
        put_tagged_i64(&mut out, self.assignment_timestamp);
        out.freeze()
    }
}

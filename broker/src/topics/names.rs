//! Names of topics: which there may be, and which are the broker's own.

use super::TopicError;

/// The topic in which the group coordinator keeps its records.
pub(crate) const CONSUMER_OFFSETS: &str = "__consumer_offsets";
/// The topic in which the transaction coordinator keeps its records.
pub(crate) const TRANSACTION_STATE: &str = "__transaction_state";
/// The topic in which the share coordinator keeps its records.
pub(crate) const SHARE_GROUP_STATE: &str = "__share_group_state";
/// The most that a topic's name may hold: a directory's name has 255 bytes, and a partition and a suffix follow.
const MAX_NAME_LEN: usize = 249;

/// Whether a topic is the broker's own.
pub(crate) fn is_internal(name: &str) -> bool {
    matches!(name, CONSUMER_OFFSETS | TRANSACTION_STATE | SHARE_GROUP_STATE)
}

pub(crate) fn check_name(name: &str) -> Result<(), TopicError> {
    let invalid = |reason: String| Err(TopicError::InvalidName(reason));
    if name.is_empty() || name == "." || name == ".." {
        return invalid(format!("'{name}' is not allowed"));
    }
    if name.len() > MAX_NAME_LEN {
        return invalid(format!("is {} characters long; {MAX_NAME_LEN} are allowed", name.len()));
    }
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if !name.bytes().all(legal) {
        return invalid(format!("'{name}' has other characters than ASCII letters, digits, '.', '_' and '-'"));
    }
    Ok(())
}

/// How metrics write a name with a '.' or '_' in it: two names that come out the same may not both exist.
pub(super) fn metric_name(name: &str) -> Option<String> {
    name.contains(['.', '_']).then(|| name.replace('.', "_"))
}

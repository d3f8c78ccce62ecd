//! The operations that a client is told it may do with a resource (KIP-430). There is no authorizer, so these are all
//! that the resource knows, as a bit for each `AclOperation` code.

/// A cluster: create, alter, describe, cluster action, describe and alter configs, idempotent write.
pub(super) const CLUSTER: i32 = 1 << 5 | 1 << 7 | 1 << 8 | 1 << 9 | 1 << 10 | 1 << 11 | 1 << 12;
/// A topic: read, write, create, delete, alter, describe, describe and alter configs.
pub(super) const TOPIC: i32 = 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 7 | 1 << 8 | 1 << 10 | 1 << 11;
/// A group: read, delete, describe, describe and alter configs.
pub(super) const GROUP: i32 = 1 << 3 | 1 << 6 | 1 << 8 | 1 << 10 | 1 << 11;
/// The client did not ask.
pub(super) const NOT_ASKED: i32 = i32::MIN;

/// `operations` if the client asked for them.
pub(super) fn if_asked(asked: bool, operations: i32) -> i32 {
    if asked { operations } else { NOT_ASKED }
}

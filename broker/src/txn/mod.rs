//! The transaction coordinator (KIP-98, KIP-360, KIP-890): which producer has which transactional id, what its transaction
//! has written to, and how it ends.
//!
//! [`shard::TransactionShard`] is the state machine: no I/O, no clock; [`metadata`] is one transactional id in it and
//! `end` how its transaction ends. [`runtime::TransactionCoordinator`] is the task that owns it, with a mailbox for
//! handlers, that keeps its records in `__transaction_state` ([`state_topic`]) and writes the markers
//! ([`markers`]). [`verification`] is what is asked of it before something is written in a transaction.
//!
//! What happens to a transaction is decided by the record that says so. Once `PrepareCommit` or `PrepareAbort` is in the
//! log, the markers will be written, by this process or the next one, and then the record that it is complete. Markers
//! may be written twice; a partition that has seen its marker takes another for what it is.

mod end;
pub(crate) mod markers;
pub(crate) mod metadata;
pub(crate) mod requests;
pub(crate) mod runtime;
pub(crate) mod shard;
pub(crate) mod state_topic;
#[cfg(test)]
mod tests;
pub(crate) mod verification;

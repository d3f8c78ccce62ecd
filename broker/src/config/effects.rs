//! Why a config that is accepted does nothing: one constant for each reason, shared by every config it holds for.
//!
//! A feature that arrives turns its constant into [`Effect::Works`], and the tables and their documentation follow.

use super::definition::Effect;
use super::definition::Effect::Inert;

// What a broker of one node, which is no JVM, has no use for.
pub(super) const ONE_NODE: Effect = Inert("one node: there are no other brokers, replicas or leaders");
pub(super) const NO_QUORUM: Effect = Inert("one node: metadata is its own log, without a Raft quorum");
pub(super) const ONE_DIRECTORY: Effect = Inert("one data directory: there is no other to move replicas to");
pub(super) const ONE_RUNTIME: Effect =
    Inert("one async runtime serves all connections and tasks, without thread pools");
pub(super) const NO_PURGATORY: Effect = Inert("a request that waits is let go when it is done: nothing is purged");
pub(super) const NO_JVM: Effect = Inert("names code of the Java platform, which this broker does not run");
pub(super) const LOADING: Effect = Inert("logs are mapped into memory: replaying one needs no buffer");
pub(super) const ONE_CLEANER: Effect =
    Inert("one log is compacted at a time, out of the page cache and without buffers of its own");
pub(super) const PREALLOCATE: Effect = Inert("every segment's file is allocated in steps, ahead of its records");
pub(super) const ONE_LZ4_LEVEL: Effect = Inert("the lz4 encoder has one level");
pub(super) const REGEX_AT_ONCE: Effect = Inert("patterns are evaluated whenever topics have changed");
pub(super) const SHARE_STATE: Effect = Inert("old share state is given up with each snapshot of a share partition");
pub(super) const KEPT_AT_ONCE: Effect = Inert("where a log begins is kept whenever it changes");
pub(super) const RELEASED_ONLY: Effect = Inert("only final versions of APIs and features are offered");

// What is not there yet.
pub(super) const PRODUCER_ID_CHECK: Effect = Inert("stored and shown; expiry is checked when it matters");
pub(super) const PARTITION_LIMIT: Effect = Inert("stored and shown; an answer names every partition asked for");
pub(super) const TLS: Effect = Inert("stored and shown; no TLS listeners yet");
pub(super) const SASL: Effect = Inert("stored and shown; no SASL listeners yet");
pub(super) const GSSAPI: Effect = Inert("stored and shown; the mechanism GSSAPI is not offered");
pub(super) const OAUTHBEARER: Effect = Inert("stored and shown; the mechanism OAUTHBEARER is not offered");
pub(super) const ACLS: Effect = Inert("stored and shown; every request is allowed, no ACLs yet");
pub(super) const DELEGATION_TOKENS: Effect = Inert("stored and shown; no delegation tokens yet");
pub(super) const CONNECTION_RATE: Effect =
    Inert("stored and shown; the quota `connection_creation_rate` limits addresses, nothing limits all of them");
pub(super) const METRICS: Effect = Inert("stored and shown; no sampled metrics yet");
pub(super) const TELEMETRY: Effect = Inert("stored and shown; no client telemetry yet");
pub(super) const TIERING: Effect = Inert("no tiered storage: a topic with `remote.storage.enable=true` is refused");

//! Transactions, and the state kept of producers.

use crate::config::definition::{ConfigDef, Effect::Works, config_defs};
use crate::config::effects::{LOADING, RELEASED_ONLY};
use crate::config::validator::Validator::{Any, AtLeast};

pub(super) const DEFS: &[ConfigDef] = config_defs! {
    Int "add.partitions.to.txn.retry.backoff.max.ms" = "100", AtLeast(0), ReadOnly, Works,
        "longest wait between tries to add a partition to a transaction";
    Int "add.partitions.to.txn.retry.backoff.ms" = "20", AtLeast(1), ReadOnly, Works,
        "wait between tries to add a partition to a transaction";
    Int "producer.id.expiration.ms" = "86400000", AtLeast(1), ClusterWide, Works,
        "silence after which an idempotent producer's state is forgotten";
    Int "transaction.abort.timed.out.transaction.cleanup.interval.ms" = "10000", AtLeast(1), ReadOnly,
        Works,
        "time between looks for transactions past their timeout";
    Int "transaction.max.timeout.ms" = "900000", AtLeast(1), ReadOnly, Works,
        "longest transaction timeout a producer may ask for";
    Boolean "transaction.partition.verification.enable" = "true", Any, ClusterWide, Works,
        "check that a partition was added to the transaction before a write";
    Int "transaction.remove.expired.transaction.cleanup.interval.ms" = "3600000", AtLeast(1), ReadOnly,
        Works,
        "time between looks for expired transactional ids";
    Int "transaction.state.log.load.buffer.size" = "5242880", AtLeast(1), ReadOnly, LOADING,
        "bytes read at a time when transaction state is loaded";
    Int "transaction.state.log.min.isr" = "1", AtLeast(1), ReadOnly, Works,
        "stored and shown as `__transaction_state`'s own; there is one replica";
    Int "transaction.state.log.num.partitions" = "50", AtLeast(1), ReadOnly, Works,
        "partitions of `__transaction_state`; fixed once it exists";
    Short "transaction.state.log.replication.factor" = "1", AtLeast(1), ReadOnly, Works,
        "stored and checked; `__transaction_state` has one replica";
    Int "transaction.state.log.segment.bytes" = "104857600", AtLeast(1), ReadOnly, Works,
        "segment size of `__transaction_state`";
    Boolean "transaction.two.phase.commit.enable" = "false", Any, ReadOnly, RELEASED_ONLY,
        "allow transactions without a timeout (KIP-939)";
    Int "transactional.id.expiration.ms" = "604800000", AtLeast(1), ReadOnly, Works,
        "silence after which a transactional id is forgotten";
};

//! Properties that are one of a few words.

use crate::debezium::name_adjustment::NameAdjustment;
use crate::debezium::types::{BinaryMode, DecimalMode, HstoreMode, IntervalMode, TimePrecisionMode};
use crate::postgres::{AutocreateMode, SslMode};

/// A property's value that is one of a few words.
pub(crate) trait Choice: Copy + 'static {
    /// What it is if nothing is said.
    const DEFAULT: Self;
    /// All of them with their words.
    const ALL: &'static [(&'static str, Self)];

    /// The one of this word, whatever the case of its letters.
    fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)).map(|(_, value)| *value)
    }

    /// The words.
    fn names() -> Vec<&'static str> {
        Self::ALL.iter().map(|(name, _)| *name).collect()
    }
}

macro_rules! choices {
    ($($type:ty, default $default:ident { $($name:literal => $value:ident,)* })*) => {
        $(impl Choice for $type {
            const DEFAULT: Self = Self::$default;
            const ALL: &'static [(&'static str, Self)] = &[$(($name, Self::$value)),*];
        })*
    };
}

/// What a change did (`Envelope.Operation`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    /// A row was seen by a snapshot.
    Read,
    /// A row is new.
    Create,
    /// A row has changed.
    Update,
    /// A row is gone.
    Delete,
    /// The table is empty now.
    Truncate,
}

impl Operation {
    /// All of them, in order.
    pub(crate) const ALL: [Self; 5] = [Self::Read, Self::Create, Self::Update, Self::Delete, Self::Truncate];

    /// Its letter in events.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::Read => "r",
            Self::Create => "c",
            Self::Update => "u",
            Self::Delete => "d",
            Self::Truncate => "t",
        }
    }
}

/// What happens when something cannot be converted or worked on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FailureHandling {
    /// The task ends.
    Fail,
    /// It is left out, and the log tells so.
    Warn,
    /// It is left out.
    Skip,
}

/// When a snapshot is taken (`snapshot.mode`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SnapshotMode {
    /// At every start.
    Always,
    /// When there is no offset yet.
    Initial,
    /// The same, and then nothing more.
    InitialOnly,
    /// Never.
    NoData,
    /// When there is no offset, or the log does not reach back to it.
    WhenNeeded,
    /// As further properties say.
    ConfigurationBased,
}

/// What a snapshot sees of transactions beside it (`snapshot.isolation.mode`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SnapshotIsolation {
    /// `SERIALIZABLE`.
    Serializable,
    /// `REPEATABLE READ`.
    RepeatableRead,
    /// `READ COMMITTED`.
    ReadCommitted,
    /// `READ UNCOMMITTED`.
    ReadUncommitted,
}

/// Who tells the server how far it may forget (`lsn.flush.mode`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LsnFlushMode {
    /// The connector, for what it has written.
    Connector,
    /// The connector, and also for what others wrote meanwhile.
    ConnectorAndDriver,
    /// Somebody else.
    Manual,
}

/// How a window of an incremental snapshot is closed (`incremental.snapshot.watermarking.strategy`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WatermarkingStrategy {
    /// By another row in the signal table.
    InsertInsert,
    /// By deleting the row that opened it.
    InsertDelete,
}

choices! {
    SnapshotMode, default Initial {
        "always" => Always,
        "initial" => Initial,
        "initial_only" => InitialOnly,
        "no_data" => NoData,
        "never" => NoData,
        "when_needed" => WhenNeeded,
        "configuration_based" => ConfigurationBased,
    }
    SnapshotIsolation, default Serializable {
        "serializable" => Serializable,
        "repeatable_read" => RepeatableRead,
        "read_committed" => ReadCommitted,
        "read_uncommitted" => ReadUncommitted,
    }
    LsnFlushMode, default Connector {
        "connector" => Connector,
        "manual" => Manual,
        "connector_and_driver" => ConnectorAndDriver,
    }
    WatermarkingStrategy, default InsertInsert {
        "insert_insert" => InsertInsert,
        "insert_delete" => InsertDelete,
    }
    FailureHandling, default Fail {
        "fail" => Fail,
        "warn" => Warn,
        "skip" => Skip,
        "ignore" => Skip,
    }
    AutocreateMode, default AllTables {
        "all_tables" => AllTables,
        "disabled" => Disabled,
        "filtered" => Filtered,
        "no_tables" => NoTables,
    }
    SslMode, default Prefer {
        "disable" => Disable,
        "allow" => Allow,
        "prefer" => Prefer,
        "require" => Require,
        "verify-ca" => VerifyCa,
        "verify-full" => VerifyFull,
    }
    DecimalMode, default Precise {
        "precise" => Precise,
        "double" => Double,
        "string" => String,
    }
    TimePrecisionMode, default Adaptive {
        "adaptive" => Adaptive,
        "adaptive_time_microseconds" => AdaptiveTimeMicroseconds,
        "isostring" => IsoString,
        "structured" => Structured,
        "microseconds" => Microseconds,
        "nanoseconds" => Nanoseconds,
        "connect" => Connect,
    }
    BinaryMode, default Bytes {
        "bytes" => Bytes,
        "base64" => Base64,
        "base64-url-safe" => Base64UrlSafe,
        "hex" => Hex,
    }
    IntervalMode, default Numeric {
        "numeric" => Numeric,
        "string" => String,
    }
    HstoreMode, default Json {
        "json" => Json,
        "map" => Map,
    }
    NameAdjustment, default None {
        "none" => None,
        "avro" => Avro,
        "avro_unicode" => AvroUnicode,
    }
}

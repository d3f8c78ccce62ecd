//! Metrics, quotas and client telemetry.

use crate::config::definition::{ConfigDef, Effect::Works, config_defs};
use crate::config::effects::{METRICS, NO_JVM, TELEMETRY};
use crate::config::validator::Validator::{Any, AnyOf, AtLeast};

pub(super) const DEFS: &[ConfigDef] = config_defs! {
    Class "client.quota.callback.class" = null, Any, ReadOnly, NO_JVM,
        "plugin that decides quotas";
    Int "kafka.metrics.polling.interval.secs" = "10", AtLeast(1), ReadOnly, NO_JVM,
        "time between polls of the old reporters";
    List "kafka.metrics.reporters" = "", AnyOf(&[]), ReadOnly, NO_JVM,
        "old metrics reporters";
    List "metric.reporters" = "org.apache.kafka.common.metrics.JmxReporter", AnyOf(&[]), ClusterWide, NO_JVM,
        "metrics reporters";
    Int "metrics.num.samples" = "2", AtLeast(1), ReadOnly, METRICS,
        "samples kept for a metric";
    String "metrics.recording.level" = "INFO", Any, ReadOnly, METRICS,
        "finest metrics kept";
    Long "metrics.sample.window.ms" = "30000", AtLeast(1), ReadOnly, METRICS,
        "length of a sample";
    Int "quota.window.num" = "11", AtLeast(1), ReadOnly, Works,
        "samples kept for client quotas";
    Int "quota.window.size.seconds" = "1", AtLeast(1), ReadOnly, Works,
        "length of such a sample";
    Int "telemetry.max.bytes" = "1048576", AtLeast(1), ReadOnly, TELEMETRY,
        "longest metrics push of a client (KIP-714)";
};

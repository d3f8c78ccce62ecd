//! What this node is.

use crate::config::definition::{ConfigDef, Effect::Works, config_defs};
use crate::config::effects::{NO_JVM, NO_QUORUM, ONE_NODE, ONE_RUNTIME};
use crate::config::validator::Validator::{Any, AnyOf, AtLeast, SomeOf};

pub(super) const DEFS: &[ConfigDef] = config_defs! {
    Int "background.threads" = "10", AtLeast(1), ClusterWide, ONE_RUNTIME,
        "threads for background work";
    Int "broker.heartbeat.interval.ms" = "2000", Any, ReadOnly, NO_QUORUM,
        "time between heartbeats to the controller";
    Int "broker.id" = "-1", Any, ReadOnly, Works,
        "old name of `node.id`; both must agree when both are set";
    String "broker.rack" = null, Any, ReadOnly, Works,
        "rack shown for this node in Metadata and DescribeCluster";
    Int "broker.session.timeout.ms" = "9000", Any, ReadOnly, NO_QUORUM,
        "silence after which the controller fences a broker";
    List "config.providers" = "", AnyOf(&[]), ClusterWide, NO_JVM,
        "plugins that fill in `${provider:key}` values";
    Boolean "controlled.shutdown.enable" = "true", Any, ReadOnly, ONE_NODE,
        "hand leadership to other brokers before stopping";
    Int "controller.socket.timeout.ms" = "30000", Any, ReadOnly, NO_QUORUM,
        "socket timeout of requests to the controller";
    Int "initial.broker.registration.timeout.ms" = "60000", Any, ReadOnly, NO_QUORUM,
        "longest wait to register with the controller";
    Int "node.id" = "1", AtLeast(0), ReadOnly, Works,
        "id this node has in every answer";
    List "process.roles" = null, SomeOf(&["broker", "controller"]), ReadOnly, NO_QUORUM,
        "roles of the process; it is always a broker and its own controller";
    String "security.providers" = null, Any, ReadOnly, NO_JVM,
        "Java security providers";
};

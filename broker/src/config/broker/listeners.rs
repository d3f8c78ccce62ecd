//! Where clients connect, and how many of them may.

use crate::config::definition::{ConfigDef, Effect::Works, config_defs};
use crate::config::effects::{ACLS, CONNECTION_RATE, ONE_NODE, ONE_RUNTIME, SASL};
use crate::config::validator::Validator::{Any, AnyOf, AtLeast, OneOf, SomeOf};

pub(super) const DEFS: &[ConfigDef] = config_defs! {
    List "advertised.listeners" = null, SomeOf(&[]), ReadOnly, Works,
        "addresses clients are told to use, by listener name; unset means those of `listeners`";
    Int "connection.failed.authentication.delay.ms" = "100", AtLeast(0), ReadOnly, SASL,
        "wait before a connection that failed to authenticate is closed";
    Long "connections.max.idle.ms" = "600000", Any, ReadOnly, Works,
        "a connection silent for this long is closed; negative means never";
    List "early.start.listeners" = null, AnyOf(&[]), ReadOnly, ACLS,
        "listeners opened before the authorizer is ready";
    String "inter.broker.listener.name" = null, Any, ReadOnly, ONE_NODE,
        "listener brokers would use among themselves; must name one of `listeners`";
    String "listener.security.protocol.map" =
        "SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT", Any, PerBroker, Works,
        "security protocol of each listener name; only PLAINTEXT is served so far";
    List "listeners" = "PLAINTEXT://127.0.0.1:9092", SomeOf(&[]), PerBroker, Works,
        "addresses to listen on, `NAME://host:port`; empty host means all interfaces, port 0 any free port";
    Int "max.connection.creation.rate" = "2147483647", AtLeast(0), ClusterWide, CONNECTION_RATE,
        "connections accepted in a second";
    Int "max.connections" = "2147483647", AtLeast(0), ClusterWide, Works,
        "connections open at once, over all listeners";
    Int "max.connections.per.ip" = "2147483647", AtLeast(0), ClusterWide, Works,
        "connections open at once from one address";
    String "max.connections.per.ip.overrides" = "", Any, ClusterWide, Works,
        "`host:count` pairs that replace `max.connections.per.ip` for a host";
    Int "num.io.threads" = "8", AtLeast(1), ClusterWide, ONE_RUNTIME,
        "threads that handle requests";
    Int "num.network.threads" = "3", AtLeast(1), ClusterWide, ONE_RUNTIME,
        "threads that read and write sockets";
    Long "queued.max.request.bytes" = "-1", Any, ReadOnly, Works,
        "bytes of requests held before reading stops; not positive means no limit";
    Int "queued.max.requests" = "500", AtLeast(1), ReadOnly, ONE_RUNTIME,
        "requests queued before reading stops";
    Int "request.timeout.ms" = "30000", Any, ReadOnly, ONE_NODE,
        "wait for answers from other nodes";
    String "security.inter.broker.protocol" = "PLAINTEXT",
        OneOf(&["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]), ReadOnly, ONE_NODE,
        "protocol brokers would use among themselves";
    Long "socket.connection.setup.timeout.max.ms" = "30000", Any, ReadOnly, ONE_NODE,
        "longest wait to connect to another node";
    Long "socket.connection.setup.timeout.ms" = "10000", Any, ReadOnly, ONE_NODE,
        "first wait to connect to another node";
    Int "socket.listen.backlog.size" = "50", AtLeast(1), ReadOnly, Works,
        "connections the kernel may hold until they are accepted";
    Int "socket.receive.buffer.bytes" = "102400", Any, ReadOnly, Works,
        "`SO_RCVBUF` of accepted sockets; -1 keeps the system's";
    Int "socket.request.max.bytes" = "104857600", AtLeast(1), ReadOnly, Works,
        "longest request accepted; a longer one closes its connection";
    Int "socket.send.buffer.bytes" = "102400", Any, ReadOnly, Works,
        "`SO_SNDBUF` of accepted sockets; -1 keeps the system's";
};

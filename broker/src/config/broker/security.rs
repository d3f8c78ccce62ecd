//! Who may connect and what they may do.

use crate::config::definition::{ConfigDef, config_defs};
use crate::config::effects::{ACLS, DELEGATION_TOKENS, NO_JVM, ONE_NODE, SASL};
use crate::config::validator::Validator::{Any, AnyOf, AtLeast};

pub(super) const DEFS: &[ConfigDef] = config_defs! {
    String "authorizer.class.name" = "", Any, ReadOnly, ACLS,
        "authorizer plugin";
    Long "connections.max.reauth.ms" = "0", Any, ReadOnly, SASL,
        "longest life of a SASL session";
    Long "delegation.token.expiry.check.interval.ms" = "3600000", AtLeast(1), ReadOnly, DELEGATION_TOKENS,
        "time between looks for expired tokens";
    Long "delegation.token.expiry.time.ms" = "86400000", AtLeast(1), ReadOnly, DELEGATION_TOKENS,
        "life of a token unless renewed";
    Long "delegation.token.max.lifetime.ms" = "604800000", AtLeast(1), ReadOnly, DELEGATION_TOKENS,
        "longest life of a token";
    Password "delegation.token.secret.key" = null, Any, ReadOnly, DELEGATION_TOKENS,
        "key that signs tokens";
    Class "principal.builder.class" =
        "org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder", Any, PerBroker, NO_JVM,
        "plugin that turns a session into a principal";
    Class "sasl.client.callback.handler.class" = null, Any, ReadOnly, NO_JVM,
        "client callback handler";
    List "sasl.enabled.mechanisms" = "GSSAPI", AnyOf(&[]), PerBroker, SASL,
        "SASL mechanisms offered";
    Password "sasl.jaas.config" = null, Any, PerBroker, SASL,
        "login module of a listener";
    Class "sasl.login.callback.handler.class" = null, Any, ReadOnly, NO_JVM,
        "login callback handler";
    Class "sasl.login.class" = null, Any, ReadOnly, NO_JVM,
        "login implementation";
    String "sasl.mechanism.inter.broker.protocol" = "GSSAPI", Any, PerBroker, ONE_NODE,
        "SASL mechanism between brokers";
    Class "sasl.server.callback.handler.class" = null, Any, ReadOnly, NO_JVM,
        "server callback handler";
    Int "sasl.server.max.receive.size" = "524288", Any, ReadOnly, SASL,
        "longest message accepted before authentication";
};

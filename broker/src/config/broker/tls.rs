//! TLS listeners.

use crate::config::definition::{ConfigDef, config_defs};
use crate::config::effects::{NO_JVM, TLS};
use crate::config::validator::Validator::{Any, AnyOf, OneOf};

pub(super) const DEFS: &[ConfigDef] = config_defs! {
    Boolean "ssl.allow.dn.changes" = "false", Any, ReadOnly, TLS,
        "allow a new keystore with another name";
    Boolean "ssl.allow.san.changes" = "false", Any, ReadOnly, TLS,
        "allow a new keystore with other alternative names";
    List "ssl.cipher.suites" = "", AnyOf(&[]), PerBroker, TLS,
        "cipher suites offered; empty means the library's";
    String "ssl.client.auth" = "none", OneOf(&["required", "requested", "none"]), PerBroker, TLS,
        "whether clients show a certificate";
    List "ssl.enabled.protocols" = "TLSv1.2,TLSv1.3", AnyOf(&[]), PerBroker, TLS,
        "TLS versions offered";
    String "ssl.endpoint.identification.algorithm" = "https", Any, PerBroker, TLS,
        "how a client would check the server's name";
    Class "ssl.engine.factory.class" = null, Any, PerBroker, NO_JVM,
        "plugin that makes TLS engines";
    Password "ssl.key.password" = null, Any, PerBroker, TLS,
        "password of the private key";
    String "ssl.keymanager.algorithm" = "SunX509", Any, PerBroker, NO_JVM,
        "Java key manager";
    Password "ssl.keystore.certificate.chain" = null, Any, PerBroker, TLS,
        "certificate chain in PEM";
    Password "ssl.keystore.key" = null, Any, PerBroker, TLS,
        "private key in PEM";
    String "ssl.keystore.location" = null, Any, PerBroker, TLS,
        "file with key and certificate";
    Password "ssl.keystore.password" = null, Any, PerBroker, TLS,
        "password of that file";
    String "ssl.keystore.type" = "JKS", Any, PerBroker, TLS,
        "format of that file";
    String "ssl.principal.mapping.rules" = "DEFAULT", Any, ReadOnly, TLS,
        "rules from certificate names to principals";
    String "ssl.protocol" = "TLSv1.3", Any, PerBroker, TLS,
        "TLS version of the context";
    String "ssl.provider" = null, Any, PerBroker, NO_JVM,
        "Java security provider for TLS";
    String "ssl.secure.random.implementation" = null, Any, PerBroker, NO_JVM,
        "Java random number generator";
    String "ssl.trustmanager.algorithm" = "PKIX", Any, PerBroker, NO_JVM,
        "Java trust manager";
    Password "ssl.truststore.certificates" = null, Any, PerBroker, TLS,
        "trusted certificates in PEM";
    String "ssl.truststore.location" = null, Any, PerBroker, TLS,
        "file with trusted certificates";
    Password "ssl.truststore.password" = null, Any, PerBroker, TLS,
        "password of that file";
    String "ssl.truststore.type" = "JKS", Any, PerBroker, TLS,
        "format of that file";
};

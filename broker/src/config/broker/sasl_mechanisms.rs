//! The SASL mechanisms GSSAPI and OAUTHBEARER.

use crate::config::definition::{ConfigDef, config_defs};
use crate::config::effects::{GSSAPI, NO_JVM, OAUTHBEARER};
use crate::config::validator::Validator::{Any, AnyOf, Between, OneOfIgnoringCase};

pub(super) const DEFS: &[ConfigDef] = config_defs! {
    String "sasl.kerberos.kinit.cmd" = "/usr/bin/kinit", Any, PerBroker, GSSAPI,
        "path of `kinit`";
    Long "sasl.kerberos.min.time.before.relogin" = "60000", Any, PerBroker, GSSAPI,
        "shortest time between logins";
    List "sasl.kerberos.principal.to.local.rules" = "DEFAULT", AnyOf(&[]), PerBroker, GSSAPI,
        "rules from principal names to short names";
    String "sasl.kerberos.service.name" = null, Any, PerBroker, GSSAPI,
        "principal name the broker runs as";
    Double "sasl.kerberos.ticket.renew.jitter" = "0.05", Any, PerBroker, GSSAPI,
        "random part of the renewal time";
    Double "sasl.kerberos.ticket.renew.window.factor" = "0.8", Any, PerBroker, GSSAPI,
        "part of a ticket's life after which it is renewed";
    Int "sasl.login.connect.timeout.ms" = null, Any, ReadOnly, OAUTHBEARER,
        "wait to connect to the token endpoint";
    Int "sasl.login.read.timeout.ms" = null, Any, ReadOnly, OAUTHBEARER,
        "wait for an answer of the token endpoint";
    Short "sasl.login.refresh.buffer.seconds" = "300", Any, PerBroker, OAUTHBEARER,
        "time left of a token when it is refreshed";
    Short "sasl.login.refresh.min.period.seconds" = "60", Any, PerBroker, OAUTHBEARER,
        "shortest time between refreshes";
    Double "sasl.login.refresh.window.factor" = "0.8", Any, PerBroker, OAUTHBEARER,
        "part of a token's life after which it is refreshed";
    Double "sasl.login.refresh.window.jitter" = "0.05", Any, PerBroker, OAUTHBEARER,
        "random part of the refresh time";
    Long "sasl.login.retry.backoff.max.ms" = "10000", Any, ReadOnly, OAUTHBEARER,
        "longest wait between logins";
    Long "sasl.login.retry.backoff.ms" = "100", Any, ReadOnly, OAUTHBEARER,
        "first wait between logins";
    String "sasl.oauthbearer.assertion.algorithm" = "RS256", OneOfIgnoringCase(&["ES256", "RS256"]), ReadOnly,
        OAUTHBEARER,
        "algorithm that signs a JWT assertion";
    String "sasl.oauthbearer.assertion.claim.aud" = null, Any, ReadOnly, OAUTHBEARER,
        "`aud` of a JWT assertion";
    Int "sasl.oauthbearer.assertion.claim.exp.seconds" = "300", Between(0, 86400), ReadOnly, OAUTHBEARER,
        "life of a JWT assertion";
    String "sasl.oauthbearer.assertion.claim.iss" = null, Any, ReadOnly, OAUTHBEARER,
        "`iss` of a JWT assertion";
    Boolean "sasl.oauthbearer.assertion.claim.jti.include" = "false", Any, ReadOnly, OAUTHBEARER,
        "whether a JWT assertion has a `jti`";
    Int "sasl.oauthbearer.assertion.claim.nbf.seconds" = "60", Between(0, 3600), ReadOnly, OAUTHBEARER,
        "`nbf` of a JWT assertion, before now";
    String "sasl.oauthbearer.assertion.claim.sub" = null, Any, ReadOnly, OAUTHBEARER,
        "`sub` of a JWT assertion";
    String "sasl.oauthbearer.assertion.file" = null, Any, ReadOnly, OAUTHBEARER,
        "file with a ready JWT assertion";
    String "sasl.oauthbearer.assertion.private.key.file" = null, Any, ReadOnly, OAUTHBEARER,
        "key that signs JWT assertions";
    Password "sasl.oauthbearer.assertion.private.key.passphrase" = null, Any, ReadOnly, OAUTHBEARER,
        "passphrase of that key";
    String "sasl.oauthbearer.assertion.template.file" = null, Any, ReadOnly, OAUTHBEARER,
        "file with fixed parts of a JWT assertion";
    String "sasl.oauthbearer.client.credentials.client.id" = null, Any, ReadOnly, OAUTHBEARER,
        "client id of a client credentials grant";
    Password "sasl.oauthbearer.client.credentials.client.secret" = null, Any, ReadOnly, OAUTHBEARER,
        "client secret of a client credentials grant";
    Int "sasl.oauthbearer.clock.skew.seconds" = "30", Any, ReadOnly, OAUTHBEARER,
        "clock difference allowed in token times";
    List "sasl.oauthbearer.expected.audience" = "", AnyOf(&[]), ReadOnly, OAUTHBEARER,
        "audiences a token may have";
    String "sasl.oauthbearer.expected.issuer" = null, Any, ReadOnly, OAUTHBEARER,
        "issuer a token must have";
    Long "sasl.oauthbearer.jwks.endpoint.refresh.ms" = "3600000", Any, ReadOnly, OAUTHBEARER,
        "time between reads of the key set";
    Long "sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms" = "10000", Any, ReadOnly, OAUTHBEARER,
        "longest wait between tries to read the key set";
    Long "sasl.oauthbearer.jwks.endpoint.retry.backoff.ms" = "100", Any, ReadOnly, OAUTHBEARER,
        "first wait between tries to read the key set";
    String "sasl.oauthbearer.jwks.endpoint.url" = null, Any, ReadOnly, OAUTHBEARER,
        "address of the key set";
    Class "sasl.oauthbearer.jwt.retriever.class" =
        "org.apache.kafka.common.security.oauthbearer.DefaultJwtRetriever", Any, ReadOnly, NO_JVM,
        "plugin that gets a token";
    Class "sasl.oauthbearer.jwt.validator.class" =
        "org.apache.kafka.common.security.oauthbearer.DefaultJwtValidator", Any, ReadOnly, NO_JVM,
        "plugin that checks a token";
    String "sasl.oauthbearer.scope" = null, Any, ReadOnly, OAUTHBEARER,
        "scope asked for";
    String "sasl.oauthbearer.scope.claim.name" = "scope", Any, ReadOnly, OAUTHBEARER,
        "name of the scope claim";
    String "sasl.oauthbearer.sub.claim.name" = "sub", Any, ReadOnly, OAUTHBEARER,
        "name of the subject claim";
    String "sasl.oauthbearer.token.endpoint.url" = null, Any, ReadOnly, OAUTHBEARER,
        "address tokens come from";
};

//! What has configs: topics, groups, the broker, its loggers and subscriptions to clients' metrics. Shared by the
//! handlers that describe and alter them.

use std::collections::HashMap;
use std::sync::Arc;

use brooklet_protocol::{ErrorCode, StrBytes};

use super::{refusal, text};
use crate::apis::RequestContext;
use crate::config::{
    AlterError, BrokerLayers, ConfigChange, ConfigMap, DynamicScope, alter_broker, alter_client_metrics, alter_group,
    changed_topic, replace_broker, validate_client_metrics, validate_group, validate_topic,
};
use crate::node::NodeConfig;
use crate::topics::{Topic, TopicError, check_name};

/// A resource that a request names.
pub(super) enum Resource {
    /// A topic, by a name that may be none, of a topic that may not exist.
    Topic(String),
    /// This broker, or with the empty name all brokers.
    Broker(DynamicScope),
    /// The loggers of this broker.
    BrokerLogger,
    /// A subscription to clients' metrics, by name.
    ClientMetrics(String),
    /// A group, which need not exist.
    Group(String),
}

/// How its configs are to change.
pub(super) enum Change {
    /// Those that are set now (IncrementalAlterConfigs).
    Some(Vec<ConfigChange>),
    /// All: those not named are set no more (AlterConfigs).
    All(ConfigMap),
}

/// How often a request names each resource.
pub(super) struct Once<'a>(HashMap<(i8, &'a str), usize>);

impl<'a> Once<'a> {
    pub(super) fn of(named: impl Iterator<Item = (i8, &'a str)>) -> Self {
        let mut counts = HashMap::new();
        named.for_each(|resource| *counts.entry(resource).or_default() += 1);
        Self(counts)
    }

    /// Refuses a resource that is named twice: which of the two should count cannot be told.
    pub(super) fn check(&self, resource_type: i8, name: &'a str) -> Result<(), Refused> {
        match self.0.get(&(resource_type, name)) {
            Some(2..) => Err(invalid("each resource must be named at most once".to_owned())),
            _ => Ok(()),
        }
    }
}

/// An error's code and message.
pub(super) type Refused = (ErrorCode, Option<StrBytes>);

/// Codes of `ConfigResource.Type`.
const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const BROKER_LOGGER: i8 = 8;
const CLIENT_METRICS: i8 = 16;
const GROUP: i8 = 32;

impl Resource {
    /// The resource of this type and name.
    pub(super) fn find(cx: &RequestContext, resource_type: i8, name: &str) -> Result<Self, Refused> {
        match resource_type {
            TOPIC => Ok(Self::Topic(name.to_owned())),
            BROKER if name.is_empty() => Ok(Self::Broker(DynamicScope::Default)),
            BROKER if name == cx.node.node_id().to_string() => Ok(Self::Broker(DynamicScope::Broker)),
            BROKER => Err(invalid(format!("the only broker is {}, not '{name}'", cx.node.node_id()))),
            BROKER_LOGGER if name == cx.node.node_id().to_string() => Ok(Self::BrokerLogger),
            BROKER_LOGGER => {
                Err(invalid(format!("the loggers are those of broker {}, not '{name}'", cx.node.node_id())))
            }
            CLIENT_METRICS if name.is_empty() => Err(invalid("Subscription name can't be empty".to_owned())),
            CLIENT_METRICS => Ok(Self::ClientMetrics(name.to_owned())),
            GROUP if name.is_empty() => Err(invalid("a group's name must not be empty".to_owned())),
            GROUP => Ok(Self::Group(name.to_owned())),
            other => Err(invalid(format!("resources of type {other} have no configs here"))),
        }
    }

    /// Changes its configs, or with `validate_only` tells whether they could be.
    pub(super) fn change(&self, cx: &RequestContext, change: &Change, validate_only: bool) -> Result<(), Refused> {
        match self {
            Self::Topic(topic) => change_topic(cx, topic, change, validate_only),
            Self::Broker(scope) => change_broker(cx, *scope, change, validate_only),
            Self::BrokerLogger => change_loggers(cx, change, validate_only),
            Self::ClientMetrics(name) => change_client_metrics(cx, name, change, validate_only),
            Self::Group(group_id) => change_group(cx, group_id, change, validate_only),
        }
    }
}

/// The topic of this name.
pub(super) fn topic(cx: &RequestContext, name: &str) -> Result<Arc<Topic>, Refused> {
    check_name(name).map_err(|error| refusal(&error))?;
    cx.node.topics.by_name(name).ok_or_else(|| refusal(&TopicError::Unknown(name.to_owned())))
}

/// Kafka looks at the configs first, and at whether there is such a topic last.
fn change_topic(cx: &RequestContext, name: &str, change: &Change, validate_only: bool) -> Result<(), Refused> {
    let config = cx.node.config();
    let found = cx.node.topics.by_name(name);
    let overrides = match change {
        Change::Some(changes) => {
            let present = found.as_ref().map(|topic| topic.settings().overrides.clone()).unwrap_or_default();
            changed_topic(&present, changes).map_err(|error| refused(&error))?
        }
        Change::All(configs) => configs.clone(),
    };
    if name.is_empty() {
        return Err(invalid("there are no configs for all topics, a topic must be named".to_owned()));
    }
    check_name(name).map_err(|error| refusal(&error))?;
    validate_topic(&overrides, &config.layers).map_err(|error| refused(&error))?;
    let topic = found.ok_or_else(|| refusal(&TopicError::Unknown(name.to_owned())))?;
    if validate_only {
        return Ok(());
    }
    cx.node.topics.configure(&topic, overrides, &config.layers).map_err(|error| refusal(&error))
}

fn change_broker(
    cx: &RequestContext,
    scope: DynamicScope,
    change: &Change,
    validate_only: bool,
) -> Result<(), Refused> {
    cx.node.change_config(|present| {
        let changed = match change {
            Change::Some(changes) => alter_broker(&present.layers, scope, changes),
            Change::All(configs) => replace_broker(&present.layers, scope, configs.clone()),
        };
        let (layers, broker) = changed.map_err(|error| refused(&error))?;
        if validate_only {
            return Ok(present.clone());
        }
        let (entity, configs) = kept(cx, scope, &layers);
        cx.node.topics.configure_broker(entity, configs, &layers).map_err(|error| refusal(&error))?;
        Ok(NodeConfig { layers, broker })
    })
}

/// Levels of loggers are kept in memory alone, and only as long as the broker runs (KIP-412).
fn change_loggers(cx: &RequestContext, change: &Change, validate_only: bool) -> Result<(), Refused> {
    match change {
        Change::All(_) => {
            Err(invalid("levels of loggers change only one by one, with IncrementalAlterConfigs".to_owned()))
        }
        Change::Some(changes) => cx.node.loggers.change(changes, validate_only).map_err(|error| refused(&error)),
    }
}

fn change_client_metrics(cx: &RequestContext, name: &str, change: &Change, validate_only: bool) -> Result<(), Refused> {
    let configs = match change {
        Change::Some(changes) => alter_client_metrics(&cx.node.topics.client_metrics(name), changes),
        Change::All(configs) => validate_client_metrics(configs).map(|()| configs.clone()),
    };
    let configs = configs.map_err(|error| refused(&error))?;
    if validate_only {
        return Ok(());
    }
    cx.node.topics.set_client_metrics(name, configs).map_err(|error| refusal(&error))
}

fn change_group(cx: &RequestContext, group_id: &str, change: &Change, validate_only: bool) -> Result<(), Refused> {
    let changed = cx.node.change_group_config(group_id, |present, layers| {
        let changed = match change {
            Change::Some(changes) => alter_group(present, changes, layers),
            Change::All(configs) => validate_group(configs, layers).map(|()| configs.clone()),
        };
        let changed = changed.map_err(|error| NotChanged(refused(&error)))?;
        Ok((!validate_only).then_some(changed))
    });
    changed.map_err(|NotChanged(refused)| refused)
}

/// Why a group's configs stay as they are.
struct NotChanged(Refused);

impl From<TopicError> for NotChanged {
    fn from(error: TopicError) -> Self {
        Self(refusal(&error))
    }
}

/// What the catalog keeps of one scope.
fn kept(cx: &RequestContext, scope: DynamicScope, layers: &BrokerLayers) -> (String, ConfigMap) {
    match scope {
        DynamicScope::Broker => (cx.node.node_id().to_string(), layers.dynamic_broker.clone()),
        DynamicScope::Default => (String::new(), layers.dynamic_default.clone()),
    }
}

pub(super) fn refused(error: &AlterError) -> Refused {
    let code = match error {
        AlterError::InvalidRequest(_) => ErrorCode::InvalidRequest,
        AlterError::InvalidConfig(_) => ErrorCode::InvalidConfig,
        AlterError::UnknownOperation(_) => ErrorCode::UnknownServerError,
    };
    (code, Some(text(error.to_string())))
}

pub(super) fn invalid(message: String) -> Refused {
    (ErrorCode::InvalidRequest, Some(text(message)))
}

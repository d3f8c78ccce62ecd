//! What has to be done, by comparing three things: what is declared, what is, and what was declared before.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::remembered::Given;
use super::{Actual, Remembered, configs, reason_of};
use crate::admin::{ConfigChanges, NewTopic, RunState};
use crate::condition::{Condition, Reason, Status};
use crate::manifest::{Configs, Declared, DeclaredConnector, DeclaredTopic, KAFKA_CONNECTOR, KAFKA_TOPIC, Resource};
use crate::secrets::{Secrets, Seen, fill_in};
use crate::source::Loaded;

/// A change to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A topic is made.
    CreateTopic(NewTopic),
    /// A topic gets more partitions.
    AddPartitions {
        /// Which.
        topic: String,
        /// How many it has.
        from: i32,
        /// How many it gets.
        to: i32,
    },
    /// A topic's configs change.
    AlterConfigs {
        /// Which.
        topic: String,
        /// What changes.
        changes: ConfigChanges,
        /// What is set now, of that which changes.
        from: BTreeMap<String, String>,
    },
    /// A topic is deleted.
    DeleteTopic(String),
    /// A connector is made, or gets another config.
    PutConnector {
        /// Which.
        name: String,
        /// Its config.
        config: BTreeMap<String, String>,
        /// The names of what changes; `None` if it is made.
        changed: Option<BTreeSet<String>>,
    },
    /// A connector is started, paused or stopped.
    SetState {
        /// Which.
        name: String,
        /// What it is to be.
        state: RunState,
    },
    /// A connector is started again, since one of its secrets is another.
    RestartConnector(String),
    /// A connector is deleted.
    DeleteConnector(String),
}

/// Something that is or was declared, and what has to be done about it.
#[derive(Debug, Clone)]
pub struct PlannedResource {
    /// How it stands with it, if all steps succeed.
    pub condition: Condition,
    /// What has to be done, in order.
    pub steps: Vec<Step>,
    /// As it is declared.
    pub(super) declared: Option<Resource>,
    /// The line of each of its configs.
    pub(super) lines: BTreeMap<String, usize>,
    /// Secrets in its steps.
    pub(super) seen: Seen,
    /// A connector's name, and what its worker finds now when it looks secrets up.
    pub(super) given: Option<(String, Given)>,
}

/// All that has to be done.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// In the order in which it is done: topics, connectors, then what is declared no more.
    pub resources: Vec<PlannedResource>,
}

impl Plan {
    /// All steps, each with the secrets that must not be shown.
    pub fn steps(&self) -> impl Iterator<Item = (&Step, &Seen)> {
        self.resources.iter().flat_map(|resource| resource.steps.iter().map(|step| (step, &resource.seen)))
    }
}

pub(super) fn plan(
    loaded: &Loaded,
    actual: &Actual,
    remembered: &Remembered,
    secrets: &dyn Secrets,
    prune: bool,
) -> Plan {
    let (topics, connectors): (Vec<_>, Vec<_>) =
        loaded.declared.iter().partition(|declared| matches!(declared.resource, Resource::Topic(_)));
    let mut resources = Vec::new();
    for declared in topics.into_iter().chain(connectors) {
        let mut planned = PlannedResource::of(declared);
        match &declared.resource {
            Resource::Topic(topic) => planned.topic(topic, actual, remembered, secrets),
            Resource::Connector(connector) => planned.connector(connector, actual, remembered, secrets),
        }
        resources.push(planned);
    }
    resources.extend(declared_no_more(loaded, actual, remembered, prune));
    Plan { resources }
}

impl PlannedResource {
    fn of(declared: &Declared) -> Self {
        let (kind, name) = (declared.resource.kind(), declared.resource.name());
        let condition = Condition {
            place: Some(declared.place.clone()),
            kind: Some(kind.to_owned()),
            name: Some(name.to_owned()),
            status: Status::Ready,
            reason: Reason::UpToDate,
            message: String::new(),
        };
        let lines = declared.resource.configs().iter().map(|(name, config)| (name.clone(), config.line)).collect();
        let declared = Some(declared.resource.clone());
        Self { condition, steps: Vec::new(), declared, lines, seen: Seen::default(), given: None }
    }

    fn topic(&mut self, topic: &DeclaredTopic, actual: &Actual, remembered: &Remembered, secrets: &dyn Secrets) {
        let Some(configs) = self.filled_in(&topic.configs, secrets) else {
            return;
        };
        let DeclaredTopic { name, partitions, replication_factor, .. } = topic.clone();
        let Some(is) = actual.topics.get(&name) else {
            self.steps.push(Step::CreateTopic(NewTopic { name, partitions, replication_factor, configs }));
            return;
        };
        if let Some(to) = partitions {
            if to > is.partitions {
                self.steps.push(Step::AddPartitions { topic: name.clone(), from: is.partitions, to });
            } else if to < is.partitions {
                let message =
                    format!("it has {} partitions, and none is ever taken away; {to} are declared", is.partitions);
                self.not_ready(Reason::FewerPartitions, message);
            }
        }
        if let (Some(declared), Some(is)) = (replication_factor, is.replication_factor)
            && declared != is
        {
            let message = format!("its replication factor is {is} and stays; {declared} is declared");
            self.not_ready(Reason::ReplicationFactorKept, message);
        }
        let changes = configs::changes(&configs, &is.configs, remembered.topics.get(&name));
        if !changes.is_empty() {
            let changed = |name: &String| changes.set.contains_key(name) || changes.delete.contains(name);
            let from =
                is.configs.iter().filter(|(name, _)| changed(name)).map(|(n, v)| (n.clone(), v.clone())).collect();
            self.steps.push(Step::AlterConfigs { topic: name, changes, from });
        }
    }

    fn connector(
        &mut self,
        connector: &DeclaredConnector,
        actual: &Actual,
        remembered: &Remembered,
        secrets: &dyn Secrets,
    ) {
        // Only to see whether all are there and the same, and never to show them: the worker fills them in itself.
        let filled = self.filled_in(&connector.config, secrets);
        let given = Given::of(filled.as_ref());
        self.given = Some((connector.name.clone(), given));
        if filled.is_none() {
            return;
        }
        if let Some(error) = &actual.no_connect {
            self.not_ready(reason_of(error), error.to_string());
            return;
        }
        let name = &connector.name;
        let config: BTreeMap<_, _> =
            connector.config.iter().map(|(name, config)| (name.clone(), config.text.clone())).collect();
        let is = actual.connectors.get(name);
        let changed = is.map(|is| {
            let names: BTreeSet<&String> = is.config.keys().chain(config.keys()).collect();
            let changed = names.into_iter().filter(|name| is.config.get(*name) != config.get(*name));
            changed.cloned().collect::<BTreeSet<_>>()
        });
        if changed.as_ref().is_none_or(|changed| !changed.is_empty()) {
            self.steps.push(Step::PutConnector { name: name.clone(), config, changed });
        }
        let (has, shall) = match is {
            None => (Some(RunState::Running), connector.state.or(connector.initial_state)),
            Some(is) => (is.state, connector.state),
        };
        if let (Some(has), Some(shall)) = (has, shall)
            && has != shall
        {
            self.steps.push(Step::SetState { name: name.clone(), state: shall });
        }
        // A worker looks secrets up when it starts a connector, which either of those steps makes it do.
        let runs = is.is_some_and(|is| is.state == Some(RunState::Running));
        let is_another = remembered.given.get(name).is_some_and(|before| *before != given);
        if self.steps.is_empty() && runs && is_another {
            self.steps.push(Step::RestartConnector(name.clone()));
        }
    }

    /// Configs with their secrets; `None` if one is missing.
    fn filled_in(&mut self, configs: &Configs, secrets: &dyn Secrets) -> Option<BTreeMap<String, String>> {
        let mut filled = BTreeMap::new();
        for (name, config) in configs {
            match fill_in(&config.text, secrets, &mut self.seen) {
                Ok(text) => drop(filled.insert(name.clone(), text)),
                Err(reason) => {
                    if let Some(place) = &mut self.condition.place
                        && config.line > 0
                    {
                        place.line = config.line;
                    }
                    self.not_ready(Reason::MissingSecret, format!("{name}: {reason}"));
                    return None;
                }
            }
        }
        Some(filled)
    }

    fn not_ready(&mut self, reason: Reason, message: String) {
        self.condition.status = Status::NotReady;
        self.condition.reason = reason;
        self.condition.message = match self.condition.message.as_str() {
            "" => message,
            before => format!("{before}; {message}"),
        };
    }
}

/// What was declared once and is no more: deleted if that is asked for and all that is declared is known.
fn declared_no_more(loaded: &Loaded, actual: &Actual, remembered: &Remembered, prune: bool) -> Vec<PlannedResource> {
    let declared = loaded.declared.iter().map(|declared| &declared.resource).chain(&loaded.unmanaged);
    let declared: BTreeSet<(&str, &str)> = declared.map(|resource| (resource.kind(), resource.name())).collect();
    let connectors = remembered
        .connectors
        .iter()
        .filter(|name| !declared.contains(&(KAFKA_CONNECTOR, name.as_str())) && actual.connectors.contains_key(*name));
    let connectors = connectors.map(|name| (KAFKA_CONNECTOR, name, Step::DeleteConnector(name.clone())));
    let topics = remembered
        .topics
        .keys()
        .filter(|name| !declared.contains(&(KAFKA_TOPIC, name.as_str())) && actual.topics.contains_key(*name));
    let topics = topics.map(|name| (KAFKA_TOPIC, name, Step::DeleteTopic(name.clone())));
    let planned = |(kind, name, step): (&str, &String, Step)| {
        let mut condition = Condition {
            place: None,
            kind: Some(kind.to_owned()),
            name: Some(name.clone()),
            status: Status::Skipped,
            reason: Reason::NotPruned,
            message: "it is declared no more, and stays, since nothing is pruned".to_owned(),
        };
        let mut steps = Vec::new();
        if prune && loaded.complete {
            (condition.status, condition.message) = (Status::Ready, String::new());
            steps.push(step);
        } else if prune {
            condition.message = "nothing is pruned while something that is declared cannot be read".to_owned();
        }
        let (lines, seen) = (BTreeMap::new(), Seen::default());
        PlannedResource { condition, steps, declared: None, lines, seen, given: None }
    };
    connectors.chain(topics).map(planned).collect()
}

impl Step {
    /// What a condition says once it is done.
    pub(super) fn reason(&self) -> Reason {
        match self {
            Self::CreateTopic(_) | Self::PutConnector { changed: None, .. } => Reason::Created,
            Self::DeleteTopic(_) | Self::DeleteConnector(_) => Reason::Pruned,
            _ => Reason::Altered,
        }
    }

    /// What was done, without any value.
    pub(super) fn done(&self) -> String {
        match self {
            Self::CreateTopic(topic) => format!("declared topic {} created", topic.name),
            Self::AddPartitions { topic, from, to } => format!("declared topic {topic}: partitions {from} to {to}"),
            Self::AlterConfigs { topic, changes, .. } => {
                let names: Vec<_> = changes.set.keys().chain(&changes.delete).map(String::as_str).collect();
                format!("declared topic {topic}: {} changed", names.join(", "))
            }
            Self::DeleteTopic(topic) => format!("topic {topic}, declared no more, deleted"),
            Self::PutConnector { name, changed: None, .. } => format!("declared connector {name} created"),
            Self::PutConnector { name, changed: Some(changed), .. } => {
                let names: Vec<_> = changed.iter().map(String::as_str).collect();
                format!("declared connector {name}: {} changed", names.join(", "))
            }
            Self::SetState { name, state } => format!("declared connector {name} is to be {state}"),
            Self::RestartConnector(name) => format!("declared connector {name}: restarted, since a secret has changed"),
            Self::DeleteConnector(name) => format!("connector {name}, declared no more, deleted"),
        }
    }
}

impl fmt::Display for RunState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Stopped => "stopped",
        })
    }
}

/// As `brooklet diff` shows it: `+` is made, `~` is changed, `-` is deleted. Of a connector's config there are only names,
/// since any value may be a secret.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CreateTopic(topic) => {
                write!(f, "+ {KAFKA_TOPIC} {}", topic.name)?;
                let count = |count: Option<i64>| count.map_or("default".to_owned(), |count| count.to_string());
                write!(f, "\n    partitions: {}", count(topic.partitions.map(i64::from)))?;
                write!(f, "\n    replicas: {}", count(topic.replication_factor.map(i64::from)))?;
                topic.configs.iter().try_for_each(|(name, value)| write!(f, "\n    {name}: {value}"))
            }
            Self::AddPartitions { topic, from, to } => {
                write!(f, "~ {KAFKA_TOPIC} {topic}\n    partitions: {from} -> {to}")
            }
            Self::AlterConfigs { topic, changes, from } => {
                write!(f, "~ {KAFKA_TOPIC} {topic}")?;
                let before = |name: &String| from.get(name).map_or("default", String::as_str);
                for (name, value) in &changes.set {
                    write!(f, "\n    {name}: {} -> {value}", before(name))?;
                }
                changes.delete.iter().try_for_each(|name| write!(f, "\n    {name}: {} -> default", before(name)))
            }
            Self::DeleteTopic(topic) => write!(f, "- {KAFKA_TOPIC} {topic}"),
            Self::PutConnector { name, config, changed: None } => {
                write!(f, "+ {KAFKA_CONNECTOR} {name}")?;
                config.keys().try_for_each(|name| write!(f, "\n    {name}"))
            }
            Self::PutConnector { name, changed: Some(changed), .. } => {
                write!(f, "~ {KAFKA_CONNECTOR} {name}")?;
                changed.iter().try_for_each(|name| write!(f, "\n    {name}"))
            }
            Self::SetState { name, state } => write!(f, "~ {KAFKA_CONNECTOR} {name}\n    state: {state}"),
            Self::RestartConnector(name) => write!(f, "~ {KAFKA_CONNECTOR} {name}\n    restarted"),
            Self::DeleteConnector(name) => write!(f, "- {KAFKA_CONNECTOR} {name}"),
        }
    }
}

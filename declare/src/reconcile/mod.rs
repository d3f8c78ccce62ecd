//! From what is declared to what is: what has to be done is worked out first, in [`plan`], and then done, one step after the
//! other. What cannot be done is told, and holds up nothing else.

mod configs;
mod plan;
mod remembered;

use std::collections::{BTreeMap, BTreeSet};

pub use plan::{Plan, PlannedResource, Step};
pub use remembered::Remembered;

use crate::admin::{Admin, AdminError, Connect, ConnectorState, TopicState};
use crate::condition::{Condition, Reason, Status};
use crate::manifest::{KAFKA_CONNECTOR, KAFKA_TOPIC};
use crate::secrets::Secrets;
use crate::source::Loaded;

/// How topics and connectors are, those at least that are or were declared.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Actual {
    /// Topics by name.
    pub topics: BTreeMap<String, TopicState>,
    /// Connectors by name.
    pub connectors: BTreeMap<String, ConnectorState>,
    /// Why nothing is known of connectors, if so.
    pub no_connect: Option<AdminError>,
}

/// Brings about what is declared.
#[derive(Debug)]
pub struct Reconciler<A, C, S> {
    /// Where topics are.
    pub admin: A,
    /// Where connectors are, if anywhere.
    pub connect: Option<C>,
    /// Who knows the secrets.
    pub secrets: S,
    /// Whether what is declared no more is deleted.
    pub prune: bool,
}

/// What came of it.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// How it stands with each thing that is declared, and with files that are wrong.
    pub conditions: Vec<Condition>,
    /// How many changes were made.
    pub changes: usize,
}

impl Report {
    /// The conditions of what is not as declared.
    pub fn failing(&self) -> impl Iterator<Item = &Condition> {
        self.conditions.iter().filter(|condition| condition.status == Status::NotReady)
    }

    /// Whether it may help to try again though no file has changed.
    pub fn may_be_tried_again(&self) -> bool {
        self.failing().any(|condition| match condition.reason {
            Reason::Unavailable | Reason::MissingSecret => true,
            // The database that it reads may not be up yet.
            Reason::Refused => condition.kind.as_deref() == Some(KAFKA_CONNECTOR),
            _ => false,
        })
    }
}

impl<A: Admin, C: Connect, S: Secrets> Reconciler<A, C, S> {
    /// What has to be done. Nothing is done.
    ///
    /// # Errors
    /// [`AdminError::Unavailable`] if nobody says how things are.
    pub async fn plan(&self, loaded: &Loaded, remembered: &Remembered) -> Result<Plan, AdminError> {
        let actual = self.actual(loaded, remembered).await?;
        Ok(plan::plan(loaded, &actual, remembered, &self.secrets, self.prune))
    }

    /// Does what has to be done, and keeps in mind what is declared now.
    pub async fn reconcile(&self, loaded: &Loaded, remembered: &mut Remembered) -> Report {
        let plan = match self.plan(loaded, remembered).await {
            Ok(plan) => plan,
            Err(error) => return unreachable_report(loaded, &error),
        };
        let mut report = Report { conditions: loaded.conditions.clone(), changes: 0 };
        for resource in plan.resources {
            let condition = self.carry_out(resource, remembered, &mut report.changes).await;
            report.conditions.push(condition);
        }
        report
    }

    async fn actual(&self, loaded: &Loaded, remembered: &Remembered) -> Result<Actual, AdminError> {
        let mut names: BTreeMap<&'static str, BTreeSet<String>> = BTreeMap::new();
        for declared in &loaded.declared {
            names.entry(declared.resource.kind()).or_default().insert(declared.resource.name().to_owned());
        }
        let mut topics = names.remove(KAFKA_TOPIC).unwrap_or_default();
        topics.extend(remembered.topics.keys().cloned());
        let mut connectors = names.remove(KAFKA_CONNECTOR).unwrap_or_default();
        connectors.extend(remembered.connectors.iter().cloned());

        let mut actual = Actual::default();
        if !topics.is_empty() {
            let found = self.admin.topics(Some(&topics)).await?;
            actual.topics = found.into_iter().map(|topic| (topic.name.clone(), topic)).collect();
        }
        for name in connectors {
            let Some(connect) = &self.connect else {
                let reason = "there is no Connect worker here".to_owned();
                actual.no_connect = Some(AdminError::Refused(reason));
                break;
            };
            match connect.connector(&name).await {
                Ok(Some(connector)) => drop(actual.connectors.insert(name, connector)),
                Ok(None) => {}
                Err(error) => {
                    actual.no_connect = Some(error);
                    break;
                }
            }
        }
        Ok(actual)
    }

    async fn carry_out(
        &self,
        resource: PlannedResource,
        remembered: &mut Remembered,
        changes: &mut usize,
    ) -> Condition {
        let mut condition = resource.condition;
        for step in &resource.steps {
            match self.step(step).await {
                Ok(()) => {
                    *changes += 1;
                    remembered.done(step);
                    if let Some((name, given)) = &resource.given {
                        remembered.given.insert(name.clone(), *given);
                    }
                    tracing::info!("{}", step.done());
                    if condition.status == Status::Ready {
                        condition.reason = step.reason();
                    }
                }
                Err(error) => {
                    let message = resource.seen.hide(&error.to_string());
                    if let Some(place) = &mut condition.place {
                        place.line = blamed_line(&resource.lines, &message).unwrap_or(place.line);
                    }
                    condition.status = Status::NotReady;
                    condition.reason = reason_of(&error);
                    condition.message = match condition.message.as_str() {
                        "" => message,
                        before => format!("{before}; {message}"),
                    };
                    // What follows a step may rest on it.
                    break;
                }
            }
        }
        if condition.status == Status::Ready
            && let Some(declared) = &resource.declared
        {
            remembered.is_as_declared(declared);
        }
        if let Some((name, given)) = resource.given {
            match condition.status {
                Status::Ready => drop(remembered.given.insert(name, given)),
                // Whatever the worker has looked up before anybody looked here, it was not this.
                _ if condition.reason == Reason::MissingSecret => drop(remembered.given.entry(name).or_insert(given)),
                _ => {}
            }
        }
        condition
    }

    async fn step(&self, step: &Step) -> Result<(), AdminError> {
        let connect = || self.connect.as_ref().ok_or(AdminError::Refused("there is no Connect worker here".to_owned()));
        match step {
            Step::CreateTopic(topic) => self.admin.create_topic(topic).await,
            Step::AddPartitions { topic, to, .. } => self.admin.add_partitions(topic, *to).await,
            Step::AlterConfigs { topic, changes, .. } => self.admin.alter_configs(topic, changes).await,
            Step::DeleteTopic(topic) => match self.admin.delete_topic(topic).await {
                Err(AdminError::UnknownTopic(_)) => Ok(()),
                deleted => deleted,
            },
            Step::PutConnector { name, config, .. } => connect()?.put_connector(name, config).await,
            Step::SetState { name, state } => connect()?.set_state(name, *state).await,
            Step::RestartConnector(name) => connect()?.restart_connector(name).await,
            Step::DeleteConnector(name) => connect()?.delete_connector(name).await,
        }
    }
}

fn reason_of(error: &AdminError) -> Reason {
    match error {
        AdminError::UnknownTopic(_) | AdminError::Refused(_) => Reason::Refused,
        AdminError::Unavailable(_) => Reason::Unavailable,
    }
}

/// The line of the config that a message speaks of: of several that fit, the longest name.
fn blamed_line(lines: &BTreeMap<String, usize>, message: &str) -> Option<usize> {
    let named = lines.iter().filter(|(name, line)| **line > 0 && message.contains(name.as_str()));
    named.max_by_key(|(name, _)| name.len()).map(|(_, line)| *line)
}

/// Nobody says how things are, so nothing that is declared is as it should be.
fn unreachable_report(loaded: &Loaded, error: &AdminError) -> Report {
    let mut conditions = loaded.conditions.clone();
    conditions.extend(loaded.declared.iter().map(|declared| {
        let condition = Condition::wrong(declared.place.clone(), reason_of(error), error.to_string());
        condition.of(declared.resource.kind(), Some(declared.resource.name()))
    }));
    Report { conditions, changes: 0 }
}

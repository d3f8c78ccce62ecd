//! How connectors and tasks are, and how they should be (`AbstractStatus`, `TargetState`).

use serde_json::{Value, json};

/// How a connector or task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Nobody runs it yet.
    Unassigned,
    /// It runs.
    Running,
    /// It waits to be resumed.
    Paused,
    /// It was stopped, and has no task.
    Stopped,
    /// It has failed, and stays so until somebody acts.
    Failed,
    /// It is being started again.
    Restarting,
}

impl State {
    /// Its name in answers and in the status topic.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unassigned => "UNASSIGNED",
            Self::Running => "RUNNING",
            Self::Paused => "PAUSED",
            Self::Stopped => "STOPPED",
            Self::Failed => "FAILED",
            Self::Restarting => "RESTARTING",
        }
    }

    /// The state of a name.
    pub(crate) fn of(name: &str) -> Option<Self> {
        let all = [Self::Unassigned, Self::Running, Self::Paused, Self::Stopped, Self::Failed, Self::Restarting];
        all.into_iter().find(|state| state.name() == name)
    }
}

/// How a connector should be, as somebody has asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TargetState {
    /// It should run.
    #[default]
    Started,
    /// Its task should wait.
    Paused,
    /// It should have no task.
    Stopped,
}

impl TargetState {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Started => "STARTED",
            Self::Paused => "PAUSED",
            Self::Stopped => "STOPPED",
        }
    }

    pub(crate) fn of(name: &str) -> Option<Self> {
        [Self::Started, Self::Paused, Self::Stopped].into_iter().find(|state| state.name() == name)
    }
}

/// How a connector or a task is, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// How it is.
    pub state: State,
    /// Why it has failed.
    pub trace: Option<String>,
    /// Which worker says so.
    pub worker_id: String,
    /// Which version of the connector runs; `None` if none came to run.
    pub version: Option<String>,
}

impl Status {
    /// As answers have it; a task's with its number first.
    pub fn to_json(&self, task: Option<i32>) -> Value {
        let mut json = json!({"state": self.state.name(), "worker_id": self.worker_id, "version": self.version});
        if let Some(trace) = &self.trace {
            json["trace"] = trace.as_str().into();
        }
        if let Some(id) = task {
            json["id"] = id.into();
        }
        json
    }
}

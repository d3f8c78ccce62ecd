//! Whether a log may be written to, and what becomes of it when it cannot be.

use std::sync::Arc;

use super::{LogId, PartitionLog};
use crate::error::{AppendError, Error};

/// How a log is.
#[derive(Debug, Default)]
pub(super) enum Condition {
    /// Nothing has failed.
    #[default]
    Good,
    /// There was no room for the last append. The next one tries again.
    Starved,
    /// A write or a flush failed, and nobody knows what of it is on disk. It is read, and not written, until it is opened
    /// again.
    Poisoned(Error),
    Deleted,
}

impl Condition {
    /// Whether a batch may be appended.
    pub(super) fn admit(&self) -> Result<(), AppendError> {
        match self {
            Self::Good | Self::Starved => Ok(()),
            Self::Poisoned(error) => Err(error.clone().into()),
            Self::Deleted => Err(AppendError::Deleted),
        }
    }

    /// Whether what is read of it may be written anew.
    pub(super) fn is_sound(&self) -> bool {
        matches!(self, Self::Good | Self::Starved)
    }

    pub(super) fn is_deleted(&self) -> bool {
        matches!(self, Self::Deleted)
    }

    /// An append has gone well, or found nothing to write.
    pub(super) fn has_room(&mut self, id: &LogId) {
        if matches!(self, Self::Starved) {
            *self = Self::Good;
            tracing::info!(log = %id.dir_name(), "there is room again");
        }
    }
}

impl PartitionLog {
    /// Takes note that a write failed that has left the log as it was. Returns what to tell.
    pub(super) fn failed(&mut self, error: Error) -> Error {
        if !error.is_passing() {
            return self.poison(error);
        }
        if matches!(self.condition, Condition::Good) {
            tracing::error!(log = %self.id.dir_name(), %error, "records are refused until there is room for them");
            self.condition = Condition::Starved;
        }
        error
    }

    /// Takes no more records from now on.
    pub(super) fn poison(&mut self, cause: Error) -> Error {
        match &self.condition {
            Condition::Deleted => return cause,
            Condition::Poisoned(error) => return error.clone(),
            Condition::Good | Condition::Starved => {}
        }
        let log = self.id.dir_name();
        tracing::error!(log, %cause, "no more records are taken until the broker is started again; reads go on");
        let error = Error::Poisoned { log, cause: Arc::new(cause) };
        self.condition = Condition::Poisoned(error.clone());
        error
    }

    /// Why the log takes no more records, if it does not.
    pub fn poisoned(&self) -> Option<&Error> {
        match &self.condition {
            Condition::Poisoned(error) => Some(error),
            Condition::Good | Condition::Starved | Condition::Deleted => None,
        }
    }
}

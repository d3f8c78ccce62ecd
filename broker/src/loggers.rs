//! The loggers that an administrator sees as configs of the resource BROKER_LOGGER (KIP-412). Levels that are set hold
//! until the broker stops. The broker only keeps them: whoever has installed the log's subscriber may follow them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::config::{AlterError, AlterOp, ConfigChange, ConfigEntry, ConfigSource};

/// The logger above all others.
const ROOT: &str = "root";
/// The loggers that there are, which are parts of the program.
const LOGGERS: [&str; 8] = [
    "brooklet",
    "brooklet::groups",
    "brooklet::handlers",
    "brooklet::server",
    "brooklet_connect_shim",
    "brooklet_protocol",
    "brooklet_storage",
    ROOT,
];
/// Kafka's levels, with the names that the log has for them.
const LEVELS: [(&str, &str); 6] = [
    ("DEBUG", "debug"),
    ("ERROR", "error"),
    ("FATAL", "error"),
    ("INFO", "info"),
    ("TRACE", "trace"),
    ("WARN", "warn"),
];
const DEFAULT_LEVEL: &str = "INFO";

/// What is called when levels change.
#[derive(Clone)]
pub(crate) struct LevelsChanged(Arc<dyn Fn(&str) + Send + Sync>);

impl LevelsChanged {
    pub(crate) fn new(changed: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self(Arc::new(changed))
    }
}

impl fmt::Debug for LevelsChanged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LevelsChanged")
    }
}

/// The levels that are set.
#[derive(Debug)]
pub(crate) struct Loggers {
    set: Mutex<BTreeMap<String, String>>,
    changed: Option<LevelsChanged>,
}

impl Loggers {
    pub(crate) fn new(changed: Option<LevelsChanged>) -> Self {
        Self { set: Mutex::default(), changed }
    }

    /// All loggers with their levels, which are those of the nearest logger above that has one.
    pub(crate) fn describe(&self, wanted: impl Fn(&str) -> bool) -> Vec<ConfigEntry> {
        let set = self.set.lock();
        let loggers = LOGGERS.iter().filter(|name| wanted(name));
        let entries = loggers.map(|name| ConfigEntry {
            name: (*name).to_owned(),
            value: Some(level_of(&set, name).to_owned()),
            source: ConfigSource::DynamicBrokerLoggerConfig,
            read_only: false,
            sensitive: false,
            synonyms: Vec::new(),
            ty: None,
            doc: None,
        });
        entries.collect()
    }

    /// Changes levels, all or none (`RuntimeLoggerManager`).
    pub(crate) fn change(&self, changes: &[ConfigChange], validate_only: bool) -> Result<(), AlterError> {
        changes.iter().try_for_each(check)?;
        if validate_only {
            return Ok(());
        }
        let directives = {
            let mut set = self.set.lock();
            for ConfigChange { name, op } in changes {
                match op {
                    AlterOp::Set(level) => set.insert(name.clone(), level.clone()),
                    _ => set.remove(name),
                };
            }
            directives(&set)
        };
        if let Some(LevelsChanged(changed)) = &self.changed {
            changed(&directives);
        }
        Ok(())
    }
}

fn level_of<'a>(set: &'a BTreeMap<String, String>, name: &str) -> &'a str {
    let parent = name.rsplit_once("::").map(|(parent, _)| parent);
    [Some(name), parent, Some(ROOT)]
        .into_iter()
        .flatten()
        .find_map(|name| set.get(name))
        .map_or(DEFAULT_LEVEL, |level| level)
}

/// The levels as `RUST_LOG` has them.
fn directives(set: &BTreeMap<String, String>) -> String {
    let all = set.iter().filter_map(|(name, level)| {
        let (_, level) = LEVELS.iter().find(|(kafka, _)| kafka == level)?;
        Some(if name == ROOT { (*level).to_owned() } else { format!("{name}={level}") })
    });
    all.collect::<Vec<_>>().join(",")
}

fn check(change: &ConfigChange) -> Result<(), AlterError> {
    let name = &change.name;
    match &change.op {
        AlterOp::Append(_) | AlterOp::Subtract(_) => {
            return Err(AlterError::InvalidRequest("a logger's level can only be set or deleted".to_owned()));
        }
        AlterOp::Set(_) | AlterOp::Delete if !LOGGERS.contains(&name.as_str()) => {
            return Err(AlterError::InvalidConfig(format!("Logger {name} does not exist!")));
        }
        AlterOp::Set(level) if !LEVELS.iter().any(|(known, _)| known == level) => {
            let levels = LEVELS.map(|(known, _)| known).join(", ");
            return Err(AlterError::InvalidConfig(format!("{level} is no level for {name}; levels are {levels}")));
        }
        AlterOp::Delete if name == ROOT => {
            return Err(AlterError::InvalidRequest(format!("the level of {ROOT} cannot be deleted")));
        }
        AlterOp::Set(_) | AlterOp::Delete => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(name: &str, op: AlterOp) -> ConfigChange {
        ConfigChange { name: name.to_owned(), op }
    }

    #[test]
    fn levels_are_set_and_deleted_and_whoever_follows_is_told() {
        let told = Arc::new(Mutex::new(String::new()));
        let follower = Arc::clone(&told);
        let loggers = Loggers::new(Some(LevelsChanged::new(move |levels| levels.clone_into(&mut follower.lock()))));
        let level = |name: &str| loggers.describe(|logger| logger == name)[0].value.clone().unwrap();
        loggers.change(&[change("brooklet", AlterOp::Set("DEBUG".into()))], true).unwrap();
        assert_eq!(level("brooklet"), "INFO");
        let both = [change("brooklet", AlterOp::Set("DEBUG".into())), change(ROOT, AlterOp::Set("FATAL".into()))];
        loggers.change(&both, false).unwrap();
        assert_eq!((level("brooklet::groups"), level("brooklet_storage")), ("DEBUG".into(), "FATAL".into()));
        assert_eq!(*told.lock(), "brooklet=debug,error");
        loggers.change(&[change("brooklet", AlterOp::Delete)], false).unwrap();
        assert_eq!(level("brooklet"), "FATAL");

        for bad in [
            change("nobody", AlterOp::Delete),
            change("brooklet", AlterOp::Set("LOUD".into())),
            change("brooklet", AlterOp::Append("INFO".into())),
            change(ROOT, AlterOp::Delete),
        ] {
            assert!(loggers.change(&[bad], false).is_err());
        }
    }
}

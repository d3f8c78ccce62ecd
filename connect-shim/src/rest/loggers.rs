//! Log levels told and set (`LoggingResource`, KIP-495).

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::error::Refusal;
use super::json_body::JsonValue;
use super::request::ConnectRequest;
use super::router::Answer;

/// Loggers that are there from the start: what of this process does what those do in a real worker.
const KNOWN: [&str; 5] = [
    "io.debezium.connector.common.BaseSourceTask",
    "io.debezium.connector.postgresql.PostgresConnector",
    "io.debezium.connector.postgresql.PostgresConnectorTask",
    "org.apache.kafka.connect.runtime.AbstractWorkerSourceTask",
    "org.apache.kafka.connect.runtime.distributed.DistributedHerder",
];
const LEVELS: [&str; 7] = ["OFF", "FATAL", "ERROR", "WARN", "INFO", "DEBUG", "TRACE"];
const ROOT: &str = "root";

/// A logger's level, and when it was set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggerLevel {
    /// As Log4j names levels.
    pub level: String,
    /// Milliseconds since 1970; `None` if nobody has set it.
    pub last_modified: Option<i64>,
}

/// Follows levels that somebody sets: a logger, by its Java name, and a level.
type Follow = Box<dyn Fn(&str, &str) + Send + Sync>;

/// The levels of all loggers.
pub struct LogLevels {
    levels: Mutex<BTreeMap<String, LoggerLevel>>,
    follow: Option<Follow>,
}

impl LogLevels {
    /// Levels that nobody has set, and what follows when somebody does.
    pub fn new(follow: Option<Follow>) -> Self {
        let info = || LoggerLevel { level: "INFO".to_owned(), last_modified: None };
        let known = KNOWN.iter().chain([&ROOT]).map(|name| ((*name).to_owned(), info()));
        Self { levels: Mutex::new(known.collect()), follow }
    }

    /// Sets the level of a logger and of all below it. Returns those that have changed.
    fn set(&self, name: &str, level: &str) -> Vec<String> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = i64::try_from(since.as_millis()).ok();
        let mut changed = Vec::new();
        {
            let mut levels = self.lock();
            levels.entry(name.to_owned()).or_insert_with(|| LoggerLevel { level: String::new(), last_modified: None });
            let below = |one: &str| {
                name == ROOT || one == name || one.strip_prefix(name).is_some_and(|rest| rest.starts_with('.'))
            };
            for (one, set) in levels.iter_mut().filter(|(one, set)| below(one) && set.level != level) {
                *set = LoggerLevel { level: level.to_owned(), last_modified: now };
                changed.push(one.clone());
            }
        }
        if let Some(follow) = &self.follow
            && !changed.is_empty()
        {
            follow(name, level);
        }
        changed
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, LoggerLevel>> {
        self.levels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for LogLevels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogLevels").field("levels", &self.lock().len()).finish_non_exhaustive()
    }
}

fn level_json(level: &LoggerLevel) -> Value {
    json!({"level": level.level, "last_modified": level.last_modified})
}

/// `GET /admin/loggers`.
pub(super) fn list(levels: &LogLevels) -> Answer {
    let levels = levels.lock();
    let all = levels.iter().filter(|(name, _)| *name != ROOT);
    Answer::Json(all.map(|(name, level)| (name.clone(), level_json(level))).collect())
}

/// `GET /admin/loggers/{name}`.
pub(super) fn level(levels: &LogLevels, name: &str) -> Result<Answer, Refusal> {
    let levels = levels.lock();
    let level = levels.get(name).ok_or_else(|| Refusal::not_found(format!("Logger {name} not found.")))?;
    Ok(Answer::Json(level_json(level)))
}

/// `PUT /admin/loggers/{name}`. There is one worker: the scope `cluster` is the worker's, but its answer has no body.
pub(super) fn set(levels: &LogLevels, name: &str, request: &ConnectRequest) -> Result<Answer, Refusal> {
    let body = request.json()?.filter(|body| !body.is_null());
    let body = body.as_ref().map_or(Ok(&[][..]), |body| body.object("java.util.LinkedHashMap", ""));
    let body = body.map_err(Refusal::failed)?;
    let level = body.iter().find(|(name, _)| name == "level").map(|(_, value)| &value.value);
    let Some(JsonValue::Text(level)) = level else {
        return Err(Refusal::bad_request("Desired 'level' parameter was not specified in request."));
    };
    let upper = level.trim().to_uppercase();
    if !LEVELS.contains(&upper.as_str()) {
        return Err(Refusal::not_found(format!("invalid log level '{level}'.")));
    }
    let changed = levels.set(name, &upper);
    if request.parameters("scope").next().is_some_and(|scope| scope.eq_ignore_ascii_case("cluster")) {
        return Ok(Answer::Empty(StatusCode::NO_CONTENT));
    }
    Ok(Answer::Json(changed.into()))
}

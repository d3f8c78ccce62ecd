//! Which request is which (`RootResource`, `ConnectorsResource`, `ConnectorPluginsResource`, `LoggingResource`).

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, Method, Request, Response, StatusCode, header};
use serde_json::{Value, json};

use super::error::Refusal;
use super::request::ConnectRequest;
use super::{RestServer, connectors, loggers, offsets, plugins};
use crate::connector_config::CONNECT_VERSION;
use crate::runtime::TargetState;

/// The commit of which Kafka 4.3.1 was built, as its `GET /` tells.
const COMMIT: &str = "26b251a451ce941d";

/// An answer to a request that was carried out.
#[derive(Debug)]
pub(super) enum Answer {
    /// 200 with a body.
    Json(Value),
    /// Another status with a body.
    Status(StatusCode, Value),
    /// 201 with a body and where to find what was made.
    Created(String, Value),
    /// A status without a body.
    Empty(StatusCode),
    /// What can be done with a path.
    Options(&'static [&'static str]),
}

pub(super) async fn handle(State(server): State<RestServer>, request: Request<Body>) -> Response<Body> {
    let request = match ConnectRequest::read(request).await {
        Ok(request) => request,
        Err(refusal) => return refusal.response(),
    };
    match route(&server, &request).await {
        Ok(answer) => answer.response(),
        Err(refusal) => refusal.response(),
    }
}

async fn route(server: &RestServer, request: &ConnectRequest) -> Result<Answer, Refusal> {
    let path: Vec<&str> = request.path.iter().map(String::as_str).collect();
    let allowed = methods(&path).ok_or(Refusal::Framework(StatusCode::NOT_FOUND))?;
    // A HEAD is a GET of which only the head is sent.
    let method = if request.method == Method::HEAD { Method::GET } else { request.method.clone() };
    if method == Method::OPTIONS {
        return Ok(Answer::Options(allowed));
    }
    if !allowed.contains(&method.as_str()) {
        return Err(Refusal::Framework(StatusCode::METHOD_NOT_ALLOWED));
    }
    if !request.accepts_json() {
        return Err(Refusal::Framework(StatusCode::NOT_ACCEPTABLE));
    }
    let herder = &server.herder;
    match (method.as_str(), path.as_slice()) {
        ("GET", []) => Ok(Answer::Json(json!({
            "version": CONNECT_VERSION, "commit": COMMIT, "kafka_cluster_id": herder.cluster_id(),
        }))),
        ("GET", ["health"]) => Ok(Answer::Json(json!({
            "status": "healthy", "message": "Worker has completed startup and is ready to handle requests.",
        }))),
        ("GET", ["connectors"]) => connectors::list(herder, request),
        ("POST", ["connectors"]) => connectors::create(herder, request).await,
        ("GET", ["connectors", name]) => Ok(Answer::Json(herder.connector_info(name)?.to_json())),
        ("DELETE", ["connectors", name]) => {
            herder.delete(name).await?;
            Ok(Answer::Empty(StatusCode::NO_CONTENT))
        }
        ("GET", ["connectors", name, "config"]) => Ok(Answer::Json(herder.connector_info(name)?.config.to_json())),
        ("PUT", ["connectors", name, "config"]) => connectors::put_config(herder, name, request).await,
        ("PATCH", ["connectors", name, "config"]) => connectors::patch_config(herder, name, request).await,
        ("GET", ["connectors", name, "status"]) => {
            Ok(Answer::Json(herder.connector_status(name, wants_progress(request))?))
        }
        ("GET", ["connectors", name, "tasks"]) => Ok(Answer::Json(herder.task_configs(name)?)),
        ("GET", ["connectors", name, "tasks", id, "status"]) => {
            Ok(Answer::Json(herder.task_status(name, task_id(id)?, wants_progress(request))?))
        }
        ("POST", ["connectors", name, "tasks", id, "restart"]) => {
            herder.restart_task(name, task_id(id)?).await?;
            Ok(Answer::Empty(StatusCode::NO_CONTENT))
        }
        ("POST", ["connectors", name, "restart"]) => connectors::restart(herder, name, request).await,
        ("PUT", ["connectors", name, "pause"]) => {
            herder.set_target(name, TargetState::Paused).await?;
            Ok(Answer::Empty(StatusCode::ACCEPTED))
        }
        ("PUT", ["connectors", name, "resume"]) => {
            herder.set_target(name, TargetState::Started).await?;
            Ok(Answer::Empty(StatusCode::ACCEPTED))
        }
        ("PUT", ["connectors", name, "stop"]) => {
            herder.set_target(name, TargetState::Stopped).await?;
            Ok(Answer::Empty(StatusCode::NO_CONTENT))
        }
        ("POST", ["connectors", _, "tasks"]) | ("PUT", ["connectors", _, "fence"]) => {
            Err(Refusal::bad_request("Internal request missing required signature"))
        }
        ("GET", ["connectors", name, "topics"]) => Ok(Answer::Json(json!({*name: {"topics": herder.topics(name)}}))),
        ("PUT", ["connectors", name, "topics", "reset"]) => {
            herder.reset_topics(name);
            Ok(Answer::Empty(StatusCode::ACCEPTED))
        }
        ("GET", ["connectors", name, "offsets"]) => offsets::list(herder, name),
        ("PATCH", ["connectors", name, "offsets"]) => offsets::alter(herder, name, request).await,
        ("DELETE", ["connectors", name, "offsets"]) => offsets::reset(herder, name).await,
        ("GET", ["connector-plugins"]) => Ok(plugins::list(herder, request)),
        ("GET", ["connector-plugins", class, "config"]) => plugins::config(herder, class),
        ("PUT", ["connector-plugins", class, "config", "validate"]) => plugins::validate(herder, class, request).await,
        ("GET", ["admin", "loggers"]) => Ok(loggers::list(&server.log_levels)),
        ("GET", ["admin", "loggers", name]) => loggers::level(&server.log_levels, name),
        ("PUT", ["admin", "loggers", name]) => loggers::set(&server.log_levels, name, request),
        _ => Err(Refusal::Framework(StatusCode::NOT_FOUND)),
    }
}

/// What can be done with a path; `None` if there is no such path.
fn methods(path: &[&str]) -> Option<&'static [&'static str]> {
    Some(match path {
        [] | ["health"] | ["connector-plugins"] | ["admin", "loggers"] => &["GET"],
        ["connectors"] => &["GET", "POST"],
        ["connectors", _] => &["GET", "DELETE"],
        ["connectors", _, "config"] => &["GET", "PUT", "PATCH"],
        ["connectors", _, "status" | "topics"] => &["GET"],
        ["connectors", _, "tasks"] => &["GET", "POST"],
        ["connectors", _, "tasks", _, "status"] => &["GET"],
        ["connectors", _, "tasks", _, "restart"] | ["connectors", _, "restart"] => &["POST"],
        ["connectors", _, "pause" | "resume" | "stop" | "fence"] | ["connectors", _, "topics", "reset"] => &["PUT"],
        ["connectors", _, "offsets"] => &["GET", "PATCH", "DELETE"],
        ["connector-plugins", _, "config"] => &["GET"],
        ["connector-plugins", _, "config", "validate"] => &["PUT"],
        ["admin", "loggers", _] => &["GET", "PUT"],
        _ => return None,
    })
}

/// Whether all that is known of how far tasks are is asked for. Connect takes no such parameter, and ignores it.
pub(super) fn wants_progress(request: &ConnectRequest) -> bool {
    request.parameters("expand").any(|what| what == "progress")
}

fn task_id(text: &str) -> Result<i32, Refusal> {
    text.parse().map_err(|_| Refusal::not_found("HTTP 404 Not Found"))
}

impl Answer {
    fn response(self) -> Response<Body> {
        let (status, body, location) = match self {
            Self::Json(body) => (StatusCode::OK, Some(body), None),
            Self::Status(status, body) => (status, Some(body), None),
            Self::Created(location, body) => (StatusCode::CREATED, Some(body), Some(location)),
            Self::Empty(status) => (status, None, None),
            Self::Options(allowed) => return options(allowed),
        };
        let mut response = Response::new(body.as_ref().map_or_else(Body::empty, |body| Body::from(body.to_string())));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        if body.is_some() {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        if let Some(location) = location.and_then(|location| HeaderValue::from_str(&location).ok()) {
            headers.insert(header::LOCATION, location);
        }
        response
    }
}

fn options(allowed: &[&str]) -> Response<Body> {
    let mut methods = vec!["HEAD"];
    methods.extend(allowed);
    methods.push("OPTIONS");
    let mut response = Response::new(Body::from(methods.join(", ")));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    if let Ok(allow) = HeaderValue::from_str(&methods.join(",")) {
        headers.insert(header::ALLOW, allow);
    }
    response
}

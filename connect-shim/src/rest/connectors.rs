//! Connectors made, listed, changed and restarted (`ConnectorsResource`).

use axum::http::{StatusCode, header};
use serde_json::{Map, Value};

use super::error::Refusal;
use super::json_body::Node;
use super::request::{ConnectRequest, encode_path};
use super::router::{Answer, wants_progress};
use crate::connector_config::Properties;
use crate::runtime::{Herder, TargetState};

const CREATE_REQUEST: &str = "org.apache.kafka.connect.runtime.rest.entities.CreateConnectorRequest";

/// `GET /connectors`, with what `expand=` asks for beside the names.
#[allow(clippy::unnecessary_wraps)] // as all that answer
pub(super) fn list(herder: &Herder, request: &ConnectRequest) -> Result<Answer, Refusal> {
    let expand: Vec<&str> = request.parameters("expand").collect();
    let names = herder.connectors();
    if expand.is_empty() {
        return Ok(Answer::Json(names.into()));
    }
    let mut all = Map::new();
    for name in names {
        let mut one = Map::new();
        for what in &expand {
            // What is gone meanwhile is left out.
            let told = match *what {
                "status" => herder.connector_status(&name, wants_progress(request)).ok(),
                "info" => herder.connector_info(&name).ok().map(|info| info.to_json()),
                _ => None,
            };
            if let Some(told) = told {
                one.insert((*what).to_owned(), told);
            }
        }
        all.insert(name, one.into());
    }
    Ok(Answer::Json(Value::Object(all)))
}

/// `POST /connectors`.
pub(super) async fn create(herder: &Herder, request: &ConnectRequest) -> Result<Answer, Refusal> {
    let null = |what: &str, variable: &str| {
        Refusal::failed(format!("Cannot invoke \"{what}\" because \"{variable}\" is null"))
    };
    let body = request.json()?.filter(|body| !body.is_null());
    let body = body.ok_or_else(|| null(&format!("{CREATE_REQUEST}.name()"), "createRequest"))?;
    let create = CreateConnector::read(&body).map_err(Refusal::failed)?;
    let Some(mut config) = create.config else {
        return Err(null("java.util.Map.get(Object)", "connectorConfig"));
    };
    let name = create.name.unwrap_or_default().trim().to_owned();
    check_name(&name, &mut config)?;
    let (_, info) = herder.put_config(&name, config, create.initial_state, false).await?;
    Ok(Answer::Created(location(request, &name), info.to_json()))
}

/// `PUT /connectors/{name}/config`.
pub(super) async fn put_config(herder: &Herder, name: &str, request: &ConnectRequest) -> Result<Answer, Refusal> {
    let body = request.json()?.filter(|body| !body.is_null());
    let Some(body) = body else {
        let message = "Cannot invoke \"java.util.Map.get(Object)\" because \"connectorConfig\" is null";
        return Err(Refusal::failed(message));
    };
    let mut config = body.properties("").map_err(Refusal::failed)?;
    check_name(name, &mut config)?;
    let (made, info) = herder.put_config(name, config, None, true).await?;
    if made {
        return Ok(Answer::Created(location(request, name), info.to_json()));
    }
    Ok(Answer::Json(info.to_json()))
}

/// `PATCH /connectors/{name}/config`.
pub(super) async fn patch_config(herder: &Herder, name: &str, request: &ConnectRequest) -> Result<Answer, Refusal> {
    let body = request.json()?.filter(|body| !body.is_null());
    let Some(body) = body else {
        let what = "java.util.Map.forEach(java.util.function.BiConsumer)";
        return Err(Refusal::failed(format!("Cannot invoke \"{what}\" because \"patch\" is null")));
    };
    let patch = body.properties("").map_err(Refusal::failed)?;
    Ok(Answer::Json(herder.patch_config(name, &patch).await?.to_json()))
}

/// `POST /connectors/{name}/restart`.
pub(super) async fn restart(herder: &Herder, name: &str, request: &ConnectRequest) -> Result<Answer, Refusal> {
    let only_failed = request.flag("onlyFailed").unwrap_or(false);
    let include_tasks = request.flag("includeTasks").unwrap_or(false);
    let restarting = herder.restart(name, only_failed, include_tasks).await?;
    if only_failed || include_tasks {
        return Ok(Answer::Status(StatusCode::ACCEPTED, restarting));
    }
    Ok(Answer::Empty(StatusCode::NO_CONTENT))
}

/// A request for a connector, as `CreateConnectorRequest` reads it.
struct CreateConnector {
    name: Option<String>,
    config: Option<Properties>,
    initial_state: Option<TargetState>,
}

impl CreateConnector {
    fn read(body: &Node) -> Result<Self, String> {
        let mut create = Self { name: None, config: None, initial_state: None };
        for (name, value) in body.object(CREATE_REQUEST, "")? {
            let chain = format!("{CREATE_REQUEST}[\"{name}\"]");
            match name.as_str() {
                "name" => create.name = value.text(&chain)?,
                "config" if value.is_null() => {}
                "config" => create.config = Some(value.properties(&chain)?),
                "initial_state" => create.initial_state = initial_state(value, &chain)?,
                _ => {
                    let known = "3 known properties: \"config\", \"name\", \"initial_state\"";
                    return Err(body.unrecognized(name, CREATE_REQUEST, &["name", "config", "initial_state"], known));
                }
            }
        }
        Ok(create)
    }
}

fn initial_state(value: &Node, chain: &str) -> Result<Option<TargetState>, String> {
    // A number or a truth is taken for its text.
    let Some(text) = value.text(chain)? else { return Ok(None) };
    match text.to_ascii_uppercase().as_str() {
        "RUNNING" => Ok(Some(TargetState::Started)),
        "PAUSED" => Ok(Some(TargetState::Paused)),
        "STOPPED" => Ok(Some(TargetState::Stopped)),
        other => {
            let class = format!("{CREATE_REQUEST}$InitialState");
            let constant = format!("{}.{other}", class.replace('$', "."));
            let what = format!("Cannot construct instance of `{class}`, problem: No enum constant {constant}");
            Err(value.message(&what, chain))
        }
    }
}

/// A config names its connector as the request does (`checkAndPutConnectorConfigName`).
fn check_name(name: &str, config: &mut Properties) -> Result<(), Refusal> {
    match config.value("name") {
        None => config.set("name", name),
        Some(other) if other != name => {
            return Err(Refusal::bad_request(format!(
                "Connector name configuration ({other}) doesn't match connector name in the URL ({name})"
            )));
        }
        Some(_) => {}
    }
    Ok(())
}

/// Where a connector is found.
fn location(request: &ConnectRequest, name: &str) -> String {
    let host = request.headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    format!("http://{host}/connectors/{}", encode_path(name))
}

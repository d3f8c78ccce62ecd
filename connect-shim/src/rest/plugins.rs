//! Classes listed, and configs validated (`ConnectorPluginsResource`).

use super::error::Refusal;
use super::request::ConnectRequest;
use super::router::Answer;
use crate::runtime::{Herder, HerderError};

/// `GET /connector-plugins`.
pub(super) fn list(herder: &Herder, request: &ConnectRequest) -> Answer {
    Answer::Json(herder.plugins().list(request.flag("connectorsOnly").unwrap_or(true)))
}

/// `GET /connector-plugins/{class}/config`.
pub(super) fn config(herder: &Herder, class: &str) -> Result<Answer, Refusal> {
    let def = herder.plugins().config_def(class);
    def.map(Answer::Json).ok_or_else(|| Refusal::not_found(format!("Unknown plugin {class}.")))
}

/// `PUT /connector-plugins/{class}/config/validate`.
pub(super) async fn validate(herder: &Herder, class: &str, request: &ConnectRequest) -> Result<Answer, Refusal> {
    let body = request.json()?.filter(|body| !body.is_null());
    let Some(body) = body else {
        let message = "Cannot invoke \"java.util.Map.get(Object)\" because \"connectorConfig\" is null";
        return Err(Refusal::failed(message));
    };
    let config = body.properties("").map_err(Refusal::failed)?;
    let simple = |class: &str| class.rsplit('.').next().unwrap_or(class).to_owned();
    if let Some(included) = config.value("connector.class") {
        let (asked, named) = (simple(class), simple(included));
        if named != asked
            && named.strip_suffix("Connector") != Some(&asked)
            && asked.strip_suffix("Connector") != Some(&named)
        {
            return Err(Refusal::bad_request(format!(
                "Included connector type {included} does not match request type {class}"
            )));
        }
    }
    match herder.validate(&config).await {
        Ok(infos) => Ok(Answer::Json(infos.to_json())),
        // The worker answers this on another thread than the one that refuses.
        Err(HerderError::BadRequest(message)) => {
            let exception = "org.apache.kafka.connect.runtime.rest.errors.BadRequestException";
            Err(Refusal::failed(format!("{exception}: {message}")))
        }
        Err(error) => Err(error.into()),
    }
}

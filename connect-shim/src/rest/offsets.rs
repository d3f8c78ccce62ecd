//! Offsets told, altered and reset (`ConnectorsResource`, KIP-875).

use serde_json::{Value, json};

use super::error::Refusal;
use super::json_body::{JsonValue, Node};
use super::request::ConnectRequest;
use super::router::Answer;
use crate::data::OffsetMap;
use crate::runtime::Herder;

/// `GET /connectors/{name}/offsets`.
pub(super) fn list(herder: &Herder, name: &str) -> Result<Answer, Refusal> {
    let offsets = herder.offsets(name)?.into_iter();
    let offsets: Vec<Value> =
        offsets.map(|(partition, offset)| json!({"partition": partition, "offset": offset})).collect();
    Ok(Answer::Json(json!({"offsets": offsets})))
}

/// `PATCH /connectors/{name}/offsets`.
pub(super) async fn alter(herder: &Herder, name: &str, request: &ConnectRequest) -> Result<Answer, Refusal> {
    let body = request.json()?.filter(|body| !body.is_null());
    let Some(body) = body else {
        let what = "org.apache.kafka.connect.runtime.rest.entities.ConnectorOffsets.offsets()";
        return Err(Refusal::failed(format!("Cannot invoke \"{what}\" because \"offsets\" is null")));
    };
    let offsets = read(&body).map_err(Refusal::failed)?;
    if offsets.is_empty() {
        return Err(Refusal::bad_request("Partitions / offsets need to be provided for an alter offsets request"));
    }
    herder.alter_offsets(name, offsets).await?;
    Ok(done("altered"))
}

/// `DELETE /connectors/{name}/offsets`.
pub(super) async fn reset(herder: &Herder, name: &str) -> Result<Answer, Refusal> {
    herder.reset_offsets(name).await?;
    Ok(done("reset"))
}

fn done(what: &str) -> Answer {
    Answer::Json(json!({"message": format!(
        "The Connect framework-managed offsets for this connector have been {what} successfully. However, if this connector \
         manages offsets externally, they will need to be manually {what} in the system that the connector uses."
    )}))
}

fn read(body: &Node) -> Result<Vec<(OffsetMap, Option<OffsetMap>)>, String> {
    const OFFSETS: &str = "org.apache.kafka.connect.runtime.rest.entities.ConnectorOffsets";
    const OFFSET: &str = "org.apache.kafka.connect.runtime.rest.entities.ConnectorOffset";
    let mut all = Vec::new();
    for (name, value) in body.object(OFFSETS, "")? {
        let chain = format!("{OFFSETS}[\"{name}\"]");
        if name != "offsets" {
            return Err(body.unrecognized(name, OFFSETS, &["offsets"], "one known property: \"offsets\""));
        }
        let items = match &value.value {
            JsonValue::Array(items) => items.as_slice(),
            JsonValue::Null => &[],
            _ => return Err(value.mismatch(&format!("java.util.ArrayList<{OFFSET}>"), &chain)),
        };
        for (at, item) in items.iter().enumerate() {
            let chain = format!("{chain}->java.util.ArrayList[{at}]");
            let outer = chain.clone();
            if item.is_null() {
                return Err(format!("Cannot invoke \"{OFFSET}.partition()\" because \"offset\" is null"));
            }
            let (mut partition, mut offset) = (OffsetMap::new(), None);
            for (name, value) in item.object(OFFSET, &chain)? {
                let chain = format!("{chain}->{OFFSET}[\"{name}\"]");
                let map = || match value.to_json() {
                    Value::Object(map) => Ok(Some(map)),
                    Value::Null => Ok(None),
                    _ => Err(value.mismatch("java.util.LinkedHashMap<java.lang.String,java.lang.Object>", &chain)),
                };
                match name.as_str() {
                    "partition" => partition = map()?.unwrap_or_default(),
                    "offset" => offset = map()?,
                    _ => {
                        let known = "2 known properties: \"partition\", \"offset\"";
                        return Err(item.unrecognized_within(&outer, name, OFFSET, &["partition", "offset"], known));
                    }
                }
            }
            all.push((partition, offset));
        }
    }
    Ok(all)
}

//! What a running broker's admin port says.

use anyhow::{Context, ensure};
use clap::Args;
use serde_json::Value;

use super::{BAD, GOOD};
use crate::client::{Url, request};

/// Which broker.
#[derive(Debug, Args)]
pub(crate) struct AdminPortArgs {
    /// The broker's admin port [default: where BROOKLET_ADMIN says, or http://127.0.0.1:9644]
    #[arg(long, value_name = "URL")]
    url: Option<String>,
}

impl AdminPortArgs {
    fn url(&self) -> anyhow::Result<Url> {
        let text = match &self.url {
            Some(url) => url.clone(),
            None => of_address(std::env::var("BROOKLET_ADMIN").ok().as_deref()),
        };
        Url::parse(&text).with_context(|| format!("--url {text}"))
    }
}

/// Where a broker with this `--admin` is to be reached from the same machine.
fn of_address(address: Option<&str>) -> String {
    let address = address.filter(|address| *address != "off").unwrap_or("127.0.0.1:9644");
    let address = address.replace("0.0.0.0:", "127.0.0.1:").replace("[::]:", "[::1]:");
    format!("http://{address}")
}

/// `brooklet healthcheck`.
pub(super) async fn healthcheck(args: AdminPortArgs) -> anyhow::Result<u8> {
    let response = request("GET", &args.url()?.below("/readyz"), None).await?;
    println!("{}", String::from_utf8_lossy(&response.body).trim_end());
    Ok(if response.status == 200 { GOOD } else { BAD })
}

/// `brooklet declared`.
pub(super) async fn declared(args: AdminPortArgs) -> anyhow::Result<u8> {
    let response = request("GET", &args.url()?.below("/declared"), None).await?;
    ensure!(response.status == 200, "the admin port answers {}", response.status);
    let declared: Value = serde_json::from_slice(&response.body)?;
    if declared["passes"] == 0 {
        println!("nothing was declared, or it has not been looked at yet");
        return Ok(GOOD);
    }
    let conditions = declared["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    for condition in conditions {
        let place = match (&condition["file"], &condition["line"]) {
            (Value::String(file), Value::Number(line)) => format!("{file}:{line}"),
            (file, _) => text(file),
        };
        let [status, reason, kind, name] = ["status", "reason", "kind", "name"].map(|field| text(&condition[field]));
        println!("{status:<8} {reason:<21} {kind:<14} {name:<30} {place}");
        if let Some(message) = condition["message"].as_str().filter(|message| !message.is_empty()) {
            println!("         {message}");
        }
    }
    let failing = conditions.iter().any(|condition| condition["status"] == "NotReady");
    Ok(if failing { BAD } else { GOOD })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_that_listens_everywhere_is_asked_here() {
        assert_eq!(of_address(Some("0.0.0.0:9644")), "http://127.0.0.1:9644");
        assert_eq!(of_address(Some("[::]:9644")), "http://[::1]:9644");
        assert_eq!(of_address(None), "http://127.0.0.1:9644");
    }
}

//! A connector in the hands of an operator that knows REST and no more: through curl it asks for the config, compares, and
//! puts it only where it differs.
#![allow(clippy::unwrap_used)]

use std::process::{Command, Stdio};
use std::time::Duration;

use brooklet_tests::broker::BrokerProcess;
use brooklet_tests::capture::{ids, postgres_config, task_state};
use brooklet_tests::postgres::Postgres;
use brooklet_tests::wait_until;
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(60);

/// Status and body of what curl gets.
fn curl(port: u16, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
    let mut command = Command::new("curl");
    command.args(["-sS", "-X", method, "-w", "\n%{http_code}", &format!("http://127.0.0.1:{port}{path}")]);
    if let Some(body) = body {
        command.args(["-H", "Content-Type: application/json", "-d", &body.to_string()]);
    }
    let output = command.stderr(Stdio::inherit()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let (body, status) = text.rsplit_once('\n').unwrap();
    (status.parse().unwrap(), serde_json::from_str(body).unwrap_or(Value::Null))
}

/// Brings a connector to its config, and says what that took: 201, 200, or nothing.
fn reconcile(port: u16, name: &str, wanted: &Value) -> Option<u16> {
    let path = format!("/connectors/{name}/config");
    let (status, mut found) = curl(port, "GET", &path, None);
    if status == 200 {
        found.as_object_mut().unwrap().remove("name");
        if found == *wanted {
            return None;
        }
    } else {
        assert_eq!((status, found["error_code"].as_i64()), (404, Some(404)));
    }
    let (status, body) = curl(port, "PUT", &path, Some(wanted));
    assert_eq!(body["name"], *name);
    Some(status)
}

#[test]
fn an_operator_puts_only_what_differs() {
    let postgres = Postgres::start();
    postgres.execute(
        "create table item (id int primary key); insert into item values (1); \
         create table more (id int primary key); insert into more values (1)",
    );
    let mut broker = BrokerProcess::with_connect(&[]);
    let port = broker.connect().port;
    let config = |tables: &str| postgres_config(&postgres, "shop", &[("table.include.list", tables)]);
    let running = |broker: &BrokerProcess| {
        wait_until("the task runs", PATIENCE, || task_state(broker.connect(), "shop").0 == "RUNNING");
    };

    assert_eq!(reconcile(port, "shop", &config("public.item")), Some(201));
    running(&broker);
    wait_until("the snapshot is there", PATIENCE, || ids(&broker.bootstrap(), "shop.public.item") == [1]);
    assert_eq!(reconcile(port, "shop", &config("public.item")), None);

    // What was put is there after a death, and does not differ.
    broker.kill();
    broker.start_again();
    assert_eq!(reconcile(port, "shop", &config("public.item")), None);

    assert_eq!(reconcile(port, "shop", &config("public.item,public.more")), Some(200));
    running(&broker);
    postgres.execute("insert into more values (2); insert into item values (2)");
    wait_until("both tables are captured", PATIENCE, || {
        ids(&broker.bootstrap(), "shop.public.more") == [2] && ids(&broker.bootstrap(), "shop.public.item") == [1, 2]
    });

    assert_eq!(curl(port, "DELETE", "/connectors/shop", None).0, 204);
    assert_eq!(curl(port, "GET", "/connectors/shop/config", None).0, 404);
    assert_eq!(curl(port, "DELETE", "/connectors/shop", None).0, 404);
}

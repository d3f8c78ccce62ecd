//! A look at the database before a connector is made.

use std::collections::BTreeMap;

use super::config::{ConfigError, connection_of};
use crate::postgres::{Connection, PostgresError, literal};

/// Whether the database can be reached, and streams.
///
/// # Errors
/// What is wrong, with the property that Debezium says it of.
pub(crate) async fn check_connection(properties: &BTreeMap<String, String>) -> Result<(), ConfigError> {
    let said = |property: &str, message: String| ConfigError { property: property.to_owned(), message };
    let of_host =
        |message: String| said("database.hostname", format!("Error while validating connector config: {message}"));
    let text = |name: &str| properties.get(name).map(|value| value.trim()).unwrap_or_default();
    let port = text("database.port").parse::<i64>().ok().filter(|port| !(1..=65_535).contains(port));
    if let Some(port) = port {
        let (host, database) = (text("database.hostname"), text("database.dbname"));
        return Err(of_host(format!("Unable to parse URL jdbc:postgresql://{host}:{port}/{database}")));
    }
    let mut config = connection_of(properties)?;
    // They are for connections that do something.
    config.initial_statements.clear();
    let connected = Connection::connect(&config, "Debezium Validate Connection", false).await;
    let mut connection = connected.map_err(|error| of_host(error.to_string()))?;
    let checked = async {
        let level = connection.query("SHOW wal_level").await?;
        let sql = format!(
            "SELECT bool_or(rolreplication OR rolsuper) FROM pg_roles WHERE pg_has_role({}, oid, 'member')",
            literal(&config.user)
        );
        let may_replicate = connection.query(&sql).await?.single() == Some("t");
        Ok::<_, PostgresError>((level.single().unwrap_or_default().to_owned(), may_replicate))
    };
    let checked = checked.await;
    connection.close().await;
    match checked {
        Err(error) => Err(of_host(error.to_string())),
        Ok((level, _)) if level != "logical" => Err(said(
            "database.hostname",
            format!("Postgres server wal_level property must be 'logical' but is: '{level}'"),
        )),
        Ok((_, false)) => Err(said(
            "database.user",
            format!("Postgres roles LOGIN and REPLICATION are not assigned to user: {}", config.user),
        )),
        Ok(_) => Ok(()),
    }
}

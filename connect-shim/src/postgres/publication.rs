//! Publications: which tables a stream is about.

use super::{Connection, PostgresError, identifier, literal};

/// What is done about a publication at start (`publication.autocreate.mode`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AutocreateMode {
    /// One for all tables is made if there is none.
    #[default]
    AllTables,
    /// Nothing: it has to be there.
    Disabled,
    /// One for the captured tables is made, or brought up to date.
    Filtered,
    /// One without tables is made if there is none.
    NoTables,
}

/// A publication and how it is to be.
#[derive(Debug, Clone)]
pub struct Publication<'a> {
    /// Its name.
    pub name: &'a str,
    /// The database, for what is said about it.
    pub database: &'a str,
    /// What is done about it.
    pub mode: AutocreateMode,
    /// Whether changes of partitions are those of the partitioned table.
    pub via_partition_root: bool,
    /// The operations that it publishes, such as `insert,update`; `None` leaves that to the server.
    pub publish: Option<String>,
}

/// Why a publication is not as it has to be.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PublicationError {
    /// Somebody has to do something, in Debezium's words.
    #[error("{0}")]
    Refused(String),
    /// The server says no.
    #[error(transparent)]
    Postgres(#[from] PostgresError),
}

impl Publication<'_> {
    /// Makes sure of it. `tables` are those that are captured.
    ///
    /// # Errors
    /// It is not there and may not be made, or is not as it has to be.
    pub async fn ensure(
        &self,
        connection: &mut Connection,
        tables: &[(String, String)],
    ) -> Result<(), PublicationError> {
        let sql = format!("SELECT puballtables FROM pg_publication WHERE pubname = {}", literal(self.name));
        let found = connection.query(&sql).await?;
        let standby = connection.query("SELECT pg_is_in_recovery()").await?.single() == Some("t");
        match (found.single(), self.mode) {
            (None, AutocreateMode::Disabled) => Err(PublicationError::Refused(
                "Publication autocreation is disabled, please create one and restart the connector.".into(),
            )),
            // A standby cannot make one; if it is missing, the stream says so.
            (None, _) if standby => Ok(()),
            (None, AutocreateMode::AllTables) => {
                let sql = format!("CREATE PUBLICATION {} FOR ALL TABLES{}", identifier(self.name), self.options());
                Ok(connection.execute(&sql).await?)
            }
            (None, AutocreateMode::NoTables) => {
                let sql = format!("CREATE PUBLICATION {}{}", identifier(self.name), self.options());
                Ok(connection.execute(&sql).await?)
            }
            (None, AutocreateMode::Filtered) => {
                let list = self.table_list(tables)?;
                let sql = format!("CREATE PUBLICATION {} FOR TABLE {list}{}", identifier(self.name), self.options());
                let made = connection.execute(&sql).await;
                made.map_err(|error| self.not_filtered("create", &list, &error))
            }
            (Some("t"), AutocreateMode::Filtered) => Err(PublicationError::Refused(format!(
                "A logical publication for all tables named '{}' for plugin 'PGOUTPUT' and database '{}' is already active on \
                 the server and can not be altered. If you need to exclude some tables or include only specific subset, please \
                 recreate the publication with necessary configuration or let plugin recreate it by dropping existing \
                 publication. Otherwise please change the 'publication.autocreate.mode' property to 'all_tables'.",
                self.name, self.database
            ))),
            (Some(_), AutocreateMode::Filtered) if !standby => self.update(connection, tables).await,
            (Some(_), _) => Ok(()),
        }
    }

    async fn update(&self, connection: &mut Connection, tables: &[(String, String)]) -> Result<(), PublicationError> {
        let sql =
            format!("SELECT schemaname, tablename FROM pg_publication_tables WHERE pubname = {}", literal(self.name));
        let rows = connection.query(&sql).await?;
        let mut published: Vec<(String, String)> = rows
            .iter()
            .filter_map(|row| match row {
                [Some(schema), Some(table)] => Some((schema.clone(), table.clone())),
                _ => None,
            })
            .collect();
        let mut wanted = tables.to_vec();
        published.sort();
        wanted.sort();
        if wanted.is_empty() || published == wanted {
            return Ok(());
        }
        let list = self.table_list(tables)?;
        let sql = format!("ALTER PUBLICATION {} SET TABLE {list}", identifier(self.name));
        let altered = connection.execute(&sql).await;
        altered.map_err(|error| self.not_filtered("update", &list, &error))
    }

    fn table_list(&self, tables: &[(String, String)]) -> Result<String, PublicationError> {
        if tables.is_empty() {
            return Err(PublicationError::Refused(format!(
                "No table filters found for filtered publication {}",
                self.name
            )));
        }
        let names = tables.iter().map(|(schema, name)| format!("{}.{}", identifier(schema), identifier(name)));
        Ok(names.collect::<Vec<_>>().join(", "))
    }

    fn not_filtered(&self, what: &str, list: &str, error: &PostgresError) -> PublicationError {
        if error.is_transient() {
            return error.clone().into();
        }
        PublicationError::Refused(format!("Unable to {what} filtered publication {} for {list}: {error}", self.name))
    }

    fn options(&self) -> String {
        let mut options = Vec::new();
        if self.via_partition_root {
            options.push("publish_via_partition_root = true".to_owned());
        }
        if let Some(publish) = &self.publish {
            options.push(format!("publish = {}", literal(publish)));
        }
        if options.is_empty() { String::new() } else { format!(" WITH ({})", options.join(", ")) }
    }
}

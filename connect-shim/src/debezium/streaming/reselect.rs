//! Columns that the stream leaves out, or that are null, read from the table as it is by now
//! (`io.debezium.processors.reselect.ReselectColumnsPostProcessor`).

use bytes::Bytes;

use super::Streaming;
use crate::debezium::config::ReselectConfig;
use crate::debezium::error::ConnectorError;
use crate::debezium::schemas::CapturedTable;
use crate::debezium::table_schema::Cell;
use crate::postgres::{identifier, literal};

/// A column's place in a row, and what it holds by now.
pub(super) type Reselected = (usize, Option<Bytes>);

impl Streaming<'_> {
    /// What columns of a row hold by now of which the stream did not tell; nothing if they are not to be read again.
    pub(super) async fn reselect(
        &mut self,
        table: &CapturedTable,
        row: &[Cell<'_>],
    ) -> Result<Vec<Reselected>, ConnectorError> {
        let Some(config) = &self.config.reselect else { return Ok(Vec::new()) };
        let Some(wanted) = wanted(config, table, row) else { return Ok(Vec::new()) };
        let failure = match self.catalog.query(&wanted.sql).await {
            Ok(rows) => match rows.iter().next() {
                Some(values) => {
                    let value = |value: &Option<String>| value.clone().map(Bytes::from);
                    return Ok(wanted.places.into_iter().zip(values.iter().map(value)).collect());
                }
                None => format!("Failed to find row in table {}", table.table.id),
            },
            Err(error) => format!("Failed to re-select columns for table {}: {error}", table.table.id),
        };
        if config.fails {
            return Err(ConnectorError::Failed(failure));
        }
        tracing::warn!("{failure}");
        Ok(Vec::new())
    }
}

struct Query {
    sql: String,
    places: Vec<usize>,
}

fn wanted(config: &ReselectConfig, table: &CapturedTable, row: &[Cell<'_>]) -> Option<Query> {
    let id = &table.table.id;
    let column = |place: usize| &table.table.columns[place];
    let key: Vec<usize> = if config.by_event_key {
        table.schema.key_places().collect()
    } else {
        let place = |name: &String| table.table.columns.iter().position(|column| *column.name == **name);
        table.table.primary_key.iter().filter_map(place).collect()
    };
    if key.is_empty() || table.schema.key_schema.is_none() {
        return None;
    }
    let mut places = table.schema.left_out(row, config.unavailable, config.nulls);
    places.retain(|place| config.columns.selects(&format!("{id}:{}", column(*place).name)));
    if places.is_empty() {
        return None;
    }
    let condition = |place: &usize| match row.get(*place) {
        Some(Cell::Text(text)) => {
            let text = String::from_utf8_lossy(text);
            Some(format!("{} = {}", identifier(&column(*place).name), literal(&text)))
        }
        _ => None,
    };
    let conditions = key.iter().map(condition).collect::<Option<Vec<_>>>()?.join(" AND ");
    let names: Vec<String> = places.iter().map(|place| identifier(&column(*place).name)).collect();
    let sql = format!("SELECT {} FROM {} WHERE {conditions}", names.join(", "), id.quoted());
    Some(Query { sql, places })
}

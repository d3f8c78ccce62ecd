//! The tables that have been met, with their schemas (`PostgresSchema`).

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::config::PostgresConnectorConfig;
use super::error::{ConnectorError, Context};
use super::relational::{Column, Table, TableId};
use super::source_info::SourceInfoMaker;
use super::table_schema::{Cell, TableSchema};
use crate::postgres::pgoutput::Relation;
use crate::postgres::{Catalog, CatalogColumn, CatalogTable, Connection, TypeRegistry};

/// A captured table.
#[derive(Debug)]
pub(crate) struct CapturedTable {
    /// Its columns.
    pub(crate) table: Table,
    /// Its schemas.
    pub(crate) schema: TableSchema,
    /// Where enumerations stand, with their types and what they allow: the stream does not tell when they change.
    enums: Vec<(usize, u32, Vec<String>)>,
}

impl CapturedTable {
    /// The type of an enumeration that does not know yet what a row holds.
    pub(crate) fn stale_enum(&self, row: &[Cell<'_>]) -> Option<u32> {
        let unknown = |place: usize, values: &[String]| match row.get(place) {
            Some(Cell::Text(text)) => !values.iter().any(|value| value.as_bytes() == &**text),
            _ => false,
        };
        self.enums.iter().find(|(place, _, values)| unknown(*place, values)).map(|(_, oid, _)| *oid)
    }
}

/// The tables that have been met.
#[derive(Debug, Default)]
pub(crate) struct Schemas {
    types: TypeRegistry,
    relations: HashMap<u32, (Relation, Option<Arc<CapturedTable>>)>,
}

impl Schemas {
    /// A table of the stream; `None` if it is not captured, or not known.
    pub(crate) fn relation(&self, id: u32) -> Option<&Arc<CapturedTable>> {
        self.relations.get(&id)?.1.as_ref()
    }

    /// The stream tells what a table looks like. The rest (defaults, keys, what may be null) is asked of the catalog.
    pub(crate) async fn note_relation(
        &mut self,
        relation: Relation,
        connection: &mut Connection,
        config: &PostgresConnectorConfig,
        source: &SourceInfoMaker,
    ) -> Result<(), ConnectorError> {
        let schema = if relation.schema.is_empty() { "pg_catalog" } else { &relation.schema };
        let id = TableId::new(schema, &relation.name);
        let captured = if config.tables.captures(&id) {
            refuse_names_that_differ_by_case(&id, &relation)?;
            Some(Arc::new(self.capture(&id, &relation, connection, config, source).await?))
        } else {
            None
        };
        self.relations.insert(relation.id, (relation, captured));
        Ok(())
    }

    /// Reads an enumeration again, and makes the schemas that hold it anew.
    pub(crate) async fn refresh_enum(
        &mut self,
        type_oid: u32,
        connection: &mut Connection,
        config: &PostgresConnectorConfig,
        source: &SourceInfoMaker,
    ) -> Result<(), ConnectorError> {
        self.types.forget(type_oid);
        let holds = |table: &CapturedTable| table.enums.iter().any(|(_, oid, _)| *oid == type_oid);
        let stale = self.relations.values().filter(|(_, table)| table.as_deref().is_some_and(holds));
        let stale: Vec<Relation> = stale.map(|(relation, _)| relation.clone()).collect();
        for relation in stale {
            self.note_relation(relation, connection, config, source).await?;
        }
        Ok(())
    }

    async fn capture(
        &mut self,
        id: &TableId,
        relation: &Relation,
        connection: &mut Connection,
        config: &PostgresConnectorConfig,
        source: &SourceInfoMaker,
    ) -> Result<CapturedTable, ConnectorError> {
        let known = Catalog(connection).table_of(relation.id).await.context("Reading the catalog failed")?;
        let known_columns = known.as_ref().map(|table| table.columns.as_slice()).unwrap_or_default();
        let columns = relation.columns.iter().map(|column| {
            let known = known_columns.iter().find(|known| known.name == column.name);
            // Of a column that is left out Debezium does not ask, though it may be in the key.
            let known = known.filter(|known| config.columns.selects(&format!("{id}.{}", known.name)));
            CatalogColumn {
                name: column.name.clone(),
                type_oid: column.type_oid,
                type_modifier: column.type_modifier,
                nullable: known.is_none_or(|known| known.nullable),
                default: known.and_then(|known| known.default.clone()),
                identity: known.is_some_and(|known| known.identity),
                generated: false,
            }
        });
        let mut primary_key = known.as_ref().map(|table| table.primary_key.clone()).unwrap_or_default();
        primary_key.retain(|name| relation.columns.iter().any(|column| column.name == *name));
        let table = CatalogTable {
            oid: relation.id,
            schema: id.schema.to_string(),
            name: id.table.to_string(),
            columns: columns.collect(),
            primary_key,
        };
        self.table(&table, connection, config, source).await
    }

    /// A table as the catalog has it.
    pub(crate) async fn table(
        &mut self,
        table: &CatalogTable,
        connection: &mut Connection,
        config: &PostgresConnectorConfig,
        source: &SourceInfoMaker,
    ) -> Result<CapturedTable, ConnectorError> {
        let oids = table.columns.iter().map(|column| column.type_oid);
        self.types.load(connection, oids).await.context("Couldn't initialize type registry")?;
        let table = Table::from_catalog(table, &self.types);
        let schema = TableSchema::new(&table, &self.types, config, source);
        let enum_at = |(place, column): (usize, &Column)| {
            let values = self.types.get(column.type_oid)?.enum_values.clone()?;
            Some((place, column.type_oid, values))
        };
        let enums = table.columns.iter().enumerate().filter_map(enum_at).collect();
        Ok(CapturedTable { table, schema, enums })
    }
}

fn refuse_names_that_differ_by_case(id: &TableId, relation: &Relation) -> Result<(), ConnectorError> {
    let mut seen = HashSet::new();
    for column in &relation.columns {
        if !seen.insert(column.name.to_lowercase()) {
            return Err(ConnectorError::Failed(format!(
                "Table '{id}' has columns that differ only by case. Column name: '{}'. Debezium does not support case-sensitive \
                 duplicate column names as this causes data corruption. Please rename one of the duplicate columns before running \
                 Debezium.",
                column.name
            )));
        }
    }
    Ok(())
}

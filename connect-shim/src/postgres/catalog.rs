//! What tables there are and what they look like.

use std::collections::HashMap;

use super::{Connection, PostgresError, literal};

/// Reads the catalog through a connection.
#[derive(Debug)]
pub struct Catalog<'a>(pub &'a mut Connection);

/// A table as the catalog has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogTable {
    /// Its object id.
    pub oid: u32,
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// Its columns in order.
    pub columns: Vec<CatalogColumn>,
    /// The columns of its primary key in the key's order, or those of a unique index if there is none.
    pub primary_key: Vec<String>,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogColumn {
    /// Its name.
    pub name: String,
    /// Its type.
    pub type_oid: u32,
    /// Its type's modifier; -1 is none.
    pub type_modifier: i32,
    /// Whether it may be null.
    pub nullable: bool,
    /// Its default as an expression.
    pub default: Option<String>,
    /// Whether it is numbered by `GENERATED … AS IDENTITY`.
    pub identity: bool,
    /// Whether it is computed from other columns.
    pub generated: bool,
}

impl Catalog<'_> {
    /// The names of all tables, partitioned ones among them, except the server's own.
    ///
    /// # Errors
    /// What the server says.
    pub async fn table_names(&mut self) -> Result<Vec<(String, String)>, PostgresError> {
        let sql = "SELECT n.nspname, c.relname FROM pg_catalog.pg_class c \
                   JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
                   WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' \
                   ORDER BY n.nspname, c.relname";
        let rows = self.0.query(sql).await?;
        let names = rows.iter().filter_map(|row| match row {
            [Some(schema), Some(name)] => Some((schema.clone(), name.clone())),
            _ => None,
        });
        Ok(names.collect())
    }

    /// A table by its object id, whatever it is called by now; `None` if there is none (any more).
    ///
    /// # Errors
    /// What the server says.
    pub async fn table_of(&mut self, oid: u32) -> Result<Option<CatalogTable>, PostgresError> {
        Ok(self.tables(&format!("c.oid = {oid}")).await?.into_iter().next())
    }

    /// A table by its name; `None` if there is none (any more).
    ///
    /// # Errors
    /// What the server says.
    pub async fn table(&mut self, schema: &str, name: &str) -> Result<Option<CatalogTable>, PostgresError> {
        let wanted = format!("n.nspname = {} AND c.relname = {}", literal(schema), literal(name));
        Ok(self.tables(&wanted).await?.into_iter().next())
    }

    async fn tables(&mut self, wanted: &str) -> Result<Vec<CatalogTable>, PostgresError> {
        let sql = format!(
            "SELECT c.oid, n.nspname, c.relname, a.attname, a.atttypid, a.atttypmod, \
               NOT (a.attnotnull OR (t.typtype = 'd' AND t.typnotnull)), \
               pg_catalog.pg_get_expr(d.adbin, d.adrelid), a.attidentity <> '', a.attgenerated <> '' \
             FROM pg_catalog.pg_class c \
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
             JOIN pg_catalog.pg_type t ON t.oid = a.atttypid \
             LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum \
             WHERE c.relkind IN ('r', 'p') AND {wanted} ORDER BY c.oid, a.attnum"
        );
        let mut tables: Vec<CatalogTable> = Vec::new();
        for row in self.0.query(&sql).await?.iter() {
            let text = |index: usize| row.get(index).and_then(Option::as_deref);
            let flag = |index: usize| text(index) == Some("t");
            let owned = |index: usize| text(index).unwrap_or_default().to_owned();
            let oid = owned(0).parse().unwrap_or_default();
            let column = CatalogColumn {
                name: owned(3),
                type_oid: owned(4).parse().unwrap_or_default(),
                type_modifier: owned(5).parse().unwrap_or(-1),
                nullable: flag(6),
                default: text(7).map(str::to_owned),
                identity: flag(8),
                generated: flag(9),
            };
            match tables.last_mut() {
                Some(table) if table.oid == oid => table.columns.push(column),
                _ => tables.push(CatalogTable {
                    oid,
                    schema: owned(1),
                    name: owned(2),
                    columns: vec![column],
                    primary_key: Vec::new(),
                }),
            }
        }
        self.keys(wanted, &mut tables).await?;
        Ok(tables)
    }

    /// Primary keys, and for tables without one the first unique index that is on columns alone. Columns that such an
    /// index only includes are taken for its own, as Debezium's driver does.
    async fn keys(&mut self, wanted: &str, tables: &mut [CatalogTable]) -> Result<(), PostgresError> {
        let sql = format!(
            "SELECT c.oid, i.relname, a.attname FROM pg_catalog.pg_index x \
             JOIN pg_catalog.pg_class c ON c.oid = x.indrelid \
             JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid \
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             CROSS JOIN LATERAL unnest(x.indkey[0:CASE WHEN x.indisprimary THEN x.indnkeyatts ELSE x.indnatts END - 1]) \
               WITH ORDINALITY AS k(attnum, place) \
             JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum \
             WHERE x.indisunique AND x.indexprs IS NULL AND {wanted} \
             ORDER BY c.oid, x.indisprimary DESC, i.relname, k.place"
        );
        let mut keys: HashMap<u32, (String, Vec<String>)> = HashMap::new();
        for row in self.0.query(&sql).await?.iter() {
            let [Some(oid), Some(index), Some(column)] = row else { continue };
            let Ok(oid) = oid.parse() else { continue };
            let (first, columns) = keys.entry(oid).or_insert_with(|| (index.clone(), Vec::new()));
            if first == index {
                columns.push(column.clone());
            }
        }
        for table in tables {
            if let Some((_, columns)) = keys.remove(&table.oid) {
                table.primary_key = columns;
            }
        }
        Ok(())
    }
}

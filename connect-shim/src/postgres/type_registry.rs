//! Types by object id, read from the catalog as tables need them.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::{Connection, PostgresError};

/// A type (`pg_type`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostgresType {
    /// Its object id.
    pub oid: u32,
    /// Its name, such as `int4` or `_text`.
    pub name: Arc<str>,
    /// Its schema.
    pub schema: Arc<str>,
    /// What its values' elements are, if it is an array.
    pub element: Option<u32>,
    /// What it constrains, if it is a domain.
    pub base: Option<u32>,
    /// The modifier that a domain gives its base; -1 is none.
    pub base_modifier: i32,
    /// Its values in order, if it is an enumeration.
    pub enum_values: Option<Vec<String>>,
    /// Whether it is a row's.
    pub composite: bool,
}

/// The types that have been met.
#[derive(Debug, Default)]
pub struct TypeRegistry {
    types: HashMap<u32, PostgresType>,
}

impl TypeRegistry {
    /// A type that has been loaded.
    pub fn get(&self, oid: u32) -> Option<&PostgresType> {
        self.types.get(&oid)
    }

    /// What a domain constrains in the end; any other type itself.
    pub fn root(&self, oid: u32) -> Option<&PostgresType> {
        let mut found = self.get(oid)?;
        while let Some(base) = found.base {
            found = self.get(base)?;
        }
        Some(found)
    }

    /// Reads those of these types that are not known, with their elements and bases.
    ///
    /// # Errors
    /// What the server says.
    pub async fn load(
        &mut self,
        connection: &mut Connection,
        oids: impl IntoIterator<Item = u32>,
    ) -> Result<(), PostgresError> {
        let missing: BTreeSet<u32> = oids.into_iter().filter(|oid| !self.types.contains_key(oid)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let list = missing.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
        let sql = format!(
            "WITH RECURSIVE wanted AS ( \
               SELECT oid, typname, typnamespace, typcategory, typelem, typbasetype, typtypmod, typtype \
               FROM pg_catalog.pg_type WHERE oid IN ({list}) \
             UNION \
               SELECT t.oid, t.typname, t.typnamespace, t.typcategory, t.typelem, t.typbasetype, t.typtypmod, t.typtype \
               FROM pg_catalog.pg_type t JOIN wanted w ON t.oid = w.typbasetype \
                 OR (w.typcategory = 'A' AND w.typbasetype = 0 AND t.oid = w.typelem) \
             ) SELECT w.oid, w.typname, n.nspname, w.typcategory, w.typelem, w.typbasetype, w.typtypmod, w.typtype \
             FROM wanted w JOIN pg_catalog.pg_namespace n ON n.oid = w.typnamespace"
        );
        let mut enums = Vec::new();
        for row in connection.query(&sql).await?.iter() {
            let text = |index: usize| row.get(index).and_then(Option::as_deref).unwrap_or_default();
            let number = |index: usize| text(index).parse::<u32>().ok().filter(|oid| *oid != 0);
            let Some(oid) = number(0) else { continue };
            let base = number(5);
            let found = PostgresType {
                oid,
                name: text(1).into(),
                schema: text(2).into(),
                // A domain over an array has the array's category; it is its base that has elements.
                element: number(4).filter(|_| text(3) == "A" && base.is_none()),
                base,
                base_modifier: text(6).parse().unwrap_or(-1),
                enum_values: (text(7) == "e").then(Vec::new),
                composite: text(7) == "c",
            };
            if found.enum_values.is_some() {
                enums.push(oid.to_string());
            }
            self.types.insert(oid, found);
        }
        if enums.is_empty() {
            return Ok(());
        }
        let sql = format!(
            "SELECT enumtypid, enumlabel FROM pg_catalog.pg_enum WHERE enumtypid IN ({}) ORDER BY enumtypid, enumsortorder",
            enums.join(",")
        );
        for row in connection.query(&sql).await?.iter() {
            if let [Some(oid), Some(label)] = row
                && let Some(found) = oid.parse().ok().and_then(|oid: u32| self.types.get_mut(&oid))
                && let Some(values) = &mut found.enum_values
            {
                values.push(label.clone());
            }
        }
        Ok(())
    }

    /// Takes in a type as if it had been read.
    #[cfg(test)]
    pub(crate) fn insert(&mut self, found: PostgresType) {
        self.types.insert(found.oid, found);
    }

    /// Forgets a type, so that it is read again: an enumeration may have got another value.
    pub fn forget(&mut self, oid: u32) {
        self.types.remove(&oid);
    }
}

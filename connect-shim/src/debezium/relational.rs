//! Tables and their columns, as Debezium sees them: with the lengths, scales and type names of its driver.

use std::fmt;
use std::sync::Arc;

use crate::postgres::{CatalogColumn, CatalogTable, TypeRegistry, identifier};

/// A table's name. Tables are ordered by it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct TableId {
    /// Its schema.
    pub(crate) schema: Arc<str>,
    /// Its own name.
    pub(crate) table: Arc<str>,
}

impl TableId {
    /// The name of a table in a schema.
    pub(crate) fn new(schema: &str, table: &str) -> Self {
        Self { schema: schema.into(), table: table.into() }
    }

    /// As a statement may hold it.
    pub(crate) fn quoted(&self) -> String {
        format!("{}.{}", identifier(&self.schema), identifier(&self.table))
    }

    /// Reads `schema.table`; quotes around the parts are left out.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (schema, table) = text.split_once('.')?;
        let bare = |part: &str| part.trim().trim_matches('"').to_owned();
        Some(Self::new(&bare(schema), &bare(table)))
    }
}

impl fmt::Display for TableId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.schema.is_empty() {
            return f.write_str(&self.table);
        }
        write!(f, "{}.{}", self.schema, self.table)
    }
}

/// What stands for a length that is not limited.
pub(crate) const UNLIMITED: i32 = i32::MAX;
/// The length of a number whose digits are not limited.
pub(crate) const ANY_NUMERIC: i32 = 131_089;

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Column {
    /// Its name.
    pub(crate) name: Arc<str>,
    /// Its type; of a domain that which it constrains.
    pub(crate) type_oid: u32,
    /// Its type's name, as the driver says it: `serial` is one, a domain is not resolved.
    pub(crate) type_name: Arc<str>,
    /// Its length, or its number of digits.
    pub(crate) length: i32,
    /// How many digits stand behind the point, or of a second's fraction.
    pub(crate) scale: i32,
    /// Whether it may be null.
    pub(crate) optional: bool,
    /// Its default's expression.
    pub(crate) default: Option<String>,
}

/// A table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Table {
    /// Its name.
    pub(crate) id: TableId,
    /// Its columns in order.
    pub(crate) columns: Vec<Column>,
    /// The names of its key's columns, in the key's order.
    pub(crate) primary_key: Vec<String>,
}

impl Table {
    /// A table as the catalog has it. Its types have been loaded.
    pub(crate) fn from_catalog(table: &CatalogTable, types: &TypeRegistry) -> Self {
        let columns = table.columns.iter().map(|column| Column::new(column, types)).collect();
        Self { id: TableId::new(&table.schema, &table.name), columns, primary_key: table.primary_key.clone() }
    }
}

impl Column {
    /// A column as the catalog has it. Its type has been loaded.
    pub(crate) fn new(column: &CatalogColumn, types: &TypeRegistry) -> Self {
        let declared = types.get(column.type_oid);
        let root = types.root(column.type_oid);
        let numbered = column.default.as_deref().is_some_and(|default| default.contains("nextval("));
        let own_name = declared.map_or("unknown", |found| &*found.name);
        let type_name = match own_name {
            "int4" if numbered => "serial",
            "int8" if numbered => "bigserial",
            "int2" if numbered => "smallserial",
            other => other,
        };
        let (oid, modifier) = modified_type(column, types);
        Self {
            name: column.name.as_str().into(),
            type_oid: root.map_or(column.type_oid, |root| root.oid),
            type_name: type_name.into(),
            length: length(oid, modifier),
            scale: scale(oid, modifier),
            optional: column.nullable,
            default: column.default.clone(),
        }
    }
}

/// The type that gives a column its length, with its modifier: a domain's own, and an array's elements'.
fn modified_type(column: &CatalogColumn, types: &TypeRegistry) -> (u32, i32) {
    let (mut oid, mut modifier) = (column.type_oid, column.type_modifier);
    while let Some(found) = types.get(oid) {
        if let Some(base) = found.base {
            if modifier == -1 {
                modifier = found.base_modifier;
            }
            oid = base;
        } else if let Some(element) = found.element {
            oid = element;
        } else {
            break;
        }
    }
    (oid, modifier)
}

/// Object ids of built-in types.
pub(crate) mod oid {
    pub(crate) const BOOL: u32 = 16;
    pub(crate) const BYTEA: u32 = 17;
    pub(crate) const CHAR: u32 = 18;
    pub(crate) const NAME: u32 = 19;
    pub(crate) const INT8: u32 = 20;
    pub(crate) const INT2: u32 = 21;
    pub(crate) const INT2VECTOR: u32 = 22;
    pub(crate) const INT4: u32 = 23;
    pub(crate) const TEXT: u32 = 25;
    pub(crate) const OID: u32 = 26;
    pub(crate) const OIDVECTOR: u32 = 30;
    pub(crate) const JSON: u32 = 114;
    pub(crate) const XML: u32 = 142;
    pub(crate) const POINT: u32 = 600;
    pub(crate) const LSEG: u32 = 601;
    pub(crate) const PATH: u32 = 602;
    pub(crate) const BOX: u32 = 603;
    pub(crate) const POLYGON: u32 = 604;
    pub(crate) const LINE: u32 = 628;
    pub(crate) const CIDR: u32 = 650;
    pub(crate) const FLOAT4: u32 = 700;
    pub(crate) const FLOAT8: u32 = 701;
    pub(crate) const CIRCLE: u32 = 718;
    pub(crate) const MACADDR8: u32 = 774;
    pub(crate) const MONEY: u32 = 790;
    pub(crate) const MACADDR: u32 = 829;
    pub(crate) const INET: u32 = 869;
    pub(crate) const BPCHAR: u32 = 1042;
    pub(crate) const VARCHAR: u32 = 1043;
    pub(crate) const DATE: u32 = 1082;
    pub(crate) const TIME: u32 = 1083;
    pub(crate) const TIMESTAMP: u32 = 1114;
    pub(crate) const TIMESTAMPTZ: u32 = 1184;
    pub(crate) const INTERVAL: u32 = 1186;
    pub(crate) const TIMETZ: u32 = 1266;
    pub(crate) const BIT: u32 = 1560;
    pub(crate) const VARBIT: u32 = 1562;
    pub(crate) const NUMERIC: u32 = 1700;
    pub(crate) const REFCURSOR: u32 = 1790;
    pub(crate) const UUID: u32 = 2950;
    pub(crate) const TSVECTOR: u32 = 3614;
    pub(crate) const JSONB: u32 = 3802;
    pub(crate) const INT4RANGE: u32 = 3904;
    pub(crate) const NUMRANGE: u32 = 3906;
    pub(crate) const TSRANGE: u32 = 3908;
    pub(crate) const TSTZRANGE: u32 = 3910;
    pub(crate) const DATERANGE: u32 = 3912;
    pub(crate) const INT8RANGE: u32 = 3926;
}

/// A type's length or precision, as the driver has it.
fn length(type_oid: u32, modifier: i32) -> i32 {
    let fraction_width = |modifier: i32| match modifier {
        -1 => 7,
        0 => 0,
        digits => digits.saturating_add(1),
    };
    match type_oid {
        oid::INT2 => 5,
        oid::OID | oid::INT4 => 10,
        oid::INT8 => 19,
        oid::FLOAT4 => 8,
        oid::FLOAT8 => 17,
        oid::NUMERIC if modifier == -1 => ANY_NUMERIC,
        oid::NUMERIC => (modifier.wrapping_sub(4) >> 16) & 0xFFFF,
        oid::BOOL | oid::CHAR => 1,
        oid::BPCHAR | oid::VARCHAR if modifier == -1 => UNLIMITED,
        oid::BPCHAR | oid::VARCHAR => modifier.saturating_sub(4),
        oid::DATE => 13,
        oid::TIME => fraction_width(modifier).saturating_add(8),
        oid::TIMETZ => fraction_width(modifier).saturating_add(14),
        oid::TIMESTAMP => fraction_width(modifier).saturating_add(22),
        oid::TIMESTAMPTZ => fraction_width(modifier).saturating_add(28),
        oid::INTERVAL => 49,
        oid::BIT => modifier,
        oid::VARBIT if modifier == -1 => UNLIMITED,
        oid::VARBIT => modifier,
        _ => UNLIMITED,
    }
}

/// A type's scale, as the driver has it.
fn scale(type_oid: u32, modifier: i32) -> i32 {
    match type_oid {
        oid::FLOAT4 => 8,
        oid::FLOAT8 => 17,
        oid::NUMERIC if modifier == -1 => 0,
        oid::NUMERIC => modifier.wrapping_sub(4) & 0xFFFF,
        oid::TIME | oid::TIMETZ | oid::TIMESTAMP | oid::TIMESTAMPTZ | oid::INTERVAL if modifier == -1 => 6,
        oid::TIME | oid::TIMETZ | oid::TIMESTAMP | oid::TIMESTAMPTZ => modifier,
        oid::INTERVAL => modifier & 0xFFFF,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modifiers_say_length_and_scale() {
        // numeric(10,2), numeric(4,-2): the driver takes a negative scale for a large one.
        assert_eq!((length(oid::NUMERIC, (10 << 16 | 2) + 4), scale(oid::NUMERIC, (10 << 16 | 2) + 4)), (10, 2));
        assert_eq!(scale(oid::NUMERIC, (4 << 16 | 0x7FE) + 4), 2046);
        assert_eq!((length(oid::NUMERIC, -1), scale(oid::NUMERIC, -1)), (ANY_NUMERIC, 0));
        assert_eq!(length(oid::VARCHAR, 24), 20);
        assert_eq!((scale(oid::TIMESTAMP, -1), scale(oid::TIMESTAMP, 3)), (6, 3));
    }

    #[test]
    fn names_are_read_with_and_without_quotes() {
        assert_eq!(TableId::parse("public.orders"), Some(TableId::new("public", "orders")));
        assert_eq!(TableId::parse("\"My Schema\".\"T\"").map(|id| id.to_string()).as_deref(), Some("My Schema.T"));
        assert_eq!(TableId::parse("orders"), None);
    }
}

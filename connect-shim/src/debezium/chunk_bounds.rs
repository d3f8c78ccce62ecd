//! Where a chunk of an incremental snapshot begins and ends, as conditions: rows are ordered by some columns, nulls last.

use super::relational::Column;
use crate::postgres::{identifier, literal};

/// What the columns that order rows hold in one row, as texts.
pub(crate) type ChunkKey = Vec<Option<String>>;

/// The condition that a row comes after the one with this key. It is never unknown, whatever is null.
pub(crate) fn beyond(columns: &[&Column], key: &ChunkKey) -> String {
    let names: Vec<String> = columns.iter().map(|column| identifier(&column.name)).collect();
    let values: Vec<Option<String>> = key.iter().map(|value| value.as_deref().map(literal)).collect();
    if columns.iter().all(|column| !column.optional)
        && let Some(values) = values.iter().cloned().collect::<Option<Vec<_>>>()
    {
        // An index serves such a comparison.
        return format!("(({}) > ({}))", names.join(", "), values.join(", "));
    }
    let equal = |place: usize| match &values[place] {
        Some(value) => format!("{} = {value}", names[place]),
        None => format!("{} IS NULL", names[place]),
    };
    let greater = |place: usize| match &values[place] {
        Some(value) => format!("({} > {value} OR {} IS NULL)", names[place], names[place]),
        None => "FALSE".to_owned(),
    };
    let places = 0..names.len().min(values.len());
    let alternatives = places.map(|place| {
        let terms: Vec<String> = (0..place).map(equal).chain([greater(place)]).collect();
        format!("({})", terms.join(" AND "))
    });
    format!("({})", alternatives.collect::<Vec<_>>().join(" OR "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, optional: bool) -> Column {
        let (type_oid, type_name) = (25, "text".into());
        Column { name: name.into(), type_oid, type_name, length: 0, scale: 0, optional, default: None }
    }

    #[test]
    fn nulls_come_last() {
        let (a, b) = (column("a", true), column("b", true));
        let key = |values: &[Option<&str>]| values.iter().map(|value| value.map(str::to_owned)).collect::<ChunkKey>();
        assert_eq!(beyond(&[&a], &key(&[Some("1")])), r#"((("a" > '1' OR "a" IS NULL)))"#);
        assert_eq!(beyond(&[&a], &key(&[None])), "((FALSE))");
        let both = beyond(&[&a, &b], &key(&[None, Some("x")]));
        assert_eq!(both, r#"((FALSE) OR ("a" IS NULL AND ("b" > 'x' OR "b" IS NULL)))"#);
    }

    #[test]
    fn what_cannot_be_null_is_compared_as_a_row() {
        let (a, b) = (column("a", false), column("b", false));
        let key = vec![Some("1".to_owned()), Some("it's".to_owned())];
        assert_eq!(beyond(&[&a, &b], &key), r#"(("a", "b") > ('1', 'it''s'))"#);
    }
}

//! Properties of all types together: whatever a server sends of whatever type, it is a value that the type's schema takes, or
//! it is refused.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::calendar::Day;
use super::decimal::Decimal;
use super::*;
use crate::connector_config::Properties;
use crate::converters::{self, ConverterType};
use crate::data::{Schema, SchemaType, Value};
use crate::debezium::PostgresConnectorConfig;
use crate::debezium::relational::{Column, Table, TableId, oid};
use crate::debezium::source_info::SourceInfoMaker;
use crate::debezium::table_schema::{Cell, CellText, TableSchema};
use crate::java::base64;
use crate::postgres::{CatalogColumn, CatalogTable, PostgresType, TypeRegistry};

/// Types of PostgreSQL's own, by the names that the catalog gives them, with texts of theirs.
const BUILT_IN: [(u32, &str, &[&str]); 58] = [
    (oid::BOOL, "bool", &["t", "f"]),
    (oid::BYTEA, "bytea", &["\\x", "\\xdeadbeef"]),
    (oid::CHAR, "char", &["a", "\u{7f}"]),
    (oid::NAME, "name", &["pg_class"]),
    (oid::INT8, "int8", &["-9223372036854775808", "9223372036854775807"]),
    (oid::INT2, "int2", &["-32768", "32767"]),
    (oid::INT4, "int4", &["-2147483648", "2147483647"]),
    (oid::TEXT, "text", &["", "grün \u{1F600}"]),
    (oid::OID, "oid", &["4294967295"]),
    (oid::JSON, "json", &["{\"a\": [1, null]}"]),
    (oid::XML, "xml", &["<a/>"]),
    (oid::POINT, "point", &["(1.5,-2)", "(NaN,Infinity)"]),
    (oid::LSEG, "lseg", &["[(0,0),(1,1)]"]),
    (oid::PATH, "path", &["[(0,0),(1,1)]", "((0,0),(1,1),(2,0))"]),
    (oid::BOX, "box", &["(1,1),(0,0)"]),
    (oid::POLYGON, "polygon", &["((0,0),(1,1),(2,0))"]),
    (oid::LINE, "line", &["{1,-1,0}"]),
    (oid::CIDR, "cidr", &["10.0.0.0/8"]),
    (oid::FLOAT4, "float4", &["1.5", "NaN", "-Infinity", "1e+20"]),
    (oid::FLOAT8, "float8", &["1.7976931348623157e+308", "5e-324", "Infinity"]),
    (oid::CIRCLE, "circle", &["<(1,2),3>"]),
    (oid::MACADDR8, "macaddr8", &["08:00:2b:01:02:03:04:05"]),
    (oid::MONEY, "money", &["$1,234.56", "-$0.01", "($5.00)"]),
    (oid::MACADDR, "macaddr", &["08:00:2b:01:02:03"]),
    (oid::INET, "inet", &["192.168.0.1/24", "::1"]),
    (oid::BPCHAR, "bpchar", &["a   "]),
    (oid::VARCHAR, "varchar", &["a"]),
    (oid::DATE, "date", &["2024-02-29", "5874897-12-31", "4713-01-01 BC", "infinity", "-infinity"]),
    (oid::TIME, "time", &["24:00:00", "13:14:15.123456"]),
    (oid::TIMESTAMP, "timestamp", &["294276-12-31 23:59:59.999999", "4713-01-01 00:00:00 BC", "infinity"]),
    (oid::TIMESTAMPTZ, "timestamptz", &["2024-02-29 13:14:15.1+05:30", "0044-03-15 12:00:00+00 BC", "-infinity"]),
    (oid::INTERVAL, "interval", &["-178000000 years", "1 year 2 mons -3 days +04:05:06.789"]),
    (oid::TIMETZ, "timetz", &["24:00:00-15:59:59", "13:14:15.5+05:30"]),
    (oid::BIT, "bit", &["1", "10110000"]),
    (oid::VARBIT, "varbit", &["", "101"]),
    (oid::NUMERIC, "numeric", &["NaN", "Infinity", "-0.00", "123456789012345678901234567890.123456789"]),
    (oid::REFCURSOR, "refcursor", &["c"]),
    (oid::UUID, "uuid", &["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"]),
    (oid::TSVECTOR, "tsvector", &["'a':1 'b':2"]),
    (oid::JSONB, "jsonb", &["[1, {\"a\": \"b\"}]"]),
    (oid::INT4RANGE, "int4range", &["[1,5)", "empty"]),
    (oid::NUMRANGE, "numrange", &["[1.5,)"]),
    (oid::TSRANGE, "tsrange", &["[\"2024-01-01 00:00:00\",)"]),
    (oid::TSTZRANGE, "tstzrange", &["(,\"2024-01-01 00:00:00+00\"]"]),
    (oid::DATERANGE, "daterange", &["[2024-01-01,2024-02-01)"]),
    (oid::INT8RANGE, "int8range", &["[1,5)"]),
    (3615, "tsquery", &["'a' & 'b'"]),
    (4451, "int4multirange", &["{[1,2),[3,4)}"]),
    (5069, "xid8", &["1"]),
    (3220, "pg_lsn", &["0/16B3748"]),
    (27, "tid", &["(0,1)"]),
    (28, "xid", &["1"]),
    (2205, "regclass", &["pg_class"]),
    (2970, "txid_snapshot", &["10:20:10,14"]),
    (4072, "jsonpath", &["$.\"a\""]),
    (1033, "aclitem", &["postgres=r/postgres"]),
    (30, "oidvector", &["1 2"]),
    (22, "int2vector", &["1 2"]),
];

/// Types that extensions bring.
const EXTENSIONS: [(&str, &[&str]); 9] = [
    ("citext", &["aBc"]),
    ("isbn", &["978-0-393-04002-9"]),
    ("ltree", &["a.b"]),
    ("hstore", &["\"a\"=>\"1\", \"b\"=>NULL"]),
    ("geometry", &["0101000020E6100000000000000000F03F0000000000000040", "010700000000000000"]),
    ("geography", &["0101000020E6100000000000000000F03F0000000000000040"]),
    ("vector", &["[1,2.5,-3]"]),
    ("halfvec", &["[1,2.5]"]),
    ("sparsevec", &["{1:1,3:2.5}/5"]),
];

/// Where object ids of types that are not PostgreSQL's own begin.
const OWN: u32 = 16_384;
/// What is added to a type's object id for its array's, a domain's over it, and an array's of the domain.
const ARRAY: u32 = 100_000;
const DOMAIN: u32 = 200_000;
const DOMAIN_ARRAY: u32 = 300_000;

/// All types, each with arrays and domains; beside them an enumeration, a row's type, and one of which nothing is known.
fn types() -> (TypeRegistry, Vec<(u32, Vec<String>)>) {
    let mut types = TypeRegistry::default();
    let mut all = Vec::new();
    let plain = |oid: u32, name: &str| PostgresType {
        oid,
        name: name.into(),
        schema: "pg_catalog".into(),
        element: None,
        base: None,
        base_modifier: -1,
        enum_values: None,
        composite: false,
    };
    let extensions = (OWN..).zip(EXTENSIONS).map(|(oid, (name, texts))| (oid, name, texts));
    let mine = [(OWN + 50, "mood", &["sad", "ok"][..]), (OWN + 51, "pair", &["(1,x)"][..])];
    for (oid, name, texts) in BUILT_IN.into_iter().chain(extensions).chain(mine) {
        let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
        let elements = texts.iter().map(|text| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")));
        let separator = if oid == oid::BOX { ";" } else { "," };
        let whole = elements.chain(["NULL".to_owned()]).collect::<Vec<_>>().join(separator);
        let arrays = vec![format!("{{{whole}}}"), "{}".to_owned(), format!("[0:0]={{{{{whole}}}}}")];
        let (values, composite) = match name {
            "mood" => (Some(texts.clone()), false),
            other => (None, other == "pair"),
        };
        types.insert(PostgresType { enum_values: values, composite, ..plain(oid, name) });
        types.insert(PostgresType { element: Some(oid), ..plain(oid + ARRAY, &format!("_{name}")) });
        types.insert(PostgresType { base: Some(oid), base_modifier: 7, ..plain(oid + DOMAIN, "a_domain") });
        types.insert(PostgresType { element: Some(oid + DOMAIN), ..plain(oid + DOMAIN_ARRAY, "_a_domain") });
        for (oid, texts) in
            [(oid, &texts), (oid + ARRAY, &arrays), (oid + DOMAIN, &texts), (oid + DOMAIN_ARRAY, &arrays)]
        {
            all.push((oid, texts.clone()));
        }
    }
    all.push((OWN + 99, vec!["of a type that the catalog does not have any more".to_owned()]));
    (types, all)
}

/// A type, and a text that is one of its, or nearly so, or none.
fn typed_text() -> impl Strategy<Value = (u32, Vec<u8>)> {
    let of_type = select(types().1).prop_flat_map(|(oid, texts)| {
        let near = (select(texts), vec((any::<Index>(), 0..5u8, near_character()), 0..3)).prop_map(|(text, changes)| {
            let mut characters: Vec<char> = text.chars().collect();
            for (at, change, character) in changes {
                let at = at.index(characters.len() + 1);
                match change {
                    0 if at < characters.len() => drop(characters.remove(at)),
                    1 if at < characters.len() => characters[at] = character,
                    2 => characters.truncate(at),
                    3 => drop(characters.splice(at..at, [character; 9])),
                    _ => characters.insert(at, character),
                }
            }
            characters.into_iter().collect::<String>().into_bytes()
        });
        let shaped = "[-+0-9:.,;{}()\\[\\]<>\"\\\\ =/$eEaNfinyBCmrsdx]{0,40}".prop_map(String::into_bytes);
        (Just(oid), prop_oneof![4 => near, 2 => shaped, 1 => any::<String>().prop_map(String::into_bytes), 1 => any::<Vec<u8>>()])
    });
    of_type.boxed()
}

fn near_character() -> impl Strategy<Value = char> {
    prop_oneof![select("0123456789-+.:,{}()[]<>\"\\ BCeENf=/\u{fe}ž".chars().collect::<Vec<_>>()), any::<char>()]
}

/// How values are shown, in all of the ways that there are.
fn options() -> impl Strategy<Value = BTreeMap<String, String>> {
    let one = |name: &'static str, values: &'static [&'static str]| {
        select(values).prop_map(move |value| (name.to_owned(), value.to_owned()))
    };
    let times = &[
        "adaptive",
        "adaptive_time_microseconds",
        "isostring",
        "structured",
        "microseconds",
        "nanoseconds",
        "connect",
    ];
    (
        one("time.precision.mode", times),
        one("decimal.handling.mode", &["precise", "double", "string"]),
        one("binary.handling.mode", &["bytes", "base64", "base64-url-safe", "hex"]),
        one("interval.handling.mode", &["numeric", "string"]),
        one("hstore.handling.mode", &["json", "map"]),
        one("include.unknown.datatypes", &["true", "false"]),
        one("money.fraction.digits", &["0", "2", "-3", "32767"]),
        one("event.converting.failure.handling.mode", &["warn", "fail", "skip"]),
    )
        .prop_map(|(a, b, c, d, e, f, g, h)| {
            let base =
                [("database.hostname", "h"), ("database.user", "u"), ("database.dbname", "d"), ("topic.prefix", "t")];
            let base = base.map(|(name, value)| (name.to_owned(), value.to_owned()));
            [a, b, c, d, e, f, g, h].into_iter().chain(base).collect()
        })
}

/// A column's modifier: none, one that a declaration makes, or anything.
fn modifier() -> impl Strategy<Value = i32> {
    prop_oneof![4 => Just(-1), 3 => 0..70i32, 2 => (1..40i32, 0..20i32).prop_map(|(digits, scale)| (digits << 16 | scale) + 4), 1 => select(&[i32::MIN, i32::MAX][..]), 1 => any::<i32>()]
}

fn column(type_oid: u32, type_modifier: i32, nullable: bool, default: Option<String>) -> CatalogColumn {
    CatalogColumn {
        name: "c".to_owned(),
        type_oid,
        type_modifier,
        nullable,
        default,
        identity: false,
        generated: false,
    }
}

/// Whether a value is one of a schema's, down to its last part. Elements and parts may be null, of which Debezium takes no care.
fn fits_wholly(value: &Value, schema: &Schema) -> bool {
    match (value, &schema.kind) {
        (Value::Null, _) => true,
        (Value::Array(values), SchemaType::Array(element)) => values.iter().all(|value| fits_wholly(value, element)),
        (Value::Map(pairs), SchemaType::Map(key, element)) => {
            pairs.iter().all(|(name, value)| !name.is_null() && fits_wholly(name, key) && fits_wholly(value, element))
        }
        (Value::Struct(found), SchemaType::Struct(fields)) => {
            found.values().len() == fields.len()
                && fields.iter().zip(found.values()).all(|(field, value)| fits_wholly(value, &field.schema))
        }
        (value, _) => converter::fits(value, schema),
    }
}

proptest! {
    #[test]
    fn whatever_comes_is_a_value_of_its_schema_or_refused(
        (type_oid, text) in typed_text(),
        type_modifier in modifier(),
        options in options(),
        default: Option<String>,
    ) {
        let (types, _) = types();
        let config = PostgresConnectorConfig::parse(&options).unwrap();
        let column = Column::new(&column(type_oid, type_modifier, true, default), &types);
        let Some((schema, converter)) = field_type(&column, &types, &config.conversion) else { return Ok(()) };
        for value in [converter.fallback(), converter.unavailable(b"__debezium_unavailable_value")] {
            prop_assert!(fits_wholly(&value, &schema), "{:?} is no {:?}", value, schema);
        }
        if let Some(default) = parse_default(&column, &types, &converter, &schema) {
            prop_assert!(fits_wholly(&default, &schema), "{:?} is no {:?}", default, schema);
        }
        let Ok(text) = std::str::from_utf8(&text) else { return Ok(()) };
        let read = [Origin::Snapshot, Origin::Stream].map(|origin| converter.convert(text, origin));
        for value in read.iter().flatten() {
            prop_assert!(fits_wholly(value, &schema), "{:?} is no {:?}", value, schema);
        }
        // Only of dates Debezium's two ways of reading make something different.
        if !matches!(converter, Converter::Date(..)) {
            prop_assert_eq!(format!("{:?}", read[0]), format!("{:?}", read[1]));
        }
    }

    #[test]
    fn any_row_becomes_an_event_or_is_refused(
        cells in vec((typed_text(), modifier(), any::<bool>(), 0..8u8), 1..12),
        options in options(),
        stream: bool,
    ) {
        let (types, _) = types();
        let config = PostgresConnectorConfig::parse(&options).unwrap();
        let columns = cells.iter().enumerate().map(|(place, ((oid, _), modifier, nullable, _))| {
            CatalogColumn { name: format!("c{place}"), ..column(*oid, *modifier, *nullable, None) }
        });
        let table = CatalogTable {
            oid: OWN,
            schema: "public".to_owned(),
            name: "t".to_owned(),
            columns: columns.collect(),
            primary_key: vec!["c0".to_owned()],
        };
        let table = Table::from_catalog(&table, &types);
        let schema = TableSchema::new(&table, &types, &config, &SourceInfoMaker::new("t", "d"));
        let texts: Vec<Bytes> = cells.iter().map(|((_, text), ..)| Bytes::copy_from_slice(text)).collect();
        let row: Vec<Cell<'_>> = cells.iter().zip(&texts).map(|((.., kind), text)| match kind {
            0 => Cell::Null,
            1 => Cell::Unchanged,
            _ => Cell::Text(CellText::within(text, text)),
        }).collect();
        prop_assert_eq!(&schema.id, &TableId::new("public", "t"));
        let origin = if stream { Origin::Stream } else { Origin::Snapshot };
        let class = "org.apache.kafka.connect.json.JsonConverter";
        let mut json = converters::create(class, ConverterType::Value, &Properties::new()).unwrap();
        let parts = [(schema.key_schema.as_ref(), schema.key(&row, origin)), (Some(&schema.value_schema), schema.value(&row, origin))];
        for (schema, value) in parts {
            if let (Some(schema), Ok(value)) = (schema, value)
                && let Ok(Some(bytes)) = json.convert("t", Some(schema), &value)
            {
                prop_assert!(serde_json::from_slice::<serde_json::Value>(&bytes).is_ok(), "no JSON");
            }
        }
    }

    #[test]
    fn values_are_what_was_written(
        int: i64,
        double: f64,
        float: f32,
        boolean: bool,
        bytes: Vec<u8>,
        uuid: u128,
        scale in 0..20usize,
        day in -2_440_588..106_751_000i64,
        micros in 0..86_400_000_000i64,
        offset in -57_540..57_540i64,
    ) {
        let (types, _) = types();
        let config = ConversionOptions { decimal: DecimalMode::Precise, money_fraction_digits: 2, ..ConversionOptions::default() };
        let read = |type_oid: u32, type_modifier: i32, text: &str| {
            let column = Column::new(&column(type_oid, type_modifier, true, None), &types);
            field_type(&column, &types, &config).unwrap().1.convert(text, Origin::Stream)
        };
        prop_assert_eq!(read(oid::INT8, -1, &int.to_string()), Some(Value::Int64(int)));
        prop_assert_eq!(read(oid::INT4, -1, &(int as i32).to_string()), Some(Value::Int32(int as i32)));
        prop_assert_eq!(read(oid::INT2, -1, &(int as i16).to_string()), Some(Value::Int16(int as i16)));
        prop_assert_eq!(read(oid::OID, -1, &(int as u32).to_string()), Some(Value::Int64(i64::from(int as u32))));
        prop_assert_eq!(read(oid::FLOAT8, -1, &format!("{double:e}")), Some(Value::Float64(double)));
        prop_assert_eq!(read(oid::FLOAT4, -1, &float.to_string()), Some(Value::Float32(float)));
        prop_assert_eq!(read(oid::BOOL, -1, if boolean { "t" } else { "f" }), Some(Value::Boolean(boolean)));
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        prop_assert_eq!(read(oid::BYTEA, -1, &format!("\\x{hex}")), Some(Value::Bytes(bytes.clone().into())));
        let uuid = uuid::Uuid::from_u128(uuid).to_string();
        prop_assert_eq!(read(oid::UUID, -1, &uuid), Some(uuid.as_str().into()));
        let bits: String = bytes.iter().rev().map(|byte| format!("{byte:08b}")).collect();
        let length = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        prop_assert_eq!(read(oid::VARBIT, 1_000_000, &bits), Some(Value::Bytes(bytes[..length].to_vec().into())));

        // A number of a fixed scale is an integer with a point in it.
        let digits = format!("{:0width$}", int.unsigned_abs(), width = scale + 1);
        let sign = if int < 0 { "-" } else { "" };
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        let number = if scale == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") };
        let modifier = (40 << 16 | i32::try_from(scale).unwrap()) + 4;
        let Some(Value::Bytes(unscaled)) = read(oid::NUMERIC, modifier, &number) else { panic!("{number}") };
        let wide = unscaled.iter().fold(if unscaled[0] >= 0x80 { -1i128 } else { 0 }, |sum, byte| sum << 8 | i128::from(*byte));
        prop_assert_eq!(wide, i128::from(int));
        let cents = format!("{sign}${}.{:02}", int.unsigned_abs() / 100, int.unsigned_abs() % 100);
        let Some(Value::Bytes(unscaled)) = read(oid::MONEY, -1, &cents) else { panic!("{cents}") };
        prop_assert_eq!(base64::encode(&unscaled), base64::encode(&Decimal::parse(&int.to_string()).unwrap().unscaled()));

        // Dates and times, before Christ too, and in any zone.
        let civil = Day(day).to_civil();
        let (year, era) = if civil.year <= 0 { (1 - civil.year, " BC") } else { (civil.year, "") };
        let date = format!("{year:04}-{:02}-{:02}", civil.month, civil.day);
        let time = |micros: i64| {
            let seconds = micros / 1_000_000;
            format!("{:02}:{:02}:{:02}.{:06}", seconds / 3600, seconds / 60 % 60, seconds % 60, micros % 1_000_000)
        };
        let clock = time(micros);
        let moment = day * 86_400_000_000 + micros;
        prop_assert_eq!(read(oid::DATE, -1, &format!("{date}{era}")), Some(Value::Int32(i32::try_from(day).unwrap())));
        prop_assert_eq!(read(oid::TIME, -1, &clock), Some(Value::Int64(micros)));
        prop_assert_eq!(read(oid::TIMESTAMP, -1, &format!("{date} {clock}{era}")), Some(Value::Int64(moment)));
        prop_assert_eq!(
            read(oid::TIMESTAMP, 3, &format!("{date} {clock}{era}")),
            Some(Value::Int64(moment.div_euclid(1000)))
        );
        let zone = {
            let east = offset.unsigned_abs();
            format!("{}{:02}:{:02}:{:02}", if offset < 0 { '-' } else { '+' }, east / 3600, east / 60 % 60, east % 60)
        };
        let in_utc = temporal::iso_micros(moment - offset * 1_000_000);
        prop_assert_eq!(read(oid::TIMESTAMPTZ, 6, &format!("{date} {clock}{zone}{era}")), Some(in_utc.as_str().into()));
        let length = (int % 1_000_000_000_000).unsigned_abs() as i64;
        let interval = format!("{} days {}", int % 1000, time(length));
        let in_micros = (int % 1000) * 86_400_000_000 + length;
        let Some(Value::Int64(read)) = read(oid::INTERVAL, -1, &interval) else { panic!("{interval}") };
        prop_assert!((read - in_micros).abs() <= 1, "{} is {} and not {}", interval, read, in_micros);
    }
}

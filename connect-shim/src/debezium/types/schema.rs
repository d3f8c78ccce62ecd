//! The schemas that Debezium gives to what Connect has no kind of its own for.

use std::sync::Arc;

use crate::data::{Field, Schema, SchemaType, Value};

/// A named kind.
pub(crate) fn logical(kind: SchemaType, name: &str) -> Schema {
    Schema::of(kind).named(name).versioned(1)
}

/// A field.
pub(crate) fn field(name: &str, schema: Schema) -> Field {
    Field { name: name.into(), schema: Arc::new(schema) }
}

fn documented(mut schema: Schema, doc: &str) -> Schema {
    schema.doc = Some(doc.into());
    schema
}

/// Connect's `Decimal`, with its precision if that is known.
pub(crate) fn decimal(scale: i32, precision: Option<i32>) -> Schema {
    let schema =
        logical(SchemaType::Bytes, "org.apache.kafka.connect.data.Decimal").parameter("scale", scale.to_string());
    match precision {
        Some(precision) => schema.parameter("connect.decimal.precision", precision.to_string()),
        None => schema,
    }
}

/// A decimal that says its scale with each value.
pub(crate) fn variable_scale_decimal() -> Schema {
    let fields = vec![field("scale", Schema::of(SchemaType::Int32)), field("value", Schema::of(SchemaType::Bytes))];
    documented(logical(SchemaType::Struct(fields), "io.debezium.data.VariableScaleDecimal"), "Variable scaled decimal")
}

/// One of some texts.
pub(crate) fn enumeration(allowed: &[String]) -> Schema {
    logical(SchemaType::String, "io.debezium.data.Enum").parameter("allowed", allowed.join(","))
}

/// So many bits.
pub(crate) fn bits(length: i32) -> Schema {
    logical(SchemaType::Bytes, "io.debezium.data.Bits").parameter("length", length.to_string())
}

/// A point.
pub(crate) fn point() -> Schema {
    let fields = vec![
        field("x", Schema::of(SchemaType::Float64)),
        field("y", Schema::of(SchemaType::Float64)),
        field("wkb", Schema::of(SchemaType::Bytes).optional()),
        field("srid", Schema::of(SchemaType::Int32).optional()),
    ];
    documented(logical(SchemaType::Struct(fields), "io.debezium.data.geometry.Point"), "Geometry (POINT)")
}

/// A shape; one on the globe if `geography`.
pub(crate) fn geometry(geography: bool) -> Schema {
    let text = || Arc::new(Schema::of(SchemaType::String));
    let mut fields =
        vec![field("wkb", Schema::of(SchemaType::Bytes)), field("srid", Schema::of(SchemaType::Int32).optional())];
    if geography {
        let schema = logical(SchemaType::Struct(fields), "io.debezium.data.geometry.Geography").optional();
        return documented(schema, "Geography");
    }
    fields.push(field("extensions", Schema::of(SchemaType::Map(text(), text())).optional()));
    let schema = Schema::of(SchemaType::Struct(fields)).named("io.debezium.data.geometry.Geometry").versioned(2);
    documented(schema.optional(), "Geometry")
}

/// A circle.
pub(crate) fn circle() -> Schema {
    let fields = vec![field("center", point()), field("radius", Schema::of(SchemaType::Float64))];
    let schema = logical(SchemaType::Struct(fields), "io.debezium.data.geometry.Circle").optional();
    documented(schema, "Geometry (CIRCLE)")
}

/// A line without ends, as the coefficients of its equation.
pub(crate) fn line() -> Schema {
    let fields = ["a", "b", "c"].map(|name| field(name, Schema::of(SchemaType::Float64))).to_vec();
    let schema = logical(SchemaType::Struct(fields), "io.debezium.data.geometry.Line").optional();
    documented(schema, "Geometry (LINE)")
}

/// Texts by name.
pub(crate) fn text_map() -> Schema {
    let keys = Arc::new(Schema::of(SchemaType::String));
    let values = Arc::new(Schema::of(SchemaType::String).optional());
    Schema::of(SchemaType::Map(keys, values))
}

/// Values of one kind.
pub(crate) fn array(element: Schema) -> Schema {
    Schema::of(SchemaType::Array(Arc::new(element)))
}

/// A vector most of whose elements are zero.
pub(crate) fn sparse_vector() -> Schema {
    let (places, values) = (Arc::new(Schema::of(SchemaType::Int16)), Arc::new(Schema::of(SchemaType::Float64)));
    let fields = vec![
        field("dimensions", Schema::of(SchemaType::Int16)),
        field("vector", Schema::of(SchemaType::Map(places, values))),
    ];
    documented(logical(SchemaType::Struct(fields), "io.debezium.data.SparseDoubleVector"), "Sparse double vector")
}

/// A struct of optional parts, as `time.precision.mode = structured` has them.
pub(crate) fn structured(name: &str, parts: &[(&str, SchemaType)]) -> Schema {
    let fields = parts.iter().map(|(name, kind)| field(name, Schema::of(kind.clone()).optional())).collect();
    logical(SchemaType::Struct(fields), name)
}

/// Text as a value.
pub(crate) fn text(text: &str) -> Value {
    Value::String(text.into())
}

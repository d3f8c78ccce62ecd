//! A payload of the outbox that is JSON, as a struct with a schema inferred from it (`JsonSchemaData`).

use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};

use super::operating::field;
use crate::data::{DataError, Field, Schema, SchemaType, Struct, Value};
use crate::debezium::name_adjustment::NameAdjustment;

/// JSON with the members of objects in their order.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum JsonNode {
    Null,
    Boolean(bool),
    Integer(i64),
    Float(f64),
    Text(String),
    Array(Vec<JsonNode>),
    Object(Vec<(String, JsonNode)>),
}

/// How JSON becomes a struct.
#[derive(Debug, Clone, Copy)]
pub(super) struct JsonPayload {
    /// Whether nulls are optional bytes, and not left out.
    pub(super) nulls_as_bytes: bool,
    /// Whether empty arrays are of optional texts, and not left out.
    pub(super) empty_arrays_of_texts: bool,
    /// How fields are named.
    pub(super) adjuster: NameAdjustment,
}

impl JsonPayload {
    /// The schema of a payload; `key` is its name, if it has one. Null, and an empty array, may have none.
    ///
    /// # Errors
    /// That an array holds different things.
    pub(super) fn schema(self, key: Option<&str>, node: &JsonNode) -> Result<Option<Schema>, DataError> {
        let optional = |kind| Ok(Some(Schema::of(kind).optional()));
        match node {
            JsonNode::Text(_) => optional(SchemaType::String),
            JsonNode::Boolean(_) => optional(SchemaType::Boolean),
            JsonNode::Integer(number) if i32::try_from(*number).is_ok() => optional(SchemaType::Int32),
            JsonNode::Integer(_) => optional(SchemaType::Int64),
            JsonNode::Float(_) => optional(SchemaType::Float64),
            JsonNode::Null if self.nulls_as_bytes => optional(SchemaType::Bytes),
            JsonNode::Null => Ok(None),
            JsonNode::Array(items) if items.is_empty() => {
                let of_texts = SchemaType::Array(Arc::new(Schema::of(SchemaType::String).optional()));
                Ok(self.empty_arrays_of_texts.then(|| Schema::of(of_texts).optional()))
            }
            JsonNode::Array(items) => optional(SchemaType::Array(Arc::new(self.item_schema(key, items)?))),
            JsonNode::Object(members) => {
                let mut fields: Vec<Field> = Vec::new();
                for (name, member) in members {
                    let name = self.field_name(name);
                    let deeper = match key {
                        Some(key) if !key.trim().is_empty() => format!("{key}.{name}"),
                        _ => name.clone(),
                    };
                    if let Some(schema) = self.schema(Some(&deeper), member)?
                        && !fields.iter().any(|field| *field.name == *name)
                    {
                        fields.push(field(&name, Arc::new(schema)));
                    }
                }
                let schema = Schema::of(SchemaType::Struct(fields)).optional();
                Ok(Some(Schema { name: key.map(Into::into), ..schema }))
            }
        }
    }

    /// An object as a struct of its schema.
    ///
    /// # Errors
    /// That it is none, or holds what no schema describes.
    pub(super) fn structure(self, node: &JsonNode, schema: &Arc<Schema>) -> Result<Struct, DataError> {
        match self.value(node, schema)? {
            Value::Struct(value) => Ok(value),
            _ => Err(DataError::new("Not a struct schema")),
        }
    }

    fn field_name(self, name: &str) -> String {
        self.adjuster.field(name)
    }

    /// The schema of an array's items: all of one kind, objects with the fields of all of them.
    fn item_schema(self, key: Option<&str>, items: &[JsonNode]) -> Result<Schema, DataError> {
        let mut present = items.iter().filter(|item| **item != JsonNode::Null);
        let sample = present.next().unwrap_or(&JsonNode::Null);
        let sample_schema = self.schema(None, sample)?;
        for item in present {
            let same_kind = std::mem::discriminant(item) == std::mem::discriminant(sample);
            let numbers = |node: &JsonNode| matches!(node, JsonNode::Integer(_) | JsonNode::Float(_));
            if !(same_kind || numbers(item) && numbers(sample)) {
                return Err(DataError::new("Field is not a homogenous array"));
            }
            if numbers(item) && self.schema(None, item)? != sample_schema {
                return Err(DataError::new("Field is not a homogenous array, different number types"));
            }
        }
        if !matches!(sample, JsonNode::Object(_)) {
            return sample_schema.ok_or_else(|| DataError::new("Array has unrecognized member schema."));
        }
        let mut distinct: Vec<Schema> = Vec::new();
        for item in items.iter().filter(|item| matches!(item, JsonNode::Object(_))) {
            if let Some(schema) = self.schema(key, item)?
                && !distinct.contains(&schema)
            {
                distinct.push(schema);
            }
        }
        let merged = distinct.into_iter().reduce(|left, right| merge(&left, &right));
        merged.ok_or_else(|| DataError::new("Array has unrecognized member schema."))
    }

    fn value(self, node: &JsonNode, schema: &Arc<Schema>) -> Result<Value, DataError> {
        Ok(match (node, &schema.kind) {
            (JsonNode::Null, _) => Value::Null,
            (JsonNode::Boolean(value), SchemaType::Boolean) => Value::Boolean(*value),
            (JsonNode::Integer(number), SchemaType::Int32) => match i32::try_from(*number) {
                Ok(number) => Value::Int32(number),
                Err(_) => return Err(DataError::new("A number is too large for its schema")),
            },
            (JsonNode::Integer(number), SchemaType::Int64) if i32::try_from(*number).is_err() => Value::Int64(*number),
            (JsonNode::Float(number), SchemaType::Float64) => Value::Float64(*number),
            (JsonNode::Text(text), SchemaType::String) => text.as_str().into(),
            (JsonNode::Array(items), SchemaType::Array(of)) => {
                Value::Array(items.iter().map(|item| self.value(item, of)).collect::<Result<_, _>>()?)
            }
            (JsonNode::Object(members), SchemaType::Struct(fields)) => {
                let mut values = Vec::with_capacity(fields.len());
                for field in fields {
                    let member = members.iter().rev().find(|(name, _)| self.field_name(name) == *field.name);
                    values.push(match member {
                        Some((_, member)) => self.value(member, &field.schema)?,
                        None => Value::Null,
                    });
                }
                Value::Struct(Struct::new(Arc::clone(schema), values))
            }
            _ => return Err(DataError::new("A value is not of its schema's type")),
        })
    }
}

/// The fields of both; what is bytes in one for want of a value is what it is in the other.
fn merge(left: &Schema, right: &Schema) -> Schema {
    let mut fields = left.fields().to_vec();
    for other in right.fields() {
        match fields.iter_mut().find(|field| field.name == other.name) {
            None => fields.push(other.clone()),
            Some(field) if field.schema.kind == SchemaType::Bytes && other.schema.kind != SchemaType::Bytes => {
                *field = other.clone();
            }
            Some(_) => {}
        }
    }
    super::operating::with_fields(left, fields)
}

impl JsonNode {
    /// Reads JSON.
    ///
    /// # Errors
    /// That it is none.
    pub(super) fn parse(text: &str) -> Result<Self, DataError> {
        serde_json::from_str(text).map_err(|error| DataError::new(error.to_string()))
    }
}

impl<'de> Deserialize<'de> for JsonNode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Nodes;

        impl<'de> Visitor<'de> for Nodes {
            type Value = JsonNode;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }

            fn visit_unit<E>(self) -> Result<JsonNode, E> {
                Ok(JsonNode::Null)
            }

            fn visit_bool<E>(self, value: bool) -> Result<JsonNode, E> {
                Ok(JsonNode::Boolean(value))
            }

            fn visit_i64<E>(self, value: i64) -> Result<JsonNode, E> {
                Ok(JsonNode::Integer(value))
            }

            fn visit_u64<E>(self, value: u64) -> Result<JsonNode, E> {
                Ok(i64::try_from(value).map_or(JsonNode::Float(value as f64), JsonNode::Integer))
            }

            fn visit_f64<E>(self, value: f64) -> Result<JsonNode, E> {
                Ok(JsonNode::Float(value))
            }

            fn visit_str<E>(self, value: &str) -> Result<JsonNode, E> {
                Ok(JsonNode::Text(value.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<JsonNode, A::Error> {
                let mut all = Vec::new();
                while let Some(item) = items.next_element()? {
                    all.push(item);
                }
                Ok(JsonNode::Array(all))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<JsonNode, A::Error> {
                let mut all = Vec::new();
                while let Some(member) = members.next_entry()? {
                    all.push(member);
                }
                Ok(JsonNode::Object(all))
            }
        }

        deserializer.deserialize_any(Nodes)
    }
}

//! JSON Schemas of events, as they stand in the envelope on the wire.

use serde_json::{Map, Value, json};

/// How many definitions and alternatives are looked through: a type may refer to itself.
const DEEPEST: usize = 8;

/// The schema of an event's own fields as the envelope has them, with all definitions that it needs.
pub(super) fn in_envelope(mut schema: Value) -> Value {
    let definitions = match schema.as_object_mut().and_then(|schema| schema.remove("definitions")) {
        Some(Value::Object(definitions)) => definitions,
        _ => Map::new(),
    };
    let mut own = on_the_wire(schema, &definitions, DEEPEST);
    if let (Value::Object(own), false) = (&mut own, definitions.is_empty()) {
        own.insert("definitions".to_owned(), Value::Object(definitions));
    }
    own
}

/// The schema as the envelope changes it: an event stands in an object that has other fields too, an event without
/// fields adds none, and a variant without content is a field that is null.
fn on_the_wire(schema: Value, definitions: &Map<String, Value>, depth: usize) -> Value {
    let Value::Object(mut schema) = schema else { return json!({ "type": "object" }) };
    let referred = schema.get("$ref").and_then(Value::as_str).and_then(|reference| reference.rsplit('/').next());
    if let (Some(definition), true) = (referred.and_then(|name| definitions.get(name)), depth > 0) {
        // A copy, because what stands deeper within the event is not changed.
        return on_the_wire(definition.clone(), definitions, depth - 1);
    }
    if let Some(variants) = unit_variants(&schema) {
        let variants: Vec<_> = variants.iter().map(|name| unit_variant(name, &schema)).collect();
        return if let [one] = &*variants { one.clone() } else { json!({ "oneOf": variants }) };
    }
    if schema.get("type") == Some(&json!("null")) {
        schema.insert("type".to_owned(), json!("object"));
    }
    schema
        .remove("additionalProperties")
        .filter(|more| *more != json!(false))
        .map(|more| schema.insert("additionalProperties".to_owned(), more));
    for several in ["oneOf", "anyOf", "allOf"] {
        if let Some(Value::Array(branches)) = schema.get_mut(several) {
            branches
                .iter_mut()
                .for_each(|branch| *branch = on_the_wire(branch.take(), definitions, depth.saturating_sub(1)));
        }
    }
    Value::Object(schema)
}

/// The names, if the schema is that of variants without content.
fn unit_variants(schema: &Map<String, Value>) -> Option<Vec<&str>> {
    (schema.get("type") == Some(&json!("string"))).then_some(())?;
    match (schema.get("enum"), schema.get("const")) {
        (Some(Value::Array(names)), _) => names.iter().map(Value::as_str).collect(),
        (_, Some(Value::String(name))) => Some(vec![name]),
        _ => None,
    }
}

fn unit_variant(name: &str, schema: &Map<String, Value>) -> Value {
    let mut variant = json!({ "type": "object", "properties": { name: { "type": "null" } }, "required": [name] });
    if let Some(description) = schema.get("description") {
        variant["description"] = description.clone();
    }
    variant
}

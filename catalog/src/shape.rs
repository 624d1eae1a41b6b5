//! A JSON Schema as a few lines for people: what a field is called, and what is in it.

use serde_json::{Map, Value};

/// One line for each field, those of nested objects indented below.
pub(super) fn lines(schema: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    let none = Map::new();
    let definitions = schema["definitions"].as_object().unwrap_or(&none);
    object(schema, 0, &mut lines);
    for (name, definition) in definitions {
        lines.push(format!("{name}: {}", type_of(definition)));
        object(definition, 1, &mut lines);
    }
    if lines.is_empty() {
        lines.push("no fields of its own".to_owned());
    }
    lines
}

fn object(schema: &Value, depth: usize, lines: &mut Vec<String>) {
    let required: Vec<_> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let optional = if required.contains(&&**name) { "" } else { "?" };
        lines.push(format!("{}{name}{optional}: {}", "  ".repeat(depth), type_of(field)));
        object(field, depth + 1, lines);
    }
    if let Some(value) = values(schema).filter(|_| depth == 0 || schema["properties"].is_object()) {
        lines.push(format!("{}(any other): {}", "  ".repeat(depth), type_of(value)));
    }
    for alternatives in ["oneOf", "anyOf"] {
        for (number, one) in schema[alternatives].as_array().into_iter().flatten().enumerate() {
            if one["properties"].is_object() {
                lines.push(format!("{}{}", "  ".repeat(depth), if number == 0 { "either" } else { "or" }));
                object(one, depth + 1, lines);
            }
        }
    }
}

fn type_of(schema: &Value) -> String {
    if let Some(reference) = schema["$ref"].as_str() {
        return reference.rsplit('/').next().unwrap_or(reference).to_owned();
    }
    if let Some(alternatives) = schema["oneOf"].as_array().or(schema["anyOf"].as_array()) {
        return alternatives.iter().map(type_of).collect::<Vec<_>>().join(" or ");
    }
    if let Some(values) = schema["enum"].as_array() {
        return values.iter().map(Value::to_string).collect::<Vec<_>>().join(" or ");
    }
    // A reference that has a description beside it is wrapped.
    if let Some([only]) = schema["allOf"].as_array().map(Vec::as_slice) {
        return type_of(only);
    }
    match (&schema["const"], &schema["type"], schema["format"].as_str()) {
        (Value::Null, Value::String(name), _) if name == "array" => elements(&schema["items"]),
        (Value::Null, Value::String(name), _) if name == "object" => match values(schema) {
            Some(value) => format!("object of {}", type_of(value)),
            None => name.clone(),
        },
        (Value::Null, Value::String(name), Some(format)) => format!("{name} ({format})"),
        (Value::Null, Value::String(name), None) => name.clone(),
        (Value::Null, Value::Array(names), _) => {
            names.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or ")
        }
        (Value::Null, ..) => "anything".to_owned(),
        (constant, ..) => constant.to_string(),
    }
}

/// A list has elements of one type, a tuple one type for each place.
fn elements(items: &Value) -> String {
    match items.as_array() {
        Some(places) => format!("[{}]", places.iter().map(type_of).collect::<Vec<_>>().join(", ")),
        None => format!("array of {}", type_of(items)),
    }
}

/// What the values of a map are: one whose keys are numbers has a pattern for them.
fn values(schema: &Value) -> Option<&Value> {
    let by_pattern = || schema["patternProperties"].as_object()?.values().next();
    Some(&schema["additionalProperties"]).filter(|values| values.is_object()).or_else(by_pattern)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn elements_of_maps_lists_and_tuples_have_types() {
        for (schema, shown) in [
            (json!({ "type": "array", "items": { "type": "string" } }), "array of string"),
            (json!({ "type": "array", "items": [{ "type": "string" }, { "$ref": "#/definitions/B" }] }), "[string, B]"),
            (json!({ "type": "object", "additionalProperties": { "type": "null" } }), "object of null"),
            (
                json!({ "type": "object", "additionalProperties": false, "patternProperties": { "^\\d+$": { "type": "string" } } }),
                "object of string",
            ),
            (json!({ "type": "object", "additionalProperties": false }), "object"),
            (json!({ "allOf": [{ "$ref": "#/definitions/B" }], "description": "said" }), "B"),
        ] {
            assert_eq!(type_of(&schema), shown, "{schema}");
        }
    }
}

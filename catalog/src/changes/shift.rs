use serde_json::Value;

/// How what is allowed has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shift {
    /// More: readers may find what they do not know.
    Wider,
    /// Less: senders may give what is no longer taken.
    Narrower,
    /// Something else.
    Other,
}

/// What the change of a keyword means.
pub(super) fn shift(keyword: &str, was: &Value, is: &Value) -> Shift {
    match keyword {
        "type" => of_sets(&types(was), &types(is)),
        "additionalProperties" if *is == false => Shift::Narrower,
        "additionalProperties" if *was == false => Shift::Wider,
        "maximum" | "exclusiveMaximum" | "maxLength" | "maxItems" => of_limits(was, is, f64::INFINITY, 1.0),
        "minimum" | "exclusiveMinimum" | "minLength" | "minItems" => of_limits(was, is, f64::NEG_INFINITY, -1.0),
        "format" => of_formats(was, is),
        _ => Shift::Other,
    }
}

/// The values, if the schema lists them; as `oneOf` they stand where one of them has a description.
pub(super) fn values(schema: &Value) -> Option<Vec<&Value>> {
    if let Some(values) = schema["enum"].as_array() {
        return Some(values.iter().collect());
    }
    if let Some(value) = schema.get("const") {
        return Some(vec![value]);
    }
    let alternatives: Option<Vec<_>> = schema["oneOf"].as_array()?.iter().map(values).collect();
    Some(alternatives?.concat())
}

/// An integer is a number, too.
fn types(value: &Value) -> Vec<&str> {
    let listed = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    let mut types: Vec<_> = listed.iter().filter_map(Value::as_str).collect();
    if types.contains(&"number") {
        types.push("integer");
    }
    types
}

fn of_sets(was: &[&str], is: &[&str]) -> Shift {
    let within = |some: &[&str], others: &[&str]| !some.is_empty() && some.iter().all(|one| others.contains(one));
    match (within(was, is), within(is, was)) {
        (true, _) => Shift::Wider,
        (_, true) => Shift::Narrower,
        _ => Shift::Other,
    }
}

fn of_limits(was: &Value, is: &Value, none: f64, sign: f64) -> Shift {
    let limit = |value: &Value| sign * value.as_f64().unwrap_or(none);
    if limit(is) > limit(was) { Shift::Wider } else { Shift::Narrower }
}

/// As with `uint8` and `uint32`.
fn of_formats(was: &Value, is: &Value) -> Shift {
    let bits = |format: &Value| {
        let format = format.as_str()?;
        let (kind, bits) = format.split_at(format.find(|c: char| c.is_ascii_digit())?);
        Some((kind.to_owned(), bits.parse::<u32>().ok()?))
    };
    match (bits(was), bits(is)) {
        (Some((kind, was)), Some((other, is))) if kind == other && was < is => Shift::Wider,
        (Some((kind, _)), Some((other, _))) if kind == other => Shift::Narrower,
        _ => Shift::Other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn more_and_less_are_told_apart() {
        for (keyword, less, more) in [
            ("type", json!("string"), json!(["string", "null"])),
            ("type", json!("integer"), json!("number")),
            ("additionalProperties", json!(false), Value::Null),
            ("maximum", json!(255), Value::Null),
            ("maximum", json!(255), json!(65535)),
            ("minimum", json!(0), Value::Null),
            ("minLength", json!(3), json!(1)),
            ("format", json!("uint8"), json!("uint64")),
        ] {
            assert_eq!(shift(keyword, &less, &more), Shift::Wider, "{keyword}: {less} {more}");
            assert_eq!(shift(keyword, &more, &less), Shift::Narrower, "{keyword}: {more} {less}");
        }
        for (keyword, was, is) in [
            ("type", json!("string"), json!("integer")),
            ("format", json!("uint32"), json!("int32")),
            ("format", json!("uuid"), Value::Null),
            ("pattern", json!("a"), json!("b")),
        ] {
            assert_eq!(shift(keyword, &was, &is), Shift::Other, "{keyword}: {was} {is}");
        }
    }
}

//! Properties of a description in JSON.

use hexmq_wire::{PropertyId, PropertyType, property_rows};
use serde_json::Value;

use super::BuildError;
use super::value::{bytes, list, number, shown};
use crate::build::property::{DraftProperty, DraftValue, largest, wrong_type};

/// An object `{"receive_maximum": 20, "user_property": [["a", "b"]]}`, where a list repeats the
/// property, or a list `[{"name": "receive_maximum", "value": 20}]` that keeps any order.
pub(super) fn properties(value: &Value, path: &str) -> Result<Vec<DraftProperty>, BuildError> {
    let mut properties = Vec::new();
    match value {
        Value::Null => {}
        Value::Object(members) => {
            for (name, value) in members {
                several(name, value, &format!("{path}.{name}"), &mut properties)?;
            }
        }
        Value::Array(entries) => {
            for (index, entry) in entries.iter().enumerate() {
                let path = format!("{path}[{index}]");
                let name = entry.get("name").and_then(Value::as_str);
                let (Some(name), Some(value)) = (name, entry.get("value")) else {
                    return Err(BuildError::new(path, "a property with `name` and `value` was expected"));
                };
                properties.push(one(id(name, &path)?, value, &path)?);
            }
        }
        other => {
            return Err(BuildError::new(path, format!("properties were expected, not {}", shown(other))));
        }
    }
    Ok(properties)
}

/// The values under one name.
fn several(
    name: &str,
    value: &Value,
    path: &str,
    properties: &mut Vec<DraftProperty>,
) -> Result<(), BuildError> {
    let (name, is_hex) = match name.strip_suffix("_hex") {
        Some(name) => (name, true),
        None => (name, false),
    };
    let id = id(name, path)?;
    if id.row().ty == PropertyType::Utf8StringPair {
        return pairs(value, path, properties);
    }
    for value in list(value) {
        let value = match is_hex {
            true => DraftValue::Bytes(bytes(value, path, true)?),
            false => one(id, value, path)?.value,
        };
        properties.push(DraftProperty { id, value });
    }
    Ok(())
}

/// User properties: `{"a": "b"}`, `["a", "b"]` or `[["a", "b"], ["a", "c"]]`.
fn pairs(value: &Value, path: &str, properties: &mut Vec<DraftProperty>) -> Result<(), BuildError> {
    let id = PropertyId::UserProperty;
    if let Value::Object(members) = value {
        for (key, value) in members {
            let pair = DraftValue::Pair(key.clone().into_bytes(), bytes(value, path, false)?);
            properties.push(DraftProperty { id, value: pair });
        }
        return Ok(());
    }
    match value {
        Value::Array(values) if values.iter().all(Value::is_array) => {
            for value in values {
                properties.push(one(id, value, path)?);
            }
        }
        single => properties.push(one(id, single, path)?),
    }
    Ok(())
}

fn one(id: PropertyId, value: &Value, path: &str) -> Result<DraftProperty, BuildError> {
    let ty = id.row().ty;
    let value = match (ty, value) {
        (PropertyType::Utf8StringPair, Value::Array(pair)) => match pair.as_slice() {
            [key, value] => DraftValue::Pair(bytes(key, path, false)?, bytes(value, path, false)?),
            _ => return Err(wrong_type(path.to_owned(), ty)),
        },
        (PropertyType::Utf8StringPair, _) => return Err(wrong_type(path.to_owned(), ty)),
        (PropertyType::Utf8String | PropertyType::BinaryData, value) => {
            DraftValue::Bytes(bytes(value, path, false)?)
        }
        (_, value) => {
            let largest = largest(ty).unwrap_or(u32::MAX);
            DraftValue::Number(u32::try_from(number(value, path, largest.into())?).unwrap_or(largest))
        }
    };
    Ok(DraftProperty { id, value })
}

/// The property with this name, written with `_` or `-`.
fn id(name: &str, path: &str) -> Result<PropertyId, BuildError> {
    let name = name.replace('-', "_");
    PropertyId::from_name(&name).ok_or_else(|| {
        let nearest = property_rows()
            .iter()
            .map(|row| (strsim::damerau_levenshtein(row.name, &name), row.name))
            .min()
            .filter(|&(distance, known)| distance <= known.len().div_ceil(3));
        let meant = nearest.map_or(String::new(), |(_, known)| format!("; did you mean `{known}`?"));
        BuildError::new(path, format!("there is no property `{name}`{meant}"))
    })
}

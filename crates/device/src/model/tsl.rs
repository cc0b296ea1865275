//! TSL read into a model. The spellings of both clouds are taken: `int` and `int32`, `inputData` and `input` …

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::{DataType, Member, Model, ModelError, Property, Service};

/// Properties, events and services of a model each.
const FEATURES_MAX: usize = 1000;
/// Members of a structure, and inputs and outputs.
const MEMBERS_MAX: usize = 200;
/// Values of an enumeration.
const VALUES_MAX: usize = 500;
/// Structures within structures.
const DEPTH_MAX: usize = 8;

pub(super) fn parse(tsl: &Json) -> Result<Model, ModelError> {
    if !tsl.is_object() {
        return Err(wrong("", "a thing model is a JSON object with properties, events and services"));
    }
    let mut model = Model { source: tsl.clone(), ..Model::default() };
    for (path, json) in list(tsl, "properties", "", FEATURES_MAX)? {
        let identifier = identifier(json, &path)?;
        let access = json.get("accessMode").and_then(Json::as_str).unwrap_or("rw");
        let kind = data_type(json, &path, 0)?;
        let property = Property { kind, readable: access.contains('r'), writable: access.contains('w') };
        once(&mut model.properties, identifier, property, &path)?;
    }
    for (path, json) in list(tsl, "events", "", FEATURES_MAX)? {
        let identifier = identifier(json, &path)?;
        // The clouds list all properties as the event `post`; it is no event.
        if identifier != "post" {
            once(&mut model.events, identifier, members(json, &["outputData", "output"], &path, 0)?, &path)?;
        }
    }
    for (path, json) in list(tsl, "services", "", FEATURES_MAX)? {
        let identifier = identifier(json, &path)?;
        // Likewise the setting and reading of properties.
        if identifier != "set" && identifier != "get" {
            let inputs = members(json, &["inputData", "input"], &path, 0)?;
            once(&mut model.services, identifier, Service { inputs }, &path)?;
        }
    }
    Ok(model)
}

fn once<T>(map: &mut BTreeMap<String, T>, id: String, value: T, path: &str) -> Result<(), ModelError> {
    if map.contains_key(&id) {
        return Err(wrong(path, format!("{id} is there twice")));
    }
    map.insert(id, value);
    Ok(())
}

/// The elements of a list with their paths; an absent list is empty.
fn list<'a>(
    json: &'a Json,
    name: &str,
    path: &str,
    bound: usize,
) -> Result<Vec<(String, &'a Json)>, ModelError> {
    let path = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    let Some(list) = json.get(name).filter(|list| !list.is_null()) else { return Ok(Vec::new()) };
    let Some(list) = list.as_array() else { return Err(wrong(&path, "a list is expected")) };
    if list.len() > bound {
        return Err(wrong(&path, format!("it has {} elements, at most {bound} are taken", list.len())));
    }
    Ok(list.iter().enumerate().map(|(at, element)| (format!("{path}[{at}]"), element)).collect())
}

fn identifier(json: &Json, path: &str) -> Result<String, ModelError> {
    let identifier = json.get("identifier").and_then(Json::as_str);
    let Some(identifier) = identifier else { return Err(wrong(path, "it has no text \"identifier\"")) };
    let fits = |letter: char| letter.is_alphanumeric() || "_-.:$".contains(letter);
    if identifier.is_empty() || identifier.len() > 128 || !identifier.chars().all(fits) {
        return Err(wrong(path, format!("{identifier:?} is no identifier: letters, digits, _ - . : are")));
    }
    Ok(identifier.to_owned())
}

fn members(json: &Json, names: &[&str], path: &str, depth: usize) -> Result<Vec<Member>, ModelError> {
    for name in names {
        if json.get(name).is_some() {
            let members = list(json, name, path, MEMBERS_MAX)?.into_iter();
            return members.map(|(path, json)| member(json, &path, depth)).collect();
        }
    }
    Ok(Vec::new())
}

fn member(json: &Json, path: &str, depth: usize) -> Result<Member, ModelError> {
    Ok(Member {
        identifier: identifier(json, path)?,
        kind: data_type(json, path, depth)?,
        required: json.get("required").and_then(Json::as_bool).unwrap_or(false),
    })
}

/// The type in the member `dataType`.
fn data_type(json: &Json, path: &str, depth: usize) -> Result<DataType, ModelError> {
    let path = format!("{path}.dataType");
    match json.get("dataType") {
        Some(kind) => type_of(kind, &path, depth),
        None => Err(wrong(&path, "it is missing")),
    }
}

fn type_of(json: &Json, path: &str, depth: usize) -> Result<DataType, ModelError> {
    if depth > DEPTH_MAX {
        return Err(wrong(path, format!("more than {DEPTH_MAX} structures within each other")));
    }
    let specs = json.get("specs").unwrap_or(&Json::Null);
    let name = json.get("type").and_then(Json::as_str).unwrap_or_default();
    Ok(match name {
        "int" | "int32" | "int64" | "long" => {
            DataType::Integer { minimum: integer(specs, "min", path)?, maximum: integer(specs, "max", path)? }
        }
        "bitMap" => DataType::Integer { minimum: Some(0), maximum: None },
        "float" | "double" => {
            DataType::Real { minimum: real(specs, "min", path)?, maximum: real(specs, "max", path)? }
        }
        "bool" => DataType::Boolean,
        "enum" => enumeration(specs, path)?,
        "text" | "string" => {
            let length = integer(specs, "length", path)?;
            DataType::Text(length.and_then(|length| usize::try_from(length).ok()))
        }
        "date" => DataType::Date,
        "struct" => structure(specs, path, depth)?,
        "array" => array(specs, path, depth)?,
        _ => {
            return Err(wrong(
                path,
                format!("{name:?} is no type: int, float, double, bool, enum, text, date, struct, array are"),
            ));
        }
    })
}

fn enumeration(specs: &Json, path: &str) -> Result<DataType, ModelError> {
    let Some(members) = specs.as_object() else {
        return Err(wrong(path, "an enum lists its values in specs"));
    };
    if members.len() > VALUES_MAX {
        return Err(wrong(path, format!("at most {VALUES_MAX} values are taken")));
    }
    let value = |name: &String| {
        name.parse().map_err(|_| wrong(path, format!("the value {name:?} of an enum is no whole number")))
    };
    Ok(DataType::Enumeration(members.keys().map(value).collect::<Result<_, _>>()?))
}

fn structure(specs: &Json, path: &str, depth: usize) -> Result<DataType, ModelError> {
    let Some(list) = specs.as_array() else { return Err(wrong(path, "a struct lists its members in specs")) };
    if list.len() > MEMBERS_MAX {
        return Err(wrong(path, format!("at most {MEMBERS_MAX} members are taken")));
    }
    let path = format!("{path}.specs");
    let members = list.iter().enumerate().map(|(at, json)| member(json, &format!("{path}[{at}]"), depth + 1));
    Ok(DataType::Structure(members.collect::<Result<_, _>>()?))
}

fn array(specs: &Json, path: &str, depth: usize) -> Result<DataType, ModelError> {
    let size = match integer(specs, "size", path)? {
        None => integer(specs, "length", path)?,
        size => size,
    };
    let element = match specs.get("item") {
        Some(item) if item.get("type").is_some() => {
            Some(Box::new(type_of(item, &format!("{path}.item"), depth + 1)?))
        }
        Some(item) if item.get("dataType").is_some() => {
            Some(Box::new(data_type(item, &format!("{path}.item"), depth + 1)?))
        }
        _ => match specs.get("type") {
            Some(_) => Some(Box::new(type_of(specs, &format!("{path}.specs"), depth + 1)?)),
            None => None,
        },
    };
    Ok(DataType::Array { size: size.and_then(|size| usize::try_from(size).ok()), element })
}

/// A number that may be written as text; an empty text is none.
fn integer(specs: &Json, name: &str, path: &str) -> Result<Option<i64>, ModelError> {
    match specs.get(name) {
        None | Some(Json::Null) => Ok(None),
        Some(Json::String(text)) if text.trim().is_empty() => Ok(None),
        Some(json) => {
            let text = json.as_str().map(|text| text.trim().parse().ok());
            let number = text.unwrap_or_else(|| json.as_i64());
            number.map(Some).ok_or_else(|| wrong(path, format!("{name} is no whole number")))
        }
    }
}

fn real(specs: &Json, name: &str, path: &str) -> Result<Option<f64>, ModelError> {
    match specs.get(name) {
        None | Some(Json::Null) => Ok(None),
        Some(Json::String(text)) if text.trim().is_empty() => Ok(None),
        Some(json) => {
            let text = json.as_str().map(|text| text.trim().parse().ok());
            let number = text.unwrap_or_else(|| json.as_f64()).filter(|number: &f64| number.is_finite());
            number.map(Some).ok_or_else(|| wrong(path, format!("{name} is no number")))
        }
    }
}

fn wrong(path: &str, message: impl Into<String>) -> ModelError {
    let path = if path.is_empty() { "thing model" } else { path };
    ModelError { path: path.to_owned(), message: message.into() }
}

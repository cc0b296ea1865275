//! The field tree of an explanation as a list of named values.

use serde_json::{Map, Value, json};

use super::{BuildError, Given, is_derived};

/// The fields of one packet in their order.
pub(super) fn given_of_nodes(nodes: &[Value]) -> Result<Vec<Given>, BuildError> {
    let mut given = Vec::new();
    for (index, node) in nodes.iter().enumerate() {
        let path = format!("fields[{index}]");
        let name = name(node, &path)?;
        let inner = inner(node);
        match name {
            "flags" | "connect_flags" | "connect_acknowledge_flags" if !inner.is_empty() => {
                for (index, node) in inner.iter().enumerate() {
                    let path = format!("{path}.fields[{index}]");
                    let member = self::name(node, &path)?;
                    let name =
                        if member == "reserved" { format!("{name}.reserved") } else { member.to_owned() };
                    given.push(Given { name, path, value: leaf(node) });
                }
            }
            // The reserved byte of a CONNACK of 3.1 stands alone.
            "reserved" => {
                let name = "connect_acknowledge_flags.reserved".to_owned();
                given.push(Given { name, path, value: leaf(node) });
            }
            name if is_derived(name) => {}
            name => given.push(Given { name: name.to_owned(), value: value(name, node, inner), path }),
        }
    }
    Ok(given)
}

/// The value of a field that is no group of flags.
fn value(name: &str, node: &Value, inner: &[Value]) -> Value {
    match name {
        "properties" | "will_properties" => {
            inner.iter().filter(|node| !is(node, "property_length")).map(property).collect()
        }
        "subscriptions" => inner.iter().map(subscription).collect(),
        "topic_filters" | "return_codes" | "reason_codes" => inner.iter().map(leaf).collect(),
        _ => leaf(node),
    }
}

fn property(node: &Value) -> Value {
    let name = node.get("name").cloned().unwrap_or_default();
    let part = |name: &str| inner(node).iter().find(|inner| is(inner, name)).map(leaf);
    match (part("name"), part("value")) {
        (Some(key), Some(value)) => json!({ "name": name, "value": [key, value] }),
        _ => json!({ "name": name, "value": leaf(node) }),
    }
}

fn subscription(node: &Value) -> Value {
    let mut entry = Map::new();
    for node in inner(node) {
        let members = inner(node);
        let leaves = if members.is_empty() { std::slice::from_ref(node) } else { members };
        for leaf_node in leaves {
            let name = leaf_node.get("name").and_then(Value::as_str).unwrap_or_default();
            entry.insert(name.to_owned(), leaf(leaf_node));
        }
    }
    Value::Object(entry)
}

fn name<'a>(node: &'a Value, path: &str) -> Result<&'a str, BuildError> {
    let name = node.get("name").and_then(Value::as_str);
    name.ok_or_else(|| BuildError::new(path, "a field with `name` and `value` was expected"))
}

fn is(node: &Value, name: &str) -> bool {
    node.get("name").and_then(Value::as_str) == Some(name)
}

fn inner(node: &Value) -> &[Value] {
    node.get("fields").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The value with its encoding, where it has one.
fn leaf(node: &Value) -> Value {
    let value = node.get("value").cloned().unwrap_or_default();
    match node.get("encoding") {
        Some(encoding) => json!({ "value": value, "encoding": encoding }),
        None => value,
    }
}

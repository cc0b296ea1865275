//! The description of the API says what the API does.

use std::collections::BTreeMap;
use std::path::Path;

use hexmq_http::examples::{EXAMPLES, Example};
use serde_json::Value;

use crate::world::{ADMIN, World};

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

fn document() -> Value {
    serde_json::from_str(hexmq_http::openapi()).expect("JSON")
}

/// Method in capitals, path, and what is said of both.
fn operations(document: &Value) -> Vec<(String, String, &Value)> {
    let paths = document["paths"].as_object().expect("paths");
    let of_path = |(path, item): (&String, &'_ Value)| {
        let item = item.clone();
        METHODS.iter().filter(move |method| item.get(**method).is_some()).map({
            let path = path.clone();
            move |method| (method.to_uppercase(), path.clone(), *method)
        })
    };
    let all = paths.iter().flat_map(of_path);
    all.map(|(upper, path, method)| {
        let operation = &document["paths"][&path][method];
        (upper, path, operation)
    })
    .collect()
}

/// `HEXMQ_UPDATE=1` writes it.
#[test]
fn the_checked_in_description_is_that_of_the_handlers() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/openapi.json");
    if std::env::var_os("HEXMQ_UPDATE").is_some() {
        std::fs::write(&path, hexmq_http::openapi()).expect("written");
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == hexmq_http::openapi(),
        "docs/reference/openapi.json is old: HEXMQ_UPDATE=1 writes it anew"
    );
}

#[test]
fn every_operation_has_words_a_schema_and_an_example() {
    let document = document();
    let all = operations(&document);
    assert!(all.len() > 60, "{}", all.len());
    for (method, path, operation) in all {
        assert!(operation["summary"].as_str().is_some_and(|text| text.len() > 5), "{method} {path}");
        assert!(operation["tags"][0].is_string(), "{method} {path}");
        let streams = path.ends_with("/stream");
        let shown = EXAMPLES.iter().any(|example| example.method == method && example.path == path);
        assert!(shown || streams, "{method} {path} has no example");
        let named = path.matches('{').count();
        let parameters = operation["parameters"].as_array().expect("parameters");
        assert_eq!(parameters.iter().filter(|one| one["in"] == "path").count(), named, "{method} {path}");
    }
}

#[test]
fn every_example_is_of_an_operation() {
    let document = document();
    for example in EXAMPLES {
        let operation = &document["paths"][example.path][example.method.to_lowercase()];
        assert!(operation.is_object(), "{} {}", example.method, example.path);
        let status = example.status.to_string();
        assert!(
            operation["responses"].get(&status).is_some(),
            "{} {} {status}",
            example.method,
            example.path
        );
        let samples = operation["x-codeSamples"].as_array().expect("samples");
        assert!(
            samples.iter().all(|sample| sample["source"].as_str().is_some_and(|text| text.contains("curl")))
        );
    }
}

/// What the last call that made something has answered.
#[derive(Default)]
struct Made(BTreeMap<&'static str, String>);

impl Made {
    fn fill(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value))
    }

    fn remember(&mut self, example: &Example, answer: &Value) {
        let kinds = [("/commands", "{command}"), ("/keys", "{key}"), ("/webhooks", "{webhook}")];
        for (ending, name) in kinds {
            if example.method == "POST" && example.path.ends_with(ending) {
                self.0.insert(name, answer["id"].as_str().expect("an id").to_owned());
            }
        }
        if example.method == "POST" && example.path == "/api/v1/products/{product}/firmware" {
            self.0.insert("{firmware}", answer["id"].as_str().expect("an id").to_owned());
            self.0.insert("{file}", answer["url"].as_str().expect("a link").to_owned());
        }
    }
}

#[test]
fn the_examples_can_be_made_and_answer_as_described() {
    let world = World::new();
    let document = document();
    let mut made = Made::default();
    for example in EXAMPLES {
        let target = made.fill(example.target);
        let body = made.fill(example.body);
        let kind = format!("Content-Type: {}", example.kind);
        let headers: &[&str] = if example.kind.is_empty() { &[ADMIN] } else { &[ADMIN, &kind] };
        let answer = world.call(example.method, &target, headers, body.as_bytes());
        let said = String::from_utf8_lossy(&answer.body).into_owned();
        assert_eq!(answer.status, example.status, "{} {target}: {said}", example.method);
        world.settle();
        let operation = &document["paths"][example.path][example.method.to_lowercase()];
        let schema =
            &operation["responses"][example.status.to_string()]["content"]["application/json"]["schema"];
        let is_json = answer.headers.get("content-type").is_some_and(|kind| kind == "application/json");
        if is_json && schema.is_object() {
            let found = answer.json();
            made.remember(example, &found);
            let fits = fits(&document, schema, &found, &format!("{} {target}", example.method));
            fits.unwrap_or_else(|wrong| panic!("{wrong}"));
        }
    }
}

/// Whether a value is as its schema says; what the schema does not name must not be there.
fn fits(document: &Value, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    let schema = resolved(document, schema);
    for any in ["oneOf", "anyOf"] {
        if let Some(choices) = schema[any].as_array() {
            let wrong: Vec<String> =
                choices.iter().filter_map(|choice| fits(document, choice, value, at).err()).collect();
            return if wrong.len() < choices.len() { Ok(()) } else { Err(wrong.join("; or ")) };
        }
    }
    let all = schema["allOf"].as_array();
    let parts: Vec<&Value> = match all {
        Some(all) => all.iter().map(|part| resolved(document, part)).collect(),
        None => vec![schema],
    };
    if !parts.iter().all(|part| is_of(&part["type"], value)) {
        return Err(format!("{at}: {value} is not {schema}"));
    }
    if let Some(members) = value.as_object() {
        let known = |name: &str| parts.iter().find_map(|part| part["properties"].get(name));
        let any = parts.iter().find_map(|part| part.get("additionalProperties"));
        let open = parts.iter().all(|part| part.get("properties").is_none());
        for (name, member) in members {
            match known(name).or(any) {
                Some(schema) => fits(document, schema, member, &format!("{at} {name}"))?,
                None if open => {}
                None => return Err(format!("{at}: `{name}` is not described")),
            }
        }
        for required in parts.iter().filter_map(|part| part["required"].as_array()).flatten() {
            let name = required.as_str().expect("a name");
            if !members.contains_key(name) {
                return Err(format!("{at}: `{name}` is missing in {value}"));
            }
        }
    }
    value.as_array().into_iter().flatten().try_for_each(|item| fits(document, &schema["items"], item, at))
}

fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str() {
        Some(reference) => document.pointer(reference.trim_start_matches('#')).expect("a schema"),
        None => schema,
    }
}

fn is_of(types: &Value, value: &Value) -> bool {
    let is = |name: &str| match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("the type {other}"),
    };
    match types {
        Value::Null => true,
        Value::String(name) => is(name),
        Value::Array(names) => names.iter().filter_map(Value::as_str).any(is),
        other => panic!("the type {other}"),
    }
}

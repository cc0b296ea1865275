//! The description of this API, made from its handlers and their types.

use std::sync::OnceLock;

use serde_json::{Value, json};
use utoipa::openapi::{InfoBuilder, OpenApiBuilder};
use utoipa_axum::router::OpenApiRouter;

use crate::desk::Room;
use crate::examples;

/// What the names in paths are.
const NAMES: [(&str, &str); 9] = [
    ("product", "Product id or ProductKey"),
    ("device", "Device id or DeviceName"),
    ("command", "Id of the command"),
    ("firmware", "Id of the firmware"),
    ("key", "Id of the key"),
    ("webhook", "Id of the webhook"),
    ("watch", "Id of the watch"),
    ("kind", "`firmware`, `config` or `bindata`"),
    ("file", "Id of the file"),
];

/// Paths that ask for no credentials.
const OPEN: [&str; 4] = ["/healthz", "/readyz", "/api/v1/openapi.json", "/files/{kind}/{file}"];

const ABOUT: &str = "Errors are `{\"error\":{\"code\",\"message\",\"hint\"}}`. Lists are `{\"items\",\"next\"}` and page with \
                     `limit` and `cursor`. Times are RFC 3339 in UTC with milliseconds; Unix seconds and milliseconds are \
                     read, too. Binary values are `{\"value\":null,\"value_hex\":\"…\"}`.";

/// The description in OpenAPI 3.1, as JSON text.
pub fn text() -> &'static str {
    static TEXT: OnceLock<String> = OnceLock::new();
    TEXT.get_or_init(|| format!("{:#}\n", document()))
}

fn document() -> Value {
    let info = InfoBuilder::new().title("HexMQ").version("1").description(Some(ABOUT)).build();
    let base = OpenApiBuilder::new().info(info).build();
    let paths: OpenApiRouter<Room> =
        OpenApiRouter::with_openapi(base).merge(crate::api::open()).merge(crate::api::guarded());
    // The document is made of texts, numbers and lists: it can be written.
    let mut document = serde_json::to_value(paths.into_openapi()).unwrap_or_default();
    if let Some(paths) = document.get_mut("paths").and_then(Value::as_object_mut) {
        paths.sort_keys();
        for (path, item) in paths.iter_mut() {
            let Some(operations) = item.as_object_mut() else { continue };
            for (method, operation) in operations.iter_mut() {
                complete(path, method, operation);
            }
        }
    }
    document["components"]["securitySchemes"] = json!({
        "admin": {"type": "http", "scheme": "basic", "description": "`admin` and its password"},
        "key": {"type": "http", "scheme": "bearer", "description": "An API key, within its scopes and limits"},
    });
    document["components"]["schemas"]["Error"] = json!({
        "type": "object",
        "required": ["error"],
        "properties": {"error": {
            "type": "object",
            "required": ["code", "message", "hint"],
            "properties": {
                "code": {"type": "string", "description": "Stable name for programs"},
                "message": {"type": "string", "description": "What happened"},
                "hint": {"type": "string", "description": "What to try"},
            },
        }},
    });
    document
}

/// What holds for every operation, so that none of them has to say it.
fn complete(path: &str, method: &str, operation: &mut Value) {
    if let Some(parameters) =
        operation.as_object_mut().map(|operation| operation.entry("parameters").or_insert_with(|| json!([])))
    {
        let in_path = path.split('/').filter_map(|word| word.split_once('{')?.1.split('}').next());
        let named = in_path.filter_map(|name| NAMES.iter().find(|(known, _)| *known == name));
        let mut all: Vec<Value> = named
            .map(|(name, about)| {
                json!({"name": name, "in": "path", "required": true, "description": about, "schema": {"type": "string"}})
            })
            .collect();
        let said = parameters.as_array().cloned().unwrap_or_default();
        all.extend(said.into_iter().filter(|parameter| parameter["in"] != "path"));
        *parameters = json!(all);
    }
    operation["responses"]["default"] = json!({
        "description": "It could not be done",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
    });
    let open = OPEN.contains(&path);
    operation["security"] = if open { json!([]) } else { json!([{"admin": []}, {"key": []}]) };
    if let Some(responses) = operation["responses"].as_object_mut() {
        for response in responses.values_mut() {
            if response["description"] == "" {
                response["description"] = json!("It is done");
            }
        }
    }
    examples::add(path, method, operation);
}

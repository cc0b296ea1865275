//! Examples of calls: they stand in the description of the API, and a test makes them in this order.

use serde_json::{Value, json};

/// A call.
#[derive(Clone, Copy, Debug)]
pub struct Example {
    /// `GET`, `POST` …
    pub method: &'static str,
    /// Path as it is described: names in braces.
    pub path: &'static str,
    /// Path and query as they are sent. `{command}`, `{key}`, `{webhook}` and `{firmware}` stand for the `id` that
    /// the last call that made one has answered, `{file}` for the link of the last firmware.
    pub target: &'static str,
    /// Media type of the body; empty: there is none.
    pub kind: &'static str,
    /// Body.
    pub body: &'static str,
    /// Status of the answer.
    pub status: u16,
}

const JSON: &str = "application/json";

const fn get(path: &'static str, target: &'static str) -> Example {
    Example { method: "GET", path, target, kind: "", body: "", status: 200 }
}

const fn with(
    method: &'static str,
    path: &'static str,
    target: &'static str,
    body: &'static str,
    status: u16,
) -> Example {
    Example { method, path, target, kind: JSON, body, status }
}

const fn delete(path: &'static str, target: &'static str) -> Example {
    Example { method: "DELETE", path, target, kind: "", body: "", status: 204 }
}

const PRODUCTS: &str = "/api/v1/products";
const PRODUCT: &str = "/api/v1/products/{product}";
const DEVICES: &str = "/api/v1/products/{product}/devices";
const DEVICE: &str = "/api/v1/products/{product}/devices/{device}";
const TSL: &str = r#"{"schema":"https://iotx-tsl.oss-ap-southeast-1.aliyuncs.com/schema.json","profile":{"productKey":"greenhouse"},"properties":[{"identifier":"temperature","name":"Temperature","accessMode":"r","required":false,"dataType":{"type":"double","specs":{"min":"-40","max":"125","unit":"°C","step":"0.1"}}}],"events":[],"services":[]}"#;
const CONNECT: &str = r#"{"hex":"10 27 00 04 4d 51 54 54 04 c2 00 78 00 08 73 65 6e 73 6f 72 2d 31 00 0a 67 72 65 65 6e 68 6f 75 73 65 00 05 77 72 6f 6e 67"}"#;

/// Of each path, at least one; in an order in which they can be made one after another.
pub const EXAMPLES: &[Example] = &[
    get("/healthz", "/healthz"),
    get("/readyz", "/readyz"),
    get("/api/v1/openapi.json", "/api/v1/openapi.json"),
    get("/api/v1/status", "/api/v1/status"),
    get("/metrics", "/metrics"),
    with("POST", "/api/v1/explain", "/api/v1/explain", r#"{"hex":"c0 00","from":"client"}"#, 200),
    get("/api/v1/rejections", "/api/v1/rejections?limit=10"),
    with(
        "POST",
        "/api/v1/recorder/watches",
        "/api/v1/recorder/watches",
        r#"{"id":"w1","client_id":"sensor-1"}"#,
        201,
    ),
    get("/api/v1/recorder/watches", "/api/v1/recorder/watches"),
    get("/api/v1/recorder/watches/{watch}", "/api/v1/recorder/watches/w1"),
    get("/api/v1/recorder/watches/{watch}/recording", "/api/v1/recorder/watches/w1/recording?format=jsonl"),
    delete("/api/v1/recorder/watches/{watch}", "/api/v1/recorder/watches/w1"),
    with("POST", PRODUCTS, PRODUCTS, r#"{"id":"greenhouse","name":"Greenhouse","dialect":"plain"}"#, 201),
    get(PRODUCTS, PRODUCTS),
    get(PRODUCT, "/api/v1/products/greenhouse"),
    with(
        "PATCH",
        PRODUCT,
        "/api/v1/products/greenhouse",
        r#"{"zone":"+08:00","history_days":365,"validation":"report"}"#,
        200,
    ),
    get("/api/v1/products/{product}/quirks", "/api/v1/products/greenhouse/quirks"),
    with("PUT", "/api/v1/products/{product}/model", "/api/v1/products/greenhouse/model", TSL, 204),
    get("/api/v1/products/{product}/model", "/api/v1/products/greenhouse/model"),
    with(
        "POST",
        DEVICES,
        "/api/v1/products/greenhouse/devices",
        r#"{"id":"sensor-1","name":"Bed 1","secret":"s3cret","tags":{"house":"north"}}"#,
        201,
    ),
    Example {
        method: "POST",
        path: "/api/v1/products/{product}/devices:import",
        target: "/api/v1/products/greenhouse/devices:import?existing=skip",
        kind: "text/csv",
        body: "id,name,secret,tags\nsensor-1,Bed 1,,\nsensor-2,Bed 2,s3cret2,house=south\n",
        status: 200,
    },
    with(
        "POST",
        "/api/v1/products/{product}/devices:import",
        "/api/v1/products/greenhouse/devices:import",
        r#"[{"id":"sensor-3"},{"id":"gateway-1","tags":{"role":"gateway"}}]"#,
        200,
    ),
    get(DEVICES, "/api/v1/products/greenhouse/devices?tag=house:north&count=true"),
    get("/api/v1/devices", "/api/v1/devices?status=never&limit=10"),
    get("/api/v1/products/{product}/devices:export", "/api/v1/products/greenhouse/devices:export?format=csv"),
    get(DEVICE, "/api/v1/products/greenhouse/devices/sensor-1"),
    with(
        "PATCH",
        DEVICE,
        "/api/v1/products/greenhouse/devices/sensor-1",
        r#"{"name":"Bed 1, north","tags":{"row":"2"}}"#,
        200,
    ),
    with(
        "POST",
        "/api/v1/products/{product}/devices/{device}/properties",
        "/api/v1/products/greenhouse/devices/sensor-1/properties",
        r#"{"values":{"temperature":21.5,"door":false},"points":[{"id":"raw","value_hex":"00ff"}]}"#,
        200,
    ),
    Example {
        method: "POST",
        path: "/api/v1/products/{product}/devices/{device}/properties",
        target: "/api/v1/products/greenhouse/devices/sensor-1/properties",
        kind: "text/csv",
        body: "at,id,value\n2026-11-23T02:10:00Z,temperature,20.5\n2026-11-23T02:11:00Z,temperature,20.75\n",
        status: 200,
    },
    get(
        "/api/v1/products/{product}/devices/{device}/properties",
        "/api/v1/products/greenhouse/devices/sensor-1/properties",
    ),
    get(
        "/api/v1/products/{product}/devices/{device}/history",
        "/api/v1/products/greenhouse/devices/sensor-1/history?id=temperature&from=2026-11-23T00:00:00Z&limit=100&order=asc",
    ),
    get(
        "/api/v1/products/{product}/devices/{device}/history",
        "/api/v1/products/greenhouse/devices/sensor-1/history?id=temperature&from=2026-11-23T00:00:00Z&to=2026-11-24T00:00:00Z&step=1h",
    ),
    get("/api/v1/products/{product}/model/draft", "/api/v1/products/greenhouse/model/draft"),
    get(
        "/api/v1/products/{product}/devices/{device}/events",
        "/api/v1/products/greenhouse/devices/sensor-1/events?limit=10",
    ),
    get("/api/v1/products/{product}/events", "/api/v1/products/greenhouse/events?limit=10"),
    get(
        "/api/v1/products/{product}/devices/{device}/log",
        "/api/v1/products/greenhouse/devices/sensor-1/log?limit=10",
    ),
    get("/api/v1/products/{product}/log", "/api/v1/products/greenhouse/log?limit=10"),
    with(
        "POST",
        "/api/v1/products/{product}/devices/{device}/commands",
        "/api/v1/products/greenhouse/devices/sensor-1/commands",
        r#"{"service":"set","params":{"door":true},"timeout_s":3600}"#,
        202,
    ),
    get(
        "/api/v1/products/{product}/devices/{device}/commands/{command}",
        "/api/v1/products/greenhouse/devices/sensor-1/commands/{command}",
    ),
    get(
        "/api/v1/products/{product}/devices/{device}/commands",
        "/api/v1/products/greenhouse/devices/sensor-1/commands?state=created",
    ),
    get("/api/v1/products/{product}/commands", "/api/v1/products/greenhouse/commands?limit=10"),
    with(
        "POST",
        "/api/v1/products/{product}/publish",
        "/api/v1/products/greenhouse/publish",
        r#"{"topic":"news","payload":"hello","qos":1}"#,
        202,
    ),
    get("/api/v1/products/{product}/subscribers", "/api/v1/products/greenhouse/subscribers?topic=news"),
    with(
        "PUT",
        "/api/v1/products/{product}/devices/{device}/desired",
        "/api/v1/products/greenhouse/devices/sensor-1/desired",
        r#"{"values":{"door":true}}"#,
        204,
    ),
    get(
        "/api/v1/products/{product}/devices/{device}/desired",
        "/api/v1/products/greenhouse/devices/sensor-1/desired",
    ),
    get(
        "/api/v1/products/{product}/devices/{device}/shadow",
        "/api/v1/products/greenhouse/devices/sensor-1/shadow",
    ),
    with(
        "PUT",
        "/api/v1/products/{product}/devices/{device}/topology",
        "/api/v1/products/greenhouse/devices/gateway-1/topology",
        r#"{"devices":[{"product":"greenhouse","id":"sensor-2"}]}"#,
        200,
    ),
    get(
        "/api/v1/products/{product}/devices/{device}/topology",
        "/api/v1/products/greenhouse/devices/gateway-1/topology",
    ),
    get(
        "/api/v1/products/{product}/devices/{device}/subscriptions",
        "/api/v1/products/greenhouse/devices/sensor-1/subscriptions",
    ),
    Example {
        method: "POST",
        path: "/api/v1/products/{product}/firmware",
        target: "/api/v1/products/greenhouse/firmware?version=1.2.0",
        kind: "application/octet-stream",
        body: "firmware",
        status: 201,
    },
    get("/api/v1/products/{product}/firmware", "/api/v1/products/greenhouse/firmware"),
    get("/files/{kind}/{file}", "{file}"),
    with(
        "POST",
        "/api/v1/products/{product}/devices/{device}/firmware",
        "/api/v1/products/greenhouse/devices/sensor-1/firmware",
        r#"{"id":"{firmware}"}"#,
        202,
    ),
    delete(
        "/api/v1/products/{product}/firmware/{firmware}",
        "/api/v1/products/greenhouse/firmware/{firmware}",
    ),
    with(
        "POST",
        "/api/v1/keys",
        "/api/v1/keys",
        r#"{"name":"dashboard","scopes":["read"],"product":"greenhouse"}"#,
        201,
    ),
    get("/api/v1/keys", "/api/v1/keys"),
    delete("/api/v1/keys/{key}", "/api/v1/keys/{key}"),
    with(
        "POST",
        "/api/v1/webhooks",
        "/api/v1/webhooks",
        r#"{"url":"http://127.0.0.1:9/hook","kinds":["presence"],"product":"greenhouse","disabled":true}"#,
        201,
    ),
    get("/api/v1/webhooks", "/api/v1/webhooks"),
    with(
        "PUT",
        "/api/v1/webhooks/{webhook}",
        "/api/v1/webhooks/{webhook}",
        r#"{"url":"http://127.0.0.1:9/other","kinds":[],"disabled":true}"#,
        200,
    ),
    delete("/api/v1/webhooks/{webhook}", "/api/v1/webhooks/{webhook}"),
    with("POST", "/api/v1/doctor", "/api/v1/doctor", CONNECT, 200),
    with(
        "POST",
        "/api/v1/doctor",
        "/api/v1/doctor",
        r#"{"client_id":"sensor-1","user_name":"greenhouse","password":"wrong"}"#,
        200,
    ),
    delete(
        "/api/v1/products/{product}/devices/{device}/history",
        "/api/v1/products/greenhouse/devices/sensor-1/history?id=door",
    ),
    delete("/api/v1/products/{product}/model", "/api/v1/products/greenhouse/model"),
    delete(DEVICE, "/api/v1/products/greenhouse/devices/sensor-3"),
    delete(PRODUCT, "/api/v1/products/greenhouse"),
];

/// Puts the examples of an operation into its description.
pub(crate) fn add(path: &str, method: &str, operation: &mut Value) {
    let of_it = |example: &&Example| example.path == path && example.method.eq_ignore_ascii_case(method);
    let examples: Vec<&Example> = EXAMPLES.iter().filter(of_it).collect();
    let samples: Vec<Value> =
        examples.iter().map(|example| json!({"lang": "shell", "source": curl(example)})).collect();
    if !samples.is_empty() {
        operation["x-codeSamples"] = json!(samples);
    }
    for example in examples {
        let body = match example.kind {
            "" => continue,
            JSON => serde_json::from_str(example.body).unwrap_or_default(),
            _ => json!(example.body),
        };
        if let Some(content) =
            operation.pointer_mut("/requestBody/content").and_then(|all| all.get_mut(example.kind))
            && content.get("example").is_none()
        {
            content["example"] = body;
        }
    }
}

/// The call as a line for a shell.
fn curl(example: &Example) -> String {
    let method = if example.method == "GET" { String::new() } else { format!(" -X {}", example.method) };
    let body = match example.kind {
        "" => String::new(),
        kind => {
            let body = example.body.replace('\'', "'\\''").replace('\n', "\\n");
            let dollar = if body.contains("\\n") { "$" } else { "" };
            format!(" -H 'Content-Type: {kind}' --data-binary {dollar}'{body}'")
        }
    };
    format!("curl -u admin:PASSWORD{method} 'http://127.0.0.1:18083{}'{body}", example.target)
}

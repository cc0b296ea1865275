//! Who may do what.

use serde_json::json;

use crate::world::{ADMIN, World};

fn key(world: &World, body: &str) -> (String, String) {
    let made = world.must("POST", "/api/v1/keys", body, 201);
    let header = format!("Authorization: Bearer {}", made["key"].as_str().expect("a key"));
    (made["id"].as_str().expect("an id").to_owned(), header)
}

fn products(world: &World) {
    for id in ["p", "q"] {
        world.must(
            "POST",
            "/api/v1/products",
            &json!({"id": id, "dialect": "plain", "secret": "sesame"}).to_string(),
            201,
        );
        for device in ["d", "e"] {
            let body = json!({"id": device, "secret": "hidden"}).to_string();
            world.must("POST", &format!("/api/v1/products/{id}/devices"), &body, 201);
        }
    }
}

#[test]
fn without_credentials_or_with_wrong_ones_nothing_is_told() {
    let world = World::new();
    for (header, code) in [
        (None, "credentials_required"),
        (Some("Authorization: Basic YWRtaW46cHg="), "bad_credentials"),
        (Some("Authorization: Bearer nonsense"), "bad_key"),
        (Some("Authorization: Digest x"), "bad_credentials"),
    ] {
        let headers: Vec<&str> = header.into_iter().collect();
        let answer = world.call("GET", "/api/v1/products", &headers, b"");
        assert_eq!((answer.status, &answer.json()["error"]["code"]), (401, &json!(code)));
        assert!(answer.json()["error"]["hint"].as_str().is_some_and(|hint| hint.contains("Bearer")));
    }
    assert_eq!(world.call("GET", "/healthz", &[], b"").status, 200);
    assert_eq!(world.call("GET", "/api/v1/openapi.json", &[], b"").status, 200);
}

#[test]
fn a_key_does_what_its_scopes_say_within_its_limits_until_it_is_removed() {
    let world = World::new();
    products(&world);
    let (id, reader) = key(&world, r#"{"name":"r","scopes":["read"],"product":"p"}"#);
    let get = |target: &str, header: &str| world.call("GET", target, &[header], b"");
    let list = get("/api/v1/products", &reader).json();
    assert_eq!(list["items"].as_array().map(Vec::len), Some(1), "{list}");
    assert_eq!(get("/api/v1/devices", &reader).json()["items"].as_array().map(Vec::len), Some(2));
    assert_eq!(get("/api/v1/products/p/devices/d", &reader).status, 200);
    for (target, code) in [
        ("/api/v1/products/q", "outside_of_key"),
        ("/api/v1/status", "outside_of_key"),
        ("/api/v1/keys", "missing_scope"),
        ("/api/v1/rejections", "missing_scope"),
        ("/api/v1/products/p?reveal=true", "missing_scope"),
    ] {
        let answer = get(target, &reader);
        assert_eq!((answer.status, &answer.json()["error"]["code"]), (403, &json!(code)), "{target}");
    }
    let post = |header: &str| {
        let headers = [header, "Content-Type: application/json"];
        world
            .call("POST", "/api/v1/products/p/devices/d/properties", &headers, br#"{"values":{"t":1}}"#)
            .status
    };
    assert_eq!(post(&reader), 403);
    let (_, writer) = key(&world, r#"{"scopes":["write"],"product":"p","device":"d"}"#);
    assert_eq!(post(&writer), 200);
    assert_eq!(get("/api/v1/products/p/devices/d", &writer).status, 403, "writing is not reading");
    let other = world.call(
        "POST",
        "/api/v1/products/p/devices/e/properties",
        &[&writer, "Content-Type: application/json"],
        br#"{"values":{"t":1}}"#,
    );
    assert_eq!(other.status, 403);
    world.must("DELETE", &format!("/api/v1/keys/{id}"), "", 204);
    assert_eq!(get("/api/v1/products", &reader).status, 401);
}

#[test]
fn secrets_are_told_only_to_who_asks_and_may() {
    let world = World::new();
    products(&world);
    let (_, manager) = key(&world, r#"{"scopes":["read","manage"]}"#);
    for path in [
        "/api/v1/products",
        "/api/v1/products/p",
        "/api/v1/devices",
        "/api/v1/products/p/devices",
        "/api/v1/products/p/devices/d",
        "/api/v1/products/p/devices:export",
    ] {
        let secret = if path.contains("devices") { "hidden" } else { "sesame" };
        for header in [ADMIN, &*manager] {
            assert!(!world.call("GET", path, &[header], b"").text().contains(secret), "{path}");
            let revealed = format!("{path}?reveal=true");
            assert!(world.call("GET", &revealed, &[header], b"").text().contains(secret), "{path}");
        }
    }
    let keys = world.get("/api/v1/keys").to_string();
    assert!(!keys.contains("\"key\""), "{keys}");
}

#[test]
fn what_is_wrong_is_told_with_a_stable_name() {
    let world = World::new();
    products(&world);
    for (method, target, body, status, code) in [
        ("GET", "/api/v1/products/none", "", 404, "unknown_product"),
        ("GET", "/api/v1/products/p/devices/none", "", 404, "unknown_device"),
        ("GET", "/api/v1/products/none/devices", "", 404, "unknown_product"),
        ("POST", "/api/v1/products", r#"{"id":"p","dialect":"plain"}"#, 409, "product_exists"),
        ("POST", "/api/v1/products", r#"{"id":"r","dialect":"elvish"}"#, 400, "bad_request"),
        ("POST", "/api/v1/products", r#"{"id":"r","dialect":"plain","colour":"red"}"#, 400, "bad_request"),
        ("POST", "/api/v1/products", "{", 400, "bad_request"),
        ("POST", "/api/v1/products/p/devices", r#"{"id":"d"}"#, 409, "device_exists"),
        ("GET", "/api/v1/products/p/devices?limit=0", "", 400, "bad_query"),
        ("GET", "/api/v1/products/p/devices?colour=red", "", 400, "bad_query"),
        ("GET", "/api/v1/products/p/devices/d/history?from=yesterday", "", 400, "bad_query"),
        ("GET", "/api/v1/products/p/devices/d/history?step=1w", "", 400, "bad_query"),
        ("POST", "/api/v1/products/p/devices/d/commands", r#"{"qos":1}"#, 400, "bad_request"),
        ("POST", "/api/v1/products/p/devices/d/commands", r#"{"payload_hex":"0g"}"#, 400, "bad_hex"),
        ("GET", "/api/v1/products/p/devices/d/commands/none", "", 404, "unknown_command"),
        ("POST", "/api/v1/doctor", r#"{"hex":"c0 00"}"#, 400, "no_connect"),
        ("POST", "/api/v1/doctor", "{}", 400, "bad_request"),
        ("PUT", "/api/v1/products", "{}", 405, "method_not_allowed"),
        ("GET", "/api/v1/nothing", "", 404, "not_found"),
        ("GET", "/files/firmware/none?token=x", "", 403, "bad_token"),
        ("GET", "/files/secrets/none?token=x", "", 404, "unknown_file"),
    ] {
        let answer = world.ask(method, target, body);
        let error = &answer.json()["error"];
        assert_eq!((answer.status, &error["code"]), (status, &json!(code)), "{method} {target}: {error}");
        assert!(error["message"].as_str().is_some_and(|text| !text.is_empty()), "{error}");
        assert!(error["hint"].as_str().is_some_and(|text| !text.is_empty()), "{error}");
    }
    let large = vec![b' '; (1 << 20) + 1];
    assert_eq!(world.call("POST", "/api/v1/products", &[ADMIN], &large).status, 413);
}

//! What devices and vendors' application servers see.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use hexmq_device::port::{Platform, RestRequest, RestResponse, VendorApi};
use serde_json::json;

use crate::world::{ADMIN, World};

/// Answers `/vendor/…` with what it was asked.
struct Echo;

impl VendorApi for Echo {
    fn answer(&self, request: &RestRequest, platform: &dyn Platform) -> Option<RestResponse> {
        let rest = request.path.strip_prefix("/vendor")?;
        let said = json!({
            "method": request.method, "rest": rest, "a": request.parameter("a"), "key": request.header("api-key"),
            "body": String::from_utf8_lossy(&request.body), "products": platform.products().map(|all| all.len()).ok(),
        });
        Some(RestResponse {
            status: 200,
            content_type: "application/json".to_owned(),
            headers: vec![("x-vendor".to_owned(), "1".to_owned())],
            body: said.to_string().into_bytes(),
        })
    }
}

/// All that one read gives: a small answer comes in one segment.
fn once(address: std::net::SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("connected");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("set");
    stream.write_all(request.as_bytes()).expect("written");
    let mut answer = vec![0; 4096];
    let length = stream.read(&mut answer).expect("an answer");
    answer.truncate(length);
    String::from_utf8(answer).expect("text")
}

#[test]
fn what_is_no_path_of_ours_is_the_vendors() {
    let world = World::with(vec![Arc::new(Echo)]);
    let answer = world.call("POST", "/vendor/x?a=1%202&a=3", &["api-key: K"], b"body");
    assert_eq!(answer.status, 200);
    let said = answer.json();
    assert_eq!(
        said,
        json!({"method": "POST", "rest": "/x", "a": "1 2", "key": "K", "body": "body", "products": 0})
    );
    assert_eq!(answer.headers.get("x-vendor").and_then(|value| value.to_str().ok()), Some("1"));
    assert_eq!(world.call("GET", "/other", &[], b"").status, 404);
    let large = vec![0; (8 << 20) + 1];
    assert_eq!(world.call("POST", "/vendor/x", &[], &large).status, 413);
}

#[test]
fn the_face_for_devices_has_vendors_and_files_and_nothing_else() {
    let world = World::new();
    let face = world.device_face(vec![Arc::new(Echo)]);
    let answer =
        once(face.address(), "POST /vendor/register_de HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains("register_de"), "{answer}");
    assert!(answer.len() < 320, "{} bytes: {answer}", answer.len());
    let head = answer.split("\r\n\r\n").next().unwrap_or_default().to_ascii_lowercase();
    let mut names: Vec<&str> = head.lines().skip(1).filter_map(|line| line.split(':').next()).collect();
    names.sort_unstable();
    assert_eq!(names, ["content-length", "content-type", "date", "x-vendor"]);
    for path in ["/", "/healthz", "/metrics", "/api/v1/status", "/api/v1/openapi.json", "/api/v1/products"] {
        let answer = once(face.address(), &format!("GET {path} HTTP/1.1\r\nHost: x\r\n{ADMIN}\r\n\r\n"));
        assert!(answer.starts_with("HTTP/1.1 404 "), "{path}: {answer}");
    }
}

#[test]
fn a_file_is_fetched_whole_or_in_parts_by_who_has_its_link() {
    let world = World::new();
    world.must("POST", "/api/v1/products", r#"{"id":"p","dialect":"aliyun"}"#, 201);
    let image: Vec<u8> = (0..200_000_u32).map(|n| (n % 251) as u8).collect();
    let added = world.call(
        "POST",
        "/api/v1/products/p/firmware?version=1.0.0&module=mcu",
        &[ADMIN, "Content-Type: application/octet-stream"],
        &image,
    );
    assert_eq!(added.status, 201, "{}", added.text());
    let offer = added.json();
    assert_eq!((&offer["size"], &offer["module"]), (&json!(200_000), &json!("mcu")));
    let link = offer["url"].as_str().expect("a link");
    let whole = world.call("GET", link, &[], b"");
    assert_eq!((whole.status, whole.body == image), (200, true));
    assert_eq!(whole.headers["accept-ranges"], "bytes");
    for (range, status, from, to) in [
        ("bytes=0-99", 206, 0, 100),
        ("bytes=65530-131080", 206, 65_530, 131_081),
        ("bytes=199990-", 206, 199_990, 200_000),
        ("bytes=-5", 206, 199_995, 200_000),
        ("bytes=0-1,5-6", 200, 0, 200_000),
        ("bytes=200000-", 416, 0, 0),
    ] {
        let part = world.call("GET", link, &[&format!("Range: {range}")], b"");
        assert_eq!((part.status, part.body == image[from..to]), (status, true), "{range}");
        let place =
            part.headers.get("content-range").and_then(|value| value.to_str().ok()).map(str::to_owned);
        let expected = match status {
            206 => Some(format!("bytes {from}-{}/200000", to - 1)),
            416 => Some("bytes */200000".to_owned()),
            _ => None,
        };
        assert_eq!(place, expected, "{range}");
    }
    let (path, _) = link.split_once('?').expect("a token");
    assert_eq!(world.call("GET", path, &[], b"").status, 403);
    assert_eq!(world.call("GET", &format!("{link}0"), &[], b"").status, 403);
    world.must(
        "DELETE",
        &format!("/api/v1/products/p/firmware/{}", offer["id"].as_str().expect("an id")),
        "",
        204,
    );
    assert!([403, 404].contains(&world.call("GET", link, &[], b"").status));
}

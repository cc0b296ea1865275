//! Requests of the administrator, and clients that are refused.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use serde_json::Value;

use crate::serving::{Client, PATIENCE, Server};

/// A request of the administrator. HTTP 1.0, so that a body ends with the connection.
pub(crate) fn ask(server: &Server, method: &str, path: &str, body: &str) -> BufReader<TcpStream> {
    let address = server.addresses("http").first().expect("an HTTP listener").clone();
    let mut stream = TcpStream::connect(address).expect("connected");
    stream.set_read_timeout(Some(PATIENCE)).expect("set");
    let length = body.len();
    // admin:pw
    let head = "Authorization: Basic YWRtaW46cHc=\r\nContent-Type: application/json";
    write!(stream, "{method} {path} HTTP/1.0\r\n{head}\r\nContent-Length: {length}\r\n\r\n{body}")
        .expect("written");
    BufReader::new(stream)
}

/// Status, headers, and what follows them.
pub(crate) fn answer(mut reader: BufReader<TcpStream>) -> (u16, String, BufReader<TcpStream>) {
    let mut head = String::new();
    loop {
        let before = head.len();
        assert!(reader.read_line(&mut head).expect("a header") > 0, "{head}");
        if head[before..].trim().is_empty() {
            let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
            return (status, head, reader);
        }
    }
}

pub(crate) fn call(server: &Server, method: &str, path: &str, body: &str) -> (u16, Value) {
    let (status, _, mut reader) = answer(ask(server, method, path, body));
    let mut text = String::new();
    reader.read_to_string(&mut text).expect("a body");
    let value = if text.is_empty() { Value::Null } else { serde_json::from_str(&text).expect("JSON") };
    (status, value)
}

pub(crate) fn get(server: &Server, path: &str) -> Value {
    let (status, value) = call(server, "GET", path, "");
    assert_eq!(status, 200, "{path}: {value}");
    value
}

pub(crate) fn watch(server: &Server, rule: &Value) -> String {
    let (status, made) = call(server, "POST", "/api/v1/recorder/watches", &rule.to_string());
    assert_eq!(status, 201, "{made}");
    made["id"].as_str().expect("an id").to_owned()
}

pub(crate) fn local(client: &Client) -> String {
    client.stream.local_addr().expect("an address").to_string()
}

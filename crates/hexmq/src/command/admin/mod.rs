//! Administration over the HTTP API: products, devices, commands, data, keys, webhooks and the credential doctor.
//!
//! Exit codes: 0 done, 1 the server says no (or the answer to the question is no), 2 wrong usage, 3 the server
//! cannot be reached, 27 what was waited for has not come.

mod api;
pub(crate) mod data;
pub(crate) mod device;
pub(crate) mod doctor;
pub(crate) mod key;
pub(crate) mod order;
pub(crate) mod product;
mod table;
pub(crate) mod webhook;

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::ExitCode;

use serde_json::{Map, Value};

use super::client::Trouble;

/// Text for help pages.
pub(crate) const AFTER_HELP: &str = "The server is --url or HEXMQ_URL; HEXMQ_TOKEN is an API key, or give --admin-password \
                                     (HEXMQ_ADMIN_PASSWORD).\nExit code: 0 done, 1 the server says no, 2 wrong usage, 3 it \
                                     cannot be reached, 27 nothing came in time";

/// Runs an action and tells of its trouble.
fn done(outcome: Result<ExitCode, Trouble>) -> ExitCode {
    outcome.unwrap_or_else(|trouble| trouble.report(false))
}

/// Prints text. A reader that goes away early (`| head`) is no error of ours.
fn print(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}

/// Prints JSON for programs.
fn print_json(value: &Value) {
    print(&format!("{value:#}\n"));
}

/// A part of a path, with what has a meaning there as `%` and two digits.
fn part(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:@".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// The path of a product.
fn product_path(product: &str) -> String {
    format!("/api/v1/products/{}", part(product))
}

/// The path of a device.
fn device_path(product: &str, device: &str) -> String {
    format!("{}/devices/{}", product_path(product), part(device))
}

/// A file's bytes; `-` is standard input.
fn read_file(path: &Path) -> Result<Vec<u8>, Trouble> {
    let read = if path.as_os_str() == "-" {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        std::fs::read(path)
    };
    read.map_err(|error| {
        Trouble::new(
            format!("cannot read {}", path.display()),
            error,
            "check the name and the rights of the file",
        )
    })
}

/// `name=value` of an argument.
fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or_else(|| format!("`{text}` has no =; write NAME=VALUE"))?;
    if name.is_empty() {
        return Err(format!("`{text}` has no name in front of ="));
    }
    Ok((name.to_owned(), value.to_owned()))
}

/// `name=on` of an argument.
fn switch(text: &str) -> Result<(String, Option<bool>), String> {
    let (name, value) = pair(text)?;
    match &*value {
        "on" | "true" => Ok((name, Some(true))),
        "off" | "false" => Ok((name, Some(false))),
        "default" => Ok((name, None)),
        other => Err(format!("`{other}` is none of on, off, default")),
    }
}

/// What an argument says: a number, `true`, `false`, JSON, or text.
fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}

/// Members of a body that are given.
fn body<const N: usize>(members: [(&str, Option<Value>); N]) -> Map<String, Value> {
    members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_hold_any_name() {
        assert_eq!(device_path("a1:b@c", "数/?"), "/api/v1/products/a1:b@c/devices/%E6%95%B0%2F%3F");
    }

    #[test]
    fn arguments_say_pairs_switches_and_values() {
        assert_eq!(pair("a=b=c"), Ok(("a".to_owned(), "b=c".to_owned())));
        assert!(pair("a").is_err() && pair("=b").is_err());
        assert_eq!(switch("q=off"), Ok(("q".to_owned(), Some(false))));
        assert_eq!(switch("q=default"), Ok(("q".to_owned(), None)));
        assert!(switch("q=1").is_err());
        assert_eq!(value("21.5"), serde_json::json!(21.5));
        assert_eq!(value("021"), serde_json::json!("021"));
        assert_eq!(value("hello"), serde_json::json!("hello"));
    }
}

//! `%j` and `%J`: a message as JSON, byte for byte as mosquitto_sub writes it: order of the keys,
//! escapes, numbers, and the tabs of `--pretty`.

use std::fmt;

use hexmq_wire::{Property, Publish};
use jiff::Zoned;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::time;

/// A JSON value that keeps the order and the repetition of keys.
#[derive(Clone, Debug, PartialEq)]
enum Json {
    Null,
    Flag(bool),
    Number(f64),
    Text(Vec<u8>),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

/// `%j`: the payload is a string.
pub(super) fn quoted(message: &Publish<'_>, now: &Zoned, pretty: bool) -> Vec<u8> {
    let payload = if message.payload.is_empty() { Json::Null } else { Json::Text(message.payload.to_vec()) };
    document(message, now, payload, pretty)
}

/// `%J`: the payload is JSON itself; `None` if it is not.
pub(super) fn unquoted(message: &Publish<'_>, now: &Zoned, pretty: bool) -> Option<Vec<u8>> {
    let payload =
        if message.payload.is_empty() { Json::Null } else { serde_json::from_slice(message.payload).ok()? };
    Some(document(message, now, payload, pretty))
}

fn document(message: &Publish<'_>, now: &Zoned, payload: Json, pretty: bool) -> Vec<u8> {
    let number = |value: usize| Json::Number(value as f64);
    let mut fields = vec![
        ("tst".to_owned(), Json::text(&time::tst(now))),
        ("topic".to_owned(), Json::text(message.topic_name)),
        ("qos".to_owned(), number(message.qos() as usize)),
        ("retain".to_owned(), number(message.retain.into())),
        ("payloadlen".to_owned(), number(message.payload.len())),
    ];
    if let Some(identifier) = message.delivery.packet_identifier() {
        fields.push(("mid".to_owned(), number(identifier.get().into())));
    }
    let properties = properties(message);
    if !properties.is_empty() {
        fields.push(("properties".to_owned(), Json::Object(properties)));
    }
    fields.push(("payload".to_owned(), payload));
    let mut out = Vec::new();
    Json::Object(fields).write(pretty.then_some(0), &mut out);
    out
}

/// The properties in the order of the packet; user properties together, where the first stands.
fn properties(message: &Publish<'_>) -> Vec<(String, Json)> {
    let mut list: Vec<(String, Json)> = Vec::new();
    for property in message.properties.iter() {
        let name = property.id().name().replace('_', "-");
        let value = match property {
            Property::UserProperty(name, value) => {
                let pair = (name.to_owned(), Json::text(value));
                match list.iter_mut().find(|(key, _)| key == "user-properties") {
                    Some((_, Json::Object(pairs))) => pairs.push(pair),
                    _ => list.push(("user-properties".to_owned(), Json::Object(vec![pair]))),
                }
                continue;
            }
            Property::PayloadFormatIndicator(value) => Json::Number(value.into()),
            Property::TopicAlias(value) => Json::Number(value.into()),
            Property::MessageExpiryInterval(value) | Property::SubscriptionIdentifier(value) => {
                Json::Number(value.into())
            }
            Property::ContentType(text) | Property::ResponseTopic(text) => Json::text(text),
            Property::CorrelationData(bytes) => Json::Text(bytes.to_vec()),
            // No other property belongs to a PUBLISH.
            _ => continue,
        };
        list.push((name, value));
    }
    list
}

impl Json {
    fn text(text: &str) -> Json {
        Json::Text(text.as_bytes().to_vec())
    }

    /// `depth` is `Some` for `--pretty`.
    fn write(&self, depth: Option<usize>, out: &mut Vec<u8>) {
        match self {
            Json::Null => out.extend_from_slice(b"null"),
            Json::Flag(flag) => out.extend_from_slice(if *flag { b"true" } else { b"false" }),
            Json::Number(number) => out.extend_from_slice(number_text(*number).as_bytes()),
            Json::Text(text) => write_text(text, out),
            Json::List(items) => {
                out.push(b'[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.extend_from_slice(if depth.is_some() { b", " } else { b"," });
                    }
                    item.write(depth.map(|depth| depth + 1), out);
                }
                out.push(b']');
            }
            Json::Object(fields) => write_object(fields, depth, out),
        }
    }
}

fn write_object(fields: &[(String, Json)], depth: Option<usize>, out: &mut Vec<u8>) {
    out.push(b'{');
    let inner = depth.map(|depth| depth + 1);
    let indent = |depth: usize, out: &mut Vec<u8>| out.extend(std::iter::repeat_n(b'\t', depth));
    if depth.is_some() {
        out.push(b'\n');
    }
    for (index, (key, value)) in fields.iter().enumerate() {
        indent(inner.unwrap_or(0), out);
        write_text(key.as_bytes(), out);
        out.push(b':');
        if inner.is_some() {
            out.push(b'\t');
        }
        value.write(inner, out);
        if index + 1 < fields.len() {
            out.push(b',');
        }
        if inner.is_some() {
            out.push(b'\n');
        }
    }
    indent(depth.unwrap_or(0), out);
    out.push(b'}');
}

/// Control characters and quotes are escaped; bytes that are not UTF-8 pass as they are.
fn write_text(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for &byte in text {
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            8 => out.extend_from_slice(b"\\b"),
            12 => out.extend_from_slice(b"\\f"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0..=31 => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

/// C's `%1.15g`, or 17 digits where 15 are not exact.
fn number_text(number: f64) -> String {
    if !number.is_finite() {
        return "null".to_owned();
    }
    let short = general(number, 15);
    if short.parse() == Ok(number) { short } else { general(number, 17) }
}

/// C's `%.{digits}g`.
fn general(number: f64, digits: usize) -> String {
    let scientific = format!("{number:.*e}", digits - 1);
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let trim = |text: &str| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    };
    if exponent < -4 || exponent >= digits as i32 {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{}e{sign}{:02}", trim(mantissa), exponent.abs());
    }
    trim(&format!("{number:.*}", usize::try_from(digits as i32 - 1 - exponent).unwrap_or(0)))
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Json, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Json, E> {
        Ok(Json::Flag(flag))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Json, E> {
        Ok(Json::Number(number as f64))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Json, E> {
        Ok(Json::Number(number as f64))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Json, E> {
        Ok(Json::Number(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Json, A::Error> {
        let mut fields = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            fields.push(entry);
        }
        Ok(Json::Object(fields))
    }
}

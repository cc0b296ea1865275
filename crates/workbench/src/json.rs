//! The stable JSON shape of an explanation, the same for `hexmq explain --json` and the HTTP API.
//!
//! Beyond packets and rest it tells `skipped` bytes, and of a begun packet its `needs` and the
//! fields that are there. A packet in which a cloud's own rules apply has a `dialect` with the
//! cloud's `name` and with `faults` of the same shape as the packet's; those of the standard stay
//! alone in the packet's `faults`.

use serde_json::{Map, Value, json};

use crate::explanation::{Explanation, Field, FieldValue, Finding, Packet, Rest, Skipped};
use crate::hex::plain_hex;

impl Explanation {
    /// The explanation as JSON.
    pub fn to_json(&self) -> Value {
        json!({
            "packets": self.packets.iter().map(packet).collect::<Vec<_>>(),
            "skipped": self.skipped.iter().map(skipped).collect::<Vec<_>>(),
            "rest": self.rest.as_ref().map(rest),
        })
    }
}

fn packet(packet: &Packet) -> Value {
    let mut object = json!({
        "offset": packet.offset,
        "length": packet.length,
        "type": packet.type_name(),
        "version": packet.version.level(),
        "from": packet.from.map(|side| side.name()),
        "fields": packet.fields.iter().map(field).collect::<Vec<_>>(),
        "faults": packet.findings.iter().map(finding).collect::<Vec<_>>(),
    });
    if let (Some(repair), Some(object)) = (&packet.repair, object.as_object_mut()) {
        object.insert("repair_hex".to_owned(), plain_hex(repair).into());
    }
    if let (Some(layer), Some(object)) = (&packet.dialect, object.as_object_mut()) {
        let findings: Vec<Value> = layer.findings.iter().map(finding).collect();
        object.insert("dialect".to_owned(), json!({ "name": layer.dialect.name(), "faults": findings }));
    }
    object
}

fn field(field: &Field) -> Value {
    let mut object = Map::new();
    object.insert("name".to_owned(), field.name.into());
    object.insert("offset".to_owned(), field.offset.into());
    object.insert("length".to_owned(), field.length.into());
    if let Some((bit, bits)) = field.bits {
        object.insert("bit".to_owned(), bit.into());
        object.insert("bits".to_owned(), bits.into());
    }
    let (value, encoding) = value(&field.value);
    object.insert("value".to_owned(), value);
    if let Some(encoding) = encoding {
        object.insert("encoding".to_owned(), encoding.into());
    }
    object.insert("text".to_owned(), field.text.as_str().into());
    object.insert("section".to_owned(), section(field.section));
    object.insert("fields".to_owned(), field.fields.iter().map(self::field).collect());
    Value::Object(object)
}

fn section(section: &str) -> Value {
    if section.is_empty() { Value::Null } else { section.into() }
}

/// The value, and `hex` where bytes cannot be shown as text.
pub(crate) fn value(value: &FieldValue) -> (Value, Option<&'static str>) {
    match value {
        FieldValue::Group => (Value::Null, None),
        FieldValue::Number(number) => ((*number).into(), None),
        FieldValue::Real(number) => ((*number).into(), None),
        FieldValue::Flag(flag) => ((*flag).into(), None),
        FieldValue::Text(text) => (text.as_str().into(), None),
        FieldValue::Bytes(bytes) => match FieldValue::is_printable(bytes) {
            Some(text) => (text.into(), None),
            None => (plain_hex(bytes).into(), Some("hex")),
        },
    }
}

fn finding(finding: &Finding) -> Value {
    json!({
        "code": finding.code,
        "severity": finding.severity.name(),
        "statement": finding.statement,
        "offset": finding.offset,
        "length": finding.length,
        "message": finding.message,
        "repair_hex": finding.repair.as_deref().map(plain_hex),
    })
}

fn skipped(skipped: &Skipped) -> Value {
    let faults: Vec<Value> = skipped.findings.iter().map(finding).collect();
    json!({ "offset": skipped.offset, "length": skipped.length, "reason": skipped.reason, "faults": faults })
}

fn rest(rest: &Rest) -> Value {
    let faults: Vec<Value> = rest.findings.iter().map(finding).collect();
    let mut object =
        json!({ "offset": rest.offset, "length": rest.length, "reason": rest.reason, "faults": faults });
    if let (Some(needs), Some(object)) = (rest.needs, object.as_object_mut()) {
        object.insert("needs".to_owned(), needs.into());
    }
    if let (Some(begun), Some(object)) = (&rest.begun, object.as_object_mut()) {
        object.insert("packet".to_owned(), packet(begun));
    }
    object
}

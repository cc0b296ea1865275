//! What stands in `params`: values with their times, events, devices behind a gateway.
//!
//! The vendor wraps each value: `{"power":{"value":"on","time":1524448722123}}`. A value that is not wrapped is
//! taken as it is, with a notice.

use hexmq_device::json::{Member, Node, NodeKind};
use hexmq_device::{Datum, DeviceRef, NewEvent, NewPoint, Span, SubDevice, SubSign, mac};
use serde_json::Value as Json;

use crate::token::{Resource, Token};

/// Why `params` cannot be used, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) rule: &'static str,
    pub(super) span: Span,
    pub(super) message: String,
}

impl Wrong {
    pub(super) fn shape(node: &Node<'_>, expected: &str) -> Wrong {
        Wrong { rule: "thing_params", span: node.span, message: format!("{expected} expected") }
    }
}

/// Notices: stable name and sentence.
pub(super) type Notices = Vec<(&'static str, String)>;

/// A value with its time; several where the device sends an array of them.
struct Stamped<'n, 'a> {
    value: &'n Node<'a>,
    at_ms: Option<i64>,
}

/// The values of a member: one, or those of an array of wrapped ones.
fn stamped<'n, 'a>(member: &'n Member<'a>, notices: &mut Notices) -> Vec<Stamped<'n, 'a>> {
    if let Some(value) = wrapped(&member.value) {
        return vec![value];
    }
    let several = member.value.elements().unwrap_or_default();
    let values: Vec<_> = several.iter().filter_map(wrapped).collect();
    if !several.is_empty() && values.len() == several.len() {
        return values;
    }
    let at = member.value.span.offset;
    notices.push(("thing_value_plain", format!("byte {at}: {{\"value\":…}} is missing around the value")));
    vec![Stamped { value: &member.value, at_ms: None }]
}

fn wrapped<'n, 'a>(node: &'n Node<'a>) -> Option<Stamped<'n, 'a>> {
    let value = node.member("value")?;
    let at_ms = node.member("time").and_then(|time| crate::thing::unix_ms(time.text_or_number()?));
    Some(Stamped { value, at_ms })
}

fn members<'n, 'a>(node: &'n Node<'a>, expected: &str) -> Result<&'n [Member<'a>], Wrong> {
    node.members().ok_or_else(|| Wrong::shape(node, expected))
}

/// Properties as points.
pub(super) fn points(node: &Node<'_>, notices: &mut Notices) -> Result<Vec<NewPoint>, Wrong> {
    let mut points = Vec::new();
    for member in members(node, "an object of properties")? {
        for Stamped { value, at_ms } in stamped(member, notices) {
            match Datum::of_json(value.to_json()) {
                Some(datum) => points.push(NewPoint { id: member.name.to_string(), value: datum, at_ms }),
                None => {
                    let what = format!("byte {}: null is no value; it is left out", value.span.offset);
                    notices.push(("thing_no_value", what));
                }
            }
        }
    }
    Ok(points)
}

/// Events with their outputs.
pub(super) fn events(node: &Node<'_>, notices: &mut Notices) -> Result<Vec<NewEvent>, Wrong> {
    let mut events = Vec::new();
    for member in members(node, "an object of events")? {
        for Stamped { value, at_ms } in stamped(member, notices) {
            events.push(NewEvent { id: member.name.to_string(), params: value.to_json(), at_ms });
        }
    }
    Ok(events)
}

/// What one device reports in a pack or a history.
pub(super) type Report = (DeviceRef, Vec<NewPoint>, Vec<NewEvent>);

/// The reports of a pack or a history; an entry without an identity is the sender's own.
pub(super) fn reports(node: &Node<'_>, own: &DeviceRef, notices: &mut Notices) -> Result<Vec<Report>, Wrong> {
    let entries =
        node.elements().ok_or_else(|| Wrong::shape(node, "an array of devices with their values"))?;
    let mut reports = Vec::new();
    for entry in entries {
        members(entry, "an object with identity, properties and events")?;
        let device = match entry.member("identity") {
            Some(identity) => device(identity)?,
            None => own.clone(),
        };
        let points = entry.member("properties").map_or(Ok(Vec::new()), |node| points(node, notices))?;
        let events = entry.member("events").map_or(Ok(Vec::new()), |node| events(node, notices))?;
        reports.push((device, points, events));
    }
    Ok(reports)
}

/// `{"productID":…,"deviceName":…}`
fn device(node: &Node<'_>) -> Result<DeviceRef, Wrong> {
    let name = |names: [&str; 2]| {
        let found = names.iter().find_map(|name| node.member(name)).and_then(Node::text_or_number);
        found.ok_or_else(|| Wrong::shape(node, "productID and deviceName"))
    };
    Ok(DeviceRef::new(name(["productID", "productId"])?, name(["deviceName", "device_name"])?))
}

/// Devices behind a gateway, one or an array of them, each with the token that vouches for it. Where it is
/// `required`, nobody else vouches: without one a gateway could take any device.
pub(super) fn sub_devices(node: &Node<'_>, now: i64, required: bool) -> Result<Vec<SubDevice>, Wrong> {
    let one = |node: &Node<'_>| {
        let device = device(node)?;
        let sign = node.member("sasToken").map(|token| sign(token, &device, now)).transpose()?;
        if required && sign.is_none() {
            let message = format!("sasToken of {device} is missing");
            return Err(Wrong { rule: "token_missing", span: node.span, message });
        }
        Ok(SubDevice { device, sign })
    };
    match &node.kind {
        NodeKind::Array(nodes) => nodes.iter().map(one).collect(),
        _ => Ok(vec![one(node)?]),
    }
}

/// The same without their tokens: who lets go of a device needs none.
pub(super) fn devices(node: &Node<'_>) -> Result<Vec<DeviceRef>, Wrong> {
    match &node.kind {
        NodeKind::Array(nodes) => nodes.iter().map(device).collect(),
        _ => Ok(vec![device(node)?]),
    }
}

/// What a token signs, for whoever knows the keys. `now` in Unix seconds.
fn sign(node: &Node<'_>, device: &DeviceRef, now: i64) -> Result<SubSign, Wrong> {
    let wrong = |rule, message: String| Wrong { rule, span: node.span, message };
    let text = node.text().unwrap_or_default();
    let token = Token::parse(text).map_err(|error| wrong(error.rule.name(), format!("sasToken: {error}")))?;
    let with_product_secret = match token.resource() {
        Some(Resource::Device { product, device: name })
            if product == device.product && name == device.device =>
        {
            false
        }
        Some(Resource::Product { product }) if product == device.product => true,
        _ => {
            let message = format!("sasToken is for \"{}\", not for {device}", token.resource);
            return Err(wrong("token_resource", message));
        }
    };
    if token.expiry < now {
        return Err(wrong("token_expired", format!("sasToken expired at {} (Unix seconds)", token.expiry)));
    }
    Ok(SubSign {
        content: token.string_to_sign(),
        method: token.method,
        sign: mac::to_hex(&token.sign),
        with_product_secret,
        base64_key: true,
    })
}

/// Names, as an array of them or as the members of an object.
pub(super) fn names(node: &Node<'_>) -> Result<Vec<String>, Wrong> {
    let Some(nodes) = node.elements() else {
        return Ok(members(node, "an array of names")?
            .iter()
            .map(|member| member.name.to_string())
            .collect());
    };
    let text = |node: &Node<'_>| node.text().map(str::to_owned).ok_or_else(|| Wrong::shape(node, "a name"));
    nodes.iter().map(text).collect()
}

/// Names with the version each must have, where one is said: `{"power":{"version":3}}` or `["power"]`.
pub(super) fn versions(node: &Node<'_>) -> Result<Vec<(String, Option<u64>)>, Wrong> {
    let Some(members) = node.members() else {
        return Ok(names(node)?.into_iter().map(|name| (name, None)).collect());
    };
    let version = |member: &Member<'_>| member.value.member("version")?.text_or_number()?.parse().ok();
    Ok(members.iter().map(|member| (member.name.to_string(), version(member))).collect())
}

/// The code and data of an answer.
pub(super) fn verdict(root: &Node<'_>) -> (Option<i64>, Option<Json>) {
    let code = root.member("code").and_then(Node::text_or_number).and_then(|code| code.parse().ok());
    (code, root.member("data").map(Node::to_json))
}

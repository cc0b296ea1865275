//! Properties and events, in all the forms in which they are posted.

use hexmq_device::json::{Node, NodeKind};
use hexmq_device::{Ask, Datum, DeviceRef, NewEvent, NewPoint, UplinkError};
use serde_json::Value as Json;

use super::Reading;
use super::message::{Message, device_of};
use crate::codes::{DEVICES_MAX, EVENTS_MAX, PROPERTIES_MAX};
use crate::quirks::{BATCH_LIMITS, POST_ANSWERS_200, TIMED_VALUES};

/// `{"PowerSwitch":1}` or `{"PowerSwitch":{"value":1,"time":1524448722000}}`
pub(super) fn properties(message: &Message<'_>) -> Reading {
    let params = message.params();
    let Some(members) = params.members() else {
        return Err(message.wrong("alink_params_kind", params.span, "params is no object"));
    };
    let timed = message.uplink.product.switch(&TIMED_VALUES);
    let mut points = Vec::with_capacity(members.len());
    for member in members {
        let (value, at_ms) = if timed { stamped(&member.value) } else { (&member.value, None) };
        push_point(&mut points, &member.name, value, at_ms);
    }
    bounded(message, &points, &[])?;
    let meaning = format!("property post, {}", counted(points.len(), "value"));
    let receipt = message.receipt().map(|mut receipt| {
        receipt.more = Json::Bool(message.uplink.product.switch(&POST_ANSWERS_200));
        receipt
    });
    message.ask_with(Ask::Post { points, events: Vec::new() }, receipt, meaning)
}

/// `{"value":{…},"time":…}`, `{"value":{…}}` or just `{…}`: libraries differ.
pub(super) fn event(message: &Message<'_>) -> Reading {
    let id = message.identifier.unwrap_or_default();
    let empty = Node { span: message.envelope.root.span, kind: NodeKind::Object(Vec::new()) };
    let event = happened(id, message.envelope.params().unwrap_or(&empty));
    message.ask(Ask::Post { points: Vec::new(), events: vec![event] }, format!("event {id}"))
}

/// `{"properties":{"Power":[{"value":…,"time":…}]},"events":{"alarm":[{"value":{…},"time":…}]}}`
pub(super) fn batch(message: &Message<'_>) -> Reading {
    let (points, events) = features(message, message.params())?;
    bounded(message, &points, &events)?;
    let meaning = format!("{}, {}", counted(points.len(), "value"), counted(events.len(), "event"));
    message.ask(Ask::Post { points, events }, meaning)
}

type Values = (DeviceRef, Vec<NewPoint>, Vec<NewEvent>);

/// A gateway's own values and those of the devices behind it.
pub(super) fn pack(message: &Message<'_>) -> Reading {
    let params = message.params();
    let (points, events) = features(message, params)?;
    let mut all = Vec::new();
    if !points.is_empty() || !events.is_empty() {
        all.push((message.device.clone(), points, events));
    }
    for node in params.member("subDevices").and_then(Node::elements).unwrap_or_default() {
        all.push(identified(message, node)?);
    }
    post_all(message, all)
}

/// `[{"identity":{…},"properties":[{"Power":{"value":…,"time":…}}],"events":[…]}]`
pub(super) fn history(message: &Message<'_>) -> Reading {
    let params = message.params();
    let Some(nodes) = params.elements() else {
        return Err(message.wrong("alink_params_kind", params.span, "params is no array"));
    };
    let all: Result<Vec<_>, _> = nodes.iter().map(|node| identified(message, node)).collect();
    post_all(message, all?)
}

fn post_all(message: &Message<'_>, all: Vec<Values>) -> Reading {
    let limited = message.uplink.product.switch(&BATCH_LIMITS);
    if limited && all.len() > 20 {
        let span = message.params().span;
        return Err(message.wrong_as(DEVICES_MAX, "alink_devices_max", span, "more than 20 devices"));
    }
    for (_, points, events) in &all {
        bounded(message, points, events)?;
    }
    let (points, events) = all
        .iter()
        .fold((0, 0), |(points, events), (_, more, further)| (points + more.len(), events + further.len()));
    let meaning = format!(
        "{}, {} of {}",
        counted(points, "value"),
        counted(events, "event"),
        counted(all.len(), "device")
    );
    message.ask(Ask::PostAll(all), meaning)
}

/// An object with `identity`, `properties` and `events`.
fn identified(message: &Message<'_>, node: &Node<'_>) -> Result<Values, UplinkError> {
    let device = node.member("identity").and_then(device_of).ok_or_else(|| {
        message.wrong("alink_identity", node.span, "identity with productKey and deviceName is missing")
    })?;
    let (points, events) = features(message, node)?;
    Ok((device, points, events))
}

/// What stands under `properties` and `events`: an object, or an array of objects.
fn features(message: &Message<'_>, node: &Node<'_>) -> Result<(Vec<NewPoint>, Vec<NewEvent>), UplinkError> {
    let mut points = Vec::new();
    each(message, node.member("properties"), &mut |id, value| {
        let (value, at_ms) = stamped(value);
        push_point(&mut points, id, value, at_ms);
    })?;
    let mut events = Vec::new();
    each(message, node.member("events"), &mut |id, value| events.push(happened(id, value)))?;
    Ok((points, events))
}

/// Every value of every name; a list of values with their times is each of them.
fn each(
    message: &Message<'_>,
    node: Option<&Node<'_>>,
    found: &mut impl FnMut(&str, &Node<'_>),
) -> Result<(), UplinkError> {
    let Some(node) = node else { return Ok(()) };
    let objects = node.elements().unwrap_or(std::slice::from_ref(node));
    for object in objects {
        let Some(members) = object.members() else {
            return Err(message.wrong("alink_params_kind", object.span, "properties and events are objects"));
        };
        for member in members {
            match member.value.elements() {
                Some(list) if !list.is_empty() && list.iter().all(is_stamped) => {
                    list.iter().for_each(|value| found(&member.name, value));
                }
                _ => found(&member.name, &member.value),
            }
        }
    }
    Ok(())
}

/// Whether a value is an object of exactly `value` and perhaps `time`.
fn is_stamped(node: &Node<'_>) -> bool {
    let Some(members) = node.members() else { return false };
    let known = |name: &str| members.iter().filter(|member| member.name == name).count();
    let time = node.member("time");
    known("value") == 1
        && known("time") == members.len() - 1
        && members.len() <= 2
        && time.is_none_or(|time| milliseconds(time).is_some())
}

/// The value and its time, where it has one.
fn stamped<'n, 'a>(node: &'n Node<'a>) -> (&'n Node<'a>, Option<i64>) {
    match node.member("value").filter(|_| is_stamped(node)) {
        Some(value) => (value, node.member("time").and_then(milliseconds)),
        None => (node, None),
    }
}

/// A number, or the digits as text.
fn milliseconds(node: &Node<'_>) -> Option<i64> {
    node.text_or_number()?.parse().ok()
}

fn push_point(points: &mut Vec<NewPoint>, id: &str, value: &Node<'_>, at_ms: Option<i64>) {
    // `null` is no value: there is nothing to keep.
    if let Some(value) = Datum::of_json(value.to_json()) {
        points.push(NewPoint { id: id.to_owned(), value, at_ms });
    }
}

/// An event from the parameters it was posted with.
fn happened(id: &str, params: &Node<'_>) -> NewEvent {
    let (value, at_ms) = match stamped(params) {
        (value, at_ms) if value.members().is_some() || at_ms.is_some() => (value, at_ms),
        _ => (params, None),
    };
    NewEvent { id: id.to_owned(), params: value.to_json(), at_ms }
}

fn bounded(message: &Message<'_>, points: &[NewPoint], events: &[NewEvent]) -> Result<(), UplinkError> {
    if !message.uplink.product.switch(&BATCH_LIMITS) {
        return Ok(());
    }
    let span = message.params().span;
    if points.len() > 200 {
        return Err(message.wrong_as(
            PROPERTIES_MAX,
            "alink_properties_max",
            span,
            "more than 200 properties",
        ));
    }
    if events.len() > 200 {
        return Err(message.wrong_as(EVENTS_MAX, "alink_events_max", span, "more than 200 events"));
    }
    Ok(())
}

fn counted(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

//! Requests of a device for itself: desired values, tags, the time.

use hexmq_device::json::Node;
use hexmq_device::{Ask, Downlink, Understood, Uplink, UplinkError};
use serde_json::json;

use super::Reading;
use super::message::{Message, id_of};
use crate::alink::Envelope;
use crate::reply;

/// `["power", …]`; all if it is empty or missing.
pub(super) fn desired_get(message: &Message<'_>) -> Reading {
    let names = message.envelope.params().and_then(Node::elements).unwrap_or_default();
    let names: Vec<String> = names.iter().filter_map(Node::text).map(str::to_owned).collect();
    let meaning = format!("desired values asked for: {}", listed(&names));
    message.ask(Ask::DesiredGet(names), meaning)
}

/// `{"power":{"version":1},"temperature":{}}`
pub(super) fn desired_delete(message: &Message<'_>) -> Reading {
    let Some(members) = message.params().members() else {
        return Err(message.wrong("alink_params_kind", message.params().span, "params is no object"));
    };
    let mut desired = Vec::with_capacity(members.len());
    for member in members {
        let version =
            match member.value.member("version") {
                None => None,
                Some(node) => {
                    let version = node.text_or_number().and_then(|text| text.parse().ok());
                    Some(version.ok_or_else(|| {
                        message.wrong("alink_version", node.span, "version is no whole number")
                    })?)
                }
            };
        desired.push((member.name.clone().into_owned(), version));
    }
    let meaning = format!("{} desired values removed", desired.len());
    message.ask(Ask::DesiredDelete(desired), meaning)
}

/// `[{"attrKey":…,"attrValue":…}]`
pub(super) fn tags_update(message: &Message<'_>) -> Reading {
    let mut tags = Vec::new();
    for node in elements(message)? {
        let key = attribute(message, node, "attrKey")?;
        let value = attribute(message, node, "attrValue")?;
        tags.push((key, value));
    }
    let meaning = format!("{} tags set", tags.len());
    message.ask(Ask::TagsUpdate(tags), meaning)
}

/// `[{"attrKey":…}]`
pub(super) fn tags_delete(message: &Message<'_>) -> Reading {
    let nodes = elements(message)?;
    let keys: Result<Vec<_>, _> = nodes.iter().map(|node| attribute(message, node, "attrKey")).collect();
    let keys = keys?;
    let meaning = format!("{} tags removed", keys.len());
    message.ask(Ask::TagsDelete(keys), meaning)
}

fn elements<'m>(message: &'m Message<'_>) -> Result<&'m [Node<'m>], UplinkError> {
    let params = message.params();
    params.elements().ok_or_else(|| message.wrong("alink_params_kind", params.span, "params is no array"))
}

fn attribute(message: &Message<'_>, node: &Node<'_>, name: &str) -> Result<String, UplinkError> {
    let text = node.member(name).and_then(Node::text_or_number);
    text.map(str::to_owned)
        .ok_or_else(|| message.wrong("alink_attribute", node.span, &format!("{name} is missing or no text")))
}

fn listed(names: &[String]) -> String {
    if names.is_empty() { "all".to_owned() } else { names.join(", ") }
}

/// The time of day: milliseconds as text, whatever the device sent.
pub(super) fn time(message: &Message<'_>) -> Reading {
    let sent = message.envelope.member("deviceSendTime");
    let Some(sent) = sent.and_then(|member| member.value.text_or_number()) else {
        let span = message.envelope.root.span;
        return Err(message.wrong("ntp_device_time", span, "deviceSendTime is missing or no text"));
    };
    let now = message.uplink.received_at_ms.to_string();
    let payload = json!({ "deviceSendTime": sent, "serverRecvTime": now, "serverSendTime": now });
    let topic = message.uplink.topic.strip_suffix("request").unwrap_or_default();
    let reply = Downlink {
        topic: format!("{topic}response"),
        payload: payload.to_string().into_bytes(),
        qos: 0,
        if_subscribed: true,
        correlation: None,
        meaning: "time of day".to_owned(),
    };
    Ok(Understood {
        meaning: "time of day asked for".to_owned(),
        replies: vec![reply],
        ..Understood::default()
    })
}

/// Whether the device is to send its log: it need not, but what it sends is kept.
pub(super) fn log_configuration(uplink: &Uplink<'_>, prefix: &str) -> Reading {
    let envelope = Envelope::parse(uplink.payload).ok();
    let id = envelope.as_ref().and_then(id_of);
    let receipt = reply::receipt(
        format!("{prefix}/thing/config/log/get_reply"),
        id.unwrap_or_default(),
        Some("thing.config.log.get".to_owned()),
        "",
    );
    let data = json!({ "getType": "content", "content": { "mode": 0 } });
    Ok(Understood {
        meaning: "log configuration asked for".to_owned(),
        replies: vec![reply::answer(&receipt, 200, &data, "success")],
        ..Understood::default()
    })
}

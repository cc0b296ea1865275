//! The device shadow: its own envelope, its own codes, one topic up and one down.

use std::collections::BTreeMap;

use hexmq_device::json::{Node, NodeKind};
use hexmq_device::{Ask, ShadowAsk, Span, UplinkError};
use serde_json::json;

use super::Reading;
use super::message::Message;
use crate::reply;

/// The vendor's word for nothing: a string.
const NULL: &str = "null";

/// `{"method":"get"}`, `update` or `delete`.
pub(super) fn read(message: &Message<'_>) -> Reading {
    let (ask, meaning) = match message.envelope.method() {
        Some("get") => (ShadowAsk::Get, "shadow asked for".to_owned()),
        Some("update") => update(message)?,
        Some("delete") => delete(message)?,
        Some(other) => {
            let span = message.envelope.member("method").map_or(Span::default(), |member| member.value.span);
            return Err(wrong(message, 406, span, &format!("{other:?} is no method of a shadow")));
        }
        None => return Err(wrong(message, 401, message.envelope.root.span, "method is missing")),
    };
    message.ask_with(Ask::Shadow(ask), Some(receipt(message)), meaning)
}

fn receipt(message: &Message<'_>) -> hexmq_device::Receipt {
    let topic = format!("/shadow/get/{}/{}", message.device.product, message.device.device);
    let mut receipt = reply::receipt(topic, serde_json::Value::Null, None, "shadow_update");
    receipt.more = json!({ "at_ms": message.uplink.received_at_ms });
    receipt
}

fn wrong(message: &Message<'_>, code: u32, span: Span, text: &str) -> UplinkError {
    UplinkError {
        rule: "shadow_form",
        offset: span.offset,
        length: span.length,
        message: text.to_owned(),
        replies: vec![reply::shadow_error(&receipt(message), code, text)],
    }
}

fn state<'m>(message: &'m Message<'_>) -> Result<&'m Node<'m>, UplinkError> {
    let state = message.envelope.member("state").map(|member| &member.value);
    state
        .filter(|state| state.members().is_some())
        .ok_or_else(|| wrong(message, 402, message.envelope.root.span, "state is missing or no object"))
}

fn version(message: &Message<'_>) -> Result<i64, UplinkError> {
    let node = message.envelope.member("version").map(|member| &member.value);
    node.and_then(Node::text_or_number).and_then(|text| text.parse().ok()).ok_or_else(|| {
        let span = node.map_or(message.envelope.root.span, |node| node.span);
        wrong(message, 403, span, "version is missing or no whole number")
    })
}

fn is_null(node: &Node<'_>) -> bool {
    node.kind == NodeKind::Null || node.text() == Some(NULL)
}

fn update(message: &Message<'_>) -> Result<(ShadowAsk, String), UplinkError> {
    let state = state(message)?;
    let clear_desired = state.member("desired").is_some_and(is_null);
    let mut reported = BTreeMap::new();
    match state.member("reported") {
        Some(node) => {
            let members =
                node.members().ok_or_else(|| wrong(message, 404, node.span, "reported is no object"))?;
            for member in members {
                let value = (member.value.kind != NodeKind::Null).then(|| member.value.to_json());
                reported.insert(member.name.clone().into_owned(), value);
            }
        }
        None if clear_desired => {}
        None => return Err(wrong(message, 404, state.span, "state has no reported")),
    }
    let meaning = format!("{} shadow values reported", reported.len());
    Ok((ShadowAsk::Update { reported, version: version(message)?, clear_desired }, meaning))
}

fn delete(message: &Message<'_>) -> Result<(ShadowAsk, String), UplinkError> {
    let state = state(message)?;
    let Some(reported) = state.member("reported") else {
        return Err(wrong(message, 404, state.span, "state has no reported"));
    };
    let names = match reported.members() {
        Some(members) => Some(members.iter().map(|member| member.name.clone().into_owned()).collect()),
        None if is_null(reported) => None,
        None => return Err(wrong(message, 404, reported.span, "reported is neither an object nor \"null\"")),
    };
    let meaning = names.as_ref().map_or("the shadow is to be emptied".to_owned(), |names: &Vec<String>| {
        format!("{} shadow values removed", names.len())
    });
    Ok((ShadowAsk::Delete { names, version: version(message)? }, meaning))
}

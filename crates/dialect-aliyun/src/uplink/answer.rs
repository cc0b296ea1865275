//! Answers of a device to what it was told.

use hexmq_device::json::Node;
use hexmq_device::{Answered, Ask, DeviceRef, Request, Understood, Uplink};

use super::Reading;
use super::message::Message;
use crate::alink::Envelope;

/// An answer on a `_reply` topic: its `id` is that of the order.
pub(super) fn alink(message: &Message<'_>) -> Reading {
    let envelope = &message.envelope;
    let Some(id) = envelope.member("id").and_then(|id| id.value.text_or_number()) else {
        let span = envelope.root.span;
        return Err(message.wrong("alink_id_missing", span, "an answer without id belongs to nothing"));
    };
    let answered = Answered {
        correlation: id.to_owned(),
        payload: message.uplink.payload.to_vec(),
        code: code(envelope),
        data: envelope.member("data").map(|data| data.value.to_json()),
    };
    let meaning = meaning(answered.code);
    message.ask_with(Ask::Answered(answered), None, meaning)
}

/// Bytes that answer the order of this correlation; mostly they are Alink JSON nevertheless.
pub(super) fn raw(uplink: &Uplink<'_>, device: DeviceRef, correlation: &str) -> Understood {
    let envelope = Envelope::parse(uplink.payload).ok();
    let code = envelope.as_ref().and_then(code);
    let data = envelope.as_ref().and_then(|envelope| match envelope.member("data") {
        Some(data) => Some(data.value.to_json()),
        None => Some(envelope.root.to_json()).filter(|_| code.is_none()),
    });
    let answered =
        Answered { correlation: correlation.to_owned(), payload: uplink.payload.to_vec(), code, data };
    Understood {
        meaning: meaning(code),
        requests: vec![Request { device, ask: Ask::Answered(answered), receipt: None }],
        ..Understood::default()
    }
}

/// `code`, also as text.
fn code(envelope: &Envelope<'_>) -> Option<i64> {
    envelope.member("code").map(|code| &code.value).and_then(Node::text_or_number)?.parse().ok()
}

fn meaning(code: Option<i64>) -> String {
    code.map_or("answer".to_owned(), |code| format!("answer, code {code}"))
}

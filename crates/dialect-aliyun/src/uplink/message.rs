//! A message whose payload is JSON, with what is needed to answer it.

use hexmq_device::json::{Node, NodeKind};
use hexmq_device::{Ask, DeviceRef, Receipt, Request, Span, Understood, Uplink, UplinkError};
use serde_json::{Map, Value as Json};

use super::{Reading, salvage};
use crate::alink::{AlinkFault, AlinkRule, Envelope, of_envelope};
use crate::codes;
use crate::quirks::SILENT_ACK_0;
use crate::reply;
use crate::topic::{Content, Entry};

/// A message, read.
pub(super) struct Message<'a> {
    pub(super) uplink: &'a Uplink<'a>,
    /// Whose topic it is.
    pub(super) device: DeviceRef,
    pub(super) entry: &'static Entry,
    /// What stands for the `+` of the topic.
    pub(super) identifier: Option<&'a str>,
    pub(super) envelope: Envelope<'a>,
    notices: Vec<(&'static str, String)>,
}

impl<'a> Message<'a> {
    pub(super) fn parse(
        uplink: &'a Uplink<'a>,
        device: DeviceRef,
        entry: &'static Entry,
        identifier: Option<&'a str>,
    ) -> Result<Message<'a>, UplinkError> {
        let envelope = Envelope::parse(uplink.payload).map_err(|error| {
            let receipt = salvage::id(uplink.payload)
                .filter(|_| !matches!(entry.content, Content::Reply | Content::Json))
                .map(|id| reply::receipt(answer_topic(uplink), id, None, entry.name));
            let message = format!("no JSON: {error}");
            UplinkError {
                rule: "alink_json",
                offset: error.offset,
                length: usize::from(error.offset < uplink.payload.len()),
                replies: receipt
                    .iter()
                    .map(|receipt| reply::refusal(receipt, codes::NOT_JSON, &message))
                    .collect(),
                message,
            }
        })?;
        let faults = of_envelope(&envelope, entry, identifier);
        let mut message = Message { uplink, device, entry, identifier, envelope, notices: Vec::new() };
        for fault in faults {
            message.judge(fault)?;
        }
        Ok(message)
    }

    /// What is wrong with the envelope is refused only where it leaves nothing to work with.
    fn judge(&mut self, AlinkFault { rule, span }: AlinkFault) -> Result<(), UplinkError> {
        let text = match rule {
            AlinkRule::Json(_) | AlinkRule::Object => "the payload is no JSON object",
            AlinkRule::ParamsMissing if self.needs_params() => "params is missing",
            AlinkRule::IdMissing => "there is no id to answer with",
            AlinkRule::IdText => "id is no text",
            AlinkRule::ParamsMissing => "there is no params",
            AlinkRule::ParamsKind => "params is not what belongs to the topic",
            AlinkRule::MethodTopic => "method does not belong to the topic",
            AlinkRule::CodeMissing => "the answer has no code",
            AlinkRule::CodeNumber => "the code of the answer is no number",
            _ => return Ok(()),
        };
        let refused = matches!(rule, AlinkRule::Json(_) | AlinkRule::Object)
            || rule == AlinkRule::ParamsMissing && self.needs_params();
        if refused {
            return Err(self.wrong(rule.name(), span, text));
        }
        self.notices.push((rule.name(), format!("{text} (byte {})", span.offset)));
        Ok(())
    }

    fn needs_params(&self) -> bool {
        let optional = ["config_get", "desired_get"].contains(&self.entry.name);
        !optional && matches!(self.entry.content, Content::RequestObject | Content::RequestArray)
    }

    /// An error at a place, with the vendor's answer for parameters that are wrong.
    pub(super) fn wrong(&self, rule: &'static str, span: Span, message: &str) -> UplinkError {
        self.wrong_as(codes::PARAMETERS, rule, span, message)
    }

    /// The same with another code.
    pub(super) fn wrong_as(&self, code: u32, rule: &'static str, span: Span, message: &str) -> UplinkError {
        let receipt =
            if matches!(self.entry.content, Content::Json | Content::Reply) { None } else { self.receipt() };
        let known = receipt.filter(|receipt| !receipt.id.is_null());
        UplinkError {
            rule,
            offset: span.offset,
            length: span.length,
            message: message.to_owned(),
            replies: known.iter().map(|receipt| reply::refusal(receipt, code, message)).collect(),
        }
    }

    /// `params`, or the whole payload where it has none.
    pub(super) fn params(&self) -> &Node<'a> {
        self.envelope.params().unwrap_or(&self.envelope.root)
    }

    /// `params` without its places; `{}` where there is none.
    pub(super) fn params_json(&self) -> Json {
        self.envelope.params().map_or_else(|| Json::Object(Map::new()), Node::to_json)
    }

    /// What is needed to answer; `None` if no answer is wanted.
    pub(super) fn receipt(&self) -> Option<Receipt> {
        if self.uplink.product.switch(&SILENT_ACK_0) && !self.envelope.wants_answer() {
            return None;
        }
        let id = id_of(&self.envelope).unwrap_or(Json::Null);
        let method = self.envelope.method().map(str::to_owned);
        let method = method.or_else(|| self.entry.method_for(self.identifier));
        Some(reply::receipt(answer_topic(self.uplink), id, method, self.entry.name))
    }

    /// The device wants just this.
    pub(super) fn ask(&self, ask: Ask, meaning: impl Into<String>) -> Reading {
        self.ask_with(ask, self.receipt(), meaning)
    }

    /// The same with a receipt of its own.
    pub(super) fn ask_with(&self, ask: Ask, receipt: Option<Receipt>, meaning: impl Into<String>) -> Reading {
        Ok(Understood {
            meaning: meaning.into(),
            requests: vec![Request { device: self.device.clone(), ask, receipt }],
            replies: Vec::new(),
            notices: self.notices.clone(),
        })
    }
}

fn answer_topic(uplink: &Uplink<'_>) -> String {
    format!("{}_reply", uplink.topic)
}

/// `id` as it is to come back: text, or a number as it is written.
pub(super) fn id_of(envelope: &Envelope<'_>) -> Option<Json> {
    let node = &envelope.member("id")?.value;
    match &node.kind {
        NodeKind::String(_) => Some(node.to_json()),
        NodeKind::Number(text) => {
            let number = node.to_json();
            // A number that would be written differently comes back as text.
            let written = number.to_string();
            Some(if written == *text { number } else { Json::from(*text) })
        }
        _ => None,
    }
}

/// `{"productKey":…,"deviceName":…}`
pub(super) fn device_of(node: &Node<'_>) -> Option<DeviceRef> {
    let name = |name| node.member(name).and_then(Node::text).filter(|text| !text.is_empty());
    Some(DeviceRef::new(name("productKey")?, name("deviceName")?))
}

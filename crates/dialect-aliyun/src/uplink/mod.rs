//! What a message of a device means.
//!
//! The topic decides; the method that a message names is never compared with it but for a note in the log, as
//! the cloud stores properties whatever their method says. Identifiers of messages come back as they are.

mod answer;
mod gateway;
mod message;
mod ota;
mod post;
mod request;
mod salvage;
mod shadow;

use hexmq_device::{Ask, DeviceRef, Request, Understood, Uplink, UplinkError};

use self::message::Message;
use crate::alink::Envelope;
use crate::codes;
use crate::reply;
use crate::topic::{Direction, Entry, Topic};

type Reading = Result<Understood, UplinkError>;

/// See [`hexmq_device::Dialect::uplink`].
pub(crate) fn read(uplink: &Uplink<'_>) -> Reading {
    let topic = Topic::parse(uplink.topic);
    let Some((entry, topic)) = topic.and_then(|topic| Some((topic.entry?, topic))) else {
        return unknown(uplink);
    };
    let device = match (topic.product_key, topic.device_name) {
        (Some((product, _)), Some((device, _))) => DeviceRef::new(product, device),
        _ => uplink.device.clone(),
    };
    let identifier = topic.identifier.map(|(name, _)| name);
    match entry.name {
        "custom" => Ok(custom(uplink, device)),
        "raw_up" => Ok(raw_up(uplink, device)),
        "raw_down_reply" => Ok(answer::raw(uplink, device, "down_raw")),
        "rrpc_response" | "custom_rrpc" => Ok(answer::raw(uplink, device, identifier.unwrap_or_default())),
        _ if entry.direction == Direction::Down => Err(downward(entry)),
        name => {
            let message = Message::parse(uplink, device, entry, identifier)?;
            json(&message, name)
        }
    }
}

/// Messages whose payload is JSON.
fn json(message: &Message<'_>, name: &str) -> Reading {
    match name {
        "property_post" => post::properties(message),
        "event_post" => post::event(message),
        "property_batch_post" => post::batch(message),
        "property_pack_post" => post::pack(message),
        "property_history_post" => post::history(message),
        "topology_add" => gateway::topology_add(message),
        "topology_delete" => gateway::devices(message, Ask::TopologyDelete),
        "topology_get" => message.ask(Ask::TopologyGet, "topology asked for"),
        "list_found" => gateway::devices(message, Ask::Found),
        "sub_login" | "sub_batch_login" => gateway::login(message),
        "sub_logout" | "sub_batch_logout" => gateway::devices(message, Ask::SubLogout),
        "sub_register" => gateway::register(message),
        "product_register" => gateway::product_register(message),
        "desired_get" => request::desired_get(message),
        "desired_delete" => request::desired_delete(message),
        "tags_update" => request::tags_update(message),
        "tags_delete" => request::tags_delete(message),
        "tsl_get" | "dynamic_tsl_get" => message.ask(Ask::ModelGet, "thing model asked for"),
        "config_get" => message.ask(Ask::ConfigGet, "configuration asked for"),
        "log_post" => message.ask(Ask::Log(message.params_json()), "lines of its own log"),
        "diagnosis_post" => {
            let note = Ask::Note { name: "network_diagnosis", params: message.params_json() };
            message.ask(note, "network diagnosis")
        }
        "ntp_request" => request::time(message),
        "shadow_update" => shadow::read(message),
        "ota_inform" => ota::inform(message),
        "ota_progress" => ota::progress(message),
        "ota_request" | "firmware_get" => ota::get(message),
        _ => answer::alink(message),
    }
}

/// A topic of the product's own.
fn custom(uplink: &Uplink<'_>, device: DeviceRef) -> Understood {
    let ask = Ask::Raw { topic: uplink.topic.to_owned(), payload: uplink.payload.to_vec() };
    Understood {
        meaning: format!("{} bytes on a topic of its own", uplink.payload.len()),
        requests: vec![Request { device, ask, receipt: None }],
        ..Understood::default()
    }
}

/// Bytes that a script would turn into Alink JSON; there is none, so they are for the application.
fn raw_up(uplink: &Uplink<'_>, device: DeviceRef) -> Understood {
    let ask = Ask::Raw { topic: uplink.topic.to_owned(), payload: uplink.payload.to_vec() };
    let id = salvage::id(uplink.payload).unwrap_or_else(|| "0".into());
    let receipt = reply::receipt(format!("{}_reply", uplink.topic), id, None, "raw_up");
    Understood {
        meaning: format!("{} transparent bytes", uplink.payload.len()),
        requests: vec![Request { device, ask, receipt: Some(receipt) }],
        ..Understood::default()
    }
}

fn unknown(uplink: &Uplink<'_>) -> Reading {
    let mut levels = uplink.topic.split('/').skip(1);
    let (first, second) = (levels.next().unwrap_or_default(), levels.next().unwrap_or_default());
    let of_cloud = ["sys", "ext", "ota", "shadow", "broadcast"].contains(&first);
    if !of_cloud && !first.is_empty() && !second.is_empty() {
        return Ok(custom(uplink, DeviceRef::new(first, second)));
    }
    if let Some(topic) = uplink.topic.strip_suffix("/thing/config/log/get") {
        return request::log_configuration(uplink, topic);
    }
    let id = Envelope::parse(uplink.payload).ok().and_then(|envelope| message::id_of(&envelope));
    let receipt = id.map(|id| reply::receipt(format!("{}_reply", uplink.topic), id, None, ""));
    let text = "the cloud knows no such topic";
    Err(UplinkError {
        rule: "alink_topic",
        offset: 0,
        length: 0,
        message: format!("{text}: {}", uplink.topic),
        replies: receipt.iter().map(|receipt| reply::refusal(receipt, codes::TOPIC, text)).collect(),
    })
}

fn downward(entry: &Entry) -> UplinkError {
    UplinkError {
        rule: "alink_topic_direction",
        offset: 0,
        length: 0,
        message: format!("only the platform publishes to {}", entry.form),
        replies: Vec::new(),
    }
}

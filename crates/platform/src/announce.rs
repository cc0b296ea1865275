//! What applications are told: normalised MQTT messages and webhooks.

use std::sync::Arc;

use hexmq_device::port::Sent;
use hexmq_device::{Command, DeviceRef, Downlink, Event, LogLine, Point, Presence, mac};
use serde_json::{Map, Value as Json, json};
use sha2::{Digest, Sha256};

use crate::cloud::Handed;
use crate::core::Core;
use crate::loglines::down;
use crate::times::rfc3339;
use crate::webhooks::Notice;

impl Core {
    /// Values, one message for each time they are of.
    pub(crate) fn tell_points(&self, device: &DeviceRef, points: &[Point], uplink: Option<&Handed>) {
        for (at, points) in points.chunk_by(|a, b| a.at_ms == b.at_ms).enumerate() {
            let Some(first) = points.first() else { continue };
            let values: Map<String, Json> =
                points.iter().map(|point| (point.id.clone(), value(point))).collect();
            let body = json!({
                "at": rfc3339(first.at_ms),
                "received_at": rfc3339(first.received_at_ms),
                "values": values,
            });
            self.tell(device, "properties", "uplink", body, &source(uplink, "properties", at));
        }
    }

    pub(crate) fn tell_event(&self, event: &Event, uplink: Option<(&Handed, usize)>) {
        let body = json!({
            "at": rfc3339(event.at_ms),
            "received_at": rfc3339(event.received_at_ms),
            "id": event.id,
            "params": event.params,
        });
        let (uplink, at) = uplink.unzip();
        let topic = format!("events/{}", level(&event.id));
        self.tell(&event.device, &topic, "event", body, &source(uplink, "event", at.unwrap_or(0)));
    }

    /// Bytes that only the application understands.
    pub(crate) fn tell_raw(&self, device: &DeviceRef, uplink: &Handed, topic: &str, payload: &[u8]) {
        let body = json!({
            "at": rfc3339(uplink.received_at_ms),
            "topic": topic,
            "payload_hex": mac::to_hex(payload),
        });
        self.tell(device, "messages", "uplink", body, &source(Some(uplink), "raw", 0));
    }

    pub(crate) fn tell_presence(&self, device: &DeviceRef, presence: &Presence, at_ms: i64) {
        let body = json!({
            "at": rfc3339(at_ms),
            "status": if presence.online { "online" } else { "offline" },
            "reason": presence.reason,
            "peer": presence.peer,
        });
        self.tell(device, "presence", "presence", body, &Source::New);
    }

    pub(crate) fn tell_command(&self, command: &Command) {
        let reply = command.reply.as_deref();
        let body = json!({
            "at": rfc3339(self.now_ms()),
            "id": command.id,
            "state": command.state.name(),
            "reason": command.reason,
            "order": command.order,
            "reply": reply.and_then(|reply| std::str::from_utf8(reply).ok()),
            "reply_hex": reply.map(mac::to_hex),
            "reply_code": command.reply_code,
            "reply_data": command.reply_data,
        });
        self.tell(&command.device, "commands", "command", body, &Source::New);
    }

    fn tell(&self, device: &DeviceRef, topic: &str, kind: &'static str, body: Json, source: &Source) {
        if let Some(fleet) = self.fleet.get() {
            let topic = format!("$hexmq/{}/{}/{topic}", device.product, device.device);
            fleet.publish(0, &topic, body.to_string().as_bytes(), 1, false);
        }
        if self.webhooks.wants(kind, &device.product) {
            let notice = Notice::new(source.id(), kind, topic, device, body, self.now_ms());
            self.webhooks.push(kind, &device.product, &Arc::new(notice), &self.settings);
        }
    }

    pub(crate) fn log_reply(&self, device: &DeviceRef, at_ms: i64, reply: &Downlink, sent: Sent) {
        let error = match sent {
            Sent::Sent => None,
            Sent::Offline => Some("offline: the device has gone before its answer was sent".to_owned()),
            Sent::NotSubscribed => {
                Some("not_subscribed: the device has not subscribed to its answers".to_owned())
            }
            Sent::Full => Some("full: too much waits for the device already".to_owned()),
        };
        self.log(LogLine { error, ..down(device, at_ms, "replied", reply) });
    }
}

/// Where a notice comes from: the same uplink, read again after a restart, makes the same id.
enum Source {
    Uplink(String),
    New,
}

impl Source {
    fn id(&self) -> String {
        match self {
            Source::Uplink(of) => {
                let hash: [u8; 32] = Sha256::digest(of.as_bytes()).into();
                hash.first_chunk::<16>().map(|id| mac::to_hex(id)).unwrap_or_default()
            }
            // Without randomness there is no id; who receives it cannot tell a repetition, and nothing else is lost.
            Source::New => crate::random::bytes::<16>().map(|id| mac::to_hex(&id)).unwrap_or_default(),
        }
    }
}

fn source(uplink: Option<&Handed>, what: &str, at: usize) -> Source {
    match uplink {
        Some(uplink) => Source::Uplink(format!("{}/{}/{what}/{at}", uplink.inbox, uplink.place)),
        None => Source::New,
    }
}

/// A value as JSON; bytes in hex.
fn value(point: &Point) -> Json {
    match point.value.bytes() {
        Some(bytes) => json!({"value": null, "value_hex": mac::to_hex(bytes)}),
        None => point.value.to_json(),
    }
}

/// What can be one level of a topic name.
fn level(id: &str) -> String {
    id.chars().map(|letter| if matches!(letter, '/' | '+' | '#' | '\0') { '_' } else { letter }).collect()
}

//! Messages of devices for the platform: how they are kept, and how they are handed up.
//!
//! In the store an uplink is a message of the inbox, a session of the server's own. Its namespace is the
//! device's, its topic, payload and QoS are those it was published with, and its properties are two User
//! Properties: `device` (the identifier of its session) and `received` (milliseconds since 1970 UTC). Whatever
//! properties the device had sent are not kept.

use std::sync::Arc;

use hexmq_session::Wall;
use hexmq_wire::{Properties, PropertiesBuf, Property, QoS};

use crate::{Message, Namespace, Reach};

/// A message of a device, for the platform. It is the platform's until it says that it is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandedUp {
    /// The inbox it was kept in.
    pub inbox: Arc<str>,
    /// Its place there: grows within an inbox, and is the same if it is handed up again.
    pub place: u64,
    /// Whose device.
    pub namespace: Namespace,
    /// The identifier of the device's session.
    pub device: Box<str>,
    /// Topic name.
    pub topic: Box<str>,
    /// Application message.
    pub payload: Box<[u8]>,
    /// It was published with.
    pub qos: QoS,
    /// Milliseconds since 1970 UTC.
    pub received_at_ms: u64,
}

const DEVICE: &str = "device";
const RECEIVED: &str = "received";

/// Writes down whose message it is and when it came.
pub(crate) fn note_origin(device: &str, at: Wall, properties: &mut PropertiesBuf) {
    properties.clear();
    let at = at.0.to_string();
    for (name, value) in [(DEVICE, device), (RECEIVED, at.as_str())] {
        // An identifier came in a packet, so it is not too long.
        let _ = properties.push(Property::UserProperty(name, value));
    }
}

/// Names of the User Property that says how far the Will of a device goes; its value is the product.
const WILL_TO: [(Reach, &str); 3] = [
    (Reach::Platform, "hexmq-will-to-platform"),
    (Reach::Topics, "hexmq-will-to-topics"),
    (Reach::Both, "hexmq-will-to-both"),
];

/// Writes down behind the properties of a Will how far it goes: it may be published after a restart, when
/// nobody knows the device's rules.
pub(crate) fn note_will(product: &str, reach: Reach, properties: &mut Vec<u8>) {
    let mut note = PropertiesBuf::new();
    let name = WILL_TO.iter().find(|(to, _)| *to == reach).map_or("", |(_, name)| name);
    // A product's name is short.
    let _ = note.push(Property::UserProperty(name, product));
    properties.extend_from_slice(note.as_properties().as_bytes());
}

/// Takes that off again: how far the Will of a device goes, and its product. It stands last.
pub(crate) fn take_will_note(properties: &mut Vec<u8>) -> Option<(Reach, Box<str>)> {
    let (name, product) = Properties::from_stored(properties).user_properties().last()?;
    let reach = WILL_TO.iter().find(|(_, known)| *known == name).map(|(reach, _)| *reach)?;
    let product: Box<str> = product.into();
    let mut note = Vec::new();
    note_will(&product, reach, &mut note);
    let rest = properties.len().checked_sub(note.len())?;
    properties.truncate(rest);
    Some((reach, product))
}

impl HandedUp {
    /// Reads back what was kept.
    pub(crate) fn of(inbox: &Arc<str>, place: u64, message: &Message<'_>) -> HandedUp {
        let (mut device, mut received_at_ms) = ("", 0);
        for (name, value) in Properties::from_stored(message.properties).user_properties() {
            match name {
                DEVICE => device = value,
                RECEIVED => received_at_ms = value.parse().unwrap_or(0),
                _ => {}
            }
        }
        HandedUp {
            inbox: Arc::clone(inbox),
            place,
            namespace: message.namespace,
            device: device.into(),
            topic: message.topic.into(),
            payload: message.payload.into(),
            qos: message.qos,
            received_at_ms,
        }
    }
}

//! The few packets the scenarios send, and what must not come back.

use hexmq_wire::{
    Connect, ControlPacket, Delivery, Disconnect, PacketIdentifier, Properties, Publish, QoS, ReasonCode,
    Subscribe, SubscriptionOptions, SubscriptionsBuf, Version,
};

use super::fleet::Outbox;

/// Longer than any run, so that nobody has to send a PINGREQ; but there is one, as clients have: rumqttd refuses
/// those without.
const KEEP_ALIVE_S: u16 = 3600;

/// Sends a CONNECT.
pub(super) fn send_connect(
    out: &mut Outbox,
    client: usize,
    version: Version,
    identifier: &str,
    clean_start: bool,
) -> Result<(), String> {
    let connect = Connect {
        version,
        clean_start,
        keep_alive_s: KEEP_ALIVE_S,
        client_identifier: identifier,
        will: None,
        user_name: None,
        password: None,
        properties: Properties::EMPTY,
    };
    out.send(client, &ControlPacket::Connect(connect))
}

/// Subscribes; the first packet identifier of the client is used.
pub(super) fn send_subscribe<F: AsRef<str>>(
    out: &mut Outbox,
    client: usize,
    version: Version,
    filters: impl IntoIterator<Item = F>,
    qos: QoS,
) -> Result<(), String> {
    let mut subscriptions = SubscriptionsBuf::default();
    let options = SubscriptionOptions::with_qos(qos);
    for filter in filters {
        subscriptions.push(filter.as_ref(), options, version).map_err(|error| error.to_string())?;
    }
    let subscribe = Subscribe {
        packet_identifier: PacketIdentifier::MIN,
        properties: Properties::EMPTY,
        subscriptions: subscriptions.as_subscriptions(),
    };
    out.send(client, &ControlPacket::Subscribe(subscribe))
}

/// Publishes.
pub(super) fn send_publish(
    out: &mut Outbox,
    client: usize,
    topic_name: &str,
    payload: &[u8],
    delivery: Delivery,
    retain: bool,
) -> Result<(), String> {
    let properties = Properties::EMPTY;
    let publish = Publish { dup: false, delivery, retain, topic_name, properties, payload };
    out.send(client, &ControlPacket::Publish(publish))
}

/// Says goodbye; the server closes.
pub(super) fn send_disconnect(out: &mut Outbox, client: usize) -> Result<(), String> {
    out.send(client, &ControlPacket::Disconnect(Disconnect::with_reason(ReasonCode::Success)))
}

/// How a message of this QoS is sent by a client whose last packet identifier was `used`.
pub(super) fn delivery(qos: QoS, used: &mut u16) -> Delivery {
    let mut next = || {
        let identifier = PacketIdentifier::new(used.wrapping_add(1)).unwrap_or(PacketIdentifier::MIN);
        *used = identifier.get();
        identifier
    };
    match qos {
        QoS::AtMostOnce => Delivery::AtMostOnce,
        QoS::AtLeastOnce => Delivery::AtLeastOnce(next()),
        QoS::ExactlyOnce => Delivery::ExactlyOnce(next()),
    }
}

/// A refused CONNECT or subscription ends the run.
pub(super) fn expect_accepted(client: usize, packet: &ControlPacket<'_>) -> Result<(), String> {
    match packet {
        ControlPacket::Connack(connack) if connack.reason_code.is_error() => {
            Err(format!("client {client} was refused: {}", connack.reason_code.name()))
        }
        ControlPacket::Suback(suback) if suback.reason_codes.iter().any(|&code| code >= 0x80) => {
            Err(format!("client {client} may not subscribe: {:?}", suback.reason_codes))
        }
        ControlPacket::Disconnect(disconnect) => {
            Err(format!("client {client} was sent away: {}", disconnect.reason_code.name()))
        }
        _ => Ok(()),
    }
}

/// The number at the start of a payload.
pub(super) fn number_in(payload: &[u8]) -> Option<u64> {
    payload.first_chunk().map(|bytes| u64::from_be_bytes(*bytes))
}

/// Writes the number there.
pub(super) fn put_number(payload: &mut [u8], number: u64) {
    if let Some(place) = payload.first_chunk_mut() {
        *place = number.to_be_bytes();
    }
}

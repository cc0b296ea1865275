//! The scenarios.

mod crowd;
mod idle;
mod pairs;

pub(crate) use crowd::Crowd;
pub(crate) use idle::Idle;
pub(crate) use pairs::Pairs;

use hexmq_wire::{
    Connect, ControlPacket, PacketIdentifier, Properties, QoS, Subscribe, SubscriptionOptions,
    SubscriptionsBuf, Version,
};

use crate::fleet::Outbox;

/// Sends a CONNECT with a clean session and no Keep Alive.
fn send_connect(out: &mut Outbox, client: usize, version: Version, identifier: &str) -> Result<(), String> {
    let connect = Connect {
        version,
        clean_start: true,
        keep_alive_s: 0,
        client_identifier: identifier,
        will: None,
        user_name: None,
        password: None,
        properties: Properties::EMPTY,
    };
    out.send(client, &ControlPacket::Connect(connect))
}

/// Subscribes to one filter; the first packet identifier of the client is used.
fn send_subscribe(
    out: &mut Outbox,
    client: usize,
    version: Version,
    filter: &str,
    qos: QoS,
) -> Result<(), String> {
    let mut subscriptions = SubscriptionsBuf::default();
    let options = SubscriptionOptions { qos, ..SubscriptionOptions::default() };
    subscriptions.push(filter, options, version).map_err(|error| error.to_string())?;
    let subscribe = Subscribe {
        packet_identifier: PacketIdentifier::MIN,
        properties: Properties::EMPTY,
        subscriptions: subscriptions.as_subscriptions(),
    };
    out.send(client, &ControlPacket::Subscribe(subscribe))
}

/// A refused CONNECT or subscription ends the run.
fn expect_accepted(client: usize, packet: &ControlPacket<'_>) -> Result<(), String> {
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

fn qos_of(number: u8) -> Result<QoS, String> {
    QoS::from_bits(number).ok_or_else(|| format!("there is no QoS {number}"))
}

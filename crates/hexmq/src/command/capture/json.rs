//! The JSON lines, described in `docs/capture.md`.

use hexmq_wire::{ControlPacket, PacketType, QoS};
use hexmq_workbench::capture::{Connection, Note, Packet, Totals, Traffic};
use hexmq_workbench::{Explanation, Finding, Language, packet_line, plain_hex};
use serde_json::{Map, Value, json};

use super::report::Detail;

/// A packet.
pub(super) fn packet(
    connection: &Connection,
    packet: &Packet<'_>,
    explanation: Option<&Explanation>,
    of_dialogue: &[Finding],
    detail: Detail,
) -> Value {
    let mut object = json!({
        "type": "packet",
        "at": packet.at.to_string(),
        "number": packet.packet,
        "connection": connection.number,
        "from": packet.from.name(),
        "packet": packet.packet_type().map_or("RESERVED", PacketType::name),
        "version": packet.version.level(),
        "line": packet_line(packet.bytes, packet.version),
        "hex": plain_hex(packet.bytes),
    });
    let Some(map) = object.as_object_mut() else { return object };
    match &packet.decoded {
        Ok(decoded) => key_fields(map, decoded),
        Err(fault) => {
            let fault = json!({
                "code": fault.code.name(),
                "statement": fault.statement,
                "field": fault.field,
                "offset": fault.offset,
                "length": fault.length,
            });
            map.insert("fault".to_owned(), fault);
        }
    }
    if let Some(explanation) = explanation {
        let whole = explanation.to_json();
        if detail.explain {
            map.insert("explanation".to_owned(), whole);
        } else {
            let findings = whole["packets"][0]["faults"].clone();
            map.insert("findings".to_owned(), findings);
        }
    }
    if detail.lint {
        map.insert("dialogue_findings".to_owned(), of_dialogue.iter().map(finding).collect());
    }
    object
}

fn finding(finding: &Finding) -> Value {
    json!({
        "code": finding.code,
        "severity": finding.severity.name(),
        "statement": finding.statement,
        "offset": finding.offset,
        "length": finding.length,
        "message": finding.message,
        "repair_hex": finding.repair.as_deref().map(plain_hex),
    })
}

/// What a conversation as a whole shows.
pub(super) fn end_findings(connection: &Connection, findings: &[Finding]) -> Value {
    json!({
        "type": "findings",
        "at": connection.last.to_string(),
        "connection": connection.number,
        "dialogue_findings": findings.iter().map(finding).collect::<Vec<_>>(),
    })
}

/// What one looks for most.
fn key_fields(map: &mut Map<String, Value>, packet: &ControlPacket<'_>) {
    let mut put = |name: &str, value: Value| map.insert(name.to_owned(), value);
    match packet {
        ControlPacket::Connect(connect) => {
            put("client_id", connect.client_identifier.into());
            put("keep_alive", connect.keep_alive_s.into());
            put("clean_start", connect.clean_start.into());
            put("user_name", connect.user_name.into());
        }
        ControlPacket::Connack(connack) => {
            put("reason_code", (connack.reason_code as u8).into());
            put("session_present", connack.session_present.into());
        }
        ControlPacket::Publish(publish) => {
            put("topic", publish.topic_name.into());
            put("qos", (publish.qos() as u8).into());
            put("retain", publish.retain.into());
            put("dup", publish.dup.into());
            put("payload_bytes", publish.payload.len().into());
            if publish.qos() != QoS::AtMostOnce {
                put("packet_identifier", publish.delivery.packet_identifier().map(u16::from).into());
            }
        }
        ControlPacket::Puback(ack)
        | ControlPacket::Pubrec(ack)
        | ControlPacket::Pubrel(ack)
        | ControlPacket::Pubcomp(ack) => {
            put("packet_identifier", ack.packet_identifier.get().into());
            put("reason_code", (ack.reason_code as u8).into());
        }
        ControlPacket::Subscribe(subscribe) => {
            put("packet_identifier", subscribe.packet_identifier.get().into());
            let filters: Vec<&str> = subscribe.subscriptions.iter().map(|each| each.topic_filter).collect();
            put("filters", filters.into());
        }
        ControlPacket::Suback(suback) => {
            put("packet_identifier", suback.packet_identifier.get().into());
            put("reason_codes", suback.reason_codes.to_vec().into());
        }
        ControlPacket::Unsubscribe(unsubscribe) => {
            put("packet_identifier", unsubscribe.packet_identifier.get().into());
            put("filters", unsubscribe.topic_filters.iter().collect::<Vec<&str>>().into());
        }
        ControlPacket::Unsuback(unsuback) => {
            put("packet_identifier", unsuback.packet_identifier.get().into());
        }
        ControlPacket::Disconnect(disconnect) => {
            put("reason_code", (disconnect.reason_code as u8).into());
        }
        ControlPacket::Auth(auth) => {
            put("reason_code", (auth.reason_code as u8).into());
        }
        ControlPacket::Pingreq | ControlPacket::Pingresp => {}
    }
}

/// A note.
pub(super) fn note(connection: &Connection, note: &Note, language: Language) -> Value {
    json!({
        "type": "note",
        "at": note.at.to_string(),
        "number": note.packet,
        "connection": connection.number,
        "from": note.from.map(|side| side.name()),
        "note": note.kind.name(),
        "text": note.kind.text(language),
    })
}

/// A connection that is over.
pub(super) fn connection(connection: &Connection) -> Value {
    json!({
        "type": "connection",
        "connection": connection.number,
        "client": connection.client.to_string(),
        "server": connection.server.to_string(),
        "via": connection.via.name(),
        "opened": connection.opened.to_string(),
        "last": connection.last.to_string(),
        "from_start": connection.from_start,
        "version": connection.version.map(|version| version.level()),
        "client_id": connection.client_identifier,
        "connack": connection.connack.map(|code| code as u8),
        "disconnect": connection.disconnect.map(|(side, code)| json!({
            "from": side.name(),
            "reason_code": code as u8,
        })),
        "by_client": traffic(&connection.by_client),
        "by_server": traffic(&connection.by_server),
        "encrypted": connection.encrypted.is_some(),
        "server_name": connection.server_name,
        "end": connection.end.map(|end| end.name()),
        "ended_by": connection.end.and_then(|end| end.by()).map(|side| side.name()),
    })
}

fn traffic(traffic: &Traffic) -> Value {
    let mut packets = Map::new();
    for (kind, &count) in (0..).zip(&traffic.packets).filter(|(_, count)| **count > 0) {
        packets
            .insert(PacketType::from_u8(kind).map_or("RESERVED", PacketType::name).to_owned(), count.into());
    }
    json!({
        "bytes": traffic.bytes,
        "packets": packets,
        "faulty": traffic.faulty,
        "repeated_segments": traffic.delivery.repeated,
        "reordered_segments": traffic.delivery.reordered,
        "gaps": traffic.delivery.gaps,
        "lost_bytes": traffic.delivery.lost,
    })
}

/// The last line.
pub(super) fn totals(totals: &Totals) -> Value {
    json!({
        "type": "summary",
        "bytes": totals.bytes,
        "packets": totals.packets,
        "first": totals.first.map(|at| at.to_string()),
        "last": totals.last.map(|at| at.to_string()),
        "tcp_segments": totals.segments,
        "tcp_connections": totals.connections,
        "numbered_connections": totals.numbered,
        "set_aside": totals.set_aside,
        "not_ip": totals.not_ip,
        "not_tcp": totals.not_tcp,
        "ip_fragments": totals.fragments,
        "malformed": totals.malformed,
        "unknown_link_type": totals.unknown_link_type,
    })
}

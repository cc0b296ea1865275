//! A packet as a record.

use hexmq_wire::{
    Ack, Connect, ControlPacket, PacketIdentifier, Properties, Publish, QoS, ReasonCode, Subscribe, Version,
    Will,
};

use crate::property::property_field;
use crate::record::{Name, Record, Value};

/// Fields in the order they are printed.
#[derive(Default)]
struct Fields(Vec<(Name, Value)>);

impl Fields {
    fn push(&mut self, text: &'static str, value: Value) {
        self.0.push((Name::field(text), value));
    }

    fn number(&mut self, text: &'static str, number: impl Into<u64>) {
        self.push(text, Value::Number(number.into()));
    }

    fn flag(&mut self, text: &'static str, set: bool) {
        if set {
            self.push(text, Value::Flag);
        }
    }

    fn text(&mut self, text: &'static str, value: &str) {
        self.push(text, Value::Text(value.to_owned()));
    }

    fn pid(&mut self, pid: PacketIdentifier) {
        self.number("pid", pid.get());
    }

    fn qos(&mut self, qos: QoS) {
        self.number("qos", qos as u8);
    }

    fn properties(&mut self, properties: Properties<'_>, will: bool) {
        self.0.extend(properties.iter().map(|property| property_field(property, will)));
    }

    fn connect(&mut self, connect: &Connect<'_>) {
        self.push("version", Value::Version(connect.version));
        self.text("id", connect.client_identifier);
        self.flag("clean_start", connect.clean_start);
        self.number("keep_alive", connect.keep_alive_s);
        if let Some(user_name) = connect.user_name {
            self.text("user_name", user_name);
        }
        if let Some(password) = connect.password {
            self.push("password", Value::Binary(password.to_vec()));
        }
        self.properties(connect.properties, false);
        if let Some(will) = &connect.will {
            self.will(will);
        }
    }

    fn will(&mut self, will: &Will<'_>) {
        self.0.push((Name::will("topic"), Value::Text(will.topic.to_owned())));
        self.0.push((Name::will("payload"), Value::Binary(will.payload.to_vec())));
        self.0.push((Name::will("qos"), Value::Number(will.qos as u64)));
        if will.retain {
            self.0.push((Name::will("retain"), Value::Flag));
        }
        self.properties(will.properties, true);
    }

    fn publish(&mut self, publish: &Publish<'_>) {
        self.flag("dup", publish.dup);
        self.qos(publish.qos());
        if let Some(pid) = publish.delivery.packet_identifier() {
            self.pid(pid);
        }
        self.flag("retain", publish.retain);
        self.text("topic", publish.topic_name);
        self.properties(publish.properties, false);
        self.push("payload", Value::Binary(publish.payload.to_vec()));
    }

    fn ack(&mut self, ack: &Ack<'_>) {
        self.push("code", Value::Code(ack.reason_code as u8));
        self.pid(ack.packet_identifier);
        self.properties(ack.properties, false);
    }

    fn subscribe(&mut self, subscribe: &Subscribe<'_>, version: Version) {
        self.pid(subscribe.packet_identifier);
        self.properties(subscribe.properties, false);
        for subscription in subscribe.subscriptions.iter() {
            let options = subscription.options;
            self.text("filter", subscription.topic_filter);
            self.qos(options.qos);
            if version == Version::V5 {
                self.flag("no_local", options.no_local);
                self.flag("retain_as_published", options.retain_as_published);
                self.number("retain_handling", options.retain_handling as u8);
            }
        }
    }

    fn answers(&mut self, pid: PacketIdentifier, codes: &[u8], properties: Properties<'_>) {
        self.pid(pid);
        if !codes.is_empty() {
            self.push("codes", Value::Codes(codes.to_vec()));
        }
        self.properties(properties, false);
    }
}

/// The code as on the wire. A reason code without a return code cannot come from a 3.x packet.
fn connack_code(reason_code: ReasonCode, version: Version) -> u8 {
    match version {
        Version::V5 => reason_code as u8,
        _ => reason_code.return_code().unwrap_or(reason_code as u8),
    }
}

impl Record {
    /// The record of a packet that was read, or is to be written, with `version`. What that
    /// version lacks is left out.
    pub fn from_packet(packet: &ControlPacket<'_>, version: Version) -> Record {
        let mut fields = Fields::default();
        let mut version = version;
        match packet {
            ControlPacket::Connect(connect) => {
                version = connect.version;
                fields.connect(connect);
            }
            ControlPacket::Connack(connack) => {
                fields.push("code", Value::Code(connack_code(connack.reason_code, version)));
                fields.number("session_present", connack.session_present);
                fields.properties(connack.properties, false);
            }
            ControlPacket::Publish(publish) => fields.publish(publish),
            ControlPacket::Puback(ack)
            | ControlPacket::Pubrec(ack)
            | ControlPacket::Pubrel(ack)
            | ControlPacket::Pubcomp(ack) => fields.ack(ack),
            ControlPacket::Subscribe(subscribe) => fields.subscribe(subscribe, version),
            ControlPacket::Suback(suback) => {
                fields.answers(suback.packet_identifier, suback.reason_codes, suback.properties);
            }
            ControlPacket::Unsubscribe(unsubscribe) => {
                fields.pid(unsubscribe.packet_identifier);
                fields.properties(unsubscribe.properties, false);
                unsubscribe.topic_filters.iter().for_each(|filter| fields.text("filter", filter));
            }
            ControlPacket::Unsuback(unsuback) => {
                fields.answers(unsuback.packet_identifier, unsuback.reason_codes, unsuback.properties);
            }
            ControlPacket::Pingreq | ControlPacket::Pingresp => {}
            ControlPacket::Disconnect(disconnect) => {
                fields.push("code", Value::Code(disconnect.reason_code as u8));
                fields.properties(disconnect.properties, false);
            }
            ControlPacket::Auth(auth) => {
                fields.push("code", Value::Code(auth.reason_code as u8));
                fields.properties(auth.properties, false);
            }
        }
        Record { packet_type: packet.packet_type(), version, fields: fields.0 }
    }
}

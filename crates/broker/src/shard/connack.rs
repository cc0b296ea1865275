//! CONNACK: what a client is told that is let in (section 3.2).

use hexmq_wire::{Connack, Connect, ControlPacket, PropertiesBuf, Property, ReasonCode, Version};

use super::Shard;
use crate::session::Expiry;
use crate::{ConnId, SessionKey, Sink};

impl Shard {
    /// The Keep Alive that counts: the client's, or the server's bound for 5.0 clients, who are
    /// told. [V5 MQTT-3.1.2-21]
    /// [V5 MQTT-3.2.2-22, V5 U-3.1.2.10-1]
    pub(super) fn keep_alive_for(&self, connect: &Connect<'_>) -> u16 {
        match self.residents.limits.keep_alive_max_s {
            Some(max) if connect.version == Version::V5 => match connect.keep_alive_s {
                0 => max,
                asked => asked.min(max),
            },
            _ => connect.keep_alive_s,
        }
    }

    /// CONNACK 0x00 with what the client has to know. False if the client has no room for it.
    /// No Reason String and no User Property, so none can be too much.
    /// [V5 MQTT-3.2.0-2, V5 MQTT-3.2.2-19, V5 MQTT-3.2.2-20]
    #[allow(clippy::too_many_arguments, reason = "everything a CONNACK says")]
    pub(super) fn accept(
        &mut self,
        conn: ConnId,
        connect: &Connect<'_>,
        key: &SessionKey,
        session: u32,
        session_present: bool,
        data: Option<&[u8]>,
        out: &mut impl Sink,
    ) -> bool {
        let mut properties = PropertiesBuf::new();
        if connect.version == Version::V5 {
            let expiry = self.residents.sessions.at(session).map(|session| session.expiry);
            self.announce(connect, key, expiry, data, &mut properties);
        }
        let connack = ControlPacket::Connack(Connack {
            // [V4 MQTT-3.2.2-1, V4 MQTT-3.2.2-2, V4 MQTT-3.2.2-3, V5 MQTT-3.2.2-2, V5 MQTT-3.2.2-3]
            session_present: session_present && connect.version != Version::V3,
            reason_code: ReasonCode::Success,
            properties: properties.as_properties(),
        });
        // [V4 MQTT-3.2.0-1, V5 MQTT-3.2.0-1]
        self.residents.send_in(conn, connect.version, &connack, out)
    }

    /// The properties of that CONNACK.
    /// [V5 MQTT-3.1.3-7, V5 U-3.1.2.11.6-3, V5 U-3.2.2.3.2-2, V5 U-3.2.2.3.8-2]
    fn announce(
        &self,
        connect: &Connect<'_>,
        key: &SessionKey,
        expiry: Option<Expiry>,
        data: Option<&[u8]>,
        properties: &mut PropertiesBuf,
    ) {
        let limits = &self.residents.limits;
        // Values come from bounds and from text that arrived in a packet: all fit.
        let mut push = |property: Property<'_>| {
            let _ = properties.push(property);
        };
        let asked = connect.properties.session_expiry_interval().unwrap_or(0);
        let granted = match expiry {
            Some(Expiry::After(seconds)) => seconds,
            Some(Expiry::Never) => u32::MAX,
            _ => 0,
        };
        if granted != asked {
            push(Property::SessionExpiryInterval(granted));
        }
        push(Property::ReceiveMaximum(limits.receive_maximum));
        push(Property::MaximumPacketSize(limits.maximum_packet_size));
        if connect.client_identifier.is_empty() {
            // [V5 MQTT-3.2.2-16]
            push(Property::AssignedClientIdentifier(&key.identifier));
        }
        if limits.topic_alias_maximum > 0 {
            push(Property::TopicAliasMaximum(limits.topic_alias_maximum));
        }
        let keep_alive_s = self.keep_alive_for(connect);
        if keep_alive_s != connect.keep_alive_s {
            push(Property::ServerKeepAlive(keep_alive_s));
        }
        if connect.properties.request_response_information() == Some(1) {
            // [V5 MQTT-3.1.2-28]
            let information = format!("response/{}/", key.identifier);
            if information.len() <= usize::from(u16::MAX) {
                push(Property::ResponseInformation(&information));
            }
        }
        if let Some(method) = connect.properties.authentication_method() {
            // [V5 MQTT-4.12.0-5]
            push(Property::AuthenticationMethod(method));
            if let Some(data) = data {
                push(Property::AuthenticationData(data));
            }
        }
    }
}

//! The acknowledgements of QoS 1 and 2 (section 4.3), in both directions.

use hexmq_session::{AckError, Now};
use hexmq_wire::{Ack, ControlPacket, Frame, PacketIdentifier, PacketType, ReasonCode, Version};

use super::Shard;
use crate::connection::Sender;
use crate::outgoing::Sent;
use crate::{ConnId, Event, Flow, Quirk, Record, SessionKey, Sink};

impl Shard {
    /// A QoS 1 message is done. [V4 MQTT-4.3.2-1, V5 MQTT-4.3.2-4]
    /// [V5 MQTT-4.3.2-3, V5 MQTT-4.4.0-2, V5 MQTT-4.8.2-6, V5 U-4.13.2-1]
    #[inline]
    pub(super) fn puback(&mut self, from: &Sender, ack: &Ack<'_>, now: Now, out: &mut impl Sink) -> Flow {
        let (conn, slot) = (from.conn, from.session.slot);
        let Some(session) = self.residents.sessions.at_mut(slot) else { return Flow::Closed };
        match session.in_flight.puback(ack.packet_identifier) {
            Ok(outgoing) => {
                let is_quiet = session.is_quiet();
                self.residents.census.messages_in_flight -= 1;
                self.residents.messages.release(outgoing.message);
                if outgoing.place != 0 {
                    self.residents.persist_done(slot, outgoing.place, out);
                }
                if let Some(token) = token_of(&outgoing).filter(|_| !ack.reason_code.is_error()) {
                    out.acked(token);
                }
                if !is_quiet {
                    self.pump(slot, now, out);
                }
            }
            Err(_) => self.tell_unknown(conn, PacketType::Puback, ack, out),
        }
        Flow::Continue
    }

    /// A QoS 2 message was taken over by the client, or refused.
    /// [V4 MQTT-4.3.3-1, V5 MQTT-4.3.3-4, V5 MQTT-4.3.3-5]
    /// [V5 MQTT-4.3.3-3, V5 MQTT-4.4.0-2, V5 MQTT-4.8.2-6, V5 U-3.6.2.1-2, V5 U-4.13.2-1]
    pub(super) fn pubrec(&mut self, from: &Sender, ack: &Ack<'_>, now: Now, out: &mut impl Sink) -> Flow {
        let (conn, slot) = (from.conn, from.session.slot);
        let Some(session) = self.residents.sessions.at_mut(slot) else { return Flow::Closed };
        let accepted = !ack.reason_code.is_error();
        match session.in_flight.pubrec(ack.packet_identifier, accepted) {
            Ok(outgoing) => {
                if let Some(outgoing) = outgoing {
                    self.residents.messages.release(outgoing.message);
                    if accepted {
                        let (place, identifier) = (outgoing.place, ack.packet_identifier);
                        self.residents.persist_taken_over(slot, place, identifier, out);
                        self.remember_token(slot, identifier, &outgoing);
                    } else {
                        self.residents.persist_done(slot, outgoing.place, out);
                    }
                }
                if accepted {
                    self.residents.answer_shortly(from, PacketType::Pubrel, ack.packet_identifier, out);
                } else {
                    self.residents.census.messages_in_flight -= 1;
                    self.pump_freed(slot, now, out);
                }
            }
            Err(error) => {
                self.tell_unknown(conn, PacketType::Pubrec, ack, out);
                // Without a PUBREL the client would send its PUBREC for ever. For a QoS 1
                // identifier there is nothing to release.
                if accepted && error == AckError::Unknown {
                    let reason = self.not_found(conn);
                    let pubrel = Ack::with_reason(ack.packet_identifier, reason);
                    self.residents.answer(conn, &ControlPacket::Pubrel(pubrel), out);
                }
            }
        }
        Flow::Continue
    }

    /// The client releases a QoS 2 message it sent. [V4 MQTT-4.3.3-2, V5 MQTT-4.3.3-11]
    /// [V5 MQTT-4.3.3-12, V5 MQTT-4.3.3-13, V5 U-3.7.2.1-2]
    pub(super) fn pubrel(
        &mut self,
        from: &Sender,
        ack: &Ack<'_>,
        frame: Frame<'_>,
        now: Now,
        out: &mut impl Sink,
    ) -> Flow {
        let (conn, slot) = (from.conn, from.session.slot);
        if from.is_special
            && has_zero_flags(frame)
            && let Some(flow) = self.pubrel_with_zero_flags(from, ack, now, out)
        {
            return flow;
        }
        let Some(session) = self.residents.sessions.at_mut(slot) else { return Flow::Closed };
        let known = session.received.remove(ack.packet_identifier);
        let stored = session.stored.as_ref().map(|stored| stored.serial);
        if let Some(session) = stored.filter(|_| known) {
            let identifier = ack.packet_identifier;
            self.residents.persist(&Record::Released { session, identifier }, out);
        }
        if known {
            self.residents.answer_shortly(from, PacketType::Pubcomp, ack.packet_identifier, out);
            return Flow::Continue;
        }
        self.tell_unknown(conn, PacketType::Pubrel, ack, out);
        let pubcomp = Ack::with_reason(ack.packet_identifier, self.not_found(conn));
        self.residents.answer(conn, &ControlPacket::Pubcomp(pubcomp), out);
        Flow::Continue
    }

    /// A QoS 2 message is done.
    pub(super) fn pubcomp(&mut self, from: &Sender, ack: &Ack<'_>, now: Now, out: &mut impl Sink) -> Flow {
        let (conn, slot) = (from.conn, from.session.slot);
        let Some(session) = self.residents.sessions.at_mut(slot) else { return Flow::Closed };
        match session.in_flight.pubcomp(ack.packet_identifier) {
            Ok(()) => {
                self.residents.census.messages_in_flight -= 1;
                self.residents.persist_completed(slot, ack.packet_identifier, out);
                if !ack.reason_code.is_error() {
                    self.tell_token(slot, ack.packet_identifier, out);
                }
                self.pump_freed(slot, now, out);
            }
            Err(_) => self.tell_unknown(conn, PacketType::Pubcomp, ack, out),
        }
        Flow::Continue
    }

    /// A PUBREL with flags 0000: some firmware sends one with a fixed identifier where a PUBCOMP is due. `None`:
    /// it is a PUBREL after all.
    fn pubrel_with_zero_flags(
        &mut self,
        from: &Sender,
        ack: &Ack<'_>,
        now: Now,
        out: &mut impl Sink,
    ) -> Option<Flow> {
        let (conn, slot) = (from.conn, from.session.slot);
        let manners = self.connected(conn).filter(|connected| connected.device().is_some())?.manners();
        let session = self.residents.sessions.at(slot)?;
        if session.received.contains(ack.packet_identifier) {
            return None;
        }
        let oldest = manners.pubrel_as_pubcomp.then(|| session.in_flight.awaiting_pubcomp()).flatten()?;
        let connected = self.connected_mut(conn)?;
        if !std::mem::replace(&mut connected.device_mut()?.quirk_told, true)
            && let Some(SessionKey { namespace, identifier }) = self.key_of(conn)
        {
            let (namespace, client_identifier, quirk) = (*namespace, &**identifier, Quirk::PubrelAsPubcomp);
            out.tell(Event::QuirkSurvived { namespace, client_identifier, quirk });
        }
        Some(self.pubcomp(from, &Ack::success(oldest), now, out))
    }

    /// Whoever wants to hear of the acknowledgement of a QoS 2 message hears of PUBCOMP.
    fn remember_token(&mut self, slot: u32, identifier: PacketIdentifier, outgoing: &Sent) {
        if let Some(token) = token_of(outgoing)
            && let Some(session) = self.residents.sessions.at_mut(slot)
        {
            session.rare().tokens.push((identifier, token));
        }
    }

    fn tell_token(&mut self, slot: u32, identifier: PacketIdentifier, out: &mut impl Sink) {
        let Some(session) = self.residents.sessions.at_mut(slot) else { return };
        let Some(rare) = &mut session.rare else { return };
        if let Some(at) = rare.tokens.iter().position(|(waiting, _)| *waiting == identifier) {
            let (_, token) = rare.tokens.swap_remove(at);
            session.settle_rare();
            out.acked(token);
        }
    }

    /// 3.x has no way to say that an identifier is unknown.
    /// 5.0 says it by a code and without words.
    /// [V5 MQTT-3.6.2-2, V5 MQTT-3.6.2-3, V5 MQTT-3.7.2-2, V5 MQTT-3.7.2-3]
    fn not_found(&self, conn: ConnId) -> ReasonCode {
        match self.connected(conn).map(|connected| connected.version) {
            Some(Version::V5) => ReasonCode::PacketIdentifierNotFound,
            _ => ReasonCode::Success,
        }
    }

    fn tell_unknown(&self, conn: ConnId, packet: PacketType, ack: &Ack<'_>, out: &mut impl Sink) {
        if let Some(client_identifier) = self.client_identifier(conn) {
            let packet_identifier = ack.packet_identifier.get();
            out.tell(Event::UnknownAcknowledgement { client_identifier, packet, packet_identifier });
        }
    }
}

fn has_zero_flags(frame: Frame<'_>) -> bool {
    frame.bytes.first().is_some_and(|first| first & 0x0F == 0)
}

fn token_of(outgoing: &Sent) -> Option<u64> {
    outgoing.extra.as_ref().and_then(|extra| extra.token)
}

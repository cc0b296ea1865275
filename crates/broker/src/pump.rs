//! What waits for a session goes out: first what is to be sent again, then its queue.

use hexmq_session::{Now, Resend};
use hexmq_wire::{Ack, ControlPacket, PacketIdentifier, QoS, patch_packet_identifier};

use crate::connection::{Connection, Stage};
use crate::layout::{Form, Terms, encode_for};
use crate::outgoing::Outgoing;
use crate::residents::{Listed, Residents, open_output};
use crate::{Condition, ConnId, DropReason, Sink};

impl Residents {
    /// Sends what waits for a session: first what is to be sent again, in its old order, then the
    /// queue, as far as the window and the connection have room. [V4 MQTT-4.4.0-1, V5 MQTT-4.4.0-1]
    pub(crate) fn pump(&mut self, slot: u32, now: Now, out: &mut impl Sink) {
        while self.pump_one(slot, now, out) {}
        self.refill(slot, out);
        let Some(session) = self.sessions.at_mut(slot) else { return };
        session.show_room();
        let idle = session.conn.is_some() && session.has_room();
        if idle
            && let Some(rare) = &mut session.rare
            && (!rare.handouts.is_empty() || rare.frozen.is_some())
            && !std::mem::replace(&mut rare.handout_listed, true)
        {
            self.handout_ready.push_back(Listed { slot, was_full: false });
        }
    }

    /// One packet that waits, if it may go now. [V5 MQTT-3.3.4-9, V5 MQTT-4.9.0-2, V5 U-4.1-4]
    fn pump_one(&mut self, slot: u32, now: Now, out: &mut impl Sink) -> bool {
        let Some(session) = self.sessions.at_mut(slot) else { return false };
        let Some(conn) = session.conn else { return false };
        let conn = ConnId { slot: conn, generation: self.connections.generation(conn) };
        if out.output_len(conn) >= self.limits.write_buffer_bytes {
            return false;
        }
        match session.in_flight.next_resend() {
            Some(Resend::Publish { identifier, qos, message }) => {
                let Some(body) = message.message else {
                    // Only a session that ends with its connection has such: it has no second one.
                    self.forget_in_flight(slot, identifier, qos);
                    self.census.publish_dropped += 1;
                    return true;
                };
                // The window keeps the original; the copy is given back below.
                let again = Outgoing {
                    message: self.messages.share(body),
                    qos: message.qos,
                    retain: message.retain,
                    place: message.place,
                    extra: message.extra.clone(),
                };
                self.send_kept(conn, slot, again, Some(identifier), now, out);
                return true;
            }
            Some(Resend::Pubrel { identifier }) => {
                let promise = session.stored.is_some() && out.condition() == Condition::Stuck;
                let pubrel = ControlPacket::Pubrel(Ack::success(identifier));
                self.send_again(conn, promise, &pubrel, out);
                return true;
            }
            None => {}
        }
        if !session.in_flight.has_room() {
            return false;
        }
        let Some(mut next) = session.queue.pop(&self.messages) else { return false };
        if let Some(tame) = session.tame {
            next.qos = next.qos.min(tame.largest_qos);
        }
        self.census.messages_queued -= 1;
        if self.messages.expires_at(next.message).is_some_and(|at| at <= now.wall) {
            // [V5 MQTT-3.3.2-5]
            self.drop_kept(slot, &next, DropReason::Expired, out);
            return true;
        }
        self.send_kept(conn, slot, next, None, now, out);
        true
    }

    /// Sends a message that was kept: again with its identifier and DUP, or for the first time.
    /// What was sent before is not asked whether it has expired. [V5 MQTT-4.3.3-7]
    fn send_kept(
        &mut self,
        conn: ConnId,
        slot: u32,
        outgoing: Outgoing,
        again: Option<PacketIdentifier>,
        now: Now,
        out: &mut impl Sink,
    ) {
        let Some(session) = self.sessions.at_mut(slot) else { return };
        let no_retain = session.tame.is_some_and(|tame| tame.no_retain);
        let message = self.messages.get(outgoing.message);
        let payload = message.payload.len();
        let extra = outgoing.extra.as_deref();
        let terms = Terms {
            retain: outgoing.retain && !no_retain,
            subscription_identifiers: extra.map_or(&[], |extra| &extra.subscription_identifiers),
            ..Terms::kept(outgoing.qos)
        };
        let Some(Connection { stage: Stage::Connected(connected), .. }) = self.connections.at_mut(conn.slot)
        else {
            return;
        };
        // What goes out again rests on commits before that of its CONNECT, which holds the connection back; but
        // not while the store cannot write.
        let rests = again.is_none() || out.condition() == Condition::Stuck;
        let promise = outgoing.place != 0 && outgoing.qos == QoS::ExactlyOnce && rests;
        let form = Form { dup: again.is_some(), aliases: !promise };
        let buffer = open_output(conn, promise, out);
        let start = buffer.len();
        // [V4 MQTT-3.3.1-1, V5 MQTT-3.3.1-1]
        let identifier_at = encode_for(connected, &message, &terms, form, now, buffer);
        let size = buffer.len() - start;
        if size as u64 > u64::from(connected.maximum_packet_size) {
            // [V5 MQTT-3.1.2-25] As if it had been delivered.
            buffer.truncate(start);
            if let Some(identifier) = again {
                self.forget_in_flight(slot, identifier, outgoing.qos);
            }
            self.drop_kept(slot, &outgoing, DropReason::PacketTooLarge, out);
            return;
        }
        let (message, place) = (outgoing.message, outgoing.place);
        let keeps = again.is_none() && session.keeps_sent(outgoing.qos, outgoing.group());
        let identifier = match again {
            Some(identifier) => Some(identifier),
            None if outgoing.qos == QoS::AtMostOnce => {
                // It waited with a larger QoS than the client takes by now: it is done.
                self.persist_done(slot, place, out);
                self.messages.release(message);
                self.count_publish(size, payload);
                return;
            }
            None => {
                self.census.messages_in_flight += 1;
                session.in_flight.begin(outgoing.qos, outgoing.sent(keeps))
            }
        };
        if let (Some(at), Some(identifier)) = (identifier_at, identifier) {
            patch_packet_identifier(buffer, at, identifier);
        }
        if !keeps {
            self.messages.release(message);
        }
        if let Some(identifier) = identifier.filter(|_| again.is_none()) {
            self.persist_sent(slot, place, identifier, out);
        }
        self.count_publish(size, payload);
    }

    fn forget_in_flight(&mut self, slot: u32, identifier: PacketIdentifier, qos: QoS) {
        let Some(session) = self.sessions.at_mut(slot) else { return };
        let done = match qos {
            QoS::ExactlyOnce => session.in_flight.pubrec(identifier, false).ok().flatten(),
            _ => session.in_flight.puback(identifier).ok(),
        };
        if let Some(done) = done {
            self.census.messages_in_flight -= 1;
            self.messages.release(done.message);
        }
    }
}

//! Everything a delivery touches: the connections and sessions of a shard and the messages they
//! wait for.

use std::collections::VecDeque;
use std::fmt::Display;
use std::sync::Arc;

use hexmq_session::Now;
use hexmq_wire::{
    ControlPacket, PacketIdentifier, PacketType, PropertiesBuf, Property, QoS, ShortAck, Version,
    patch_packet_identifier,
};

use crate::connection::{Connection, Sender, Stage};
use crate::layout::{Form, Layouts, Original, Terms, encode_for};
use crate::matches::Receiver;
use crate::message::{MessageId, Messages};
use crate::outgoing::Outgoing;
use crate::session::{Granted, Session};
use crate::slots::Slots;
use crate::store_side::Serials;
use crate::{Addressee, Census, ConnId, DropReason, Event, Limits, Message, Serial, Sink};

#[derive(Debug)]
pub(crate) struct Residents {
    pub(crate) limits: Arc<Limits>,
    pub(crate) connections: Slots<Connection>,
    pub(crate) sessions: Slots<Session>,
    pub(crate) messages: Messages,
    pub(crate) census: Census,
    /// Numbers for what is stored; `None`: nothing is.
    pub(crate) serials: Option<Serials>,
    /// Something was persisted while the present packet was handled: its answer is a promise.
    pub(crate) persisted: bool,
    layouts: Layouts,
    /// Sessions whose retained messages can go on, each once.
    pub(crate) handout_ready: VecDeque<Listed>,
}

/// A session whose retained messages can go on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Listed {
    pub(crate) slot: u32,
    /// Its output was full when it was looked at last.
    pub(crate) was_full: bool,
}

/// A message while it is delivered: kept at most once, encoded once per layout.
#[derive(Debug)]
pub(crate) struct Outbound<'a> {
    pub(crate) message: &'a Message<'a>,
    now: Now,
    pub(crate) kept: Option<MessageId>,
    /// Its number, once it is in the store.
    pub(crate) serial: Option<Serial>,
    /// The packet it came in.
    pub(crate) original: Option<Original<'a>>,
}

impl Outbound<'_> {
    /// One more holder of its body.
    fn keep(&mut self, messages: &mut Messages) -> MessageId {
        let kept = *self.kept.get_or_insert_with(|| messages.keep(self.message));
        messages.share(kept)
    }
}

/// Bytes a Reason String adds beside its text: identifier, its length, the Property Length, the
/// Remaining Length and a reason code.
const REASON_STRING_OVERHEAD: usize = 16;

impl Residents {
    pub(crate) fn new(limits: Arc<Limits>, serials: Option<Serials>) -> Residents {
        Residents {
            limits,
            connections: Slots::default(),
            sessions: Slots::default(),
            messages: Messages::default(),
            census: Census::default(),
            serials,
            persisted: false,
            layouts: Layouts::default(),
            handout_ready: VecDeque::new(),
        }
    }

    /// Starts the delivery of a message, with its number if it is in the store already;
    /// [`Residents::finish`] ends it.
    pub(crate) fn begin<'a>(
        &mut self,
        message: &'a Message<'a>,
        serial: Option<Serial>,
        now: Now,
    ) -> Outbound<'a> {
        self.layouts.clear();
        Outbound { message, now, kept: None, serial, original: None }
    }

    /// Nobody further gets this message.
    pub(crate) fn finish(&mut self, outbound: Outbound<'_>) {
        self.messages.release(outbound.kept);
    }

    /// Delivers to a matching session of this shard.
    #[inline(always)]
    pub(crate) fn deliver(&mut self, to: &Receiver, outbound: &mut Outbound<'_>, out: &mut impl Sink) {
        let terms = to.terms(outbound.message);
        self.deliver_on(to.slot, to.generation, &terms, outbound, out);
    }

    /// Delivers to a session of this shard that was found elsewhere, or chosen from the members of a shared
    /// subscription. False if there is no such session.
    /// [V5 MQTT-4.8.2-3, V5 U-3.3.4-3]
    #[inline(never)]
    pub(crate) fn deliver_to(
        &mut self,
        to: &Addressee,
        group: u64,
        outbound: &mut Outbound<'_>,
        out: &mut impl Sink,
    ) -> bool {
        let terms = to.terms(group, outbound.message);
        self.deliver_on(to.slot, to.generation, &terms, outbound, out)
    }

    /// Sends, or queues for a session that is away. False if there is no such session.
    /// [V4 MQTT-3.1.2-5, V5 U-4.1-5]
    #[inline(always)] // So that whoever delivers to many begins and ends once.
    fn deliver_on(
        &mut self,
        slot: u32,
        generation: u32,
        terms: &Terms<'_>,
        outbound: &mut Outbound<'_>,
        out: &mut impl Sink,
    ) -> bool {
        let Some(session) = self.sessions.get(slot, generation) else { return false };
        let tamed;
        let terms = match session.tame {
            None => terms,
            Some(tame) => {
                tamed = tame.apply(terms);
                &tamed
            }
        };
        let has_room = terms.qos == QoS::AtMostOnce || session.has_room();
        let conn = session.conn;
        let below = self.limits.write_buffer_bytes;
        match conn {
            Some(conn) if has_room && self.send_live(conn, slot, terms, below, outbound, out) => {}
            _ => self.put_off(conn, slot, terms, outbound, out),
        }
        true
    }

    /// What cannot be sent at once waits if it is worth it.
    #[inline(never)]
    fn put_off(
        &mut self,
        conn: Option<u32>,
        slot: u32,
        terms: &Terms<'_>,
        outbound: &mut Outbound<'_>,
        out: &mut impl Sink,
    ) {
        match terms.qos {
            QoS::AtMostOnce if conn.is_some() => {
                self.drop_message(slot, outbound.message, terms.qos, DropReason::WriteBufferFull, out);
            }
            QoS::AtMostOnce => {}
            _ => self.enqueue(slot, terms, outbound, out),
        }
    }

    /// Sends a message that has just come to the connection in this slot, using a layout that is already encoded
    /// where it can. False, and nothing is sent, unless fewer bytes than `below` wait for the client.
    /// [V4 MQTT-3.3.1-3, V4 MQTT-4.3.1-1, V5 MQTT-3.3.1-3, V5 MQTT-4.3.1-1, V5 MQTT-4.3.2-1]
    /// [V5 MQTT-4.3.2-2, V5 MQTT-4.3.3-1, V5 MQTT-4.3.3-2]
    #[inline(always)] // It is most of a delivery.
    pub(crate) fn send_live(
        &mut self,
        conn: u32,
        slot: u32,
        terms: &Terms<'_>,
        below: usize,
        outbound: &mut Outbound<'_>,
        out: &mut impl Sink,
    ) -> bool {
        let Some((generation, Connection { stage: Stage::Connected(connected), .. })) =
            self.connections.current_mut(conn)
        else {
            return true;
        };
        let conn = ConnId { slot: conn, generation };
        let version = connected.version;
        let session = if terms.qos == QoS::AtMostOnce { None } else { self.sessions.at_mut(slot) };
        let stored = session.as_ref().is_some_and(|session| session.stored.is_some());
        let promise = stored && terms.qos == QoS::ExactlyOnce;
        let plain = terms.subscription_identifiers.is_empty()
            && (promise || connected.aliases.as_ref().is_none_or(|aliases| aliases.outgoing.maximum() == 0));
        if promise && out.output_len(conn) >= below {
            return false;
        }
        let buffer = if promise { Some(out.promise(conn)) } else { out.output_below(conn, below) };
        let Some(buffer) = buffer else { return false };
        let start = buffer.len();
        let identifier_at = if plain {
            let Outbound { message, original, now, .. } = *outbound;
            let (bytes, identifier_at) = self.layouts.take(message, original, terms, version, now);
            buffer.extend_from_slice(bytes);
            identifier_at.map(|at| start + at as usize)
        } else {
            let form = Form { dup: false, aliases: !promise };
            encode_for(connected, outbound.message, terms, form, outbound.now, buffer)
        };
        let size = buffer.len() - start;
        if size as u64 > u64::from(connected.maximum_packet_size) {
            buffer.truncate(start);
            self.drop_message(slot, outbound.message, terms.qos, DropReason::PacketTooLarge, out);
            return true;
        }
        if let (Some(at), Some(session)) = (identifier_at, session) {
            let keeps = session.keeps_sent(terms.qos, terms.group);
            let message = keeps.then(|| outbound.keep(&mut self.messages));
            let place = session.take_place();
            let outgoing = Outgoing::new(message, place, terms);
            if let Some(identifier) = session.in_flight.begin(terms.qos, outgoing) {
                patch_packet_identifier(buffer, at, identifier); // asked for again, it may be written before
                self.census.messages_in_flight += 1;
                session.show_room();
                if let Some(place) = place {
                    self.persist_queued(place, terms, Some(identifier), outbound, out);
                }
            }
        }
        self.count_publish(size, outbound.message.payload.len());
        true
    }

    #[inline]
    pub(crate) fn count_publish(&mut self, size: usize, payload: usize) {
        self.census.packets_sent += 1;
        self.census.bytes_sent += size as u64;
        self.census.publish_sent += 1;
        self.census.publish_bytes_sent += payload as u64;
    }

    fn enqueue(&mut self, slot: u32, terms: &Terms<'_>, outbound: &mut Outbound<'_>, out: &mut impl Sink) {
        self.append(slot, terms, outbound, out);
        self.bound_queue(slot, out);
    }

    /// Puts a message at the end of a queue, whatever its bound.
    pub(crate) fn append(
        &mut self,
        slot: u32,
        terms: &Terms<'_>,
        outbound: &mut Outbound<'_>,
        out: &mut impl Sink,
    ) {
        let place = self.sessions.at_mut(slot).and_then(Session::take_place);
        if let Some(place) = place {
            self.persist_queued(place, terms, None, outbound, out);
            if self.leaves_in_store(slot, place.1, outbound.message) {
                self.census.messages_queued += 1;
                return;
            }
        }
        let Some(session) = self.sessions.at_mut(slot) else { return };
        let message = outbound.keep(&mut self.messages);
        session.queue.push(Outgoing::new(message, place, terms), &self.messages);
        self.census.messages_queued += 1;
        session.show_room();
    }

    /// The oldest go when the queue is too long.
    pub(crate) fn bound_queue(&mut self, slot: u32, out: &mut impl Sink) {
        while let Some(session) = self.sessions.at_mut(slot) {
            let over = session.waiting() > u64::from(self.limits.session_queue_messages)
                || session.waiting_bytes() > self.limits.session_queue_bytes;
            if !over {
                return;
            }
            let Some(oldest) = session.queue.pop(&self.messages) else {
                // The oldest are in the store: they are dropped when they are here.
                self.fetch_tail(slot, out);
                return;
            };
            self.census.messages_queued -= 1;
            self.drop_kept(slot, &oldest, DropReason::QueueFull, out);
        }
    }

    /// Tells that a kept message is dropped for a session and gives up its body.
    pub(crate) fn drop_kept(
        &mut self,
        slot: u32,
        outgoing: &Outgoing,
        reason: DropReason,
        out: &mut impl Sink,
    ) {
        self.persist_done(slot, outgoing.place, out);
        let message = self.messages.get(outgoing.message);
        if let Some(session) = self.sessions.at(slot) {
            self.census.publish_dropped += 1;
            out.tell(Event::MessageDropped {
                namespace: session.key.namespace,
                client_identifier: &session.key.identifier,
                topic: message.topic,
                qos: outgoing.qos,
                reason,
            });
        }
        self.messages.release(outgoing.message);
    }

    pub(crate) fn drop_message(
        &mut self,
        slot: u32,
        message: &Message<'_>,
        qos: QoS,
        reason: DropReason,
        out: &mut impl Sink,
    ) {
        self.census.publish_dropped += 1;
        if let Some(session) = self.sessions.at(slot) {
            out.tell(Event::MessageDropped {
                namespace: session.key.namespace,
                client_identifier: &session.key.identifier,
                topic: message.topic,
                qos,
                reason,
            });
        }
    }

    /// Sends a retained message for a new subscription. The caller has seen that there is room.
    /// [V5 U-3.3.1.3-1, V5 U-3.8.3.1-3]
    /// [V4 MQTT-3.3.1-6]
    pub(crate) fn send_retained(
        &mut self,
        conn: ConnId,
        slot: u32,
        message: &Message<'_>,
        granted: Granted,
        now: Now,
        out: &mut impl Sink,
    ) {
        let mut outbound = self.begin(message, None, now);
        let terms = Terms {
            qos: granted.qos.min(message.qos),
            // [V4 MQTT-3.3.1-8, V5 MQTT-3.3.1-8]
            retain: true,
            subscription_identifiers: granted.subscription_identifier.as_slice(),
            group: 0,
            token: None,
        };
        let tame = self.sessions.at(slot).and_then(|session| session.tame);
        let terms = tame.map_or(terms, |tame| tame.apply(&terms));
        self.send_live(conn.slot, slot, &terms, usize::MAX, &mut outbound, out);
        self.finish(outbound);
    }

    /// A Reason String for a packet of about `size` bytes, if the client wants to hear reasons and
    /// has room for it. [V5 MQTT-3.1.2-29, V5 MQTT-3.4.2-2, V5 MQTT-3.5.2-2, V5 MQTT-3.9.2-1, V5 MQTT-3.14.2-3]
    /// User Properties of our own are never sent.
    /// [V5 MQTT-3.4.2-3, V5 MQTT-3.5.2-3, V5 MQTT-3.9.2-2, V5 U-3.1.2.11.7-3]
    pub(crate) fn explain(&self, conn: ConnId, size: usize, why: &impl Display, words: &mut PropertiesBuf) {
        let Some(Connection { stage: Stage::Connected(connected), .. }) = self.connections.at(conn.slot)
        else {
            return;
        };
        if connected.version != Version::V5 || !connected.problem_information {
            return;
        }
        let text = why.to_string();
        if size + text.len() + REASON_STRING_OVERHEAD <= connected.maximum_packet_size as usize {
            // Our own sentences are shorter than a string may be.
            let _ = words.push(Property::ReasonString(&text));
        }
    }

    /// Sends any packet but PUBLISH, whatever the window [V5 MQTT-3.3.4-10, V5 MQTT-4.9.0-3], to a
    /// client whose version is known. False if the client has no room for it.
    pub(crate) fn send(&mut self, conn: ConnId, packet: &ControlPacket<'_>, out: &mut impl Sink) -> bool {
        let version =
            match self.connections.get(conn.slot, conn.generation).map(|connection| &connection.stage) {
                Some(Stage::Connected(connected)) => connected.version,
                // Before CONNACK only 5.0 has packets to send (AUTH).
                Some(Stage::Authenticating(_)) => Version::V5,
                _ => return true,
            };
        self.send_in(conn, version, packet, out)
    }

    /// Sends a packet in a given version; not one the client has no room for. [V5 MQTT-3.1.2-24]
    pub(crate) fn send_in(
        &mut self,
        conn: ConnId,
        version: Version,
        packet: &ControlPacket<'_>,
        out: &mut impl Sink,
    ) -> bool {
        let maximum = match self.connections.at(conn.slot).map(|connection| &connection.stage) {
            Some(Stage::Connected(connected)) => connected.maximum_packet_size,
            Some(Stage::Authenticating(waiting)) => waiting.maximum_packet_size,
            _ => u32::MAX,
        };
        self.encode_to(out.output(conn), version, maximum, packet)
    }

    /// Sends the answer to a packet: a promise if durable state has changed on its account, and behind what
    /// was promised before.
    #[inline]
    pub(crate) fn answer(&mut self, conn: ConnId, packet: &ControlPacket<'_>, out: &mut impl Sink) -> bool {
        let promise = self.promises(conn, out);
        self.send_again(conn, promise, packet, out)
    }

    /// The same for an acknowledgement that says nothing but its Packet Identifier.
    #[inline]
    pub(crate) fn answer_shortly(
        &mut self,
        to: &Sender,
        packet_type: PacketType,
        packet_identifier: PacketIdentifier,
        out: &mut impl Sink,
    ) {
        if to.maximum_packet_size < ShortAck::BYTES {
            return;
        }
        let ack = ShortAck { packet_type, packet_identifier };
        let promise = self.promises(to.conn, out);
        open_output(to.conn, promise, out).extend_from_slice(&ack.to_bytes());
        self.census.packets_sent += 1;
        self.census.bytes_sent += u64::from(ShortAck::BYTES);
    }

    /// Whether the answer to the present packet waits for the store.
    #[inline]
    fn promises(&self, conn: ConnId, out: &impl Sink) -> bool {
        self.persisted || (self.serials.is_some() && out.promised(conn))
    }

    /// Sends a packet of an earlier connection again, as a promise if what it rests on may not be safe.
    #[inline]
    pub(crate) fn send_again(
        &mut self,
        conn: ConnId,
        promise: bool,
        packet: &ControlPacket<'_>,
        out: &mut impl Sink,
    ) -> bool {
        let connection = self.connections.get(conn.slot, conn.generation);
        let Some(Connection { stage: Stage::Connected(connected), .. }) = connection else { return true };
        let (version, maximum) = (connected.version, connected.maximum_packet_size);
        self.encode_to(open_output(conn, promise, out), version, maximum, packet)
    }

    #[inline]
    fn encode_to(
        &mut self,
        buffer: &mut Vec<u8>,
        version: Version,
        maximum: u32,
        packet: &ControlPacket<'_>,
    ) -> bool {
        let start = buffer.len();
        let encoded = packet.encode(version, buffer);
        let size = buffer.len() - start;
        if encoded.is_err() || size as u64 > u64::from(maximum) {
            buffer.truncate(start);
            return false;
        }
        self.census.packets_sent += 1;
        self.census.bytes_sent += size as u64;
        true
    }
}

/// Where bytes for a connection go.
#[inline]
pub(crate) fn open_output(conn: ConnId, promise: bool, out: &mut impl Sink) -> &mut Vec<u8> {
    if promise { out.promise(conn) } else { out.output(conn) }
}

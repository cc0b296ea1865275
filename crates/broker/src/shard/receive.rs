//! What a client sends, packet by packet.

use hexmq_session::Now;
use hexmq_wire::{
    ControlPacket, Fault, Frame, FrameError, Frames, PacketType, ReasonCode, Severity, ShortAck, Trace,
    Verdict, Version, decode, decode_publish,
};

use super::Shard;
use crate::connection::{Sender, Stage};
use crate::matches::Recent;
use crate::{CloseReason, ConnId, Event, Flow, SessionKey, Sink};

impl Shard {
    /// What a connection has sent: all whole packets of `frames`, or those up to one after which no further is
    /// wanted now.
    /// What was sent behind a CONNECT comes here in its turn. [V5 U-3.1.4-5]
    pub fn receive(&mut self, conn: ConnId, frames: &mut Frames<'_>, now: Now, out: &mut impl Sink) -> Flow {
        while let Some(frame) = frames.next() {
            let residents = &mut self.residents;
            let Some(connection) = residents.connections.get_mut(conn.slot, conn.generation) else {
                return Flow::Closed;
            };
            connection.last_heard = now.mono;
            let flow = match &connection.stage {
                Stage::Connected(connected) => {
                    let generation = residents.sessions.generation(connected.session);
                    let from = connected.as_sender(conn, self.id, generation);
                    self.receive_from(&from, frame, frames, now, out)
                }
                Stage::AwaitingConnect => {
                    self.count_in(frame);
                    self.knock(conn, frame, now, out)
                }
                Stage::Authenticating(_) => {
                    self.count_in(frame);
                    self.receive_authenticating(conn, frame, now, out)
                }
            };
            out.packet_ends();
            if flow != Flow::Continue {
                return flow;
            }
        }
        self.choke(conn, out)
    }

    /// A packet that is about to be handled.
    #[inline]
    fn count_in(&mut self, frame: Frame<'_>) {
        let census = &mut self.residents.census;
        census.packets_received += 1;
        census.bytes_received += frame.bytes.len() as u64;
        self.residents.persisted = false;
    }

    /// Messages for a client stop at the bound of its output. Answers cannot wait elsewhere: who
    /// lets as many bytes of them pile up on top is not read until it reads.
    #[inline]
    fn choke(&mut self, conn: ConnId, out: &mut impl Sink) -> Flow {
        if out.output_len(conn) < self.residents.limits.write_buffer_bytes.saturating_mul(2) {
            return Flow::Continue;
        }
        let Some(connection) = self.residents.connections.get_mut(conn.slot, conn.generation) else {
            return Flow::Closed;
        };
        connection.paused = true;
        connection.choked = true;
        Flow::Pause
    }

    /// `frame` and those behind it, up to one that may have changed what its sender may do.
    fn receive_from<'f>(
        &mut self,
        from: &Sender,
        mut frame: Frame<'f>,
        frames: &mut Frames<'f>,
        now: Now,
        out: &mut impl Sink,
    ) -> Flow {
        let mut recent = self.cache.recall(from.conn.slot);
        // `frame` itself, and those behind it that need not be looked at again.
        let mut foreseen = 1 + self.look_ahead(from.conn, frames.rest());
        let flow = loop {
            self.count_in(frame);
            let packet_type = frame.packet_type();
            let flow = match packet_type {
                Some(PacketType::Publish) => self.receive_publish(from, frame, &mut recent, now, out),
                _ => match ShortAck::read(frame.bytes) {
                    Some(ack) => self.receive_short(from, ack, frame, now, out),
                    None => self.read_other(from, frame, now, out),
                },
            };
            if flow != Flow::Continue || packet_type == Some(PacketType::Auth) {
                break flow;
            }
            foreseen -= 1;
            if foreseen == 0 {
                let flow = self.choke(from.conn, out);
                if flow != Flow::Continue {
                    break flow;
                }
                foreseen = self.look_ahead(from.conn, frames.rest());
            }
            frame = match frames.next() {
                Some(next) => next,
                None => break flow,
            };
            out.packet_ends();
        };
        self.cache.remember(from.conn.slot, recent);
        flow
    }

    /// What a connection sends most. A topic name it has sent before is not judged again.
    #[inline(always)] // It has one caller.
    fn receive_publish(
        &mut self,
        from: &Sender,
        frame: Frame<'_>,
        recent: &mut Recent,
        now: Now,
        out: &mut impl Sink,
    ) -> Flow {
        let conn = from.conn;
        let mut serve = Serve::default();
        let publish = match decode_publish(frame.knowing(&recent.topic), from.version, &mut serve) {
            Ok(publish) => publish,
            Err(fault) => return self.refuse_packet(conn, fault, now, out),
        };
        if let Some(fault) = serve.survived {
            self.tell_survived(conn, fault, out);
        }
        let flow = self.publish(from, &publish, frame, now, out);
        if self.inboxes.hold {
            self.hold_uplink(conn, frame, publish.payload.len(), now);
        }
        // A known topic was taken from where it is remembered.
        if !std::ptr::eq(publish.topic_name, &*recent.topic) && serve.survived.is_none() {
            self.cache.note(publish.topic_name);
            self.cache.take_note(recent);
        }
        if flow == Flow::Continue { self.hold_back(conn, now, out) } else { flow }
    }

    /// An acknowledgement that was read at a glance.
    #[inline(always)] // It has one caller.
    fn receive_short(
        &mut self,
        from: &Sender,
        short: ShortAck,
        frame: Frame<'_>,
        now: Now,
        out: &mut impl Sink,
    ) -> Flow {
        match short.packet_type {
            PacketType::Puback => self.puback(from, &short.as_ack(), now, out),
            PacketType::Pubrec => self.pubrec(from, &short.as_ack(), now, out),
            PacketType::Pubcomp => self.pubcomp(from, &short.as_ack(), now, out),
            _ => self.receive_other(from, short.into(), frame, now, out),
        }
    }

    /// A packet that takes a closer look.
    /// [V5 U-2.1.2-2, V5 U-3.1.2.10-2, V5 U-3.13-1]
    #[inline(never)]
    fn read_other(&mut self, from: &Sender, frame: Frame<'_>, now: Now, out: &mut impl Sink) -> Flow {
        let conn = from.conn;
        let mut serve = Serve::default();
        let decoded = decode(frame, from.version, &from.leniency, &mut serve);
        let lenient = serve.fault.filter(|_| decoded.is_ok() && self.tells_leniency(conn));
        if let Some(fault) = serve.survived.or(lenient) {
            self.tell_survived(conn, fault, out);
        }
        match decoded {
            Ok(packet) => self.receive_other(from, packet, frame, now, out),
            Err(fault) => self.refuse_packet(conn, fault, now, out),
        }
    }

    /// Every packet but PUBLISH.
    fn receive_other(
        &mut self,
        from: &Sender,
        packet: ControlPacket<'_>,
        frame: Frame<'_>,
        now: Now,
        out: &mut impl Sink,
    ) -> Flow {
        let conn = from.conn;
        let flow = match packet {
            ControlPacket::Puback(ack) => return self.puback(from, &ack, now, out),
            ControlPacket::Pubrec(ack) => return self.pubrec(from, &ack, now, out),
            ControlPacket::Pubcomp(ack) => return self.pubcomp(from, &ack, now, out),
            ControlPacket::Pubrel(ack) => self.pubrel(from, &ack, frame, now, out),
            ControlPacket::Subscribe(subscribe) => self.subscribe(conn, &subscribe, now, out),
            ControlPacket::Unsubscribe(unsubscribe) => self.unsubscribe(conn, &unsubscribe, now, out),
            ControlPacket::Pingreq => {
                // [V4 MQTT-3.12.4-1, V5 MQTT-3.12.4-1]
                self.residents.send(conn, &ControlPacket::Pingresp, out);
                return Flow::Continue;
            }
            ControlPacket::Disconnect(disconnect) => return self.disconnect(conn, &disconnect, now, out),
            ControlPacket::Auth(auth) => return self.auth(conn, &auth, now, out),
            // A second CONNECT [V4 MQTT-3.1.0-2, V5 MQTT-3.1.0-2], or a packet only servers send.
            ControlPacket::Connect(_)
            | ControlPacket::Publish(_)
            | ControlPacket::Connack(_)
            | ControlPacket::Suback(_)
            | ControlPacket::Unsuback(_)
            | ControlPacket::Pingresp => {
                self.close(conn, CloseReason::ProtocolError, ReasonCode::ProtocolError, None, now, out);
                return Flow::Closed;
            }
        };
        if flow == Flow::Continue { self.hold_back(conn, now, out) } else { flow }
    }

    /// A broken rule was served all the same.
    #[cold]
    fn tell_survived(&mut self, conn: ConnId, fault: Fault, out: &mut impl Sink) {
        if let Some(SessionKey { namespace, identifier }) = self.key_of(conn) {
            let (namespace, client_identifier) = (*namespace, &**identifier);
            out.tell(Event::ViolationSurvived { namespace, client_identifier, fault });
        }
    }

    /// Whether a fault that leniency has survived is to be told.
    #[cold]
    fn tells_leniency(&mut self, conn: ConnId) -> bool {
        let device = self.connected_mut(conn).and_then(|connected| connected.device_mut());
        device.is_some_and(|device| !std::mem::replace(&mut device.fault_told, true))
    }

    /// A packet that cannot be read closes the connection.
    /// [V4 MQTT-4.8.0-1, V5 MQTT-4.13.1-1, V5 MQTT-3.14.0-1]
    /// [V5 U-4.13.1-1, V5 U-4.13.1-2, V5 U-4.13.1-3, V5 MQTT-4.13.2-1]
    fn refuse_packet(&mut self, conn: ConnId, fault: Fault, now: Now, out: &mut impl Sink) -> Flow {
        // Some codes are only for CONNACK; what is read here as a CONNECT is out of turn anyhow.
        let code = Some(fault.reason_code()).filter(|code| code.allowed_in(PacketType::Disconnect));
        let code = code.unwrap_or(ReasonCode::ProtocolError);
        let reason = match code {
            ReasonCode::ProtocolError => CloseReason::ProtocolError,
            ReasonCode::PacketTooLarge => CloseReason::PacketTooLarge,
            ReasonCode::TopicAliasInvalid => CloseReason::TopicAliasInvalid,
            ReasonCode::TopicNameInvalid => CloseReason::TopicNameInvalid,
            _ => CloseReason::MalformedPacket,
        };
        self.close(conn, reason, code, Some(fault), now, out);
        Flow::Closed
    }

    /// The framer refused what a connection sends: nothing after it can be read.
    /// [V5 U-1.5.5-1, V5 U-3.2.2.3.6-4, V5 U-4.13.1-2]
    pub fn unframed(&mut self, conn: ConnId, error: FrameError, now: Now, out: &mut impl Sink) {
        let Some(connection) = self.residents.connections.get(conn.slot, conn.generation) else { return };
        let (code, reason) = match error {
            FrameError::PacketTooLarge { .. } => (ReasonCode::PacketTooLarge, CloseReason::PacketTooLarge),
            _ => (ReasonCode::MalformedPacket, CloseReason::MalformedPacket),
        };
        let version = match &connection.stage {
            Stage::Connected(connected) => connected.version,
            _ => Version::V4,
        };
        let fault = Fault {
            code: error.fault_code(),
            severity: Severity::Fault,
            version,
            field: "remaining_length",
            offset: 1,
            length: 4,
            statement: None,
        };
        self.close(conn, reason, code, Some(fault), now, out);
    }
}

/// How the server reads: faults end the connection, warnings are remembered and told.
#[derive(Debug, Default)]
pub(super) struct Serve {
    pub(super) survived: Option<Fault>,
    fault: Option<Fault>,
}

impl Trace for Serve {
    const FIELDS: bool = false;
    fn fault(&mut self, fault: Fault) -> Verdict {
        if fault.severity == Severity::Fault {
            self.fault.get_or_insert(fault);
            return Verdict::Stop;
        }
        self.survived.get_or_insert(fault);
        Verdict::GoOn
    }
}

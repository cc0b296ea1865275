//! CONNECT: who comes in, with which session (3.1.1 and 5.0 section 3.1).

use std::fmt::Write as _;

use hexmq_session::{AliasesIn, AliasesOut, Mono, Now, keep_alive_deadline};
use hexmq_wire::{
    Connack, Connect, ControlPacket, Fault, FaultCode, Frame, Leniency, ReasonCode, Version, decode,
};

use super::{Serve, Shard, is_connect};
use crate::connection::{Aliases, Authenticating, Authentication, Connected, Reauthentication, Stage, Will};
use crate::session::{Expiry, Session};
use crate::uplink::note_will;
use crate::{
    Answer, AuthStep, CloseReason, Condition, ConnId, Event, Flow, HoldId, Message, Namespace, Permit,
    Question, Reach, Refusal, SessionKey, Sink, home,
};

/// Bytes of a CONNACK of 5.0 without properties.
const REFUSAL_SIZE: u32 = 5;

impl Shard {
    /// The first packet of a connection.
    pub(super) fn knock(&mut self, conn: ConnId, frame: Frame<'_>, now: Now, out: &mut impl Sink) -> Flow {
        if !is_connect(frame) {
            // [V4 MQTT-3.1.0-1, V5 MQTT-3.1.0-1]
            self.forget_and_close(conn, CloseReason::ConnectExpected, None, now, out);
            return Flow::Closed;
        }
        let mut serve = Serve::default();
        let connect = match decode(frame, Version::V5, &Leniency::default(), &mut serve) {
            Ok(ControlPacket::Connect(connect)) => connect,
            Ok(_) => {
                self.forget_and_close(conn, CloseReason::ConnectExpected, None, now, out);
                return Flow::Closed;
            }
            Err(fault) => {
                self.refuse_unread(conn, frame, fault, now, out);
                return Flow::Closed;
            }
        };
        let claimed = out.claim(&connect);
        if let Some(fault) = serve.survived {
            let namespace = claimed.as_ref().map_or(Namespace::PLAIN, |key| key.namespace);
            let client_identifier = connect.client_identifier;
            out.tell(Event::ViolationSurvived { namespace, client_identifier, fault });
        }
        if let Err(refusal) = self.admissible(&connect, claimed.as_ref()) {
            self.refuse(conn, &connect, refusal, now, out);
            return Flow::Closed;
        }
        let key = claimed.unwrap_or_else(|| self.assign_key());
        self.ask_at_door(conn, &connect, key, frame, AuthStep::Connect, now, out)
    }

    /// What can be said without knowing who it is.
    /// Any other identifier is as good as the next. [V4 MQTT-3.1.3-5, V4 MQTT-3.1.3-9, V5 MQTT-3.1.3-5]
    fn admissible(&self, connect: &Connect<'_>, claimed: Option<&SessionKey>) -> Result<(), Refusal> {
        if self.stopping {
            return Err(Refusal::ServerShuttingDown);
        }
        // Whose sessions live elsewhere was taken for somebody else in the lobby: products come and go meanwhile.
        if claimed.is_some_and(|key| home(key, self.shared.shards, self.shared.seed) != self.id) {
            return Err(Refusal::ServerUnavailable);
        }
        if claimed.is_none() {
            match connect.version {
                // 3.1 wants 1 to 23 characters.
                Version::V3 => return Err(Refusal::ClientIdentifierNotValid),
                // [V4 MQTT-3.1.3-7, V4 MQTT-3.1.3-8]
                Version::V4 if !connect.clean_start => return Err(Refusal::ClientIdentifierNotValid),
                // [V4 MQTT-3.1.3-6, V5 MQTT-3.1.3-6]
                Version::V4 | Version::V5 => {}
            }
        }
        // What a device may publish is known when it is known who it is.
        let plain = claimed.is_none_or(|key| key.namespace == Namespace::PLAIN);
        match connect.will {
            Some(will) if plain && Permit::default().may_publish(will.topic).is_none() => {
                Err(Refusal::NotAuthorized)
            }
            Some(will) if self.too_deep(will.topic) => Err(Refusal::TopicNameInvalid),
            _ => Ok(()),
        }
    }

    pub(super) fn too_deep(&self, topic: &str) -> bool {
        let depth = usize::from(self.residents.limits.topic_depth);
        // So many levels need as many characters to part them.
        topic.len() >= depth && topic.bytes().filter(|&byte| byte == b'/').count() >= depth
    }

    /// A Client Identifier nobody else has, whose session is at home on this shard.
    /// [V5 MQTT-3.1.3-7]
    fn assign_key(&mut self) -> SessionKey {
        loop {
            let mut identifier = String::with_capacity(21);
            // Writing to a String does not fail.
            let _ = write!(identifier, "auto-{:016x}", self.random.next());
            let key = SessionKey { namespace: Namespace::PLAIN, identifier: identifier.into() };
            if home(&key, self.shared.shards, self.shared.seed) == self.id
                && self.directory.find(&key, &self.residents.sessions).is_none()
            {
                return key;
            }
        }
    }

    /// Asks who this is and goes on with the answer, now or later.
    /// [V5 U-3.1.4-2, V5 U-3.1.2.11.9-2, V5 U-4.12-1]
    #[allow(clippy::too_many_arguments, reason = "one question, asked from two places")]
    pub(super) fn ask_at_door(
        &mut self,
        conn: ConnId,
        connect: &Connect<'_>,
        key: SessionKey,
        frame: Frame<'_>,
        step: AuthStep,
        now: Now,
        out: &mut impl Sink,
    ) -> Flow {
        let hold = HoldId { conn, serial: self.next_serial() };
        let Some(connection) = self.residents.connections.get_mut(conn.slot, conn.generation) else {
            return Flow::Closed;
        };
        let user_name = connect.user_name;
        let client_identifier = match connect.client_identifier {
            "" => &*key.identifier,
            sent => sent,
        };
        let peer = &connection.peer;
        let question = match connect.properties.authentication_method() {
            Some(method) => Question::Authenticate {
                step,
                method,
                data: connect.properties.authentication_data(),
                client_identifier,
                user_name,
                peer,
            },
            None => Question::WhoIs {
                key: &key,
                client_identifier,
                user_name,
                password: connect.password,
                version: connect.version,
                keep_alive_s: connect.keep_alive_s,
                peer,
            },
        };
        let answer = out.ask(hold, question);
        let waits = matches!(answer, None | Some(Answer::Challenge { .. }));
        if waits {
            let serial = answer.is_none().then_some(hold.serial);
            connection.paused = answer.is_none();
            connection.stage = Stage::Authenticating(Box::new(Authenticating {
                connect: frame.bytes.into(),
                key,
                serial,
                maximum_packet_size: connect.properties.maximum_packet_size().unwrap_or(u32::MAX),
            }));
            return match answer {
                Some(Answer::Challenge { data }) => {
                    self.challenge(conn, &data, out);
                    Flow::Continue
                }
                _ => Flow::Pause,
            };
        }
        match answer {
            Some(Answer::Admit { permit, data }) => {
                self.admit(conn, connect, &key, permit, data.as_deref(), now, out);
                if self.connected(conn).is_some() { Flow::Continue } else { Flow::Closed }
            }
            Some(Answer::Refuse(refusal)) => {
                self.refuse(conn, connect, refusal, now, out);
                Flow::Closed
            }
            _ => Flow::Continue,
        }
    }

    /// The answer about a CONNECT that waited.
    pub(super) fn answer_connect(&mut self, conn: ConnId, answer: Answer, now: Now, out: &mut impl Sink) {
        if let Answer::Challenge { data } = &answer {
            self.challenge(conn, data, out);
            return;
        }
        let Some(connection) = self.residents.connections.get_mut(conn.slot, conn.generation) else { return };
        let Stage::Authenticating(waiting) = std::mem::replace(&mut connection.stage, Stage::AwaitingConnect)
        else {
            return;
        };
        let frame = Frame::new(&waiting.connect);
        // It was read before, so it is a CONNECT.
        let Ok(ControlPacket::Connect(connect)) =
            decode(frame, Version::V5, &Leniency::default(), &mut Serve::default())
        else {
            return;
        };
        match answer {
            Answer::Admit { permit, data } => {
                self.admit(conn, &connect, &waiting.key, permit, data.as_deref(), now, out);
            }
            Answer::Refuse(refusal) => self.refuse(conn, &connect, refusal, now, out),
            Answer::Challenge { .. } => {}
        }
    }

    /// Lets a client in. [V4 MQTT-3.1.4-3, V4 MQTT-3.1.4-4, V5 MQTT-3.1.4-4, V5 MQTT-3.1.4-5, V5 U-3.1.4-4]
    #[allow(clippy::too_many_arguments, reason = "everything an admission is made of")]
    fn admit(
        &mut self,
        conn: ConnId,
        connect: &Connect<'_>,
        key: &SessionKey,
        permit: Permit,
        data: Option<&[u8]>,
        now: Now,
        out: &mut impl Sink,
    ) {
        let will_reach = match connect.will.map(|will| self.reach(permit.may_publish(will.topic))) {
            None => Reach::Topics,
            Some(Some(reach)) => reach,
            Some(None) => {
                self.refuse(conn, connect, Refusal::NotAuthorized, now, out);
                return;
            }
        };
        if out.condition() == Condition::Stuck && self.needs_store(key, connect) {
            self.refuse(conn, connect, Refusal::ServerUnavailable, now, out);
            return;
        }
        self.residents.persisted = false;
        let (session, session_present) = self.claim_session(key, connect, now, out);
        let connected = self.connected_from(connect, key, session, permit, will_reach, out);
        let keep_alive_s = connected.keep_alive_s;
        // While the store cannot write, who takes up a stored session is let in all the same: that is all that can
        // happen then, and the session loses nothing by it.
        if self.residents.persisted && out.condition() != Condition::Stuck {
            // The client may believe CONNACK: what it says of the session is in the store by then.
            out.gate(conn);
        }
        let Some(connection) = self.residents.connections.get_mut(conn.slot, conn.generation) else { return };
        connection.stage = Stage::Connected(connected);
        out.tell(Event::Connected {
            peer: &connection.peer,
            namespace: key.namespace,
            client_identifier: &key.identifier,
            user_name: connect.user_name,
            version: connect.version,
            clean_start: connect.clean_start,
            keep_alive_s,
            session_present,
        });
        if let Some(after_ms) = keep_alive_deadline(keep_alive_s) {
            self.watch_keep_alive(conn, now.mono.plus_ms(after_ms), now);
        }
        self.count_connected(1);
        self.residents.census.connects_accepted += 1;
        if !self.accept(conn, connect, key, session, session_present, data, out) {
            // The client's Maximum Packet Size has no room for the CONNACK, and without one there
            // is no connection, nor a Will. [V5 MQTT-3.1.2-24, V5 MQTT-3.2.0-1]
            self.drop_will(conn, out);
            self.forget_and_close(conn, CloseReason::PacketTooLarge, None, now, out);
            return;
        }
        if let Some(session) = self.residents.sessions.at_mut(session) {
            session.conn = Some(conn.slot);
        }
        self.greet(conn, session, now, out);
        self.pump(session, now, out);
    }

    /// The session of a CONNECT: taken over, resumed or new.
    /// [V4 MQTT-3.1.3-2, V5 MQTT-3.1.3-2, V5 U-3.1.2.11.2-2, V5 U-3.1.2.11.3-3, V5 U-4.1-2, V5 U-4.9-3]
    fn claim_session(
        &mut self,
        key: &SessionKey,
        connect: &Connect<'_>,
        now: Now,
        out: &mut impl Sink,
    ) -> (u32, bool) {
        self.take_over(key, now, out);
        let limits = &self.residents.limits;
        let window =
            connect.properties.receive_maximum().unwrap_or(u16::MAX).min(limits.in_flight_per_session);
        let expiry = match connect.version {
            Version::V5 => Expiry::from_interval(connect.properties.session_expiry_interval().unwrap_or(0)),
            _ if connect.clean_start => Expiry::AtOnce,
            _ => Expiry::Never,
        };
        let expiry = expiry.capped(limits.session_expiry_max_s);
        if let Some(slot) = self.directory.find(key, &self.residents.sessions) {
            if !connect.clean_start
                && let Some(session) = self.residents.sessions.at_mut(slot)
            {
                // [V4 MQTT-3.1.2-4, V5 MQTT-3.1.2-5]
                session.expiry = expiry;
                session.ends_at = Mono::NEVER;
                session.in_flight.set_window(window);
                session.in_flight.rewind();
                self.persist_session(slot, None, out);
                self.cancel_will(slot, out);
                return (slot, true);
            }
            // [V4 MQTT-3.1.2-6, V5 MQTT-3.1.2-4]
            self.end_session(slot, false, now, out);
        }
        // [V5 MQTT-3.1.2-6]
        let (slot, _) = self.residents.sessions.insert(Session::new(key.clone(), expiry, window));
        self.directory.insert(slot, &self.residents.sessions);
        if expiry != Expiry::AtOnce {
            self.store_session(slot, out);
        }
        (slot, false)
    }

    /// The older connection of the same client is closed. [V4 MQTT-3.1.4-2, V5 MQTT-3.1.4-3]
    fn take_over(&mut self, key: &SessionKey, now: Now, out: &mut impl Sink) {
        let Some(slot) = self.directory.find(key, &self.residents.sessions) else { return };
        let Some(older) = self.residents.sessions.at(slot).and_then(|session| session.conn) else { return };
        let older = ConnId { slot: older, generation: self.residents.connections.generation(older) };
        self.close(older, CloseReason::SessionTakenOver, ReasonCode::SessionTakenOver, None, now, out);
    }

    /// What a connection keeps of its CONNECT.
    /// [V4 MQTT-3.1.2-12, V5 MQTT-3.1.2-7, V5 MQTT-3.1.3-10, V5 U-3.1.2.11.4-3, V5 U-3.1.2.11.5-2]
    /// [V5 U-3.1.2.11.7-3, V5 U-3.1.3.2.2-2, V5 U-3.1.3.4-1]
    fn connected_from(
        &mut self,
        connect: &Connect<'_>,
        key: &SessionKey,
        session: u32,
        permit: Permit,
        will_reach: Reach,
        out: &mut impl Sink,
    ) -> Connected {
        let properties = connect.properties;
        let will = connect.will.map(|will| {
            let mut forwarded = Vec::new();
            will.properties.copy_forwarded(&mut forwarded);
            if let Some(device) = &permit.device {
                note_will(&device.product, will_reach, &mut forwarded);
            }
            let message = Message {
                namespace: key.namespace.topics(),
                topic: will.topic,
                properties: &forwarded,
                payload: will.payload,
                qos: will.qos,
                retain: will.retain,
                expires_at: None,
                publisher: Some(self.session_ref(session)),
            };
            let delay_s = will.properties.will_delay_interval().unwrap_or(0);
            let expiry_s = will.properties.message_expiry_interval();
            let serial = self.persist_will(session, &message, delay_s, expiry_s, out);
            let message = self.residents.messages.keep(&message);
            Box::new(Will { message, serial, delay_s, expiry_s })
        });
        let limits = &self.residents.limits;
        let keep_alive_s = self.keep_alive_for(connect);
        let aliases = (connect.version == Version::V5).then(|| {
            let theirs = properties.topic_alias_maximum().unwrap_or(0).min(limits.topic_alias_maximum);
            (AliasesIn::new(limits.topic_alias_maximum), AliasesOut::new(theirs))
        });
        Connected {
            session,
            version: connect.version,
            topics: key.namespace.topics(),
            leniency: permit.manners().leniency(),
            keep_alive_s,
            maximum_packet_size: properties.maximum_packet_size().unwrap_or(u32::MAX),
            special: Connected::special(permit),
            problem_information: properties.request_problem_information() != Some(0),
            session_ends_with_connection: properties.session_expiry_interval().unwrap_or(0) == 0,
            will,
            aliases: aliases.map(|(incoming, outgoing)| Box::new(Aliases { incoming, outgoing })),
            authentication: properties.authentication_method().map(|method| {
                Box::new(Authentication {
                    method: method.into(),
                    user_name: connect.user_name.map(Into::into),
                    step: Reauthentication::Idle,
                })
            }),
        }
    }

    /// CONNACK with an error, and the end.
    /// [V4 MQTT-3.1.3-9, V4 MQTT-3.1.4-5, V5 MQTT-3.1.4-2, V5 MQTT-3.1.4-6, V5 MQTT-3.2.2-7]
    /// [V5 MQTT-4.12.0-1, V5 MQTT-4.12.0-4, V5 MQTT-4.13.2-1]
    pub(super) fn refuse(
        &mut self,
        conn: ConnId,
        connect: &Connect<'_>,
        refusal: Refusal,
        now: Now,
        out: &mut impl Sink,
    ) {
        let identifier = Some(connect.client_identifier).filter(|id| !id.is_empty());
        // [V5 MQTT-3.1.2-24]
        if connect.properties.maximum_packet_size().is_none_or(|maximum| maximum >= REFUSAL_SIZE) {
            self.send_refusal(conn, connect.version, refusal.reason_code(), out);
        }
        self.tell_refused(conn, identifier, refusal, None, out);
        self.forget_and_close(conn, CloseReason::Refused, None, now, out);
    }

    /// A CONNECT that cannot be read.
    fn refuse_unread(&mut self, conn: ConnId, frame: Frame<'_>, fault: Fault, now: Now, out: &mut impl Sink) {
        let refusal = match (fault.code, fault.reason_code()) {
            (FaultCode::ProtocolVersion, _) => Refusal::UnsupportedProtocolVersion,
            (_, ReasonCode::ProtocolError) => Refusal::ProtocolError,
            _ => Refusal::MalformedPacket,
        };
        match (fault.code, fault.version) {
            (FaultCode::ProtocolVersion, _) => {
                // [V4 MQTT-3.1.2-2, V5 MQTT-3.1.2-2] In the form the client is likely to read: its
                // level is the byte at fault.
                let level = frame.bytes.get(fault.offset).copied().unwrap_or(0);
                let version = if level > 5 { Version::V5 } else { Version::V4 };
                self.send_refusal(conn, version, ReasonCode::UnsupportedProtocolVersion, out);
            }
            // Who does not speak MQTT gets no answer in MQTT. [V4 MQTT-3.1.2-1, V5 MQTT-3.1.2-1]
            (FaultCode::ProtocolName, _) => {}
            // [V5 MQTT-3.1.4-1, V5 MQTT-3.1.4-2]
            (_, Version::V5) => self.send_refusal(conn, Version::V5, fault.reason_code(), out),
            // [V4 MQTT-3.1.4-1]
            _ => {}
        }
        self.tell_refused(conn, None, refusal, Some(fault), out);
        self.forget_and_close(conn, CloseReason::Refused, Some(fault), now, out);
    }

    fn send_refusal(&mut self, conn: ConnId, version: Version, code: ReasonCode, out: &mut impl Sink) {
        if version != Version::V5 && code.return_code().is_none() {
            // No return code says it. [V4 MQTT-3.2.2-6]
            return;
        }
        // [V4 MQTT-3.2.2-4, V4 MQTT-3.2.2-5, V5 MQTT-3.2.2-6, V5 MQTT-3.2.2-7]
        let connack =
            Connack { session_present: false, reason_code: code, properties: hexmq_wire::Properties::EMPTY };
        self.residents.send_in(conn, version, &ControlPacket::Connack(connack), out);
    }

    pub(super) fn tell_refused(
        &mut self,
        conn: ConnId,
        client_identifier: Option<&str>,
        refusal: Refusal,
        fault: Option<Fault>,
        out: &mut impl Sink,
    ) {
        self.residents.census.connects_refused += 1;
        if let Some(connection) = self.residents.connections.get(conn.slot, conn.generation) {
            out.tell(Event::Refused { peer: &connection.peer, client_identifier, refusal, fault });
        }
    }
}

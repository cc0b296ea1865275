//! Enhanced authentication (5.0 section 4.12). The methods themselves are behind a question.

use hexmq_session::Now;
use hexmq_wire::{
    Auth, ControlPacket, Disconnect, Frame, Leniency, PropertiesBuf, Property, ReasonCode, Version, decode,
};

use super::{Serve, Shard};
use crate::connection::{Connection, Reauthentication, Stage};
use crate::{Answer, AuthStep, CloseReason, ConnId, Flow, HoldId, Question, Refusal, Sink};

impl Shard {
    /// A packet before CONNACK: only AUTH with the same method may come.
    /// [V5 MQTT-3.1.2-30, V5 MQTT-4.12.0-3, V5 MQTT-4.12.0-5]
    /// [V5 MQTT-4.12.0-4, V5 U-3.15-1, V5 U-4.12-2]
    pub(super) fn receive_authenticating(
        &mut self,
        conn: ConnId,
        frame: Frame<'_>,
        now: Now,
        out: &mut impl Sink,
    ) -> Flow {
        let packet = decode(frame, Version::V5, &Leniency::default(), &mut Serve::default());
        let Some(Connection { stage: Stage::Authenticating(waiting), .. }) =
            self.residents.connections.get(conn.slot, conn.generation)
        else {
            return Flow::Closed;
        };
        let connect_bytes = waiting.connect.clone();
        let identifier = waiting.key.identifier.clone();
        // It was read before, so it is a CONNECT.
        let Ok(ControlPacket::Connect(connect)) =
            decode(Frame::new(&connect_bytes), Version::V5, &Leniency::default(), &mut Serve::default())
        else {
            return Flow::Closed;
        };
        let method = connect.properties.authentication_method();
        let auth = match packet {
            Ok(ControlPacket::Auth(auth)) => auth,
            Ok(ControlPacket::Disconnect(_)) => {
                self.forget_and_close(conn, CloseReason::ClientDisconnected, None, now, out);
                return Flow::Closed;
            }
            _ => {
                self.refuse(conn, &connect, Refusal::ProtocolError, now, out);
                return Flow::Closed;
            }
        };
        let fits = auth.reason_code == ReasonCode::ContinueAuthentication
            && auth.properties.authentication_method() == method
            && waiting.serial.is_none();
        if !fits {
            self.refuse(conn, &connect, Refusal::ProtocolError, now, out);
            return Flow::Closed;
        }
        let hold = HoldId { conn, serial: self.next_serial() };
        let Some(connection) = self.residents.connections.get_mut(conn.slot, conn.generation) else {
            return Flow::Closed;
        };
        let question = Question::Authenticate {
            step: AuthStep::Continue,
            method: method.unwrap_or_default(),
            data: auth.properties.authentication_data(),
            client_identifier: &identifier,
            user_name: connect.user_name,
            peer: &connection.peer,
        };
        match out.ask(hold, question) {
            Some(answer) => {
                self.answer_connect(conn, answer, now, out);
                if self.residents.connections.get(conn.slot, conn.generation).is_some() {
                    Flow::Continue
                } else {
                    Flow::Closed
                }
            }
            None => {
                if let Stage::Authenticating(waiting) = &mut connection.stage {
                    waiting.serial = Some(hold.serial);
                }
                connection.paused = true;
                Flow::Pause
            }
        }
    }

    /// AUTH 0x18 to a client whose CONNECT waits. [V5 MQTT-4.12.0-2]
    pub(super) fn challenge(&mut self, conn: ConnId, data: &[u8], out: &mut impl Sink) {
        let Some(Connection { stage: Stage::Authenticating(waiting), .. }) =
            self.residents.connections.get(conn.slot, conn.generation)
        else {
            return;
        };
        let connect_bytes = waiting.connect.clone();
        let Ok(ControlPacket::Connect(connect)) =
            decode(Frame::new(&connect_bytes), Version::V5, &Leniency::default(), &mut Serve::default())
        else {
            return;
        };
        let method = connect.properties.authentication_method().unwrap_or_default();
        self.send_auth(conn, ReasonCode::ContinueAuthentication, method, Some(data), out);
    }

    /// Neither Reason String nor User Property, so none can be too much.
    /// [V5 MQTT-3.15.2-1, V5 MQTT-3.15.2-2, V5 MQTT-3.15.2-3, V5 MQTT-4.12.0-5]
    fn send_auth(
        &mut self,
        conn: ConnId,
        reason_code: ReasonCode,
        method: &str,
        data: Option<&[u8]>,
        out: &mut impl Sink,
    ) {
        let mut properties = PropertiesBuf::new();
        // The method came in a packet; data of an authority that does not fit is left out.
        let _ = properties.push(Property::AuthenticationMethod(method));
        if let Some(data) = data {
            let _ = properties.push(Property::AuthenticationData(data));
        }
        let auth = Auth { reason_code, properties: properties.as_properties() };
        self.residents.send(conn, &ControlPacket::Auth(auth), out);
    }

    /// AUTH on an established connection: re-authentication.
    /// [V5 MQTT-4.12.0-6, V5 MQTT-4.12.0-7, V5 MQTT-4.12.1-1]
    /// [V5 U-3.15-1, V5 U-3.15.2.2.2-1, V5 U-4.12.1-3]
    pub(super) fn auth(&mut self, conn: ConnId, auth: &Auth<'_>, now: Now, out: &mut impl Sink) -> Flow {
        let step = self.connected(conn).and_then(|connected| {
            let authentication = connected.authentication.as_ref()?;
            let same = auth.properties.authentication_method() == Some(&*authentication.method);
            match (auth.reason_code, authentication.step) {
                (ReasonCode::ReAuthenticate, Reauthentication::Idle) if same => {
                    Some(AuthStep::Reauthenticate)
                }
                (ReasonCode::ContinueAuthentication, Reauthentication::Challenged) if same => {
                    Some(AuthStep::Continue)
                }
                _ => None,
            }
        });
        let Some(step) = step else {
            self.close(conn, CloseReason::ProtocolError, ReasonCode::ProtocolError, None, now, out);
            return Flow::Closed;
        };
        let hold = HoldId { conn, serial: self.next_serial() };
        let identifier: Box<str> = self.client_identifier(conn).unwrap_or_default().into();
        let Some(connection) = self.residents.connections.get_mut(conn.slot, conn.generation) else {
            return Flow::Closed;
        };
        let Stage::Connected(connected) = &mut connection.stage else { return Flow::Closed };
        let Some(authentication) = &mut connected.authentication else { return Flow::Closed };
        authentication.step = Reauthentication::Asked(hold.serial);
        let question = Question::Authenticate {
            step,
            method: &authentication.method,
            data: auth.properties.authentication_data(),
            client_identifier: &identifier,
            user_name: authentication.user_name.as_deref(),
            peer: &connection.peer,
        };
        if let Some(answer) = out.ask(hold, question) {
            self.answer_reauthentication(hold, answer, now, out);
        }
        match self.connected(conn) {
            Some(_) => Flow::Continue,
            None => Flow::Closed,
        }
    }

    /// The answer of an authority about an established connection.
    /// [V5 U-4.12.1-1, V5 U-4.12.1-2]
    pub(super) fn answer_reauthentication(
        &mut self,
        hold: HoldId,
        answer: Answer,
        now: Now,
        out: &mut impl Sink,
    ) {
        let Some(connected) = self.connected_mut(hold.conn) else { return };
        let Some(authentication) = &mut connected.authentication else { return };
        if authentication.step != Reauthentication::Asked(hold.serial) {
            return;
        }
        let method = authentication.method.clone();
        match answer {
            Answer::Admit { permit, data } => {
                authentication.step = Reauthentication::Idle;
                connected.set_permit(permit);
                self.send_auth(hold.conn, ReasonCode::Success, &method, data.as_deref(), out);
            }
            Answer::Challenge { data } => {
                authentication.step = Reauthentication::Challenged;
                self.send_auth(hold.conn, ReasonCode::ContinueAuthentication, &method, Some(&data), out);
            }
            Answer::Refuse(_) => {
                // [V5 MQTT-4.12.1-2]
                let disconnect = Disconnect::with_reason(ReasonCode::NotAuthorized);
                self.residents.send(hold.conn, &ControlPacket::Disconnect(disconnect), out);
                self.forget_and_close(hold.conn, CloseReason::NotAuthorized, None, now, out);
            }
        }
    }
}

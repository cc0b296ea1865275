//! What of sessions, Wills and retained messages goes into the store, and what happens when it
//! cannot take it.

use hexmq_session::{Now, Wall};
use hexmq_wire::{
    Ack, Connect, ControlPacket, Frame, Leniency, NoTrace, PacketIdentifier, PacketType, ReasonCode, Version,
    decode,
};

use super::Shard;
use super::timers::Timer;
use crate::connection::Will;
use crate::session::{Expiry, Session, Stored};
use crate::{CloseReason, Condition, ConnId, Flow, Message, Record, Serial, SessionKey, Sink};

/// Expired retained messages looked at in one go.
const SWEEP_BUDGET: usize = 1024;

impl Shard {
    /// A new session outlives its connection, and a crash.
    pub(super) fn store_session(&mut self, slot: u32, out: &mut impl Sink) {
        let Some(serial) = self.residents.serials.as_mut().map(|serials| serials.take()) else { return };
        if let Some(session) = self.residents.sessions.at_mut(slot) {
            session.stored = Some(Box::new(Stored::new(serial)));
        }
        self.persist_session(slot, None, out);
    }

    /// The terms of a session have changed.
    pub(super) fn persist_session(&mut self, slot: u32, ends_at: Option<Wall>, out: &mut impl Sink) {
        let Some(session) = self.residents.sessions.at(slot) else { return };
        let Some(stored) = &session.stored else { return };
        let expiry_s = match session.expiry {
            Expiry::AtOnce => Some(0),
            Expiry::After(seconds) => Some(seconds),
            Expiry::Never => None,
        };
        self.residents.persisted = true;
        out.persist(&Record::Session {
            session: stored.serial,
            namespace: session.key.namespace,
            identifier: &session.key.identifier,
            expiry_s,
            ends_at,
        });
    }

    /// Whether CONNACK would promise what the store must have: that a stored session was made, or is gone.
    pub(super) fn needs_store(&self, key: &SessionKey, connect: &Connect<'_>) -> bool {
        if self.residents.serials.is_none() {
            return false;
        }
        let found = self.directory.find(key, &self.residents.sessions);
        let stored = found.is_some_and(|slot| self.residents.stored_serial(slot).is_some());
        let lasts = match connect.version {
            Version::V5 => connect.properties.session_expiry_interval().unwrap_or(0) > 0,
            _ => !connect.clean_start,
        };
        (stored && connect.clean_start) || (!stored && lasts)
    }

    /// While the store does not keep up, who has it store something is not read further.
    pub(super) fn hold_back(&mut self, conn: ConnId, now: Now, out: &mut impl Sink) -> Flow {
        if !self.residents.persisted || out.condition() == Condition::Well {
            return Flow::Continue;
        }
        self.watch_store(conn, now, out);
        match self.residents.connections.get_mut(conn.slot, conn.generation) {
            Some(connection) => {
                connection.paused = true;
                Flow::Pause
            }
            None => Flow::Closed,
        }
    }

    /// A session is over; so is what the store has of it: so many messages of it are there alone.
    pub(super) fn forget_stored(&mut self, session: &mut Session, out: &mut impl Sink) -> u64 {
        let Some(stored) = session.stored.take() else { return 0 };
        self.residents.census.messages_queued =
            self.residents.census.messages_queued.saturating_sub(stored.tail.messages);
        self.residents.persist(&Record::SessionEnded { session: stored.serial }, out);
        stored.tail.messages
    }

    /// A Will outlives a crash with its session.
    pub(super) fn persist_will(
        &mut self,
        slot: u32,
        message: &Message<'_>,
        delay_s: u32,
        expiry_s: Option<u32>,
        out: &mut impl Sink,
    ) -> Option<Serial> {
        let session = self.residents.stored_serial(slot)?;
        let message = self.residents.persist_message(message, out)?;
        self.residents.persist(&Record::Will { session, message, delay_s, due: None, expiry_s }, out);
        Some(message)
    }

    /// The delay of a Will has begun.
    pub(super) fn persist_will_due(&mut self, slot: u32, will: &Will, due: Wall, out: &mut impl Sink) {
        let (Some(session), Some(message)) = (self.residents.stored_serial(slot), will.serial) else {
            return;
        };
        let Will { delay_s, expiry_s, .. } = *will;
        self.residents.persist(&Record::Will { session, message, delay_s, due: Some(due), expiry_s }, out);
    }

    /// A Will was published or taken away.
    pub(super) fn persist_will_gone(&mut self, slot: u32, out: &mut impl Sink) {
        if let Some(session) = self.residents.stored_serial(slot) {
            self.residents.persist(&Record::WillGone { session }, out);
        }
    }

    /// Forgets some retained messages that have expired.
    pub(super) fn sweep_retained(&mut self, now: Now, out: &mut impl Sink) {
        let stores = self.residents.serials.is_some();
        self.shared.retained.sweep_with(now.wall, SWEEP_BUDGET, |namespace, topic, version| {
            if stores {
                out.persist(&Record::RetainedCleared { version, namespace, topic });
            }
        });
    }

    /// While the store cannot write, a publisher is not read; not for ever.
    fn watch_store(&mut self, conn: ConnId, now: Now, out: &mut impl Sink) {
        if out.condition() == Condition::Stuck {
            let due = now.mono.plus_ms(self.residents.limits.store_full_timeout_ms);
            self.wheel.insert(due, Timer::Store(conn));
        }
    }

    /// The store has become unable to write: connections that wait for it do not wait for ever.
    pub fn store_stuck(&mut self, waiting: impl IntoIterator<Item = ConnId>, now: Now) {
        let due = now.mono.plus_ms(self.residents.limits.store_full_timeout_ms);
        for conn in waiting {
            self.wheel.insert(due, Timer::Store(conn));
        }
    }

    pub(super) fn store_due(&mut self, conn: ConnId, now: Now, out: &mut impl Sink) {
        let Some(connection) = self.residents.connections.get(conn.slot, conn.generation) else { return };
        let waits = connection.paused || out.promised(conn);
        if out.condition() == Condition::Stuck && waits {
            self.close(conn, CloseReason::StoreUnavailable, ReasonCode::ServerBusy, None, now, out);
        }
    }

    /// Whether a promised packet is better withdrawn while the store cannot write: the acknowledgement of a
    /// message, to a client that can be told why not.
    pub fn would_refuse(&self, conn: ConnId, packet: &[u8]) -> bool {
        let is_v5 = self.connected(conn).is_some_and(|connected| connected.version == Version::V5);
        is_v5 && promised_ack(packet).is_some()
    }

    /// Tells a client in place of that packet that there is no room.
    pub fn refuse_promised(&mut self, conn: ConnId, packet: &[u8], out: &mut impl Sink) {
        let Some((packet_type, identifier)) = promised_ack(packet) else { return };
        let ack = Ack::with_reason(identifier, ReasonCode::QuotaExceeded);
        let refusal = match packet_type {
            PacketType::Puback => ControlPacket::Puback(ack),
            _ => {
                let slot = self.session_of(conn);
                let session = slot.and_then(|slot| self.residents.sessions.at_mut(slot));
                if let Some(session) = session
                    && session.received.remove(identifier)
                    && let Some(session) = session.stored.as_ref().map(|stored| stored.serial)
                {
                    self.residents.persist(&Record::Released { session, identifier }, out);
                }
                ControlPacket::Pubrec(ack)
            }
        };
        self.residents.send(conn, &refusal, out);
    }
}

/// Type and identifier of a PUBACK or PUBREC of 5.0 that says "taken over".
fn promised_ack(packet: &[u8]) -> Option<(PacketType, PacketIdentifier)> {
    match decode(Frame::new(packet), Version::V5, &Leniency::default(), &mut NoTrace) {
        Ok(ControlPacket::Puback(ack)) if !ack.reason_code.is_error() => {
            Some((PacketType::Puback, ack.packet_identifier))
        }
        Ok(ControlPacket::Pubrec(ack)) if !ack.reason_code.is_error() => {
            Some((PacketType::Pubrec, ack.packet_identifier))
        }
        _ => None,
    }
}

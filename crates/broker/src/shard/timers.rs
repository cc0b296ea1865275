//! What happens when time passes. A timer is never cancelled: when it fires, its owner looks
//! whether the matter is still due.

use hexmq_session::{Mono, Now, keep_alive_deadline};
use hexmq_wire::ReasonCode;

use super::Shard;
use crate::connection::Stage;
use crate::{CloseReason, ConnId, Event, Sink};

/// Milliseconds between two sweeps over retained messages that may expire.
const SWEEP_EVERY_MS: u64 = 1000;
/// The farthest look ahead: what a timer was set for may be gone long before, and the timer of a
/// connection with a Keep Alive of hours must not outlive it for hours.
const HORIZON_MS: u64 = 60_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    /// The CONNECT must be here.
    Connect(ConnId),
    /// One and a half times Keep Alive have passed since the last look.
    KeepAlive(ConnId),
    /// A session without a connection: its Will is due, or its end.
    Session { slot: u32, generation: u32 },
    /// The store may have been unable to write for too long, for a connection that waits for it.
    Store(ConnId),
    /// A PUBLISH may have waited too long for room among the messages for the platform.
    Uplink(ConnId),
    /// What was kept for the platform in an earlier life is handed up.
    Uplinks,
    /// Expired retained messages are forgotten.
    Sweep,
    /// `$SYS` is brought up to date.
    Sys,
}

impl Shard {
    pub(super) fn start_timers(&mut self, now: Now) {
        let interval_s = self.residents.limits.sys_interval_s;
        if interval_s > 0 {
            self.wheel.insert(now.mono, Timer::Sys);
        }
        if self.id.0 == 0 {
            self.wheel.insert(now.mono.plus_ms(SWEEP_EVERY_MS), Timer::Sweep);
        }
    }

    /// Everything that is due at `now`.
    pub fn timeout(&mut self, now: Now, out: &mut impl Sink) {
        while let Some(timer) = self.wheel.pop(now.mono) {
            match timer {
                Timer::Connect(conn) => self.connect_due(conn, now, out),
                Timer::KeepAlive(conn) => self.keep_alive_due(conn, now, out),
                Timer::Store(conn) => self.store_due(conn, now, out),
                Timer::Uplink(conn) => self.uplink_due(conn, now, out),
                Timer::Uplinks => self.hand_up(out),
                Timer::Session { slot, generation } => self.session_due(slot, generation, now, out),
                Timer::Sweep => {
                    self.sweep_retained(now, out);
                    self.wheel.insert(now.mono.plus_ms(SWEEP_EVERY_MS), Timer::Sweep);
                }
                Timer::Sys => {
                    self.update_sys(now, out);
                    let interval_s = self.residents.limits.sys_interval_s.max(1);
                    self.wheel.insert(now.mono.plus_s(interval_s.into()), Timer::Sys);
                }
            }
        }
    }

    /// [V4 MQTT-3.1.4-1] A client that never sends its CONNECT does not keep its place.
    /// [V5 U-3.1.4-1]
    fn connect_due(&mut self, conn: ConnId, now: Now, out: &mut impl Sink) {
        let Some(connection) = self.residents.connections.get(conn.slot, conn.generation) else { return };
        match connection.stage {
            Stage::Connected(_) => return,
            Stage::AwaitingConnect | Stage::Authenticating(_) => {
                let partial = out.partial(conn);
                out.tell(Event::ConnectIncomplete {
                    peer: &connection.peer,
                    received: partial.received,
                    missing: partial.missing,
                });
            }
        }
        self.forget_and_close(conn, CloseReason::ConnectIncomplete, None, now, out);
    }

    /// [V4 MQTT-3.1.2-24, V5 MQTT-3.1.2-22]
    /// [V5 U-3.1.2.5-2, V5 U-3.1.2.10-1]
    fn keep_alive_due(&mut self, conn: ConnId, now: Now, out: &mut impl Sink) {
        let Some(connection) = self.residents.connections.get(conn.slot, conn.generation) else { return };
        let Stage::Connected(connected) = &connection.stage else { return };
        let Some(allowed_ms) = keep_alive_deadline(connected.keep_alive_s) else { return };
        // The clock of a connection that we do not read stands still.
        let heard = if connection.paused { now.mono } else { connection.last_heard };
        let due = heard.plus_ms(allowed_ms);
        if due > now.mono {
            self.watch_keep_alive(conn, due, now);
            return;
        }
        self.close(conn, CloseReason::KeepAliveTimeout, ReasonCode::KeepAliveTimeout, None, now, out);
    }

    /// Sets the next look at a connection's Keep Alive.
    pub(super) fn watch_keep_alive(&mut self, conn: ConnId, due: Mono, now: Now) {
        self.wheel.insert(due.min(now.mono.plus_ms(HORIZON_MS)), Timer::KeepAlive(conn));
    }

    /// Sets the next look at a session that time alone can change.
    pub(super) fn watch_session(&mut self, slot: u32, now: Now) {
        let generation = self.residents.sessions.generation(slot);
        let Some(session) = self.residents.sessions.at_mut(slot) else { return };
        let due = session.due();
        if due == Mono::NEVER {
            return;
        }
        let at = due.min(now.mono.plus_ms(HORIZON_MS));
        if session.timer > at {
            session.timer = at;
            self.wheel.insert(at, Timer::Session { slot, generation });
        }
    }

    /// [V5 MQTT-4.1.0-2]
    fn session_due(&mut self, slot: u32, generation: u32, now: Now, out: &mut impl Sink) {
        let Some(session) = self.residents.sessions.get_mut(slot, generation) else { return };
        if session.timer != Mono::NEVER && session.timer > now.mono {
            return;
        }
        session.timer = Mono::NEVER;
        if let Some(stored) = session.stored.as_mut()
            && stored.fetch_again.take_if(|at| *at <= now.mono).is_some()
        {
            self.residents.fetch_tail(slot, out);
        }
        let Some(session) = self.residents.sessions.at_mut(slot) else { return };
        if session.ends_at <= now.mono {
            self.end_session(slot, true, now, out);
            return;
        }
        let will = session.rare.as_mut().and_then(|rare| rare.will.take_if(|will| will.due <= now.mono));
        session.settle_rare();
        if let Some(will) = will {
            self.publish_will(slot, will.message, will.expiry_s, now, out);
        }
        self.watch_session(slot, now);
    }
}

//! The server's side of the world: what `node` does with sockets and threads, done step by step.

use std::collections::BTreeSet;

use hexmq_broker::{Address, CloseReason, Condition, Flow, Lost, Peer, Shard, home};
use hexmq_session::Now;
use hexmq_wire::{ControlPacket, Frame, Framer, Leniency, NoTrace, Version, decode};

use super::client::Client;
use super::cloud::claim;
use super::host::{ConnKey, Link, Outputs, Paused, Told, key};
use super::plan::{Keeps, Nature};
use super::read::{Heard, Stop};
use super::wires::{Place, Story};
use super::{Happening, World};

impl World {
    /// One call into a shard, and what follows from it.
    pub(super) fn turn<R>(
        &mut self,
        at: usize,
        call: impl FnOnce(&mut Shard, Now, &mut Outputs<'_>) -> R,
    ) -> R {
        let answer_later = self.random.percent(self.plan.ask_later_percent);
        let now = self.now;
        let mut dirty = BTreeSet::new();
        let mut resumed = Vec::new();
        let host = &mut self.hosts[at];
        let mut out = Outputs {
            links: &mut host.links,
            lanes: &mut host.lanes,
            questions: &mut host.questions,
            told: &mut self.told,
            said: &mut self.said,
            dirty: &mut dirty,
            resumed: &mut resumed,
            answer_later,
            asked: false,
            commits: &mut host.commits,
            nowhere: Vec::new(),
        };
        let result = call(&mut host.shard, now, &mut out);
        if out.asked {
            let when = self.random.between(0, 3000);
            self.schedule(when, Happening::Answer(at));
        }
        self.listen(at);
        self.seal(at);
        let said = std::mem::take(&mut self.said);
        self.platform_hears(said);
        for key in dirty {
            self.flush(at, key);
        }
        self.dispatch(at);
        for key in resumed {
            self.unpause(at, key, None);
        }
        let host = &mut self.hosts[at];
        if host.shard.has_work() && !std::mem::replace(&mut host.work_scheduled, true) {
            let when = self.random.below(3);
            self.schedule(when, Happening::Work(at));
        }
        result
    }

    /// What the shard told.
    fn listen(&mut self, at: usize) {
        for told in std::mem::take(&mut self.told) {
            match told {
                Told::Dropped { namespace, client, topic, qos, reason } => {
                    let known =
                        |who: &&Client| who.spec.namespace == namespace && who.spec.identifier == client;
                    let client = self.clients.iter().find(known).map_or(client, |who| who.spec.name.clone());
                    self.remark(format!("shard {at}: dropped for {client}: {topic} {qos:?} {reason}"));
                    if qos != hexmq_wire::QoS::AtMostOnce {
                        *self.ledger.drops.entry((client, topic)).or_default() += 1;
                    }
                }
                Told::Closed { conn, reason } => self.ended(at, conn, Some(reason)),
                Told::Line(line) => self.remark(format!("shard {at}: {line}")),
            }
        }
    }

    /// The server's end of a connection is closed, by whomever.
    fn ended(&mut self, at: usize, conn: ConnKey, reason: Option<CloseReason>) {
        let now = self.now_ms();
        let Some(wire) = self.hosts[at].links.get(&conn).map(|link| link.wire) else { return };
        let Story { accepted_at, keeps, was_paused, heard_at, .. } = self.wires[wire].story;
        let client = self.wires[wire].client;
        if self.wires[wire].story.ended_at.is_some() {
            return;
        }
        self.schedule(CLOSING_MS, Happening::Force(wire));
        // What is in the output was said before the end.
        self.flush(at, conn);
        self.wires[wire].story.ended_at = Some(now);
        if keeps == Keeps::Nothing && self.clients[client].online().is_some_and(|online| online.wire == wire)
        {
            self.ledger.shaken(client, now);
        }
        let keep_alive_ms = u64::from(self.clients[client].spec.keep_alive_s) * 1500;
        if reason == Some(CloseReason::KeepAliveTimeout) && now < heard_at + keep_alive_ms {
            self.fail(
                client,
                format!("closed after {} ms of silence, Keep Alive allows {keep_alive_ms}", now - heard_at),
            );
        }
        let silent = keep_alive_ms > 0 && accepted_at.is_some() && !was_paused;
        if silent && now > heard_at + keep_alive_ms + 200 {
            self.fail(client, format!("still open after {} ms of silence", now - heard_at));
        }
        let legal = matches!(self.clients[client].spec.nature, Nature::Legal | Nature::Witness);
        let innocent = matches!(
            reason,
            None | Some(
                CloseReason::SessionTakenOver
                    | CloseReason::KeepAliveTimeout
                    | CloseReason::ClientDisconnected
                    | CloseReason::ClientDisconnectedWithWill
                    | CloseReason::ConnectIncomplete
            )
        );
        let may_refuse = self.plan.store.is_some_and(|store| store.sync_fails_of > 0);
        let innocent = innocent || (may_refuse && reason == Some(CloseReason::Refused));
        // The platform was away for long.
        let innocent = innocent || reason == Some(CloseReason::UplinkQueueFull);
        if legal && !innocent {
            self.fail(client, format!("closed although it did nothing wrong: {reason:?}"));
        }
    }

    /// Offers the output to the kernel, which takes what fits.
    pub(super) fn flush(&mut self, at: usize, conn: ConnKey) {
        let Some(link) = self.hosts[at].links.get_mut(&conn).filter(|link| link.gates == 0) else { return };
        let wire = &mut self.wires[link.wire];
        let room = self.plan.socket_bytes.saturating_sub(wire.to_client.len());
        let low_mark = self.plan.limits.write_buffer_bytes / 2;
        link.high |= link.output.len() >= low_mark;
        let count = room.min(link.output.len());
        let bytes: Vec<u8> = link.output.drain(..count).collect();
        let drained = link.high && link.output.len() < low_mark;
        link.high &= !drained;
        // Who sends without reading is not read either, once the answers are as many again.
        let slack = match self.clients[wire.client].spec.nature {
            Nature::Deaf => self.plan.limits.write_buffer_bytes + 1000,
            _ => OUTPUT_SLACK_BYTES,
        };
        let bound = self.plan.limits.write_buffer_bytes + slack;
        let (over, client) = (link.output.len() > bound, wire.client);
        let mut newly_accepted = false;
        let story = &mut wire.story;
        if story.head.len() < 16 {
            story.head.extend_from_slice(&bytes);
            let accepted = is_accepting(&story.head);
            newly_accepted = accepted && story.accepted_at.is_none();
            if newly_accepted {
                story.accepted_at = Some(self.now.mono.as_ms());
            }
        }
        if !wire.broken {
            wire.to_client.push(&bytes);
        }
        let wire = link.wire;
        if link.closing.is_some() && (link.output.is_empty() || self.wires[wire].broken) {
            self.hosts[at].links.remove(&conn);
            self.wires[wire].place = Place::Gone;
            self.wires[wire].server_closed = true;
        }
        if newly_accepted && !self.wires[wire].story.clean_start {
            let entered_at = self.wires[wire].story.entered_at().unwrap_or(self.now_ms());
            let found = self.expects_session(client, wire, entered_at);
            self.clients[client].doubts = Some(wire).filter(|_| found != Some(true));
        }
        if over {
            let waiting = self.hosts[at].links.get(&conn).map_or(0, |link| link.output.len());
            self.fail(client, format!("{waiting} bytes wait to be written, the bound is {bound}"));
        }
        self.carry_to_client(wire);
        if drained && self.hosts[at].links.contains_key(&conn) {
            self.schedule(0, Happening::Drained(at, conn));
        }
    }

    /// Hands the batches of the turn to the lanes that have room.
    fn dispatch(&mut self, from: usize) {
        for to in 0..self.hosts.len() {
            let lane = &mut self.hosts[from].lanes[to];
            if !lane.filling.is_empty() && !lane.is_full() {
                lane.under_way.push_back(std::mem::take(&mut lane.filling));
            }
            if !lane.under_way.is_empty() && !std::mem::replace(&mut lane.scheduled, true) {
                let when = self.random.pick(&[0, 0, 1, 1, 20, 300]);
                self.schedule(when, Happening::Lane(from, to));
            }
        }
    }

    /// A batch arrives at another shard.
    pub(super) fn lane_arrives(&mut self, from: usize, to: usize) {
        let lane = &mut self.hosts[from].lanes[to];
        lane.scheduled = false;
        let batch = lane.under_way.pop_front();
        self.dispatch(from);
        if let Some(batch) = batch {
            self.turn(to, |shard, now, out| shard.forwarded(&batch, now, out));
        }
        self.unpause_all(from);
    }

    /// Reads again what was paused for the sake of a lane or of the store, if neither stands in the way.
    pub(super) fn unpause_all(&mut self, at: usize) {
        let host = &self.hosts[at];
        if host.lanes.iter().any(super::host::Lane::is_full) || host.commits.condition != Condition::Well {
            return;
        }
        let waiting: Vec<ConnKey> = host.links.keys().copied().collect();
        for conn in waiting {
            self.unpause(at, conn, Some(Paused::Lane));
        }
    }

    /// Reads a connection again: because the shard says so, or if that is why it was paused.
    fn unpause(&mut self, at: usize, conn: ConnKey, only: Option<Paused>) {
        let now = self.now;
        let host = &mut self.hosts[at];
        let Some(link) = host.links.get_mut(&conn) else { return };
        if link.paused.is_none() || (only.is_some() && link.paused != only) {
            return;
        }
        if only.is_some() && !host.shard.resumed(conn_id(conn), now) {
            // It waits for something else as well, of which the shard tells.
            link.paused = Some(Paused::Asked);
            return;
        }
        link.paused = None;
        self.wires[link.wire].story.heard_at = now.mono.as_ms();
        self.read(at, conn);
    }

    /// Bytes arrive at the server, which may see the connection for the first time.
    pub(super) fn server_hears(&mut self, wire: usize, bytes: &[u8]) {
        match self.wires[wire].place {
            Place::Nowhere => {
                let at = self.random.below(self.hosts.len() as u64) as usize;
                self.accept(wire, at, bytes.to_vec(), true);
            }
            Place::Moving => self.moving.entry(wire).or_default().1.extend_from_slice(bytes),
            Place::At(at, conn) => {
                let conn = key(conn);
                if let Some(link) = self.hosts[at].links.get_mut(&conn) {
                    link.unread.extend_from_slice(bytes);
                }
                self.read(at, conn);
            }
            Place::Gone => {}
        }
    }

    fn accept(&mut self, wire: usize, at: usize, bytes: Vec<u8>, lobby: bool) {
        let address = Address::Other(Box::new(format!("wire {wire}").into()));
        let peer = Peer { address, loopback: true, listener: 0, secure: false };
        let now = self.now;
        let conn = self.hosts[at].shard.open(peer, now);
        let mut link = Link::new(wire, self.hosts[at].shard.maximum_packet_size(), lobby);
        link.unread = bytes;
        self.hosts[at].links.insert(key(conn), link);
        self.wires[wire].place = Place::At(at, conn);
        self.read(at, key(conn));
    }

    /// A connection arrives at its session's home.
    pub(super) fn arrive_home(&mut self, wire: usize) {
        let Some((at, bytes)) = self.moving.remove(&wire) else { return };
        self.accept(wire, at, bytes, false);
        if self.wires[wire].broken {
            self.server_loses(wire, Lost::Reset);
        } else if self.wires[wire].client_closed && self.wires[wire].to_server.is_empty() {
            self.server_ends(wire);
        }
    }

    /// Frames and handles what has arrived, until something stops it.
    fn read(&mut self, at: usize, conn: ConnKey) {
        let Some(link) = self.hosts[at].links.get_mut(&conn) else { return };
        if link.paused.is_some() || link.closing.is_some() {
            return;
        }
        let (wire, lobby) = (link.wire, link.lobby);
        let unread = std::mem::take(&mut link.unread);
        let mut framer = std::mem::replace(&mut link.framer, Framer::new(u32::MAX));
        let (shards, seed) = (self.hosts.len() as u16, self.seed);
        let elsewhere = |frame: Frame<'_>| {
            lobby.then(|| home_of(frame, shards, seed)).flatten().filter(|home| *home != at)
        };
        let mut heard = Heard::default();
        let calm = self.hosts[at].is_calm(conn);
        let (fed, asked) = self.turn(at, |shard, now, out| {
            let fed = heard.feed(&mut framer, &unread, shard.maximum_packet_size(), elsewhere, |frames| {
                shard.receive(conn_id(conn), frames, now, out)
            });
            if let Err(error) = &fed {
                shard.unframed(conn_id(conn), *error, now, out);
            }
            (fed, out.asked)
        });
        let now_ms = self.now_ms();
        let story = &mut self.wires[wire].story;
        story.bye |= heard.bye;
        story.calm.extend(heard.changes.into_iter().filter(|_| calm));
        if heard.any {
            story.heard_at = now_ms;
        }
        let Some(link) = self.hosts[at].links.get_mut(&conn) else { return };
        link.framer = framer;
        let Ok(fed) = fed else { return };
        link.unread.splice(..0, unread[fed.consumed..].iter().copied());
        match fed.stopped {
            Some(Stop::Home(home)) => {
                let mut bytes = heard.first;
                bytes.append(&mut link.unread);
                let ends = link.ends;
                self.hosts[at].links.remove(&conn);
                self.hosts[at].shard.handed_over(conn_id(conn));
                self.wires[wire].place = Place::Moving;
                self.wires[wire].client_closed |= ends;
                self.moving.insert(wire, (home, bytes));
                let when = self.random.below(20);
                self.schedule(when, Happening::Home(wire));
                return;
            }
            Some(Stop::Flow(Flow::Pause)) => {
                link.lobby = false;
                let store_waits = self.hosts[at].commits.condition != Condition::Well;
                let full =
                    !asked && (store_waits || self.hosts[at].lanes.iter().any(super::host::Lane::is_full));
                let Some(link) = self.hosts[at].links.get_mut(&conn) else { return };
                link.paused = Some(if full { Paused::Lane } else { Paused::Asked });
                self.wires[wire].story.was_paused = true;
                return;
            }
            Some(Stop::Flow(_)) => return,
            None => {}
        }
        link.lobby &= !heard.any;
        if link.ends && link.unread.is_empty() {
            self.server_loses(wire, Lost::Closed);
        }
    }

    /// The rest of the output was not taken in time.
    pub(super) fn force_closed(&mut self, wire: usize) {
        let Place::At(at, conn) = self.wires[wire].place else { return };
        self.hosts[at].links.remove(&key(conn));
        self.wires[wire].place = Place::Gone;
        self.wires[wire].server_closed = true;
        self.carry_to_client(wire);
    }

    /// The client's end of the stream reaches the server.
    pub(super) fn server_ends(&mut self, wire: usize) {
        let Place::At(at, conn) = self.wires[wire].place else { return };
        let Some(link) = self.hosts[at].links.get_mut(&key(conn)) else { return };
        link.ends = true;
        if link.paused.is_none() {
            self.server_loses(wire, Lost::Closed);
        }
    }

    /// The server hears that a connection is gone.
    pub(super) fn server_loses(&mut self, wire: usize, why: Lost) {
        let Place::At(at, conn) = self.wires[wire].place else { return };
        let closing = self.hosts[at].links.get(&key(conn)).is_none_or(|link| link.closing.is_some());
        if !closing {
            self.ended(at, key(conn), None);
            self.turn(at, |shard, now, out| shard.lost(conn, why, now, out));
        }
        self.hosts[at].links.remove(&key(conn));
        self.wires[wire].place = Place::Gone;
    }

    /// The client has read something: the kernel has room again.
    pub(super) fn server_may_write(&mut self, wire: usize) {
        let Place::At(at, conn) = self.wires[wire].place else { return };
        self.flush(at, key(conn));
    }

    /// What waited for room in the output may go on.
    pub(super) fn drained(&mut self, at: usize, conn: ConnKey) {
        self.turn(at, |shard, now, out| shard.drained(conn_id(conn), now, out));
    }
}

/// A connection that is being closed has so long to take the rest of its output.
const CLOSING_MS: u64 = 5000;
/// Retained messages and acknowledgements go out beside the messages the bound is for.
const OUTPUT_SLACK_BYTES: usize = 300 << 10;

fn conn_id((slot, generation): ConnKey) -> hexmq_broker::ConnId {
    hexmq_broker::ConnId { slot, generation }
}

fn home_of(frame: Frame<'_>, shards: u16, seed: u64) -> Option<usize> {
    match decode(frame, Version::V5, &Leniency::default(), &mut NoTrace) {
        Ok(ControlPacket::Connect(connect)) => {
            claim(&connect).map(|session| usize::from(home(&session, shards, seed).0))
        }
        _ => None,
    }
}

/// CONNACK with success.
fn is_accepting(head: &[u8]) -> bool {
    // The Remaining Length of a CONNACK has one byte or two.
    let code = if head.get(1).is_some_and(|length| length & 0x80 != 0) { 4 } else { 3 };
    head.first() == Some(&0x20) && head.get(code) == Some(&0)
}

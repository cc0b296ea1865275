//! A shard among clients that do what they like: it never panics, and whatever they send, what it
//! sends is whole packets that a strict client of that version can read.

use std::sync::Arc;

use hexmq_broker::{
    Answer, Batch, CloseReason, ConnId, DeviceTerms, Downlink, Event, Flow, Greeting, HandedUp, HoldId,
    Limits, Lost, Manners, Namespace, Partial, Peer, Permit, Question, Reach, SessionKey, Shard, ShardId,
    Shared, Sink, TopicRule, claim,
};
use hexmq_session::{Mono, Now, Wall};
use hexmq_wire::{
    Connect, ControlPacket, Frame, FrameError, FrameStatus, Frames, Leniency, NoTrace, PacketType, QoS,
    Version, decode, scan_frame,
};

use crate::bytes::Bytes;
use crate::client::packet;

/// Connections at the same time.
const LINKS: usize = 4;

/// The client's end of a connection.
struct Link {
    conn: ConnId,
    /// Of the CONNECT, once there was one that could be read.
    version: Option<Version>,
    /// Maximum Packet Size of that CONNECT.
    maximum: Option<u32>,
    /// The server's bytes that were not looked at yet.
    output: Vec<u8>,
    /// What the first packet from the server was.
    greeted: bool,
    paused: bool,
    closed: bool,
}

/// The world around the shard.
#[derive(Default)]
struct World {
    links: Vec<Link>,
    /// And whether a step of an enhanced authentication is asked for, and what whoever asks may do.
    questions: Vec<(HoldId, bool, Permit)>,
    /// Handed up and not done.
    uplinks: Vec<HandedUp>,
    answer_later: bool,
    nowhere: Vec<u8>,
}

impl World {
    fn link(&mut self, conn: ConnId) -> Option<&mut Link> {
        self.links.iter_mut().find(|link| link.conn == conn)
    }
}

impl Sink for World {
    fn output(&mut self, conn: ConnId) -> &mut Vec<u8> {
        match self.links.iter_mut().find(|link| link.conn == conn) {
            Some(link) => {
                assert!(!link.closed, "nothing is sent behind the end");
                &mut link.output
            }
            None => &mut self.nowhere,
        }
    }

    fn output_len(&self, conn: ConnId) -> usize {
        self.links.iter().find(|link| link.conn == conn).map_or(0, |link| link.output.len())
    }

    fn close(&mut self, conn: ConnId, _: CloseReason) {
        if let Some(link) = self.link(conn) {
            assert!(!link.closed, "a connection ends once");
            link.closed = true;
        }
    }

    fn resume(&mut self, conn: ConnId) {
        if let Some(link) = self.link(conn) {
            link.paused = false;
        }
    }

    fn partial(&self, _: ConnId) -> Partial {
        Partial::default()
    }

    fn forward(&mut self, to: ShardId) -> &mut Batch {
        unreachable!("there is no shard {to:?}")
    }

    fn congested(&self, _: ShardId) -> bool {
        false
    }

    fn claim(&self, connect: &Connect<'_>) -> Option<SessionKey> {
        let plain = claim(connect)?;
        let namespace = Namespace(u32::from(connect.user_name.is_some()));
        Some(SessionKey { namespace, ..plain })
    }

    fn hand_up(&mut self, uplink: HandedUp) {
        self.uplinks.push(uplink);
    }

    fn ask(&mut self, hold: HoldId, question: Question<'_>) -> Option<Answer> {
        let permit = permit_of(&question);
        if self.answer_later {
            self.questions.push((hold, matches!(question, Question::Authenticate { .. }), permit));
            return None;
        }
        Some(Answer::Admit { permit, data: None })
    }

    fn tell(&mut self, event: Event<'_>) {
        // What a log would do.
        assert!(!event.to_string().is_empty() && !event.name().is_empty());
    }
}

/// Who has a User Name is a device whose firmware has every quirk.
fn permit_of(question: &Question<'_>) -> Permit {
    let is_device = matches!(question, Question::WhoIs { key, .. } if key.namespace != Namespace::PLAIN);
    let rule =
        |filter: &str, reach| TopicRule { filter: filter.into(), publish: true, subscribe: true, reach };
    let manners = Manners {
        zero_flags: true,
        pubrel_as_pubcomp: true,
        packet_gap_ms: Some(1),
        no_retain: true,
        largest_qos: QoS::ExactlyOnce,
        grants_qos_1: true,
    };
    let terms = DeviceTerms {
        product: "p".into(),
        rules: Box::new([rule("a", Reach::Platform), rule("a/#", Reach::Both), rule("#", Reach::Topics)]),
        manners,
        subscribed: true,
        greeting: Box::new([Greeting { topic: "a".into(), payload: Box::from(*b"hello") }]),
    };
    Permit { device: is_device.then(|| Arc::new(terms)), ..Permit::default() }
}

/// Small bounds, so that all are reached.
fn limits() -> Limits {
    Limits {
        maximum_packet_size: 4_096,
        receive_maximum: 3,
        topic_alias_maximum: 2,
        in_flight_per_session: 3,
        session_queue_messages: 5,
        session_queue_bytes: 2_000,
        write_buffer_bytes: 500,
        retained_messages: 4,
        subscriptions_per_session: 5,
        topic_depth: 4,
        session_expiry_max_s: Some(100),
        handout_budget: 2,
        uplink_queue_messages: 3,
        uplink_window_messages: 2,
        ..Limits::default()
    }
}

struct Play {
    shard: Shard,
    world: World,
    now: Now,
}

impl Play {
    fn new() -> Play {
        let now = Now { mono: Mono(1_000), wall: Wall(1_700_000_000_000) };
        let limits = limits();
        let shared = Arc::new(Shared::new(1, &limits, 7, now).with_upstairs());
        let shard = Shard::new(ShardId(0), Arc::new(limits), shared, now);
        Play { shard, world: World::default(), now }
    }

    fn step(&mut self, bytes: &mut Bytes<'_>) {
        match bytes.below(14) {
            0 => self.open(),
            1 => self.world.answer_later = bytes.flag(),
            2 => self.pass(bytes),
            3 => self.lose(bytes),
            4 => self.answer(bytes),
            5 => {
                self.shard.work(self.now, &mut self.world);
            }
            6 => self.done(bytes),
            7 => self.send_down(bytes),
            _ => self.send(bytes),
        }
        self.look();
    }

    /// The platform has done with some of what it was handed.
    fn done(&mut self, bytes: &mut Bytes<'_>) {
        let count = bytes.below(self.world.uplinks.len() + 1);
        let last = self.world.uplinks.drain(..count).next_back();
        if let Some(HandedUp { inbox, place, .. }) = last {
            self.shard.uplinks_done(&inbox, place, self.now, &mut self.world);
        }
    }

    /// The platform sends a message to whoever has the shortest name.
    fn send_down(&mut self, bytes: &mut Bytes<'_>) {
        let namespace = Namespace(u32::from(bytes.flag()));
        let key = SessionKey { namespace, identifier: bytes.one_of(&["a", "b", "c"]).into() };
        let downlink = Downlink {
            topic: bytes.one_of(&["a", "a/b", "$x"]),
            payload: b"go",
            qos: bytes.one_of(&[QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce]),
            if_subscribed: bytes.flag(),
            token: Some(1),
        };
        self.shard.downlink(&key, &downlink, self.now, &mut self.world);
        if bytes.below(8) == 0 {
            self.shard.disconnect_session(&key, bytes.flag(), self.now, &mut self.world);
        }
    }

    fn open(&mut self) {
        if self.world.links.len() < LINKS {
            let peer = Peer { address: "fuzz".into(), loopback: true, listener: 0, secure: false };
            let conn = self.shard.open(peer, self.now);
            self.world.links.push(Link {
                conn,
                version: None,
                maximum: None,
                output: Vec::new(),
                greeted: false,
                paused: false,
                closed: false,
            });
        }
    }

    fn pass(&mut self, bytes: &mut Bytes<'_>) {
        let ms = bytes.one_of(&[1, 70, 1_000, 20_000, 90_000, 86_400_000]);
        self.now.mono = self.now.mono.plus_ms(ms);
        self.now.wall = Wall(self.now.wall.0 + ms);
        self.shard.timeout(self.now, &mut self.world);
    }

    fn lose(&mut self, bytes: &mut Bytes<'_>) {
        let index = bytes.below(self.world.links.len());
        let why = bytes.one_of(&[Lost::Closed, Lost::Reset, Lost::WriteStalled]);
        if index < self.world.links.len() {
            let link = self.world.links.remove(index);
            self.shard.lost(link.conn, why, self.now, &mut self.world);
        }
    }

    fn answer(&mut self, bytes: &mut Bytes<'_>) {
        if self.world.questions.is_empty() {
            return;
        }
        let (hold, steps, permit) = self.world.questions.remove(bytes.below(self.world.questions.len()));
        let answer = if bytes.flag() && steps {
            Answer::Challenge { data: Box::from(*b"?") }
        } else {
            Answer::Admit { permit: Permit { admin: bytes.flag(), ..permit }, data: None }
        };
        self.shard.answered(hold, answer, self.now, &mut self.world);
    }

    /// A client sends a packet, legal or not, if the server reads its connection.
    fn send(&mut self, bytes: &mut Bytes<'_>) {
        let index = bytes.below(self.world.links.len());
        let Some(link) = self.world.links.get_mut(index).filter(|link| !link.paused) else { return };
        let sent = packet(bytes, link.version.unwrap_or(Version::V4));
        let conn = link.conn;
        match scan_frame(&sent, self.shard.maximum_packet_size()) {
            Ok(FrameStatus::Whole { length }) => {
                let frame = Frame::new(sent.get(..length).unwrap_or_default());
                if link.version.is_none() {
                    link.hear_connect(frame);
                }
                let flow = self.shard.receive(conn, &mut Frames::one(frame), self.now, &mut self.world);
                self.obey(conn, flow);
            }
            Ok(FrameStatus::Needs { .. }) => {}
            Err(error) => self.unframed(conn, error),
        }
    }

    fn obey(&mut self, conn: ConnId, flow: Flow) {
        let Some(link) = self.world.link(conn) else { return };
        match flow {
            Flow::Continue => assert!(!link.closed, "who is closed is told so"),
            Flow::Pause => link.paused = true,
            Flow::Closed => assert!(link.closed),
        }
    }

    fn unframed(&mut self, conn: ConnId, error: FrameError) {
        self.shard.unframed(conn, error, self.now, &mut self.world);
        assert!(self.world.link(conn).is_none_or(|link| link.closed));
    }

    /// The clients read what they got; those that are closed go.
    fn look(&mut self) {
        for link in &mut self.world.links {
            link.read();
        }
        self.world.links.retain(|link| !link.closed);
        for index in 0..self.world.links.len() {
            let Some(link) = self.world.links.get(index) else { break };
            self.shard.drained(link.conn, self.now, &mut self.world);
        }
    }

    /// The server stops: every connection ends.
    fn end(mut self) {
        self.shard.stop(self.now, &mut self.world);
        for link in &mut self.world.links {
            link.read();
            assert!(link.closed, "nobody is left behind");
        }
    }
}

impl Link {
    fn hear_connect(&mut self, frame: Frame<'_>) {
        if let Ok(ControlPacket::Connect(connect)) =
            decode(frame, Version::V4, &Leniency::default(), &mut NoTrace)
        {
            self.version = Some(connect.version);
            self.maximum = connect.properties.maximum_packet_size();
        }
    }

    /// Every byte from the server belongs to a packet a strict client can read, and the first one
    /// is CONNACK, or AUTH in 5.0. [V4 MQTT-3.2.0-1, V5 MQTT-3.2.0-1]
    fn read(&mut self) {
        let output = std::mem::take(&mut self.output);
        let mut rest = output.as_slice();
        while !rest.is_empty() {
            let Ok(FrameStatus::Whole { length }) = scan_frame(rest, u32::MAX) else {
                panic!("no whole packet: {rest:02x?}")
            };
            let (frame, behind) = rest.split_at(length);
            self.read_packet(frame);
            rest = behind;
        }
    }

    fn read_packet(&mut self, frame: &[u8]) {
        let frame = Frame::new(frame);
        let packet_type = frame.packet_type();
        // [V5 MQTT-3.1.2-24]
        let length = frame.bytes.len();
        assert!(self.maximum.is_none_or(|maximum| length <= maximum as usize), "{:02x?}", frame.bytes);
        if !self.greeted {
            let first = matches!(packet_type, Some(PacketType::Connack | PacketType::Auth));
            assert!(first, "{packet_type:?} is the first packet");
            self.greeted = true;
        }
        // A refusal may be written in any version if the CONNECT could not be read.
        let Some(version) = self.version else { return };
        let packet = decode(frame, version, &Leniency::default(), &mut NoTrace);
        assert!(packet.is_ok(), "{:02x?}: {packet:?}", frame.bytes);
    }
}

/// Clients and time, as the bytes say.
pub fn shard(input: &[u8]) {
    let mut bytes = Bytes::new(input);
    let mut play = Play::new();
    while !bytes.is_empty() {
        play.step(&mut bytes);
    }
    play.end();
}

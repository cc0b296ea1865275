//! What lies on TCP: TLS or not, WebSocket or not, then MQTT. Which of them it is shows in the first
//! bytes, which are kept until it does.

use super::connection::{Connection, Traffic};
use super::note::{Encrypted, NoteKind};
use super::recognise::{KEPT_MAX, SEGMENTS_MAX, Verdict, from_middle, from_start};
use super::scene::Scene;
use super::segment::Endpoint;
use super::sink::Sink;
use super::talk::Talk;
use super::tls::{Out, Tls};
use super::websocket::{Direction, Inside};
use crate::Side;
use crate::recording::{Timestamp, Via};

/// One of the two ends: 0 or 1.
pub(crate) type End = usize;

/// The bytes of both ends while it is not known what they are.
#[derive(Debug, Default)]
struct Undecided {
    kept: [Vec<u8>; 2],
    segments: u32,
}

impl Undecided {
    /// Whether there was room for it.
    fn keep<S>(&mut self, end: End, bytes: &[u8], scene: &mut Scene<'_, S>) -> bool {
        self.segments += 1;
        let Some(kept) = self.kept.get_mut(end) else { return false };
        let fits = kept.len() + bytes.len() <= KEPT_MAX.max(bytes.len()) && scene.budget.take(bytes.len());
        if fits {
            kept.extend_from_slice(bytes);
        }
        fits
    }

    fn take<S>(&mut self, scene: &mut Scene<'_, S>) -> [Vec<u8>; 2] {
        let kept = std::mem::take(&mut self.kept);
        scene.budget.give_back(kept.iter().map(Vec::len).sum());
        kept
    }

    /// Begins anew.
    fn forget<S>(&mut self, scene: &mut Scene<'_, S>) {
        self.take(scene);
    }
}

struct WebSocket {
    client: Direction,
    server: Direction,
    talk: Talk,
}

enum Content {
    Undecided(Box<Undecided>),
    Mqtt(Box<Talk>),
    WebSocket(Box<WebSocket>),
    /// Nothing that is read here.
    Other,
}

/// Everything above TCP of one connection.
pub(crate) struct Layers {
    ends: [Endpoint; 2],
    opened: Timestamp,
    /// Who connected: known from the SYN, else found out.
    client: Option<End>,
    from_start: bool,
    /// What is kept while undecided begins with the first byte of the stream.
    whole: bool,
    /// One of the ports is one of MQTT.
    forced: bool,
    content: Content,
    /// The content goes through TLS.
    secure: bool,
    tls: Option<Box<Tls>>,
    /// Once it is known to be MQTT, or encrypted.
    pub(crate) connection: Option<Box<Connection>>,
}

impl Layers {
    pub(crate) fn new(ends: [Endpoint; 2], client: Option<End>, forced: bool, opened: Timestamp) -> Layers {
        Layers {
            ends,
            opened,
            client,
            from_start: client.is_some(),
            whole: client.is_some(),
            forced,
            content: Content::Undecided(Box::default()),
            secure: false,
            tls: None,
            connection: None,
        }
    }

    /// Whether its bytes are of no interest.
    #[inline]
    pub(crate) fn is_other(&self) -> bool {
        self.tls.is_none() && matches!(self.content, Content::Other)
    }

    /// Whether its SYN is in the capture.
    #[inline]
    pub(crate) fn begins_with_syn(&self) -> bool {
        self.from_start
    }

    /// Lets go of everything.
    pub(crate) fn release(&mut self) {
        self.content = Content::Other;
        self.tls = None;
    }

    pub(crate) fn side(&self, end: End) -> Side {
        if self.client == Some(end) { Side::Client } else { Side::Server }
    }

    /// Bytes that `end` sends next.
    #[inline]
    pub(crate) fn feed<S: Sink>(&mut self, end: End, bytes: &[u8], scene: &mut Scene<'_, S>) {
        if self.tls.is_none()
            && let (Content::Mqtt(talk), Some(connection)) = (&mut self.content, &mut self.connection)
        {
            let from = if self.client == Some(end) { Side::Client } else { Side::Server };
            return talk.feed(connection, from, bytes, scene);
        }
        match self.tls.take() {
            Some(mut tls) => {
                self.through_tls(&mut tls, end, bytes, scene);
                self.put_back(tls);
            }
            None => self.clear(end, bytes, scene),
        }
    }

    fn through_tls<S: Sink>(&mut self, tls: &mut Tls, end: End, bytes: &[u8], scene: &mut Scene<'_, S>) {
        let settings = scene.settings;
        let side = self.side(end);
        let mut why = None;
        tls.feed(side, bytes, &settings.keys, &mut |out| match out {
            Out::Clear(bytes) => self.clear(end, bytes, scene),
            Out::Gap => self.clear_gap(end, u64::MAX, scene),
            Out::Unreadable(reason) => why = Some(reason),
        });
        if let Some(why) = why {
            self.unreadable(why, scene);
        }
    }

    fn put_back(&mut self, mut tls: Box<Tls>) {
        if let Some(connection) = &mut self.connection
            && tls.server_name.is_some()
        {
            connection.server_name = tls.server_name.take();
        }
        // TLS with something else inside is as good as something else.
        if !matches!(self.content, Content::Other) {
            self.tls = Some(tls);
        }
    }

    /// TLS that cannot be read is still a connection to tell of.
    fn unreadable<S: Sink>(&mut self, why: Encrypted, scene: &mut Scene<'_, S>) {
        self.other(scene);
        self.announce(Via::Tls, scene);
        if let Some(connection) = &mut self.connection {
            connection.encrypted = Some(why.clone());
            let note = scene.moment().note(None, NoteKind::Encrypted(why));
            scene.sink.note(connection, &note);
        }
    }

    /// Bytes of the stream that carries MQTT or WebSocket.
    fn clear<S: Sink>(&mut self, end: End, bytes: &[u8], scene: &mut Scene<'_, S>) {
        match &mut self.content {
            Content::Undecided(_) => self.undecided(end, bytes, scene),
            Content::Other => {}
            Content::Mqtt(talk) => {
                let from = if self.client == Some(end) { Side::Client } else { Side::Server };
                if let Some(connection) = &mut self.connection {
                    talk.feed(connection, from, bytes, scene);
                }
            }
            Content::WebSocket(socket) => {
                let from = if self.client == Some(end) { Side::Client } else { Side::Server };
                let WebSocket { client, server, talk } = &mut **socket;
                let Some(connection) = &mut self.connection else { return };
                let direction = if from == Side::Client { client } else { server };
                direction.feed(from, bytes, &mut |inside| match inside {
                    Inside::Bytes(bytes) => talk.feed(connection, from, bytes, scene),
                    Inside::Trouble(trouble) => {
                        let note = scene.moment().note(Some(from), NoteKind::WebSocket(trouble));
                        scene.sink.note(connection, &note);
                    }
                });
            }
        }
    }

    /// So many bytes are missing on TCP.
    pub(crate) fn gap<S: Sink>(&mut self, end: End, missing: u64, scene: &mut Scene<'_, S>) {
        let from = self.side(end);
        if let Some(connection) = &self.connection {
            let note = scene.moment().note(Some(from), NoteKind::Gap { bytes: missing });
            scene.sink.note(connection, &note);
        }
        match self.tls.take() {
            Some(mut tls) => {
                let (mut why, mut gap) = (None, false);
                tls.gap(from, &mut |out| match out {
                    Out::Unreadable(reason) => why = Some(reason),
                    _ => gap = true,
                });
                if gap {
                    self.clear_gap(end, u64::MAX, scene);
                }
                if let Some(why) = why {
                    self.unreadable(why, scene);
                }
                self.put_back(tls);
            }
            None => self.clear_gap(end, missing, scene),
        }
    }

    fn clear_gap<S: Sink>(&mut self, end: End, missing: u64, scene: &mut Scene<'_, S>) {
        let from = self.side(end);
        match (&mut self.content, &mut self.connection) {
            // What comes behind it begins anywhere.
            (Content::Undecided(undecided), _) => {
                undecided.forget(scene);
                self.whole = false;
            }
            (Content::Mqtt(talk), Some(connection)) => talk.gap(connection, from, missing, scene),
            (Content::WebSocket(socket), Some(connection)) => {
                let WebSocket { client, server, talk } = &mut **socket;
                let direction = if from == Side::Client { client } else { server };
                let mut trouble = None;
                let inner = direction.gap(missing, &mut |inside| {
                    if let Inside::Trouble(found) = inside {
                        trouble = Some(found);
                    }
                });
                if inner {
                    talk.gap(connection, from, missing, scene);
                }
                if let Some(trouble) = trouble {
                    let note = scene.moment().note(Some(from), NoteKind::WebSocket(trouble));
                    scene.sink.note(connection, &note);
                }
            }
            _ => {}
        }
    }

    /// Keeps bytes until they show what they are.
    fn undecided<S: Sink>(&mut self, end: End, bytes: &[u8], scene: &mut Scene<'_, S>) {
        let Content::Undecided(undecided) = &mut self.content else { return };
        if !undecided.keep(end, bytes, scene) {
            return self.other(scene);
        }
        let kept = |end: End| undecided.kept.get(end).map(Vec::as_slice).unwrap_or_default();
        let (verdict, from) = match self.client {
            Some(client) if self.whole => (from_start(kept(client), self.forced), None),
            _ => from_middle(kept(end), self.forced),
        };
        let exhausted = undecided.segments >= SEGMENTS_MAX;
        match verdict {
            Verdict::Undecided if !exhausted => {}
            // In the middle of a stream the next segment may begin with a packet.
            Verdict::Other if !self.whole && !exhausted => undecided.forget(scene),
            Verdict::Undecided | Verdict::Other => self.other(scene),
            Verdict::Tls if self.secure => self.other(scene),
            Verdict::Tls => self.begin_tls(end, scene),
            Verdict::Mqtt => self.begin_mqtt(end, from, scene),
            Verdict::WebSocket => self.begin_websocket(scene),
        }
    }

    fn other<S: Sink>(&mut self, scene: &mut Scene<'_, S>) {
        match &mut self.content {
            Content::Mqtt(talk) => talk.forget(scene),
            Content::WebSocket(socket) => socket.talk.forget(scene),
            Content::Undecided(_) | Content::Other => {}
        }
        self.take_kept(Content::Other, scene);
        self.tls = None;
    }

    fn take_kept<S: Sink>(&mut self, content: Content, scene: &mut Scene<'_, S>) -> [Vec<u8>; 2] {
        match std::mem::replace(&mut self.content, content) {
            Content::Undecided(mut undecided) => undecided.take(scene),
            _ => Default::default(),
        }
    }

    fn begin_tls<S: Sink>(&mut self, end: End, scene: &mut Scene<'_, S>) {
        self.settle_client(end, None, scene);
        let kept = self.take_kept(Content::Undecided(Box::default()), scene);
        // Its clear text begins with the first byte, or is not to be had.
        (self.whole, self.secure) = (true, true);
        self.tls = Some(Box::default());
        self.feed_kept(kept, scene);
    }

    fn begin_mqtt<S: Sink>(&mut self, end: End, from: Option<Side>, scene: &mut Scene<'_, S>) {
        self.settle_client(end, from, scene);
        let whole = self.whole;
        // In the middle only the direction that was recognised is known to stand at a packet.
        let known = |side: Side| whole || (self.side(end) == side && !self.forced);
        let talk = Talk::new(known(Side::Client), known(Side::Server));
        let kept = self.take_kept(Content::Mqtt(Box::new(talk)), scene);
        self.announce(if self.secure { Via::Tls } else { Via::Tcp }, scene);
        self.clear_kept(kept, scene);
    }

    fn begin_websocket<S: Sink>(&mut self, scene: &mut Scene<'_, S>) {
        let talk = Talk::new(true, true);
        let socket = WebSocket { client: Direction::default(), server: Direction::default(), talk };
        let kept = self.take_kept(Content::WebSocket(Box::new(socket)), scene);
        self.announce(if self.secure { Via::Wss } else { Via::Ws }, scene);
        self.clear_kept(kept, scene);
    }

    fn feed_kept<S: Sink>(&mut self, kept: [Vec<u8>; 2], scene: &mut Scene<'_, S>) {
        for (end, bytes) in self.in_order(kept) {
            self.feed(end, &bytes, scene);
        }
    }

    fn clear_kept<S: Sink>(&mut self, kept: [Vec<u8>; 2], scene: &mut Scene<'_, S>) {
        for (end, bytes) in self.in_order(kept) {
            self.clear(end, &bytes, scene);
        }
    }

    /// The client's bytes first: the server only answers.
    fn in_order(&self, kept: [Vec<u8>; 2]) -> impl Iterator<Item = (End, Vec<u8>)> + use<> {
        let [first, second] = kept;
        let mut both = [(0, first), (1, second)];
        if self.client == Some(1) {
            both.reverse();
        }
        both.into_iter().filter(|(_, bytes)| !bytes.is_empty())
    }

    /// Decides who the client is, if the SYN was not seen: the packets tell, else the ports.
    fn settle_client<S: Sink>(&mut self, end: End, from: Option<Side>, scene: &Scene<'_, S>) {
        if self.client.is_some() {
            return;
        }
        let [first, second] = self.ends;
        let served = |end: Endpoint| scene.settings.is_mqtt_port(end.port);
        self.client = Some(match from {
            Some(Side::Client) => end,
            Some(Side::Server) => 1 - end,
            None if served(first) != served(second) => usize::from(served(first)),
            // Servers have the lower ports.
            None => usize::from(first.port < second.port),
        });
    }

    /// From now on it is a connection with a number.
    fn announce<S: Sink>(&mut self, via: Via, scene: &mut Scene<'_, S>) {
        if self.connection.is_some() {
            return;
        }
        *scene.numbers += 1;
        let [first, second] = self.ends;
        let (client, server) = if self.client == Some(1) { (second, first) } else { (first, second) };
        let connection = Box::new(Connection {
            number: *scene.numbers,
            client: client.socket_address(),
            server: server.socket_address(),
            via,
            opened: self.opened,
            last: scene.at,
            from_start: self.from_start,
            version: None,
            client_identifier: None,
            connack: None,
            disconnect: None,
            by_client: Traffic::default(),
            by_server: Traffic::default(),
            encrypted: None,
            server_name: None,
            end: None,
        });
        scene.sink.opened(&connection);
        self.connection = Some(connection);
    }

    /// Nothing comes any more.
    pub(crate) fn finish<S: Sink>(&mut self, scene: &mut Scene<'_, S>) {
        let talk = match &mut self.content {
            Content::Mqtt(talk) => talk,
            Content::WebSocket(socket) => &mut socket.talk,
            Content::Undecided(undecided) => return undecided.forget(scene),
            Content::Other => return,
        };
        if let Some(connection) = &self.connection {
            talk.finish(connection, scene);
        }
    }
}

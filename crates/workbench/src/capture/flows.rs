//! All TCP connections of a capture: which one a segment belongs to, and what becomes of it.

use std::hash::BuildHasher;

use foldhash::fast::FixedState;
use hashbrown::HashTable;

use super::connection::End as Ended;
use super::half::{Half, Offer, Turn};
use super::layers::{End, Layers};
use super::scene::Scene;
use super::segment::{ACK, Endpoint, FIN, RST, SYN, Segment};
use super::sink::Sink;
use crate::recording::Timestamp;

/// The two ends, the lower one first.
type Ends = [Endpoint; 2];

/// One TCP connection.
struct Flow {
    ends: Ends,
    halves: [Half; 2],
    layers: Layers,
    /// The end that closed first.
    closed_by: Option<End>,
    /// It is over, and stays only so that late repetitions do not seem to be something new.
    over: bool,
    /// The last packet that belonged to it.
    packet: u64,
    last: Timestamp,
}

/// Counters of connections.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct FlowCounts {
    pub(crate) seen: u64,
    pub(crate) set_aside: u64,
}

/// The connections that are followed.
pub(crate) struct Flows {
    index: HashTable<u32>,
    flows: Vec<Flow>,
    hasher: FixedState,
    most: usize,
    /// Where the last segment belonged: the next one often belongs there too.
    recent: usize,
    pub(crate) counts: FlowCounts,
}

impl Flows {
    pub(crate) fn new(most: usize, seed: u64) -> Flows {
        Flows {
            index: HashTable::new(),
            flows: Vec::new(),
            hasher: FixedState::with_seed(seed),
            most: most.max(2),
            recent: 0,
            counts: FlowCounts::default(),
        }
    }

    /// A segment of some connection.
    #[inline]
    pub(crate) fn segment<S: Sink>(&mut self, segment: &Segment<'_>, scene: &mut Scene<'_, S>) {
        let end = usize::from(segment.from > segment.to);
        let ends = if end == 0 { [segment.from, segment.to] } else { [segment.to, segment.from] };
        let recent = self.flows.get(self.recent).is_some_and(|flow| flow.ends == ends);
        if !recent {
            match self.find(&ends) {
                Some(at) => self.recent = at,
                None => match self.open(ends, end, segment, scene) {
                    Some(at) => self.recent = at,
                    None => return,
                },
            }
        }
        if let Some(flow) = self.flows.get_mut(self.recent) {
            flow.segment(end, segment, scene);
        }
    }

    fn find(&self, ends: &Ends) -> Option<usize> {
        let same = |&at: &u32| self.flows.get(at as usize).is_some_and(|flow| flow.ends == *ends);
        self.index.find(self.hasher.hash_one(ends), same).map(|&at| at as usize)
    }

    /// A connection that was not there before. Segments that say nothing make none.
    fn open<S: Sink>(
        &mut self,
        ends: Ends,
        end: End,
        segment: &Segment<'_>,
        scene: &mut Scene<'_, S>,
    ) -> Option<usize> {
        let says = segment.has(SYN) || !segment.payload.is_empty() || segment.cut > 0;
        if !says || segment.has(RST) {
            return None;
        }
        if self.flows.len() >= self.most {
            self.set_aside(scene);
        }
        let at = self.flows.len();
        self.flows.push(Flow::new(ends, end, segment, scene));
        self.counts.seen += 1;
        let (flows, hasher) = (&self.flows, &self.hasher);
        let hash = |&at: &u32| flows.get(at as usize).map_or(0, |flow| hasher.hash_one(flow.ends));
        self.index.insert_unique(hasher.hash_one(ends), at as u32, hash);
        Some(at)
    }

    /// Makes room: those that are over go, and those that were silent for longest.
    #[cold]
    fn set_aside<S: Sink>(&mut self, scene: &mut Scene<'_, S>) {
        let mut ages: Vec<u64> = self.flows.iter().map(Flow::age).collect();
        let quarter = ages.len() / 4;
        let (_, &mut youngest, _) = ages.select_nth_unstable(quarter);
        let mut counts = self.counts;
        self.flows.retain_mut(|flow| {
            let stays = flow.age() > youngest;
            if !stays && !flow.over {
                counts.set_aside += 1;
                flow.end(Ended::SetAside, scene);
            }
            stays
        });
        self.counts = counts;
        self.index.clear();
        let (flows, hasher) = (&self.flows, &self.hasher);
        let hash = |&at: &u32| flows.get(at as usize).map_or(0, |flow| hasher.hash_one(flow.ends));
        for (at, flow) in flows.iter().enumerate() {
            self.index.insert_unique(hasher.hash_one(flow.ends), at as u32, hash);
        }
    }

    /// The capture ends.
    pub(crate) fn finish<S: Sink>(&mut self, scene: &mut Scene<'_, S>) {
        for flow in &mut self.flows {
            if !flow.over {
                flow.end(Ended::CaptureEnds, scene);
            }
        }
        self.index.clear();
        self.flows.clear();
    }
}

impl Flow {
    fn new<S: Sink>(ends: Ends, end: End, segment: &Segment<'_>, scene: &Scene<'_, S>) -> Flow {
        let client = segment.has(SYN).then_some(if segment.has(ACK) { 1 - end } else { end });
        let forced = ends.iter().any(|end| scene.settings.is_mqtt_port(end.port));
        Flow {
            ends,
            halves: Default::default(),
            layers: Layers::new(ends, client, forced, scene.at),
            closed_by: None,
            over: false,
            packet: scene.packet,
            last: scene.at,
        }
    }

    /// For choosing who is set aside: what is over counts as oldest.
    fn age(&self) -> u64 {
        if self.over { 0 } else { self.packet }
    }

    #[inline]
    fn segment<S: Sink>(&mut self, end: End, segment: &Segment<'_>, scene: &mut Scene<'_, S>) {
        if segment.flags & (SYN | RST | FIN) != 0 || self.over {
            return self.unusual(end, segment, scene);
        }
        self.packet = scene.packet;
        self.last = scene.at;
        self.data(end, segment, scene);
    }

    #[inline]
    fn data<S: Sink>(&mut self, end: End, segment: &Segment<'_>, scene: &mut Scene<'_, S>) {
        if self.layers.is_other() {
            return;
        }
        let [first, second] = &mut self.halves;
        let (own, other) = if end == 0 { (first, second) } else { (second, first) };
        if segment.has(ACK) {
            // The first acknowledgement of a client says where the server's stream begins.
            other.acknowledge(segment.acknowledgement, own.has_begun() && self.layers.begins_with_syn());
        }
        if !segment.payload.is_empty() || segment.cut > 0 {
            let offer = own.offer(segment.sequence, segment.payload, segment.cut, scene.packet, scene.budget);
            if let Offer::Next(bytes, cut) = offer {
                self.layers.feed(end, bytes, scene);
                if cut > 0 {
                    self.layers.gap(end, u64::from(cut), scene);
                }
            }
        }
        self.turns(end, false, scene);
        self.turns(1 - end, false, scene);
    }

    /// Hands on early segments whose turn has come.
    #[inline]
    fn turns<S: Sink>(&mut self, end: End, to_the_end: bool, scene: &mut Scene<'_, S>) {
        let Some(half) = self.halves.get_mut(end) else { return };
        while let Some(turn) = half.turn(scene.packet, to_the_end, scene.budget) {
            match turn {
                Turn::Gap(missing) => self.layers.gap(end, u64::from(missing), scene),
                Turn::Bytes { bytes, skip, cut } => {
                    self.layers.feed(end, bytes.get(skip..).unwrap_or_default(), scene);
                    if cut > 0 {
                        self.layers.gap(end, u64::from(cut), scene);
                    }
                }
            }
        }
    }

    /// The beginning and the end of connections.
    #[cold]
    fn unusual<S: Sink>(&mut self, end: End, segment: &Segment<'_>, scene: &mut Scene<'_, S>) {
        if segment.has(SYN) && !segment.has(RST) {
            return self.synchronise(end, segment, scene);
        }
        if self.over {
            return;
        }
        self.packet = scene.packet;
        self.last = scene.at;
        self.data(end, segment, scene);
        if segment.has(RST) {
            return self.end(Ended::Reset(self.layers.side(end)), scene);
        }
        if segment.has(FIN) {
            self.closed_by.get_or_insert(end);
            let length = (segment.payload.len() as u32).wrapping_add(segment.cut);
            if let Some(half) = self.halves.get_mut(end) {
                half.finish_at(segment.sequence.wrapping_add(length));
            }
        }
        if self.halves.iter().all(Half::is_finished) {
            let by = self.closed_by.unwrap_or(end);
            self.end(Ended::Closed(self.layers.side(by)), scene);
        }
    }

    /// SYN: it begins, or begins anew under the same addresses and ports.
    fn synchronise<S: Sink>(&mut self, end: End, segment: &Segment<'_>, scene: &mut Scene<'_, S>) {
        let Some(half) = self.halves.get_mut(end) else { return };
        let repeated = half.has_begun() && half.began_with(segment.sequence);
        if repeated {
            return;
        }
        // The server's SYN answers the client's; only a client's begins a connection anew.
        let anew = self.over || half.has_begun() && !(segment.has(ACK) && self.layers.begins_with_syn());
        if anew {
            if !self.over {
                self.end(Ended::Replaced, scene);
            }
            *self = Flow::new(self.ends, end, segment, scene);
        }
        self.packet = scene.packet;
        self.last = scene.at;
        if let Some(half) = self.halves.get_mut(end) {
            half.begin(segment.sequence);
        }
        // Data in a SYN (TCP Fast Open) begins behind it.
        if !segment.payload.is_empty() {
            let behind = Segment { sequence: segment.sequence.wrapping_add(1), ..*segment };
            self.data(end, &behind, scene);
        }
    }

    /// It is over.
    fn end<S: Sink>(&mut self, how: Ended, scene: &mut Scene<'_, S>) {
        for end in [0, 1] {
            self.turns(end, true, scene);
        }
        self.layers.finish(scene);
        let [first, second] = &mut self.halves;
        if let Some(mut connection) = self.layers.connection.take() {
            connection.last = self.last;
            connection.end = Some(how);
            let (client, server) = if self.layers.side(0) == crate::Side::Client {
                (first.delivery, second.delivery)
            } else {
                (second.delivery, first.delivery)
            };
            connection.by_client.delivery = client;
            connection.by_server.delivery = server;
            scene.sink.closed(&connection);
        }
        for half in &mut self.halves {
            half.clear(scene.budget);
        }
        self.layers.release();
        self.over = true;
    }
}

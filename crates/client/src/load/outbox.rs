//! What clients have to write, and what a bad network does to it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use hexmq_wire::{Ack, ControlPacket, Delivery, Version};

/// What a bad network does to all that the clients write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// A write is at most so many bytes, and each client gets one in a turn.
    pub segment_max: Option<usize>,
    /// Bytes are gathered so long and leave together.
    pub coalesce: Option<Duration>,
    /// Packets leave so much later.
    pub delay: Option<Duration>,
}

/// What is to be written, and what is to become of connections.
pub struct Outbox {
    pub(super) pending: Vec<Vec<u8>>,
    /// Clients with something new in `pending`.
    pub(super) dirty: Vec<usize>,
    pub(super) versions: Vec<Version>,
    /// Packets that a slow network holds, the oldest first.
    pub(super) held: VecDeque<(Instant, usize, Vec<u8>)>,
    pub(super) delay: Option<Duration>,
    pub(super) cut: Vec<usize>,
    pub(super) connect: Vec<usize>,
    /// Clients that read no more, or do again.
    pub(super) reading: Vec<(usize, bool)>,
}

impl Outbox {
    /// Of so many clients, nothing in it.
    pub(super) fn new(count: usize) -> Outbox {
        Outbox {
            pending: vec![Vec::new(); count],
            dirty: Vec::new(),
            versions: vec![Version::V4; count],
            held: VecDeque::new(),
            delay: None,
            cut: Vec::new(),
            connect: Vec::new(),
            reading: Vec::new(),
        }
    }

    /// Sends a packet from this client.
    ///
    /// # Errors
    /// The packet cannot be encoded: what is not allowed in it.
    pub fn send(&mut self, client: usize, packet: &ControlPacket<'_>) -> Result<(), String> {
        let version = self.versions[client];
        if let Some(delay) = self.delay {
            let mut bytes = Vec::new();
            packet.encode(version, &mut bytes).map_err(|error| error.to_string())?;
            self.held.push_back((Instant::now() + delay, client, bytes));
            return Ok(());
        }
        let pending = &mut self.pending[client];
        if pending.is_empty() {
            self.dirty.push(client);
        }
        packet.encode(version, pending).map_err(|error| error.to_string())
    }

    /// Sends packets that were encoded before, and at once: no slow network holds them.
    pub(super) fn send_encoded(&mut self, client: usize, bytes: &[u8]) {
        let pending = &mut self.pending[client];
        if pending.is_empty() {
            self.dirty.push(client);
        }
        pending.extend_from_slice(bytes);
    }

    /// Breaks the connection of this client at the end of the turn, without a goodbye: what it has to
    /// write is lost. Nobody is told.
    pub fn cut(&mut self, client: usize) {
        self.cut.push(client);
    }

    /// Connects a client that is away.
    pub fn connect(&mut self, client: usize) {
        self.connect.push(client);
    }

    /// This client reads nothing more from the end of the turn on, as if it were stuck.
    pub fn stop_reading(&mut self, client: usize) {
        self.reading.push((client, false));
    }

    /// It reads again.
    pub fn read_again(&mut self, client: usize) {
        self.reading.push((client, true));
    }

    /// Puts what a slow network has held long enough to what is to be written.
    pub(super) fn release(&mut self, now: Instant) {
        while let Some((_, client, bytes)) = self.held.pop_front_if(|(due, ..)| *due <= now) {
            let pending = &mut self.pending[client];
            if pending.is_empty() {
                self.dirty.push(client);
            }
            pending.extend_from_slice(&bytes);
        }
    }

    /// Forgets what a client had to write.
    pub(super) fn forget(&mut self, client: usize) {
        self.pending[client].clear();
        self.held.retain(|(_, other, _)| *other != client);
    }

    /// Sends what the standard asks for in answer to this packet, if anything.
    ///
    /// # Errors
    /// As [`Outbox::send`].
    pub fn acknowledge(&mut self, client: usize, packet: &ControlPacket<'_>) -> Result<(), String> {
        let answer = match packet {
            ControlPacket::Publish(publish) => match publish.delivery {
                Delivery::AtMostOnce => return Ok(()),
                Delivery::AtLeastOnce(id) => ControlPacket::Puback(Ack::success(id)),
                Delivery::ExactlyOnce(id) => ControlPacket::Pubrec(Ack::success(id)),
            },
            ControlPacket::Pubrec(ack) => ControlPacket::Pubrel(Ack::success(ack.packet_identifier)),
            ControlPacket::Pubrel(ack) => ControlPacket::Pubcomp(Ack::success(ack.packet_identifier)),
            _ => return Ok(()),
        };
        self.send(client, &answer)
    }
}

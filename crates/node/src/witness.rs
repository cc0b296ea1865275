//! What was seen of connections that were refused, or closed for what they had sent.
//!
//! The core tells that it refuses, and has no bytes; the loop has the bytes in its hands and does not
//! know why. A [`Witness`] puts the two together, within one step of the loop. While nobody is refused
//! it does nothing.

use hexmq_broker::{CloseReason, ConnId, Event, Peer, Refusal};
use hexmq_transport::LayerError;
use hexmq_wire::{Fault, Version};

use crate::layers::is_by_layer;
use crate::link::Link;
use crate::links::Links;

/// Bytes kept of one refused packet; of what is longer only its length is told.
const BYTES_MAX: usize = 64 << 10;

/// A connection that was refused, or closed for what it had sent.
#[derive(Clone, Copy, Debug)]
pub struct Rejection<'a> {
    /// Where from.
    pub peer: &'a Peer,
    /// Client Identifier, as far as it is known.
    pub client_identifier: Option<&'a str>,
    /// Why.
    pub grounds: Grounds,
    /// The rule that was broken, if one was. Its offset counts from the start of `bytes`.
    pub fault: Option<Fault>,
    /// The version that was agreed on, once there was a session.
    pub version: Option<Version>,
    /// The packet it is about, as far as it came, at most 64 KiB of it. Behind a first packet that
    /// cannot be read stands what came along with it.
    pub bytes: &'a [u8],
    /// All bytes there were.
    pub sent: usize,
    /// What went wrong in TLS or WebSocket under it, with the stable name of the rule and the circumstances. The
    /// bytes then are as they came over the network, and not what they carry.
    pub layer: Option<(&'static str, &'a str)>,
}

/// Why a connection was refused or closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grounds {
    /// Its CONNECT was refused.
    Refused(Refusal),
    /// It was closed before a CONNECT was read, or later.
    Closed(CloseReason),
}

impl Grounds {
    /// The stable name in snake_case.
    pub fn name(self) -> &'static str {
        match self {
            Grounds::Refused(refusal) => refusal.name(),
            Grounds::Closed(reason) => reason.name(),
        }
    }
}

/// Puts together what is told and what was sent.
#[derive(Default)]
pub(crate) struct Witness {
    heard: Option<Box<Heard>>,
    bytes: Option<Evidence>,
    layer: Option<Box<LayerError>>,
}

struct Heard {
    peer: Peer,
    client_identifier: Option<Box<str>>,
    grounds: Grounds,
    fault: Option<Fault>,
    version: Option<Version>,
    /// The first packet cannot be read, so nobody knows where it ends.
    unread: bool,
}

#[derive(Default)]
struct Evidence {
    bytes: Vec<u8>,
    sent: usize,
}

impl Evidence {
    fn add(&mut self, bytes: &[u8]) {
        let room = BYTES_MAX.saturating_sub(self.bytes.len());
        self.bytes.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
        self.sent += bytes.len();
    }
}

impl Witness {
    /// Whether an event is one that bytes belong to.
    fn hear(event: &Event<'_>) -> Option<Heard> {
        let (peer, client_identifier, grounds, fault, version) = match *event {
            Event::Refused { peer, client_identifier, refusal, fault } => {
                (peer, client_identifier, Grounds::Refused(refusal), fault, None)
            }
            Event::ConnectIncomplete { peer, .. } => {
                (peer, None, Grounds::Closed(CloseReason::ConnectIncomplete), None, None)
            }
            Event::Disconnected { peer, client_identifier, version, reason, fault, .. }
                if is_about_bytes(reason, version.is_some()) =>
            {
                (peer, client_identifier, Grounds::Closed(reason), fault, version)
            }
            _ => return None,
        };
        let unread = match grounds {
            Grounds::Refused(_) => fault.is_some(),
            Grounds::Closed(_) => version.is_none(),
        };
        let client_identifier = client_identifier.map(Into::into);
        Some(Heard { peer: peer.clone(), client_identifier, grounds, fault, version, unread })
    }

    /// The bytes a decision was about. What is there already stays.
    pub(crate) fn show(&mut self, bytes: &[u8]) {
        if self.bytes.is_none() {
            self.bytes.get_or_insert_default().add(bytes);
        }
    }

    /// A layer under the connection has given up.
    #[cold]
    pub(crate) fn show_layer(&mut self, error: LayerError) {
        self.bytes = Some(Evidence { bytes: error.seen.clone(), sent: error.sent });
        self.layer = Some(Box::new(error));
    }

    /// What has come of a first packet, or of a handshake under it.
    pub(crate) fn show_begun(&mut self, link: &Link) {
        match link.stream.unfinished() {
            Some(error) if self.bytes.is_none() => self.show_layer(error),
            _ => self.show(link.rest()),
        }
    }

    /// A packet after which the connection was closed.
    #[inline]
    pub(crate) fn saw(&mut self, packet: &[u8]) {
        if self.heard.is_some() {
            self.show(packet);
        }
    }

    /// The bytes of a stream from which no further frame can be taken: what was kept of them, and what came
    /// behind it.
    #[cold]
    pub(crate) fn show_unframed(&mut self, kept: &[u8], behind: &[u8]) {
        let mut evidence = Evidence::default();
        evidence.add(kept);
        evidence.add(behind);
        self.bytes = Some(evidence);
    }

    /// A connection is being closed: what is kept of it is what this is about.
    pub(crate) fn last_words(&mut self, link: &mut Link, reason: CloseReason) {
        if let Some(connect) = link.take_connect() {
            self.show(&connect);
        } else if reason == CloseReason::ConnectIncomplete {
            self.show_begun(link);
        }
    }
}

/// Whether a connection was closed for its bytes; before a session there is, also whether it was
/// given up in the middle of its first packet.
fn is_about_bytes(reason: CloseReason, connected: bool) -> bool {
    match reason {
        CloseReason::MalformedPacket
        | CloseReason::ProtocolError
        | CloseReason::PacketTooLarge
        | CloseReason::ReceiveMaximumExceeded
        | CloseReason::TopicAliasInvalid
        | CloseReason::TopicNameInvalid
        | CloseReason::ConnectExpected => true,
        CloseReason::ConnectionClosed | CloseReason::ConnectionReset => !connected,
        reason => is_by_layer(reason),
    }
}

impl Links {
    /// No packet can be taken from `rest`, together with what is kept of this connection.
    #[cold]
    pub(crate) fn show_unframed(&mut self, conn: ConnId, rest: &[u8]) {
        let kept = self.get(conn).map_or(&[][..], Link::rest).to_vec();
        self.witness.show_unframed(&kept, rest);
    }

    /// Remembers what is told until the bytes are there.
    pub(crate) fn hear(&mut self, event: &Event<'_>) {
        if let Some(heard) = Witness::hear(event) {
            if self.witness.heard.is_some() {
                self.testify(&[]);
            }
            self.witness.heard = Some(Box::new(heard));
        }
    }

    /// Tells what was heard together with what was seen, if anything was heard. `rest`: what came
    /// along behind the packet.
    #[inline]
    pub(crate) fn testify(&mut self, rest: &[u8]) {
        if self.witness.heard.is_some() || self.witness.bytes.is_some() {
            self.tell_rejection(rest);
        }
    }

    #[cold]
    fn tell_rejection(&mut self, rest: &[u8]) {
        let (evidence, layer) = (self.witness.bytes.take(), self.witness.layer.take());
        let Some(heard) = self.witness.heard.take() else { return };
        let mut evidence = evidence.unwrap_or_default();
        if heard.unread {
            evidence.add(rest);
        }
        let gone = Grounds::Closed(CloseReason::ConnectionClosed);
        let reset = Grounds::Closed(CloseReason::ConnectionReset);
        // Who looks whether a port is open comes and goes without a word: nothing to tell.
        if evidence.sent == 0 && (heard.grounds == gone || heard.grounds == reset) {
            return;
        }
        let rejection = Rejection {
            peer: &heard.peer,
            client_identifier: heard.client_identifier.as_deref(),
            grounds: heard.grounds,
            fault: heard.fault,
            version: heard.version,
            bytes: &evidence.bytes,
            sent: evidence.sent,
            layer: layer.as_ref().map(|error| (error.rule.name(), error.detail.as_str())),
        };
        self.outside().tap.rejected(self.me, &rejection);
    }
}

#[cfg(test)]
mod tests {
    use hexmq_wire::{Framer, Frames};

    use super::*;

    /// Cuts `pieces` until that cannot be done any more, and returns what the witness saw.
    fn unframed(pieces: &[&[u8]]) -> Vec<u8> {
        let mut witness = Witness::default();
        let mut framer = Framer::new(16);
        for mut piece in pieces.iter().copied() {
            let whole = framer.complete(&mut piece);
            let mut frames = Frames::new(piece, 16);
            while whole.is_ok() && frames.next().is_some() {}
            if whole.is_err() || frames.status().is_err() {
                witness.show_unframed(framer.rest(), frames.rest());
                return witness.bytes.map(|evidence| evidence.bytes).unwrap_or_default();
            }
            framer.keep(frames.rest());
        }
        panic!("everything was taken");
    }

    #[test]
    fn the_packet_that_cannot_be_framed_is_seen_from_its_first_byte_however_it_comes() {
        let too_large: &[u8] = &[0x30, 0x7F, 1, 2, 3];
        let too_long: &[u8] = &[0x30, 0x80, 0x80, 0x80, 0x80, 1, 9, 9];
        let ping: &[u8] = &[0xC0, 0];
        for bad in [too_large, too_long] {
            for before in 0..3 {
                let stream = [ping.repeat(before), bad.to_vec()].concat();
                for cut in 0..stream.len() {
                    let (first, second) = stream.split_at(cut);
                    let seen = unframed(&[first, second]);
                    // What had not arrived when the framer gave up cannot have been seen.
                    assert!(bad.starts_with(&seen) && seen.len() >= 2, "{cut}: {seen:02x?}");
                    if cut <= ping.len() * before + 1 {
                        assert_eq!(seen, bad, "{cut}");
                    }
                }
            }
        }
    }

    #[test]
    fn only_so_much_is_kept_and_the_rest_is_counted() {
        let mut evidence = Evidence::default();
        evidence.add(&[1; BYTES_MAX - 1]);
        evidence.add(&[2; 10]);
        evidence.add(&[3; 10]);
        assert_eq!((evidence.bytes.len(), evidence.sent), (BYTES_MAX, BYTES_MAX + 19));
        assert_eq!(evidence.bytes.last(), Some(&2));
    }
}

//! The sender's side of QoS 1 and 2: messages on their way, and the packet identifiers in use.
//!
//! Storage is a ring in the order of sending. Identifiers count up, so the place of one is its
//! distance from the front: finding it is one look in the usual case and a binary search after
//! holes were closed. An acknowledged slot in the middle stays as a *tombstone* until the front
//! passes it or tombstones outnumber what lives; then the holes are closed at once.

mod lookup;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fmt;

use hexmq_wire::{PacketIdentifier, QoS};

/// Tombstones beyond the number of living slots that are tolerated before holes are closed.
const TOMBSTONES_SLACK: usize = 16;

/// PUBLISH packets of QoS 1 and 2 from their sending to their last acknowledgement.
///
/// `M` is whatever the owner keeps for a message: a slab handle, a `Vec`. Bounds: at most 65,535
/// identifiers, and never more than twice the living slots plus a few in memory. The owner sees
/// to it that no more than the window is in flight by asking [`InFlight::begin`], which refuses.
///
/// A value that never held anything owns no heap and is two words: most sessions of a large server
/// are silent. Memory once used is kept, so that a steady flow does not allocate.
#[derive(Clone, Debug)]
pub struct InFlight<M> {
    ring: Option<Box<Ring<M>>>,
    window: u16,
}

/// What is in flight.
#[derive(Clone, Debug)]
struct Ring<M> {
    slots: VecDeque<Slot<M>>,
    /// All slots before this index were sent on this connection.
    cursor: u32,
    /// Slots that wait for [`InFlight::next_resend`].
    unsent: u16,
    /// Messages in flight.
    messages: u16,
    /// Identifiers of other packets.
    requests: u16,
    /// The identifier given last; 0 in a new session.
    last: u16,
    /// An identifier may be in use although it is not between the front and `last`: counting has
    /// gone round past a message that is still in flight.
    lapped: bool,
}

#[derive(Clone, Debug)]
struct Slot<M> {
    message: Option<M>,
    identifier: PacketIdentifier,
    state: State,
    /// To be sent again on this connection, and not yet sent.
    unsent: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// PUBLISH of QoS 1 sent, PUBACK awaited.
    Puback,
    /// PUBLISH of QoS 2 sent, PUBREC awaited.
    Pubrec,
    /// PUBREL sent, PUBCOMP awaited.
    Pubcomp,
    /// A SUBSCRIBE or UNSUBSCRIBE has the identifier.
    Request,
    /// Done; the identifier is free.
    Tombstone,
}

/// Why an acknowledgement fits nothing in flight. The state is unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AckError {
    /// No message in flight has this identifier.
    Unknown,
    /// The message has the other QoS: a PUBACK for QoS 2, or a PUBREC or PUBCOMP for QoS 1.
    WrongQoS,
    /// A PUBCOMP before the PUBREC.
    OutOfTurn,
}

impl fmt::Display for AckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            AckError::Unknown => "no message in flight has this packet identifier",
            AckError::WrongQoS => "the message with this packet identifier has the other QoS",
            AckError::OutOfTurn => "PUBCOMP came before PUBREC",
        })
    }
}

impl std::error::Error for AckError {}

/// What is to be sent again on a new connection of the same session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resend<'a, M> {
    /// The PUBLISH, with DUP set. [V4 MQTT-3.3.1-1, V5 MQTT-3.3.1-1]
    Publish {
        /// Its identifier, the same as before.
        identifier: PacketIdentifier,
        /// 1 or 2.
        qos: QoS,
        /// The owner's message.
        message: &'a M,
    },
    /// The PUBREL: the PUBLISH was taken over and is not sent again. [V5 MQTT-4.3.3-6]
    Pubrel {
        /// Its identifier.
        identifier: PacketIdentifier,
    },
}

impl<M> InFlight<M> {
    /// An empty window; `window` is the largest number of messages in flight: the receiver's
    /// Receive Maximum, or less. [V5 MQTT-4.9.0-1]
    pub const fn new(window: u16) -> InFlight<M> {
        InFlight { ring: None, window }
    }

    /// Whether [`InFlight::begin`] would accept a message: fewer than the window are in flight and
    /// none waits to be sent again. [V5 MQTT-4.9.0-2]
    #[inline]
    pub fn has_room(&self) -> bool {
        match &self.ring {
            Some(ring) => ring.messages < self.window && ring.unsent == 0,
            None => self.window > 0,
        }
    }

    /// Whether nothing waits to be sent again on this connection.
    #[inline]
    pub fn all_sent(&self) -> bool {
        self.ring.as_ref().is_none_or(|ring| ring.unsent == 0)
    }

    /// Messages in flight, whether or not they were sent again on this connection.
    #[inline]
    pub fn len(&self) -> usize {
        self.ring.as_ref().map_or(0, |ring| usize::from(ring.messages))
    }

    /// Whether no message is in flight.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The largest number of messages in flight.
    #[inline]
    pub const fn window(&self) -> u16 {
        self.window
    }

    /// Changes the window, as a new connection may. With more in flight than the new window,
    /// there is no room until enough is acknowledged; nothing is lost.
    /// [V5 U-4.9-3]
    pub const fn set_window(&mut self, window: u16) {
        self.window = window;
    }

    /// Takes a message in flight and gives it an identifier that is not in use; the caller sends
    /// the PUBLISH now. [V4 MQTT-2.3.1-2, V4 MQTT-2.3.1-4, V5 MQTT-2.2.1-3, V5 MQTT-2.2.1-4]
    ///
    /// Identifiers of a new session begin with 1 and count up. `None` without room, and for QoS 0,
    /// which has no identifier.
    /// [V5 MQTT-4.3.2-1, V5 MQTT-4.3.3-1, V5 U-2.2.1-1, V5 U-2.2.1-2]
    #[inline]
    pub fn begin(&mut self, qos: QoS, message: M) -> Option<PacketIdentifier> {
        let state = match qos {
            QoS::AtMostOnce => return None,
            QoS::AtLeastOnce => State::Puback,
            QoS::ExactlyOnce => State::Pubrec,
        };
        if !self.has_room() {
            return None;
        }
        let ring = self.ring_mut();
        let identifier = ring.free_identifier()?;
        ring.slots.push_back(Slot { message: Some(message), identifier, state, unsent: false });
        ring.messages += 1;
        Some(identifier)
    }

    /// Puts something back in flight that was sent before the server was started again, behind what was put
    /// back before; it is to be sent again. Without a message it is a QoS 2 identifier whose PUBREL is
    /// owed. False if the identifier is in use.
    pub fn restore(&mut self, identifier: PacketIdentifier, qos: QoS, message: Option<M>) -> bool {
        let ring = self.ring_mut();
        if ring.in_use(identifier) || ring.messages == u16::MAX {
            return false;
        }
        let state = match (qos, &message) {
            (_, None) => State::Pubcomp,
            (QoS::ExactlyOnce, Some(_)) => State::Pubrec,
            _ => State::Puback,
        };
        // Identifiers that do not count up are found one by one.
        ring.lapped |= ring.slots.back().is_some_and(|last| last.identifier >= identifier);
        ring.slots.push_back(Slot { message, identifier, state, unsent: true });
        ring.messages += 1;
        ring.unsent += 1;
        ring.last = identifier.get();
        true
    }

    /// The message of a QoS 1 PUBLISH is done: gives it back.
    /// [V5 MQTT-4.3.2-3, V5 U-2.2.1-1, V5 U-4.9-1, V5 U-4.9-2]
    #[inline]
    pub fn puback(&mut self, identifier: PacketIdentifier) -> Result<M, AckError> {
        let ring = self.ring.as_mut().ok_or(AckError::Unknown)?;
        let index = ring.find(identifier).ok_or(AckError::Unknown)?;
        let slot = ring.slots.get(index).ok_or(AckError::Unknown)?;
        match slot.state {
            State::Puback => {}
            State::Pubrec | State::Pubcomp => return Err(AckError::WrongQoS),
            State::Request | State::Tombstone => return Err(AckError::Unknown),
        }
        ring.finish(index).ok_or(AckError::Unknown)
    }

    /// The receiver has taken over, or (5.0, from 0x80) refused, a QoS 2 message. The message is
    /// given back; `None` for a second PUBREC. After an accepting one the caller sends PUBREL and
    /// the identifier waits for PUBCOMP; after a refusing one the identifier is free.
    /// [V4 MQTT-4.3.3-1, V5 MQTT-4.3.3-4, V5 MQTT-4.4.0-2]
    /// [V5 MQTT-4.3.3-3, V5 MQTT-4.3.3-6, V5 U-2.2.1-1, V5 U-4.9-1]
    pub fn pubrec(&mut self, identifier: PacketIdentifier, accepted: bool) -> Result<Option<M>, AckError> {
        let ring = self.ring.as_mut().ok_or(AckError::Unknown)?;
        let index = ring.find(identifier).ok_or(AckError::Unknown)?;
        let slot = ring.slots.get_mut(index).ok_or(AckError::Unknown)?;
        match slot.state {
            State::Pubrec | State::Pubcomp => {}
            State::Puback => return Err(AckError::WrongQoS),
            State::Request | State::Tombstone => return Err(AckError::Unknown),
        }
        let message = slot.message.take();
        slot.state = State::Pubcomp;
        if !accepted {
            ring.finish(index);
        } else if std::mem::take(&mut slot.unsent) {
            // The PUBREL goes out now, so there is nothing to repeat on this connection.
            ring.unsent -= 1;
        }
        Ok(message)
    }

    /// A QoS 2 message is done.
    /// [V5 MQTT-4.3.3-5, V5 U-2.2.1-1, V5 U-4.9-1, V5 U-4.9-2]
    pub fn pubcomp(&mut self, identifier: PacketIdentifier) -> Result<(), AckError> {
        let ring = self.ring.as_mut().ok_or(AckError::Unknown)?;
        let index = ring.find(identifier).ok_or(AckError::Unknown)?;
        match ring.slots.get(index).map(|slot| slot.state) {
            Some(State::Pubcomp) => {
                ring.finish(index);
                Ok(())
            }
            Some(State::Pubrec) => Err(AckError::OutOfTurn),
            Some(State::Puback) => Err(AckError::WrongQoS),
            Some(State::Request | State::Tombstone) | None => Err(AckError::Unknown),
        }
    }

    /// The identifier of the oldest QoS 2 message whose PUBREL has been sent on this connection and whose
    /// PUBCOMP is awaited.
    pub fn awaiting_pubcomp(&self) -> Option<PacketIdentifier> {
        let awaits = |slot: &&Slot<M>| slot.state == State::Pubcomp && !slot.unsent;
        self.ring.as_ref()?.slots.iter().find(awaits).map(|slot| slot.identifier)
    }

    /// The owner's message with this identifier, while its content is still kept.
    pub fn get(&self, identifier: PacketIdentifier) -> Option<&M> {
        let ring = self.ring.as_ref()?;
        ring.slots.get(ring.find(identifier)?)?.message.as_ref()
    }

    /// Everything in flight, in the order in which it was first sent.
    /// [V4 MQTT-4.4.0-1, V4 MQTT-4.6.0-1, V5 MQTT-4.4.0-1, V5 MQTT-4.6.0-1]
    ///
    /// For a window smaller than [`InFlight::len`] use [`InFlight::rewind`] and
    /// [`InFlight::next_resend`], which keep to it.
    pub fn resend(&self) -> impl Iterator<Item = Resend<'_, M>> {
        self.ring.iter().flat_map(|ring| &ring.slots).filter_map(Slot::resend)
    }

    /// A new connection has begun: everything in flight is to be sent again. Until
    /// [`InFlight::next_resend`] has given it all, there is no room for new messages.
    pub fn rewind(&mut self) {
        let Some(ring) = &mut self.ring else { return };
        ring.close_holes();
        for slot in &mut ring.slots {
            slot.unsent = slot.state != State::Request;
        }
        ring.cursor = 0;
        ring.unsent = ring.messages;
    }

    /// The next message to send again, in the original order; `None` if there is none, or the
    /// window is full of those already sent again: ask again after an acknowledgement.
    pub fn next_resend(&mut self) -> Option<Resend<'_, M>> {
        let ring = self.ring.as_mut()?;
        if ring.unsent == 0 || (ring.messages - ring.unsent) >= self.window.max(1) {
            return None;
        }
        let start = ring.cursor as usize;
        let index = start + ring.slots.iter().skip(start).position(|slot| slot.unsent)?;
        ring.cursor = u32::try_from(index + 1).unwrap_or(u32::MAX);
        ring.unsent -= 1;
        let slot = ring.slots.get_mut(index)?;
        slot.unsent = false;
        slot.resend()
    }

    /// An identifier for a SUBSCRIBE or UNSUBSCRIBE, from the same numbers; `None` if all 65,535
    /// are in use. [V4 MQTT-2.3.1-2, V5 MQTT-2.2.1-3]
    /// [V5 U-2.2.1-2]
    pub fn allocate_identifier(&mut self) -> Option<PacketIdentifier> {
        let ring = self.ring_mut();
        let identifier = ring.free_identifier()?;
        ring.slots.push_back(Slot { message: None, identifier, state: State::Request, unsent: false });
        ring.requests += 1;
        Some(identifier)
    }

    /// SUBACK or UNSUBACK came, or the connection was lost: the identifier is free. False if no
    /// request has it.
    pub fn release_identifier(&mut self, identifier: PacketIdentifier) -> bool {
        let Some(ring) = &mut self.ring else { return false };
        let Some(index) = ring.find(identifier) else { return false };
        let is_request = ring.slots.get(index).is_some_and(|slot| slot.state == State::Request);
        if is_request {
            ring.finish(index);
        }
        is_request
    }

    /// Whether a message or a request has this identifier.
    pub fn identifier_in_use(&self, identifier: PacketIdentifier) -> bool {
        self.ring.as_ref().is_some_and(|ring| ring.in_use(identifier))
    }

    /// Everything in flight, in the order of sending: identifier, QoS, and the message where its
    /// content was still kept. For a session that ends.
    pub fn drain(self) -> impl Iterator<Item = (PacketIdentifier, QoS, Option<M>)> {
        self.ring.into_iter().flat_map(|ring| ring.slots).filter_map(|slot| match slot.state {
            State::Puback => Some((slot.identifier, QoS::AtLeastOnce, slot.message)),
            State::Pubrec | State::Pubcomp => Some((slot.identifier, QoS::ExactlyOnce, slot.message)),
            State::Request | State::Tombstone => None,
        })
    }

    fn ring_mut(&mut self) -> &mut Ring<M> {
        self.ring.get_or_insert_default()
    }
}

impl<M> Default for Ring<M> {
    fn default() -> Ring<M> {
        Ring {
            slots: VecDeque::new(),
            cursor: 0,
            unsent: 0,
            messages: 0,
            requests: 0,
            last: 0,
            lapped: false,
        }
    }
}

impl<M> Slot<M> {
    /// What is left of one that is done while older ones are not.
    fn tombstone(identifier: PacketIdentifier) -> Slot<M> {
        Slot { message: None, identifier, state: State::Tombstone, unsent: false }
    }

    fn resend(&self) -> Option<Resend<'_, M>> {
        let identifier = self.identifier;
        let message = self.message.as_ref();
        match self.state {
            State::Puback => {
                message.map(|message| Resend::Publish { identifier, qos: QoS::AtLeastOnce, message })
            }
            State::Pubrec => {
                message.map(|message| Resend::Publish { identifier, qos: QoS::ExactlyOnce, message })
            }
            State::Pubcomp => Some(Resend::Pubrel { identifier }),
            State::Request | State::Tombstone => None,
        }
    }
}

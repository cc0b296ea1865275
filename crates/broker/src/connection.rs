//! A network connection and the stage it has reached. What a stage does not have cannot be used:
//! there is no session before CONNECT, and no will after the end.

use std::sync::Arc;

use hexmq_session::{AliasesIn, AliasesOut, Mono};
use hexmq_wire::{Leniency, Version};

use crate::message::MessageId;
use crate::{
    ConnId, DeviceTerms, Manners, Namespace, Peer, Permit, Reach, Serial, SessionKey, SessionRef, ShardId,
};

#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) peer: Peer,
    pub(crate) last_heard: Mono,
    /// It is not being read, by our own doing: its Keep Alive clock stands still.
    pub(crate) paused: bool,
    /// So many answers wait for it to read that it is not read itself.
    pub(crate) choked: bool,
    pub(crate) stage: Stage,
}

#[derive(Debug)]
pub(crate) enum Stage {
    /// No whole CONNECT yet.
    AwaitingConnect,
    /// The CONNECT waits for an answer, or for the client's AUTH.
    Authenticating(Box<Authenticating>),
    /// CONNACK is sent.
    Connected(Connected),
}

/// A CONNECT that waits.
#[derive(Debug)]
pub(crate) struct Authenticating {
    /// The whole packet: it is read again when the answer is there.
    pub(crate) connect: Box<[u8]>,
    /// The session it asks for.
    pub(crate) key: SessionKey,
    /// The question that is open; `None` while the client's AUTH is awaited.
    pub(crate) serial: Option<u32>,
    /// The client's bound for what it receives.
    pub(crate) maximum_packet_size: u32,
}

#[derive(Debug)]
pub(crate) struct Connected {
    /// Slot of the session.
    pub(crate) session: u32,
    pub(crate) version: Version,
    /// Of the topics it publishes and subscribes to.
    pub(crate) topics: Namespace,
    /// How its packets are read.
    pub(crate) leniency: Leniency,
    pub(crate) keep_alive_s: u16,
    /// The client's bound for what it receives.
    pub(crate) maximum_packet_size: u32,
    /// What few clients have. Small, since there are many connections.
    pub(crate) special: Option<Box<Special>>,
    /// Request Problem Information was not 0: acknowledgements may say why in words.
    pub(crate) problem_information: bool,
    /// CONNECT had a Session Expiry Interval of 0, which DISCONNECT must not raise.
    pub(crate) session_ends_with_connection: bool,
    pub(crate) will: Option<Box<Will>>,
    pub(crate) aliases: Option<Box<Aliases>>,
    pub(crate) authentication: Option<Box<Authentication>>,
}

/// Who has sent packets, as far as each of them wants to know it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sender {
    pub(crate) conn: ConnId,
    pub(crate) session: SessionRef,
    pub(crate) version: Version,
    /// How its packets are read.
    pub(crate) leniency: Leniency,
    /// The client's bound for what it receives.
    pub(crate) maximum_packet_size: u32,
    /// Of the topics it publishes to.
    pub(crate) topics: Namespace,
    /// Its permit is not everybody's.
    pub(crate) is_special: bool,
}

/// A permit that is not everybody's, and what goes with it.
#[derive(Debug)]
pub(crate) struct Special {
    permit: Permit,
    device: DeviceState,
}

impl Connected {
    /// Other rights from now on.
    pub(crate) fn set_permit(&mut self, permit: Permit) {
        self.leniency = permit.manners().leniency();
        match &mut self.special {
            Some(special) => special.permit = permit,
            None => self.special = Connected::special(permit),
        }
    }

    pub(crate) fn special(permit: Permit) -> Option<Box<Special>> {
        let device = DeviceState::default();
        (permit != Permit::default()).then(|| Box::new(Special { permit, device }))
    }

    /// The terms of a device.
    pub(crate) fn terms(&self) -> Option<&Arc<DeviceTerms>> {
        self.special.as_ref()?.permit.device.as_ref()
    }

    /// The same, to be changed.
    pub(crate) fn terms_mut(&mut self) -> Option<&mut Arc<DeviceTerms>> {
        self.special.as_mut()?.permit.device.as_mut()
    }

    /// What a device has beside them.
    pub(crate) fn device(&self) -> Option<&DeviceState> {
        self.special.as_ref().filter(|special| special.permit.device.is_some()).map(|special| &special.device)
    }

    /// The same, to be changed.
    pub(crate) fn device_mut(&mut self) -> Option<&mut DeviceState> {
        let special = self.special.as_mut().filter(|special| special.permit.device.is_some());
        special.map(|special| &mut special.device)
    }

    /// As the sender of packets, on this shard and with the generation of its session.
    #[inline]
    pub(crate) fn as_sender(&self, conn: ConnId, shard: ShardId, generation: u32) -> Sender {
        let Connected { session: slot, version, topics, leniency, maximum_packet_size, .. } = *self;
        let session = SessionRef { shard, slot, generation };
        let is_special = self.special.is_some();
        Sender { conn, session, version, leniency, maximum_packet_size, topics, is_special }
    }

    /// How it is treated.
    pub(crate) fn manners(&self) -> Manners {
        self.terms().map_or(Manners::STRICT, |terms| terms.manners)
    }

    /// See [`Permit::may_publish`].
    #[inline]
    pub(crate) fn may_publish(&self, topic: &str) -> Option<Reach> {
        match &self.special {
            None => Permit::everybody_may_publish(topic),
            Some(special) => special.permit.may_publish(topic),
        }
    }

    /// See [`Permit::may_subscribe`].
    pub(crate) fn may_subscribe(&self, filter: &str) -> bool {
        match &self.special {
            None => Permit::default().may_subscribe(filter),
            Some(special) => special.permit.may_subscribe(filter),
        }
    }
}

/// What a connection of a device remembers beside its terms.
#[derive(Debug, Default)]
pub(crate) struct DeviceState {
    /// Filters it has unsubscribed from although it counted as subscribed.
    pub(crate) unsubscribed: Vec<Box<str>>,
    /// A PUBLISH that waits for room among the messages for the platform.
    pub(crate) held: Option<Box<[u8]>>,
    /// Since when it waits; it keeps its turn if it has to wait once more.
    pub(crate) held_since: Option<Mono>,
    /// A quirk was told,
    pub(crate) quirk_told: bool,
    /// and a fault that leniency has survived: once is enough for a connection that is known for it.
    pub(crate) fault_told: bool,
}

/// The Will of a connection.
#[derive(Debug)]
pub(crate) struct Will {
    pub(crate) message: MessageId,
    /// Its number in the store.
    pub(crate) serial: Option<Serial>,
    pub(crate) delay_s: u32,
    /// Its Message Expiry Interval, which begins when it is published.
    pub(crate) expiry_s: Option<u32>,
}

/// Topic Aliases live as long as the connection. [V5 MQTT-3.3.2-7]
/// [V5 U-3.3.2.3.4-5]
#[derive(Debug, Default)]
pub(crate) struct Aliases {
    pub(crate) incoming: AliasesIn,
    pub(crate) outgoing: AliasesOut,
}

/// An Authentication Method that was used at CONNECT.
#[derive(Debug)]
pub(crate) struct Authentication {
    pub(crate) method: Box<str>,
    pub(crate) user_name: Option<Box<str>>,
    pub(crate) step: Reauthentication,
}

/// Where a re-authentication stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reauthentication {
    /// None is going on.
    Idle,
    /// The question with this serial is open.
    Asked(u32),
    /// AUTH 0x18 was sent, theirs is awaited.
    Challenged,
}

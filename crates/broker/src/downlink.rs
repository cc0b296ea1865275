//! Messages from the platform to one session, past the subscription index.

use hexmq_wire::QoS;

/// A message for one session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Downlink<'a> {
    /// Topic name.
    pub topic: &'a str,
    /// Application message.
    pub payload: &'a [u8],
    /// The largest QoS it is sent with.
    pub qos: QoS,
    /// Only if a subscription of the session matches, or the device counts as subscribed.
    pub if_subscribed: bool,
    /// Told with [`Sink::acked`](crate::Sink::acked) when the receiver has acknowledged it, which it does with
    /// QoS 1 and 2 only.
    pub token: Option<u64>,
}

/// What became of a [`Downlink`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivered {
    /// It is on its way, or in the queue of a session that is connected.
    Sent,
    /// The session has no connection; nothing is queued.
    Offline,
    /// No subscription of the session matches.
    NotSubscribed,
    /// There is no room for it: the queue is full, the client reads too slowly, or the packet is larger than it
    /// takes.
    Full,
}

//! The Control Packets. One model for the three versions: what a version lacks is empty or absent.

mod ack;
mod auth;
mod connack;
mod connect;
mod disconnect;
mod publish;
mod subscribe;
mod unsubscribe;

pub use ack::{Ack, ShortAck};
pub use auth::Auth;
pub use connack::Connack;
pub use connect::{Connect, Will};
pub use disconnect::Disconnect;
pub use publish::Publish;
pub use subscribe::{
    RetainHandling, Suback, Subscribe, Subscription, SubscriptionOptions, Subscriptions, SubscriptionsBuf,
};
pub use unsubscribe::{TopicFilters, TopicFiltersBuf, Unsuback, Unsubscribe};

use crate::PacketType;

/// A Control Packet that borrows from the frame it was read from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ControlPacket<'a> {
    /// 3.1 client requests a connection
    Connect(Connect<'a>),
    /// 3.2 acknowledge connection request
    Connack(Connack<'a>),
    /// 3.3 publish message
    Publish(Publish<'a>),
    /// 3.4 publish acknowledgement (QoS 1)
    Puback(Ack<'a>),
    /// 3.5 publish received (QoS 2, part 1)
    Pubrec(Ack<'a>),
    /// 3.6 publish release (QoS 2, part 2)
    Pubrel(Ack<'a>),
    /// 3.7 publish complete (QoS 2, part 3)
    Pubcomp(Ack<'a>),
    /// 3.8 subscribe request
    Subscribe(Subscribe<'a>),
    /// 3.9 subscribe acknowledgement
    Suback(Suback<'a>),
    /// 3.10 unsubscribe request
    Unsubscribe(Unsubscribe<'a>),
    /// 3.11 unsubscribe acknowledgement
    Unsuback(Unsuback<'a>),
    /// 3.12 PING request
    Pingreq,
    /// 3.13 PING response
    Pingresp,
    /// 3.14 disconnect notification
    Disconnect(Disconnect<'a>),
    /// 3.15 authentication exchange (5.0)
    Auth(Auth<'a>),
}

impl ControlPacket<'_> {
    /// The type of this packet.
    pub fn packet_type(&self) -> PacketType {
        match self {
            ControlPacket::Connect(_) => PacketType::Connect,
            ControlPacket::Connack(_) => PacketType::Connack,
            ControlPacket::Publish(_) => PacketType::Publish,
            ControlPacket::Puback(_) => PacketType::Puback,
            ControlPacket::Pubrec(_) => PacketType::Pubrec,
            ControlPacket::Pubrel(_) => PacketType::Pubrel,
            ControlPacket::Pubcomp(_) => PacketType::Pubcomp,
            ControlPacket::Subscribe(_) => PacketType::Subscribe,
            ControlPacket::Suback(_) => PacketType::Suback,
            ControlPacket::Unsubscribe(_) => PacketType::Unsubscribe,
            ControlPacket::Unsuback(_) => PacketType::Unsuback,
            ControlPacket::Pingreq => PacketType::Pingreq,
            ControlPacket::Pingresp => PacketType::Pingresp,
            ControlPacket::Disconnect(_) => PacketType::Disconnect,
            ControlPacket::Auth(_) => PacketType::Auth,
        }
    }
}

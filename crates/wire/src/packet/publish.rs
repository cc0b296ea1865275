//! PUBLISH (section 3.3).

use crate::{Delivery, Properties, QoS};

/// An application message on its way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Publish<'a> {
    /// Set when this may be a repetition. Always false at QoS 0. [V4 MQTT-3.3.1-2, V5 MQTT-3.3.1-2]
    pub dup: bool,
    /// QoS and Packet Identifier.
    pub delivery: Delivery,
    /// RETAIN flag.
    pub retain: bool,
    /// Well-formed UTF-8 without wildcards; in 5.0 empty where a Topic Alias stands for it.
    pub topic_name: &'a str,
    /// 5.0 only.
    pub properties: Properties<'a>,
    /// The application message: any bytes, may be empty.
    pub payload: &'a [u8],
}

impl Publish<'_> {
    /// The QoS of this delivery.
    #[inline]
    pub const fn qos(&self) -> QoS {
        self.delivery.qos()
    }
}

//! The properties of one packet, as the bytes they came in.

use super::{Property, PropertyId, PropertyType, RawValue, read_raw_value};

/// Properties that borrow from their packet: the bytes behind the Property Length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Properties<'a> {
    bytes: &'a [u8],
}

impl<'a> Properties<'a> {
    /// No properties.
    pub const EMPTY: Properties<'static> = Properties { bytes: &[] };

    /// Properties from bytes that [`Properties::as_bytes`] gave earlier, for a message that was
    /// stored meanwhile. Bytes of another origin are not judged: reading ends where they stop to
    /// make sense.
    #[inline]
    pub const fn from_stored(bytes: &'a [u8]) -> Properties<'a> {
        Properties { bytes }
    }

    /// The bytes, without the Property Length.
    #[inline]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Whether there are none.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The properties in their order.
    #[inline]
    pub fn iter(&self) -> PropertiesIter<'a> {
        PropertiesIter { bytes: self.bytes }
    }

    fn number(&self, id: PropertyId) -> Option<u32> {
        self.raw_values().find_map(|(found, raw, _)| match raw {
            RawValue::Number(value) if found == id => Some(value),
            _ => None,
        })
    }

    fn two_bytes(&self, id: PropertyId) -> Option<u16> {
        self.number(id).map(|value| value as u16)
    }

    fn byte(&self, id: PropertyId) -> Option<u8> {
        self.number(id).map(|value| value as u8)
    }

    fn binary(&self, id: PropertyId) -> Option<&'a [u8]> {
        self.raw_values().find_map(|(found, raw, _)| match raw {
            RawValue::Bytes(value) if found == id => Some(value),
            _ => None,
        })
    }

    fn text(&self, id: PropertyId) -> Option<&'a str> {
        self.binary(id).and_then(|bytes| std::str::from_utf8(bytes).ok())
    }

    /// Identifier, value and the bytes of the whole property; strings are not looked into.
    fn raw_values(&self) -> impl Iterator<Item = (PropertyId, RawValue<'a>, &'a [u8])> + use<'a> {
        let mut bytes = self.bytes;
        std::iter::from_fn(move || {
            let (id, raw, rest) = next_raw(bytes)?;
            let whole = bytes.get(..bytes.len() - rest.len())?;
            bytes = rest;
            Some((id, raw, whole))
        })
    }

    /// Copies to `out` the properties that travel with a message from publisher to subscriber,
    /// byte by byte and in their order: all but Topic Alias, Subscription Identifier, Message
    /// Expiry Interval and Will Delay Interval, which belong to one hop or change on the way.
    /// [V5 MQTT-3.3.2-4, V5 MQTT-3.3.2-15, V5 MQTT-3.3.2-16, V5 MQTT-3.3.2-17]
    /// [V5 MQTT-3.3.2-18, V5 MQTT-3.3.2-20]
    pub fn copy_forwarded(&self, out: &mut Vec<u8>) {
        for (id, _, whole) in self.raw_values() {
            if !is_of_one_hop(id) {
                out.extend_from_slice(whole);
            }
        }
    }

    /// Whether all of them travel on, so that [`Properties::copy_forwarded`] would copy every byte.
    #[inline]
    pub fn are_forwarded(&self) -> bool {
        self.is_empty() || self.none_is_of_one_hop()
    }

    #[inline(never)]
    fn none_is_of_one_hop(&self) -> bool {
        self.raw_values().all(|(id, ..)| !is_of_one_hop(id))
    }
}

/// Whether it belongs to one hop or changes on the way.
#[inline]
fn is_of_one_hop(id: PropertyId) -> bool {
    matches!(
        id,
        PropertyId::TopicAlias
            | PropertyId::SubscriptionIdentifier
            | PropertyId::MessageExpiryInterval
            | PropertyId::WillDelayInterval
    )
}

/// The first property of `bytes` and the bytes behind it.
fn next_raw(bytes: &[u8]) -> Option<(PropertyId, RawValue<'_>, &[u8])> {
    let (&identifier, rest) = bytes.split_first()?;
    let id = PropertyId::from_u8(identifier)?;
    let (raw, rest) = read_raw_value(id.row().ty, rest).ok()?;
    Some((id, raw, rest))
}

/// Iterates over [`Properties`].
#[derive(Clone, Debug)]
pub struct PropertiesIter<'a> {
    bytes: &'a [u8],
}

impl<'a> Iterator for PropertiesIter<'a> {
    type Item = Property<'a>;

    fn next(&mut self) -> Option<Property<'a>> {
        let (id, raw, rest) = next_raw(self.bytes)?;
        self.bytes = rest;
        Property::from_raw(id, raw)
    }
}

impl<'a> IntoIterator for Properties<'a> {
    type Item = Property<'a>;
    type IntoIter = PropertiesIter<'a>;

    fn into_iter(self) -> PropertiesIter<'a> {
        self.iter()
    }
}

/// Typed questions. Each is one walk over the bytes; `None` if the property is absent.
impl<'a> Properties<'a> {
    /// 0: unspecified bytes; 1: UTF-8.
    pub fn payload_format_indicator(&self) -> Option<u8> {
        self.byte(PropertyId::PayloadFormatIndicator)
    }
    /// Seconds.
    pub fn message_expiry_interval(&self) -> Option<u32> {
        self.number(PropertyId::MessageExpiryInterval)
    }
    /// Content Type.
    pub fn content_type(&self) -> Option<&'a str> {
        self.text(PropertyId::ContentType)
    }
    /// Response Topic.
    pub fn response_topic(&self) -> Option<&'a str> {
        self.text(PropertyId::ResponseTopic)
    }
    /// Correlation Data.
    pub fn correlation_data(&self) -> Option<&'a [u8]> {
        self.binary(PropertyId::CorrelationData)
    }
    /// The Subscription Identifiers in their order.
    pub fn subscription_identifiers(&self) -> impl Iterator<Item = u32> + use<'a> {
        self.raw_values().filter_map(|(id, raw, _)| match (id, raw) {
            (PropertyId::SubscriptionIdentifier, RawValue::Number(value)) => Some(value),
            _ => None,
        })
    }
    /// Seconds; 0xFFFF_FFFF = never.
    pub fn session_expiry_interval(&self) -> Option<u32> {
        self.number(PropertyId::SessionExpiryInterval)
    }
    /// Assigned Client Identifier.
    pub fn assigned_client_identifier(&self) -> Option<&'a str> {
        self.text(PropertyId::AssignedClientIdentifier)
    }
    /// Seconds.
    pub fn server_keep_alive(&self) -> Option<u16> {
        self.two_bytes(PropertyId::ServerKeepAlive)
    }
    /// Authentication Method.
    pub fn authentication_method(&self) -> Option<&'a str> {
        self.text(PropertyId::AuthenticationMethod)
    }
    /// Authentication Data.
    pub fn authentication_data(&self) -> Option<&'a [u8]> {
        self.binary(PropertyId::AuthenticationData)
    }
    /// 0 or 1; absent means 1.
    pub fn request_problem_information(&self) -> Option<u8> {
        self.byte(PropertyId::RequestProblemInformation)
    }
    /// Seconds.
    pub fn will_delay_interval(&self) -> Option<u32> {
        self.number(PropertyId::WillDelayInterval)
    }
    /// 0 or 1; absent means 0.
    pub fn request_response_information(&self) -> Option<u8> {
        self.byte(PropertyId::RequestResponseInformation)
    }
    /// Response Information.
    pub fn response_information(&self) -> Option<&'a str> {
        self.text(PropertyId::ResponseInformation)
    }
    /// Server Reference.
    pub fn server_reference(&self) -> Option<&'a str> {
        self.text(PropertyId::ServerReference)
    }
    /// Reason String.
    pub fn reason_string(&self) -> Option<&'a str> {
        self.text(PropertyId::ReasonString)
    }
    /// 1 or more; absent means 65,535.
    pub fn receive_maximum(&self) -> Option<u16> {
        self.two_bytes(PropertyId::ReceiveMaximum)
    }
    /// Absent means 0.
    pub fn topic_alias_maximum(&self) -> Option<u16> {
        self.two_bytes(PropertyId::TopicAliasMaximum)
    }
    /// 1 or more.
    pub fn topic_alias(&self) -> Option<u16> {
        self.two_bytes(PropertyId::TopicAlias)
    }
    /// 0 or 1; absent means 2.
    pub fn maximum_qos(&self) -> Option<u8> {
        self.byte(PropertyId::MaximumQoS)
    }
    /// 0 or 1; absent means 1.
    pub fn retain_available(&self) -> Option<u8> {
        self.byte(PropertyId::RetainAvailable)
    }
    /// Names and values in their order.
    pub fn user_properties(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        self.iter().filter_map(|property| match property {
            Property::UserProperty(name, value) => Some((name, value)),
            _ => None,
        })
    }
    /// Bytes; absent means no limit.
    pub fn maximum_packet_size(&self) -> Option<u32> {
        self.number(PropertyId::MaximumPacketSize)
    }
    /// 0 or 1; absent means 1.
    pub fn wildcard_subscription_available(&self) -> Option<u8> {
        self.byte(PropertyId::WildcardSubscriptionAvailable)
    }
    /// 0 or 1; absent means 1.
    pub fn subscription_identifier_available(&self) -> Option<u8> {
        self.byte(PropertyId::SubscriptionIdentifierAvailable)
    }
    /// 0 or 1; absent means 1.
    pub fn shared_subscription_available(&self) -> Option<u8> {
        self.byte(PropertyId::SharedSubscriptionAvailable)
    }
}

/// Bytes of a value on the wire, its identifier not counted.
pub(super) fn raw_value_size(ty: PropertyType, raw: RawValue<'_>) -> usize {
    match (ty, raw) {
        (PropertyType::Byte, _) => 1,
        (PropertyType::TwoByteInteger, _) => 2,
        (PropertyType::FourByteInteger, _) => 4,
        (_, RawValue::Number(value)) => crate::remaining_length_size(value),
        (_, RawValue::Bytes(bytes)) => 2 + bytes.len(),
        (_, RawValue::Pair(name, value)) => 4 + name.len() + value.len(),
    }
}

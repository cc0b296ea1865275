//! Values of properties: raw, as the bytes have them, and typed.

use super::{PropertyId, PropertyType};
use crate::fixed_header::{VariableByteInteger, read_variable_byte_integer};

/// One property with its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Property<'a> {
    /// 0: unspecified bytes; 1: UTF-8.
    PayloadFormatIndicator(u8),
    /// Seconds.
    MessageExpiryInterval(u32),
    /// Defined by the applications.
    ContentType(&'a str),
    /// A topic name.
    ResponseTopic(&'a str),
    /// Defined by the applications.
    CorrelationData(&'a [u8]),
    /// 1 to 268,435,455.
    SubscriptionIdentifier(u32),
    /// Seconds; 0xFFFF_FFFF = never.
    SessionExpiryInterval(u32),
    /// Made by the server.
    AssignedClientIdentifier(&'a str),
    /// Seconds.
    ServerKeepAlive(u16),
    /// Name of the method.
    AuthenticationMethod(&'a str),
    /// Defined by the method.
    AuthenticationData(&'a [u8]),
    /// 0 or 1.
    RequestProblemInformation(u8),
    /// Seconds.
    WillDelayInterval(u32),
    /// 0 or 1.
    RequestResponseInformation(u8),
    /// Basis for response topics.
    ResponseInformation(&'a str),
    /// Another server to use.
    ServerReference(&'a str),
    /// For people, not for parsers.
    ReasonString(&'a str),
    /// 1 or more.
    ReceiveMaximum(u16),
    /// 0 = no aliases.
    TopicAliasMaximum(u16),
    /// 1 or more.
    TopicAlias(u16),
    /// 0 or 1.
    MaximumQoS(u8),
    /// 0 or 1.
    RetainAvailable(u8),
    /// Name and value.
    UserProperty(&'a str, &'a str),
    /// Bytes; 1 or more.
    MaximumPacketSize(u32),
    /// 0 or 1.
    WildcardSubscriptionAvailable(u8),
    /// 0 or 1.
    SubscriptionIdentifierAvailable(u8),
    /// 0 or 1.
    SharedSubscriptionAvailable(u8),
}

/// A value as the bytes have it: strings not yet judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RawValue<'a> {
    Number(u32),
    Bytes(&'a [u8]),
    Pair(&'a [u8], &'a [u8]),
}

/// Why no value could be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RawValueError {
    /// The bytes end inside the value.
    Truncated,
    /// A Variable Byte Integer of more than four bytes.
    TooLong,
}

fn split(bytes: &[u8], length: usize) -> Result<(&[u8], &[u8]), RawValueError> {
    bytes.split_at_checked(length).ok_or(RawValueError::Truncated)
}

/// A two-byte length and as many bytes; then the rest.
fn split_prefixed(bytes: &[u8]) -> Result<(&[u8], &[u8]), RawValueError> {
    let (length, rest) = bytes.split_first_chunk().ok_or(RawValueError::Truncated)?;
    split(rest, usize::from(u16::from_be_bytes(*length)))
}

/// Reads a value of type `ty` at the start of `bytes`; returns it and the bytes behind it.
/// [V5 U-1.5.2-1, V5 U-1.5.3-1, V5 U-1.5.4-1, V5 U-1.5.6-1]
#[inline]
pub(crate) fn read_raw_value(ty: PropertyType, bytes: &[u8]) -> Result<(RawValue<'_>, &[u8]), RawValueError> {
    use RawValueError::Truncated;
    Ok(match ty {
        PropertyType::Byte => {
            let (&byte, rest) = bytes.split_first().ok_or(Truncated)?;
            (RawValue::Number(u32::from(byte)), rest)
        }
        PropertyType::TwoByteInteger => {
            let (value, rest) = bytes.split_first_chunk().ok_or(Truncated)?;
            (RawValue::Number(u32::from(u16::from_be_bytes(*value))), rest)
        }
        PropertyType::FourByteInteger => {
            let (value, rest) = bytes.split_first_chunk().ok_or(Truncated)?;
            (RawValue::Number(u32::from_be_bytes(*value)), rest)
        }
        PropertyType::VariableByteInteger => match read_variable_byte_integer(bytes) {
            VariableByteInteger::Value { value, size } => {
                (RawValue::Number(value), split(bytes, usize::from(size))?.1)
            }
            VariableByteInteger::Incomplete => return Err(Truncated),
            VariableByteInteger::TooLong => return Err(RawValueError::TooLong),
        },
        PropertyType::Utf8String | PropertyType::BinaryData => {
            let (value, rest) = split_prefixed(bytes)?;
            (RawValue::Bytes(value), rest)
        }
        PropertyType::Utf8StringPair => {
            let (name, rest) = split_prefixed(bytes)?;
            let (value, rest) = split_prefixed(rest)?;
            (RawValue::Pair(name, value), rest)
        }
    })
}

impl<'a> Property<'a> {
    /// The identifier.
    pub const fn id(&self) -> PropertyId {
        match self {
            Property::PayloadFormatIndicator(_) => PropertyId::PayloadFormatIndicator,
            Property::MessageExpiryInterval(_) => PropertyId::MessageExpiryInterval,
            Property::ContentType(_) => PropertyId::ContentType,
            Property::ResponseTopic(_) => PropertyId::ResponseTopic,
            Property::CorrelationData(_) => PropertyId::CorrelationData,
            Property::SubscriptionIdentifier(_) => PropertyId::SubscriptionIdentifier,
            Property::SessionExpiryInterval(_) => PropertyId::SessionExpiryInterval,
            Property::AssignedClientIdentifier(_) => PropertyId::AssignedClientIdentifier,
            Property::ServerKeepAlive(_) => PropertyId::ServerKeepAlive,
            Property::AuthenticationMethod(_) => PropertyId::AuthenticationMethod,
            Property::AuthenticationData(_) => PropertyId::AuthenticationData,
            Property::RequestProblemInformation(_) => PropertyId::RequestProblemInformation,
            Property::WillDelayInterval(_) => PropertyId::WillDelayInterval,
            Property::RequestResponseInformation(_) => PropertyId::RequestResponseInformation,
            Property::ResponseInformation(_) => PropertyId::ResponseInformation,
            Property::ServerReference(_) => PropertyId::ServerReference,
            Property::ReasonString(_) => PropertyId::ReasonString,
            Property::ReceiveMaximum(_) => PropertyId::ReceiveMaximum,
            Property::TopicAliasMaximum(_) => PropertyId::TopicAliasMaximum,
            Property::TopicAlias(_) => PropertyId::TopicAlias,
            Property::MaximumQoS(_) => PropertyId::MaximumQoS,
            Property::RetainAvailable(_) => PropertyId::RetainAvailable,
            Property::UserProperty(..) => PropertyId::UserProperty,
            Property::MaximumPacketSize(_) => PropertyId::MaximumPacketSize,
            Property::WildcardSubscriptionAvailable(_) => PropertyId::WildcardSubscriptionAvailable,
            Property::SubscriptionIdentifierAvailable(_) => PropertyId::SubscriptionIdentifierAvailable,
            Property::SharedSubscriptionAvailable(_) => PropertyId::SharedSubscriptionAvailable,
        }
    }

    /// Gives a raw value its type. `None` if a string is not UTF-8 or the value is of another
    /// type than the property.
    pub(crate) fn from_raw(id: PropertyId, raw: RawValue<'a>) -> Option<Property<'a>> {
        match raw {
            RawValue::Number(value) => Property::from_number(id, value),
            RawValue::Bytes(bytes) => Property::from_bytes(id, bytes),
            RawValue::Pair(name, value) if id == PropertyId::UserProperty => Some(Property::UserProperty(
                std::str::from_utf8(name).ok()?,
                std::str::from_utf8(value).ok()?,
            )),
            RawValue::Pair(..) => None,
        }
    }

    /// The property with a numeric value. `None` if it is not numeric or the value has too many
    /// bits.
    pub fn from_number(id: PropertyId, value: u32) -> Option<Property<'a>> {
        let byte = || u8::try_from(value).ok();
        let two_bytes = || u16::try_from(value).ok();
        Some(match id {
            PropertyId::PayloadFormatIndicator => Property::PayloadFormatIndicator(byte()?),
            PropertyId::MessageExpiryInterval => Property::MessageExpiryInterval(value),
            PropertyId::SubscriptionIdentifier => Property::SubscriptionIdentifier(value),
            PropertyId::SessionExpiryInterval => Property::SessionExpiryInterval(value),
            PropertyId::ServerKeepAlive => Property::ServerKeepAlive(two_bytes()?),
            PropertyId::RequestProblemInformation => Property::RequestProblemInformation(byte()?),
            PropertyId::WillDelayInterval => Property::WillDelayInterval(value),
            PropertyId::RequestResponseInformation => Property::RequestResponseInformation(byte()?),
            PropertyId::ReceiveMaximum => Property::ReceiveMaximum(two_bytes()?),
            PropertyId::TopicAliasMaximum => Property::TopicAliasMaximum(two_bytes()?),
            PropertyId::TopicAlias => Property::TopicAlias(two_bytes()?),
            PropertyId::MaximumQoS => Property::MaximumQoS(byte()?),
            PropertyId::RetainAvailable => Property::RetainAvailable(byte()?),
            PropertyId::MaximumPacketSize => Property::MaximumPacketSize(value),
            PropertyId::WildcardSubscriptionAvailable => Property::WildcardSubscriptionAvailable(byte()?),
            PropertyId::SubscriptionIdentifierAvailable => Property::SubscriptionIdentifierAvailable(byte()?),
            PropertyId::SharedSubscriptionAvailable => Property::SharedSubscriptionAvailable(byte()?),
            _ => return None,
        })
    }

    /// The property with a string or binary value. `None` if its value is of another type, or is
    /// a string and `bytes` is not UTF-8.
    pub fn from_bytes(id: PropertyId, bytes: &'a [u8]) -> Option<Property<'a>> {
        let text = || std::str::from_utf8(bytes).ok();
        Some(match id {
            PropertyId::ContentType => Property::ContentType(text()?),
            PropertyId::ResponseTopic => Property::ResponseTopic(text()?),
            PropertyId::CorrelationData => Property::CorrelationData(bytes),
            PropertyId::AssignedClientIdentifier => Property::AssignedClientIdentifier(text()?),
            PropertyId::AuthenticationMethod => Property::AuthenticationMethod(text()?),
            PropertyId::AuthenticationData => Property::AuthenticationData(bytes),
            PropertyId::ResponseInformation => Property::ResponseInformation(text()?),
            PropertyId::ServerReference => Property::ServerReference(text()?),
            PropertyId::ReasonString => Property::ReasonString(text()?),
            _ => return None,
        })
    }

    /// The value without its type, for writing.
    pub(crate) const fn raw(&self) -> RawValue<'a> {
        match *self {
            Property::PayloadFormatIndicator(value)
            | Property::RequestProblemInformation(value)
            | Property::RequestResponseInformation(value)
            | Property::MaximumQoS(value)
            | Property::RetainAvailable(value)
            | Property::WildcardSubscriptionAvailable(value)
            | Property::SubscriptionIdentifierAvailable(value)
            | Property::SharedSubscriptionAvailable(value) => RawValue::Number(value as u32),
            Property::ServerKeepAlive(value)
            | Property::ReceiveMaximum(value)
            | Property::TopicAliasMaximum(value)
            | Property::TopicAlias(value) => RawValue::Number(value as u32),
            Property::MessageExpiryInterval(value)
            | Property::SubscriptionIdentifier(value)
            | Property::SessionExpiryInterval(value)
            | Property::WillDelayInterval(value)
            | Property::MaximumPacketSize(value) => RawValue::Number(value),
            Property::ContentType(text)
            | Property::ResponseTopic(text)
            | Property::AssignedClientIdentifier(text)
            | Property::AuthenticationMethod(text)
            | Property::ResponseInformation(text)
            | Property::ServerReference(text)
            | Property::ReasonString(text) => RawValue::Bytes(text.as_bytes()),
            Property::CorrelationData(bytes) | Property::AuthenticationData(bytes) => RawValue::Bytes(bytes),
            Property::UserProperty(name, value) => RawValue::Pair(name.as_bytes(), value.as_bytes()),
        }
    }
}

//! Properties of 5.0 as named values and back, by the table of the wire crate.

use hexmq_wire::{EncodeError, PropertiesBuf, Property, PropertyId, PropertyType};

use crate::layout::Kind;
use crate::record::{Name, Record, Value};

/// The name and kind of the property with this name.
pub(crate) fn property_kind(text: &str) -> Option<(&'static str, Kind)> {
    let row = PropertyId::from_name(text)?.row();
    let kind = match row.ty {
        PropertyType::Byte => Kind::Number { max: 0xff },
        PropertyType::TwoByteInteger => Kind::Number { max: 0xffff },
        PropertyType::FourByteInteger => Kind::Number { max: 0xffff_ffff },
        PropertyType::VariableByteInteger => {
            Kind::Number { max: u64::from(hexmq_wire::REMAINING_LENGTH_MAX) }
        }
        PropertyType::Utf8String => Kind::Text,
        PropertyType::BinaryData => Kind::Binary,
        PropertyType::Utf8StringPair => Kind::Pair,
    };
    Some((row.name, kind))
}

/// A property as a named value.
pub(crate) fn property_field(property: Property<'_>, will: bool) -> (Name, Value) {
    let number = |value: u32| Value::Number(u64::from(value));
    let text = |value: &str| Value::Text(value.to_owned());
    let value = match property {
        Property::PayloadFormatIndicator(value)
        | Property::RequestProblemInformation(value)
        | Property::RequestResponseInformation(value)
        | Property::MaximumQoS(value)
        | Property::RetainAvailable(value)
        | Property::WildcardSubscriptionAvailable(value)
        | Property::SubscriptionIdentifierAvailable(value)
        | Property::SharedSubscriptionAvailable(value) => number(value.into()),
        Property::ServerKeepAlive(value)
        | Property::ReceiveMaximum(value)
        | Property::TopicAliasMaximum(value)
        | Property::TopicAlias(value) => number(value.into()),
        Property::MessageExpiryInterval(value)
        | Property::SubscriptionIdentifier(value)
        | Property::SessionExpiryInterval(value)
        | Property::WillDelayInterval(value)
        | Property::MaximumPacketSize(value) => number(value),
        Property::ContentType(value)
        | Property::ResponseTopic(value)
        | Property::AssignedClientIdentifier(value)
        | Property::AuthenticationMethod(value)
        | Property::ResponseInformation(value)
        | Property::ServerReference(value)
        | Property::ReasonString(value) => text(value),
        Property::CorrelationData(bytes) | Property::AuthenticationData(bytes) => {
            Value::Binary(bytes.to_vec())
        }
        Property::UserProperty(key, value) => Value::Pair(key.to_owned(), value.to_owned()),
    };
    (Name::property(property.id().name(), will), value)
}

/// A named value as a property.
fn property<'a>(name: &Name, value: &'a Value) -> Option<Property<'a>> {
    let id = PropertyId::from_name(name.text)?;
    match value {
        Value::Number(number) => Property::from_number(id, u32::try_from(*number).ok()?),
        Value::Text(text) => Property::from_bytes(id, text.as_bytes()),
        Value::Binary(bytes) => Property::from_bytes(id, bytes),
        Value::Pair(key, value) if id == PropertyId::UserProperty => Some(Property::UserProperty(key, value)),
        _ => None,
    }
}

/// The properties of a record: of the packet or of its will.
pub(crate) fn properties(record: &Record, will: bool) -> Result<PropertiesBuf, EncodeError> {
    let mut buf = PropertiesBuf::new();
    let mine = record.fields.iter().filter(|(name, _)| name.property && name.will == will);
    for property in mine.filter_map(|(name, value)| property(name, value)) {
        buf.push(property)?;
    }
    Ok(buf)
}

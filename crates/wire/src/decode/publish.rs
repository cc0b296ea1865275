//! PUBLISH (section 3.3).

use super::{fields, properties};
use crate::reader::Reader;
use crate::{Delivery, Fault, FaultCode, PacketType, Place, Properties, Publish, QoS, Trace, Value, Version};

/// Reads a PUBLISH behind its fixed header; `flags` are the lower bits of the first byte, `known_topic` a topic
/// name that needs no judging.
/// [V5 U-3.3.1.2-1, V5 U-3.3.2-1, V5 U-3.3.3-1]
#[inline(always)]
pub(super) fn publish<'a, T: Trace>(
    reader: &mut Reader<'a, '_, T>,
    flags: u8,
    known_topic: &'a str,
) -> Result<Publish<'a>, Fault> {
    let mut dup = flags & 0b1000 != 0;
    let qos_bits = flags >> 1 & 0b11;
    let qos = match QoS::from_bits(qos_bits) {
        Some(qos) => qos,
        None => {
            // [V4 MQTT-3.3.1-4, V5 MQTT-3.3.1-4]
            reader.fault(FaultCode::InvalidQos, fields::QOS, 0, 1)?;
            // Like every QoS above 0 it may have a Packet Identifier.
            QoS::ExactlyOnce
        }
    };
    if dup && qos == QoS::AtMostOnce {
        // [V4 MQTT-3.3.1-2, V5 MQTT-3.3.1-2]
        reader.fault(FaultCode::DupAtQos0, fields::DUP, 0, 1)?;
        dup = false;
    }
    let topic_at = reader.at();
    let topic_name = reader.topic_name(fields::TOPIC_NAME, known_topic)?;
    // Ill-formed text reads as empty too, but has been reported.
    let no_topic = reader.at() == topic_at + 2;
    if no_topic && reader.version != Version::V5 {
        reader.fault(FaultCode::EmptyTopicName, fields::TOPIC_NAME, topic_at, 2)?;
    }
    let delivery = delivery(reader, qos)?;
    let properties = if reader.version == Version::V5 {
        publish_properties(reader, no_topic.then_some(topic_at))?
    } else {
        Properties::EMPTY
    };
    let payload_at = reader.at();
    let payload = reader.remaining();
    if !payload.is_empty() {
        reader.tell(fields::PAYLOAD, payload_at, payload.len(), Value::Bytes(payload));
    }
    Ok(Publish { dup, delivery, retain: flags & 1 != 0, topic_name, properties, payload })
}

/// QoS 0 has no Packet Identifier. [V4 MQTT-2.3.1-5, V5 MQTT-2.2.1-2]
#[inline(always)]
fn delivery<T: Trace>(reader: &mut Reader<'_, '_, T>, qos: QoS) -> Result<Delivery, Fault> {
    Ok(match qos {
        QoS::AtMostOnce => Delivery::AtMostOnce,
        QoS::AtLeastOnce => Delivery::AtLeastOnce(reader.packet_identifier(fields::PUBLISH_IDENTIFIER)?),
        QoS::ExactlyOnce => Delivery::ExactlyOnce(reader.packet_identifier(fields::PUBLISH_IDENTIFIER)?),
    })
}

/// Reads the properties; an empty topic name needs a Topic Alias among them (5.0 section 3.3.2.1).
/// [V5 U-3.3.2.1-1]
#[inline(never)]
fn publish_properties<'a, T: Trace>(
    reader: &mut Reader<'a, '_, T>,
    empty_topic_at: Option<usize>,
) -> Result<Properties<'a>, Fault> {
    let properties =
        properties::properties(reader, fields::PUBLISH_PROPERTIES, Place::Packet(PacketType::Publish))?;
    if let Some(offset) = empty_topic_at
        && properties.topic_alias().is_none()
    {
        reader.fault(FaultCode::EmptyTopicName, fields::TOPIC_NAME, offset, 2)?;
    }
    Ok(properties)
}

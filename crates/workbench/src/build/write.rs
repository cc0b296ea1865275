//! A description as bytes.

use hexmq_wire::{PacketType, REMAINING_LENGTH_MAX, Version, encode_remaining_length};

use super::property::DraftProperty;
use super::{BuildError, Draft};
use crate::stream::packet_of;

impl Draft {
    /// The bytes of the packet.
    ///
    /// # Errors
    /// What has no place on the wire: a string above 65,535 bytes, a packet above 256 MiB, a Packet
    /// Identifier in a PUBLISH of QoS 0.
    pub fn to_bytes(&self) -> Result<Vec<u8>, BuildError> {
        if self.packet_type == PacketType::Publish
            && self.first_byte.qos == 0
            && self.packet_identifier.is_some()
        {
            let message = "a PUBLISH of QoS 0 has no Packet Identifier";
            return Err(BuildError::new("packet_identifier", message));
        }
        let mut body = Vec::new();
        match self.packet_type {
            PacketType::Connect => self.connect(&mut body)?,
            PacketType::Connack => self.connack(&mut body)?,
            PacketType::Publish => self.publish(&mut body)?,
            PacketType::Puback | PacketType::Pubrec | PacketType::Pubrel | PacketType::Pubcomp => {
                self.identifier(&mut body);
                self.reason(&mut body)?;
            }
            PacketType::Subscribe => self.subscribe(&mut body)?,
            PacketType::Unsubscribe => {
                self.identifier(&mut body);
                self.properties(&mut body)?;
                for filter in &self.topic_filters {
                    push_string("topic_filters", filter, &mut body)?;
                }
            }
            PacketType::Suback | PacketType::Unsuback => {
                self.identifier(&mut body);
                self.properties(&mut body)?;
                body.extend_from_slice(&self.codes);
            }
            PacketType::Pingreq | PacketType::Pingresp => {}
            PacketType::Disconnect | PacketType::Auth => self.reason(&mut body)?,
        }
        body.extend_from_slice(&self.unknown);
        packet_of(self.first_byte(), &body).ok_or_else(|| {
            let message = format!("{} bytes where {REMAINING_LENGTH_MAX} are possible", body.len());
            BuildError::new("remaining_length", message)
        })
    }

    fn first_byte(&self) -> u8 {
        let flags = match self.packet_type.reserved_flags() {
            Some(fixed) => self.first_byte.reserved.unwrap_or(fixed) & 0x0F,
            None => {
                u8::from(self.first_byte.dup) << 3
                    | (self.first_byte.qos & 0b11) << 1
                    | u8::from(self.first_byte.retain)
            }
        };
        (self.packet_type as u8) << 4 | flags
    }

    fn connect(&self, body: &mut Vec<u8>) -> Result<(), BuildError> {
        let name = self.protocol_name.as_deref().unwrap_or(self.version.protocol_name().as_bytes());
        push_string("protocol_name", name, body)?;
        body.push(self.protocol_version.unwrap_or(self.version.level()));
        body.push(self.connect_flags());
        body.extend(self.keep_alive.to_be_bytes());
        self.properties(body)?;
        push_string("client_identifier", &self.client_identifier, body)?;
        if let Some(will) = &self.will {
            if self.version == Version::V5 {
                push_properties("will_properties", &will.properties, body)?;
            }
            push_string("will_topic", &will.topic, body)?;
            let payload = if self.version == Version::V5 { "will_payload" } else { "will_message" };
            push_string(payload, &will.payload, body)?;
        }
        if let Some(user_name) = &self.user_name {
            push_string("user_name", user_name, body)?;
        }
        if let Some(password) = &self.password {
            push_string("password", password, body)?;
        }
        Ok(())
    }

    fn connect_flags(&self) -> u8 {
        let flags = &self.connect_flags;
        u8::from(flags.user_name_flag.unwrap_or(self.user_name.is_some())) << 7
            | u8::from(flags.password_flag.unwrap_or(self.password.is_some())) << 6
            | u8::from(flags.will_retain) << 5
            | (flags.will_qos & 0b11) << 3
            | u8::from(flags.will_flag.unwrap_or(self.will.is_some())) << 2
            | u8::from(flags.clean) << 1
            | u8::from(flags.reserved)
    }

    fn connack(&self, body: &mut Vec<u8>) -> Result<(), BuildError> {
        // 3.1 has one reserved byte where the others have flags.
        body.push(match self.version {
            Version::V3 => self.acknowledge_reserved,
            Version::V4 | Version::V5 => self.acknowledge_reserved << 1 | u8::from(self.session_present),
        });
        body.push(self.code.unwrap_or(0));
        self.properties(body)
    }

    fn publish(&self, body: &mut Vec<u8>) -> Result<(), BuildError> {
        push_string("topic_name", &self.topic_name, body)?;
        if self.first_byte.qos != 0 {
            self.identifier(body);
        }
        self.properties(body)?;
        body.extend_from_slice(&self.payload);
        Ok(())
    }

    fn subscribe(&self, body: &mut Vec<u8>) -> Result<(), BuildError> {
        self.identifier(body);
        self.properties(body)?;
        for subscription in &self.subscriptions {
            push_string("subscriptions", &subscription.topic_filter, body)?;
            body.push(subscription.options);
        }
        Ok(())
    }

    fn identifier(&self, body: &mut Vec<u8>) {
        body.extend(self.packet_identifier.unwrap_or(1).to_be_bytes());
    }

    /// The property section where 5.0 never leaves it out.
    fn properties(&self, body: &mut Vec<u8>) -> Result<(), BuildError> {
        match self.version {
            Version::V3 | Version::V4 => Ok(()),
            Version::V5 => push_properties("properties", self.properties.as_deref().unwrap_or(&[]), body),
        }
    }

    /// Reason code and properties where 5.0 lets them be left out: the properties first, then both.
    /// AUTH has both or none (5.0 section 3.15.2.1).
    fn reason(&self, body: &mut Vec<u8>) -> Result<(), BuildError> {
        if self.version != Version::V5 || self.code.is_none() && self.properties.is_none() {
            return Ok(());
        }
        body.push(self.code.unwrap_or(0));
        match &self.properties {
            Some(properties) => push_properties("properties", properties, body),
            None if self.packet_type == PacketType::Auth => push_properties("properties", &[], body),
            None => Ok(()),
        }
    }
}

/// Property Length and properties.
fn push_properties(field: &str, properties: &[DraftProperty], out: &mut Vec<u8>) -> Result<(), BuildError> {
    let mut section = Vec::new();
    for property in properties {
        property.write(field, &mut section)?;
    }
    let length = u32::try_from(section.len()).ok().filter(|&length| length <= REMAINING_LENGTH_MAX);
    let length = length.ok_or_else(|| BuildError::new(field, "more than 268435455 bytes of properties"))?;
    encode_remaining_length(length, out);
    out.extend_from_slice(&section);
    Ok(())
}

/// A two-byte length and the bytes.
pub(super) fn push_string(field: &str, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), BuildError> {
    let length = u16::try_from(bytes.len())
        .map_err(|_| BuildError::new(field, format!("{} bytes where 65535 are possible", bytes.len())))?;
    out.extend(length.to_be_bytes());
    out.extend_from_slice(bytes);
    Ok(())
}

//! Builds properties.

use super::properties::raw_value_size;
use super::{Properties, Property, PropertyType, RawValue};
use crate::encode::{EncodeError, STRING_MAX, push_prefixed};
use crate::encode_remaining_length;

/// Properties under construction. Nothing is judged but the lengths of strings: order, repetition
/// and place are the caller's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PropertiesBuf {
    bytes: Vec<u8>,
}

impl PropertiesBuf {
    /// No properties, nothing allocated.
    pub const fn new() -> PropertiesBuf {
        PropertiesBuf { bytes: Vec::new() }
    }

    /// Appends a property. Fails, and appends nothing, if a string or binary value is longer than
    /// 65,535 bytes.
    pub fn push(&mut self, property: Property<'_>) -> Result<(), EncodeError> {
        let row = property.id().row();
        let raw = property.raw();
        let longest = match raw {
            RawValue::Number(_) => 0,
            RawValue::Bytes(bytes) => bytes.len(),
            RawValue::Pair(name, value) => name.len().max(value.len()),
        };
        if longest > STRING_MAX {
            return Err(EncodeError::StringTooLong { field: row.name, length: longest });
        }
        self.bytes.reserve(1 + raw_value_size(row.ty, raw));
        self.bytes.push(row.id as u8);
        match (row.ty, raw) {
            (PropertyType::Byte, RawValue::Number(value)) => self.bytes.push(value as u8),
            (PropertyType::TwoByteInteger, RawValue::Number(value)) => {
                self.bytes.extend_from_slice(&(value as u16).to_be_bytes());
            }
            (PropertyType::FourByteInteger, RawValue::Number(value)) => {
                self.bytes.extend_from_slice(&value.to_be_bytes());
            }
            (_, RawValue::Number(value)) => encode_remaining_length(value, &mut self.bytes),
            (_, RawValue::Bytes(bytes)) => push_prefixed(bytes, &mut self.bytes),
            (_, RawValue::Pair(name, value)) => {
                push_prefixed(name, &mut self.bytes);
                push_prefixed(value, &mut self.bytes);
            }
        }
        Ok(())
    }

    /// Appends the properties of a received message that travel on, see
    /// [`Properties::copy_forwarded`].
    pub fn push_forwarded(&mut self, received: Properties<'_>) {
        received.copy_forwarded(&mut self.bytes);
    }

    /// Forgets all properties and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The properties so far.
    pub fn as_properties(&self) -> Properties<'_> {
        Properties::from_stored(&self.bytes)
    }
}

//! Properties of a description.

use hexmq_wire::{PropertyId, PropertyType, REMAINING_LENGTH_MAX, encode_remaining_length};

use super::BuildError;
use super::write::push_string;

/// One property, written as it is: order, repetition, place and range are the caller's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DraftProperty {
    /// Which one.
    pub id: PropertyId,
    /// Its value, of the type the table has for it.
    pub value: DraftValue,
}

/// The value of a property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DraftValue {
    /// One, two, four or up to four bytes, by the property's type.
    Number(u32),
    /// A string or binary data.
    Bytes(Vec<u8>),
    /// Name and value of a User Property.
    Pair(Vec<u8>, Vec<u8>),
}

impl DraftProperty {
    /// Appends identifier and value.
    pub(super) fn write(&self, field: &str, out: &mut Vec<u8>) -> Result<(), BuildError> {
        let row = self.id.row();
        let name = || format!("{field}.{}", row.name);
        out.push(self.id as u8);
        match (&self.value, row.ty) {
            (&DraftValue::Number(number), ty) => {
                let largest = largest(ty).ok_or_else(|| wrong_type(name(), ty))?;
                if number > largest {
                    let message = format!("{number} is more than {largest}, the largest that can be written");
                    return Err(BuildError::new(name(), message));
                }
                write_number(number, ty, out);
                Ok(())
            }
            (DraftValue::Bytes(bytes), PropertyType::Utf8String | PropertyType::BinaryData) => {
                push_string(&name(), bytes, out)
            }
            (DraftValue::Pair(key, value), PropertyType::Utf8StringPair) => {
                push_string(&name(), key, out)?;
                push_string(&name(), value, out)
            }
            (_, ty) => Err(wrong_type(name(), ty)),
        }
    }
}

/// The largest number a property of this type holds; `None` if it holds none.
pub(super) const fn largest(ty: PropertyType) -> Option<u32> {
    Some(match ty {
        PropertyType::Byte => 0xFF,
        PropertyType::TwoByteInteger => 0xFFFF,
        PropertyType::FourByteInteger => u32::MAX,
        PropertyType::VariableByteInteger => REMAINING_LENGTH_MAX,
        PropertyType::Utf8String | PropertyType::BinaryData | PropertyType::Utf8StringPair => return None,
    })
}

fn write_number(number: u32, ty: PropertyType, out: &mut Vec<u8>) {
    let [_, _, high, low] = number.to_be_bytes();
    match ty {
        PropertyType::Byte => out.push(low),
        PropertyType::TwoByteInteger => out.extend([high, low]),
        PropertyType::FourByteInteger => out.extend(number.to_be_bytes()),
        _ => encode_remaining_length(number, out),
    }
}

/// What the property takes, for a person.
pub(super) fn wrong_type(field: String, ty: PropertyType) -> BuildError {
    let expected = match ty {
        PropertyType::Byte => "a number from 0 to 255",
        PropertyType::TwoByteInteger => "a number from 0 to 65535",
        PropertyType::FourByteInteger => "a number from 0 to 4294967295",
        PropertyType::VariableByteInteger => "a number from 0 to 268435455",
        PropertyType::Utf8String => "a string",
        PropertyType::BinaryData => "a string or hex",
        PropertyType::Utf8StringPair => "a name and a value",
    };
    BuildError::new(field, format!("{expected} was expected"))
}

//! The property section (5.0 section 2.2.2): read, judged against the table, and told.

use super::fields;
use crate::property::{RawValue, RawValueError, read_raw_value};
use crate::reader::{Name, Reader, has_any, is_printable_ascii};
use crate::{
    Fault, FaultCode, Place, Properties, PropertyId, PropertyRow, PropertyType, Section, Trace, Value,
    remaining_length_size,
};

/// Reads Property Length and properties. The section is never left out. [V5 MQTT-2.2.2-1]
#[inline]
pub(super) fn properties<'a, T: Trace>(
    reader: &mut Reader<'a, '_, T>,
    group: Name,
    place: Place,
) -> Result<Properties<'a>, Fault> {
    if !T::FIELDS && reader.rest().first() == Some(&0) {
        reader.skip(1);
        return Ok(Properties::EMPTY);
    }
    section(reader, group, place)
}

/// [V5 U-2.2.2.1-1, V5 U-2.2.2.2-3, V5 U-3.1.2.11.10-1]
fn section<'a, T: Trace>(
    reader: &mut Reader<'a, '_, T>,
    group: Name,
    place: Place,
) -> Result<Properties<'a>, Fault> {
    let offset = reader.at();
    let announced = open(reader, group)?;
    let begin = reader.at();
    let whole = reader.rest().get(..announced);
    let bytes = match whole {
        Some(bytes) => bytes,
        None => {
            // The length is what the eye should fall on.
            reader.fault(FaultCode::PropertyLength, fields::PROPERTY_LENGTH, offset, begin - offset)?;
            reader.rest()
        }
    };
    let end = begin + bytes.len();
    let all = reader.limit(end);
    let mut judge = Judge { place, whole: whole.is_some(), seen: 0, method: false, data_at: None };
    while !reader.is_at_end() {
        if !judge.property(reader)? {
            break;
        }
    }
    if let Some((at, length)) = judge.data_at.filter(|_| !judge.method) {
        let name = of_row(PropertyId::AuthenticationData.row());
        reader.fault(FaultCode::AuthenticationDataWithoutMethod, name, at, length)?;
    }
    reader.unlimit(all);
    reader.close(end);
    Ok(Properties::from_stored(bytes))
}

/// Opens the group and reads the Property Length.
fn open<T: Trace>(reader: &mut Reader<'_, '_, T>, group: Name) -> Result<usize, Fault> {
    if T::FIELDS {
        use crate::fixed_header::{VariableByteInteger, read_variable_byte_integer};
        let rest = reader.rest();
        let length = match read_variable_byte_integer(rest) {
            VariableByteInteger::Value { value, size } => usize::from(size) + value as usize,
            VariableByteInteger::Incomplete | VariableByteInteger::TooLong => rest.len(),
        };
        reader.open(group, reader.at(), length.min(rest.len()), None, Value::Group);
    }
    match reader.variable_byte_integer(fields::PROPERTY_LENGTH)? {
        Some(length) => Ok(length as usize),
        None => {
            let (at, rest) = (reader.at(), reader.rest());
            if rest.is_empty() {
                return Err(reader.dead_end(FaultCode::Truncated, group, at, 0));
            }
            reader.tell(fields::PROPERTY_LENGTH, at, rest.len(), Value::Bytes(rest));
            Err(reader.dead_end(FaultCode::PropertyLength, fields::PROPERTY_LENGTH, at, rest.len().min(5)))
        }
    }
}

/// The name of a property as a field.
const fn of_row(row: &'static PropertyRow) -> Name {
    Name { name: row.name, section: Section { v4: "", v5: row.section } }
}

/// What is known of the section so far.
struct Judge {
    place: Place,
    /// Whether the section has the bytes it announces. If not, that has been reported, and what
    /// makes no sense behind it is no fault of its own.
    whole: bool,
    /// One bit per identifier.
    seen: u64,
    method: bool,
    /// Offset and bytes of the Authentication Data.
    data_at: Option<(usize, usize)>,
}

impl Judge {
    /// Reads one property. `false` if nothing behind it can be read.
    fn property<'a, T: Trace>(&mut self, reader: &mut Reader<'a, '_, T>) -> Result<bool, Fault> {
        let offset = reader.at();
        let rest = reader.rest();
        let Some((&identifier, value_bytes)) = rest.split_first() else { return Ok(false) };
        let Some(id) = PropertyId::from_u8(identifier) else {
            reader.tell(fields::UNKNOWN, offset, rest.len(), Value::Bytes(rest));
            if self.whole {
                reader.fault(FaultCode::UnknownProperty, fields::PROPERTY_IDENTIFIER, offset, 1)?;
            }
            reader.skip(rest.len());
            return Ok(false);
        };
        let row = id.row();
        let (raw, behind) = match read_raw_value(row.ty, value_bytes) {
            Ok(value) => value,
            Err(error) => {
                self.value_missing(reader, row, error)?;
                return Ok(false);
            }
        };
        let length = rest.len() - behind.len();
        tell(reader, row, offset, length, raw);
        self.judge_presence(reader, row, offset, length)?;
        judge_value(reader, row, offset, length, raw)?;
        reader.skip(length);
        Ok(true)
    }

    /// Whether the property may stand here, and stand here again.
    /// [V5 U-2.2.2.2-1, V5 U-3.1.2.11.2-1, V5 U-3.1.2.11.3-1, V5 U-3.1.2.11.4-1, V5 U-3.1.2.11.5-1]
    /// [V5 U-3.1.2.11.6-1, V5 U-3.1.2.11.7-1, V5 U-3.1.2.11.9-1, V5 U-3.1.2.11.10-2, V5 U-3.1.3.2.2-1]
    /// [V5 U-3.1.3.2.3-1, V5 U-3.1.3.2.4-1, V5 U-3.1.3.2.5-1, V5 U-3.1.3.2.6-1, V5 U-3.1.3.2.7-1]
    /// [V5 U-3.2.2.3.2-1, V5 U-3.2.2.3.3-1, V5 U-3.2.2.3.4-1, V5 U-3.2.2.3.5-1, V5 U-3.2.2.3.6-1]
    /// [V5 U-3.2.2.3.7-1, V5 U-3.2.2.3.8-1, V5 U-3.2.2.3.9-1, V5 U-3.2.2.3.11-1, V5 U-3.2.2.3.12-1]
    /// [V5 U-3.2.2.3.13-1, V5 U-3.2.2.3.14-1, V5 U-3.2.2.3.15-1, V5 U-3.2.2.3.16-1, V5 U-3.2.2.3.17-1]
    /// [V5 U-3.2.2.3.18-1, V5 U-3.3.2.3.4-1, V5 U-3.3.2.3.5-1, V5 U-3.3.2.3.6-1, V5 U-3.3.2.3.9-1]
    /// [V5 U-3.4.2.2.2-1, V5 U-3.5.2.2.2-1, V5 U-3.6.2.2.2-1, V5 U-3.7.2.2.2-1, V5 U-3.8.2.1.2-2]
    /// [V5 U-3.9.2.1.2-1, V5 U-3.11.2.1.2-1, V5 U-3.14.2.2.2-1, V5 U-3.14.2.2.3-1, V5 U-3.14.2.2.5-1]
    /// [V5 U-3.15.2.2.2-2, V5 U-3.15.2.2.3-1, V5 U-3.15.2.2.4-1]
    fn judge_presence<T: Trace>(
        &mut self,
        reader: &mut Reader<'_, '_, T>,
        row: &'static PropertyRow,
        offset: usize,
        length: usize,
    ) -> Result<(), Fault> {
        if !row.allowed.contains(self.place) {
            reader.fault(FaultCode::PropertyNotAllowed, of_row(row), offset, length)?;
        } else if self.seen & 1 << row.id as u8 != 0 && !row.repeat.allows_many(self.place) {
            reader.fault(FaultCode::DuplicateProperty, of_row(row), offset, length)?;
        }
        self.seen |= 1 << row.id as u8;
        match row.id {
            PropertyId::AuthenticationMethod => self.method = true,
            PropertyId::AuthenticationData => self.data_at = Some((offset, length)),
            _ => {}
        }
        Ok(())
    }

    /// A property whose value is not whole: the rest of the section, for the eye, and the fault.
    /// [V5 U-2.2.2.2-2]
    #[cold]
    fn value_missing<T: Trace>(
        &self,
        reader: &mut Reader<'_, '_, T>,
        row: &'static PropertyRow,
        error: RawValueError,
    ) -> Result<(), Fault> {
        let (offset, rest) = (reader.at(), reader.rest());
        reader.tell(of_row(row), offset, rest.len(), Value::Bytes(rest));
        let code = match error {
            RawValueError::Truncated => FaultCode::PropertyLength,
            RawValueError::TooLong => FaultCode::PropertyValue,
        };
        if self.whole {
            reader.fault(code, of_row(row), offset, rest.len())?;
        }
        reader.skip(rest.len());
        Ok(())
    }
}

/// Tells of a property: a group with its value, holding the identifier and the value's bytes.
fn tell<T: Trace>(
    reader: &mut Reader<'_, '_, T>,
    row: &'static PropertyRow,
    offset: usize,
    length: usize,
    raw: RawValue<'_>,
) {
    if !T::FIELDS {
        return;
    }
    let text = |bytes| std::str::from_utf8(bytes).map_or(Value::Bytes(bytes), Value::Text);
    let value = match raw {
        RawValue::Number(number) => Value::Number(u64::from(number)),
        RawValue::Bytes(bytes) if row.ty == PropertyType::Utf8String => text(bytes),
        RawValue::Bytes(bytes) => Value::Bytes(bytes),
        RawValue::Pair(..) => Value::Group,
    };
    reader.open(of_row(row), offset, length, None, value);
    reader.tell(fields::PROPERTY_IDENTIFIER, offset, 1, Value::Number(u64::from(row.id as u8)));
    if let RawValue::Pair(name, value) = raw {
        reader.tell(fields::USER_PROPERTY_NAME, offset + 1, 2 + name.len(), text(name));
        reader.tell(fields::PROPERTY_VALUE, offset + 3 + name.len(), 2 + value.len(), text(value));
    } else {
        reader.tell(fields::PROPERTY_VALUE, offset + 1, length - 1, value);
    }
    reader.close(offset + length);
}

/// [V5 U-1.5.7-1]
fn judge_value<T: Trace>(
    reader: &mut Reader<'_, '_, T>,
    row: &'static PropertyRow,
    offset: usize,
    length: usize,
    raw: RawValue<'_>,
) -> Result<(), Fault> {
    match raw {
        RawValue::Number(number) => judge_number(reader, row, offset, length, number),
        RawValue::Bytes(bytes) if row.ty == PropertyType::Utf8String => {
            let is_text = judge_text(reader, row, offset + 3, bytes)?;
            if row.id == PropertyId::ResponseTopic && is_text {
                // [V5 MQTT-3.3.2-14]
                reader.judge_wildcards(of_row(row), offset + 3, bytes)?;
                if bytes.is_empty() {
                    reader.fault(FaultCode::EmptyTopicName, of_row(row), offset + 1, 2)?;
                }
            }
            Ok(())
        }
        RawValue::Bytes(_) => Ok(()),
        RawValue::Pair(name, value) => {
            // [V5 MQTT-1.5.7-1]
            judge_text(reader, row, offset + 3, name)?;
            judge_text(reader, row, offset + 5 + name.len(), value)?;
            Ok(())
        }
    }
}

/// Whether it is text. Most is printable ASCII, which one look tells.
/// [V5 MQTT-3.3.2-13, V5 MQTT-3.3.2-19]
#[inline]
fn judge_text<T: Trace>(
    reader: &mut Reader<'_, '_, T>,
    row: &'static PropertyRow,
    offset: usize,
    bytes: &[u8],
) -> Result<bool, Fault> {
    if has_any(bytes, |byte| !is_printable_ascii(byte)) {
        judge_characters(reader, row, offset, bytes)
    } else {
        Ok(true)
    }
}

#[inline(never)]
fn judge_characters<T: Trace>(
    reader: &mut Reader<'_, '_, T>,
    row: &'static PropertyRow,
    offset: usize,
    bytes: &[u8],
) -> Result<bool, Fault> {
    match std::str::from_utf8(bytes) {
        Ok(text) => reader.judge_characters(of_row(row), offset, text).map(|()| true),
        Err(error) => reader.invalid_utf8(of_row(row), offset, bytes, error).map(|()| false),
    }
}

/// The ranges of numbers, each from the section that defines the property.
/// [V5 U-3.1.2.11.3-2, V5 U-3.1.2.11.4-2, V5 U-3.1.2.11.6-2, V5 U-3.1.2.11.7-2, V5 U-3.1.3.2.3-3]
/// [V5 U-3.2.2.3.3-2, V5 U-3.2.2.3.4-2, V5 U-3.2.2.3.5-2, V5 U-3.2.2.3.6-2, V5 U-3.2.2.3.11-2]
/// [V5 U-3.2.2.3.12-2, V5 U-3.2.2.3.13-2, V5 U-3.3.2.3.2-2, V5 U-3.3.2.3.8-1, V5 U-3.8.2.1.2-1]
fn judge_number<T: Trace>(
    reader: &mut Reader<'_, '_, T>,
    row: &'static PropertyRow,
    offset: usize,
    length: usize,
    number: u32,
) -> Result<(), Fault> {
    let name = of_row(row);
    if row.ty == PropertyType::VariableByteInteger && length != 1 + remaining_length_size(number) {
        reader.fault(FaultCode::NonMinimalLength, name, offset + 1, length - 1)?;
    }
    let fits = match row.id {
        PropertyId::TopicAlias if number == 0 => {
            // [V5 MQTT-3.3.2-8]
            return reader.fault(FaultCode::TopicAliasZero, name, offset, length);
        }
        PropertyId::SubscriptionIdentifier | PropertyId::ReceiveMaximum | PropertyId::MaximumPacketSize => {
            number != 0
        }
        _ if row.ty == PropertyType::Byte => number <= 1,
        _ => true,
    };
    if fits { Ok(()) } else { reader.fault(FaultCode::PropertyValue, name, offset, length) }
}

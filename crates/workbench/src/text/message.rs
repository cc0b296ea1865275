//! The message of a finding: what stands there, then the rule and the way out.

use hexmq_wire::{Fault, FaultCode, PropertyId, Version};

use super::faults::fault_text;
use super::meaning::label;
use crate::Language;
use crate::hex::spaced_hex;
use crate::language::say;
use crate::stream::part;
use crate::tree::Reading;

/// What is wrong with a packet, for a person.
pub(crate) fn message(frame: &[u8], reading: &Reading, fault: &Fault, language: Language) -> String {
    let rule = fault_text(fault.code).in_language(language);
    match found(frame, reading, fault, language) {
        Some(found) if language == Language::English => format!("{found} {rule}"),
        Some(found) => format!("{found}{rule}"),
        None => rule.to_owned(),
    }
}

/// What stands at the place.
fn found(frame: &[u8], reading: &Reading, fault: &Fault, language: Language) -> Option<String> {
    let label = label(fault.field, language);
    let bytes = spaced_hex(part(frame, fault.offset, fault.length.min(8)));
    Some(match fault.code {
        FaultCode::ReservedFlags => {
            let packet_type = reading.packet_type?;
            let (name, first) = (packet_type.name(), frame.first()?);
            let (low, right) = (first & 0x0F, packet_type.reserved_flags()?);
            let fixed = first & 0xF0 | right;
            say!(
                language,
                "The first byte is {first:02x}: its low bits are {low:04b}, but a {name} has {right:04b}, so the byte is \
                 {fixed:02x}.",
                "首字节是 {first:02x}，低四位为 {low:04b}；{name} 应为 {right:04b}，即首字节 {fixed:02x}。",
            )
        }
        FaultCode::Truncated => truncated(frame, fault, &label, language),
        FaultCode::TrailingBytes => {
            let count = fault.length;
            say!(language, "{count} bytes too many ({bytes}).", "多出 {count} 个字节（{bytes}）。")
        }
        FaultCode::WrongDirection => {
            let name = reading.packet_type?.name();
            say!(language, "{name} from the wrong side.", "{name} 的方向不对。")
        }
        FaultCode::PropertyNotAllowed | FaultCode::DuplicateProperty | FaultCode::PropertyValue => {
            let number = PropertyId::from_name(fault.field).map_or(0, |id| id as u8);
            say!(language, "{label} (property {number}).", "{label}（属性 {number}）。")
        }
        FaultCode::UnknownReasonCode
        | FaultCode::UnknownProperty
        | FaultCode::NonMinimalLength
        | FaultCode::ControlCharacterInUtf8
        | FaultCode::NulInUtf8
        | FaultCode::NonCharacterInUtf8
        | FaultCode::InvalidUtf8 => say!(language, "{label}: {bytes}.", "{label}：{bytes}。"),
        FaultCode::ProtocolVersion => protocol_version(frame, fault, reading.version, language)?,
        _ => return None,
    })
}

fn truncated(frame: &[u8], fault: &Fault, label: &str, language: Language) -> String {
    let behind = frame.len().saturating_sub(fault.offset + 2);
    match part(frame, fault.offset, fault.length) {
        [high, low] if behind > 0 || fault.length == 2 => {
            let announced = u16::from_be_bytes([*high, *low]);
            say!(
                language,
                "{label} announces {announced} bytes ({high:02x} {low:02x}), but only {behind} follow.",
                "{label}的长度写的是 {announced}（{high:02x} {low:02x}），但后面只有 {behind} 个字节。",
            )
        }
        [] => say!(language, "{label} is missing.", "缺少{label}。"),
        _ => say!(language, "{label} is cut off.", "{label}不完整。"),
    }
}

fn protocol_version(frame: &[u8], fault: &Fault, read_as: Version, language: Language) -> Option<String> {
    let level = frame.get(fault.offset)?;
    let name = read_as.protocol_name();
    Some(
        say!(language, "Level {level} with the protocol name \"{name}\".", "协议名“{name}”配级别 {level}。",),
    )
}

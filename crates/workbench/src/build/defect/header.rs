//! Mistakes in the fixed header and around the packet.

use hexmq_wire::{PacketType, Version, encode_remaining_length};

use super::sheet::Sheet;
use super::{Defect, needs};
use crate::hex::plain_hex;
use crate::language::text;

/// The mistakes of this kind.
pub(super) static DEFECTS: &[Defect] = &[
    Defect {
        name: "reserved-flags",
        about: text(
            "the four lowest bits of the first byte are not what the standard fixes them to",
            "首字节的低四位不是标准规定的值",
        ),
        needs: needs::NOT_PUBLISH,
        finds: &["reserved_flags"],
        always: true,
        make: reserved_flags,
    },
    Defect {
        name: "wrong-remaining-length",
        about: text("the Remaining Length is two too small", "剩余长度少写了 2"),
        needs: needs::BODY,
        finds: &[
            "truncated",
            "remaining_length_too_small",
            "trailing_bytes",
            "property_length",
            "length_wrong",
            "empty_payload",
            "rest",
        ],
        always: true,
        make: wrong_remaining_length,
    },
    Defect {
        name: "remaining-length-counts-header",
        about: text("the Remaining Length counts the fixed header too", "剩余长度把固定报头也算了进去"),
        needs: needs::BODY,
        finds: &["remaining_length_counts_header", "rest"],
        always: true,
        make: counts_header,
    },
    Defect {
        name: "remaining-length-in-decimal",
        about: text(
            "the Remaining Length is decimal: 37 is written as 0x37",
            "剩余长度按十进制写：37 写成了 0x37",
        ),
        needs: needs::TWO_DIGITS,
        finds: &["remaining_length_in_decimal", "rest"],
        always: true,
        make: remaining_length_in_decimal,
    },
    Defect {
        name: "remaining-length-not-encoded",
        about: text(
            "a Remaining Length above 127 is written into one byte",
            "超过 127 的剩余长度只写了一个字节",
        ),
        needs: needs::LARGE,
        finds: &["remaining_length_not_encoded", "rest", "truncated"],
        always: true,
        make: remaining_length_not_encoded,
    },
    Defect {
        name: "remaining-length-missing",
        about: text("the Remaining Length is left out", "漏写剩余长度"),
        needs: needs::BODY,
        finds: &["remaining_length_missing", "truncated", "rest"],
        always: false,
        make: remaining_length_missing,
    },
    Defect {
        name: "non-minimal-length",
        about: text("the Remaining Length has a byte more than it needs", "剩余长度多用了一个字节"),
        needs: needs::ANY,
        finds: &["non_minimal_length"],
        always: true,
        make: non_minimal_length,
    },
    Defect {
        name: "five-byte-length",
        about: text("the Remaining Length has five bytes", "剩余长度有五个字节"),
        needs: needs::ANY,
        finds: &["remaining_length_too_long"],
        always: true,
        make: five_byte_length,
    },
    Defect {
        name: "truncated",
        about: text("the last byte is missing", "缺最后一个字节"),
        needs: needs::ANY,
        finds: &["rest", "truncated"],
        always: true,
        make: truncated,
    },
    Defect {
        name: "trailing-bytes",
        about: text(
            "two bytes too many stand behind the last field, and the Remaining Length counts them",
            "最后一个字段之后多了两个字节，剩余长度也算了它们",
        ),
        needs: needs::CLOSED,
        finds: &["trailing_bytes", "connect_field_extra"],
        always: true,
        make: trailing_bytes,
    },
    Defect {
        name: "line-end-appended",
        about: text("a serial tool has put CR LF behind the packet", "串口工具在报文后加了回车换行"),
        needs: needs::ANY,
        finds: &["line_end_appended", "rest"],
        always: true,
        make: line_end_appended,
    },
    Defect {
        name: "hex-as-text",
        about: text("the hex digits were sent as text", "把十六进制数字当文本发送"),
        needs: needs::ANY,
        finds: &["hex_digits_as_text", "rest"],
        always: false,
        make: hex_as_text,
    },
];

fn reserved_flags(sheet: &Sheet<'_>) -> Option<Vec<u8>> {
    let fixed = sheet.packet_type.reserved_flags()?;
    sheet.with_byte(0, |byte| byte & 0xF0 | if fixed == 0 { 1 } else { 0 })
}

/// Two too few, so that the packet seems to end inside its last field.
fn wrong_remaining_length(sheet: &Sheet<'_>) -> Option<Vec<u8>> {
    sheet.with_remaining_length(sheet.body().len().checked_sub(2)?)
}

fn counts_header(sheet: &Sheet<'_>) -> Option<Vec<u8>> {
    let length = sheet.body().len();
    (length > 0).then(|| sheet.with_remaining_length(length + sheet.header_size()))?
}

/// Two decimal digits written where hex ones belong: 37 as 0x37.
pub(super) fn in_decimal(length: usize) -> Option<usize> {
    (10..=79).contains(&length).then(|| length / 10 * 16 + length % 10)
}

fn remaining_length_in_decimal(sheet: &Sheet<'_>) -> Option<Vec<u8>> {
    sheet.with_remaining_length(in_decimal(sheet.body().len())?)
}

/// One byte where two are needed: 200 as 0xC8, which announces a second byte.
fn remaining_length_not_encoded(sheet: &Sheet<'_>) -> Option<Vec<u8>> {
    let length = u8::try_from(sheet.body().len()).ok().filter(|&length| length > 127)?;
    let mut frame = vec![*sheet.frame.first()?, length];
    frame.extend_from_slice(sheet.body());
    Some(frame)
}

fn remaining_length_missing(sheet: &Sheet<'_>) -> Option<Vec<u8>> {
    let body = sheet.body();
    let mut frame = vec![*sheet.frame.first()?];
    frame.extend_from_slice(body);
    (!body.is_empty()).then_some(frame)
}

fn non_minimal_length(sheet: &Sheet<'_>) -> Option<Vec<u8>> {
    let mut frame = vec![*sheet.frame.first()?];
    encode_remaining_length(u32::try_from(sheet.body().len()).ok()?, &mut frame);
    let last = frame.last_mut()?;
    *last |= 0x80;
    frame.push(0);
    frame.extend_from_slice(sheet.body());
    (sheet.header_size() < 5).then_some(frame)
}

fn five_byte_length(sheet: &Sheet<'_>) -> Option<Vec<u8>> {
    let mut frame = vec![*sheet.frame.first()?, 0x80, 0x80, 0x80, 0x80, 0x01];
    frame.extend_from_slice(sheet.body());
    Some(frame)
}

fn truncated(sheet: &Sheet<'_>) -> Option<Vec<u8>> {
    let (_, rest) = sheet.frame.split_last()?;
    Some(rest.to_vec())
}

fn trailing_bytes(sheet: &Sheet<'_>) -> Option<Vec<u8>> {
    // A payload may end anywhere, so nothing can be left over behind it.
    let has_open_end = matches!(
        sheet.packet_type,
        PacketType::Publish
            | PacketType::Subscribe
            | PacketType::Suback
            | PacketType::Unsubscribe
            | PacketType::Auth
    ) || sheet.version == Version::V5
        && matches!(
            sheet.packet_type,
            PacketType::Puback
                | PacketType::Pubrec
                | PacketType::Pubrel
                | PacketType::Pubcomp
                | PacketType::Unsuback
                | PacketType::Disconnect
        );
    let mut body = sheet.body().to_vec();
    body.extend([0, 0]);
    (!has_open_end).then(|| sheet.with_body(&body))?
}

fn line_end_appended(sheet: &Sheet<'_>) -> Option<Vec<u8>> {
    let mut frame = sheet.frame.to_vec();
    frame.extend_from_slice(b"\r\n");
    Some(frame)
}

fn hex_as_text(sheet: &Sheet<'_>) -> Option<Vec<u8>> {
    Some(plain_hex(sheet.frame).into_bytes())
}

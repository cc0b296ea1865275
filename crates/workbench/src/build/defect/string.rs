//! Mistakes in strings and in the lengths in front of them.

use hexmq_wire::PacketType;

use super::header::in_decimal;
use super::sheet::Sheet;
use super::{Defect, needs};
use crate::explanation::Field;
use crate::language::text;

/// The mistakes of this kind.
pub(super) static DEFECTS: &[Defect] = &[
    Defect {
        name: "bad-utf8",
        about: text(
            "a string ends inside a character: it is no UTF-8",
            "字符串在半个字符处结束，不是合法的 UTF-8",
        ),
        needs: needs::STRING,
        finds: &["invalid_utf8"],
        always: true,
        make: bad_utf8,
    },
    Defect {
        name: "nul-in-topic",
        about: text("the topic ends with a NUL, as C strings do", "主题末尾带了 C 字符串的 NUL"),
        needs: needs::TOPIC,
        finds: &["nul_in_utf8", "trailing_nul"],
        always: true,
        make: nul_in_topic,
    },
    Defect {
        name: "control-character",
        about: text("a string ends with a line feed", "字符串末尾带了换行符"),
        needs: needs::STRING,
        finds: &["control_character_in_utf8", "line_end_appended"],
        always: true,
        make: control_character,
    },
    Defect {
        name: "trailing-space",
        about: text(
            "the topic ends with a blank, which is part of it",
            "主题末尾多了空格，而空格也是主题的一部分",
        ),
        needs: needs::TOPIC,
        finds: &["trailing_space"],
        always: false,
        make: trailing_space,
    },
    Defect {
        name: "decimal-length",
        about: text(
            "the length in front of a string is decimal: 51 is written as 0x51",
            "字符串长度按十进制写：51 写成了 0x51",
        ),
        needs: needs::TEN,
        finds: &["length_in_decimal", "truncated", "trailing_bytes", "length_wrong"],
        always: true,
        make: length_in_decimal,
    },
    Defect {
        name: "length-in-characters",
        about: text(
            "the length in front of a string counts characters, not bytes",
            "字符串长度按字符数而不是字节数写",
        ),
        needs: needs::WIDE,
        finds: &[
            "length_in_characters",
            "truncated",
            "trailing_bytes",
            "invalid_utf8",
            "length_wrong",
            "property_length",
        ],
        always: true,
        make: length_in_characters,
    },
    Defect {
        name: "length-counts-itself",
        about: text(
            "the length in front of a string counts its own two bytes too",
            "字符串长度把自己的两个字节也算了进去",
        ),
        needs: needs::STRING,
        finds: &[
            "length_counts_itself",
            "truncated",
            "trailing_bytes",
            "nul_in_utf8",
            "length_wrong",
            "invalid_utf8",
            "control_character_in_utf8",
            "empty_payload",
            "missing_packet_identifier",
        ],
        always: false,
        make: length_counts_itself,
    },
    Defect {
        name: "length-bytes-swapped",
        about: text("the two bytes of a length are in each other's place", "长度的高低字节写反了"),
        needs: needs::STRING,
        finds: &["length_bytes_swapped", "truncated", "length_wrong"],
        always: true,
        make: length_bytes_swapped,
    },
    Defect {
        name: "length-missing",
        about: text("a string has no length in front", "字符串前漏写了长度"),
        needs: needs::STRING,
        finds: &["length_missing", "truncated", "length_wrong"],
        always: true,
        make: length_missing,
    },
    Defect {
        name: "wildcard-in-topic",
        about: text("a topic name contains a wildcard", "主题名含有通配符"),
        needs: needs::TOPIC_NAME,
        finds: &["wildcard_in_topic_name"],
        always: true,
        make: wildcard_in_topic,
    },
    Defect {
        name: "empty-topic",
        about: text("the topic name is empty", "主题名为空"),
        needs: needs::TOPIC_NAME,
        finds: &["empty_topic_name"],
        always: true,
        make: empty_topic,
    },
];

/// The string a mistake is made in: the topic or filter, in a CONNECT the Client Identifier.
fn main_string<'s>(sheet: &'s Sheet<'_>) -> Option<&'s Field> {
    match sheet.packet_type {
        PacketType::Connect => sheet.field("client_identifier"),
        _ => topic(sheet),
    }
}

/// A topic name or a topic filter; of a CONNECT the will topic.
fn topic<'s>(sheet: &'s Sheet<'_>) -> Option<&'s Field> {
    ["topic_name", "topic_filter", "will_topic"].iter().find_map(|name| sheet.field(name))
}

fn bad_utf8(sheet: &Sheet<'_>) -> Option<Vec<u8>> {
    let field = main_string(sheet)?;
    let mut content = sheet.content(field).to_vec();
    // The first byte of a two-byte character whose second one never comes.
    content.push(0xC3);
    sheet.with_content(field, &content)
}

fn nul_in_topic(sheet: &Sheet<'_>) -> Option<Vec<u8>> {
    appended(sheet, topic(sheet)?, b"\0")
}

fn control_character(sheet: &Sheet<'_>) -> Option<Vec<u8>> {
    appended(sheet, main_string(sheet)?, b"\n")
}

fn trailing_space(sheet: &Sheet<'_>) -> Option<Vec<u8>> {
    appended(sheet, topic(sheet)?, b" ")
}

fn appended(sheet: &Sheet<'_>, field: &Field, tail: &[u8]) -> Option<Vec<u8>> {
    let mut content = sheet.content(field).to_vec();
    content.extend_from_slice(tail);
    sheet.with_content(field, &content)
}

fn length_in_decimal(sheet: &Sheet<'_>) -> Option<Vec<u8>> {
    sheet.strings().into_iter().find_map(|field| sheet.with_length(field, in_decimal(field.length - 2)?))
}

fn length_in_characters(sheet: &Sheet<'_>) -> Option<Vec<u8>> {
    sheet.strings().into_iter().find_map(|field| {
        let characters = std::str::from_utf8(sheet.content(field)).ok()?.chars().count();
        sheet.with_length(field, characters)
    })
}

fn length_counts_itself(sheet: &Sheet<'_>) -> Option<Vec<u8>> {
    let field = main_string(sheet)?;
    sheet.with_length(field, field.length)
}

fn length_bytes_swapped(sheet: &Sheet<'_>) -> Option<Vec<u8>> {
    let field = main_string(sheet)?;
    let length = u16::try_from(field.length - 2).ok()?;
    sheet.with_length(field, length.swap_bytes().into())
}

fn length_missing(sheet: &Sheet<'_>) -> Option<Vec<u8>> {
    let field = main_string(sheet).filter(|field| field.length > 2)?;
    sheet.replace(field.offset, 2, &[])
}

fn wildcard_in_topic(sheet: &Sheet<'_>) -> Option<Vec<u8>> {
    let field = ["topic_name", "will_topic"].iter().find_map(|name| sheet.field(name))?;
    let tail: &[u8] = if field.length == 2 { b"#" } else { b"/#" };
    appended(sheet, field, tail)
}

fn empty_topic(sheet: &Sheet<'_>) -> Option<Vec<u8>> {
    let field = ["topic_name", "will_topic"].iter().find_map(|name| sheet.field(name))?;
    if sheet.field("topic_alias").is_some() {
        return None;
    }
    sheet.with_content(field, b"")
}

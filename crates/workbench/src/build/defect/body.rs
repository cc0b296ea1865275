//! Mistakes in PUBLISH, SUBSCRIBE, UNSUBSCRIBE and in answers.

use hexmq_wire::{PacketType, ReasonCode, Version};

use super::sheet::Sheet;
use super::{Defect, needs};
use crate::language::text;

/// The mistakes of this kind.
pub(super) static DEFECTS: &[Defect] = &[
    Defect {
        name: "missing-packet-id",
        about: text(
            "the Packet Identifier is left out, and the Remaining Length does not miss it",
            "漏掉了报文标识符，剩余长度也照此计算",
        ),
        needs: needs::IDENTIFIER,
        finds: &[
            "missing_packet_identifier",
            "truncated",
            "packet_identifier_zero",
            "empty_payload",
            "property_length",
            "unknown_property",
        ],
        always: false,
        make: missing_packet_id,
    },
    Defect {
        name: "packet-id-zero",
        about: text("the Packet Identifier is 0", "报文标识符为 0"),
        needs: needs::IDENTIFIER,
        finds: &["packet_identifier_zero"],
        always: true,
        make: packet_id_zero,
    },
    Defect {
        name: "packet-id-at-qos0",
        about: text(
            "a PUBLISH of QoS 0 has a Packet Identifier, which becomes part of the payload",
            "QoS 0 的 PUBLISH 带了报文标识符，它会成为载荷的一部分",
        ),
        needs: needs::PUBLISH,
        finds: &["packet_identifier_at_qos0"],
        always: false,
        make: packet_id_at_qos0,
    },
    Defect {
        name: "qos-3",
        about: text("the QoS is 3", "QoS 为 3"),
        needs: needs::PUBLISH_QOS,
        finds: &["invalid_qos"],
        always: true,
        make: qos_3,
    },
    Defect {
        name: "dup-at-qos0",
        about: text("DUP is set at QoS 0", "QoS 0 却置了 DUP"),
        needs: needs::PUBLISH_QOS0,
        finds: &["dup_at_qos0"],
        always: true,
        make: dup_at_qos0,
    },
    Defect {
        name: "requested-qos-3",
        about: text("the requested QoS is 3", "请求的 QoS 为 3"),
        needs: needs::SUBSCRIBE,
        finds: &["requested_qos"],
        always: true,
        make: requested_qos_3,
    },
    Defect {
        name: "reserved-options",
        about: text("a reserved bit of the subscription options is set", "订阅选项的保留位被置 1"),
        needs: needs::SUBSCRIBE,
        finds: &["subscription_options_reserved"],
        always: true,
        make: reserved_options,
    },
    Defect {
        name: "retain-handling-3",
        about: text("the Retain Handling is 3", "保留处理为 3"),
        needs: needs::SUBSCRIBE_5,
        finds: &["retain_handling"],
        always: true,
        make: retain_handling_3,
    },
    Defect {
        name: "no-local-on-shared",
        about: text("No Local is set on a shared subscription", "共享订阅置了非本地位"),
        needs: needs::SHARED,
        finds: &["no_local_on_shared"],
        always: true,
        make: no_local_on_shared,
    },
    Defect {
        name: "no-entries",
        about: text("there is no filter and no code", "没有任何主题过滤器或返回码"),
        needs: needs::LIST,
        finds: &["empty_payload", "length_wrong"],
        always: true,
        make: no_entries,
    },
    Defect {
        name: "missing-qos-byte",
        about: text("the byte with the requested QoS is left out", "漏掉了请求 QoS 字节"),
        needs: needs::SUBSCRIBE,
        finds: &["truncated", "qos_byte_missing"],
        always: true,
        make: missing_qos_byte,
    },
    Defect {
        name: "length-counts-qos-byte",
        about: text(
            "the length of the filter counts the QoS byte too",
            "主题过滤器长度把 QoS 字节也算了进去",
        ),
        needs: needs::SUBSCRIBE,
        finds: &["truncated", "length_counts_qos_byte", "nul_in_utf8", "control_character_in_utf8"],
        always: true,
        make: length_counts_qos_byte,
    },
    Defect {
        name: "qos-byte-in-unsubscribe",
        about: text(
            "a QoS byte follows the filter, as in SUBSCRIBE",
            "像 SUBSCRIBE 那样在过滤器后加了 QoS 字节",
        ),
        needs: needs::UNSUBSCRIBE,
        finds: &["truncated", "qos_byte_in_unsubscribe"],
        always: true,
        make: qos_byte_in_unsubscribe,
    },
    Defect {
        name: "unknown-code",
        about: text("the code is in no table", "返回码不在表中"),
        needs: needs::CODE,
        finds: &["unknown_reason_code"],
        always: true,
        make: unknown_code,
    },
];

/// The two bytes are not there, and the Remaining Length does not miss them.
fn missing_packet_id(sheet: &Sheet<'_>) -> Option<Vec<u8>> {
    let id = sheet.field("packet_identifier")?;
    sheet.replace(id.offset, id.length, &[])
}

fn packet_id_zero(sheet: &Sheet<'_>) -> Option<Vec<u8>> {
    let id = sheet.field("packet_identifier")?;
    sheet.replace(id.offset, id.length, &[0, 0])
}

/// QoS 0 in the first byte, but the two bytes of QoS 1 are there.
fn packet_id_at_qos0(sheet: &Sheet<'_>) -> Option<Vec<u8>> {
    let topic = sheet.field("topic_name")?;
    match sheet.number("qos")? {
        0 => sheet.replace(topic.offset + topic.length, 0, &[0, 1]),
        _ => sheet.with_byte(0, |byte| byte & !0b1110),
    }
}

fn qos_3(sheet: &Sheet<'_>) -> Option<Vec<u8>> {
    // A QoS above 0 has the identifier already, so nothing moves.
    sheet.number("qos").filter(|&qos| qos > 0)?;
    sheet.with_byte(0, |byte| byte | 0b0110)
}

fn dup_at_qos0(sheet: &Sheet<'_>) -> Option<Vec<u8>> {
    sheet.number("qos").filter(|&qos| qos == 0)?;
    sheet.with_byte(0, |byte| byte | 0b1000)
}

fn requested_qos_3(sheet: &Sheet<'_>) -> Option<Vec<u8>> {
    sheet.with_field("subscription_options", |options| options | 0b11)
}

fn reserved_options(sheet: &Sheet<'_>) -> Option<Vec<u8>> {
    sheet.with_field("subscription_options", |options| options | 0x80)
}

fn retain_handling_3(sheet: &Sheet<'_>) -> Option<Vec<u8>> {
    sheet.field("retain_handling")?;
    sheet.with_field("subscription_options", |options| options | 0b0011_0000)
}

fn no_local_on_shared(sheet: &Sheet<'_>) -> Option<Vec<u8>> {
    let filter = sheet.field("topic_filter")?;
    sheet.field("no_local").filter(|_| sheet.content(filter).starts_with(b"$share/"))?;
    sheet.with_field("subscription_options", |options| options | 0b100)
}

/// No entry where at least one belongs.
fn no_entries(sheet: &Sheet<'_>) -> Option<Vec<u8>> {
    let lists = ["subscriptions", "topic_filters", "return_codes", "reason_codes"];
    let list = lists.iter().find_map(|name| sheet.field(name))?;
    sheet.replace(list.offset, list.length, &[])
}

fn missing_qos_byte(sheet: &Sheet<'_>) -> Option<Vec<u8>> {
    let options = sheet.field("subscription_options")?;
    sheet.replace(options.offset, 1, &[])
}

fn length_counts_qos_byte(sheet: &Sheet<'_>) -> Option<Vec<u8>> {
    sheet.field("subscription_options")?;
    let filter = sheet.field("topic_filter")?;
    sheet.with_length(filter, filter.length - 1)
}

fn qos_byte_in_unsubscribe(sheet: &Sheet<'_>) -> Option<Vec<u8>> {
    let filters = sheet.field("topic_filters")?;
    sheet.replace(filters.offset + filters.length, 0, &[0])
}

fn unknown_code(sheet: &Sheet<'_>) -> Option<Vec<u8>> {
    let code = sheet.field("reason_code").or_else(|| sheet.field("return_code"))?;
    let spare = match (sheet.version, sheet.packet_type) {
        (Version::V5, _) => (0x03..0x80).find(|&code| ReasonCode::from_u8(code).is_none())?,
        (_, PacketType::Connack) => 6,
        _ => 3,
    };
    sheet.with_byte(code.offset, |_| spare)
}

//! Mistakes in CONNECT and CONNACK.

use hexmq_wire::{PacketType, Version};

use super::sheet::Sheet;
use super::{Defect, needs};
use crate::language::text;

/// The mistakes of this kind.
pub(super) static DEFECTS: &[Defect] = &[
    Defect {
        name: "wrong-protocol-name",
        about: text("the Protocol Name is in lower case", "协议名写成了小写"),
        needs: needs::CONNECT,
        finds: &["protocol_name", "protocol_name_mangled"],
        always: true,
        make: protocol_name,
    },
    Defect {
        name: "wrong-protocol-version",
        about: text("the Protocol Version does not go with the Protocol Name", "协议级别与协议名不符"),
        needs: needs::CONNECT,
        finds: &["protocol_version"],
        always: true,
        make: protocol_version,
    },
    Defect {
        name: "reserved-connect-flag",
        about: text("the lowest Connect Flag is set", "连接标志的最低位被置 1"),
        needs: needs::CONNECT_NOT_V3,
        finds: &["connect_flags_reserved"],
        always: true,
        make: reserved_flag,
    },
    Defect {
        name: "c0-flags",
        about: text(
            "Clean Session is off, as with the flags C0 in place of C2; legal, but the server keeps what is old",
            "清理会话位为 0，即 C2 写成了 C0；合法，但服务端会保留旧会话",
        ),
        needs: needs::CONNECT_CLEAN,
        finds: &[],
        always: false,
        make: clean_session_off,
    },
    Defect {
        name: "swapped-user-password",
        about: text(
            "User Name and Password are in each other's place; legal, but nobody gets in",
            "用户名和密码互换；报文合法，但登录不了",
        ),
        needs: needs::USER_PASSWORD,
        finds: &[],
        always: false,
        make: swapped_user_password,
    },
    Defect {
        name: "swapped-client-user",
        about: text(
            "Client Identifier and User Name are in each other's place; legal, but nobody gets in",
            "客户端标识和用户名互换；报文合法，但登录不了",
        ),
        needs: needs::USER,
        finds: &[],
        always: false,
        make: swapped_client_user,
    },
    Defect {
        name: "password-without-user-name",
        about: text("there is a password but no user name", "有密码却没有用户名"),
        needs: needs::USER_PASSWORD_3,
        finds: &["password_without_user_name"],
        always: true,
        make: password_without_user_name,
    },
    Defect {
        name: "missing-password",
        about: text("the flags announce a password that is not there", "标志说有密码，后面却没有"),
        needs: needs::PASSWORD_NOT_V3,
        finds: &["truncated", "connect_field_missing", "connect_flags_unfit"],
        always: true,
        make: missing_password,
    },
    Defect {
        name: "undeclared-password",
        about: text("there is a password that the flags keep silent about", "有密码，但标志位没有声明"),
        needs: needs::PASSWORD,
        finds: &["trailing_bytes", "connect_flags_unfit"],
        always: true,
        make: undeclared_password,
    },
    Defect {
        name: "missing-client-id",
        about: text("the Client Identifier is left out, its length too", "漏掉了客户端标识（连同它的长度）"),
        needs: needs::CONNECT,
        finds: &[
            "truncated",
            "trailing_bytes",
            "connect_field_missing",
            "length_wrong",
            "connect_flags_unfit",
        ],
        always: false,
        make: missing_client_identifier,
    },
    Defect {
        name: "will-qos-3",
        about: text("the Will QoS is 3", "遗嘱 QoS 为 3"),
        needs: needs::WILL,
        finds: &["will_qos"],
        always: true,
        make: will_qos_3,
    },
    Defect {
        name: "will-flags-without-will",
        about: text("Will Retain is set, but there is no will", "没有遗嘱却置了遗嘱保留位"),
        needs: needs::NO_WILL,
        finds: &["will_flags_without_will"],
        always: true,
        make: will_flags_without_will,
    },
    Defect {
        name: "session-present-with-error",
        about: text("a refusal says that a session is present", "拒绝连接却说会话已存在"),
        needs: needs::CONNACK_NOT_V3,
        finds: &["session_present_with_error"],
        always: true,
        make: session_present_with_error,
    },
    Defect {
        name: "reserved-acknowledge-flags",
        about: text("a reserved acknowledge flag is set", "连接确认标志的保留位被置 1"),
        needs: needs::CONNACK_NOT_V3,
        finds: &["connack_flags_reserved"],
        always: true,
        make: acknowledge_flags,
    },
];

fn protocol_name(sheet: &Sheet<'_>) -> Option<Vec<u8>> {
    let field = sheet.field("protocol_name")?;
    sheet.with_content(field, &sheet.content(field).to_ascii_lowercase())
}

fn protocol_version(sheet: &Sheet<'_>) -> Option<Vec<u8>> {
    // A level that does not change how the rest is read.
    sheet.with_field("protocol_version", |_| match sheet.version {
        Version::V3 => 4,
        Version::V4 => 3,
        Version::V5 => 6,
    })
}

fn reserved_flag(sheet: &Sheet<'_>) -> Option<Vec<u8>> {
    (sheet.version != Version::V3).then(|| sheet.with_field("connect_flags", |flags| flags | 1))?
}

fn clean_session_off(sheet: &Sheet<'_>) -> Option<Vec<u8>> {
    sheet.with_field("connect_flags", |flags| flags & !0b10)
}

fn swapped_user_password(sheet: &Sheet<'_>) -> Option<Vec<u8>> {
    swapped(sheet, "user_name", "password")
}

fn swapped_client_user(sheet: &Sheet<'_>) -> Option<Vec<u8>> {
    // The will between them stays where it is.
    let (first, second) = (sheet.field("client_identifier")?, sheet.field("user_name")?);
    let part = |from: usize, to: usize| sheet.frame.get(from..to);
    let ends = (first.offset + first.length, second.offset + second.length);
    let mut body = part(sheet.header_size(), first.offset)?.to_vec();
    body.extend_from_slice(part(second.offset, ends.1)?);
    body.extend_from_slice(part(ends.0, second.offset)?);
    body.extend_from_slice(part(first.offset, ends.0)?);
    body.extend_from_slice(part(ends.1, sheet.frame.len())?);
    sheet.with_body(&body)
}

/// Two neighbours in each other's place.
fn swapped(sheet: &Sheet<'_>, first: &str, second: &str) -> Option<Vec<u8>> {
    let (first, second) = (sheet.field(first)?, sheet.field(second)?);
    let middle = first.offset + first.length;
    let end = second.offset + second.length;
    let mut both = sheet.frame.get(middle..end)?.to_vec();
    both.extend_from_slice(sheet.frame.get(first.offset..middle)?);
    sheet.replace(first.offset, both.len(), &both)
}

fn password_without_user_name(sheet: &Sheet<'_>) -> Option<Vec<u8>> {
    let user_name = sheet.field("user_name").filter(|_| sheet.version != Version::V5)?;
    sheet.field("password")?;
    let flags = sheet.with_field("connect_flags", |flags| flags & 0x7F)?;
    sheet.replace_in(&flags, user_name.offset, user_name.length, &[])
}

fn missing_password(sheet: &Sheet<'_>) -> Option<Vec<u8>> {
    let password = sheet.field("password").filter(|_| sheet.version != Version::V3)?;
    sheet.replace(password.offset, password.length, &[])
}

fn undeclared_password(sheet: &Sheet<'_>) -> Option<Vec<u8>> {
    sheet.field("password")?;
    sheet.with_field("connect_flags", |flags| flags & !0x40)
}

fn will_qos_3(sheet: &Sheet<'_>) -> Option<Vec<u8>> {
    sheet.field("will_topic")?;
    sheet.with_field("connect_flags", |flags| flags | 0b0001_1000)
}

fn will_flags_without_will(sheet: &Sheet<'_>) -> Option<Vec<u8>> {
    let has_will = sheet.field("will_topic").is_some();
    (!has_will).then(|| sheet.with_field("connect_flags", |flags| flags | 0b0010_0000))?
}

fn missing_client_identifier(sheet: &Sheet<'_>) -> Option<Vec<u8>> {
    let id = sheet.field("client_identifier")?;
    // With nothing behind it the packet just ends; with something, that is taken for it.
    sheet.replace(id.offset, id.length, &[])
}

fn session_present_with_error(sheet: &Sheet<'_>) -> Option<Vec<u8>> {
    if sheet.packet_type != PacketType::Connack || sheet.version == Version::V3 {
        return None;
    }
    let name = if sheet.version == Version::V5 { "reason_code" } else { "return_code" };
    let flags = sheet.field("connect_acknowledge_flags")?.offset;
    let code = sheet.field(name)?.offset;
    let refusal = if sheet.version == Version::V5 { 0x87 } else { 5 };
    let mut frame = sheet.frame.to_vec();
    *frame.get_mut(flags)? |= 1;
    let code = frame.get_mut(code)?;
    if *code == 0 {
        *code = refusal;
    }
    Some(frame)
}

fn acknowledge_flags(sheet: &Sheet<'_>) -> Option<Vec<u8>> {
    sheet.with_field("connect_acknowledge_flags", |flags| flags | 2)
}

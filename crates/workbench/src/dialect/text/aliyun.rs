//! What the topics of Aliyun are for, and the parameters of its client identifiers.

use crate::Language;
use crate::language::{Text, say, text};

/// The field for a parameter of the extension.
pub(in crate::dialect) fn parameter_field(name: &str) -> &'static str {
    match name.to_ascii_lowercase().as_str() {
        "securemode" => "securemode",
        "signmethod" => "signmethod",
        "timestamp" => "timestamp",
        "authtype" => "auth_type",
        "random" => "random",
        "_ss" => "auto_subscribe",
        _ => "client_parameter",
    }
}

/// What a parameter of the extension says.
pub(in crate::dialect) fn parameter_text(field: &str, value: &str, language: Language) -> String {
    match (field, value) {
        ("securemode", "2") => say!(language, "2: over TLS.", "2：TLS 直连。"),
        ("securemode", "3") => say!(language, "3: over plain TCP.", "3：TCP 直连，不加密。"),
        ("securemode", "-2") => say!(language, "-2: with a device token.", "-2：使用 deviceToken 连接。"),
        ("securemode", _) => say!(
            language,
            "How the connection is secured: 2 TLS, 3 plain TCP, -2 device token.",
            "安全模式：2 为 TLS，3 为 TCP，-2 为 deviceToken。",
        ),
        ("signmethod", _) => say!(language, "The hash function of the signature.", "签名所用的哈希算法。"),
        ("timestamp", _) => say!(
            language,
            "Any number; it takes part in the signature, and nobody checks how old it is.",
            "任意数字；参与签名，平台不检查它的新旧。",
        ),
        ("auth_type", "register") => say!(
            language,
            "Asks for the device's secret; the product's secret signs.",
            "动态注册：获取设备密钥，用产品密钥签名。",
        ),
        ("auth_type", "regnwl") => say!(
            language,
            "Registers a device that nobody listed; the answer is a token.",
            "免预注册：获得 deviceToken。",
        ),
        ("auth_type", "connwl") => {
            say!(
                language,
                "Signs in with the token of the registration.",
                "用动态注册得到的 deviceToken 登录。"
            )
        }
        ("auth_type", _) => say!(language, "How the device signs in.", "认证方式。"),
        ("random", _) => {
            say!(language, "Random text of a registration; it is signed.", "动态注册的随机数，参与签名。")
        }
        ("auto_subscribe", "1") => say!(
            language,
            "The platform subscribes the system topics for the device.",
            "平台自动为设备订阅系统主题。",
        ),
        _ => say!(language, "Takes no part in the signature.", "不参与签名。"),
    }
}

/// What a topic is for, by its name.
pub(in crate::dialect) fn topic_text(name: &str, language: Language) -> String {
    if let Some(text) = row(name) {
        return text.in_language(language).to_owned();
    }
    match name.strip_suffix("_reply").and_then(row) {
        Some(text) => {
            let of = text.in_language(language);
            say!(language, "The answer to: {of}", "应答：{of}")
        }
        None => row("unknown").map_or(String::new(), |text| text.in_language(language).to_owned()),
    }
}

fn row(name: &str) -> Option<&'static Text> {
    TOPICS.iter().find(|(of, _)| *of == name).map(|(_, text)| text)
}

static TOPICS: &[(&str, Text)] = &[
    ("unknown", text("A system topic that the platform does not know.", "平台不认识的系统主题。")),
    ("property_post", text("The device reports properties.", "设备上报属性。")),
    (
        "property_batch_post",
        text("The device reports properties and events in a batch.", "设备批量上报属性和事件。"),
    ),
    (
        "property_pack_post",
        text("A gateway reports for itself and its sub-devices.", "网关批量上报自身和子设备的数据。"),
    ),
    ("property_history_post", text("Properties and events of earlier times.", "上报历史数据。")),
    ("event_post", text("The device reports an event.", "设备上报事件。")),
    ("property_set", text("The platform sets properties.", "平台设置属性。")),
    ("property_get", text("The platform reads properties.", "平台读取属性。")),
    ("service", text("The platform calls a service.", "平台调用服务。")),
    ("desired_get", text("The device asks for desired values.", "设备获取属性期望值。")),
    ("desired_delete", text("The device clears desired values.", "设备清除属性期望值。")),
    ("tags_update", text("The device reports tags.", "设备上报标签。")),
    ("tags_delete", text("The device deletes tags.", "设备删除标签。")),
    ("config_get", text("The device asks for its configuration.", "设备获取远程配置。")),
    ("config_push", text("The platform pushes a configuration.", "平台推送远程配置。")),
    ("log_post", text("The device reports log lines.", "设备上报日志。")),
    ("tsl_get", text("The device asks for its thing model.", "设备获取物模型。")),
    ("dynamic_tsl_get", text("The device asks for its thing model.", "设备获取物模型。")),
    ("enable", text("The platform enables the device.", "平台启用设备。")),
    ("disable", text("The platform disables the device.", "平台禁用设备。")),
    ("delete", text("The platform deletes the device.", "平台删除设备。")),
    ("diagnosis_post", text("The device reports the state of its network.", "设备上报网络状态。")),
    ("firmware_get", text("The device asks for a firmware.", "设备查询固件升级信息。")),
    ("sub_register", text("The gateway registers sub-devices.", "网关注册子设备。")),
    (
        "product_register",
        text("The gateway registers sub-devices with their product's secret.", "网关用产品密钥注册子设备。"),
    ),
    ("topology_add", text("The gateway adds sub-devices.", "网关添加拓扑关系。")),
    (
        "topology_add_notify",
        text("The platform asks the gateway to add sub-devices.", "平台通知网关添加子设备。"),
    ),
    ("topology_delete", text("The gateway removes sub-devices.", "网关删除拓扑关系。")),
    ("topology_get", text("The gateway asks for its sub-devices.", "网关获取拓扑关系。")),
    ("topology_change", text("The platform changed the topology.", "平台通知拓扑变化。")),
    ("list_found", text("The gateway found devices.", "网关上报发现的设备。")),
    ("sub_login", text("A sub-device goes online.", "子设备上线。")),
    ("sub_batch_login", text("Sub-devices go online.", "子设备批量上线。")),
    ("sub_logout", text("A sub-device goes offline.", "子设备下线。")),
    ("sub_batch_logout", text("Sub-devices go offline.", "子设备批量下线。")),
    ("rrpc_request", text("A synchronous call of the platform.", "平台的同步调用（RRPC）。")),
    ("rrpc_response", text("The device's answer to a synchronous call.", "设备对同步调用（RRPC）的应答。")),
    ("raw_up", text("Transparent data of the device.", "设备上报透传数据。")),
    ("raw_down", text("Transparent data for the device.", "平台下发透传数据。")),
    (
        "broadcast_request",
        text("A broadcast to all devices of the product that are online.", "向产品的在线设备广播。"),
    ),
    (
        "custom_rrpc",
        text(
            "A synchronous call on a topic of one's own; the answer goes to the same topic.",
            "自定义主题的同步调用，在同一主题应答。",
        ),
    ),
    ("ntp_request", text("The device asks for the time.", "设备请求对时（NTP）。")),
    ("ntp_response", text("The platform tells the time.", "平台返回时间（NTP）。")),
    ("gateway_error", text("The platform tells a gateway what failed.", "平台通知网关出错。")),
    ("register", text("The platform tells a device its secret.", "平台返回动态注册得到的设备密钥。")),
    (
        "register_unlisted",
        text("The platform tells a device its token.", "平台返回免预注册得到的 deviceToken。"),
    ),
    (
        "shadow_update",
        text("The device updates, reads or deletes its shadow.", "设备更新、获取或删除设备影子。"),
    ),
    ("shadow_get", text("The platform tells about the shadow.", "平台返回或推送设备影子。")),
    ("ota_inform", text("The device reports the version of its firmware.", "设备上报固件版本。")),
    ("ota_upgrade", text("The platform announces a firmware.", "平台推送升级包信息。")),
    ("ota_progress", text("The device reports how far its upgrade is.", "设备上报升级进度。")),
    ("ota_request", text("The device asks for a firmware.", "设备请求升级包信息。")),
    ("broadcast", text("A broadcast to the subscribers of the product.", "向订阅者广播。")),
    ("custom", text("A topic of the product's own.", "自定义主题。")),
];

#[cfg(test)]
mod tests {
    use hexmq_dialect_aliyun::topic::entries;

    use super::*;

    #[test]
    fn every_topic_has_its_text() {
        for entry in entries() {
            let known = row(entry.name).or_else(|| entry.name.strip_suffix("_reply").and_then(row));
            assert!(known.is_some(), "{}", entry.name);
        }
    }
}

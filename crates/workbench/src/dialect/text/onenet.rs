//! What the topics of OneNET are for.

use crate::Language;
use crate::language::{Text, say, text};

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
    ("data_points", text("Upload of data points.", "上传数据点。")),
    ("command", text("A command for the device.", "发给设备的命令。")),
    ("command_answer", text("The device's answer to a command.", "设备对命令的应答。")),
    ("dp_post", text("Upload of data points.", "上传数据点。")),
    ("dp_accepted", text("The upload was accepted.", "上传成功的通知。")),
    ("dp_rejected", text("The upload was rejected.", "上传失败的通知。")),
    ("command_request", text("A command for the device.", "发给设备的命令。")),
    ("command_response", text("The device's answer to a command.", "设备对命令的应答。")),
    ("command_response_accepted", text("The answer to a command was accepted.", "命令应答成功的通知。")),
    ("command_response_rejected", text("The answer to a command was rejected.", "命令应答失败的通知。")),
    ("property_post", text("The device reports properties.", "设备上报属性。")),
    ("property_set", text("The platform sets properties.", "平台设置属性。")),
    ("property_get", text("The platform reads properties.", "平台读取属性。")),
    ("event_post", text("The device reports events.", "设备上报事件。")),
    ("desired_get", text("The device asks for desired values.", "设备获取属性期望值。")),
    ("desired_delete", text("The device clears desired values.", "设备清除属性期望值。")),
    ("service_invoke", text("The platform calls a service.", "平台调用服务。")),
    ("pack_post", text("Properties and events of several devices.", "批量上报属性和事件。")),
    ("history_post", text("Properties and events of earlier times.", "上报历史数据。")),
    ("sub_login", text("A sub-device goes online.", "子设备上线。")),
    ("sub_logout", text("A sub-device goes offline.", "子设备下线。")),
    ("topology_add", text("The gateway adds sub-devices.", "网关添加子设备。")),
    ("topology_delete", text("The gateway removes sub-devices.", "网关删除子设备。")),
    ("topology_get", text("The gateway asks for its sub-devices.", "网关获取拓扑关系。")),
    ("topology_get_result", text("The gateway's result of its topology.", "网关同步拓扑的结果。")),
    ("topology_change", text("The platform changed the topology.", "平台通知拓扑变化。")),
    ("sub_property_set", text("The platform sets properties of a sub-device.", "平台设置子设备属性。")),
    ("sub_property_get", text("The platform reads properties of a sub-device.", "平台读取子设备属性。")),
    ("sub_service_invoke", text("The platform calls a service of a sub-device.", "平台调用子设备服务。")),
    ("ota_inform", text("A firmware is announced.", "固件升级通知。")),
];

#[cfg(test)]
mod tests {
    use hexmq_dialect_onenet::topic::ENTRIES;

    use super::*;

    #[test]
    fn every_topic_has_its_text() {
        for entry in ENTRIES {
            let known = row(entry.name).or_else(|| entry.name.strip_suffix("_reply").and_then(row));
            assert!(known.is_some(), "{}", entry.name);
        }
    }
}

//! Topics of OneNET in PUBLISH and SUBSCRIBE, and what is published to them.

use hexmq_device::Span;
use hexmq_dialect_onenet::topic::{Direction, System, Topic};

use super::{COMMANDS, TOPICS, dp, thing};
use crate::dialect::site::{Blame, Carrier, Site};
use crate::dialect::text::onenet::topic_text;
use crate::dialect::text::{down_text, up_text};
use crate::explanation::{Dialect, Field, FieldValue, Severity, Side};
use crate::language::say;

/// Characters of a command's identifier that the vendor's firmware counts on.
const COMMAND_ID: usize = 36;

pub(in crate::dialect) fn explain(site: &mut Site<'_>) -> Option<Dialect> {
    let name = site.carrier("topic_name")?;
    let topic = of_the_cloud(name.text())?;
    let payload = site.payload();
    topic_fields(site, &name, &topic);
    match &topic {
        Topic::DataPoints => dp::explain(site, &payload),
        Topic::Command { .. } | Topic::Answer { .. } => command(site, &topic, &payload),
        Topic::System(system) => match system.entry {
            Some(entry) => thing::explain(site, &payload, entry),
            None => unknown(site, &name, system),
        },
    }
    let from = site.packet().from;
    if from == Some(Side::Client) && topic.direction() == Some(Direction::Down) {
        let language = site.language;
        let message = say!(
            language,
            "Only the platform publishes to this topic; what a device publishes there is dropped.",
            "只有平台向该主题发布消息；设备发到这里的消息会被丢弃。",
        );
        let (code, severity, rule) = ("topic_direction", Severity::Warning, TOPICS);
        let span = name.whole();
        site.blame(Blame { code, severity, rule, carrier: &name, span, message, right_content: None });
    }
    Some(Dialect::OneNet)
}

/// The topic, unless somebody else's `$sys` merely looks like the platform's.
fn of_the_cloud(topic: &str) -> Option<Topic<'_>> {
    Topic::parse(topic).filter(|topic| match topic {
        Topic::System(system) => {
            let first = system.path.split('/').next();
            system.entry.is_some() || matches!(first, Some("thing" | "dp" | "cmd" | "ota"))
        }
        _ => true,
    })
}

fn topic_fields(site: &mut Site<'_>, carrier: &Carrier<'_>, topic: &Topic<'_>) {
    let language = site.language;
    let way = match topic.direction() {
        Some(Direction::Up) => up_text(language),
        Some(Direction::Down) => down_text(language),
        None => String::new(),
    };
    let text = |value: &str| FieldValue::Text(value.to_owned());
    let mut fields: Vec<Field> = Vec::new();
    let (name, about, rule) = match topic {
        Topic::DataPoints => ("data_points", topic_text("data_points", language), TOPICS),
        Topic::Command { .. } => ("command", topic_text("command", language), COMMANDS),
        Topic::Answer { .. } => ("command_answer", topic_text("command_answer", language), COMMANDS),
        Topic::System(system) => match system.entry {
            Some(entry) => (entry.name, topic_text(entry.name, language), TOPICS),
            None => ("unknown", topic_text("unknown", language), TOPICS),
        },
    };
    fields.push(carrier.field("cloud_topic", carrier.whole(), text(name), format!("{about}{way}")));
    match topic {
        Topic::DataPoints => {}
        Topic::Command { id } | Topic::Answer { id } => {
            let about = say!(
                language,
                "The command this is or answers; the answer carries the same identifier.",
                "命令的标识；应答带同样的标识。",
            );
            let span = Span::between(carrier.content.len().saturating_sub(id.len()), carrier.content.len());
            fields.push(carrier.field("command_id", span, text(id), about));
        }
        Topic::System(system) => system_fields(site, carrier, system, &mut fields),
    }
    site.put(carrier, rule, fields);
}

fn system_fields(site: &Site<'_>, carrier: &Carrier<'_>, system: &System<'_>, fields: &mut Vec<Field>) {
    let language = site.language;
    let text = |value: &str| FieldValue::Text(value.to_owned());
    let [product, device, _] = system.spans();
    let about = say!(language, "The product id.", "产品 ID。");
    fields.push(carrier.field("product_id", product, text(system.product), about));
    let about = say!(
        language,
        "The device name: a device may use its own topics only.",
        "设备名称：设备只能使用自己的主题。",
    );
    fields.push(carrier.field("device_name", device, text(system.device), about));
}

fn command(site: &mut Site<'_>, topic: &Topic<'_>, payload: &Carrier<'_>) {
    let language = site.language;
    let (Topic::Command { id } | Topic::Answer { id }) = topic else { return };
    let bytes = match std::str::from_utf8(payload.content) {
        Ok(text) => FieldValue::Text(text.to_owned()),
        Err(_) => FieldValue::Bytes(payload.content.to_vec()),
    };
    let (name, about) = match topic {
        Topic::Command { .. } => {
            let about = say!(
                language,
                "The command as the application gave it, nothing added.",
                "应用下发的命令原文，没有附加内容。",
            );
            ("command", about)
        }
        _ => {
            let about = say!(language, "The device's answer, any bytes.", "设备的应答，任意字节。");
            ("command_answer", about)
        }
    };
    if !payload.content.is_empty() {
        site.put(payload, COMMANDS, vec![payload.field(name, payload.whole(), bytes, about)]);
    }
    let is_command = matches!(topic, Topic::Command { .. });
    if is_command && id.len() != COMMAND_ID {
        let length = id.len();
        let message = say!(
            language,
            "The command's identifier has {length} characters. Firmware of the vendor's kits counts on a UUID of \
             {COMMAND_ID}: it takes the rest of the packet for the command.",
            "命令标识有 {length} 个字符。厂商套件的固件按 {COMMAND_ID} 个字符的 UUID 计算命令长度。",
        );
        site.blame_field("topic_name", "command_id_length", Severity::Warning, COMMANDS, message);
    }
    if is_command && site.number("qos").is_some_and(|qos| qos > 0) {
        let message = say!(
            language,
            "Commands go out with QoS 0: the vendor's firmware computes their length for it.",
            "命令以 QoS 0 下发：厂商固件按 QoS 0 计算命令长度。",
        );
        site.blame_field("qos", "command_qos", Severity::Warning, COMMANDS, message);
    }
}

fn unknown(site: &mut Site<'_>, carrier: &Carrier<'_>, system: &System<'_>) {
    let language = site.language;
    let path = system.path;
    let message = say!(
        language,
        "The platform knows no {path} under $sys: a message there is ignored.",
        "平台的 $sys 主题下没有 {path}：发到这里的消息会被忽略。",
    );
    let (code, severity, rule) = ("topic_unknown", Severity::Warning, TOPICS);
    let [_, _, span] = system.spans();
    site.blame(Blame { code, severity, rule, carrier, span, message, right_content: None });
}

/// The topic filters of SUBSCRIBE and UNSUBSCRIBE.
pub(in crate::dialect) fn explain_filters(site: &mut Site<'_>) -> Option<Dialect> {
    let mut found = None;
    for carrier in site.carriers("topic_filter") {
        let filter = carrier.text();
        if filter.contains(['+', '#']) {
            let Some(about) = wildcard(filter, site) else { continue };
            let value = FieldValue::Text("several".to_owned());
            let field = carrier.field("cloud_topic", carrier.whole(), value, about);
            site.put(&carrier, TOPICS, vec![field]);
        } else {
            let Some(topic) = of_the_cloud(filter) else { continue };
            topic_fields(site, &carrier, &topic);
            if topic.direction() == Some(Direction::Up) {
                uplink(site, &carrier);
            }
        }
        found = Some(Dialect::OneNet);
    }
    found
}

fn wildcard(filter: &str, site: &Site<'_>) -> Option<String> {
    let language = site.language;
    if filter.starts_with("$creq/") {
        Some(say!(
            language,
            "Commands of OneNET. A device of the legacy access gets them without subscribing.",
            "OneNET 的命令。旧版接入的设备不订阅也能收到。",
        ))
    } else if ["/#", "/thing/#", "/ota/#", "/cmd/#", "/dp/#"].iter().any(|end| is_system(filter, end)) {
        Some(say!(
            language,
            "System topics of OneNET; without this subscription the platform sends nothing on them.",
            "OneNET 的系统主题；不订阅，平台就不会在这些主题上下发消息。",
        ))
    } else {
        None
    }
}

/// `$sys/{product}/{device}` and this end: what devices of the platform subscribe to.
fn is_system(filter: &str, end: &str) -> bool {
    let names = filter.strip_prefix("$sys/").and_then(|rest| rest.strip_suffix(end));
    names.and_then(|names| names.split_once('/')).is_some_and(|(product, device)| {
        !product.is_empty() && !device.is_empty() && !device.contains('/') && !filter.contains('+')
    })
}

fn uplink(site: &mut Site<'_>, carrier: &Carrier<'_>) {
    let language = site.language;
    let message = say!(
        language,
        "Devices publish to this topic; the platform sends nothing on it.",
        "这是设备上报用的主题，平台不会在上面下发消息。",
    );
    let (code, severity, rule) = ("subscribed_uplink", Severity::Warning, TOPICS);
    site.blame(Blame { code, severity, rule, carrier, span: carrier.whole(), message, right_content: None });
}

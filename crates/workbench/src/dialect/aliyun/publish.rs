//! Topics of Aliyun in PUBLISH and SUBSCRIBE, and what is published to them.

use hexmq_dialect_aliyun::topic::{Direction, Topic, is_product_key};

use super::{LIMITS, TOPICS, alink};
use crate::dialect::site::{Blame, Carrier, Site};
use crate::dialect::text::aliyun::topic_text;
use crate::dialect::text::{down_text, up_text};
use crate::explanation::{Dialect, FieldValue, Severity, Side};
use crate::language::say;

pub(in crate::dialect) fn explain(site: &mut Site<'_>) -> Option<Dialect> {
    let name = site.carrier("topic_name")?;
    let topic = Topic::parse(name.text())?;
    topic_fields(site, &name, &topic);
    let Some(entry) = topic.entry else {
        unknown(site, &name);
        return Some(Dialect::Aliyun);
    };
    let payload = site.payload();
    alink::explain(site, &payload, entry, topic.identifier.map(|(name, _)| name));
    let language = site.language;
    if site.packet().from == Some(Side::Client) && entry.direction == Direction::Down {
        let message = say!(
            language,
            "Only the platform publishes to this topic; what a device publishes there is dropped.",
            "只有平台向该主题发布消息；设备发到这里的消息会被丢弃。",
        );
        let (code, severity, rule) = ("topic_direction", Severity::Warning, TOPICS);
        let span = name.whole();
        site.blame(Blame { code, severity, rule, carrier: &name, span, message, right_content: None });
    }
    if site.number("qos") == Some(2) {
        let message = say!(language, "The platform knows QoS 0 and 1 only.", "平台只支持 QoS 0 和 1。",);
        site.blame_field("qos", "qos_unsupported", Severity::Warning, LIMITS, message);
    }
    Some(Dialect::Aliyun)
}

fn topic_fields(site: &mut Site<'_>, carrier: &Carrier<'_>, topic: &Topic<'_>) {
    let language = site.language;
    let text = |value: &str| FieldValue::Text(value.to_owned());
    let (name, about) = match topic.entry {
        Some(entry) => {
            let way = match entry.direction {
                Direction::Up => up_text(language),
                Direction::Down => down_text(language),
                Direction::Both => String::new(),
            };
            (entry.name, topic_text(entry.name, language) + &way)
        }
        None => ("unknown", topic_text("unknown", language)),
    };
    let mut fields = vec![carrier.field("cloud_topic", carrier.whole(), text(name), about)];
    if let Some((key, span)) = topic.product_key {
        let about = say!(language, "The product.", "产品。");
        fields.push(carrier.field("product_key", span, text(key), about));
    }
    if let Some((name, span)) = topic.device_name {
        let about = say!(
            language,
            "The device: it may use its own topics only, a gateway also those of its sub-devices.",
            "设备：只能使用自己的主题；网关还可使用其子设备的主题。",
        );
        fields.push(carrier.field("device_name", span, text(name), about));
    }
    if let Some((name, span)) = topic.identifier {
        let about = say!(
            language,
            "The event, the service or the message this is about.",
            "所指的事件、服务或消息。",
        );
        fields.push(carrier.field("identifier", span, text(name), about));
    }
    site.put(carrier, TOPICS, fields);
}

fn unknown(site: &mut Site<'_>, carrier: &Carrier<'_>) {
    let language = site.language;
    let message = say!(
        language,
        "The platform knows no such topic under /sys: check the spelling behind the device name.",
        "平台没有这个 /sys 主题：请检查设备名称之后的拼写。",
    );
    let (code, severity, rule) = ("topic_unknown", Severity::Warning, TOPICS);
    site.blame(Blame { code, severity, rule, carrier, span: carrier.whole(), message, right_content: None });
}

/// The topic filters of SUBSCRIBE and UNSUBSCRIBE.
pub(in crate::dialect) fn explain_filters(site: &mut Site<'_>) -> Option<Dialect> {
    let mut found = None;
    for carrier in site.carriers("topic_filter") {
        let filter = carrier.text();
        if filter.contains(['+', '#']) {
            if !is_of_the_cloud(filter) {
                continue;
            }
            let language = site.language;
            let about =
                say!(language, "System topics of Aliyun IoT Platform.", "阿里云物联网平台的系统主题。",);
            let value = FieldValue::Text("several".to_owned());
            let field = carrier.field("cloud_topic", carrier.whole(), value, about);
            site.put(&carrier, TOPICS, vec![field]);
        } else {
            let Some(topic) = Topic::parse(filter) else { continue };
            topic_fields(site, &carrier, &topic);
            match topic.entry {
                Some(entry) if entry.direction == Direction::Up => uplink(site, &carrier),
                Some(_) => {}
                None => unknown(site, &carrier),
            }
        }
        found = Some(Dialect::Aliyun);
    }
    found
}

/// Wildcards below a product key.
fn is_of_the_cloud(filter: &str) -> bool {
    let mut levels = filter.strip_prefix("/sys/").into_iter().flat_map(|rest| rest.split('/'));
    levels.next().is_some_and(is_product_key)
}

fn uplink(site: &mut Site<'_>, carrier: &Carrier<'_>) {
    let language = site.language;
    let message = say!(
        language,
        "Devices publish to this topic; the platform answers on the same topic with _reply behind it.",
        "这是设备上报用的主题；平台在同名加 _reply 的主题上应答。",
    );
    let (code, severity, rule) = ("subscribed_uplink", Severity::Warning, TOPICS);
    site.blame(Blame { code, severity, rule, carrier, span: carrier.whole(), message, right_content: None });
}

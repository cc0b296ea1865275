//! Which topic means what, who publishes to it, and what Alink method belongs to it.
//!
//! The answer to a topic goes to the same topic with `_reply` behind it, in both directions.

use hexmq_device::Span;

/// Who publishes to a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// The device.
    Up,
    /// The cloud.
    Down,
    /// Either of them.
    Both,
}

impl Direction {
    const fn back(self) -> Direction {
        match self {
            Direction::Up => Direction::Down,
            Direction::Down => Direction::Up,
            Direction::Both => Direction::Both,
        }
    }
}

/// What a payload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Content {
    /// An Alink request whose `params` is an object.
    RequestObject,
    /// An Alink request whose `params` is an array.
    RequestArray,
    /// An Alink request whose `params` may be either.
    Request,
    /// An Alink answer.
    Reply,
    /// A JSON object that is not of Alink's form.
    Json,
    /// Any bytes.
    Raw,
}

/// A topic of the cloud.
#[derive(Debug, PartialEq, Eq)]
pub struct Entry {
    /// Stable name in snake_case.
    pub name: &'static str,
    /// The form: `{pk}` and `{dn}` stand for product key and device name, `+` for one level, `#` for
    /// any number of levels at the end.
    pub form: &'static str,
    /// Who publishes.
    pub direction: Direction,
    /// What the payload is.
    pub content: Content,
    /// The Alink method that belongs to it, with `+` for what stands for the form's `+`; empty if
    /// there is none.
    pub method: &'static str,
}

impl Entry {
    /// The method with the identifier in its place; `None` if none belongs to the topic.
    pub fn method_for(&self, identifier: Option<&str>) -> Option<String> {
        if self.method.is_empty() {
            return None;
        }
        Some(self.method.replace('+', identifier.unwrap_or("+")))
    }

    /// Whether it carries the answer to another topic.
    pub const fn is_reply(&self) -> bool {
        matches!(self.content, Content::Reply)
    }
}

/// One entry each.
macro_rules! entries {
    ($($name:literal $form:literal $direction:ident $content:ident $method:literal;)*) => {
        &[$(Entry {
            name: $name,
            form: $form,
            direction: Direction::$direction,
            content: Content::$content,
            method: $method,
        },)*]
    };
}

/// A request and its answer.
macro_rules! pairs {
    ($($name:literal $form:literal $direction:ident $content:ident $method:literal;)*) => {
        &[$(
            Entry {
                name: concat!($name, "_reply"),
                form: concat!($form, "_reply"),
                direction: Direction::$direction.back(),
                content: Content::Reply,
                method: $method,
            },
            Entry {
                name: $name,
                form: $form,
                direction: Direction::$direction,
                content: Content::$content,
                method: $method,
            },
        )*]
    };
}

/// Requests with answers. A form with wildcards stands behind those it would swallow.
static PAIRS: &[Entry] = pairs! {
    "property_post" "/sys/{pk}/{dn}/thing/event/property/post" Up RequestObject "thing.event.property.post";
    "property_batch_post" "/sys/{pk}/{dn}/thing/event/property/batch/post" Up RequestObject
        "thing.event.property.batch.post";
    "property_pack_post" "/sys/{pk}/{dn}/thing/event/property/pack/post" Up RequestObject
        "thing.event.property.pack.post";
    "property_history_post" "/sys/{pk}/{dn}/thing/event/property/history/post" Up RequestArray
        "thing.event.property.history.post";
    "event_post" "/sys/{pk}/{dn}/thing/event/+/post" Up Request "thing.event.+.post";
    "property_set" "/sys/{pk}/{dn}/thing/service/property/set" Down RequestObject "thing.service.property.set";
    "property_get" "/sys/{pk}/{dn}/thing/service/property/get" Down Request "thing.service.property.get";
    "service" "/sys/{pk}/{dn}/thing/service/+" Down Request "thing.service.+";
    "desired_get" "/sys/{pk}/{dn}/thing/property/desired/get" Up RequestArray "thing.property.desired.get";
    "desired_delete" "/sys/{pk}/{dn}/thing/property/desired/delete" Up RequestObject
        "thing.property.desired.delete";
    "tags_update" "/sys/{pk}/{dn}/thing/deviceinfo/update" Up RequestArray "thing.deviceinfo.update";
    "tags_delete" "/sys/{pk}/{dn}/thing/deviceinfo/delete" Up RequestArray "thing.deviceinfo.delete";
    "config_get" "/sys/{pk}/{dn}/thing/config/get" Up RequestObject "thing.config.get";
    "config_push" "/sys/{pk}/{dn}/thing/config/push" Down RequestObject "thing.config.push";
    "log_post" "/sys/{pk}/{dn}/thing/log/post" Up Request "thing.log.post";
    "tsl_get" "/sys/{pk}/{dn}/thing/dsltemplate/get" Up Request "thing.dsltemplate.get";
    "dynamic_tsl_get" "/sys/{pk}/{dn}/thing/dynamicTsl/get" Up Request "thing.dynamicTsl.get";
    "enable" "/sys/{pk}/{dn}/thing/enable" Down Request "thing.enable";
    "disable" "/sys/{pk}/{dn}/thing/disable" Down Request "thing.disable";
    "delete" "/sys/{pk}/{dn}/thing/delete" Down Request "thing.delete";
    "diagnosis_post" "/sys/{pk}/{dn}/_thing/diag/post" Up Request "";
    "firmware_get" "/sys/{pk}/{dn}/thing/ota/firmware/get" Up Request "thing.ota.firmware.get";
    "sub_register" "/sys/{pk}/{dn}/thing/sub/register" Up RequestArray "thing.sub.register";
    "product_register" "/sys/{pk}/{dn}/thing/proxy/provisioning/product_register" Up RequestObject
        "thing.proxy.provisioning.product_register";
    "topology_add_notify" "/sys/{pk}/{dn}/thing/topo/add/notify" Down RequestObject "thing.topo.add.notify";
    "topology_add" "/sys/{pk}/{dn}/thing/topo/add" Up RequestArray "thing.topo.add";
    "topology_delete" "/sys/{pk}/{dn}/thing/topo/delete" Up RequestArray "thing.topo.delete";
    "topology_get" "/sys/{pk}/{dn}/thing/topo/get" Up Request "thing.topo.get";
    "topology_change" "/sys/{pk}/{dn}/thing/topo/change" Down RequestObject "thing.topo.change";
    "list_found" "/sys/{pk}/{dn}/thing/list/found" Up RequestArray "thing.list.found";
    "sub_login" "/ext/session/{pk}/{dn}/combine/login" Up RequestObject "combine.login";
    "sub_batch_login" "/ext/session/{pk}/{dn}/combine/batch_login" Up RequestObject "combine.batch_login";
    "sub_logout" "/ext/session/{pk}/{dn}/combine/logout" Up RequestObject "combine.logout";
    "sub_batch_logout" "/ext/session/{pk}/{dn}/combine/batch_logout" Up RequestArray "combine.batch_logout";
};

/// The rest.
static SINGLES: &[Entry] = entries! {
    "rrpc_request" "/sys/{pk}/{dn}/rrpc/request/+" Down Raw "";
    "rrpc_response" "/sys/{pk}/{dn}/rrpc/response/+" Up Raw "";
    "raw_up" "/sys/{pk}/{dn}/thing/model/up_raw" Up Raw "";
    "raw_up_reply" "/sys/{pk}/{dn}/thing/model/up_raw_reply" Down Raw "";
    "raw_down" "/sys/{pk}/{dn}/thing/model/down_raw" Down Raw "";
    "raw_down_reply" "/sys/{pk}/{dn}/thing/model/down_raw_reply" Up Raw "";
    "broadcast_request" "/sys/{pk}/{dn}/broadcast/request/+" Down Raw "";
    "custom_rrpc" "/ext/rrpc/+/#" Both Raw "";
    "ntp_request" "/ext/ntp/{pk}/{dn}/request" Up Json "";
    "ntp_response" "/ext/ntp/{pk}/{dn}/response" Down Json "";
    "gateway_error" "/ext/error/{pk}/{dn}" Down Json "";
    "register" "/ext/register" Down Json "";
    "register_unlisted" "/ext/regnwl" Down Json "";
    "shadow_update" "/shadow/update/{pk}/{dn}" Up Json "";
    "shadow_get" "/shadow/get/{pk}/{dn}" Down Json "";
    "ota_inform" "/ota/device/inform/{pk}/{dn}" Up Json "";
    "ota_upgrade" "/ota/device/upgrade/{pk}/{dn}" Down Json "";
    "ota_progress" "/ota/device/progress/{pk}/{dn}" Up Json "";
    "ota_request" "/ota/device/request/{pk}/{dn}" Up Json "";
    "broadcast" "/broadcast/{pk}/#" Down Raw "";
    "custom" "/{pk}/{dn}/user/#" Both Raw "";
};

/// Every topic of the cloud.
pub fn entries() -> impl Iterator<Item = &'static Entry> {
    PAIRS.iter().chain(SINGLES)
}

/// A topic that means something to the cloud.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Topic<'a> {
    /// What it means; `None` for a topic under `/sys/` that the cloud does not know.
    pub entry: Option<&'static Entry>,
    /// Product key, where the topic has one.
    pub product_key: Option<(&'a str, Span)>,
    /// Device name, where the topic has one.
    pub device_name: Option<(&'a str, Span)>,
    /// What stands for the `+`: an event's, a service's or a message's identifier.
    pub identifier: Option<(&'a str, Span)>,
}

impl<'a> Topic<'a> {
    /// What `topic` means; `None` if it means nothing to this cloud. A topic of somebody's own that
    /// merely resembles one, with no product key where one must be, is none.
    pub fn parse(topic: &'a str) -> Option<Topic<'a>> {
        if !topic.starts_with('/') {
            return None;
        }
        if let Some(found) = entries().find_map(|entry| matching(entry, topic)) {
            let plausible = found.product_key.is_none_or(|(key, _)| is_product_key(key));
            return (plausible || found.entry.is_some_and(|entry| entry.name != "custom")).then_some(found);
        }
        let (product_key, device_name) = pair(topic.strip_prefix("/sys/")?, "/sys/".len())?;
        let found = Topic {
            entry: None,
            product_key: Some(product_key),
            device_name: Some(device_name),
            identifier: None,
        };
        is_product_key(product_key.0).then_some(found)
    }
}

/// Product key and device name in front of a path.
#[expect(clippy::type_complexity, reason = "two pieces of text with their places")]
fn pair(rest: &str, offset: usize) -> Option<((&str, Span), (&str, Span))> {
    let mut levels = rest.splitn(3, '/');
    let (product_key, device_name) = (levels.next()?, levels.next()?);
    levels.next()?;
    let second = offset + product_key.len() + 1;
    Some((
        (product_key, Span::new(offset, product_key.len())),
        (device_name, Span::new(second, device_name.len())),
    ))
}

/// What a product key looks like: about eleven letters and digits, at least one of them a digit.
pub fn is_product_key(text: &str) -> bool {
    (9..=16).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && text.bytes().any(|byte| byte.is_ascii_digit())
}

fn matching<'a>(entry: &'static Entry, topic: &'a str) -> Option<Topic<'a>> {
    let mut found = Topic { entry: Some(entry), product_key: None, device_name: None, identifier: None };
    let mut levels = topic.split('/');
    let mut offset = 0;
    for wanted in entry.form.split('/') {
        if wanted == "#" {
            return levels.next().map(|_| found);
        }
        let level = levels.next()?;
        let whole = Some((level, Span::new(offset, level.len())));
        match wanted {
            "{pk}" if !level.is_empty() => found.product_key = whole,
            "{dn}" if !level.is_empty() => found.device_name = whole,
            _ => match wanted.strip_prefix('+') {
                Some(suffix) => {
                    let name = level.strip_suffix(suffix).filter(|name| !name.is_empty())?;
                    found.identifier = Some((name, Span::new(offset, name.len())));
                }
                None if level == wanted => {}
                None => return None,
            },
        }
        offset += level.len() + 1;
    }
    levels.next().is_none().then_some(found)
}

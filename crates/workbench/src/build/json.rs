//! Descriptions in JSON: the shape an explanation has, and a flat object of fields.

use hexmq_wire::{PacketType, Version};
use serde_json::{Map, Value};

use super::names::{self, is_derived};
use super::value::{self, byte, bytes, flag, number, two_bytes};
use super::{BuildError, Draft, DraftSubscription};

mod fields;
mod properties;

use fields::given_of_nodes;

/// One field of a description with where it stood.
struct Given {
    /// The standard's name; a `reserved` of a group with the group in front.
    name: String,
    path: String,
    value: Value,
}

/// What a description leaves open.
#[derive(Clone, Copy, Debug, Default)]
pub struct Assumed {
    /// The type of a packet that does not name its own.
    pub packet_type: Option<PacketType>,
    /// The version of a packet that does not tell; `None`: 5.0 where a field needs it, else 3.1.1.
    pub version: Option<Version>,
}

/// Reads the packets that `json` describes: a flat object
/// (`{"type":"PUBLISH","topic_name":"a/b","payload":"hi"}`), a packet as an explanation has it, a
/// whole explanation, or a list of these.
///
/// # Errors
/// The first field that is unknown, does not belong there or has a value of another type.
pub fn drafts_from_json(json: &Value, assumed: Assumed) -> Result<Vec<Draft>, BuildError> {
    let objects: Vec<&Value> = match json {
        Value::Array(packets) if packets.iter().all(is_node) && !packets.is_empty() => vec![json],
        Value::Array(packets) => packets.iter().collect(),
        Value::Object(object) => match object.get("packets") {
            Some(Value::Array(packets)) => packets.iter().collect(),
            _ => vec![json],
        },
        _ => return Err(BuildError::new("", "a packet as a JSON object was expected")),
    };
    let several = objects.len() > 1;
    let read = |(index, object): (usize, &Value)| {
        draft(object, assumed).map_err(|mut error| {
            if several {
                error.field = format!("packets[{index}].{}", error.field).trim_end_matches('.').to_owned();
            }
            error
        })
    };
    objects.into_iter().enumerate().map(read).collect()
}

/// Whether this is one field of an explanation.
fn is_node(value: &Value) -> bool {
    value.get("name").is_some_and(Value::is_string) && value.get("value").is_some()
}

fn draft(json: &Value, assumed: Assumed) -> Result<Draft, BuildError> {
    let nothing = Map::new();
    let object = json.as_object().unwrap_or(&nothing);
    let nodes = json.as_array().or_else(|| object.get("fields").and_then(Value::as_array));
    let given = match nodes {
        Some(nodes) => given_of_nodes(nodes)?,
        None if json.is_object() => given_of_object(object),
        None => return Err(BuildError::new("", "a packet as a JSON object was expected")),
    };
    let packet_type = packet_type(object, nodes.map(Vec::as_slice), assumed)?;
    let version = version(object, &given, packet_type, assumed)?;
    let mut draft = Draft::new(packet_type, version);
    let mut options = Options::default();
    for field in &given {
        set(&mut draft, &mut options, field)?;
    }
    options.settle(&mut draft)?;
    Ok(draft)
}

/// The members of a flat object; groups of flags are resolved.
fn given_of_object(object: &Map<String, Value>) -> Vec<Given> {
    let mut given = Vec::new();
    for (key, value) in object {
        match (key.as_str(), value) {
            ("flags" | "connect_flags" | "connect_acknowledge_flags", Value::Object(group)) => {
                for (name, value) in group.iter().filter(|(name, _)| *name != "value") {
                    let path = format!("{key}.{name}");
                    let name = if name == "reserved" { path.clone() } else { name.clone() };
                    given.push(Given { name, path, value: value.clone() });
                }
            }
            (key, value) if !is_derived(key) => {
                given.push(Given { name: key.to_owned(), path: key.to_owned(), value: value.clone() });
            }
            _ => {}
        }
    }
    given
}

/// From `type`, from the field `packet_type` of an explanation, or as assumed.
fn packet_type(
    object: &Map<String, Value>,
    nodes: Option<&[Value]>,
    assumed: Assumed,
) -> Result<PacketType, BuildError> {
    if let Some(name) = object.get("type") {
        let known = name.as_str().and_then(|name| PacketType::from_name(&name.to_ascii_uppercase()));
        return known.ok_or_else(|| {
            BuildError::new("type", format!("{} is no packet; CONNECT is one", value::shown(name)))
        });
    }
    let nodes = nodes.unwrap_or_default().iter();
    let field = nodes.filter(|node| node.get("name").and_then(Value::as_str) == Some("packet_type"));
    let number = field.filter_map(|node| node.get("value").and_then(Value::as_u64)).next();
    let known = number.and_then(|number| u8::try_from(number).ok()).and_then(PacketType::from_u8);
    known
        .or(assumed.packet_type)
        .ok_or_else(|| BuildError::new("type", "the name of the packet was expected, such as CONNECT"))
}

/// From `version`, from the Protocol Version of a CONNECT, from fields that only 5.0 has.
fn version(
    object: &Map<String, Value>,
    given: &[Given],
    packet_type: PacketType,
    assumed: Assumed,
) -> Result<Version, BuildError> {
    if let Some(version) = object.get("version") {
        let text = version.as_str().map_or_else(|| version.to_string(), ToOwned::to_owned);
        return match text.as_str() {
            "3" | "31" | "3.1" => Ok(Version::V3),
            "4" | "311" | "3.1.1" => Ok(Version::V4),
            "5" | "5.0" => Ok(Version::V5),
            _ => Err(BuildError::new("version", format!("{text} is none of 3 (3.1), 4 (3.1.1) and 5 (5.0)"))),
        };
    }
    let level =
        given.iter().find(|field| field.name == "protocol_version" && packet_type == PacketType::Connect);
    let level = level.and_then(|field| byte(&field.value, "").ok()).and_then(Version::from_level);
    let needs_v5 = packet_type == PacketType::Auth
        || given
            .iter()
            .any(|field| names::is_only_of_v5(names::full_name(&field.name)) && !is_empty(&field.value));
    Ok(assumed.version.or(level).unwrap_or(if needs_v5 { Version::V5 } else { Version::V4 }))
}

impl Draft {
    /// Sets a field by its name, as a member of a flat object would: a later value replaces an earlier
    /// one, only further filters are added.
    ///
    /// # Errors
    /// The packet has no such field, or the value is of another type.
    pub fn set(&mut self, name: &str, value: Value) -> Result<(), BuildError> {
        let mut options = Options::default();
        let field = Given { name: name.to_owned(), path: name.to_owned(), value };
        set(self, &mut options, &field)?;
        options.settle(self)
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(values) => values.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    }
}

/// The options of a SUBSCRIBE that names its filter without a list.
#[derive(Default)]
struct Options {
    filters: Vec<Vec<u8>>,
    byte: u8,
    given: bool,
}

impl Options {
    /// Gives every filter named outside a list the options named there.
    fn settle(self, draft: &mut Draft) -> Result<(), BuildError> {
        if self.filters.is_empty() && self.given {
            return Err(BuildError::new("requested_qos", "there is no `topic_filter` it belongs to"));
        }
        let options = self.byte;
        let entries =
            self.filters.into_iter().map(|topic_filter| DraftSubscription { topic_filter, options });
        draft.subscriptions.extend(entries);
        Ok(())
    }

    fn set(&mut self, bits: u8, lowest: u8) {
        self.byte |= bits << lowest;
        self.given = true;
    }
}

/// Puts one field into the description.
fn set(draft: &mut Draft, options: &mut Options, field: &Given) -> Result<(), BuildError> {
    let (name, is_hex) = match field.name.strip_suffix("_hex") {
        Some(name) => (name, true),
        None => (field.name.as_str(), false),
    };
    let name = match (names::full_name(name), draft.packet_type) {
        // In a SUBSCRIBE `topic` can only be a filter.
        ("topic_name", PacketType::Subscribe | PacketType::Unsubscribe) => "topic_filter",
        ("reason_code", PacketType::Suback | PacketType::Unsuback) => "reason_codes",
        (name, _) => name,
    };
    let path = field.path.as_str();
    names::check(name, path, draft.packet_type, draft.version)?;
    let value = &field.value;
    match name {
        "qos" if draft.packet_type == PacketType::Subscribe => options.set(two_bits(value, path)?, 0),
        "requested_qos" => options.set(two_bits(value, path)?, 0),
        "no_local" => options.set(flag(value, path)?.into(), 2),
        "retain_as_published" => options.set(flag(value, path)?.into(), 3),
        "retain_handling" => options.set(two_bits(value, path)?, 4),
        "topic_filter" | "topic_filters" => {
            for filter in value::list(value) {
                let filter = bytes(filter, path, is_hex)?;
                match draft.packet_type {
                    PacketType::Unsubscribe => draft.topic_filters.push(filter),
                    _ => options.filters.push(filter),
                }
            }
        }
        "subscriptions" => draft.subscriptions = subscriptions(value, path, draft.version)?,
        "properties" => draft.properties = Some(properties::properties(value, path)?),
        "will_properties" => {
            draft.will.get_or_insert_default().properties = properties::properties(value, path)?;
        }
        _ if draft.packet_type == PacketType::Connect => set_connect(draft, name, value, path, is_hex)?,
        _ => set_other(draft, name, value, path, is_hex)?,
    }
    Ok(())
}

fn set_connect(
    draft: &mut Draft,
    name: &str,
    value: &Value,
    path: &str,
    is_hex: bool,
) -> Result<(), BuildError> {
    let flags = &mut draft.connect_flags;
    match name {
        "flags.reserved" => draft.first_byte.reserved = Some(four_bits(value, path)?),
        "protocol_name" => draft.protocol_name = Some(bytes(value, path, is_hex)?),
        "protocol_version" => draft.protocol_version = Some(byte(value, path)?),
        "connect_flags" => {
            let bits = byte(value, path)?;
            *flags = super::ConnectFlags::from_byte(bits);
        }
        "user_name_flag" => flags.user_name_flag = Some(flag(value, path)?),
        "password_flag" => flags.password_flag = Some(flag(value, path)?),
        "will_flag" => flags.will_flag = Some(flag(value, path)?),
        "will_retain" => flags.will_retain = flag(value, path)?,
        "will_qos" => flags.will_qos = two_bits(value, path)?,
        "clean_session" | "clean_start" => flags.clean = flag(value, path)?,
        "connect_flags.reserved" => flags.reserved = flag(value, path)?,
        "keep_alive" => draft.keep_alive = two_bytes(value, path)?,
        "client_identifier" => draft.client_identifier = bytes(value, path, is_hex)?,
        "will_topic" => draft.will.get_or_insert_default().topic = bytes(value, path, is_hex)?,
        "will_message" | "will_payload" => {
            draft.will.get_or_insert_default().payload = bytes(value, path, is_hex)?;
        }
        "user_name" => draft.user_name = Some(bytes(value, path, is_hex)?),
        "password" => draft.password = Some(bytes(value, path, is_hex)?),
        _ => draft.unknown = bytes(value, path, is_hex)?,
    }
    Ok(())
}

fn set_other(
    draft: &mut Draft,
    name: &str,
    value: &Value,
    path: &str,
    is_hex: bool,
) -> Result<(), BuildError> {
    match name {
        "flags.reserved" => draft.first_byte.reserved = Some(four_bits(value, path)?),
        "dup" => draft.first_byte.dup = flag(value, path)?,
        "qos" => draft.first_byte.qos = two_bits(value, path)?,
        "retain" => draft.first_byte.retain = flag(value, path)?,
        "session_present" => draft.session_present = flag(value, path)?,
        "connect_acknowledge_flags.reserved" => draft.acknowledge_reserved = byte(value, path)?,
        "return_code" | "reason_code" => draft.code = Some(byte(value, path)?),
        "packet_identifier" => draft.packet_identifier = Some(two_bytes(value, path)?),
        "topic_name" => draft.topic_name = bytes(value, path, is_hex)?,
        "payload" => draft.payload = bytes(value, path, is_hex)?,
        "return_codes" | "reason_codes" => {
            draft.codes = value::list(value).iter().map(|code| byte(code, path)).collect::<Result<_, _>>()?;
        }
        _ => draft.unknown = bytes(value, path, is_hex)?,
    }
    Ok(())
}

/// Entries of a SUBSCRIBE: objects with a filter and its options, or filters alone.
fn subscriptions(value: &Value, path: &str, version: Version) -> Result<Vec<DraftSubscription>, BuildError> {
    let mut subscriptions = Vec::new();
    for (index, entry) in value::list(value).iter().enumerate() {
        let path = format!("{path}[{index}]");
        let Value::Object(members) = entry else {
            subscriptions.push(DraftSubscription { topic_filter: bytes(entry, &path, false)?, options: 0 });
            continue;
        };
        let mut subscription = DraftSubscription::default();
        for (name, value) in members {
            let path = format!("{path}.{name}");
            let options = &mut subscription.options;
            match name.as_str() {
                "topic_filter" | "filter" => subscription.topic_filter = bytes(value, &path, false)?,
                "topic_filter_hex" => subscription.topic_filter = bytes(value, &path, true)?,
                "requested_qos" | "qos" => *options |= two_bits(value, &path)?,
                "no_local" => *options |= u8::from(flag(value, &path)?) << 2,
                "retain_as_published" => *options |= u8::from(flag(value, &path)?) << 3,
                "retain_handling" => *options |= two_bits(value, &path)? << 4,
                // The bits above those with a meaning.
                "reserved" if version == Version::V5 => *options |= byte(value, &path)? << 6,
                "reserved" => *options |= byte(value, &path)? << 2,
                "subscription_options" => *options = byte(value, &path)?,
                _ => {
                    return Err(BuildError::new(
                        path,
                        "an entry has topic_filter, requested_qos, no_local, retain_as_published and retain_handling",
                    ));
                }
            }
        }
        subscriptions.push(subscription);
    }
    Ok(subscriptions)
}

fn two_bits(value: &Value, path: &str) -> Result<u8, BuildError> {
    Ok(u8::try_from(number(value, path, 3)?).unwrap_or(3))
}

fn four_bits(value: &Value, path: &str) -> Result<u8, BuildError> {
    Ok(u8::try_from(number(value, path, 15)?).unwrap_or(15))
}

//! Which fields a description of each packet may have.

use hexmq_wire::{PacketType, Version};

use super::BuildError;

/// Versions that have a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum In {
    Every,
    Only3,
    Only5,
}

use PacketType as P;

const WITH_IDENTIFIER: [P; 9] = [
    P::Publish,
    P::Puback,
    P::Pubrec,
    P::Pubrel,
    P::Pubcomp,
    P::Subscribe,
    P::Suback,
    P::Unsubscribe,
    P::Unsuback,
];
const WITH_REASON: [P; 7] = [P::Connack, P::Puback, P::Pubrec, P::Pubrel, P::Pubcomp, P::Disconnect, P::Auth];
const WITH_PROPERTIES: [P; 13] = [
    P::Connect,
    P::Connack,
    P::Publish,
    P::Puback,
    P::Pubrec,
    P::Pubrel,
    P::Pubcomp,
    P::Subscribe,
    P::Suback,
    P::Unsubscribe,
    P::Unsuback,
    P::Disconnect,
    P::Auth,
];

/// Name, packets, versions.
const FIELDS: &[(&str, &[PacketType], In)] = &[
    ("flags.reserved", &P::ALL, In::Every),
    ("dup", &[P::Publish], In::Every),
    ("qos", &[P::Publish, P::Subscribe], In::Every),
    ("retain", &[P::Publish], In::Every),
    ("protocol_name", &[P::Connect], In::Every),
    ("protocol_version", &[P::Connect], In::Every),
    ("connect_flags", &[P::Connect], In::Every),
    ("user_name_flag", &[P::Connect], In::Every),
    ("password_flag", &[P::Connect], In::Every),
    ("will_retain", &[P::Connect], In::Every),
    ("will_qos", &[P::Connect], In::Every),
    ("will_flag", &[P::Connect], In::Every),
    ("clean_session", &[P::Connect], In::Every),
    ("clean_start", &[P::Connect], In::Every),
    ("connect_flags.reserved", &[P::Connect], In::Every),
    ("keep_alive", &[P::Connect], In::Every),
    ("client_identifier", &[P::Connect], In::Every),
    ("will_properties", &[P::Connect], In::Only5),
    ("will_topic", &[P::Connect], In::Every),
    ("will_message", &[P::Connect], In::Every),
    ("will_payload", &[P::Connect], In::Every),
    ("user_name", &[P::Connect], In::Every),
    ("password", &[P::Connect], In::Every),
    ("session_present", &[P::Connack], In::Every),
    ("connect_acknowledge_flags.reserved", &[P::Connack], In::Every),
    ("return_code", &[P::Connack], In::Only3),
    ("reason_code", &WITH_REASON, In::Only5),
    ("packet_identifier", &WITH_IDENTIFIER, In::Every),
    ("properties", &WITH_PROPERTIES, In::Only5),
    ("topic_name", &[P::Publish], In::Every),
    ("payload", &[P::Publish], In::Every),
    ("subscriptions", &[P::Subscribe], In::Every),
    ("topic_filter", &[P::Subscribe, P::Unsubscribe], In::Every),
    ("requested_qos", &[P::Subscribe], In::Every),
    ("no_local", &[P::Subscribe], In::Only5),
    ("retain_as_published", &[P::Subscribe], In::Only5),
    ("retain_handling", &[P::Subscribe], In::Only5),
    ("topic_filters", &[P::Unsubscribe], In::Every),
    ("return_codes", &[P::Suback], In::Only3),
    ("reason_codes", &[P::Suback, P::Unsuback], In::Only5),
    ("unknown", &P::ALL, In::Every),
];

/// What a description may repeat from an explanation, and what follows from the fields.
const DERIVED: &[&str] = &[
    "type",
    "version",
    "packet_type",
    "remaining_length",
    "remaining_length_bytes",
    "property_length",
    "offset",
    "length",
    "from",
    "direction",
    "faults",
    "repair_hex",
];

/// Other names for the same.
const ALIASES: &[(&str, &str)] = &[
    ("id", "client_identifier"),
    ("client_id", "client_identifier"),
    ("pid", "packet_identifier"),
    ("packet_id", "packet_identifier"),
    ("topic", "topic_name"),
    ("filter", "topic_filter"),
    ("username", "user_name"),
    ("codes", "reason_codes"),
    ("code", "reason_code"),
];

/// Whether the name is nothing a packet is written from.
pub(super) fn is_derived(name: &str) -> bool {
    DERIVED.contains(&name)
}

/// The name as the standard has it.
pub(super) fn full_name(name: &str) -> &str {
    ALIASES.iter().find(|(alias, _)| *alias == name).map_or(name, |(_, full)| full)
}

/// Whether only a packet of 5.0 has the field.
pub(super) fn is_only_of_v5(name: &str) -> bool {
    FIELDS.iter().any(|(known, _, version)| *known == name && *version == In::Only5)
}

/// Refuses a field that a packet of this type and version does not have.
pub(super) fn check(name: &str, path: &str, packet_type: P, version: Version) -> Result<(), BuildError> {
    let Some((_, types, versions)) = FIELDS.iter().find(|(known, ..)| *known == name) else {
        return Err(unknown(name, path, packet_type));
    };
    if !types.contains(&packet_type) {
        return Err(BuildError::new(path, format!("{} has no such field", packet_type.name())));
    }
    match (versions, version) {
        (In::Only5, Version::V3 | Version::V4) => {
            // A code that 3.x has under another name is not refused for its name.
            let has_code = name == "reason_code" && packet_type == P::Connack
                || name == "reason_codes" && packet_type == P::Suback;
            if has_code { Ok(()) } else { Err(only_in(path, "MQTT 5.0", version)) }
        }
        _ => Ok(()),
    }
}

fn only_in(path: &str, where_it_is: &str, version: Version) -> BuildError {
    let version = crate::render::version_name(version);
    BuildError::new(path, format!("only {where_it_is} has this field, and the packet is one of {version}"))
}

fn unknown(name: &str, path: &str, packet_type: P) -> BuildError {
    let known = FIELDS.iter().filter(|(_, types, _)| types.contains(&packet_type)).map(|(known, ..)| *known);
    let nearest = known
        .map(|known| (strsim::damerau_levenshtein(known, name), known))
        .min()
        .filter(|&(distance, known)| distance <= known.len().div_ceil(3));
    let meant = nearest.map_or(String::new(), |(_, known)| format!("; did you mean `{known}`?"));
    BuildError::new(path, format!("{} has no field of this name{meant}", packet_type.name()))
}

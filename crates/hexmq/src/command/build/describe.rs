//! The command line as descriptions of packets.

use std::io::Read;
use std::path::Path;

use hexmq_wire::{PacketType, Version};
use hexmq_workbench::build::{Assumed, BuildError, Draft, drafts_from_json};
use hexmq_workbench::plain_hex;
use serde_json::{Value, json};

use super::args::Args;
use super::{wrong, wrong_field};
use crate::command::client::Trouble;
use crate::command::client::argv::SEPARATOR;

/// A property as given: place, name, one or two values.
struct Given<'a> {
    place: &'a str,
    name: &'a str,
    value: &'a str,
    second: Option<&'a str>,
}

/// The packets as bytes, with their versions, before any defect.
pub(super) fn packets(args: &Args) -> Result<Vec<(Vec<u8>, Version)>, Trouble> {
    if let Some(line) = &args.notation {
        return notation(line, args.connect.version.unwrap_or(Version::V4));
    }
    let drafts = drafts(args)?;
    let bytes = |draft: &Draft| Ok((draft.to_bytes().map_err(wrong_field)?, draft.version));
    drafts.iter().map(bytes).collect()
}

/// The CONNECT of the connection a packet belongs to, if the options say anything of it.
pub(super) fn connect(args: &Args, version: Version) -> Result<Option<Vec<u8>>, Trouble> {
    let options = &args.connect;
    let known = options.id.is_some()
        || options.username.is_some()
        || options.password.is_some()
        || args.cloud.sign_in(None).is_some();
    if !known {
        return Ok(None);
    }
    let mut draft = Draft::new(PacketType::Connect, version);
    set_connect(&mut draft, args).map_err(wrong_field)?;
    draft.to_bytes().map(Some).map_err(wrong_field)
}

fn notation(line: &str, version: Version) -> Result<Vec<(Vec<u8>, Version)>, Trouble> {
    let bytes = hexmq_notation::parse_sent(line, version).map_err(|error| {
        wrong("the line is no packet", error, "docs/notation.md, for example 'PUBLISH topic=a/b payload=hi'")
    })?;
    Ok(vec![(bytes, version)])
}

fn drafts(args: &Args) -> Result<Vec<Draft>, Trouble> {
    let packet_type = args.packet.as_deref().map(packet_type).transpose()?;
    let assumed = Assumed { packet_type, version: args.connect.version };
    let mut drafts = match &args.json {
        Some(file) => {
            let text = content(file)?;
            let json: Value = serde_json::from_slice(&text)
                .map_err(|error| wrong(format!("{} is no JSON", file.display()), error, "a JSON object"))?;
            drafts_from_json(&json, assumed).map_err(wrong_field)?
        }
        None => {
            let packet_type = packet_type.ok_or_else(|| {
                wrong(
                    "no packet",
                    "nothing says which one to build",
                    "hexmq build connect -i NAME, or --json FILE",
                )
            })?;
            vec![Draft::new(packet_type, version(args, packet_type))]
        }
    };
    if let [draft] = drafts.as_mut_slice() {
        set_all(draft, args)?;
    } else if has_fields(args) {
        return Err(wrong(
            "options for one packet, and the JSON has several",
            "they cannot tell which one is meant",
            "the fields in the JSON itself",
        ));
    }
    Ok(drafts)
}

/// The version asked for; else 5.0 where an option needs it, as in `hexmq pub`.
fn version(args: &Args, packet_type: PacketType) -> Version {
    let needs_v5 = packet_type == PacketType::Auth
        || !args.connect.properties.is_empty()
        || args.message.no_local
        || args.message.retain_as_published
        || args.message.retain_handling.is_some()
        || args.fields.iter().any(|field| field.starts_with("reason_code"));
    args.connect.version.unwrap_or(if needs_v5 { Version::V5 } else { Version::V4 })
}

fn packet_type(name: &str) -> Result<PacketType, Trouble> {
    PacketType::from_name(&name.to_ascii_uppercase()).ok_or_else(|| {
        let names = PacketType::ALL.map(|packet_type| packet_type.name().to_ascii_lowercase());
        let nearest = names.iter().min_by_key(|known| strsim::damerau_levenshtein(known, name));
        let nearest = nearest.map_or("connect", String::as_str);
        wrong(format!("`{name}` is no packet"), "PACKET is one of the fifteen, connect to auth", nearest)
    })
}

/// A file, or standard input for `-`.
fn content(file: &Path) -> Result<Vec<u8>, Trouble> {
    let read = if file.as_os_str() == "-" {
        let mut content = Vec::new();
        std::io::stdin().read_to_end(&mut content).map(|_| content)
    } else {
        std::fs::read(file)
    };
    read.map_err(|error| wrong(format!("cannot read {}", file.display()), error, "a file that may be read"))
}

fn has_fields(args: &Args) -> bool {
    let (connect, message) = (&args.connect, &args.message);
    !args.fields.is_empty()
        || !connect.properties.is_empty()
        || !message.topic.is_empty()
        || !message.code.is_empty()
        || message.message.is_some()
        || message.qos.is_some()
        || message.packet_id.is_some()
}

/// Puts all options into the packet they belong to.
fn set_all(draft: &mut Draft, args: &Args) -> Result<(), Trouble> {
    if draft.packet_type == PacketType::Connect {
        set_connect(draft, args).map_err(wrong_field)?;
    } else {
        set_properties(draft, &args.connect.properties, draft.packet_type).map_err(wrong_field)?;
    }
    set_message(draft, args)?;
    for field in &args.fields {
        let (name, value) = field.split_once('=').ok_or_else(|| {
            wrong(format!("`{field}` is no field"), "a field is FIELD=VALUE", "keep_alive=60, topic_name=a/b")
        })?;
        draft.set(name, value.into()).map_err(wrong_field)?;
    }
    Ok(())
}

fn set_connect(draft: &mut Draft, args: &Args) -> Result<(), BuildError> {
    let options = &args.connect;
    if let Some(sign_in) = args.cloud.sign_in(options.id.as_deref()) {
        let credentials = sign_in.credentials();
        draft.set("client_identifier", credentials.client_identifier.into())?;
        draft.set("user_name", credentials.user_name.into())?;
        draft.set("password", credentials.password.into())?;
    } else if let Some(id) = &options.id {
        draft.set("client_identifier", id.clone().into())?;
    }
    for (name, value) in [
        ("user_name", &options.username),
        ("password", &options.password),
        ("will_topic", &options.will_topic),
        ("will_payload", &options.will_payload),
    ] {
        if let Some(value) = value {
            draft.set(name, value.clone().into())?;
        }
    }
    if let Some(seconds) = options.keepalive {
        draft.set("keep_alive", seconds.into())?;
    }
    if let Some(qos) = options.will_qos {
        draft.set("will_qos", qos.into())?;
    }
    if options.will_retain {
        draft.set("will_retain", true.into())?;
    }
    if options.disable_clean_session {
        draft.set("clean_session", false.into())?;
    }
    set_properties(draft, &options.properties, PacketType::Connect)
}

/// The properties for this packet and, in a CONNECT, for its will.
fn set_properties(draft: &mut Draft, all: &[String], packet_type: PacketType) -> Result<(), BuildError> {
    let given: Vec<Given<'_>> = all.iter().filter_map(|text| split(text)).collect();
    let mine = |given: &&Given<'_>| {
        given.place.is_empty() && draft.packet_type == packet_type
            || given.place.eq_ignore_ascii_case(packet_type.name())
    };
    let own: Vec<Value> = given.iter().filter(mine).map(entry).collect();
    let wills: Vec<Value> = given.iter().filter(|given| given.place == "will").map(entry).collect();
    if !own.is_empty() {
        draft.set("properties", own.into())?;
    }
    if !wills.is_empty() && packet_type == PacketType::Connect {
        draft.set("will_properties", wills.into())?;
    }
    Ok(())
}

fn split(text: &str) -> Option<Given<'_>> {
    let mut values = text.split(SEPARATOR);
    Some(Given { place: values.next()?, name: values.next()?, value: values.next()?, second: values.next() })
}

fn entry(given: &Given<'_>) -> Value {
    match given.second {
        Some(second) => json!({ "name": given.name, "value": [given.value, second] }),
        None => json!({ "name": given.name, "value": given.value }),
    }
}

fn set_message(draft: &mut Draft, args: &Args) -> Result<(), Trouble> {
    let message = &args.message;
    let (payload, payload_topic) = match args.cloud.payload()? {
        Some(payload) => (Some(payload.bytes), payload.topic),
        None => (payload(args)?, None),
    };
    // Its QoS belongs to its filters.
    let is_subscribe = draft.packet_type == PacketType::Subscribe;
    let mut set = |name: &str, value: Value| draft.set(name, value).map_err(wrong_field);
    if let Some(qos) = message.qos.filter(|_| !is_subscribe) {
        set("qos", qos.into())?;
    }
    for (name, given) in
        [("retain", message.retain), ("dup", message.dup), ("session_present", message.session_present)]
    {
        if given {
            set(name, true.into())?;
        }
    }
    if let Some(id) = message.packet_id {
        set("packet_identifier", id.into())?;
    }
    if let Some(payload) = payload {
        set("payload_hex", plain_hex(&payload).into())?;
    }
    set_topics(draft, args, payload_topic)?;
    set_codes(draft, &message.code)
}

fn set_topics(draft: &mut Draft, args: &Args, of_payload: Option<String>) -> Result<(), Trouble> {
    let message = &args.message;
    let topics: Vec<&String> =
        message.topic.iter().chain(of_payload.iter().filter(|_| message.topic.is_empty())).collect();
    if topics.is_empty() {
        return Ok(());
    }
    let result = match draft.packet_type {
        PacketType::Subscribe => {
            let mut entries = Vec::with_capacity(topics.len());
            for topic in topics {
                let mut entry = json!({ "topic_filter": topic, "requested_qos": message.qos.unwrap_or(0) });
                if draft.version == Version::V5 {
                    entry["no_local"] = message.no_local.into();
                    entry["retain_as_published"] = message.retain_as_published.into();
                    entry["retain_handling"] = message.retain_handling.unwrap_or(0).into();
                }
                entries.push(entry);
            }
            draft.set("subscriptions", entries.into())
        }
        PacketType::Unsubscribe => draft.set("topic_filters", json!(topics)),
        _ => {
            if let [_, second, ..] = topics.as_slice() {
                let what = format!("a second topic, `{second}`");
                return Err(wrong(what, "a PUBLISH has one topic", "one -t, or SUBSCRIBE"));
            }
            draft.set("topic_name", json!(topics.first()))
        }
    };
    result.map_err(wrong_field)
}

fn set_codes(draft: &mut Draft, codes: &[String]) -> Result<(), Trouble> {
    if codes.is_empty() {
        return Ok(());
    }
    let result = match (draft.packet_type, codes) {
        (PacketType::Suback | PacketType::Unsuback, codes) => draft.set("reason_codes", json!(codes)),
        (_, [code]) => draft.set("reason_code", code.clone().into()),
        _ => {
            return Err(wrong("several codes", "only SUBACK and UNSUBACK have a list of them", "one --code"));
        }
    };
    result.map_err(wrong_field)
}

/// The payload that is given as text, hex or file.
fn payload(args: &Args) -> Result<Option<Vec<u8>>, Trouble> {
    let message = &args.message;
    if let Some(text) = &message.message {
        return Ok(Some(text.clone().into_bytes()));
    }
    if let Some(text) = &message.message_hex {
        let bytes = hexmq_workbench::parse_hex(text);
        let english = hexmq_workbench::Language::English;
        return bytes
            .map(Some)
            .map_err(|error| wrong("--message-hex is no hex", error.message(english), "00ff1e"));
    }
    if let Some(file) = &message.file {
        return content(file).map(Some);
    }
    Ok(message.null_message.then(Vec::new))
}

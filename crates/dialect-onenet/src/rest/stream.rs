//! Data streams: what is said of them stands in the device's document `datastreams`, their values with the
//! platform. A stream is there as soon as it has a description or a value.

use hexmq_device::mac::{HashName, to_hex};
use hexmq_device::{Device, Point};
use serde_json::{Map, Value as Json, json};

use super::answer::{Answer, Fault, Reply};
use super::call::{Call, text_of};
use super::clock;
use super::grant::{Grant, Need, grant};
use super::upload;

const DOCUMENT: &str = "datastreams";

/// Members of a description.
const KEPT: [&str; 3] = ["tags", "unit", "unit_symbol"];

/// Streams that one device may describe.
const STREAMS_MAX: usize = 1000;

/// The descriptions and the newest values of a device's streams.
struct Streams {
    described: Map<String, Json>,
    latest: Vec<Point>,
}

impl Streams {
    fn read(call: &Call<'_>, device: &Device) -> Result<Streams, Fault> {
        let (document, _) = call.document(&device.reference(), DOCUMENT)?;
        let described = match document {
            Json::Object(members) => members,
            _ => Map::new(),
        };
        Ok(Streams { described, latest: call.platform.latest(&device.reference())? })
    }

    /// Their names: those with values first.
    fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.latest.iter().map(|point| point.id.as_str()).collect();
        let silent = self.described.keys().filter(|name| !self.latest.iter().any(|point| point.id == **name));
        names.extend(silent.map(String::as_str));
        names
    }

    /// One of them; `None` if there is none of this name.
    fn shown(&self, grant: &Grant, device: &Device, name: &str, with_value: bool) -> Option<Json> {
        let zone = grant.product.zone_minutes;
        let described = self.described.get(name);
        let point = self.latest.iter().find(|point| point.id == name);
        if described.is_none() && point.is_none() {
            return None;
        }
        let text = |member: &str| described.and_then(|it| it.get(member)).cloned();
        let created = described.and_then(|it| it.get("create_time_ms")).and_then(Json::as_i64);
        let created = created.unwrap_or(device.created_at_ms);
        let mut shown = json!({"id": name, "create_time": clock::without_ms(created, zone)});
        if let Some(members) = shown.as_object_mut() {
            for member in ["unit", "unit_symbol"] {
                members.insert(member.into(), text(member).unwrap_or_else(|| json!("")));
            }
            members.insert("tags".into(), text("tags").unwrap_or_else(|| json!([])));
            if let Some(point) = point.filter(|_| with_value) {
                members.insert("update_at".into(), json!(clock::without_ms(point.at_ms, zone)));
                members.insert("current_value".into(), upload::value(point));
            }
        }
        Some(shown)
    }
}

/// What a device's page shows of its streams.
pub(super) fn described(call: &Call<'_>, grant: &Grant, device: &Device) -> Result<Json, Fault> {
    let streams = Streams::read(call, device)?;
    let shown = streams.names().into_iter().filter_map(|name| streams.shown(grant, device, name, false));
    Ok(shown.collect())
}

pub(super) fn list(call: &Call<'_>, id: &str) -> Reply {
    let grant = grant(call, Need::Read, Some(id))?;
    let device = grant.device(call, id)?;
    let streams = Streams::read(call, &device)?;
    // Applications count on the order they ask in.
    let wanted = call.list("datastream_ids");
    let names: Vec<&str> = match &wanted {
        Some(wanted) => wanted.iter().map(String::as_str).collect(),
        None => streams.names(),
    };
    let shown = names.into_iter().filter_map(|name| streams.shown(&grant, &device, name, true));
    Ok(Answer::Data(shown.collect()))
}

pub(super) fn show(call: &Call<'_>, id: &str, name: &str) -> Reply {
    let grant = grant(call, Need::Read, Some(id))?;
    let device = grant.device(call, id)?;
    let shown = Streams::read(call, &device)?.shown(&grant, &device, name, true);
    shown.map(Answer::Data).ok_or_else(|| Fault::missing(format!("datastream not found: {name}")))
}

/// Takes over what a body says of a stream.
fn describe(stream: &mut Json, members: &Map<String, Json>) {
    if !stream.is_object() {
        *stream = json!({});
    }
    if let Some(stream) = stream.as_object_mut() {
        for name in KEPT {
            stream.extend(members.get(name).map(|value| (name.to_owned(), value.clone())));
        }
    }
}

fn change(
    call: &Call<'_>,
    device: &Device,
    change: impl Fn(&mut Map<String, Json>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    call.change_document(&device.reference(), DOCUMENT, |document| {
        if !document.is_object() {
            *document = json!({});
        }
        document.as_object_mut().map_or(Ok(()), &change)
    })
}

pub(super) fn create(call: &Call<'_>, id: &str) -> Reply {
    let grant = grant(call, Need::Write, Some(id))?;
    let device = grant.device(call, id)?;
    let members = call.object()?;
    let name = text_of(&members, "id").filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| Fault::wrong("id required"))?;
    let now_ms = call.platform.now_ms();
    change(call, &device, |streams| {
        if streams.contains_key(&name) {
            return Err(Fault::exists(format!("datastream exists: {name}")));
        }
        if streams.len() >= STREAMS_MAX {
            return Err(Fault::wrong(format!("a device describes {STREAMS_MAX} data streams at most")));
        }
        let mut stream = json!({"create_time_ms": now_ms});
        describe(&mut stream, &members);
        streams.insert(name.clone(), stream);
        Ok(())
    })?;
    Ok(Answer::Data(json!({"ds_uuid": uuid(&format!("{}\n{name}", device.reference()))})))
}

pub(super) fn update(call: &Call<'_>, id: &str, name: &str) -> Reply {
    let grant = grant(call, Need::Write, Some(id))?;
    let device = grant.device(call, id)?;
    let members = call.object()?;
    if !Streams::read(call, &device)?.names().contains(&name) {
        return Err(Fault::missing(format!("datastream not found: {name}")));
    }
    change(call, &device, |streams| {
        if streams.len() >= STREAMS_MAX && !streams.contains_key(name) {
            return Err(Fault::wrong(format!("a device describes {STREAMS_MAX} data streams at most")));
        }
        describe(streams.entry(name).or_insert(Json::Null), &members);
        Ok(())
    })?;
    Ok(Answer::Done)
}

pub(super) fn delete(call: &Call<'_>, id: &str, name: &str) -> Reply {
    let grant = grant(call, Need::Write, Some(id))?;
    let device = grant.device(call, id)?;
    let streams = Streams::read(call, &device)?;
    if !streams.names().contains(&name) {
        return Err(Fault::missing(format!("datastream not found: {name}")));
    }
    if streams.described.contains_key(name) {
        change(call, &device, |streams| {
            streams.shift_remove(name);
            Ok(())
        })?;
    }
    call.platform.delete_points(&device.reference(), Some(name))?;
    Ok(Answer::Done)
}

/// A name of the form of a UUID (version 8 of RFC 9562) that is always the same for the same text.
pub(super) fn uuid(of: &str) -> String {
    let hex = to_hex(&HashName::Sha256.hmac(b"uuid", of.as_bytes()));
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    format!("{}-{}-8{}-a{}-{}", part(0, 8), part(8, 12), part(13, 16), part(17, 20), part(20, 32))
}

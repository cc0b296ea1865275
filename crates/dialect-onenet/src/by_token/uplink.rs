//! What a message of a device means.

use hexmq_device::json::{JsonErrorKind, Node, parse};
use hexmq_device::{Answered, Ask, Datum, NewPoint, Receipt, Request, Span, Understood, Uplink, UplinkError};
use serde_json::Value as Json;

use super::answer;
use super::params::{self, Notices, Wrong};
use crate::thing;
use crate::topic::{Content, Direction, Entry, System, Topic};

pub(super) fn understand(uplink: &Uplink<'_>) -> Result<Understood, UplinkError> {
    let own = |system: &System<'_>| {
        system.product == uplink.device.product && system.device == uplink.device.device
    };
    let Some(Topic::System(system)) = Topic::parse(uplink.topic) else {
        return Ok(crate::connect::between_devices(uplink));
    };
    let Some(entry) = system.entry.filter(|_| own(&system)) else {
        let mut understood = crate::connect::between_devices(uplink);
        let what = format!("the platform knows no topic {}", uplink.topic);
        understood.notices.push(("topic_unknown", what));
        return Ok(understood);
    };
    if entry.direction == Direction::Down {
        let message = format!("only the platform publishes to {}", entry.path);
        return Err(error("topic_direction", Span::default(), message, Vec::new()));
    }
    match entry.content {
        Content::Raw => Ok(command_answer(uplink, system.identifier.unwrap_or_default())),
        Content::DataPoints => data_points(uplink),
        Content::Reply => thing_answer(uplink, entry),
        Content::Request | Content::Verdict => request(uplink, entry),
    }
}

fn error(
    rule: &'static str,
    span: Span,
    message: String,
    replies: Vec<hexmq_device::Downlink>,
) -> UplinkError {
    UplinkError { rule, offset: span.offset, length: span.length, message, replies }
}

/// The payload as JSON: an object, or nothing can be said about it.
fn object<'a>(uplink: &Uplink<'a>) -> Result<Node<'a>, UplinkError> {
    let root = parse(uplink.payload).map_err(|wrong| {
        let length = usize::from(wrong.kind != JsonErrorKind::Ends);
        error("thing_json", Span::new(wrong.offset, length), format!("not JSON: {wrong}"), Vec::new())
    })?;
    if root.members().is_none() {
        return Err(error("thing_object", root.span, "a JSON object is expected".into(), Vec::new()));
    }
    Ok(root)
}

/// The `id` as it was written, and whether it is of the kind it should be. Nobody can be answered without one.
fn identifier(root: &Node<'_>, is_number: bool, notices: &mut Notices) -> Option<Json> {
    let Some(node) = root.member("id") else {
        notices.push(("thing_id_missing", "no id: there is no answer".into()));
        return None;
    };
    let id = node.to_json();
    match (&id, is_number) {
        (Json::Number(_), false) => notices.push(("thing_id_text", "id is a number, not text".into())),
        (Json::String(_), true) => notices.push(("thing_id_number", "id is text, not a number".into())),
        (Json::Number(_) | Json::String(_), _) => {}
        _ => {
            notices.push(("thing_id_text", "id is neither text nor a number: there is no answer".into()));
            return None;
        }
    }
    Some(id)
}

fn receipt(uplink: &Uplink<'_>, id: Json, form: &'static str) -> Receipt {
    Receipt { topic: uplink.topic.to_owned(), id, form, ..Receipt::default() }
}

fn one(uplink: &Uplink<'_>, ask: Ask, receipt: Option<Receipt>) -> Vec<Request> {
    vec![Request { device: uplink.device.clone(), ask, receipt }]
}

/// `dp/post/json`
fn data_points(uplink: &Uplink<'_>) -> Result<Understood, UplinkError> {
    let mut notices = Vec::new();
    let root = object(uplink)?;
    let id = identifier(&root, true, &mut notices);
    let points = thing::points_of(&root, uplink.payload).map_err(|span| {
        let message = "dp is an object with an array of {\"v\":…,\"t\":…} for each stream".to_owned();
        let rejected =
            id.as_ref().map(|id| answer::verdict(uplink.topic, Some(id), Some("payload is illegal".into())));
        error("thing_data_points", span, message, rejected.into_iter().collect())
    })?;
    let new = |point: &crate::dp::Point<'_>| NewPoint {
        id: point.stream.clone().into_owned(),
        value: Datum::from(&point.value),
        at_ms: point.at.map(|at| at.unix_ms(uplink.product.zone_minutes)),
    };
    let points: Vec<_> = points.iter().map(new).collect();
    Ok(Understood {
        meaning: format!("data points: {} values", points.len()),
        requests: one(
            uplink,
            Ask::Post { points, events: Vec::new() },
            id.map(|id| receipt(uplink, id, answer::DATA_POINTS)),
        ),
        replies: Vec::new(),
        notices,
    })
}

/// `cmd/response/{id}`
fn command_answer(uplink: &Uplink<'_>, id: &str) -> Understood {
    let answered =
        Answered { correlation: id.to_owned(), payload: uplink.payload.to_owned(), code: None, data: None };
    Understood {
        meaning: format!("answer to command {id}, {} bytes", uplink.payload.len()),
        requests: one(uplink, Ask::Answered(answered), Some(receipt(uplink, Json::Null, answer::COMMAND))),
        ..Understood::default()
    }
}

/// `…_reply` of the thing model.
fn thing_answer(uplink: &Uplink<'_>, entry: &Entry) -> Result<Understood, UplinkError> {
    let mut notices = Vec::new();
    let root = object(uplink)?;
    let id = identifier(&root, false, &mut notices);
    let (code, data) = params::verdict(&root);
    let said = code.map_or("without a code".to_owned(), |code| format!("code {code}"));
    let meaning = format!("{}, {said}", entry.name.replace('_', " "));
    // Only the gateway's own book-keeping: nobody waits for it.
    let is_awaited = entry.name != "topology_get_result";
    let correlation = match id {
        Some(Json::String(text)) => Some(text),
        Some(number) => Some(number.to_string()),
        None => None,
    };
    let requests = correlation.filter(|_| is_awaited).map_or_else(Vec::new, |correlation| {
        let payload = uplink.payload.to_owned();
        one(uplink, Ask::Answered(Answered { correlation, payload, code, data }), None)
    });
    Ok(Understood { meaning, requests, replies: Vec::new(), notices })
}

/// A request of the thing model.
fn request(uplink: &Uplink<'_>, entry: &Entry) -> Result<Understood, UplinkError> {
    let mut notices = Vec::new();
    let root = object(uplink)?;
    let id = identifier(&root, false, &mut notices);
    let asked = ask(uplink, entry, &root, &mut notices).map_err(|Wrong { rule, span, message }| {
        let reply = id.as_ref().map(|id| answer::thing(uplink.topic, id, 400, &message, None));
        error(rule, span, message, reply.into_iter().collect())
    })?;
    let (ask, meaning) = asked;
    let form = match ask {
        Ask::SubLogin(_) | Ask::SubLogout(_) => answer::THING_DONE,
        _ => answer::THING,
    };
    Ok(Understood {
        meaning,
        requests: one(uplink, ask, id.map(|id| receipt(uplink, id, form))),
        replies: Vec::new(),
        notices,
    })
}

fn ask(
    uplink: &Uplink<'_>,
    entry: &Entry,
    root: &Node<'_>,
    notices: &mut Notices,
) -> Result<(Ask, String), Wrong> {
    let missing = Wrong {
        rule: "thing_params_missing",
        span: Span::new(root.span.end().saturating_sub(1), 0),
        message: "params is missing".into(),
    };
    let what = entry.name.replace('_', " ");
    let counted = |count: usize, of: &str| format!("{what}: {count} {of}");
    if entry.name == "topology_get" {
        return Ok((Ask::TopologyGet, what));
    }
    let node = root.member("params").ok_or(missing)?;
    let now = uplink.received_at_ms.div_euclid(1000);
    Ok(match entry.name {
        "property_post" => {
            let points = params::points(node, notices)?;
            let meaning = counted(points.len(), "values");
            (Ask::Post { points, events: Vec::new() }, meaning)
        }
        "event_post" => {
            let events = params::events(node, notices)?;
            let meaning = counted(events.len(), "events");
            (Ask::Post { points: Vec::new(), events }, meaning)
        }
        "pack_post" | "history_post" => {
            let reports = params::reports(node, uplink.device, notices)?;
            let meaning = counted(reports.iter().map(|(_, points, _)| points.len()).sum(), "values");
            (Ask::PostAll(reports), meaning)
        }
        "desired_get" => {
            let names = params::names(node)?;
            let meaning = counted(names.len(), "names");
            (Ask::DesiredGet(names), meaning)
        }
        "desired_delete" => {
            let versions = params::versions(node)?;
            let meaning = counted(versions.len(), "names");
            (Ask::DesiredDelete(versions), meaning)
        }
        "sub_login" => (Ask::SubLogin(params::sub_devices(node, now, false)?), what),
        "sub_logout" => (Ask::SubLogout(params::devices(node)?), what),
        "topology_add" => (Ask::TopologyAdd(params::sub_devices(node, now, true)?), what),
        "topology_delete" => (Ask::TopologyDelete(params::devices(node)?), what),
        _ => {
            let payload = uplink.payload.to_owned();
            (Ask::Raw { topic: uplink.topic.to_owned(), payload }, what)
        }
    })
}

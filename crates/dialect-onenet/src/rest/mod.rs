//! The vendor's HTTP API for applications, and what devices call over HTTP, at the vendor's paths.
//!
//! Every answer is HTTP 200 with `{"errno":0,"error":"succ","data":…}`, also one that says that something is
//! wrong: that is how the vendor's clients are written. Who asks is in the header `api-key` (the product's master
//! key, a device's key, or a key of this server) or in `authorization` (a token). Paths such as `/devices` are
//! only taken when one of them is there, so that other faces of the same listener keep them.

mod answer;
mod call;
mod clock;
mod command;
mod device;
mod device_list;
mod grant;
mod key;
mod point;
mod point_query;
mod register;
mod stream;
mod topic;
mod upload;

use hexmq_device::port::{Platform, RestRequest, RestResponse, VendorApi};

use self::answer::{Fault, Reply, response};
use self::call::{Call, segments};

/// China Mobile OneNET's HTTP API.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Api;

impl VendorApi for Api {
    fn answer(&self, request: &RestRequest, platform: &dyn Platform) -> Option<RestResponse> {
        let segments = segments(&request.path)?;
        let path: Vec<&str> = segments.iter().map(String::as_str).collect();
        if !is_ours(&path, request) {
            return None;
        }
        Some(response(route(&Call { request, platform }, &path)))
    }
}

fn is_ours(path: &[&str], request: &RestRequest) -> bool {
    match path {
        // Devices register before they have a key.
        ["register_de"] => true,
        ["devices" | "cmds" | "mqtt" | "bindata" | "keys" | "triggers" | "register_attr", ..]
        | ["v1", "synccmds"] => grant::credential(request).is_some(),
        _ => false,
    }
}

fn route(call: &Call<'_>, path: &[&str]) -> Reply {
    match (call.request.method.as_str(), path) {
        ("POST", ["register_de"]) => register::register(call),
        ("PUT", ["register_attr"]) => register::attributes(call),
        ("POST", ["mqtt", "v1", "devices", "reg"]) => register::by_name(call),
        (_, ["devices", rest @ ..]) => devices(call, rest),
        ("POST", ["cmds"]) => command::send(call),
        ("GET", ["cmds", "history", device]) => command::history(call, device),
        ("GET", ["cmds", id]) => command::status(call, id),
        ("GET", ["cmds", id, "resp"]) => command::reply(call, id),
        ("POST", ["v1", "synccmds"]) => command::send_and_wait(call),
        ("POST", ["mqtt"]) => topic::publish(call),
        ("POST", ["mqtt", "topic"]) => topic::create(call),
        ("GET", ["mqtt", "topic"]) => topic::list(call),
        ("DELETE", ["mqtt", "topic"]) => topic::delete(call),
        ("GET", ["mqtt", "topic_device"]) => topic::subscribers(call),
        ("GET", ["mqtt", "device_topic", device]) => topic::of_device(call, device),
        ("POST", ["bindata"]) => upload::post(call),
        ("GET", ["bindata", index]) => upload::get(call, index),
        ("POST", ["keys"]) => key::create(call),
        ("GET", ["keys"]) => key::list(call),
        // A key that was made elsewhere may have a slash.
        ("PUT", ["keys", key @ ..]) if !key.is_empty() => key::update(call, &key.join("/")),
        ("DELETE", ["keys", key @ ..]) if !key.is_empty() => key::delete(call, &key.join("/")),
        (_, ["triggers", ..]) => {
            Err(Fault::not_offered("triggers are not offered: use webhooks (/api/v1/webhooks)"))
        }
        _ => Err(unknown(call)),
    }
}

fn devices(call: &Call<'_>, path: &[&str]) -> Reply {
    match (call.request.method.as_str(), path) {
        ("POST", []) => device::create(call),
        ("GET", []) => device_list::list(call),
        ("GET", ["status"]) => device_list::status(call),
        ("GET", ["datapoints"]) => device_list::latest(call),
        ("GET", [id]) => device::show(call, id),
        ("PUT", [id]) => device::update(call, id),
        ("DELETE", [id]) => device::delete(call, id),
        ("POST", [id, "datastreams"]) => stream::create(call, id),
        ("GET", [id, "datastreams"]) => stream::list(call, id),
        ("GET", [id, "datastreams", stream]) => stream::show(call, id, stream),
        ("PUT", [id, "datastreams", stream]) => stream::update(call, id, stream),
        ("DELETE", [id, "datastreams", stream]) => stream::delete(call, id, stream),
        ("POST", [id, "datapoints"]) => point::post(call, id),
        ("GET", [id, "datapoints"]) => point_query::list(call, id),
        (_, [_, "lbs", ..]) => Err(Fault::not_offered(
            "positions from WiFi and cells are not offered: post lon and lat as values",
        )),
        _ => Err(unknown(call)),
    }
}

fn unknown(call: &Call<'_>) -> Fault {
    Fault::not_offered(format!("no such call: {} {}", call.request.method, call.request.path))
}

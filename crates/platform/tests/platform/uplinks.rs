//! What devices report.

use hexmq_device::port::{Platform, TimeQuery};
use hexmq_device::{Datum, DialectName, Validation};
use serde_json::json;

use crate::world::{NOW_MS, World, product, settings};

#[test]
fn values_are_kept_shown_and_told_and_their_uplink_is_done() {
    let world = World::new();
    let (number, device) = world.plain();
    let time = NOW_MS - 1000;
    let body = json!({"temperature": 21.5, "on": true, "old": {"value": 1, "time": time}}).to_string();
    let place = world.send(number, "d", "devices/d/properties", body.as_bytes());
    world.settle();
    let latest = world.cloud.latest(&device).unwrap();
    let value = |id: &str| latest.iter().find(|point| point.id == id).cloned().unwrap();
    assert_eq!(value("temperature").value, Datum::Real(21.5));
    assert_eq!(value("temperature").at_ms, NOW_MS);
    assert_eq!(value("on").value, Datum::Boolean(true));
    assert_eq!((value("old").at_ms, value("old").received_at_ms), (time, NOW_MS));
    world.fleet.until("the shard hears", |ships| ships.done.get("inbox-0") == Some(&place));
    let told = world.fleet.told("$hexmq/p/d/properties");
    assert_eq!(told.len(), 2, "one message for each time: {told:?}");
    assert_eq!(told[0]["values"], json!({"temperature": 21.5, "on": true}));
    assert_eq!(told[0]["at"], "2026-11-23T00:00:00.000Z");
    assert_eq!(told[1]["at"], "2026-11-22T23:59:59.000Z");
    let stages = world.stages(&device);
    assert_eq!(stages, ["connected", "received", "understood", "stored"]);
    let gauges = world.cloud.gauges();
    assert_eq!((gauges.uplinks, gauges.points, gauges.backlog, gauges.devices_online), (1, 3, 0, 1));
}

#[test]
fn events_are_kept_and_told() {
    let world = World::new();
    let (number, device) = world.plain();
    world.send(number, "d", "devices/d/events/alarm", br#"{"code":3}"#);
    world.settle();
    let query = TimeQuery { product: device.product.clone(), ..TimeQuery::default() };
    let events = world.cloud.events(&query).unwrap().items;
    assert_eq!((events.len(), &*events[0].id, &events[0].params), (1, "alarm", &json!({"code": 3})));
    assert_eq!(world.fleet.told("$hexmq/p/d/events/alarm")[0]["params"], json!({"code": 3}));
}

#[test]
fn what_is_not_understood_is_told_with_its_byte_and_done() {
    let world = World::new();
    let (number, device) = world.plain();
    let place = world.send(number, "d", "devices/d/properties", br#"{"a":1,}"#);
    world.settle();
    world.fleet.until("the shard hears", |ships| ships.done.get("inbox-0") == Some(&place));
    let line =
        world.store.look(|store| store.log.iter().find(|line| line.stage == "refused").cloned()).unwrap();
    assert_eq!(line.bytes, br#"{"a":1,}"#);
    assert_eq!(line.error.as_deref(), Some("json at byte 7: this is no JSON"));
    let (_, _, reply, _) = world.fleet.look(|ships| ships.sent.last().cloned()).unwrap();
    assert_eq!(reply.topic, "devices/d/errors");
    assert_eq!(world.stages(&device).last(), Some(&"replied"));
    assert_eq!(world.cloud.gauges().uplinks_refused, 1);
}

#[test]
fn a_place_is_kept_once_whatever_is_handed_up_again() {
    let world = World::new();
    let (number, device) = world.plain();
    for place in 1..=5 {
        let body = json!({"n": place}).to_string();
        world.cloud.uplinks(vec![world.handed(place, number, "d", "devices/d/properties", body.as_bytes())]);
    }
    world.settle();
    world.cloud.stop();
    // The shard has not heard, and hands up everything again to the next platform.
    let next = World::over(world.store.clone(), Default::default(), settings());
    for place in 2..=7 {
        let body = json!({"n": place}).to_string();
        next.cloud.uplinks(vec![next.handed(place, number, "d", "devices/d/properties", body.as_bytes())]);
    }
    next.settle();
    let kept =
        next.store.look(|store| store.points.iter().map(|point| point.value.clone()).collect::<Vec<_>>());
    assert_eq!(kept, (1..=7).map(Datum::Integer).collect::<Vec<_>>());
    next.fleet.until("the shard hears", |ships| ships.done.get("inbox-0") == Some(&7));
    assert_eq!(next.cloud.latest(&device).unwrap()[0].value, Datum::Integer(7));
}

/// After a restart a shard has older inboxes and a new one: whatever lanes they are read in, order is kept.
#[test]
fn an_inbox_is_read_after_those_that_came_before_it() {
    let world = World::new();
    let (number, device) = world.plain();
    let mut count = 0;
    for inbox in 0..20 {
        let uplinks = (1..=25).map(|place| {
            count += 1;
            let body = json!({"n": count}).to_string();
            let handed = world.handed(place, number, "d", "devices/d/properties", body.as_bytes());
            hexmq_platform::Handed { inbox: format!("inbox-{inbox}").into(), ..handed }
        });
        world.cloud.uplinks(uplinks.collect());
    }
    world.settle();
    let kept =
        world.store.look(|store| store.points.iter().map(|point| point.value.clone()).collect::<Vec<_>>());
    assert_eq!(kept, (1..=500).map(Datum::Integer).collect::<Vec<_>>());
    assert_eq!(world.cloud.latest(&device).unwrap()[0].value, Datum::Integer(500));
}

#[test]
fn a_value_no_data_base_takes_is_given_up_alone() {
    let world = World::new();
    let (number, _) = world.plain();
    world.send(number, "d", "devices/d/properties", br#"{"a":1}"#);
    world.send(number, "d", "devices/d/properties", br#"{"poison":1}"#);
    let last = world.send(number, "d", "devices/d/properties", br#"{"b":1}"#);
    world.settle();
    let ids = world.store.look(|store| store.points.iter().map(|point| point.id.clone()).collect::<Vec<_>>());
    assert_eq!(ids, ["a", "b"]);
    world.fleet.until("the shard hears", |ships| ships.done.get("inbox-0") == Some(&last));
    assert_eq!(world.cloud.gauges().backlog, 0);
}

#[test]
fn rows_are_written_in_groups() {
    let world = World::new();
    let (number, _) = world.plain();
    let uplinks =
        (1..=5000).map(|place| world.handed(place, number, "d", "devices/d/properties", br#"{"n":1}"#));
    world.cloud.uplinks(uplinks.collect());
    world.settle();
    let (points, batches) = world.store.look(|store| (store.points.len(), store.batches.clone()));
    assert_eq!(points, 5000);
    assert!(batches.len() < 1000, "{} batches", batches.len());
    assert!(batches.iter().all(|rows| *rows < 2100), "{batches:?}");
}

#[test]
fn a_model_refuses_reports_or_says_nothing() {
    let world = World::new();
    let (number, device) = world.plain();
    let tsl = json!({
        "properties": [{"identifier": "level", "accessMode": "r", "dataType": {"type": "int", "specs": {"min": "0", "max": "9"}}}],
        "events": [{"identifier": "alarm", "outputData": []}],
        "services": [{"identifier": "boot", "inputData": [{"identifier": "in", "required": true, "dataType": {"type": "int", "specs": {}}}]}],
    });
    world.cloud.set_model("p", Some(tsl.clone())).unwrap();
    assert_eq!(world.cloud.model("p").unwrap(), Some(tsl));
    let kept = |world: &World| world.store.look(|store| store.points.len());
    world.send(number, "d", "devices/d/properties", br#"{"level":10}"#);
    let stages = world.stages(&device);
    assert!(stages.contains(&"model") && stages.contains(&"stored"), "{stages:?}");
    assert_eq!(kept(&world), 1);

    let number_before = world.cloud.product("p").unwrap().number;
    let refusing =
        hexmq_device::Product { validation: Validation::Refuse, ..product("p", DialectName::Plain) };
    assert_eq!(world.cloud.update_product(refusing).unwrap().number, number_before);
    world.send(number, "d", "devices/d/properties", br#"{"level":11,"other":1}"#);
    world.send(number, "d", "devices/d/properties", br#"{"level":9}"#);
    world.settle();
    assert_eq!(kept(&world), 2);
    let (_, _, reply, _) = world.fleet.look(|ships| ships.sent.last().cloned()).unwrap();
    let told = String::from_utf8(reply.payload).unwrap();
    assert!(reply.topic == "devices/d/errors" && told.contains("level") && told.contains("other"), "{told}");

    let boot = |params| hexmq_device::Order::Invoke { service: "boot".to_owned(), params, sync: false };
    let refused = world.cloud.command(&device, crate::world::command(boot(json!({})), 10)).unwrap_err();
    assert_eq!((refused.code, &*refused.message), ("model_fault", "boot.in: it is required and missing"));
    world.cloud.command(&device, crate::world::command(boot(json!({"in": 1})), 10)).unwrap();
    let bad = world.cloud.set_model("p", Some(json!({"properties": [{"identifier": "x"}]}))).unwrap_err();
    assert!(bad.message.contains("properties[0].dataType"), "{}", bad.message);
}

#[test]
fn a_draft_is_learnt_and_survives_a_restart() {
    let world = World::new();
    let (number, _) = world.plain();
    for at in 0..60 {
        let body = json!({"temperature": f64::from(at) + 0.5, "on": at % 2, "name": "x"}).to_string();
        world.send(number, "d", "devices/d/properties", body.as_bytes());
    }
    world.send(number, "d", "devices/d/events/alarm", br#"{"code":3}"#);
    world.settle();
    let draft = world.cloud.draft_model("p").unwrap();
    hexmq_device::model::Model::parse(&draft).unwrap();
    let kind = |id: &str| {
        let list = draft["properties"].as_array().unwrap();
        list.iter().find(|property| property["identifier"] == id).unwrap()["dataType"]["type"].clone()
    };
    assert_eq!(
        (kind("temperature"), kind("on"), kind("name")),
        (json!("double"), json!("bool"), json!("text"))
    );
    assert_eq!(draft["events"][0]["outputData"][0]["identifier"], "code");
    world.cloud.stop();
    let next = World::over(world.store.clone(), Default::default(), settings());
    assert_eq!(next.cloud.draft_model("p").unwrap(), draft);
}

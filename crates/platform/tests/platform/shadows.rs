//! Shadows, desired values, tags, files and configurations.

use hexmq_device::port::Platform;
use hexmq_device::{Datum, DeviceRef, DialectName, Order};
use serde_json::{Value as Json, json};

use crate::world::World;

const KEY: &str = "a1TestPk001";

fn aliyun() -> (World, u32, DeviceRef) {
    let world = World::new();
    let number = world.product(KEY, DialectName::Aliyun);
    let device = world.device(KEY, "d", "secret");
    world.come(number, "d");
    (world, number, device)
}

fn ask(world: &World, number: u32, topic: &str, body: &Json) -> Json {
    let before = world.fleet.look(|ships| ships.sent.len());
    world.send(number, "d", topic, body.to_string().as_bytes());
    world.fleet.until("it is answered", |ships| ships.sent.len() > before);
    let payload = world.fleet.look(|ships| ships.sent[before].2.payload.clone());
    serde_json::from_slice(&payload).unwrap()
}

#[test]
fn a_shadow_is_reported_desired_and_shown() {
    let (world, number, device) = aliyun();
    let update = format!("/shadow/update/{KEY}/d");
    let body = json!({"method": "update", "state": {"reported": {"color": "red"}}, "version": 1});
    assert_eq!(ask(&world, number, &update, &body)["payload"]["status"], "success");
    assert_eq!(ask(&world, number, &update, &body)["payload"]["status"], "error", "the version is old");
    world
        .cloud
        .set_desired(&device, vec![("color".to_owned(), Some(Datum::Text("blue".to_owned())))])
        .unwrap();
    let (_, _, control, _) = world.fleet.look(|ships| ships.sent.last().cloned()).unwrap();
    assert_eq!(control.topic, format!("/shadow/get/{KEY}/d"));
    let shadow = world.cloud.shadow(&device).unwrap();
    assert_eq!(shadow.reported["color"].0, "red");
    assert_eq!(shadow.desired["color"].0, "blue");
    let got = ask(&world, number, &update, &json!({"method": "get"}));
    assert_eq!(got["payload"]["state"]["desired"]["color"], "blue");
}

#[test]
fn desired_values_have_versions_and_are_told() {
    let (world, number, device) = aliyun();
    let desire = |value| world.cloud.set_desired(&device, vec![("power".to_owned(), value)]).unwrap();
    desire(Some(Datum::Integer(1)));
    desire(Some(Datum::Integer(2)));
    let (_, _, set, _) = world.fleet.look(|ships| ships.sent.last().cloned()).unwrap();
    assert_eq!(set.topic, format!("/sys/{KEY}/d/thing/service/property/set"));
    let topic = format!("/sys/{KEY}/d/thing/property/desired/get");
    let answer = ask(&world, number, &topic, &json!({"id": "1", "params": ["power"]}));
    assert_eq!(answer["data"]["power"], json!({"value": 2, "version": 2}));
    let topic = format!("/sys/{KEY}/d/thing/property/desired/delete");
    ask(&world, number, &topic, &json!({"id": "2", "params": {"power": {"version": 1}}}));
    assert_eq!(world.cloud.desired(&device).unwrap().len(), 1, "it is another version by now");
    ask(&world, number, &topic, &json!({"id": "3", "params": {"power": {"version": 2}}}));
    assert!(world.cloud.desired(&device).unwrap().is_empty());
    desire(Some(Datum::Integer(3)));
    assert_eq!(world.cloud.desired(&device).unwrap()["power"].version, 3, "versions go on");
}

#[test]
fn a_shadow_without_one_is_what_was_reported_last() {
    let world = World::new();
    let (number, device) = world.plain();
    world.send(number, "d", "devices/d/properties", br#"{"on":1}"#);
    world.settle();
    world.cloud.set_desired(&device, vec![("on".to_owned(), Some(Datum::Integer(0)))]).unwrap();
    let shadow = world.cloud.shadow(&device).unwrap();
    assert_eq!((&shadow.reported["on"].0, &shadow.desired["on"].0), (&json!(1), &json!(0)));
    let (_, _, told, _) = world.fleet.look(|ships| ships.sent.last().cloned()).unwrap();
    assert_eq!(told.topic, "devices/d/desired");
}

#[test]
fn a_device_sets_and_removes_its_tags() {
    let (world, number, device) = aliyun();
    let topic = format!("/sys/{KEY}/d/thing/deviceinfo/update");
    let tags = json!({"id": "1", "params": [{"attrKey": "room", "attrValue": "7"}, {"attrKey": "x", "attrValue": "y"}]});
    assert_eq!(ask(&world, number, &topic, &tags)["code"], 200);
    let topic = format!("/sys/{KEY}/d/thing/deviceinfo/delete");
    ask(&world, number, &topic, &json!({"id": "2", "params": [{"attrKey": "x"}]}));
    let tags = world.cloud.device(&device).unwrap().tags;
    assert_eq!(tags.into_iter().collect::<Vec<_>>(), [("room".to_owned(), "7".to_owned())]);
}

#[test]
fn firmware_is_offered_by_links_that_cannot_be_guessed() {
    let (world, number, device) = aliyun();
    let bytes = vec![7; 1000];
    let offer = world.cloud.add_firmware(KEY, "default", "1.1", &bytes).unwrap();
    assert_eq!((offer.size, offer.md5.len(), offer.sha256.len()), (1000, 32, 64));
    let link = format!("http://cloud.example/files/firmware/{}?token=", offer.id);
    let token = offer.url.strip_prefix(&link).unwrap();
    assert!(world.cloud.may_fetch("firmware", &offer.id, token));
    assert!(!world.cloud.may_fetch("config", &offer.id, token));
    assert!(!world.cloud.may_fetch("firmware", &offer.id, &token[1..]));
    assert!(!world.cloud.may_fetch("firmware", &offer.id, ""));
    assert_eq!(world.cloud.blob("firmware", &offer.id, 0, 4096).unwrap().unwrap().0, bytes);
    let twice = world.cloud.add_firmware(KEY, "default", "1.1", b"x").unwrap_err();
    assert_eq!(twice.code, "firmware_exists");

    world.cloud.offer_firmware(&device, &offer.id).unwrap();
    let (_, _, told, _) = world.fleet.look(|ships| ships.sent.last().cloned()).unwrap();
    assert_eq!(told.topic, format!("/ota/device/upgrade/{KEY}/d"));
    let get = format!("/sys/{KEY}/d/thing/ota/firmware/get");
    let answer = ask(&world, number, &get, &json!({"id": "1", "params": {}}));
    assert_eq!(answer["data"]["version"], "1.1", "{answer}");
    let inform = format!("/ota/device/inform/{KEY}/d");
    world.send(number, "d", &inform, br#"{"id":"1","params":{"version":"1.1"}}"#);
    world.settle();
    let answer = ask(&world, number, &get, &json!({"id": "2", "params": {}}));
    assert_ne!(answer["data"]["version"], "1.1", "it runs that by now");
    // The links are the same after a restart.
    world.cloud.stop();
    let next = World::over(world.store.clone(), Default::default(), crate::world::settings());
    assert!(next.cloud.may_fetch("firmware", &offer.id, token));
    next.cloud.delete_firmware(KEY, &offer.id).unwrap();
    assert!(next.cloud.firmware(KEY).unwrap().is_empty());
    assert_eq!(next.cloud.blob("firmware", &offer.id, 0, 1).unwrap(), None);
}

#[test]
fn a_configuration_is_a_file_too() {
    let (world, number, _) = aliyun();
    let owner = DeviceRef::new(KEY, "");
    world.cloud.put_document(&owner, "config", Some(r#"{"interval":5}"#), None).unwrap();
    let topic = format!("/sys/{KEY}/d/thing/config/get");
    let answer = ask(
        &world,
        number,
        &topic,
        &json!({"id": "1", "params": {"configScope": "product", "getType": "file"}}),
    );
    let url = answer["data"]["url"].as_str().unwrap();
    let rest = url.strip_prefix("http://cloud.example/files/config/").unwrap();
    let (id, token) = rest.split_once("?token=").unwrap();
    assert!(world.cloud.may_fetch("config", id, token));
    assert_eq!(world.cloud.blob("config", id, 0, 4096).unwrap().unwrap().0, br#"{"interval":5}"#);
}

#[test]
fn what_only_the_application_understands_is_told_to_it() {
    let (world, number, device) = aliyun();
    world.send(number, "d", &format!("/sys/{KEY}/d/thing/model/up_raw"), &[0x01, 0xFF]);
    world.settle();
    let told = world.fleet.told(&format!("$hexmq/{KEY}/d/messages"));
    assert_eq!(told[0]["payload_hex"], "01ff");
    assert!(world.cloud.order(&device, Order::Raw(vec![1])).is_ok());
}

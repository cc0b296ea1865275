//! Gateways and the devices behind them, in the words of one cloud.

use hexmq_device::mac::{self, HashName};
use hexmq_device::port::Platform;
use hexmq_device::{Device, DeviceRef, DialectName, Order};
use serde_json::{Value as Json, json};

use crate::world::{World, command};

const KEY: &str = "a1TestPk001";

struct Farm {
    world: World,
    number: u32,
    gateway: DeviceRef,
    sub: DeviceRef,
}

fn farm() -> Farm {
    let world = World::new();
    let number = world.product(KEY, DialectName::Aliyun);
    let gateway = world.device(KEY, "gw", "gateway-secret");
    let sub = world.device(KEY, "sub1", "sub-secret");
    world.come(number, "gw");
    Farm { world, number, gateway, sub }
}

impl Farm {
    /// Sends a request of the gateway and returns the answer.
    fn ask(&self, topic: &str, params: &Json) -> Json {
        let before = self.world.fleet.look(|ships| ships.sent.len());
        let body = json!({"id": "7", "version": "1.0", "params": params}).to_string();
        self.world.send(self.number, "gw", topic, body.as_bytes());
        self.world.fleet.until("it is answered", |ships| ships.sent.len() > before);
        let payload = self.world.fleet.look(|ships| ships.sent[before].2.payload.clone());
        serde_json::from_slice(&payload).unwrap()
    }

    fn signed(&self, secret: &str) -> Json {
        let content = format!("clientIdcdeviceNamesub1productKey{KEY}timestamp1");
        let sign = mac::to_hex(&HashName::Sha1.hmac(secret.as_bytes(), content.as_bytes()));
        json!({"productKey": KEY, "deviceName": "sub1", "clientId": "c", "timestamp": "1",
               "signmethod": "hmacSha1", "sign": sign})
    }

    fn bind(&self) {
        let topic = format!("/sys/{KEY}/gw/thing/topo/add");
        assert_eq!(self.ask(&topic, &json!([self.signed("sub-secret")]))["code"], 200);
    }

    fn login(&self) -> Json {
        self.ask(&format!("/ext/session/{KEY}/gw/combine/login"), &self.signed("sub-secret"))
    }
}

#[test]
fn a_device_is_bound_signs_in_speaks_and_is_told_through_its_gateway() {
    let farm = farm();
    let Farm { world, number, gateway, sub } = &farm;
    let topic = format!("/sys/{KEY}/gw/thing/topo/add");
    assert_eq!(farm.ask(&topic, &json!([farm.signed("wrong")]))["code"], 401);
    assert!(world.cloud.topology(gateway).unwrap().is_empty());
    assert_ne!(farm.login()["code"], 200, "it is not bound");
    farm.bind();
    assert_eq!(world.cloud.topology(gateway).unwrap(), std::slice::from_ref(sub));
    assert_eq!(farm.login()["code"], 200);
    assert_eq!(world.status(sub), "online");
    let presence = world.cloud.device(sub).unwrap().presence;
    assert_eq!(presence.peer, Some(format!("gateway {KEY}/gw")));
    let rules = world.fleet.look(|ships| ships.rules[&(*number, "gw".to_owned())].clone());
    assert!(rules.iter().any(|rule| rule.filter.contains("sub1")), "{rules:?}");

    let post = format!("/sys/{KEY}/sub1/thing/event/property/post");
    assert_eq!(farm.ask(&post, &json!({"level": 3}))["code"], 200);
    world.settle();
    assert_eq!(world.cloud.latest(sub).unwrap()[0].id, "level");
    let set = Order::Set(json!({"level": 4}));
    world.cloud.command(sub, command(set, 0)).unwrap();
    let (at, to, sent, _) = world.fleet.look(|ships| ships.sent.last().cloned()).unwrap();
    assert_eq!((at, &*to), (*number, "gw"));
    assert_eq!(sent.topic, format!("/sys/{KEY}/sub1/thing/service/property/set"));

    let logout = format!("/ext/session/{KEY}/gw/combine/logout");
    assert_eq!(farm.ask(&logout, &json!({"productKey": KEY, "deviceName": "sub1"}))["code"], 200);
    world.settle();
    assert_eq!(world.status(sub), "offline");
}

#[test]
fn nobody_speaks_for_a_device_that_is_not_bound_to_it() {
    let farm = farm();
    let other = farm.world.device(KEY, "other", "x");
    let pack = format!("/sys/{KEY}/gw/thing/event/property/pack/post");
    let identity = json!({"productKey": KEY, "deviceName": "other"});
    let params = json!({"properties": {}, "subDevices": [{"identity": identity, "properties": {"level": {"value": 1}}}]});
    let answer = farm.ask(&pack, &params);
    farm.world.settle();
    assert_ne!(answer["code"], 200, "{answer}");
    assert!(farm.world.cloud.latest(&other).unwrap().is_empty());
}

#[test]
fn who_is_behind_a_gateway_goes_with_it() {
    let farm = farm();
    farm.bind();
    farm.login();
    farm.world.go(farm.number, "gw", "keep_alive_timeout");
    farm.world.settle();
    assert_eq!(farm.world.status(&farm.sub), "offline");
    let reason = farm.world.store.look(|store| store.devices[&farm.sub].presence.reason.clone());
    assert_eq!(reason.as_deref(), Some("gateway_gone"));
}

#[test]
fn a_gateway_that_connects_anew_signs_its_devices_in_again() {
    let farm = farm();
    farm.bind();
    farm.login();
    // The end of the old connection is told late.
    farm.world.come(farm.number, "gw");
    farm.world.settle();
    assert_eq!(farm.world.status(&farm.sub), "offline");
    assert_eq!(farm.login()["code"], 200);
    farm.world.cloud.disconnected(farm.number, "gw", "taken_over");
    farm.world.settle();
    assert_eq!(farm.world.status(&farm.sub), "online");
}

#[test]
fn unbinding_disabling_and_removing_end_it() {
    let farm = farm();
    let Farm { world, gateway, sub, .. } = &farm;
    farm.bind();
    farm.login();
    let stored = world.cloud.device(sub).unwrap();
    world.cloud.update_device(Device { disabled: true, ..stored.clone() }).unwrap();
    assert_eq!(world.status(sub), "disabled");
    let (_, to, told, _) = world.fleet.look(|ships| ships.sent.last().cloned()).unwrap();
    assert_eq!((&*to, &*told.topic), ("gw", "/ext/error/a1TestPk001/gw"));
    assert_ne!(farm.login()["code"], 200, "it is disabled");
    world.cloud.update_device(Device { disabled: false, ..stored }).unwrap();
    assert_eq!(farm.login()["code"], 200);
    world.cloud.change_topology(gateway, &[], std::slice::from_ref(sub)).unwrap();
    world.settle();
    assert_eq!(world.status(sub), "offline");
    assert_ne!(farm.login()["code"], 200, "it is not bound any more");
    world.cloud.change_topology(gateway, std::slice::from_ref(sub), &[]).unwrap();
    world.cloud.delete_device(gateway).unwrap();
    let second = world.device(KEY, "gw2", "x");
    world.cloud.change_topology(&second, std::slice::from_ref(sub), &[]).unwrap();
    let third = world.device(KEY, "gw3", "x");
    let taken = world.cloud.change_topology(&third, std::slice::from_ref(sub), &[]).unwrap_err();
    assert_eq!(taken.code, "bound_elsewhere");
    let own = world.cloud.change_topology(&third, std::slice::from_ref(&third), &[]).unwrap_err();
    assert_eq!(own.code, "own_gateway");
}

#[test]
fn a_gateway_registers_devices() {
    let farm = farm();
    let register = format!("/sys/{KEY}/gw/thing/sub/register");
    let answer = farm.ask(&register, &json!([{"productKey": KEY, "deviceName": "fresh"}]));
    assert_eq!(answer["code"], 200, "{answer}");
    let secret = answer["data"][0]["deviceSecret"].as_str().unwrap();
    let stored = farm.world.cloud.device(&DeviceRef::new(KEY, "fresh")).unwrap();
    assert_eq!(stored.secret.unwrap().0, secret);
}

//! Products, devices and keys, and the real data base.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use hexmq_device::port::{DeviceQuery, Platform, TimeQuery};
use hexmq_device::{ApiKey, CommandState, DialectName, Order, Plain, Product, Scope};
use hexmq_platform::{Cloud, Setup};
use hexmq_registry::Location;

use crate::fleet::Ships;
use crate::world::{NOW_MS, World, command, device, product, settings, sign_in};

#[test]
fn products_are_made_changed_and_removed() {
    let world = World::new();
    let made =
        world.cloud.create_product(Product { id: String::new(), ..product("", DialectName::Plain) }).unwrap();
    assert_eq!(made.id.len(), 12);
    let bad = world.cloud.create_product(product("a b", DialectName::Plain)).unwrap_err();
    assert_eq!(bad.code, "bad_id");
    assert_eq!(world.cloud.create_product(made.clone()).unwrap_err().code, "product_exists");
    let other = Product { dialect: DialectName::Aliyun, ..made.clone() };
    assert_eq!(world.cloud.update_product(other).unwrap_err().code, "dialect_fixed");
    let number = made.number;
    let reference = world.device(&made.id, "d", "secret");
    world.come(number, "d");
    world.cloud.delete_product(&made.id).unwrap();
    assert_eq!(world.cloud.product(&made.id).unwrap_err().code, "unknown_product");
    assert!(world.fleet.look(|ships| ships.disconnected.contains(&(number, "d".to_owned(), true))));
    assert_eq!(world.cloud.claim(&sign_in("d", &made.id, "secret")), None);
    assert_eq!(world.cloud.device(&reference).unwrap_err().code, "unknown_device");
    // What is still on its way is done with, and leaves nothing.
    let place = world.send(number, "d", "devices/d/properties", br#"{"n":1}"#);
    world.fleet.until("it is done", |ships| ships.done.get("inbox-0") == Some(&place));
    assert_eq!(world.store.look(|store| store.points.len()), 0);
    assert_eq!(world.cloud.gauges().devices_online, 0);
}

#[test]
fn devices_are_created_each_by_itself() {
    let world = World::new();
    world.product("p", DialectName::Plain);
    let wanted =
        vec![device("p", "a", ""), device("p", "b c", ""), device("q", "d", ""), device("p", "a", "")];
    let made = world.cloud.create_devices(wanted).unwrap();
    let codes: Vec<_> =
        made.iter().map(|made| made.as_ref().map(|_| "made").unwrap_or_else(|error| error.code)).collect();
    assert_eq!(codes, ["made", "bad_id", "unknown_product", "device_exists"]);
    let first = made.into_iter().next().unwrap().unwrap();
    assert_eq!((first.secret.unwrap().0.len(), &*first.name, first.created_at_ms), (32, "a", NOW_MS));
}

#[test]
fn keys_are_shown_once_and_expire() {
    let world = World::new();
    let key = ApiKey {
        id: String::new(),
        name: "app".to_owned(),
        sha256: String::new(),
        scopes: vec![Scope::Read],
        product: None,
        device: None,
        created_at_ms: 0,
        expires_at_ms: Some(NOW_MS + 1000),
    };
    let (made, letters) = world.cloud.create_key(key.clone()).unwrap();
    assert_eq!(world.cloud.key(&letters).unwrap().as_ref(), Some(&made));
    assert!(!made.sha256.contains(&letters) && letters.len() == 70);
    assert_eq!(world.cloud.key(&letters[1..]).unwrap(), None);
    assert_eq!(world.cloud.key(&made.sha256).unwrap(), None);
    world.clock.fetch_add(1001, Ordering::SeqCst);
    assert_eq!(world.cloud.key(&letters).unwrap(), None);
    world.cloud.delete_key(&made.id).unwrap();
    assert!(world.cloud.keys().unwrap().is_empty());
    assert_eq!(world.cloud.create_key(ApiKey { scopes: vec![], ..key }).unwrap_err().code, "no_scopes");
}

/// The whole way once over the data base that people use.
#[test]
fn the_real_data_base_agrees() {
    let database = hexmq_registry::open(&Location::Memory).unwrap();
    let fleet = Arc::new(Ships::default());
    let cloud = Cloud::start(Setup {
        registry: database.registry,
        history: database.history,
        dialects: vec![Arc::new(Plain)],
        clock: Arc::new(|| NOW_MS),
        settings: settings(),
    })
    .unwrap();
    cloud.attach(Arc::clone(&fleet) as _);
    let number = cloud.create_product(product("p", DialectName::Plain)).unwrap().number;
    let made = cloud.create_devices(vec![device("p", "d", "secret")]).unwrap().remove(0).unwrap();
    let reference = made.reference();
    let claimed = cloud.claim(&sign_in("d", "p", "secret")).unwrap();
    cloud.admit(&sign_in("d", "p", "secret"), &claimed).unwrap();
    let waiting = cloud.command(&reference, command(Order::Raw(b"x".to_vec()), 60)).unwrap();
    assert_eq!(waiting.state, CommandState::Created);
    fleet.set_here(number, "d", true);
    cloud.connected(number, "d", "127.0.0.1:1");
    fleet.until("the command is sent", |ships| ships.sent.len() == 1);
    let handed = |place: u64, topic: &str, payload: &[u8]| hexmq_platform::Handed {
        inbox: "inbox-0".into(),
        place,
        number,
        device: "d".into(),
        topic: topic.into(),
        payload: payload.into(),
        qos: 1,
        received_at_ms: NOW_MS,
    };
    let reply = format!("devices/d/commands/{}/reply", waiting.id);
    cloud.uplinks(vec![
        handed(1, "devices/d/properties", br#"{"t":1.5,"s":"x"}"#),
        handed(2, &reply, b"done"),
        handed(3, "devices/d/events/alarm", b"{}"),
    ]);
    assert_eq!(cloud.wait_for(&waiting.id, 20_000).unwrap().state, CommandState::Answered);
    assert!(cloud.settle(std::time::Duration::from_secs(20)));
    let latest = cloud.latest(&reference).unwrap();
    assert_eq!(latest.iter().map(|point| &*point.id).collect::<Vec<_>>(), ["s", "t"]);
    let page = hexmq_device::port::PageAsk { limit: 100, cursor: None };
    let query = TimeQuery {
        product: "p".to_owned(),
        device: Some("d".to_owned()),
        page: page.clone(),
        ..TimeQuery::default()
    };
    assert_eq!(cloud.events(&query).unwrap().items.len(), 1);
    let stored = cloud.commands(&query).unwrap().items;
    assert_eq!((stored.len(), stored[0].reply.as_deref()), (1, Some(&b"done"[..])));
    assert!(cloud.log(&query).unwrap().items.len() >= 8);
    let online = DeviceQuery { status: Some("online".to_owned()), page, ..DeviceQuery::default() };
    assert_eq!(cloud.devices(&online).unwrap().items.len(), 1);
    fleet.until("the shard hears", |ships| ships.done.get("inbox-0") == Some(&3));
    cloud.delete_device(&reference).unwrap();
    cloud.stop();
}

//! Products and devices.

use std::collections::BTreeMap;

use hexmq_device::port::{DeviceQuery, PageAsk, PortErrorKind};
use hexmq_device::{
    Batch, Device, DeviceRef, DialectName, Presence, PresenceChange, Product, Secret, Validation,
};
use hexmq_registry::Database;
use serde_json::json;

use crate::make::{NOW, add, device, of, product, refused, register};

pub(crate) fn products(database: &Database) {
    let registry = &database.registry;
    assert_eq!(registry.products().unwrap(), vec![]);
    let whole = Product {
        name: "温度 'quoted' \"twice\"".to_owned(),
        dialect: DialectName::OnenetToken,
        secret: Some(Secret("s".to_owned())),
        zone_minutes: -570,
        validation: Validation::Refuse,
        dynamic_registration: true,
        history_days: Some(30),
        switches: BTreeMap::from([("quirk".to_owned(), false)]),
        ..product("b")
    };
    let made = registry.create_product(&whole).unwrap();
    assert_eq!(made, Product { number: 1, ..whole });
    let second = registry.create_product(&product("a")).unwrap();
    assert_eq!(second.number, 2);
    assert_eq!(registry.products().unwrap(), vec![second.clone(), made.clone()]);

    refused(registry.create_product(&product("a")), PortErrorKind::Conflict, "product_exists");
    refused(registry.create_product(&product("a/b")), PortErrorKind::Invalid, "bad_id");
    refused(registry.update_product(&product("c")), PortErrorKind::NotFound, "unknown_product");
    refused(registry.delete_product("c"), PortErrorKind::NotFound, "unknown_product");

    // What cannot be changed is not.
    let changed = Product { dialect: DialectName::Aliyun, number: 77, created_at_ms: 1, ..product("b") };
    registry.update_product(&changed).unwrap();
    let kept = Product { number: 1, dialect: DialectName::OnenetToken, ..product("b") };
    assert_eq!(registry.products().unwrap(), vec![second, kept]);
}

pub(crate) fn numbers_are_not_given_again(database: &Database) {
    let registry = &database.registry;
    for number in 1..=3 {
        assert_eq!(registry.create_product(&product("p")).unwrap().number, number);
        registry.delete_product("p").unwrap();
    }
    assert_eq!(registry.products().unwrap(), vec![]);
}

pub(crate) fn devices(database: &Database) {
    let registry = &database.registry;
    register(database, &[]);
    let whole = Device {
        name: "设备".to_owned(),
        password: Some(Secret("lost and found".to_owned())),
        tags: BTreeMap::from([("floor".to_owned(), "3".to_owned()), ("old".to_owned(), String::new())]),
        activated_at_ms: Some(5),
        extra: json!({"sn": "42", "where": [1, 2.5]}),
        ..device("p", "d:1@x")
    };
    assert_eq!(registry.create_devices(std::slice::from_ref(&whole)).unwrap(), vec![Ok(())]);
    assert_eq!(registry.device(&of("d:1@x")).unwrap(), Some(whole.clone()));
    assert_eq!(registry.device(&of("other")).unwrap(), None);
    assert_eq!(registry.device(&DeviceRef::new("none", "d:1@x")).unwrap(), None);

    let changed = Device {
        name: "new".to_owned(),
        secret: None,
        disabled: true,
        tags: BTreeMap::from([("floor".to_owned(), "4".to_owned())]),
        created_at_ms: 1,
        presence: Presence { online: true, since_ms: Some(1), reason: None, peer: None },
        ..whole.clone()
    };
    registry.update_device(&changed).unwrap();
    let kept = Device { created_at_ms: NOW, presence: Presence::default(), ..changed };
    assert_eq!(registry.device(&of("d:1@x")).unwrap(), Some(kept));
    let by = |floor: &str| DeviceQuery {
        tag: Some(("floor".to_owned(), Some(floor.to_owned()))),
        ..DeviceQuery::default()
    };
    assert_eq!(registry.count_devices(&by("3")).unwrap(), 0);
    assert_eq!(registry.count_devices(&by("4")).unwrap(), 1);

    refused(registry.update_device(&device("p", "other")), PortErrorKind::NotFound, "unknown_device");
    refused(registry.delete_device(&of("other")), PortErrorKind::NotFound, "unknown_device");
    registry.delete_device(&of("d:1@x")).unwrap();
    assert_eq!(registry.device(&of("d:1@x")).unwrap(), None);
    assert_eq!(registry.count_devices(&by("4")).unwrap(), 0);
}

pub(crate) fn each_by_itself(database: &Database) {
    let registry = &database.registry;
    register(database, &["taken"]);
    let lines = [
        device("p", "first"),
        device("p", "taken"),
        device("none", "x"),
        device("p", "bad id"),
        device("p", "first"),
        device("p", "last"),
    ];
    let results = registry.create_devices(&lines).unwrap();
    let codes: Vec<Option<&str>> =
        results.iter().map(|result| result.as_ref().err().map(|error| error.code)).collect();
    let expected =
        [None, Some("device_exists"), Some("unknown_product"), Some("bad_id"), Some("device_exists"), None];
    assert_eq!(codes, expected);
    assert_eq!(registry.count_devices(&DeviceQuery::default()).unwrap(), 3);
    // More than are registered in one transaction.
    let many: Vec<Device> = (0..2_345).map(|number| device("p", &format!("m{number}"))).collect();
    assert!(registry.create_devices(&many).unwrap().iter().all(Result::is_ok));
    assert_eq!(registry.count_devices(&DeviceQuery::default()).unwrap(), 2_348);
}

fn ids(database: &Database, query: &DeviceQuery) -> Vec<String> {
    let page = database.registry.devices(query).unwrap();
    assert_eq!(page.next, None);
    assert_eq!(database.registry.count_devices(query).unwrap(), page.items.len() as u64);
    page.items.into_iter().map(|device| device.id).collect()
}

pub(crate) fn queries(database: &Database) {
    let registry = &database.registry;
    register(database, &[]);
    let tags = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    let devices = [
        Device {
            name: "Hall".into(),
            tags: tags(&[("floor", "1"), ("kind", "lamp")]),
            ..device("p", "AA:1")
        },
        Device {
            name: "100%".into(),
            tags: tags(&[("floor", "2")]),
            created_at_ms: NOW + 1,
            ..device("p", "B_2")
        },
        Device {
            disabled: true,
            tags: tags(&[("floor", "1")]),
            created_at_ms: NOW + 2,
            ..device("p", "b-3")
        },
        Device { created_at_ms: NOW + 3, ..device("p", "c") },
    ];
    registry.create_devices(&devices).unwrap();
    let presence = |id: &str, online| PresenceChange {
        device: of(id),
        presence: Presence { online, since_ms: Some(NOW), reason: None, peer: None },
    };
    let changes = vec![presence("AA:1", true), presence("B_2", false), presence("b-3", true)];
    database.history.keep(&Batch { presence: changes, ..Batch::default() }).unwrap();

    let all = || DeviceQuery { product: Some("p".to_owned()), ..DeviceQuery::default() };
    // In the order of bytes: upper case first.
    assert_eq!(ids(database, &all()), ["AA:1", "B_2", "b-3", "c"]);
    let text = |text: &str| DeviceQuery { text: Some(text.to_owned()), ..all() };
    assert_eq!(ids(database, &text("aa")), ["AA:1"]);
    assert_eq!(ids(database, &text("HALL")), ["AA:1"]);
    assert_eq!(ids(database, &text("_")), ["B_2"]);
    assert_eq!(ids(database, &text("%")), ["B_2"]);
    assert_eq!(ids(database, &text("!")), [""; 0]);
    assert_eq!(ids(database, &text("b")), ["B_2", "b-3"]);
    let tag = |name: &str, value: Option<&str>| DeviceQuery {
        tag: Some((name.to_owned(), value.map(str::to_owned))),
        ..all()
    };
    assert_eq!(ids(database, &tag("floor", None)), ["AA:1", "B_2", "b-3"]);
    assert_eq!(ids(database, &tag("floor", Some("1"))), ["AA:1", "b-3"]);
    assert_eq!(ids(database, &tag("kind", Some("1"))), [""; 0]);
    for (status, expected) in [("online", "AA:1"), ("offline", "B_2"), ("disabled", "b-3"), ("never", "c")] {
        assert_eq!(ids(database, &DeviceQuery { status: Some(status.to_owned()), ..all() }), [expected]);
    }
    let some = ["c", "AA:1", "none"].map(str::to_owned).to_vec();
    assert_eq!(ids(database, &DeviceQuery { ids: Some(some), ..all() }), ["AA:1", "c"]);
    assert_eq!(ids(database, &DeviceQuery { ids: Some(vec![]), ..all() }), [""; 0]);
    let between = DeviceQuery { created_from_ms: Some(NOW + 1), created_to_ms: Some(NOW + 3), ..all() };
    assert_eq!(ids(database, &between), ["B_2", "b-3"]);
    let both = DeviceQuery { text: Some("b".to_owned()), ..tag("floor", Some("1")) };
    assert_eq!(ids(database, &both), ["b-3"]);
    let bad = DeviceQuery { status: Some("asleep".to_owned()), ..all() };
    refused(registry.devices(&bad), PortErrorKind::Invalid, "bad_status");
    let unknown = DeviceQuery { product: Some("none".to_owned()), ..DeviceQuery::default() };
    refused(registry.devices(&unknown), PortErrorKind::NotFound, "unknown_product");
}

pub(crate) fn over_products(database: &Database) {
    let registry = &database.registry;
    // Made in an order that is not the one of their ids.
    let mut expected = Vec::new();
    for name in ["q", "p", "r"] {
        registry.create_product(&product(name)).unwrap();
        let devices: Vec<Device> = (0..7).rev().map(|id| device(name, &format!("d{id}"))).collect();
        registry.create_devices(&devices).unwrap();
        expected.extend(devices.iter().map(Device::reference));
    }
    expected.sort();
    for limit in [1, 2, 5, 7, 20, 21, 50] {
        let mut found = Vec::new();
        let mut page = PageAsk { limit, cursor: None };
        loop {
            let query = DeviceQuery { page: page.clone(), ..DeviceQuery::default() };
            let part = registry.devices(&query).unwrap();
            assert!(part.items.len() <= limit);
            found.extend(part.items.iter().map(Device::reference));
            match part.next {
                Some(next) => page.cursor = Some(next),
                None => break,
            }
        }
        assert_eq!(found, expected, "in parts of {limit}");
    }
    let lost = DeviceQuery {
        page: PageAsk { limit: 1, cursor: Some("nonsense".to_owned()) },
        ..DeviceQuery::default()
    };
    refused(registry.devices(&lost), PortErrorKind::Invalid, "bad_cursor");
}

pub(crate) fn presence(database: &Database) {
    let (registry, history) = (&database.registry, &database.history);
    register(database, &["d"]);
    let set = |presence: &Presence| {
        let change = PresenceChange { device: of("d"), presence: presence.clone() };
        history.keep(&Batch { presence: vec![change], ..Batch::default() }).unwrap();
        registry.device(&of("d")).unwrap().unwrap()
    };
    let here =
        Presence { online: true, since_ms: Some(NOW), reason: None, peer: Some("192.0.2.1:5".to_owned()) };
    let found = set(&here);
    assert_eq!((found.presence, found.activated_at_ms), (here.clone(), Some(NOW)));
    let away = Presence {
        online: false,
        since_ms: Some(NOW + 9),
        reason: Some("keep_alive_timeout".to_owned()),
        peer: None,
    };
    assert_eq!(set(&away).presence, away);
    let found = set(&Presence { since_ms: Some(NOW + 20), ..here });
    assert_eq!((found.presence.online, found.activated_at_ms), (true, Some(NOW)));

    add(database, &["never"]);
    registry.all_offline(NOW + 30, "server_restarted").unwrap();
    let found = registry.device(&of("d")).unwrap().unwrap().presence;
    let expected = Presence {
        online: false,
        since_ms: Some(NOW + 30),
        reason: Some("server_restarted".to_owned()),
        peer: None,
    };
    assert_eq!(found, expected);
    assert_eq!(registry.device(&of("never")).unwrap().unwrap().status(), "never");
}

//! A platform with everything around it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use hexmq_device::port::{DeviceQuery, NewCommand, Platform};
use hexmq_device::{
    Device, DeviceRef, DialectName, Order, Plain, Presence, Product, Secret, SignIn, Validation,
};
use hexmq_dialect_aliyun::Aliyun;
use hexmq_dialect_onenet::{Onenet, OnenetToken};
use hexmq_platform::{Cloud, Handed, Settings, Setup};
use serde_json::json;

use crate::fleet::Ships;
use crate::store::Store;

/// 2026-11-23T00:00:00Z
pub(crate) const NOW_MS: i64 = 1_795_392_000_000;
pub(crate) const INBOX: &str = "inbox-0";

pub(crate) struct World {
    pub(crate) cloud: Arc<Cloud>,
    pub(crate) store: Arc<Store>,
    pub(crate) fleet: Arc<Ships>,
    pub(crate) clock: Arc<AtomicI64>,
    place: AtomicU64,
}

pub(crate) fn settings() -> Settings {
    Settings {
        public_url: Some("http://cloud.example".to_owned()),
        group_time: Duration::from_millis(2),
        first_pause: Duration::from_millis(5),
        registry_patience: Duration::from_millis(300),
        webhook_pause: Duration::from_millis(5),
        stop_patience: Duration::from_secs(2),
        ..Settings::default()
    }
}

impl World {
    pub(crate) fn new() -> World {
        World::over(Arc::new(Store::default()), Arc::new(Ships::default()), settings())
    }

    /// A platform over a data base that may have served another one before.
    pub(crate) fn over(store: Arc<Store>, fleet: Arc<Ships>, settings: Settings) -> World {
        let clock = Arc::new(AtomicI64::new(NOW_MS));
        let ticks = Arc::clone(&clock);
        let cloud = Cloud::start(Setup {
            registry: Arc::clone(&store) as _,
            history: Arc::clone(&store) as _,
            dialects: vec![Arc::new(Onenet), Arc::new(OnenetToken), Arc::new(Aliyun), Arc::new(Plain)],
            clock: Arc::new(move || ticks.load(Ordering::SeqCst)),
            settings,
        })
        .unwrap();
        cloud.attach(Arc::clone(&fleet) as _);
        World { cloud, store, fleet, clock, place: AtomicU64::new(0) }
    }

    pub(crate) fn product(&self, id: &str, dialect: DialectName) -> u32 {
        self.cloud.create_product(product(id, dialect)).unwrap().number
    }

    pub(crate) fn device(&self, product: &str, id: &str, secret: &str) -> DeviceRef {
        let device = device(product, id, secret);
        self.cloud.create_devices(vec![device]).unwrap().remove(0).unwrap().reference()
    }

    /// A plain product with a device that is here and listens.
    pub(crate) fn plain(&self) -> (u32, DeviceRef) {
        let number = self.product("p", DialectName::Plain);
        let device = self.device("p", "d", "secret");
        self.come(number, "d");
        (number, device)
    }

    pub(crate) fn come(&self, number: u32, device: &str) {
        self.fleet.set_here(number, device, true);
        self.cloud.connected(number, device, "127.0.0.1:5000");
    }

    pub(crate) fn go(&self, number: u32, device: &str, reason: &'static str) {
        self.fleet.set_away(number, device);
        self.cloud.disconnected(number, device, reason);
    }

    /// A message comes; its place is the next one.
    pub(crate) fn send(&self, number: u32, device: &str, topic: &str, payload: &[u8]) -> u64 {
        let place = self.place.fetch_add(1, Ordering::SeqCst) + 1;
        self.cloud.uplinks(vec![self.handed(place, number, device, topic, payload)]);
        place
    }

    pub(crate) fn handed(
        &self,
        place: u64,
        number: u32,
        device: &str,
        topic: &str,
        payload: &[u8],
    ) -> Handed {
        Handed {
            inbox: INBOX.into(),
            place,
            number,
            device: device.into(),
            topic: topic.into(),
            payload: payload.into(),
            qos: 1,
            received_at_ms: self.now_ms(),
        }
    }

    pub(crate) fn now_ms(&self) -> i64 {
        self.clock.load(Ordering::SeqCst)
    }

    pub(crate) fn pass(&self, ms: i64) {
        self.clock.fetch_add(ms, Ordering::SeqCst);
    }

    pub(crate) fn settle(&self) {
        assert!(self.cloud.settle(Duration::from_secs(20)), "it never settles");
    }

    pub(crate) fn status(&self, device: &DeviceRef) -> String {
        self.cloud.device(device).unwrap().status().to_owned()
    }

    /// Stages of a device's log, in order, once everything is written.
    pub(crate) fn stages(&self, device: &DeviceRef) -> Vec<&'static str> {
        self.settle();
        self.store.look(|store| {
            let lines = store.log.iter().filter(|line| line.device == *device);
            lines.map(|line| line.stage).collect()
        })
    }

    pub(crate) fn devices(&self) -> Vec<Device> {
        self.cloud.devices(&DeviceQuery::default()).unwrap().items
    }
}

pub(crate) fn product(id: &str, dialect: DialectName) -> Product {
    Product {
        id: id.to_owned(),
        name: id.to_owned(),
        dialect,
        secret: Some(Secret("product-secret".to_owned())),
        number: 0,
        created_at_ms: 0,
        zone_minutes: 480,
        validation: Validation::Report,
        dynamic_registration: true,
        history_days: None,
        switches: Default::default(),
    }
}

pub(crate) fn device(product: &str, id: &str, secret: &str) -> Device {
    Device {
        product: product.to_owned(),
        id: id.to_owned(),
        name: String::new(),
        secret: (!secret.is_empty()).then(|| Secret(secret.to_owned())),
        password: None,
        tags: Default::default(),
        disabled: false,
        created_at_ms: 0,
        activated_at_ms: None,
        presence: Presence::default(),
        extra: json!({}),
    }
}

pub(crate) fn sign_in<'a>(client: &'a str, user: &'a str, password: &'a str) -> SignIn<'a> {
    SignIn {
        client_identifier: client,
        user_name: Some(user),
        password: Some(password.as_bytes()),
        level: 4,
        secure: false,
        keep_alive_s: 120,
    }
}

pub(crate) fn command(order: Order, timeout_s: u32) -> NewCommand {
    NewCommand { order, qos: 1, timeout_s, answer_s: None, again: false }
}

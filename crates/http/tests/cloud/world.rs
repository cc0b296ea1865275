//! A control plane over a real platform, and a client of it.

use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hexmq_broker::{Census, ShardId};
use hexmq_device::port::{Fleet, Platform, Sent, VendorApi};
use hexmq_device::{Dialect, Downlink, Plain, TopicRule};
use hexmq_dialect_aliyun::Aliyun;
use hexmq_dialect_onenet::{Onenet, OnenetToken};
use hexmq_http::{AdminPassword, Backend, DeviceFace, Server, Service};
use hexmq_observe::recorder::{Recorder, RecorderBounds};
use hexmq_observe::{Observer, StoreGauges};
use hexmq_platform::{Cloud, Settings, Setup};
use hexmq_registry::Location;
use serde_json::Value;
use ureq::http::{HeaderMap, Request};

/// A running control plane with all that stands behind it.
pub(crate) struct World {
    pub(crate) server: Server,
    pub(crate) observer: Arc<Observer>,
    pub(crate) fleet: Arc<Devices>,
    cloud: Arc<Cloud>,
    agent: ureq::Agent,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("text")
    }
}

/// Devices: those who are here, and what they were sent.
#[derive(Default)]
pub(crate) struct Devices {
    pub(crate) here: Mutex<Vec<String>>,
    pub(crate) sent: Mutex<Vec<(String, Downlink)>>,
}

impl Fleet for Devices {
    fn send(
        &self,
        _number: u32,
        device: &str,
        downlink: &Downlink,
        _token: Option<u64>,
        done: Box<dyn FnOnce(Sent) + Send>,
    ) {
        let here = self.here.lock().expect("a lock").iter().any(|here| here == device);
        if here {
            self.sent.lock().expect("a lock").push((device.to_owned(), downlink.clone()));
        }
        done(if here { Sent::Sent } else { Sent::Offline });
    }

    fn publish(&self, _number: u32, _topic: &str, _payload: &[u8], _qos: u8, _retain: bool) {}

    fn set_rules(&self, _number: u32, _device: &str, _rules: Vec<TopicRule>) {}

    fn disconnect(&self, _number: u32, _device: &str, _forget: bool) {}

    fn done(&self, _inbox: &str, _place: u64) {}

    fn subscribers(&self, _number: u32, topic: &str) -> Vec<String> {
        if topic == "news" { vec!["sensor-1".to_owned()] } else { Vec::new() }
    }

    fn subscriptions(&self, _number: u32, _device: &str) -> Vec<String> {
        vec!["news".to_owned()]
    }
}

/// A server without shards.
struct Still;

impl Backend for Still {
    fn census(&self, _patience: Duration) -> (Census, Vec<ShardId>) {
        (Census::default(), Vec::new())
    }

    fn shards(&self) -> u16 {
        1
    }

    fn retained_messages(&self) -> u64 {
        0
    }

    fn is_ready(&self) -> bool {
        true
    }

    fn uptime(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn retape(&self, _taping: bool, _patience: Duration) -> Vec<ShardId> {
        Vec::new()
    }

    fn durability(&self) -> &'static str {
        "memory"
    }

    fn store(&self) -> Option<StoreGauges> {
        None
    }
}

pub(crate) fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").expect("a port")
}

pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock");
    i64::try_from(since.as_millis()).expect("a time")
}

impl World {
    pub(crate) fn new() -> World {
        World::with(Vec::new())
    }

    pub(crate) fn with(vendors: Vec<Arc<dyn VendorApi>>) -> World {
        let database = hexmq_registry::open(&Location::Memory).expect("a data base");
        let dialects: Vec<Arc<dyn Dialect>> =
            vec![Arc::new(Aliyun), Arc::new(OnenetToken), Arc::new(Onenet), Arc::new(Plain)];
        let cloud = Cloud::start(Setup {
            registry: database.registry,
            history: database.history,
            dialects,
            clock: Arc::new(now_ms),
            settings: Settings::default(),
        })
        .expect("a platform");
        let fleet = Arc::new(Devices::default());
        cloud.attach(Arc::clone(&fleet) as Arc<dyn Fleet>);
        let listeners = vec!["mqtt://127.0.0.1:1883".into()];
        let observer = Arc::new(Observer::new(Recorder::new(RecorderBounds::default(), listeners)));
        let service = Service {
            backend: Box::new(Still),
            observer: Arc::clone(&observer),
            admin: AdminPassword::new("pw"),
            platform: Some(cloud.platform()),
            vendors,
        };
        let server = Server::start(listener(), service).expect("a server");
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .proxy(None)
            .timeout_global(Some(Duration::from_secs(30)));
        World { server, observer, fleet, cloud, agent: config.build().into() }
    }

    /// The devices' face of the same platform.
    pub(crate) fn device_face(&self, vendors: Vec<Arc<dyn VendorApi>>) -> Server {
        let face = DeviceFace { platform: self.cloud.platform(), vendors };
        Server::start_device_face(listener(), face).expect("a server")
    }

    pub(crate) fn platform(&self) -> Arc<dyn Platform> {
        self.cloud.platform()
    }

    /// Everything that was reported is in the data base.
    pub(crate) fn settle(&self) {
        assert!(self.cloud.settle(Duration::from_secs(30)), "the data base does not take it");
    }

    /// A call with these headers: `Name: value` each.
    pub(crate) fn call(&self, method: &str, target: &str, headers: &[&str], body: &[u8]) -> Answer {
        let url = format!("http://{}{target}", self.server.address());
        let mut request = Request::builder().method(method).uri(url);
        for header in headers {
            let (name, value) = header.split_once(": ").expect("a header");
            request = request.header(name, value);
        }
        let sent = if body.is_empty() {
            self.agent.run(request.body(()).expect("a request"))
        } else {
            self.agent.run(request.body(body).expect("a request"))
        };
        let mut answer = sent.expect("an answer");
        let body = answer.body_mut().read_to_vec().expect("a body");
        Answer { status: answer.status().as_u16(), headers: answer.headers().clone(), body }
    }

    /// A call of the administrator with JSON.
    pub(crate) fn ask(&self, method: &str, target: &str, body: &str) -> Answer {
        self.call(method, target, &[ADMIN, "Content-Type: application/json"], body.as_bytes())
    }

    /// The same, with the status it must have.
    pub(crate) fn must(&self, method: &str, target: &str, body: &str, status: u16) -> Value {
        let answer = self.ask(method, target, body);
        assert_eq!(answer.status, status, "{method} {target}: {}", String::from_utf8_lossy(&answer.body));
        if answer.body.is_empty() { Value::Null } else { answer.json() }
    }

    pub(crate) fn get(&self, target: &str) -> Value {
        self.must("GET", target, "", 200)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.cloud.stop();
    }
}

/// admin:pw
pub(crate) const ADMIN: &str = "Authorization: Basic YWRtaW46cHc=";

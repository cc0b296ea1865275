//! Devices on several shards, and the platform above them, through sockets.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hexmq_broker::{
    Answer, Delivered, DeviceTerms, Event, HandedUp, Limits, Manners, Namespace, Permit, Question, Reach,
    SessionKey, ShardId, TopicRule, claim,
};
use hexmq_node::{Authority, Decision, Downlink, Handle, Node, Notice, Placement, Setup, Tap, Upstairs};
use hexmq_transport::{ListenUrl, Listener};
use hexmq_wire::{Connect, QoS};

const PATIENCE: Duration = Duration::from_secs(30);
const DEVICES: usize = 24;
const PRODUCT: Namespace = Namespace(1);

/// Who has a User Name is a device of product 1, under that name.
struct Doorkeeper;

impl Authority for Doorkeeper {
    fn claim(&self, connect: &Connect<'_>) -> Option<SessionKey> {
        match connect.user_name {
            Some(name) => Some(SessionKey { namespace: PRODUCT, identifier: name.into() }),
            None => claim(connect),
        }
    }

    fn decide(&self, question: &Question<'_>) -> Decision {
        let Question::WhoIs { key, .. } = question else { panic!("{question:?}") };
        let rule =
            |filter: &str, reach| TopicRule { filter: filter.into(), publish: true, subscribe: true, reach };
        let terms = DeviceTerms {
            product: "p".into(),
            rules: Box::new([rule("$dp", Reach::Platform), rule("#", Reach::Topics)]),
            manners: Manners { packet_gap_ms: Some(5), ..Manners::STRICT },
            subscribed: false,
            greeting: Box::default(),
        };
        let device = (key.namespace == PRODUCT).then(|| Arc::new(terms));
        let permit = Permit { device, ..Permit::default() };
        Decision::Later(Box::new(move || Answer::Admit { permit, data: None }))
    }
}

struct Deaf;

impl Tap for Deaf {
    fn event(&self, _: ShardId, _: &Event<'_>) {}
    fn notice(&self, _: ShardId, _: &Notice<'_>) {}
}

/// Passes on what it hears.
struct Platform {
    uplinks: Mutex<Sender<HandedUp>>,
    acked: Mutex<Sender<u64>>,
}

impl Upstairs for Platform {
    fn hand_up(&self, uplinks: Vec<HandedUp>) {
        let sender = self.uplinks.lock().expect("unpoisoned");
        uplinks.into_iter().for_each(|uplink| sender.send(uplink).expect("somebody listens"));
    }

    fn acked(&self, token: u64) {
        self.acked.lock().expect("unpoisoned").send(token).expect("somebody listens");
    }
}

fn name(number: usize) -> String {
    format!("device-{number:02}")
}

fn key(number: usize) -> SessionKey {
    SessionKey { namespace: PRODUCT, identifier: name(number).into() }
}

/// A device whose Client Identifier is everybody's.
fn connect(address: &str, number: usize) -> TcpStream {
    let mut stream = TcpStream::connect(address).expect("connected");
    stream.set_read_timeout(Some(PATIENCE)).expect("set");
    let mut body = b"\0\x04MQTT\x04\x82\0\0\0\x01x\0\x09".to_vec();
    body.extend_from_slice(name(number).as_bytes());
    let mut packet = vec![0x10, body.len() as u8];
    packet.extend_from_slice(&body);
    stream.write_all(&packet).expect("written");
    expect(&mut stream, &[0x20, 2, 0, 0]);
    stream
}

fn expect(stream: &mut TcpStream, bytes: &[u8]) {
    let mut read = vec![0; bytes.len()];
    stream.read_exact(&mut read).expect("read in time");
    assert_eq!(read, bytes);
}

fn down(handle: &Handle, number: usize, qos: QoS, if_subscribed: bool, token: Option<u64>) -> Delivered {
    let (done, outcome) = channel();
    let downlink = Downlink { topic: "t".into(), payload: (*b"go").into(), qos, if_subscribed, token };
    handle.downlink(
        key(number),
        downlink,
        Box::new(move |delivered| done.send(delivered).expect("it is waited for")),
    );
    outcome.recv_timeout(PATIENCE).expect("an outcome")
}

fn start() -> (Node, String, Receiver<HandedUp>, Receiver<u64>) {
    let url: ListenUrl = "mqtt://127.0.0.1:0".parse().expect("a URL");
    let listeners = Listener::bind(&url, &[]).expect("bound");
    let address = listeners[0].url().replace("mqtt://", "");
    let ((uplinks, handed), (acked, tokens)) = (channel(), channel());
    let platform = Platform { uplinks: Mutex::new(uplinks), acked: Mutex::new(acked) };
    let setup = Setup {
        shards: 4,
        placement: Placement::default(),
        limits: Arc::new(Limits::default()),
        clients_max: 1000,
        write_timeout: Duration::from_secs(60),
        lane_bytes_max: 1 << 20,
        seed: 7,
        authority_threads: 2,
        authority: Arc::new(Doorkeeper),
        tap: Arc::new(Deaf),
        upstairs: Some(Arc::new(platform)),
        store: None,
    };
    (Node::start(setup, &listeners).expect("started"), address, handed, tokens)
}

#[test]
fn uplinks_of_all_shards_go_up_and_downlinks_find_their_device() {
    let (node, address, handed, tokens) = start();
    let handle = node.handle();
    let mut devices: Vec<TcpStream> = (0..DEVICES).map(|number| connect(&address, number)).collect();
    for device in &mut devices {
        device.write_all(b"\x32\x08\0\x03$dp\0\x0a!").expect("written");
        expect(device, &[0x40, 2, 0, 10]);
    }
    let uplinks: Vec<HandedUp> =
        (0..DEVICES).map(|_| handed.recv_timeout(PATIENCE).expect("handed up")).collect();
    let whose: BTreeSet<&str> = uplinks.iter().map(|uplink| &*uplink.device).collect();
    assert_eq!(whose.len(), DEVICES, "one of each");
    let inboxes: BTreeSet<&str> = uplinks.iter().map(|uplink| &*uplink.inbox).collect();
    assert_eq!(inboxes.len(), 4, "devices live on all shards");
    assert_eq!(handle.census(PATIENCE).census.uplinks_waiting, DEVICES as u64);
    for uplink in &uplinks {
        handle.uplinks_done(&uplink.inbox, uplink.place);
    }
    assert_eq!(handle.census(PATIENCE).census.uplinks_waiting, 0, "done reached the inbox that was meant");

    for (number, device) in devices.iter_mut().enumerate() {
        assert_eq!(down(&handle, number, QoS::AtLeastOnce, true, None), Delivered::NotSubscribed);
        assert_eq!(down(&handle, number, QoS::AtLeastOnce, false, Some(number as u64)), Delivered::Sent);
        expect(device, b"\x32\x07\0\x01t\0\x01go");
        device.write_all(&[0x40, 2, 0, 1]).expect("written");
        assert_eq!(tokens.recv_timeout(PATIENCE), Ok(number as u64));
    }
    node.stop();
}

#[test]
fn the_platform_asks_publishes_and_sends_away() {
    let (node, address, _handed, _tokens) = start();
    let handle = node.handle();
    let mut devices: Vec<TcpStream> = (0..DEVICES).map(|number| connect(&address, number)).collect();
    for device in &mut devices {
        device.write_all(b"\x82\x06\0\x01\0\x01t\0").expect("written");
        expect(device, &[0x90, 3, 0, 1, 0]);
    }
    let all: Vec<String> = (0..DEVICES).map(name).collect();
    assert_eq!(handle.subscribers(PRODUCT, "t", PATIENCE), all);
    assert_eq!(handle.subscribers(Namespace::PLAIN, "t", PATIENCE), Vec::<String>::new());
    assert_eq!(handle.subscriptions(&key(3), PATIENCE), ["t"]);
    for _ in 0..3 {
        assert!(handle.publish(PRODUCT, "t", b"go", QoS::AtLeastOnce, false));
    }
    for device in &mut devices {
        for _ in 0..3 {
            expect(device, b"\x30\x05\0\x01tgo");
        }
    }
    handle.set_rules(key(3), Vec::new());
    // Its answer says that the rules are in force.
    handle.subscriptions(&key(3), PATIENCE);
    devices[3].write_all(b"\x82\x06\0\x02\0\x01u\0").expect("written");
    expect(&mut devices[3], &[0x90, 3, 0, 2, 0x80]);
    handle.disconnect(key(3), true);
    assert_eq!(devices[3].read(&mut [0]).expect("closed"), 0);
    assert_eq!(down(&handle, 3, QoS::AtMostOnce, false, None), Delivered::Offline);
    assert_eq!(handle.subscribers(PRODUCT, "t", PATIENCE).len(), DEVICES - 1);
    node.stop();
}

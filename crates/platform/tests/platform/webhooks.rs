//! Webhooks against a server of the tests' own.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use hexmq_device::Secret;
use hexmq_device::port::{Platform, Webhook};
use hexmq_platform::signature;
use serde_json::Value as Json;

use crate::world::World;

#[derive(Clone, Debug)]
struct Received {
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Received {
    fn header(&self, name: &str) -> &str {
        &self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).unwrap().1
    }

    fn json(&self) -> Json {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// Answers 500 so often, then 204.
struct Receiver {
    url: String,
    received: Arc<(Mutex<Vec<Received>>, Condvar)>,
}

impl Receiver {
    fn start(failures: usize) -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let received: Arc<(Mutex<Vec<Received>>, Condvar)> = Arc::default();
        let shared = Arc::clone(&received);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || serve(stream.unwrap(), &shared, failures));
            }
        });
        Receiver { url, received }
    }

    fn until(&self, count: usize) -> Vec<Received> {
        let (received, changed) = &*self.received;
        let waits = |received: &mut Vec<Received>| received.len() < count;
        let waited =
            changed.wait_timeout_while(received.lock().unwrap(), Duration::from_secs(20), waits).unwrap();
        assert!(!waited.1.timed_out(), "{} of {count} came", waited.0.len());
        waited.0.clone()
    }
}

fn serve(stream: TcpStream, shared: &(Mutex<Vec<Received>>, Condvar), failures: usize) {
    let mut answers = stream.try_clone().unwrap();
    let mut reader = BufReader::new(stream);
    loop {
        let mut headers = Vec::new();
        let mut line = String::new();
        while reader.read_line(&mut line).is_ok_and(|length| length > 2) {
            if let Some((name, value)) = line.trim().split_once(": ") {
                headers.push((name.to_owned(), value.to_owned()));
            }
            line.clear();
        }
        if headers.is_empty() {
            return;
        }
        let mut request = Received { headers, body: Vec::new() };
        let length: u64 = request.header("content-length").parse().unwrap();
        reader.by_ref().take(length).read_to_end(&mut request.body).unwrap();
        let count = {
            let mut received = shared.0.lock().unwrap();
            received.push(request);
            received.len()
        };
        let status = if count <= failures { "500 Internal Server Error" } else { "204 No Content" };
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
        if answers.write_all(answer.as_bytes()).is_err() {
            return;
        }
        shared.1.notify_all();
    }
}

fn webhook(url: &str, kinds: &[&str]) -> Webhook {
    Webhook {
        id: String::new(),
        url: url.to_owned(),
        secret: Secret("shared".to_owned()),
        kinds: kinds.iter().map(|kind| (*kind).to_owned()).collect(),
        product: None,
        disabled: false,
    }
}

#[test]
fn a_delivery_is_signed_and_tried_until_it_succeeds() {
    let receiver = Receiver::start(3);
    let world = World::new();
    let (number, _) = world.plain();
    let made = world.cloud.put_webhook(webhook(&receiver.url, &["uplink"])).unwrap();
    world.send(number, "d", "devices/d/properties", br#"{"n":1}"#);
    world.send(number, "d", "devices/d/properties", br#"{"n":2}"#);
    let received = receiver.until(5);
    let attempts: Vec<_> =
        received.iter().map(|request| request.header("x-hexmq-attempt").to_owned()).collect();
    assert_eq!(attempts, ["1", "2", "3", "4", "1"]);
    let values: Vec<_> =
        received.iter().map(|request| request.json()["data"]["values"]["n"].clone()).collect();
    assert_eq!(values, [1, 1, 1, 1, 2], "in order");
    let ids: Vec<_> = received.iter().map(|request| request.header("x-hexmq-id").to_owned()).collect();
    assert!(ids[0] == ids[3] && ids[3] != ids[4], "{ids:?}");
    for request in &received {
        let timestamp = request.header("x-hexmq-timestamp").parse().unwrap();
        let expected = format!("sha256={}", signature("shared", timestamp, &request.body));
        assert_eq!(request.header("x-hexmq-signature"), expected);
        assert_ne!(expected, format!("sha256={}", signature("other", timestamp, &request.body)));
    }
    let state = loop {
        let state = world.cloud.webhooks().unwrap().remove(0).1;
        if state.waiting == 0 {
            break state;
        }
        std::thread::yield_now();
    };
    assert_eq!((state.delivered, state.given_up), (2, 0));
    assert!(state.last_error.unwrap().contains("500"));
    assert_eq!(world.cloud.gauges().webhooks_delivered, 2);
    world.cloud.delete_webhook(&made.id).unwrap();
    assert_eq!(world.cloud.delete_webhook(&made.id).unwrap_err().code, "unknown_webhook");
}

#[test]
fn the_same_uplink_read_again_has_the_same_id() {
    let receiver = Receiver::start(0);
    let world = World::new();
    let (number, _) = world.plain();
    world.cloud.put_webhook(webhook(&receiver.url, &["uplink"])).unwrap();
    world.send(number, "d", "devices/d/properties", br#"{"n":1}"#);
    receiver.until(1);
    world.settle();
    world.cloud.stop();
    // The place was lost with the history, so the uplink is read again.
    let next = World::over(Default::default(), Default::default(), crate::world::settings());
    let (number, _) = next.plain();
    next.cloud.put_webhook(webhook(&receiver.url, &["uplink"])).unwrap();
    next.send(number, "d", "devices/d/properties", br#"{"n":1}"#);
    let received = receiver.until(2);
    assert_eq!(received[0].header("x-hexmq-id"), received[1].header("x-hexmq-id"));
}

#[test]
fn a_dead_webhook_delays_nobody_and_gives_up_the_oldest() {
    let receiver = Receiver::start(0);
    // Nobody listens there any more.
    let dead = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let settings = hexmq_platform::Settings {
        webhook_queue: 10,
        webhook_pause: Duration::from_secs(3600),
        ..crate::world::settings()
    };
    let world = World::over(Default::default(), Default::default(), settings);
    let (number, _) = world.plain();
    world.cloud.put_webhook(webhook(&format!("http://{dead}/"), &[])).unwrap();
    world.cloud.put_webhook(webhook(&receiver.url, &["uplink", "event"])).unwrap();
    for _ in 0..50 {
        world.send(number, "d", "devices/d/properties", br#"{"n":1}"#);
    }
    world.send(number, "d", "devices/d/events/alarm", br#"{}"#);
    receiver.until(10);
    world.settle();
    let states = world.cloud.webhooks().unwrap();
    assert_eq!((states[0].1.delivered, states[0].1.waiting), (0, 10));
    assert!(states[0].1.given_up >= 40, "{states:?}");
    world.cloud.stop();
}

#[test]
fn webhooks_survive_a_restart_and_are_checked() {
    let world = World::new();
    let made = world.cloud.put_webhook(webhook("https://cloud.example/hook", &["presence"])).unwrap();
    assert_eq!(world.cloud.put_webhook(webhook("ftp://x", &[])).unwrap_err().code, "bad_url");
    assert_eq!(world.cloud.put_webhook(webhook("http://x", &["weather"])).unwrap_err().code, "bad_kind");
    let changed = Webhook { disabled: true, ..made.clone() };
    let kept = world.cloud.put_webhook(Webhook { secret: Secret::default(), ..changed.clone() }).unwrap();
    assert_eq!(kept.secret.0, "shared", "a secret that is not given stays");
    world.cloud.stop();
    let next = World::over(world.store.clone(), Default::default(), crate::world::settings());
    let known = next.cloud.webhooks().unwrap();
    assert_eq!((known.len(), &known[0].0), (1, &changed));
}

//! Connections that remember what they were sent.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use hexmq_device::port::{Fleet, Sent};
use hexmq_device::{Downlink, TopicRule};
use serde_json::Value as Json;

#[derive(Default)]
pub(crate) struct Ships {
    inside: Mutex<Inside>,
    changed: Condvar,
}

#[derive(Default)]
pub(crate) struct Inside {
    /// Who is here, by product and device, and whether it listens.
    pub(crate) here: HashMap<(u32, String), bool>,
    pub(crate) sent: Vec<(u32, String, Downlink, Option<u64>)>,
    pub(crate) published: Vec<(u32, String, Json)>,
    pub(crate) rules: BTreeMap<(u32, String), Vec<TopicRule>>,
    pub(crate) disconnected: BTreeSet<(u32, String, bool)>,
    pub(crate) done: BTreeMap<String, u64>,
}

impl Ships {
    pub(crate) fn look<T>(&self, look: impl FnOnce(&Inside) -> T) -> T {
        look(&self.inside.lock().unwrap())
    }

    pub(crate) fn set_here(&self, number: u32, device: &str, listens: bool) {
        self.inside.lock().unwrap().here.insert((number, device.to_owned()), listens);
    }

    pub(crate) fn set_away(&self, number: u32, device: &str) {
        self.inside.lock().unwrap().here.remove(&(number, device.to_owned()));
    }

    /// Waits until something is so; fails the test if it never is.
    pub(crate) fn until(&self, what: &str, is_so: impl Fn(&Inside) -> bool) {
        let inside = self.inside.lock().unwrap();
        let waited =
            self.changed.wait_timeout_while(inside, Duration::from_secs(20), |inside| !is_so(inside));
        assert!(!waited.unwrap().1.timed_out(), "never: {what}");
    }

    /// The bodies of normalised messages on a topic.
    pub(crate) fn told(&self, topic: &str) -> Vec<Json> {
        self.look(|ships| {
            let on = ships.published.iter().filter(|(number, known, _)| *number == 0 && known == topic);
            on.map(|(_, _, body)| body.clone()).collect()
        })
    }
}

impl Fleet for Ships {
    fn send(
        &self,
        number: u32,
        device: &str,
        downlink: &Downlink,
        token: Option<u64>,
        done: Box<dyn FnOnce(Sent) + Send>,
    ) {
        let sent = {
            let mut inside = self.inside.lock().unwrap();
            match inside.here.get(&(number, device.to_owned())) {
                None => Sent::Offline,
                Some(false) if downlink.if_subscribed => Sent::NotSubscribed,
                Some(_) => {
                    inside.sent.push((number, device.to_owned(), downlink.clone(), token));
                    Sent::Sent
                }
            }
        };
        done(sent);
        self.changed.notify_all();
    }

    fn publish(&self, number: u32, topic: &str, payload: &[u8], _: u8, _: bool) {
        let body = serde_json::from_slice(payload).unwrap_or(Json::Null);
        self.inside.lock().unwrap().published.push((number, topic.to_owned(), body));
        self.changed.notify_all();
    }

    fn set_rules(&self, number: u32, device: &str, rules: Vec<TopicRule>) {
        self.inside.lock().unwrap().rules.insert((number, device.to_owned()), rules);
        self.changed.notify_all();
    }

    fn disconnect(&self, number: u32, device: &str, forget: bool) {
        self.inside.lock().unwrap().disconnected.insert((number, device.to_owned(), forget));
        self.changed.notify_all();
    }

    fn done(&self, inbox: &str, place: u64) {
        let mut inside = self.inside.lock().unwrap();
        let done = inside.done.entry(inbox.to_owned()).or_default();
        *done = (*done).max(place);
        self.changed.notify_all();
    }

    fn subscribers(&self, _: u32, _: &str) -> Vec<String> {
        Vec::new()
    }

    fn subscriptions(&self, _: u32, _: &str) -> Vec<String> {
        Vec::new()
    }
}

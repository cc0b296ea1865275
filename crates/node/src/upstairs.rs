//! The platform above the shards: it is handed the messages of devices, and tells the shards what to do with
//! their sessions.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use hexmq_broker::{
    Delivered, Downlink as Message, HandedUp, Message as Published, Namespace, SessionKey, ShardId, Sink,
    TopicRule, home,
};
use hexmq_wire::QoS;

use crate::mailbox::Letter;
use crate::node::Handle;
use crate::shard_loop::ShardLoop;

/// Gets what devices send to the platform. Called on the shards' threads: it must not wait.
pub trait Upstairs: Send + Sync + 'static {
    /// Messages that are safe, in the order of their places within each inbox. Those not
    /// [done](Handle::uplinks_done) when the server ends are handed up again by the next one.
    fn hand_up(&self, uplinks: Vec<HandedUp>);
    /// The device has acknowledged the [`Downlink`] with this token.
    fn acked(&self, token: u64);
}

/// A message for one session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Downlink {
    /// Topic name.
    pub topic: Box<str>,
    /// Application message.
    pub payload: Box<[u8]>,
    /// The largest QoS it is sent with.
    pub qos: QoS,
    /// Only if a subscription of the session matches, or the device counts as subscribed.
    pub if_subscribed: bool,
    /// Told with [`Upstairs::acked`] when the device has acknowledged it, which it does with QoS 1 and 2 only.
    pub token: Option<u64>,
}

/// What the platform wants of one shard.
pub(crate) enum Order {
    Downlink(SessionKey, Downlink, Box<dyn FnOnce(Delivered) + Send>),
    Publish(Publish),
    SetRules(SessionKey, Vec<TopicRule>),
    Disconnect(SessionKey, bool),
    Done(Box<str>, u64),
    Subscribers(Namespace, Box<str>, Sender<Vec<String>>),
    Subscriptions(SessionKey, Sender<Vec<String>>),
}

/// A message of the server itself.
pub(crate) struct Publish {
    namespace: Namespace,
    topic: Box<str>,
    payload: Box<[u8]>,
    qos: QoS,
    retain: bool,
}

/// Bytes that an order is counted with besides topic and payload.
const ORDER_BYTES: usize = 256;

impl Order {
    /// Bytes it takes while it waits.
    pub(crate) fn size_bytes(&self) -> usize {
        ORDER_BYTES
            + match self {
                Order::Downlink(_, message, _) => message.topic.len() + message.payload.len(),
                Order::Publish(message) => message.topic.len() + message.payload.len(),
                Order::SetRules(_, rules) => rules.iter().map(|rule| rule.filter.len() + ORDER_BYTES).sum(),
                _ => 0,
            }
    }
}

impl Handle {
    fn home(&self, key: &SessionKey) -> usize {
        usize::from(home(key, self.shared().shards, self.shared().seed).0)
    }

    /// Gives an order that may be refused if too many wait already.
    fn offer(&self, to: usize, order: Order) -> Result<(), Order> {
        match self.mailbox(to) {
            Some(mailbox) => mailbox.offer(order),
            None => Err(order),
        }
    }

    fn send(&self, to: usize, order: Order) {
        if let Some(mailbox) = self.mailbox(to) {
            mailbox.send(Letter::Order(order));
        }
    }

    /// Sends a message to one session, past its subscriptions or by them. `done` is called on the shard's
    /// thread, where it must not wait; at once with [`Delivered::Full`] if too many orders wait for that shard.
    /// It is dropped uncalled if the server stops first.
    pub fn downlink(&self, key: SessionKey, downlink: Downlink, done: Box<dyn FnOnce(Delivered) + Send>) {
        let to = self.home(&key);
        if let Err(Order::Downlink(_, _, done)) = self.offer(to, Order::Downlink(key, downlink, done)) {
            done(Delivered::Full);
        }
    }

    /// Publishes a message of the server itself to the topics of a namespace. Messages of one topic stay in
    /// order. False: too many orders wait, and it is not published.
    pub fn publish(&self, namespace: Namespace, topic: &str, payload: &[u8], qos: QoS, retain: bool) -> bool {
        let namespace = namespace.topics();
        // Any shard would do, if only it is the same one for a topic.
        let to = self.home(&SessionKey { namespace, identifier: topic.into() });
        let message = Publish { namespace, topic: topic.into(), payload: payload.into(), qos, retain };
        self.offer(to, Order::Publish(message)).is_ok()
    }

    /// Other rules for a device that is connected.
    pub fn set_rules(&self, key: SessionKey, rules: Vec<TopicRule>) {
        self.send(self.home(&key), Order::SetRules(key, rules));
    }

    /// Closes the connection of a session; `forget`: the session ends as well.
    pub fn disconnect(&self, key: SessionKey, forget: bool) {
        self.send(self.home(&key), Order::Disconnect(key, forget));
    }

    /// The platform has done with what was handed up from this inbox up to this place: the server may forget it.
    pub fn uplinks_done(&self, inbox: &str, place: u64) {
        let key = SessionKey { namespace: Namespace::INBOX, identifier: inbox.into() };
        self.send(self.home(&key), Order::Done(key.identifier, place));
    }

    /// The identifiers of the sessions of a namespace that have subscribed to a topic, sorted; waits at most
    /// `patience`, and leaves out shards that have not answered by then.
    pub fn subscribers(&self, namespace: Namespace, topic: &str, patience: Duration) -> Vec<String> {
        let (reply, answers) = channel();
        let shards = usize::from(self.shared().shards);
        for to in 0..shards {
            self.send(to, Order::Subscribers(namespace, topic.into(), reply.clone()));
        }
        drop(reply);
        gather(&answers, shards, patience)
    }

    /// The filters a session has subscribed to, sorted; none if its shard does not answer within `patience`.
    pub fn subscriptions(&self, key: &SessionKey, patience: Duration) -> Vec<String> {
        let (reply, answers) = channel();
        self.send(self.home(key), Order::Subscriptions(key.clone(), reply));
        gather(&answers, 1, patience)
    }
}

fn gather(answers: &Receiver<Vec<String>>, shards: usize, patience: Duration) -> Vec<String> {
    let deadline = Instant::now() + patience;
    let mut all = Vec::new();
    for _ in 0..shards {
        let left = deadline.saturating_duration_since(Instant::now());
        let Ok(mut names) = answers.recv_timeout(left) else { break };
        all.append(&mut names);
    }
    all.sort_unstable();
    all
}

/// Orders that have come and are not carried out yet.
pub(crate) type Orders = VecDeque<Order>;

impl ShardLoop {
    /// Whether orders wait that could be carried out.
    pub(crate) fn has_orders(&self) -> bool {
        !self.orders.is_empty() && !self.links.lanes.iter().any(|lane| lane.full)
    }

    /// Carries out orders in the order they came, as long as the lanes have room for what they lead to.
    pub(crate) fn carry_out(&mut self) {
        while !self.orders.is_empty() && !(0..self.shards).any(|to| self.links.congested(ShardId(to))) {
            let Some(order) = self.orders.pop_front() else { return };
            self.mailbox().taken(order.size_bytes());
            self.carry_out_one(order);
        }
    }

    fn carry_out_one(&mut self, order: Order) {
        let now = self.links.now;
        let (shard, links) = (&mut self.shard, &mut self.links);
        // Who asks may have given up waiting for the reply.
        match order {
            Order::Downlink(key, Downlink { topic, payload, qos, if_subscribed, token }, done) => {
                let message = Message { topic: &topic, payload: &payload, qos, if_subscribed, token };
                done(shard.downlink(&key, &message, now, links));
            }
            Order::Publish(Publish { namespace, topic, payload, qos, retain }) => {
                let message = Published {
                    namespace,
                    topic: &topic,
                    properties: &[],
                    payload: &payload,
                    qos,
                    retain,
                    expires_at: None,
                    publisher: None,
                };
                shard.publish_own(&message, now, links);
            }
            Order::SetRules(key, rules) => shard.set_rules(&key, rules),
            Order::Disconnect(key, forget) => shard.disconnect_session(&key, forget, now, links),
            Order::Done(inbox, place) => shard.uplinks_done(&inbox, place, now, links),
            Order::Subscribers(namespace, topic, reply) => {
                let _ = reply.send(shard.subscribers(namespace, &topic));
            }
            Order::Subscriptions(key, reply) => drop(reply.send(shard.subscriptions(&key))),
        }
    }
}

//! Random commits, as shards make them.

#![allow(dead_code, unreachable_pub, reason = "each test crate uses a part of it")]

use std::num::{NonZeroU16, NonZeroU32};

use hexmq_broker::{Destination, Message, Namespace, QueuedTerms, Record, Serial, ShardId};
use hexmq_session::Wall;
use hexmq_wire::{QoS, SubscriptionOptions};

use super::Model;

/// splitmix64.
#[derive(Clone, Debug)]
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    pub fn one_of(&mut self, of: u64) -> bool {
        self.below(of) == 0
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> Option<T> {
        from.get(self.below(from.len() as u64) as usize).cloned()
    }
}

/// A commit of a few changes. The model is what they are made of, and is not changed.
pub fn commit(random: &mut Random, model: &Model, numbers: &mut (u64, u64)) -> Vec<u8> {
    let mut model = model.clone();
    let mut all = Vec::new();
    for _ in 0..1 + random.below(6) {
        let mut commit = Vec::new();
        change(random, &model, numbers, &mut commit);
        model.apply(&commit);
        all.extend(commit);
    }
    all
}

fn message(random: &mut Random, numbers: &mut (u64, u64), out: &mut Vec<u8>) -> Serial {
    let serial = Serial(numbers.0);
    numbers.0 += 1;
    let topic = format!("topic/{}", random.below(12));
    let long = if random.one_of(40) { 5000 } else { 60 };
    let payload = vec![serial.0 as u8; random.below(long) as usize];
    let message = Message {
        namespace: Namespace(random.below(2) as u32),
        topic: &topic,
        properties: &payload[..payload.len().min(3)],
        payload: &payload,
        qos: QoS::AtLeastOnce,
        retain: random.one_of(2),
        expires_at: random.one_of(3).then_some(Wall(random.below(1 << 40))),
        publisher: None,
    };
    Record::Message { serial, message }.encode(out);
    serial
}

fn change(random: &mut Random, model: &Model, numbers: &mut (u64, u64), out: &mut Vec<u8>) {
    let sessions: Vec<u64> = model.sessions.keys().copied().collect();
    let Some(serial) = random.pick(&sessions).filter(|_| sessions.len() > 3 || !random.one_of(8)) else {
        new_session(random, numbers, out);
        return;
    };
    let session = Serial(serial);
    let known = &model.sessions[&serial];
    let places: Vec<u64> = known.queue.keys().copied().collect();
    let filter = format!("filter/{}/+", random.below(30));
    let identifier = NonZeroU16::new(1 + random.below(20) as u16).unwrap_or(NonZeroU16::MIN);
    match random.below(24) {
        0 if random.one_of(4) => Record::SessionEnded { session }.encode(out),
        0 => new_terms(random, session, out),
        1 | 2 => {
            let options = SubscriptionOptions::with_qos(QoS::ExactlyOnce);
            let identifier = NonZeroU32::new(random.below(3) as u32);
            Record::Subscribed { session, filter: &filter, options, identifier }.encode(out);
        }
        3 => Record::Unsubscribed { session, filter: &filter }.encode(out),
        4..=9 => queue_new(random, model, numbers, out),
        10 => queue_retained(random, model, session, out),
        11..=13 => {
            if let Some(place) = places.first().copied().filter(|_| random.one_of(2)).or(random.pick(&places))
            {
                Record::Done { session, place }.encode(out);
            }
        }
        14 => {
            if let Some(place) = random.pick(&places) {
                Record::Sent { session, place, identifier }.encode(out);
            }
        }
        15 => {
            let sent: Vec<u64> =
                places.into_iter().filter(|place| known.queue[place].sent.is_some()).collect();
            if let Some(place) = random.pick(&sent) {
                Record::TakenOver { session, place }.encode(out);
            }
        }
        16 => Record::Incoming { session, identifier }.encode(out),
        17 => Record::Released { session, identifier }.encode(out),
        18 | 19 => {
            let message = message(random, numbers, out);
            let version = version(random, numbers);
            Record::Retained { version, message, publisher: random.next() }.encode(out);
        }
        20 => {
            let topic = format!("topic/{}", random.below(12));
            let namespace = Namespace(random.below(2) as u32);
            Record::RetainedCleared { version: version(random, numbers), namespace, topic: &topic }
                .encode(out);
        }
        21 => forward(random, model, numbers, out),
        22 => {
            let message = message(random, numbers, out);
            let (due, expiry_s) = (random.one_of(2).then_some(Wall(9)), random.one_of(2).then_some(7));
            Record::Will { session, message, delay_s: 5, due, expiry_s }.encode(out);
        }
        _ => will(random, model, session, numbers, out),
    }
}

/// Shards take their numbers before they hand over, so a smaller one may come later.
fn version(random: &mut Random, numbers: &mut (u64, u64)) -> u64 {
    numbers.1 += 2;
    if random.one_of(5) { numbers.1.saturating_sub(3) | 1 } else { numbers.1 & !1 }
}

fn new_session(random: &mut Random, numbers: &mut (u64, u64), out: &mut Vec<u8>) {
    let session = Serial(numbers.0);
    numbers.0 += 1;
    new_terms(random, session, out);
}

fn new_terms(random: &mut Random, session: Serial, out: &mut Vec<u8>) {
    let identifier = format!("client-{}", session.0);
    let (namespace, expiry_s) = (Namespace(random.below(2) as u32), Some(1 + random.below(99) as u32));
    let ends_at = random.one_of(2).then_some(Wall(random.next() >> 20));
    Record::Session { session, namespace, identifier: &identifier, expiry_s, ends_at }.encode(out);
}

fn queue_new(random: &mut Random, model: &Model, numbers: &mut (u64, u64), out: &mut Vec<u8>) {
    let serial = message(random, numbers, out);
    let receivers = 1 + random.below(3);
    for session in model.sessions.keys().take(receivers as usize) {
        queue(random, model, Serial(*session), serial, out);
    }
}

fn queue_retained(random: &mut Random, model: &Model, session: Serial, out: &mut Vec<u8>) {
    let kept: Vec<u64> =
        model.retained.values().filter_map(|(_, message)| message.map(|(serial, _)| serial)).collect();
    if let Some(message) = random.pick(&kept) {
        queue(random, model, session, Serial(message), out);
    }
}

fn queue(random: &mut Random, model: &Model, session: Serial, message: Serial, out: &mut Vec<u8>) {
    let last = model.sessions[&session.0].queue.keys().next_back().copied().unwrap_or_default();
    // Serials grow, so places made of them do.
    let place = (last + 1).max(message.0 * 4) + random.below(3);
    let long: Vec<u32> = (0..200).collect();
    let identifiers: &[u32] = if random.one_of(30) { &long } else { &long[..random.below(3) as usize] };
    let terms = QueuedTerms {
        qos: QoS::ExactlyOnce,
        retain: random.one_of(2),
        group: random.below(2) * random.next(),
        subscription_identifiers: identifiers,
    };
    let sent = NonZeroU16::new(random.below(3) as u16);
    Record::Queued { session, place, message, terms, sent }.encode(out);
}

fn forward(random: &mut Random, model: &Model, numbers: &mut (u64, u64), out: &mut Vec<u8>) {
    let going: Vec<(u64, u16, u64)> = model.transits.keys().copied().collect();
    if random.one_of(2)
        && let Some((message, shard, group)) = random.pick(&going)
    {
        Record::Arrived { message: Serial(message), shard: ShardId(shard), group }.encode(out);
        return;
    }
    let message = message(random, numbers, out);
    let to = Destination { shard: ShardId(random.below(3) as u16), shards: 3, group: random.below(2) };
    Record::Forwarded { message, to }.encode(out);
}

/// A Will is published or taken away; published, its message may be retained from then on.
fn will(random: &mut Random, model: &Model, session: Serial, numbers: &mut (u64, u64), out: &mut Vec<u8>) {
    if let Some((message, _)) = &model.sessions[&session.0].will
        && random.one_of(2)
    {
        let version = version(random, numbers);
        Record::Retained { version, message: Serial(*message), publisher: 1 }.encode(out);
    }
    Record::WillGone { session }.encode(out);
}

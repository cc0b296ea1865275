//! Inboxes of an earlier life of the server, whatever shards it had.
#![allow(clippy::indexing_slicing, reason = "it is all tests")]

use std::sync::Arc;

use cloud::{Cloud, World, free, terms};
use hexmq_broker::{
    Fetch, FetchKind, Fetched, Limits, Manners, Message, Namespace, Numbers, QueuedTerms, Reach, Record,
    RecordReader, Restore, Restorer, Serial, SessionKey, Shard, ShardId, Shared, StoredSession, home,
};
use hexmq_session::{Mono, Now, Wall};
use hexmq_wire::{PropertiesBuf, Property, QoS, Version};

mod cloud;

const NOW: Now = Now { mono: Mono(1_000), wall: Wall(1_700_000_000_000) };
const LATER: Now = Now { mono: Mono(1_100), wall: Wall(1_700_000_000_100) };
const SEED: u64 = 7;
const WAITING: u64 = 3;

/// An inbox as a store gives it back.
fn inbox(name: &str, serial: u64) -> StoredSession {
    StoredSession {
        serial: Serial(serial),
        key: SessionKey { namespace: Namespace::INBOX, identifier: name.into() },
        expiry_s: None,
        ends_at: None,
        subscriptions: Vec::new(),
        incoming: Vec::new(),
        will: None,
        waiting: WAITING,
        waiting_bytes: 100,
        first_place: 5,
        next_place: 5 + WAITING,
    }
}

/// What the store answers: three messages from place 5 on.
fn answer(fetch: &Fetch) -> Fetched {
    let Fetch::Queue { session, serial, from_place, .. } = *fetch else { panic!("{fetch:?}") };
    let mut records = Vec::new();
    let mut origin = PropertiesBuf::new();
    origin.push(Property::UserProperty("device", "d")).expect("it fits");
    origin.push(Property::UserProperty("received", "1699999999000")).expect("it fits");
    for place in from_place..5 + WAITING {
        let number = Serial(serial.0 * 100 + place);
        let message = Message {
            namespace: Namespace(1),
            topic: "$dp",
            properties: origin.as_properties().as_bytes(),
            payload: b"x",
            qos: QoS::AtMostOnce,
            retain: false,
            expires_at: None,
            publisher: None,
        };
        Record::Message { serial: number, message }.encode(&mut records);
        let terms =
            QueuedTerms { qos: QoS::AtLeastOnce, retain: false, group: 0, subscription_identifiers: &[] };
        Record::Queued { session: serial, place, message: number, terms, sent: None }.encode(&mut records);
    }
    Fetched { session, what: FetchKind::Queue, records }
}

fn shards(count: u16) -> Vec<Shard> {
    let limits = Arc::new(Limits { sys_interval_s: 0, uplink_window_messages: 2, ..Limits::default() });
    let numbers = Numbers { next_serial: 1_000, next_version: 1, seed: SEED };
    let shared = Shared::new(count, &limits, SEED, NOW).with_store(&numbers, "disk").with_upstairs();
    let shared = Arc::new(shared);
    (0..count).map(|id| Shard::new(ShardId(id), limits.clone(), shared.clone(), NOW)).collect()
}

fn restore(shards: &mut [Shard], inboxes: &[StoredSession]) {
    let mut restorer = Restorer::new(shards.iter_mut().collect(), NOW);
    inboxes.iter().for_each(|inbox| restorer.session(inbox.clone()));
    restorer.finish();
}

fn serve_fetches(shard: &mut Shard, world: &mut World) {
    for fetch in std::mem::take(&mut world.fetches) {
        shard.fetched(&answer(&fetch), NOW, world);
    }
}

fn handed(world: &World) -> Vec<(String, u64)> {
    world.uplinks.iter().map(|uplink| (uplink.inbox.to_string(), uplink.place)).collect()
}

/// The sessions that were ended, and how many messages were done.
fn persisted(world: &World) -> (Vec<u64>, usize) {
    let (mut ended, mut done) = (Vec::new(), 0);
    let mut reader = RecordReader::new(&world.persisted);
    while let Some(Ok(record)) = reader.next() {
        match record {
            Record::SessionEnded { session } => ended.push(session.0),
            Record::Done { .. } => done += 1,
            _ => {}
        }
    }
    (ended, done)
}

#[test]
fn it_is_emptied_by_whoever_has_it_now_and_then_forgotten() {
    for count in [1, 2, 5] {
        let mut shards = shards(count);
        let old = inbox("from a life with three shards", 11);
        restore(&mut shards, std::slice::from_ref(&old));
        let at = usize::from(home(&old.key, count, SEED).0);
        let (shard, mut world) = (&mut shards[at], World::default());
        assert_eq!((shard.census().sessions, shard.census().uplinks_waiting), (0, WAITING));
        shard.timeout(LATER, &mut world);
        serve_fetches(shard, &mut world);
        let name = "from a life with three shards".to_owned();
        assert_eq!(handed(&world), [(name.clone(), 5), (name.clone(), 6)], "within the window");
        assert_eq!((&*world.uplinks[0].device, world.uplinks[0].received_at_ms), ("d", 1_699_999_999_000));
        assert_eq!(world.uplinks[0].qos, QoS::AtMostOnce);
        shard.uplinks_done(&name, 6, NOW, &mut world);
        assert_eq!(handed(&world).last(), Some(&(name.clone(), 7)));
        assert_eq!(persisted(&world), (vec![], 2));
        shard.uplinks_done(&name, 7, NOW, &mut world);
        assert_eq!(persisted(&world), (vec![11], 3), "empty, and not filled any more");
        assert_eq!(shard.census().uplinks_waiting, 0);
        shard.uplinks_done(&name, 7, NOW, &mut world);
    }
}

#[test]
fn older_ones_first_and_what_comes_now_last() {
    let mut shards = shards(1);
    restore(&mut shards, &[inbox("younger", 12), inbox("older", 11)]);
    let mut cloud = Cloud::new(|_| {});
    cloud.shard = shards.remove(0);
    let device = cloud.device(terms(free(Reach::Platform), Manners::STRICT), Version::V4);
    cloud.publish(device, Version::V4, "$dp", 1, false);
    assert!(cloud.world.uplinks.is_empty(), "it waits for those before it");
    let mut rounds = 0;
    while cloud.shard.census().uplinks_waiting > 0 {
        rounds += 1;
        assert!(rounds < 20, "{:?}", handed(&cloud.world));
        cloud.shard.timeout(LATER, &mut cloud.world);
        serve_fetches(&mut cloud.shard, &mut cloud.world);
        for (inbox, place) in handed(&cloud.world) {
            cloud.shard.uplinks_done(&inbox, place, LATER, &mut cloud.world);
        }
    }
    let order: Vec<(String, u64)> = handed(&cloud.world);
    let name = order.last().expect("the new one").0.clone();
    let expected = [("older", 5), ("older", 6), ("older", 7), ("younger", 5), ("younger", 6), ("younger", 7)];
    let expected: Vec<(String, u64)> =
        expected.into_iter().map(|(name, place)| (name.into(), place)).chain([(name, 1)]).collect();
    assert_eq!(order, expected);
    assert_eq!(persisted(&cloud.world).0, [11, 12]);
}

//! What a shard and the platform above it do for each other: uplinks, downlinks, and who may watch.
#![allow(clippy::indexing_slicing, reason = "it is all tests")]

use cloud::{Cloud, free, rule, terms};
use hexmq_broker::{
    CloseReason, Delivered, Flow, Greeting, Limits, Manners, Namespace, Reach, SessionKey, TopicRule,
};
use hexmq_wire::{Properties, QoS, Version, Will};

mod cloud;

const V4: Version = Version::V4;
const V5: Version = Version::V5;

fn platform() -> hexmq_broker::DeviceTerms {
    terms(free(Reach::Platform), Manners::STRICT)
}

fn places(cloud: &Cloud) -> Vec<u64> {
    cloud.world.uplinks.iter().map(|uplink| uplink.place).collect()
}

#[test]
fn an_uplink_says_whose_it_is_and_when_it_came_and_goes_to_nobody_else() {
    let mut cloud = Cloud::new(|_| {});
    let device = cloud.device(platform(), V4);
    cloud.subscribe(device, V4, "a", QoS::AtMostOnce);
    cloud.pass(250);
    assert_eq!(cloud.publish(device, V4, "a", 1, false), [0x40, 2, 0, 10], "and not its own message");
    let uplink = &cloud.world.uplinks[0];
    assert_eq!(uplink.namespace, Namespace(1));
    assert_eq!((&*uplink.device, &*uplink.topic, &*uplink.payload), ("d", "a", &b"x"[..]));
    assert_eq!((uplink.qos, uplink.received_at_ms), (QoS::AtLeastOnce, 1_700_000_000_250));
    cloud.admits("1/d", terms(free(Reach::Both), Manners::STRICT));
    let device = cloud.connect("d", Some("1/d"), V4);
    cloud.subscribe(device, V4, "a", QoS::AtMostOnce);
    let both = cloud.publish(device, V4, "a", 1, false);
    assert_eq!(both, [0x30, 4, 0, 1, b'a', b'x', 0x40, 2, 0, 10]);
    assert_eq!(places(&cloud), [1, 2]);
}

#[test]
fn without_a_platform_no_rule_reaches_it() {
    let mut cloud = Cloud::new(|_| {});
    let now = cloud.now;
    let limits = Limits { sys_interval_s: 0, ..Limits::default() };
    let shared = std::sync::Arc::new(hexmq_broker::Shared::new(1, &limits, 7, now));
    cloud.shard = hexmq_broker::Shard::new(hexmq_broker::ShardId(0), limits.into(), shared, now);
    let device = cloud.device(platform(), V5);
    assert_eq!(cloud.publish(device, V5, "a", 1, false)[4], 0x87);
    let device = cloud.device(terms(free(Reach::Both), Manners::STRICT), V4);
    cloud.subscribe(device, V4, "a", QoS::AtMostOnce);
    assert_eq!(cloud.publish(device, V4, "a", 0, false), [0x30, 4, 0, 1, b'a', b'x']);
    assert!(cloud.world.uplinks.is_empty());
}

#[test]
fn uplinks_go_up_in_order_within_a_window() {
    let mut cloud = Cloud::new(|limits| limits.uplink_window_messages = 3);
    let device = cloud.device(platform(), V4);
    for _ in 0..8 {
        cloud.publish(device, V4, "$dp", 0, false);
    }
    assert_eq!(places(&cloud), [1, 2, 3]);
    let census = cloud.shard.census();
    assert_eq!((census.uplinks_waiting, census.uplinks_received, census.uplinks_handed_up), (8, 8, 3));
    assert_eq!((census.messages_queued, census.sessions), (0, 1), "an inbox is nobody's session");
    cloud.done(1);
    assert_eq!(places(&cloud), [1, 2, 3, 4]);
    cloud.done(1);
    assert_eq!(places(&cloud), [1, 2, 3, 4], "said twice");
    cloud.done(4);
    assert_eq!(places(&cloud), [1, 2, 3, 4, 5, 6, 7]);
    cloud.done(8);
    let census = cloud.shard.census();
    assert_eq!(
        (census.uplinks_waiting, census.uplinks_waiting_bytes, census.uplinks_done),
        (1, census.uplinks_waiting_bytes, 7)
    );
    cloud.done(8);
    assert_eq!(cloud.shard.census().uplinks_waiting_bytes, 0);
    assert_eq!(cloud.shard.census().messages_stored, 0);
}

#[test]
fn a_window_has_bytes_too() {
    let mut cloud = Cloud::new(|limits| limits.uplink_window_bytes = 1);
    let device = cloud.device(platform(), V4);
    for _ in 0..3 {
        cloud.publish(device, V4, "$dp", 0, false);
    }
    assert_eq!(places(&cloud), [1]);
    cloud.done(1);
    assert_eq!(places(&cloud), [1, 2], "one always fits");
}

#[test]
fn a_full_inbox_refuses_mqtt_5_and_drops_qos_0_with_an_event() {
    let mut cloud = Cloud::new(|limits| limits.uplink_queue_messages = 2);
    let device = cloud.device(platform(), V5);
    for _ in 0..2 {
        assert_eq!(cloud.publish(device, V5, "$dp", 1, false)[..2], [0x40, 2], "taken");
    }
    let puback = cloud.publish(device, V5, "$dp", 1, false);
    assert_eq!((puback[0], puback[4]), (0x40, 0x97));
    let pubrec = cloud.publish(device, V5, "$dp", 2, false);
    assert_eq!((pubrec[0], pubrec[4]), (0x50, 0x97));
    cloud.told();
    cloud.publish(device, V5, "$dp", 0, false);
    let told = cloud.told();
    assert!(
        told.len() == 1 && told[0].starts_with("message_dropped") && told[0].contains("uplink_queue_full"),
        "{told:?}"
    );
    assert_eq!(cloud.shard.census().uplinks_dropped, 1);
    cloud.done(1);
    let pubrec = cloud.publish(device, V5, "$dp", 2, false);
    assert_eq!(pubrec[..2], [0x50, 2], "the identifier of the refused one was free again");
    let again = cloud.publish(device, V5, "$dp", 2, false);
    assert_eq!(again[..2], [0x50, 2], "a repetition is answered although there is no room");
    assert_eq!(places(&cloud), [1, 2, 3]);
}

#[test]
fn older_clients_wait_for_room_unacknowledged_and_unread_and_in_their_order() {
    let mut cloud = Cloud::new(|limits| limits.uplink_queue_messages = 1);
    cloud.admits("1/e", platform());
    let devices = [cloud.device(platform(), V4), cloud.connect("e", Some("1/e"), V4)];
    cloud.publish(devices[0], V4, "$dp", 1, false);
    for (conn, topic) in [(devices[1], "first"), (devices[0], "second")] {
        cloud.read(conn);
        assert_eq!(cloud.receive(conn, &cloud::publish(topic, b"x", 1, false, V4)), Flow::Pause);
        assert_eq!(cloud.read(conn), b"", "not acknowledged");
        assert!(!cloud.shard.resumed(conn, cloud.now), "a lane that has room again does not let it go on");
    }
    assert_eq!(cloud.shard.census().publish_received, 1);
    cloud.pass(30_000);
    for (place, conn, topic) in [(1, devices[1], "first"), (2, devices[0], "second")] {
        cloud.done(place);
        assert_eq!(cloud.read(conn), [0x40, 2, 0, 10]);
        assert_eq!(&*cloud.world.uplinks.last().expect("one").topic, topic);
        assert_eq!(cloud.world.resumed.last(), Some(&conn));
    }
    assert_eq!(cloud.world.resumed.len(), 2);
    cloud.pass(60_000);
    assert!(cloud.world.closed.is_empty(), "it waited in time");
}

#[test]
fn who_waits_too_long_for_room_is_closed_and_loses_nothing_it_was_promised() {
    let mut cloud = Cloud::new(|limits| {
        limits.uplink_queue_messages = 1;
        limits.store_full_timeout_ms = 5_000;
    });
    let device = cloud.device(platform(), V4);
    cloud.publish(device, V4, "$dp", 1, false);
    assert_eq!(cloud.receive(device, &cloud::publish("$dp", b"x", 1, false, V4)), Flow::Pause);
    cloud.pass(4_900);
    assert!(cloud.world.closed.is_empty());
    cloud.pass(200);
    assert_eq!(cloud.world.closed, [(device, CloseReason::UplinkQueueFull)]);
    assert!(cloud.told().iter().any(|event| event.contains("uplink_queue_full")));
    cloud.done(1);
    assert_eq!(places(&cloud), [1], "what it had no acknowledgement for it sends again");
}

#[test]
fn a_downlink_goes_to_the_session_itself() {
    let mut cloud = Cloud::new(|_| {});
    let down = |cloud: &mut Cloud, qos, asked| cloud.downlink((1, "d"), "t", qos, asked, Some(5));
    assert_eq!(down(&mut cloud, QoS::AtMostOnce, false), Delivered::Offline);
    let device = cloud.device(platform(), V4);
    assert_eq!(down(&mut cloud, QoS::AtMostOnce, false), Delivered::Sent);
    assert_eq!(cloud.read(device), [0x30, 5, 0, 1, b't', b'g', b'o']);
    assert_eq!(down(&mut cloud, QoS::AtMostOnce, true), Delivered::NotSubscribed);
    cloud.subscribe(device, V4, "+", QoS::AtLeastOnce);
    assert_eq!(down(&mut cloud, QoS::ExactlyOnce, true), Delivered::Sent);
    assert_eq!(cloud.read(device), [0x32, 7, 0, 1, b't', 0, 1, b'g', b'o'], "QoS as granted, and once");
    assert!(cloud.world.acked.is_empty());
    cloud.receive(device, &[0x40, 2, 0, 1]);
    assert_eq!(cloud.world.acked, [5]);
    assert_eq!(down(&mut cloud, QoS::ExactlyOnce, false), Delivered::Sent);
    assert_eq!(cloud.read(device)[0], 0x34);
    cloud.receive(device, &[0x50, 2, 0, 2]);
    assert_eq!(cloud.world.acked, [5], "PUBREC is not the end");
    cloud.receive(device, &[0x70, 2, 0, 2]);
    assert_eq!(cloud.world.acked, [5, 5]);
    cloud.shard.lost(device, hexmq_broker::Lost::Closed, cloud.now, &mut cloud.world);
    assert_eq!(down(&mut cloud, QoS::AtLeastOnce, false), Delivered::Offline);
    assert_eq!(cloud.shard.census().messages_stored, 0, "nothing is queued for who is away");
}

#[test]
fn downlinks_wait_for_the_window_and_not_without_bound() {
    let mut cloud = Cloud::new(|limits| {
        limits.in_flight_per_session = 1;
        limits.session_queue_messages = 2;
    });
    let device = cloud.device(platform(), V4);
    let outcomes: Vec<Delivered> =
        (0..4).map(|token| cloud.downlink((1, "d"), "t", QoS::AtLeastOnce, false, Some(token))).collect();
    assert_eq!(outcomes, [Delivered::Sent, Delivered::Sent, Delivered::Sent, Delivered::Full]);
    for identifier in 1..=3 {
        assert_eq!(cloud.read(device)[..2], [0x32, 7]);
        cloud.receive(device, &[0x40, 2, 0, identifier]);
    }
    assert_eq!(cloud.world.acked, [0, 1, 2]);
    cloud.world.backlog = 8 << 20;
    assert_eq!(
        cloud.downlink((1, "d"), "t", QoS::AtMostOnce, false, None),
        Delivered::Full,
        "it does not read"
    );
}

#[test]
fn implied_subscriptions_last_until_they_are_left() {
    let implied = hexmq_broker::DeviceTerms { subscribed: true, ..platform() };
    let mut cloud = Cloud::new(|_| {});
    let device = cloud.device(implied, V4);
    let down = |cloud: &mut Cloud, topic| cloud.downlink((1, "d"), topic, QoS::AtLeastOnce, true, None);
    assert_eq!(down(&mut cloud, "$sys/a"), Delivered::Sent);
    cloud.unsubscribe(device, V4, "$sys/#");
    assert_eq!(down(&mut cloud, "$sys/a"), Delivered::NotSubscribed);
    assert_eq!(down(&mut cloud, "other"), Delivered::Sent);
    cloud.subscribe(device, V4, "$sys/+", QoS::AtMostOnce);
    assert_eq!(down(&mut cloud, "$sys/a"), Delivered::Sent, "a subscription of its own");
    cloud.subscribe(device, V4, "$sys/#", QoS::AtMostOnce);
    cloud.unsubscribe(device, V4, "$sys/+");
    assert_eq!(down(&mut cloud, "$sys/a/b"), Delivered::Sent, "subscribed to again");
}

#[test]
fn a_greeting_follows_connack_at_once() {
    let greeting = Greeting { topic: "hi".into(), payload: (*b"!").into() };
    let greets = hexmq_broker::DeviceTerms { greeting: Box::new([greeting]), ..platform() };
    let mut cloud = Cloud::new(|_| {});
    cloud.admits("1/d", greets);
    let conn = cloud.try_connect("d", Some("1/d"), V4, None);
    assert_eq!(cloud.read(conn), [0x20, 2, 0, 0, 0x30, 5, 0, 2, b'h', b'i', b'!']);
    assert!(cloud.world.paced.is_empty());
    let paced = Manners { packet_gap_ms: Some(50), ..Manners::STRICT };
    let conn = cloud.device(terms(free(Reach::Topics), paced), V4);
    assert_eq!(cloud.world.paced, [(conn, 50)]);
}

#[test]
fn whoever_may_watches_everything_of_a_product() {
    let mut cloud = Cloud::new(|_| {});
    let admin = cloud.connect("admin", Some("admin"), V4);
    let nosy = cloud.connect("nosy", None, V4);
    assert_eq!(cloud.subscribe(admin, V4, "$hexmq/491644/raw/#", QoS::AtMostOnce), [0]);
    assert_eq!(cloud.subscribe(nosy, V4, "$hexmq/491644/raw/#", QoS::AtMostOnce), [0x80]);
    let rules = vec![rule("up", Reach::Platform), TopicRule { publish: false, ..rule("#", Reach::Topics) }];
    let device = cloud.device(terms(rules, Manners::STRICT), V4);
    cloud.publish(device, V4, "up", 1, false);
    let mut shown = vec![0x30, 23, 0, 20];
    shown.extend_from_slice(b"$hexmq/491644/raw/upx");
    assert_eq!(cloud.read(admin), shown);
    cloud.downlink((1, "d"), "dn", QoS::AtLeastOnce, false, None);
    let mut shown = vec![0x30, 24, 0, 20];
    shown.extend_from_slice(b"$hexmq/491644/raw/dngo");
    assert_eq!(cloud.read(admin), shown);
    cloud.publish(device, V4, "forbidden", 1, false);
    cloud.publish(nosy, V4, "up", 1, false);
    assert_eq!(cloud.read(admin), b"", "neither what was forbidden nor what others send");
}

#[test]
fn the_will_of_a_device_obeys_its_rules() {
    let will = |topic| Will {
        topic,
        payload: b"gone",
        qos: QoS::AtLeastOnce,
        retain: false,
        properties: Properties::EMPTY,
    };
    let rules = vec![rule("$dp", Reach::Platform), rule("status", Reach::Topics)];
    let mut cloud = Cloud::new(|_| {});
    cloud.admits("1/d", terms(rules, Manners::STRICT));
    let conn = cloud.try_connect("d", Some("1/d"), V4, Some(will("elsewhere")));
    assert_eq!(cloud.read(conn), [0x20, 2, 0, 5]);
    cloud.admits("1/w", terms(free(Reach::Topics), Manners::STRICT));
    let watcher = cloud.connect("w", Some("1/w"), V4);
    cloud.subscribe(watcher, V4, "#", QoS::AtMostOnce);
    let conn = cloud.try_connect("d", Some("1/d"), V4, Some(will("$dp")));
    cloud.shard.lost(conn, hexmq_broker::Lost::Reset, cloud.now, &mut cloud.world);
    assert_eq!(cloud.read(watcher), b"");
    let uplink = cloud.world.uplinks.last().expect("the Will");
    assert_eq!((&*uplink.device, &*uplink.topic, &*uplink.payload), ("d", "$dp", &b"gone"[..]));
    let conn = cloud.try_connect("d", Some("1/d"), V4, Some(will("status")));
    cloud.shard.lost(conn, hexmq_broker::Lost::Reset, cloud.now, &mut cloud.world);
    assert_eq!(cloud.read(watcher), b"\x30\x0c\x00\x06statusgone");
    assert_eq!(cloud.world.uplinks.len(), 1);
}

#[test]
fn an_administrator_closes_and_forgets() {
    let mut cloud = Cloud::new(|_| {});
    let device = cloud.device(platform(), V5);
    let key = SessionKey { namespace: Namespace(1), identifier: "d".into() };
    cloud.read(device);
    cloud.shard.disconnect_session(&key, true, cloud.now, &mut cloud.world);
    assert_eq!(cloud.read(device)[..3], [0xE0, 1, 0x98]);
    assert_eq!(cloud.world.closed, [(device, CloseReason::AdministrativeAction)]);
    assert_eq!(cloud.shard.census().sessions, 0);
}

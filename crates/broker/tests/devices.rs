//! Devices beside plain clients: namespaces, rules and manners, byte by byte.
#![allow(clippy::indexing_slicing, reason = "it is all tests")]

use cloud::{Cloud, free, rule, terms};
use hexmq_broker::{CloseReason, Flow, Limits, Manners, Namespace, Reach, TopicRule};
use hexmq_wire::{QoS, Version};

mod cloud;

const V4: Version = Version::V4;
const V5: Version = Version::V5;
const PLAIN: fn(&mut Limits) = |_| {};

fn topics() -> hexmq_broker::DeviceTerms {
    terms(free(Reach::Topics), Manners::STRICT)
}

#[test]
fn clients_of_the_same_name_in_three_worlds_are_three_clients() {
    let mut cloud = Cloud::new(PLAIN);
    cloud.admits("1/d", topics());
    cloud.admits("2/d", topics());
    let all = [
        cloud.connect("d", None, V4),
        cloud.connect("d", Some("1/d"), V4),
        cloud.connect("d", Some("2/d"), V4),
    ];
    assert!(cloud.world.closed.is_empty(), "nobody took anybody over");
    for conn in all {
        assert_eq!(cloud.subscribe(conn, V4, "a/#", QoS::AtMostOnce), [0]);
    }
    cloud.publish(all[1], V4, "a/b", 0, true);
    assert_eq!(cloud.read(all[0]), b"", "the plain one is in another world");
    assert_eq!(cloud.read(all[2]), b"");
    // Its own subscription matched; publish() had read that.
    for (conn, retained) in [(all[0], false), (all[1], true), (all[2], false)] {
        let behind = cloud.subscribe(conn, V4, "a/+", QoS::AtMostOnce);
        assert_eq!(behind.len(), 1, "what is retained comes in slices");
        while cloud.shard.has_work() {
            cloud.shard.work(cloud.now, &mut cloud.world);
        }
        assert_eq!(!cloud.read(conn).is_empty(), retained, "retained messages do not cross either");
    }
    let again = cloud.connect("other client id", Some("1/d"), V4);
    assert_eq!(cloud.world.closed, [(all[1], CloseReason::SessionTakenOver)], "the key decides, not the id");
    assert_ne!(again, all[1]);
}

#[test]
fn a_product_may_share_the_topics_of_plain_clients_and_nothing_else() {
    let mut cloud = Cloud::new(PLAIN);
    cloud.admits("1+/d", topics());
    let (plain, device) = (cloud.connect("d", None, V4), cloud.connect("x", Some("1+/d"), V4));
    assert!(cloud.world.closed.is_empty());
    cloud.subscribe(plain, V4, "a", QoS::AtMostOnce);
    cloud.publish(device, V4, "a", 0, false);
    assert_eq!(cloud.read(plain), [0x30, 4, 0, 1, b'a', b'x']);
    let namespace = Namespace::of_product(1, true);
    assert_eq!((namespace.topics(), namespace.product()), (Namespace::PLAIN, Some(1)));
    assert_eq!(cloud.shard.subscribers(Namespace::PLAIN, "a"), ["d"]);
    cloud.subscribe(device, V4, "a", QoS::AtMostOnce);
    assert_eq!(cloud.shard.subscribers(namespace, "a"), ["d"]);
}

#[test]
fn a_session_that_lives_elsewhere_is_not_made_here() {
    let mut cloud = Cloud::of(4, |_| {});
    let (mut here, mut elsewhere) = (0, 0);
    for n in 0..64 {
        let name = format!("1/device-{n}");
        cloud.admits(&name, topics());
        let conn = cloud.try_connect("d", Some(&name), V4, None);
        match cloud.read(conn).as_slice() {
            [0x20, 2, 0, 0] => here += 1,
            [0x20, 2, 0, 3] => elsewhere += 1,
            other => panic!("{other:02x?}"),
        }
    }
    assert!(here > 4 && elsewhere > 32, "{here} and {elsewhere}");
}

#[test]
fn what_the_rules_forbid_is_refused_and_told() {
    let rules = vec![
        TopicRule { publish: true, subscribe: false, ..rule("up", Reach::Topics) },
        TopicRule { publish: false, subscribe: true, ..rule("down/#", Reach::Topics) },
    ];
    let mut cloud = Cloud::new(PLAIN);
    let device = cloud.device(terms(rules.clone(), Manners::STRICT), V4);
    assert_eq!(cloud.subscribe(device, V4, "down/+", QoS::AtLeastOnce), [1]);
    assert_eq!(cloud.subscribe(device, V4, "up", QoS::AtLeastOnce), [0x80]);
    cloud.told();
    assert_eq!(cloud.publish(device, V4, "down/x", 1, false), [0x40, 2, 0, 10], "3.1.1 has no other answer");
    let told = cloud.told();
    assert!(told.len() == 1 && told[0].starts_with("publish_denied: \"d\""), "{told:?}");
    let five = cloud.device(terms(rules, Manners::STRICT), V5);
    assert_eq!(cloud.subscribe(five, V5, "#", QoS::AtLeastOnce), [0x87]);
    let puback = cloud.publish(five, V5, "down/x", 1, false);
    assert_eq!((puback[0], puback[4]), (0x40, 0x87));
    let key = hexmq_broker::SessionKey { namespace: Namespace(1), identifier: "d".into() };
    cloud.shard.set_rules(&key, vec![rule("#", Reach::Topics)]);
    assert_eq!(cloud.subscribe(five, V5, "#", QoS::AtLeastOnce), [1], "other rules from now on");
    assert_eq!(cloud.shard.subscriptions(&key), ["#"]);
}

/// Q1: SUBSCRIBE as `80`, UNSUBSCRIBE as `A0`.
#[test]
fn zero_flags_are_survived_where_the_manners_say_so_and_told() {
    let subscribe = [0x80, 6, 0, 20, 0, 1, b'a', 0];
    let unsubscribe = [0xA0, 5, 0, 30, 0, 1, b'a'];
    let mut cloud = Cloud::new(PLAIN);
    let manners = Manners { zero_flags: true, ..Manners::STRICT };
    let device = cloud.device(terms(free(Reach::Topics), manners), V4);
    cloud.told();
    assert_eq!(cloud.receive(device, &subscribe), Flow::Continue);
    assert_eq!(cloud.read(device), [0x90, 3, 0, 20, 0]);
    assert_eq!(cloud.receive(device, &unsubscribe), Flow::Continue);
    assert_eq!(cloud.read(device), [0xB0, 2, 0, 30]);
    let told = cloud.told();
    assert_eq!(told.len(), 1, "once is enough: {told:?}");
    assert!(told[0].starts_with("violation_survived: \"d\"") && told[0].contains("reserved_flags"));
    let strict = cloud.connect("plain", None, V4);
    assert_eq!(cloud.receive(strict, &subscribe), Flow::Closed, "plain clients keep the strict rules");
}

/// Q2: PUBREL with flags 0000 and the identifier 10 in place of a PUBCOMP.
#[test]
fn a_pubrel_nobody_awaits_completes_the_oldest_delivery() {
    let mut cloud = Cloud::new(PLAIN);
    let manners = Manners { zero_flags: true, pubrel_as_pubcomp: true, ..Manners::STRICT };
    let device = cloud.device(terms(free(Reach::Topics), manners), V4);
    for token in [71, 72] {
        cloud.downlink((1, "d"), "t", QoS::ExactlyOnce, false, Some(token));
    }
    cloud.read(device);
    for identifier in [1, 2] {
        cloud.receive(device, &[0x50, 2, 0, identifier]);
        assert_eq!(cloud.read(device), [0x62, 2, 0, identifier]);
    }
    cloud.told();
    for left in [1, 0] {
        assert_eq!(cloud.receive(device, &[0x60, 2, 0, 10]), Flow::Continue);
        assert_eq!(cloud.read(device), b"", "a PUBCOMP has no answer");
        assert_eq!(cloud.shard.census().messages_in_flight, left);
    }
    assert_eq!(cloud.world.acked, [71, 72]);
    let told = cloud.told();
    assert_eq!(told.len(), 2, "once is enough: {told:?}");
    assert!(told[0].contains("reserved_flags"), "{told:?}");
    assert!(told[1].starts_with("quirk_survived: \"d\"") && told[1].contains("pubrel_as_pubcomp"));
    // One that is awaited is what it says, with either flags.
    for first in [0x60, 0x62] {
        cloud.receive(device, &cloud::publish("a", b"", 2, false, V4));
        assert_eq!(cloud.read(device), [0x50, 2, 0, 10]);
        cloud.receive(device, &[first, 2, 0, 10]);
        assert_eq!(cloud.read(device), [0x70, 2, 0, 10]);
    }
    // Without a delivery to complete it is answered as any other.
    cloud.receive(device, &[0x60, 2, 0, 10]);
    assert_eq!(cloud.read(device), [0x70, 2, 0, 10]);
}

/// Q3: every PUBLISH has the identifier 10.
#[test]
fn an_identifier_used_again_is_acknowledged_again() {
    let mut cloud = Cloud::new(PLAIN);
    let device = cloud.device(terms(free(Reach::Platform), Manners::STRICT), V4);
    for n in 1..=3 {
        assert_eq!(cloud.publish(device, V4, "$dp", 1, false), [0x40, 2, 0, 10]);
        assert_eq!(cloud.world.uplinks.len(), n, "none is taken for a repetition");
    }
}

/// Q5, and what else a product's manners change of what it gets.
#[test]
fn retain_is_never_set_and_qos_has_a_bound() {
    let manners = Manners { no_retain: true, largest_qos: QoS::AtLeastOnce, ..Manners::STRICT };
    let mut cloud = Cloud::new(PLAIN);
    let device = cloud.device(terms(free(Reach::Topics), manners), V4);
    cloud.admits("1/e", topics());
    let other = cloud.connect("e", Some("1/e"), V4);
    cloud.publish(other, V4, "r", 1, true);
    let granted = cloud.subscribe(device, V4, "r", QoS::ExactlyOnce);
    assert_eq!(granted, [1], "no more is granted than is delivered");
    while cloud.shard.has_work() {
        cloud.shard.work(cloud.now, &mut cloud.world);
    }
    assert_eq!(cloud.read(device), [0x32, 6, 0, 1, b'r', 0, 1, b'x'], "QoS 1 without RETAIN");
    cloud.downlink((1, "d"), "r", QoS::ExactlyOnce, false, None);
    assert_eq!(cloud.read(device)[0], 0x32);
    let one = Manners { grants_qos_1: true, ..Manners::STRICT };
    let device = cloud.device(terms(free(Reach::Topics), one), V4);
    for asked in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
        assert_eq!(cloud.subscribe(device, V4, "t", asked), [1]);
    }
}

#[test]
fn what_waited_with_a_larger_qos_than_the_device_takes_by_now_is_delivered_with_less() {
    let mut cloud = Cloud::new(PLAIN);
    cloud.admits("1/e", topics());
    let other = cloud.connect("e", Some("1/e"), V4);
    cloud.admits("1/d", topics());
    // Clean Session 0.
    let connect = *b"\x10\x12\x00\x04MQTT\x04\x80\x00\x00\x00\x01d\x00\x031/d";
    let connect_again = |cloud: &mut Cloud| {
        let peer = hexmq_broker::Peer { address: "test".into(), loopback: true, listener: 0, secure: false };
        let conn = cloud.shard.open(peer, cloud.now);
        cloud.receive(conn, &connect);
        conn
    };
    let device = connect_again(&mut cloud);
    cloud.subscribe(device, V4, "t", QoS::ExactlyOnce);
    cloud.shard.lost(device, hexmq_broker::Lost::Closed, cloud.now, &mut cloud.world);
    cloud.publish(other, V4, "t", 2, false);
    cloud.publish(other, V4, "t", 1, false);
    cloud.receive(other, &[0x62, 2, 0, 10]);
    cloud.admits(
        "1/d",
        terms(free(Reach::Topics), Manners { largest_qos: QoS::AtMostOnce, ..Manners::STRICT }),
    );
    let device = connect_again(&mut cloud);
    let written = cloud.read(device);
    assert_eq!(written, [0x20, 2, 1, 0, 0x30, 4, 0, 1, b't', b'x', 0x30, 4, 0, 1, b't', b'x']);
    let census = cloud.shard.census();
    assert_eq!((census.messages_stored, census.messages_in_flight, census.messages_queued), (0, 0, 0));
}

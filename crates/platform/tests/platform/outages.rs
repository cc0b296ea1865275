//! A data base that is away, hangs or is full.

use std::time::{Duration, Instant};

use hexmq_device::Datum;
use hexmq_device::port::{Platform, PortErrorKind};
use serde_json::json;

use crate::store::Health;
use crate::world::{World, command, settings};

/// Uplinks wait, and are kept once and in order when the data base is back.
#[test]
fn what_comes_meanwhile_is_kept_later_once_and_in_order() {
    for health in [Health::Away, Health::Full, Health::Hanging] {
        let world = World::new();
        let (number, device) = world.plain();
        let send = |from: i64, to: i64| {
            for at in from..to {
                let body = json!({"n": at}).to_string();
                world.send(number, "d", "devices/d/properties", body.as_bytes());
            }
        };
        send(0, 100);
        world.settle();
        world.store.set_health(health);
        send(100, 300);
        // The device stays, and is told what can be told without the data base.
        if health != Health::Hanging {
            world.store.until("it is tried again and again", |store| store.refusals >= 3);
            assert_eq!(world.cloud.gauges().database_away, 1);
            assert!(world.cloud.gauges().keep_failures > 0);
        }
        assert!(!world.cloud.settle(Duration::ZERO));
        assert_eq!(world.fleet.look(|ships| ships.done.get("inbox-0").copied()), Some(100));
        world.fleet.until("applications hear at once", |ships| {
            ships.published.iter().filter(|(_, topic, _)| topic == "$hexmq/p/d/properties").count() == 300
        });
        world.store.set_health(Health::Well);
        world.settle();
        let kept = world
            .store
            .look(|store| store.points.iter().map(|point| point.value.clone()).collect::<Vec<_>>());
        assert_eq!(kept, (0..300).map(Datum::Integer).collect::<Vec<_>>(), "{health:?}");
        world.fleet.until("the shard hears", |ships| ships.done.get("inbox-0") == Some(&300));
        assert_eq!((world.cloud.gauges().backlog, world.cloud.gauges().database_away), (0, 0));
        assert_eq!(world.status(&device), "online");
    }
}

/// What the platform could not write before its end is handed up again and kept by the next one.
#[test]
fn a_stop_without_a_data_base_is_bounded_and_loses_nothing() {
    let over = hexmq_platform::Settings { stop_patience: Duration::from_millis(200), ..settings() };
    let world = World::over(Default::default(), Default::default(), over);
    let (number, _) = world.plain();
    world.settle();
    world.store.set_health(Health::Away);
    for at in 0..10 {
        let body = json!({"n": at}).to_string();
        world.send(number, "d", "devices/d/properties", body.as_bytes());
    }
    let begun = Instant::now();
    world.cloud.stop();
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    world.store.set_health(Health::Well);
    let next = World::over(world.store.clone(), Default::default(), settings());
    for at in 0..10_u64 {
        let body = json!({"n": at}).to_string();
        next.cloud.uplinks(vec![next.handed(at + 1, number, "d", "devices/d/properties", body.as_bytes())]);
    }
    next.settle();
    assert_eq!(next.store.look(|store| store.points.len()), 10);
}

#[test]
fn a_stop_writes_what_is_on_its_way() {
    let world = World::over(
        Default::default(),
        Default::default(),
        hexmq_platform::Settings { group_time: Duration::from_secs(3600), ..settings() },
    );
    let (number, device) = world.plain();
    world.cloud.noticed(number, "d", "odd", "something".to_owned());
    world.cloud.stop();
    assert!(world.store.look(|store| store.log.iter().any(|line| line.stage == "quirk")));
    assert!(world.store.look(|store| store.devices[&device].presence.online));
}

#[test]
fn what_needs_the_data_base_is_refused_honestly() {
    let world = World::new();
    let (number, device) = world.plain();
    world.send(number, "d", "devices/d/properties", br#"{"n":1}"#);
    world.settle();
    world.store.set_health(Health::Away);
    let error = world.cloud.command(&device, command(hexmq_device::Order::Raw(vec![1]), 60)).unwrap_err();
    assert_eq!(error.kind, PortErrorKind::Unavailable);
    world.send(number, "d", "devices/d/desired/get", b"");
    world.fleet.until("the device is told", |ships| {
        ships.sent.iter().any(|(_, _, sent, _)| sent.topic == "devices/d/errors")
    });
    world.store.set_health(Health::Well);
    assert!(world.stages(&device).contains(&"refused"));
}

/// An answer that came while the data base was away is not lost.
#[test]
fn an_answer_to_a_command_waits_for_the_data_base() {
    let world = World::new();
    let (number, device) = world.plain();
    let made = world.cloud.command(&device, command(hexmq_device::Order::Raw(vec![1]), 3600)).unwrap();
    world.send(number, "d", "devices/d/properties", br#"{"n":1}"#);
    world.settle();
    world.store.set_health(Health::Away);
    world.send(number, "d", &format!("devices/d/commands/{}/reply", made.id), b"ok");
    let waited = world.cloud.wait_for(&made.id, 20_000).unwrap();
    assert_eq!(waited.state.name(), "answered", "memory knows");
    world.store.set_health(Health::Well);
    world.settle();
    assert_eq!(world.store.look(|store| store.commands[&made.id].reply.clone()).as_deref(), Some(&b"ok"[..]));
}

/// Lines that no uplink stands for are dropped beyond their bound; uplinks never are.
#[test]
fn the_backlog_is_bounded() {
    let over = hexmq_platform::Settings { loose_rows: 50, ..settings() };
    let world = World::over(Default::default(), Default::default(), over);
    let (number, device) = world.plain();
    world.settle();
    world.store.set_health(Health::Away);
    for _ in 0..500 {
        world.pass(60_000);
        world.cloud.noticed(number, "d", "odd", "something".to_owned());
    }
    for _ in 0..100 {
        world.send(number, "d", "devices/d/properties", br#"{"n":1}"#);
    }
    world.store.set_health(Health::Well);
    world.settle();
    assert_eq!(world.cloud.latest(&device).unwrap().len(), 1);
    let (points, quirks) = world.store.look(|store| {
        let quirks = store.log.iter().filter(|line| line.stage == "quirk").count();
        (store.points.len(), quirks)
    });
    assert_eq!(points, 100);
    assert!((1..=60).contains(&quirks), "{quirks}");
}

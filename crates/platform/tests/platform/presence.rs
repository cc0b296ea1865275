//! Who is here.

use hexmq_device::DialectName;
use hexmq_device::port::Platform;

use crate::store::Health;
use crate::world::World;

#[test]
fn a_device_comes_and_goes() {
    let world = World::new();
    let number = world.product("p", DialectName::Plain);
    let device = world.device("p", "d", "secret");
    assert_eq!(world.status(&device), "never");
    world.come(number, "d");
    assert_eq!(world.status(&device), "online");
    world.settle();
    let stored = world.store.look(|store| store.devices[&device].presence.clone());
    assert_eq!((stored.online, stored.peer.as_deref()), (true, Some("127.0.0.1:5000")));
    world.go(number, "d", "keep_alive_timeout");
    world.settle();
    assert_eq!(world.status(&device), "offline");
    let stored = world.store.look(|store| store.devices[&device].presence.clone());
    assert_eq!((stored.online, stored.reason.as_deref()), (false, Some("keep_alive_timeout")));
    let told = world.fleet.told("$hexmq/p/d/presence");
    let states: Vec<_> = told.iter().map(|body| body["status"].as_str().unwrap()).collect();
    assert_eq!(states, ["online", "offline"]);
    assert_eq!(world.stages(&device), ["connected", "disconnected"]);
}

#[test]
fn a_take_over_leaves_the_device_on_line() {
    let world = World::new();
    let (number, device) = world.plain();
    // The end of the old connection is told after the beginning of the new one.
    world.come(number, "d");
    world.cloud.disconnected(number, "d", "taken_over");
    world.settle();
    assert_eq!(world.status(&device), "online");
    assert!(world.store.look(|store| store.devices[&device].presence.online));
    world.go(number, "d", "disconnected");
    world.settle();
    assert_eq!(world.status(&device), "offline");
    // One end too many changes nothing.
    world.go(number, "d", "disconnected");
    world.come(number, "d");
    assert_eq!(world.status(&device), "online");
}

#[test]
fn only_the_last_word_is_kept_while_the_data_base_is_away() {
    let world = World::new();
    let number = world.product("p", DialectName::Plain);
    let device = world.device("p", "d", "secret");
    world.store.set_health(Health::Away);
    for _ in 0..200 {
        world.come(number, "d");
        world.go(number, "d", "disconnected");
    }
    world.come(number, "d");
    world.store.set_health(Health::Well);
    world.settle();
    assert!(world.store.look(|store| store.devices[&device].presence.online));
}

#[test]
fn a_restart_finds_nobody_here() {
    let world = World::new();
    let (_, device) = world.plain();
    world.settle();
    world.cloud.stop();
    let next = World::over(world.store.clone(), Default::default(), crate::world::settings());
    assert_eq!(next.status(&device), "offline");
    assert_eq!(next.cloud.device(&device).unwrap().presence.reason.as_deref(), Some("server_restarted"));
}

#[test]
fn what_is_odd_is_noticed_once_a_minute() {
    let world = World::new();
    let (number, device) = world.plain();
    for _ in 0..10 {
        world.cloud.noticed(number, "d", "zero_flags", "SUBSCRIBE begins with 80".to_owned());
    }
    world.pass(60_000);
    world.cloud.noticed(number, "d", "zero_flags", "SUBSCRIBE begins with 80".to_owned());
    let quirks = world.stages(&device).into_iter().filter(|stage| *stage == "quirk").count();
    assert_eq!(quirks, 2);
}

//! Commands and what becomes of them.

use hexmq_device::port::{NewCommand, Platform};
use hexmq_device::{Command, CommandState, DialectName, Order};
use serde_json::json;

use crate::world::{World, command};

fn raw(bytes: &[u8]) -> Order {
    Order::Raw(bytes.to_vec())
}

fn answer(world: &World, number: u32, command: &Command, payload: &[u8]) {
    let topic = format!("devices/{}/commands/{}/reply", command.device.device, command.id);
    world.send(number, &command.device.device, &topic, payload);
}

#[test]
fn a_command_is_sent_acknowledged_and_answered() {
    let world = World::new();
    let (number, device) = world.plain();
    let made = world.cloud.command(&device, command(raw(b"led:1"), 0)).unwrap();
    assert_eq!(made.state, CommandState::Sent);
    let (_, to, sent, token) = world.fleet.look(|ships| ships.sent[0].clone());
    assert_eq!((&*to, &sent.payload[..]), ("d", &b"led:1"[..]));
    assert_eq!(sent.topic, format!("devices/d/commands/{}", made.id));
    world.cloud.acked(token.unwrap());
    assert_eq!(world.cloud.find_command(&made.id).unwrap().state, CommandState::Acked);
    answer(&world, number, &made, br#"{"code":200,"data":{"led":1}}"#);
    let done = world.cloud.wait_for(&made.id, 20_000).unwrap();
    assert_eq!((done.state, done.reply_code), (CommandState::Answered, Some(200)));
    assert_eq!(done.reply_data, Some(json!({"led": 1})));
    // A later answer takes the place of the earlier one.
    answer(&world, number, &made, b"again");
    world.settle();
    let stored = world.store.look(|store| store.commands[&made.id].clone());
    assert_eq!((stored.state, stored.reply.as_deref()), (CommandState::Answered, Some(&b"again"[..])));
    let told = world.fleet.told("$hexmq/p/d/commands");
    let states: Vec<_> = told.iter().map(|body| body["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["created", "sent", "acked", "answered", "answered"]);
    let stages = world.stages(&device);
    assert_eq!(stages.iter().filter(|stage| ["sent", "acked", "answered"].contains(stage)).count(), 4);
}

#[test]
fn who_is_away_refuses_or_gets_it_later_in_order() {
    let world = World::new();
    let number = world.product("p", DialectName::Plain);
    let device = world.device("p", "d", "secret");
    let now = world.cloud.command(&device, command(raw(b"now"), 0)).unwrap();
    assert_eq!((now.state, now.reason.as_deref()), (CommandState::Refused, Some("offline")));
    let mut later = Vec::new();
    for order in 0..5_u8 {
        later.push(world.cloud.command(&device, command(raw(&[order]), 60)).unwrap());
        world.pass(1);
    }
    assert!(later.iter().all(|command| command.state == CommandState::Created));
    world.come(number, "d");
    world.fleet.until("all are sent", |ships| ships.sent.len() == 5);
    let sent = world.fleet.look(|ships| ships.sent.iter().map(|sent| sent.2.payload[0]).collect::<Vec<_>>());
    assert_eq!(sent, [0, 1, 2, 3, 4]);
    world.settle();
    // What is sent is not sent again.
    world.go(number, "d", "disconnected");
    world.come(number, "d");
    let another = world.cloud.command(&device, command(raw(b"x"), 0)).unwrap();
    assert_eq!(another.state, CommandState::Sent);
    assert_eq!(world.fleet.look(|ships| ships.sent.len()), 6);
}

#[test]
fn a_command_that_is_to_come_again_comes_until_it_is_answered() {
    let world = World::new();
    let (number, device) = world.plain();
    let again = NewCommand { again: true, ..command(raw(b"again"), 3600) };
    let made = world.cloud.command(&device, again).unwrap();
    world.settle();
    world.go(number, "d", "disconnected");
    world.come(number, "d");
    world.fleet.until("it is sent again", |ships| ships.sent.len() == 2);
    answer(&world, number, &made, b"ok");
    assert_eq!(world.cloud.wait_for(&made.id, 20_000).unwrap().state, CommandState::Answered);
    world.settle();
    world.go(number, "d", "disconnected");
    world.come(number, "d");
    let next = world.cloud.command(&device, command(raw(b"next"), 0)).unwrap();
    assert_eq!(next.state, CommandState::Sent);
    assert_eq!(world.fleet.look(|ships| ships.sent.len()), 3);
}

#[test]
fn time_ends_what_is_not_answered_and_a_late_answer_is_one() {
    let world = World::new();
    let (number, device) = world.plain();
    let made = world.cloud.command(&device, command(raw(b"x"), 0)).unwrap();
    world.pass(19_000);
    assert_eq!(world.cloud.wait_for(&made.id, 300).unwrap().state, CommandState::Sent);
    world.pass(1_001);
    let over = world.cloud.wait_for(&made.id, 20_000).unwrap();
    assert_eq!((over.state, over.reason.as_deref()), (CommandState::TimedOut, Some("no_answer")));
    answer(&world, number, &made, b"late");
    world.settle();
    assert_eq!(world.cloud.find_command(&made.id).unwrap().state, CommandState::Answered);
    let waiting = NewCommand { answer_s: Some(2), ..command(raw(b"y"), 0) };
    let made = world.cloud.command(&device, waiting).unwrap();
    world.pass(2_001);
    assert_eq!(world.cloud.wait_for(&made.id, 20_000).unwrap().state, CommandState::TimedOut);
    let gauges = world.cloud.gauges();
    assert_eq!((gauges.commands_timed_out, gauges.commands_answered), (2, 1));
}

#[test]
fn a_command_waits_until_the_device_listens() {
    let world = World::new();
    let (number, device) = world.plain();
    world.fleet.set_here(number, "d", false);
    let at_once = world.cloud.command(&device, command(raw(b"now"), 0)).unwrap();
    assert_eq!((at_once.state, at_once.reason.as_deref()), (CommandState::Refused, Some("not_subscribed")));
    let made = world.cloud.command(&device, command(raw(b"x"), 60)).unwrap();
    assert_eq!(made.state, CommandState::Created);
    world.fleet.set_here(number, "d", true);
    world.pass(1000);
    world.fleet.until("it is sent", |ships| ships.sent.len() == 1);
}

#[test]
fn an_answer_finds_a_command_that_only_the_data_base_knows() {
    let world = World::new();
    let (number, device) = world.plain();
    let made = world.cloud.command(&device, command(raw(b"x"), 3600)).unwrap();
    world.settle();
    world.cloud.stop();
    let next = World::over(world.store.clone(), Default::default(), crate::world::settings());
    next.come(number, "d");
    answer(&next, number, &made, b"after the restart");
    next.settle();
    let done = next.cloud.find_command(&made.id).unwrap();
    assert_eq!(
        (done.state, done.reply.as_deref()),
        (CommandState::Answered, Some(&b"after the restart"[..]))
    );
    answer(&next, number, &Command { id: "unknown".to_owned(), ..made }, b"to nothing");
    next.settle();
    assert!(next.stages(&device).contains(&"answered"));
}

#[test]
fn what_a_dialect_cannot_say_is_refused_with_its_reason() {
    let world = World::new();
    let (_, device) = world.plain();
    let made = world.cloud.command(&device, command(Order::Lifecycle("enable"), 60)).unwrap();
    assert_eq!((made.state, made.reason.as_deref()), (CommandState::Refused, Some("no_such_order")));
    let too_long = world.cloud.command(&device, command(raw(b"x"), 2_678_401)).unwrap_err();
    assert_eq!(too_long.code, "timeout_too_long");
    let nobody = hexmq_device::DeviceRef::new("p", "nobody");
    assert_eq!(world.cloud.command(&nobody, command(raw(b"x"), 0)).unwrap_err().code, "unknown_device");
    assert_eq!(world.cloud.find_command("none").unwrap_err().code, "unknown_command");
}

#[test]
fn the_legacy_access_sends_commands_without_a_limit_for_the_answer() {
    let world = World::new();
    let number = world.product("491644", DialectName::Onenet);
    let device = world.device("491644", "901505824", "auth");
    world.come(number, "901505824");
    let made = world.cloud.command(&device, NewCommand { qos: 0, ..command(raw(b"redled:0"), 0) }).unwrap();
    let (_, _, sent, token) = world.fleet.look(|ships| ships.sent[0].clone());
    assert_eq!((sent.topic, sent.qos, token), (format!("$creq/{}", made.id), 0, None));
    world.pass(86_400_000);
    world.send(number, "901505824", &format!("$crsp/{}", made.id), b"ok");
    let done = world.cloud.wait_for(&made.id, 20_000).unwrap();
    assert_eq!((done.state, done.reply.as_deref()), (CommandState::Answered, Some(&b"ok"[..])));
}

#[test]
fn commands_outlive_the_memory_of_the_platform() {
    let world = World::new();
    let (number, device) = world.plain();
    let answered = world.cloud.command(&device, command(raw(b"x"), 3600)).unwrap();
    let long = NewCommand { answer_s: Some(86_400), ..command(raw(b"y"), 0) };
    let waiting = world.cloud.command(&device, long).unwrap();
    answer(&world, number, &answered, b"1");
    world.cloud.wait_for(&answered.id, 20_000).unwrap();
    world.settle();
    // Both rest and are forgotten; the data base knows them.
    world.pass(700_000);
    answer(&world, number, &answered, b"2");
    world.settle();
    assert_eq!(world.cloud.find_command(&answered.id).unwrap().reply.as_deref(), Some(&b"2"[..]));
    world.pass(86_400_000);
    let over = world.cloud.wait_for(&waiting.id, 20_000).unwrap();
    assert_eq!((over.state, over.reason.as_deref()), (CommandState::TimedOut, Some("no_answer")));
}

#[test]
fn a_device_that_listens_late_still_gets_its_command() {
    let world = World::new();
    let (number, device) = world.plain();
    world.fleet.set_here(number, "d", false);
    let made = world.cloud.command(&device, command(raw(b"x"), 3600)).unwrap();
    for _ in 0..40 {
        world.pass(15_000);
        assert_eq!(world.cloud.wait_for(&made.id, 20).unwrap().state, CommandState::Created);
    }
    world.fleet.set_here(number, "d", true);
    world.pass(60_000);
    world.fleet.until("it is sent", |ships| ships.sent.len() == 1);
}

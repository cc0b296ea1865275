//! The life of a command against a naive model, and orders as JSON.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too")]

use hexmq_device::life::Happening;
use hexmq_device::{Answered, Command, CommandState, DeviceRef, Offer, Order, Shadow};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

fn command(timeout_ms: i64, again: bool) -> Command {
    Command {
        id: "c".to_owned(),
        device: DeviceRef::new("p", "d"),
        order: json!({"payload_hex": "00"}),
        state: CommandState::Created,
        reason: None,
        qos: 0,
        again,
        correlation: None,
        reply: None,
        reply_code: None,
        reply_data: None,
        created_at_ms: 0,
        sent_at_ms: None,
        answered_at_ms: None,
        deadline_ms: timeout_ms,
    }
}

fn answered(payload: u8) -> Answered {
    Answered { correlation: "c".to_owned(), payload: vec![payload], code: None, data: None }
}

#[derive(Clone, Debug)]
enum Step {
    Sent(Option<i64>),
    NotSent,
    Impossible,
    Acked,
    Answered(u8),
    Time,
}

fn steps() -> impl Strategy<Value = Vec<(Step, i64)>> {
    let step = prop_oneof![
        prop::option::of(1_i64..100).prop_map(Step::Sent),
        Just(Step::NotSent),
        Just(Step::Impossible),
        Just(Step::Acked),
        any::<u8>().prop_map(Step::Answered),
        Just(Step::Time),
    ];
    prop::collection::vec((step, 0_i64..60), 0..30)
}

fn happening(step: &Step) -> Happening {
    match step {
        Step::Sent(answer_ms) => Happening::Sent { correlation: Some("c".to_owned()), answer_ms: *answer_ms },
        Step::NotSent => Happening::NotSent { reason: "offline" },
        Step::Impossible => Happening::Impossible { reason: "no_such_order".to_owned() },
        Step::Acked => Happening::Acked,
        Step::Answered(payload) => Happening::Answered(answered(*payload)),
        Step::Time => Happening::Time,
    }
}

proptest! {
    /// Told in words: the last answer counts whenever it came; else the first end counts; else how far it got.
    #[test]
    fn a_command_ends_as_its_story_says(steps in steps(), timeout in 0_i64..200, again: bool) {
        let mut real = command(timeout, again);
        let (mut now, mut answer, mut end, mut got) = (0, None, None, CommandState::Created);
        let mut deadline = timeout;
        for (step, wait) in steps {
            now += wait;
            let before = real.clone();
            let changed = real.happens(happening(&step), now);
            prop_assert_eq!(changed || real == before, true, "it changed and did not say so");
            let is_open = answer.is_none() && end.is_none();
            match step {
                Step::Answered(payload) => answer = Some(payload),
                Step::Sent(wait) if is_open => {
                    got = CommandState::Sent;
                    deadline = match wait {
                        Some(wait) if again => deadline.max(now + wait),
                        Some(wait) => now + wait,
                        None if timeout <= 0 && deadline <= 0 => now + 31 * 86_400_000,
                        None => deadline,
                    };
                }
                Step::Acked if is_open && got == CommandState::Sent => got = CommandState::Acked,
                Step::NotSent if is_open && got == CommandState::Created && now >= deadline => {
                    end = Some(CommandState::Refused);
                }
                Step::Impossible if is_open && got == CommandState::Created => end = Some(CommandState::Refused),
                Step::Time if is_open && now >= deadline => end = Some(CommandState::TimedOut),
                _ => {}
            }
            let expected = if answer.is_some() { CommandState::Answered } else { end.unwrap_or(got) };
            prop_assert_eq!(real.state, expected);
            prop_assert_eq!(real.reply.clone(), answer.map(|payload| vec![payload]));
            prop_assert_eq!(real.reason.is_some(), matches!(expected, CommandState::TimedOut | CommandState::Refused));
            let goes = !expected.is_final() && now < deadline && (expected == CommandState::Created || again);
            prop_assert_eq!(real.goes_out(now), goes);
        }
    }

    #[test]
    fn an_order_is_read_as_it_was_written(order in order()) {
        prop_assert_eq!(Order::of_json(&order.to_json()), Some(order.clone()));
        // Its text, too, as the data base keeps it.
        let json: Json = serde_json::from_str(&order.to_json().to_string()).unwrap();
        prop_assert_eq!(Order::of_json(&json), Some(order));
    }

    #[test]
    fn no_json_breaks_an_order(text in "[\\[\\]{}:,\"a-z0-9]{0,40}") {
        if let Ok(json) = serde_json::from_str::<Json>(&text) {
            Order::of_json(&json);
        }
    }
}

fn order() -> impl Strategy<Value = Order> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..20);
    let name = "[a-z]{4,8}";
    let devices = || {
        prop::collection::vec(("[a-z]{1,4}", "[a-z]{1,4}"), 0..3).prop_map(|pairs| {
            pairs.into_iter().map(|(product, device)| DeviceRef::new(product, device)).collect::<Vec<_>>()
        })
    };
    let offer = || {
        (name, name, any::<u32>()).prop_map(|(id, version, size)| Offer {
            id,
            version,
            module: "default".to_owned(),
            size: size.into(),
            url: "http://x/".to_owned(),
            sha256: "00".to_owned(),
            md5: "11".to_owned(),
        })
    };
    let shadow = (name, any::<i32>(), any::<u32>()).prop_map(|(name, value, at)| Shadow {
        reported: [(name.clone(), (json!(value), i64::from(at)))].into(),
        desired: [(name, (json!({"a": [value]}), i64::from(at)))].into(),
        version: 3,
        at_ms: 5,
    });
    prop_oneof![
        bytes().prop_map(Order::Raw),
        any::<i32>().prop_map(|value| Order::Set(json!({"level": value}))),
        prop::collection::vec(name, 0..4).prop_map(Order::Get),
        (name, any::<i32>(), any::<bool>()).prop_map(|(service, value, sync)| Order::Invoke {
            service,
            params: json!({"in": value}),
            sync
        }),
        (name, bytes(), 0_u8..3).prop_map(|(topic, payload, qos)| Order::Publish { topic, payload, qos }),
        shadow.prop_map(Order::Shadow),
        offer().prop_map(Order::Firmware),
        offer().prop_map(Order::Config),
        devices().prop_map(Order::TopologyNotify),
        (any::<u8>(), devices()).prop_map(|(status, devices)| Order::TopologyChange(status, devices)),
        Just(Order::Lifecycle("disable")),
    ]
}

//! What the stores cost: `cargo bench -p hexmq-broker --bench stores [-- index | retained | wheel]`.
//!
//! Memory is the growth of the resident set, which counts what the allocator wastes too. Times
//! are CPU time, but for the slowest subscribe; the caches are cold, since every look-up takes
//! another topic.

#![allow(clippy::disallowed_methods, reason = "a bench reads the clock")]

use std::fmt::Write as _;
use std::hint::black_box;
use std::num::NonZeroU32;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use hexmq_broker::store::{
    Cursor, Index, NewEntry, Progress, Retained, RetainedBounds, RetainedMessage, Wheel,
};
use hexmq_broker::{Namespace, SessionRef, ShardId};
use hexmq_session::{Mono, Wall};
use hexmq_topic::{SubscriptionFilter, TopicFilter, TopicName};
use hexmq_wire::{QoS, SubscriptionOptions};

const MILLION: u32 = 1_000_000;

/// Each part runs in a process of its own, so that none lives on memory another gave back.
fn main() {
    let parts: [(&str, fn()); 5] = [
        ("index", index_of_devices),
        ("index-3", index_of_three_filters),
        ("index-1", index_of_one_filter),
        ("retained", retained),
        ("wheel", wheel),
    ];
    let wanted: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    if let [word] = wanted.as_slice()
        && let Some((_, part)) = parts.iter().find(|(name, _)| name == word)
    {
        return part();
    }
    let program = std::env::current_exe().expect("the path of this bench");
    for (name, _) in
        parts.iter().filter(|(name, _)| wanted.is_empty() || wanted.iter().any(|word| word == name))
    {
        std::process::Command::new(&program).arg(name).status().expect("this bench again");
    }
}

fn index_of_devices() {
    index("1 filter per device, 1,000 with +, one #", 1, |number, filter| match number {
        0 => filter.push('#'),
        1..=1000 => _ = write!(filter, "fleet/{}/+/command", number - 1),
        _ => device(number, filter),
    });
}

fn index_of_three_filters() {
    index("3 filters per device: exact, + and #", 3, |number, filter| {
        device(number / 3, filter);
        let prefix = filter.len() - "command".len();
        match number % 3 {
            0 => {}
            1 => filter.replace_range(prefix.., "+"),
            _ => filter.replace_range(prefix.., "#"),
        }
    });
}

fn device(number: u32, text: &mut String) {
    let _ = write!(text, "fleet/{}/device{number}/command", number % 1000);
}

fn session(number: u32) -> SessionRef {
    SessionRef { shard: ShardId((number % 2) as u16), slot: number, generation: 1 }
}

fn entry(number: u32) -> NewEntry {
    NewEntry {
        session: session(number),
        options: SubscriptionOptions { qos: QoS::AtLeastOnce, ..SubscriptionOptions::default() },
        subscription_identifier: NonZeroU32::new(number % 2),
        stored: false,
        room: None,
    }
}

fn index(shape: &str, per_device: u32, filter_of: impl Fn(u32, &mut String)) {
    let index = Index::new(7);
    let mut text = String::new();
    let before = resident_bytes();
    let started = CpuClock::now();
    let mut slowest = Duration::ZERO;
    for number in 0..MILLION {
        text.clear();
        filter_of(number, &mut text);
        let one = Instant::now();
        index.subscribe(Namespace::PLAIN, SubscriptionFilter::parse(&text).expect("a filter"), entry(number));
        slowest = slowest.max(one.elapsed());
    }
    let subscribing = started.elapsed();
    let bytes = resident_bytes() - before;
    let topics: Vec<String> = (0..MILLION)
        .map(|number| {
            let mut topic = String::new();
            device(scatter(number) % (MILLION / per_device - 1001) + 1001, &mut topic);
            topic
        })
        .collect();
    let topics: Vec<TopicName<'_>> =
        topics.iter().map(|topic| TopicName::parse(topic).expect("a topic")).collect();
    let mut found = 0_u64;
    let started = CpuClock::now();
    for topic in topics {
        index.matches(Namespace::PLAIN, topic, &mut |matched| {
            black_box(&matched);
            found += 1;
        });
    }
    let matching = started.elapsed();
    println!("index, {shape}: {:?}", index.census());
    println!("  {:.1} B per subscription", bytes as f64 / f64::from(MILLION));
    println!(
        "  subscribe {:.2} us, slowest {:.1} ms",
        each(subscribing, MILLION),
        slowest.as_secs_f64() * 1e3
    );
    println!("  match {:.2} us, {:.2} found", each(matching, MILLION), found as f64 / f64::from(MILLION));
    let started = CpuClock::now();
    for number in 0..MILLION {
        text.clear();
        filter_of(number, &mut text);
        index.unsubscribe(
            Namespace::PLAIN,
            SubscriptionFilter::parse(&text).expect("a filter"),
            session(number),
        );
    }
    println!("  unsubscribe {:.2} us, left {:?}", each(started.elapsed(), MILLION), index.census());
}

/// Many sessions with the same filter.
fn index_of_one_filter() {
    let index = Index::new(7);
    let filter = SubscriptionFilter::parse("a/b").expect("a filter");
    let before = resident_bytes();
    let started = CpuClock::now();
    (0..MILLION).for_each(|number| _ = index.subscribe(Namespace::PLAIN, filter, entry(number)));
    println!(
        "index, one filter of all: {:.1} B per subscription",
        (resident_bytes() - before) as f64 / f64::from(MILLION)
    );
    println!("  subscribe {:.2} us", each(started.elapsed(), MILLION));
    let started = CpuClock::now();
    index.matches(Namespace::PLAIN, TopicName::parse("a/b").expect("a topic"), &mut |matched| {
        _ = black_box(&matched)
    });
    println!("  match {:.3} us for each found", each(started.elapsed(), MILLION));
}

fn retained() {
    let count = 100_000;
    let store = Retained::new(RetainedBounds {
        messages_max: usize::MAX,
        bytes_max: usize::MAX,
        memory_bytes_max: usize::MAX,
    });
    let mut topic = String::new();
    let payload = [b'x'; 64];
    let mut set_all = || {
        let started = CpuClock::now();
        for number in 0..count {
            topic.clear();
            device(scatter(number) % count, &mut topic);
            let message = RetainedMessage {
                topic: &topic,
                qos: QoS::AtLeastOnce,
                properties: b"",
                payload: &payload,
                expires: None,
                publisher: 0,
                serial: None,
            };
            store.set(Namespace::PLAIN, &message);
        }
        started.elapsed()
    };
    let before = resident_bytes();
    let storing = set_all();
    let bytes = resident_bytes() - before;
    let replacing = set_all();
    println!("retained, {count}: {:.1} B each for 64 B of payload", bytes as f64 / store.len() as f64);
    println!("  store {:.2} us, replace {:.2} us", each(storing, count), each(replacing, count));
    for filter in ["#", "fleet/+/+/command", "+/+/device77/command"] {
        let parsed = TopicFilter::parse(filter).expect("a filter");
        let (mut cursor, mut found, mut slices) = (Cursor::default(), 0, 1);
        let started = CpuClock::now();
        while store.collect(Namespace::PLAIN, parsed, &mut cursor, 100, Wall(0), |message| {
            black_box(&message);
            found += 1;
            ControlFlow::Continue(())
        }) == Progress::More
        {
            slices += 1;
        }
        let spent = started.elapsed();
        println!(
            "  fetch {filter}: {:.3} us each of {found}, {slices} slices of 100",
            each(spent, found.max(1))
        );
    }
}

fn wheel() {
    let mut wheel = Wheel::new(Mono(0));
    let before = resident_bytes();
    let started = CpuClock::now();
    (0..MILLION)
        .for_each(|number| wheel.insert(Mono(u64::from(scatter(number) % 90_000)), u64::from(number)));
    let inserting = started.elapsed();
    let bytes = resident_bytes() - before;
    let (mut fired, mut now) = (0, Mono(0));
    let started = CpuClock::now();
    while let Some(next) = wheel.next() {
        now = now.max(next);
        wheel.expire(now, |token| {
            black_box(token);
            fired += 1;
        });
    }
    println!("wheel, {fired} timers: {:.1} B each", bytes as f64 / f64::from(MILLION));
    println!("  insert {:.3} us, fire {:.3} us", each(inserting, MILLION), each(started.elapsed(), fired));
}

/// The CPU time of this process, which a busy machine does not stretch.
struct CpuClock(Duration);

impl CpuClock {
    fn now() -> CpuClock {
        let text = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
        let ns = text.split(' ').next().and_then(|ns| ns.parse().ok()).unwrap_or_default();
        CpuClock(Duration::from_nanos(ns))
    }

    fn elapsed(&self) -> Duration {
        CpuClock::now().0.saturating_sub(self.0)
    }
}

fn each(time: Duration, count: u32) -> f64 {
    time.as_secs_f64() * 1e6 / f64::from(count)
}

/// The same number for the same input, all over the range.
fn scatter(number: u32) -> u32 {
    (number ^ 0x5bd1_e995).wrapping_mul(2_654_435_761).rotate_left(15).wrapping_mul(2_246_822_519)
}

fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or_default();
    pages * 4096
}

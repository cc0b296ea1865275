//! A million connected clients with a subscription each in the real core, without sockets: no machine of ours has a
//! million descriptors. Their memory is computed from the sizes of its parts and measured as growth of the resident
//! set; messages to some of them and the Keep Alive of all are timed.

mod world;

use std::fs;

use hexmq_broker::store::{Index, NewEntry};
use hexmq_broker::{Namespace, SessionRef, Shard, ShardId};
use hexmq_node::LINK_BYTES;
use hexmq_topic::SubscriptionFilter;
use hexmq_wire::{QoS, SubscriptionOptions};
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};

use world::{Crowd, KEEP_ALIVE_S, publish, topic};

/// Two bytes.
const PINGREQ: [u8; 2] = [0xC0, 0];
/// The timers are looked at so often, in milliseconds, as a shard's wheel has its ticks.
const STEP_MS: u64 = 64;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Connected clients
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    clients: u32,
    /// Messages, each to another client
    #[arg(long, default_value_t = 100_000)]
    messages: u32,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Measures and prints.
pub(crate) fn run(args: &Args) -> Result<(), String> {
    let clients = args.clients as usize;
    let (index, index_bytes) = index_alone(clients)?;
    let mut crowd = Crowd::new(clients);
    let memory = connect_all(&mut crowd, clients)?;
    // Not before: its memory would be used again, and not be seen to grow.
    drop(index);
    let messages = publish_to_some(&mut crowd, args.messages.min(args.clients) as usize)?;
    let keep_alive = keep_all_alive(&mut crowd)?;
    let parts = computed(index_bytes / clients as f64);
    let computed: f64 = parts.iter().map(|(_, bytes)| bytes).sum();
    let report = json!({ "scenario": "million", "clients": clients, "computed": parts_as_json(&parts),
        "computed_bytes_per_client": computed, "measured_bytes_per_client": memory.bytes,
        "measured_connected_bytes": memory.connected_bytes, "measured_subscribed_bytes": memory.subscribed_bytes,
        "connect_ns": memory.connect_ns, "subscribe_ns": memory.subscribe_ns,
        "messages": messages.count, "publish_far_ns": messages.far_ns, "publish_near_ns": messages.near_ns, "keep_alive_s": KEEP_ALIVE_S,
        "pingreq_ns": keep_alive.pingreq_ns, "timers_ns_per_client": keep_alive.timers_ns,
        "keep_alive_ms_per_s": keep_alive.ms_per_s });
    if args.json {
        println!("{report}");
    } else {
        print(&report, &parts);
    }
    Ok(())
}

/// What the clients took.
struct Memory {
    bytes: f64,
    connected_bytes: f64,
    subscribed_bytes: f64,
    connect_ns: f64,
    subscribe_ns: f64,
}

fn connect_all(crowd: &mut Crowd, clients: usize) -> Result<Memory, String> {
    let each = |amount: u64| amount as f64 / clients as f64;
    let (empty_bytes, begun_ns) = (resident_bytes()?, cpu_ns());
    // Spread over one Keep Alive, as clients are that have been there for a while.
    let per_step = (clients as u64 * STEP_MS).div_ceil(u64::from(KEEP_ALIVE_S) * 1000) as usize;
    for number in 0..clients {
        crowd.accept();
        let conn = crowd.connect(number)?;
        crowd.clients.push(conn);
        if (number + 1).is_multiple_of(per_step) {
            crowd.pass(STEP_MS);
        }
    }
    let (connected_bytes, connected_ns) = (resident_bytes()?, cpu_ns());
    for number in 0..clients {
        crowd.subscribe(number)?;
    }
    let (subscribed_bytes, subscribed_ns) = (resident_bytes()?, cpu_ns());
    Ok(Memory {
        bytes: each(subscribed_bytes - empty_bytes),
        connected_bytes: each(connected_bytes - empty_bytes),
        subscribed_bytes: each(subscribed_bytes - connected_bytes),
        connect_ns: each(connected_ns - begun_ns),
        subscribe_ns: each(subscribed_ns - connected_ns),
    })
}

/// What a message costs, in nanoseconds.
struct Messages {
    count: usize,
    /// Each to another client, far from the one before: hardly anything is in the processor's caches.
    far_ns: f64,
    /// The first hundredth of them again and again.
    near_ns: f64,
}

fn publish_to_some(crowd: &mut Crowd, count: usize) -> Result<Messages, String> {
    // Times a prime, so that all are different as long as there are not more than clients.
    let receiver = |message: usize| (message * 2_654_435_761) % crowd.clients.len();
    let packets = (0..count).map(|message| publish(receiver(message))).collect::<Result<Vec<_>, _>>()?;
    let near = packets.iter().take((count / 100).max(1)).cycle().take(count);
    Ok(Messages { count, far_ns: publish_all(crowd, packets.iter())?, near_ns: publish_all(crowd, near)? })
}

/// The first client publishes these; nanoseconds each.
fn publish_all<'a>(crowd: &mut Crowd, packets: impl Iterator<Item = &'a Vec<u8>>) -> Result<f64, String> {
    let publisher = crowd.clients.first().copied().ok_or("no clients")?;
    let before = crowd.delivered();
    let begun_ns = cpu_ns();
    let mut count = 0_u64;
    for packet in packets {
        crowd.receive(publisher, packet)?;
        count += 1;
    }
    let spent_ns = cpu_ns() - begun_ns;
    match crowd.delivered() - before {
        delivered if delivered == count => Ok(spent_ns as f64 / count.max(1) as f64),
        delivered => Err(format!("{count} messages led to {delivered} deliveries")),
    }
}

/// What it takes that nobody is given up.
struct KeepAlive {
    pingreq_ns: f64,
    timers_ns: f64,
    /// CPU time for both in one second of the server's life.
    ms_per_s: f64,
}

/// Every client sends a PINGREQ once in its Keep Alive, evenly spread, for two of them; timers run meanwhile.
fn keep_all_alive(crowd: &mut Crowd) -> Result<KeepAlive, String> {
    let clients = crowd.clients.clone();
    let length_ms = u64::from(KEEP_ALIVE_S) * 1000;
    let steps = length_ms / STEP_MS;
    let (mut pings_ns, mut timers_ns) = (0, 0);
    for _ in 0..2 {
        for step in 0..steps {
            let place = |step: u64| (clients.len() as u64 * step / steps) as usize;
            let begun_ns = cpu_ns();
            for &conn in clients.get(place(step)..place(step + 1)).unwrap_or_default() {
                crowd.receive(conn, &PINGREQ)?;
            }
            let pinged_ns = cpu_ns();
            crowd.pass(STEP_MS);
            timers_ns += cpu_ns() - pinged_ns;
            pings_ns += pinged_ns - begun_ns;
        }
    }
    if crowd.world.closed > 0 {
        return Err(format!("{} clients were given up although they are alive", crowd.world.closed));
    }
    let rounds = 2.0 * clients.len() as f64;
    let spent_ms = (pings_ns + timers_ns) as f64 / 1e6;
    Ok(KeepAlive {
        pingreq_ns: pings_ns as f64 / rounds,
        timers_ns: timers_ns as f64 / rounds,
        ms_per_s: spent_ms / (2.0 * f64::from(KEEP_ALIVE_S)),
    })
}

/// The parts of a client's memory, as large as they are declared; strings as the allocator rounds them.
fn computed(index_bytes: f64) -> Vec<(&'static str, f64)> {
    let mut parts = vec![("socket, in the table of its shard", LINK_BYTES as f64)];
    parts.extend(Shard::BYTES_PER_CLIENT.map(|(name, bytes)| (name, bytes as f64)));
    parts.extend([
        ("session in the directory, 7/8 full", 5.0 * 8.0 / 7.0),
        ("client identifier, text", allocated("device-0000000".len())),
        ("filter, text", allocated(topic(999).len())),
        ("subscription in the index, measured alone", index_bytes),
    ]);
    parts
}

/// What glibc takes for so many bytes: eight more, in steps of sixteen, thirty-two at least.
fn allocated(bytes: usize) -> f64 {
    (bytes + 8).next_multiple_of(16).max(32) as f64
}

/// An index with the filters of all clients, and its memory.
fn index_alone(clients: usize) -> Result<(Index, f64), String> {
    let before = resident_bytes()?;
    let index = Index::new(7);
    for number in 0..clients {
        let text = topic(number);
        let filter = SubscriptionFilter::parse(&text).map_err(|error| error.to_string())?;
        let session = SessionRef { shard: ShardId(0), slot: number as u32, generation: 0 };
        let options = SubscriptionOptions::with_qos(QoS::AtLeastOnce);
        index.subscribe(
            Namespace::PLAIN,
            filter,
            NewEntry { session, options, subscription_identifier: None, room: None, stored: false },
        );
    }
    let bytes = (resident_bytes()? - before) as f64;
    Ok((index, bytes))
}

fn parts_as_json(parts: &[(&'static str, f64)]) -> Value {
    parts
        .iter()
        .map(|&(name, bytes)| (name.to_owned(), Value::from(bytes)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn print(report: &Value, parts: &[(&'static str, f64)]) {
    println!("bytes of a connected client with one subscription, computed");
    for (name, bytes) in parts {
        println!("  {name:<44} {bytes:>8.0}");
    }
    println!("  {:<44} {:>8.0}", "sum", report["computed_bytes_per_client"].as_f64().unwrap_or_default());
    println!();
    for (name, value) in report.as_object().into_iter().flatten() {
        match value.as_f64() {
            Some(number) if value.is_f64() => println!("{name:<44} {number:>10.1}"),
            Some(_) => println!("{name:<44} {value:>10}"),
            None => {}
        }
    }
}

/// CPU time of this thread.
fn cpu_ns() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Resident memory of this process.
fn resident_bytes() -> Result<u64, String> {
    let status = fs::read_to_string("/proc/self/status").map_err(|error| error.to_string())?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    let kibibytes: Option<u64> = line.trim().strip_suffix("kB").and_then(|size| size.trim().parse().ok());
    kibibytes.map(|size| size * 1024).ok_or_else(|| "the kernel tells no memory".to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_small_crowd_connects_gets_its_messages_and_stays() {
        let mut crowd = Crowd::new(500);
        connect_all(&mut crowd, 500).unwrap();
        assert_eq!(publish_to_some(&mut crowd, 100).unwrap().count, 100);
        keep_all_alive(&mut crowd).unwrap();
        assert_eq!(crowd.world.closed, 0);
        // Without a sign of life all are given up.
        crowd.pass(u64::from(KEEP_ALIVE_S) * 3000);
        assert_eq!(crowd.world.closed, 500);
    }

    #[test]
    fn the_allocator_takes_a_little_more() {
        assert_eq!([0, 24, 25, 40, 41].map(allocated), [32.0, 32.0, 48.0, 48.0, 64.0]);
    }
}

//! What the store costs: `cargo bench -p hexmq-store [-- append | keeper | open]`, on the disk of `HEXMQ_BENCH_DIR`, or of
//! the temporary directory.
//!
//! CPU time is that of the thread that does the work. `raw` is the least there can be: the same bytes appended to a file
//! with an fdatasync for as many records.

#![allow(clippy::unwrap_used, reason = "a bench may stop")]

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hexmq_broker::{
    Condition, Fetch, Fetched, Journal, Listener, Message, Namespace, QueuedTerms, Record, Serial,
    SessionRef, ShardId,
};
use hexmq_session::Wall;
use hexmq_store::{FileDisk, Keeper, KeeperOptions, Mode, Options, Store};
use hexmq_wire::{QoS, SubscriptionOptions};

const MESSAGES: u64 = 500_000;
const BATCH: u64 = 500;

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let parts: [(&str, fn()); 3] = [("append", append), ("keeper", keeper), ("open", open)];
    for (name, part) in parts {
        if wanted.is_empty() || wanted.iter().any(|word| word == name) {
            part();
        }
    }
}

struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Directory {
        let base = std::env::var_os("HEXMQ_BENCH_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
        let path = base.join(format!("hexmq-store-bench-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Directory(path)
    }

    fn store(&self, mode: Mode) -> Store<FileDisk> {
        let options = Options::new(mode, 7, Wall(1));
        Store::open(FileDisk::open(&self.0).unwrap(), options).unwrap().0
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// CPU time of this thread.
fn cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = text.split(' ').next().and_then(|word| word.parse().ok()).unwrap_or(0);
    Duration::from_nanos(nanoseconds)
}

fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4096
}

fn us_each(time: Duration, count: u64) -> f64 {
    time.as_secs_f64() * 1e6 / count as f64
}

/// A message of 64 bytes that is queued for a session, and with it an older one that is done.
fn flow(out: &mut Vec<u8>, serial: u64, session: u64, place: u64, done: Option<u64>) {
    let message = Message {
        namespace: Namespace::PLAIN,
        topic: "fleet/17/device42/state",
        properties: &[],
        payload: &[7; 64],
        qos: QoS::AtLeastOnce,
        retain: false,
        expires_at: None,
        publisher: None,
    };
    let (session, message_serial) = (Serial(session), Serial(serial));
    Record::Message { serial: message_serial, message }.encode(out);
    let terms = QueuedTerms { qos: QoS::AtLeastOnce, retain: false, group: 0, subscription_identifiers: &[] };
    let sent = NonZeroU16::new((place % 65_535) as u16 + 1);
    Record::Queued { session, place, message: message_serial, terms, sent }.encode(out);
    if let Some(place) = done {
        Record::Done { session, place }.encode(out);
    }
}

fn session(out: &mut Vec<u8>, serial: u64) {
    let identifier = format!("device-{serial}");
    let session = Serial(serial);
    let namespace = Namespace::PLAIN;
    Record::Session { session, namespace, identifier: &identifier, expiry_s: None, ends_at: None }
        .encode(out);
}

/// Commits of 500 messages, each done 10,000 messages later, over 100 sessions.
fn commits() -> Vec<Vec<u8>> {
    let mut first = Vec::new();
    (1..=100).for_each(|serial| session(&mut first, serial));
    let mut commits = vec![first];
    for batch in 0..MESSAGES / BATCH {
        let mut commit = Vec::new();
        for n in batch * BATCH..(batch + 1) * BATCH {
            let done = n.checked_sub(10_000).map(|n| 1 + n / 100);
            flow(&mut commit, 1000 + n, 1 + n % 100, 1 + n / 100, done);
        }
        commits.push(commit);
    }
    commits
}

fn append() {
    let commits = commits();
    let bytes: usize = commits.iter().map(Vec::len).sum();
    println!(
        "{MESSAGES} × Message of 64 B + Queued + Done, {BATCH} a sync, {} B each",
        bytes as u64 / MESSAGES
    );

    let directory = Directory::new("raw");
    let mut file: File = OpenOptions::new().append(true).create(true).open(directory.0.join("raw")).unwrap();
    let (begin, used) = (Instant::now(), cpu());
    for commit in &commits {
        file.write_all(commit).unwrap();
        file.sync_data().unwrap();
    }
    let (raw_cpu, raw) = (cpu() - used, begin.elapsed());
    println!(
        "  raw append + fdatasync     {:.2} µs CPU  {:.2} µs",
        us_each(raw_cpu, MESSAGES),
        us_each(raw, MESSAGES)
    );
    drop(directory);

    for (name, mode, sync) in [("store, disk", Mode::Disk, true), ("store, process", Mode::Process, false)] {
        let directory = Directory::new("append");
        let mut store = directory.store(mode);
        let (begin, used) = (Instant::now(), cpu());
        let mut cleaning = Duration::ZERO;
        for commit in &commits {
            store.append(ShardId(0), commit).unwrap();
            store.flush().unwrap();
            if sync {
                store.sync().unwrap();
            }
            let used = cpu();
            store.clean_step(false).unwrap();
            cleaning += cpu() - used;
        }
        let (store_cpu, store_time) = (cpu() - used, begin.elapsed());
        println!(
            "  {name:<26} {:.2} µs CPU  {:.2} µs  (of it cleaning {:.2} µs CPU; {:.2} × raw CPU, {:.2} × raw)",
            us_each(store_cpu, MESSAGES),
            us_each(store_time, MESSAGES),
            us_each(cleaning, MESSAGES),
            store_cpu.as_secs_f64() / raw_cpu.as_secs_f64(),
            store_time.as_secs_f64() / raw.as_secs_f64(),
        );
    }
    let directory = Directory::new("apply");
    let mut store = directory.store(Mode::Process);
    let used = cpu();
    for commit in &commits {
        store.append(ShardId(0), commit).unwrap();
    }
    println!("  append alone, no write     {:.2} µs CPU", us_each(cpu() - used, MESSAGES));
}

struct Ear(Mutex<Sender<u64>>);

impl Listener for Ear {
    fn safe(&self, _: ShardId, commit: u64) {
        let _ = self.0.lock().unwrap().send(commit);
    }
    fn fetched(&self, _: ShardId, _: Fetched) {}
    fn condition(&self, _: Condition) {}
}

/// How long a commit takes when each waits for the one before, and how many go when 16 are on their way.
fn keeper() {
    let directory = Directory::new("keeper");
    let store = directory.store(Mode::Disk);
    let keeper = Keeper::start(store, KeeperOptions::default(), Box::new(|_| {})).unwrap();
    let (sender, safe): (_, Receiver<u64>) = channel();
    keeper.attach(Arc::new(Ear(Mutex::new(sender))));
    let mut records = Vec::new();
    session(&mut records, 1);
    keeper.commit(ShardId(0), &mut records);
    let (mut place, mut heard) = (0, 0);
    for window in [1, 16, 256] {
        let count = 2_000 * window.min(16);
        let begin = Instant::now();
        let mut last = 0;
        for _ in 0..count {
            place += 1;
            flow(&mut records, 1000 + place, 1, place, place.checked_sub(1));
            last = keeper.commit(ShardId(0), &mut records);
            while heard + window <= last {
                heard = safe.recv().unwrap();
            }
        }
        while heard < last {
            heard = safe.recv().unwrap();
        }
        println!(
            "keeper, {window:>3} commits on their way: {:>7.1} µs each",
            us_each(begin.elapsed(), count)
        );
    }
}

/// A store with a million queued messages, 100,000 sessions and a million retained messages.
fn open() {
    let directory = Directory::new("open");
    let mut store = directory.store(Mode::Process);
    fill_sessions(&mut store);
    let before = resident_bytes();
    fill_queues(&mut store);
    let queued = resident_bytes();
    fill_retained(&mut store);
    let retained = resident_bytes();
    println!(
        "1,000,000 queued messages {} B each, 1,000,000 retained {} B each, in memory; log {} MiB",
        (queued - before) / MILLION,
        (retained - queued) / MILLION,
        store.figures().log_bytes >> 20
    );
    store.close().unwrap();
    drop(store);

    let base = resident_bytes();
    let begin = Instant::now();
    let used = cpu();
    let mut store = directory.store(Mode::Disk);
    println!(
        "open: {:.2} s, {:.2} s CPU, {} MiB",
        begin.elapsed().as_secs_f64(),
        (cpu() - used).as_secs_f64(),
        resident_bytes().saturating_sub(base) >> 20
    );
    let begin = Instant::now();
    let mut count = 0;
    store.sessions(&mut |_| count += 1).unwrap();
    println!("{count} sessions handed out: {:.2} s", begin.elapsed().as_secs_f64());
    let begin = Instant::now();
    let mut count = 0;
    store.retained(&mut |_| count += 1).unwrap();
    println!("{count} retained messages handed out: {:.2} s", begin.elapsed().as_secs_f64());
    let begin = Instant::now();
    let mut fetched = 0;
    for serial in 1..=SESSIONS {
        let asked = SessionRef { shard: ShardId(0), slot: 0, generation: 0 };
        let fetch = Fetch::Queue {
            session: asked,
            serial: Serial(serial),
            from_place: 0,
            messages_max: 128,
            bytes_max: 256 << 10,
        };
        fetched += store.fetch(&fetch).unwrap().records.len();
    }
    println!(
        "1,000,000 queued messages fetched, {} MiB: {:.2} s",
        fetched >> 20,
        begin.elapsed().as_secs_f64()
    );
}

const MILLION: u64 = 1_000_000;
const SESSIONS: u64 = 100_000;

fn hand_over(commit: &mut Vec<u8>, store: &mut Store<FileDisk>, all: bool) {
    if commit.len() > 64 << 10 || all {
        store.append(ShardId(0), commit).unwrap();
        store.flush().unwrap();
        commit.clear();
    }
}

fn fill_sessions(store: &mut Store<FileDisk>) {
    let mut commit = Vec::new();
    for serial in 1..=SESSIONS {
        session(&mut commit, serial);
        let filter = format!("fleet/+/device{serial}/command");
        let options = SubscriptionOptions::with_qos(QoS::AtLeastOnce);
        let session = Serial(serial);
        Record::Subscribed { session, filter: &filter, options, identifier: None }.encode(&mut commit);
        hand_over(&mut commit, store, serial == SESSIONS);
    }
}

fn fill_queues(store: &mut Store<FileDisk>) {
    let mut commit = Vec::new();
    for n in 0..MILLION {
        flow(&mut commit, 1_000_000 + n, 1 + n % SESSIONS, 1 + n / SESSIONS, None);
        hand_over(&mut commit, store, n + 1 == MILLION);
    }
}

fn fill_retained(store: &mut Store<FileDisk>) {
    let mut commit = Vec::new();
    for n in 0..MILLION {
        let topic = format!("fleet/{}/device{n}/state", n % 1000);
        let message = Message {
            namespace: Namespace::PLAIN,
            topic: &topic,
            properties: &[],
            payload: &[7; 64],
            qos: QoS::AtLeastOnce,
            retain: true,
            expires_at: None,
            publisher: None,
        };
        let serial = Serial(3_000_000 + n);
        Record::Message { serial, message }.encode(&mut commit);
        Record::Retained { version: n + 1, message: serial, publisher: 1 }.encode(&mut commit);
        hand_over(&mut commit, store, n + 1 == MILLION);
    }
}

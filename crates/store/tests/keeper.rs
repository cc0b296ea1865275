//! The store's thread: what it promises to the shards, whatever the disk does.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too")]

mod samples;

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hexmq_broker::{Condition, Fetch, Fetched, Journal, Listener, SessionRef, ShardId};
use hexmq_session::Wall;
use hexmq_store::sim::{SimDisk, Troubles};
use hexmq_store::{Figures, Keeper, KeeperOptions, Limited, Mode, Options, Store, StoreEvent};

use samples::{Commit, place};

#[derive(Debug)]
enum Heard {
    Safe(ShardId, u64),
    Fetched(Fetched),
    Condition(Condition),
}

struct Ear(Mutex<Sender<Heard>>);

impl Ear {
    fn tell(&self, heard: Heard) {
        // A test that has ended listens no more.
        let _ = self.0.lock().unwrap().send(heard);
    }
}

impl Listener for Ear {
    fn safe(&self, shard: ShardId, commit: u64) {
        self.tell(Heard::Safe(shard, commit));
    }
    fn fetched(&self, _: ShardId, fetched: Fetched) {
        self.tell(Heard::Fetched(fetched));
    }
    fn condition(&self, condition: Condition) {
        self.tell(Heard::Condition(condition));
    }
}

struct Stage {
    keeper: Keeper,
    heard: Receiver<Heard>,
    events: Receiver<StoreEvent>,
}

fn store_options(mode: Mode) -> Options {
    Options { segment_bytes: 8192, slack_bytes: 16384, reserve_bytes: 0, ..Options::new(mode, 3, Wall(0)) }
}

fn stage(disk: &SimDisk, mode: Mode, options: KeeperOptions) -> Stage {
    let (store, _) = Store::open(disk.clone(), store_options(mode)).unwrap();
    let (sender, heard) = channel();
    let (tell, events) = channel();
    let keeper = Keeper::start(
        store,
        options,
        Box::new(move |event| {
            let _ = tell.send(event);
        }),
    )
    .unwrap();
    keeper.attach(Arc::new(Ear(Mutex::new(sender))));
    Stage { keeper, heard, events }
}

fn quick() -> KeeperOptions {
    KeeperOptions { retry: Duration::from_millis(2), ..KeeperOptions::default() }
}

impl Stage {
    fn commit(&self, shard: u16, commit: &Commit) -> u64 {
        let mut records = commit.bytes().to_vec();
        let number = self.keeper.commit(ShardId(shard), &mut records);
        assert!(records.is_empty());
        number
    }

    /// Waits until this commit is safe.
    fn until_safe(&self, shard: u16, number: u64) {
        loop {
            match self.heard.recv_timeout(Duration::from_secs(60)).expect("the store goes on") {
                Heard::Safe(of, up_to) if of == ShardId(shard) && up_to >= number => return,
                _ => {}
            }
        }
    }

    fn until(&self, wanted: Condition) {
        loop {
            match self.heard.recv_timeout(Duration::from_secs(60)).expect("the store goes on") {
                Heard::Condition(condition) if condition == wanted => return,
                _ => {}
            }
        }
    }
}

fn sessions(disk: &SimDisk) -> u64 {
    Store::open(disk.clone(), store_options(Mode::Disk)).unwrap().0.figures().sessions
}

#[test]
fn what_is_told_to_be_safe_survives_a_power_cut() {
    let disk = SimDisk::new(1);
    let stage = stage(&disk, Mode::Disk, quick());
    let mut last = [0; 3];
    for serial in 1..=300 {
        let shard = (serial % 3) as u16;
        let number = stage.commit(shard, Commit::new().session(serial, "client"));
        assert_eq!(number, last[usize::from(shard)] + 1);
        last[usize::from(shard)] = number;
    }
    for (shard, number) in [(0, last[0]), (1, last[1]), (2, last[2])] {
        // Each shard hears of its own commits; which first is chance.
        let number =
            if shard == 0 { number } else { stage.commit(shard, Commit::new().session(1, "client")) };
        stage.until_safe(shard, number);
    }
    assert_eq!(sessions(&disk.crash(9)), 300);
    assert!(disk.uses().syncs < 300, "one sync serves many commits");
}

#[test]
fn a_process_is_enough_where_only_that_is_promised() {
    let disk = SimDisk::new(2);
    let stage = stage(&disk, Mode::Process, quick());
    let number = stage.commit(0, Commit::new().session(1, "client"));
    stage.until_safe(0, number);
    assert_eq!(disk.uses().syncs, 1, "the manifest's");
    assert_eq!(sessions(&disk.kill()), 1);
}

#[test]
fn a_stop_writes_everything() {
    let disk = SimDisk::new(3);
    let stage = stage(&disk, Mode::Process, quick());
    for serial in 1..=50 {
        stage.commit(0, Commit::new().session(serial, "client"));
    }
    stage.keeper.stop().unwrap();
    assert_eq!(sessions(&disk.crash(4)), 50);
}

#[test]
fn a_queue_is_fetched_with_what_was_just_handed_over() {
    let disk = SimDisk::new(4);
    let stage = stage(&disk, Mode::Disk, quick());
    stage.commit(1, Commit::new().session(1, "client").message(2, "t", b"body").queued(1, 1, 2));
    let session = SessionRef { shard: ShardId(1), slot: 0, generation: 1 };
    stage.keeper.fetch(
        ShardId(1),
        Fetch::Queue { session, serial: place(1), from_place: 0, messages_max: 8, bytes_max: 1 << 20 },
    );
    let fetched = loop {
        if let Heard::Fetched(fetched) = stage.heard.recv_timeout(Duration::from_secs(60)).unwrap() {
            break fetched;
        }
    };
    assert!(fetched.records.windows(4).any(|four| four == b"body"));
}

#[test]
fn a_full_disk_is_waited_for_and_nothing_is_lost() {
    let disk = SimDisk::new(5);
    let stage = stage(&disk, Mode::Disk, quick());
    let first = stage.commit(0, Commit::new().session(1, "client"));
    stage.until_safe(0, first);
    disk.trouble(Troubles { bytes_max: 600, ..Troubles::default() });
    let mut last = 0;
    for serial in 2..=40 {
        last = stage.commit(0, Commit::new().session(serial, "a client with a rather long name"));
    }
    stage.until(Condition::Stuck);
    assert_eq!(stage.keeper.condition(), Condition::Stuck);
    let event = stage.events.recv_timeout(Duration::from_secs(60)).unwrap();
    assert!(matches!(event, StoreEvent::Stuck { full: true, .. }), "{event:?}");
    assert_eq!(event.name(), "store_stuck");
    disk.trouble(Troubles::default());
    stage.until_safe(0, last);
    stage.until(Condition::Well);
    let event = stage.events.recv_timeout(Duration::from_secs(60)).unwrap();
    assert!(matches!(event, StoreEvent::Resumed { .. }), "{event:?}");
    assert_eq!(sessions(&disk.crash(6)), 40);
}

#[test]
fn failing_syncs_and_writes_delay_and_lose_nothing() {
    let disk = SimDisk::new(6);
    let stage = stage(&disk, Mode::Disk, quick());
    disk.trouble(Troubles { sync_fails_of: 3, write_fails_of: 5, ..Troubles::default() });
    for serial in 1..=60 {
        let number = stage.commit(0, Commit::new().session(serial, "client"));
        stage.until_safe(0, number);
        assert_eq!(sessions(&disk.crash(serial)), serial);
    }
    assert!(stage.events.try_iter().any(|event| matches!(event, StoreEvent::Stuck { full: false, .. })));
}

#[test]
fn who_hands_over_too_much_is_asked_to_wait() {
    let disk = SimDisk::new(7);
    let stage = stage(&disk, Mode::Disk, KeeperOptions { backlog_bytes_max: 2000, ..quick() });
    disk.trouble(Troubles { read_only: true, ..Troubles::default() });
    let mut last = 0;
    for serial in 1..=100 {
        last = stage.commit(0, Commit::new().session(serial, "a client with a rather long name"));
    }
    assert_ne!(stage.keeper.condition(), Condition::Well);
    disk.trouble(Troubles::default());
    stage.until_safe(0, last);
    while stage.keeper.condition() != Condition::Well {
        stage.until(Condition::Well);
    }
    assert_eq!(stage.keeper.figures().backlog_bytes, 0);
}

#[test]
fn the_log_is_cleaned_while_it_is_used() {
    let disk = SimDisk::new(8);
    let stage = stage(&disk, Mode::Disk, quick());
    let mut serial = 1;
    stage.commit(0, Commit::new().session(1, "client"));
    for n in 1..=3000_u64 {
        serial += 1;
        let mut commit = Commit::new();
        commit.message(serial, "some/topic", &[7; 60]).queued(1, n, serial).done(1, n);
        let number = stage.commit(0, &commit);
        if n % 100 == 0 {
            stage.until_safe(0, number);
        }
    }
    let event = stage.events.recv_timeout(Duration::from_secs(60)).unwrap();
    assert!(matches!(event, StoreEvent::Cleaned { .. }), "{event:?}");
    let tidy = |figures: Figures| figures.end > 300_000 && figures.log_bytes < 50_000;
    while !tidy(stage.keeper.figures().store) {
        let number = stage.commit(0, Commit::new().session(1, "client"));
        stage.until_safe(0, number);
    }
    stage.keeper.stop().unwrap();
    let after = disk.crash(1);
    let (store, _) = Store::open(after, store_options(Mode::Disk)).unwrap();
    assert_eq!((store.figures().sessions, store.figures().queued), (1, 0));
    assert!(store.figures().log_bytes < 150_000, "{:?}", store.figures());
}

/// The log is much more than the disk holds; what counts of it is little.
#[test]
fn a_small_disk_is_cleaned_and_never_full_for_long() {
    const BYTES: u64 = 100_000;
    let disk = SimDisk::new(9);
    let options = Options::new(Mode::Disk, 3, Wall(0)).within(BYTES);
    let (store, _) = Store::open(Limited::new(disk.clone(), BYTES).unwrap(), options).unwrap();
    let (sender, heard) = channel();
    let (tell, events) = channel();
    let tell = Box::new(move |event| _ = tell.send(event));
    let keeper = Keeper::start(store, quick(), tell).unwrap();
    keeper.attach(Arc::new(Ear(Mutex::new(sender))));
    let stage = Stage { keeper, heard, events };
    stage.commit(0, Commit::new().session(1, "client"));
    for n in 1..=4000_u64 {
        let mut commit = Commit::new();
        commit.message(1 + n, "some/topic", &[7; 60]).queued(1, n, 1 + n);
        if n > 100 {
            commit.done(1, n - 100);
        }
        let number = stage.commit(0, &commit);
        if n % 20 == 0 {
            stage.until_safe(0, number);
        }
    }
    stage.keeper.stop().unwrap();
    let (store, _) = Store::open(disk.crash(1), store_options(Mode::Disk)).unwrap();
    assert_eq!((store.figures().sessions, store.figures().queued), (1, 100));
}

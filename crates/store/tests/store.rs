//! The store over a real directory: what is handed over comes back.

mod samples;

use hexmq_broker::{Fetch, FetchKind, Record, RecordReader, SessionRef, ShardId};
use hexmq_session::Wall;
use hexmq_store::sim::SimDisk;
use hexmq_store::{Cleaned, FileDisk, Mode, Options, Store, StoreError};

use samples::{Commit, place};

fn options() -> Options {
    Options {
        segment_bytes: 4096,
        slack_bytes: 8192,
        reserve_bytes: 0,
        ..Options::new(Mode::Disk, 7, Wall(1_000))
    }
}

#[test]
fn what_is_handed_over_comes_back() {
    let disk = SimDisk::new(1);
    let (mut store, opened) = Store::open(disk.clone(), options()).unwrap();
    assert!(opened.made);
    assert_eq!(opened.numbers.next_serial, 1);
    let mut commit = Commit::new();
    commit.session(1, "alice").subscribed(1, "a/#").message(2, "a/b", b"hello").queued(1, 1, 2);
    commit.message(3, "a/r", b"kept").retained(1, 3);
    commit.incoming(1, 77);
    store.append(ShardId(0), commit.bytes()).unwrap();
    store.flush().unwrap();
    store.sync().unwrap();
    assert_eq!(store.safe(), store.figures().end);
    drop(store);

    let (mut store, opened) = Store::open(disk.crash(5), options()).unwrap();
    assert_eq!((opened.made, opened.cut, opened.lost), (false, None, 0));
    assert_eq!((opened.numbers.next_serial, opened.numbers.next_version, opened.numbers.seed), (4, 2, 7));
    let mut sessions = Vec::new();
    store.sessions(&mut |session| sessions.push(session)).unwrap();
    let [session] = sessions.as_slice() else { panic!("one session: {sessions:?}") };
    assert_eq!(&*session.key.identifier, "alice");
    assert_eq!(&*session.subscriptions[0].0, "a/#");
    assert_eq!(
        (session.waiting, session.waiting_bytes, session.first_place, session.next_place),
        (1, 8, 1, 2)
    );
    assert_eq!(session.incoming[0].get(), 77);
    let mut retained = Vec::new();
    store.retained(&mut |message| retained.push((message.serial.0, message.message.to_vec()))).unwrap();
    assert_eq!(retained.len(), 1);
    let asked = SessionRef { shard: ShardId(0), slot: 3, generation: 9 };
    let fetch =
        Fetch::Queue { session: asked, serial: place(1), from_place: 0, messages_max: 10, bytes_max: 1000 };
    let fetched = store.fetch(&fetch).unwrap();
    assert_eq!((fetched.session, fetched.what), (asked, FetchKind::Queue));
    let mut reader = RecordReader::new(&fetched.records);
    match reader.next() {
        Some(Ok(Record::Message { message, .. })) => {
            assert_eq!((message.topic, message.payload), ("a/b", &b"hello"[..]))
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(reader.next(), Some(Ok(Record::Queued { place: 1, .. }))));
    assert!(reader.next().is_none());
}

#[test]
fn two_servers_cannot_have_one_directory() {
    let directory = std::env::temp_dir().join(format!("hexmq-store-lock-{}", std::process::id()));
    let first = FileDisk::open(&directory).unwrap();
    let second = FileDisk::open(&directory).unwrap_err();
    assert!(matches!(second, StoreError::Locked { .. }));
    assert!(second.to_string().contains(directory.to_str().unwrap()), "{second}");
    drop(first);
    let (mut store, opened) = Store::open(FileDisk::open(&directory).unwrap(), options()).unwrap();
    assert!(opened.made);
    let mut commit = Commit::new();
    commit.session(5, "bob");
    store.append(ShardId(1), commit.bytes()).unwrap();
    store.close().unwrap();
    drop(store);
    let (store, opened) = Store::open(FileDisk::open(&directory).unwrap(), options()).unwrap();
    assert_eq!((store.figures().sessions, opened.numbers.next_serial), (1, 6));
    drop(store);
    std::fs::remove_dir_all(&directory).unwrap();
}

/// Shards take versions before they hand over, so the smaller one may come later; and what is smaller stays in the
/// log longer than what has overruled it.
#[test]
fn a_cleared_topic_stays_cleared_when_its_end_is_cleaned_away() {
    let disk = SimDisk::new(2);
    let narrow = Options { segment_bytes: 300, ..options() };
    let (mut store, _) = Store::open(disk.clone(), narrow).unwrap();
    let hand_over = |store: &mut Store<SimDisk>, commit: &Commit| {
        store.append(ShardId(0), commit.bytes()).unwrap();
        store.make_safe().unwrap();
    };
    hand_over(&mut store, Commit::new().session(1, "a").cleared(6, "t"));
    hand_over(&mut store, Commit::new().message(2, "filler", &[0; 300]));
    hand_over(&mut store, Commit::new().message(3, "t", b"late").retained(5, 3).session(4, "b"));
    hand_over(&mut store, Commit::new().message(5, "filler", &[0; 300]));
    let mut seen = 0;
    for _ in 0..40 {
        if let Cleaned::Removed { .. } = store.clean_step(true).unwrap() {
            seen += 1;
        }
        let (mut after, opened) = Store::open(disk.crash(seen), narrow).unwrap();
        assert_eq!(opened.lost, 0);
        after.retained(&mut |retained| panic!("after {seen} segments: {retained:?}")).unwrap();
        hand_over(&mut store, Commit::new().message(10 + seen, "filler", &[0; 300]));
    }
    assert!(seen > 5, "{:?}", store.figures());
}

/// What ends something is safe before what began it is gone.
#[test]
fn a_segment_is_not_removed_on_the_word_of_what_a_crash_could_lose() {
    let disk = SimDisk::new(3);
    let narrow = Options { segment_bytes: 300, ..options() };
    let (mut store, _) = Store::open(disk.clone(), narrow).unwrap();
    let mut commits = [Commit::new(), Commit::new(), Commit::new()];
    commits[0].session(1, "a").message(2, "t", b"body").queued(1, 1, 2);
    commits[1].session(1, "a").message(3, "filler", &[0; 4000]);
    commits[2].message(4, "filler", &[0; 4000]);
    for commit in &commits {
        store.append(ShardId(0), commit.bytes()).unwrap();
        store.make_safe().unwrap();
    }
    store.append(ShardId(0), Commit::new().done(1, 1).bytes()).unwrap();
    assert!(store.safe() < store.end());
    while !matches!(store.clean_step(true).unwrap(), Cleaned::Removed { .. }) {
        assert!(store.wants_cleaning(true), "{:?}", store.figures());
    }
    assert_eq!(store.safe(), store.end());
    let (after, _) = Store::open(disk.crash(4), narrow).unwrap();
    assert_eq!((after.figures().sessions, after.figures().queued), (1, 0));
}

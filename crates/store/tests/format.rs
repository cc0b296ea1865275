//! Stores that earlier versions wrote are opened by this one.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too")]

mod model;
mod samples;

use std::path::{Path, PathBuf};

use hexmq_broker::ShardId;
use hexmq_session::Wall;
use hexmq_store::sim::SimDisk;
use hexmq_store::{Disk, Mode, Options, Store, check, export};

use model::Model;
use model::load::{Random, commit};

fn fixture(version: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/store").join(version)
}

fn load(directory: &Path) -> SimDisk {
    let disk = SimDisk::new(1);
    for entry in std::fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if name == "manifest" || name.starts_with("segment-") {
            disk.put(&name, &std::fs::read(entry.path()).unwrap());
        }
    }
    disk
}

fn options() -> Options {
    Options {
        segment_bytes: 4096,
        slack_bytes: 1 << 40,
        reserve_bytes: 0,
        ..Options::new(Mode::Disk, 42, Wall(1_700_000_000_000))
    }
}

/// What the fixture of this version was made with: `HEXMQ_WRITE_FIXTURES=1` writes it again, which is for a new
/// version only.
fn make() -> SimDisk {
    let disk = SimDisk::new(4);
    let (mut store, _) = Store::open(disk.clone(), options()).unwrap();
    let mut random = Random(2026);
    let mut model = Model::default();
    let mut numbers = (1, 2);
    for n in 0..150_u16 {
        let commit = commit(&mut random, &model, &mut numbers);
        store.append(ShardId(n % 2), &commit).unwrap();
        store.make_safe().unwrap();
        model.apply(&commit);
        // Cleaned meanwhile, so that there are copies as well.
        store.clean_step(true).unwrap();
    }
    assert!(store.figures().cleaned_segments > 2);
    store.close().unwrap();
    disk
}

fn lines(disk: SimDisk) -> String {
    let mut lines = Vec::new();
    assert_eq!(export(disk, &mut lines).unwrap(), []);
    String::from_utf8(lines).unwrap()
}

#[test]
fn version_1_is_opened() {
    let directory = fixture("v1");
    if std::env::var_os("HEXMQ_WRITE_FIXTURES").is_some() {
        let mut disk = make();
        std::fs::create_dir_all(&directory).unwrap();
        for name in disk.list().unwrap() {
            std::fs::write(directory.join(&name), disk.contents(&name).unwrap()).unwrap();
        }
        std::fs::write(directory.join("expected.jsonl"), lines(disk)).unwrap();
    }
    let disk = load(&directory);
    assert!(check(disk.kill()).unwrap().is_clean());
    let expected = std::fs::read_to_string(directory.join("expected.jsonl")).unwrap();
    assert!(expected.lines().count() > 50);
    assert_eq!(lines(disk.kill()), expected);
    // And it goes on being written.
    let (mut store, opened) = Store::open(disk.clone(), options()).unwrap();
    assert_eq!((opened.numbers.seed, opened.lost, opened.cut), (42, 0, None));
    store.append(ShardId(0), samples::Commit::new().session(100_000, "later").bytes()).unwrap();
    store.close().unwrap();
    assert_eq!(lines(disk).lines().count(), expected.lines().count() + 1);
}

//! Whatever lies in the directory: a report or a store, never a panic.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too")]

mod model;
mod samples;

use std::io::BufReader;

use hexmq_broker::ShardId;
use hexmq_session::Wall;
use hexmq_store::sim::SimDisk;
use hexmq_store::{Disk, Mode, Options, Store, check, export, import, repair};
use proptest::prelude::*;

use model::look;
use samples::Commit;

const FIRST: &str = "segment-0000000000000001";

fn options() -> Options {
    Options { segment_bytes: 4096, reserve_bytes: 0, ..Options::new(Mode::Disk, 1, Wall(5)) }
}

/// A store with one segment.
fn small() -> SimDisk {
    let disk = SimDisk::new(1);
    let (mut store, _) = Store::open(disk.clone(), options()).unwrap();
    for serial in 1..=4 {
        let mut commit = Commit::new();
        commit.session(serial, "client").message(serial + 10, "t", b"x").queued(serial, 1, serial + 10);
        store.append(ShardId(0), commit.bytes()).unwrap();
        store.make_safe().unwrap();
    }
    disk
}

/// Everything that can be done with a directory.
fn try_all(disk: &SimDisk) {
    if let Ok((mut store, opened)) = Store::open(disk.kill(), options()) {
        if opened.lost == 0 {
            look(&mut store);
        }
        store.append(ShardId(0), Commit::new().session(99, "more").bytes()).unwrap();
        while store.clean_step(true).is_ok_and(|cleaned| cleaned == hexmq_store::Cleaned::More) {}
        store.close().unwrap();
    }
    let _ = check(disk.kill());
    let mut lines = Vec::new();
    if export(disk.kill(), &mut lines).is_ok() {
        import(SimDisk::new(2), &mut BufReader::new(lines.as_slice()), Wall(1)).unwrap();
    }
    let mended = disk.kill();
    if repair(mended.clone()).is_ok() {
        Store::open(mended, options()).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn any_segment(bytes in prop::collection::vec(any::<u8>(), 0..600), with_header in any::<bool>()) {
        let disk = small();
        let mut contents = disk.contents(FIRST).unwrap();
        if with_header {
            contents.truncate(64);
        } else {
            contents.clear();
        }
        contents.extend(bytes);
        disk.put(FIRST, &contents);
        try_all(&disk);
    }

    #[test]
    fn any_change_of_a_segment(changes in prop::collection::vec((0..500_u64, any::<u8>()), 1..5), cut in 0..600_u64) {
        let disk = small();
        for (at, bits) in changes {
            disk.rot(FIRST, at, bits);
        }
        if cut < 400 {
            disk.clone().truncate(FIRST, cut).unwrap();
        }
        try_all(&disk);
    }

    #[test]
    fn any_manifest(text in "(hexmq store [0-9]\n)?(seed [0-9a-f]{0,16}\n)?(first [0-9]{0,4}\n)?.{0,40}") {
        let disk = small();
        disk.put("manifest", text.as_bytes());
        try_all(&disk);
    }

    #[test]
    fn any_commit(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let disk = small();
        let (mut store, _) = Store::open(disk.clone(), options()).unwrap();
        let _ = store.append(ShardId(0), &bytes);
        store.close().unwrap();
        try_all(&disk);
    }

    #[test]
    fn any_import(text in "(\\{\"hexmq_store\":1,\"seed\":\"1\",\"next_serial\":1,\"next_version\":1\\}\n)?.{0,200}") {
        let _ = import(SimDisk::new(2), &mut BufReader::new(text.as_bytes()), Wall(1));
    }
}

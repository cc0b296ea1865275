//! Damage is noticed, told, and what is whole is kept.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too")]

mod model;
mod samples;

use std::io::BufReader;

use hexmq_broker::ShardId;
use hexmq_session::Wall;
use hexmq_store::sim::SimDisk;
use hexmq_store::{Disk, ImportError, Mode, Options, Store, StoreError, check, export, import, repair};

use model::load::{Random, commit};
use model::{Model, differ, look};
use samples::Commit;

fn options() -> Options {
    Options {
        segment_bytes: 2048,
        slack_bytes: 1 << 40,
        reserve_bytes: 0,
        ..Options::new(Mode::Disk, 11, Wall(5))
    }
}

/// A store of some segments, closed.
fn filled(seed: u64, commits: usize) -> (SimDisk, Model) {
    let mut random = Random(seed);
    let disk = SimDisk::new(seed);
    let (mut store, _) = Store::open(disk.clone(), options()).unwrap();
    let mut model = Model::default();
    let mut numbers = (1, 2);
    for _ in 0..commits {
        let commit = commit(&mut random, &model, &mut numbers);
        store.append(ShardId(0), &commit).unwrap();
        store.make_safe().unwrap();
        model.apply(&commit);
    }
    store.close().unwrap();
    (disk, model)
}

fn segments(disk: &SimDisk) -> Vec<String> {
    let mut names = disk.clone().list().unwrap();
    names.retain(|name| name.starts_with("segment-"));
    names
}

fn refused(disk: &SimDisk) -> StoreError {
    Store::open(disk.kill(), options()).unwrap_err()
}

#[test]
fn what_is_exported_can_be_imported() {
    for seed in 0..8 {
        let (disk, model) = filled(seed, 120);
        let mut lines = Vec::new();
        assert_eq!(export(disk.clone(), &mut lines).unwrap(), []);
        let new = SimDisk::new(99);
        let imported = import(new.clone(), &mut BufReader::new(lines.as_slice()), Wall(7)).unwrap();
        assert_eq!(imported.records as usize + 1, lines.split(|byte| *byte == b'\n').count() - 1);
        let (mut store, opened) = Store::open(new.crash(1), options()).unwrap();
        assert_eq!(differ(&look(&mut store), &model.picture()), None);
        assert_eq!(opened.numbers.seed, 11);
        assert!(opened.numbers.next_serial >= model.next_serial);
        assert!(opened.numbers.next_version >= model.next_version);
        // And once more: the same lines.
        let mut again = Vec::new();
        export(new.clone(), &mut again).unwrap();
        assert_eq!(String::from_utf8(lines).unwrap(), String::from_utf8(again).unwrap());
        let twice = import(new, &mut BufReader::new(&b""[..]), Wall(7)).unwrap_err();
        assert!(matches!(twice, ImportError::NotEmpty));
    }
}

#[test]
fn an_import_says_which_line_is_wrong() {
    let head = "{\"hexmq_store\":1,\"seed\":\"0b\",\"next_serial\":1,\"next_version\":1}\n";
    for (text, line, part) in [
        ("", 1, "nothing"),
        ("hello\n", 1, "JSON"),
        ("{}\n", 1, "hexmq_store"),
        ("{\"hexmq_store\":2}\n", 1, "version 2"),
        (&format!("{head}{{\"record\":\"wish\"}}\n"), 2, "wish"),
        (&format!("{head}\n{{\"record\":\"session\",\"session\":-1}}\n"), 2, "session"),
        (&format!("{head}{{\"record\":\"message\",\"message\":4,\"properties_hex\":\"0\"}}\n"), 2, "hex"),
    ] {
        let error = import(SimDisk::new(1), &mut BufReader::new(text.as_bytes()), Wall(7)).unwrap_err();
        let told = error.to_string();
        assert!(told.starts_with(&format!("line {line}: ")) && told.contains(part), "{text:?}: {told}");
    }
}

#[test]
fn a_whole_store_has_no_findings() {
    let (disk, model) = filled(3, 100);
    let report = check(disk).unwrap();
    assert!(report.is_clean(), "{report:?}");
    assert_eq!((report.commits, report.lost, report.holes), (100, 0, 0));
    assert!(report.segments > 3);
    assert_eq!(report.figures.sessions as usize, model.sessions.len());
}

#[test]
fn damage_is_refused_found_and_repaired() {
    for seed in 0..30 {
        let (disk, _) = filled(seed, 60);
        let names = segments(&disk);
        let mut random = Random(seed);
        // Not the last: damage at its very end cannot be told from what was being written.
        let name = &names[random.below(names.len() as u64 - 1) as usize];
        let size = disk.clone().size(name).unwrap();
        let at = 64 + random.below(size - 64);
        assert!(disk.rot(name, at, 1 << random.below(8)));
        match refused(&disk) {
            StoreError::Damaged(damage) => {
                assert_eq!(&damage.file, name);
                assert!(damage.offset <= at);
            }
            // The rest of a segment that goes on in the next does not count.
            other => panic!("{other}"),
        }
        let before = segments(&disk).iter().map(|name| disk.contents(name)).collect::<Vec<_>>();
        let report = check(disk.clone()).unwrap();
        assert_eq!(report.findings.len(), 1, "{report:?}");
        let mut lines = Vec::new();
        assert_eq!(export(disk.clone(), &mut lines).unwrap().len(), 1);
        assert_eq!(before, segments(&disk).iter().map(|name| disk.contents(name)).collect::<Vec<_>>());

        let repaired = repair(disk.clone()).unwrap();
        assert_eq!(repaired.findings.len(), 1, "{repaired:?}");
        assert_eq!(repaired.kept, [format!("damaged-{name}")]);
        assert_eq!(disk.contents(&repaired.kept[0]).unwrap().len() as u64, size);
        let (mut store, _) = Store::open(disk.crash(seed), options()).unwrap();
        look(&mut store);
        assert!(check(disk).unwrap().is_clean());
    }
}

#[test]
fn a_lost_file_is_refused_and_the_rest_kept() {
    for which in [0, 1, 2] {
        let (disk, _) = filled(5, 80);
        let names = segments(&disk);
        disk.clone().remove(&names[which]).unwrap();
        assert!(matches!(refused(&disk), StoreError::Damaged(_)));
        assert!(!check(disk.clone()).unwrap().is_clean());
        let repaired = repair(disk.clone()).unwrap();
        assert!(!repaired.findings.is_empty());
        Store::open(disk.kill(), options()).unwrap();
    }
}

#[test]
fn a_lost_or_broken_manifest_is_made_again() {
    for broken in [false, true] {
        let (disk, model) = filled(6, 50);
        if broken {
            disk.rot("manifest", 25, 4);
            assert!(matches!(refused(&disk), StoreError::Damaged(_)));
        } else {
            disk.clone().remove("manifest").unwrap();
            assert!(matches!(refused(&disk), StoreError::NoManifest));
        }
        assert_eq!(repair(disk.clone()).unwrap().findings.len(), 1);
        let (mut store, opened) = Store::open(disk.kill(), options()).unwrap();
        assert_eq!(opened.numbers.seed, 11);
        assert_eq!(differ(&look(&mut store), &model.picture()), None);
    }
}

#[test]
fn a_broken_header_is_made_again() {
    let (disk, model) = filled(7, 60);
    let names = segments(&disk);
    disk.rot(&names[1], 20, 1);
    match refused(&disk) {
        StoreError::Damaged(damage) => assert_eq!((&damage.file, damage.offset), (&names[1], 0)),
        other => panic!("{other}"),
    }
    repair(disk.clone()).unwrap();
    let (mut store, opened) = Store::open(disk.kill(), options()).unwrap();
    assert_eq!(opened.lost, 0);
    assert_eq!(differ(&look(&mut store), &model.picture()), None);
}

#[test]
fn damage_before_what_was_safe_is_no_torn_end() {
    let disk = SimDisk::new(1);
    let (mut store, _) = Store::open(disk.clone(), options()).unwrap();
    for serial in 1..=5 {
        store.append(ShardId(0), Commit::new().session(serial, "client").bytes()).unwrap();
        store.make_safe().unwrap();
    }
    drop(store);
    let name = segments(&disk).remove(0);
    let size = disk.clone().size(&name).unwrap();
    // In the last commit: nobody says that it was safe.
    let torn = disk.kill();
    torn.rot(&name, size - 3, 1);
    let (store, opened) = Store::open(torn, options()).unwrap();
    assert_eq!(store.figures().sessions, 4);
    let cut = opened.cut.unwrap();
    assert_eq!((cut.file.as_str(), cut.offset + cut.bytes), (name.as_str(), size));
    // In the one before it: the last one says so.
    disk.rot(&name, size - 60, 1);
    assert!(matches!(refused(&disk), StoreError::Damaged(_)));
}

#[test]
fn a_newer_version_is_named() {
    let (disk, _) = filled(8, 5);
    let text = String::from_utf8(disk.contents("manifest").unwrap()).unwrap();
    disk.put("manifest", text.replace("hexmq store 1", "hexmq store 9").as_bytes());
    let error = refused(&disk);
    assert!(matches!(error, StoreError::Version { .. }));
    assert!(error.to_string().contains("version 9"), "{error}");
}

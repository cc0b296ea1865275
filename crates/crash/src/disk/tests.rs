use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::os::unix::fs::FileExt;

use super::model::{File, Inode, Model, Node, ROOT, Refusal};
use super::*;

fn make(model: &mut Model, name: &str) -> Inode {
    model.make(ROOT, OsStr::new(name), Node::File(File::default())).expect("made")
}

fn sync(model: &mut Model, inode: Inode) {
    let changes = model.begin_sync(inode).expect("begun");
    model.end_sync(inode, changes).expect("ended");
}

fn content<'a>(model: &'a Model, name: &str) -> Option<&'a [u8]> {
    match model.node(model.look_up(ROOT, OsStr::new(name)).ok()?).ok()? {
        Node::File(file) => Some(&file.content),
        Node::Directory(_) => None,
    }
}

#[test]
fn what_was_synced_survives_every_cut() {
    for seed in 0..200 {
        let mut model = Model::new(1 << 20);
        let inode = make(&mut model, "a");
        model.write(inode, 0, &[1; 10_000]).expect("written");
        sync(&mut model, inode);
        sync(&mut model, ROOT);
        model.write(inode, 10_000, &[2; 10_000]).expect("written");
        model.cut(&mut Random::new(seed));
        let content = content(&model, "a").expect("there");
        assert!(content.len() >= 10_000 && content[..10_000] == [1; 10_000]);
        // Beyond it are the bytes that were written, or holes.
        assert!(content[10_000..].iter().all(|byte| [0, 2].contains(byte)));
    }
}

#[test]
fn what_was_not_synced_is_lost_in_whole_in_part_or_not_at_all() {
    let sizes: std::collections::BTreeSet<usize> = (0..200)
        .map(|seed| {
            let mut model = Model::new(1 << 20);
            let inode = make(&mut model, "a");
            sync(&mut model, ROOT);
            (0..4).for_each(|part| model.write(inode, part * 5_000, &[1; 5_000]).expect("written"));
            model.cut(&mut Random::new(seed));
            content(&model, "a").map_or(0, <[u8]>::len)
        })
        .collect();
    assert!(sizes.contains(&0) && sizes.contains(&20_000) && sizes.len() > 10, "{sizes:?}");
}

#[test]
fn a_name_is_safe_when_its_directory_was_synced() {
    let (mut there, mut renamed) = (0, 0);
    for seed in 0..100 {
        let mut model = Model::new(1 << 20);
        let inode = make(&mut model, "new");
        model.write(inode, 0, b"x").expect("written");
        sync(&mut model, inode);
        let mut cut = model.clone();
        cut.cut(&mut Random::new(seed));
        there += u32::from(content(&cut, "new").is_some());
        sync(&mut model, ROOT);
        model.rename(ROOT, OsStr::new("new"), OsStr::new("kept")).expect("renamed");
        model.cut(&mut Random::new(seed));
        let names = [content(&model, "new"), content(&model, "kept")].map(|name| name.map(<[u8]>::to_vec));
        let x = Some(b"x".to_vec());
        assert!(names == [x.clone(), None] || names == [None, x], "{names:?}");
        renamed += u32::from(names[1].is_some());
    }
    assert!((1..100).contains(&there) && (1..100).contains(&renamed), "{there} {renamed}");
}

#[test]
fn what_is_written_during_a_sync_is_not_synced_by_it() {
    let mut model = Model::new(1 << 20);
    let inode = make(&mut model, "a");
    sync(&mut model, ROOT);
    model.write(inode, 0, b"first").expect("written");
    let changes = model.begin_sync(inode).expect("begun");
    model.write(inode, 0, b"other").expect("written");
    model.end_sync(inode, changes).expect("ended");
    let lost = (0..50).any(|seed| {
        let mut model = model.clone();
        model.cut(&mut Random::new(seed));
        content(&model, "a") == Some(b"first")
    });
    assert!(lost);
}

#[test]
fn a_full_and_a_read_only_disk_say_so() {
    let mut model = Model::new(10);
    let inode = make(&mut model, "a");
    assert_eq!(model.write(inode, 0, &[0; 11]), Err(Refusal::NoSpace));
    assert_eq!(model.write(inode, 0, &[0; 10]), Ok(()));
    assert_eq!(model.write(inode, 0, &[1; 10]), Ok(()), "no more room is needed");
    assert_eq!(model.resize(inode, 11), Err(Refusal::NoSpace));
    model.is_read_only = true;
    assert_eq!(model.write(inode, 0, &[0]), Err(Refusal::ReadOnly));
    assert_eq!(model.unlink(ROOT, OsStr::new("a")), Err(Refusal::ReadOnly));
    model.fails_to_sync = true;
    assert_eq!(model.begin_sync(inode), Err(Refusal::Io));
}

/// On the kernel, where it has FUSE and we may mount.
#[test]
fn the_kernel_sees_the_same() {
    let folder = std::env::temp_dir().join(format!("hexmq-crash-disk-{}", std::process::id()));
    let mut disk = match Disk::mount(folder.clone(), 1 << 20) {
        Ok(disk) => disk,
        Err(why) => return eprintln!("left out: {why}"),
    };
    let path = folder.join("log");
    let mut file = fs::File::create(&path).expect("created");
    file.write_all(&[7; 5_000]).expect("written");
    file.sync_data().expect("synced");
    fs::File::open(&folder).and_then(|folder| folder.sync_all()).expect("synced");
    file.write_at(&[8; 5_000], 5_000).expect("written");
    fs::write(folder.join("unsynced"), b"x").expect("written");
    assert_eq!(fs::metadata(&path).expect("there").len(), 10_000);
    drop(file);
    let mut random = Random::new(3);
    let gone = (0..20).any(|_| {
        fs::write(folder.join("unsynced"), b"x").expect("written");
        disk.cut(&mut random).expect("cut");
        !folder.join("unsynced").exists()
    });
    assert!(gone && disk.syncs() == 2, "{}", disk.syncs());
    let kept = fs::read(&path).expect("there");
    assert!(kept.len() >= 5_000 && kept[..5_000] == [7; 5_000]);
    disk.set_full(true, 0);
    assert_eq!(fs::write(&path, [0; 20_000]).expect_err("full").kind(), std::io::ErrorKind::StorageFull);
    disk.set_full(false, 1 << 20);
    fs::write(&path, b"again").expect("written");
    disk.set_read_only(true);
    assert!(fs::write(&path, b"not").is_err());
    disk.set_read_only(false);
    disk.set_failing(true);
    assert!(fs::File::open(&path).expect("open").sync_all().is_err());
    disk.set_failing(false);
    disk.set_sync_delay(Duration::from_millis(30));
    let begun = std::time::Instant::now();
    fs::File::open(&path).expect("open").sync_all().expect("synced");
    assert!(begun.elapsed() >= Duration::from_millis(30));
    let names: Vec<_> =
        fs::read_dir(&folder).expect("listed").map(|entry| entry.expect("entry").path()).collect();
    assert!(names.contains(&path), "{names:?}");
    fs::rename(&path, folder.join("renamed")).expect("renamed");
    fs::remove_file(folder.join("renamed")).expect("removed");
    drop(disk);
    fs::remove_dir(&folder).expect("unmounted");
}

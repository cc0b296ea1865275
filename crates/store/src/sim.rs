//! A disk that exists in memory only and fails as disks do, always the same way for the same seed.
//!
//! What was written and not synced is lost in a power cut, in part: page by page, in any order, and a page may be torn
//! between two sectors or in the middle of one. Names of files are lost unless the directory was synced. A failed sync
//! loses what it should have kept, although reads still show it for a while.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::disk::Disk;

/// Bytes that are written as one, if nothing goes wrong.
const PAGE: usize = 4096;
const SECTOR: usize = 512;

/// See the head of this file. A clone is the same disk.
#[derive(Clone, Debug)]
pub struct SimDisk {
    state: Arc<Mutex<State>>,
}

/// What the disk does wrong from now on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Troubles {
    /// One sync of so many fails; 0: none.
    pub sync_fails_of: u32,
    /// One write of so many fails, with a part written; 0: none.
    pub write_fails_of: u32,
    /// One read of so many fails; 0: none.
    pub read_fails_of: u32,
    /// Nothing can be written.
    pub read_only: bool,
    /// Bytes that all files may have together; 0: any number.
    pub bytes_max: u64,
}

/// What the disk was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Uses {
    /// Successful syncs of files.
    pub syncs: u64,
    /// Writes.
    pub writes: u64,
    /// Reads.
    pub reads: u64,
}

#[derive(Debug)]
struct State {
    random: u64,
    troubles: Troubles,
    uses: Uses,
    /// As the operating system shows them.
    names: BTreeMap<String, usize>,
    /// As they are after a power cut.
    names_kept: BTreeMap<String, usize>,
    files: Vec<Contents>,
}

#[derive(Clone, Debug, Default)]
struct Contents {
    now: Vec<u8>,
    kept: Vec<u8>,
    /// Pages that differ, perhaps.
    dirty: std::collections::BTreeSet<usize>,
}

impl SimDisk {
    /// An empty disk.
    pub fn new(seed: u64) -> SimDisk {
        let state = State {
            random: seed ^ 0x9e37_79b9_7f4a_7c15,
            troubles: Troubles::default(),
            uses: Uses::default(),
            names: BTreeMap::new(),
            names_kept: BTreeMap::new(),
            files: Vec::new(),
        };
        SimDisk { state: Arc::new(Mutex::new(state)) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What goes wrong from now on.
    pub fn trouble(&self, troubles: Troubles) {
        self.state().troubles = troubles;
    }

    /// What it was asked for.
    pub fn uses(&self) -> Uses {
        self.state().uses
    }

    /// The power is cut: the disk as it is found afterwards. This one stays as it was.
    pub fn crash(&self, seed: u64) -> SimDisk {
        let mut state = self.state();
        let mut random = Random(seed);
        let mut names = state.names_kept.clone();
        // Each change of a name may have been kept by chance.
        for (name, file) in &state.names {
            if names.get(name) != Some(file) && random.one_of(2) {
                names.insert(name.clone(), *file);
            }
        }
        let removed: Vec<String> =
            state.names_kept.keys().filter(|name| !state.names.contains_key(*name)).cloned().collect();
        for name in removed {
            if random.one_of(2) {
                names.remove(&name);
            }
        }
        let files: Vec<Contents> =
            state.files.iter_mut().map(|file| file.after_a_crash(&mut random)).collect();
        let crashed = State {
            random: seed,
            troubles: Troubles::default(),
            uses: Uses::default(),
            names_kept: names.clone(),
            names,
            files,
        };
        SimDisk { state: Arc::new(Mutex::new(crashed)) }
    }

    /// The process ends, the operating system goes on: a disk with the same contents and without troubles.
    pub fn kill(&self) -> SimDisk {
        let state = self.state();
        let killed = State {
            random: state.random,
            troubles: Troubles::default(),
            uses: Uses::default(),
            names: state.names.clone(),
            names_kept: state.names_kept.clone(),
            files: state.files.clone(),
        };
        SimDisk { state: Arc::new(Mutex::new(killed)) }
    }

    /// Changes a byte of a file, as a failing medium does; false if there is none.
    pub fn rot(&self, name: &str, at: u64, bits: u8) -> bool {
        let mut state = self.state();
        let Some(file) = state.file(name) else { return false };
        let at = at as usize;
        for contents in [&mut file.now, &mut file.kept] {
            if let Some(byte) = contents.get_mut(at) {
                *byte ^= bits;
            }
        }
        at < file.now.len()
    }

    /// The contents of a file.
    pub fn contents(&self, name: &str) -> Option<Vec<u8>> {
        self.state().file(name).map(|file| file.now.clone())
    }

    /// Puts a file there, synced.
    pub fn put(&self, name: &str, contents: &[u8]) {
        let mut state = self.state();
        let file = Contents { now: contents.to_vec(), kept: contents.to_vec(), ..Contents::default() };
        state.files.push(file);
        let at = state.files.len() - 1;
        state.names.insert(name.to_owned(), at);
        state.names_kept.insert(name.to_owned(), at);
    }
}

impl Contents {
    fn page(bytes: &[u8], page: usize) -> &[u8] {
        let start = (page * PAGE).min(bytes.len());
        bytes.get(start..(start + PAGE).min(bytes.len())).unwrap_or_default()
    }

    fn after_a_crash(&mut self, random: &mut Random) -> Contents {
        let mut kept = self.kept.clone();
        // The size is kept like any page: the old one, the new one, or something in between.
        let (low, high) = (self.kept.len().min(self.now.len()), self.kept.len().max(self.now.len()));
        if !self.dirty.is_empty() {
            let size = match random.below(3) {
                0 => self.kept.len(),
                1 => self.now.len(),
                _ => low + random.below(high - low + 1),
            };
            kept.resize(size, 0);
        }
        for &page in &self.dirty {
            let new = Contents::page(&self.now, page);
            let from = match random.below(4) {
                0 => 0..0,
                1 => 0..new.len(),
                2 => {
                    let sector = random.below(PAGE / SECTOR + 1) * SECTOR;
                    if random.one_of(2) { 0..sector.min(new.len()) } else { sector.min(new.len())..new.len() }
                }
                _ => 0..random.below(new.len() + 1),
            };
            let start = page * PAGE;
            if let (Some(place), Some(bytes)) = (
                kept.get_mut(start + from.start..(start + from.end).max(start + from.start)),
                new.get(from.clone()),
            ) {
                place.copy_from_slice(bytes);
            } else {
                // The file ends within the page.
                for at in from {
                    if let (Some(place), Some(byte)) = (kept.get_mut(start + at), new.get(at)) {
                        *place = *byte;
                    }
                }
            }
        }
        Contents { now: kept.clone(), kept, dirty: Default::default() }
    }

    fn touch(&mut self, from: usize, to: usize) {
        self.dirty.extend(from / PAGE..=to.saturating_sub(1).max(from) / PAGE);
    }
}

impl State {
    fn file(&mut self, name: &str) -> Option<&mut Contents> {
        let at = *self.names.get(name)?;
        self.files.get_mut(at)
    }

    fn must(&mut self, name: &str) -> io::Result<&mut Contents> {
        self.file(name).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }

    fn random(&mut self) -> Random {
        let mut random = Random(self.random);
        self.random = random.next();
        random
    }

    fn fails(&mut self, of: u32) -> bool {
        of != 0 && self.random().below(of as usize) == 0
    }

    fn used(&self) -> u64 {
        self.names.values().filter_map(|at| self.files.get(*at)).map(|file| file.now.len() as u64).sum()
    }

    fn writable(&self) -> io::Result<()> {
        if self.troubles.read_only { Err(io::Error::from(io::ErrorKind::ReadOnlyFilesystem)) } else { Ok(()) }
    }
}

impl Disk for SimDisk {
    fn list(&mut self) -> io::Result<Vec<String>> {
        Ok(self.state().names.keys().cloned().collect())
    }

    fn create(&mut self, name: &str) -> io::Result<()> {
        let mut state = self.state();
        state.writable()?;
        if state.names.contains_key(name) {
            return Err(io::Error::from(io::ErrorKind::AlreadyExists));
        }
        if state.troubles.bytes_max != 0 && state.used() >= state.troubles.bytes_max {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        state.files.push(Contents::default());
        let at = state.files.len() - 1;
        state.names.insert(name.to_owned(), at);
        Ok(())
    }

    fn size(&mut self, name: &str) -> io::Result<u64> {
        self.state().must(name).map(|file| file.now.len() as u64)
    }

    fn read(&mut self, name: &str, at: u64, into: &mut [u8]) -> io::Result<usize> {
        let mut state = self.state();
        state.uses.reads += 1;
        let of = state.troubles.read_fails_of;
        if state.fails(of) {
            return Err(io::Error::other("the simulated disk cannot read this now"));
        }
        let file = state.must(name)?;
        let bytes = file.now.get(usize::try_from(at).unwrap_or(usize::MAX)..).unwrap_or_default();
        let count = bytes.len().min(into.len());
        for (place, byte) in into.iter_mut().zip(bytes) {
            *place = *byte;
        }
        Ok(count)
    }

    fn write(&mut self, name: &str, at: u64, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.state();
        state.writable()?;
        state.uses.writes += 1;
        let (of, bytes_max) = (state.troubles.write_fails_of, state.troubles.bytes_max);
        let mut result = Ok(());
        let mut count = bytes.len();
        if state.fails(of) {
            count = state.random().below(bytes.len() + 1);
            result = Err(io::Error::other("the simulated disk cannot write this now"));
        }
        let used = state.used();
        let file = state.must(name)?;
        let at = at as usize;
        if at > file.now.len() {
            return Err(io::Error::from(io::ErrorKind::InvalidInput));
        }
        if bytes_max != 0 {
            let room = bytes_max.saturating_sub(used) as usize + (file.now.len() - at);
            if count > room {
                count = room;
                result = Err(io::Error::from(io::ErrorKind::StorageFull));
            }
        }
        let bytes = bytes.get(..count).unwrap_or_default();
        let end = at + bytes.len();
        if file.now.len() < end {
            file.now.resize(end, 0);
        }
        if let Some(place) = file.now.get_mut(at..end) {
            place.copy_from_slice(bytes);
        }
        file.touch(at, end);
        result
    }

    fn truncate(&mut self, name: &str, size: u64) -> io::Result<()> {
        let mut state = self.state();
        state.writable()?;
        let file = state.must(name)?;
        let size = size as usize;
        let (low, high) = (file.now.len().min(size), file.now.len().max(size));
        file.now.resize(size, 0);
        file.touch(low, high);
        Ok(())
    }

    fn sync(&mut self, name: &str) -> io::Result<()> {
        let mut state = self.state();
        let of = state.troubles.sync_fails_of;
        if state.fails(of) {
            let mut random = state.random();
            let file = state.must(name)?;
            // Some of it is kept, the rest is not and counts as clean: a second sync would succeed and keep nothing.
            file.kept = file.after_a_crash(&mut random).kept;
            file.dirty.clear();
            return Err(io::Error::other("the simulated disk cannot sync this now"));
        }
        let file = state.must(name)?;
        let dirty = std::mem::take(&mut file.dirty);
        file.kept.resize(file.now.len(), 0);
        for page in dirty {
            let bytes = Contents::page(&file.now, page);
            let start = page * PAGE;
            if let Some(place) = file.kept.get_mut(start..start + bytes.len()) {
                place.copy_from_slice(bytes);
            }
        }
        state.uses.syncs += 1;
        Ok(())
    }

    fn sync_directory(&mut self) -> io::Result<()> {
        let mut state = self.state();
        let of = state.troubles.sync_fails_of;
        if state.fails(of) {
            return Err(io::Error::other("the simulated disk cannot sync the directory now"));
        }
        state.names_kept = state.names.clone();
        Ok(())
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.state();
        state.writable()?;
        let file = state.names.remove(from).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        state.names.insert(to.to_owned(), file);
        Ok(())
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        let mut state = self.state();
        state.writable()?;
        let gone = state.names.remove(name);
        gone.map(|_| ()).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }
}

/// splitmix64.
#[derive(Debug)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    fn one_of(&mut self, of: usize) -> bool {
        self.below(of) == 0
    }
}
